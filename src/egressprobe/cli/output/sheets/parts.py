"""What several sheets have in common: problems of findings and of results, matrix columns, names of families."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from egressprobe.catalog.advice import advice
from egressprobe.catalog.entry import steps
from egressprobe.catalog.registry import lookup, visible
from egressprobe.cli.output.sheet import SheetProblem
from egressprobe.cli.output.terminal import some
from egressprobe.model.joined_report import Cause
from egressprobe.model.report import Finding, Result
from egressprobe.model.target import Expect, Verdict

_SEVERITIES = ("error", "warning", "info")
# One certificate's date is the earliest expiry that a handshake reported, if both are this close: the handshake
# reports days with two digits, counted from its own time.
_SAME_EXPIRY_SECONDS = 1800.0
_DAY = 86400.0


def evidence(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Evidence as label and text; empty values are left out."""
    return tuple((label, _text(value)) for label, value in values.items() if value not in (None, "", [], (), {}))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def of_finding(finding: Finding, affects: str = "") -> SheetProblem:
    """A finding with its evidence and its fix."""
    return SheetProblem(
        code=finding.code,
        severity=finding.severity,
        summary=finding.summary,
        affects=affects,
        evidence=evidence(finding.evidence),
        remedy=finding.remedy,
        steps=finding.remedy_steps or None,
        docs=anchor(finding.code),
    )


def of_cause(cause: Cause) -> SheetProblem:
    """A root cause with the subnets it is met from."""
    further = {"differs": cause.differs, "effects": cause.consequences}
    return SheetProblem(
        code=cause.code,
        severity="error",
        summary=cause.summary,
        affects=f"{cause.target} from {some(cause.subnets)}" if cause.subnets else cause.target,
        evidence=evidence({**cause.evidence, **further}),
        remedy=cause.remedy,
        steps=cause.remedy_steps or None,
        docs=anchor(cause.code),
    )


def of_result(result: Result, affects: str) -> SheetProblem | None:
    """What is wrong with a target that does not pass, with the fix that its table shows; None if it passes."""
    if result.verdict is Verdict.PASS:
        return None
    findings = visible(result.findings)
    leading = next((finding for finding in findings if finding.severity == "error"), next(iter(findings), None))
    code = result.failure.code if result.failure else leading.code if leading else ""
    summary = result.failure.message if result.failure else leading.summary if leading else "it was not measured"
    check, fix = advice(result)
    error = result.failure.api_server_error if result.failure else None
    return SheetProblem(
        code=code,
        severity="error" if result.verdict is Verdict.FAIL else "warning",
        summary=summary,
        affects=affects,
        evidence=evidence(
            {"kube-apiserver logs": error}
            | {finding.code: finding.summary for finding in findings if finding.summary != summary}
        ),
        remedy="\n".join(fix),
        steps=steps(check, fix),
        docs=anchor(code),
    )


def anchor(code: str) -> str:
    """Where docs/findings.md explains a code; empty where it does not."""
    entry = lookup(code)
    return entry.code.lower() if entry else ""


def sorted_problems(problems: Iterable[SheetProblem | None]) -> tuple[SheetProblem, ...]:
    """Errors first; those that differ only in whom they affect are one."""
    merged: dict[tuple[str, str, str], SheetProblem] = {}
    affected: dict[tuple[str, str, str], list[str]] = {}
    for problem in problems:
        if problem:
            key = (problem.code, problem.summary, problem.remedy)
            merged.setdefault(key, problem)
            affected.setdefault(key, []).append(problem.affects)
    unique = [
        problem._replace(affects=some(tuple(dict.fromkeys(filter(None, affected[key])))))
        for key, problem in merged.items()
    ]
    return tuple(sorted(unique, key=lambda problem: _SEVERITIES.index(problem.severity)))


def expiry(result: Result, started_at: str) -> float | None:
    """The earliest expiry of the chains that a target's servers were judged by, Unix time in seconds; None without."""
    try:
        began = datetime.fromisoformat(started_at).timestamp()
    except ValueError:
        return None
    handshakes = [attempt.tls for attempt in result.attempts if attempt.tls and attempt.tls.days_remaining is not None]
    times = []
    for handshake in handshakes:
        reported = began + (handshake.days_remaining or 0.0) * _DAY
        presented = [time for time in map(_unix_time, (view.not_after for view in handshake.chain)) if time is not None]
        nearest = min(presented, key=lambda time: abs(time - reported), default=reported)
        times.append(nearest if abs(nearest - reported) <= _SAME_EXPIRY_SECONDS else reported)
    return min(times, default=None)


def _unix_time(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def expectation(expect: Expect) -> tuple[tuple[str, str], ...]:
    """As a tag, where a target must not be reached."""
    return (("expected", str(expect)),) if expect is Expect.BLOCKED else ()


def family_name(family: str) -> str:
    """`ipv4` as people write it."""
    return family.replace("ipv", "IPv")
