"""The one read loop of a connection: it yields, ends at its deadline, bounds what a peer may send, and keeps time."""

import asyncio
import socket
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.model.target import Endpoint
from egressprobe.probe.transport import kernel_socket
from egressprobe.probe.transport.peer_limits import Limits, PeerBudget, PeerLimitError
from egressprobe.probe.transport.stream import Stream
from tests.probe.test_tls import attempt, web
from tests.support.durations import timed


def _pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setblocking(False)
    return ours, theirs


def _flood(sock, data, stop):
    with suppress(OSError):
        while not stop.is_set():
            sock.sendall(data)


def _with_flood(work, data=b"x" * 60_000):
    """Run `work(stream)` while a peer sends without end."""

    async def main():
        ours, theirs = _pair()
        stop = threading.Event()
        threading.Thread(target=_flood, args=(theirs, data, stop), daemon=True).start()
        stream = Stream(ours, Endpoint("127.0.0.1", 1))
        try:
            return await work(stream)
        finally:
            stop.set()
            stream.close()
            theirs.close()

    return asyncio.run(main())


async def _read_all(stream, until):
    """Read for ever, and work on each piece."""
    while True:
        data = await stream.receive(until)
        for _ in range(20):
            sum(data)


def test_reading_a_flood_lets_others_run():
    """Another task of the same loop gets its turn after every read."""

    async def work(stream):
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        until = asyncio.get_running_loop().time() + 20
        for _ in range(100):
            await stream.receive(until)
        task.cancel()
        return turns

    assert _with_flood(work) >= 100


def test_reading_a_flood_ends_at_the_deadline():
    """Also while data is waiting: the reader that never has to wait is stopped."""

    async def work(stream):
        stream.budget = PeerBudget(Limits(data=1 << 40, messages=1 << 40, cpu=1e9))
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.3
        with pytest.raises(TimeoutError):
            await _read_all(stream, until)
        return loop.time() - until

    assert -0.01 <= _with_flood(work) < 10.0


def test_data_that_came_in_time_is_delivered_late():
    """A process that gets no CPU until after the deadline still reads the answer that lies in the socket."""

    async def work():
        ours, theirs = _pair()
        stream = Stream(ours, Endpoint("127.0.0.1", 1))
        until = asyncio.get_running_loop().time() + 0.05
        theirs.sendall(b"answer")
        time.sleep(0.1)  # noqa: ASYNC251 (the process is without CPU)
        data = await stream.receive(until)
        with pytest.raises(TimeoutError):
            await stream.receive(until)
        stream.close()
        theirs.close()
        return data

    assert asyncio.run(work()) == b"answer"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(100_000, 1 << 30, 1e9), "more than 100000 bytes"),
        (Limits(1 << 40, 20, 1e9), "more than 20 messages"),
        (Limits(1 << 40, 1 << 30, 0.05), "CPU time"),
    ],
)
def test_a_peer_has_limits(limits, text):
    """Bytes, messages, and the CPU time that the reader spends on them."""

    async def work(stream):
        stream.budget = PeerBudget(limits)
        until = asyncio.get_running_loop().time() + 20
        with pytest.raises(PeerLimitError, match=text):
            await _read_all(stream, until)

    _with_flood(work)


@pytest.mark.parametrize("step", [-20.0, -0.4, 0.3, 20.0])
def test_a_step_of_the_clock_does_not_change_a_handshake(lab_loop, monkeypatch, step):
    """The wall clock is set while the server takes its time: durations stay between nothing and what we waited."""
    from egressprobe.probe.transport import stream as stream_module

    server = web(lab_loop)
    server._wait = 0.1
    real_time, real_receive, began = time.time, stream_module.receive, time.monotonic()

    def shift():
        return step if time.monotonic() > began + 0.05 else 0.0

    def receive(sock, size):
        data, stamp = real_receive(sock, size)
        return data, None if stamp is None else stamp + shift()

    monkeypatch.setattr(
        kernel_socket, "time", SimpleNamespace(time=lambda: real_time() + shift(), monotonic=time.monotonic)
    )
    monkeypatch.setattr(stream_module, "receive", receive)
    waited, measured = timed(lambda: attempt(server))
    assert measured.failure is None
    assert 0 < measured.tls.duration_ms <= measured.tls.user_ms + 1
    assert 95 <= measured.exchange_ms <= waited


@settings(deadline=None)
@given(st.floats(-30, 30), st.floats(0, 3), st.floats(0, 3))
def test_an_arrival_is_between_the_request_and_now(step, ago, waited):
    """Whatever stamp and clock: the time of arrival lies in the wait."""
    now = time.monotonic()
    sent, offset = now - waited, kernel_socket.clocks()[1]
    arrived, _ = kernel_socket.arrival(time.time() - ago + step, sent, offset)
    assert sent <= arrived <= time.monotonic()
