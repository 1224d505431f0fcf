"""What `--fail-on` makes of a report: the exit code and JUnit's failures are decided here, so that they agree."""

from egressprobe.cli.output.sheet import Sheet
from egressprobe.model.target import Impact, Verdict


def outcome_of(verdict: Verdict, impact: str, fail_on: str) -> str:
    """What a verdict is in JUnit. An impact that is not known counts as one that blocks."""
    if verdict is Verdict.FAIL:
        return "skipped" if fail_on == "blocks" and impact not in ("", Impact.BLOCKS) else "failure"
    if verdict is Verdict.DEGRADED:
        return "failure" if fail_on == "degraded" else "system-out"
    return "error" if verdict is Verdict.UNKNOWN else ""


def fails(sheet: Sheet, fail_on: str) -> bool:
    """Whether the report fails by `--fail-on`.

    `fail`: by its verdict. `degraded`: also where anything in it is degraded. `blocks`: only if something that fails
    blocks requests: a target, or what is wrong with the cluster or the VPC as a whole.
    """
    if fail_on == "degraded" and Verdict.DEGRADED in (sheet.verdict, *_verdicts(sheet)):
        return True
    if fail_on != "blocks" or sheet.verdict is not Verdict.FAIL:
        return sheet.verdict is Verdict.FAIL
    failing = [row for row in sheet.rows if row.counted and row.verdict is Verdict.FAIL]
    blocking = any(outcome_of(row.verdict, row.impact, fail_on) == "failure" for row in failing)
    return blocking or not failing or any(check.state == "not met" for check in sheet.checks) or _of_no_target(sheet)


def _verdicts(sheet: Sheet) -> set[Verdict]:
    verdicts = {cell.verdict for row in sheet.rows if row.counted for cell in row.cells}
    warnings = any(problem.severity == "warning" for problem in sheet.problems) and not sheet.probed
    return verdicts | ({Verdict.DEGRADED} if warnings else set())


def _of_no_target(sheet: Sheet) -> bool:
    """Whether an error is not of a target: no cell has its code, and it names none."""
    shown = {cell.code for row in sheet.rows for cell in row.cells}
    return any(
        problem.severity == "error" and not problem.affects and problem.code not in shown for problem in sheet.problems
    )
