"""Sockets whose times come from the kernel.

On a small Lambda the process may wait a second for its CPU share while the network answered in a
millisecond. So times come from the kernel: the round trip of the three-way handshake from TCP_INFO, the
arrival of data from SO_TIMESTAMPNS (socket(7); `loop.sock_recv` drops ancillary data, hence recvmsg under
`add_reader`). On other systems both are None and user-space times are used.
"""

import asyncio
import atexit
import errno
import os
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from egressprobe.model.measurement import TcpState
from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.time_limits import timers

_LINUX = sys.platform == "linux"
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; x86-64 and arm64
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_SIZE = socket.CMSG_SPACE(_TIMESPEC.size) if _LINUX else 0
# include/uapi/linux/tcp.h, struct tcp_info: offsets; the round trip is in microseconds
_TCP_INFO_RETRANSMITS, _TCP_INFO_UNACKED, _TCP_INFO_RTT, _TCP_INFO_TOTAL_RETRANS = 2, 24, 68, 100
_TCP_INFO_BYTES_ACKED, _TCP_INFO_BYTES_RECEIVED, _TCP_INFO_OUT_OF_ORDER = 120, 128, 224
# Seconds by which two readings of both clocks may differ without the wall clock having been set.
_CLOCK_TOLERANCE = 0.002
_timestamp_socket: socket.socket | None = None


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def socket_address(address: str, port: int) -> tuple[str, int]:
    """What connect(2) gets. A zone says nothing about an address that is not link-local, and those are never dialled.

    Go takes a zone that is no interface for no zone (net/ipsock_posix.go, net/interface.go zoneCache.index);
    getaddrinfo(3) refuses it.
    """
    return address.partition("%")[0], port


def source_address(destination: str) -> str | None:
    """The source address the kernel would use for `destination`; None without a route. Sends nothing."""
    with suppress(OSError), socket.socket(family_of(destination), socket.SOCK_DGRAM) as probe:
        probe.connect(socket_address(destination, 9))
        return str(probe.getsockname()[0]).partition("%")[0]
    return None


