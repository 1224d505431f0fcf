"""Sources of a preflight over the snapshot of a VPC: audited by the product, probed by whoever says which calls pass."""

from msgspec.structs import replace

from egressprobe.cli.output.preflight.table import preflight_table
from egressprobe.model.discovered import Discovered
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from tests.support.preflights import CLUSTER, TARGETS, ScriptedSources, result
from tests.support.vpc.snapshots import WEB, WEB6


class VpcSources(ScriptedSources):
    """passes: (snapshot, subnet, address, port) -> whether a connection is made. Names resolve to WEB and WEB6."""

    def __init__(self, snapshot, passes):
        family = snapshot.cluster.ip_family
        hosts = ("policy.example.com", "login.example.com")
        self.addresses = (WEB, WEB6) if family == "ipv6" else (WEB,)
        super().__init__(
            targets=TARGETS[:2],
            cluster=replace(CLUSTER, ip_family=family, subnets=snapshot.cluster.subnets),
            snapshot=replace(snapshot, names=dict.fromkeys(hosts, self.addresses)),
            discovered=Discovered(targets=TARGETS[:2]),
        )
        self.passes = passes

    def _result(self, number, subnet, target):
        failing = tuple(to for to in self.addresses if not self.passes(self.snapshot, subnet, to, 443))
        dead = len(failing) == len(self.addresses)
        verdict = Verdict.FAIL if dead else Verdict.DEGRADED if failing else Verdict.PASS
        code = Code.CONNECT_TIMEOUT if dead else None
        return result(target, verdict, code, addresses=self.addresses, failing=failing)


def printed_fixes(flight):
    """The commands that the table prints as fixes of causes and prerequisites, in their order."""
    commands, label = [], ""
    for line in preflight_table(flight, width=80).splitlines():
        label = (line[4:13].strip() or label) if line.startswith("    ") else ""
        if label == "fix" and line[14:].startswith("aws "):
            commands.append(line[14:])
    return commands
