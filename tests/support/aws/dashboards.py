"""A dashboard's body against what AWS documents of it: form, grid, queries, quotas.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html (dashboards),
cloudwatch-metrics-insights-querylanguage.html and search-expression-syntax.html beside it.
"""

import json
import re
from typing import Any

COLUMNS, MOST_WIDGETS, MOST_METRICS_A_WIDGET, MOST_METRICS = 24, 500, 500, 2500
MOST_SEARCH, MOST_SERIES = 1024, 500
_METRIC_KEYS = {
    *("accountId", "annotations", "legend", "liveData", "metrics", "period", "region", "sparkline", "stacked", "stat"),
    *("table", "timezone", "title", "view", "yAxis", "start", "end", "setPeriodToTimeRange"),
}
_EXPRESSION_KEYS = {"expression", "label", "id", "visible", "period", "color", "yAxis", "region", "accountId"}
_RENDERING_KEYS = {"label", "id", "visible", "period", "stat", "color", "yAxis", "region", "accountId"}
_VIEWS = {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"}
_FUNCTION = r"(?:AVG|COUNT|MAX|MIN|SUM)"
_CONDITION = r"(?:\w+ !?= '[^']+'|AWS\.AccountId = (?:'\d{12}'|CURRENT_ACCOUNT_ID\(\)))"
_QUERY = re.compile(
    rf'SELECT {_FUNCTION}\(\w+\) FROM SCHEMA\("\w+"(?P<schema>(?:, \w+)*)\)'  # noqa: S608 (no SQL)
    rf"(?: WHERE (?P<where>{_CONDITION}(?: AND {_CONDITION})*))?"
    rf"(?: GROUP BY (?P<by>(?:AWS\.AccountId|\w+)(?:, \w+)*))?"
    rf"(?: ORDER BY {_FUNCTION}\(\) (?:ASC|DESC))?(?: LIMIT (?P<limit>\d+))?"
)
_SEARCH = re.compile(
    r"SEARCH\('(?P<text>\{\w+(?:,\w+)*\}(?: \w+=\"[^\"']+\")+(?: :aws\.AccountId = (?:\d{12}|'LOCAL') )?)', "
    r"'(?:Sum|Minimum|Maximum|Average|SampleCount)', (?P<period>\d+)\)"
)
_MATH_WORDS = {"SUM", "MAX", "METRIC_COUNT", "IF", "AND", "OR"}


def check(body: str, subnets: int) -> dict[str, Any]:
    """The document. subnets: the most series that a search by subnet finds. AssertionError for what AWS would refuse."""
    document = json.loads(body)
    assert set(document) <= {"widgets", "start", "end", "periodOverride", "variables"}
    assert re.fullmatch(r"-P(T\d+[MH]|\d+[DWM])", document["start"])
    assert document["periodOverride"] in ("auto", "inherit")
    widgets = document["widgets"]
    assert len(widgets) <= MOST_WIDGETS
    _check_grid(widgets)
    assert sum(_check_widget(widget, subnets) for widget in widgets) <= MOST_METRICS
    return document


def _check_grid(widgets: list[dict[str, Any]]) -> None:
    taken: dict[tuple[int, int], int] = {}
    for number, widget in enumerate(widgets):
        x, y, width, height = (widget[key] for key in ("x", "y", "width", "height"))
        assert 0 <= x < x + width <= COLUMNS, widget
        assert 0 <= y < y + height <= y + 1000, widget
        for cell in ((x + i, y + j) for i in range(width) for j in range(height)):
            assert taken.setdefault(cell, number) == number, f"widgets {taken[cell]} and {number} overlap"
    assert len(taken) == COLUMNS * (max(y for _, y in taken) + 1), "a hole in the grid"


def _check_widget(widget: dict[str, Any], subnets: int) -> int:
    """How many metrics it retrieves."""
    assert set(widget) == {"type", "x", "y", "width", "height", "properties"}
    properties = widget["properties"]
    if widget["type"] == "text":
        assert set(properties) == {"markdown"}
        return 0
    assert widget["type"] == "metric"
    assert set(properties) <= _METRIC_KEYS, set(properties) - _METRIC_KEYS
    assert properties["region"]
    assert properties["view"] in _VIEWS
    assert properties["period"] % 60 == 0 < properties["period"]
    assert re.fullmatch(r"-PT\d+[MH]", properties["start"])
    if properties["view"] == "table":
        assert set(properties["table"]["summaryColumns"]) <= {"MIN", "MAX", "SUM", "AVG"}
    for one in properties.get("annotations", {}).get("horizontal", ()):
        assert set(one) == {"value", "color", "fill"}
        assert re.fullmatch("#[0-9a-f]{6}", one["color"])
        assert one["fill"] in ("above", "below")
    return _check_metrics(properties, subnets)


def _check_metrics(properties: dict[str, Any], subnets: int) -> int:
    known, queries, retrieved = set(), 0, 0
    for metric in properties["metrics"]:
        if len(metric) > 1:
            _check_single(metric)
            retrieved += 1
            continue
        [expression] = metric
        assert set(expression) <= _EXPRESSION_KEYS
        assert re.fullmatch("[a-z][A-Za-z0-9_]*", expression["id"])
        assert expression["id"] not in known
        text = expression["expression"]
        if text.startswith("SELECT"):
            queries += 1
            retrieved += _check_query(text)
        elif text.startswith("SEARCH"):
            found = _SEARCH.fullmatch(text)
            assert found, text
            assert len(found["text"]) <= MOST_SEARCH, text
            assert int(found["period"]) == properties["period"]
            retrieved += subnets
        else:
            words = set(re.findall(r"[A-Za-z_]+", text))
            assert words <= known | _MATH_WORDS, f"{text}: {words - known - _MATH_WORDS}"
        known.add(expression["id"])
    assert queries <= 1, "one Metrics Insights query a widget"
    assert 1 <= retrieved <= MOST_METRICS_A_WIDGET
    return retrieved


def _check_single(metric: list[Any]) -> None:
    assert set(metric[-1]) <= _RENDERING_KEYS
    assert all(isinstance(one, str) for one in metric[:-1])
    assert len(metric) % 2 == 1, "namespace, name, pairs of dimension and value, properties"


def _check_query(text: str) -> int:
    found = _QUERY.fullmatch(text)
    assert found, text
    schema = found["schema"].removeprefix(", ").split(", ")
    conditions = [one.split(" ")[0] for one in (found["where"] or "").split(" AND ") if one]
    by = (found["by"] or "").split(", ") if found["by"] else []
    assert set(conditions) | set(by) <= {*schema, "AWS.AccountId"}, text
    limit = int(found["limit"]) if found["limit"] else MOST_SERIES
    assert limit <= MOST_SERIES
    return limit if by else 1
