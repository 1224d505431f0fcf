"""The joined report of every subnet as a sheet: a column for each subnet."""

from collections.abc import Iterator

from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetProblem, SheetRow
from egressprobe.cli.output.sheets.parts import of_cause, of_finding, of_result, sorted_problems
from egressprobe.cli.output.sheets.report import result_cell, tags
from egressprobe.cli.output.subnet_table import SHOWN_WITH_CAUSE, cause_lines, cell_text, footer, summary_line
from egressprobe.cli.output.terminal import ORDER
from egressprobe.model.joined_report import Cell, Joined, Row
from egressprobe.model.report import Report, Result
from egressprobe.model.target import Verdict

type Results = dict[tuple[str, str], tuple[Result, Report]]


def joined_sheet(joined: Joined) -> Sheet:
    """A subnet whose probe did not respond is unknown in every row; its reason is among the notes."""
    rows = sorted(joined.rows, key=lambda row: ORDER.index(row.verdict))
    results = {
        (result.target.name, report.vantage.subnet_id or ""): (result, report)
        for report in joined.reports
        for result in report.results
    }
    return Sheet(
        title=f"Egress of {joined.cluster_name}",
        headline=summary_line(joined),
        verdict=joined.verdict,
        cluster=joined.cluster_name,
        made_at=joined.started_at,
        seconds=joined.duration_ms / 1e3,
        facts=(("run", joined.run_id), *((view.subnet_id, view.error) for view in joined.views if view.error)),
        columns=tuple((view.availability_zone or view.subnet_id, view.subnet_id) for view in joined.views),
        rows=tuple(_row(row, joined, results) for row in rows),
        problems=sorted_problems(
            (*map(of_cause, joined.causes), *_failing(joined, results), *map(of_finding, joined.findings))
        ),
        notes=tuple(footer(joined)),
    )


def _row(row: Row, joined: Joined, results: Results) -> SheetRow:
    return SheetRow(
        name=row.target.name,
        kind=row.target.kind,
        url=row.target.url,
        verdict=row.verdict,
        impact=row.impact,
        cells=tuple(_cell(cell, row, joined, results) for cell in row.cells),
        tags=tags(row.target, switch_relevant=row.switch_relevant),
    )


def _cell(cell: Cell, row: Row, joined: Joined, results: Results) -> SheetCell:
    """With its root cause, where one is known. Of a report that was cut the code and the time are left."""
    causes = [cause for cause in joined.causes if cause.target == row.target.name and cell.subnet_id in cause.subnets]
    details = [pair for cause in causes for pair in cause_lines(cause, len(cause.subnets))]
    known = SheetCell(
        cell.subnet_id, cell_text(cell), cell.verdict, cell.code or "", cell.seconds, subnet=cell.subnet_id
    )
    if (row.target.name, cell.subnet_id) in results:
        result, report = results[row.target.name, cell.subnet_id]
        measured = result_cell(result, cell.subnet_id, cell.subnet_id, report.started_at)
        details += [pair for pair in measured.details if not causes or pair[0] in SHOWN_WITH_CAUSE]
        known = known._replace(phases=measured.phases, expires=measured.expires)
    return known._replace(details=tuple(details))


def _failing(joined: Joined, results: Results) -> Iterator[SheetProblem | None]:
    """What does not pass and has no cause: the failure, once for the subnets that met the same."""
    diagnosed = {(cause.target, subnet) for cause in joined.causes for subnet in cause.subnets}
    alike: dict[tuple[str, ...], list[str]] = {}
    first: dict[tuple[str, ...], Result] = {}
    for (name, subnet), (result, _) in results.items():
        if result.verdict is not Verdict.PASS and (name, subnet) not in diagnosed:
            failure = (result.failure.code, result.failure.message) if result.failure else ()
            key = (name, result.verdict, *failure, *(finding.code for finding in result.findings))
            alike.setdefault(key, []).append(subnet)
            first.setdefault(key, result)
    for key, subnets in alike.items():
        yield of_result(first[key], f"{key[0]} from {', '.join(subnets)}")
