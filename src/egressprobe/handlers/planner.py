"""The Planner's handler. People invoke this function; probes are invoked by the schedules and by this.

Events:
- `{"action": "plan"}`: every 15 minutes: reconcile the schedules (reconcile.py). Raises when a schedule could not be
  written, so that Lambda's Errors metric counts it; probing continues with the existing schedules.
- `{"action": "probe", "targets": [...]}`, or only `targets`: probe now, from every subnet, and join. Names or
  targets of the inventory; none means all.
- `{"awslogs": ...}`: a discovered pod or node failed in a probe; it may have moved: plan, unless that was done just
  now.
- `{"action": "drill", "state": "start"}`, or `"stop"`: a target that fails on purpose, to see the pages come (drill/).
- `{"action": "doctor"}`: the platform's properties in each subnet.
"""

import base64
import json
import uuid
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger

from egressprobe.handlers.context import Context
from egressprobe.model.errors import InputError
from egressprobe.planner.drill.schedule import remove_expired, start, stop
from egressprobe.planner.functions import run_doctor
from egressprobe.planner.inventory import bundled
from egressprobe.planner.on_demand import probe_now
from egressprobe.planner.reconcile import make_plan, refresh
from egressprobe.planner.scheduler_api import scheduler_errors
from egressprobe.planner.settings import clients, read_settings

_ACTIONS = ("plan", "probe", "doctor", "drill")
_DRILL_STATES = ("start", "stop")
_FROM_LOGS = "awslogs"
# Bytes of an event's log lines, unpacked; CloudWatch Logs sends less.
_MAX_LOGS = 10_000_000
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
    if action == "drill":
        return _drill(event["state"], datetime.now(UTC))
    if action == _FROM_LOGS:
        failing = _failing_targets(event)
        return refresh(read_settings(), bundled(), clients(), lambda: datetime.now(UTC), run_id, failing)
    _end_expired_drills(datetime.now(UTC))
    return make_plan(read_settings(), bundled(), clients(), datetime.now(UTC))


def _drill(state: str, now: datetime) -> dict[str, Any]:
    settings, client = read_settings(), clients().scheduler
    answer = start(client, settings, now) if state == "start" else {"removed": stop(client, settings)}
    logger.info("drill", extra={"state": state, "drill": answer})
    return answer


def _end_expired_drills(now: datetime) -> None:
    """One that cannot be removed must not cost the plan: it is tried again in 15 minutes."""
    try:
        removed = remove_expired(clients().scheduler, read_settings(), now)
    except scheduler_errors():
        logger.exception("a drill that has expired could not be removed")
        return
    if removed:
        logger.info("drills that have expired were removed", extra={"removed": removed})


def _failing_targets(event: dict[str, Any]) -> frozenset[str]:
    """Names in the log lines of a subscription's event; empty where it cannot be read.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
    """
    names: set[str] = set()
    with suppress(KeyError, TypeError, ValueError, AttributeError, RecursionError, zlib.error):
        packed = base64.b64decode(event[_FROM_LOGS]["data"], validate=True)
        text = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(packed, _MAX_LOGS)
        for entry in json.loads(text)["logEvents"]:
            names.add(str(json.loads(entry["message"])["Target"]))
    return frozenset(names)


def _action(event: Any) -> str:
    if not isinstance(event, dict):
        raise InputError("event", 'must be an object with "action" or "targets"')
    action = event.get("action", "probe" if "targets" in event else "")
    if set(event) == {_FROM_LOGS}:
        return _FROM_LOGS
    if action not in _ACTIONS:
        raise InputError("event.action", f"must be one of {', '.join(_ACTIONS)}")
    known = {"action"} | {"probe": {"targets"}, "drill": {"state"}}.get(action, set())
    for key in event:
        if key not in known:
            raise InputError(f"event.{key}", f"is not known here; known are {', '.join(sorted(known))}")
    if not isinstance(event.get("targets", []), list):
        raise InputError("event.targets", "must be a list of names or targets")
    if action == "drill" and event.get("state") not in _DRILL_STATES:
        raise InputError("event.state", f"must be {' or '.join(_DRILL_STATES)}")
    return str(action)
