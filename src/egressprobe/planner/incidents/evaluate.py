"""One evaluation: read the alarms, look at everything, decide, and send what is due. Level-triggered.

1. Most runs end here: no alarm is on, and nothing is remembered, or, of many that one outage invokes at once, another
   run is going to read what this one would. Two reads, or one; CloudWatch answers nine DescribeAlarms a second.
2. One run at a time goes on (turn.py); where EventBridge Scheduler fails, this one does without the lock.
3. Alarms and memory are read again, every target is probed again from every subnet, the configuration audited, and
   metrics and CloudTrail are read.
4. `incidents.states.transitions.step` decides (send.py). What it returns is stored, then the messages leave, then it is
   stored that they have left. A run that is killed between repeats the same messages with the same ids.

A message is worth more than its completeness, than the memory, and than a repeat: whatever of this fails, what is known
is sent, with the same id each time. What failed is raised at the end, so that Lambda invokes the function again
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).

Bounds in seconds: alarms and memory 20 (twice), the lock 25, the look 90 (reads/look.py), metrics and CloudTrail 15,
each write 20, each message 30. The usual run takes as long as the slowest probe.
"""

from datetime import timedelta
from typing import NamedTuple

from aws_lambda_powertools.logging import Logger

from egressprobe.aws.incidents.alarms import read_alarms
from egressprobe.incidents.alarms import AlarmFacts, AlarmKind, AlarmReading
from egressprobe.incidents.answer import OPEN_INCIDENTS_SCHEMA, OpenIncidents
from egressprobe.incidents.causes.grouping import observed, with_reason
from egressprobe.incidents.changes import ChangeScope
from egressprobe.incidents.model import Acknowledgement, Incident, ObservedCause, Transition
from egressprobe.incidents.states.evidence import evidence_of
from egressprobe.incidents.states.memory import is_over, short_key
from egressprobe.planner.incidents.edges import IncidentEdges
from egressprobe.planner.incidents.log import log_open
from egressprobe.planner.incidents.reads.api_server import with_evidence
from egressprobe.planner.incidents.reads.events import supplemented
from egressprobe.planner.incidents.reads.look import Look, take_look
from egressprobe.planner.incidents.reads.surroundings import TrailChanges, since_when, trail_changes
from egressprobe.planner.incidents.send import Sending, Situation
from egressprobe.planner.incidents.settings import IncidentClients, IncidentSettings
from egressprobe.planner.incidents.store import ExecutionMemory, IncidentStore, Remembered
from egressprobe.planner.incidents.turn import Turn, in_turn, store_errors
from egressprobe.planner.inventory import Inventory
from egressprobe.planner.settings import Clients, Settings

_READ_SECONDS = 20.0
# CloudTrail lists most calls within 5 minutes.
_FOLLOW_UP = timedelta(minutes=6)
# A second evaluation in one run begins only before this many seconds: the function has 300.
_GO_ON_SECONDS = 100.0
_ANOTHER = "another run evaluates at this moment, and does so again after it"
logger = Logger(service="egressprobe-planner")


class NotReportedError(RuntimeError):
    """Something could not be read or sent, and is worth another attempt."""


# Of this execution environment.
_MEMORY = ExecutionMemory()


class Evaluator(NamedTuple):
    """What an evaluation works with. configured: the targets file. reported: what the event says of an alarm.

    by_alarm: it was invoked by an alarm's change, as it may be a hundred times in one second.
    """

    settings: Settings
    incidents: IncidentSettings
    configured: Inventory
    clients: Clients
    aws: IncidentClients
    run_id: str
    reported: AlarmReading | None = None
    edges: IncidentEdges = IncidentEdges()
    memory: ExecutionMemory = _MEMORY
    by_alarm: bool = False


