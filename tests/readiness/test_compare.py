"""compare: what holds of any two reports, and one row for each kind of difference."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.model.joined_report import Cause
from egressprobe.model.report import worst
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.readiness.comparison.compare import cluster_changes, compare
from egressprobe.readiness.result import CheckState, Decision, DecisionReason, SwitchCheck, Trend
from tests.support.readiness.preflights import CLUSTER, cell, preflight, row

PASS, DEGRADED, FAIL, UNKNOWN = Verdict.PASS, Verdict.DEGRADED, Verdict.FAIL, Verdict.UNKNOWN
MANY = 150 if os.environ.get("EGRESSPROBE_REQUIRE_ALL") else 25
MIRROR = {
    Trend.WORSE: Trend.BETTER,
    Trend.BETTER: Trend.WORSE,
    Trend.SLOWER: Trend.FASTER,
    Trend.FASTER: Trend.SLOWER,
    Trend.NEW: Trend.GONE,
    Trend.GONE: Trend.NEW,
    Trend.UNKNOWN: Trend.UNKNOWN,
}
FIVE_OF = lambda ms: (ms,) * 5  # noqa: E731


@st.composite
def cells(draw):
    given_cells = []
    for subnet in draw(st.sets(st.sampled_from(["subnet-a", "subnet-b", "subnet-c"]))):
        for family in draw(st.sets(st.sampled_from(["ipv4", "ipv6", ""]), min_size=1)):
            times = draw(st.lists(st.sampled_from([1.0, 40.0, 51.0, 90.0, 140.0, 1000.0]), max_size=6))
            given_cells.append(cell(draw(st.sampled_from(Verdict)), subnet=subnet, family=family, times=times))
    return given_cells


@st.composite
def preflights(draw):
    names = draw(st.sets(st.sampled_from(["one", "two"])))
    rows = [row(name, *draw(cells()), impact=draw(st.sampled_from(Impact))) for name in sorted(names)]
    reasons = (DecisionReason(Decision.UNKNOWN, "discovery", "nodes could not be read"),)
    return preflight(*rows, reasons=draw(st.sampled_from([(), (), reasons])))


def by_key(difference):
    return {(d.kind, d.target, d.subnet_id, d.family): d for d in difference.differences}


@settings(max_examples=MANY, deadline=None, derandomize=True)
@given(preflights())
def test_a_report_is_the_same_as_itself(report):
    """All but what is unknown; that stays unknown."""
    result = compare(report, report)
    assert {d.trend for d in result.differences} <= {Trend.UNKNOWN}
    assert all(d.before.verdict is UNKNOWN for d in result.differences)


@settings(max_examples=MANY, deadline=None, derandomize=True)
@given(preflights(), preflights())
def test_both_directions_agree(before, after):
    """What is worse one way is better the other way, and the same number of cells is the same."""
    forth, back = compare(before, after), compare(after, before)
    assert forth.same == back.same
    assert {key: d.trend for key, d in by_key(forth).items()} == {
        key: MIRROR[d.trend] for key, d in by_key(back).items()
    }


@settings(max_examples=MANY, deadline=None, derandomize=True)
@given(preflights(), preflights())
def test_unknown_is_never_an_all_clear(before, after):
    """No cell that is unknown on a side is the same, better or faster, and none vanishes."""
    result = compare(before, after)
    for d in result.differences:
        if UNKNOWN in {side.verdict for side in (d.before, d.after) if side} and d.before and d.after:
            assert d.trend is Trend.UNKNOWN
        if d.after and d.after.verdict is UNKNOWN:
            assert result.verdict in (UNKNOWN, FAIL)
    for report in (before, after):
        for r in report.rows:
            for c in r.cells:
                if c.verdict is UNKNOWN and c.family:
                    assert (r.target.kind, r.target.name, c.subnet_id, c.family) in by_key(result)


@settings(max_examples=MANY, deadline=None, derandomize=True)
@given(preflights(), preflights())
def test_what_began_to_fail_with_an_effect_is_never_a_pass(before, after):
    """Whatever it was before, if it did not fail as gravely."""
    result = compare(before, after)
    for d in result.differences:
        fails = d.after is not None and d.after.verdict is FAIL and d.impact is not Impact.NONE
        if fails and d.trend is not Trend.BETTER and (d.before is None or d.before.verdict is not FAIL):
            assert result.verdict is FAIL


# before, after: cells of one target; trend; verdict.
CASES = {
    "worse": (cell(), cell(FAIL), Trend.WORSE, FAIL),
    "degraded": (cell(), cell(DEGRADED), Trend.WORSE, DEGRADED),
    "better": (cell(FAIL), cell(), Trend.BETTER, PASS),
    "fails as before": (cell(FAIL), cell(FAIL), Trend.SAME, PASS),
    "not seen any more": (cell(), cell(UNKNOWN), Trend.UNKNOWN, UNKNOWN),
    "was unknown, passes": (cell(UNKNOWN), cell(), Trend.UNKNOWN, UNKNOWN),
    "was unknown, fails": (cell(UNKNOWN), cell(FAIL), Trend.UNKNOWN, FAIL),
    "family not known any more": (cell(), cell(UNKNOWN, family=""), Trend.UNKNOWN, UNKNOWN),
    "slower": (cell(times=FIVE_OF(50.0)), cell(times=FIVE_OF(100.0)), Trend.SLOWER, DEGRADED),
    "twice, but 49 ms": (cell(times=FIVE_OF(49.0)), cell(times=FIVE_OF(98.0)), Trend.SAME, PASS),
    "50 ms, but not twice": (cell(times=FIVE_OF(51.0)), cell(times=FIVE_OF(101.0)), Trend.SAME, PASS),
    "slower in four rounds": (cell(times=(1.0,) * 4), cell(times=(900.0,) * 4), Trend.SAME, PASS),
    "slow in two of five": (cell(times=FIVE_OF(50.0)), cell(times=(50.0, 50.0, 50.0, 900.0, 900.0)), Trend.SAME, PASS),
    "faster": (cell(times=FIVE_OF(400.0)), cell(times=FIVE_OF(100.0)), Trend.FASTER, PASS),
}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_difference(case):
    """One target from one subnet."""
    before, after, trend, verdict = CASES[case]
    result = compare(preflight(row("one", before)), preflight(row("one", after)))
    assert result.verdict is verdict
    assert [d.trend for d in result.differences] == [trend] * (trend is not Trend.SAME)
    assert result.same == (trend is Trend.SAME)


def test_a_graver_effect_is_worse():
    """A webhook that failed open and now fails closed blocks requests."""
    before, after = row("one", cell(FAIL), impact=Impact.BYPASSES), row("one", cell(FAIL), impact=Impact.BLOCKS)
    assert compare(preflight(before), preflight(after)).differences[0].trend is Trend.WORSE


def test_a_failure_without_an_effect_degrades():
    """A target on which nothing depends."""
    before, after = (row("one", cell(v), impact=Impact.NONE) for v in (PASS, FAIL))
    assert compare(preflight(before), preflight(after)).verdict is DEGRADED


def test_targets_of_two_kinds_may_have_one_name():
    """The kind is part of the key."""
    rows = [row("one", cell(), kind=Kind.WEBHOOK), row("one", cell(FAIL), kind=Kind.OIDC)]
    assert compare(preflight(*rows), preflight(*rows)).same == 2


def test_a_new_target_that_fails_is_no_all_clear():
    """It blocks requests, whatever was before; one that passes is only listed."""
    assert compare(preflight(), preflight(row("one", cell(FAIL)))).verdict is FAIL
    result = compare(preflight(), preflight(row("one", cell())))
    assert (result.verdict, [d.trend for d in result.differences]) == (PASS, [Trend.NEW])


def test_a_target_of_an_incomplete_discovery_is_not_gone():
    """It may only not have been seen."""
    reasons = (DecisionReason(Decision.UNKNOWN, "discovery", "webhooks could not be read"),)
    result = compare(preflight(row("one", cell())), preflight(reasons=reasons))
    assert (result.verdict, result.differences[0].trend) == (UNKNOWN, Trend.UNKNOWN)
    assert "webhooks could not be read" in " ".join(result.not_compared)


def test_a_target_that_could_not_be_read_is_not_gone():
    """Its definition was not understood: it is there."""
    reasons = (DecisionReason(Decision.UNKNOWN, "one", "cannot be read: url: must begin with https://"),)
    result = compare(preflight(row("one", cell())), preflight(reasons=reasons))
    assert (result.verdict, result.differences[0].trend) == (UNKNOWN, Trend.UNKNOWN)


def test_a_subnet_that_left_the_cluster_is_gone_and_one_without_a_probe_unknown():
    """Only the cluster's subnets say which."""
    both = row("one", cell(subnet="subnet-a"), cell(subnet="subnet-b"))
    only = row("one", cell(subnet="subnet-a"))
    unseen = compare(preflight(both), preflight(only))
    left = compare(preflight(both), preflight(only, cluster=replace(CLUSTER, subnets=("subnet-a",))))
    assert (unseen.differences[0].trend, unseen.verdict) == (Trend.UNKNOWN, UNKNOWN)
    assert (left.differences[0].trend, left.verdict) == (Trend.GONE, PASS)
    assert left.cluster_changes == ("subnets: subnet-a, subnet-b -> subnet-a",)


