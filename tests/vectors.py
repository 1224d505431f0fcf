"""The recorded verdicts of a real kube-apiserver, and how two texts are compared: addresses, ports and times aside."""

import json
import re
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("data") / "kube-apiserver-vectors.json"
_NORMAL = (
    (re.compile(r"\[[0-9a-f:]+\]:\d+"), "ADDR"),
    (re.compile(r"\d+\.\d+\.\d+\.\d+:\d+"), "ADDR"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"lookup \S+ on"), "lookup HOST on"),
)


def cases(*groups: str) -> list[dict[str, Any]]:
    return [case for case in json.loads(_FILE.read_text())["cases"] if case["group"] in groups]


def normal(error: str | None) -> str | None:
    for pattern, word in _NORMAL:
        error = pattern.sub(word, error) if error else error
    return error


def close(seconds: float, wanted: float | None) -> bool:
    """Within 10% or half a second of what was recorded."""
    return wanted is None or abs(seconds - wanted) <= max(0.5, 0.1 * wanted)
