"""A GET or a POST over HTTP/1.1, its response read by Go's rules."""

from egressprobe.golang.http.gzip_body import gunzip
from egressprobe.golang.http.input import BodyTooLargeError, HeadTooLargeError, HttpError
from egressprobe.golang.http.response import ResponseReader
from egressprobe.golang.http.url import GoUrl
from egressprobe.probe.transport.http.request import MAX_BODY, REDIRECTS, Progress, Response, headers
from egressprobe.probe.transport.http.wire import receive
from egressprobe.probe.transport.peer_limits import PeerLimitError
from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_failure import EndOfStreamError


async def get_http1(
    channel: Channel, url: GoUrl, until: float, progress: Progress, *, body: bool, payload: bytes | None = None
) -> Response:
    fields = headers(url)
    if payload is not None:
        fields += [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))]
    method = "GET" if payload is None else "POST"
    lines = [f"{method} {url.request_uri} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    await channel.send("\r\n".join(lines).encode("utf-8", "surrogateescape") + (payload or b""), until)
    reader = ResponseReader(MAX_BODY, release=progress.release)
    try:
        while not reader.done and not (reader.head_done and (_redirect(reader) or not body)):
            try:
                data = await receive(channel, until)
            except EndOfStreamError as error:
                if str(error) != "EOF":
                    raise
                data = b""  # without close_notify, but between records: crypto/tls says io.EOF as well
            if not data and not progress.received:
                raise EndOfStreamError(partial=False)
            progress.received += len(data)
            reader.feed(data)
            progress.status = reader.status_line if reader.head_done else None
    except HeadTooLargeError as error:
        raise PeerLimitError(str(error)) from None
    except HttpError as error:
        raise _earlier_gzip_error(reader, error) from None
    location = _redirect(reader)
    content = bytes(reader.body) if body and not location else b""
    if reader.header("Content-Encoding").lower() == "gzip":
        content = gunzip(content, MAX_BODY)
    kind = reader.header("Content-Type")
    return Response(reader.status, reader.status_line, reader.protocol, kind, content, location)


def _redirect(reader: ResponseReader) -> str | None:
    """Where a redirect points. Go follows it without reading more than the beginning of its body."""
    return reader.header("Location") or None if reader.status in REDIRECTS else None


def _earlier_gzip_error(reader: ResponseReader, error: HttpError) -> HttpError:
    """Go unpacks while it reads: what is not gzip comes to light before the end of a broken body does."""
    if error.in_body and reader.header("Content-Encoding").lower() == "gzip" and reader.body:
        try:
            gunzip(bytes(reader.body), MAX_BODY)
        except HttpError as gzip_error:
            if str(gzip_error) != "unexpected EOF":
                return gzip_error
        except BodyTooLargeError:
            pass
    return error
