"""A GET over HTTP/2: httpx over httpcore speaks, Go's rules judge what comes back.

Every byte that arrives goes through golang/http/http2.py, which holds the response and what is wrong with it. httpx
sends the request and acknowledges frames; where its parsers refuse what Go accepts, reading goes on without it.

A request whose stream the server refuses (REFUSED_STREAM) is made again on the same connection, at once and then after
1, 2, 4 seconds and so on until the time is up, as net/http does (h2_bundle.go Transport.RoundTripOpt).
"""

import asyncio
from contextlib import suppress
from typing import Any

import httpcore

from egressprobe.golang.http.gzip_body import gunzip
from egressprobe.golang.http.http2 import MAX_FRAMES, Http2Reader
from egressprobe.golang.http.input import BodyTooLargeError, HeadTooLargeError, HttpError, RefusedError
from egressprobe.golang.http.url import GoUrl
from egressprobe.golang.release import GoRelease
from egressprobe.probe.transport.http.request import MAX_BODY, REDIRECTS, Progress, Response, headers, host_port
from egressprobe.probe.transport.http.wire import Wire
from egressprobe.probe.transport.peer_limits import PeerLimitError
from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_failure import EndOfStreamError

_MOST_RETRIES = 7  # of one request on one connection (h2_bundle.go Transport.RoundTripOpt)


class _JudgedWire(Wire):
    """A Wire whose bytes are judged as they arrive. head_only: the body is not wanted."""

    def __init__(self, channel: Channel, until: float, release: GoRelease, *, head_only: bool) -> None:
        super().__init__(channel, until)
        self.reader = Http2Reader(MAX_BODY, release)
        self.received = 0
        self.refused: RefusedError | None = None  # the stream, and not the connection
        self.connection: httpcore.AsyncHTTP2Connection | None = None
        self.writes = 0
        self._head_only = head_only

    @property
    def location(self) -> str | None:
        """Where a redirect points. Go follows it without reading more than the beginning of its body."""
        return self.reader.header("Location") or None if self.reader.status in REDIRECTS else None

    @property
    def finished(self) -> bool:
        """Whether everything that is wanted has arrived."""
        return self.reader.done or (self.reader.head_done and (self._head_only or self.location is not None))

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises httpcore.ReadError; `error` is what it was."""
        try:
            data = await self._arrived(max_bytes, timeout)
            try:
                self.reader.feed(data)
            except RefusedError as error:
                if error.new_connection:
                    raise
                self.refused = error  # httpcore reads the frame and ends the stream
            if not data:
                self.reader.end()
        except (HttpError, BodyTooLargeError, HeadTooLargeError, PeerLimitError) as error:
            self.error = self.error or (PeerLimitError(str(error)) if isinstance(error, HeadTooLargeError) else error)
            raise httpcore.ReadError("refused") from error
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.writes += 1
        await super().write(buffer, timeout)

    async def _arrived(self, max_bytes: int, timeout: float | None) -> bytes:
        if self.reader.frames > MAX_FRAMES:
            raise PeerLimitError(f"sends more than {MAX_FRAMES} frames")  # Go would read on
        try:
            data = await super().read(max_bytes, timeout)
        except httpcore.ReadError:
            # Without close_notify, but between records: crypto/tls says io.EOF as well.
            if not (isinstance(self.error, EndOfStreamError) and str(self.error) == "EOF"):
                raise
            self.error, data = None, b""
        self.received += len(data)
        return data


async def get_http2(channel: Channel, url: GoUrl, until: float, progress: Progress, *, body: bool) -> Response:
    """As get_http1. Raises HttpError, RefusedError for a new connection, and what else get_http1 raises."""
    wire = _JudgedWire(channel, until, progress.release, head_only=not body)
    try:
        await _exchange(wire, url)
        await _rest(wire)
        while wire.refused is not None and wire.error is None and progress.retries < _MOST_RETRIES:
            progress.refused = str(wire.refused)
            await _back_off(progress.retries, until)
            await _again(wire, url, progress)
    finally:
        reader = wire.reader
        progress.received = wire.received
        progress.status = reader.status_line if reader.head_done else None
    if not wire.finished:
        raise wire.error or wire.refused or EndOfStreamError(partial=False)
    content = bytes(reader.body) if body and wire.location is None else b""
    if reader.header("Content-Encoding").lower() == "gzip":
        content = gunzip(content, MAX_BODY)
    kind = reader.header("Content-Type")
    return Response(reader.status, reader.status_line, "HTTP/2", kind, content, wire.location)


async def _again(wire: _JudgedWire, url: GoUrl, progress: Progress) -> None:
    """Raises RefusedError for a new connection where this one has ended."""
    progress.retries, wire.refused = progress.retries + 1, None
    received, writes = wire.received, wire.writes
    wire.reader.again()
    await _exchange(wire, url)
    if wire.writes == writes and wire.error is None:
        raise PeerLimitError("refuses the request, which cannot be made again on this connection")
    await _rest(wire)
    ended = isinstance(wire.error, OSError | EndOfStreamError) or str(wire.error) == "unexpected EOF"
    if wire.received == received and ended and not isinstance(wire.error, TimeoutError | PeerLimitError):
        raise RefusedError(progress.refused, new_connection=True)


async def _rest(wire: _JudgedWire) -> None:
    """Read on without httpx, until all that is wanted is there, or what ends it."""
    while not wire.finished and wire.error is None and wire.refused is None:
        with suppress(httpcore.ReadError):
            await wire.read(0)


async def _back_off(retries: int, until: float) -> None:
    """Raises TimeoutError where the time is up before the next request."""
    loop = asyncio.get_running_loop()
    seconds = 2.0 ** (retries - 1) if retries else 0.0
    if loop.time() + seconds >= until:
        raise TimeoutError
    await asyncio.sleep(seconds)


async def _exchange(wire: _JudgedWire, url: GoUrl) -> None:
    """Send the request and let httpx read what it understands; its own errors say nothing of what Go would do."""
    import httpx  # 110 ms; probe/oidc.py imports it before anything is measured

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            core_url = httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            )
            core_request = httpcore.Request(
                request.method, core_url, headers=request.headers.raw, extensions=request.extensions
            )
            if wire.connection is None:
                wire.connection = httpcore.AsyncHTTP2Connection(origin=core_url.origin, stream=wire)
            response = await wire.connection.handle_async_request(core_request)
            with suppress(Exception):
                await _drain(wire, response)
            return httpx.Response(response.status)

    place = host_port(url)
    target = httpx.URL(
        scheme=url.scheme,
        host=place.host,
        port=place.port,
        raw_path=url.request_uri.encode("utf-8", "surrogateescape"),
    )
    sent = headers(url)
    async with httpx.AsyncClient(transport=Transport(), trust_env=False) as client:
        request = client.build_request("GET", target, headers=sent)
        with suppress(Exception):  # httpx, httpcore, h2, hpack, hyperframe: each raises its own
            await client.send(request)


async def _drain(wire: _JudgedWire, response: Any) -> None:
    """Read on through httpx's stream, which acknowledges what it reads; the bytes are kept by the reader."""
    async for _ in response.aiter_stream():
        if wire.finished:
            break
    await response.aclose()
