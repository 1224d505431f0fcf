"""Flow log records: the three readers count alike, and each state is what the records prove."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.aws.observability.flow_athena import FlowTable, _answer, flow_sql
from egressprobe.aws.observability.flow_insights import counts_of, flow_queries
from egressprobe.aws.observability.insights import InsightsAnswer
from egressprobe.model.target import Expect, Verdict
from egressprobe.observability.flows.judge import Watched, flag_names, state_of, tallies_of, verdict_of
from egressprobe.observability.flows.records import (
    DEFAULT_FIELDS,
    FlowScope,
    count_records,
    fields_of,
    joined_counts,
    lacking,
)
from egressprobe.observability.flows.result import FlowState
from tests.support.aws.insights import rows
from tests.support.aws.observed import run_sql
from tests.support.flows import ADDRESSES, EKS_A, NOW, ODD, PROBE_A, PROBE_B, V5, as_line, exchange, record

SCOPE = FlowScope(
    {name: frozenset({address}) for name, address in ADDRESSES.items()}, frozenset({443, 8443}), NOW - 3600, NOW
)
V5_FIELDS = fields_of(V5)
OTHERS = ("10.0.1.77", "10.0.2.10", "10.0.9.9", "203.0.113.5", "2001:db8::5")
records = st.builds(
    record,
    st.sampled_from((PROBE_A, PROBE_B, EKS_A, "eni-0another")),
    st.sampled_from(("10.0.1.10", *OTHERS)),
    st.sampled_from(("10.0.1.10", *OTHERS)),
    st.tuples(st.sampled_from((443, 8443, 40_000, 10250)), st.sampled_from((443, 8443, 40_000, 10250))),
    start=st.sampled_from((NOW - 3000, NOW - 1800, NOW - 60)),
    action=st.sampled_from(("ACCEPT", "REJECT")),
    flags=st.sampled_from((0, 2, 4, 18, 19)),
    packets=st.integers(1, 9),
    status=st.sampled_from(("OK", "OK", "OK", "NODATA", "SKIPDATA")),
)


def by_insights(lines, fields, scope):
    """The real query strings on the lines."""
    answers = [
        InsightsAnswer(tuple({k: str(v) for k, v in row.items()} for row in rows(query, lines)), 0, False)
        for query in flow_queries(fields, scope)
    ]
    return counts_of(*answers, scope)


def by_athena(values, scope):
    """The real SQL on the records, as numbers where the table's columns are numbers."""
    numbers = ("srcport", "dstport", "packets", "bytes", "start", "end", "tcp-flags")
    table = [
        {k.replace("-", "_"): (int(v) if v.isdecimal() else None) if k in numbers else v for k, v in one.items()}
        | {"day": "2026/11/18"}
        for one in values
    ]
    columns = {name.replace("_", ""): name for name in table[0] if name != "day"}
    there = FlowTable("logs", "flows", columns, {}, "")
    answer = _answer(run_sql(flow_sql(there, scope), "logs", "flows", table)[1:], scope, 0)
    return answer.counts, answer.gaps


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(records, min_size=1, max_size=12))
def test_text_logs_insights_and_athena_count_alike(values):
    """One rule in three languages: objects are counted here, the queries count in AWS."""
    lines = [as_line(value, V5_FIELDS) for value in values]
    expected = tuple(map(sorted, count_records(lines, V5_FIELDS, SCOPE)))
    assert tuple(map(sorted, by_insights(lines, V5_FIELDS, SCOPE))) == expected
    in_sql = [{k: v for k, v in value.items() if k in V5_FIELDS} for value in values]
    assert tuple(map(sorted, by_athena(in_sql, SCOPE))) == expected


@pytest.mark.parametrize("log_format", ["", V5, ODD], ids=["default", "v5", "in another order"])
def test_a_format_is_read_by_its_own_fields(log_format):
    """The default format has no flags; a format without packets has none; the order is the format's."""
    fields = fields_of(log_format)
    assert not lacking(fields)
    values = list(exchange(PROBE_A, "203.0.113.5", 443, start=NOW - 600))
    for counts, gaps in (
        count_records([as_line(v, fields) for v in values], fields, SCOPE),
        by_insights([as_line(v, fields) for v in values], fields, SCOPE),
    ):
        there = {(c.direction, c.address, c.port, c.action, c.packets, c.flags) for c in counts}
        packets = (3, 2) if "packets" in fields else (0, 0)
        flags = (2, 18) if "tcp-flags" in fields else (None, None)
        assert there == {
            (direction, "203.0.113.5", 443, "ACCEPT", packets[i], flags[i])
            for i, direction in enumerate(("request", "return"))
        }
        assert not gaps


def test_a_format_that_lacks_what_is_needed_is_refused():
    assert lacking(fields_of("${srcaddr} ${dstaddr} ${action} ${start} ${end} ${interface-id}")) == [
        "srcport",
        "dstport",
    ]
    assert fields_of("") == DEFAULT_FIELDS


def state(*values, accepts=True, settled=NOW - 360, interval=60, skipped=False):
    counts, _ = count_records([as_line(v, V5_FIELDS) for v in values], V5_FIELDS, SCOPE)
    return state_of(counts, Watched(accepts, settled, interval, skipped))


def each_minute(start, minutes, **more):
    return [v for i in range(minutes) for v in exchange(PROBE_A, "203.0.113.5", 443, start=start + 60 * i, **more)]


