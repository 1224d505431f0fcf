"""The group of schedules while calls fail and runs overlap: no target of both plans is ever without a schedule."""

import json
import os
import threading
import time

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from egressprobe.planner import scheduler_api
from egressprobe.planner.inventory import read_inventory
from egressprobe.planner.schedules import Wanted, present, sync
from egressprobe.planner.shards import as_input, cut
from tests.support.aws.planners import hook
from tests.support.aws.scheduler_memory import Scheduler, every_interleaving


def plan(names, largest, slots=1):
    """The schedules of a plan, cut into shards of at most `largest` targets."""
    inventory = read_inventory({"targets": [hook(name) for name in names]})
    shards = cut(inventory, max_targets=largest).shards
    return [
        Wanted(f"s{slot:02d}-{shard.bits}", f"arn:{slot}", "role", as_input(shard.plan))
        for slot in range(slots)
        for shard in shards
    ]


def covered(scheduler, slot="s00-"):
    """Targets that some schedule of the slot has."""
    inputs = [found["Target"]["Input"] for name, found in scheduler.there.items() if name.startswith(slot)]
    return {target["name"] for text in inputs for target in json.loads(text)["plan"]["targets"]}


def stored(schedules):
    scheduler = Scheduler()
    sync(scheduler, "g", schedules, {})
    return scheduler


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(scheduler_api, "_AT_ONCE", 1)


@pytest.fixture
def in_one_thread(monkeypatch):
    """GetSchedule in the caller's thread, so that an interleaving is decided by calls alone."""

    class Pool:
        def __init__(self, _):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def map(self, function, items):
            return map(function, items)

    monkeypatch.setattr(scheduler_api, "ThreadPoolExecutor", Pool)
    # The same in each execution, so that equal states are equal.
    monkeypatch.setattr(scheduler_api.uuid, "uuid4", lambda: threading.current_thread().name)
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)


A, B = [f"t{i}" for i in range(2)], [f"t{i}" for i in range(1, 3)]


# name: (schedules before, plan of the first run, plan of the second)
SCENARIOS = {
    "split and stay": (plan(A, 9), plan(A, 1), plan(A, 9)),
    "merge and stay": (plan(A, 1), plan(A, 9), plan(A, 1)),
    "split changed and stay": (plan(A, 9), plan(B, 1), plan(A, 9)),
    "each deletes the other's": (plan(A, 9) + plan(A, 1), plan(A, 1), plan(A, 9)),
}
if os.environ.get("EGRESSPROBE_REQUIRE_ALL"):  # make check; they take half a minute
    SCENARIOS["both merge"] = (plan(A, 1), plan(B, 9), plan(A, 9))
    SCENARIOS["each deletes the other's, changed"] = (plan(A, 9) + plan(A, 1), plan(B, 1), plan(A, 9))


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_interleaving_of_two_runs_loses_a_target(in_one_thread, name):
    """Every order of their API calls, and after each call: what all three plans have is in some schedule.

    A run reads the group, then writes; the other one may do anything in between.
    """
    before, first, second = SCENARIOS[name]
    plans = [{t["name"] for w in p for t in json.loads(w.input)["plan"]["targets"]} for p in (before, first, second)]
    common = set.intersection(*plans)
    results = []

    def make():
        scheduler = stored(before)
        results.clear()

        def run(wanted):
            return lambda: results.append(sync(scheduler, "g", wanted, present(scheduler, "g")))

        def check():
            assert common <= covered(scheduler)
            if len(results) == 2:
                assert not any(result.failed for result in results)
                assert not any(name.startswith("lock-") for name in scheduler.there)

        return scheduler, [run(first), run(second)], check

    assert every_interleaving(make) > 100


def test_the_next_run_deletes_what_two_overlapping_runs_left(in_one_thread):
    scheduler = stored(plan(A, 9))
    there = present(scheduler, "g")
    sync(scheduler, "g", plan(B, 1), there)
    sync(scheduler, "g", plan(A, 9), there)  # with knowledge from before the first
    sync(scheduler, "g", plan(B, 1), present(scheduler, "g"))
    assert covered(scheduler) == set(B)
    assert sorted(scheduler.there) == [schedule.name for schedule in plan(B, 1)]


def refusal(code, status=400):
    return lambda: ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation")


