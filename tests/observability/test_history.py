"""Minutes, outages and availability against a model that looks at one minute after the other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.model.target import Verdict
from egressprobe.observability.history.availability import MinuteCounts, count_minutes, total, verdict_of
from egressprobe.observability.history.coarse import MetricPoint, count_points, states_of_points
from egressprobe.observability.history.minutes import (
    BadMinute,
    MinuteRecords,
    SeenTarget,
    StateMinutes,
    as_minutes,
    by_subnet,
    of_target,
    period,
    runs,
    span,
)
from egressprobe.observability.history.outages import causes_of, find_outages
from egressprobe.observability.history.report import LogPart, MetricPart, NamedTarget, tables
from egressprobe.observability.history.result import ReportedIncident

LENGTH = 40
SUBNETS = ("subnet-0a", "subnet-0b")
repeatable = settings(max_examples=50, deadline=None, derandomize=True)
minutes = st.sets(st.integers(0, LENGTH - 1))


def each(mask):
    return {i for i in range(mask.bit_length()) if mask >> i & 1}


@repeatable
@given(minutes)
def test_minutes_are_a_set(some):
    mask = as_minutes(some)
    assert each(mask) == some
    inside = [minute for start, end in runs(mask) for minute in range(start, end)]
    assert inside == sorted(some)
    assert all(mask >> end & 1 == 0 for _, end in runs(mask))


@repeatable
@given(st.integers(0, LENGTH), st.integers(0, LENGTH))
def test_a_span_is_its_minutes(start, end):
    assert each(span(start, end)) == set(range(start, end))


@st.composite
def logs(draw):
    """Of one target: heartbeats, when it was seen, and bad lines, of two subnets."""
    covered, seen, bad = {}, [], []
    for subnet in SUBNETS:
        covered[subnet] = draw(minutes)
        first = draw(st.integers(0, LENGTH - 1))
        last = draw(st.integers(first, LENGTH - 1))
        passes = draw(st.one_of(st.none(), st.integers(0, LENGTH)))
        if draw(st.booleans()):
            seen.append(SeenTarget("a", subnet, first, last, passes))
            times = st.integers(max(first - 3, -1), min(last + 3, LENGTH))
            for minute, failed in draw(st.lists(st.tuples(times, st.booleans()), max_size=12)):
                bad.append(BadMinute("a", subnet, minute, failed, "code"))
    return covered, seen, bad


def state_at(minute, subnet, covered, seen, bad):
    """One minute of a target from a subnet: failed, unknown, passed, or None: not in the plan."""
    here = [line for line in bad if line.subnet == subnet and line.minute == minute]
    if any(line.failed for line in here):
        return "failed"
    if here:
        return "unknown"
    for one in seen:
        if one.subnet == subnet:
            measured = minute in covered[subnet]
            within = one.first <= minute <= one.last
            silent_before = minute < one.first and not covered[subnet] & set(range(minute, one.first))
            silent_after = minute > one.last and not covered[subnet] & set(range(one.last + 1, minute + 1))
            if within or silent_before or silent_after:
                return "passed" if measured else "unknown"
    return None


@repeatable
@given(logs())
def test_states_of_each_minute(log):
    """The sets agree with the rules, minute by minute, from each subnet and of the target."""
    covered, seen, bad = log
    records = MinuteRecords(LENGTH, {s: as_minutes(m) for s, m in covered.items()}, tuple(seen), tuple(bad))
    states = by_subnet(records)
    for one in seen:
        found = states["a", one.subnet]
        assert not found.failed & found.passed
        assert not (found.failed | found.passed) & found.unknown
        for minute in range(LENGTH):
            expected = state_at(minute, one.subnet, covered, seen, bad)
            names = [name for name in ("failed", "passed", "unknown") if getattr(found, name) >> minute & 1]
            assert names == ([expected] if expected else []), (minute, one)
    target = of_target(states.values())
    for minute in range(LENGTH):
        there = {state_at(minute, one.subnet, covered, seen, bad) for one in seen} - {None}
        expected = next((name for name in ("failed", "unknown", "passed") if name in there), None)
        names = [name for name in ("failed", "passed", "unknown") if getattr(target, name) >> minute & 1]
        assert names == ([expected] if expected else []), minute


@repeatable
@given(logs())
def test_passes_that_the_log_does_not_have_are_unknown(log):
    covered, seen, bad = log
    records = MinuteRecords(LENGTH, {s: as_minutes(m) for s, m in covered.items()}, tuple(seen), tuple(bad))
    for (_, subnet), states in by_subnet(records).items():
        [one] = [one for one in seen if one.subnet == subnet]
        counts = count_minutes(states)
        passed = counts.measured - counts.failed
        assert passed == min(states.passed.bit_count(), one.passes if one.passes is not None else LENGTH)
        assert counts.measured + counts.unknown == states.planned.bit_count()


states = st.lists(st.sampled_from("fpu-"), min_size=LENGTH, max_size=LENGTH)


def as_states(text):
    return StateMinutes(*(as_minutes(i for i, c in enumerate(text) if c == kind) for kind in "fpu"))


def outages_by_hand(text, gap):
    """Walks: an outage is closed by so many passing minutes since its last failing one."""
    found, start, last, passed = [], None, None, 0
    for i, state in enumerate(text):
        if state == "f":
            if start is not None and passed >= gap:
                found.append((start, last + 1, False))
                start = None
            start = i if start is None else start
            last, passed = i, 0
        elif state == "p":
            passed += 1
    if start is not None:
        gone = len(text) - len("".join(text).rstrip("-"))  # minutes since it left the plan
        found.append((start, last + 1, passed < gap and gone < gap))
    return found


@repeatable
@given(states, st.integers(1, 8))
def test_outages(text, gap):
    found = find_outages(as_states(text), gap, LENGTH)
    assert [(o.start, o.end, o.ongoing) for o in found] == outages_by_hand(text, gap)
    assert sum(o.failed for o in found) == text.count("f")
    for outage in found:
        assert text[outage.start] == text[outage.end - 1] == "f"
        assert outage.unknown == text[outage.start : outage.end].count("u")


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("pppppffffppppp", [(5, 9, False)]),
        ("ffppppffppppp", [(0, 8, False)]),  # four that pass do not end it
        ("ffpppppffppppp", [(0, 2, False), (7, 9, False)]),  # five do
        ("ffuuuuuuuuuffppppp", [(0, 13, False)]),  # what is unknown ends nothing
        ("ffpp-----ppffppppp", [(0, 13, False)]),  # nor what was not in the plan
        ("pppppffpppp", [(5, 7, True)]),  # and goes on until five have passed
        ("pppppffuuuuuuuuuuu", [(5, 7, True)]),
        ("pppppff----", [(5, 7, True)]),  # a line may be late
        ("pppppff-----", [(5, 7, False)]),  # what left the plan is not out now
        ("pppppffuu-----", [(5, 7, False)]),
        ("ppppp", []),
    ],
)
def test_what_one_outage_is(text, spans):
    """The rules of docs/history.md, with the default of five minutes."""
    found = find_outages(as_states(text), 5, len(text))
    assert [(o.start, o.end, o.ongoing) for o in found] == spans


def test_the_causes_of_an_outage_are_those_of_its_minutes():
    """A code counts once a minute, however many subnets have it; the cause is that of the last line."""
    bad = [
        BadMinute("a", "s1", 3, True, "connect_timeout", "first"),
        BadMinute("a", "s2", 3, True, "connect_timeout", "first"),
        BadMinute("a", "s1", 4, True, "dns_timeout", "last"),
        BadMinute("a", "s1", 4, True, "", ""),
        BadMinute("a", "s3", 5, False, "deadline_exceeded", "unknown"),
        BadMinute("a", "s1", 9, True, "tls_alert", "later"),
    ]
    [first, _] = find_outages(as_states("pppffppppfppppp"), 4, 15)
    causes = causes_of(first, bad)
    assert causes.subnets == ("s1", "s2")
    assert causes.codes == (("connect_timeout", 1), ("dns_timeout", 1))
    assert causes.cause == "last"


@pytest.mark.parametrize(
    ("seen", "covered", "expected"),
    [
        ((3, 6), "1111111111", (3, 7)),  # the probe measured the plan without it, before and after
        ((3, 6), "0001111000", (0, 10)),  # silent before and after: unknown, not out of the plan
        ((3, 6), "0101111010", (2, 8)),  # as long as it was silent
        ((0, 9), "0000000000", (0, 10)),
    ],
)
def test_when_a_target_was_in_the_plan(seen, covered, expected):
    mask = as_minutes(i for i, c in enumerate(covered) if c == "1")
    assert each(period(SeenTarget("a", "s", *seen), mask, 10)) == set(range(*expected))


# -- availability --


def test_the_percentage_is_of_the_measured_minutes():
    counts = MinuteCounts(measured=1000, failed=2, unknown=500, failed_least=2)
    assert counts.percent == pytest.approx(99.8)
    assert counts.budget(99.9) == pytest.approx(1.0)
    assert counts.left(99.9) == pytest.approx(-1.0)
    assert MinuteCounts(0, 0, 9).percent is None
    assert total([counts, counts]) == MinuteCounts(2000, 4, 1000, 4)


@pytest.mark.parametrize(
    ("counts", "ongoing", "verdict"),
    [
        (MinuteCounts(1000, 0, 0), False, Verdict.PASS),
        (MinuteCounts(1000, 1, 0), False, Verdict.PASS),  # the budget is spent, not overspent
        (MinuteCounts(1000, 2, 0), False, Verdict.FAIL),
        (MinuteCounts(10_000, 3, 0), True, Verdict.DEGRADED),
        (MinuteCounts(10, 0, 11), False, Verdict.UNKNOWN),  # less than half was measured
        (MinuteCounts(10, 1, 1000), False, Verdict.FAIL),  # what failed, failed
        (MinuteCounts(0, 0, 5), False, Verdict.UNKNOWN),
    ],
)
def test_verdicts(counts, ongoing, verdict):
    assert verdict_of(counts, 99.9, ongoing=ongoing) is verdict


# -- metrics --

points = st.lists(
    st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=5, max_size=5), min_size=1, max_size=6
)


@repeatable
@given(points, st.booleans())
def test_points_of_several_minutes_bound_what_failed(grid, each_subnet):
    """grid: point, minute, subnet: whether the run failed. The truth is between the two bounds."""
    made = [
        MetricPoint(i * 5, 5, sum(map(len, minutes)), sum(failed for minute in minutes for failed in minute))
        for i, minutes in enumerate(grid)
    ]
    truth = sum(any(minute) for minutes in grid for minute in minutes)
    counts = count_points(made, len(grid) * 5, 2)
    assert counts.failed_least <= truth <= counts.failed
    assert counts.measured == len(grid) * 5
    assert counts.unknown == 0
    if each_subnet:
        own = [MetricPoint(i * 5, 5, 5, sum(minute[0] for minute in minutes)) for i, minutes in enumerate(grid)]
        alone = count_points(own, len(grid) * 5, 1)
        assert alone.failed == alone.failed_least == sum(minute[0] for minutes in grid for minute in minutes)
    times = states_of_points(made, len(grid) * 5)
    assert each(times.failed) == {i * 5 + k for i, m in enumerate(grid) if any(map(any, m)) for k in range(5)}


def test_a_minute_without_runs_is_unknown():
    counts = count_points([MetricPoint(0, 5, 10, 0), MetricPoint(5, 5, 4, 0)], 15, 2)
    assert (counts.measured, counts.unknown) == (7, 8)


# -- both parts --

BASE = 1_795_000_020 // 60 * 60


def log_part(text, since, target="a", subnet="subnet-0a"):
    """A log in which each letter is a minute."""
    bad = [
        BadMinute(target, subnet, i, c == "f", "connect_timeout", "i/o timeout")
        for i, c in enumerate(text)
        if c in "fu"
    ]
    covered = as_minutes(i for i, c in enumerate(text) if c in "fpu")
    seen = SeenTarget(target, subnet, 0, len(text) - 1, text.count("p"))
    return LogPart(since, MinuteRecords(len(text), {subnet: covered}, (seen,), tuple(bad)))


def metric_part(length, *failed, since=BASE, minutes=5, subnets=1, key=("a", "")):
    made = [
        MetricPoint(start, minutes, minutes * subnets, dict(failed).get(start, 0))
        for start in range(0, length, minutes)
    ]
    return MetricPart(since, length, subnets, {key: made})


def made(log, metrics, **more):
    return tables([NamedTarget("a", "https://a")], log, metrics, (), **({"objective": 99.9, "gap": 5} | more))


def test_an_outage_over_the_boundary_of_both_parts_is_one():
    """Its times are as exact as the metrics'."""
    table = made(log_part("fffppppp" + "p" * 20, BASE + 1800), metric_part(30, (20, 2), (25, 5)))
    [outage] = table.outages
    assert (outage.start, outage.end) == ("2026-11-18T11:27:00Z", "2026-11-18T11:40:00Z")
    assert (outage.minutes, outage.failed_minutes, outage.resolution_seconds) == (13, 10, 300)
    [row] = table.rows
    assert (row.tally.measured, row.tally.failed, row.outages) == (30 + 28, 10, 1)


