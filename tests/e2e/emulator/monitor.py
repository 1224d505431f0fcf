"""CloudWatch's metrics and alarms: the simulator of the unit tests, fed with what the functions print.

ministack compares only the newest points of any dimensions, knows neither M of N nor missing data, and does not evaluate
periodically. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import json
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from ministack.core import iam_evaluator, responses
from ministack.services import cloudwatch, sns

from tests.support.aws.alarms import CloudWatch, Notice

# Seconds until a metric that a log line has is seen.
_DELAY = 30


class Transition(NamedTuple):
    """One alarm went from a state to another. at: seconds since the epoch."""

    at: int
    alarm: str
    before: str
    after: str


class ContributorChange(NamedTuple):
    """One series of a Metrics Insights alarm entered or left ALARM."""

    at: int
    alarm: str
    attributes: frozenset[tuple[str, str]]
    after: str


class Changes(NamedTuple):
    """Of one evaluation; the notices are published."""

    transitions: list[Transition]
    contributors: list[ContributorChange]
    notices: list[Notice]


class Monitor:
    """`evaluate` at the end of each minute; the clock is a Clock. muted: whether an alarm's actions are muted now."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.muted: Callable[[str], bool] = lambda _: False
        self._since: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
        self._watch = CloudWatch()
        self._waiting: list[tuple[float, Any]] = []
        self._lock = threading.Lock()
        self._properties: dict[str, dict[str, Any]] = {}

    def put_metric_alarm(self, properties: dict[str, Any]) -> None:
        with self._lock:
            name = properties["AlarmName"]
            self._properties[name] = properties
            self._watch.put_metric_alarm(name, properties, int(self._clock.now()))

    def put_composite_alarm(self, properties: dict[str, Any]) -> None:
        with self._lock:
            name = properties["AlarmName"]
            self._properties[name] = properties
            self._watch.put_composite_alarm(name, properties)

    def remove(self, name: str) -> None:
        with self._lock:
            self._properties.pop(name, None)
            self._watch.remove(name)

    def document(self, document: dict[str, Any]) -> None:
        """Of embedded metric format, at its own time."""
        at = document["_aws"]["Timestamp"] / 1000
        self._wait(lambda: self._watch.store.add_document(document, at))

    def metric(self, namespace: str, name: str, dimensions: dict[str, str], value: float) -> None:
        at = self._clock.now()
        self._wait(lambda: self._watch.store.add(namespace, name, dimensions, at, value))

    def _wait(self, add: Any) -> None:
        with self._lock:
            self._waiting.append((self._clock.now() + _DELAY, add))

    def evaluate(self, now: int) -> Changes:
        """now: the end of a minute."""
        with self._lock:
            for _, add in [entry for entry in self._waiting if entry[0] <= now]:
                add()
            self._waiting = [entry for entry in self._waiting if entry[0] > now]
            before, series_before = self._watch.states(), self._in_alarm()
            self._watch.notices.clear()
            self._watch.evaluate(now)
            states, series = self._watch.states(), self._in_alarm()
            notices = [notice for notice in self._watch.notices if not self.muted(notice.alarm)]
            self._since = {key: self._since.get(key, now) for key in series}
        transitions = [
            Transition(now, name, before[name], state) for name, state in states.items() if before[name] != state
        ]
        for transition in transitions:
            self._store(transition)
        for notice in notices:
            self._publish(notice)
        changed = [(key, "ALARM") for key in series - series_before] + [(key, "OK") for key in series_before - series]
        contributors = [
            ContributorChange(now, alarm, attributes, after)
            for (alarm, attributes), after in sorted(changed, key=lambda one: (one[0][0], sorted(one[0][1])))
        ]
        return Changes(transitions, contributors, notices)

    def _in_alarm(self) -> set[tuple[str, frozenset[tuple[str, str]]]]:
        return {(alarm.name, key) for alarm in self._watch.metric.values() for key in alarm.contributors}

    def contributors(self, alarm: str) -> list[tuple[dict[str, str], int]]:
        """Attributes of each series of an alarm that is in ALARM, and since when."""
        with self._lock:
            return [(dict(key), at) for (name, key), at in self._since.items() if name == alarm]

    def properties(self, alarm: str) -> dict[str, Any]:
        return self._properties[alarm]

    def _store(self, transition: Transition) -> None:
        """For DescribeAlarms and DescribeAlarmHistory."""
        for alarms in (cloudwatch._alarms, cloudwatch._composite_alarms):
            if transition.alarm in alarms:
                times = dict.fromkeys(("StateUpdatedTimestamp", "StateTransitionedTimestamp"), transition.at)
                alarms[transition.alarm] |= {"StateValue": transition.after} | times
                kind = "CompositeAlarm" if alarms is cloudwatch._composite_alarms else "MetricAlarm"
                cloudwatch._record_history(transition.alarm, transition.before, transition.after, "", kind)

    def _publish(self, notice: Notice) -> None:
        """To SNS topics, as the principal cloudwatch.amazonaws.com, which the topic's policy must allow.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
        The contributor's fields are those of the event "CloudWatch Alarm Contributor State Change".
        """
        properties = self._properties[notice.alarm]
        account, region = responses.get_account_id(), responses.get_region()
        message = {
            "AlarmName": notice.alarm,
            "AlarmDescription": properties.get("AlarmDescription"),
            "AWSAccountId": account,
            "Region": region,
            "NewStateValue": notice.state,
            "StateChangeTime": notice.at,
        }
        if notice.contributor:
            message["AlarmContributor"] = {"attributes": dict(notice.contributor)}
        for topic in notice.topics:
            _record_action(notice, topic)
            if not _may_publish(topic, account):
                raise PermissionError(f"the policy of {topic} does not let cloudwatch.amazonaws.com publish")
            subject = f'{notice.state}: "{notice.alarm}" in {region}'[:100]
            sns._fanout(topic, responses.new_uuid(), json.dumps(message), subject)

    def states(self) -> dict[str, str]:
        with self._lock:
            return self._watch.states()

    def series(self, namespace: str, metric: str) -> list[tuple[dict[str, str], dict[int, list[float]]]]:
        with self._lock:
            return [(dict(key), dict(values)) for key, values in self._watch.store.series(namespace, metric).items()]


def _may_publish(topic: str, account: str) -> bool:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html (CloudWatch alarms)"""
    record = sns._topics.get(topic)
    policy = record["attributes"].get("Policy") if record else None
    context = iam_evaluator.EvalContext(
        principal_arn="cloudwatch.amazonaws.com",
        principal_type="Service",
        principal_account=account,
        action="sns:Publish",
        resource_arn=topic,
        region=responses.get_region(),
        service_context={"aws:sourceaccount": account},
    )
    return (
        iam_evaluator.evaluate_resource_policy(policy, context, service="cloudwatch.amazonaws.com").decision == "Allow"
    )


def _record_action(notice: Notice, topic: str) -> None:
    """An entry of the alarm's history for each action, which ministack does not write.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_AlarmHistoryItem.html
    """
    composite = notice.alarm in cloudwatch._composite_alarms
    entry = {
        "AlarmName": notice.alarm,
        "AlarmType": "CompositeAlarm" if composite else "MetricAlarm",
        "Timestamp": cloudwatch._ts_iso(notice.at),
        "HistoryItemType": "AlarmContributorAction" if notice.contributor else "Action",
        "HistorySummary": f"Successfully executed action {topic}",
        "HistoryData": "{}",
    }
    if notice.contributor:
        entry["AlarmContributorAttributes"] = dict(notice.contributor)
    cloudwatch._history_entries().append(entry)
