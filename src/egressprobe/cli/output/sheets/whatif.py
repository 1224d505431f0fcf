"""A trial of a plan as a sheet: the paths that it changes, before and after. Nothing in it was measured."""

from collections.abc import Iterator

from egressprobe.audit.whatif.result import Effect, PathEffect, WhatIf
from egressprobe.cli.output.audit_table import source_line
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetProblem, SheetRow
from egressprobe.cli.output.sheets.parts import anchor, evidence, expectation, of_finding, sorted_problems
from egressprobe.cli.output.terminal import ORDER
from egressprobe.cli.output.whatif_table import (
    STATES,
    STATUS,
    footer,
    is_wanted,
    is_wrong,
    path_name,
    plan_line,
    summary_line,
)
from egressprobe.model.report import worst
from egressprobe.model.target import Verdict

_VERDICTS: dict[Effect, Verdict] = {
    "closes": Verdict.FAIL,
    "unknown": Verdict.UNKNOWN,
    "opens": Verdict.PASS,
    "ends": Verdict.PASS,
}


def whatif_sheet(result: WhatIf) -> Sheet:
    """A row for each target whose paths change; a subnet where nothing changes is empty in it."""
    columns = {path.subnet: (path.zone or path.subnet, path.subnet) for path in result.paths}
    rows: dict[tuple[str, ...], list[PathEffect]] = {}
    for path in result.paths:
        rows.setdefault((path_name(path), path.expect), []).append(path)
    sheet_rows = [_row(name, paths) for (name, _), paths in rows.items()]
    refused = tuple(
        (f"{STATUS[step.status]} {step.name} ({step.action})", "; ".join(step.why))
        for step in result.steps
        if step.status in ("refused", "unmodelled")
    )
    return Sheet(
        title=f"Effect of {result.plan} on {result.cluster_name or result.vpc}",
        headline=summary_line(result),
        verdict=result.verdict,
        cluster=result.cluster_name,
        made_at=result.taken_at,
        seconds=0.0,
        facts=(("plan", plan_line(result)), ("VPC", source_line(result)), *refused),
        columns=tuple(columns.values()),
        rows=tuple(sorted(sheet_rows, key=lambda row: ORDER.index(row.verdict))),
        problems=sorted_problems(_problems(result)),
        notes=tuple(footer(result)),
        probed=False,
    )


def _problems(result: WhatIf) -> Iterator[SheetProblem]:
    """What closes a path or leaves one that must be blocked open, what is unknown, and findings that come and go."""
    for path in result.paths:
        if is_wrong(path) or (path.effect in ("closes", "unknown") and not is_wanted(path)):
            wrong = "must be blocked, and is not" if is_wrong(path) else ""
            yield SheetProblem(
                code=path.code,
                severity="warning" if path.effect == "unknown" else "error",
                summary=path.cause or "; ".join(path.why) or wrong,
                affects=f"{path_name(path)} from {path.subnet}",
                evidence=evidence({"by": path.steps, **path.evidence}),
                docs=anchor(path.code),
            )
    yield from map(of_finding, result.findings)
    for finding in result.resolved:
        yield of_finding(finding)._replace(severity="info", summary=f"resolved: {finding.summary}")


def _row(name: str, paths: list[PathEffect]) -> SheetRow:
    cells = tuple(map(_cell, paths))
    return SheetRow(
        name=name,
        kind="",
        url=", ".join(dict.fromkeys(address for path in paths for address in path.addresses)),
        verdict=worst(cell.verdict for cell in cells),
        impact="",
        cells=cells,
        tags=expectation(paths[0].expect),
    )


def _cell(path: PathEffect) -> SheetCell:
    details = (
        ("cause", path.cause),
        *(("why", text) for text in path.why),
        ("by", ", ".join(path.steps)),
    )
    return SheetCell(
        column=path.subnet,
        text=f"{STATES[path.before]} -> {STATES[path.after]} {path.code}".rstrip(),
        verdict=Verdict.FAIL if is_wrong(path) else Verdict.PASS if is_wanted(path) else _VERDICTS[path.effect],
        code=path.code,
        details=tuple((label, text) for label, text in details if text),
        subnet=path.subnet,
        family=path.family,
    )
