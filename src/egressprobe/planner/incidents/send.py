"""Decides what is due, stores it, sends it, and stores that it was sent: in this order, so that a message keeps its id.

What cannot be stored is sent all the same. What cannot be sent stays due.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from aws_lambda_powertools.logging import Logger
from msgspec.structs import replace

from egressprobe.incidents.model import TOPIC, Acknowledgement, Incident, NetworkChange, ObservedCause, Tier, Transition
from egressprobe.incidents.states.decisions import DueMessage
from egressprobe.incidents.states.evidence import IncidentEvidence
from egressprobe.incidents.states.transitions import committed, step
from egressprobe.planner.incidents.edges import IncidentEdges, Pending
from egressprobe.planner.incidents.messages import outgoing
from egressprobe.planner.incidents.metric import count_reported
from egressprobe.planner.incidents.publish import PublishedMessage, places_of, publish_to, published
from egressprobe.planner.incidents.reads.look import Look
from egressprobe.planner.incidents.settings import IncidentClients, IncidentSettings
from egressprobe.planner.incidents.store import IncidentStore, StateTooLargeError
from egressprobe.planner.incidents.turn import store_errors
from egressprobe.planner.settings import Settings

# An incident has one message at a time; two follow each other where a notice becomes a page at once.
_ROUNDS = 4
_PUBLISH_SECONDS = 30.0
_NO_TOPIC = "no topic"
logger = Logger(service="egressprobe-planner")


class Situation(NamedTuple):
    """What an evaluation has read. changes: by an incident's key. unread: why changes are missing."""

    causes: tuple[ObservedCause, ...]
    evidence: IncidentEvidence
    changes: Mapping[str, tuple[NetworkChange, ...]]
    acknowledgements: tuple[Acknowledgement, ...]
    look: Look
    at: datetime
    unread: tuple[str, ...] = ()


class SentMessages(NamedTuple):
    """incidents: as they are remembered now. sent: ids of messages. opened: incidents whose first message has left.

    failures: messages that could not be sent, with AWS's words. notes: what was not reported, or not stored. stored:
    whether all of it is.
    """

    incidents: tuple[Incident, ...]
    sent: tuple[str, ...] = ()
    opened: tuple[Incident, ...] = ()
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stored: bool = True


class Sending:
    """store: None where what is remembered could not be read: then nothing of it is written."""

    def __init__(
        self,
        settings: Settings,
        incidents: IncidentSettings,
        aws: IncidentClients,
        store: IncidentStore | None,
        edges: IncidentEdges,
    ) -> None:
        self._settings, self._incidents, self._aws = settings, incidents, aws
        self._store, self._edges = store, edges
        self._scope = f"{incidents.account}/{settings.region}/{settings.cluster_name}"

    def send_due(self, remembered: tuple[Incident, ...], situation: Situation) -> SentMessages:
        """Everything that is due for them now. Raises nothing of AWS."""
        stored, done = remembered, SentMessages(remembered)
        at = situation.at.strftime("%Y-%m-%dT%H:%M:%SZ")
        for _ in range(_ROUNDS):
            decided = step(
                done.incidents,
                situation.causes,
                situation.evidence,
                at,
                changes=situation.changes,
                acknowledgements=situation.acknowledgements,
                scope=self._scope,
            )
            unstored = self._stored(stored, decided.incidents, situation.at)
            notes = [*decided.notes, *unstored]
            stored = decided.incidents
            results = [(due, self._published(due, situation)) for due in decided.due]
            sent = [due for due, result in results if not result.failed]
            reached = {due.incident.id: result.reached for due, result in results}
            incidents = tuple(
                replace(incident, reached=reached.get(incident.id, incident.reached)) for incident in decided.incidents
            )
            incidents = _marked(committed(incidents, [due.id for due in sent]), sent, self._topic)
            unstored = self._stored(stored if not unstored else None, incidents, situation.at)
            notes += unstored
            stored = incidents
            done = SentMessages(
                incidents=incidents,
                sent=(*done.sent, *(due.id for due in sent)),
                opened=(*done.opened, *(due.incident for due in sent if due.transition is Transition.BROKEN)),
                failures=tuple(f"{due.id}: {failure}" for due, result in results for failure in result.failed),
                notes=tuple(dict.fromkeys((*done.notes, *notes))),
                stored=not unstored,
            )
            if not decided.due or done.failures:
                break
        self._count(done.incidents)
        return done

    def _stored(self, before: tuple[Incident, ...] | None, incidents: tuple[Incident, ...], at: datetime) -> list[str]:
        """Writes them where they have changed; why they could not be written. before: as stored, None for not known."""
        if incidents == before:
            return []
        if self._store is None:
            why = "what is remembered could not be read, so it is not written"
        else:
            try:
                self._store.write_incidents(incidents, at)
            except StateTooLargeError as error:
                why = str(error)
            except store_errors() as error:
                why = str(error)
            else:
                return []
        logger.error(
            "the incidents could not be stored: a message may come twice, with the same id", extra={"why": why}
        )
        return [f"the incidents could not be stored: {why}"]

    def _published(self, due: DueMessage, situation: Situation) -> PublishedMessage:
        """Which places have it, and why others have not."""
        before = due.incident.reached
        try:
            message = outgoing(
                due,
                self._settings,
                self._incidents,
                topic=self._topic(due),
                at=situation.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                notes=situation.unread if due.transition is not Transition.RECOVERED else (),
            )
            sns, events = self._aws.sns, self._aws.events
            calls = {
                place: self._edges.start(partial(publish_to, place, sns, events, message, self._edges.pause))
                for place in places_of(message, before)
            }
            result = published(due.id, {place: _why_not(call, place) for place, call in calls.items()}, before)
        except Exception as error:
            logger.exception("a message could not be sent")
            result = PublishedMessage(due.id, (f"{type(error).__name__}: {error}",), before)
        text = "a message was sent" if not result.failed else "a message was not sent"
        about = {"incident": due.incident.key, "what": due.incident.what, "targets": sorted(due.incident.failing)}
        facts = {"message_id": due.id, "failures": list(result.failed), "reached": list(result.reached)}
        logger.info(text, extra=facts | about)
        return result

    def _topic(self, due: DueMessage) -> str:
        """Empty for what machines alone get, and where the stack has no topic for it."""
        if not due.people:
            return ""
        return self._incidents.page_topic if due.incident.tier is Tier.PAGE else self._incidents.notice_topic

    def _count(self, incidents: tuple[Incident, ...]) -> None:
        """Published while people have a message of everything that is open, or it is silent for a reason: CloudWatch
        must not page.

        Also of what is over while `path broken` is still on.
        """
        known = [incident for incident in incidents if not incident.sending or TOPIC in incident.reached]
        if len(known) < len(incidents):
            return
        reported = [
            incident for incident in known if Transition.BROKEN in incident.sent or incident.sending or incident.silent
        ]
        count_reported(self._settings.cluster_name, len(reported))


def _why_not(call: Pending[str], place: str) -> str:
    try:
        return call.result(_PUBLISH_SECONDS)
    except Exception as error:  # overdue: it goes on in its thread, and may arrive
        return f"{place}: {type(error).__name__}: {error}"


def _marked(
    incidents: tuple[Incident, ...], sent: Iterable[DueMessage], topic: Callable[[DueMessage], str]
) -> tuple[Incident, ...]:
    """With the reason why people got nothing."""
    without = {due.incident.id for due in sent if due.people and not topic(due)}
    return tuple(
        replace(incident, silent=f"{_NO_TOPIC} for {incident.tier}s: EventBridge alone has the message")
        if incident.id in without
        else incident
        for incident in incidents
    )
