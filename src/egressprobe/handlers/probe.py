"""The Probe's handler. A pure function of its event: plan in, report out; no AWS call, no boto3, no state.

Events (events/ has one of each):
- `{"targets": [...]}`: on demand; the response is the report, no metric is written.
- `{"source": "schedule", "plan": {...}, "scheduledAt": "2026-11-26T12:00:00Z"}`: the same, and metrics as EMF on
  stdout, of the minute for which the run was scheduled.
- `{"action": "doctor"}`: facts about the platform (doctor.py).

The deadline comes from the Lambda context, less a reserve: a report is always returned before Lambda ends the
invocation. A run that Lambda ended is found by the heartbeat alarm.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from aws_lambda_powertools.logging import Logger
from msgspec.structs import replace

from egressprobe.handlers.context import Context
from egressprobe.model.errors import InputError
from egressprobe.model.failure import Code
from egressprobe.model.report import REPORT_SCHEMA, Report, Summary
from egressprobe.model.target import Plan, Verdict
from egressprobe.model.text import valid, valid_text
from egressprobe.net.guard import VPC_RESOLVERS, forbidden
from egressprobe.probe.edges import REAL_WORLD, Edges, Location
from egressprobe.probe.run import DEFAULT_CONCURRENCY, run, vantage
from egressprobe.publish.counting import uncounted
from egressprobe.publish.emf import CUSTOMER_ROUTED, publish, series_wanted
from egressprobe.publish.response import response
from egressprobe.targets.plan import PLAN_KEYS, read_plan, sampled

# Printing EMF, building and serialising the report, on a starved CPU. Seconds.
_RESERVE = 0.5
_RESERVE_PER_TARGET = 0.005
_LEAST_RUN = 0.1
# MiB; at 1769 a function has one whole vCPU.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_WHOLE_CPU = 1769
_SMALL_CONCURRENCY = 5
# A schedule's event is dropped after 60 s, and Lambda's queue after 60 more.
_LATEST_START = timedelta(minutes=5)
_MAX_HOST = 254  # with the dot at its end; RFC 1035 section 2.3.4
_KEYS: dict[str, frozenset[str]] = {
    "demand": PLAN_KEYS,
    "schedule": frozenset({"source", "plan", "scheduledAt"}),
    "doctor": frozenset({"action", "name"}),
}
type Event = Literal["demand", "schedule", "doctor"]
logger = Logger(service="egressprobe")


def make_handler(edges: Edges = REAL_WORLD) -> Callable[[Any, Context], dict[str, Any]]:
    """A handler with other edges (the built-in lab's); no event can choose them."""

    def handle(event: Any, context: Context) -> dict[str, Any]:
        run_id = getattr(context, "aws_request_id", "") or str(uuid.uuid4())
        logger.append_keys(runId=run_id)
        try:
            return _handle(event, context, run_id, edges)
        except InputError as error:
            logger.error("bad event: nothing was probed", extra={"why": str(error)})  # noqa: TRY400 (no traceback for a person's mistake)
            if _is_scheduled(event):
                raise
            return _error(run_id, Code.TARGET_INVALID, str(error))
        except Exception as error:
            logger.exception("egressprobe itself failed")
            if _is_scheduled(event):
                raise
            return _error(run_id, Code.INTERNAL_ERROR, f"egressprobe itself failed: {type(error).__name__}")

    return handle


def _is_scheduled(event: Any) -> bool:
    """No caller reads a scheduled run's response, so a failed one raises: Lambda's Errors metric counts it.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    return isinstance(event, dict) and "source" in event


def _handle(event: Any, context: Context, run_id: str, edges: Edges) -> dict[str, Any]:
    event = valid(event)  # one lone surrogate must not cost the other targets
    kind = _event(event)
    if kind == "doctor":
        from egressprobe.probe.doctor import examine

        return asyncio.run(examine(event.get("name"), edges))
    scheduled = kind == "schedule"
    plan = read_plan(event["plan"] if scheduled else event, forbidden=forbidden)
    if scheduled:
        plan = sampled(plan, int(time.time() // 60))
    report = asyncio.run(
        run(
            _with_vpc_view(plan),
            run_id=run_id,
            seconds=_seconds(context, len(plan.targets)),
            concurrency=concurrency(),
            location=_location(),
            edges=edges,
        )
    )
    if scheduled:
        mode = plan.egress_mode or CUSTOMER_ROUTED
        publish(
            report,
            series_wanted(),
            one_series=plan.one_series,
            retired=plan.retired,
            egress_mode=mode,
            share=plan.share,
            drill=plan.drill,
            minute=_scheduled_at(event.get("scheduledAt"), datetime.now(UTC)),
            uncounted=uncounted(report, plan.looked_up_at, plan.confirmed),
        )
    return response(report)


def _scheduled_at(text: Any, now: datetime) -> datetime | None:
    """The minute of the run: a schedule fires anywhere within it, and Lambda may start the function in the next one.

    None where it is not known; that must not cost the measurement.
    """
    with suppress(TypeError, ValueError):
        scheduled = datetime.fromisoformat(text)
        return scheduled if abs(now - scheduled) < _LATEST_START else None
    return None


def _event(event: Any) -> Event:
    """Which of the three it is. Raises InputError on anything else, unknown keys included."""
    if not isinstance(event, dict):
        raise InputError("event", "must be an object with `targets`, or `source` and `plan`, or `action`")
    kind: Event = "doctor" if "action" in event else "schedule" if "source" in event else "demand"
    for key in event:
        if key not in _KEYS[kind]:
            raise InputError(f"event.{key}", f"is unknown; known are {', '.join(sorted(_KEYS[kind]))}")
    if kind == "doctor" and event["action"] != "doctor":
        raise InputError("event.action", "must be doctor")
    name = event.get("name", "") if kind == "doctor" else ""
    if not isinstance(name, str) or len(name) > _MAX_HOST:
        raise InputError("event.name", f"must be a string: a host name to look up, at most {_MAX_HOST} characters")
    if kind == "schedule" and event["source"] != "schedule":
        raise InputError("event.source", "must be schedule")
    if kind == "schedule" and "plan" not in event:
        raise InputError("event.plan", "is missing")
    return kind


def _with_vpc_view(plan: Plan) -> Plan:
    """In a VPC the VPC resolver is queried as well, to compare with those of the DHCP options set."""
    inside = os.environ.get("EGRESSPROBE_SUBNET_ID")
    if plan.compare_resolvers or not inside:
        return plan
    return replace(plan, compare_resolvers=(VPC_RESOLVERS[0],))


def _seconds(context: Context, targets: int) -> float:
    remaining = context.get_remaining_time_in_millis() / 1000
    return max(remaining - _RESERVE - _RESERVE_PER_TARGET * targets, _LEAST_RUN)


def concurrency() -> int:
    """Targets in flight: about 5 at 256 MB, 10 with a whole CPU."""
    text = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", str(_WHOLE_CPU))
    memory = int(text) if text.isdecimal() and len(text) < 10 else 0  # unknown: as for a small function
    return DEFAULT_CONCURRENCY if memory >= _WHOLE_CPU else _SMALL_CONCURRENCY


def _location() -> Location:
    def read(name: str) -> str | None:
        value = os.environ.get(name)
        return None if value is None else valid_text(value)

    return Location(
        cluster_name=read("EGRESSPROBE_CLUSTER_NAME"),
        subnet_id=read("EGRESSPROBE_SUBNET_ID"),
        availability_zone=read("EGRESSPROBE_AVAILABILITY_ZONE"),
    )


def _error(run_id: str, code: Code, message: str) -> dict[str, Any]:
    """A report without results, so that callers need one parser, and `error`."""
    empty = Report(
        schema_version=REPORT_SCHEMA,
        run_id=run_id,
        started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        duration_ms=0.0,
        vantage=vantage(_location()),
        verdict=Verdict.UNKNOWN,
        summary=Summary(),
        results=(),
        findings=(),
    )
    return response(empty) | {"error": {"code": str(code), "message": message}}


handler = make_handler()
