"""The audit on one page: a snapshot and targets -> paths -> findings -> a matrix subnet x target. Pure."""

from collections.abc import Iterable, Sequence

from egressprobe.audit.findings import each_command_once, path_findings, problems, with_names_of
from egressprobe.audit.fixes.proof import propose
from egressprobe.audit.fixes.proposal import Proposals, without_fixes
from egressprobe.audit.paths.destination import TargetRow
from egressprobe.audit.paths.destinations import calls_of
from egressprobe.audit.paths.paths import Paths
from egressprobe.audit.result import AUDIT_SCHEMA, Audit, SubnetColumn, path_report
from egressprobe.audit.rules.dns_rules import DNS_RULES
from egressprobe.audit.rules.rule import evaluate
from egressprobe.audit.rules.vpc_rules import VPC_RULES
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.topology import Topology
from egressprobe.model.report import Finding
from egressprobe.model.target import Target, Verdict

RULES = (*DNS_RULES, *VPC_RULES)
LIMITS = (
    "Configuration only: it does not see servers, host firewalls, what an appliance or another account's network does, "
    "nor whether names resolve. Connections that are already open may behave otherwise."
)


def audit(
    snapshot: VpcSnapshot,
    targets: Iterable[Target] = (),
    skip: Iterable[str] = (),
    beside: Iterable[Finding] = (),
) -> Audit:
    """targets: none for the egress path to the internet. skip: codes of findings to suppress; they do not count.

    Those of paths are not shown either, but do count: to suppress the finding does not open the path.

    beside: findings of reading the cluster.

    Raises ValueError for a snapshot with an invalid CIDR.
    """
    topology, skipped = Topology(snapshot), frozenset(skip)
    calls, not_audited = calls_of(targets, snapshot)
    paths = Paths(topology)
    rows = [paths.row(destination, protocol) for destination, protocol in calls]
    of_paths = list(path_findings(paths, rows, _proposals(paths, rows)))
    of_configuration = evaluate(RULES, topology, (destination.host for destination, _ in calls if destination.host))
    findings = [*beside, *of_paths, *of_configuration]
    shown = each_command_once(with_names_of(finding, snapshot) for finding in findings if finding.code not in skipped)
    return Audit(
        schema_version=AUDIT_SCHEMA,
        taken_at=snapshot.taken_at,
        region=snapshot.region,
        cluster_name=snapshot.cluster.name,
        vpc=snapshot.vpc.id,
        verdict=_verdict([*shown, *of_paths], rows),
        subnets=tuple(SubnetColumn(name, _zone(topology, name)) for name in snapshot.cluster.subnets),
        rows=tuple(rows),
        findings=tuple(shown),
        paths=tuple(map(path_report, paths.known.values())),
        skipped=tuple(sorted(skipped)),
        limits=LIMITS,
        not_audited=tuple(not_audited),
        suppressed=len(findings) - len(shown),
    )


def _proposals(paths: Paths, rows: Sequence[TargetRow]) -> Proposals:
    """An error of ours in the search for fixes costs the commands, not the audit."""
    blocked = problems(paths)
    try:
        return propose(paths, blocked, rows)
    except Exception as error:
        return without_fixes(blocked, f"the search for a fix failed ({type(error).__name__}: {error})")


def _zone(topology: Topology, name: str) -> str:
    subnet = topology.subnets.get(name)
    return subnet.zone if subnet else ""


_SEVERITIES = {"error": Verdict.FAIL, "warning": Verdict.DEGRADED}


def _verdict(findings: Sequence[Finding], rows: Sequence[TargetRow]) -> Verdict:
    verdicts = {_SEVERITIES.get(finding.severity) for finding in findings}
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    if any(cell.state == "unknown" for row in rows for cell in row.cells):
        return Verdict.UNKNOWN
    return Verdict.DEGRADED if Verdict.DEGRADED in verdicts else Verdict.PASS
