"""A GET over HTTP/2, by httpx over httpcore."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Any

import httpcore

from egressprobe.golang.http.gzip_body import gunzip
from egressprobe.golang.http.input import BodyTooLargeError, HttpError
from egressprobe.golang.http.url import GoUrl
from egressprobe.probe.transport.http.request import MAX_BODY, REDIRECTS, Progress, Response, headers, host_port
from egressprobe.probe.transport.http.wire import Wire
from egressprobe.probe.transport.tls import Channel

MAX_RECEIVED = 8 << 20  # bytes of an exchange with all its frames


async def get_http2(channel: Channel, url: GoUrl, until: float, progress: Progress, *, body: bool) -> Response:
    """By httpx over httpcore. Whatever their parsers raise is a response that is not HTTP/2."""
    import httpx  # 110 ms; probe/oidc.py imports it before anything is measured

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            core_url = httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            )
            connection = httpcore.AsyncHTTP2Connection(origin=core_url.origin, stream=wire)
            response = await connection.handle_async_request(
                httpcore.Request(request.method, core_url, headers=request.headers.raw, extensions=request.extensions)
            )
            return httpx.Response(response.status, headers=response.headers, stream=_stream_of(httpx, response.stream))

    wire = Wire(channel, until, MAX_RECEIVED)
    place = host_port(url)
    target = httpx.URL(
        scheme=url.scheme,
        host=place.host,
        port=place.port,
        raw_path=url.request_uri.encode("utf-8", "surrogateescape"),
    )
    try:
        async with httpx.AsyncClient(transport=Transport(), trust_env=False) as client:
            response = await client.send(client.build_request("GET", target, headers=headers(url)), stream=True)
            progress.received = 1
            progress.status = f"{response.status_code} {response.reason_phrase}".strip()
            content, location = b"", None
            if response.status_code in REDIRECTS:
                location = response.headers.get("location") or None
            if body and not location:
                content = await _bounded(response.aiter_raw())
            with suppress(Exception):
                await response.aclose()
    except (BodyTooLargeError, TimeoutError):
        raise
    except Exception as error:  # httpx, httpcore, h2, hpack, hyperframe and idna each raise their own
        if wire.error is not None:
            raise wire.error from None
        raise HttpError(_http2_text(error), in_body=progress.status is not None) from error
    packed = response.headers.get("content-encoding", "").lower() == "gzip"
    kind = response.headers.get("content-type", "")
    content = gunzip(content, MAX_BODY) if packed else content
    return Response(response.status_code, progress.status, "HTTP/2", kind, content, location)


def _stream_of(httpx: Any, stream: Any) -> Any:
    class Body(httpx.AsyncByteStream):  # type: ignore[misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in stream:
                yield chunk

    return Body()


async def _bounded(chunks: AsyncIterable[bytes]) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MAX_BODY:
            raise BodyTooLargeError
    return bytes(content)


def _http2_text(error: Exception) -> str:
    """Go's words for a server that breaks RFC 9113: its client ends the connection with PROTOCOL_ERROR."""
    del error
    return "http2: client connection lost"
