"""What is read of a cause beside the probes: since when it fails, and what changed in the network before."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from aws_lambda_powertools.logging import Logger

from egressprobe.aws.incidents.since import FailingSeries, first_minutes, of_egress, of_target
from egressprobe.aws.incidents.trail import TrailClients, changes_before
from egressprobe.incidents.alarms import OF_SUBNETS, OF_TARGETS, AlarmFacts, AlarmKind
from egressprobe.incidents.changes import ChangeScope
from egressprobe.incidents.model import NetworkChange, ObservedCause
from egressprobe.model.series import UNCOUNTED, dimension_value
from egressprobe.model.target import Impact
from egressprobe.planner.incidents.edges import IncidentEdges

# Seconds, of all causes together.
METRIC_SECONDS, TRAIL_SECONDS = 15.0, 15.0
# A change that came later than so long after the first failing minute did not break it (aws/incidents/trail.py).
_CHANGES_FOR = timedelta(hours=2)
logger = Logger(service="egressprobe-planner")


class TrailChanges(NamedTuple):
    """changes: by the cause's key. late: that the newest calls may not be listed yet. unread: why some are missing."""

    changes: dict[str, tuple[NetworkChange, ...]]
    late: dict[str, str]
    unread: tuple[str, ...] = ()


def since_when(
    client: Any, cluster: str, alarms: AlarmFacts, names: Iterable[str], edges: IncidentEdges
) -> dict[str, str]:
    """The first failing minute (RFC 3339) of each series that an alarm names, by the target's name or the subnet's id.

    client: CloudWatch's. names: of all targets, as in the plan. Empty where the metrics could not be read.
    """
    by_value = {dimension_value(name): name for name in names}
    wanted: dict[FailingSeries, str] = {}
    for kind in OF_TARGETS:
        for contributor in alarms.of(kind).contributors:
            impacts = _impacts(kind, contributor.impact)
            name = by_value.get(contributor.target, contributor.target)
            wanted[of_target(contributor.target, *impacts)] = name
    for kind in OF_SUBNETS:
        for contributor in alarms.of(kind).contributors:
            wanted[of_egress(contributor.subnet_id, down=kind is AlarmKind.EGRESS_DOWN)] = contributor.subnet_id
    if not wanted:
        return {}
    try:
        reading = edges.start(lambda: first_minutes(client, cluster, wanted, edges.clock()))
        minutes = reading.result(METRIC_SECONDS)
    except Exception as error:
        logger.warning("the first failing minutes were not read", extra={"why": repr(error)})
        return {}
    if minutes.unread:
        logger.warning("the first failing minutes were not read", extra={"why": minutes.unread})
    since: dict[str, str] = {}
    for series, minute in minutes.since.items():
        text, key = minute.strftime("%Y-%m-%dT%H:%M:%SZ"), wanted[series]
        since[key] = min(since.get(key, text), text)
    return since


def _impacts(kind: AlarmKind, impact: str) -> tuple[str, ...]:
    """A failure that counts may have begun with minutes that did not count yet."""
    if kind is AlarmKind.NOT_LOOKED_UP:
        return UNCOUNTED, str(Impact.BLOCKS)
    return (impact, UNCOUNTED) if impact == Impact.BLOCKS else (impact,)


def trail_changes(
    clients: TrailClients, causes: Sequence[ObservedCause], scope: ChangeScope, edges: IncidentEdges
) -> TrailChanges:
    """What changed before each of these causes. scope: of the cluster. Raises nothing of AWS."""
    read = TrailChanges({}, {})
    deadline = edges.monotonic() + TRAIL_SECONDS
    for cause in causes:
        seconds, now = deadline - edges.monotonic(), edges.clock()
        since = _moment(cause.since) or now
        if now - since > _CHANGES_FOR:
            continue
        if seconds <= 1:
            return read._replace(unread=(*read.unread, "CloudTrail was not read for every cause: there was no time"))
        elements = frozenset((*cause.path, *cause.where))
        reading = edges.start(_reader(clients, since, now, scope._replace(elements=elements), seconds, edges))
        try:
            answer = reading.result(seconds + 5)
        except Exception as error:
            logger.warning("CloudTrail was not read", extra={"why": repr(error)})
            return read._replace(unread=(*read.unread, f"CloudTrail could not be read: {error}"))
        read.changes[cause.key] = answer.changes
        if answer.late:
            read.late[cause.key] = answer.late
        read = read._replace(unread=tuple(dict.fromkeys((*read.unread, *answer.unread))))
    return read


def _reader(
    clients: TrailClients, since: datetime, now: datetime, scope: ChangeScope, seconds: float, edges: IncidentEdges
) -> Any:
    return lambda: changes_before(clients, since, now, scope, seconds=seconds, now=edges.monotonic, sleep=edges.pause)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
