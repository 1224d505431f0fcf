"""One connection to the API server, opened again when the server closes it; responses read with a bound."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

import httpcore

from egressprobe.discovery.kubernetes.responses import ListResponse, TransientError
from egressprobe.net.secrets import without_secrets
from egressprobe.probe.transport.http.wire import TooLargeError, UnpackError, Wire, is_packed, read_body
from egressprobe.probe.transport.peer_limits import API_SERVER_LIMITS, PeerBudget
from egressprobe.probe.transport.tls import Channel

# Bytes of one page, unpacked; with three lists at once this bounds what discovery holds.
MAX_PAGE = 16 << 20
# Without any data; for one page. Seconds.
_SILENCE, _PAGE_SECONDS = 10.0, 30.0
_MAX_ERROR = 64 << 10


class ConnectionSource(Protocol):
    """What makes connections and requests (client.py)."""

    async def open(self) -> Channel:
        """Raises UnreadableError."""

    def request(self, path: str) -> httpcore.Request:
        """A GET. Its headers hold secrets: never print them, nor httpcore's errors about them."""

    def left(self) -> float:
        """Seconds until everything must be done."""


class ListConnection:
    """One connection that is kept while the server keeps it, and opened again when it does not."""

    def __init__(self, source: ConnectionSource) -> None:
        self._source = source
        self._channel: Channel | None = None
        self._http: httpcore.AsyncHTTP11Connection | None = None
        self._wire: Wire | None = None

    async def get(self, path: str) -> ListResponse:
        """Raises TransientError, TooLargeError, UnreadableError."""
        if self._http is None or not self._http.is_available():
            await self.close()
            await self._open()
        assert self._http is not None  # noqa: S101
        assert self._wire is not None  # noqa: S101
        if self._source.left() <= 0:
            raise TransientError("no time is left for discovery")
        try:
            async with asyncio.timeout(min(_PAGE_SECONDS, self._source.left())):
                self._wire.until = asyncio.get_running_loop().time() + _SILENCE
                response = await self._http.handle_async_request(self._source.request(path))
                return await self._read(response)
        except TooLargeError:
            await self.close()
            raise
        except UnpackError as error:
            raise TransientError(f"the response cannot be decompressed: {error}") from None
        except TimeoutError:
            raise TransientError(f"a page took longer than {_PAGE_SECONDS:.0f} s, or all the time left") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise TransientError(self._describe(error)) from None

    async def _read(self, response: httpcore.Response) -> ListResponse:
        headers = {name.lower(): value for name, value in response.headers}
        most = MAX_PAGE if response.status == 200 else _MAX_ERROR
        try:
            body = await read_body(self._chunks(response), packed=is_packed(response.headers), most=most)
        except TooLargeError:
            if response.status == 200:
                raise
            body = b""
        with suppress(httpcore.NetworkError, httpcore.ProtocolError):
            await response.aclose()
        return ListResponse(response.status, headers, body)

    async def _chunks(self, response: httpcore.Response) -> AsyncIterator[bytes]:
        """The body; each chunk extends the time limit."""
        async for chunk in response.aiter_stream():
            if self._wire is not None:
                self._wire.until = asyncio.get_running_loop().time() + _SILENCE
            yield chunk

    def _describe(self, error: Exception) -> str:
        cause = self._wire.error if self._wire else None
        if isinstance(cause, TimeoutError):
            return f"the server said nothing for {_SILENCE:.0f} s"
        if isinstance(cause, ssl.SSLError):
            return f"TLS broke: {(cause.reason or '').lower() or cause}"
        if isinstance(error, httpcore.LocalProtocolError):
            return "the request cannot be sent"
        return f"the connection broke: {without_secrets(str(cause or error))}"

    async def _open(self) -> None:
        self._channel = await self._source.open()
        self._channel.stream.budget = PeerBudget(API_SERVER_LIMITS)
        self._wire = Wire(self._channel, 0.0)
        origin = self._source.request("/").url.origin
        self._http = httpcore.AsyncHTTP11Connection(origin=origin, stream=self._wire)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close_notify()
        self._channel = self._http = self._wire = None
