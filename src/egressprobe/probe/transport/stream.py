"""A TCP connection that measures time on the wire, with the only read loop of a connection.

Rules of the read loop, which hold for every peer:
- It yields to the event loop before it returns data that did not have to be waited for.
- It checks the deadline also while data is waiting.
- It charges every read to the peer's budget (peer_limits.py).
- Data that has arrived is delivered before an error of the connection: an alert wins over a reset or broken pipe.
"""

import asyncio
import socket
import time
from collections import deque
from contextlib import suppress
from functools import partial

from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.kernel_socket import arrival, clocks, receive, selector, wake
from egressprobe.probe.transport.peer_limits import PeerBudget
from egressprobe.probe.transport.time_limits import timers

_READ_SIZE = 16 * 1024
MOST_UNREAD = 128 * 1024  # read from the kernel ahead of the reader; beyond, the peer's TCP window closes
# Reads of waiting data that are allowed past the deadline: a process without CPU may wake late with the answer there.
_LATE_READS = 8


class Stream:
    """A TCP connection. `network_seconds` is the sum of waits for the peer. `budget`: what the peer may cost.

    A wait runs from the last send to the last byte received before the next send, so our own time between them
    does not count. It is measured on the monotonic clock, with the kernel's time stamps where they are valid.

    From the first `receive` on, data is read from the kernel as it arrives, up to MOST_UNREAD bytes: registering
    with the selector anew for every wait costs more than the wait.
    """

    def __init__(self, sock: socket.socket, endpoint: Endpoint) -> None:
        self.sock = sock
        self.endpoint = endpoint
        self.local = sock.getsockname()
        self.budget = PeerBudget()
        self.network_seconds = 0.0
        self.first_byte_seconds: float | None = None
        self.stamped = False
        self._sent_at: float | None = None
        self._received_at: float | None = None
        self._offset = 0.0
        self._late_reads = 0
        self._operation = "read"
        self._selector = selector()
        self._loop = self._selector.loop
        self._listening = False
        self._waiter: asyncio.Future[None] | None = None
        self._arrived: deque[tuple[bytes, float | None]] = deque()
        self._unread = 0
        self._error: OSError | None = None
        self._write_failed = False
        self._ended = False

    def describe(self) -> str:
        """`read tcp LOCAL->REMOTE: read`, the prefix of Go's net.OpError for the last operation."""
        local = Endpoint(self.local[0], self.local[1])
        return f"{self._operation} tcp {local}->{self.endpoint}: {self._operation}"

    async def send(self, data: bytes, until: float) -> None:
        """Send everything. Raises TimeoutError, OSError; a broken connection only if nothing is left to read."""
        self._end_wait()
        self._sent_at, self._offset = clocks()
        self._operation = "write"
        try:
            if self._error is not None:
                raise self._error  # the kernel reports it once, and the reader got it
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                pass
            if data:  # the send buffer is full
                async with asyncio.timeout_at(until):
                    await self._loop.sock_sendall(self.sock, data)
        except TimeoutError:
            raise
        except OSError as error:
            self._error, self._write_failed = error, True
            self._read_rest()
            if not self._arrived:
                raise

    async def receive(self, until: float) -> bytes:
        """The next bytes; empty at the end of the stream. Raises TimeoutError, OSError, PeerLimitError."""
        self.budget.stop_cpu()
        if not self._write_failed:
            self._operation = "read"
        # What was just sent has no answer yet: an attempt to read it would only cost time.
        if not self._arrived and (self._sent_at is None or self._received_at is not None):
            self._read_kernel()
        if self._arrived:
            await asyncio.sleep(0)
            self._check_deadline(until)
        elif not self._ended and self._error is None:
            await self._wait(until)
        if not self._arrived:
            if self._error is not None:
                raise self._error
            if not self._ended:
                raise TimeoutError
            return b""
        data, stamp = self._arrived.popleft()
        self._unread -= len(data)
        self._received(stamp)
        self.budget.charge(len(data))
        self.budget.start_cpu(self._loop)
        return data

    def _received(self, stamp: float | None) -> None:
        sent = self._sent_at
        if sent is None:
            self._received_at, self.stamped = time.monotonic(), stamp is not None
        else:
            self._received_at, self.stamped = arrival(stamp, sent, self._offset)
        if sent is not None and self.first_byte_seconds is None:
            self.first_byte_seconds = self._received_at - sent

    def _check_deadline(self, until: float) -> None:
        if self._loop.time() >= until:
            self._late_reads += 1
            if self._late_reads > _LATE_READS:
                raise TimeoutError

    async def _wait(self, until: float) -> None:
        """Wait for an event or the deadline; a process without CPU then checks once more."""
        self._waiter = self._loop.create_future()
        timer = timers().call_at(until, partial(wake, self._waiter))
        if not self._listening:
            self._selector.add_reader(self.sock.fileno(), self._read_kernel)
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

    def _read_rest(self) -> None:
        """After a failed write: read what arrived before the connection broke, which may be the reason."""
        with suppress(OSError):
            while self._unread < MOST_UNREAD:
                data, stamp = receive(self.sock, _READ_SIZE)
                if not data:
                    break
                self._arrived.append((data, stamp))
                self._unread += len(data)
        self._stop_listening()

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
            self._selector.remove(self.sock.fileno())
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
    def answered(self) -> bool:
        """Whether anything came since the last send."""
        return self._received_at is not None

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
