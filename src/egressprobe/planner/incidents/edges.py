"""What an evaluation takes from outside beside AWS: the clock, pauses, and threads. Tests give others."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from egressprobe.planner.incidents.background import Background


class Pending[T](Protocol):
    """As Background."""

    def result(self, seconds: float) -> T: ...


class Start(Protocol):
    """Begins a call, whose result is awaited for a time."""

    def __call__[T](self, call: Callable[[], T], /) -> Pending[T]: ...


class IncidentEdges(NamedTuple):
    """clock: UTC. monotonic: seconds. pause: sleeps so many seconds."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    start: Start = Background
