"""Looks at a query of Logs Insights or Athena until it has ended. One that is not waited for is stopped: it would go on
and cost.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from egressprobe.model.errors import AwsError

# Seconds before each look, the last one again and again.
LOOKS = (0.3, 0.5, 1.0, 1.5, 2.0)


def ended[T](
    look: Callable[[], tuple[T, bool]],
    stop: Callable[[], Any],
    what: str,
    *,
    deadline: float,
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """The first answer of a query that does not run any more. look: the answer, and whether the query still runs.

    stop: ends the query; called at the deadline (of `clock`), on Ctrl-C and on every error. Raises AwsError.
    """
    waits = iter(LOOKS)
    wait = next(waits)
    try:
        while True:
            pause(wait)
            wait = next(waits, wait)
            answer, runs = look()
            if not runs:
                return answer
            if clock() > deadline:
                raise AwsError(f"{what} was stopped: it took too long; ask for a shorter time")
    except BaseException:
        with suppress(AwsError):
            stop()
        raise
