"""CloudWatch metrics as embedded metric format on stdout: they leave even when all egress is lost.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

One document a target and one a run. `EphemeralMetrics` shares no state between documents (Powertools'
`Metrics` does). A target that could not be measured has no ProbeSuccess, neither 0 nor 1: it is counted in
MeasuredShare and its line goes to the log instead. Delivery is at least once: alarm on MIN, never on SUM.

MeasuredShare is the part of the whole plan, from 0 to 1, that the run measured. The runs of a minute add up to 1 when
every shard ran once and measured every target: less is a shard that did not run, or targets that are unknown; more is a
document that came twice. It is the one exception to "never on SUM", and only a sum of 1 is evidence.

Each series costs money each hour in which it is written, and so does each byte of a line. So with detail
`target` a run in which every target was measured and none failed writes only the series that alarms use, and a
passing target's line has its times only. A plan with more series than the cap gets one ProbeSuccess for all targets,
under the dimensions that the alarm uses.

What is not well has two further sets of dimensions, which cost nothing while all is well. One has Code and Impact: a
notification names target, code and impact. The other has Impact alone, and decides, because codes may change. Impact is
`blocks` where requests that the cluster needs fail, and only that pages; else `bypasses`, `delays`, `none`, `kubelet`
or `degraded`.

BlockingFailures is the evidence for an all-clear. It is left out where a 0 would not be one: while a target is unknown,
or one has just left the plan.
"""

import logging
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, NamedTuple

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.catalog.findings_cluster import METRIC_SERIES_CAPPED
from egressprobe.model.failure import Phase
from egressprobe.model.report import Finding, Report, Result
from egressprobe.model.target import Expect, Impact, Kind, Verdict

NAMESPACE = "EgressProbe"
ALL_TARGETS = "all targets"
# Values of the dimensions Impact and Code beside those of model.target.Impact and of the catalogue.
KUBELET, DEGRADED, SEVERAL = "kubelet", "degraded", "several"
CUSTOMER_ROUTED = "CUSTOMER_ROUTED"
# The most series that one Metrics Insights alarm evaluates.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html
MAX_SERIES = 500
_UNSET = "unset"  # CloudWatch refuses empty dimension values
_MAX_DIMENSION = 1024
_MAX_TEXT = 1000
# The keys that a passing target's line has.
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
        """The finding when they are too many."""
        many = self.many(targets, subnets)
        if many <= self.cap:
            return None
        summary = f"{many} series of ProbeSuccess would exceed the cap of {self.cap}; there is one for all targets"
        return METRIC_SERIES_CAPPED.found(summary, {"series": many, "cap": self.cap})


DEFAULT_SERIES = Series()


def publish(
    report: Report,
    series: Series = DEFAULT_SERIES,
    *,
    one_series: bool = False,
    retired: int = 0,
    egress_mode: str = CUSTOMER_ROUTED,
    share: float = 1.0,
    minute: datetime | None = None,
    drill: bool = False,
) -> None:
    """Print the documents. one_series: one ProbeSuccess for all targets, as also above the cap.

    retired: targets that have left the plan lately. egress_mode: the cluster's controlPlaneEgressMode. share: of the
    whole plan, from 0 to 1. minute: for which the run was scheduled; by default that in which it started. drill: the
    targets' failures and nothing else: no heartbeat, no evidence, and nothing that is remembered.
    """
    stamp = int((minute or datetime.fromisoformat(report.started_at)).timestamp() * 1000)
    one_series = one_series or series.capped(len(report.results), 1) is not None
    for result in report.results:
        if result.verdict is Verdict.UNKNOWN:
            logger.warning("target not measured", extra=_metadata(report, result))
        elif not one_series:
            _target(report, result, series.detail, stamp)
        elif result.verdict is not Verdict.PASS:
            logger.warning("target not well", extra=_metadata(report, result))
    if one_series and report.summary.measured:
        condition = _worst(report)
        metrics = _success(report, ALL_TARGETS, series.detail, stamp, ok=not report.summary.fail, condition=condition)
        metrics.flush_metrics()
    if drill:
        return
    _certificates(report, stamp)
    _run(report, stamp, whole=series.detail == "subnet", retired=retired, egress_mode=egress_mode, share=share)


