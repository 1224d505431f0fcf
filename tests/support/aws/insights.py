"""CloudWatch Logs Insights in small: the commands that our queries use, over log lines, by its documented rules.

Fields are discovered in JSON; arrays are flattened (`PlanAge.0`), so a name that is an array is no field.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
"""

import json
import re
from typing import Any

_AGGREGATES = {
    "count": len,
    "min": min,
    "max": max,
    "earliest": lambda values: values[0],
    "latest": lambda values: values[-1],
    "pct": max,
}
_STAT = re.compile(r"(\w+)\((@?\w+|\*)(?:, \d+)?\) as (\w+)")


def fields(line: str) -> dict[str, Any]:
    """Discovered fields of one line."""
    found: dict[str, Any] = {"@message": line, "@timestamp": 0}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict | list):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                walk(f"{prefix}.{key}" if prefix else str(key), item)
        else:
            found[prefix] = value

    try:
        walk("", json.loads(line[line.index("{") :]))
    except ValueError:
        pass
    return found


def rows(query: str, lines: list[str]) -> list[dict[str, Any]]:
    """The rows of a query; a field without a value is left out."""
    table = [fields(line) for line in lines]
    for command in (part.strip() for part in query.split("|")):
        verb, _, rest = command.partition(" ")
        if verb == "SOURCE":
            continue
        if verb == "filter":
            table = [row for row in table if _holds(rest, row)]
        elif verb == "fields":
            names = rest.split(", ")
            table = [{name: row[name] for name in names if row.get(name) is not None} for row in table]
        elif verb == "stats":
            table = _stats(rest, table)
        else:
            assert verb in ("sort", "limit"), command
            known = {name for row in table for name in row}
            assert verb == "limit" or rest.split()[0] in known | {"@timestamp"}, command
    return table


def _holds(condition: str, row: dict[str, Any]) -> bool:
    def value(match: re.Match[str]) -> str:
        name, operator, wanted = match.groups()
        have = row.get(name)
        if have is None:
            return "False"
        expected = json.loads(wanted.replace("'", '"'))
        return repr(have == expected if operator == "=" else have > expected)

    text = re.sub(r"ispresent\((\w+)\)", lambda m: repr(row.get(m[1]) is not None), condition)
    text = re.sub(r"(\w+) (=|>) (\"[^\"]*\"|'[^']*'|\d+)", value, text)
    assert not re.sub(r"True|False|and|or|[() ]", "", text), condition
    return bool(eval(text, {"__builtins__": {}}))  # noqa: S307


def _stats(text: str, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text, _, by = text.partition(" by ")
    keys = [name for name in by.split(", ") if name and not name.startswith("bin(")]
    wanted = _STAT.findall(text)
    assert len(wanted) == text.count(" as "), text
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in table:
        groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    result = []
    for group, members in groups.items():
        line = {key: value for key, value in zip(keys, group, strict=True) if value is not None}
        for function, name, alias in wanted:
            values = members if name == "*" else [row[name] for row in members if row.get(name) is not None]
            if values:
                line[alias] = _AGGREGATES[function](values)
        result.append(line)
    return result