def test_the_cause_of_what_is_worse_is_named():
    """Of other targets it is not."""
    causes = tuple(Cause(name, ("subnet-a",), "connect_timeout", "", "") for name in ("one", "two"))
    before = preflight(row("one", cell()), row("two", cell()))
    after = preflight(row("one", cell(FAIL)), row("two", cell()), causes=causes)
    assert [cause.target for cause in compare(before, after).causes] == ["one"]


def test_a_prerequisite_that_is_not_met_any_more_is_worse():
    """Also while every call passes still; one that was not met before is not worse."""

    def report(state, part="prerequisite", name="dhcp-options"):
        return preflight(row("one", cell()), checks=(SwitchCheck(name, "DHCP", state, "", part=part),))

    met, not_met, unknown = (report(state) for state in (CheckState.MET, CheckState.NOT_MET, CheckState.UNKNOWN))
    assert compare(met, met).checks == ()
    assert (compare(met, not_met).verdict, compare(met, not_met).checks) == (FAIL, not_met.checks)
    assert compare(met, unknown).verdict is UNKNOWN
    assert compare(not_met, not_met).verdict is PASS
    assert compare(not_met, met).verdict is PASS
    moment = [report(state, name="no-update") for state in (CheckState.MET, CheckState.NOT_MET)]
    assert compare(*moment).verdict is PASS


def test_changes_of_the_cluster():
    """Its status and updates are none."""
    after = replace(CLUSTER, status="UPDATING", update="u-1", mode="CUSTOMER_ROUTED", security_groups=())
    assert cluster_changes(CLUSTER, after) == ("mode: AWS_MANAGED -> CUSTOMER_ROUTED", "security groups: sg-1 -> none")


def test_the_verdict_is_the_worst():
    """Sorted the worst first."""
    names = {"a": (FAIL, PASS), "b": (PASS, FAIL), "c": (PASS, UNKNOWN)}
    before, after = (preflight(*(row(name, cell(v[i])) for name, v in names.items())) for i in (0, 1))
    result = compare(before, after)
    assert [d.trend for d in result.differences] == [Trend.WORSE, Trend.UNKNOWN, Trend.BETTER]
    assert result.verdict is worst([FAIL, UNKNOWN])
