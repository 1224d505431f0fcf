"""Availability and error budget, over the minutes that were measured. Pure.

availability = passed / measured, measured = passed + failed. What is unknown is neither up nor down, and shown apart.
The budget is what the objective lets fail of the measured minutes. https://sre.google/workbook/implementing-slos/
"""

from collections.abc import Iterable
from typing import NamedTuple

from egressprobe.model.target import Verdict
from egressprobe.observability.history.minutes import StateMinutes

# A percentage over less than this part of the minutes says little about the rest.
LEAST_MEASURED = 0.5


class MinuteCounts(NamedTuple):
    """Minutes. failed: at most so many, failed_least: at least; they differ where a source sums up several minutes."""

    measured: int = 0
    failed: int = 0
    unknown: int = 0
    failed_least: int = 0

    @property
    def planned(self) -> int:
        return self.measured + self.unknown

    @property
    def percent(self) -> float | None:
        """From 0 to 100; None where nothing was measured."""
        return 100 * (self.measured - self.failed) / self.measured if self.measured else None

    def budget(self, objective: float) -> float:
        """Minutes that may fail. objective: per cent."""
        return self.measured * (100 - objective) / 100

    def left(self, objective: float) -> float:
        """Minutes of the budget that are left; negative where it is overspent."""
        return self.budget(objective) - self.failed


def count_minutes(states: StateMinutes) -> MinuteCounts:
    failed, missing = states.failed.bit_count(), min(states.missing, states.passed.bit_count())
    measured = failed + states.passed.bit_count() - missing
    return MinuteCounts(measured, failed, states.unknown.bit_count() + missing, failed)


def total(counts: Iterable[MinuteCounts]) -> MinuteCounts:
    """The sum: target-minutes."""
    measured = failed = unknown = least = 0
    for count in counts:
        measured += count.measured
        failed += count.failed
        unknown += count.unknown
        least += count.failed_least
    return MinuteCounts(measured, failed, unknown, least)


def verdict_of(counts: MinuteCounts, objective: float, *, ongoing: bool) -> Verdict:
    """fail: the objective was missed. unknown: less than half was measured. degraded: met, and an outage goes on."""
    percent = counts.percent
    if percent is None:
        return Verdict.UNKNOWN
    if percent < objective:
        return Verdict.FAIL
    if counts.measured < LEAST_MEASURED * counts.planned:
        return Verdict.UNKNOWN
    return Verdict.DEGRADED if ongoing else Verdict.PASS
