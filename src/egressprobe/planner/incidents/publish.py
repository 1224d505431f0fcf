"""Sends one message: to people by SNS, to machines by EventBridge. One that is refused does not cost the other, and
what has accepted the message is not asked again: people would get it with each repetition.

Delivery of both is at least once, and a run that was killed after it published repeats the message: its id is the same,
so that a FIFO topic and who handles the events can drop the repeat.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html,
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from egressprobe.aws.paging import not_as_documented
from egressprobe.incidents.model import TOPIC
from egressprobe.planner.scheduler_api import scheduler_errors

BUS = "bus"  # beside TOPIC: where a message goes
SOURCE, DETAIL_TYPE = "egressprobe", "egressprobe incident"
# Seconds before each further attempt, beside the client's own.
_PAUSES = (1.0, 3.0)
# Characters of a FIFO topic's ids.
_MAX_ID = 128


class Outgoing(NamedTuple):
    """id, incident_id: of the message. topic: ARN, empty for none. attributes: of SNS, name -> text. detail: JSON."""

    id: str
    incident_id: str
    topic: str
    subject: str
    text: str
    attributes: Mapping[str, str]
    detail: str


class PublishedMessage(NamedTuple):
    """failed: what was refused, with AWS's words. reached: what has accepted it, now or before."""

    id: str
    failed: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()


def places_of(message: Outgoing, reached: Collection[str] = ()) -> tuple[str, ...]:
    """Where it is still to go. reached: where it has been before."""
    wanted = (TOPIC, BUS) if message.topic else (BUS,)
    return tuple(place for place in wanted if place not in reached)


def publish_to(place: str, sns: Any, events: Any, message: Outgoing, pause: Callable[[float], None]) -> str:
    """Why it was not accepted there; empty where it was. Raises nothing of AWS. pause: sleeps so many seconds."""
    if place == TOPIC:
        return _attempted(lambda: _to_topic(sns, message), f"SNS {message.topic}", pause)
    return _attempted(lambda: _to_bus(events, message), "EventBridge", pause)


def published(message_id: str, results: Mapping[str, str], before: Collection[str] = ()) -> PublishedMessage:
    """results: why each place has not accepted it. before: places that had."""
    accepted = (place for place, why in results.items() if not why)
    return PublishedMessage(message_id, tuple(filter(None, results.values())), (*before, *accepted))


def _attempted(call: Callable[[], str], where: str, pause: Callable[[float], None]) -> str:
    """Why it failed at last; empty where it did not."""
    for seconds in (*_PAUSES, None):
        try:
            why = call()
        except scheduler_errors() as error:
            why = str(error)
        except Exception as error:  # an answer that cannot be understood is no confirmation
            why = not_as_documented(error)
        if not why or seconds is None:
            return f"{where}: {why}" if why else ""
        pause(seconds)
    raise AssertionError("unreachable")


def _to_topic(sns: Any, message: Outgoing) -> str:
    parameters: dict[str, Any] = {
        "TopicArn": message.topic,
        "Message": message.text,
        "Subject": message.subject,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items() if value
        },
    }
    if message.topic.endswith(".fifo"):
        parameters |= {
            "MessageGroupId": message.incident_id[:_MAX_ID],
            "MessageDeduplicationId": message.id[:_MAX_ID],
        }
    return "" if sns.publish(**parameters)["MessageId"] else "no MessageId in the answer"


def _to_bus(events: Any, message: Outgoing) -> str:
    """An entry may be refused in an answer that is no error."""
    entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": message.detail}
    [result] = events.put_events(Entries=[entry])["Entries"]
    return "" if result.get("EventId") else f"{result.get('ErrorCode')}: {result.get('ErrorMessage')}"
