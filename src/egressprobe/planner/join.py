"""A joined report as the Planner's answer: below what a synchronous invocation may return."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.model.joined_report import JOINED_SCHEMA, Cell, Joined, RefusedTarget, Row, View
from egressprobe.model.report import Finding, Report, Result, TargetView, count, worst
from egressprobe.model.target import Impact, Verdict
from egressprobe.publish.response import MAX_RESPONSE, REDUCTIONS


class Heard(msgspec.Struct, frozen=True):
    """What came back from one subnet: reports of the parts that were asked for, and what went wrong."""

    subnet_id: str
    availability_zone: str
    reports: tuple[Report, ...]
    error: str | None = None


def join(
    heard: Sequence[Heard],
    targets: Sequence[TargetView],
    *,
    run_id: str,
    started_at: str,
    duration_ms: float,
    cluster_name: str,
    refused: Sequence[RefusedTarget] = (),
    findings: Sequence[Finding] = (),
) -> Joined:
    """`targets`: what was asked for; each becomes a row, whether anyone answered or not."""
    seen = [{one.target.name: one for report in view.reports for one in report.results} for view in heard]
    rows = tuple(_row(target, heard, seen) for target in targets)
    views = tuple(_view(view, found, targets) for view, found in zip(heard, seen, strict=True))
    verdicts = [row.verdict for row in rows]
    reports = tuple(report for view in heard for report in view.reports)
    return Joined(
        schema_version=JOINED_SCHEMA,
        run_id=run_id,
        started_at=started_at,
        duration_ms=duration_ms,
        cluster_name=cluster_name,
        verdict=worst(verdicts),
        summary=count(verdicts),
        views=views,
        rows=rows,
        reports=reports,
        refused=tuple(refused),
        findings=tuple(findings),
        limits=next((report.limits for report in reports), ""),
    )


def _row(target: TargetView, heard: Sequence[Heard], seen: Sequence[dict[str, Result]]) -> Row:
    found = [results.get(target.name) for results in seen]
    known = next((one for one in found if one), None)
    cells = tuple(_cell(view.subnet_id, one) for view, one in zip(heard, found, strict=True))
    return Row(
        target=known.target if known else target,
        verdict=worst(cell.verdict for cell in cells),
        impact=known.impact if known else Impact.NONE,
        switch_relevant=known.switch_relevant if known else False,
        cells=cells,
    )


def _cell(subnet_id: str, one: Result | None) -> Cell:
    if one is None:
        return Cell(subnet_id, Verdict.UNKNOWN)
    return Cell(
        subnet_id,
        one.verdict,
        one.failure.code if one.failure and one.verdict is not Verdict.PASS else None,
        round(one.forecast.seconds, 3) if one.forecast else None,
    )


def _view(view: Heard, found: dict[str, Result], targets: Sequence[TargetView]) -> View:
    verdicts = [found[t.name].verdict if t.name in found else Verdict.UNKNOWN for t in targets]
    slowest = max((report.duration_ms for report in view.reports), default=0.0)
    return View(view.subnet_id, view.availability_zone, worst(verdicts), count(verdicts), slowest, view.error)


# Of those left where nothing else can go.
_MOST_CAUSES = 200


def joined_response(joined: Joined, limit: int = MAX_RESPONSE) -> dict[str, Any]:
    """A joined report below `limit` bytes: details of the reports go first, then whole reports, then cells that pass.

    What fails stays; of more failing rows than fit the first are kept, and the summary counts all.
    """
    encoded = msgspec.json.encode(joined)
    if len(encoded) >= limit:
        note = REPORT_REDUCED.found("details were left out to fit the response", {"limitBytes": limit})
        joined = replace(joined, findings=(*joined.findings, note))
        for smaller in _smaller(joined):
            encoded = msgspec.json.encode(smaller)
            if len(encoded) < limit:
                break
    answer: dict[str, Any] = msgspec.json.decode(encoded)
    return answer


def _smaller(joined: Joined) -> Iterator[Joined]:
    for step in REDUCTIONS:
        reports = tuple(replace(one, results=tuple(map(step, one.results))) for one in joined.reports)
        yield replace(joined, reports=reports)
    joined = replace(joined, reports=())
    yield joined
    rows = tuple(replace(row, target=replace(row.target, addresses=(), objects=(), affects="")) for row in joined.rows)
    joined = replace(joined, rows=rows)
    yield joined
    rows = tuple(row for row in rows if row.verdict is not Verdict.PASS)
    joined = replace(joined, causes=tuple(replace(one, evidence={}) for one in joined.causes[:_MOST_CAUSES]))
    while True:
        yield replace(joined, rows=rows)
        rows = rows[: len(rows) // 2]
