"""The joined report of every subnet as a sheet: a column for each subnet."""

from collections.abc import Iterator

from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetProblem, SheetRow, column_key
from egressprobe.cli.output.sheets.parts import of_cause, of_finding, of_result, sorted_problems
from egressprobe.cli.output.sheets.report import result_cell, tags
from egressprobe.cli.output.subnet_table import cell_text, footer, results_of, summary_line
from egressprobe.cli.output.terminal import ORDER, SHOWN
from egressprobe.model.joined_report import Cell, Joined, Row
from egressprobe.model.report import Result
from egressprobe.model.target import Verdict

type Results = dict[tuple[str, str], Result]


def joined_sheet(joined: Joined) -> Sheet:
    """A subnet whose probe did not respond is unknown in every row; its reason is among the notes."""
    columns = tuple((view.availability_zone or view.subnet_id, view.subnet_id) for view in joined.views)
    rows = sorted(joined.rows, key=lambda row: ORDER.index(row.verdict))
    results = {(row.target.name, subnet): result for row in rows for subnet, result in results_of(row, joined)}
    keys = {subnet: column_key((zone, subnet)) for zone, subnet in columns}
    return Sheet(
        title=f"Egress of {joined.cluster_name}",
        headline=f"{SHOWN[joined.verdict]}: {summary_line(joined)}",
        verdict=joined.verdict,
        cluster=joined.cluster_name,
        made_at=joined.started_at,
        seconds=joined.duration_ms / 1e3,
        facts=(("run", joined.run_id), *((view.subnet_id, view.error) for view in joined.views if view.error)),
        columns=columns,
        rows=tuple(_row(row, joined, keys, results) for row in rows),
        problems=sorted_problems((*map(of_cause, joined.causes), *_failing(joined, results), *_findings(joined))),
        notes=tuple(footer(joined)),
    )


def _row(row: Row, joined: Joined, keys: dict[str, str], results: Results) -> SheetRow:
    return SheetRow(
        name=row.target.name,
        kind=row.target.kind,
        url=row.target.url,
        verdict=row.verdict,
        impact=row.impact,
        cells=tuple(
            _cell(
                cell, keys.get(cell.subnet_id, cell.subnet_id), results.get((row.target.name, cell.subnet_id)), joined
            )
            for cell in row.cells
        ),
        tags=tags(row.target, switch_relevant=row.switch_relevant),
    )


def _cell(cell: Cell, column: str, result: Result | None, joined: Joined) -> SheetCell:
    """Of a report that was cut the code and the time are left."""
    known = SheetCell(column, cell_text(cell), cell.verdict, cell.code or "", cell.seconds, subnet=cell.subnet_id)
    if result is None:
        return known
    measured = result_cell(result, column, cell.subnet_id, joined.started_at)
    return known._replace(phases=measured.phases, expires=measured.expires, details=measured.details)


def _failing(joined: Joined, results: Results) -> Iterator[SheetProblem | None]:
    """What does not pass and has no cause: the failure as each subnet met it."""
    diagnosed = {(cause.target, subnet) for cause in joined.causes for subnet in cause.subnets}
    for (name, subnet), result in results.items():
        if result.verdict is not Verdict.PASS and (name, subnet) not in diagnosed:
            yield of_result(result, f"{name} from {subnet}")


def _findings(joined: Joined) -> Iterator[SheetProblem]:
    yield from map(of_finding, joined.findings)
