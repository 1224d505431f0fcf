"""GO, NO-GO or UNKNOWN, and why. Pure.

- GO: each call that the switch moves was seen to pass, from each of the cluster's subnets, in each round, and each
  family was seen; each prerequisite is met; and it is known that there are no other paths. Where one family fails and
  the other carries every call, the API server falls back as Go's dialer does: shown as degraded, not against GO.
- NO-GO: what was seen is enough to know that something would break. It cannot be undone, so one failing round, or a
  share of failing calls, is enough, whatever the impact.
- UNKNOWN: everything else.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from egressprobe.model.target import Expect, Impact, Verdict
from egressprobe.readiness.matrix import elsewhere, fails
from egressprobe.readiness.result import (
    CheckState,
    ClusterState,
    Decision,
    DecisionReason,
    MatrixCell,
    MatrixRow,
    Relation,
    SwitchCheck,
)

MANAGED, ROUTED = "AWS_MANAGED", "CUSTOMER_ROUTED"
_SEEN = frozenset({Verdict.PASS, Verdict.DEGRADED})
_CLOSED = {"closed": "closes this path", "partial": "closes this path for some calls"}
_BREAKS = {
    Impact.BLOCKS: "requests that need it are refused",
    Impact.DELAYS: "requests that need it are delayed",
    Impact.BYPASSES: "requests pass without it",
    Impact.NONE: "",
}


class Evidence(NamedTuple):
    """What is known. rounds: how many were to be made. gaps: what was not seen beside the rows, in sentences.

    local: probed from another computer than the control plane's subnets.
    """

    cluster: ClusterState
    rows: Sequence[MatrixRow]
    checks: Sequence[SwitchCheck]
    rounds: int
    gaps: Sequence[DecisionReason] = ()
    local: bool = False


def decide(evidence: Evidence) -> tuple[Decision, tuple[DecisionReason, ...]]:
    """The decision, and every reason against GO, the most important first."""
    reasons = [*_against(evidence), *_not_seen(evidence)]
    kinds = {reason.decision for reason in reasons}
    decision = next((kind for kind in (Decision.NO_GO, Decision.UNKNOWN) if kind in kinds), Decision.GO)
    return decision, tuple(dict.fromkeys(reasons))


def _against(evidence: Evidence) -> Iterator[DecisionReason]:
    for row in evidence.rows:
        # The probe reports an advisory target as degraded at worst.
        if row.switch_relevant and (not row.advisory or row.verdict is Verdict.FAIL):
            yield from _broken(row)
    for check in evidence.checks:
        if check.part == "prerequisite" and check.state is CheckState.NOT_MET:
            # A title is what must hold: "DNS hostnames are on: not met: they are off".
            yield DecisionReason(Decision.NO_GO, check.title, f"not met: {check.summary}", check.code)


def _broken(row: MatrixRow) -> Iterator[DecisionReason]:
    name, failing = row.target.name, [cell for cell in row.cells if fails(cell) and not elsewhere(cell)]
    if failing and row.relation is not Relation.TODAY:
        some = all(cell.verdict is Verdict.DEGRADED or _passed(cell) for cell in failing)
        where = f"from {_list(cell.subnet_id for cell in failing)}"
        words = f"{'some calls fail' if some else 'fails'} {where}"
        if row.target.expect is Expect.BLOCKED:
            words = f"must be blocked, and is not {where}"
        code = next((cell.code for cell in failing if cell.code), None)
        effect = f": {_BREAKS[row.impact]}" if _BREAKS[row.impact] else ""
        yield DecisionReason(Decision.NO_GO, name, words + effect, str(code or ""))
    if row.target.expect is Expect.BLOCKED:
        return
    for state, words in _CLOSED.items():
        closed = [cell.subnet_id for cell in row.cells if cell.configured == state and not fails(cell)]
        if closed:
            yield DecisionReason(Decision.NO_GO, name, f"the VPC's configuration {words} from {_list(closed)}")


def _passed(cell: MatrixCell) -> bool:
    return any(verdict in _SEEN for verdict in cell.rounds)


def _not_seen(evidence: Evidence) -> Iterator[DecisionReason]:
    cluster = evidence.cluster
    if evidence.local:
        yield _unknown("this computer", "the probes ran on this computer, not in the cluster's subnets")
    if cluster.mode not in (MANAGED, ROUTED):
        yield _unknown("egress mode", f"the cluster's egress mode is {cluster.mode or 'not reported'}")
    if not cluster.subnets:
        yield _unknown("subnets", "the cluster's subnets are not known")
    if evidence.rounds < 1:
        yield _unknown("rounds", "no round was made")
    yield from evidence.gaps
    for row in evidence.rows:
        if row.switch_relevant:
            yield from _unseen(row, evidence)
    for check in evidence.checks:
        if check.part == "prerequisite" and check.state is CheckState.UNKNOWN:
            yield _unknown(check.title, check.summary, check.code)


def _unseen(row: MatrixRow, evidence: Evidence) -> Iterator[DecisionReason]:
    name = row.target.name
    if row.relation is Relation.TODAY:
        code = next((str(cell.code) for cell in row.cells if cell.code), "")
        yield _unknown(name, "fails today before it connects, so the path behind was not seen", code)
        return
    families = {cell.family for cell in row.cells} - {""}
    if row.target.expect is Expect.BLOCKED:
        families = set()
    missing: dict[str, list[str]] = {}
    for subnet in evidence.cluster.subnets:
        here = [cell for cell in row.cells if cell.subnet_id == subnet]
        for why in _gaps_of(here, families, evidence.rounds, row):
            missing.setdefault(why, []).append(subnet)
    for why, subnets in missing.items():
        yield _unknown(name, f"{why} from {_list(subnets)}")


def _gaps_of(cells: Sequence[MatrixCell], families: set[str], rounds: int, row: MatrixRow) -> Iterator[str]:
    """What of one target from one subnet was not seen."""
    if not cells:
        yield "was not probed"
        return
    for cell in cells:
        unseen = sum(verdict is Verdict.UNKNOWN for verdict in cell.rounds) + max(rounds - len(cell.rounds), 0)
        if fails(cell) and not row.advisory:  # decides by itself
            continue
        if unseen >= rounds or not ({cell.verdict, *cell.rounds} <= _SEEN or unseen):
            yield "is unknown"
        elif unseen:
            yield f"is unknown in {unseen} of {rounds} rounds"
        elif not cell.family and row.target.expect is Expect.REACHABLE and not fails(cell):
            yield "passes, but the report does not show by which addresses,"
    for family in sorted(families - {cell.family for cell in cells}):
        if all(cell.family for cell in cells):
            yield f"was not probed by {family.replace('ip', 'IP')}"


def _unknown(subject: str, summary: str, code: str = "") -> DecisionReason:
    return DecisionReason(Decision.UNKNOWN, subject, summary, code)


def _list(names: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))
