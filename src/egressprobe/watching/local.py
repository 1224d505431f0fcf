"""Rounds of probes from this computer, by the same engine as `egressprobe run`."""

import asyncio
import threading
import time
import uuid
from collections.abc import Callable

from egressprobe.model.report import Report
from egressprobe.model.target import Plan
from egressprobe.watching.rounds import WatchRound


class LocalLook:
    """seconds: the limit of a round. rounds_of: a report's cells, as a round; it is given the time."""

    def __init__(
        self, plan: Plan, *, seconds: float, concurrency: int, round_of: Callable[[Report, float], WatchRound]
    ) -> None:
        self._plan, self._seconds, self._concurrency, self._round_of = plan, seconds, concurrency, round_of
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._canceled = False

    def look(self) -> WatchRound:
        return asyncio.run(self._probe())

    async def _probe(self) -> WatchRound:
        from egressprobe.probe import run as probe

        with self._lock:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            if self._canceled:
                self._stop.set()
        try:
            report = await probe.run(
                self._plan,
                run_id=str(uuid.uuid4()),
                seconds=self._seconds,
                concurrency=self._concurrency,
                stop=self._stop,
            )
        finally:
            with self._lock:
                self._loop = self._stop = None
        return self._round_of(report, time.time())

    def cancel(self) -> None:
        with self._lock:
            self._canceled = True
            if self._loop is not None and self._stop is not None:
                self._loop.call_soon_threadsafe(self._stop.set)
