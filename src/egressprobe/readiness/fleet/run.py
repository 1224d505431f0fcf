"""The story of a fleet: regions -> names of clusters -> preflight of each, side by side -> one line each.

What fails costs its own line: UNKNOWN, with the reason. A cluster without probes is audited and discovered only, and is
UNKNOWN at most: GO takes packets from its subnets.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from egressprobe import __version__
from egressprobe.model.errors import AwsError, InputError
from egressprobe.readiness.decision import ROUTED
from egressprobe.readiness.fleet.result import FLEET_SCHEMA, Fleet, FleetCluster, FleetEvidence, FleetRegion
from egressprobe.readiness.fleet.side_by_side import side_by_side
from egressprobe.readiness.result import Decision, Preflight
from egressprobe.readiness.run import ROUNDS, SECONDS, Clock, Say, Sources, preflight

AT_ONCE = 8
# The longest of a cluster that answers, in seconds: cluster, discovery (60) and the snapshot of its VPC (60) before the
# rounds; and of one round, of which a Planner reports after at most its probes' minute.
_BESIDE_ROUNDS, _OF_A_ROUND = 180.0, 90.0
# The worst first.
_ORDER = (Decision.NO_GO, Decision.UNKNOWN, Decision.GO)


class FleetMember(NamedTuple):
    """A cluster by name and region."""

    region: str
    name: str


class MemberSources(NamedTuple):
    """stack: whose probes `sources` asks; empty: none probes this cluster, and no_stack says why."""

    sources: Sources
    stack: str = ""
    no_stack: str = "no stack probes it"


class FleetSources(Protocol):
    """Each raises InputError or AwsError. They are called from several threads."""

    def names(self, region: str) -> Sequence[str]:
        """The names of all clusters of this region."""
        ...

    def member(self, member: FleetMember) -> MemberSources: ...


def fleet_readiness(
    sources: FleetSources,
    regions: Sequence[str],
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    at_once: int = AT_ONCE,
    clock: Clock | None = None,
    now: Callable[[], float] = time.monotonic,
    say: Say = lambda _: None,
) -> Fleet:
    """rounds, seconds: as of `preflight`. now: the clock of the limit that each cluster has.

    Raises nothing but errors of ours. Ctrl-C ends it with what there is by then.
    """
    began, started_at = now(), datetime.now(UTC)
    limit = seconds + _BESIDE_ROUNDS + rounds * _OF_A_ROUND
    listed: dict[str, FleetRegion] = {}
    members: list[FleetMember] = []
    lines: dict[FleetMember, FleetCluster] = {}
    interrupted = False

    def read(member: FleetMember) -> FleetCluster:
        return _line(sources.member(member), member, rounds, seconds, clock)

    try:
        for region, names in side_by_side(regions, sources.names, at_once=at_once, limit=limit, now=now):
            listed[region] = _region(region, names)
            members += [] if isinstance(names, Exception) else [FleetMember(region, name) for name in names]
        members.sort()
        for member, line in side_by_side(members, read, at_once=at_once, limit=limit, now=now):
            lines[member] = _unread(member, _why(line)) if isinstance(line, Exception) else line
            say(f"{len(lines)} of {len(members)}: {member.name} in {member.region} is {lines[member].decision}")
    except KeyboardInterrupt:
        interrupted = True
    for member in members:
        lines.setdefault(member, _unread(member, "interrupted before it was read"))
    for region in regions:
        listed.setdefault(region, FleetRegion(region, error="interrupted before its clusters were listed"))
    clusters = tuple(sorted(lines.values(), key=_rank))
    return Fleet(
        schema_version=FLEET_SCHEMA,
        run_id=str(uuid.uuid4()),
        started_at=started_at.isoformat(timespec="milliseconds"),
        duration_ms=round((now() - began) * 1e3, 3),
        version=__version__,
        decision=_decision(clusters, listed.values()),
        clusters=clusters,
        regions=tuple(sorted(listed.values(), key=lambda region: region.name)),
        rounds=rounds,
        seconds=seconds,
        interrupted=interrupted,
    )


def _rank(line: FleetCluster) -> tuple[int, str, str]:
    return _ORDER.index(line.decision), line.region, line.name


def _decision(clusters: Sequence[FleetCluster], regions: Iterable[FleetRegion]) -> Decision:
    """Never GO for a fleet of which nothing is known."""
    decisions = {line.decision for line in clusters}
    if not clusters or any(region.error for region in regions):
        decisions.add(Decision.UNKNOWN)
    return next(decision for decision in _ORDER if decision in decisions)


def _region(name: str, names: Sequence[str] | Exception) -> FleetRegion:
    if isinstance(names, Exception):
        return FleetRegion(name, error=_why(names))
    return FleetRegion(name, clusters=len(names))


def _why(error: Exception) -> str:
    """An error of ours has no text: it may hold what was read."""
    known = isinstance(error, InputError | AwsError | TimeoutError)
    return str(error) if known else f"egressprobe itself failed: {type(error).__name__}"


def _unread(member: FleetMember, why: str) -> FleetCluster:
    return FleetCluster(member.name, member.region, Decision.UNKNOWN, FleetEvidence.NONE, why)


def _line(given: MemberSources, member: FleetMember, rounds: int, seconds: float, clock: Clock | None) -> FleetCluster:
    if given.stack:
        made = preflight(given.sources, rounds=rounds, seconds=seconds, clock=clock)
    else:
        made = preflight(given.sources, rounds=0, seconds=0.0, clock=clock)
    subject = made.cluster
    line = FleetCluster(
        name=member.name,
        region=member.region,
        decision=made.decision,
        evidence=FleetEvidence.PROBED if given.stack else FleetEvidence.AUDIT_ONLY,
        decides=_decides(made),
        version=subject.version,
        mode=subject.mode,
        status=subject.status,
        code=made.reasons[0].code if made.reasons else "",
        more=max(len(made.reasons) - 1, 0),
        stack=given.stack,
    )
    return line if given.stack or made.decision is Decision.NO_GO else _without_probes(line, given.no_stack)


def _decides(made: Preflight) -> str:
    if made.reasons:
        return f"{made.reasons[0].subject}: {made.reasons[0].summary}"
    deciding = sum(row.switch_relevant and not row.advisory for row in made.rows)
    text = "no target is on the path that the switch moves"
    if deciding:
        text = f"on the switched path {deciding} of {deciding} pass from each of {len(made.subnets)} subnets"
        text += f" in each of {made.rounds} rounds"
    return f"switched already; {text}" if made.cluster.mode == ROUTED else text


def _without_probes(line: FleetCluster, why: str) -> FleetCluster:
    """UNKNOWN at most, whatever the audit found open; that nothing probes it is the first reason."""
    from msgspec.structs import replace

    return replace(line, decision=Decision.UNKNOWN, decides=why, code="")
