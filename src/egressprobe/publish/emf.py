"""CloudWatch metrics as embedded metric format on stdout: they leave even when all egress is lost.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

One document a target and one a run. `EphemeralMetrics` shares no state between documents (Powertools'
`Metrics` does). A target that could not be measured has no ProbeSuccess: not a 0, not a 1, but counted in
TargetsUnknown; its line goes to the log instead. Delivery is at least once: alarm on MIN, never on SUM.

Each series costs money each hour in which it is written, and so does each byte of a line. So with detail
`target` a run in which every target was measured and none failed writes only the three series that alarms look
at, and a passing target's line has its times and nothing else. A plan with more series than the cap gets one
ProbeSuccess for all targets, under the dimensions that the alarm looks at.
"""

import logging
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, NamedTuple

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.catalog.findings_cluster import METRIC_SERIES_CAPPED
from egressprobe.model.report import Finding, Report, Result
from egressprobe.model.target import Verdict

NAMESPACE = "EgressProbe"
ALL_TARGETS = "all targets"
# What one Metrics Insights alarm sees.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html
MAX_SERIES = 500
_UNSET = "unset"  # CloudWatch refuses empty dimension values
_MAX_TEXT = 1000
# What a passing target's line keeps.
_LEAN = frozenset({"SubnetId", "callSeconds", "dnsMs", "connectMs", "tlsMs", "exchangeMs", "daysRemaining"})
type Detail = Literal["target", "subnet"]
logger = logging.getLogger("egressprobe")


class Series(NamedTuple):
    """Which series of ProbeSuccess there are; `cap` is how many there may be."""

    detail: Detail = "target"
    cap: int = MAX_SERIES

    def many(self, targets: int, subnets: int) -> int:
        return targets * (subnets if self.detail == "subnet" else 1)

    def capped(self, targets: int, subnets: int) -> Finding | None:
        """What to say when they are too many."""
        many = self.many(targets, subnets)
        if many <= self.cap:
            return None
        said = f"{many} series of ProbeSuccess would exceed the cap of {self.cap}; there is one for all targets"
        return METRIC_SERIES_CAPPED.found(said, {"series": many, "cap": self.cap})


DEFAULT_SERIES = Series()


def publish(report: Report, series: Series = DEFAULT_SERIES, *, one_series: bool = False) -> None:
    """Print the documents. one_series: one ProbeSuccess for all targets, as also above the cap."""
    stamp = int(datetime.fromisoformat(report.started_at).timestamp() * 1000)
    one_series = one_series or series.capped(len(report.results), 1) is not None
    for one in report.results:
        if one.verdict is Verdict.UNKNOWN:
            logger.warning("target not measured", extra=_metadata(report, one))
        elif not one_series:
            _target(report, one, series.detail, stamp)
        elif one.verdict is not Verdict.PASS:
            logger.warning("target not well", extra=_metadata(report, one))
    if one_series and report.summary.measured:
        metrics = _success(report, ALL_TARGETS, series.detail, stamp, ok=not report.summary.fail)
        metrics.flush_metrics()
    _run(report, stamp, whole=series.detail == "subnet")


def _document(stamp: int, dimensions: dict[str, str | None]) -> EphemeralMetrics:
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.set_timestamp(stamp)
    for name, value in dimensions.items():
        metrics.add_dimension(name, value or _UNSET)
    return metrics


def _success(report: Report, target: str, detail: Detail, stamp: int, *, ok: bool) -> EphemeralMetrics:
    at = report.vantage
    dimensions = {"ClusterName": at.cluster_name, "Target": target}
    if detail == "subnet":
        dimensions["SubnetId"] = at.subnet_id
    metrics = _document(stamp, dimensions)
    metrics.add_metric("ProbeSuccess", MetricUnit.Count, 1 if ok else 0)
    return metrics


