"""The joined table: the summary, a line per target with a column per subnet, and below a target that does not pass its
cause, once for the subnets that have it in common. A difference between subnets is explained where the configuration
shows it.
"""

from collections.abc import Iterator

from egressprobe.cli.output.table import details, owned_by
from egressprobe.cli.output.terminal import (
    COLOURS,
    ORDER,
    SHOWN,
    Style,
    cut,
    indented,
    line,
    ms,
    paragraph,
    remedy,
    short,
    widths,
)
from egressprobe.model.joined_report import Cause, Cell, Joined, Row
from egressprobe.model.report import Result
from egressprobe.model.target import Verdict

SHOWN_WITH_CAUSE = frozenset({"apiserver", "impact", "nodes", "called by"})


def subnet_table(joined: Joined, *, colour: bool = False, width: int | None = None) -> str:
    """The table; `width`: columns of a terminal to fold explanations to, None leaves them whole."""
    style = Style(colour)
    heads = ("VERDICT", "KIND", "TARGET", *(view.availability_zone or view.subnet_id for view in joined.views))
    subnet_ids = ("", "", "", *(view.subnet_id for view in joined.views))
    rows = sorted(joined.rows, key=lambda row: ORDER.index(row.verdict))
    cells = [(SHOWN[row.verdict], row.target.kind, short(row.target.name), *map(cell_text, row.cells)) for row in rows]
    columns = widths((heads, subnet_ids, *cells))
    stacked = bool(width and sum(columns) + 2 * (len(columns) - 1) > width)
    if stacked:
        assert width is not None  # noqa: S101 (for the type checker)
        room = max(width - sum(columns[:2]) - 4, 10)
        columns = [*columns[:2], min(columns[2], room)]
        lines = [style.paint(line(heads[:3], columns), "2")]
    else:
        lines = [style.paint(line(head, columns), "2") for head in (heads, subnet_ids)]
    for row, row_cells in zip(rows, cells, strict=True):
        shown = (*row_cells[:2], cut(row_cells[2], columns[2]), *row_cells[3:])
        lines.append(line(shown[: len(columns)], columns, paint=style.first(COLOURS[row.verdict])))
        if stacked:
            by_subnet = zip(subnet_ids[3:], row_cells[3:], strict=True)
            lines += indented(style, "subnets", ", ".join(f"{subnet} {cell}" for subnet, cell in by_subnet), width)
        for label, explanation in _explained(row, joined):
            lines += indented(style, label, explanation, width)
    below = (part for text in footer(joined) for part in paragraph(text, width))
    word = SHOWN[joined.verdict]
    first, *rest = paragraph(summary_line(joined), width)
    head = (style.paint(word, COLOURS[joined.verdict]) + first.removeprefix(word), *rest)
    return "\n".join((*head, "", *lines, "", *below))


def cell_text(cell: Cell) -> str:
    """The verdict of a target from a subnet with its code, or how long a call took that passes."""
    if cell.verdict is Verdict.PASS:
        return "pass" if cell.seconds is None else ms(cell.seconds * 1e3)
    return f"{SHOWN[cell.verdict]} {cell.code}" if cell.code else SHOWN[cell.verdict]


def _explained(row: Row, joined: Joined) -> Iterator[tuple[str, str]]:
    """Subnets with the same result are explained once; of a cut report the code in the cell is all that is left."""
    if row.verdict is Verdict.PASS:
        return
    causes = [cause for cause in joined.causes if cause.target == row.target.name]
    for cause in causes:
        yield from cause_lines(cause, len(row.cells))
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
        yield from (pair for pair in details(first[key]) if not explained or pair[0] in SHOWN_WITH_CAUSE)
    yield from (("owner", text) for text in owned_by(row.target))


def cause_lines(cause: Cause, subnets: int) -> Iterator[tuple[str, str]]:
    """(label, text) of a root cause. subnets: how many the row has; those of the cause are named if they are fewer."""
    if len(cause.subnets) < subnets:
        yield "in", ", ".join(cause.subnets)
    yield "cause", f"{cause.summary} ({cause.code})"
    yield from remedy(cause.remedy.split("\n"), cause.remedy_steps)
    for difference in cause.differs:
        yield "differs", difference
    if cause.consequences:
        yield "effects", ", ".join(cause.consequences)


def _results(row: Row, joined: Joined) -> Iterator[tuple[str, Result]]:
    for report in joined.reports:
        for result in report.results:
            if result.target.name == row.target.name:
                yield report.vantage.subnet_id or "", result


def footer(joined: Joined) -> Iterator[str]:
    """Which subnets did not respond, findings of the run, and its limits."""
    for view in joined.views:
        if view.error:
            yield f"No answer from {view.subnet_id} ({view.availability_zone}): {view.error}"
    for finding in joined.findings:
        yield f"{finding.summary} ({finding.code})"
    if joined.limits:
        yield joined.limits


def summary_line(joined: Joined) -> str:
    """The first line: the verdict, and how many targets have which, of the worst subnet."""
    s, subnets = joined.summary, len(joined.views)
    counts = f"{s.fail} fail, {s.unknown} unknown, {s.degraded} degraded, {s.passed} pass"
    places = f"{subnets} subnet{'s' if subnets != 1 else ''}"
    return f"{SHOWN[joined.verdict]}: {joined.cluster_name}: {counts} from {places} in {joined.duration_ms / 1e3:.1f} s"
