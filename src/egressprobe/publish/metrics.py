"""CloudWatch metrics as embedded metric format on stdout: they leave even when all egress is lost.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

One document a target and one a run. `EphemeralMetrics` shares no state between documents (Powertools'
`Metrics` does). A target that could not be measured has no ProbeSuccess: not a 0, not a 1, but counted in
TargetsUnknown; its line goes to the log instead. Delivery is at least once: alarm on MIN, never on SUM.
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.model import Verdict
from egressprobe.report import Report, Result

NAMESPACE = "EgressProbe"
_UNSET = "unset"  # CloudWatch refuses empty dimension values
_MAX_TEXT = 1000

type Detail = Literal["target", "subnet"]

logger = logging.getLogger("egressprobe")


def publish(report: Report, *, detail: Detail = "target") -> None:
    """Print the documents."""
    stamp = int(datetime.fromisoformat(report.started_at).timestamp() * 1000)
    for one in report.results:
        if one.verdict is Verdict.UNKNOWN:
            logger.warning("target not measured", extra=_metadata(report, one))
        else:
            _target(report, one, detail, stamp)
    _run(report, stamp)


def _document(stamp: int, dimensions: dict[str, str | None]) -> EphemeralMetrics:
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.set_timestamp(stamp)
    for name, value in dimensions.items():
        metrics.add_dimension(name, value or _UNSET)
    return metrics


def _target(report: Report, one: Result, detail: Detail, stamp: int) -> None:
    at = report.vantage
    dimensions = {"ClusterName": at.cluster_name, "Target": one.target.name}
    if detail == "subnet":
        dimensions["SubnetId"] = at.subnet_id
    metrics = _document(stamp, dimensions)
    metrics.add_metric("ProbeSuccess", MetricUnit.Count, 0 if one.verdict is Verdict.FAIL else 1)
    for key, value in _metadata(report, one).items():
        if key not in dimensions:
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
    }
    best = next((a for a in one.attempts if a.failure is None), None)
    if best:
        seen |= {"connectMs": best.connect_ms, "exchangeMs": best.exchange_ms}
        seen |= {"tlsMs": best.tls.duration_ms, "daysRemaining": best.tls.days_remaining} if best.tls else {}
    return {key: str(value) if isinstance(value, str) else value for key, value in seen.items() if value is not None}


def _run(report: Report, stamp: int) -> None:
    at, s = report.vantage, report.summary
    metrics = _document(stamp, {"ClusterName": at.cluster_name, "SubnetId": at.subnet_id})
    metrics.add_metric("TargetsPlanned", MetricUnit.Count, len(report.results))
    metrics.add_metric("TargetsMeasured", MetricUnit.Count, s.passed + s.degraded + s.fail)
    metrics.add_metric("TargetsFailed", MetricUnit.Count, s.fail)
    metrics.add_metric("TargetsUnknown", MetricUnit.Count, s.unknown)
    slowest = max((one.duration_ms for one in report.results), default=0.0)
    metrics.add_metric("ProbeDuration", MetricUnit.Milliseconds, slowest)
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
