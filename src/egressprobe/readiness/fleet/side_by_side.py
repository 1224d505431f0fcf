"""Jobs side by side, a bounded number at once, each with a time limit of its own.

A thread of Python cannot be ended from outside. One that exceeds its limit is left alone, its place is given to the
next job, and what it returns later is dropped; as a daemon it does not keep the process alive.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread

# How often limits are looked at while nothing is finished.
_POLL = 0.2


def side_by_side[Job, Result](
    jobs: Iterable[Job],
    work: Callable[[Job], Result],
    *,
    at_once: int,
    limit: float,
    now: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Job, Result | Exception]]:
    """Each job with its result or its exception, as they finish; TimeoutError after `limit` seconds.

    KeyboardInterrupt passes through; the jobs that have not been returned by then are the caller's to name.
    """
    waiting = deque(enumerate(jobs))
    running: dict[int, tuple[Job, float]] = {}
    finished: SimpleQueue[tuple[int, Result | Exception]] = SimpleQueue()

    def do(number: int, job: Job) -> None:
        try:
            result: Result | Exception = work(job)
        except Exception as error:
            result = error
        finished.put((number, result))

    while waiting or running:
        while waiting and len(running) < at_once:
            number, job = waiting.popleft()
            running[number] = job, now()
            Thread(target=do, args=(number, job), daemon=True).start()
        try:
            number, result = finished.get(timeout=_POLL)
        except Empty:
            pass
        else:
            if number in running:
                yield running.pop(number)[0], result
        for number in [number for number, (_, began) in running.items() if now() - began > limit]:
            yield running.pop(number)[0], TimeoutError(f"no result after {limit:g} s")
