"""Two reports compared as a sheet: what is worse, better, slower, new and gone, a column for each subnet and family."""

from collections.abc import Iterator

from egressprobe.cli.output.difference_table import change, headline, side_text
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetProblem, SheetRow
from egressprobe.cli.output.sheets.parts import of_cause, sorted_problems
from egressprobe.cli.output.sheets.paths import PathPictures
from egressprobe.cli.output.sheets.preflight import HERE, check_problems, matrix_key, sheet_check
from egressprobe.cli.output.terminal import ORDER
from egressprobe.model.report import worst
from egressprobe.model.target import Impact, Verdict
from egressprobe.readiness.comparison.compare import verdict_of
from egressprobe.readiness.result import CellDifference, Difference

# What matters most comes first.
_IMPACTS = (Impact.BLOCKS, Impact.DELAYS, Impact.BYPASSES, Impact.NONE)


def difference_sheet(difference: Difference) -> Sheet:
    """Cells that are the same are counted only."""
    columns = {
        matrix_key(cell.subnet_id, cell.family): (cell.subnet_id or HERE, matrix_key(cell.subnet_id, cell.family))
        for cell in difference.differences
    }
    by_target: dict[tuple[str, str], list[CellDifference]] = {}
    for cell in difference.differences:
        by_target.setdefault((cell.kind, cell.target), []).append(cell)
    audit = difference.now.audit if difference.now else None
    pictures = PathPictures(audit) if audit else None
    rows = [_row(kind, name, cells, pictures) for (kind, name), cells in by_target.items()]
    return Sheet(
        title=f"{difference.cluster_name or 'Reports'} before and after",
        headline=headline(difference),
        verdict=difference.verdict,
        cluster=difference.cluster_name,
        made_at=difference.after.started_at,
        seconds=0.0,
        facts=(
            ("before", side_text(difference.before)),
            ("after", side_text(difference.after)),
            *(("changed", text) for text in difference.cluster_changes),
        ),
        checks=tuple(map(sheet_check, difference.checks)),
        columns=tuple(columns[key] for key in sorted(columns)),
        rows=tuple(sorted(rows, key=lambda row: ORDER.index(row.verdict))),
        problems=sorted_problems(_problems(difference)),
        notes=(
            *(f"Not compared: {text}" for text in difference.not_compared),
            *(difference.now.not_covered if difference.now else ()),
        ),
        probed=False,
    )


def _row(kind: str, name: str, cells: list[CellDifference], pictures: PathPictures | None) -> SheetRow:
    """pictures: of the configuration as it is now, for cells that are worse or unknown."""
    sheet_cells = tuple(map(_cell, cells))
    if pictures:
        sheet_cells = tuple(
            cell if cell.verdict is Verdict.PASS else cell._replace(paths=pictures.of(name, cell.subnet, cell.family))
            for cell in sheet_cells
        )
    row_verdict = worst(cell.verdict for cell in sheet_cells)
    return SheetRow(
        name=name,
        kind=kind,
        url="",
        verdict=row_verdict,
        impact=min((cell.impact for cell in cells if verdict_of(cell) is row_verdict), key=_IMPACTS.index),
        cells=sheet_cells,
    )


def _cell(cell: CellDifference) -> SheetCell:
    return SheetCell(
        column=matrix_key(cell.subnet_id, cell.family),
        text=f"{cell.trend}: {change(cell)}",
        verdict=verdict_of(cell),
        code=cell.after.code or "" if cell.after else "",
        seconds=cell.after.median_ms / 1e3 if cell.after and cell.after.median_ms is not None else None,
        details=(("why", cell.summary),) if cell.summary else (),
        subnet=cell.subnet_id,
        family=cell.family,
    )


def _problems(difference: Difference) -> Iterator[SheetProblem]:
    yield from map(of_cause, difference.causes)
    yield from check_problems(difference.checks)
