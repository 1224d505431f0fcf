"""The words of a preflight that every format has: the decision and why, groups of rows, and cells."""

from egressprobe.cli.output.terminal import SHOWN, ms, short
from egressprobe.model.target import Verdict
from egressprobe.readiness.result import Decision, DecisionReason, MatrixCell, MatrixRow, Preflight, Relation


def headline(preflight: Preflight) -> str:
    """The decision and what decides it, in one line."""
    if preflight.decision is Decision.GO:
        return f"GO  {_why_go(preflight)}"
    wanted = [reason for reason in preflight.reasons if reason.decision is preflight.decision] or preflight.reasons
    more = len(preflight.reasons) - 1
    rest = f"; {more} more reason{'s' if more > 1 else ''}" if more > 0 else ""
    return f"{preflight.decision}  {reason_text(wanted[0])}{rest}" if wanted else str(preflight.decision)


def _why_go(preflight: Preflight) -> str:
    moved = [row for row in preflight.rows if row.switch_relevant]
    deciding = [row for row in moved if not row.advisory]
    where = f"from {counted(len(preflight.cluster.subnets), 'subnet')} in {counted(preflight.rounds, 'round')}"
    warned = sum(row.verdict is Verdict.DEGRADED for row in moved)
    warnings = f", {counted(warned, 'warning')}" if warned else ""
    if not deciding:
        return f"no webhook, API or login is on the path that the switch moves{warnings}"
    return f"every target on the switched path ({len(deciding)}) passes {where}{warnings}"


def reason_text(reason: DecisionReason) -> str:
    """One reason of the decision."""
    code = f" ({reason.code})" if reason.code else ""
    return f"{short(reason.subject)}: {reason.summary}{code}"


def group_title(row: MatrixRow) -> str:
    """What a row has to do with the switch, as the title of its group."""
    if row.relation is Relation.BY_SWITCH:
        return "Would break by the switch"
    if row.relation is Relation.TODAY:
        return "Broken today, not by the switch"
    if row.verdict in (Verdict.UNKNOWN, Verdict.FAIL):
        return "Not known"
    return "Warnings" if row.verdict is Verdict.DEGRADED else "Passing"


def cell_text(cell: MatrixCell | None, rounds: int, *, code: bool = True) -> str:
    """The median of the predicted call, or the verdict with its code; in how many rounds, where they differ."""
    if cell is None:
        return "-"
    if cell.verdict is Verdict.PASS:
        text = "pass" if cell.median_ms is None else ms(cell.median_ms)
    else:
        text = SHOWN[cell.verdict] + (f" {cell.code}" if cell.code and code else "")
        times = sum(verdict is cell.verdict for verdict in cell.rounds)
        text += f" {times}/{rounds}" if times != rounds and rounds > 1 else ""
    return f"{text} (configured: {cell.configured.upper()})" if contradicts(cell) and code else text


def contradicts(cell: MatrixCell) -> bool:
    """Whether the configuration closes what did not fail."""
    return cell.configured in ("closed", "partial") and cell.verdict is not Verdict.FAIL


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
