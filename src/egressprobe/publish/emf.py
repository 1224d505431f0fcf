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
`blocks` where requests that the cluster needs fail, and that pages; else `bypasses`, `delays`, `none`, `kubelet` or
`degraded`. A failure that would page and does not count yet has `uncounted`, in the set that decides and in no other;
it pages where that goes on.

BlockingFailures is the evidence for an all-clear. It is left out where a 0 would not be one: while a target is unknown,
while a failure does not count yet (counting.py), or when one has just left the plan. The last two are TargetsUnsettled.
"""

import logging
import os
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.catalog.findings_cluster import METRIC_SERIES_CAPPED
from egressprobe.model.failure import Code
from egressprobe.model.report import Finding, Report, Result
from egressprobe.model.series import ALL_TARGETS, DEGRADED, KUBELET, SEVERAL, UNCOUNTED, dimension_value
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.publish.counting import egress_is_down
from egressprobe.publish.log_line import properties

NAMESPACE = "EgressProbe"
CUSTOMER_ROUTED = "CUSTOMER_ROUTED"
# The most series that one Metrics Insights alarm evaluates.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html
MAX_SERIES = 500
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
    uncounted: Collection[str] = (),
) -> None:
    """Print the documents. one_series: one ProbeSuccess for all targets, as also above the cap.

    retired: targets that have left the plan lately. egress_mode: the cluster's controlPlaneEgressMode. share: of the
    whole plan, from 0 to 1. minute: for which the run was scheduled; by default that in which it started. drill: the
    targets' failures and nothing else: no heartbeat, no evidence, and nothing that is remembered. uncounted: names of
    targets whose failure does not count yet.
    """
    stamp = int((minute or datetime.fromisoformat(report.started_at)).timestamp() * 1000)
    one_series = one_series or series.capped(len(report.results), 1) is not None
    for result in report.results:
        counts = result.target.name not in uncounted
        if result.verdict is Verdict.UNKNOWN:
            logger.warning("target not measured", extra=properties(report, result))
        elif not one_series and (counts or pages(result)):
            _target(report, result, series.detail, stamp, counts=counts)
        elif result.verdict is not Verdict.PASS:
            logger.warning("target not well", extra=properties(report, result, counts=counts))
    counted = [result for result in report.results if result.target.name not in uncounted]
    if one_series and report.summary.measured:
        _all_targets(report, counted, series.detail, stamp)
    if drill:
        return
    _certificates(report, stamp)
    _run(
        report,
        stamp,
        whole=series.detail == "subnet",
        blocking=sum(map(pages, counted)),
        unsettled=retired + len(uncounted),
        egress_mode=egress_mode,
        share=share,
    )


def pages(result: Result) -> bool:
    """Whether requests that the cluster needs fail; a kubelet's failure affects logs and exec of its nodes."""
    return result.verdict is Verdict.FAIL and result.impact is Impact.BLOCKS and result.target.kind is not Kind.KUBELET


def _condition(result: Result, *, counts: bool = True) -> tuple[str, str] | None:
    """Code and Impact of a target that fails or is degraded."""
    if result.verdict in (Verdict.PASS, Verdict.UNKNOWN):
        return None
    findings = [finding.code for finding in result.findings if finding.severity != "info"]
    code = str(result.failure.code) if result.failure else next(iter(findings), DEGRADED)
    if result.verdict is Verdict.DEGRADED:
        return code, DEGRADED
    if not counts:
        return code, UNCOUNTED
    return code, KUBELET if result.target.kind is Kind.KUBELET else str(result.impact)


def _all_targets(report: Report, counted: Collection[Result], detail: Detail, stamp: int) -> None:
    """The one series of all targets: nothing where the only failures do not count, and none of them would page."""
    ok = not any(result.verdict is Verdict.FAIL for result in counted)
    condition = _worst([_condition(result) for result in counted])
    if ok and len(counted) < len(report.results):
        ok, condition = False, _worst([_condition(result, counts=False) for result in report.results if pages(result)])
        if condition is None:
            return
    _success(report, ALL_TARGETS, detail, stamp, ok=ok, condition=condition).flush_metrics()


def _worst(of_targets: Collection[tuple[str, str] | None]) -> tuple[str, str] | None:
    """For the one series of all targets."""
    conditions = {condition for condition in of_targets if condition}
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
        metrics.add_dimension(name, dimension_value(value))
    return metrics


