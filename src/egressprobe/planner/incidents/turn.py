"""One run at a time evaluates, and no event is lost.

A run that finds another one at work leaves a mark and ends. The mark is written before the lock is looked at again, and
the holder of the lock looks for the mark after it has released the lock: so either the holder sees the mark, or the
run that wrote it finds the lock free. The mark is a schedule that fires once when the lock has expired, so a holder
that was killed delays the evaluation by minutes at most.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#one-time
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from egressprobe.planner.incidents.background import Background, OverdueError
from egressprobe.planner.incidents.edges import Start
from egressprobe.planner.incidents.settings import IncidentSettings
from egressprobe.planner.scheduler_api import (
    INCIDENT,
    Lock,
    acquire,
    delete_schedule,
    names_of,
    read_schedule,
    release,
    scheduler_errors,
    write_schedule,
)
from egressprobe.planner.schedules import Wanted, schedule_properties
from egressprobe.planner.settings import Settings

LOCK, ACKNOWLEDGING = f"{INCIDENT}-lock-", f"{INCIDENT}-acknowledging-"
WANTED, LATER = f"{INCIDENT}-wanted", f"{INCIDENT}-later-"
# A schedule fires within the minute of its time: these seconds are for clocks that differ.
_AFTER_EXPIRY = timedelta(seconds=10)
_TRIES = 3
# In which a step must have ended, whatever the SDK repeats.
_SECONDS = 25.0
_ONCE = "at(%Y-%m-%dT%H:%M:%S)"
_INPUT = '{"action": "incidents"}'


class OddAnswerError(Exception):
    """An answer of EventBridge Scheduler that is not as documented."""


def store_errors() -> tuple[type[Exception], ...]:
    """What reading and writing schedules raises here: `scheduler_errors`, no answer in time, and an odd one."""
    return (*scheduler_errors(), OverdueError, OddAnswerError)


def in_turn[T](
    turn: "Turn", work: Callable[[], T], clock: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> T | None:
    """What `work` returned at last; None where another run is at work, which will see the mark.

    work: reads everything that it decides on, so that what was marked before is covered. may_go_on: whether there is
    time for it once more. Raises `store_errors` where the lock cannot be taken, and what `work` raises.
    """
    while True:
        lock = turn.take()
        if not lock.own:
            turn.mark(lock, clock())
            lock = turn.take()
            if not lock.own:
                return None
        try:
            turn.unmark()
            result = work()
        finally:
            turn.leave(lock)
        if not (turn.is_marked() and may_go_on()):
            return result


class Turn:
    """The lock and the marks of one stack's group. Methods raise `store_errors`, where nothing else is written."""

    def __init__(self, client: Any, settings: Settings, incidents: IncidentSettings, start: Start = Background) -> None:
        self._client, self._settings, self._incidents, self._start = client, settings, incidents, start

    def take(self, prefix: str = LOCK) -> Lock:
        """The lock of this run, or the other run's that is at work."""
        call = partial(acquire, self._client, self._settings.group, self.stored("{}"), prefix=prefix)
        return self._start(call).result(_SECONDS)

    def leave(self, lock: Lock) -> None:
        """Releases it; a lock that cannot be deleted expires."""
        with suppress(OverdueError):
            self._start(partial(release, self._client, self._settings.group, lock.name)).result(_SECONDS)

    def mark(self, other: Lock, now: datetime) -> None:
        """So that this run's event is evaluated after the other run, which may have read the alarms before it."""
        expires = datetime.fromtimestamp(other.until, UTC)
        self._write(WANTED, self._once(max(expires, now) + _AFTER_EXPIRY))

    def is_marked(self) -> bool:
        """False where that cannot be read: then the mark fires by itself. Raises nothing of AWS."""
        call = partial(read_schedule, self._client, self._settings.group, WANTED)
        try:
            return self._start(call).result(_SECONDS) is not None
        except store_errors():
            return False

    def is_covered(self, now: datetime) -> bool:
        """Whether a mark of another run is still to be seen: whoever removes it reads everything after that.

        False for one whose time has come, or that never fires. Raises nothing of AWS.
        """
        call = partial(read_schedule, self._client, self._settings.group, WANTED)
        with suppress(*store_errors(), AttributeError, ValueError):
            mark = self._start(call).result(_SECONDS) or {}
            at = datetime.strptime(str(mark.get("ScheduleExpression")), _ONCE).replace(tzinfo=UTC)
            return mark.get("State") == "ENABLED" and at > now
        return False

    def unmark(self) -> None:
        """What was marked until now is covered by what is read from now on. Raises nothing of AWS."""
        with suppress(*store_errors()):  # then there is one evaluation too many
            self._start(partial(delete_schedule, self._client, self._settings.group, WANTED)).result(_SECONDS)

    def again(self, at: datetime) -> str:
        """Evaluate once more at that time; the name of the schedule, the same for the same minute."""
        at = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        name = f"{LATER}{int(at.timestamp()) // 60}"
        self._write(name, self._once(at))
        return name

    def clean(self, now: datetime) -> None:
        """Deletes one-time schedules that should have fired and are still there."""
        group = self._settings.group

        def clean() -> None:
            for name in names_of(self._client, group, LATER):
                digits = name.removeprefix(LATER)
                if not digits.isdecimal() or int(digits[:12]) * 60 < now.timestamp() - 600:
                    delete_schedule(self._client, group, name)

        self._start(clean).result(_SECONDS)

    def stored(self, text: str) -> dict[str, Any]:
        """Properties of a schedule that never fires and stores this Input."""
        function = self._settings.probes[0].function if self._settings.probes else self._incidents.planner
        return schedule_properties(Wanted("", function, self._settings.role, text, fires=False))

    def _write(self, name: str, properties: dict[str, Any]) -> None:
        """Tried again where other runs create and delete the same one meanwhile."""
        write = partial(write_schedule, self._client, self._settings.group, name, properties, new=True)
        exceptions = self._client.exceptions

        def written() -> bool:
            for _ in range(_TRIES):
                with suppress(exceptions.ConflictException, exceptions.ResourceNotFoundException):
                    return write()
            return write()

        self._start(written).result(_SECONDS)

    def _once(self, at: datetime) -> dict[str, Any]:
        """Fires once and is deleted by EventBridge Scheduler; one that is stored only, where the Planner has no ARN.

        https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html
        """
        properties = self.stored(_INPUT)
        if not self._incidents.planner:
            return properties
        target = properties["Target"] | {"Arn": self._incidents.planner, "RoleArn": self._incidents.planner_role}
        # An invocation that is throttled is worth repeating: unlike a minute's measurement, it is as good later.
        target["RetryPolicy"] = {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 900}
        return properties | {
            "ScheduleExpression": at.astimezone(UTC).strftime(_ONCE),
            "State": "ENABLED",
            "ActionAfterCompletion": "DELETE",
            "Target": target,
        }
