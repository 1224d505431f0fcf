"""Outages and availability as a sheet: a column for each subnet, and one for all of them, which decides."""

from collections.abc import Iterator

from egressprobe.cli.output.observed.history_table import (
    by_need,
    cell_text,
    failed_text,
    footer,
    minutes,
    outage_text,
    outage_time,
    percent,
    summary_line,
)
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetProblem, SheetRow
from egressprobe.model.target import Verdict
from egressprobe.observability.history.result import HistoryCell, HistoryRow, OutageHistory, TargetOutage

_ALL = ("all subnets", "")
MISSED, ONGOING = "objective_missed", "outage_ongoing"
_MOST_PROBLEMS = 100


def history_sheet(history: OutageHistory) -> Sheet:
    """A problem for each outage of a target that missed the objective, and for each that goes on."""
    rows = sorted(history.rows, key=by_need)
    zones = {subnet.id: subnet.zone for subnet in history.subnets}
    ids = sorted({cell.subnet_id for row in rows for cell in row.cells})
    return Sheet(
        title=f"Availability of {history.cluster_name or history.stack}",
        headline=summary_line(history),
        verdict=history.verdict,
        cluster=history.cluster_name,
        made_at=history.started_at,
        seconds=history.duration_ms / 1e3,
        facts=(
            ("stack", history.stack),
            ("from", history.since),
            ("to", history.until),
            ("objective", f"{history.objective:g}%"),
            *((tally.subnet_id, percent(tally.tally)) for tally in history.subnet_tallies),
        ),
        columns=(_ALL, *((zones.get(subnet) or subnet, subnet) for subnet in ids)),
        rows=tuple(_row(row, history) for row in rows),
        problems=tuple(_problems(history))[:_MOST_PROBLEMS],
        notes=tuple(footer(history)),
        probed=False,
    )


def _row(row: HistoryRow, history: OutageHistory) -> SheetRow:
    outages = [outage for outage in history.outages if outage.target == row.target]
    details = (
        ("budget", f"{minutes(row.budget_left)} left of {minutes(row.budget_minutes)}"),
        ("unknown", minutes(row.tally.unknown)),
        *(("outage", _text(outage, history)) for outage in outages[:5]),
    )
    code = MISSED if row.verdict is Verdict.FAIL else ONGOING if row.verdict is Verdict.DEGRADED else ""
    text = f"{percent(row.tally)}, {failed_text(row.tally)} failed"
    return SheetRow(
        name=row.target,
        kind="",
        url=row.url,
        verdict=row.verdict,
        impact=row.impact or "",
        cells=(SheetCell(_ALL[0], text, row.verdict, code, details=details), *map(_cell, row.cells)),
    )


def _cell(cell: HistoryCell) -> SheetCell:
    return SheetCell(
        column=cell.subnet_id,
        text=cell_text(cell).removeprefix(f"{cell.subnet_id} "),
        verdict=cell.verdict,
        code=MISSED if cell.verdict is Verdict.FAIL else "",
        subnet=cell.subnet_id,
    )


def _problems(history: OutageHistory) -> Iterator[SheetProblem]:
    missed = {row.target for row in history.rows if row.verdict is Verdict.FAIL}
    for severity, wanted in (("error", True), ("warning", False)):
        for outage in history.outages:
            if (outage.target in missed) is wanted and (wanted or outage.ongoing):
                yield SheetProblem(
                    code=MISSED if wanted else ONGOING,
                    severity=severity,
                    summary=_text(outage, history),
                    affects=outage.target,
                    evidence=(("cause", outage.cause),) if outage.cause else (),
                )


def _text(outage: TargetOutage, history: OutageHistory) -> str:
    return f"{outage_time(outage, history)}: {outage_text(outage)}"
