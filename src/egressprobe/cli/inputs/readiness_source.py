"""The sources of a preflight in an AWS account: EKS, the Kubernetes API, the VPC, and a stack or this computer."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from egressprobe.audit.paths.destinations import hosts_of
from egressprobe.audit.resolve_names import with_names
from egressprobe.audit.result import Audit
from egressprobe.audit.run import audit
from egressprobe.aws.cluster import read_update
from egressprobe.aws.session import NamedCluster, by_name
from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.cli.common.no_network import has_network, without_network
from egressprobe.cli.inputs import audit_source, discover_source
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import InputError
from egressprobe.model.joined_report import Joined, View
from egressprobe.model.report import Finding, Report, count, view, worst
from egressprobe.model.target import Plan
from egressprobe.planner.join import Heard, join
from egressprobe.readiness.matrix import moves
from egressprobe.readiness.result import LOCAL, ClusterState
from egressprobe.stack.deployment import Deployment, deployment_of_cluster
from egressprobe.stack.planner_client import probe_by

_UNKNOWN = "unknown"
# Of discovery, and of one round from here: the longest that a person waits for one answer.
_SECONDS = 60.0
_MOST_PIECES = 64


class AccountSources:
    """stack: as --stack takes it, None for the only one of this cluster. local: probe from here, whatever there is.

    named, deployment: the cluster and what probes it, where they have been read already.
    """

    def __init__(
        self,
        cluster: str,
        region: str | None,
        *,
        stack: str | None,
        local: bool,
        peer_profiles: Sequence[str] = (),
        named: NamedCluster | None = None,
        deployment: Deployment | None = None,
    ) -> None:
        """Raises InputError and AwsError, before anything is measured."""
        self._name, self._peers = cluster, list(peer_profiles)
        self._described: NamedCluster = named or by_name(cluster, region)
        self._named: NamedCluster | None = self._described
        self._session = self._described.session
        self._stack = deployment or (None if local else deployment_of_cluster(self._session, cluster, stack))
        self._pieces: list[tuple[str, ...]] = [()]

    @property
    def probed_from(self) -> str:
        return f"stack {self._stack.name}" if self._stack else LOCAL

    def cluster(self) -> ClusterState:
        """Read anew each time, but for the first."""
        named, self._named = self._named or by_name(self._name, None, self._session), None
        self._described = named
        cluster = named.cluster
        update, unread = read_update(self._session.client("eks"), self._name)
        return ClusterState(
            name=cluster.name,
            region=self._session.region_name,
            account=cluster.arn.split(":")[4] if cluster.arn.count(":") >= 5 else "",
            arn=cluster.arn,
            status=cluster.status,
            mode=cluster.mode,
            version=cluster.version,
            vpc=cluster.vpc,
            subnets=cluster.subnets,
            security_groups=cluster.groups,
            ip_family=cluster.ip_family,
            update=_UNKNOWN if update is None else update,
            private_access=cluster.private_access,
            unread=(unread,) if unread else (),
        )

    def discover(self) -> Discovered:
        """With the AWS profile's identity, as `egressprobe discover --cluster`."""
        return discover_source.of_named_cluster(self._described, _SECONDS)

    def audit(self, plan: Plan) -> Audit:
        """The VPC as it is now."""
        source = audit_source.of_named_cluster(self._described, self._peers, plan.targets)
        snapshot = with_names(source.snapshot, hosts_of(plan.targets))
        try:
            return audit(snapshot, plan.targets, (), source.beside)
        except ValueError as error:
            raise InputError("the VPC", str(error)) from None

    def probe(self, plan: Plan) -> Joined:
        """By the Planner, in pieces where the whole report does not fit a response; else from here."""
        if self._stack is None:
            return probe_here(plan, self._name)
        while True:
            reports = [probe_by(self._session, self._stack.planner, names) for names in self._pieces]
            joined = together(reports)
            smaller = _smaller(self._pieces, joined) if _reduced(joined) else None
            if smaller is None:
                return joined
            self._pieces = smaller


def _reduced(joined: Joined) -> bool:
    return any(finding.code == REPORT_REDUCED.code for finding in joined.findings)


def _smaller(pieces: Sequence[tuple[str, ...]], joined: Joined) -> list[tuple[str, ...]] | None:
    """The targets in twice as many pieces; None where their names are not all known, or each is alone already."""
    names = [row.target.name for row in joined.rows]
    s = joined.summary
    many = 2 * len(pieces)
    if s.measured + s.unknown != len(names) or len(pieces) >= min(len(names), _MOST_PIECES):
        return None
    return [tuple(names[i::many]) for i in range(many) if names[i::many]]


def together(reports: Sequence[Joined]) -> Joined:
    """Reports of different targets from the same subnets as one."""
    if len(reports) == 1:
        return reports[0]
    rows = tuple(row for joined in reports for row in joined.rows)
    views: dict[str, View] = {}
    for joined in reports:
        for known in joined.views:
            other = views.get(known.subnet_id, known)
            error = other.error or known.error
            views[known.subnet_id] = replace(known, error=error, verdict=worst((other.verdict, known.verdict)))
    verdicts = [row.verdict for row in rows]
    of_subnet = {name: [cell.verdict for row in rows for cell in row.cells if cell.subnet_id == name] for name in views}
    return replace(
        reports[0],
        duration_ms=sum(joined.duration_ms for joined in reports),
        verdict=worst(verdicts),
        summary=count(verdicts),
        views=tuple(replace(known, summary=count(of_subnet[name])) for name, known in views.items()),
        rows=rows,
        reports=tuple(report for joined in reports for report in joined.reports),
        refused=tuple(dict.fromkeys(entry for joined in reports for entry in joined.refused)),
        findings=_distinct(reports),
        causes=tuple(cause for joined in reports for cause in joined.causes),
    )


def _distinct(reports: Sequence[Joined]) -> tuple[Finding, ...]:
    known = {(finding.code, finding.summary): finding for joined in reports for finding in joined.findings}
    return tuple(known.values())


def probe_here(plan: Plan, cluster: str) -> Joined:
    """What the switch moves, from this computer: the rest is inside the VPC. Its only view is LOCAL."""
    from egressprobe.probe import run as probe

    targets = tuple(target for target in plan.targets if moves(view(target)))
    run_id, started = str(uuid.uuid4()), datetime.now(UTC)
    reports: tuple[Report, ...] = ()
    if targets:
        report = asyncio.run(probe.run(replace(plan, targets=targets), run_id=run_id, seconds=_SECONDS))
        report = report if has_network() else without_network(report)
        reports = (replace(report, vantage=replace(report.vantage, cluster_name=cluster, subnet_id=LOCAL)),)
    return join(
        [Heard(LOCAL, "", reports)],
        [view(target) for target in targets],
        run_id=run_id,
        started_at=started.isoformat(timespec="milliseconds"),
        duration_ms=round((datetime.now(UTC) - started).total_seconds() * 1e3, 3),
        cluster_name=cluster,
    )
