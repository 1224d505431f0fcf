"""A connection through a proxy, as net/http/transport.go dialConn makes it: for discovery from a person's computer.

The probe itself never uses a proxy. `proxy_dialer` makes what Prober dials with: a stream on which the proxy has
agreed to CONNECT (RFC 9110 section 9.3.6) or to SOCKS 5 (RFC 1928). To an https proxy net/http uses the TLS
configuration of the request: the cluster's CA, client certificate and server name. Texts are net/http's; what a proxy
sends is shown without the credentials that it was given.
"""

import asyncio
import base64
import ssl
import time
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from egressprobe.error_texts.http import PROXY_CONNECT
from egressprobe.error_texts.tls import NOT_TLS
from egressprobe.golang.http.input import HeadTooLargeError, HttpError
from egressprobe.golang.http.proxy import Proxy
from egressprobe.golang.http.response import ResponseReader
from egressprobe.golang.http.socks import SocksError, socks_connect
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.target import Endpoint
from egressprobe.net.addresses import is_address
from egressprobe.net.secrets import without_secrets
from egressprobe.probe.transport.connect import Connected, Dial, connect
from egressprobe.probe.transport.exchange import USER_AGENT
from egressprobe.probe.transport.peer_limits import PeerBudget, PeerLimitError
from egressprobe.probe.transport.resolve import resolve
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, Budget
from egressprobe.probe.transport.tls import Session
from egressprobe.probe.transport.tls_failure import EndOfStreamError, stream_failure

_PROXY_CONNECT = PROXY_CONNECT.text
_MAX_TEXT = 400  # characters
# A handshake on a stream with the server of this name.
type Handshaker = Callable[[Stream, str, Budget], Awaitable[tuple[Session, Failure | None]]]


class _TlsTunnel(Stream):
    """A tunnel inside a TLS session with the proxy. Its times and its budget are those of the outer connection."""

    def __init__(self, session: Session) -> None:
        self._session = session
        super().__init__(session.stream.sock, session.stream.endpoint)

    @property
    def budget(self) -> PeerBudget:
        return self._session.stream.budget

    @budget.setter
    def budget(self, budget: PeerBudget) -> None:
        self._session.stream.budget = budget

    async def send(self, data: bytes, until: float) -> None:
        await self._session.send(data, until)

    async def receive(self, until: float) -> bytes:
        try:
            return await self._session.receive(until)
        except EndOfStreamError:
            return b""

    def lap(self) -> float:
        return self._session.stream.lap()

    @property
    def answered(self) -> bool:
        return self._session.stream.answered

    def close(self) -> None:
        self._session.close()


def proxy_dialer(proxy: Proxy, tunnel: Endpoint | None, config: ResolverConfig, handshake: Handshaker) -> Dial:
    """tunnel: what the proxy shall connect to, None for a proxy that gets the requests themselves."""

    async def dial(endpoint: Endpoint, budget: Budget, *, mss: int | None = None) -> tuple[Stream | None, Connected]:
        del endpoint, mss  # the connection is the proxy's
        started = time.perf_counter()
        stream, failure = await _connected(proxy, config, budget)
        if stream is not None:
            stream, failure = await _ready(stream, proxy, tunnel, budget, handshake)
        ms = round((time.perf_counter() - started) * 1e3, 3)
        return stream, Connected(ms=ms, user_ms=ms, failure=failure)

    return dial


async def _connected(proxy: Proxy, config: ResolverConfig, budget: Budget) -> tuple[Stream | None, Failure | None]:
    """A TCP connection to the first of the proxy's addresses that accepts one."""
    addresses: tuple[str, ...] = (proxy.host,)
    failure: Failure | None = None
    if not is_address(proxy.host):
        resolution = await resolve(proxy.host, config, budget)
        addresses, failure = resolution.addresses, resolution.failure
    for address in addresses:
        stream, connected = await connect(Endpoint(address, proxy.port), budget)
        if stream is not None:
            return stream, None
        failure = connected.failure
    return None, _described(failure, _PROXY_CONNECT)


