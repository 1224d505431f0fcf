"""Reads what CloudWatch knows of the real API server, and of the probes in the same minutes.

- Metrics: `AWS/EKS`, dimension ClusterName, one value a minute, free to have
  (https://docs.aws.amazon.com/eks/latest/userguide/cloudwatch.html); the probes' own in `EgressProbe`. Each metric that
  GetMetricData reads costs $0.00001, so that while nothing fails on either side only ListMetrics is called.
- The control plane's log: FilterLogEvents, for which AWS lists no price by the amount of data, unlike Logs Insights;
  it is bounded in time and pages. Its streams are `kube-apiserver-...` and `kube-apiserver-audit-...`
  (https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html).

The newest minutes are left out: metrics come a few minutes late.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple

from egressprobe.aws.paging import ReadRefused, not_as_documented, tried
from egressprobe.incidents.corroboration.facts import (
    WINDOW_MINUTES,
    ApiServerFacts,
    FailingMinutes,
    WebhookCalls,
)
from egressprobe.incidents.corroboration.log_lines import FILTER, logged_failures

_NAMESPACE = "EgressProbe"
_EKS = "AWS/EKS"
_SETTLED = timedelta(minutes=3)
_WINDOW = timedelta(minutes=WINDOW_MINUTES)
# One call in a hundred took longer: a bucket of the API server's histogram ends there.
_SLOW_SECONDS = 10.0
# Shards add up to 1 within the precision of their shares.
_WHOLE = 1e-6
_MOST_SERIES = 450  # of 500 that one GetMetricData takes
_MOST_LIST_PAGES = 10
_MOST_LOG_PAGES = 40
# Values of the dimension Impact of what is no failure that counts (publish/emf.py).
_UNSETTLED = frozenset({"degraded", "uncounted"})
_KINDS: tuple[tuple[Literal["validating", "mutating"], str], ...] = (
    ("validating", "VALIDATING"),
    ("mutating", "ADMIT"),
)
_LOGS = frozenset({"api", "audit"})

type Values = Mapping[datetime, float]


class ApiServerClients(NamedTuple):
    """boto3's. logs: None where the control plane's log may not be read."""

    cloudwatch: Any
    logs: Any = None


class _Probed(NamedTuple):
    """A series of ProbeSuccess of a target that is not well."""

    target: str
    impact: str
    code: str
    subnet: str
    dimensions: list[dict[str, str]]


def api_server_clients(*, logs: bool, session: Any = None) -> ApiServerClients:
    """Clients that give up within seconds. session: boto3's, or the default one."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
    made = session or boto3
    return ApiServerClients(
        made.client("cloudwatch", config=config), made.client("logs", config=config) if logs else None
    )


def read_api_server(
    clients: ApiServerClients,
    cluster: str,
    subnets: Sequence[str],
    now: datetime,
    *,
    compared: bool,
    log_types: Collection[str] = (),
    log_seconds: float = 15.0,
    clock: Callable[[], float] = time.monotonic,
) -> ApiServerFacts:
    """The 15 minutes until 3 minutes before `now`, which needs a time zone; the log until now. subnets: of the probes.

    compared: whether a failure is known that no metric has: then metrics are read in any case. log_types: the
    control-plane logs that are on, as EKS names them. Errors of AWS are in `unread`, never raised.
    """
    until = now.astimezone(UTC).replace(second=0, microsecond=0) - _SETTLED
    since, unread = until - _WINDOW, list[str]()
    facts = ApiServerFacts(since.isoformat(timespec="seconds"), until.isoformat(timespec="seconds"))
    series = _read(unread, "the probes' metrics", lambda: _probed(clients.cloudwatch, cluster))
    if clients.logs is not None and _LOGS & set(log_types):
        deadline = clock() + log_seconds
        read = _read(
            unread, "the control plane's log", lambda: _logged(clients.logs, cluster, since, now, deadline, clock)
        )
        if read is not None:
            events, whole = read
            facts = facts._replace(logged=logged_failures(events), log_complete=whole)
            unread += [] if whole else ["the control plane's log was read in part: it is larger than the time allows"]
    if series or facts.logged or compared:
        facts = _measurements(clients.cloudwatch, cluster, subnets, series, facts, unread)
    return facts._replace(unread=tuple(unread))


