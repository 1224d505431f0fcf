"""The Planner's door. People invoke this one; probes are invoked by the schedules and by this.

Events:
- `{"action": "plan"}`: every 15 minutes: look after the schedules (reconcile.py). Fails aloud (an exception is an
  error metric) when a schedule could not be written; probing goes on with what is there.
- `{"action": "probe", "targets": [...]}`, or only `targets`: probe now, from every subnet, and join. Names or
  targets of the inventory; none means all.
- `{"awslogs": ...}`: a probe found a pod or node failing that discovery named; it may have moved: plan, unless that
  was done just now.
- `{"action": "doctor"}`: what the platform is like in each subnet.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger

from egressprobe.handlers.context import Context
from egressprobe.model.errors import InputError
from egressprobe.planner.inventory import bundled
from egressprobe.planner.on_demand import probe_now
from egressprobe.planner.probe_functions import ask_doctor
from egressprobe.planner.reconcile import make_plan, refresh
from egressprobe.planner.settings import clients, read_settings

_ACTIONS = ("plan", "probe", "doctor")
_FROM_LOGS = "awslogs"
logger = Logger(service="egressprobe-planner")


def handler(event: Any, context: Context) -> dict[str, Any]:
    """One event; see the head of this file. `plan` raises whatever goes wrong: an error that nobody counts is lost."""
    run_id = getattr(context, "aws_request_id", "") or str(uuid.uuid4())
    logger.append_keys(runId=run_id)
    try:
        action = _action(event)
        if action == "probe":
            return probe_now(read_settings(), bundled(), clients(), event.get("targets") or [], run_id)
    except InputError as error:
        logger.error("bad event: nothing was done", extra={"why": str(error)})  # noqa: TRY400 (a person's mistake)
        return {"error": {"code": "target_invalid", "message": str(error)}}
    if action == "doctor":
        return ask_doctor(clients().functions, read_settings().probes)
    make = refresh if action == _FROM_LOGS else make_plan
    return make(read_settings(), bundled(), clients(), datetime.now(UTC))


def _action(event: Any) -> str:
    if not isinstance(event, dict):
        raise InputError("event", "must be an object with «action» or «targets»")
    action = event.get("action", "probe" if "targets" in event else "")
    if set(event) == {_FROM_LOGS}:
        return _FROM_LOGS
    if action not in _ACTIONS:
        raise InputError("event.action", f"must be one of {', '.join(_ACTIONS)}")
    known = {"action", "targets"} if action == "probe" else {"action"}
    for key in event:
        if key not in known:
            raise InputError(f"event.{key}", f"is not known here; known are {', '.join(sorted(known))}")
    if not isinstance(event.get("targets", []), list):
        raise InputError("event.targets", "must be a list of names or targets")
    return str(action)
