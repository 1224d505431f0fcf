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
import ssl
import struct
import time
from typing import NamedTuple

from egressprobe import __version__
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, Budget
from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_failure import EndOfStreamError, stream_failure

USER_AGENT = f"egressprobe/{__version__}"
# An alert follows our Finished after one round trip; a server that sends nothing for this long has none. Seconds.
_ALERT_WAIT = 0.3
_MAX_HEAD = 16 * 1024
_STATUS_LINE = b"HTTP/"
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
    data = b""
    while b"\n" not in data and len(data) < _MAX_HEAD:
        data += await _receive(channel, until)
    line = data.partition(b"\n")[0].rstrip(b"\r")
    fields = line.split(b" ", 2)
    if line.startswith(_STATUS_LINE) and len(fields) > 1 and len(fields[1]) == 3 and fields[1].isdigit():
        return int(fields[1]), None
    shown = line[:60].decode("latin-1").encode("unicode_escape").decode()
    message = f'the answer after the TLS handshake is not HTTP: "{shown}"'
    text = f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{shown}"'
    return None, Failure(Phase.HTTP, Code.HTTP_BODY_INVALID, message, text)