OK = each_minute(NOW - 3000, 40)
SILENT = each_minute(NOW - 3000, 40, answered=False)
CASES = {
    "answered": (OK, {}, FlowState.ANSWERED),
    "nothing recorded": ([], {}, FlowState.NOT_SEEN),
    "rejected": (each_minute(NOW - 3000, 40, action="REJECT"), {}, FlowState.REJECTED),
    "rejected since": (OK + each_minute(NOW - 300, 3, action="REJECT"), {}, FlowState.REJECTED),
    "rejected before": (each_minute(NOW - 3500, 3, action="REJECT") + OK, {}, FlowState.WAS_REJECTED),
    "what returns is rejected": (each_minute(NOW - 3000, 40, back="REJECT"), {}, FlowState.RETURN_REJECTED),
    "nothing returns": (SILENT, {}, FlowState.NO_RETURN),
    "nothing returns, records lost": (SILENT, {"skipped": True}, FlowState.UNSETTLED),
    "too new": (each_minute(NOW - 300, 3, answered=False), {}, FlowState.UNSETTLED),
    "no longer answered": (OK[:20] + SILENT[10:], {}, FlowState.NO_RETURN),
    "refused": (each_minute(NOW - 3000, 40, flags=(2, 4)), {}, FlowState.REFUSED),
    "refused lately": (
        [*each_minute(NOW - 3000, 20), *each_minute(NOW - 1800, 20, flags=(2, 4))],
        {},
        FlowState.REFUSED,
    ),
    "refused before": (
        [*each_minute(NOW - 3000, 20, flags=(2, 4)), *each_minute(NOW - 1800, 20)],
        {},
        FlowState.ANSWERED,
    ),
    "a connection of long ago ends by RST": (
        [*each_minute(NOW - 3000, 1), *each_minute(NOW - 1800, 1, flags=(0, 4))],
        {},
        FlowState.ANSWERED,
    ),
    "reset after the handshake": (each_minute(NOW - 3000, 40, flags=(2, 22)), {}, FlowState.ANSWERED),
    "only rejects are recorded": (
        each_minute(NOW - 3000, 46, action="REJECT"),
        {"accepts": False},
        FlowState.REJECTED,
    ),
    "only rejects, ended": (each_minute(NOW - 3500, 3, action="REJECT"), {"accepts": False}, FlowState.WAS_REJECTED),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_records_prove(case):
    """Each state from the records of a path that is so, each minute."""
    values, more, expected = CASES[case]
    assert state(*values, **more)[0] is expected


def test_the_end_of_the_answers_is_named():
    assert state(*OK[:20], *SILENT[10:]) == (FlowState.NO_RETURN, NOW - 3000 + 9 * 60 + 60)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(records, max_size=8), st.booleans(), st.booleans())
def test_no_accepted_return_is_never_a_pass(values, accepts, skipped):
    """Whatever is recorded: without an accepted packet from there, no place is answered; with a reject none passes."""
    counts, _ = count_records([as_line(v, V5_FIELDS) for v in values], V5_FIELDS, SCOPE)
    places = {(c.interface, c.address, c.port) for c in counts}
    for place in places:
        of_place = [c for c in counts if (c.interface, c.address, c.port) == place]
        verdict = verdict_of(state_of(of_place, Watched(accepts, NOW - 360, 60, skipped))[0])
        came = any(c.direction == "return" and c.action == "ACCEPT" for c in of_place)
        if any(c.action == "REJECT" for c in of_place) or not came:
            assert verdict is not Verdict.PASS
        assert sum(t.records for t in tallies_of(of_place)) == sum(c.records for c in of_place)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.permutations(list(range(6))))
def test_joining_counts_has_no_order(order):
    values = [r for i in range(3) for r in exchange(PROBE_A, "203.0.113.5", 443, start=NOW - 600 * (i + 1))]
    counts, _ = count_records([as_line(values[0], V5_FIELDS)], V5_FIELDS, SCOPE)
    parts = [counts[0]._replace(first=NOW - i, last=NOW + i, packets=i, flags=1 << i) for i in order]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined_counts(joined, part)
    assert (joined.first, joined.last, joined.packets, joined.flags) == (NOW - 5, NOW + 5, 15, 63)


def test_a_target_that_must_be_blocked():
    """What is lost passes; what is answered or refused by the other side was reached."""
    verdicts = {one: verdict_of(one, Expect.BLOCKED) for one in FlowState}
    assert {one for one, verdict in verdicts.items() if verdict is Verdict.PASS} == {
        FlowState.REJECTED,
        FlowState.RETURN_REJECTED,
        FlowState.NO_RETURN,
    }
    assert verdicts[FlowState.ANSWERED] is verdicts[FlowState.REFUSED] is Verdict.FAIL


@pytest.mark.parametrize(
    ("flags", "names"),
    [(2, ("SYN",)), (18, ("SYN-ACK",)), (19, ("SYN-ACK", "FIN")), (4, ("RST",)), (0, ()), (None, ())],
)
def test_flags_have_names(flags, names):
    assert flag_names(flags) == names


def test_queries_are_short_enough():
    """At most 10,000 characters, with as many interfaces and ports as one query takes."""
    many = FlowScope(
        {f"eni-{i:017x}": frozenset({f"10.0.200.{i}"}) for i in range(40)}, frozenset(range(30_000, 31_000)), 0, 1
    )
    assert all(len(query) < 10_000 for query in flow_queries(fields_of(V5), many))
    json.dumps(flow_queries(fields_of(V5), many))
