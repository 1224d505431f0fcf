"""The retry ladder: why a handshake meets silence, a reset or an end once TCP has connected.

Each rung is one more handshake with one thing changed: smaller segments (a path MTU), a smaller ClientHello
(a middlebox that drops large or post-quantum ones), another server name (a filter by name). All rungs are tried
at once, beside the handshake that is still waiting, and within the run's deadline. diagnosis/middlebox.py says what
they mean.
"""

import asyncio
import logging
import time
from typing import NamedTuple

from egressprobe.apiserver.kube_version import CLASSIC, Hello
from egressprobe.model.failure import CODES, Code, Ending
from egressprobe.model.measurement import Rung, RungName, RungOutcome
from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.connect import Dial, connect
from egressprobe.probe.transport.time_limits import CLIMB_AFTER, RUNG_LIMIT, Budget, timers
from egressprobe.probe.transport.tls import tls_handshake
from egressprobe.probe.transport.tls_context import Offer, context, groups

logger = logging.getLogger("egressprobe")
_SMALL_MSS = 536  # RFC 9293 section 3.7.1: what every IPv4 path carries
# Names that a filter which blocks ours is likely to allow: none at all, AWS's own, and one that is on no list
# (RFC 6761 section 6.4), for a filter that blocks some names and allows the rest.
_OTHER_NAMES = ("egressprobe.invalid", "sts.amazonaws.com", None)
_OUTCOMES: dict[Ending, RungOutcome] = {Ending.SILENT: "silent", Ending.RESET: "reset", Ending.CLOSED: "closed"}
_NOT_TRIED: RungOutcome = "unknown"
_LEAST_SILENCE = 1.0  # seconds: a shorter wait does not show that a server is silent


class Shape(NamedTuple):
    """The handshake that broke: to whom, with which name and which hello."""

    endpoint: Endpoint
    server_name: str | None
    alpn: tuple[str, ...]
    hello: Hello
    dial: Dial = connect


async def climb(shape: Shape, run_ends: float) -> tuple[Rung, ...]:
    """Try all rungs at once, for RUNG_LIMIT seconds at most. Network trouble is data."""
    now = asyncio.get_running_loop().time()
    budget = Budget(run_ends, now + RUNG_LIMIT)
    own, small, name = shape.hello, CLASSIC, shape.server_name
    rungs = [_rung("again", shape, own, name, budget), _rung("again-mss-536", shape, own, name, budget)]
    if own.post_quantum:
        rungs += [_rung("small", shape, small, name, budget), _rung("small-mss-536", shape, small, name, budget)]
    if name is not None:
        rungs += [_rung("other-name", shape, small, other, budget) for other in _OTHER_NAMES]
    return tuple(await asyncio.gather(*rungs))


async def _rung(what: RungName, shape: Shape, hello: Hello, name: str | None, budget: Budget) -> Rung:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    mss = _SMALL_MSS if what.endswith("mss-536") else None
    size, outcome = 0, _NOT_TRIED
    stream, _ = await shape.dial(shape.endpoint, budget, mss=mss)
    try:
        if stream is not None and budget.call_ends - loop.time() >= _LEAST_SILENCE:
            tls = context("", (), Offer(shape.alpn, hello, groups(hello)[0]), verify=False)
            _, handshake, failure = await tls_handshake(stream, tls, server_name=name, trust=None, budget=budget)
            size = handshake.hello_bytes
            # Where only the name is in question any byte is an answer.
            heard = what == "other-name" and stream.budget.data > 0
            outcome = "answered" if failure is None or heard else _outcome(failure.code)
    finally:
        if stream is not None:
            stream.close()
    ms = round((time.perf_counter() - started) * 1e3, 3)
    return Rung(name=what, hello_bytes=size, mss=mss, server_name=name, outcome=outcome, ms=ms)


def _outcome(code: Code) -> RungOutcome:
    """How a handshake ended that failed. A refusal that comes back is an answer."""
    facts = CODES[code]
    return _OUTCOMES.get(facts.ending, "answered") if facts.measured else _NOT_TRIED


class Climber:
    """The ladder of one attempt: begun when the server has kept silent for a while, or when the handshake broke.

    slots: how many may climb at once in this run. families: those of the hop that have climbed already.
    """

    def __init__(self, shape: Shape, run_ends: float, slots: asyncio.Semaphore, families: set[str]) -> None:
        self._shape, self._run_ends, self._slots, self._families = shape, run_ends, slots, families
        self._task: asyncio.Task[tuple[Rung, ...]] | None = None
        self._begun = False
        self._timer = timers().call_at(asyncio.get_running_loop().time() + CLIMB_AFTER, self._start)

    def _start(self) -> None:
        family = self._shape.endpoint.family
        if self._task is None and family not in self._families:
            self._families.add(family)
            self._task = asyncio.create_task(self._climb())

    async def _climb(self) -> tuple[Rung, ...]:
        async with self._slots:
            self._begun = True
            try:
                return await climb(self._shape, self._run_ends)
            except Exception:  # the handshake's own failure stays, without its cause
                logger.exception("the retry ladder failed", extra={"endpoint": str(self._shape.endpoint)})
                return ()

    async def top(self) -> tuple[Rung, ...]:
        """All rungs; none where another address has used the ladder or no slot was free in time."""
        self._timer.cancel()
        self._start()
        await asyncio.sleep(0)  # lets a ladder begin that begins only now
        if self._task is None or not self._begun:
            return ()
        return await self._task

    def leave(self) -> None:
        """Cancel the ladder: the handshake succeeded, or no time is left."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
