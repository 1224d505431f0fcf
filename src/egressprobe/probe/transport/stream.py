"""A TCP connection that keeps time on the wire."""

import asyncio
import socket
import time
from collections import deque
from contextlib import suppress

from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.kernel_socket import fire, receive

_READ_SIZE = 16 * 1024
MOST_UNREAD = 128 * 1024  # taken from the kernel ahead of the reader; beyond, the peer's window closes


class Stream:
    """A TCP connection that keeps time: `network_seconds` is the sum of waits for the other side.

    A wait runs from the last send to the last byte received before the next send, so the time between,
    which is ours, does not count.

    From the first `receive` on, data is taken from the kernel as it comes, up to MOST_UNREAD bytes: asking
    the selector anew for every wait costs more than the wait is worth.
    """

    def __init__(self, sock: socket.socket, endpoint: Endpoint) -> None:
        self.sock = sock
        self.endpoint = endpoint
        self.local = sock.getsockname()
        self.network_seconds = 0.0
        self.first_byte_seconds: float | None = None
        self._sent_at: float | None = None
        self._got_at: float | None = None
        self._doing = "read"
        self.stamped = False
        self._loop = asyncio.get_running_loop()
        self._listening = False
        self._waiter: asyncio.Future[None] | None = None
        self._arrived: deque[tuple[bytes, float | None]] = deque()
        self._unread = 0
        self._error: OSError | None = None
        self._ended = False

    def describe(self) -> str:
        """`read tcp LOCAL->REMOTE: read`, the prefix of Go's net.OpError for what was last tried."""
        local = Endpoint(self.local[0], self.local[1])
        return f"{self._doing} tcp {local}->{self.endpoint}: {self._doing}"

    async def send(self, data: bytes, until: float) -> None:
        self._close_wait()
        self._sent_at = time.time()
        self._doing = "write"
        if self._error is not None and not self._arrived:
            raise self._error  # the kernel tells it once, and the reader was there first
        with suppress(BlockingIOError):
            data = data[self.sock.send(data) :]
        if data:  # the send buffer is full
            async with asyncio.timeout_at(until):
                await self._loop.sock_sendall(self.sock, data)

    async def receive(self, until: float) -> bytes:
        """The next bytes; empty at the end of the stream. Raises TimeoutError, OSError."""
        self._doing = "read"
        if not self._arrived:
            self._take()
        if not self._arrived and not self._ended and self._error is None:
            await self._wait(until)
        if not self._arrived:
            if self._error is not None:
                raise self._error
            if not self._ended:
                raise TimeoutError
            return b""
        data, stamp = self._arrived.popleft()
        self._unread -= len(data)
        self.stamped = stamp is not None
        self._got_at = stamp or time.time()
        if self._sent_at is not None and self.first_byte_seconds is None:
            self.first_byte_seconds = max(self._got_at - self._sent_at, 0.0)
        return data

    async def _wait(self, until: float) -> None:
        """Until something has happened or the time is up; a starved process then looks once more."""
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(until, fire, self._waiter)
        if not self._listening:
            self._loop.add_reader(self.sock.fileno(), self._take)
            self._listening = True
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
        if not self._arrived:
            self._take()

    @property
    def _takes_no_more(self) -> bool:
        return self._ended or self._error is not None or self._unread >= MOST_UNREAD

    def _take(self) -> None:
        """What the kernel has now: data, the end or an error."""
        if self._takes_no_more:
            return
        try:
            data, stamp = receive(self.sock, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._error = error
        else:
            self._ended = not data
            if data:
                self._arrived.append((data, stamp))
                self._unread += len(data)
        if self._takes_no_more:
            self._deafen()
        if self._waiter is not None:
            fire(self._waiter)

    def _deafen(self) -> None:
        if self._listening:
            self._loop.remove_reader(self.sock.fileno())
            self._listening = False

    def _close_wait(self) -> None:
        if self._sent_at is not None and self._got_at is not None:
            self.network_seconds += max(self._got_at - self._sent_at, 0.0)
        self._sent_at = self._got_at = None

    def lap(self) -> float:
        """Seconds on the wire since the last lap; starts a new one."""
        self._close_wait()
        seconds, self.network_seconds, self.first_byte_seconds = self.network_seconds, 0.0, None
        return seconds

    @property
    def stream(self) -> "Stream":
        """Itself: a TLS session has its stream under the same name."""
        return self

    @property
    def protocol(self) -> str | None:
        """Nothing was negotiated."""
        return None

    async def goodbye(self) -> None:
        self.close()

    def close(self) -> None:
        self._deafen()
        with suppress(OSError):
            self.sock.close()
