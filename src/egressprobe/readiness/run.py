"""The story of `preflight`: cluster -> discovery -> audit -> rounds of probes -> matrix, checks, causes -> decision.

A source that fails makes its part unknown, never GO. Only a cluster that cannot be read ends the story.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from egressprobe import __version__
from egressprobe.audit.result import Audit, SubnetColumn
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import worst
from egressprobe.model.target import Plan, Verdict
from egressprobe.readiness.causes import causes_of
from egressprobe.readiness.checks import CheckInput, prerequisites, verification
from egressprobe.readiness.coverage import discovery_gaps, gap, is_discovered, round_gaps, sentences
from egressprobe.readiness.decision import Evidence, decide
from egressprobe.readiness.dialled import by_dialled_addresses, with_findings_on_names
from egressprobe.readiness.matrix import ProbeRound, matrix, outdated
from egressprobe.readiness.path_checks import default_routes
from egressprobe.readiness.result import LOCAL, PREFLIGHT_SCHEMA, ClusterState, Decision, DecisionReason, Preflight
from egressprobe.readiness.targets import plan_of

ROUNDS, SECONDS = 5, 120.0
_OUTDATED = (
    "is probed with another URL, CA bundle or timeout than the cluster has now; "
    "the Planner renews its plan each 15 minutes"
)


class Sources(Protocol):
    """Where everything comes from. Each raises InputError or AwsError.

    probed_from: `stack NAME`, or LOCAL: then the only view of `probe` is LOCAL, too.
    """

    @property
    def probed_from(self) -> str: ...

    def cluster(self) -> ClusterState: ...

    def discover(self) -> Discovered: ...

    def audit(self, plan: Plan) -> Audit: ...

    def probe(self, plan: Plan) -> Joined:
        """Of all targets that the probes know; `plan` is what discovery knows."""
        ...


class Clock(Protocol):
    """now: seconds of a clock that never goes back."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """Real time."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


type Say = Callable[[str], None]


class Gathered(NamedTuple):
    """What the sources gave. interrupted: a person ended it before it was complete."""

    discovered: Discovered | None = None
    discovery_error: str = ""
    plan: Plan = Plan(())
    gaps: tuple[DecisionReason, ...] = ()
    audit: Audit | None = None
    audit_error: str = "not read"
    rounds: tuple[ProbeRound, ...] = ()
    interrupted: bool = False


def preflight(
    sources: Sources,
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    clock: Clock | None = None,
    say: Say = lambda _: None,
) -> Preflight:
    """rounds: spread over `seconds`; one that takes longer delays the next. say: progress, for a person.

    Raises InputError and AwsError where the cluster itself cannot be read. Ctrl-C ends it with what there is by then;
    the decision is then UNKNOWN.
    """
    clock = clock or SystemClock()
    began, started_at = clock.now(), datetime.now(UTC)
    cluster = sources.cluster()
    say(f"{cluster.name}: {cluster.status}, {cluster.mode}")
    gathered = _gather(sources, cluster, rounds, seconds, clock, say)
    if not gathered.interrupted:
        try:
            gathered = gathered._replace(gaps=(*gathered.gaps, *_changes(sources, cluster)))
        except KeyboardInterrupt:
            gathered = gathered._replace(interrupted=True)
    made = _made(gathered, cluster, rounds, sources.probed_from)
    return replace(
        made,
        started_at=started_at.isoformat(timespec="milliseconds"),
        duration_ms=round((clock.now() - began) * 1e3, 3),
        seconds=seconds,
    )


def _gather(sources: Sources, cluster: ClusterState, rounds: int, seconds: float, clock: Clock, say: Say) -> Gathered:
    gathered = Gathered()
    try:
        discovered, error = _tried(sources.discover)
        gathered = gathered._replace(discovered=discovered, discovery_error=error)
        plan, unreadable = plan_of(discovered, cluster)
        gathered = gathered._replace(plan=plan, gaps=tuple(unreadable))
        say(f"discovery: {error or f'{len(plan.targets)} targets'}")
        audited = replace(plan, targets=(*plan.targets, *default_routes(cluster)))
        audit, error = _tried(lambda: sources.audit(audited))
        gathered = gathered._replace(audit=audit, audit_error=error)
        say(f"audit: {error or (audit.verdict if audit else '')}")
        began = clock.now()
        for number in range(rounds):
            clock.sleep(max(began + number * seconds / rounds - clock.now(), 0.0))
            gathered = gathered._replace(rounds=(*gathered.rounds, _round(sources, plan, cluster)))
            say(f"round {number + 1} of {rounds}: {_outcome(gathered.rounds[-1])}")
        gathered = gathered._replace(audit=_of_dialled(sources, audited, gathered))
    except KeyboardInterrupt:
        return gathered._replace(interrupted=True)
    return gathered


