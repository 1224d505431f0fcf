"""The Planner's handler. People invoke this function; probes are invoked by the schedules and by this.

Events:
- `{"action": "plan"}`: every 15 minutes: reconcile the schedules (reconcile.py). Raises when a schedule could not be
  written, so that Lambda's Errors metric counts it; probing continues with the existing schedules.
- `{"action": "probe", "targets": [...]}`, or only `targets`: probe now, from every subnet, and join. Names or
  targets of the inventory; none means all.
- `{"awslogs": ...}`: a discovered pod or node failed in a probe; it may have moved: plan, unless that was done just
  now.
- `{"action": "doctor"}`: the platform's properties in each subnet.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger

from egressprobe.handlers.context import Context
from egressprobe.model.errors import InputError
from egressprobe.planner.functions import run_doctor
from egressprobe.planner.inventory import bundled
from egressprobe.planner.on_demand import probe_now
from egressprobe.planner.reconcile import make_plan, refresh
from egressprobe.planner.settings import clients, read_settings

_ACTIONS = ("plan", "probe", "doctor")
_FROM_LOGS = "awslogs"
logger = Logger(service="egressprobe-planner")


def handler(event: Any, context: Context) -> dict[str, Any]:
    """One event; see the top of this file. `plan` raises every error, so that Lambda's Errors metric counts it."""
    run_id = getattr(context, "aws_request_id", "") or str(uuid.uuid4())
    logger.append_keys(runId=run_id)
    try:
        action = _action(event)
        if action == "probe":
            return probe_now(read_settings(), bundled(), clients(), event.get("targets") or [], run_id)
    except InputError as error:
        logger.error("invalid event: nothing was done", extra={"why": str(error)})  # noqa: TRY400 (the caller's mistake)
        return {"error": {"code": "target_invalid", "message": str(error)}}
    if action == "doctor":
        return run_doctor(clients().functions, read_settings().probes)
    make = refresh if action == _FROM_LOGS else make_plan
    return make(read_settings(), bundled(), clients(), datetime.now(UTC))


def _action(event: Any) -> str:
    if not isinstance(event, dict):
        raise InputError("event", 'must be an object with "action" or "targets"')
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
