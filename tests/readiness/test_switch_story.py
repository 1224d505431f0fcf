"""The whole story of a switch, on a VPC that the printed commands really change.

NO-GO with two causes; the commands that it printed; GO; the switch, whose update ends well, badly, or is interrupted at
every call; verified clean; then a rule is taken away, and `diff` and `verify` name it. What a probe sees is the audit's
verdict on the VPC; in `test_the_story_with_packets` it is what real packets do in the virtual VPC.
"""

import random
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import AclEntry, Permission, RouteTable, to_json
from egressprobe.catalog.entry import is_command
from egressprobe.cli.inputs import readiness_source, switch_source
from egressprobe.cli.main import main
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from egressprobe.targets.plan import read_plan
from tests.support.preflights import POLICY, FakeClock, result
from tests.support.readiness.fake_eks import live_eks
from tests.support.readiness.scripted import SwitchedSources
from tests.support.vpc.execute import execute
from tests.support.vpc.snapshots import CLUSTER_SG, LOCAL, OUT, POD, POD_SG, PODS, WEB, A, B, acl, clean, group
from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.packets import Call, Servers, connect
from tests.support.vpc.virtual.wires import wires

NAMES = ("policy.example.com", "login.example.com", "oidc.eks.eu-west-1.amazonaws.com")
YES = ("--yes-this-is-irreversible", "prod")
COMMAND = ("--cluster", "prod", "--region", "eu-west-1")
PRIVATE = Permission(6, (443, 443), ("10.0.0.0/16",))


def healthy():
    """Both subnets have a table of their own; the kubelet's port is open."""
    base = clean(names=dict.fromkeys(NAMES, (WEB,)))
    tables = [table for table in base.route_tables if table.id != "rtb-private"]
    tables += [RouteTable(f"rtb-{name[-1]}", subnets=subnets, routes=(*LOCAL, *OUT)) for name, subnets in _TABLES]
    base = replace(
        base, cluster=replace(base.cluster, ip_family="ipv4", mode="AWS_MANAGED"), route_tables=tuple(tables)
    )
    kubelet = Permission(6, (10250, 10250), groups=(CLUSTER_SG,))
    return group(base, POD_SG, ingress=(kubelet,))


_TABLES = ((A, (A, PODS)), (B, (B,)))


def broken():
    """Subnet B has no default route; the ACL of subnet A denies return traffic."""
    whole = healthy()
    tables = tuple(
        replace(table, routes=(*LOCAL, *OUT[1:])) if table.id == "rtb-b" else table for table in whole.route_tables
    )
    return acl(replace(whole, route_tables=tables), A, AclEntry(90, False, False, 6, "0.0.0.0/0", (1024, 65535)))


class Vpc(SwitchedSources):
    """Sources whose probes see what `opens(snapshot, subnet, address, port)` says."""

    def __init__(self, eks, snapshot, opens):
        super().__init__(lambda: eks.mode, {}, snapshot=snapshot)
        self.opens, self.known = opens, {}

    def probe(self, plan):
        self.changes = {}
        return super().probe(plan)

    def _result(self, number, subnet, target):
        endpoints = [(endpoint.address, endpoint.port) for endpoint in target.endpoints] or [(WEB, target.port)]
        key = (to_json(self.snapshot), subnet, *endpoints)
        if key not in self.known:
            self.known[key] = all(self.opens(self.snapshot, subnet, *endpoint) for endpoint in endpoints)
        addresses = tuple(address for address, _ in endpoints)
        if self.known[key]:
            return result(target, addresses=addresses)
        return result(target, Verdict.FAIL, Code.CONNECT_TIMEOUT, addresses=addresses)


def as_audited(snapshot, subnet, address, port):
    """By the configuration."""
    raw = {"kind": "endpoint", "name": "x", "url": f"tcp://{address}:{port}"}
    targets = read_plan({"targets": [raw]}).targets
    paths = [path for path in audit(snapshot, targets).paths if path.subnet == subnet]
    return bool(paths) and all(path.state == "open" for path in paths)