def _of_dialled(sources: Sources, audited: Plan, gathered: Gathered) -> Audit | None:
    """The audit of what was dialled; the first one where that is the same, or fails."""
    first = gathered.audit
    targets = by_dialled_addresses(audited.targets, gathered.rounds, first) if first else None
    if first is None or targets is None:
        return first
    audit, _ = _tried(lambda: sources.audit(replace(audited, targets=targets)))
    return with_findings_on_names(audit, first) if audit else first


def _tried[T](read: Callable[[], T]) -> tuple[T | None, str]:
    """What a source gives, or why not. An error of ours has no text: it may hold what was read."""
    try:
        return read(), ""
    except (InputError, AwsError) as error:
        return None, str(error) or type(error).__name__
    except Exception as error:
        return None, f"egressprobe itself failed: {type(error).__name__}"


def _round(sources: Sources, plan: Plan, cluster: ClusterState) -> ProbeRound:
    joined, error = _tried(lambda: sources.probe(plan))
    if joined is not None and joined.cluster_name not in ("", cluster.name):
        return ProbeRound(None, f'the probes belong to the cluster "{joined.cluster_name}"')
    return ProbeRound(joined, error)


def _outcome(probed: ProbeRound) -> str:
    if probed.joined is None:
        return probed.error
    s = probed.joined.summary
    return f"{s.fail} fail, {s.unknown} unknown, {s.degraded} degraded, {s.passed} pass"


def _changes(sources: Sources, cluster: ClusterState) -> list[DecisionReason]:
    """What of the cluster is not as it was when the rounds began: they may have measured something else."""
    now, error = _tried(sources.cluster)
    if now is None:
        return [gap("cluster", f"it could not be read again after the rounds: {error}")]
    changed = [
        name
        for name in ("mode", "status", "subnets", "security_groups", "ip_family", "version", "update")
        if getattr(now, name) != getattr(cluster, name)
    ]
    return [gap("cluster", f"changed while it was measured: {', '.join(changed)}")] if changed else []


def _made(gathered: Gathered, cluster: ClusterState, rounds: int, probed_from: str) -> Preflight:
    local = probed_from == LOCAL
    columns = _columns(gathered, cluster, local=local)
    audit, probed = gathered.audit, gathered.rounds
    rows = matrix(probed, gathered.plan.targets, audit, [column.id for column in columns])
    unread = [*discovery_gaps(gathered.discovered, gathered.discovery_error), *gathered.gaps]
    discovered = is_discovered(unread)
    given = CheckInput(cluster, rows, probed, audit, gathered.audit_error, discovered)
    checks = (*prerequisites(given), *verification(cluster, rows, discovered=discovered))
    gaps = [
        *([gap("preflight", "interrupted before everything was seen")] if gathered.interrupted else []),
        *unread,
        *round_gaps(probed, rounds, () if local else cluster.subnets),
        *(gap(name, _OUTDATED) for name in outdated(probed, gathered.plan.targets)),
    ]
    decision, reasons = decide(Evidence(cluster, rows, checks, rounds, gaps, local))
    return Preflight(
        schema_version=PREFLIGHT_SCHEMA,
        run_id=str(uuid.uuid4()),
        started_at="",
        duration_ms=0.0,
        version=__version__,
        decision=Decision.UNKNOWN if gathered.interrupted else decision,
        reasons=reasons,
        cluster=cluster,
        probed_from=probed_from,
        rounds=len(probed),
        seconds=0.0,
        checks=checks,
        subnets=columns,
        rows=rows,
        causes=causes_of(rows, probed, audit),
        safety=gathered.discovered.findings if gathered.discovered else (),
        not_covered=tuple(sentences(rows, gathered.discovered, audit, gathered.audit_error, probed)),
        audit=audit,
        joined=_worst_round(probed),
        limits=next((probed.joined.limits for probed in reversed(gathered.rounds) if probed.joined), ""),
        interrupted=gathered.interrupted,
    )


def _columns(gathered: Gathered, cluster: ClusterState, *, local: bool) -> tuple[SubnetColumn, ...]:
    """The cluster's subnets, and those from which a probe reports although they are not the cluster's."""
    if local:
        return (SubnetColumn(LOCAL, ""),)
    zones = {column.id: column.zone for column in gathered.audit.subnets} if gathered.audit else {}
    for probed in gathered.rounds:
        for view in probed.joined.views if probed.joined else ():
            zones[view.subnet_id] = view.availability_zone or zones.get(view.subnet_id, "")
    names = dict.fromkeys((*cluster.subnets, *zones))
    return tuple(SubnetColumn(name, zones.get(name, "")) for name in names)


def _worst_round(rounds: Sequence[ProbeRound]) -> Joined | None:
    """The last of those with the worst verdict."""
    reports = [probed.joined for probed in rounds if probed.joined]
    wanted: Verdict = worst(joined.verdict for joined in reports)
    return next((joined for joined in reversed(reports) if joined.verdict is wanted), None)