def _measurements(
    cloudwatch: Any,
    cluster: str,
    subnets: Sequence[str],
    series: Sequence[_Probed] | None,
    facts: ApiServerFacts,
    unread: list[str],
) -> ApiServerFacts:
    """The facts with what GetMetricData has. series: None where the failing targets are not known."""
    since, until = datetime.fromisoformat(facts.since), datetime.fromisoformat(facts.until)
    listed = (series or ())[:_MOST_SERIES]
    if series and len(series) > len(listed):
        unread.append(f"{len(series)} series of failing targets: more than can be compared")
        series = None
    queries = _queries(cluster, subnets, listed)
    values = _read(unread, "metrics", lambda: _values(cloudwatch, queries, since - _WINDOW, until))
    if values is None:
        return facts
    return facts._replace(
        failing=None if series is None else _failing(series, values, since),
        measured_minutes=_measured(len(subnets), listed, values, since),
        webhooks=tuple(_webhooks(kind, values, since) for kind, _ in _KINDS),
    )


def _read[T](unread: list[str], what: str, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except ReadRefused as refused:
        unread.append(f"{what} could not be read ({refused.unread.action}): {refused.unread.error}")
    except Exception as error:  # an answer of another shape costs this part only
        unread.append(f"{what} could not be read: {not_as_documented(error)}")
    return None


def _probed(cloudwatch: Any, cluster: str) -> list[_Probed]:
    """Those with the dimension Impact exist only of targets that are not well (publish/emf.py).

    ListMetrics lists a new series within 15 minutes (API reference), which is no later than it is needed.
    """
    parameters: dict[str, Any] = {
        "Namespace": _NAMESPACE,
        "MetricName": "ProbeSuccess",
        "Dimensions": [{"Name": "ClusterName", "Value": cluster}, {"Name": "Impact"}],
        "RecentlyActive": "PT3H",
    }
    listed: list[_Probed] = []
    for page in _pages(cloudwatch, "list_metrics", parameters, "NextToken", _MOST_LIST_PAGES):
        for metric in page.get("Metrics") or []:
            dimensions = metric["Dimensions"]
            named = {pair["Name"]: pair["Value"] for pair in dimensions}
            code, subnet = named.get("Code", ""), named.get("SubnetId", "")
            listed.append(_Probed(named["Target"], named["Impact"], code, subnet, dimensions))
    return sorted(listed, key=lambda probed: probed[:4])


def _pages(
    client: Any, operation: str, parameters: dict[str, Any], token: str, most: int
) -> Iterator[Mapping[str, Any]]:
    """At most `most` pages. token: the field that names the next one. Raises ReadRefused."""
    following: dict[str, str] = {}
    for _ in range(most):
        page = tried(client, operation, partial(getattr(client, operation), **parameters, **following))
        yield page
        if not page.get(token):
            return
        following = {token: page[token]}


def _queries(cluster: str, subnets: Sequence[str], series: Iterable[_Probed]) -> list[dict[str, Any]]:
    of_cluster = [{"Name": "ClusterName", "Value": cluster}]
    metrics: list[tuple[str, str, str, list[dict[str, str]], str]] = []
    for kind, name in _KINDS:
        webhook = "apiserver_admission_webhook"
        metrics += [
            (f"{kind}_calls", _EKS, f"{webhook}_request_total_{name}", of_cluster, "Sum"),
            (f"{kind}_refused", _EKS, f"{webhook}_rejection_count_{name}", of_cluster, "Sum"),
            (f"{kind}_p99", _EKS, f"{webhook}_admission_duration_seconds_{name}_P99", of_cluster, "Average"),
        ]
    for number, subnet in enumerate(subnets):
        at = [*of_cluster, {"Name": "SubnetId", "Value": subnet}]
        metrics.append((f"measured_{number}", _NAMESPACE, "MeasuredShare", at, "Sum"))
        metrics.append((f"failed_{number}", _NAMESPACE, "TargetsFailed", at, "Sum"))
    for number, probed in enumerate(series):
        metrics.append((f"probed_{number}", _NAMESPACE, "ProbeSuccess", probed.dimensions, "Minimum"))
    return [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions},
                "Period": 60,
                "Stat": statistic,
            },
        }
        for name, namespace, metric, dimensions, statistic in metrics
    ]


