"""The joined table: a line per target, a column per subnet, and below a target that does not pass its cause, once for
the subnets that have it in common. A difference between subnets is explained where the configuration shows it.
"""

import textwrap
from collections.abc import Iterator

from egressprobe.cli.output.table import details
from egressprobe.cli.output.terminal import COLOURS, MAX_NAME, ORDER, SHOWN, Style, indented, ms
from egressprobe.model.joined_report import Cause, Cell, Joined, Row
from egressprobe.model.report import Result
from egressprobe.model.target import Verdict

_SHOWN_WITH_CAUSE = frozenset({"apiserver", "impact", "nodes", "called by"})


def subnet_table(joined: Joined, *, colour: bool = False, width: int | None = None) -> str:
    """The table; `width`: columns of a terminal to fold explanations to, None leaves them whole."""
    style = Style(colour)
    heads = ("VERDICT", "KIND", "TARGET", *(view.availability_zone or view.subnet_id for view in joined.views))
    subnet_ids = ("", "", "", *(view.subnet_id for view in joined.views))
    rows = sorted(joined.rows, key=lambda row: ORDER.index(row.verdict))
    cells = [(SHOWN[row.verdict], row.target.kind, _name(row), *map(_cell, row.cells)) for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, subnet_ids, *cells, strict=True)]
    lines = [style.paint(_line(head, widths), "2") for head in (heads, subnet_ids)]
    for row, row_cells in zip(rows, cells, strict=True):
        text = _line(row_cells, widths)
        lines.append(style.paint(text[: widths[0]], COLOURS[row.verdict]) + text[widths[0] :])
        for label, explanation in _explained(row, joined):
            lines += indented(style, label, explanation, width)
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
    """Subnets with the same result are explained once; of a cut report the code in the cell is all that is left."""
    if row.verdict is Verdict.PASS:
        return
    causes = [cause for cause in joined.causes if cause.target == row.target.name]
    for cause in causes:
        yield from _cause_lines(cause, len(row.cells))
    diagnosed = {subnet for cause in causes for subnet in cause.subnets}
    subnets_by_key: dict[tuple[object, ...], list[str]] = {}
    first: dict[tuple[object, ...], Result] = {}
    for subnet, result in _results(row, joined):
        if result.verdict is not Verdict.PASS:
            key: tuple[object, ...] = (
                result.verdict,
                result.failure.code if result.failure else None,
                *(finding.code for finding in result.findings),
            )
            subnets_by_key.setdefault(key, []).append(subnet)
            first.setdefault(key, result)
    for key, subnets in subnets_by_key.items():
        # What follows from a cause that is shown already is left out.
        explained = diagnosed >= set(subnets)
        if len(subnets) < len(row.cells) and not explained:
            yield "in", ", ".join(subnets)
        yield from (line for line in details(first[key]) if not explained or line[0] in _SHOWN_WITH_CAUSE)


def _cause_lines(cause: Cause, subnets: int) -> Iterator[tuple[str, str]]:
    if len(cause.subnets) < subnets:
        yield "in", ", ".join(cause.subnets)
    yield "cause", f"{cause.summary} ({cause.code})"
    for i, line in enumerate(cause.remedy.split("\n")):
        yield "" if i and not line.startswith("aws ") else "fix", line
    for line in cause.differs:
        yield "differs", line
    if cause.consequences:
        yield "effects", ", ".join(cause.consequences)


def _results(row: Row, joined: Joined) -> Iterator[tuple[str, Result]]:
    for report in joined.reports:
        for result in report.results:
            if result.target.name == row.target.name:
                yield report.vantage.subnet_id or "", result


def _footer(joined: Joined) -> Iterator[str]:
    for view in joined.views:
        if view.error:
            yield f"No answer from {view.subnet_id} ({view.availability_zone}): {view.error}"
    for finding in joined.findings:
        yield f"{finding.summary} ({finding.code})"
    s, subnets = joined.summary, len(joined.views)
    yield (
        f"{joined.cluster_name}: {s.passed} pass, {s.degraded} degraded, {s.fail} fail, {s.unknown} unknown "
        f"from {subnets} subnet{'s' if subnets != 1 else ''} in {joined.duration_ms / 1e3:.1f} s."
    )
    if joined.limits:
        yield joined.limits