def _target(report: Report, one: Result, detail: Detail, stamp: int) -> None:
    metrics = _success(report, one.target.name, detail, stamp, ok=one.verdict is not Verdict.FAIL)
    dimensions = {"Target", "SubnetId"} if detail == "subnet" else {"Target"}
    for key, value in _metadata(report, one).items():
        if key not in dimensions and (one.verdict is not Verdict.PASS or key in _LEAN):
            metrics.add_metadata(key, value)
    metrics.flush_metrics()


def _metadata(report: Report, one: Result) -> dict[str, Any]:
    """What Logs Insights asks for: one query finds the failing target, its cause and its times."""
    seen: dict[str, Any] = {
        "runId": report.run_id,
        "Target": one.target.name,
        "kind": one.target.kind,
        "SubnetId": report.vantage.subnet_id,
        "availabilityZone": report.vantage.availability_zone,
        "verdict": one.verdict,
        "impact": one.impact,
        "code": one.failure.code if one.failure else None,
        "phase": one.failure.phase if one.failure else None,
        "cause": one.failure.message[:_MAX_TEXT] if one.failure else None,
        "apiServerError": ((one.failure.api_server_error or "")[:_MAX_TEXT] or None) if one.failure else None,
        "findings": [found.code for found in one.findings] or None,
        "callSeconds": one.forecast.seconds if one.forecast else None,
        "share": one.forecast.share if one.forecast else None,
        "dnsMs": max((r.ms for r in one.resolutions if r.view == "system"), default=None),
        "addresses": [attempt.address for attempt in one.attempts[:16]] or None,
        "durationMs": one.duration_ms,
        # Pods and nodes move: the stack's subscription filter has the Planner look where they are now.
        "discoveredAddresses": True if one.target.objects and not one.switch_relevant else None,
    }
    best = next((a for a in one.attempts if a.failure is None), None)
    if best:
        seen |= {"connectMs": best.connect_ms, "exchangeMs": best.exchange_ms}
        seen |= {"tlsMs": best.tls.duration_ms, "daysRemaining": best.tls.days_remaining} if best.tls else {}
    return {key: str(value) if isinstance(value, str) else value for key, value in seen.items() if value is not None}


def _run(report: Report, stamp: int, *, whole: bool) -> None:
    """The run's own document; `whole`: every series, whether it says something or not."""
    at, s = report.vantage, report.summary
    metrics = _document(stamp, {"ClusterName": at.cluster_name, "SubnetId": at.subnet_id})
    metrics.add_metric("TargetsMeasured", MetricUnit.Count, s.measured)
    metrics.add_metric("TargetsUnknown", MetricUnit.Count, s.unknown)
    slowest = max((one.duration_ms for one in report.results), default=0.0)
    rest = (
        ("TargetsPlanned", MetricUnit.Count, len(report.results)),
        ("TargetsFailed", MetricUnit.Count, s.fail),
        ("ProbeDuration", MetricUnit.Milliseconds, slowest),
    )
    if whole or s.fail or s.unknown:
        for name, unit, value in rest:
            metrics.add_metric(name, unit, value)
    days = min(_days(report), default=None)
    if days is not None:
        metrics.add_metric("CertificateDaysRemaining", MetricUnit.Count, days)
    metrics.add_metadata("runId", report.run_id)
    metrics.add_metadata("verdict", str(report.verdict))
    metrics.add_metadata("durationMs", report.duration_ms)
    metrics.add_metadata("resolvers", list(at.resolvers))
    metrics.add_metadata("version", at.version)
    metrics.add_metadata("openssl", at.openssl_version)
    metrics.flush_metrics()


def _days(report: Report) -> Iterator[float]:
    for one in report.results:
        for attempt in one.attempts:
            if attempt.tls and attempt.tls.days_remaining is not None:
                yield attempt.tls.days_remaining


def series_wanted() -> Series:
    """As the stack's parameters say."""
    detail: Detail = "subnet" if os.environ.get("EGRESSPROBE_METRIC_DETAIL") == "subnet" else "target"
    return Series(detail, int(os.environ.get("EGRESSPROBE_MAX_SERIES", MAX_SERIES)))
