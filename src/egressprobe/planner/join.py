"""The joined report as the Planner's response, below the size limit of a synchronous invocation."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.model.joined_report import JOINED_SCHEMA, Cell, Joined, RefusedTarget, Row, View
from egressprobe.model.report import Finding, Report, Result, TargetView, count, worst
from egressprobe.model.target import Impact, Verdict
from egressprobe.model.text import with_ellipsis
from egressprobe.publish.response import MAX_RESPONSE, fitting


class Heard(msgspec.Struct, frozen=True):
    """One subnet's answer: the reports of the requested shards, and the errors."""

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
    """`targets`: the requested targets; each becomes a row, answered or not."""
    by_name = [{result.target.name: result for report in view.reports for result in report.results} for view in heard]
    rows = tuple(_row(target, heard, by_name) for target in targets)
    views = tuple(_view(view, results, targets) for view, results in zip(heard, by_name, strict=True))
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


def _row(target: TargetView, heard: Sequence[Heard], by_name: Sequence[dict[str, Result]]) -> Row:
    results = [subnet_results.get(target.name) for subnet_results in by_name]
    first = next((result for result in results if result), None)
    cells = tuple(_cell(view.subnet_id, result) for view, result in zip(heard, results, strict=True))
    return Row(
        target=replace(first.target, owner=target.owner, severity=target.severity) if first else target,
        verdict=worst(cell.verdict for cell in cells),
        impact=first.impact if first else Impact.NONE,
        switch_relevant=first.switch_relevant if first else False,
        cells=cells,
    )


def _cell(subnet_id: str, result: Result | None) -> Cell:
    if result is None:
        return Cell(subnet_id, Verdict.UNKNOWN)
    return Cell(
        subnet_id,
        result.verdict,
        result.failure.code if result.failure and result.verdict is not Verdict.PASS else None,
        round(result.forecast.seconds, 3) if result.forecast else None,
    )


def _view(view: Heard, results: dict[str, Result], targets: Sequence[TargetView]) -> View:
    verdicts = [results[t.name].verdict if t.name in results else Verdict.UNKNOWN for t in targets]
    slowest = max((report.duration_ms for report in view.reports), default=0.0)
    return View(view.subnet_id, view.availability_zone, worst(verdicts), count(verdicts), slowest, view.error)


# How many items of each list stay when all else is removed, and how long their texts are.
_MAX_CAUSES = 200
_MAX_REFUSED = 100
_MAX_FINDINGS = 50
_MAX_TEXT = 1000


def joined_response(joined: Joined, limit: int = MAX_RESPONSE) -> dict[str, Any]:
    """A joined report below `limit` bytes, by removing in this order: details of the largest results, whole reports,
    rows that pass, long lists and texts, and then further rows.

    Failing rows are kept longest; the summary counts every row. Ends after a bounded number of steps, whatever the
    report holds; `limit` must leave room for an empty report (about 10 kB with texts at their bound).
    """
    encoded = msgspec.json.encode(joined)
    if len(encoded) >= limit:
        note = REPORT_REDUCED.found("details were left out to fit the response", {"limitBytes": limit})
        for smaller in _smaller(joined, note, limit):
            encoded = msgspec.json.encode(smaller)
            if len(encoded) < limit:
                break
    response: dict[str, Any] = msgspec.json.decode(encoded)
    return response


def _smaller(joined: Joined, note: Finding, limit: int) -> Iterator[Joined]:
    """Each is smaller than the one before; the last has nothing of unbounded length."""
    joined = replace(joined, findings=(*joined.findings, note))
    yield _with_largest_cut(joined, limit)
    joined = replace(joined, reports=())
    yield joined
    rows = tuple(replace(row, target=replace(row.target, addresses=(), objects=(), affects="")) for row in joined.rows)
    joined = replace(joined, rows=rows)
    yield joined
    rows = tuple(row for row in rows if row.verdict is not Verdict.PASS)
    joined = replace(joined, causes=tuple(replace(cause, evidence={}) for cause in joined.causes[:_MAX_CAUSES]))
    joined = _bounded(joined, note)
    yield replace(joined, rows=rows)
    joined = replace(joined, causes=())
    while rows:
        yield replace(joined, rows=rows)
        rows = rows[: len(rows) // 2]
    yield replace(
        joined, rows=(), refused=(), findings=(note,), views=tuple(_short_view(view) for view in joined.views)
    )


def _with_largest_cut(joined: Joined, limit: int) -> Joined:
    """The largest results of all subnets are cut first: a server that sends much costs its own details only."""
    empty = tuple(replace(report, results=()) for report in joined.reports)
    rest = len(msgspec.json.encode(replace(joined, reports=empty)))
    results, _ = fitting([result for report in joined.reports for result in report.results], limit - rest)
    remaining = iter(results)
    reports = (replace(report, results=tuple(islice(remaining, len(report.results)))) for report in joined.reports)
    return replace(joined, reports=tuple(reports))


def _bounded(joined: Joined, note: Finding) -> Joined:
    """With every list and text at its bound, and a count of what was left out."""
    refused = joined.refused[:_MAX_REFUSED]
    if len(joined.refused) > len(refused):
        more = RefusedTarget(
            f"{len(joined.refused) - len(refused)} more", "refused as well; left out to fit the response"
        )
        refused = (*refused, more)
    findings = tuple(
        replace(
            finding, summary=_short(finding.summary), remedy=_short(finding.remedy), evidence={}, remedy_steps=UNSET
        )
        for finding in joined.findings[:_MAX_FINDINGS]
    )
    return replace(
        joined,
        refused=tuple(RefusedTarget(_short(entry.name), _short(entry.why)) for entry in refused),
        findings=findings if note.code in {finding.code for finding in findings} else (*findings, note),
        views=tuple(_short_view(view) for view in joined.views),
        causes=tuple(
            replace(
                cause,
                summary=_short(cause.summary),
                remedy=_short(cause.remedy),
                differs=(),
                consequences=(),
                remedy_steps=UNSET,
            )
            for cause in joined.causes
        ),
        limits=_short(joined.limits),
    )


def _short_view(view: View) -> View:
    return replace(view, error=_short(view.error) if view.error else None)


def _short(text: str) -> str:
    return with_ellipsis(text, _MAX_TEXT)
