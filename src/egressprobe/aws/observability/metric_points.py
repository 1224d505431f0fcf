"""ProbeSuccess from CloudWatch's metrics, as exactly as CloudWatch still has it.

Points of 60 seconds are kept for 15 days, of 5 minutes for 63, of an hour for 455.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import called
from egressprobe.observability.history.coarse import MetricPoint

NAMESPACE = "EgressProbe"  # publish/emf.py
_DAY, _HOUR = 86_400, 3600
# Period in seconds, and for how long such points are kept.
_KEPT = ((60, 15 * _DAY), (300, 63 * _DAY), (3600, 455 * _DAY))
OLDEST_DAYS = 455
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
_MAX_QUERIES, _MAX_POINTS = 500, 100_800
# https://aws.amazon.com/cloudwatch/pricing/: a thousand metrics requested.
DOLLARS_A_METRIC = 0.01 / 1000


class MetricRange(NamedTuple):
    """A part of the time with points of one period; Unix time and seconds."""

    since: int
    until: int
    period: int


class ReadPoints(NamedTuple):
    """points: by (target, subnet); the subnet is empty for all. metrics: how many were requested."""

    points: dict[tuple[str, str], list[MetricPoint]]
    metrics: int

    @property
    def dollars(self) -> float:
        return self.metrics * DOLLARS_A_METRIC


def ranges(since: int, until: int, now: int) -> list[MetricRange]:
    """The time in parts, the oldest first, each with the shortest period that is kept; none older than 455 days."""
    parts = []
    end = until
    for period, kept in _KEPT:
        oldest = now - kept
        # A point begins at a multiple of its period; a part ends where one of the longest may begin.
        start = oldest + -oldest % _HOUR if oldest > since else since + -since % period
        if start < end:
            parts.append(MetricRange(start, end, period))
            end = start
    return parts[::-1]


def read_points(
    cloudwatch: Any, cluster: str, series: Sequence[tuple[str, str]], parts: Sequence[MetricRange], base: int
) -> ReadPoints:
    """series: (target, subnet), the subnet empty for all. base: Unix time of minute 0. Raises AwsError."""
    points: dict[tuple[str, str], list[MetricPoint]] = {}
    requested = 0
    for part in parts:
        at_once = max(min(_MAX_QUERIES, _MAX_POINTS * part.period // (part.until - part.since)) // 2, 1)
        for i in range(0, len(series), at_once):
            chunk = series[i : i + at_once]
            requested += 2 * len(chunk)
            for key, values in _read(cloudwatch, cluster, chunk, part).items():
                points.setdefault(key, []).extend(_points(values, part, base))
    return ReadPoints(points, requested)


def _read(
    cloudwatch: Any, cluster: str, series: Sequence[tuple[str, str]], part: MetricRange
) -> dict[tuple[str, str], dict[int, dict[str, float]]]:
    """Sum and SampleCount by time."""
    values: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    request: dict[str, Any] = {
        "MetricDataQueries": [
            query for i, key in enumerate(series) for query in _queries(i, key, cluster, part.period)
        ],
        "StartTime": datetime.fromtimestamp(part.since, UTC),
        "EndTime": datetime.fromtimestamp(part.until, UTC),
        "ScanBy": "TimestampAscending",
        "MaxDatapoints": _MAX_POINTS,
    }
    while True:
        answer = called(cloudwatch, "get_metric_data", **request)
        for result in answer.get("MetricDataResults") or ():
            kind, number = result["Id"][0], int(result["Id"][1:])
            times = values.setdefault(series[number], {})
            for at, value in zip(result.get("Timestamps") or (), result.get("Values") or (), strict=False):
                times.setdefault(int(at.timestamp()), {})[kind] = value
        if not answer.get("NextToken"):
            return values
        request["NextToken"] = answer["NextToken"]


def _queries(number: int, key: tuple[str, str], cluster: str, period: int) -> Iterator[dict[str, Any]]:
    target, subnet = key
    dimensions = {"ClusterName": cluster, "Target": target} | ({"SubnetId": subnet} if subnet else {})
    metric = {
        "Namespace": NAMESPACE,
        "MetricName": "ProbeSuccess",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    for kind, stat in (("s", "Sum"), ("n", "SampleCount")):
        yield {"Id": f"{kind}{number}", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


def _points(values: Mapping[int, Mapping[str, float]], part: MetricRange, base: int) -> Iterator[MetricPoint]:
    for at, both in sorted(values.items()):
        samples = round(both.get("n", 0))
        if samples:
            failed = max(samples - round(both.get("s", 0)), 0)
            yield MetricPoint((at - base) // 60, part.period // 60, samples, failed)
