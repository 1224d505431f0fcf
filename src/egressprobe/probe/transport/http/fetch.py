"""A GET, or a POST of JSON, whose every outcome is data: a response or a failure.

A failure that comes after the status and the headers is not a `Get "URL": ...` of the API server's: its caller reads
the body, so the text begins with READING_BODY.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from egressprobe.error_texts import http
from egressprobe.error_texts.http import TRANSPORT_BROKEN
from egressprobe.error_texts.network import BODY_TIMEOUT
from egressprobe.golang.http.gzip_body import GzipError
from egressprobe.golang.http.input import BodyTooLargeError, HttpError, RefusedError
from egressprobe.golang.http.quote import cut
from egressprobe.golang.http.url import GoUrl, UrlError, parse_go_url
from egressprobe.golang.release import GoRelease
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt
from egressprobe.net.urls import shown
from egressprobe.probe.transport.http.http1 import get_http1
from egressprobe.probe.transport.http.http2 import get_http2
from egressprobe.probe.transport.http.request import MAX_BODY, Progress, Response
from egressprobe.probe.transport.http.wire import TooLargeError
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_failure import EndOfStreamError, stream_failure

_BROKEN = TRANSPORT_BROKEN.of(problem="")  # http.persistConn.mapRoundTripError
READING_BODY = http.READING_BODY.of(problem="")
# net/http/client.go cancelTimerBody.Read; before the body the limit of the call as a whole has its own text.
_BODY_TIMEOUT = READING_BODY + BODY_TIMEOUT.text
_MOST_TEXT = 2000  # characters
_ERROR_BODY = 200  # bytes of an error page, in a message


class Fetched(NamedTuple):
    """The result of a GET: `response` or `failure`, and the milliseconds on the wire.

    retries: how often the request was made again, as Go's client does. refused: Go makes it again on a new connection.
    """

    response: Response | None
    failure: Failure | None
    ms: float
    retries: int = 0
    refused: bool = False


async def get(
    channel: Channel, url: GoUrl, until: float, progress: Progress, *, body: bool, payload: bytes | None = None
) -> Response:
    """GET `url` over `channel`, or POST `payload`, JSON, over HTTP/1.1.

    Raises what broke the connection (OSError, ssl.SSLError, EndOfStreamError), HttpError, UrlError and
    BodyTooLargeError.
    """
    if channel.protocol == "h2" and payload is None:
        return await get_http2(channel, url, until, progress, body=body)
    return await get_http1(channel, url, until, progress, body=body, payload=payload)


async def fetch(
    channel: Channel,
    url: str | GoUrl,
    budget: Budget,
    limit: float,
    release: GoRelease,
    *,
    body: bool = True,
    payload: bytes | None = None,
) -> Fetched:
    """`get` for at most `limit` seconds. Network trouble and responses that are not HTTP are data.

    release: whose rules count. body: False ends the exchange with the headers. payload: JSON to POST; None for a GET.
    """
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    response: Response | None = None
    failure: Failure | None = None
    refused = False
    progress = Progress("" if channel.protocol == "h2" else _BROKEN, release)
    name = url.shown if isinstance(url, GoUrl) else shown(url)
    try:
        parsed = url if isinstance(url, GoUrl) else parse_go_url(url)
        response = await get(channel, parsed, budget.until(loop.time(), limit), progress, body=body, payload=payload)
    except (ssl.SSLError, OSError, EndOfStreamError) as error:
        waited = time.perf_counter() - started
        failure = stream_failure(error, channel.stream, Phase.HTTP, waited, ran_out=budget.ran_out(loop.time()))
        failure = _cut_off(failure, name, progress)
    except (BodyTooLargeError, TooLargeError):
        failure = http_failure(Code.HTTP_BODY_TOO_LARGE, f"{name} sends more than {MAX_BODY} bytes", None)
    except HttpError as error:
        failure = _invalid(error, name, progress)
        refused = isinstance(error, RefusedError) and error.new_connection
    except UrlError as error:
        failure = http_failure(Code.HTTP_REDIRECT, f'"{name}" cannot be called: {error}', str(error))
    seconds = channel.stream.lap() or time.perf_counter() - started
    return Fetched(response, failure, round(seconds * 1e3, 3), progress.retries, refused)


class Opening(Protocol):
    """A connection that was opened, or the attempt that says why not."""

    @property
    def attempt(self) -> Attempt: ...

    @property
    def channel(self) -> Channel | None: ...


async def fetch_twice(
    channel: Channel,
    reopen: Callable[[], Awaitable[Opening]],
    url: str | GoUrl,
    budget: Budget,
    limit: float,
    release: GoRelease,
    *,
    body: bool = True,
) -> Fetched:
    """`fetch`, and once more on a new connection where Go's client makes the request again on one.

    reopen: opens another connection of the same kind, which is closed here.
    """
    first = await fetch(channel, url, budget, limit, release, body=body)
    if not first.refused or first.failure is None:
        return first
    opened = await reopen()
    if opened.channel is None:
        return first._replace(failure=opened.attempt.failure, retries=first.retries + 1)
    try:
        second = await fetch(opened.channel, url, budget, limit, release, body=body)
    finally:
        await opened.channel.close_notify()
    retries = first.retries + 1 + second.retries
    if not second.refused:
        return second._replace(retries=retries)
    # Go makes connection after connection until the client's time is up.
    message = f"{first.failure.message}; and the same on a new connection"
    return second._replace(failure=http_failure(Code.HTTP_TIMEOUT, message, None), retries=retries)


def _cut_off(failure: Failure, name: str, progress: Progress) -> Failure:
    """A response that is not completed: with the text of the reader that waits for it, or that it breaks."""
    if failure.code is Code.HTTP_TIMEOUT and progress.refused and progress.status is None:
        message = f"{name}: the server refused the request ({progress.refused}) and did not take it in the time left"
        return http_failure(Code.HTTP_TIMEOUT, message, None)
    if failure.code is Code.HTTP_TIMEOUT and progress.status is not None:
        return http_failure(Code.HTTP_TIMEOUT, f"{failure.message}: its headers came, its body did not", _BODY_TIMEOUT)
    if not progress.received or failure.code is not Code.HTTP_RESET:
        return failure
    text = failure.api_server_error
    if progress.status is None:
        message = f"{name}: the connection broke within the response's headers"
        return http_failure(Code.HTTP_RESET, message, progress.broken + text if text else None)
    message = f"{name}: the connection broke within the response's body"
    return http_failure(Code.HTTP_RESET, message, READING_BODY + text if text else None)


def _invalid(error: HttpError, name: str, progress: Progress) -> Failure:
    ended = not isinstance(error, GzipError) and str(error) in (
        "unexpected EOF",
        "http: unexpected EOF reading trailer",
    )
    code = Code.HTTP_RESET if ended else Code.HTTP_BODY_INVALID
    if error.in_body:
        what = "the response ends within its body" if ended else f"the response's body cannot be read: {error}"
        return http_failure(code, f"{name} ({progress.status}): {what}", f"{READING_BODY}{error}")
    what = "the response ends within its headers" if ended else f"the response is not HTTP: {error}"
    text = str(error) if str(error).startswith("net/http: server response headers") else f"{progress.broken}{error}"
    return http_failure(code, f"{name}: {what}", text)


def http_failure(code: Code, message: str, text: str | None) -> Failure:
    """A failure of the HTTP phase. text: the API server's words. Both are cut: they may repeat a document of 1 MiB."""
    return Failure(Phase.HTTP, code, message[:_MOST_TEXT], None if text is None else text[:_MOST_TEXT])


def shown_body(body: bytes) -> str:
    """The beginning of an error page, for a message: without control characters or line breaks."""
    return cut(body, _ERROR_BODY)
