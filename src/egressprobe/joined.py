"""One answer from every subnet: a matrix target x subnet, and under it the reports it was made of.

A subnet whose probe did not answer is `unknown` in every row, with the reason in its view: never pass, never fail.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from egressprobe.failure import Code
from egressprobe.model import Impact, Verdict
from egressprobe.report import Finding, Report, Result, Summary, TargetView, count, worst

JOINED_SCHEMA = "egressprobe/joined/v1"


class Cell(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One target seen from one subnet; seconds: of the forecast call."""

    subnet_id: str
    verdict: Verdict
    code: Code | None = None
    seconds: float | None = None


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """One target; cells in the order of the views; the worst that some subnet says is its verdict."""

    target: TargetView
    verdict: Verdict
    impact: Impact
    switch_relevant: bool
    cells: tuple[Cell, ...] = ()


class View(msgspec.Struct, frozen=True, rename="camel"):
    """One subnet's probe. error: why it did not answer, or not for every target."""

    subnet_id: str
    availability_zone: str
    verdict: Verdict
    summary: Summary
    duration_ms: float
    error: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """What was asked for and is not in the inventory."""

    name: str
    why: str


class Cause(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Why a target fails from these subnets: one thing, and what follows from it.

    code: a finding's or a failure's. differs: what these subnets' ways have and the others' have not, in words.
    """

    target: str
    subnets: tuple[str, ...]
    code: str
    summary: str
    remedy: str
    evidence: dict[str, Any] = {}
    consequences: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


class Joined(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to an on-demand call of the Planner; summary counts rows."""

    schema_version: str
    run_id: str
    started_at: str
    duration_ms: float
    cluster_name: str
    verdict: Verdict
    summary: Summary
    views: tuple[View, ...]
    rows: tuple[Row, ...]
    reports: tuple[Report, ...]
    refused: tuple[Refused, ...] = ()
    findings: tuple[Finding, ...] = ()
    limits: str = ""
    causes: tuple[Cause, ...] = ()


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
    refused: Sequence[Refused] = (),
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
