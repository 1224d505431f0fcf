"""Colours, verdict labels, folding and time formats that all tables share."""

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from egressprobe.model.target import Verdict

COLOURS = {Verdict.PASS: "32", Verdict.DEGRADED: "33", Verdict.FAIL: "31", Verdict.UNKNOWN: "35"}
SHOWN = {Verdict.PASS: "pass", Verdict.DEGRADED: "DEGRADED", Verdict.FAIL: "FAIL", Verdict.UNKNOWN: "UNKNOWN"}
# What needs a person stands last, next to the prompt.
ORDER = (Verdict.PASS, Verdict.DEGRADED, Verdict.UNKNOWN, Verdict.FAIL)
MAX_NAME = 60
_INDENT = 14


class Style(NamedTuple):
    """`colour`: escape codes may be written."""

    colour: bool = False

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


def indented(style: Style, label: str, said: str, width: int | None) -> Iterator[str]:
    """One explanation. What kube-apiserver logs and what mends is never folded: both are there to be pasted."""
    folded = [said]
    pasted = label == "apiserver" or said.startswith("aws ")
    if width and not pasted and len(said) + _INDENT > width:
        folded = textwrap.wrap(said, max(width - _INDENT, 40), break_long_words=False, break_on_hyphens=False)
    yield f"    {style.paint(f'{label:<9}', '2')} {folded[0]}"
    yield from (" " * _INDENT + line for line in folded[1:])


def ms(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:.1f}s"
    return f"{value:.0f}ms" if value >= 10 else f"{value:.1f}ms" if value >= 0.1 else "<0.1ms"
