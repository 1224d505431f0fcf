"""What is worst in a region, of every cluster that has metrics there: also of those that no row names.

A cluster without metrics is in no table: only its row shows that it is not measured. A Metrics Insights query reads at
most 10,000 metrics:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html
"""

from typing import Any, NamedTuple

from egressprobe.stack.fleet_dashboard.scope import select
from egressprobe.stack.fleet_dashboard.widgets import (
    COLUMNS,
    PLAN_PERIOD,
    PLAN_RANGE,
    PROBE_RANGE,
    WidgetBlock,
    text_widget,
)

OVERVIEW_SERIES = 25
_RED = "#d62728"


class _WorstTable(NamedTuple):
    """function: of the metric; schema: its exact dimensions; by: those that are kept; columns: of CloudWatch's table.

    red: the threshold from which a value is red, and on which side; None: no value is.
    """

    title: str
    function: str
    schema: str
    by: str
    order: str
    columns: tuple[str, ...]
    red: tuple[float, str] | None = None
    condition: str = ""


_TABLES = (
    _WorstTable(
        "Failing targets that block requests",
        "MAX(BlockingFailures)",
        schema="ClusterName, SubnetId",
        by="ClusterName",
        order="MAX() DESC",
        columns=("MAX",),
        red=(1, "above"),
    ),
    _WorstTable(
        "Share measured, of 1, by subnet",
        "SUM(MeasuredShare)",
        schema="ClusterName, SubnetId",
        by="ClusterName, SubnetId",
        order="SUM() ASC",
        columns=("MIN", "AVG"),
        red=(0.999, "below"),
    ),
    _WorstTable(
        "No egress, by subnet (no row: none reported)",
        "MAX(EgressDown)",
        schema="ClusterName, SubnetId",
        by="ClusterName, SubnetId",
        order="MAX() DESC",
        columns=("MAX",),
        red=(1, "above"),
    ),
    _WorstTable(
        "Degraded, fails open or kubelet: results",
        "COUNT(ProbeSuccess)",
        schema="ClusterName, Impact, Target",
        by="ClusterName, Target",
        order="COUNT() DESC",
        columns=("SUM",),
        condition="Impact != 'blocks'",
    ),
    _WorstTable(
        "Plan age, s",
        "MAX(PlanAge)",
        schema="ClusterName",
        by="ClusterName",
        order="MAX() DESC",
        columns=("MAX",),
        red=(3600, "above"),
    ),
    _WorstTable(
        "Certificates: days left",
        "MIN(CertificateDaysRemaining)",
        schema="ClusterName",
        by="ClusterName",
        order="MIN() ASC",
        columns=("MIN",),
        red=(7, "below"),
    ),
)
_ACROSS, _HEIGHT = 3, 6


def overview(region: str, *, monitoring: bool) -> WidgetBlock:
    """monitoring: of all accounts that are linked, each cluster with its account."""
    widgets = [text_widget(0, 0, COLUMNS, 1, f"## {region}, worst first")]
    width = COLUMNS // _ACROSS
    for number, table in enumerate(_TABLES):
        place = {"x": number % _ACROSS * width, "y": 1 + number // _ACROSS * _HEIGHT, "width": width, "height": _HEIGHT}
        widgets.append({"type": "metric", **place, "properties": _properties(table, region, monitoring=monitoring)})
    return WidgetBlock(
        tuple(widgets), height=1 + len(_TABLES) // _ACROSS * _HEIGHT, metrics=OVERVIEW_SERIES * len(_TABLES)
    )


def _properties(table: _WorstTable, region: str, *, monitoring: bool) -> dict[str, Any]:
    by = f"AWS.AccountId, {table.by}" if monitoring else table.by
    query = f"{select(table.function, table.schema, table.condition)} GROUP BY {by} ORDER BY {table.order}"
    of_plan = "PlanAge" in table.function
    properties: dict[str, Any] = {
        "title": table.title,
        "region": region,
        "view": "table",
        "start": PLAN_RANGE if of_plan else PROBE_RANGE,
        "period": PLAN_PERIOD if of_plan else 60,
        "table": {"showTimeSeriesData": False, "stickySummary": True, "summaryColumns": list(table.columns)},
        "metrics": [[{"expression": f"{query} LIMIT {OVERVIEW_SERIES}", "id": "worst", "label": ""}]],
    }
    if table.red:
        value, fill = table.red
        properties["annotations"] = {"horizontal": [{"color": _RED, "value": value, "fill": fill}]}
    return properties
