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
from egressprobe.planner.lookup.failing import FailingTarget
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
        reports = _reports(event, datetime.now(UTC))
        return refresh(read_settings(), bundled(), clients(), lambda: datetime.now(UTC), run_id, reports)
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


def _reports(event: dict[str, Any], now: datetime) -> list[FailingTarget]:
    """From the log lines of a subscription's event; none where it cannot be read. now: of a line without a time.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
    """
    unreadable = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, zlib.error)
    entries: list[Any] = []
    with suppress(*unreadable):
        packed = base64.b64decode(event[_FROM_LOGS]["data"], validate=True)
        text = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(packed, _MAX_LOGS)
        entries = list(json.loads(text)["logEvents"])
    reports: list[FailingTarget] = []
    for entry in entries:
        with suppress(*unreadable):
            reports.append(_report(entry, now))
    return reports


def _report(entry: dict[str, Any], now: datetime) -> FailingTarget:
    """One log line; `timestamp` is in milliseconds. Raises KeyError, TypeError, ValueError for what is none of ours."""
    line, stamp = json.loads(entry["message"]), entry.get("timestamp")
    at = datetime.fromtimestamp(stamp / 1000, UTC) if isinstance(stamp, int | float) else now
    failing = frozenset(str(endpoint) for endpoint in line.get("failing") or ())
    dialled = line.get("dialled")
    return FailingTarget(str(line["Target"]), failing, dialled if isinstance(dialled, int) else 0, min(at, now))


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
