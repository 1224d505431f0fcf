"""The causes of what fails or would fail, over all rounds, each with its fix. Pure.

Where the audit's finding explains it, its commands count: they are consistent with each other, and proven together. The
Planner's causes of each round, and what the probe itself found, explain the rest.
"""

from collections.abc import Iterator, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from egressprobe.audit.result import Audit
from egressprobe.catalog.registry import lookup
from egressprobe.model.joined_report import Cause
from egressprobe.model.report import Finding, Result
from egressprobe.readiness.matrix import ProbeRound, elsewhere, fails
from egressprobe.readiness.path_checks import blames_of, paths_of
from egressprobe.readiness.result import MatrixRow

# A finding names at most so many of its targets.
_MOST_NAMED = 20


def causes_of(rows: Sequence[MatrixRow], rounds: Sequence[ProbeRound], audit: Audit | None) -> tuple[Cause, ...]:
    """In the order of the rows; several for a target with several reasons."""
    return tuple(cause for row in rows for cause in _of_row(row, rounds, audit))


def _of_row(row: MatrixRow, rounds: Sequence[ProbeRound], audit: Audit | None) -> Iterator[Cause]:
    failing = [cell.subnet_id for cell in row.cells if fails(cell) and not elsewhere(cell)]
    decides = row.switch_relevant and not row.advisory
    closed = [cell.subnet_id for cell in row.cells if decides and cell.configured in ("closed", "partial")]
    subnets = list(dict.fromkeys((*failing, *closed)))
    if not subnets:
        return
    configured = list(_configured(row, subnets, audit))
    yield from configured
    explained = {(cause.code, subnet) for cause in configured for subnet in cause.subnets}
    others = [
        cause for cause in _diagnosed(row, rounds) if not all((cause.code, s) in explained for s in cause.subnets)
    ]
    yield from others
    known = {subnet for cause in (*configured, *others) for subnet in cause.subnets}
    yield from _measured(row, [subnet for subnet in failing if subnet not in known], rounds)


def _configured(row: MatrixRow, subnets: Sequence[str], audit: Audit | None) -> Iterator[Cause]:
    """The audit's findings on the paths of this target."""
    if audit is None:
        return
    blamed = {(path.subnet, blame.code) for path in paths_of([row], audit) for blame in blames_of(path)}
    addresses = {
        text for other in audit.rows if other.target.name == row.target.name for text in other.target.addresses
    }
    for finding in audit.findings:
        affected = finding.evidence.get("subnets", ())
        mine = tuple(subnet for subnet in subnets if subnet in affected and (subnet, finding.code) in blamed)
        targets = finding.evidence.get("targets", ())
        named = row.target.name in targets or len(targets) >= _MOST_NAMED
        named = named or bool(addresses & set(finding.evidence.get("addresses", ())))
        if mine and named:
            yield _cause(row.target.name, mine, finding)


def _cause(target: str, subnets: tuple[str, ...], finding: Finding) -> Cause:
    return Cause(
        target=target,
        subnets=subnets,
        code=finding.code,
        summary=finding.summary,
        remedy=finding.remedy,
        evidence=finding.evidence,
        remedy_steps=finding.remedy_steps,
    )


def _diagnosed(row: MatrixRow, rounds: Sequence[ProbeRound]) -> Iterator[Cause]:
    """The causes that the reports have, once for all rounds; the same one from other subnets is the same."""
    merged: dict[tuple[str, str], Cause] = {}
    for probed in rounds:
        for cause in probed.joined.causes if probed.joined else ():
            if cause.target == row.target.name:
                known = merged.get((cause.code, cause.summary), cause)
                subnets = tuple(dict.fromkeys((*known.subnets, *cause.subnets)))
                merged[cause.code, cause.summary] = replace(known, subnets=subnets)
    yield from merged.values()


def _measured(row: MatrixRow, subnets: Sequence[str], rounds: Sequence[ProbeRound]) -> Iterator[Cause]:
    """What the probes found where nothing else explains it; subnets with the same failure are one cause."""
    causes: dict[str, Cause] = {}
    for subnet in subnets:
        result = _failing_result(row.target.name, subnet, rounds)
        cell = next(cell for cell in row.cells if cell.subnet_id == subnet and fails(cell))
        cause = _of_result(row.target.name, subnet, result) if result else None
        if cause is None:
            code = str(cell.code or "")
            entry = lookup(code)
            summary, remedy = (entry.summary, entry.remedy) if entry else ("the report was cut: no details", "")
            cause = Cause(row.target.name, (subnet,), code, summary, remedy)
        known = causes.get(cause.code, cause)
        causes[cause.code] = replace(known, subnets=tuple(dict.fromkeys((*known.subnets, subnet))))
    yield from causes.values()


def _failing_result(target: str, subnet: str, rounds: Sequence[ProbeRound]) -> Result | None:
    for probed in rounds:
        for report in probed.joined.reports if probed.joined else ():
            if report.vantage.subnet_id == subnet:
                for result in report.results:
                    if result.target.name == target and result.failure is not None:
                        return result
    return None


def _of_result(target: str, subnet: str, result: Result) -> Cause | None:
    """An error that the probe found explains more than the failure that it leads to."""
    error = next((finding for finding in result.findings if finding.severity == "error"), None)
    if error is not None:
        return _cause(target, (subnet,), error)
    failure = result.failure
    if failure is None:
        return None
    entry = lookup(failure.code)
    remedy = failure.remedy or (entry.remedy if entry else "")
    evidence = {"phase": str(failure.phase)}
    return Cause(
        target,
        (subnet,),
        str(failure.code),
        failure.message,
        remedy,
        evidence,
        remedy_steps=failure.remedy_steps or UNSET,
    )
