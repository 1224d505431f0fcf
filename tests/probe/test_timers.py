"""Timers of waits: called in time and once, cancelled at any time, bounded by the waits that there are."""

import asyncio

from egressprobe.probe.transport.time_limits import Timers, timers


def run(steps):
    """Run `steps(timers, called)` in a loop of its own and return what was called, with the time since the start."""

    async def main():
        loop = asyncio.get_running_loop()
        called, started = [], loop.time()
        await steps(Timers(loop), lambda name: lambda: called.append((name, loop.time() - started)))
        return called

    return asyncio.run(main())


def test_each_is_called_once_and_never_early():
    """In the order of their times, whatever the order in which they were made."""
    delays = [0.03, 0.01, 0.05, 0.02, 0.04, -1.0]

    async def steps(made, calls):
        now = asyncio.get_running_loop().time()
        for delay in delays:
            made.call_at(now + delay, calls(delay))
        await asyncio.sleep(0.12)

    called = run(steps)
    assert [name for name, _ in called] == sorted(delays)
    assert all(at >= name for name, at in called)


def test_a_cancelled_one_is_not_called_even_when_it_is_due():
    """Two are due at once; the first cancels the second, as the end of a wait does."""

    async def steps(made, calls):
        now = asyncio.get_running_loop().time()
        others = []
        made.call_at(now + 0.01, lambda: (calls("first")(), others[0].cancel()))
        others.append(made.call_at(now + 0.01, calls("second")))
        made.call_at(now + 0.01, calls("third")).cancel()
        made.call_at(now + 0.02, calls("last"))
        await asyncio.sleep(0.1)

    assert [name for name, _ in run(steps)] == ["first", "last"]


def test_those_that_have_ended_do_not_pile_up():
    """A peer that sends a byte at a time makes a wait of each; only the waits there are stay in memory."""

    async def steps(made, calls):
        later = asyncio.get_running_loop().time() + 100
        kept = [made.call_at(later - i, calls("kept")) for i in range(50)]
        for _ in range(10_000):
            made.call_at(later, calls("gone")).cancel()
        assert len(made._heap) <= 512
        assert {entry[2] for entry in made._heap} >= set(kept)

    assert run(steps) == []


def test_each_loop_has_its_own():
    """Those of a loop that has ended ring no more."""

    async def mine():
        assert timers() is timers()
        assert timers().loop is asyncio.get_running_loop()
        return timers()

    assert asyncio.run(mine()) is not asyncio.run(mine())
