"""Minutes from metrics, whose data points sum up a minute, five or an hour by their age. Pure.

A data point of ProbeSuccess has how many runs there were (samples) and how many failed. Runs of several subnets are in
one point, unless the stack has MetricDetail=subnet. So of a point of P minutes with F failed runs from S subnets, at
least F / S and at most min(P, F) minutes failed.
"""

from collections.abc import Iterable
from typing import NamedTuple

from egressprobe.observability.history.availability import MinuteCounts
from egressprobe.observability.history.minutes import StateMinutes, as_minutes, span


class MetricPoint(NamedTuple):
    """start: minute of the time. minutes: that it sums up. samples: runs. failed: runs that failed."""

    start: int
    minutes: int
    samples: int
    failed: int


def count_points(points: Iterable[MetricPoint], length: int, subnets: int) -> MinuteCounts:
    """Of a target that was in the plan for `length` minutes and is measured from `subnets` subnets each minute."""
    measured = failed = least = 0
    for point in points:
        seen = min(point.minutes, -(-point.samples // subnets))
        at_least = -(-point.failed // subnets)
        measured += max(seen, at_least)
        failed += min(max(seen, at_least), point.failed)
        least += at_least
    return MinuteCounts(measured, failed, max(length - measured, 0), least)


def states_of_points(points: Iterable[MetricPoint], length: int) -> StateMinutes:
    """For outages: all minutes of a point with a failed run fail, so that an outage has the points' times."""
    failed = passed = 0
    for point in points:
        minutes = span(point.start, min(point.start + point.minutes, length))
        if point.failed:
            failed |= minutes
        elif point.samples:
            passed |= minutes
    everything = as_minutes(()) | span(0, length)
    return StateMinutes(failed, passed & ~failed, everything & ~failed & ~passed)
