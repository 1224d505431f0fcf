"""What one outage is. Pure.

An outage of a target begins with a failing minute. It ends with its last failing minute: failing minutes belong to one
outage as long as fewer than `gap` minutes between two of them passed. Minutes that are unknown, or not in the plan,
neither end an outage nor make one longer: they are counted apart. An outage goes on at the end of the time where fewer
than `gap` minutes have passed since its last failing one, unless the target left the plan `gap` minutes ago or before.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from egressprobe.observability.history.minutes import BadMinute, StateMinutes, runs, span

DEFAULT_GAP = 5  # an alarm needs 3 failing minutes of 4, and clears after as many that pass (docs/alarms.md)


class OutageSpan(NamedTuple):
    """start, end: minutes of the time, end exclusive. failed, unknown: how many of them. ongoing: it had not ended."""

    start: int
    end: int
    failed: int
    unknown: int
    ongoing: bool


class OutageCauses(NamedTuple):
    """subnets: from which it failed. codes: with how many minutes, the most first. cause: of the last line."""

    subnets: tuple[str, ...]
    codes: tuple[tuple[str, int], ...]
    cause: str


def find_outages(states: StateMinutes, gap: int, length: int) -> list[OutageSpan]:
    """The outages of one target, in order. gap: minutes, from 1. length: of the time, minutes."""
    left = states.planned.bit_length() <= length - gap
    joined: list[tuple[int, int]] = []
    for start, end in runs(states.failed):
        if joined and (states.passed & span(joined[-1][1], start)).bit_count() < gap:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [
        OutageSpan(
            start,
            end,
            (states.failed & span(start, end)).bit_count(),
            (states.unknown & span(start, end)).bit_count(),
            ongoing=not left and (states.passed & span(end, length)).bit_count() < gap,
        )
        for start, end in joined
    ]


def causes_of(outage: OutageSpan, bad: Sequence[BadMinute]) -> OutageCauses:
    """Of the failing lines of the outage's target."""
    lines = [line for line in bad if line.failed and outage.start <= line.minute < outage.end]
    minutes = Counter(code for code, _ in {(line.code, line.minute) for line in lines if line.code})
    latest = max((line for line in lines if line.cause), key=lambda line: line.minute, default=None)
    return OutageCauses(
        tuple(sorted({line.subnet for line in lines})),
        tuple(sorted(minutes.items(), key=lambda pair: (-pair[1], pair[0]))),
        latest.cause if latest else "",
    )


def longest_first(outages: Iterable[OutageSpan]) -> list[OutageSpan]:
    """Those that go on, then by failed minutes."""
    return sorted(outages, key=lambda outage: (not outage.ongoing, -outage.failed, outage.start))
