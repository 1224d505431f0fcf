"""CloudWatch in small: metric series, Metrics Insights queries, metric alarms, composite alarms with a suppressor.

Follows the documented rules; test_alarms.py checks the worked examples of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html first.
"""

import re
from collections import defaultdict
from functools import cache, cached_property
from types import CodeType
from typing import Any, NamedTuple

# "CloudWatch retrieves a higher number of data points than Evaluation Periods"; its examples show two more.
_EXTRA = 2
_MINUTE = 60
MISSING = None
OWN = "123456789012"  # the account in which the alarms are


class Store:
    """Series by namespace, metric, exact dimensions and account; values by minute. monitoring: of linked accounts too."""

    def __init__(self, *, monitoring: bool = False):
        self.monitoring = monitoring
        self._series = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))

    def add(
        self, namespace: str, metric: str, dimensions: dict[str, str], at: float, value: float, account: str = OWN
    ) -> None:
        assert account == OWN or self.monitoring
        self._series[namespace, metric][frozenset(dimensions.items()), account][int(at) // _MINUTE].append(value)

    def add_document(self, document: dict[str, Any], at: float, account: str = OWN) -> None:
        """One document of embedded metric format."""
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = {name: document[name] for name in names}
                for metric in directive["Metrics"]:
                    for value in document[metric["Name"]]:
                        self.add(directive["Namespace"], metric["Name"], dimensions, at, value, account)

    def series(self, namespace: str, metric: str) -> dict[frozenset, dict[int, list[float]]]:
        """Of this account: the default of an alarm on one metric, of MetricStat and of ListMetrics."""
        found = self.of_all_accounts(namespace, metric)
        return {dimensions: values for (dimensions, account), values in found.items() if account == OWN}

    def of_all_accounts(self, namespace: str, metric: str) -> dict[tuple[frozenset, str], dict[int, list[float]]]:
        """By (dimensions, account): what a Metrics Insights query reads in a monitoring account."""
        return self._series.get((namespace, metric), {})


_STATISTICS = {
    "MIN": min,
    "MAX": max,
    "SUM": sum,
    "COUNT": len,
    "Minimum": min,
    "Maximum": max,
    "Sum": sum,
    "SampleCount": len,
}
_QUERY = re.compile(
    r"SELECT (MIN|MAX|SUM|COUNT)\((\w+)\) FROM SCHEMA\(\"(\w+)\", ([\w, ]+)\) WHERE ([\w.]+ !?= [^ ]+(?: AND [\w.]+ !?= [^ ]+)*) "
    r"GROUP BY ([\w, ]+) ORDER BY \1\(\) (?:ASC|DESC)"
)
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html: "To limit
# your query to only metrics in the monitoring account itself".
_OF_ACCOUNT = "AWS.AccountId = CURRENT_ACCOUNT_ID()"


class MetricAlarm:
    """One AWS::CloudWatch::Alarm; `evaluate` at the end of each minute. born: when it was created."""

    def __init__(self, properties: dict[str, Any], store: Store, born: int = 0):
        self.name = properties["AlarmName"]
        self._p, self._store = properties, store
        self.state = "INSUFFICIENT_DATA"
        self.contributors: set[frozenset] = set()
        # By dimensions and account of a series: a query looks at each series once, not in each minute.
        self._group_of: dict[tuple[frozenset, str], frozenset | None] = {}
        warm_up = properties.get("WarmUpConfiguration", {})
        self._warm_until = born + int(warm_up.get("WarmUpPeriodDurationInMinutes", 0)) * 60
        self._inputs = {
            entry["Id"]: entry["MetricStat"] for entry in properties.get("Metrics", []) if "MetricStat" in entry
        }
        [query] = [entry for entry in properties.get("Metrics", [{}]) if "MetricStat" not in entry]
        text = query.get("Expression", "")
        self._query, self._expression = (text, "") if text.startswith("SELECT") else ("", text)
        periods = {int(stat["Period"]) for stat in self._inputs.values()}
        self.period = periods.pop() if periods else int(query.get("Period") or properties["Period"])
        assert not periods, "one period for all metrics of an expression"

    def keep(self, before: "MetricAlarm") -> None:
        """The state of the alarm that this one replaces."""
        self.state, self.contributors, self._warm_until = before.state, before.contributors, before._warm_until

    @property
    def is_query(self) -> bool:
        """A multi-series alarm, with contributors."""
        return bool(self._query)

    def evaluate(self, now: int) -> None:
        if self._query:
            found = {key: self._verdict(points) or "OK" for key, points in self._grouped(now).items()}
            self.contributors = {key for key, state in found.items() if state == "ALARM"}
            self.state = "ALARM" if self.contributors else "OK" if found else self._verdict([MISSING] * self._range)
            return
        points = self._single(now)
        full = sum(point is not MISSING for point in points) >= int(self._p["EvaluationPeriods"])
        if full:
            self._warm_until = 0
        self.state = "INSUFFICIENT_DATA" if now < self._warm_until else self._verdict(points) or self.state

    @property
    def _range(self) -> int:
        return int(self._p["EvaluationPeriods"]) + _EXTRA

    def _single(self, now: int) -> list[float | None]:
        if not self._expression:
            return self._series(self._p, self._p["Statistic"], now)
        inputs = {name: self._series(stat["Metric"], stat["Stat"], now) for name, stat in self._inputs.items()}
        moments = [dict(zip(inputs, values, strict=True)) for values in zip(*inputs.values(), strict=True)]
        return [computed(self._expression, values) for values in moments]

    def _series(self, metric: dict[str, Any], statistic: str, now: int) -> list[float | None]:
        wanted = frozenset((one["Name"], one["Value"]) for one in metric["Dimensions"])
        found = self._store.of_all_accounts(metric["Namespace"], metric["MetricName"]).get((wanted, OWN), {})
        return self._points([found], now, statistic)

    def _grouped(self, now: int) -> dict[frozenset, list[float | None]]:
        statistic, metric, namespace, *_ = self._clauses
        groups = defaultdict(list)
        for series, values in self._store.of_all_accounts(namespace, metric).items():
            if series not in self._group_of:
                self._group_of[series] = self._group(*series)
            if self._group_of[series]:
                groups[self._group_of[series]].append(values)
        found = {key: self._points(many, now, statistic) for key, many in groups.items()}
        return {key: points for key, points in found.items() if any(point is not MISSING for point in points)}

    @cached_property
    def _clauses(self) -> tuple[str, ...]:
        """Statistic, metric, namespace, schema, condition and group."""
        match = _QUERY.fullmatch(self._query)
        assert match, self._query
        return match.groups()

    def _group(self, dimensions: frozenset, account: str) -> frozenset | None:
        """The contributor that a series counts for. None: the query does not take the series."""
        *_, schema, where, by = self._clauses
        conditions = re.findall(r"(?:^|AND )(\w+) (!?=) '([^']*)'", where)
        of_account = _OF_ACCOUNT in where.split(" AND ")
        assert len(conditions) + of_account == len(where.split(" AND ")), where
        # AWS documents the condition for monitoring accounts, and for no other.
        assert self._store.monitoring or not of_account, where
        known = dict(dimensions)
        if of_account and account != OWN:
            return None
        # SCHEMA takes metrics with exactly these dimensions.
        if set(known) != set(schema.split(", ")):
            return None
        if any((known[name] == value) is not (operator == "=") for name, operator, value in conditions):
            return None
        return frozenset((name, known[name]) for name in by.split(", "))

    def _points(self, series: list[dict[int, list[float]]], now: int, statistic: str) -> list[float | None]:
        """One value a period, oldest first, of the periods that are over, over all series."""
        last = now // self.period
        points = []
        for index in range(last - self._range, last):
            minutes = range(index * self.period // _MINUTE, (index + 1) * self.period // _MINUTE)
            some = [value for minute in minutes for values in series for value in values.get(minute, ())]
            points.append(_STATISTICS[statistic](some) if some else MISSING)
        return points

    def _verdict(self, points: list[float | None]) -> str | None:
        return verdict(
            [point if point is MISSING else self._breaches(point) for point in points],
            periods=int(self._p["EvaluationPeriods"]),
            wanted=int(self._p.get("DatapointsToAlarm", self._p["EvaluationPeriods"])),
            missing=self._p["TreatMissingData"],
        )

    def _breaches(self, value: float) -> bool:
        threshold = float(self._p["Threshold"])
        return {
            "LessThanThreshold": value < threshold,
            "GreaterThanThreshold": value > threshold,
            "GreaterThanOrEqualToThreshold": value >= threshold,
        }[self._p["ComparisonOperator"]]


_IF = re.compile(r"IF\((?P<condition>.+), (?P<value>\w+)\)")


def computed(expression: str, values: dict[str, float | None]) -> float | None:
    """`IF(condition, value)` of metric math: without a third argument there is no data where the condition is false.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#using-IF-expressions. No data
    in any input gives none here; AWS may still decide an OR, and then the value itself is the missing input.
    """
    value, names, condition = _compiled(expression)
    if any(one is MISSING for one in values.values()):
        return MISSING
    assert names <= values.keys(), expression
    return values[value] if eval(condition, {"__builtins__": {}}, dict(values)) else MISSING  # noqa: S307


@cache
def _compiled(expression: str) -> tuple[str, set[str], CodeType]:
    """The value, the names in the condition, and the condition."""
    match = _IF.fullmatch(expression)
    assert match, expression
    words = match["condition"].replace("AND", "and").replace("OR", "or")
    return match["value"], {*re.findall(r"[a-z_]+", words)} - {"and", "or"}, compile(words, "<condition>", "eval")


def verdict(points: list[bool | None], *, periods: int, wanted: int, missing: str) -> str | None:
    """The documented table: real data points first, the newest; what is still lacking is filled in.

    None: the state is kept, with "ignore", where not a single data point contradicts it.
    """
    real = [point for point in points if point is not MISSING][-periods:]
    if missing == "ignore" and len(real) < periods and all(real) and sum(real) + periods - len(real) >= wanted:
        return None
    lacking = {"breaching": periods - len(real), "notBreaching": 0, "ignore": 0}[missing]
    return "ALARM" if sum(real) + lacking >= wanted else "OK"


class Notice(NamedTuple):
    """What a person gets. contributor: the dimensions that a multi-series alarm names."""

    at: int
    alarm: str
    state: str
    topics: tuple[str, ...]
    contributor: tuple[tuple[str, str], ...] = ()


class CompositeAlarm:
    """One AWS::CloudWatch::CompositeAlarm."""

    def __init__(self, properties: dict[str, Any], suppressor: str | None):
        self.name = properties["AlarmName"]
        self.state = "OK"
        self._p, self._suppressor = properties, suppressor
        self._told, self._changed, self._held_until = "OK", 0, 0

    def keep(self, before: "CompositeAlarm") -> None:
        """The state of the alarm that this one replaces."""
        self.state, self._told = before.state, before._told
        self._changed, self._held_until = before._changed, before._held_until

    @property
    def is_suppressed(self) -> bool:
        return self._suppressor is not None

    def evaluate(self, now: int, states: dict[str, str]) -> Notice | None:
        state = "ALARM" if _rule(self._p["AlarmRule"], states) else "OK"
        if state != self.state:
            self.state, self._changed = state, now
        if self._suppressor is not None:
            if states[self._suppressor] == "ALARM":
                self._held_until = now + int(self._p["ActionsSuppressorExtensionPeriod"])
                return None
            if now < self._held_until or now < self._changed + int(self._p["ActionsSuppressorWaitPeriod"]):
                return None
        if self.state == self._told:
            return None
        self._told = self.state
        actions = self._p.get("AlarmActions" if self.state == "ALARM" else "OKActions", [])
        return Notice(now, self.name, self.state, tuple(actions))


def _rule(text: str, states: dict[str, str]) -> bool:
    """AlarmRule: ALARM("name"), AND, OR, NOT, parentheses. Every name must exist."""
    words = re.findall(r'ALARM\("[^"]+"\)|AND|OR|NOT|[()]', text)
    assert "".join(words).replace(" ", "") == text.replace(" ", ""), text

    def alternatives() -> bool:
        found = conjunction()
        while words and words[0] == "OR":
            words.pop(0)
            found = conjunction() or found
        return found

    def conjunction() -> bool:
        found = one()
        while words and words[0] == "AND":
            words.pop(0)
            found = one() and found
        return found

    def one() -> bool:
        word = words.pop(0)
        if word == "NOT":
            return not one()
        if word == "(":
            found = alternatives()
            assert words.pop(0) == ")"
            return found
        return states[word[len('ALARM("') : -len('")')]] == "ALARM"

    found = alternatives()
    assert not words
    return found


class CloudWatch:
    """Alarms over one store: those of a rendered stack, by logical id, or those that are put."""

    def __init__(self, rendered=None, *, monitoring: bool = False):
        self.store = Store(monitoring=monitoring)
        self.metric: dict[str, MetricAlarm] = {}
        self.composite: dict[str, CompositeAlarm] = {}
        self.notices: list[Notice] = []
        self._actions: dict[str, list[str]] = {}
        for kind, put in (
            ("AWS::CloudWatch::Alarm", self.put_metric_alarm),
            ("AWS::CloudWatch::CompositeAlarm", self.put_composite_alarm),
        ):
            for key, properties in rendered.of(kind).items() if rendered else ():
                put(key, properties)

    def put_metric_alarm(self, key: str, properties: dict[str, Any], born: int = 0) -> None:
        """A new alarm, or other properties of one that keeps its state."""
        alarm, before = MetricAlarm(properties, self.store, born), self.metric.get(key)
        if before:
            alarm.keep(before)
        self.metric[key], self._actions[key] = alarm, properties.get("AlarmActions", [])

    def put_composite_alarm(self, key: str, properties: dict[str, Any]) -> None:
        suppressor = properties.get("ActionsSuppressor", "").rpartition(":alarm:")[2] or None
        alarm, before = CompositeAlarm(properties, suppressor), self.composite.get(key)
        if before:
            alarm.keep(before)
        # What others refer to is evaluated first.
        others = self.composite | {key: alarm}
        self.composite = dict(sorted(others.items(), key=lambda pair: pair[1].is_suppressed))

    def remove(self, key: str) -> None:
        for alarms in (self.metric, self.composite, self._actions):
            alarms.pop(key, None)

    def states(self) -> dict[str, str]:
        """By name."""
        return {alarm.name: alarm.state for alarm in (*self.metric.values(), *self.composite.values())}

    def evaluate(self, now: int) -> None:
        for name, alarm in self.metric.items():
            before, known = alarm.state, alarm.contributors
            alarm.evaluate(now)
            if not self._actions[name]:
                continue
            topics = tuple(self._actions[name])
            if alarm.is_query:
                # "SNS actions are executed at the contributor level"
                self.notices += [
                    Notice(now, alarm.name, "ALARM", topics, tuple(sorted(contributor)))
                    for contributor in sorted(alarm.contributors - known, key=sorted)
                ]
            elif alarm.state == "ALARM" != before:
                self.notices.append(Notice(now, alarm.name, "ALARM", topics))
        states = {alarm.name: alarm.state for alarm in self.metric.values()}
        for alarm in self.composite.values():
            notice = alarm.evaluate(now, states)
            states[alarm.name] = alarm.state
            if notice and notice.topics:
                self.notices.append(notice)
