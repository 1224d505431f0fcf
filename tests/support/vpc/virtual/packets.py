"""Real packets: listeners in every place that can be a target, and connections from chosen client ports."""

import errno
import select
import socket
import struct
import time
from typing import NamedTuple

from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.wires import Namespace

_LINGER_OFF = struct.pack("ii", 1, 0)


class Call(NamedTuple):
    """One connection to make."""

    actor: str
    source: str
    client: int
    to: str
    port: int


class Servers:
    """Listens on `ports` in each namespace, for both families; what was accepted is dropped between VPCs."""

    def __init__(self, places: list[Namespace], ports: tuple[int, ...]) -> None:
        self._sockets = []
        for place in places:
            for port in ports:
                one = place.socket(socket.AF_INET6, socket.SOCK_STREAM)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                one.bind(("::", port))
                one.listen(4096)
                one.setblocking(False)
                self._sockets.append(one)

    def drain(self) -> None:
        for one in self._sockets:
            while True:
                try:
                    peer, _ = one.accept()
                except OSError:
                    break
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
                peer.close()

    def close(self) -> None:
        self.drain()
        for one in self._sockets:
            one.close()


def connect(built: Built, calls: list[Call], seconds: float) -> dict[Call, bool]:
    """Which of them connect in this time; all at once. A call whose client port is taken is left out."""
    waiting: dict[int, tuple[Call, socket.socket]] = {}
    passed: dict[Call, bool] = {}
    poll = select.poll()
    for call in calls:
        family = socket.AF_INET6 if ":" in call.to else socket.AF_INET
        one = built.actors[call.actor].socket(family, socket.SOCK_STREAM)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
        try:
            one.bind((call.source, call.client))
        except OSError as error:
            one.close()
            if error.errno != errno.EADDRINUSE:
                raise
            continue  # somebody has that port: not tried, so neither passed nor failed
        code = one.connect_ex((call.to, call.port))
        if code == errno.EINPROGRESS:
            waiting[one.fileno()] = (call, one)
            poll.register(one, select.POLLOUT)
        else:
            passed[call] = code == 0
            one.close()
    until = time.monotonic() + seconds
    while waiting and (left := until - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1e3):
            call, one = waiting.pop(fd)
            poll.unregister(fd)
            passed[call] = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            one.close()
    for call, one in waiting.values():
        passed[call] = False
        one.close()
    return passed
