"""Looking up again what fails: what a look shows, when the next one is due, and whose turn it is."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from egressprobe.planner.lookup.claim import ClaimStore, reason_to_skip
from egressprobe.planner.lookup.failing import FailingTarget, LookedUp, is_due, looked_up, valid
from egressprobe.planner.lookup.note import MAX_LOOKUPS, Note, fits, note_input, parse_note
from tests.support.rollouts.clock import Clock

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
A, B, C = "10.0.0.1:443", "10.0.0.2:443", "10.0.0.3:443"
RAW = {"kind": "webhook", "name": "svc", "timeoutSeconds": 5, "addresses": [A, B, C], "objects": ["A/b"]}
NO_PODS = {key: value for key, value in RAW.items() if key != "addresses"} | {"refusal": {"finding": "F", "error": "e"}}
CODE = "service_unresolved"


def minutes(count):
    return timedelta(minutes=count)


def failure(*endpoints, dialled=3, at=NOW, name="svc"):
    return FailingTarget(name, frozenset(endpoints), dialled, at)


@pytest.mark.parametrize(
    ("report", "before", "after", "confirmed"),
    [
        (failure(A, B), RAW, RAW, {A, B, C}),
        (failure(A, B), RAW, RAW | {"addresses": [C]}, None),
        (failure(A, B), RAW, RAW | {"addresses": [A, C]}, None),  # one of three alone is no outage
        (failure(A, B, C), RAW, RAW | {"addresses": [A, B, "10.0.0.9:443"]}, {A, B, C, "10.0.0.9:443"}),
        (failure(A, dialled=1), RAW, RAW, {A, B, C}),
        (failure(A, B), RAW, RAW | {"objects": ["A/c"], "affects": "all"}, {A, B, C}),  # it is called as before
        (failure(A, B), RAW, RAW | {"caBundleRef": "new"}, None),
        (failure(A, B), RAW, RAW | {"timeoutSeconds": 9}, None),
        (failure(A, B), RAW, NO_PODS, None),
        (failure(CODE, dialled=0), NO_PODS, NO_PODS, {CODE}),
        (failure(CODE, dialled=0), NO_PODS, RAW, None),
        (failure(CODE, dialled=0), RAW, RAW, None),  # the report is older than the plan
        (failure("http_status"), RAW, RAW, {A, B, C, "http_status"}),
        (failure(A, B), None, RAW, None),
    ],
)
def test_a_failure_is_confirmed_where_it_is_still_listed(report, before, after, confirmed):
    known = looked_up({}, [report], {"svc": before} if before else {}, {"svc": after}, NOW)
    assert known == ({"svc": LookedUp(NOW, 1, tuple(sorted(confirmed)))} if confirmed else {})


def test_the_condition_of_an_apiservice_counts_by_its_status():
    false = RAW | {"condition": {"status": "False", "message": "dial tcp 10.0.0.1"}}
    other = RAW | {"condition": {"status": "False", "message": "dial tcp 10.0.0.2"}}
    good = RAW | {"condition": {"status": "True"}}
    known = [looked_up({}, [failure("code")], {"svc": false}, {"svc": new}, NOW) for new in (other, good)]
    assert [bool(lookups) for lookups in known] == [True, False]


def test_what_was_confirmed_stays_so_for_a_while_wherever_the_pods_are():
    """Pods that crash and are ready now and then have the addresses that they had."""
    first = looked_up({}, [failure(A, B)], {"svc": RAW}, {"svc": RAW}, NOW)
    moved = {"svc": RAW | {"addresses": ["10.0.0.9:443"]}}
    second = looked_up(first, [failure(A, B)], {"svc": RAW}, moved, NOW + minutes(1))
    assert second == {"svc": LookedUp(NOW + minutes(1), 0, (A, B, C))}
    third = looked_up(second, [failure("10.0.0.9:443", dialled=1)], moved, moved, NOW + minutes(2))
    assert set(third["svc"].confirmed) == {A, B, C, "10.0.0.9:443"}
    assert looked_up(third, [failure(A)], moved, {}, NOW + minutes(3)) == {}, "it has left the plan"
    assert valid(third, NOW + minutes(21)) == third
    assert valid(third, NOW + minutes(22)) == {}


def test_of_two_reports_of_one_target_the_one_with_more_failures_decides():
    known = looked_up({}, [failure(A, B), failure(A)], {"svc": RAW}, {"svc": RAW}, NOW)
    assert known["svc"].looks == 1


def test_what_is_confirmed_is_looked_up_less_and_less_often():
    for looks, seconds in ((1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 900), (60, 900)):
        lookups = {"svc": LookedUp(NOW, looks, (A, B))}
        due = [is_due(failure(A), lookups, NOW + timedelta(seconds=seconds + more)) for more in (-1, 0)]
        assert due == [False, True], looks
        assert is_due(failure(A, C), lookups, NOW), "another endpoint does not wait"
    assert is_due(failure(A), {}, NOW)


def test_the_note_reads_back_and_what_cannot_be_read_is_left_out():
    content = Note(NOW, {"svc": LookedUp(NOW, 3, (A, B))}, "run", NOW, {"svc": frozenset({A})})
    schedule = {"Target": {"Input": note_input(content)}}
    assert parse_note(schedule) == content
    for damage in (
        "",
        "[]",
        "nonsense",
        '{"readAt": 5, "lookups": [], "claimed": 7}',
        '{"readAt": "2026-11-26T12:00:00"}',
    ):
        assert parse_note({"Target": {"Input": damage}}) == Note(None)
    damaged = {"lookups": {"a": 1, "b": {}, "c": {"at": NOW.isoformat(), "looks": "x", "confirmed": [1, A]}}}
    assert parse_note({"Target": {"Input": json.dumps(damaged)}}).lookups == {"c": LookedUp(NOW, 0, (A,))}


def test_the_note_never_outgrows_a_schedule():
    lookups = {f"target-{i}": LookedUp(NOW, 1, tuple(f"10.0.{i}.{j}:443" for j in range(100))) for i in range(200)}
    claimed = {name: frozenset(lookup.confirmed) for name, lookup in lookups.items()}
    assert not fits(lookups)
    text = note_input(Note(NOW, lookups, "run", NOW, claimed))
    assert len(text) < MAX_LOOKUPS
    assert parse_note({"Target": {"Input": text}}) == Note(NOW, {}, "run", NOW, {})


class Turns:
    """Runs that report failures, each at its second, over one note; what each did, in the order in which it ended."""

    def __init__(self, *, works=20.0, writes=True):
        self.clock, self.note, self.looks, self.skipped = Clock(), Note(None), [], []
        self._works, self._writes, self._lock = works, writes, threading.Lock()

    def report(self, at, run, *reports):
        def go():
            store = ClaimStore(lambda: self.note, self._write, self._now, self.clock.sleep)
            if reason_to_skip(store, run, reports):
                self.skipped.append(run)
                return
            self.looks.append((run, round(self.clock.now)))
            self.clock.sleep(self._works)
            before, after = {"svc": RAW, "other": RAW}, {"svc": RAW, "other": RAW}
            self.note = Note(self._now(), looked_up(self.note.lookups, reports, before, after, self._now()))

        self.clock.process(at, go)

    def _write(self, content):
        if self._writes:
            self.note = content
        return self._writes

    def _now(self):
        return NOW + timedelta(seconds=self.clock.now)


def late(seconds, *endpoints, name="svc"):
    return failure(*endpoints, name=name, at=NOW + timedelta(seconds=seconds))


def test_one_run_looks_for_all_that_report_the_same():
    turns = Turns()
    for second, run in ((0, "a"), (0.5, "b"), (5, "c"), (30, "d")):
        turns.report(second, run, late(second, A, B))
    turns.clock.run(300)
    assert (len(turns.looks), len(turns.skipped)) == (1, 3)
    assert turns.looks[0][1] == 15, "not sooner than that after the failure"


def test_a_run_that_has_other_failures_waits_and_then_looks():
    """Also when it comes second each minute: a target that fails beside one whose pods move is not passed over."""
    turns = Turns()
    turns.report(0, "a", late(0, A, B))
    turns.report(5, "b", late(5, A, B, name="other"))
    turns.clock.run(300)
    assert [run for run, _ in turns.looks] == ["a", "b"]
    assert set(turns.note.lookups) == {"svc", "other"}


def test_a_claim_of_a_run_that_was_killed_expires():
    turns = Turns()
    turns.note = Note(None, {}, "killed", NOW, {"svc": frozenset({A, B})})
    turns.report(30, "a", late(30, A, B))
    turns.report(100, "b", late(100, A, C))
    turns.clock.run(400)
    assert turns.skipped == ["a"]
    assert [run for run, _ in turns.looks] == ["b"]


def test_a_claim_that_cannot_be_written_is_no_reason_not_to_look():
    turns = Turns(writes=False)
    turns.report(0, "a", late(0, A))
    turns.clock.run(60)
    assert len(turns.looks) == 1


def test_a_run_that_waits_too_long_ends():
    turns = Turns(works=1000)
    turns.report(0, "a", late(0, A))
    turns.report(5, "b", late(5, B))
    turns.clock.run(70)
    assert (turns.looks, turns.skipped) == ([("a", 15)], ["b"])
