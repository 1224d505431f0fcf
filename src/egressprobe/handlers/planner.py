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
- CloudWatch's events of an alarm or contributor that has changed its state, by EventBridge: look at everything again
  and send one message for each cause and transition (planner/incidents). Raises where something was not read or sent,
  so that Lambda invokes it again. `{"action": "incidents"}`: the same; returns what is open. `plan` does it at its end.
- `{"action": "acknowledge", "targets": [...], "until": TIME, "by": "", "note": ""}`: no message is about these targets
  alone until then; without a time that is taken back.
"""

import base64
import json
import uuid
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from aws_lambda_powertools.logging import Logger

from egressprobe.handlers.context import Context
from egressprobe.incidents.answer import OpenIncidents
from egressprobe.model.errors import InputError
from egressprobe.planner.drill.schedule import remove_expired, start, stop
from egressprobe.planner.functions import run_doctor
from egressprobe.planner.incidents.acknowledge import acknowledge, read_request
from egressprobe.planner.incidents.edges import IncidentEdges
from egressprobe.planner.incidents.evaluate import Evaluator, report_incidents
from egressprobe.planner.incidents.metric import count_failure
from egressprobe.planner.incidents.reads.events import is_alarm_event, reading_of
from egressprobe.planner.incidents.settings import incident_clients, read_incident_settings
from egressprobe.planner.inventory import bundled
from egressprobe.planner.lookup.failing import FailingTarget
from egressprobe.planner.on_demand import probe_now
from egressprobe.planner.reconcile import make_plan, refresh
from egressprobe.planner.scheduler_api import scheduler_errors
from egressprobe.planner.settings import clients, read_settings

_ACTIONS = ("plan", "probe", "doctor", "drill", "incidents", "acknowledge")
_FIELDS = {"probe": {"targets"}, "drill": {"state"}, "acknowledge": {"targets", "until", "by", "note"}}
_DRILL_STATES = ("start", "stop")
_FROM_LOGS, _FROM_ALARM = "awslogs", "alarm"
# After the plan an evaluation begins only with so much time left: it may take that long where everything hangs.
_EVALUATION_MS = 150_000
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
        if action == "acknowledge":
            return _acknowledge(event)
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
    if action in ("incidents", _FROM_ALARM):
        return _incidents(event, run_id)
    _end_expired_drills(datetime.now(UTC))
    try:
        return make_plan(read_settings(), bundled(), clients(), datetime.now(UTC))
    finally:
        _incidents_after_plan(context, run_id)


def _incidents(event: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Raises NotReportedError, so that Lambda repeats the event."""
    incidents = read_incident_settings()
    reported = reading_of(event, incidents.alarm_prefix)
    evaluator = Evaluator(
        read_settings(),
        incidents,
        bundled(),
        clients(),
        incident_clients(),
        run_id,
        reported,
        by_alarm=is_alarm_event(event),
    )
    return _as_json(report_incidents(evaluator))


def _incidents_after_plan(context: Context, run_id: str) -> None:
    """For events that were lost. A failure costs neither the plan nor its answer: it is logged and counted."""
    if not read_incident_settings().on:
        return
    if context.get_remaining_time_in_millis() < _EVALUATION_MS:
        logger.warning("the plan took so long that incidents are evaluated in 15 minutes")
        return
    try:
        _incidents({}, run_id)
    except Exception:
        logger.exception("the evaluation of incidents failed")
        count_failure(read_settings().cluster_name)


def _acknowledge(event: dict[str, Any]) -> dict[str, Any]:
    """Raises InputError and AwsError."""
    edges = IncidentEdges()
    request = read_request(event, edges.clock())
    scheduler = incident_clients().scheduler
    answer = acknowledge(read_settings(), read_incident_settings(), bundled(), scheduler, request, edges)
    logger.info("acknowledge", extra={"targets": request.targets, "until": str(request.until), "by": request.by})
    return _as_json(answer)


def _as_json(answer: OpenIncidents) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))
    return decoded


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
    if is_alarm_event(event):
        return _FROM_ALARM
    if action not in _ACTIONS:
        raise InputError("event.action", f"must be one of {', '.join(_ACTIONS)}")
    known = {"action"} | _FIELDS.get(action, set())
    for key in event:
        if key not in known:
            raise InputError(f"event.{key}", f"is not known here; known are {', '.join(sorted(known))}")
    if not isinstance(event.get("targets", []), list):
        raise InputError("event.targets", "must be a list of names or targets")
    if action == "drill" and event.get("state") not in _DRILL_STATES:
        raise InputError("event.state", f"must be {' or '.join(_DRILL_STATES)}")
    return str(action)
