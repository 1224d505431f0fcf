"""The decision: a table of what decides, and that nothing without evidence for a path that the switch moves is GO."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.model.failure import Code
from egressprobe.model.report import TargetView
from egressprobe.model.target import Expect, Impact, Kind, Verdict
from egressprobe.readiness.decision import Evidence, decide
from egressprobe.readiness.result import (
    LOCAL,
    CheckState,
    Decision,
    DecisionReason,
    MatrixCell,
    MatrixRow,
    Relation,
    SwitchCheck,
)
from tests.conftest import examples
from tests.support.preflights import CLUSTER

PASS, DEGRADED, FAIL, UNKNOWN = Verdict.PASS, Verdict.DEGRADED, Verdict.FAIL, Verdict.UNKNOWN
A, B = CLUSTER.subnets
GO, NO_GO, NOT_SURE = Decision.GO, Decision.NO_GO, Decision.UNKNOWN
HOOK = TargetView(Kind.WEBHOOK, "hook", "https://hook.example.com/")
MET = SwitchCheck("routes", "Routes", CheckState.MET, "as it should be")


def cell(subnet=A, *, family="ipv4", rounds=(PASS, PASS), verdict=None, code=None, configured="open"):
    order = (FAIL, UNKNOWN, DEGRADED, PASS)
    return MatrixCell(
        subnet,
        family,
        verdict or min(rounds, key=order.index, default=UNKNOWN),
        code,
        20.0,
        rounds,
        (20.0,),
        configured,
    )


def row(*cells, target=HOOK, relevant=True, relation=Relation.NONE, advisory=False, impact=Impact.BLOCKS):
    cells = cells or (cell(A), cell(B))
    order = (FAIL, UNKNOWN, DEGRADED, PASS)
    verdict = min((each.verdict for each in cells), key=order.index)
    return MatrixRow(target, verdict, impact, relevant, relation, cells, advisory)


def evidence(*rows, checks=(MET,), cluster=CLUSTER, rounds=2, gaps=(), local=False):
    return Evidence(cluster, rows, checks, rounds, gaps, local)


BAD = cell(A, rounds=(PASS, FAIL), code=Code.CONNECT_TIMEOUT)
BLOCKED = replace(HOOK, kind=Kind.ENDPOINT, expect=Expect.BLOCKED)
GAP = DecisionReason(NOT_SURE, "discovery", "not read")
CASES = {
    "everything seen and passing": (evidence(row()), GO),
    "no target at all": (evidence(), GO),
    "nothing that the switch moves": (evidence(row(relevant=False)), GO),
    "fails in one round": (evidence(row(BAD, cell(B))), NO_GO),
    "fails, and is bypassed": (evidence(row(BAD, cell(B), impact=Impact.BYPASSES)), NO_GO),
    "fails, and only delays": (evidence(row(BAD, cell(B), impact=Impact.DELAYS)), NO_GO),
    "fails in one family": (evidence(row(cell(), cell(family="ipv6", rounds=(FAIL, FAIL)), cell(B))), NO_GO),
    "fails, while another is unknown": (evidence(row(BAD, cell(B, rounds=(UNKNOWN, PASS)))), NO_GO),
    "fails, and the mode is not known": (evidence(row(BAD, cell(B)), cluster=replace(CLUSTER, mode="unknown")), NO_GO),
    "fails, but the switch does not move it": (evidence(row(BAD, cell(B), relevant=False)), GO),
    "fails today before it connects": (evidence(row(BAD, cell(B), relation=Relation.TODAY)), NOT_SURE),
    "a share of the calls fails": (
        evidence(row(cell(rounds=(DEGRADED, DEGRADED), code=Code.TLS_RESET), cell(B))),
        NO_GO,
    ),
    "a warning": (evidence(row(cell(rounds=(DEGRADED, PASS)), cell(B))), GO),
    "the issuer that nothing depends on fails": (
        evidence(row(cell(rounds=(DEGRADED, DEGRADED), code=Code.DNS_NXDOMAIN), cell(B), advisory=True)),
        GO,
    ),
    "the issuer that nothing depends on is unknown": (
        evidence(row(cell(rounds=(UNKNOWN, UNKNOWN)), cell(B), advisory=True)),
        NOT_SURE,
    ),
    "configuration closes what passes": (evidence(row(cell(configured="closed"), cell(B))), NO_GO),
    "configuration closes some calls": (evidence(row(cell(configured="partial"), cell(B))), NO_GO),
    "configuration unknown, the probes pass": (evidence(row(cell(configured="unknown"), cell(B))), GO),
    "not audited, the probes pass": (evidence(row(cell(configured=""), cell(B, configured=""))), GO),
    "one round unknown": (evidence(row(cell(rounds=(PASS, UNKNOWN)), cell(B))), NOT_SURE),
    "one round missing": (evidence(row(cell(rounds=(PASS,)), cell(B))), NOT_SURE),
    "no rounds": (evidence(row(cell(rounds=()), cell(B, rounds=())), rounds=0), NOT_SURE),
    "a subnet missing": (evidence(row(cell(A))), NOT_SURE),
    "a family missing in one subnet": (evidence(row(cell(), cell(family="ipv6"), cell(B))), NOT_SURE),
    "no addresses in the report": (evidence(row(cell(family=""), cell(B))), NOT_SURE),
    "must be blocked, and is": (
        evidence(row(cell(family="", configured="closed"), cell(B), target=BLOCKED, impact=Impact.NONE)),
        GO,
    ),
    "must be blocked, and is not": (evidence(row(BAD, cell(B), target=BLOCKED, impact=Impact.NONE)), NO_GO),
    "a prerequisite is not met": (evidence(row(), checks=(replace(MET, state=CheckState.NOT_MET),)), NO_GO),
    "a prerequisite is not known": (evidence(row(), checks=(replace(MET, state=CheckState.UNKNOWN),)), NOT_SURE),
    "a step of the verification is not met": (
        evidence(row(), checks=(replace(MET, state=CheckState.NOT_MET, part="verification"),)),
        GO,
    ),
    "a gap": (evidence(row(), gaps=(GAP,)), NOT_SURE),
    "mode not reported": (evidence(row(), cluster=replace(CLUSTER, mode="unknown")), NOT_SURE),
    "mode that nobody knows": (evidence(row(), cluster=replace(CLUSTER, mode="CUSTOMER_ISOLATED")), NOT_SURE),
    "switched already": (evidence(row(), cluster=replace(CLUSTER, mode="CUSTOMER_ROUTED")), GO),
    "subnets not known": (evidence(cluster=replace(CLUSTER, subnets=())), NOT_SURE),
    "from this computer": (evidence(local=True), NOT_SURE),
    "from this computer, silence": (
        evidence(row(cell(LOCAL, rounds=(FAIL, FAIL), code=Code.CONNECT_TIMEOUT)), local=True),
        NOT_SURE,
    ),
    "from this computer, the server refuses": (
        evidence(row(cell(LOCAL, rounds=(FAIL, FAIL), code=Code.TLS_CERT_EXPIRED)), local=True),
        NO_GO,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_decides(name):
    given_evidence, wanted = CASES[name]
    decision, reasons = decide(given_evidence)
    assert decision is wanted, reasons
    assert (decision is GO) == (not reasons)
    assert {reason.decision for reason in reasons} <= {NO_GO, NOT_SURE}


VERDICTS = st.sampled_from([PASS, PASS, PASS, DEGRADED, FAIL, UNKNOWN])
# The states that look the best most often: else hardly any evidence is nearly GO.
CELLS = st.builds(
    cell,
    st.sampled_from([A, A, B, B, "subnet-other", LOCAL]),
    family=st.sampled_from(["ipv4", "ipv4", "ipv6", ""]),
    rounds=st.one_of(st.just((PASS, PASS)), st.lists(VERDICTS, max_size=3).map(tuple)),
    verdict=st.one_of(st.none(), VERDICTS),
    code=st.sampled_from([None, None, None, Code.CONNECT_TIMEOUT, Code.CA_BUNDLE_INVALID]),
    configured=st.sampled_from(["open", "open", "unknown", "", "closed", "partial"]),
)
ROWS = st.builds(
    row,
    CELLS,
    CELLS,
    CELLS,
    target=st.sampled_from([HOOK, HOOK, BLOCKED]),
    relevant=st.sampled_from([True, True, True, False]),
    relation=st.sampled_from(list(Relation)),
    advisory=st.sampled_from([False, False, True]),
    impact=st.sampled_from(list(Impact)),
)
_CHANGES = st.one_of(
    st.tuples(st.just("rounds"), st.lists(VERDICTS, max_size=3).map(tuple)),
    st.tuples(st.just("configured"), st.sampled_from(["open", "unknown", "", "closed", "partial"])),
    st.tuples(st.just("family"), st.sampled_from(["ipv6", ""])),
    st.tuples(st.just("verdict"), VERDICTS),
    st.tuples(st.just("code"), st.just(Code.CONNECT_TIMEOUT)),
    st.tuples(st.just("subnet"), st.just("subnet-other")),
)
# One thing is not as it should be.
NEARLY = st.builds(
    lambda change, **more: row(cell(**({"subnet": A} | {change[0]: change[1]})), cell(B), **more),
    _CHANGES,
    target=st.sampled_from([HOOK, HOOK, BLOCKED]),
    relation=st.sampled_from(list(Relation)),
    advisory=st.sampled_from([False, False, True]),
    impact=st.sampled_from(list(Impact)),
)
EVIDENCE = st.builds(
    Evidence,
    cluster=st.sampled_from([CLUSTER, CLUSTER, replace(CLUSTER, mode="unknown"), replace(CLUSTER, subnets=())]),
    rows=st.lists(st.one_of(NEARLY, ROWS), max_size=3),
    checks=st.lists(
        st.builds(
            replace, st.just(MET), state=st.sampled_from([CheckState.MET, CheckState.MET, *CheckState]),
            part=st.sampled_from(["prerequisite", "verification"]),
        ),
        max_size=2,
    ),
    rounds=st.sampled_from([2, 2, 2, 2, 2, 0, 1, 3]),
    gaps=st.lists(st.just(GAP), max_size=1),
    local=st.sampled_from([False, False, False, True]),
)  # fmt: skip


def _evident(each, subnet, known):
    """Written apart from the product: whether one row was seen to pass from one subnet."""
    here = [one for one in each.cells if one.subnet_id == subnet]
    if not here:
        return False
    for one in here:
        if len(one.rounds) < known.rounds or UNKNOWN in one.rounds or one.verdict is UNKNOWN:
            return False
        if FAIL in one.rounds or one.verdict is FAIL:
            return False
        if one.verdict is DEGRADED and one.code is not None and not each.advisory:
            return False
        if each.target.expect is Expect.REACHABLE and one.configured in ("closed", "partial") and not each.advisory:
            return False
    if each.target.expect is Expect.BLOCKED:
        return True
    families = {one.family for one in each.cells}
    # What fails by its name has no addresses.
    without = [one for one in here if not one.family and not (each.advisory and one.code)]
    return not without and (families - {""} <= {one.family for one in here} or not all(one.family for one in here))


@settings(max_examples=examples(150), deadline=None)
@given(EVIDENCE)
def test_nothing_without_evidence_is_go(known):
    """For each row that the switch moves: each subnet, family and round; and everything beside the rows."""
    _only_on_evidence(known)


@pytest.mark.thorough
@settings(max_examples=examples(2000), deadline=None)
@given(EVIDENCE)
def test_nothing_without_evidence_is_go_in_thousands_of_cases(known):
    _only_on_evidence(known)


def _only_on_evidence(known):
    decision, reasons = decide(known)
    assert (decision is GO) == (not reasons)
    if decision is not GO:
        return
    assert known.cluster.mode in ("AWS_MANAGED", "CUSTOMER_ROUTED")
    assert known.cluster.subnets
    assert known.rounds
    assert not known.gaps
    assert not known.local
    assert {check.state for check in known.checks if check.part == "prerequisite"} <= {CheckState.MET}
    for each in known.rows:
        if each.switch_relevant:
            for subnet in known.cluster.subnets:
                assert _evident(each, subnet, known), each


@settings(max_examples=60, deadline=None)
@given(EVIDENCE, st.data())
def test_more_evidence_against_never_makes_it_better(known, data):
    """Another row, gap or check that is not met: NO-GO stays, UNKNOWN does not become GO."""
    order = [GO, NOT_SURE, NO_GO]
    before, _ = decide(known)
    worse = data.draw(
        st.sampled_from(
            [
                known._replace(gaps=(*known.gaps, GAP)),
                known._replace(rows=(*known.rows, row(BAD, cell(B)))),
                known._replace(rows=(*known.rows, row(cell(rounds=(UNKNOWN, UNKNOWN)), cell(B)))),
                known._replace(checks=(*known.checks, replace(MET, state=CheckState.NOT_MET))),
                known._replace(local=True),
            ]
        )
    )
    after, _ = decide(worse)
    assert order.index(after) >= order.index(before)
    assert after is not GO
