"""The recorded verdicts of a real kube-apiserver, and how two texts are compared: addresses, ports and times aside."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from egressprobe.model.report import Forecast, Result

_FILE = Path(__file__).parents[2] / "data" / "kube-apiserver-vectors.json"
_NORMAL = (
    (re.compile(r"\[[0-9a-f:]+\]:\d+"), "ADDR"),
    (re.compile(r"\d+\.\d+\.\d+\.\d+:\d+"), "ADDR"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"lookup \S+ on"), "lookup HOST on"),
)


# group -> how many cases came to what, of those that were tried on the wire
tally: dict[str, Counter[str]] = defaultdict(Counter)
COLUMNS = ("agreed", "false pass", "false fail", "no forecast", "text differs", "seconds differ")
# The reset overtakes connect(2)'s own success or does not: the error is the dial's, or the first write's or read's.
RACES = {"port-rstnow": "connection reset by peer"}


def check(case: dict[str, Any], results: dict[str, Result], record: Callable[[str, object], None]) -> None:
    """Measured on the wire, the forecast equals what kube-apiserver was recorded to do: outcome, text and seconds.

    record: pytest's record_property; conftest.py collects what is recorded, from other processes too.
    """
    result = results[case["id"]]
    differs = _differences(case, result.forecast)
    record("vector", [case["group"], *differs, *([] if set(differs) - {"text differs"} else ["agreed"])])
    assert not differs, (result.forecast, result.failure, case)


def _differences(case: dict[str, Any], forecast: Forecast | None) -> list[str]:
    if forecast is None:
        return ["no forecast"]
    if forecast.outcome != case["verdict"]:
        return ["false pass" if forecast.outcome == "pass" else "false fail"]
    if not close(forecast.seconds, case.get("seconds")):
        return ["seconds differ"]
    same = normal(forecast.error) == normal(case.get("error"))
    raced = RACES.get(case["id"], "no race") in (forecast.error or "")
    return [] if same or raced else ["text differs"]


def table() -> list[str]:
    """Agreement by group; empty when nothing was tried."""
    if not tally:
        return []
    lines = ["group".ljust(12) + "cases".rjust(7) + "".join(column.rjust(16) for column in COLUMNS)]
    total: Counter[str] = Counter()
    for group in sorted(tally):
        total += tally[group]
    for group, counts in (*sorted(tally.items()), ("all", total)):
        tried = sum(
            counts[column] for column in ("agreed", "false pass", "false fail", "no forecast", "seconds differ")
        )
        cells = "".join(str(counts[column]).rjust(16) for column in COLUMNS)
        lines.append(group.ljust(12) + str(tried).rjust(7) + cells)
    return lines


def cases(*groups: str) -> list[dict[str, Any]]:
    return [case for case in json.loads(_FILE.read_text())["cases"] if case["group"] in groups]


def normal(error: str | None) -> str | None:
    for pattern, word in _NORMAL:
        error = pattern.sub(word, error) if error else error
    return error


def close(seconds: float, wanted: float | None) -> bool:
    """Within 10% or 0.8 s of what was recorded."""
    return wanted is None or abs(seconds - wanted) <= max(0.8, 0.1 * wanted)
