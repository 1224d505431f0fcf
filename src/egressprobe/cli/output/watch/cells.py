"""Reports into rounds of `watch`, with the details that tables have."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from egressprobe.cli.output.subnet_table import cause_lines
from egressprobe.cli.output.table import details
from egressprobe.model.joined_report import Joined, Row
from egressprobe.model.report import Report, Result
from egressprobe.model.target import Verdict
from egressprobe.watching.rounds import MOST_DETAILS, WatchedCell, WatchRound

HERE = "here"


def of_report(report: Report, at: float) -> WatchRound:
    """A round of probes of this computer, which has one column."""
    cells = tuple(_cell(result, HERE, at, details(result)) for result in report.results)
    return WatchRound(at, cells, report.duration_ms / 1e3)


def of_joined(joined: Joined) -> WatchRound:
    """The matrix of an on-demand run; the details of a target are those of its causes, then of the subnet."""
    at = datetime.fromisoformat(joined.started_at).timestamp()
    results = {
        (result.target.name, report.vantage.subnet_id): result for report in joined.reports for result in report.results
    }
    cells = []
    for row in joined.rows:
        for cell in row.cells:
            result = results.get((row.target.name, cell.subnet_id))
            lines = [*_causes(row, joined, cell.subnet_id), *(details(result) if result else ())]
            cause = result.failure.message if result and result.failure else ""
            code = str(cell.code or "")
            cells.append(
                WatchedCell(row.target.name, cell.subnet_id, cell.verdict, at, code, cell.seconds, cause, _first(lines))
            )
    trouble = "; ".join(f"no answer from {view.subnet_id}: {view.error}" for view in joined.views if view.error)
    return WatchRound(at, tuple(cells), joined.duration_ms / 1e3, trouble=trouble)


def _causes(row: Row, joined: Joined, subnet: str) -> Iterator[tuple[str, str]]:
    for cause in joined.causes:
        if cause.target == row.target.name and subnet in cause.subnets:
            yield from cause_lines(cause, len(row.cells))


def _cell(result: Result, subnet: str, at: float, lines: Iterable[tuple[str, str]]) -> WatchedCell:
    failed = result.verdict is not Verdict.PASS and result.failure is not None
    return WatchedCell(
        target=result.target.name,
        subnet=subnet,
        verdict=result.verdict,
        at=at,
        code=str(result.failure.code) if failed and result.failure else "",
        seconds=result.forecast.seconds if result.forecast else None,
        cause=result.failure.message if result.failure else "",
        details=_first(lines),
    )


def _first(lines: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(lines)[:MOST_DETAILS]