class _Done(NamedTuple):
    """problems: what is worth another attempt. notes: what was not done or read, for the answer."""

    incidents: tuple[Incident, ...]
    acknowledgements: tuple[Acknowledgement, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    evaluated: bool = True


def report_incidents(evaluator: Evaluator) -> OpenIncidents:
    """What is open after it. Raises NotReportedError at the end, where another attempt may help."""
    if not evaluator.incidents.on:
        return _answer(
            evaluator,
            _Done((), notes=("there are no messages of causes: TargetNotifications is not causes",), evaluated=False),
        )
    edges = evaluator.edges
    began = edges.monotonic()
    turn = Turn(evaluator.aws.scheduler, evaluator.settings, evaluator.incidents, edges.start)
    store = IncidentStore(evaluator.aws.scheduler, evaluator.settings.group, turn, edges.start)
    if evaluator.by_alarm:
        remembered = None
        if turn.is_covered(edges.clock()):
            return _answer(evaluator, _Done((), notes=(_ANOTHER,), evaluated=False))
    else:
        alarms, remembered = _alarms(evaluator), _remembered(store)
        if _is_quiet(alarms) and remembered is not None and not remembered.incidents:
            return _answer(evaluator, _Done(()))

    def work() -> _Done:
        return _evaluated(evaluator, store, turn)

    try:
        done = in_turn(turn, work, edges.clock, lambda: edges.monotonic() - began < _GO_ON_SECONDS)
    except store_errors() as error:
        logger.warning("no lock: the evaluation goes on without it", extra={"why": str(error)})
        done = work()
    if done is None:
        logger.info("incidents: another run evaluates", extra={"marked": True})
        open_now = remembered.incidents if remembered else ()
        done = _Done(open_now, notes=(_ANOTHER,), evaluated=False)
    if done.problems:
        raise NotReportedError("; ".join(done.problems)[:2000])
    return _answer(evaluator, done)


def _answer(evaluator: Evaluator, done: _Done) -> OpenIncidents:
    return OpenIncidents(
        schema_version=OPEN_INCIDENTS_SCHEMA,
        cluster_name=evaluator.settings.cluster_name,
        at=rfc3339(evaluator.edges),
        incidents=done.incidents,
        acknowledgements=done.acknowledgements,
        notes=done.notes,
        evaluated=done.evaluated,
    )


def rfc3339(edges: IncidentEdges) -> str:
    """Now, in UTC."""
    return edges.clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def _alarms(evaluator: Evaluator) -> AlarmFacts:
    """As CloudWatch reports them, and as the event does where CloudWatch cannot be read."""
    client = evaluator.aws.cloudwatch  # not made in another thread: boto3's default session is for one
    reading = evaluator.edges.start(lambda: read_alarms(client, evaluator.incidents.alarm_prefix))
    try:
        read = reading.result(_READ_SECONDS)
    except Exception as error:
        read = AlarmFacts(unread=f"{type(error).__name__}: {error}"[:300])
    return supplemented(read, evaluator.reported)


def _is_quiet(alarms: AlarmFacts) -> bool:
    return all(alarms.of(kind).known and not alarms.of(kind).on for kind in AlarmKind)


def _remembered(store: IncidentStore) -> Remembered | None:
    """None where it could not be read: then nothing of it is written either."""
    try:
        remembered = store.incidents()
    except store_errors() as error:
        logger.warning("the open incidents could not be read", extra={"why": str(error)})
        return None
    if remembered.lost:
        logger.warning("incidents that were remembered cannot be understood", extra={"lost": remembered.lost})
    return remembered


def _evaluated(evaluator: Evaluator, store: IncidentStore, turn: Turn) -> _Done:
    edges, now = evaluator.edges, evaluator.edges.clock()
    alarms, remembered = _alarms(evaluator), _remembered(store)
    acknowledgements = _acknowledgements(evaluator, store)
    memory = evaluator.memory
    incidents = memory.with_unstored(remembered.incidents, now) if remembered else memory.incidents(now)
    look = _look(evaluator, alarms, incidents)
    causes = _causes(evaluator, alarms, look)
    trail = _trail(evaluator, look, incidents, causes)
    planned = [target.name for target in look.targets] if look.complete else None
    situation = Situation(
        causes=causes,
        evidence=evidence_of(look.joined, alarms, planned),
        changes=trail.changes,
        acknowledgements=acknowledgements,
        look=look,
        at=now,
        unread=trail.unread,
    )
    sending = Sending(evaluator.settings, evaluator.incidents, evaluator.aws, store if remembered else None, edges)
    sent = sending.send_due(incidents, situation)
    memory.keep(sent.incidents, now, stored=sent.stored)
    notes = (*alarms.unknown, *sent.notes, *((look.not_probed,) if look.not_probed and look.joined else ()))
    problems = (*([alarms.unread] if alarms.unread else ()), *sent.failures)
    _afterwards(turn, sent.incidents, sent.opened, trail, edges)
    waiting = [cause.key for cause in causes if not cause.alarms]
    facts = {
        "open": [incident.id for incident in sent.incidents if not is_over(incident)],
        "sent": list(sent.sent),
        "silent": {incident.id: incident.silent for incident in sent.incidents if incident.silent},
        "waiting": waiting,
        "notes": list(notes),
        "problems": list(problems),
    }
    logger.info("incidents", extra=facts)
    log_open(logger, sent.incidents)
    return _Done(sent.incidents, acknowledgements, notes, problems, remembered is not None and not alarms.unknown)


def _acknowledgements(evaluator: Evaluator, store: IncidentStore) -> tuple[Acknowledgement, ...]:
    """None where they cannot be read: a message too many is better than one too few."""
    try:
        return store.acknowledgements(evaluator.edges.clock())
    except store_errors() as error:
        logger.warning("the acknowledgements could not be read", extra={"why": str(error)})
        return ()


def _look(evaluator: Evaluator, alarms: AlarmFacts, incidents: tuple[Incident, ...]) -> Look:
    """Nothing is probed where nothing is on and nothing open: then only what is over is forgotten."""
    unfinished = [incident for incident in incidents if not is_over(incident)]
    if _is_quiet(alarms) and not unfinished:
        return Look(not_probed="no alarm is on")
    on = (contributor.target for kind in AlarmKind for contributor in alarms.of(kind).contributors)
    failing = (name for incident in unfinished for name in incident.failing)
    return take_look(
        evaluator.settings,
        evaluator.configured,
        evaluator.clients,
        evaluator.aws.scheduler,
        (*on, *failing),
        evaluator.run_id,
        evaluator.edges,
    )


def _causes(evaluator: Evaluator, alarms: AlarmFacts, look: Look) -> tuple[ObservedCause, ...]:
    since = since_when(
        evaluator.aws.cloudwatch,
        evaluator.settings.cluster_name,
        alarms,
        [target.name for target in look.targets],
        evaluator.edges,
    )
    causes = observed(
        look.joined,
        alarms,
        targets=look.targets,
        since=since,
        egress_pages=evaluator.incidents.egress_pages,
        not_probed=look.not_probed,
    )
    causes = with_evidence(causes, look, evaluator.settings, evaluator.aws, evaluator.edges)
    if not look.not_audited:
        return causes
    unread = f"the VPC's configuration was not read: {look.not_audited}"
    return tuple(cause if cause.explained else with_reason(cause, unread) for cause in causes)


def _trail(
    evaluator: Evaluator, look: Look, incidents: tuple[Incident, ...], causes: tuple[ObservedCause, ...]
) -> TrailChanges:
    """Of causes whose incident has no message about changes yet."""
    if not evaluator.settings.audits:
        return TrailChanges({}, {})
    complete = {incident.key for incident in incidents if Transition.CHANGED in incident.sent}
    wanted = [cause for cause in causes if cause.alarms and short_key(cause.key) not in complete]
    scope = ChangeScope(
        vpc=look.cluster.vpc if look.cluster else "",
        cluster=evaluator.settings.cluster_name,
        account=evaluator.incidents.account,
    )
    read = trail_changes(evaluator.aws.trail, wanted, scope, evaluator.edges)
    return read._replace(
        changes={short_key(key): changes for key, changes in read.changes.items()},
        late={short_key(key): late for key, late in read.late.items()},
    )


def _afterwards(
    turn: Turn, incidents: tuple[Incident, ...], opened: tuple[Incident, ...], trail: TrailChanges, edges: IncidentEdges
) -> None:
    """One more evaluation soon, where CloudTrail may list what it did not list yet. Failures cost only that."""
    try:
        if any(trail.late.get(incident.key) for incident in opened):
            turn.again(edges.clock() + _FOLLOW_UP)
        elif not incidents:
            turn.clean(edges.clock())
    except store_errors() as error:
        logger.warning("no evaluation is scheduled for later", extra={"why": str(error)})
