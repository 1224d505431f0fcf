"""The audit as a table: a line a target, a column a subnet, then what is wrong with the commands that mend it."""

import textwrap
from collections.abc import Iterator, Sequence

from egressprobe.audit.result import Audit, Cell, Row
from egressprobe.cli.output.terminal import COLOURS, MAX_NAME, SHOWN, Style, indented
from egressprobe.model.report import Finding
from egressprobe.model.target import Verdict

_SHOWN = {"open": "open", "partial": "PARTLY", "closed": "CLOSED", "unknown": "unknown"}
_COLOUR = {
    "open": COLOURS[Verdict.PASS],
    "partial": COLOURS[Verdict.DEGRADED],
    "closed": COLOURS[Verdict.FAIL],
    "unknown": COLOURS[Verdict.UNKNOWN],
}
# What needs a person stands last, next to the prompt.
_SEVERITIES = ("info", "warning", "error")
_SEVERITY = {"info": "note", "warning": "WARNING", "error": "ERROR"}
_PAINT = {"info": "2", "warning": COLOURS[Verdict.DEGRADED], "error": COLOURS[Verdict.FAIL]}
_MOST_NOTES = 5
_MOST_NAMED = 5


def audit_table(audit: Audit, *, colour: bool = False, width: int | None = None) -> str:
    """`width`: columns of a terminal to fold words to, never commands; None leaves all whole."""
    style = Style(colour)
    lines = [*_matrix(audit, style), ""]
    found = sorted(audit.findings, key=lambda one: _SEVERITIES.index(one.severity))
    notes = [one for one in found if one.severity == "info"]
    for one in (*notes[:_MOST_NOTES], *found[len(notes) :]):
        lines += _told(one, style, width)
    if len(notes) > _MOST_NOTES:
        lines.append(f"and {len(notes) - _MOST_NOTES} more notes (-o json has them)")
    footer = _footer(audit)
    if width:
        footer = (part for line in footer for part in textwrap.wrap(line, width, break_on_hyphens=False))
    return "\n".join((*lines, *([""] if found else []), *footer))


def _matrix(audit: Audit, style: Style) -> Iterator[str]:
    heads = ("TARGET", "PORT", *(place.zone or place.id for place in audit.subnets))
    below = ("", "", *(place.id for place in audit.subnets))
    rows = [(_name(row), str(row.target.port), *map(_cell, row.cells)) for row in audit.rows]
    widths = [max(map(len, column)) for column in zip(heads, below, *rows, strict=True)]
    for head in (heads, below):
        yield style.paint(_line(head, widths), "2")
    for row, shown in zip(audit.rows, rows, strict=True):
        painted = list(shown)
        for i, cell in enumerate(row.cells, 2):
            word = _SHOWN[cell.state]
            painted[i] = style.paint(word, _COLOUR[cell.state]) + shown[i][len(word) :].ljust(widths[i] - len(word))
        yield _line(tuple(painted), widths)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _name(row: Row) -> str:
    name = row.target.name + (" (as any of the internet)" if row.target.assumed and row.target.host else "")
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _cell(cell: Cell) -> str:
    return f"{_SHOWN[cell.state]} {cell.code}" if cell.code and cell.state != "open" else _SHOWN[cell.state]


def _told(one: Finding, style: Style, width: int | None) -> Iterator[str]:
    head = f"{_SEVERITY[one.severity]:<8}{one.code}"
    yield style.paint(head[:8], _PAINT[one.severity]) + head[8:]
    yield from indented(style, "cause", one.summary, width)
    if "subnets" in one.evidence and one.severity != "info":
        hit = _some(one.evidence["targets"]), _some(one.evidence["subnets"])
        yield from indented(style, "hits", f"{hit[0]} from {hit[1]}", width)
    *commands, words = one.remedy.split("\n")
    if one.severity == "info":
        return
    for line in commands:
        yield from indented(style, "mend", line, width)
    yield from indented(style, "" if commands else "mend", words, width)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _footer(audit: Audit) -> Iterator[str]:
    many = {word: sum(one.severity == word for one in audit.findings) for word in _SEVERITIES}
    skipped = f", {', '.join(audit.skipped)} skipped" if audit.skipped else ""
    name = audit.cluster_name or audit.vpc
    counts = f"{many['error']} errors, {many['warning']} warnings, {many['info']} notes{skipped}"
    yield f"{name}: {SHOWN[audit.verdict]}; {counts}; {audit.vpc} in {audit.region} as of {audit.taken_at}."
    yield audit.limits
