"""What an event of CloudWatch reports of an alarm: used where CloudWatch itself cannot be read.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html: "CloudWatch Alarm State
Change" has detail.alarmName and detail.state; "CloudWatch Alarm Contributor State Change", of one series, also
detail.alarmContributor.attributes.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from egressprobe.aws.incidents.alarms import contributor
from egressprobe.incidents.alarms import AlarmFacts, AlarmKind, AlarmReading

SOURCE = "aws.cloudwatch"
DETAIL_TYPES = ("CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change")


def is_alarm_event(event: dict[str, Any]) -> bool:
    """Whether it is one of those that the stack's rule passes on."""
    return event.get("source") == SOURCE and event.get("detail-type") in DETAIL_TYPES


def reading_of(event: dict[str, Any], prefix: str) -> AlarmReading | None:
    """The alarm that the event reports to be on; None for another state, and for an alarm that incidents are not about.

    prefix: of the names of the stack's alarms.
    """
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        detail = event["detail"]
        name, state = detail["alarmName"], detail["state"]
        if state["value"] != "ALARM" or not name.startswith(prefix):
            return None
        kind, since = AlarmKind(name.removeprefix(prefix)), _time(state.get("timestamp"))
        attributes = (detail.get("alarmContributor") or {}).get("attributes")
        return AlarmReading(kind, "ALARM", since, (contributor(attributes, since),) if attributes else ())
    return None


def supplemented(read: AlarmFacts, reported: AlarmReading | None) -> AlarmFacts:
    """What was read; and what the event reports of an alarm whose state or contributors could not be read."""
    if reported is None:
        return read
    known = read.of(reported.kind)
    if known.known:
        return read
    both = tuple(dict.fromkeys((*known.contributors, *reported.contributors)))
    alarm = replace(reported, contributors=both, unread=known.unread, muted=known.muted)
    others = tuple(alarm for alarm in read.alarms if alarm.kind is not reported.kind)
    return replace(read, alarms=(*others, alarm))


def _time(text: Any) -> str:
    """RFC 3339; empty for what is none. CloudWatch writes 2025-12-01T13:42:04.919+0000."""
    with suppress(TypeError, ValueError):
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment.tzinfo else ""
    return ""
