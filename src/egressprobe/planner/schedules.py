"""The plan's store: one schedule a subnet and shard, in a group that the stack owns.

`sync` makes the group as wanted and touches only what differs. New and changed schedules are written before
anything is deleted, and nothing is deleted while a write has failed: with shards cut as in shards.py every target
stays in some schedule whenever this is interrupted, and the next run finishes the work.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

_AT_ONCE = 8


class Wanted(NamedTuple):
    """One schedule: its name in the group, the function and its event. fires: else it only keeps its event."""

    name: str
    function: str
    role: str
    input: str
    fires: bool = True


class Change(NamedTuple):
    """Names of schedules, by what was done to them; `failed`: with AWS's words."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def present(client: Any, group: str, prefix: str = "") -> dict[str, dict[str, Any]]:
    """Every schedule of the group whose name begins with `prefix`, as it is. Raises botocore's ClientError."""
    pages = client.get_paginator("list_schedules").paginate(GroupName=group)
    names = [one["Name"] for page in pages for one in page["Schedules"] if one["Name"].startswith(prefix)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda name: _get(client, group, name), names)
        return {name: one for name, one in zip(names, found, strict=True) if one is not None}


def sync(client: Any, group: str, wanted: Iterable[Wanted], there: dict[str, dict[str, Any]]) -> Change:
    """Make the group as wanted; `there`: what `present` found."""
    properties = {one.name: _properties(one) for one in wanted}
    created: list[str] = []
    updated: list[str] = []
    unchanged: list[str] = []
    failed: list[str] = []
    for name, said in properties.items():
        if name in there and _same(there[name], said):
            unchanged.append(name)
            continue
        try:
            done = created if _write(client, group, name, said, new=name not in there) else updated
            done.append(name)
        except client.exceptions.ClientError as error:
            failed.append(f"{name}: {error}")
    deleted = []
    for name in () if failed else sorted(there.keys() - properties.keys()):
        try:
            _delete(client, group, name)
            deleted.append(name)
        except client.exceptions.ClientError as error:
            failed.append(f"{name}: {error}")
    return Change(*map(tuple, (created, updated, deleted, unchanged, failed)))


def _properties(one: Wanted) -> dict[str, Any]:
    """All that a schedule says: UpdateSchedule sets what is left out to its default.

    A run that fails is not tried again: the next minute's is a better answer.
    """
    return {
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED" if one.fires else "DISABLED",
        "Target": {
            "Arn": one.function,
            "RoleArn": one.role,
            "Input": one.input,
            "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
        },
    }


def _same(there: dict[str, Any], said: dict[str, Any]) -> bool:
    return all(_covers(there.get(key), value) for key, value in said.items())


def _covers(there: Any, said: Any) -> bool:
    if isinstance(said, dict):
        return isinstance(there, dict) and all(_covers(there.get(key), value) for key, value in said.items())
    return bool(there == said)


def _get(client: Any, group: str, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.get_schedule(GroupName=group, Name=name)
    except client.exceptions.ResourceNotFoundException:
        return None  # gone since it was listed
    return found


def _write(client: Any, group: str, name: str, said: dict[str, Any], *, new: bool) -> bool:
    """True: created. Another Planner may have been quicker either way."""
    for create in (new, not new):
        try:
            if create:
                client.create_schedule(GroupName=group, Name=name, **said)
            else:
                client.update_schedule(GroupName=group, Name=name, **said)
        except (client.exceptions.ConflictException, client.exceptions.ResourceNotFoundException):
            if create is not new:
                raise
        else:
            return create
    raise AssertionError("unreachable")


def _delete(client: Any, group: str, name: str) -> None:
    try:
        client.delete_schedule(GroupName=group, Name=name)
    except client.exceptions.ResourceNotFoundException:
        return
