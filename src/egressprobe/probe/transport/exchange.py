"""One harmless exchange after the handshake.

In TLS 1.3 the client finishes before the server has checked anything: an alert that demands a client certificate
arrives on the first read after the handshake (RFC 8446 section 4.6.2), so a finished handshake is not yet a pass.
What is sent depends on what was negotiated:

- HTTP/1.1: `HEAD /` with our User-Agent. Not the webhook's own path: its server would log each probe as an
  invalid admission review, while a mux answers `/` with 404 and logs nothing. Any status passes.
- h2: the connection preface and SETTINGS, answered by the server's SETTINGS (RFC 9113 section 3.4).
- anything else (`tls://`): nothing is sent; an alert is awaited for _ALERT_WAIT seconds.
"""

import asyncio
import re
import ssl
import struct
import time
from typing import NamedTuple

from egressprobe import __version__
from egressprobe.golang.http.input import SHOWN, line_text
from egressprobe.golang.http.quote import quote
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, Budget
from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_failure import EndOfStreamError, stream_failure

USER_AGENT = f"egressprobe/{__version__}"
# An alert follows our Finished after one round trip; a server that sends nothing for this long has none. Seconds.
_ALERT_WAIT = 0.3
_MAX_HEAD = 16 * 1024
_MAX_INFORMATIONAL = 5  # net/http/transport.go max1xxResponses
_STATUS_LINE = b"HTTP/"
_STATUS, _VERSION = re.compile(rb"\d{3}"), re.compile(rb"HTTP/\d\.\d")
# RFC 9113: preface and empty SETTINGS; before closing GOAWAY with NO_ERROR
_H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_H2_GOAWAY = struct.pack("!BHBBIII", 0, 8, 7, 0, 0, 0, 0)
_H2_SETTINGS = 4


class Exchanged(NamedTuple):
    """`ms` on the wire; `status` of an HTTP answer; `failure` of the HTTP or, for an alert, the TLS phase."""

    ms: float
    status: int | None
    failure: Failure | None


async def exchange(channel: Channel, *, authority: str, http: bool, budget: Budget) -> Exchanged:
    """Send something harmless over TLS or in the clear and read the first bytes of the answer.

    authority: the Host header. http: False where the application protocol is not known.
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
            await _http2_preface(channel, until)
        else:
            status, failure = await _http1_head(channel, authority, until)
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


async def _http2_preface(channel: Channel, until: float) -> None:
    await channel.send(_H2_PREFACE, until)
    data = b""
    while len(data) < 9:
        data += await _receive(channel, until)
    if data[3] == _H2_SETTINGS:
        await channel.send(_H2_GOAWAY, until)


async def _http1_head(channel: Channel, authority: str, until: float) -> tuple[int | None, Failure | None]:
    request = f"HEAD / HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {USER_AGENT}\r\nConnection: close\r\n\r\n"
    await channel.send(request.encode("ascii"), until)
    head = _Head()
    while not head.complete:
        head.feed(await _receive(channel, until))
    if head.informational > _MAX_INFORMATIONAL:
        text = "net/http: HTTP/1.x transport connection broken: net/http: too many 1xx informational responses"
        message = f"more than {_MAX_INFORMATIONAL} informational (1xx) responses and no final one"
        return None, Failure(Phase.HTTP, Code.HTTP_BODY_INVALID, message, text)
    status, problem = _read_status(head.line)
    if problem is None:
        return status, None
    message = f"the answer after the TLS handshake is not HTTP: {_quoted(head.line)}"
    text = f"net/http: HTTP/1.x transport connection broken: {problem}"
    return None, Failure(Phase.HTTP, Code.HTTP_BODY_INVALID, message, text)


def _read_status(line: bytes) -> tuple[int | None, str | None]:
    """The status of a status line, or Go's text for an invalid one (net/http/response.go ReadResponse)."""
    version, space, rest = line.partition(b" ")
    if not space:
        return None, f"malformed HTTP response {_quoted(line)}"
    status = rest.lstrip(b" ").partition(b" ")[0]
    if not _STATUS.fullmatch(status):
        return None, f"malformed HTTP status code {_quoted(status)}"
    if not _VERSION.fullmatch(version):
        return None, f"malformed HTTP version {_quoted(version)}"
    return int(status), None


def _quoted(data: bytes) -> str:
    """The first bytes of what is not HTTP, as Go's %q prints them."""
    return quote(line_text(data))


class _Head:
    """Finds the status line of the final response: net/http skips five informational ones (RFC 9110 section 15.2).

    complete: `line` is that status line, or the first _MAX_HEAD bytes hold none. informational: responses skipped.
    """

    def __init__(self) -> None:
        self.informational = 0
        self.complete = False
        self.line = b""
        self._data = bytearray()
        self._searched = self._size = 0

    def feed(self, data: bytes) -> None:
        self._data += data
        self._size += len(data)
        while not self.complete and self._next():
            pass
        if self._size >= _MAX_HEAD and not self.complete:
            self.line, self.complete = bytes(self._data[:SHOWN]), True

    def _next(self) -> bool:
        """Take one line, or the headers of an informational response. False: more bytes are needed."""
        end = self._data.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._data)
            return False
        line = bytes(self._data[:end]).rstrip(b"\r")
        del self._data[: end + 1]
        self._searched = 0
        if self.line:  # among the headers of an informational response, which end with an empty line
            if not line:
                self.line = b""
            return True
        self.line = line
        if line[9:10] == b"1" and line[9:12] != b"101" and line.startswith(_STATUS_LINE):
            self.informational += 1
            self.complete = self.informational > _MAX_INFORMATIONAL
        else:
            self.complete = True
        return True
