"""Sockets with honest clocks.

On a small Lambda the process may wait a second for its CPU share while the network answered in a
millisecond. So times come from the kernel: the round trip of the three-way handshake from TCP_INFO, the
arrival of data from SO_TIMESTAMPNS (socket(7); `loop.sock_recv` drops ancillary data, hence recvmsg under
`add_reader`). Elsewhere than on Linux both are None and user-space times stand in.
"""

import asyncio
import atexit
import errno
import os
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from egressprobe.model import Endpoint, TcpState

_LINUX = sys.platform == "linux"
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; x86-64 and arm64
_TIMESPEC = struct.Struct("@ll")
# include/uapi/linux/tcp.h, struct tcp_info: offsets; the round trip is in microseconds
_TCP_INFO_RETRANSMITS, _TCP_INFO_UNACKED, _TCP_INFO_RTT, _TCP_INFO_TOTAL_RETRANS = 2, 24, 68, 100
_TCP_INFO_BYTES_ACKED, _TCP_INFO_BYTES_RECEIVED, _TCP_INFO_OUT_OF_ORDER = 120, 128, 224
_READ_SIZE = 16 * 1024
MOST_UNREAD = 128 * 1024  # taken from the kernel ahead of the reader; beyond, the peer's window closes

_keeper: socket.socket | None = None


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def source_address(destination: str) -> str | None:
    """The source the kernel would use for `destination`; None without a route. Sends nothing."""
    with suppress(OSError), socket.socket(family_of(destination), socket.SOCK_DGRAM) as probe:
        probe.connect((destination, 9))
        return str(probe.getsockname()[0]).partition("%")[0]
    return None


def open_socket(address: str, kind: socket.SocketKind) -> socket.socket:
    """A non-blocking socket whose received data carries the kernel's time stamp."""
    sock = socket.socket(family_of(address), kind)
    sock.setblocking(False)
    if _LINUX:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return sock


def keep_stamps() -> None:
    """Have the kernel stamp packets from now on, for the life of the process.

    It switches stamping on a moment after the first socket asks for it, and off with the last one
    (net/core/dev.c net_enable_timestamp): without this the first answers of a run would carry none.
    """
    global _keeper
    if _keeper is None and _LINUX:
        with suppress(OSError):
            _keeper = open_socket("127.0.0.1", socket.SOCK_DGRAM)
            atexit.register(_keeper.close)


def receive(sock: socket.socket, size: int) -> tuple[bytes, float | None]:
    """Data and the wall-clock time at which the kernel got it. Raises BlockingIOError, OSError."""
    data, ancillary, _, _ = sock.recvmsg(size, 64 if _LINUX else 0)
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(value) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(value[: _TIMESPEC.size])
            return data, seconds + nanoseconds / 1e9
    return data, None


async def readable(sock: socket.socket, until: float) -> None:
    """Wait for data, an error or the end of the stream. Raises TimeoutError at `until` (loop time)."""
    loop = asyncio.get_running_loop()
    await _ready(loop, loop.add_reader, loop.remove_reader, sock, until)
    if loop.time() >= until and not _has_data(sock):
        raise TimeoutError


async def connect_socket(sock: socket.socket, endpoint: Endpoint, until: float) -> None:
    """connect(2) of a non-blocking socket. Raises OSError, and TimeoutError at `until` (loop time)."""
    failed = sock.connect_ex((endpoint.address, endpoint.port))
    if failed == errno.EINPROGRESS:
        loop = asyncio.get_running_loop()
        await _ready(loop, loop.add_writer, loop.remove_writer, sock, until)
        failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not failed and loop.time() >= until and not _connected(sock):
            raise TimeoutError
    if failed:
        raise OSError(failed, os.strerror(failed))


async def _ready(
    loop: asyncio.AbstractEventLoop,
    add: Callable[..., object],
    remove: Callable[..., object],
    sock: socket.socket,
    until: float,
) -> None:
    """Until the selector says so or the time is up."""
    ready: asyncio.Future[None] = loop.create_future()
    timer = loop.call_at(until, _fire, ready)
    descriptor = sock.fileno()  # the selector is quicker with a number
    add(descriptor, _fire, ready)
    try:
        await ready
    finally:
        timer.cancel()
        remove(descriptor)


def _connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _fire(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _has_data(sock: socket.socket) -> bool:
    """A starved process can wake past its deadline with the answer long in the socket: look again."""
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


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
        timer = self._loop.call_at(until, _fire, self._waiter)
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

    def _take(self) -> None:
        """What the kernel has now: data, the end or an error."""
        if self._ended or self._error is not None or self._unread >= MOST_UNREAD:
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
        if self._ended or self._error is not None or self._unread >= MOST_UNREAD:
            self._deafen()
        if self._waiter is not None:
            _fire(self._waiter)

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


def kernel_round_trip(sock: socket.socket) -> float | None:
    """Seconds of the three-way handshake by TCP_INFO; None off Linux or when the SYN was sent again.

    A retransmitted SYN gives no sample (RFC 6298 section 3, Karn's algorithm).
    """
    if not _LINUX:
        return None
    with suppress(OSError, struct.error):
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        if struct.unpack_from("@I", info, _TCP_INFO_TOTAL_RETRANS)[0] == 0:
            return float(struct.unpack_from("@I", info, _TCP_INFO_RTT)[0]) / 1e6
    return None


def tcp_state(sock: socket.socket) -> TcpState | None:
    """What the kernel knows of a connection, before it is closed; None off Linux and on kernels before 5.4."""
    if not _LINUX:
        return None
    with suppress(OSError, struct.error):
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return TcpState(
            unacked=struct.unpack_from("@I", info, _TCP_INFO_UNACKED)[0],
            bytes_acked=struct.unpack_from("@Q", info, _TCP_INFO_BYTES_ACKED)[0],
            bytes_received=struct.unpack_from("@Q", info, _TCP_INFO_BYTES_RECEIVED)[0],
            out_of_order=struct.unpack_from("@I", info, _TCP_INFO_OUT_OF_ORDER)[0],
            retransmits=info[_TCP_INFO_RETRANSMITS],
        )
    return None