def pages(result: Result) -> bool:
    """Whether requests that the cluster needs fail; a kubelet's failure affects logs and exec of its nodes."""
    return result.verdict is Verdict.FAIL and result.impact is Impact.BLOCKS and result.target.kind is not Kind.KUBELET


def _condition(result: Result) -> tuple[str, str] | None:
    """Code and Impact of a target that fails or is degraded."""
    if result.verdict in (Verdict.PASS, Verdict.UNKNOWN):
        return None
    findings = [finding.code for finding in result.findings if finding.severity != "info"]
    code = str(result.failure.code) if result.failure else next(iter(findings), DEGRADED)
    if result.verdict is Verdict.DEGRADED:
        return code, DEGRADED
    return code, KUBELET if result.target.kind is Kind.KUBELET else str(result.impact)


def _worst(report: Report) -> tuple[str, str] | None:
    """For the one series of all targets."""
    conditions = {condition for result in report.results if (condition := _condition(result))}
    impacts = {impact for _, impact in conditions}
    if not conditions:
        return None
    impact = str(Impact.BLOCKS) if str(Impact.BLOCKS) in impacts else min(impacts)
    codes = {code for code, of in conditions if of == impact}
    return codes.pop() if len(codes) == 1 else SEVERAL, impact


def _document(stamp: int, dimensions: dict[str, str | None]) -> EphemeralMetrics:
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.set_timestamp(stamp)
    for name, value in dimensions.items():
        metrics.add_dimension(name, _dimension(value))
    return metrics


def _dimension(value: str | None) -> str:
    """A value that CloudWatch accepts: printable ASCII, at most 1,024 characters, not blank.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
    """
    text = "".join(c if c.isascii() and c.isprintable() else "?" for c in value or "")
    return text.strip()[:_MAX_DIMENSION] or _UNSET


def _success(
    report: Report, target: str, detail: Detail, stamp: int, *, ok: bool, condition: tuple[str, str] | None
) -> EphemeralMetrics:
    at = report.vantage
    dimensions = {"ClusterName": at.cluster_name, "Target": target}
    if detail == "subnet":
        dimensions["SubnetId"] = at.subnet_id
    metrics = _document(stamp, dimensions)
    if condition:
        code, impact = condition
        both = dimensions | {"Code": code, "Impact": impact}
        decides = {"ClusterName": at.cluster_name, "Target": target, "Impact": impact}
        for further in (both, decides):
            metrics.add_dimensions(**{name: _dimension(value) for name, value in further.items()})
    metrics.add_metric("ProbeSuccess", MetricUnit.Count, 1 if ok else 0)
    return metrics


def _target(report: Report, result: Result, detail: Detail, stamp: int) -> None:
    ok, condition = result.verdict is not Verdict.FAIL, _condition(result)
    metrics = _success(report, result.target.name, detail, stamp, ok=ok, condition=condition)
    dimensions = {"Target", "SubnetId"} if detail == "subnet" else {"Target"}
    for key, value in _metadata(report, result).items():
        if key not in dimensions and (result.verdict is not Verdict.PASS or key in _LEAN):
            metrics.add_metadata(key, value)
    metrics.flush_metrics()


def _metadata(report: Report, result: Result) -> dict[str, Any]:
    """What Logs Insights asks for: one query finds the failing target, its cause and its times."""
    values: dict[str, Any] = {
        "runId": report.run_id,
        "Target": result.target.name,
        "kind": result.target.kind,
        "SubnetId": report.vantage.subnet_id,
        "availabilityZone": report.vantage.availability_zone,
        "verdict": result.verdict,
        "impact": result.impact,
        "code": result.failure.code if result.failure else None,
        "phase": result.failure.phase if result.failure else None,
        "cause": result.failure.message[:_MAX_TEXT] if result.failure else None,
        "apiServerError": ((result.failure.api_server_error or "")[:_MAX_TEXT] or None) if result.failure else None,
        "findings": [finding.code for finding in result.findings] or None,
        "callSeconds": result.forecast.seconds if result.forecast else None,
        "share": result.forecast.share if result.forecast else None,
        "dnsMs": max((r.ms for r in result.resolutions if r.view == "system"), default=None),
        "addresses": [attempt.address for attempt in result.attempts[:16]] or None,
        "durationMs": result.duration_ms,
        # Pods and nodes move: the stack's subscription filter has the Planner look where they are now.
        "discoveredAddresses": True if result.target.objects and not result.switch_relevant else None,
    }
    best = next((a for a in result.attempts if a.failure is None), None)
    if best:
        values |= {"connectMs": best.connect_ms, "exchangeMs": best.exchange_ms}
        values |= {"tlsMs": best.tls.duration_ms, "daysRemaining": best.tls.days_remaining} if best.tls else {}
    return {key: str(value) if isinstance(value, str) else value for key, value in values.items() if value is not None}


