"""HTTP over connections that we made and timed ourselves: httpcore encodes and parses, and never opens a socket here.

Rules: one request a connection; network trouble and responses that are not HTTP are data (`Failure`), never an
exception; a body is bounded after decompression as well; no URL's query or user information is in a message.
"""

import asyncio
import logging
import ssl
import time
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import httpcore
import httpx

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.net.urls import shown
from egressprobe.probe.transport.exchange import USER_AGENT
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_failure import EndOfStreamError, stream_failure


class TooLargeError(ValueError):
    """A body over its bound, as received or decompressed."""


class UnpackError(ValueError):
    """A body that is labelled gzip and is not gzip."""


class Wire(httpcore.AsyncNetworkStream):
    """Our connection as httpcore's stream interface. The first error is kept unchanged.

    until: event loop time at which a wait ends; a caller that sends several requests sets it for each.
    """

    def __init__(self, channel: Channel, until: float) -> None:
        self.channel, self.until = channel, until
        self.error: Exception | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del max_bytes, timeout  # what has arrived; one limit for the whole exchange
        try:
            return await self.channel.receive(self.until)
        except (OSError, EndOfStreamError) as error:
            self.error = self.error or error
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        try:
            if buffer:
                await self.channel.send(buffer, self.until)
        except OSError as error:
            self.error = self.error or error
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """The owner of the channel closes it."""


def is_packed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"content-encoding" and value.lower() == b"gzip" for name, value in headers)


async def read_body(chunks: AsyncIterable[bytes], *, packed: bool, most: int) -> bytes:
    """The body, decompressed if it is gzip, at most `most` bytes: a decompression bomb stops at the limit.

    Raises TooLargeError, UnpackError and what reading raises.
    """
    unpack = zlib.decompressobj(wbits=31) if packed else None
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks:
            part = unpack.decompress(chunk, most + 1 - size) if unpack else chunk
            size += len(part)
            if size > most:
                raise TooLargeError
            parts.append(part)
    except zlib.error as error:
        raise UnpackError(f"gzip: {error}") from error
    if unpack is not None and not unpack.eof and size:
        raise UnpackError("gzip: ends too early")
    return b"".join(parts)


# httpx logs every URL with its query at INFO, which a function's log level may let through.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

MAX_BODY = 1 << 20  # bytes, after decompression
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ERROR_BODY = 200  # of an error page, in a message


class Response(NamedTuple):
    """One response: `location` of a redirect, else `body`."""

    status: int
    reason: str
    protocol: str
    body: bytes
    location: str | None


class Fetched(NamedTuple):
    """The result of a GET: `response` or `failure`, and the milliseconds on the wire."""

    response: Response | None
    failure: Failure | None
    ms: float


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk


class _OneConnection(httpx.AsyncBaseTransport):
    """An httpx transport over the one connection it is given."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        h2 = self._wire.channel.protocol == "h2"
        kind = httpcore.AsyncHTTP2Connection if h2 else httpcore.AsyncHTTP11Connection
        connection = kind(origin=url.origin, stream=self._wire)
        response = await connection.handle_async_request(
            httpcore.Request(request.method, url, headers=request.headers.raw, extensions=request.extensions)
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )


async def get(channel: Channel, url: str, until: float) -> Response:
    """GET `url` over `channel`.

    Raises what broke the connection (OSError, ssl.SSLError, EndOfStreamError), TooLargeError, UnpackError or
    httpx.HTTPError.
    """
    wire = Wire(channel, until)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}  # as Go's transport asks
    async with httpx.AsyncClient(transport=_OneConnection(wire), headers=headers, trust_env=False) as client:
        request = client.build_request("GET", url)
        try:
            response = await client.send(request, stream=True)
            try:
                body = await read_body(response.aiter_raw(), packed=is_packed(response.headers.raw), most=MAX_BODY)
            finally:
                with suppress(httpx.HTTPError, httpcore.ReadError, httpcore.WriteError, OSError):
                    await response.aclose()
        except (httpx.TransportError, httpcore.ReadError, httpcore.WriteError):
            if wire.error is not None:
                raise wire.error from None
            raise
        location = None
        if response.status_code in _REDIRECTS and "location" in response.headers:
            location = str(response.url.join(response.headers["location"]))
        return Response(response.status_code, response.reason_phrase, response.http_version, body, location)


async def fetch(channel: Channel, url: str, budget: Budget, limit: float) -> Fetched:
    """`get` for at most `limit` seconds. Network trouble and responses that are not HTTP are data."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    response: Response | None = None
    failure: Failure | None = None
    try:
        response = await get(channel, url, budget.until(loop.time(), limit))
    except (ssl.SSLError, OSError, EndOfStreamError) as error:
        waited = time.perf_counter() - started
        failure = stream_failure(error, channel.stream, Phase.HTTP, waited, ran_out=budget.ran_out(loop.time()))
    except TooLargeError:
        failure = http_failure(Code.HTTP_BODY_TOO_LARGE, f"{shown(url)} sends more than {MAX_BODY} bytes", None)
    except (httpx.HTTPError, httpx.InvalidURL, UnpackError) as error:
        message = f"{shown(url)} does not answer in HTTP: {error}"
        text = f"net/http: HTTP/1.x transport connection broken: {error}"
        failure = http_failure(Code.HTTP_BODY_INVALID, message, text)
    seconds = channel.stream.lap() or time.perf_counter() - started
    return Fetched(response, failure, round(seconds * 1e3, 3))


def http_failure(code: Code, message: str, text: str | None) -> Failure:
    return Failure(Phase.HTTP, code, message, text)


def shown_body(body: bytes) -> str:
    return body[:_ERROR_BODY].decode("utf-8", "replace").strip()
