"""Minutes of a time, each failed, passed, unknown or not in the plan: sets as integers, one bit a minute.

Rules:
- A minute of a target from a subnet fails where the probe logged a failure that counts. It is unknown where the probe
  logged that it could not measure, or a failure that does not count yet (publish/counting.py), or logged nothing. Else
  it passed.
- A minute of a target fails if it fails from any subnet. Else it is unknown if it is unknown from any, and passed if it
  passed from all: the API server calls from each of them.
- A minute of a subnet is counted for each target.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

type Minutes = int  # bit i: minute i of the time


class BadMinute(NamedTuple):
    """A minute, counted from the beginning of the time, in which a target did not pass from a subnet.

    failed: it counts as a failure; else it is unknown. cause: in the words of the log.
    """

    target: str
    subnet: str
    minute: int
    failed: bool
    code: str = ""
    cause: str = ""


class SeenTarget(NamedTuple):
    """A target in a subnet's log. first, last: minutes of its first and last line. passes: lines of passes; None: not
    counted in this log.
    """

    target: str
    subnet: str
    first: int
    last: int
    passes: int | None = None


class MinuteRecords(NamedTuple):
    """What the log has of `length` minutes. covered: by subnet, minutes in which the probe measured the whole plan."""

    length: int
    covered: Mapping[str, Minutes]
    seen: tuple[SeenTarget, ...]
    bad: tuple[BadMinute, ...]


class StateMinutes(NamedTuple):
    """Minutes by state; no minute has two. What is in none was not in the plan.

    missing: how many of the passed minutes the log does not have: they are unknown, and it is not known which.
    """

    failed: Minutes
    passed: Minutes
    unknown: Minutes
    missing: int = 0

    @property
    def planned(self) -> Minutes:
        return self.failed | self.passed | self.unknown


def as_minutes(minutes: Iterable[int]) -> Minutes:
    """The set of these minutes; negative ones are left out."""
    bits = 0
    for minute in minutes:
        if minute >= 0:
            bits |= 1 << minute
    return bits


def span(start: int, end: int) -> Minutes:
    """The minutes from `start` to before `end`."""
    return ((1 << max(end - start, 0)) - 1) << start


def runs(minutes: Minutes) -> Iterator[tuple[int, int]]:
    """(start, end) of each run of minutes, end exclusive."""
    at = 0
    while minutes:
        low = (minutes & -minutes).bit_length() - 1
        minutes >>= low
        ones = (~minutes & (minutes + 1)).bit_length() - 1
        yield at + low, at + low + ones
        minutes >>= ones
        at += low + ones


def period(seen: SeenTarget, covered: Minutes, length: int) -> Minutes:
    """When a target was in the plan: from its first to its last line, and on both sides as long as the probe is silent.

    A probe that measured the whole plan without the target shows that it was not in it.
    """
    before = covered & span(0, seen.first)
    after = covered >> (seen.last + 1)
    start = before.bit_length()
    end = seen.last + (after & -after).bit_length() if after else length
    return span(start, min(end, length))


def by_subnet(records: MinuteRecords) -> dict[tuple[str, str], StateMinutes]:
    """States of each (target, subnet)."""
    failed: dict[tuple[str, str], Minutes] = {}
    unknown: dict[tuple[str, str], Minutes] = {}
    for bad in records.bad:
        if 0 <= bad.minute < records.length:
            kind = failed if bad.failed else unknown
            key = (bad.target, bad.subnet)
            kind[key] = kind.get(key, 0) | 1 << bad.minute
    states = {}
    for seen in records.seen:
        key = (seen.target, seen.subnet)
        covered = records.covered.get(seen.subnet, 0)
        planned = period(seen, covered, records.length)
        fails = failed.get(key, 0)
        passed = planned & covered & ~fails & ~unknown.get(key, 0)
        missing = 0 if seen.passes is None else max(passed.bit_count() - seen.passes, 0)
        states[key] = StateMinutes(fails, passed, (planned | unknown.get(key, 0)) & ~fails & ~passed, missing)
    return states


def of_target(parts: Iterable[StateMinutes]) -> StateMinutes:
    """One target from all subnets."""
    failed = unknown = passed = missing = 0
    for part in parts:
        failed |= part.failed
        unknown |= part.unknown
        passed |= part.passed
        missing = max(missing, part.missing)
    passed &= ~failed & ~unknown
    return StateMinutes(failed, passed, unknown & ~failed, min(missing, passed.bit_count()))