def test_an_outage_that_ended_before_the_boundary_does_not_go_on():
    table = made(log_part("p" * 30, BASE + 1800), metric_part(30, (25, 5)))
    assert [outage.ongoing for outage in table.outages] == [False]
    two = made(log_part("p" * 10 + "ff" + "p" * 9, BASE + 1800), metric_part(30, (25, 5)))
    assert [(o.resolution_seconds, o.ongoing) for o in two.outages] == [(60, False), (300, False)], "the newest first"


def test_each_part_alone():
    only_log = made(log_part("ppffpppppu", BASE), None)
    [row] = only_log.rows
    assert (row.tally.measured, row.tally.failed, row.tally.unknown) == (9, 2, 1)
    assert [cell.subnet_id for cell in row.cells] == ["subnet-0a"]
    only_metrics = made(None, metric_part(30, (5, 3), subnets=3))
    [row] = only_metrics.rows
    assert (row.tally.failed_at_least, row.tally.failed, row.cells) == (1, 3, ())
    by_subnet = made(None, metric_part(30, (5, 3), key=("a", "subnet-0a")))
    assert [(cell.subnet_id, cell.tally.failed) for cell in by_subnet.rows[0].cells] == [("subnet-0a", 3)]


def test_a_target_that_was_removed_while_it_failed_is_not_out_now():
    """Its probe measures the plan without it."""
    bad = tuple(BadMinute("old", "subnet-0a", minute, True, "connect_timeout") for minute in range(10, 20))
    seen = (SeenTarget("old", "subnet-0a", 0, 19, 10), SeenTarget("new", "subnet-0a", 0, 999, 1000))
    log = LogPart(0, MinuteRecords(1000, {"subnet-0a": span(0, 1000)}, seen, bad))
    made = tables([], log, None, (), objective=99.9, gap=5)
    (outage,) = made.outages
    assert (outage.target, outage.ongoing, outage.minutes) == ("old", False, 10)
    assert [row.ongoing for row in made.rows] == [False, False]


