"""From minutes to rows and outages: the log's part of the time, and the metrics' part before it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.model.target import Impact
from egressprobe.observability.flows.judge import as_time
from egressprobe.observability.history.availability import MinuteCounts, count_minutes, total, verdict_of
from egressprobe.observability.history.coarse import MetricPoint, count_points, states_of_points
from egressprobe.observability.history.minutes import BadMinute, MinuteRecords, StateMinutes, by_subnet, of_target
from egressprobe.observability.history.outages import OutageSpan, causes_of, find_outages
from egressprobe.observability.history.result import (
    CodeMinutes,
    HistoryCell,
    HistoryRow,
    MinuteTally,
    ReportedIncident,
    SubnetTally,
    TargetOutage,
)

_MINUTE = 60
_LATEST_MESSAGE = 15  # minutes after an outage, in which the message about it may still be sent


class NamedTarget(NamedTuple):
    """What is known of a target beside its minutes; url is empty for one that has left the plan."""

    name: str
    url: str = ""
    impact: Impact | None = None


class MetricPart(NamedTuple):
    """The part of the time that metrics have. since: Unix time, seconds. length: minutes. subnets: how many there are.

    points: by target, or by target and subnet with MetricDetail=subnet; the subnet is empty for all.
    """

    since: int
    length: int
    subnets: int
    points: Mapping[tuple[str, str], Sequence[MetricPoint]]


class LogPart(NamedTuple):
    """The part that the probes' log has. since: Unix time, seconds."""

    since: int
    records: MinuteRecords


class HistoryTables(NamedTuple):
    rows: tuple[HistoryRow, ...]
    outages: tuple[TargetOutage, ...]
    tally: MinuteTally
    subnet_tallies: tuple[SubnetTally, ...]


class _TargetPast(NamedTuple):
    """Of one target: its minutes in all, and by subnet, and its outages in order of time."""

    counts: MinuteCounts
    cells: dict[str, MinuteCounts]
    outages: list[TargetOutage]


def tables(
    targets: Iterable[NamedTarget],
    log: LogPart | None,
    metrics: MetricPart | None,
    incidents: Sequence[ReportedIncident],
    *,
    objective: float,
    gap: int,
) -> HistoryTables:
    """gap: minutes that end an outage (outages.py). objective: per cent."""
    named = {target.name: target for target in targets}
    of_log = _from_log(log, gap) if log else {}
    of_metrics = _from_metrics(metrics, gap) if metrics else {}
    rows, outages = [], list[TargetOutage]()
    by_subnet_counts: dict[str, list[MinuteCounts]] = {}
    for name in sorted({*named, *of_log, *of_metrics}):
        past = _joined(of_metrics.get(name), of_log.get(name), gap)
        if past is None:
            continue
        rows.append(_row(named.get(name, NamedTarget(name)), past, objective))
        outages += [_with_incidents(outage, incidents) for outage in past.outages]
        for subnet, counts in past.cells.items():
            by_subnet_counts.setdefault(subnet, []).append(counts)
    outages.sort(key=lambda outage: (outage.ongoing, outage.start), reverse=True)
    return HistoryTables(
        tuple(rows),
        tuple(outages),
        as_tally(total(_counts(row.tally) for row in rows)),
        tuple(SubnetTally(subnet, as_tally(total(counts))) for subnet, counts in sorted(by_subnet_counts.items())),
    )


def _from_log(log: LogPart, gap: int) -> dict[str, _TargetPast]:
    records = log.records
    parts: dict[str, dict[str, StateMinutes]] = {}
    for (target, subnet), states in by_subnet(records).items():
        parts.setdefault(target, {})[subnet] = states
    bad: dict[str, list[BadMinute]] = {}
    for line in records.bad:
        bad.setdefault(line.target, []).append(line)
    pasts = {}
    for target, by_name in parts.items():
        states = of_target(by_name.values())
        spans = find_outages(states, gap, records.length)
        pasts[target] = _TargetPast(
            count_minutes(states),
            {subnet: count_minutes(part) for subnet, part in by_name.items()},
            [_logged_outage(target, outage, bad.get(target, []), log.since) for outage in spans],
        )
    return pasts


def _logged_outage(target: str, outage: OutageSpan, bad: Sequence[BadMinute], since: int) -> TargetOutage:
    causes = causes_of(outage, bad)
    return replace(
        _outage(target, outage, since, _MINUTE),
        subnets=causes.subnets,
        codes=tuple(CodeMinutes(*pair) for pair in causes.codes),
        cause=causes.cause,
    )


def _outage(target: str, outage: OutageSpan, since: int, resolution: int) -> TargetOutage:
    return TargetOutage(
        target=target,
        start=as_time(since + outage.start * _MINUTE),
        end=as_time(since + outage.end * _MINUTE),
        ongoing=outage.ongoing,
        minutes=outage.end - outage.start,
        failed_minutes=outage.failed,
        unknown_minutes=outage.unknown,
        resolution_seconds=resolution,
    )


