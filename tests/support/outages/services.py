# ruff: noqa: N803 (boto3's names)
"""The parts of boto3's clients that reporting incidents uses, over the world. Each call goes through `calls.call`, where
faults are.
"""

import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from egressprobe.aws.incidents.trail import TrailClients
from egressprobe.planner.incidents.settings import IncidentClients
from tests.support.aws.scheduler_memory import Scheduler

PREFIX = "egressprobe prod "


class Calls:
    """before(name), after(name): may raise, or sleep."""

    def __init__(self) -> None:
        self.before: Callable[[str], None] = lambda name: None
        self.after: Callable[[str], None] = lambda name: None
        self.garbled: Callable[[str], bool] = lambda name: False
        self.made: list[str] = []

    def call[T](self, name: str, do: Callable[[], T]) -> T | Any:
        self.made.append(name)
        self.before(name)
        result = do()
        self.after(name)
        return {"Unexpected": [None]} if self.garbled(name) else result


def _meta(service: str) -> Any:
    return SimpleNamespace(service_model=SimpleNamespace(service_name=service), method_to_api_mapping={})


class CloudWatchApi:
    """alarms: name -> (state, since). contributors: name of the alarm -> (attributes, since). muted: alarm -> rule."""

    def __init__(self, calls: Calls, minutes: Callable[[str, dict[str, str]], list[datetime]]) -> None:
        self.meta = _meta("cloudwatch")
        self.alarms: dict[str, tuple[str, datetime]] = {}
        self.contributors: dict[str, list[tuple[dict[str, str], datetime]]] = {}
        self.muted: dict[str, str] = {}
        self._calls, self._minutes = calls, minutes

    def can_paginate(self, operation: str) -> bool:
        return operation == "describe_alarms"

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(
            paginate=lambda **asked: [self._calls.call("DescribeAlarms", lambda: self._described(**asked))]
        )

    def _described(self, AlarmNamePrefix: str, AlarmTypes: list[str]) -> dict[str, Any]:
        assert AlarmTypes == ["MetricAlarm", "CompositeAlarm"]
        listed = [
            {"AlarmName": name, "StateValue": state, "StateTransitionedTimestamp": since}
            for name, (state, since) in self.alarms.items()
            if name.startswith(AlarmNamePrefix)
        ]
        return {"MetricAlarms": listed, "CompositeAlarms": []}

    def describe_alarm_contributors(self, AlarmName: str, NextToken: str = "0") -> dict[str, Any]:
        def read() -> dict[str, Any]:
            listed, at = self.contributors.get(AlarmName, []), int(NextToken)
            page = [
                {"ContributorId": "c", "ContributorAttributes": attributes, "StateTransitionedTimestamp": since}
                for attributes, since in listed[at : at + 2]
            ]
            return {"AlarmContributors": page} | ({"NextToken": str(at + 2)} if at + 2 < len(listed) else {})

        return self._calls.call("DescribeAlarmContributors", read)

    def list_alarm_mute_rules(self, AlarmName: str, Statuses: list[str]) -> dict[str, Any]:
        assert Statuses == ["ACTIVE"]
        rules = [self.muted[AlarmName]] if AlarmName in self.muted else []
        summaries = [
            {"AlarmMuteRuleArn": f"arn:aws:cloudwatch:r:a:alarm-mute-rule:{rule}", "Status": "ACTIVE"} for rule in rules
        ]
        return self._calls.call("ListAlarmMuteRules", lambda: {"AlarmMuteRuleSummaries": summaries})

    def get_alarm_mute_rule(self, AlarmMuteRuleName: str) -> dict[str, Any]:
        schedule = {"Expression": "cron(0 2 * * *)", "Duration": "PT4H"}
        return self._calls.call("GetAlarmMuteRule", lambda: {"Rule": {"Schedule": schedule}, "Status": "ACTIVE"})

    def get_metric_data(self, MetricDataQueries: list[Any], StartTime: datetime, EndTime: datetime) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            results = []
            for query in MetricDataQueries:
                metric = query["MetricStat"]["Metric"]
                named = {entry["Name"]: entry["Value"] for entry in metric["Dimensions"]}
                stamps = [at for at in self._minutes(metric["MetricName"], named) if StartTime <= at < EndTime]
                results.append({"Id": query["Id"], "Timestamps": stamps, "Values": [1.0] * len(stamps)})
            return {"MetricDataResults": results}

        return self._calls.call("GetMetricData", read)


class SnsApi:
    def __init__(self, calls: Calls, sent: Callable[[dict[str, Any]], None]) -> None:
        self._calls, self._sent = calls, sent

    def publish(self, **message: Any) -> dict[str, Any]:
        return self._calls.call("Publish", lambda: self._sent(message) or {"MessageId": "m"})


class BusApi:
    def __init__(self, calls: Calls, sent: Callable[[dict[str, Any]], None]) -> None:
        self._calls, self._sent = calls, sent
        self.throttled = lambda: False

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        def put() -> dict[str, Any]:
            if self.throttled():
                return {
                    "FailedEntryCount": 1,
                    "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}],
                }
            [entry] = Entries
            self._sent(json.loads(entry["Detail"]))
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}

        return self._calls.call("PutEvents", put)


class TrailApi:
    """events: as LookupEvents lists them, newest first."""

    def __init__(self, calls: Calls) -> None:
        self.meta = _meta("cloudtrail")
        self.events: list[dict[str, Any]] = []
        self._calls = calls

    def lookup_events(
        self, LookupAttributes: Any, MaxResults: int, StartTime: datetime, EndTime: datetime
    ) -> dict[str, Any]:
        listed = [event for event in self.events if StartTime <= event["EventTime"] <= EndTime]
        return self._calls.call("LookupEvents", lambda: {"Events": listed})


class LambdaApi:
    """probe: (function, plan) -> its response."""

    def __init__(self, calls: Calls, probe: Callable[[str, dict[str, Any]], bytes]) -> None:
        self._calls, self._probe = calls, probe

    def invoke(self, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:
        assert InvocationType == "RequestResponse"
        return self._calls.call(
            f"Invoke {FunctionName}", lambda: {"Payload": io.BytesIO(self._probe(FunctionName, json.loads(Payload)))}
        )


class EksApi:
    exceptions = SimpleNamespace(ResourceNotFoundException=LookupError)

    def __init__(self, calls: Calls, subnets: list[str]) -> None:
        self._calls, self._subnets = calls, subnets

    def describe_cluster(self, name: str) -> dict[str, Any]:
        vpc = {"controlPlaneEgressMode": "CUSTOMER_ROUTED", "vpcId": "vpc-1", "subnetIds": self._subnets}
        cluster = {
            "name": name,
            "version": "1.33",
            "status": "ACTIVE",
            "endpoint": "https://api",
            "resourcesVpcConfig": vpc,
        }
        return self._calls.call("DescribeCluster", lambda: {"cluster": cluster})


class CalledScheduler(Scheduler):
    """The group in memory; its calls are counted with the others."""

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    def _call(self, operation: str, name: str | None, do: Callable[[], Any]) -> Any:
        return self._calls.call(f"Scheduler {operation}", do)


class IncidentAws(IncidentClients):
    def __init__(self, cloudwatch: Any, scheduler: Any, sns: Any, events: Any, trail: Any) -> None:
        made = {"cloudwatch": cloudwatch, "scheduler": scheduler, "sns": sns, "events": events}
        super().__init__(made.__getitem__, lambda: TrailClients(trail))


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)
