"""Limits: how many targets may be busy at once, and how many unfinished.

A small Lambda that starts two hundred handshakes at once finishes all of them late. So at most `size` targets are
busy; a target that has waited `PARK_AFTER` seconds for a silent peer uses no CPU any more and releases its slot, so
that three silent addresses do not delay seventeen others.

Parked targets still hold sockets, and a process has 1,024 descriptors in Lambda: `room` bounds the unfinished.
"""

import asyncio
from contextlib import suppress

from egressprobe.probe.transport.time_limits import Timer, timers

# Longer than a handshake across a region takes, much shorter than any timeout.
PARK_AFTER = 0.1
# One target: 8 dials at once (hop.py), A and AAAA at up to 3 servers and one more to compare.
DESCRIPTORS_A_TARGET = 16
# Targets that climb the retry ladder at once, each with up to 7 connections (retry_ladder.py).
LADDERS = 16
_LADDER_DESCRIPTORS = LADDERS * 7


def room(least: int) -> int:
    """Unfinished targets that fit the process's descriptor limit, at least `least`."""
    limit = 1024
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max((limit - _LADDER_DESCRIPTORS) // DESCRIPTORS_A_TARGET, least)


class Slots:
    """`size`: targets busy at once. `most`: targets unfinished at once, parked ones included."""

    def __init__(self, size: int, most: int | None = None) -> None:
        self._free = asyncio.Semaphore(size)
        self._room = asyncio.Semaphore(room(size) if most is None else most)

    def take(self) -> "_Slot":
        """Hold a slot until the block ends or PARK_AFTER seconds have passed."""
        return _Slot(self._free, self._room)


class _Slot:
    def __init__(self, free: asyncio.Semaphore, room: asyncio.Semaphore) -> None:
        self._free, self._room = free, room
        self._timer: Timer | None = None

    async def __aenter__(self) -> None:
        await self._room.acquire()
        try:
            await self._free.acquire()
        except BaseException:
            self._room.release()
            raise
        self._timer = timers().call_at(asyncio.get_running_loop().time() + PARK_AFTER, self._park)

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._park()
        self._room.release()

    def _park(self) -> None:
        self._timer = None
        self._free.release()
