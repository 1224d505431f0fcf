"""What CloudWatch says about a stack's alarms: states, contributors, and the messages that were sent.

A message is an entry of an alarm's history: CloudWatch writes one for each action, with AWS's words where it failed, as
for a topic whose policy or key refuses CloudWatch.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from egressprobe.model.errors import InputError

TARGETS, BROKEN, INCIDENT, NO_PROBE = "targets", "broken", "path broken", "probe broken"
_TYPES = ["MetricAlarm", "CompositeAlarm"]
_SENT = "Successfully executed action"
# AWS's codes where a partition has no such operation or history type.
_NOT_THERE = frozenset({"InvalidAction", "UnknownOperationException", "UnsupportedOperation"})


class Message(NamedTuple):
    """One action of an alarm. error: AWS's words where nothing was sent."""

    at: datetime
    alarm: str
    error: str | None
    contributor: Mapping[str, str]


class Alarms:
    """The alarms of one cluster's stack."""

    def __init__(self, client: Any, prefix: str) -> None:
        """prefix: of the names of its alarms."""
        self._client, self._prefix = client, prefix

    def notifies(self, alarm: str, topic: str) -> bool:
        """Whether the alarm sends its message to the topic. Raises InputError where the alarm is missing."""
        return topic in (self._described(alarm)[alarm].get("AlarmActions") or ())

    def states(self) -> dict[str, str]:
        """State by the alarm's name without its prefix. Raises InputError for one that is missing or off."""
        alarms = self._described(TARGETS, BROKEN, INCIDENT, NO_PROBE)
        off = [alarm["AlarmName"] for alarm in alarms.values() if alarm.get("ActionsEnabled") is False]
        if off:
            raise InputError("stack", f'the actions of the alarm "{off[0]}" are disabled: it sends no message')
        return {name: alarm["StateValue"] for name, alarm in alarms.items()}

    def _described(self, *names: str) -> dict[str, dict[str, Any]]:
        described = self._client.describe_alarms(AlarmNames=[self._prefix + name for name in names], AlarmTypes=_TYPES)
        alarms = [*(described.get("MetricAlarms") or []), *(described.get("CompositeAlarms") or [])]
        by_name = {alarm["AlarmName"].removeprefix(self._prefix): alarm for alarm in alarms}
        for name in names:
            if name not in by_name:
                raise InputError("stack", f'has no alarm "{self._prefix}{name}"; deploy it again with this version')
        return by_name

    def broken_targets(self) -> frozenset[str]:
        """Targets that are in ALARM now; empty where the partition cannot list them."""
        return frozenset(attributes.get("Target", "") for attributes in self._contributors(BROKEN))

    def _contributors(self, alarm: str) -> Iterator[Mapping[str, str]]:
        token: dict[str, str] = {}
        while True:
            try:
                page = self._client.describe_alarm_contributors(AlarmName=self._prefix + alarm, **token)
            except self._client.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _NOT_THERE:
                    raise
                return
            for contributor in page.get("AlarmContributors") or []:
                yield contributor.get("ContributorAttributes") or {}
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def messages(self, alarm: str, since: datetime, *, of_contributors: bool = False) -> list[Message]:
        """Those of an alarm since then, oldest first."""
        kind = "AlarmContributorAction" if of_contributors else "Action"
        pages = self._client.get_paginator("describe_alarm_history").paginate(
            AlarmName=self._prefix + alarm, AlarmTypes=_TYPES, HistoryItemType=kind, StartDate=since,
            ScanBy="TimestampAscending",
        )  # fmt: skip
        return [
            Message(
                item["Timestamp"],
                alarm,
                None if item.get("HistorySummary", "").startswith(_SENT) else item.get("HistorySummary", "?"),
                item.get("AlarmContributorAttributes") or {},
            )
            for page in pages
            for item in page.get("AlarmHistoryItems") or []
        ]
