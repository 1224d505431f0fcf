"""EventBridge Scheduler's calls as the Planner needs them, and the locks of a schedule group.

A lock is a disabled schedule in the group whose name is a prefix and a number: `lock-N` is taken by a run that deletes,
`incident-lock-N` by one that reports incidents. N is one more than the highest number that exists with that prefix, so
that two runs that see the same locks create the same name, of which CreateSchedule accepts one. A run that created its
lock lists the locks again, and gives up if another one is valid: of two runs with different names at least the later
reader sees both. `lock-N` names the schedules of its holder's plan. A lock expires, so that a killed run blocks others
only for minutes; its holder stops well before that.

https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html (ConflictException)
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

_AT_ONCE = 8
_LOCK = "lock-"
# Names of schedules that are not of the plan begin so: planner/drill, planner/incidents.
DRILL, INCIDENT = "drill-", "incident"
# Seconds. The longest call takes 4 attempts of 20 s (settings.py), so a holder that stops after DELETE_SECONDS has
# finished before its lock expires.
LOCK_SECONDS, DELETE_SECONDS = 180.0, 60.0
# Seconds before each further attempt of a call whose failure would leave the lock behind, or waste the run.
_PAUSES = (0.5, 2.0)


def scheduler_errors() -> tuple[type[Exception], ...]:
    """What an AWS call raises: AWS's refusal, no connection, an answer that is not AWS's."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return (ClientError, BotoCoreError, ResponseParserError)


def list_schedules(client: Any, group: str, prefix: str = "") -> dict[str, dict[str, Any]]:
    """Every schedule of the group whose name begins with `prefix`, as GetSchedule returns it; locks, drills and
    incidents are left out. Raises `scheduler_errors`.
    """
    others = (_LOCK, DRILL, INCIDENT)
    return _read(client, group, lambda name: name.startswith(prefix) and not name.startswith(others))


def read_schedule(client: Any, group: str, name: str) -> dict[str, Any] | None:
    """As GetSchedule returns it; None for one that does not exist. Raises `scheduler_errors`."""
    try:
        schedule: dict[str, Any] = client.get_schedule(GroupName=group, Name=name)
    except client.exceptions.ResourceNotFoundException:
        return None
    return schedule


def names_of(client: Any, group: str, prefix: str) -> list[str]:
    """Names of the group's schedules that begin so, in order. Raises `scheduler_errors`."""
    return sorted(name for name in _listed(client, group) if name.startswith(prefix))


def write_schedule(client: Any, group: str, name: str, properties: dict[str, Any], *, new: bool) -> bool:
    """True: created. Another run may have created or deleted it meanwhile. Raises `scheduler_errors`."""
    for create in (new, not new):
        try:
            if create:
                client.create_schedule(GroupName=group, Name=name, **properties)
            else:
                client.update_schedule(GroupName=group, Name=name, **properties)
        except (client.exceptions.ConflictException, client.exceptions.ResourceNotFoundException):
            if create is not new:
                raise
        else:
            return create
    raise AssertionError("unreachable")


def delete_schedule(client: Any, group: str, name: str) -> None:
    """Deletes it; one that does not exist is no error. Raises `scheduler_errors`."""
    try:
        client.delete_schedule(GroupName=group, Name=name)
    except client.exceptions.ResourceNotFoundException:
        return


class Lock(NamedTuple):
    """run: the id of its holder. plan: names of the schedules that the holder wants. own: this run is the holder.

    until: when it expires, in seconds since 1970.
    """

    name: str
    run: str
    plan: frozenset[str]
    own: bool
    until: float = 0.0


