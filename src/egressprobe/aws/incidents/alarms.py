"""The state of the stack's alarms, the series that are in ALARM, and the mute rules that are active for them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmContributors.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListAlarmMuteRules.html
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from egressprobe.aws.paging import ReadRefused, every, not_as_documented, tried
from egressprobe.incidents.alarms import OF_SUBNETS, OF_TARGETS, AlarmFacts, AlarmKind, AlarmReading, Contributor

# At most 100 contributors are in ALARM; a page has at least one.
_MAX_PAGES = 100
_ACTIVE = "ACTIVE"
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)\)")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")


def read_alarms(client: Any, prefix: str) -> AlarmFacts:
    """client: CloudWatch's. prefix: of the names of the stack's alarms. Raises nothing of AWS."""
    states = _understood(lambda: _states(client, prefix))
    if not states:  # every stack has some: this is no answer about it
        return AlarmFacts(unread=f"CloudWatch lists no alarm whose name begins with {prefix!r}")
    if isinstance(states, str):
        return AlarmFacts(unread=states)
    return AlarmFacts(tuple(_reading(client, prefix, kind, states) for kind in AlarmKind))


def _states(client: Any, prefix: str) -> dict[str, tuple[str, str]]:
    """Name -> state and since when. Raises botocore's exceptions."""
    pages = client.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )

    def read() -> dict[str, tuple[str, str]]:
        listed = (
            alarm for page in pages for kind in ("MetricAlarms", "CompositeAlarms") for alarm in page.get(kind) or ()
        )
        return {
            alarm["AlarmName"]: (
                alarm["StateValue"],
                _text(alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")),
            )
            for alarm in listed
        }

    return tried(client, "describe_alarms", read)


def _reading(client: Any, prefix: str, kind: AlarmKind, states: dict[str, tuple[str, str]]) -> AlarmReading:
    name = f"{prefix}{kind}"
    state, since = states.get(name, ("OK", ""))
    if state not in _STATES:
        return AlarmReading(kind, unread=f"its state is {state!r:.60}")
    reading = AlarmReading(kind, state, since)  # type: ignore[arg-type]
    if state != "ALARM":
        return reading
    if kind in (*OF_TARGETS, *OF_SUBNETS):
        contributors = _understood(lambda: _contributors(client, name))
        if isinstance(contributors, str):
            reading = replace(reading, unread=contributors)
        else:
            reading = replace(reading, contributors=contributors)
    muted = _understood(lambda: _muted(client, name))
    # Rules that cannot be read mute nothing: a message too many is better than none.
    return replace(reading, muted="" if isinstance(muted, str) else "; ".join(muted))


def _understood[T](read: Callable[[], T]) -> T | str:
    """What `read` returns, or why it could not be read."""
    try:
        return read()
    except ReadRefused as refused:
        return f"{refused.unread.action}: {refused.unread.error}"
    except Exception as error:  # an answer that cannot be understood is like one that was refused
        return not_as_documented(error)


def _contributors(client: Any, name: str) -> tuple[Contributor, ...]:
    """The series that are in ALARM. Raises ReadRefused, and KeyError and TypeError for an answer of another shape."""
    return tuple(tried(client, "describe_alarm_contributors", lambda: list(_pages(client, name))))


def _pages(client: Any, name: str) -> Iterator[Contributor]:
    request = {"AlarmName": name}
    for _ in range(_MAX_PAGES):
        answer = client.describe_alarm_contributors(**request)
        for raw in answer["AlarmContributors"]:
            yield contributor(raw["ContributorAttributes"], _text(raw.get("StateTransitionedTimestamp")))
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def contributor(attributes: dict[str, str], since: str) -> Contributor:
    """attributes: the dimensions that the alarm groups by, as CloudWatch names them."""
    names = {"target": "Target", "code": "Code", "impact": "Impact", "subnet_id": "SubnetId"}
    return Contributor(since=since, **{field: str(attributes.get(name) or "") for field, name in names.items()})


def _muted(client: Any, name: str) -> tuple[str, ...]:
    """Each rule that is active for the alarm, with its end where that is known. Raises ReadRefused."""
    rules = every(client, "list_alarm_mute_rules", "AlarmMuteRuleSummaries", AlarmName=name, Statuses=[_ACTIVE])
    return tuple(_rule(client, rule) for rule in rules if rule.get("Status", _ACTIVE) == _ACTIVE)


def _rule(client: Any, summary: dict[str, Any]) -> str:
    name = str(summary["AlarmMuteRuleArn"]).rpartition(":")[2]
    rule = _understood(
        lambda: tried(client, "get_alarm_mute_rule", lambda: client.get_alarm_mute_rule(AlarmMuteRuleName=name))
    )
    until = "" if isinstance(rule, str) else _until(rule)
    return f"mute rule {name}" + (f" until {until}" if until else "")


def _until(rule: dict[str, Any]) -> str:
    """The end of a window that begins once, RFC 3339 in UTC; empty for recurring ones, whose status says enough."""
    schedule = rule.get("Rule", {}).get("Schedule", {})
    begins, lasts = _AT.fullmatch(schedule.get("Expression", "")), _DURATION.fullmatch(schedule.get("Duration", ""))
    ends = [rule["ExpireDate"]] if rule.get("ExpireDate") else []
    if begins and lasts:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        days, hours, minutes = (int(number or 0) for number in lasts.groups())
        try:
            zone = ZoneInfo(schedule.get("Timezone") or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            return _text(min(ends)) if ends else ""
        start = datetime.fromisoformat(begins[1]).replace(tzinfo=zone)
        ends.append(start.astimezone(UTC) + timedelta(days=days, hours=hours, minutes=minutes))
    return _text(min(ends)) if ends else ""


def _text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
