"""What CloudWatch puts on the default event bus when an alarm or one of its series changes; ministack puts nothing there.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html has the two examples, with
their fields: a composite and a metric alarm's "CloudWatch Alarm State Change", and "CloudWatch Alarm Contributor State
Change" of a Metrics Insights alarm, which has no previousState.
"""

import json
from datetime import UTC, datetime
from typing import Any

from ministack.core import responses
from ministack.services import eventbridge

from tests.e2e.emulator.monitor import Changes, Monitor


def send(monitor: Monitor, changes: Changes) -> None:
    """Each change is an event; rules start what they start."""
    entries = [_entry(monitor, one.alarm, "CloudWatch Alarm Contributor State Change", {
        "alarmContributor": {"id": f"{hash(one.attributes) & (1 << 64) - 1:016x}", "attributes": dict(one.attributes)},
        "state": _state(one.after, one.at),
    }) for one in changes.contributors]  # fmt: skip
    entries += [_entry(monitor, one.alarm, "CloudWatch Alarm State Change", {
        "state": _state(one.after, one.at), "previousState": _state(one.before, one.at),
    }) for one in changes.transitions]  # fmt: skip
    for entry in entries:
        status, _, body = eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
        assert (status, json.loads(body)["FailedEntryCount"]) == (200, 0), body


def _entry(monitor: Monitor, alarm: str, kind: str, state: dict[str, Any]) -> dict[str, Any]:
    properties = monitor.properties(alarm)
    configuration = {"description": properties.get("AlarmDescription", "")}
    if "AlarmRule" in properties:
        configuration["alarmRule"] = properties["AlarmRule"]
    detail = {"alarmName": alarm, "configuration": configuration} | state
    arn = f"arn:aws:cloudwatch:{responses.get_region()}:{responses.get_account_id()}:alarm:{alarm}"
    return {"Source": "aws.cloudwatch", "DetailType": kind, "Detail": json.dumps(detail), "Resources": [arn]}


def _state(value: str, at: int) -> dict[str, str]:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return {"value": value, "reason": "see the metric", "timestamp": stamp}
