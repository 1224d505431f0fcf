"""The joined table: a line a target, a column a subnet, and under what does not pass one cause for the subnets it
has in common. What differs between subnets is what is broken between them.
"""

import textwrap
from collections.abc import Iterator

from egressprobe.cli.output.table import details
from egressprobe.cli.output.terminal import COLOURS, MAX_NAME, ORDER, SHOWN, Style, indented, ms
from egressprobe.model.joined_report import Cause, Cell, Joined, Row
from egressprobe.model.report import Result
from egressprobe.model.target import Verdict

_BESIDE_A_CAUSE = frozenset({"apiserver", "impact", "nodes", "called by"})


def subnet_table(joined: Joined, *, colour: bool = False, width: int | None = None) -> str:
    """The table; `width`: columns of a terminal to fold explanations to, None leaves them whole."""
    style = Style(colour)
    heads = ("VERDICT", "KIND", "TARGET", *(view.availability_zone or view.subnet_id for view in joined.views))
    below = ("", "", "", *(view.subnet_id for view in joined.views))
    rows = sorted(joined.rows, key=lambda row: ORDER.index(row.verdict))
    cells = [(SHOWN[row.verdict], row.target.kind, _name(row), *map(_cell, row.cells)) for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, below, *cells, strict=True)]
    lines = [style.paint(_line(one, widths), "2") for one in (heads, below)]
    for row, shown in zip(rows, cells, strict=True):
        text = _line(shown, widths)
        lines.append(style.paint(text[: widths[0]], COLOURS[row.verdict]) + text[widths[0] :])
        for label, said in _explained(row, joined):
            lines += indented(style, label, said, width)
    footer = _footer(joined)
    if width:
        footer = (part for line in footer for part in textwrap.wrap(line, width, break_on_hyphens=False))
    return "\n".join((*lines, "", *footer))


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _name(row: Row) -> str:
    name = row.target.name
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _cell(cell: Cell) -> str:
    if cell.verdict is Verdict.PASS:
        return "pass" if cell.seconds is None else ms(cell.seconds * 1e3)
    return f"{SHOWN[cell.verdict]} {cell.code}" if cell.code else SHOWN[cell.verdict]


def _explained(row: Row, joined: Joined) -> Iterator[tuple[str, str]]:
    """Subnets that met the same are told of once; where the report was cut, the code in the cell is all there is."""
    if row.verdict is Verdict.PASS:
        return
    causes = [one for one in joined.causes if one.target == row.target.name]
    for cause in causes:
        yield from _of_cause(cause, len(row.cells))
    diagnosed = {subnet for cause in causes for subnet in cause.subnets}
    groups: dict[tuple[object, ...], list[str]] = {}
    first: dict[tuple[object, ...], Result] = {}
    for subnet, one in _results(row, joined):
        if one.verdict is not Verdict.PASS:
            alike: tuple[object, ...] = (
                one.verdict,
                one.failure.code if one.failure else None,
                *(found.code for found in one.findings),
            )
            groups.setdefault(alike, []).append(subnet)
            first.setdefault(alike, one)
    for key, subnets in groups.items():
        # What follows from a cause that is told already is folded under it.
        folded = diagnosed >= set(subnets)
        if len(subnets) < len(row.cells) and not folded:
            yield "in", ", ".join(subnets)
        yield from (one for one in details(first[key]) if not folded or one[0] in _BESIDE_A_CAUSE)


def _of_cause(cause: Cause, many: int) -> Iterator[tuple[str, str]]:
    if len(cause.subnets) < many:
        yield "in", ", ".join(cause.subnets)
    yield "cause", f"{cause.summary} ({cause.code})"
    for i, line in enumerate(cause.remedy.split("\n")):
        yield "" if i and not line.startswith("aws ") else "mend", line
    for line in cause.differs:
        yield "differs", line
    if cause.consequences:
        yield "so", ", ".join(cause.consequences)


def _results(row: Row, joined: Joined) -> Iterator[tuple[str, Result]]:
    for report in joined.reports:
        for one in report.results:
            if one.target.name == row.target.name:
                yield report.vantage.subnet_id or "", one


def _footer(joined: Joined) -> Iterator[str]:
    for view in joined.views:
        if view.error:
            yield f"No answer from {view.subnet_id} ({view.availability_zone}): {view.error}"
    for found in joined.findings:
        yield f"{found.summary} ({found.code})"
    s, many = joined.summary, len(joined.views)
    yield (
        f"{joined.cluster_name}: {s.passed} pass, {s.degraded} degraded, {s.fail} fail, {s.unknown} unknown "
        f"from {many} subnet{'s' if many != 1 else ''} in {joined.duration_ms / 1e3:.1f} s."
    )
    if joined.limits:
        yield joined.limits
