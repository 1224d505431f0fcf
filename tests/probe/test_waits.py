"""What a wait is made of.

Timers: called in time and once, cancelled at any time, bounded by the waits that there are. SocketSelector: calls for what is
ready, on Linux and elsewhere.
"""

import asyncio
import socket
from threading import Thread

import pytest

from egressprobe.probe.transport import kernel_socket
from egressprobe.probe.transport.kernel_socket import SocketSelector, readable, selector
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


@pytest.fixture(params=[True, False], ids=["linux", "elsewhere"])
def _system(request, monkeypatch):
    monkeypatch.setattr(kernel_socket, "_LINUX", request.param and kernel_socket._LINUX)


def _pairs(count):
    pairs = [socket.socketpair() for _ in range(count)]
    for pair in pairs:
        for end in pair:
            end.setblocking(False)
    return pairs


@pytest.mark.usefixtures("_system")
def test_what_is_ready_is_called_until_it_is_removed():
    """Again and again while data waits; an action that removes another one, which is ready too, wins."""

    async def main():
        watched, called = SocketSelector(asyncio.get_running_loop()), []
        (a, to_a), (b, to_b) = pairs = _pairs(2)
        other = {a.fileno(): b.fileno(), b.fileno(): a.fileno()}
        enough = asyncio.Event()

        def action(mine):
            called.append(mine)
            if len(called) == 3:
                watched.remove(other[mine])
            if len(called) == 9:
                enough.set()

        for mine in other:
            watched.add_reader(mine, lambda mine=mine: action(mine))
        for end in (to_a, to_b):
            end.send(b"x")
        await asyncio.wait_for(enough.wait(), 20)
        assert set(called[:2]) == set(other)
        assert len(set(called[2:])) == 1
        watched.remove(called[-1])
        many = len(called)
        await asyncio.sleep(0.01)
        assert len(called) == many
        for pair in pairs:
            for end in pair:
                end.close()

    asyncio.run(main())


@pytest.mark.usefixtures("_system")
def test_the_end_of_a_stream_and_a_connection_are_ready():
    """EPOLLHUP is no EPOLLIN; a new socket takes the number of the one that was closed."""

    async def main():
        watched = SocketSelector(asyncio.get_running_loop())
        for _ in range(3):
            ((near, far),) = _pairs(1)
            ended, writable = asyncio.Event(), asyncio.Event()
            watched.add_writer(near.fileno(), writable.set)
            await asyncio.wait_for(writable.wait(), 20)
            watched.remove(near.fileno())
            watched.add_reader(near.fileno(), ended.set)
            await asyncio.sleep(0)
            assert not ended.is_set()
            far.close()
            await asyncio.wait_for(ended.wait(), 20)
            watched.remove(near.fileno())
            near.close()

    asyncio.run(main())


@pytest.mark.usefixtures("_system")
def test_each_loop_has_its_own_selector():
    """Also two loops in two threads at once."""
    times = []

    async def main():
        ((near, far),) = _pairs(1)
        loop = asyncio.get_running_loop()
        for _ in range(50):
            assert selector().loop is loop
            loop.call_later(0.001, far.send, b"x")
            await readable(near, loop.time() + 5)
            near.recv(1)
        with pytest.raises(TimeoutError):
            await readable(near, loop.time() + 0.02)
        near.close()
        far.close()
        times.append(loop.time())

    threads = [Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(main())
    assert len(times) == 3