def open_socket(address: str, kind: socket.SocketKind) -> socket.socket:
    """A non-blocking socket whose received data carries the kernel's time stamp."""
    if not _LINUX:
        sock = socket.socket(family_of(address), kind)
        sock.setblocking(False)
        return sock
    sock = socket.socket(family_of(address), kind | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        pass
    return sock


def enable_timestamps() -> None:
    """Have the kernel stamp packets from now on, for the life of the process.

    The kernel starts stamping a moment after the first socket requests it, and stops with the last one
    (net/core/dev.c net_enable_timestamp): without this the first answers of a run would have no stamp.
    """
    global _timestamp_socket
    if _timestamp_socket is None and _LINUX:
        with suppress(OSError):
            _timestamp_socket = open_socket("127.0.0.1", socket.SOCK_DGRAM)
            atexit.register(_timestamp_socket.close)


def clocks() -> tuple[float, float]:
    """The monotonic clock, and wall clock less monotonic clock, in seconds: that changes only when the clock is set."""
    before = time.monotonic()
    wall = time.time()
    for _ in range(2):  # a process without CPU may be interrupted between the two readings
        if time.monotonic() - before < _CLOCK_TOLERANCE / 4:
            break
        before = time.monotonic()
        wall = time.time()
    return before, wall - before


def arrival(stamp: float | None, sent: float, offset: float) -> tuple[float, bool]:
    """When data arrived, by the monotonic clock, and whether that is the kernel's stamp.

    sent: monotonic time of the request; data that was there before it arrived with it. offset: of the clocks then.
    The kernel stamps with the wall clock; if that was set in between, the time of reading is used.
    """
    now = time.monotonic()
    if stamp is None:
        return now, False
    # The clock was set; or this process was interrupted just here, hence the second look.
    if abs(time.time() - now - offset) > _CLOCK_TOLERANCE and abs(clocks()[1] - offset) > _CLOCK_TOLERANCE:
        return now, False
    return min(max(stamp - offset, sent), now), True


def receive(sock: socket.socket, size: int) -> tuple[bytes, float | None]:
    """Data and the wall-clock time at which the kernel got it. Raises BlockingIOError, OSError."""
    data, ancillary, _, _ = sock.recvmsg(size, _ANCILLARY_SIZE)
    for level, kind, value in ancillary:
        if kind == _SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(value) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(value)
            return data, seconds + nanoseconds / 1e9
    return data, None


class SocketSelector:
    """The sockets of one event loop that are waited for. Each is in it once, and is removed before it is closed.

    On Linux an epoll(7) set of our own, which the loop watches: to add a socket and to remove it is a call each, where
    the loop's own selector takes ten times as long. Elsewhere that one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._actions: dict[int, Callable[[], object]] = {}
        if _LINUX:
            self._epoll = select.epoll()
            loop.add_reader(self._epoll.fileno(), self._call)

    def add_reader(self, descriptor: int, action: Callable[[], object]) -> None:
        """Call `action` again and again while there is data, an error or the end of the stream."""
        if not _LINUX:
            self.loop.add_reader(descriptor, action)
            return
        self._epoll.register(descriptor, select.EPOLLIN)
        self._actions[descriptor] = action

    def add_writer(self, descriptor: int, action: Callable[[], object]) -> None:
        """The same while the socket is connected, or has failed to connect."""
        if not _LINUX:
            self.loop.add_writer(descriptor, action)
            return
        self._epoll.register(descriptor, select.EPOLLOUT)
        self._actions[descriptor] = action

    def remove(self, descriptor: int) -> None:
        if not _LINUX:
            self.loop.remove_reader(descriptor)
            self.loop.remove_writer(descriptor)
            return
        del self._actions[descriptor]
        self._epoll.unregister(descriptor)

    def _call(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            action = self._actions.get(descriptor)  # an action before may have removed it
            if action is not None:
                action()


class _Latest(threading.local):
    selector: SocketSelector | None = None


_latest = _Latest()


def selector() -> SocketSelector:
    """That of the running loop; a thread has one loop after the other."""
    loop, latest = asyncio.get_running_loop(), _latest.selector
    if latest is None or latest.loop is not loop:
        latest = _latest.selector = SocketSelector(loop)
    return latest


async def readable(sock: socket.socket, until: float) -> None:
    """Wait for data, an error or the end of the stream. Raises TimeoutError at `until` (loop time)."""
    watched = selector()
    await _ready(watched, watched.add_reader, sock, until)
    if watched.loop.time() >= until and not _has_data(sock):
        raise TimeoutError


async def connect_socket(sock: socket.socket, endpoint: Endpoint, until: float) -> None:
    """connect(2) of a non-blocking socket. Raises OSError, and TimeoutError at `until` (loop time)."""
    failed = sock.connect_ex(socket_address(endpoint.address, endpoint.port))
    if failed == errno.EINPROGRESS:
        watched = selector()
        await _ready(watched, watched.add_writer, sock, until)
        failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not failed and watched.loop.time() >= until and not _connected(sock):
            raise TimeoutError
    if failed:
        raise OSError(failed, os.strerror(failed))


async def _ready(
    watched: SocketSelector, add: Callable[[int, Callable[[], None]], None], sock: socket.socket, until: float
) -> None:
    """Wait until the selector reports the socket or the time is up."""
    ready: asyncio.Future[None] = watched.loop.create_future()
    action = partial(wake, ready)
    timer = timers().call_at(until, action)
    descriptor = sock.fileno()
    add(descriptor, action)
    try:
        await ready
    finally:
        timer.cancel()
        watched.remove(descriptor)


def _connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def wake(future: asyncio.Future[None]) -> None:
    """Complete a future, once."""
    if not future.done():
        future.set_result(None)


def _has_data(sock: socket.socket) -> bool:
    """Whether data waits: a starved process can wake past its deadline although the answer has arrived."""
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def kernel_round_trip(sock: socket.socket) -> float | None:
    """Seconds of the three-way handshake by TCP_INFO; None if not on Linux or if the SYN was retransmitted.

    A retransmitted SYN gives no sample (RFC 6298 section 3, Karn's algorithm).
    """
    if not _LINUX:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        if struct.unpack_from("@I", info, _TCP_INFO_TOTAL_RETRANS)[0] == 0:
            return float(struct.unpack_from("@I", info, _TCP_INFO_RTT)[0]) / 1e6
    except (OSError, struct.error):
        pass
    return None


def tcp_state(sock: socket.socket) -> TcpState | None:
    """TCP_INFO of a connection, before it is closed; None if not on Linux and on kernels before 5.4."""
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