FAILURES = {
    "throttled": refusal("ThrottlingException", 429),
    "500": refusal("InternalServerException", 500),
    "denied": refusal("AccessDeniedException", 403),
    "quota": refusal("ServiceQuotaExceededException", 402),
    "timeout": lambda: ReadTimeoutError(endpoint_url="x"),
    "refused": lambda: EndpointConnectionError(endpoint_url="x"),
    "reset": lambda: ConnectionClosedError(endpoint_url="x"),
    "no credentials": NoCredentialsError,
    "not AWS's answer": lambda: ResponseParserError("not JSON"),
}


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "answer lost"])
@pytest.mark.parametrize("kind", FAILURES)
def test_one_failed_call_of_any_kind_is_repeated(kind, lost):
    """At every call in turn, done or not: the group is as wanted in the end, and no target was lost on the way."""
    before, after = plan([f"t{i}" for i in range(8)], 9, 2), plan([f"t{i}" for i in range(2, 12)], 3, 2)
    both = {f"t{i}" for i in range(2, 8)}
    at, total = 0, 1
    while at < total:
        scheduler, calls = stored(before), []
        there = present(scheduler, "g")

        def fail(operation, name, at=at, calls=calls):
            calls.append(operation)
            if len(calls) == at + 1:
                error = FAILURES[kind]()
                raise error

        def watch(operation, name, scheduler=scheduler):
            assert both <= covered(scheduler, "s00-") & covered(scheduler, "s01-")

        if lost:
            scheduler.after = fail
        else:
            scheduler.before, scheduler.after = fail, watch
        change = sync(scheduler, "g", after, there)
        assert change.failed == (), (at, calls[at])
        assert sorted(scheduler.there) == sorted(schedule.name for schedule in after), (at, calls[at])
        at, total = at + 1, len(calls)
    assert total > 12


@pytest.mark.parametrize("kind", FAILURES)
def test_a_schedule_that_stays_broken_is_named_and_the_others_are_written(kind):
    """Nothing is deleted meanwhile; the next run finishes the work."""
    before, after = plan(A, 9, 3), plan([f"n{i}" for i in range(6)], 2, 3)
    scheduler = stored(before)
    broken = after[1].name

    def fail(operation, name):
        if name == broken:
            error = FAILURES[kind]()
            raise error

    scheduler.before = fail
    change = sync(scheduler, "g", after, present(Scheduler(), "g") | dict(scheduler.there))
    [failed] = change.failed
    assert failed.startswith(f"{broken}: ")
    assert set(change.created) == {schedule.name for schedule in after} - {broken}
    assert {schedule.name for schedule in before} <= set(scheduler.there)
    scheduler.before = lambda operation, name: None
    assert sync(scheduler, "g", after, present(scheduler, "g")).failed == ()
    assert sorted(scheduler.there) == sorted(schedule.name for schedule in after)


def test_no_connection_at_all_ends_in_time_and_says_so(monkeypatch):
    """Each call takes 20 s to fail: writing stops before Lambda ends the run, and every schedule is accounted for."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def fail(operation, name):
        clock[0] += 20
        raise EndpointConnectionError(endpoint_url="x")

    after = plan([f"n{i}" for i in range(40)], 2, 4)
    change = sync(Scheduler(fail), "g", after, {})
    assert len(change.failed) == len(after)
    assert any("not attempted" in failed for failed in change.failed)
    assert clock[0] <= 200


def test_a_killed_run_leaves_a_lock_that_does_not_keep_the_next_one_from_its_plan():
    """Killed between two deletions; the next run has the same plan and leaves nothing else behind."""

    class Killed(BaseException):
        pass

    scheduler = stored(plan(A, 1))
    after = plan(A, 9)

    def kill(operation, name):
        if operation == "delete" and name != "s00-0":
            raise Killed

    scheduler.before = kill
    with pytest.raises(Killed):
        sync(scheduler, "g", after, present(Scheduler(), "g") | dict(scheduler.there))
    assert any(name.startswith("lock-") for name in scheduler.there)
    scheduler.before = lambda operation, name: None
    sync(scheduler, "g", after, present(scheduler, "g"))
    assert set(present(scheduler, "g")) == {"s00-all"}
    assert covered(scheduler) == set(A)


def test_an_expired_lock_is_removed(monkeypatch):
    scheduler = stored(plan(A, 9))
    expired = {"run": "x", "until": time.time() - 1, "plan": {"targets": []}}
    scheduler.there["lock-000007"] = {"Target": {"Input": json.dumps(expired)}}
    scheduler.there["lock-000009"] = {"Target": {"Input": "not JSON"}}
    change = sync(scheduler, "g", plan(A, 1), present(scheduler, "g"))
    assert change.deleted == ("s00-all",)
    assert sorted(scheduler.there) == [schedule.name for schedule in plan(A, 1)]


def test_what_another_run_holds_and_wants_is_left_to_it():
    scheduler = stored(plan(A, 1))
    names = sorted(scheduler.there)
    held = {"run": "x", "until": time.time() + 60, "names": names[:1], "plan": {"targets": []}}
    scheduler.there["lock-000001"] = {"Target": {"Input": json.dumps(held)}}
    change = sync(scheduler, "g", plan(A, 9), present(scheduler, "g"))
    assert change.surplus == (names[0],)
    assert set(change.deleted) == set(names[1:])
    assert change.failed == ()


@pytest.mark.parametrize("page", [{}, {"Schedules": None}, {"Schedules": [{}]}, {"Schedules": [{"Name": "s00-all"}]}])
def test_answers_that_lack_fields(page):
    """Of a listing and of a schedule: what cannot be read is written again."""
    scheduler = stored(plan(A, 9))
    scheduler.get_paginator = lambda _: type("Pages", (), {"paginate": lambda self, **_: [page]})()
    scheduler.get_schedule = lambda **_: {}
    change = sync(scheduler, "g", plan(B, 9), present(scheduler, "g"))
    assert change.failed == ()
    assert covered(scheduler) == set(B)