def acquire(
    client: Any, group: str, properties: dict[str, Any], plan: Iterable[str] = (), *, prefix: str = _LOCK
) -> Lock:
    """Returns this run's lock, or another run's valid one. properties: of any schedule, for its target.

    prefix: of the lock's name. Raises `scheduler_errors`; then no lock of this run is left, or one that expires.
    """
    before = attempted(lambda: _locks(client, group, prefix))
    for name in _valid(before):
        return _lock(name, before[name])
    run = str(uuid.uuid4())
    name = f"{prefix}{1 + max((_number(name.removeprefix(prefix)) for name in before), default=0):06d}"
    until = time.time() + LOCK_SECONDS
    # Every schedule of the group has a plan; this one's has no targets.
    content = {"run": run, "until": until, "names": sorted(plan), "plan": {"targets": []}}
    target = properties["Target"] | {"Input": json.dumps(content)}
    holder = attempted(lambda: _create_lock(client, group, name, properties | {"Target": target}))
    if holder.get("run") != run:
        return _lock(name, holder)
    try:
        locks = attempted(lambda: _locks(client, group, prefix))
    except scheduler_errors():
        release(client, group, name)
        raise
    for other in _valid(locks) - {name}:
        release(client, group, name)
        return _lock(other, locks[other])
    for expired in before:
        release(client, group, expired)
    return Lock(name, run, frozenset(plan), own=True, until=until)


def is_held(client: Any, group: str, lock: Lock) -> bool:
    """Whether another run's lock is still there. Raises `scheduler_errors`."""
    schedule = read_schedule(client, group, lock.name)
    return schedule is not None and _content(schedule).get("run") == lock.run


def release(client: Any, group: str, name: str) -> None:
    """Deletes the lock. One that cannot be deleted expires."""
    try:
        attempted(lambda: delete_schedule(client, group, name))
    except scheduler_errors():
        return


def _create_lock(client: Any, group: str, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Content of the lock of that name: this run's own, also when only the response was lost, or another run's."""
    try:
        client.create_schedule(GroupName=group, Name=name, **(properties | {"State": "DISABLED"}))
    except client.exceptions.ConflictException:
        return _content(read_schedule(client, group, name) or {})
    return _content(properties)


def _lock(name: str, content: dict[str, Any]) -> Lock:
    names, until = content.get("names"), content.get("until")
    plan = frozenset(names if isinstance(names, list) else ())
    return Lock(name, str(content.get("run")), plan, own=False, until=until if isinstance(until, int | float) else 0.0)


def _locks(client: Any, group: str, prefix: str) -> dict[str, dict[str, Any]]:
    """Name -> content."""
    schedules = _read(client, group, lambda name: name.startswith(prefix))
    return {name: _content(schedule) for name, schedule in schedules.items()}


def _valid(locks: dict[str, dict[str, Any]]) -> set[str]:
    """Those that have not expired; one without a time has."""
    now = time.time()
    times = {name: content.get("until") for name, content in locks.items()}
    return {name for name, until in times.items() if isinstance(until, int | float) and until > now}


def _content(schedule: dict[str, Any]) -> dict[str, Any]:
    """The Input as an object; empty where it is none."""
    try:
        content = json.loads(schedule["Target"]["Input"])
    except (KeyError, TypeError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _number(digits: str) -> int:
    return int(digits) if digits.isdecimal() else 0


def _read(client: Any, group: str, chosen: Callable[[str], bool]) -> dict[str, dict[str, Any]]:
    names = [name for name in _listed(client, group) if chosen(name)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        schedules = list(pool.map(lambda name: read_schedule(client, group, name), names))
    return {name: schedule for name, schedule in zip(names, schedules, strict=True) if schedule is not None}


def _listed(client: Any, group: str) -> list[str]:
    pages = client.get_paginator("list_schedules").paginate(GroupName=group)
    return [entry["Name"] for page in pages for entry in page.get("Schedules") or () if entry.get("Name")]


def attempted[T](call: Callable[[], T]) -> T:
    """The result of the call, repeated after a pause when AWS or the connection fails."""
    for pause in _PAUSES:
        try:
            return call()
        except scheduler_errors():
            time.sleep(pause)
    return call()
