"""A GET over a connection that answers anything: every outcome is data, in bounded time, with the API server's words."""

import asyncio
import socket
import threading
from contextlib import suppress

import pytest
from hpack import Encoder

from egressprobe.golang.release import DEFAULT_RELEASE
from egressprobe.model.failure import Code
from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.http.fetch import fetch
from egressprobe.probe.transport.peer_limits import PeerBudget
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import Budget

H1 = [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 404 Not Found\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
    b"HTTP/1.1 302 Found\r\nLocation: https://xn--0/\r\nContent-Length: 0\r\n\r\n",
]


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


SETTINGS = frame(4, 0, 0)
HEAD = frame(1, 4, 1, Encoder().encode([(":status", "200"), ("content-type", "application/json")]))
H2 = [
    SETTINGS + HEAD + frame(0, 1, 1, b"{}"),
    SETTINGS
    + frame(6, 0, 0, bytes(8))
    + HEAD
    + frame(0, 0, 1, b"{")
    + frame(8, 0, 1, b"\0\0\0\1")
    + frame(0, 1, 1, b"}"),
    SETTINGS + HEAD + frame(7, 0, 0, b"\0\0\0\1\0\0\0\0debug") + frame(0, 1, 1, b"{}"),
]


class Channel:
    """What a server says, in pieces; then the end, silence or a reset."""

    def __init__(self, answer, *, protocol=None, piece=1 << 16, after=b"", endless=b""):
        self.protocol = protocol
        self.answered = True
        self.budget = PeerBudget()
        self.endpoint = Endpoint("192.0.2.1", 443)
        self.local = ("192.0.2.2", 50_000)
        self.sent = bytearray()
        self.reads = 0
        self._left, self._piece, self._after, self._endless = answer, piece, after, endless

    @property
    def stream(self):
        return self

    def lap(self):
        return 0.001

    def describe(self):
        return "read tcp 192.0.2.2:50000->192.0.2.1:443: read"

    async def send(self, data, until):
        del until
        self.sent += data

    async def receive(self, until):
        self.reads += 1
        if self._left:
            data, self._left = self._left[: self._piece], self._left[self._piece :]
            return data
        if self._endless:
            return self._endless
        if isinstance(self._after, Exception):
            raise self._after
        if self._after is None:
            await asyncio.sleep(max(until - asyncio.get_running_loop().time(), 0))
            raise TimeoutError
        return b""


def run(channel, url="https://idp.example:8443/r?secret=1", seconds=5.0, **options):
    async def call():
        now = asyncio.get_running_loop().time()
        return await fetch(channel, url, Budget(now + 100, now + seconds), seconds, DEFAULT_RELEASE, **options)

    return asyncio.run(call())


@pytest.mark.parametrize(
    ("answer", "protocol", "code", "text"),
    [
        (b"", None, Code.HTTP_RESET, "EOF"),
        (H1[0][:17], None, Code.HTTP_RESET, "net/http: HTTP/1.x transport connection broken: unexpected EOF"),
        (H1[0][:-1], None, Code.HTTP_RESET, "unable to read response body: unexpected EOF"),
        (b"220 smtp ready\r\n", None, Code.HTTP_BODY_INVALID, 'net/http: HTTP/1.x transport connection broken: malformed HTTP status code "smtp"'),
        (b"", "h2", Code.HTTP_RESET, "unexpected EOF"),
        (SETTINGS + HEAD, "h2", Code.HTTP_RESET, "unable to read response body: unexpected EOF"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "h2", Code.HTTP_BODY_INVALID, "http2: failed reading the frame payload: http2: frame too large, note that the frame header looked like an HTTP/1.1 header"),
        (SETTINGS + frame(3, 0, 1, b"\0\0\0\7"), "h2", Code.HTTP_BODY_INVALID, "stream error: stream ID 1; REFUSED_STREAM; received from peer"),
    ],
)  # fmt: skip
def test_the_words_of_the_api_server(answer, protocol, code, text):
    failure = run(Channel(answer, protocol=protocol)).failure
    assert (failure.code, failure.api_server_error) == (code, text)


def test_a_reset_within_a_response():
    """It is said where the response broke."""
    reset = ConnectionResetError(104, "Connection reset by peer")
    head, body = run(Channel(H1[0][:30], after=reset)).failure, run(Channel(H1[0][:-1], after=reset)).failure
    prefix = "read tcp 192.0.2.2:50000->192.0.2.1:443: read: connection reset by peer"
    assert head.api_server_error == f"net/http: HTTP/1.x transport connection broken: {prefix}"
    assert body.api_server_error == f"unable to read response body: {prefix}"
    assert ("headers" in head.message, "body" in body.message) == (True, True)


