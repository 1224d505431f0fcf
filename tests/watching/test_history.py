"""What is remembered of the rounds: outages, changes, bounds."""

import sys

from egressprobe.cli.output.watch.changes import change_lines
from egressprobe.watching.history import MOST_CELLS, MOST_OUTAGES, MOST_TIMES, History
from tests.watching.rounds import DEGRADED, FAIL, PASS, UNKNOWN, round_of, seen


def test_an_outage_begins_and_ends_on_measurements():
    """Unknown neither begins nor ends one; degraded ends it."""
    history = History()
    for at, verdict in enumerate([UNKNOWN, PASS, FAIL, FAIL, UNKNOWN, FAIL, DEGRADED, PASS, FAIL, UNKNOWN]):
        history.add(round_of(seen("a", verdict, at=at)))
    assert [(outage.began, outage.ended) for outage in history.outages] == [(2, 6), (8, None)]
    assert history.going_on("a", "subnet-a") is not None


def test_each_change_is_reported_once_with_what_it_was():
    """The first round reports what does not pass; then only changes."""
    history = History()
    lines = []
    for at, verdict in enumerate([FAIL, FAIL, PASS, PASS, UNKNOWN, PASS]):
        cells = (seen("a", verdict, at=at * 60), seen("b", PASS, at=at * 60))
        lines += change_lines(history.add(round_of(*cells)))
    assert lines == [
        "1970-01-01T00:00:00Z FAIL a from subnet-a connect_timeout: no reply to the SYN",
        "1970-01-01T00:02:00Z pass a from subnet-a after 2m00s",
        "1970-01-01T00:04:00Z UNKNOWN a from subnet-a connect_timeout: no reply to the SYN (was pass)",
        "1970-01-01T00:05:00Z pass a from subnet-a (was UNKNOWN)",
    ]


def test_a_measurement_counts_once():
    """Rounds of the log overlap: what is not newer is left out."""
    history = History()
    for _ in range(3):
        history.add(round_of(seen("a", FAIL, at=5), complete=False))
    history.add(round_of(seen("a", PASS, at=4), complete=False))
    (track,) = history.tracks.values()
    assert len(track.times) == 1
    assert track.cell.verdict is FAIL


def test_a_target_that_left_the_plan_is_forgotten():
    """By a complete round only, and its outage ends; a round without cells says nothing."""
    history = History()
    history.add(round_of(seen("a", FAIL, at=1), seen("b", PASS, at=1)))
    history.add(round_of(seen("b", PASS, at=2), complete=False))
    history.add(round_of())
    assert history.targets() == ["a", "b"]
    history.add(round_of(seen("b", PASS, at=3)))
    assert history.targets() == ["b"]
    assert history.outages[0].ended == 3


def test_the_worst_target_is_first():
    history = History()
    history.add(
        round_of(
            seen("a", PASS, at=1),
            seen("b", PASS, at=1, subnet="subnet-b"),
            seen("b", FAIL, at=1),
            seen("c", UNKNOWN, at=1),
            seen("d", DEGRADED, at=1),
        )
    )
    assert history.targets() == ["b", "c", "d", "a"]
    assert history.subnets() == ["subnet-a", "subnet-b"]


def test_memory_is_bounded_over_days():
    """A flapping target of 10 s rounds for a day takes what an hour takes."""

    def watched(rounds):
        history = History()
        for at in range(rounds):
            history.add(round_of(seen("a", FAIL if at % 2 else PASS, at=at, cause=f"cause {at}")))
        (track,) = history.tracks.values()
        return len(history.outages), len(track.times), sys.getsizeof(history.outages)

    assert watched(8640) == watched(720)
    assert watched(8640)[:2] == (MOST_OUTAGES, MOST_TIMES)


def test_targets_are_bounded():
    """No more cells than MOST_CELLS, whatever a log says."""
    history = History()
    history.add(round_of(*(seen(f"t{i}", PASS, at=1) for i in range(MOST_CELLS + 100)), complete=False))
    assert len(history.tracks) == MOST_CELLS
    assert history.left_out == 100


def test_what_fails_is_never_left_out_for_what_passes():
    """The plan is larger than what is shown: a failure takes the place of a pass, and how many are left out is known."""
    history = History()
    many = [seen(f"t{i}", PASS, at=1) for i in range(MOST_CELLS)]
    changes = history.add(round_of(*many, seen("late", FAIL, at=1)))
    assert changes[-1].cell.target == "late"
    assert history.targets()[0] == "late"
    assert (len(history.tracks), history.left_out) == (MOST_CELLS, 1)


def test_an_outage_has_its_beginning_also_where_more_fail_than_are_listed():
    """More outages at once than MOST_OUTAGES: none begins again, and each has its own length at its end."""
    history = History()
    names = [f"t{i}" for i in range(3 * MOST_OUTAGES)]
    for at in (1, 2, 3):
        history.add(round_of(*(seen(name, FAIL, at=at) for name in names)))
    assert {history.going_on(name, "subnet-a").began for name in names} == {1}
    changes = history.add(round_of(*(seen(name, PASS, at=5) for name in names)))
    assert [change.lasted for change in changes] == [4] * len(names)
    assert {(outage.began, outage.ended) for outage in history.outages} == {(1, 5)}
    assert len(history.outages) == MOST_OUTAGES