def _values(cloudwatch: Any, queries: list[dict[str, Any]], start: datetime, end: datetime) -> dict[str, Values]:
    """By query, the value of each minute that has one."""
    by_query: defaultdict[str, dict[datetime, float]] = defaultdict(dict)
    parameters = {"MetricDataQueries": queries, "StartTime": start, "EndTime": end, "ScanBy": "TimestampAscending"}
    for page in _pages(cloudwatch, "get_metric_data", parameters, "NextToken", _MOST_LIST_PAGES):
        for result in page.get("MetricDataResults") or []:
            pairs = zip(result["Timestamps"], result["Values"], strict=True)
            by_query[result["Id"]].update({stamp.astimezone(UTC): float(value) for stamp, value in pairs})
    return dict(by_query)


def _failing(series: Sequence[_Probed], values: Mapping[str, Values], since: datetime) -> tuple[FailingMinutes, ...]:
    """By target; the series without a code decides how many minutes, for a code may change between them."""
    minutes: defaultdict[str, set[datetime]] = defaultdict(set)
    codes: defaultdict[str, set[str]] = defaultdict(set)
    subnets: defaultdict[str, set[str]] = defaultdict(set)
    for number, probed in enumerate(series):
        in_window = {stamp: value for stamp, value in values.get(f"probed_{number}", {}).items() if stamp >= since}
        if not in_window:
            continue
        failed = {stamp for stamp, value in in_window.items() if value < 1 and probed.impact not in _UNSETTLED}
        minutes[probed.target] |= failed
        if failed and probed.code:
            codes[probed.target].add(probed.code)
        if failed and probed.subnet:
            subnets[probed.target].add(probed.subnet)
    return tuple(
        FailingMinutes(target, len(failed), tuple(sorted(codes[target])), tuple(sorted(subnets[target])))
        for target, failed in sorted(minutes.items())
    )


def _measured(subnets: int, series: Sequence[_Probed], values: Mapping[str, Values], since: datetime) -> int:
    """Minutes in which it is known which targets passed.

    The runs of every subnet add up to the whole plan; more is a run that counted twice. And as many targets as failed
    in a subnet have a series that was listed: ListMetrics may not list a new one yet.
    """
    whole = [
        {
            stamp
            for stamp, share in values.get(f"measured_{number}", {}).items()
            if stamp >= since and abs(share - 1) < _WHOLE
        }
        for number in range(subnets)
    ]
    failing: defaultdict[datetime, set[str]] = defaultdict(set)
    for number, probed in enumerate(series):
        for stamp, value in values.get(f"probed_{number}", {}).items():
            if value < 1:
                failing[stamp].add(probed.target)
    counted = [values.get(f"failed_{number}", {}) for number in range(subnets)]
    minutes = set.intersection(*whole) if whole else set()
    return sum(all(failed.get(stamp, 0) <= len(failing[stamp]) for failed in counted) for stamp in minutes)


def _webhooks(kind: Literal["validating", "mutating"], values: Mapping[str, Values], since: datetime) -> WebhookCalls:
    calls, refused, p99 = (values.get(f"{kind}_{name}", {}) for name in ("calls", "refused", "p99"))
    before = [value for stamp, value in refused.items() if stamp < since]
    in_window = [value for stamp, value in calls.items() if stamp >= since]
    return WebhookCalls(
        kind,
        calls=sum(in_window) if in_window else None,
        refused=sum(value for stamp, value in refused.items() if stamp >= since) if refused else None,
        refused_before=sum(before) if before else None,
        minutes=len(in_window),
        slow_minutes=sum(value > _SLOW_SECONDS for stamp, value in p99.items() if stamp >= since),
    )


def _logged(
    logs: Any, cluster: str, since: datetime, until: datetime, deadline: float, clock: Callable[[], float]
) -> tuple[list[Any], bool]:
    """The lines, and whether they are all."""
    parameters: dict[str, Any] = {
        "logGroupName": f"/aws/eks/{cluster}/cluster",
        "logStreamNamePrefix": "kube-apiserver-",
        "startTime": round(since.timestamp() * 1000),
        "endTime": round(until.timestamp() * 1000),
        "filterPattern": FILTER,
    }
    events: list[Any] = []
    for page in _pages(logs, "filter_log_events", parameters, "nextToken", _MOST_LOG_PAGES):
        events += page.get("events") or []
        if not page.get("nextToken"):
            return events, True
        if clock() > deadline:
            break
    return events, False