async def _ready(
    stream: Stream, proxy: Proxy, tunnel: Endpoint | None, budget: Budget, handshake: Handshaker
) -> tuple[Stream | None, Failure | None]:
    ready = False
    try:
        if proxy.scheme == "https":
            session, failure = await handshake(stream, proxy.host, budget)
            if failure is not None or not session.established:
                return None, _described(failure, _PROXY_CONNECT)
            stream = _TlsTunnel(session)
        failure = await _agreed(stream, proxy, tunnel, budget) if tunnel is not None else None
        ready = failure is None
        return stream if ready else None, failure
    finally:
        if not ready:
            stream.close()


async def _agreed(stream: Stream, proxy: Proxy, tunnel: Endpoint, budget: Budget) -> Failure | None:
    """Ask the proxy to connect. Its failure, if it does not."""
    loop = asyncio.get_running_loop()
    until = budget.until(loop.time(), HTTP_LIMIT)
    started = time.perf_counter()
    prefix = f"socks connect tcp {stream.endpoint}->{tunnel}: " if proxy.is_socks else ""
    try:
        await (_socks if proxy.is_socks else _http_connect)(stream, proxy, tunnel, until)
    except (HttpError, SocksError) as error:
        text = str(error)
        if isinstance(error, HttpError):  # the proxy's own words
            text = without_secrets(text, _secrets(proxy), most=_MAX_TEXT)
        return _described(Failure(Phase.HTTP, Code.HTTP_STATUS, text, text), prefix)
    except (ssl.SSLError, OSError, EndOfStreamError) as error:
        waited = time.perf_counter() - started
        failure = stream_failure(error, stream, Phase.HTTP, waited, ran_out=budget.ran_out(loop.time()))
        return _described(failure, prefix)
    stream.endpoint = tunnel
    return None


async def _http_connect(stream: Stream, proxy: Proxy, tunnel: Endpoint, until: float) -> None:
    """Raises HttpError with what net/http says of an answer that is not 200."""
    lines = [f"CONNECT {tunnel} HTTP/1.1", f"Host: {tunnel}", f"User-Agent: {USER_AGENT}"]
    lines += [f"Proxy-Authorization: {value}" for value in authorization(proxy)]
    await stream.send("\r\n".join((*lines, "", "")).encode(), until)
    reader = ResponseReader(0, connect=True)
    while not reader.head_done:
        if asyncio.get_running_loop().time() >= until:
            raise TimeoutError
        try:
            reader.feed(await stream.receive(until))
        except HeadTooLargeError as error:
            raise PeerLimitError(str(error)) from None
    if reader.status != 200:
        _, space, reason = reader.status_line.partition(" ")
        raise HttpError(reason if space else "unknown status code")


async def _socks(stream: Stream, proxy: Proxy, tunnel: Endpoint, until: float) -> None:
    dialogue = socks_connect(tunnel.address, tunnel.port, proxy.credentials)
    arrived = b""
    data, needed = next(dialogue)
    while True:
        if data:
            await stream.send(data, until)
        while len(arrived) < needed:
            more = await stream.receive(until)
            if not more:
                raise EndOfStreamError(partial=bool(arrived))
            arrived += more
        answer, arrived = arrived[:needed], arrived[needed:]
        try:
            data, needed = dialogue.send(answer)
        except StopIteration:
            return


def authorization(proxy: Proxy) -> tuple[str, ...]:
    """The value of Proxy-Authorization, if there is one."""
    if proxy.credentials is None:
        return ()
    return (f"Basic {base64.b64encode(b':'.join(proxy.credentials)).decode()}",)


def _described(failure: Failure | None, prefix: str) -> Failure:
    """The failure with net/http's text as its message."""
    if failure is None:
        return Failure(Phase.CONNECT, Code.INTERNAL_ERROR, "the proxy has no address")
    text = failure.api_server_error
    if text is None:
        return failure
    if prefix == _PROXY_CONNECT and failure.code is Code.TLS_NOT_TLS:
        text = NOT_TLS.text  # net/http/client.go send sees no wrapped error
    text = prefix + text
    return replace(failure, message=text or "the proxy's answer has no reason", api_server_error=text)


def _secrets(proxy: Proxy) -> list[str]:
    pair = proxy.credentials or ()
    return [part.decode("utf-8", "replace") for part in (*pair, b":".join(pair)) if part]
