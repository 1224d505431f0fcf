"""The plan's store: one schedule per subnet and shard, in a group that the stack owns.

`sync` makes the group as wanted and touches only what differs. Its rules, which keep every target in some schedule
whenever a run is interrupted, and however runs overlap:

1. All new and changed schedules are written before anything is deleted, and nothing is deleted while a write has
   failed. With shards cut as in shards.py every target of both plans stays covered.
2. Only the holder of the group's lock deletes. It reads the group again first and writes what another run has removed
   or changed, so its plan is complete from its first deletion until it releases the lock.
3. It deletes only what existed before it started: what another run has just created stays for the next run.

A run that finds the lock taken deletes only what the holder does not want either, and leaves the rest to the next run.
So the plan that is complete stays complete; and where the holder was killed, the group is as wanted all the same.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from egressprobe.planner.scheduler_api import (
    DELETE_SECONDS,
    acquire,
    attempted,
    delete_schedule,
    is_held,
    list_schedules,
    release,
    scheduler_errors,
    write_schedule,
)

# Seconds before each further round over the schedules that could not be written or deleted.
_ROUNDS = (1.0, 3.0)
# Writing stops after this many seconds: the Planner has 300 in all, and what was not attempted is reported.
_WRITE_SECONDS = 150.0


class Wanted(NamedTuple):
    """One schedule: its name in the group, the function and its event. fires: False for one that stores its event."""

    name: str
    function: str
    role: str
    input: str
    fires: bool = True


class ScheduleChange(NamedTuple):
    """Names of schedules, by what was done to them; `failed`: with AWS's words.

    surplus: not in the plan and not deleted, because another run was deleting and wants it.
    """

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


def present(client: Any, group: str, prefix: str = "") -> dict[str, dict[str, Any]]:
    """Every schedule of the group whose name begins with `prefix`, as it is. Raises botocore's exceptions."""
    return list_schedules(client, group, prefix)


def sync(client: Any, group: str, wanted: Iterable[Wanted], there: dict[str, dict[str, Any]]) -> ScheduleChange:
    """Make the group as wanted; `there`: what `present` returned. Raises nothing of botocore's: see `failed`."""
    properties = {schedule.name: schedule_properties(schedule) for schedule in wanted}
    unchanged = tuple(name for name in properties if name in there and _same(there[name], properties[name]))
    created: dict[str, None] = {}
    updated: dict[str, None] = {}

    def write(names: Iterable[str], existing: dict[str, dict[str, Any]]) -> list[str]:
        def write_one(name: str) -> None:
            done = (
                created if write_schedule(client, group, name, properties[name], new=name not in existing) else updated
            )
            done[name] = None

        return _each(names, write_one, _WRITE_SECONDS)

    failed = write([name for name in properties if name not in unchanged], there)
    surplus = sorted(there.keys() - properties.keys())
    deleted: list[str] = []
    if surplus and not failed:
        try:
            deleted, failed = _delete(client, group, properties, there, write)
        except scheduler_errors() as error:
            failed = [f"deletion of {', '.join(surplus)}: {error}"]
    rest = () if failed else tuple(name for name in surplus if name not in deleted)
    return ScheduleChange(tuple(created), tuple(updated), tuple(deleted), unchanged, tuple(failed), rest)


def _delete(
    client: Any,
    group: str,
    properties: dict[str, dict[str, Any]],
    there: dict[str, dict[str, Any]],
    write: Callable[[Iterable[str], dict[str, dict[str, Any]]], list[str]],
) -> tuple[list[str], list[str]]:
    """Names that were deleted, and those that failed with the reason."""
    target = next((p for p in (*properties.values(), *there.values()) if "Target" in p), None)
    if target is None:  # nothing is wanted, and what is there cannot be read
        return [], [f"{name}: GetSchedule returned no Target" for name in there]
    lock = acquire(client, group, {key: target[key] for key in _LOCK_FIELDS if key in target}, properties)
    deleted: list[str] = []

    def delete_one(name: str) -> None:
        if lock.own or is_held(client, group, lock):
            delete_schedule(client, group, name)
            deleted.append(name)

    if not lock.own:
        return deleted, _each(sorted(there.keys() - properties.keys() - lock.plan), delete_one, DELETE_SECONDS)
    try:
        now = attempted(lambda: list_schedules(client, group))
        failed = write([name for name in properties if name not in now or not _same(now[name], properties[name])], now)
        if not failed:
            failed = _each(sorted((there.keys() & now.keys()) - properties.keys()), delete_one, DELETE_SECONDS)
            deleted.extend(sorted(there.keys() - now.keys() - properties.keys()))
    finally:
        release(client, group, lock.name)
    return deleted, failed


def _each(names: Iterable[str], action: Callable[[str], None], seconds: float) -> list[str]:
    """Calls `action` for each name, in rounds, so that one failure stops no other. Returns failures with the reason."""
    waiting, reasons = list(names), dict[str, str]()
    deadline = time.monotonic() + seconds
    for pause in (*_ROUNDS, None):
        remaining = []
        for name in waiting:
            if time.monotonic() > deadline:
                reasons.setdefault(name, "not attempted: the calls before it took too long")
                remaining.append(name)
                continue
            try:
                action(name)
            except scheduler_errors() as error:
                reasons[name] = str(error)
                remaining.append(name)
        waiting = remaining
        if not waiting or pause is None:
            break
        time.sleep(pause)
    return [f"{name}: {reasons[name]}" for name in waiting]


_LOCK_FIELDS = ("ScheduleExpression", "FlexibleTimeWindow", "Target")


def schedule_properties(schedule: Wanted) -> dict[str, Any]:
    """All properties: UpdateSchedule sets what is left out to its default.

    A run that fails is not retried: the next minute's measurement is newer.
    """
    return {
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED" if schedule.fires else "DISABLED",
        "Target": {
            "Arn": schedule.function,
            "RoleArn": schedule.role,
            "Input": schedule.input,
            "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
        },
    }


def _same(existing: dict[str, Any], properties: dict[str, Any]) -> bool:
    return all(_covers(existing.get(key), value) for key, value in properties.items())


def _covers(existing: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return isinstance(existing, dict) and all(_covers(existing.get(key), item) for key, item in value.items())
    return bool(existing == value)
