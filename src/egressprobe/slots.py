"""Bounded beginnings: how many targets may be busy at once.

A small Lambda that starts two hundred handshakes at once serves all of them late. So at most `size` targets
are busy; a target that has waited `PARK_AFTER` seconds for a silent peer costs no CPU any more and gives its
slot to the next, so that three dead addresses do not hold up seventeen live ones.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Longer than a handshake across a region takes, much shorter than any timeout.
PARK_AFTER = 0.1


class Slots:
    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Hold a slot until the block ends or PARK_AFTER seconds have passed."""
        await self._free.acquire()
        parked = False

        def park() -> None:
            nonlocal parked
            parked = True
            self._free.release()

        timer = asyncio.get_running_loop().call_later(PARK_AFTER, park)
        try:
            yield
        finally:
            timer.cancel()
            if not parked:
                self._free.release()