class Passing(FakeClock):
    """Time passes only while something sleeps, and begins now."""

    def now(self):
        return datetime.now(UTC) + timedelta(seconds=self.time - 1000)


class Desk:
    """A person with a shell: a directory, the cluster, the VPC."""

    def __init__(self, monkeypatch, capsys, folder, opens):
        monkeypatch.chdir(folder)
        self.capsys, self.eks = capsys, live_eks()
        self.sources = Vpc(self.eks, broken(), opens)
        for module in (readiness_source, switch_source):
            monkeypatch.setattr(module, "AccountSources", lambda *_, **__: self.sources)
        monkeypatch.setattr(switch_source, "in_region", lambda _: type("Session", (), {"region_name": "eu-west-1"}))
        monkeypatch.setattr(switch_source, "EksUpdates", lambda *_: self.eks)
        monkeypatch.setattr(switch_source, "WallClock", Passing)
        monkeypatch.setattr("egressprobe.readiness.run.SystemClock", FakeClock)

    def run(self, *words):
        """(exit code, stdout, lines of stderr)."""
        code = main(list(words))
        out, err = self.capsys.readouterr()
        return code, out, err.splitlines()

    def carry_out(self, table):
        """Every command below `fix` in a table, copied as it is."""
        commands, label = [], ""
        for line in table.splitlines():
            label = line[4:13].strip() or (label if line.startswith(" " * 14) else "")
            if label == "fix" and is_command(line[14:]):
                commands.append(line[14:])
        self.sources.snapshot = execute(self.sources.snapshot, commands)
        return commands