def _from_metrics(metrics: MetricPart, gap: int) -> dict[str, _TargetPast]:
    """Of a stack with MetricDetail=subnet each subnet has points of its own."""
    parts: dict[str, dict[str, Sequence[MetricPoint]]] = {}
    for (target, subnet), points in metrics.points.items():
        if points:
            parts.setdefault(target, {})[subnet] = points
    pasts = {}
    for target, by_name in parts.items():
        begins = min(point.start for points in by_name.values() for point in points)
        length = metrics.length - begins
        cells = {
            subnet: count_points(points, length, 1 if subnet else metrics.subnets) for subnet, points in by_name.items()
        }
        merged = merged_points(by_name.values())
        spans = find_outages(states_of_points(merged, metrics.length), gap, metrics.length)
        pasts[target] = _TargetPast(
            count_points(merged, length, sum(1 if subnet else metrics.subnets for subnet in by_name)),
            {subnet: counts for subnet, counts in cells.items() if subnet},
            [_measured_outage(target, outage, merged, metrics) for outage in spans],
        )
    return pasts


def merged_points(several: Iterable[Sequence[MetricPoint]]) -> list[MetricPoint]:
    """The sum of several series' points, in order of time."""
    by_start: dict[int, MetricPoint] = {}
    for points in several:
        for point in points:
            there = by_start.get(point.start)
            by_start[point.start] = (
                there._replace(samples=there.samples + point.samples, failed=there.failed + point.failed)
                if there
                else point
            )
    return [by_start[start] for start in sorted(by_start)]


def _measured_outage(
    target: str, outage: OutageSpan, points: Sequence[MetricPoint], metrics: MetricPart
) -> TargetOutage:
    """failed_minutes: at most, as count_points has it."""
    inside = [point for point in points if outage.start <= point.start < outage.end]
    widest = max((point.minutes for point in inside), default=1)
    counts = count_points(inside, outage.end - outage.start, metrics.subnets)
    there = _outage(target, outage, metrics.since, widest * _MINUTE)
    return replace(there, failed_minutes=counts.failed, unknown_minutes=outage.unknown)


def _joined(before: _TargetPast | None, after: _TargetPast | None, gap: int) -> _TargetPast | None:
    """The metrics' part and the log's: an outage that goes on from one to the other is one."""
    if before is None or after is None:
        return before or after
    outages = [*before.outages, *after.outages]
    if before.outages and before.outages[-1].ongoing:
        last = replace(before.outages[-1], ongoing=False)
        outages = [*before.outages[:-1], last, *after.outages]
        if after.outages and _minutes_between(last.end, after.outages[0].start) < gap:
            first = after.outages[0]
            joined = replace(
                first,
                start=last.start,
                minutes=last.minutes + first.minutes + _minutes_between(last.end, first.start),
                failed_minutes=last.failed_minutes + first.failed_minutes,
                unknown_minutes=last.unknown_minutes + first.unknown_minutes,
                resolution_seconds=last.resolution_seconds,
            )
            outages = [*before.outages[:-1], joined, *after.outages[1:]]
    cells = {
        subnet: total(part.cells[subnet] for part in (before, after) if subnet in part.cells)
        for subnet in {*before.cells, *after.cells}
    }
    return _TargetPast(total((before.counts, after.counts)), cells, outages)


def _minutes_between(end: str, start: str) -> int:
    return int((datetime.fromisoformat(start) - datetime.fromisoformat(end)).total_seconds()) // _MINUTE


def _row(target: NamedTarget, past: _TargetPast, objective: float) -> HistoryRow:
    ongoing = any(outage.ongoing for outage in past.outages)
    return HistoryRow(
        target=target.name,
        url=target.url,
        impact=target.impact,
        verdict=verdict_of(past.counts, objective, ongoing=ongoing),
        tally=as_tally(past.counts),
        budget_minutes=round(past.counts.budget(objective), 2),
        budget_left=round(past.counts.left(objective), 2) + 0.0,  # no -0.0
        outages=len(past.outages),
        ongoing=ongoing,
        cells=tuple(
            HistoryCell(subnet, as_tally(counts), verdict_of(counts, objective, ongoing=False))
            for subnet, counts in sorted(past.cells.items())
        ),
    )


def _with_incidents(outage: TargetOutage, incidents: Sequence[ReportedIncident]) -> TargetOutage:
    """Those that name the target and whose first message came while the outage went on, or up to 15 minutes later."""
    ids = [
        incident.id
        for incident in incidents
        if outage.target in incident.targets
        and outage.start <= incident.first
        and (outage.ongoing or _minutes_between(outage.end, incident.first) <= _LATEST_MESSAGE)
    ]
    return replace(outage, incidents=tuple(ids)) if ids else outage


def as_tally(counts: MinuteCounts) -> MinuteTally:
    percent = counts.percent
    return MinuteTally(
        counts.measured,
        counts.failed,
        counts.failed_least,
        counts.unknown,
        None if percent is None else round(percent, 4),
    )


def _counts(tally: MinuteTally) -> MinuteCounts:
    return MinuteCounts(tally.measured, tally.failed, tally.unknown, tally.failed_at_least)
