"""One harmless exchange after the handshake.

In TLS 1.3 the client is done before the server has looked at anything: a demand for a client certificate
arrives on the first read after the handshake (RFC 8446 section 4.6.2), so a finished handshake is no pass
yet. What is said depends on what was negotiated:

- HTTP/1.1: `HEAD /` with our User-Agent. Not the webhook's own path: its server would log each probe as a
  broken admission review; a mux answers `/` with 404 and is quiet. Any status will do here.
- h2: the connection preface and SETTINGS, answered by the server's SETTINGS (RFC 9113 section 3.4).
- anything else (`tls://`): nothing is sent, an alert is waited for briefly.
"""

import asyncio
import ssl
import struct
import time
from typing import NamedTuple

from egressprobe import __version__
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, Budget
from egressprobe.probe.transport.tls import Channel, EndOfStreamError, stream_failure

USER_AGENT = f"egressprobe/{__version__}"
# An alert follows our Finished after one round trip; a server that stays quiet that long has none.
_ALERT_WAIT = 0.3
_MAX_HEAD = 16 * 1024
_STATUS_LINE = b"HTTP/"
# RFC 9113: preface, empty SETTINGS; on leaving GOAWAY with NO_ERROR
_H2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_H2_GOODBYE = struct.pack("!BHBBIII", 0, 8, 7, 0, 0, 0, 0)
_H2_SETTINGS = 4


class Exchanged(NamedTuple):
    """`ms` on the wire; `status` of an HTTP answer; `failure` of the HTTP or, for an alert, the TLS phase."""

    ms: float
    status: int | None
    failure: Failure | None


async def exchange(channel: Channel, *, authority: str, http: bool, budget: Budget) -> Exchanged:
    """Say something harmless over TLS or in the clear and read the answer's beginning.

    authority: the Host header. http: False for a server of which only TLS is known.
    """
    loop = asyncio.get_running_loop()
    until = budget.until(loop.time(), HTTP_LIMIT if http else _ALERT_WAIT)
    status: int | None = None
    failure: Failure | None = None
    started = time.perf_counter()
    try:
        if not http:
            await _listen(channel, until)
        elif channel.protocol == "h2":
            await _greet(channel, until)
        else:
            status, failure = await _head(channel, authority, until)
    except (ssl.SSLError, OSError, EndOfStreamError) as error:
        waited = time.perf_counter() - started
        failure = stream_failure(error, channel.stream, Phase.HTTP, waited, ran_out=budget.ran_out(loop.time()))
    user_seconds = time.perf_counter() - started
    if not http and failure is None:
        return Exchanged(0.0, None, None)  # nothing was asked: the wait was ours
    return Exchanged(round((channel.stream.lap() or user_seconds) * 1e3, 3), status, failure)


async def _more(channel: Channel, until: float) -> bytes:
    """The next bytes. Raises EndOfStreamError when there are none, as Go's read does."""
    data = await channel.receive(until)
    if not data:
        raise EndOfStreamError(partial=False)
    return data


async def _listen(channel: Channel, until: float) -> None:
    try:
        await channel.receive(until)
    except (TimeoutError, EndOfStreamError):
        return  # it said nothing against us


async def _greet(channel: Channel, until: float) -> None:
    await channel.send(_H2_HELLO, until)
    data = b""
    while len(data) < 9:
        data += await _more(channel, until)
    if data[3] == _H2_SETTINGS:
        await channel.send(_H2_GOODBYE, until)


async def _head(channel: Channel, authority: str, until: float) -> tuple[int | None, Failure | None]:
    request = f"HEAD / HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {USER_AGENT}\r\nConnection: close\r\n\r\n"
    await channel.send(request.encode("ascii"), until)
    data = b""
    while b"\n" not in data and len(data) < _MAX_HEAD:
        data += await _more(channel, until)
    line = data.partition(b"\n")[0].rstrip(b"\r")
    fields = line.split(b" ", 2)
    if line.startswith(_STATUS_LINE) and len(fields) > 1 and len(fields[1]) == 3 and fields[1].isdigit():
        return int(fields[1]), None
    shown = line[:60].decode("latin-1").encode("unicode_escape").decode()
    said = f"what answers after the TLS handshake is not HTTP: «{shown}»"
    text = f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{shown}"'
    return None, Failure(Phase.HTTP, Code.HTTP_BODY_INVALID, said, text)