def test_a_budget_that_is_used_up_is_no_negative_zero():
    seen = (SeenTarget("a", "subnet-0a", 0, 999, 999),)
    bad = (BadMinute("a", "subnet-0a", 500, True, "connect_timeout"),)
    log = LogPart(0, MinuteRecords(1000, {"subnet-0a": span(0, 1000)}, seen, bad))
    (row,) = tables([], log, None, (), objective=99.9, gap=5).rows
    assert (row.verdict, str(row.budget_left)) == (Verdict.PASS, "0.0")


def test_a_target_that_was_never_recorded_has_no_row():
    table = tables([NamedTarget("b", "https://b")], log_part("ppp", BASE), None, (), objective=99.0, gap=5)
    assert [(row.target, row.url) for row in table.rows] == [("a", "")], "one that has left the plan has no URL"


@pytest.mark.parametrize(
    ("first", "targets", "named"),
    [
        ("2026-11-18T11:12:00Z", ("a",), True),
        ("2026-11-18T11:30:00Z", ("a",), False),  # long after it
        ("2026-11-18T11:05:00Z", ("a",), False),  # before it
        ("2026-11-18T11:12:00Z", ("b",), False),
    ],
)
def test_an_outage_names_the_incident_that_was_reported(first, targets, named):
    incident = ReportedIncident("20261118T110900Z-1", "ROUTE_BLACKHOLE|rtb-1", "no route", first, ("broken",), targets)
    table = tables([NamedTarget("a")], log_part("pppffffppppp", BASE), None, (incident,), objective=99.9, gap=5)
    assert table.outages[0].incidents == ((incident.id,) if named else ())
