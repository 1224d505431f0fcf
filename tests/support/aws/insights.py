"""CloudWatch Logs Insights in small: the commands that our queries use, over log lines, by its documented rules.

Fields are discovered in JSON; arrays are flattened (`PlanAge.0`), so a name that is an array is no field. Only JSON that
is the whole line, or follows a prefix, is discovered; of the first 1,000 fields. What `parse` extracts is text, and
compares as a number where it is one.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

import json
import re
from typing import Any

_AGGREGATES = {
    "count": len,
    "min": min,
    "max": max,
    "sum": lambda values: sum(value for value in values if not isinstance(value, str)),
    "earliest": lambda values: values[0],
    "latest": lambda values: values[-1],
    "pct": max,
}
_STAT = re.compile(r"(\w+)\((@?[\w.]+|\*)(?:, \d+)?\) as (\w+)")
_BIN = re.compile(r"bin\((\d+)([mh])\)")
_UNITS = {"m": 60_000, "h": 3_600_000}


def fields(line: str, timestamp: int = 0) -> dict[str, Any]:
    """Discovered fields of one line. timestamp: of the event, ms."""
    found: dict[str, Any] = {"@message": line, "@timestamp": timestamp}

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


def rows(query: str, lines: list[str | tuple[int, str]]) -> list[dict[str, Any]]:
    """The rows of a query; a field without a value is left out. lines: texts, or (time in ms, text)."""
    table = [fields(line) if isinstance(line, str) else fields(line[1], line[0]) for line in lines]
    for command in _commands(query):
        verb, _, rest = command.partition(" ")
        if verb == "SOURCE":
            continue
        if verb == "filter":
            table = [row for row in table if _holds(rest, row)]
        elif verb == "parse":
            table = [row | _parsed(rest, row) for row in table]
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


def _commands(query: str) -> list[str]:
    """The commands between the pipes; a pipe within a text or a pattern is part of it."""
    parts = re.findall(r'(?:"[^"]*"|\'[^\']*\'|(?<= )/(?:\\.|[^/])*/|[^|])+', query)
    return [part.strip() for part in parts]


def _parsed(text: str, row: dict[str, Any]) -> dict[str, Any]:
    """`@message "* *" as a, b`, or `@message /(?<a>...)/`; nothing where it does not match."""
    field, _, rest = text.partition(" ")
    value = str(row.get(field, ""))
    if rest.startswith("/"):
        pattern = rest[1 : rest.rindex("/")].replace("(?<", "(?P<")
        match = re.search(pattern, value)
        extracted = match.groupdict() if match else {}
    else:
        glob, names = re.fullmatch(r'"([^"]*)" as (.+)', rest).groups()
        parts = glob.split("*")
        assert len(parts) - 1 == len(names.split(", ")), text
        lazy = "(.*?)".join(map(re.escape, parts[:-1])) + "(.*)" + re.escape(parts[-1])
        match = re.search(lazy, value)
        extracted = dict(zip(names.split(", "), match.groups(), strict=True)) if match else {}
    return {name: _typed(text) for name, text in extracted.items()}


def _typed(text: str) -> Any:
    return int(text) if re.fullmatch(r"\d{1,15}", text) else text


def _holds(condition: str, row: dict[str, Any]) -> bool:
    def value(match: re.Match[str]) -> str:
        name, operator, wanted = match.groups()
        have = row.get(name)
        if have is None:
            return "False"
        expected = json.loads(wanted.replace("'", '"'))
        if operator == "in":
            return repr(have in expected)
        if operator == "!=":
            return repr(have != expected)
        return repr(have == expected if operator == "=" else have > expected)

    text = re.sub(r"ispresent\(([\w.]+)\)", lambda m: repr(row.get(m[1]) is not None), condition)
    text = re.sub(r"(\w+) (=|!=|>|in) (\[[^\]]*\]|\"[^\"]*\"|'[^']*'|\d+)", value, text)
    assert not re.sub(r"True|False|and|or|not|[() ]", "", text), condition
    return bool(eval(text, {"__builtins__": {}}))  # noqa: S307


def _stats(text: str, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text, _, by = text.partition(" by ")
    keys = [name for name in by.split(", ") if name]
    wanted = _STAT.findall(text)
    assert len(wanted) == text.count(" as "), text
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in table:
        groups.setdefault(tuple(_key(key, row) for key in keys), []).append(row)
    result = []
    for group, members in groups.items():
        line = {key: value for key, value in zip(keys, group, strict=True) if value is not None}
        for function, name, alias in wanted:
            values = members if name == "*" else [row[name] for row in members if row.get(name) is not None]
            if values:
                line[alias] = _AGGREGATES[function](values)
        result.append(line)
    return result


def _key(key: str, row: dict[str, Any]) -> Any:
    """A field, or the beginning of the time's bin: `bin(1m)`."""
    binned = _BIN.fullmatch(key)
    if not binned:
        return row.get(key)
    width = int(binned[1]) * _UNITS[binned[2]]
    return row["@timestamp"] // width * width