def _egress_is_down(report: Report) -> bool:
    """Whether no target outside the VPC could be reached, of at least one that was measured.

    Reached is what accepted a connection: a wrong certificate or status came over the path.
    """
    outside = [
        result
        for result in report.results
        if result.switch_relevant and result.target.expect is Expect.REACHABLE and result.verdict is not Verdict.UNKNOWN
    ]
    attempts = [attempt for result in outside for attempt in result.attempts]
    connected = any(a.failure is None or a.failure.phase not in (Phase.RESOLVE, Phase.CONNECT) for a in attempts)
    failed = all(result.failure is not None or result.verdict is Verdict.FAIL for result in outside)
    return bool(outside) and failed and not connected


def _certificates(report: Report, stamp: int) -> None:
    """One series of the cluster: which target and subnet is in the log."""
    days = min(_days(report), default=None)
    if days is not None:
        metrics = _document(stamp, {"ClusterName": report.vantage.cluster_name})
        metrics.add_metric("CertificateDaysRemaining", MetricUnit.Count, days)
        metrics.flush_metrics()


def _run(report: Report, stamp: int, *, whole: bool, retired: int, egress_mode: str, share: float) -> None:
    """The run's own document; `whole`: every series, also those that are written only when they are not 0."""
    at, s = report.vantage, report.summary
    metrics = _document(stamp, {"ClusterName": at.cluster_name, "SubnetId": at.subnet_id})
    planned = len(report.results)
    metrics.add_metric("MeasuredShare", MetricUnit.NoUnit, share * s.measured / planned if planned else 0.0)
    slowest = max((result.duration_ms for result in report.results), default=0.0)
    rest = (
        ("TargetsPlanned", MetricUnit.Count, planned),
        ("TargetsMeasured", MetricUnit.Count, s.measured),
        ("TargetsUnknown", MetricUnit.Count, s.unknown),
        ("TargetsFailed", MetricUnit.Count, s.fail),
        ("ProbeDuration", MetricUnit.Milliseconds, slowest),
    )
    if whole or s.fail or s.unknown:
        for name, unit, value in rest:
            metrics.add_metric(name, unit, value)
    blocking = sum(map(pages, report.results))
    if blocking or not (s.unknown or retired):
        metrics.add_metric("BlockingFailures", MetricUnit.Count, blocking)
    if retired:
        metrics.add_metric("TargetsRetired", MetricUnit.Count, retired)
    if _egress_is_down(report):
        name = "EgressDown" if egress_mode == CUSTOMER_ROUTED else "EgressWouldFail"
        metrics.add_metric(name, MetricUnit.Count, 1)
    metrics.add_metadata("runId", report.run_id)
    metrics.add_metadata("verdict", str(report.verdict))
    metrics.add_metadata("durationMs", report.duration_ms)
    metrics.add_metadata("resolvers", list(at.resolvers))
    metrics.add_metadata("version", at.version)
    metrics.add_metadata("openssl", at.openssl_version)
    metrics.flush_metrics()


def _days(report: Report) -> Iterator[float]:
    for result in report.results:
        for attempt in result.attempts:
            if attempt.tls and attempt.tls.days_remaining is not None:
                yield attempt.tls.days_remaining


def series_wanted() -> Series:
    """From the stack's parameters, in the environment."""
    detail: Detail = "subnet" if os.environ.get("EGRESSPROBE_METRIC_DETAIL") == "subnet" else "target"
    return Series(detail, _cap(os.environ.get("EGRESSPROBE_MAX_SERIES", "")))


def _cap(text: str) -> int:
    """How many series; the default for anything that is not a number from 1."""
    if text.isdecimal() and int(text[:9]) >= 1:
        return int(text[:9])
    if text:
        logger.warning("EGRESSPROBE_MAX_SERIES is not a number", extra={"used": MAX_SERIES})
    return MAX_SERIES
