"""One harmless exchange after the handshake.

In TLS 1.3 the client finishes before the server has checked anything: an alert that demands a client certificate
arrives on the first read after the handshake (RFC 8446 section 4.6.2), so a finished handshake is not yet a pass.
What is sent depends on what was negotiated:

- HTTP/1.1: `HEAD /` with our User-Agent. Not the webhook's own path: its server would log each probe as an
  invalid admission review, while a mux answers `/` with 404 and logs nothing. Any status passes; a head that Go's
  client cannot read fails.
- h2: the connection preface and SETTINGS, answered by the server's SETTINGS (RFC 9113 section 3.4); what Go's client
  does not take for SETTINGS fails.
- anything else (`tls://`): nothing is sent; an alert is awaited for _ALERT_WAIT seconds.
"""

import asyncio
import re
import ssl
import struct
import time
from typing import NamedTuple

from egressprobe import __version__
from egressprobe.error_texts.http import TRANSPORT_BROKEN
from egressprobe.golang.http.http2_connection import first_frame_whole
from egressprobe.golang.http.input import HeadTooLargeError, HttpError
from egressprobe.golang.http.response import ResponseReader
from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease
from egressprobe.golang.tls_record import GoTlsError
from egressprobe.model.failure import Code, Failure, Phase, errno_text
from egressprobe.probe.transport.peer_limits import PeerLimitError
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, Budget
from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_failure import EndOfStreamError, stream_failure

USER_AGENT = f"egressprobe/{__version__}"
# An alert follows our Finished after one round trip; a server that sends nothing for this long has none. Seconds.
_ALERT_WAIT = 0.3
_BROKEN = TRANSPORT_BROKEN.of(problem="")
# The head of nearly every final response, at once and by the book, which need not be read line by line; and the
# headers for which it must be: those that decide where a body ends, but for one plain length.
_USUAL = re.compile(
    rb"HTTP/1\.[01] ([2-5]\d\d)(?: [\t\x20-\x7e]*)?\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e]*\r\n)*\r\n"
)
_UNUSUAL = re.compile(
    rb"\n(?:transfer-encoding|trailer)[ \t]*:|\ncontent-length:(?![ \t]*\d{1,18}\r)|"
    rb"\ncontent-length:(?s:.)*\ncontent-length:",
    re.IGNORECASE,
)
# RFC 9113: preface and empty SETTINGS; before closing GOAWAY with NO_ERROR
_H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_H2_GOAWAY = struct.pack("!BHBBIII", 0, 8, 7, 0, 0, 0, 0)


class Exchanged(NamedTuple):
    """`ms` on the wire; `status` of an HTTP answer; `failure` of the HTTP or, for an alert, the TLS phase."""

    ms: float
    status: int | None
    failure: Failure | None


async def exchange(
    channel: Channel, authority: str, budget: Budget, release: GoRelease = DEFAULT_RELEASE, *, http: bool
) -> Exchanged:
    """Send something harmless over TLS or in the clear and read the first bytes of the answer.

    authority: the Host header. release: whose rules count. http: False where the application protocol is not known.
    """
    loop = asyncio.get_running_loop()
    until = budget.until(loop.time(), HTTP_LIMIT if http else _ALERT_WAIT)
    status: int | None = None
    failure: Failure | None = None
    started = time.perf_counter()
    try:
        if not http:
            await _await_alert(channel, until)
        elif channel.protocol == "h2":
            failure = await _http2_preface(channel, until, release)
        else:
            status, failure = await _http1_head(channel, authority, until, release)
    except (ssl.SSLError, OSError, EndOfStreamError) as error:
        waited = time.perf_counter() - started
        failure = stream_failure(error, channel.stream, Phase.HTTP, waited, ran_out=budget.ran_out(loop.time()))
    user_seconds = time.perf_counter() - started
    if not http and failure is None:
        return Exchanged(0.0, None, None)  # nothing was sent: the wait was ours
    return Exchanged(round((channel.stream.lap() or user_seconds) * 1e3, 3), status, failure)


async def _receive(channel: Channel, until: float) -> bytes:
    """The next bytes. Raises EndOfStreamError when there are none, as Go's read does."""
    data = await channel.receive(until)
    if not data:
        raise EndOfStreamError(partial=False)
    return data


async def _await_alert(channel: Channel, until: float) -> None:
    try:
        await channel.receive(until)
    except (TimeoutError, EndOfStreamError):
        return  # no alert


async def _http2_preface(channel: Channel, until: float, release: GoRelease) -> Failure | None:
    await channel.send(_H2_PREFACE, until)
    data = await _receive(channel, until)
    try:
        while not first_frame_whole(data, release):
            data += await _receive(channel, until)
    except HttpError as error:
        return _not_http(str(error), broken="")
    await channel.send(_H2_GOAWAY, until)
    return None


async def _http1_head(
    channel: Channel, authority: str, until: float, release: GoRelease
) -> tuple[int | None, Failure | None]:
    request = f"HEAD / HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {USER_AGENT}\r\nConnection: close\r\n\r\n"
    await channel.send(request.encode("ascii"), until)
    data = await _receive(channel, until)
    usual = _USUAL.match(data)
    if usual and not _UNUSUAL.search(data, 0, usual.end()):
        return int(usual[1]), None
    reader = ResponseReader(0, release=release, has_body=False)
    try:
        reader.feed(data)
        while not reader.head_done:
            reader.feed(await _more(channel, until))
    except HeadTooLargeError as error:
        raise PeerLimitError(str(error)) from None
    except HttpError as error:
        return None, _not_http(str(error))
    return reader.status, None


async def _more(channel: Channel, until: float) -> bytes:
    """More of a response that has begun: what breaks it, breaks the response. Empty at its end."""
    try:
        return await channel.receive(until)
    except (TimeoutError, PeerLimitError, GoTlsError):
        raise
    except EndOfStreamError as error:
        if str(error) != "EOF":
            raise HttpError(str(error)) from error
        return b""
    except OSError as error:
        if isinstance(error, ssl.SSLError):
            raise
        raise HttpError(f"{channel.stream.describe()}: {errno_text(error)}") from error


def _not_http(problem: str, broken: str = _BROKEN) -> Failure:
    text = problem if problem.startswith("net/http: server response headers") else f"{broken}{problem}"
    if problem == "unexpected EOF" or problem.startswith(("read tcp", "write tcp")):
        message = f"the connection broke within the response's headers: {problem}"
        return Failure(Phase.HTTP, Code.HTTP_RESET, message, text)
    return Failure(
        Phase.HTTP, Code.HTTP_BODY_INVALID, f"the answer after the TLS handshake is not HTTP: {problem}", text
    )
