"""A TCP connection that measures time on the wire, with the only read loop of a connection."""

import asyncio
import socket
import time
from collections import deque
from contextlib import suppress

from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.kernel_socket import receive, wake

_READ_SIZE = 16 * 1024
MOST_UNREAD = 128 * 1024  # read from the kernel ahead of the reader; beyond, the peer's TCP window closes


class Stream:
    """A TCP connection. `network_seconds` is the sum of waits for the peer.

    A wait runs from the last send to the last byte received before the next send, so our own time between them
    does not count.

    From the first `receive` on, data is read from the kernel as it arrives, up to MOST_UNREAD bytes: registering
    with the selector anew for every wait costs more than the wait.
    """

    def __init__(self, sock: socket.socket, endpoint: Endpoint) -> None:
        self.sock = sock
        self.endpoint = endpoint
        self.local = sock.getsockname()
        self.network_seconds = 0.0
        self.first_byte_seconds: float | None = None
        self._sent_at: float | None = None
        self._received_at: float | None = None
        self._operation = "read"
        self.stamped = False
        self._loop = asyncio.get_running_loop()
        self._listening = False
        self._waiter: asyncio.Future[None] | None = None
        self._arrived: deque[tuple[bytes, float | None]] = deque()
        self._unread = 0
        self._error: OSError | None = None
        self._ended = False

    def describe(self) -> str:
        """`read tcp LOCAL->REMOTE: read`, the prefix of Go's net.OpError for the last operation."""
        local = Endpoint(self.local[0], self.local[1])
        return f"{self._operation} tcp {local}->{self.endpoint}: {self._operation}"

    async def send(self, data: bytes, until: float) -> None:
        self._end_wait()
        self._sent_at = time.time()
        self._operation = "write"
        if self._error is not None and not self._arrived:
            raise self._error  # the kernel reports it once, and the reader got it
        with suppress(BlockingIOError):
            data = data[self.sock.send(data) :]
        if data:  # the send buffer is full
            async with asyncio.timeout_at(until):
                await self._loop.sock_sendall(self.sock, data)

    async def receive(self, until: float) -> bytes:
        """The next bytes; empty at the end of the stream. Raises TimeoutError, OSError."""
        self._operation = "read"
        if not self._arrived:
            self._read_kernel()
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
        self._received_at = stamp or time.time()
        if self._sent_at is not None and self.first_byte_seconds is None:
            self.first_byte_seconds = max(self._received_at - self._sent_at, 0.0)
        return data

    async def _wait(self, until: float) -> None:
        """Wait for an event or the deadline; a starved process then checks once more."""
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(until, wake, self._waiter)
        if not self._listening:
            self._loop.add_reader(self.sock.fileno(), self._read_kernel)
            self._listening = True
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
        if not self._arrived:
            self._read_kernel()

    @property
    def _is_full(self) -> bool:
        return self._ended or self._error is not None or self._unread >= MOST_UNREAD

    def _read_kernel(self) -> None:
        """Read what the kernel has now: data, the end or an error."""
        if self._is_full:
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
        if self._is_full:
            self._stop_listening()
        if self._waiter is not None:
            wake(self._waiter)

    def _stop_listening(self) -> None:
        if self._listening:
            self._loop.remove_reader(self.sock.fileno())
            self._listening = False

    def _end_wait(self) -> None:
        if self._sent_at is not None and self._received_at is not None:
            self.network_seconds += max(self._received_at - self._sent_at, 0.0)
        self._sent_at = self._received_at = None

    def lap(self) -> float:
        """Seconds on the wire since the last lap; starts a new one."""
        self._end_wait()
        seconds, self.network_seconds, self.first_byte_seconds = self.network_seconds, 0.0, None
        return seconds

    @property
    def stream(self) -> "Stream":
        """Itself, as a TLS session has its stream under the same name."""
        return self

    @property
    def protocol(self) -> str | None:
        """None: nothing was negotiated."""
        return None

    async def close_notify(self) -> None:
        self.close()

    def close(self) -> None:
        self._stop_listening()
        with suppress(OSError):
            self.sock.close()
