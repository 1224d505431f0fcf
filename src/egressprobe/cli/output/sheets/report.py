"""The report of one run as a sheet: one column, the place that was probed from."""

from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetRow, column_key
from egressprobe.cli.output.sheets.parts import expectation, expiry, of_finding, of_result, sorted_problems
from egressprobe.cli.output.table import call_text, details, footer, phase_times, summary_line
from egressprobe.cli.output.terminal import ORDER
from egressprobe.model.report import Report, Result, TargetView


def report_sheet(report: Report) -> Sheet:
    """In the order of the table; a target that does not pass is a problem too, with its fix."""
    at = report.vantage
    column = (at.availability_zone or at.subnet_id or "from here", at.subnet_id or "")
    results = sorted(report.results, key=lambda result: ORDER.index(result.verdict))
    rows = [
        SheetRow(
            name=result.target.name,
            kind=result.target.kind,
            url=result.target.url,
            verdict=result.verdict,
            impact=result.impact,
            cells=(result_cell(result, column_key(column), at.subnet_id or "", report.started_at),),
            tags=tags(result.target, switch_relevant=result.switch_relevant),
        )
        for result in results
    ]
    return Sheet(
        title=f"Egress of {at.cluster_name}" if at.cluster_name else "Egress",
        headline=summary_line(report),
        verdict=report.verdict,
        cluster=at.cluster_name or "",
        made_at=report.started_at,
        seconds=report.duration_ms / 1e3,
        facts=(("run", report.run_id), ("egressprobe", at.version)),
        columns=(column,),
        rows=tuple(rows),
        problems=sorted_problems(
            (*(of_result(result, result.target.name) for result in results), *map(of_finding, report.findings))
        ),
        notes=tuple(filter(None, footer(report))),
    )


def result_cell(result: Result, column: str, subnet: str, started_at: str) -> SheetCell:
    """A result as a cell. started_at: of its run, RFC 3339."""
    return SheetCell(
        column=column,
        text=call_text(result),
        verdict=result.verdict,
        code=result.failure.code if result.failure else "",
        seconds=result.forecast.seconds if result.forecast else None,
        phases=tuple((str(phase), round(value / 1e3, 6)) for phase, value in phase_times(result).items()),
        expires=expiry(result, started_at),
        details=tuple(details(result)),
        subnet=subnet,
    )


def tags(target: TargetView, *, switch_relevant: bool) -> tuple[tuple[str, str], ...]:
    """What decides how much a target matters."""
    known = (
        ("switch relevant", "yes" if switch_relevant else "no"),
        ("failurePolicy", target.failure_policy or ""),
        *expectation(target.expect),
        ("affects", target.affects),
        ("owner", target.owner or ""),
        ("severity", target.severity or ""),
    )
    return tuple((label, str(text)) for label, text in known if text)
