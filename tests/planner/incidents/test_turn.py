"""One run at a time, no event lost: over every order of the API calls of two and three runs."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from egressprobe.planner import scheduler_api
from egressprobe.planner.incidents.settings import IncidentSettings
from egressprobe.planner.incidents.turn import LATER, WANTED, Turn, in_turn
from egressprobe.planner.scheduler_api import Lock
from egressprobe.planner.schedules import Wanted, present, sync
from egressprobe.planner.settings import Probe, Settings
from tests.support.aws.inline import Inline
from tests.support.aws.scheduler_memory import Scheduler, random_interleavings

PLANNER = "arn:aws:lambda:eu-west-1:123456789012:function:planner"
SETTINGS = Settings("prod", (Probe(0, "subnet-a", "a", "arn:probe"),), "group", "role")
INCIDENTS = IncidentSettings(on=True, planner=PLANNER, planner_role="planner-role")
NOW = datetime(2026, 11, 26, 2, 11, 20, tzinfo=UTC)


def turn(scheduler, incidents=INCIDENTS):
    return Turn(scheduler, SETTINGS, incidents, Inline)


@pytest.mark.parametrize("runs", [2, 3, 5])
def test_every_event_is_read_after_it_happened_and_no_two_runs_work_at_once(runs):
    """In 60 random orders of their calls: nothing is left to do, no mark, no lock."""

    def make():
        scheduler, happened, read, working, ended = Scheduler(), set(), set(), [], []

        def run(me):
            happened.add(me)

            def work():
                assert not working, "two runs work at once"
                working.append(me)
                seen = set(happened)
                for _ in range(2):
                    with suppress(scheduler.exceptions.ResourceNotFoundException):
                        scheduler.get_schedule("group", "incidents")
                read.update(seen)
                working.remove(me)

            in_turn(turn(scheduler), work, lambda: NOW, lambda: True)
            ended.append(me)
            if len(ended) == runs:
                assert read == happened
                assert scheduler.there == {}, "nothing is left that would have to fire"

        return scheduler, [partial(run, me) for me in range(runs)], lambda: None

    random_interleavings(make, range(60))


def test_a_run_that_finds_another_one_at_work_leaves_a_mark_that_fires_when_the_lock_expires():
    """The other run may have been killed: EventBridge Scheduler starts one then."""
    scheduler = Scheduler()
    other = turn(scheduler).take()
    assert in_turn(turn(scheduler), pytest.fail, lambda: NOW, lambda: True) is None
    mark = scheduler.there[WANTED]
    expires = datetime.fromtimestamp(other.until, UTC) + timedelta(seconds=10)
    assert mark["ScheduleExpression"] == f"at({expires:%Y-%m-%dT%H:%M:%S})"
    assert (mark["State"], mark["ActionAfterCompletion"]) == ("ENABLED", "DELETE")
    assert (mark["Target"]["Arn"], mark["Target"]["RoleArn"]) == (PLANNER, "planner-role")
    assert json.loads(mark["Target"]["Input"]) == {"action": "incidents"}


def test_the_holder_goes_again_while_there_is_a_mark_and_time():
    """And leaves it to fire where there is no time."""
    scheduler, rounds = Scheduler(), []
    one = turn(scheduler)

    def work():
        rounds.append(len(rounds))
        if len(rounds) < 3:
            one.mark(Lock("lock", "other", frozenset(), own=False), NOW)
        return rounds[-1]

    assert in_turn(one, work, lambda: NOW, lambda: True) == 2
    assert scheduler.there == {}
    rounds.clear()
    assert in_turn(one, work, lambda: NOW, lambda: False) == 0
    assert list(scheduler.there) == [WANTED]


def test_work_that_fails_releases_the_lock():
    scheduler = Scheduler()
    with pytest.raises(ZeroDivisionError):
        in_turn(turn(scheduler), lambda: 1 / 0, lambda: NOW, lambda: True)
    assert scheduler.there == {}


def test_without_an_arn_of_its_own_a_mark_is_stored_and_never_fires():
    """An environment that another version of the template has made."""
    scheduler = Scheduler()
    one = turn(scheduler, IncidentSettings(on=True))
    one.mark(one.take(), NOW)
    assert scheduler.there[WANTED]["State"] == "DISABLED"


def test_the_plan_leaves_what_incidents_store_alone():
    """`present` does not read it, `sync` does not delete it, and the two locks do not meet."""
    scheduler = Scheduler()
    one = turn(scheduler)
    held = one.take()
    one.mark(held, NOW)
    later = one.again(NOW)
    scheduler.there["s00-old"] = one.stored("{}")
    assert set(present(scheduler, "group")) == {"s00-old"}
    change = sync(scheduler, "group", [Wanted("s00-all", "arn:probe", "role", "{}")], present(scheduler, "group"))
    assert change.deleted == ("s00-old",)
    assert set(scheduler.there) == {held.name, WANTED, later, "s00-all"}
    assert not turn(scheduler).take().own
    assert scheduler_api.acquire(scheduler, "group", one.stored("{}")).own


def test_openings_of_one_minute_share_one_later_evaluation():
    """Its time is in its name, so that one that did not fire can be recognised and deleted."""
    scheduler = Scheduler()
    one = turn(scheduler)
    assert one.again(NOW) == one.again(NOW + timedelta(seconds=30))
    [name] = scheduler.there
    assert scheduler.there[name]["ScheduleExpression"] == "at(2026-11-26T02:12:00)"
    one.clean(NOW + timedelta(minutes=5))
    assert name in scheduler.there
    scheduler.there[f"{LATER}odd"] = {}
    one.clean(NOW + timedelta(minutes=20))
    assert scheduler.there == {}