def _success(
    report: Report, target: str, detail: Detail, stamp: int, *, ok: bool, condition: tuple[str, str] | None
) -> EphemeralMetrics:
    """A failure that does not count yet is in its own series alone: it is neither a pass nor a fail."""
    at = report.vantage
    dimensions = {"ClusterName": at.cluster_name, "Target": target}
    if detail == "subnet":
        dimensions["SubnetId"] = at.subnet_id
    code, impact = condition or ("", "")
    decides = {"ClusterName": at.cluster_name, "Target": target, "Impact": impact}
    metrics = _document(stamp, decides if impact == UNCOUNTED else dimensions)
    if condition and impact != UNCOUNTED:
        for further in (dimensions | {"Code": code, "Impact": impact}, decides):
            metrics.add_dimensions(**{name: dimension_value(value) for name, value in further.items()})
    metrics.add_metric("ProbeSuccess", MetricUnit.Count, 1 if ok else 0)
    return metrics


def _target(report: Report, result: Result, detail: Detail, stamp: int, *, counts: bool) -> None:
    ok, condition = result.verdict is not Verdict.FAIL, _condition(result, counts=counts)
    metrics = _success(report, result.target.name, detail, stamp, ok=ok, condition=condition)
    dimensions = {"Target", "SubnetId"} if detail == "subnet" and counts else {"Target"}
    for key, value in properties(report, result, counts=counts).items():
        if key not in dimensions and (result.verdict is not Verdict.PASS or key in _LEAN):
            metrics.add_metadata(key, value)
    metrics.flush_metrics()


def _certificates(report: Report, stamp: int) -> None:
    """One series of the cluster: which target and subnet is in the log."""
    days = min(_days(report), default=None)
    if days is not None:
        metrics = _document(stamp, {"ClusterName": report.vantage.cluster_name})
        metrics.add_metric("CertificateDaysRemaining", MetricUnit.Count, days)
        metrics.flush_metrics()


def _run(
    report: Report, stamp: int, *, whole: bool, blocking: int, unsettled: int, egress_mode: str, share: float
) -> None:
    """The run's own document; `whole`: every series, also those that are written only when they are not 0."""
    at, s = report.vantage, report.summary
    metrics = _document(stamp, {"ClusterName": at.cluster_name, "SubnetId": at.subnet_id})
    planned, undecided = len(report.results), _undecided(report)
    measured, unknown = s.measured + undecided, s.unknown - undecided
    metrics.add_metric("MeasuredShare", MetricUnit.NoUnit, share * measured / planned if planned else 0.0)
    slowest = max((result.duration_ms for result in report.results), default=0.0)
    rest = (
        ("TargetsPlanned", MetricUnit.Count, planned),
        ("TargetsMeasured", MetricUnit.Count, measured),
        ("TargetsUnknown", MetricUnit.Count, unknown),
        ("TargetsFailed", MetricUnit.Count, s.fail),
        ("ProbeDuration", MetricUnit.Milliseconds, slowest),
    )
    if whole or s.fail or unknown:
        for name, unit, value in rest:
            metrics.add_metric(name, unit, value)
    if blocking or not (unknown or unsettled):
        metrics.add_metric("BlockingFailures", MetricUnit.Count, blocking)
    if unsettled:
        metrics.add_metric("TargetsUnsettled", MetricUnit.Count, unsettled)
    if egress_is_down(report):
        name = "EgressDown" if egress_mode == CUSTOMER_ROUTED else "EgressWouldFail"
        metrics.add_metric(name, MetricUnit.Count, 1)
    metrics.add_metadata("runId", report.run_id)
    metrics.add_metadata("verdict", str(report.verdict))
    metrics.add_metadata("durationMs", report.duration_ms)
    metrics.add_metadata("resolvers", list(at.resolvers))
    metrics.add_metadata("version", at.version)
    metrics.add_metadata("openssl", at.openssl_version)
    metrics.flush_metrics()


def _undecided(report: Report) -> int:
    """Targets that must be blocked and whose control is down, where others were measured: the probe works, and nothing
    that the cluster needs is in doubt. Their verdict is unknown; they are no probe trouble and hold no all-clear.
    """
    codes = [result.failure.code for result in report.results if result.failure and result.verdict is Verdict.UNKNOWN]
    undecided = codes.count(Code.CONTROL_UNREACHABLE)
    return undecided if undecided < len(report.results) else 0


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
