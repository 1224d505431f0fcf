"""Virtual time. Events are functions at a time; a process is a function that may sleep, in a thread of its own.

One of them runs at a time, in the order of their times, so that a seed gives the same run each time.
"""

import heapq
import threading
from collections.abc import Callable


class Clock:
    """Seconds since the start."""

    def __init__(self):
        self.now = 0.0
        self._queue, self._number = [], 0
        self._local, self._handed_back = threading.local(), threading.Semaphore(0)
        self._errors = []

    def at(self, time: float, function: Callable[[], object]) -> None:
        """Calls it at that time; it must not sleep."""
        self._number += 1
        heapq.heappush(self._queue, (max(time, self.now), self._number, function))

    def process(self, time: float, function: Callable[[], object]) -> None:
        """Starts it at that time; it may sleep."""

        def body(go: threading.Semaphore) -> None:
            self._local.go = go
            go.acquire()
            try:
                function()
            except Exception as error:
                self._errors.append(error)
            self._handed_back.release()

        def start() -> None:
            go = threading.Semaphore(0)
            threading.Thread(target=body, args=(go,), daemon=True).start()
            self._resume(go)

        self.at(time, start)

    def sleep(self, seconds: float) -> None:
        """Of a process; in another thread (of a pool that a process uses) it does nothing."""
        go = getattr(self._local, "go", None)
        if go is None or seconds <= 0:
            return
        self.at(self.now + seconds, lambda: self._resume(go))
        self._handed_back.release()
        go.acquire()

    def run(self, until: float) -> None:
        while self._queue and self._queue[0][0] <= until:
            self.now, _, function = heapq.heappop(self._queue)
            function()
            if self._errors:
                raise self._errors[0]
        self.now = until

    def _resume(self, go: threading.Semaphore) -> None:
        go.release()
        self._handed_back.acquire()