def to_go(desk):
    """From NO-GO to GO by what was printed."""
    code, out, _ = desk.run("preflight", *COMMAND)
    assert code == 3, out
    assert out.startswith("NO-GO  ")
    assert "NACL_EPHEMERAL_DENIED" in out
    assert "ROUTE_NO_EGRESS" in out
    refused, _, err = desk.run("switch", *COMMAND, *YES)
    assert (refused, desk.eks.tokens) == (3, [])
    assert err[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode AWS_MANAGED")
    commands = desk.carry_out(out)
    assert len(commands) >= 2
    code, out, _ = desk.run("preflight", *COMMAND)
    assert code == 0, out
    assert out.startswith("GO  ")


def break_and_name_it(desk):
    """After the switch: someone limits the cluster's security group."""
    desk.sources.snapshot = group(desk.sources.snapshot, CLUSTER_SG, egress=(PRIVATE,))
    code, out, _ = desk.run("preflight", *COMMAND, "-o", "json", "--baseline", "now.json")
    assert code == 3
    code, out, _ = desk.run("diff", "egressprobe-baseline-prod.json", "now.json")
    assert code == 3
    assert out.startswith("FAIL: prod: ")
    assert f"WORSE    webhook {POLICY} (blocks)" in out
    assert "SG_EGRESS_DENIED" in out
    assert "changed mode: AWS_MANAGED -> CUSTOMER_ROUTED" in out
    code, out, _ = desk.run("verify", *COMMAND)
    assert code == 3
    assert "NOT MET  Webhooks" in out
    commands = desk.carry_out(out)
    assert commands
    assert desk.run("verify", *COMMAND)[0] == 0


@pytest.fixture
def desk(monkeypatch, capsys, tmp_path):
    return Desk(monkeypatch, capsys, tmp_path, as_audited)


def test_the_whole_story(desk):
    """It ends well, and what breaks later is named with its fix."""
    to_go(desk)
    code, out, err = desk.run("switch", *COMMAND, *YES)
    assert code == 0, err
    assert out.startswith("PASS: prod: nothing is worse")
    assert desk.run("verify", *COMMAND)[0] == 0
    break_and_name_it(desk)


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_an_update_that_ends_badly(desk, status):
    """Not switched, said so; then it is done again."""
    to_go(desk)
    desk.eks.script, desk.eks.errors = ["InProgress", status], ("EniLimitReached: no more interfaces",)
    code, out, err = desk.run("switch", *COMMAND, *YES)
    assert (code, out) == (1, "")
    assert any("EniLimitReached" in line for line in err)
    assert err[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode AWS_MANAGED")
    desk.eks.script = ["InProgress", "Successful"]
    assert desk.run("switch", *COMMAND, *YES)[0] == 0
    assert desk.run("verify", *COMMAND)[0] == 0


class Interrupted:
    """EKS, with Ctrl-C before or after one of the calls (from 1; two for each call)."""

    def __init__(self, eks, stop_at):
        self.eks, self.stop_at, self.count = eks, stop_at, 0

    def __getattr__(self, name):
        inner = getattr(self.eks, name)

        def call(*args):
            self._step()
            answer = inner(*args)
            self._step()
            return answer

        return call if callable(inner) else inner

    def _step(self):
        self.count += 1
        if self.count == self.stop_at:
            raise KeyboardInterrupt


@pytest.mark.thorough
def test_interrupted_at_every_call(desk, tmp_path):
    """Ctrl-C before and after every call of EKS: the true state, and --resume ends it with one request."""
    to_go(desk)
    fixed, stop_at, code = desk.sources.snapshot, 0, None
    while code != 0:
        stop_at += 1
        for state in tmp_path.glob("*.switch.json"):
            state.unlink()
        eks = live_eks(script=["InProgress", "Successful"])
        desk.sources, desk.eks = Vpc(eks, fixed, as_audited), Interrupted(eks, stop_at)
        code, _, err = desk.run("switch", *COMMAND, *YES)
        assert code in (0, 130)
        assert err[-1].startswith(f"true state: prod is {eks.status}, controlPlaneEgressMode {eks.mode}"), stop_at
        desk.eks = eks
        is_open = any(line.startswith("to go on: ") for line in err)
        resumed, _, err = desk.run("switch", *COMMAND, *YES, *(["--resume"] if is_open else []))
        assert resumed == 0, (stop_at, err)
        assert len(eks.tokens) == 1
    assert stop_at > 15


class Packets:
    """What connects in the virtual VPC; each snapshot is built once, and every call of the story is tried in it."""

    def __init__(self, made):
        self.made, self.passed, self.built = made, {}, 0

    def __call__(self, snapshot, subnet, address, port):
        key = to_json(snapshot)
        if key not in self.passed:
            self.passed[key] = self._try(snapshot)
        return self.passed[key][subnet, address, port]

    def _try(self, snapshot):
        self.built += 1
        built = Built(self.made, snapshot, {WEB, POD})
        calls = {
            (subnet, address, port): Call(eni, source, 40000 + 10 * self.built + i, address, port)
            for subnet, eni, source in ((A, "eni-a", "10.0.1.20"), (B, "eni-b", "10.0.2.20"))
            for i, (address, port) in enumerate(((WEB, 443), (POD, 10250)))
        }
        for call in calls.values():
            built.pair(call.source, call.client, [], random.Random(0))
        built.nat_rules()
        passed = connect(built, list(calls.values()), 3.0)
        return {key: passed[call] for key, call in calls.items()}


@pytest.mark.thorough
@pytest.mark.netns
@pytest.mark.nftables
@pytest.mark.bridges
def test_the_story_with_packets(monkeypatch, capsys, tmp_path):
    """The same, where a probe passes only if a real connection is made through the virtual VPC."""
    with wires() as made:
        servers = Servers([one for name, one in made.items() if name not in ("vpc", "edge", "out6")], (443, 10250))
        try:
            packets = Packets(made)
            desk = Desk(monkeypatch, capsys, tmp_path, packets)
            to_go(desk)
            assert desk.run("switch", *COMMAND, *YES)[0] == 0
            break_and_name_it(desk)
            assert packets.built == 4
        finally:
            servers.close()
