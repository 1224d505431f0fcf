"""What flow logs saw as a sheet: a column for each subnet; rows of the probes, then those of the control plane."""

from collections.abc import Iterator

from egressprobe.cli.output.observed.flows_table import (
    PROVES,
    STATES,
    cell_text,
    footer,
    is_dated,
    place_text,
    summary_line,
)
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetProblem, SheetRow
from egressprobe.cli.output.sheets.parts import expectation, sorted_problems
from egressprobe.cli.output.terminal import ORDER, some
from egressprobe.model.target import Expect, Verdict
from egressprobe.observability.flows.result import PROBE, FlowCell, FlowRow, Flows

_SEVERITIES = {Verdict.FAIL: "error", Verdict.DEGRADED: "warning"}


def flows_sheet(flows: Flows) -> Sheet:
    """A target has a row for the probes, and one for the control plane where that was seen."""
    dated = is_dated(flows)
    rows = sorted(flows.rows, key=lambda row: (row.kind != PROBE, ORDER.index(row.verdict)))
    return Sheet(
        title=f"Flow logs of {flows.cluster_name or flows.stack}",
        headline=summary_line(flows),
        verdict=flows.verdict,
        cluster=flows.cluster_name,
        made_at=flows.started_at,
        seconds=flows.duration_ms / 1e3,
        facts=(("stack", flows.stack), ("from", flows.since), ("to", flows.until)),
        columns=tuple((subnet.zone or subnet.id, subnet.id) for subnet in flows.subnets),
        rows=tuple(_row(row, dated=dated) for row in rows),
        problems=sorted_problems(problem for row in rows for problem in _problems(row, dated=dated)),
        notes=(*footer(flows), *(f"Create a flow log: {command}" for command in flows.create)),
        probed=False,
    )


def _row(row: FlowRow, *, dated: bool) -> SheetRow:
    expected = expectation(Expect(row.expect))
    return SheetRow(
        name=row.target if row.kind == PROBE else f"{row.target} ({row.kind})",
        kind=row.kind,
        url=row.url,
        verdict=row.verdict,
        impact=row.impact or "",
        cells=tuple(_cell(cell, dated=dated) for cell in row.cells),
        group="" if row.kind == PROBE else "From the control plane",
        tags=(("interface", row.kind), *expected),
    )


def _cell(cell: FlowCell, *, dated: bool) -> SheetCell:
    wrong = cell.verdict is not Verdict.PASS
    means = (("cause", PROVES[cell.state]),) if wrong and cell.state in PROVES else ()
    records = tuple(("records", place_text(place, dated=dated)) for place in cell.places)
    return SheetCell(
        column=cell.subnet_id,
        text=cell_text(cell),
        verdict=cell.verdict,
        code=f"flow_{cell.state}" if wrong else "",
        details=(*means, *records),
        subnet=cell.subnet_id,
    )


def _problems(row: FlowRow, *, dated: bool) -> Iterator[SheetProblem]:
    """A problem for each state in which a target's requests do not pass."""
    wrong = [cell for cell in row.cells if cell.verdict in _SEVERITIES]
    for state in dict.fromkeys(cell.state for cell in wrong):
        cells = [cell for cell in wrong if cell.state is state]
        places = [place for cell in cells for place in cell.places if place.state is state]
        blocked = "must be blocked, and is not; " if row.expect == Expect.BLOCKED else ""
        yield SheetProblem(
            code=f"flow_{state}",
            severity=_SEVERITIES[cells[0].verdict],
            summary=f"{blocked}{STATES[state]}: {PROVES.get(state, 'requests were accepted, and answered')}",
            affects=f"{row.target} from {some(tuple(cell.subnet_id for cell in cells))} ({row.kind})",
            evidence=tuple(("records", place_text(place, dated=dated)) for place in places[:4]),
        )
