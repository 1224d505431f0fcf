"""The widgets of a row and of a page's head.

Form: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html; `start`
of one widget: https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_cloudwatch-readme.html ("can be specified at
GraphWidget, GaugeWidget, and SingleValueWidget"). A number widget shows the newest value within its range: with a range
of its own a probe that is silent has no value soon, whatever range the dashboard is set to.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from egressprobe.stack.fleet_dashboard.scope import ClusterScope

COLUMNS = 24
# Seconds: one missed minute of one subnet is seen, and a run that is late by a minute is not a gap.
_PERIOD = 300
# What the Planner writes every 15 minutes.
PLAN_PERIOD = 900
PROBE_RANGE, PLAN_RANGE = "-PT15M", "-PT1H"
# In the head of every page: by it a page is known to be ours.
WRITTEN_BY = "Written by `make fleet-dashboard`"
_HEIGHT = 3
_HOW_TO_READ = (
    "**measured, %**: of what the probes had to measure in the last whole five minutes; the rest is unknown. "
    "**failing, blocks**: targets that fail and block requests; 0 only where everything was measured. "
    "`--` in these two is **no data**: nothing is known, which is not well. "
    "The other numbers are there only while there is something to report. "
    "Numbers are at most 15 minutes old, the Planner's an hour, whatever time range is set above."
)


class WidgetBlock(NamedTuple):
    """Widgets that stay together, placed from y = 0. metrics: the most that they retrieve; height: grid units."""

    widgets: tuple[dict[str, Any], ...]
    height: int
    metrics: int


class ClusterRow(NamedTuple):
    """A cluster of the fleet. account: its own, always. url: empty: no link.

    subnets: how many its probes have; is_exact: whether it is so many, otherwise at most so many.
    """

    scope: ClusterScope
    account: str
    region: str
    subnets: int
    is_exact: bool = False
    url: str = ""


def row_block(row: ClusterRow) -> WidgetBlock:
    """One cluster: its name, what its probes found, what its Planner reports."""
    name = row.scope.cluster
    link = f"[**{name}**]({row.url})" if row.url else f"**{name}**"
    where = f"{row.account} {row.region}"
    probes, planner = _probes(row.scope, row.subnets if row.is_exact else None), _planner(row.scope)
    widgets = (
        text_widget(0, 0, 5, _HEIGHT, f"{link}\n\n{where}"),
        _numbers(5, 12, f"{name} {where}", row.region, _PERIOD, PROBE_RANGE, probes),
        _numbers(17, 7, f"{name}: Planner", row.region, PLAN_PERIOD, PLAN_RANGE, planner),
    )
    # Three searches by subnet, a query of one series, and single metrics.
    return WidgetBlock(widgets, _HEIGHT, metrics=3 * row.subnets + 2 + len(planner))


def _probes(scope: ClusterScope, subnets: int | None) -> list[list[Any]]:
    """Metrics of the probes. subnets: how many there are; None: as many as the search finds.

    SEARCH finds what was written within two weeks: a silent subnet counts as not measured, and so does a removed one.
    """
    measured = f"100 * SUM(shares) / ({_PERIOD // 60} * {subnets or 'METRIC_COUNT(shares)'})"
    # Without a third argument: no data where the condition is false. Only a sum of 1 is evidence (publish/emf.py).
    blocking = "IF(most > 0 OR (measured > 99.99 AND measured < 100.01), most)"
    degraded = scope.query("COUNT(ProbeSuccess)", "ClusterName, Impact, Target", "Impact = 'degraded'")
    return [
        _expression("shares", scope.search("MeasuredShare", "Sum", _PERIOD)),
        _expression("failures", scope.search("BlockingFailures", "Maximum", _PERIOD)),
        _expression("down", scope.search("EgressDown", "Maximum", _PERIOD)),
        _expression("most", "MAX(failures)"),
        _expression("measured", measured, "measured, %"),
        _expression("blocking", blocking, "failing, blocks"),
        _expression("egress", "SUM(down)", "subnets without egress"),
        _expression("degraded", degraded, "degraded results"),
        scope.metric("CertificateDaysRemaining", {"stat": "Minimum", "label": "certificate, days"}),
    ]


def _planner(scope: ClusterScope) -> list[list[Any]]:
    return [
        scope.metric("PlanAge", {"label": "plan age, s"}),
        scope.metric("IncidentsReported", {"label": "incidents"}),
        scope.metric("AuditFindings", {"label": "audit findings"}),
    ]


def head_block(title: str, links: Sequence[str]) -> WidgetBlock:
    """What the page is and how to read it. links: of each page, in order; the page itself is without one."""
    pages = " ".join(f"[{number}]({link})" if link else f"**{number}**" for number, link in enumerate(links, 1))
    parts = (
        f"# {title}",
        f"Pages: {pages}",
        f"{WRITTEN_BY}: what is changed here is lost with the next one.",
        _HOW_TO_READ,
    )
    return WidgetBlock((text_widget(0, 0, COLUMNS, 4, "\n\n".join(parts)),), height=4, metrics=0)


def text_widget(x: int, y: int, width: int, height: int, markdown: str) -> dict[str, Any]:
    place = {"x": x, "y": y, "width": width, "height": height}
    return {"type": "text", **place, "properties": {"markdown": markdown}}


def _expression(identifier: str, expression: str, label: str = "") -> list[Any]:
    """Without a label it is for other expressions and not shown."""
    shown: dict[str, Any] = {"label": label} if label else {"visible": False}
    return [{"expression": expression, "id": identifier, **shown}]


def _numbers(
    x: int, width: int, title: str, region: str, period: int, start: str, metrics: list[list[Any]]
) -> dict[str, Any]:
    properties = {
        "title": title,
        "region": region,
        "view": "singleValue",
        "stat": "Maximum",
        "period": period,
        "start": start,
        "liveData": False,
        "metrics": metrics,
    }
    return {"type": "metric", "x": x, "y": 0, "width": width, "height": _HEIGHT, "properties": properties}
