"""Time limits, each with its reason, and the timers that end a wait. All in seconds.

One deadline per run; within it each target's call has its own. A phase that is cut short by the run's deadline was
not measured (`deadline_exceeded`); one that reaches its own limit found a silent peer.
"""

import asyncio
import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import NamedTuple

# An address that has not answered three SYNs is silent: Linux sends them at 0, 1 and 3 s (RFC 6298,
# TCP_TIMEOUT_INIT), and EHOSTUNREACH of an address without ARP reply comes after 3.1 s. kube-apiserver would wait
# min(30 s / n, timeoutSeconds); the forecast computes that, so we need not wait for it.
CONNECT_LIMIT = 5.0
# http.Transport.TLSHandshakeTimeout as kube-apiserver sets it (k8s.io/apimachinery/pkg/util/net/http.go).
TLS_LIMIT = 10.0
# The default limit of an admission call; bounds the cost of a hanging server each minute.
HTTP_LIMIT = 10.0
# The API server allows an OIDC fetch 30 s; a server that has not answered in 10 is taken to stay silent.
OIDC_LIMIT = 10.0
# After a slow lookup the addresses are still measured, to show whether DNS is the only problem.
LEAST_AFTER_DNS = 3.0
# A call is observed a little past its end, so that an answer at the deadline is seen as such.
SLACK = 0.2
# The retry ladder starts beside a handshake that has waited this long: longer than a slow intercontinental
# handshake, and than the first retransmission of a lost segment (RFC 6298 section 2.1: 1 s).
CLIMB_AFTER = 1.5
# One rung of the retry ladder. A working server answers in less, even after one lost segment.
RUNG_LIMIT = 3.5
# A second resolver is queried for comparison only: it must not delay the verdict.
COMPARE_LIMIT = 1.0


class Budget(NamedTuple):
    """The deadlines of the run and of the target's call, in event loop time."""

    run_ends: float
    call_ends: float

    def until(self, now: float, limit: float) -> float:
        return min(now + limit, self.call_ends, self.run_ends)

    def ran_out(self, now: float) -> bool:
        """Whether a wait was ended by the run's deadline."""
        return now >= self.run_ends - 0.005

    def after_dns(self, now: float) -> "Budget":
        return self._replace(call_ends=max(self.call_ends, now + LEAST_AFTER_DNS))


# Timers that nearly always end before they are due: each wait for a peer has one. `loop.call_at` makes an object with a
# context for each, and cancelling it is as dear: together 3 us of CPU. Here a timer is a tuple in a heap, and the loop
# has one timer of its own, for the first of them.
_LEAST_CLEANED = 256  # timers in the heap before those that are cancelled are looked for


class Timer:
    """One timer. `cancel` may be called at any time."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None] | None) -> None:
        self.action = action

    def cancel(self) -> None:
        self.action = None

    def ring(self) -> None:
        """Call the action, unless it was cancelled."""
        action, self.action = self.action, None
        if action is not None:
            action()


class Timers:
    """The timers of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._heap: list[tuple[float, int, Timer]] = []
        self._number = count()  # no two timers compare
        self._clean_at = _LEAST_CLEANED
        self._due = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def call_at(self, when: float, action: Callable[[], None]) -> Timer:
        """Call `action` at `when`, in the loop's time."""
        timer = Timer(action)
        if len(self._heap) >= self._clean_at:
            self._clean()
        heappush(self._heap, (when, next(self._number), timer))
        if when < self._due:
            self._arm(when)
        return timer

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._due, self._handle = when, self.loop.call_at(when, self._ring)

    def _ring(self) -> None:
        """Call what is due, and arm the loop's timer for what is due next."""
        heap, self._due, self._handle = self._heap, math.inf, None
        now = self.loop.time()
        while heap and (heap[0][2].action is None or heap[0][0] <= now):
            self.loop.call_soon(heappop(heap)[2].ring)
        if heap:
            self._arm(heap[0][0])

    def _clean(self) -> None:
        """Drop the cancelled ones, so that their number is bounded by that of the waits, not by their time."""
        self._heap[:] = [entry for entry in self._heap if entry[2].action is not None]
        heapify(self._heap)
        self._clean_at = max(_LEAST_CLEANED, 2 * len(self._heap))


_last: Timers | None = None


def timers() -> Timers:
    """Those of the running loop: nearly always the same as in the last call."""
    global _last
    loop = asyncio.get_running_loop()
    if _last is None or _last.loop is not loop:
        _last = Timers(loop)
    return _last
