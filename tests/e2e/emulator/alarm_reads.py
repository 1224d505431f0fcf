"""CloudWatch's calls that ministack does not know, or answers from other metrics than the functions'.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmContributors.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html

The clients here speak JSON 1.0, the first of the protocols that botocore prefers.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ministack.core import responses
from ministack.services import cloudwatch

from tests.e2e.emulator.monitor import Monitor

_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "SampleCount": len,
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
}
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\)")
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?")
# Name -> the request of PutAlarmMuteRule.
_rules: dict[str, dict[str, Any]] = {}


def install(monitor: Monitor) -> None:
    handle = cloudwatch.handle_request
    monitor.muted = lambda alarm: any(alarm in _targets(rule) and _status(rule) == "ACTIVE" for rule in _rules.values())
    answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "DescribeAlarmContributors": lambda request: _contributors(monitor, request),
        "GetMetricData": lambda request: _metric_data(monitor, request),
        "ListMetrics": lambda request: _metrics(monitor, request),
        "PutAlarmMuteRule": _put_rule,
        "ListAlarmMuteRules": _list_rules,
        "GetAlarmMuteRule": _get_rule,
        "DeleteAlarmMuteRule": _delete_rule,
    }

    async def answered(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action not in answers:
            return await handle(method, path, headers, body, query)
        try:
            return cloudwatch._json_ok(answers[action](json.loads(body)))
        except KeyError as error:
            return cloudwatch._error("ResourceNotFoundException", f"{error}", 404, use_json=True)

    cloudwatch.handle_request = answered


def _contributors(monitor: Monitor, request: dict[str, Any]) -> dict[str, Any]:
    """Those in ALARM, as documented."""
    return {
        "AlarmContributors": [
            {
                "ContributorId": f"{hash(frozenset(attributes.items())) & (1 << 64) - 1:016x}",
                "ContributorAttributes": attributes,
                "StateReason": "Threshold Crossed",
                "StateTransitionedTimestamp": float(since),
            }
            for attributes, since in monitor.contributors(request["AlarmName"])
        ]
    }


def _metric_data(monitor: Monitor, request: dict[str, Any]) -> dict[str, Any]:
    """Queries of one metric each, newest first."""
    start, end = (cloudwatch._parse_ts(request[name]) for name in ("StartTime", "EndTime"))
    results = []
    for query in request["MetricDataQueries"]:
        stat = query["MetricStat"]
        metric, period = stat["Metric"], int(stat["Period"])
        wanted = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
        points: dict[int, list[float]] = {}
        for dimensions, minutes in monitor.series(metric["Namespace"], metric["MetricName"]):
            for minute, values in minutes.items() if dimensions == wanted else ():
                points.setdefault(minute * 60 // period * period, []).extend(values)
        shown = sorted((at for at in points if start <= at < end), reverse=True)
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label", metric["MetricName"]),
                "StatusCode": "Complete",
                "Timestamps": [float(at) for at in shown],
                "Values": [float(_STATISTICS[stat["Stat"]](points[at])) for at in shown],
            }
        )
    return {"MetricDataResults": results, "Messages": []}


def _metrics(monitor: Monitor, request: dict[str, Any]) -> dict[str, Any]:
    """Of one name, with dimensions by name or by name and value; however long ago they had a value."""
    namespace, name = request["Namespace"], request["MetricName"]
    wanted = {one["Name"]: one.get("Value") for one in request.get("Dimensions", [])}
    listed = [
        dimensions
        for dimensions, _ in monitor.series(namespace, name)
        if all(key in dimensions and value in (None, dimensions[key]) for key, value in wanted.items())
    ]
    pairs = [[{"Name": key, "Value": value} for key, value in dimensions.items()] for dimensions in listed]
    return {"Metrics": [{"Namespace": namespace, "MetricName": name, "Dimensions": each} for each in pairs]}


def _put_rule(request: dict[str, Any]) -> dict[str, Any]:
    _window(request)  # refuses what is not known here
    _rules[request["Name"]] = request | {"updated": time.time()}
    return {}


def _delete_rule(request: dict[str, Any]) -> dict[str, Any]:
    _rules.pop(request["AlarmMuteRuleName"], None)
    return {}


def _list_rules(request: dict[str, Any]) -> dict[str, Any]:
    alarm, statuses = request.get("AlarmName"), request.get("Statuses")
    return {
        "AlarmMuteRuleSummaries": [
            {"AlarmMuteRuleArn": _arn(name), "Status": _status(rule), "LastUpdatedTimestamp": rule["updated"]}
            for name, rule in _rules.items()
            if (not alarm or alarm in _targets(rule)) and (not statuses or _status(rule) in statuses)
        ]
    }


def _get_rule(request: dict[str, Any]) -> dict[str, Any]:
    name = request["AlarmMuteRuleName"]
    rule = _rules[name]
    fields = {key: rule[key] for key in ("Name", "Description", "Rule", "MuteTargets") if key in rule}
    return fields | {"AlarmMuteRuleArn": _arn(name), "Status": _status(rule)}


def _arn(name: str) -> str:
    return f"arn:aws:cloudwatch:{responses.get_region()}:{responses.get_account_id()}:alarm-mute-rule:{name}"


def _targets(rule: dict[str, Any]) -> list[str]:
    return list(rule.get("MuteTargets", {}).get("AlarmNames", []))


def _status(rule: dict[str, Any]) -> str:
    begins, ends = _window(rule)
    now = datetime.now(UTC)
    return "SCHEDULED" if now < begins else "ACTIVE" if now < ends else "EXPIRED"


def _window(rule: dict[str, Any]) -> tuple[datetime, datetime]:
    """Of a rule that mutes once, in UTC; the emulation knows no other."""
    schedule = rule["Rule"]["Schedule"]
    at, lasts = _AT.fullmatch(schedule["Expression"]), _DURATION.fullmatch(schedule["Duration"])
    assert at, schedule
    assert lasts, schedule
    assert schedule.get("Timezone", "UTC") == "UTC", schedule
    begins = datetime.fromisoformat(at[1]).replace(tzinfo=UTC)
    return begins, begins + timedelta(hours=int(lasts[1] or 0), minutes=int(lasts[2] or 0))
