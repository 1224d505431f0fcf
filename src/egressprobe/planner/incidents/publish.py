"""Sends one message: to people by SNS, to machines by EventBridge. One that is refused does not cost the other.

Delivery of both is at least once, and a run that was killed after it published repeats the message: its id is the same,
so that a FIFO topic and who handles the events can drop the repeat.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html,
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from egressprobe.aws.paging import not_as_documented
from egressprobe.planner.scheduler_api import scheduler_errors

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
    """failed: what was refused, with AWS's words."""

    id: str
    failed: tuple[str, ...] = ()


def publish_message(sns: Any, events: Any, message: Outgoing, pause: Callable[[float], None]) -> PublishedMessage:
    """Raises nothing of AWS. pause: sleeps so many seconds."""
    failures = []
    if message.topic:
        failures.append(_attempted(lambda: _to_topic(sns, message), f"SNS {message.topic}", pause))
    failures.append(_attempted(lambda: _to_bus(events, message), "EventBridge", pause))
    return PublishedMessage(message.id, tuple(failure for failure in failures if failure))


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
