"""Durations on the wall clock, checked on a machine that may be busy: a process may get no CPU for a second.

A limit from above is either the time that the caller itself waited (`timed`), or the least of several tries (`least`);
a limit that only says "it ended" is far from what the call takes.
"""

import time
from collections.abc import Callable


def timed[T](call: Callable[[], T]) -> tuple[float, T]:
    """Milliseconds of `call()`, and what it returns."""
    began = time.monotonic()
    result = call()
    return (time.monotonic() - began) * 1e3, result


def least(measure: Callable[[], float], enough: float, tries: int = 20) -> float:
    """The least of up to `tries` values of `measure()`. The first that is at most `enough` ends them."""
    smallest = measure()
    for _ in range(tries - 1):
        if smallest <= enough:
            break
        smallest = min(smallest, measure())
    return smallest