@pytest.mark.parametrize(("answer", "protocol"), [(H1[0], None), (SETTINGS + HEAD + frame(0, 0, 1, b"{}"), "h2")])
def test_a_body_that_stops(answer, protocol):
    """Before the headers are complete the limit of the call has its own text; from then on the reader's."""
    body = run(Channel(answer[:-1], protocol=protocol, after=None), seconds=0.2).failure
    head = run(Channel(answer[:17], protocol=protocol, after=None), seconds=0.2).failure
    assert (head.code, head.api_server_error) == (Code.HTTP_TIMEOUT, None)
    assert (body.code, body.api_server_error) == (
        Code.HTTP_TIMEOUT,
        "unable to read response body: context deadline exceeded "
        "(Client.Timeout or context cancellation while reading body)",
    )


@pytest.mark.parametrize(
    ("answer", "protocol", "endless"),
    [
        (b"", None, b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", None, b"HTTP/1.1 200 OK\r\nX: "),
        (b"HTTP/1.1 200 OK\r\n\r\n", None, b"x" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None, b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08" + bytes(7) + b"\x03\0" + bytes(8), None, b"x" * 999),
        (SETTINGS, "h2", frame(6, 0, 0, bytes(8))),
        (SETTINGS + HEAD, "h2", frame(0, 0, 1, bytes(1000))),
        (SETTINGS + HEAD, "h2", frame(0, 0, 1)),
        (SETTINGS + frame(1, 0, 1), "h2", frame(9, 0, 1, bytes(100))),
    ],
)  # fmt: skip
def test_endless_responses_end(answer, protocol, endless):
    """In bytes, in messages and in time, while other work goes on."""

    async def both():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        other = asyncio.ensure_future(tick())
        now = asyncio.get_running_loop().time()
        channel = Channel(answer, protocol=protocol, endless=endless)
        fetched = await fetch(channel, "https://x/", Budget(now + 100, now + 1.5), 1.5, DEFAULT_RELEASE)
        other.cancel()
        return fetched, ticks, channel.reads

    fetched, ticks, reads = asyncio.run(both())
    assert fetched.failure is not None
    assert ticks >= reads / 100


def _from_a_socket(answer):
    """What fetch makes of an answer that a peer sends over a connection, with the limits of one."""

    async def main():
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        stream = Stream(ours, Endpoint("192.0.2.1", 443))
        sender = threading.Thread(target=lambda: _send(theirs, answer))
        sender.start()
        try:
            now = asyncio.get_running_loop().time()
            return await fetch(stream, "https://x/", Budget(now + 100, now + 60), 60.0, DEFAULT_RELEASE)
        finally:
            stream.close()
            theirs.close()
            sender.join()

    return asyncio.run(main())


def _send(sock, data):
    with suppress(OSError):
        sock.sendall(data)


_LONG = b"X-Filler: " + b"y" * 40_000 + b"\r\n"


@pytest.mark.parametrize(
    ("headers", "code", "text"),
    [
        (_LONG * 75, None, ""),
        (_LONG * 110, Code.PROBE_LIMITATION, "sends more than 4194304 bytes"),
        (b"x:\r\n" * 1_000_000, Code.PROBE_LIMITATION, "costs more than 0.5 s of CPU time"),
        (b"", None, ""),
    ],
    ids=["3 MB", "over a connection's bytes", "over a connection's CPU time", "none"],
)
def test_a_large_head_is_read_or_unknown_and_never_a_failure_of_the_server(headers, code, text):
    """Go takes 10 MiB. What one peer may send or cost here ends before; the API server may well read on."""
    fetched = _from_a_socket(b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: 2\r\n\r\n{}")
    assert (fetched.failure and fetched.failure.code, fetched.response is None) == (code, code is not None)
    assert text in (fetched.failure.message if fetched.failure else "")
    assert fetched.failure is None or fetched.failure.api_server_error is None


@pytest.mark.parametrize(
    ("answer", "protocol"),
    [
        (SETTINGS + frame(1, 4, 1, Encoder().encode([(":status", "200"), ("x", "y" * 3900)]) + b"\xbe" * 400), "h2"),
        (SETTINGS + frame(1, 4, 1, Encoder().encode([(":status", "103"), ("x", "y" * 3000)])) * 400, "h2"),
        (b"HTTP/1.1 103 x\r\n\r\n" * 1001, None),
    ],
)
def test_a_head_beyond_our_own_bounds_is_unknown(answer, protocol):
    failure = run(Channel(answer, protocol=protocol)).failure
    assert (failure.code, failure.api_server_error) == (Code.PROBE_LIMITATION, None)


def test_only_the_headers():
    """The availability controller closes the body unread: what is wrong with it does not count."""
    for answer, protocol in ((H1[0][:-1], None), (SETTINGS + HEAD, "h2")):
        fetched = run(Channel(answer, protocol=protocol), body=False)
        assert (fetched.failure, fetched.response.status) == (None, 200)


def test_the_request():
    """As Go's client sends it: user information as credentials, the fragment not at all."""
    channel = Channel(H1[0])
    assert run(channel, "https://u:p@IDP.example:8443/a b?q=1#f").failure is None
    assert channel.sent.startswith(b"GET /a%20b?q=1 HTTP/1.1\r\nHost: IDP.example:8443\r\nUser-Agent: egressprobe/")
    assert b"\r\nAuthorization: Basic dTpw\r\n" in channel.sent
