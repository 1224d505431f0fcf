"""CloudWatch's events in the shapes of its documentation: what they report is used where CloudWatch cannot be read."""

import pytest

from egressprobe.incidents.alarms import AlarmFacts, AlarmKind, AlarmReading, Contributor
from egressprobe.planner.incidents.reads.events import is_alarm_event, reading_of, supplemented

PREFIX = "egressprobe prod "
ARN = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"
AT = "2026-11-26T02:14:00Z"


def alarm_event(kind, state="ALARM", attributes=None):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html"""
    detail = {
        "alarmName": PREFIX + kind,
        "state": {"value": state, "reason": "Threshold Crossed", "timestamp": "2026-11-26T03:14:00.919+0100"},
        "configuration": {"metrics": []},
    }
    if attributes is None:
        detail["previousState"] = {"value": "OK", "timestamp": "2026-11-26T01:14:00.919+0100"}
    else:
        detail["alarmContributor"] = {"id": "6d442278dba546f6", "attributes": attributes}
    of = "Alarm" if attributes is None else "Alarm Contributor"
    return {
        "version": "0",
        "id": "6d226bbc-07f0-9a31-3359-1736968f8ded",
        "detail-type": f"CloudWatch {of} State Change",
        "source": "aws.cloudwatch",
        "account": "123456789012",
        "time": "2026-11-26T02:14:01Z",
        "region": "eu-west-1",
        "resources": [ARN + PREFIX + kind],
        "detail": detail,
    }


ATTRIBUTES = {"Target": "a", "Code": "connect_timeout", "Impact": "blocks"}
OF_A = Contributor("a", "connect_timeout", "blocks", "", AT)


def test_an_alarm_and_a_contributor_that_turn_on():
    assert reading_of(alarm_event("path broken"), PREFIX) == AlarmReading(AlarmKind.PATH_BROKEN, "ALARM", AT)
    read = reading_of(alarm_event("targets", attributes=ATTRIBUTES), PREFIX)
    assert read == AlarmReading(AlarmKind.TARGETS, "ALARM", AT, (OF_A,))


@pytest.mark.parametrize(
    "event",
    [
        alarm_event("targets", "OK", ATTRIBUTES),
        alarm_event("silent in slot 0"),
        alarm_event("targets") | {"detail": None},
        alarm_event("targets") | {"detail": {"alarmName": PREFIX + "targets", "state": "ALARM"}},
        alarm_event("targets") | {"detail": {"alarmName": 3, "state": {"value": "ALARM"}}},
        {"action": "incidents"},
        {},
    ],
)
def test_others_report_nothing(event):
    assert reading_of(event, PREFIX) is None


def test_which_events_are_of_alarms():
    assert is_alarm_event(alarm_event("targets"))
    assert is_alarm_event(alarm_event("targets", attributes={}))
    assert not is_alarm_event(alarm_event("targets") | {"detail-type": "CloudWatch Alarm Configuration Change"})
    assert not is_alarm_event(alarm_event("targets") | {"source": "me"})


def test_what_was_read_counts_and_the_event_where_nothing_was():
    """An event may be minutes old: it never contradicts what CloudWatch says now."""
    reported = reading_of(alarm_event("targets", attributes=ATTRIBUTES), PREFIX)
    off = AlarmFacts(tuple(AlarmReading(kind, "OK") for kind in AlarmKind))
    assert supplemented(off, reported) == off
    assert supplemented(off, None) == off
    unread = supplemented(AlarmFacts(unread="AccessDenied"), reported).of(AlarmKind.TARGETS)
    assert (unread.on, unread.known, unread.contributors, unread.unread) == (True, False, (OF_A,), "AccessDenied")
    other = Contributor("b", since=AT)
    partly = AlarmFacts((AlarmReading(AlarmKind.TARGETS, "ALARM", AT, (other,), "throttled", "rule"),))
    both = supplemented(partly, reported).of(AlarmKind.TARGETS)
    assert (both.contributors, both.unread, both.muted) == ((other, OF_A), "throttled", "rule")
