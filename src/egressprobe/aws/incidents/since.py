"""The first failing minute of what fails now, from the metrics of the probes.

The probes write a series of a target and an impact in the minutes in which it is not well, and in no other minutes
(publish/emf.py): `ProbeSuccess` by ClusterName, Impact and Target, whatever MetricDetail is. The egress path of a
subnet has `EgressDown` and `EgressWouldFail`. So the first failing minute is the first of the newest minutes with a
value that follow each other; where a probe misses some minutes between, the outage is still one.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html: 500 queries and 100,800 data
points a call.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from egressprobe.aws.paging import ReadRefused, not_as_documented, tried

NAMESPACE = "EgressProbe"
_MINUTE = timedelta(minutes=1)
# Three hours cover most outages; one that is older is looked up in a day.
_WINDOWS = (timedelta(hours=3), timedelta(hours=24))
_MAX_QUERIES, _MAX_POINTS = 500, 100_000
# Minutes without a value within one outage: an alarm needs 3 failing minutes of 4, and a probe may be silent for some.
_GAP = 5 * _MINUTE
_MAX_PAGES = 20


class FailingSeries(NamedTuple):
    """Series whose minutes are one outage. metric: its name. variants: of each its dimensions, beside ClusterName."""

    metric: str
    variants: tuple[tuple[tuple[str, str], ...], ...]


class FirstMinutes(NamedTuple):
    """since: of each series that has a value in the last minutes, the start of its first failing minute.

    unread: why the others could not be read, empty where they could.
    """

    since: Mapping[FailingSeries, datetime]
    unread: str = ""


def of_target(target: str, *impacts: str) -> FailingSeries:
    """The series of a target that is not well, both as CloudWatch has them. Several impacts: one may follow another."""
    return FailingSeries("ProbeSuccess", tuple((("Impact", impact), ("Target", target)) for impact in impacts))


def of_egress(subnet: str, *, down: bool) -> FailingSeries:
    """The series of a subnet from which nothing outside can be reached. down: it matters today."""
    return FailingSeries("EgressDown" if down else "EgressWouldFail", ((("SubnetId", subnet),),))


def first_minutes(client: Any, cluster: str, series: Iterable[FailingSeries], now: datetime) -> FirstMinutes:
    """client: CloudWatch's. now: the end of the window, in UTC. Raises nothing of AWS."""
    now = now.replace(second=0, microsecond=0) + _MINUTE  # "values that align with the value of the metric's Period"
    waiting, since = list(dict.fromkeys(series)), dict[FailingSeries, datetime]()
    try:
        for window in _WINDOWS:
            for batch in _batches(waiting, window):
                minutes = tried(client, "get_metric_data", lambda b=batch, w=window: _read(client, cluster, b, now, w))  # type: ignore[misc]
                since |= {key: _first(values) for key, values in minutes.items() if values}
            begins = now - window + _GAP
            waiting = [key for key in waiting if key in since and since[key] <= begins]
    except ReadRefused as refused:
        return FirstMinutes(since, f"{refused.unread.action}: {refused.unread.error}")
    except Exception as error:  # an answer that cannot be understood is like one that was refused
        return FirstMinutes(since, not_as_documented(error))
    return FirstMinutes(since)


def _batches(series: Sequence[FailingSeries], window: timedelta) -> Iterable[Sequence[FailingSeries]]:
    variants = max((len(key.variants) for key in series), default=1)
    size = max(min(_MAX_QUERIES, _MAX_POINTS // (window // _MINUTE)) // variants, 1)
    return (series[at : at + size] for at in range(0, len(series), size))


def _read(
    client: Any, cluster: str, series: Sequence[FailingSeries], now: datetime, window: timedelta
) -> dict[FailingSeries, set[datetime]]:
    """The minutes that have a value. Raises botocore's exceptions."""
    of_query = [(key, dimensions) for key in series for dimensions in key.variants]
    queries = [
        {"Id": f"q{number}", "MetricStat": {"Metric": _metric(cluster, *query), "Period": 60, "Stat": "SampleCount"}}
        for number, query in enumerate(of_query)
    ]
    minutes: defaultdict[FailingSeries, set[datetime]] = defaultdict(set)
    request: dict[str, Any] = {"MetricDataQueries": queries, "StartTime": now - window, "EndTime": now}
    for _ in range(_MAX_PAGES):
        answer = client.get_metric_data(**request)
        for result in answer.get("MetricDataResults") or ():
            key, _ = of_query[int(result["Id"][1:])]
            minutes[key] |= {stamp.astimezone(UTC) for stamp in result.get("Timestamps") or ()}
        if not answer.get("NextToken"):
            break
        request["NextToken"] = answer["NextToken"]
    return minutes


def _metric(cluster: str, series: FailingSeries, dimensions: Iterable[tuple[str, str]]) -> dict[str, Any]:
    named = (("ClusterName", cluster), *dimensions)
    return {
        "Namespace": NAMESPACE,
        "MetricName": series.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in named],
    }


def _first(minutes: set[datetime]) -> datetime:
    """The first of the newest minutes that are not further apart than _GAP."""
    newest_first = sorted(minutes, reverse=True)
    first = newest_first[0]
    for minute in newest_first[1:]:
        if first - minute > _GAP:
            break
        first = minute
    return first
