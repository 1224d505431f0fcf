"""Lines of the probes' log into rounds: EMF of a target, and warnings of what could not be measured. Pure.

Written by publish/emf.py and publish/log_line.py. A passing target's line has times only. A line that is not ours is
left out, whatever it contains.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from egressprobe.catalog.entry import filled
from egressprobe.catalog.registry import lookup
from egressprobe.model.target import Verdict
from egressprobe.watching.rounds import MOST_DETAILS, WatchedCell

_MOST_TEXT = 1000  # characters of a value
_MOST_NAME = 300


def cells(lines: Iterable[tuple[float, str]]) -> list[WatchedCell]:
    """lines: Unix time at which a line was written, and the line. The newest of a target and subnet, oldest first."""
    newest: dict[tuple[str, str], WatchedCell] = {}
    for written, text in lines:
        cell = _cell(written, text)
        if cell is not None:
            known = newest.get((cell.target, cell.subnet))
            if known is None or known.at <= cell.at:
                newest[cell.target, cell.subnet] = cell
    return sorted(newest.values(), key=lambda cell: cell.at)


def _cell(written: float, text: str) -> WatchedCell | None:
    start = text.find("{")
    try:
        line = json.loads(text[start:]) if start >= 0 else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict):
        return None
    target, subnet = (str(line.get(name) or "")[:_MOST_NAME] for name in ("Target", "SubnetId"))
    verdict = _verdict(line)
    if not target or verdict is None:
        return None
    code = str(line.get("code") or "")[:_MOST_NAME]
    cause = str(line.get("cause") or "")[:_MOST_TEXT]
    seconds = line.get("callSeconds")
    return WatchedCell(
        target=target,
        subnet=subnet,
        verdict=verdict,
        at=_at(line, written),
        code=code,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        cause=cause,
        details=tuple(_details(line, code, cause))[:MOST_DETAILS],
    )


def _verdict(line: dict[str, Any]) -> Verdict | None:
    """A passing target's line has no verdict, and ProbeSuccess 1."""
    named = line.get("verdict")
    if isinstance(named, str):
        return Verdict(named) if named in Verdict else None
    success = line.get("ProbeSuccess")
    value = success[0] if isinstance(success, list) and success else success
    return Verdict.PASS if value == 1 else Verdict.FAIL if value == 0 else None


def _at(line: dict[str, Any], written: float) -> float:
    """The minute for which it was measured, else when the line was written."""
    stamp = line.get("_aws")
    milliseconds = stamp.get("Timestamp") if isinstance(stamp, dict) else None
    if isinstance(milliseconds, int | float):
        return float(milliseconds) / 1e3
    text = line.get("timestamp")
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else written
    except ValueError:
        return written


def _details(line: dict[str, Any], code: str, cause: str) -> Iterable[tuple[str, str]]:
    if cause:
        yield "cause", f"{cause} ({code})" if code else cause
    if line.get("apiServerError"):
        yield "apiserver", str(line["apiServerError"])[:_MOST_TEXT]
    findings = line.get("findings")
    for name in findings[:10] if isinstance(findings, list) else ():
        entry = lookup(str(name))
        yield "finding", f"{entry.summary} ({entry.code})" if entry else str(name)[:_MOST_NAME]
    entry = lookup(code) if code else None
    if entry is not None:
        for i, text in enumerate(entry.remedy.split("\n")):
            yield "" if i else "fix", filled(text, {})
    if line.get("impact"):
        yield "impact", str(line["impact"])[:_MOST_NAME]
