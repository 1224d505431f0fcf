"""A sheet as JUnit XML: a suite for each column, a test case for each target, and what the report as a whole says.

As the schema of Jenkins' xUnit plugin has it (junit-10.xsd). A failing target is a failure, an unknown one an error: it
was not tried to its end. A degraded one passes, with its explanation as output. `--fail-on` changes that as it changes
the exit code: `degraded` makes failures of those too, `blocks` skips what fails and blocks no request. A target that
has no part in the verdict (of a preflight: one that the switch does not touch) is skipped, unless it passes.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from egressprobe.cli.output.documents.gate import fails, outcome_of
from egressprobe.cli.output.sheet import Sheet, SheetCell, SheetCheck, SheetProblem, SheetRow, column_key
from egressprobe.cli.output.terminal import ORDER, cut, printable, remedy
from egressprobe.model.target import Verdict

_MOST_MESSAGE = 500
_CHECKS = {"met": Verdict.PASS, "not met": Verdict.FAIL, "unknown": Verdict.UNKNOWN}
_SEVERITIES = {"error": Verdict.FAIL, "warning": Verdict.DEGRADED}
_SUITE_OF_ALL = "report"


class _JunitCase(NamedTuple):
    """outcome: failure, error, skipped, system-out, or empty for what passes with nothing to add. text: printable."""

    classname: str
    name: str
    outcome: str = ""
    kind: str = ""
    message: str = ""
    text: str = ""
    seconds: float = 0.0


class _JunitSuite(NamedTuple):
    name: str
    cases: tuple[_JunitCase, ...]

    def count(self, outcome: str) -> int:
        return sum(case.outcome == outcome for case in self.cases)


def to_junit(sheet: Sheet, fail_on: str = "fail") -> str:
    """fail_on: as the option of that name."""
    suites = [
        *(_column(sheet, column, fail_on) for column in sheet.columns),
        *_checks(sheet, fail_on),
        *_further(sheet, fail_on),
    ]
    suites.insert(0, _whole(sheet, fail_on))
    counts = {name: sum(suite.count(outcome) for suite in suites) for name, outcome in _COUNTED}
    attributes = {"name": "egressprobe", "tests": str(sum(len(suite.cases) for suite in suites)), **_counts(counts)}
    attributes["time"] = f"{sheet.seconds:.3f}"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{_attributes(attributes)}>"]
    for suite in suites:
        lines += _suite_lines(suite, sheet.made_at)
    return "\n".join((*lines, "</testsuites>"))


_COUNTED = (("failures", "failure"), ("errors", "error"))


def _counts(counts: dict[str, int]) -> dict[str, str]:
    return {name: str(count) for name, count in counts.items()}


def _column(sheet: Sheet, column: tuple[str, str], fail_on: str) -> _JunitSuite:
    key = column_key(column)
    by_code: dict[str, SheetProblem] = {problem.code: problem for problem in reversed(sheet.problems)}
    pairs = [(row, cell) for row in sheet.rows for cell in row.cells if cell.column == key]
    name = f"{key} ({column[0]})" if column[0] != key else key
    return _JunitSuite(name, tuple(_case(row, cell, by_code.get(cell.code), fail_on) for row, cell in pairs))


def _case(row: SheetRow, cell: SheetCell, problem: SheetProblem | None, fail_on: str) -> _JunitCase:
    details = cell.details or (tuple(_problem_details(problem)) if problem else ())
    message = next((text for label, text in details if label in ("cause", "finding", "why")), cell.text)
    outcome = outcome_of(cell.verdict, row.impact, fail_on)
    if outcome and not row.counted:
        outcome, message = "skipped", f"{row.group or 'suppressed'}: {message}"
    elif outcome == "skipped":
        message = f"fails, but blocks no request ({row.impact}): {message}"
    return _JunitCase(
        classname=".".join(filter(None, ("egressprobe", row.kind))),
        name=row.name,
        outcome=outcome,
        kind=(cell.code if outcome else "") or cell.verdict,
        message=message,
        text="\n".join(_labelled((("result", cell.text), *details))),
        seconds=cell.seconds or 0.0,
    )


def _problem_details(problem: SheetProblem) -> Iterator[tuple[str, str]]:
    yield "cause", f"{problem.summary} ({problem.code})" if problem.code else problem.summary
    if problem.affects:
        yield "affects", problem.affects
    if problem.remedy:
        from msgspec import UNSET

        yield from remedy(problem.remedy.split("\n"), problem.steps or UNSET)


def _labelled(details: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"{label:<9} {printable(text)}" for label, text in details)


def _checks(sheet: Sheet, fail_on: str) -> Iterator[_JunitSuite]:
    if sheet.checks:
        yield _JunitSuite("checks", tuple(_check(check, sheet, fail_on) for check in sheet.checks))


def _check(check: SheetCheck, sheet: Sheet, fail_on: str) -> _JunitCase:
    """One that is not met and does not decide (it was not met before either) passes, with its summary as output."""
    verdict = _CHECKS[check.state]
    decides = ORDER.index(verdict) >= ORDER.index(sheet.verdict)
    outcome = outcome_of(verdict, "", fail_on) if decides else "system-out"
    return _JunitCase("egressprobe.checks", check.title, outcome, check.state, check.summary)


def _further(sheet: Sheet, fail_on: str) -> Iterator[_JunitSuite]:
    """Problems that are of no target: of the cluster or the VPC as a whole. A preflight has decided what they mean."""
    shown = {cell.code for row in sheet.rows for cell in row.cells}
    problems = [
        problem
        for problem in sheet.problems
        if problem.severity in _SEVERITIES and not problem.affects and problem.code not in shown
    ]
    if problems and not sheet.decision:
        yield _JunitSuite("findings", tuple(_finding(problem, fail_on) for problem in problems))


def _finding(problem: SheetProblem, fail_on: str) -> _JunitCase:
    outcome = outcome_of(_SEVERITIES[problem.severity], "", fail_on)
    text = "\n".join(_labelled(_problem_details(problem)))
    name = f"{problem.code} {problem.affects}".strip()
    return _JunitCase("egressprobe.findings", name, outcome, problem.code, problem.summary, text)


def _whole(sheet: Sheet, fail_on: str) -> _JunitSuite:
    """The verdict of the report: it does not pass where its cases alone would."""
    outcome = outcome_of(sheet.verdict, "", fail_on)
    if fails(sheet, fail_on):
        outcome = "failure"
    elif outcome == "failure":
        outcome = "skipped"
    text = "\n".join(_labelled((*sheet.facts, *(("", note) for note in sheet.notes))))
    return _JunitSuite(
        _SUITE_OF_ALL,
        (
            _JunitCase(
                "egressprobe",
                sheet.title,
                outcome,
                sheet.decision or sheet.verdict,
                sheet.headline,
                text,
                sheet.seconds,
            ),
        ),
    )


def _suite_lines(suite: _JunitSuite, made_at: str) -> Iterator[str]:
    attributes = {
        "name": suite.name,
        "tests": str(len(suite.cases)),
        **_counts({name: suite.count(outcome) for name, outcome in _COUNTED}),
        "skipped": str(suite.count("skipped")),
        "timestamp": made_at,
        "time": f"{sum(case.seconds for case in suite.cases):.3f}",
    }
    yield f"  <testsuite{_attributes(attributes)}>"
    for case in suite.cases:
        known = {"classname": case.classname, "name": case.name, "time": f"{case.seconds:.3f}"}
        if not case.outcome:
            yield f"    <testcase{_attributes(known)}/>"
            continue
        yield f"    <testcase{_attributes(known)}>"
        if case.outcome == "system-out":
            yield f"      <system-out>{escape(f'{printable(case.message)}\n{case.text}'.strip())}</system-out>"
        else:
            about = {"type": case.kind, "message": cut(case.message, _MOST_MESSAGE)}
            yield f"      <{case.outcome}{_attributes(about)}>{escape(case.text)}</{case.outcome}>"
        yield "    </testcase>"
    yield "  </testsuite>"


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(printable(text))}" for name, text in values.items())
