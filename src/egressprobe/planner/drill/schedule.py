"""A drill's schedule: one failing target in one subnet, beside the plan's schedules and independent of them.

It tests the whole way of a page: EventBridge Scheduler, the Probe, its log, metrics, alarms, SNS. The call is refused
before any packet is sent, as that of a webhook without endpoints is, so it fails whatever the network does. The plan
has `drill`: the run writes the target's failure, and nothing of what shows that the plan was measured.

A drill ends by itself: the schedule has an end, after which EventBridge Scheduler deletes it, and the Planner's next
run deletes one that is still there. https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from egressprobe.model.target import DRILL_TARGET
from egressprobe.planner.scheduler_api import DRILL, attempted, delete_schedule, names_of
from egressprobe.planner.schedules import Wanted, schedule_properties
from egressprobe.planner.settings import Settings
from egressprobe.planner.shards import as_input

# As long as a page may take, twice, so that the command that started it decides when it ends.
LASTS = timedelta(minutes=20)
_PLACE = {"namespace": DRILL_TARGET, "name": DRILL_TARGET}
_REFUSAL = {"finding": "SERVICE_WITHOUT_ENDPOINTS", "error": "this is a drill of egressprobe: no call is made"}
_PLAN = {
    "drill": True,
    "targets": [{"kind": "webhook", "name": DRILL_TARGET, "service": _PLACE, "refusal": _REFUSAL}],
}


def start(client: Any, settings: Settings, now: datetime) -> dict[str, Any]:
    """Ends any other drill, and begins one in the first subnet. Raises botocore's exceptions."""
    removed = stop(client, settings)
    until = (now + LASTS).replace(microsecond=0)
    probe = settings.probes[0]
    name = f"{DRILL}{int(until.timestamp())}"
    properties = schedule_properties(Wanted(name, probe.function, settings.role, as_input(_PLAN)))
    properties |= {"EndDate": until, "ActionAfterCompletion": "DELETE"}
    attempted(lambda: client.create_schedule(GroupName=settings.group, Name=name, **properties))
    return {
        "target": DRILL_TARGET,
        "schedule": name,
        "subnet": probe.subnet_id,
        "until": until.isoformat(timespec="seconds"),
        "removed": removed,
    }


def stop(client: Any, settings: Settings) -> list[str]:
    """Ends every drill; names of the schedules that were deleted. Raises botocore's exceptions."""
    return _remove(client, settings.group, datetime.max.replace(tzinfo=UTC))


def remove_expired(client: Any, settings: Settings, now: datetime) -> list[str]:
    """The same, of drills that should have ended by themselves."""
    return _remove(client, settings.group, now)


def _remove(client: Any, group: str, before: datetime) -> list[str]:
    removed = [name for name in attempted(lambda: names_of(client, group, DRILL)) if _until(name) < before]
    for name in removed:
        attempted(partial(delete_schedule, client, group, name))
    return removed


def _until(name: str) -> datetime:
    """The drill's end; a name that is not one of ours has ended."""
    digits = name.removeprefix(DRILL)
    seconds = int(digits) if digits.isdecimal() and len(digits) < 12 else 0
    return datetime.fromtimestamp(seconds, UTC)
