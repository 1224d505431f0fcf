"""`egressprobe history`: the probes' log for as long as it is kept, metrics for the time before, the Planner's log.

The log knows each minute by target and subnet, with code and cause. Metrics know how many runs failed: by target, and
by subnet with MetricDetail=subnet, in points of a minute, five or an hour by their age. Where the log may not be read,
metrics are all there is.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import called
from egressprobe.aws.observability.metric_points import MetricRange, ranges, read_points
from egressprobe.aws.observability.minute_queries import INCIDENTS_QUERY
from egressprobe.model.errors import AwsError
from egressprobe.model.report import worst
from egressprobe.observability.flows.judge import as_time
from egressprobe.observability.history.report import LogPart, MetricPart, NamedTarget, tables
from egressprobe.observability.history.result import HISTORY_SCHEMA, HistorySource, OutageHistory, ReportedIncident
from egressprobe.stack.aws_answers import failures_as_lines
from egressprobe.stack.deployment import Deployment, deployment_of
from egressprobe.stack.observing.log_minutes import LogQueries, TimePart, read_minutes
from egressprobe.stack.observing.plan import chosen_targets, planned_targets

_SECONDS = 900.0
_DAY, _HOUR, _MINUTE = 86_400, 3600, 60
# The newest minutes are left out: their lines may not be in the log yet.
_LATE = 3 * _MINUTE
_SHORT = 2 * _HOUR
PROBE_LOG, METRICS, PLANNER_LOG = "probe log", "metrics", "Planner log"
type Say = Callable[[str], None]


class HistoryRequest(NamedTuple):
    """seconds: how far back. objective: per cent. gap: minutes that end an outage."""

    stack: str
    names: tuple[str, ...]
    seconds: int
    objective: float
    gap: int


class _PastReading(NamedTuple):
    """What is read, and what of it is said."""

    session: Any
    deployment: Deployment
    since: int
    until: int
    names: tuple[str, ...]
    deadline: float
    say: Say
    sources: list[HistorySource]
    notes: list[str]


def history(session: Any, request: HistoryRequest, say: Say = lambda _: None) -> OutageHistory:
    """say: progress, for a terminal. Raises InputError and AwsError."""
    began, now = time.monotonic(), _now()
    until = (now - _LATE) // _MINUTE * _MINUTE
    since = max(until - request.seconds, 0) // _MINUTE * _MINUTE
    deployment = deployment_of(session, request.stack)
    plan = planned_targets(session, deployment.settings.group)
    chosen = chosen_targets(plan.targets, request.names)
    targets = [NamedTarget(target.name, target.url, target.impact) for target in chosen]
    names = tuple(target.name for target in targets) if request.names else ()
    reading = _PastReading(session, deployment, since, until, names, began + _SECONDS, say, [], [])
    log = _log_part(reading, [target.name for target in plan.targets])
    log_since = log.since if log else until
    if log and log_since - since <= _SHORT:
        since = log_since  # the log is about as long as what is asked for: metrics would add an hour without causes
        reading = reading._replace(since=since)
    known = sorted({target.name for target in targets} | ({s.target for s in log.records.seen} if log else set()))
    metrics = _metric_part(reading, known, log_since)
    incidents = _incidents(reading)
    made = tables(targets, log, metrics, incidents, objective=request.objective, gap=request.gap)
    return OutageHistory(
        schema_version=HISTORY_SCHEMA,
        started_at=as_time(now),
        duration_ms=round((time.monotonic() - began) * 1e3, 1),
        stack=deployment.name,
        cluster_name=deployment.cluster,
        since=as_time(since),
        until=as_time(until),
        objective=request.objective,
        gap_minutes=request.gap,
        verdict=worst(row.verdict for row in made.rows),
        tally=made.tally,
        subnets=deployment.subnets,
        subnet_tallies=made.subnet_tallies,
        rows=made.rows,
        outages=made.outages,
        incidents=incidents,
        sources=tuple(reading.sources),
        notes=tuple(reading.notes),
    )


def _now() -> int:
    """Unix time, seconds."""
    return int(datetime.now(UTC).timestamp())


def _log_part(reading: _PastReading, plan: Sequence[str]) -> LogPart | None:
    """None where the log cannot be read: a note says why. plan: names of the targets that there are now."""
    since = max(reading.since, _kept_since(reading))
    since += -since % _MINUTE
    if since >= reading.until:
        return None
    part = TimePart(since, reading.until)
    try:
        with failures_as_lines():
            logs = reading.session.client("logs")
            queries = LogQueries(logs, reading.deployment.probe_logs, reading.deadline, reading.say)
            read = read_minutes(queries, part, len(reading.deployment.subnets), reading.names, plan)
    except AwsError as error:
        reading.notes.append(f"The probes' log was not read, so that subnets, codes and causes are not known: {error}")
        return None
    if read.one_series:
        reading.notes.append(
            "The plan has more series than MaxSeries, so that the log has no lines of targets that pass: they are "
            "taken to be in the plan all the time."
        )
    reading.sources.append(
        HistorySource(
            PROBE_LOG,
            as_time(since),
            as_time(reading.until),
            _MINUTE,
            read.queries,
            read.bytes_scanned,
            read.dollars,
            "; ".join(read.unread),
        )
    )
    return LogPart(since, read.records)


def _kept_since(reading: _PastReading) -> int:
    """From when on the log has lines: it was created, or older ones are deleted. Unix time; 0 where it is not known."""
    try:
        with failures_as_lines():
            answer = called(
                reading.session.client("logs"),
                "describe_log_groups",
                logGroupNamePrefix=reading.deployment.probe_logs,
            )
    except AwsError as error:
        reading.notes.append(f"For how long the probes' log is kept is not known: {error}")
        return 0
    groups = [g for g in answer.get("logGroups") or () if g.get("logGroupName") == reading.deployment.probe_logs]
    if not groups:
        reading.notes.append(f"There is no log group {reading.deployment.probe_logs}.")
        return reading.until
    days = groups[0].get("retentionInDays")
    created = int(groups[0].get("creationTime") or 0) // 1000
    # What is about to be deleted may be gone in part: an hour is left to it. On the hour, as points of metrics begin.
    kept = max(created, reading.until - days * _DAY + _HOUR if days else 0)
    return kept + -kept % _HOUR


def _metric_part(reading: _PastReading, names: Sequence[str], until: int) -> MetricPart | None:
    """The time before `until`, as metrics have it."""
    parts = ranges(reading.since, until, reading.until)
    if not parts or not names:
        return None
    subnets = [subnet.id for subnet in reading.deployment.subnets] if reading.deployment.detail == "subnet" else [""]
    series = [(name, subnet) for name in names for subnet in subnets]
    reading.say(f"metrics: {len(series)} series")
    try:
        with failures_as_lines():
            read = read_points(
                reading.session.client("cloudwatch"), reading.deployment.cluster, series, parts, reading.since
            )
    except AwsError as error:
        reading.notes.append(f"The metrics were not read: {error}")
        reading.sources.append(_metric_source(parts, problem=str(error)))
        return None
    reading.sources.append(_metric_source(parts, queries=read.metrics, dollars=read.dollars))
    return MetricPart(
        reading.since, (until - reading.since) // _MINUTE, max(len(reading.deployment.subnets), 1), read.points
    )


def _metric_source(
    parts: Sequence[MetricRange], queries: int = 0, dollars: float = 0.0, problem: str = ""
) -> HistorySource:
    first, last = parts[0], parts[-1]
    return HistorySource(
        METRICS, as_time(first.since), as_time(last.until), first.period, queries, 0, round(dollars, 6), problem
    )


def _incidents(reading: _PastReading) -> tuple[ReportedIncident, ...]:
    """What the Planner logged of the messages that it sent."""
    try:
        with failures_as_lines():
            logs = reading.session.client("logs")
            queries = LogQueries(logs, reading.deployment.planner_logs, reading.deadline, reading.say)
            rows = queries.rows(INCIDENTS_QUERY, [TimePart(reading.since, reading.until)], "incidents")
    except AwsError as error:
        reading.notes.append(f"The Planner's log was not read, so that incidents are not known: {error}")
        return ()
    reading.sources.append(
        HistorySource(
            PLANNER_LOG,
            as_time(reading.since),
            as_time(reading.until),
            _MINUTE,
            queries.queries,
            queries.bytes_scanned,
            round(queries.dollars, 6),
            "; ".join(why for _, why in queries.unread),
        )
    )
    return tuple(reported_incidents(rows))


def reported_incidents(rows: Iterable[Mapping[str, str]]) -> list[ReportedIncident]:
    """Of the messages, which are INCIDENT/TRANSITION; in order of their first one."""
    messages: dict[str, list[tuple[int, str, Mapping[str, str]]]] = {}
    for row in rows:
        incident, _, transition = row["message_id"].rpartition("/")
        messages.setdefault(incident, []).append((_milliseconds(row.get("first", "")), transition, row))
    incidents = []
    for name, sent in messages.items():
        sent.sort(key=lambda message: message[0])
        at, _, row = sent[0]
        targets = dict.fromkeys(target for _, _, message in sent for target in _names(message.get("names", "")))
        incidents.append(
            ReportedIncident(
                name,
                row.get("incident", ""),
                next((message["words"] for _, _, message in sent if message.get("words")), ""),
                as_time(at // 1000),
                tuple(transition for _, transition, _ in sent),
                tuple(targets),
            )
        )
    return sorted(incidents, key=lambda incident: incident.first)


def _names(text: str) -> list[str]:
    try:
        names = json.loads(f"[{text}]")
    except ValueError:
        return []
    return [name for name in names if isinstance(name, str)]


def _milliseconds(text: str) -> int:
    try:
        return int(float(text))
    except ValueError:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000) if text else 0
