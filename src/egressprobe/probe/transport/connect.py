"""The connect phase: one TCP handshake with one address."""

import asyncio
import socket
import time
from typing import Protocol

from egressprobe.error_texts.network import DIAL_ERROR, DIAL_TIMEOUT
from egressprobe.model.failure import Code, Failure, Phase, classify_connect, errno_text
from egressprobe.model.struct import Struct
from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.kernel_socket import connect_socket, kernel_round_trip, open_socket
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import CONNECT_LIMIT, Budget


class Connected(Struct, frozen=True):
    """`ms`: from TCP_INFO where available; `user_ms`: this process's clock. Of a failure: the time it took."""

    ms: float
    user_ms: float
    failure: Failure | None = None


class Dial(Protocol):
    """How a connection to an address is made: `connect`, through a proxy (proxy.py), or elsewhere (the lab)."""

    async def __call__(
        self, endpoint: Endpoint, budget: Budget, *, mss: int | None = None
    ) -> tuple[Stream | None, Connected]: ...


async def connect(endpoint: Endpoint, budget: Budget, *, mss: int | None = None) -> tuple[Stream | None, Connected]:
    """Connect, for at most CONNECT_LIMIT seconds. Network failures are data, never raised.

    mss: bytes of the largest segment in both directions (TCP_MAXSEG, which must be set before connecting).
    """
    loop = asyncio.get_running_loop()
    until = budget.until(loop.time(), CONNECT_LIMIT)
    started = time.perf_counter()
    sock: socket.socket | None = None
    failure: Failure | None = None
    try:
        sock = open_socket(endpoint.address, socket.SOCK_STREAM)
        if mss is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
        await connect_socket(sock, endpoint, until)
        user_ms = (time.perf_counter() - started) * 1e3
        round_trip = kernel_round_trip(sock)
        ms = user_ms if round_trip is None else round_trip * 1e3
        return Stream(sock, endpoint), Connected(ms=round(ms, 3), user_ms=round(user_ms, 3))
    except TimeoutError:
        if budget.ran_out(loop.time()):
            failure = Failure(Phase.CONNECT, Code.DEADLINE_EXCEEDED, "the run's deadline passed while connecting")
        else:
            failure = Failure(
                Phase.CONNECT,
                Code.CONNECT_TIMEOUT,
                f"{endpoint} does not answer: no reply to the SYN within {time.perf_counter() - started:.1f} s",
                DIAL_TIMEOUT.of(endpoint=endpoint),
            )
    except OSError as error:
        text = errno_text(error)
        failure = Failure(
            Phase.CONNECT,
            classify_connect(error),
            f"{endpoint}: {text}",
            DIAL_ERROR.of(endpoint=endpoint, error=text),
        )
    except BaseException:
        _close(sock)
        raise
    _close(sock)
    ms = (time.perf_counter() - started) * 1e3
    return None, Connected(ms=round(ms, 3), user_ms=round(ms, 3), failure=failure)


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
