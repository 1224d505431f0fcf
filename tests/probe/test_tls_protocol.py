"""Servers that bend the TLS protocol, through the engine a run uses: Go's verdict and text, or unknown where it cannot be known."""

import asyncio
import socket
import ssl
import struct
import threading

import pytest

from egressprobe.golang.tls_hello import Fields, read_client_hello
from egressprobe.lab.servers import server_context
from egressprobe.model.failure import NOT_MEASURED, Code, Phase
from egressprobe.probe.transport.tls_context import PADDING_PREFIX
from tests.probe.test_tls import GOOD, attempt
from tests.support.peers.tls_scripts import Bytes, ScriptedTls, record, recut

NO_GROUP = "remote error: tls: handshake failure"


def _context(group=None, version=None):
    made = server_context(GOOD)
    if group:
        made.set_ecdh_curve(group)
    if version:
        made.maximum_version = version
    return made


@pytest.mark.parametrize("cuts", [[1], [3, 40], [7], [45, 1, 200]])
@pytest.mark.parametrize(
    ("group", "version", "seen"),
    [
        ("X25519", None, "X25519"),
        ("secp384r1", None, "P-384"),
        ("X448", None, None),
        ("prime256v1", ssl.TLSVersion.TLSv1_2, "P-256"),
        ("X448", ssl.TLSVersion.TLSv1_2, None),
    ],
)
def test_a_server_hello_in_pieces_is_judged_as_whole(lab_loop, group, version, seen, cuts):
    """A group that Go does not have fails however the ServerHello is cut, and one that it has passes."""

    def change(number, data):
        return recut(data, cuts, every=version is not None) if number == 0 else data

    measured = attempt(lab_loop.start(ScriptedTls(_context(group, version), change)))
    if seen is None:
        assert measured.failure.api_server_error == NO_GROUP
    else:
        assert (measured.failure, measured.tls.group, measured.exchange_status) == (None, seen, 404)


def _reset_after(certificate_alert, listener, rounds):
    """A server that demands a client certificate and is gone when the client's request comes: the alert, then a reset."""
    context = server_context(GOOD)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=certificate_alert)
    for _ in range(rounds):
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            context.wrap_socket(connection, server_side=True).close()
        except ssl.SSLError:
            connection.close()


def test_an_alert_that_can_be_read_wins_over_a_broken_pipe():
    """TLS 1.3: the request meets a closed connection, the alert that says why lies in our socket. 30 of 30."""
    from tests.probe.test_tls import CA

    class _Server:
        address = "127.0.0.1"

    rounds, measured = 30, []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _Server.port = listener.getsockname()[1]
        thread = threading.Thread(target=_reset_after, args=(CA.pem, listener, rounds), daemon=True)
        thread.start()
        measured += [attempt(_Server).failure for _ in range(rounds)]
        thread.join(5)
    assert {(failure.phase, failure.code, failure.api_server_error) for failure in measured} == {
        (Phase.TLS, Code.TLS_ALERT, "remote error: tls: certificate required")
    }


def test_what_arrived_is_read_before_a_failed_write_is_reported():
    """The kernel has data and an end when the send fails: the data first, then the write's error."""
    from egressprobe.model.target import Endpoint
    from egressprobe.probe.transport.stream import Stream

    async def work():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
        ours.setblocking(False)
        stream, until = Stream(ours, Endpoint("127.0.0.1", 1)), asyncio.get_running_loop().time() + 5
        theirs.sendall(b"the reason")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        await asyncio.sleep(0.05)
        await stream.send(b"request", until)
        assert await stream.receive(until) == b"the reason"
        with pytest.raises(ConnectionError):
            await stream.receive(until)
        assert stream.describe().startswith("write tcp")
        stream.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("version", "tickets", "passes"), [("1.36", 16, True), ("1.36", 17, False), ("1.35", 17, True)]
)
def test_session_tickets_by_version(lab_loop, version, tickets, passes):
    """Go 1.26.x gives up after 16 messages that bring no data."""
    context = _context()
    context.num_tickets = tickets
    measured = attempt(lab_loop.start(ScriptedTls(context)), version=version)
    assert (measured.failure is None) is passes
    assert passes or measured.failure.api_server_error == "tls: too many non-advancing records"


def test_an_empty_cookie_in_a_hello_retry_request(lab_loop):
    """OpenSSL takes it, Go does not."""

    def change(number, data):
        if number:
            return data
        content = data[5 : 5 + int.from_bytes(data[3:5])]
        fields = Fields(content[4:])
        fields.take(34)
        fields.vector(1)
        fields.take(3)
        start = content[4 : len(content) - fields.left]
        extensions = fields.vector(2) + b"\0\x2c\0\2\0\0"
        body = start + len(extensions).to_bytes(2) + extensions
        return record(22, b"\2" + len(body).to_bytes(3) + body) + data[5 + len(content) :]

    measured = attempt(lab_loop.start(ScriptedTls(_context("secp384r1"), change)))
    assert measured.failure.api_server_error == "local error: tls: error decoding message"


def _only(group):
    """A server with one post-quantum group: it asks for its key share, or refuses a hello without it."""

    def answer(hello):
        offer = read_client_hello(hello, PADDING_PREFIX)
        if group not in offer.groups:
            return record(21, b"\2\x28")
        random = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
        extensions = b"\0\x2b\0\2\3\4" + b"\0\x33\0\2" + group.to_bytes(2)
        body = (
            b"\3\3" + random + bytes([32]) + offer.session_id + b"\x13\1\0" + len(extensions).to_bytes(2) + extensions
        )
        return record(22, b"\2" + len(body).to_bytes(3) + body)

    return Bytes(answer)


def test_a_group_that_neither_has_is_unknown(lab_loop):
    """The draft of Go 1.23: the API server of 1.32 would connect. For a version without the group it is a failure."""
    failure = attempt(lab_loop.start(_only(0x6399)), version="1.32").failure
    assert failure.code is Code.PROBE_LIMITATION
    assert failure.code in NOT_MEASURED
    assert failure.api_server_error is None
    assert attempt(lab_loop.start(_only(0x6399)), version="1.35").failure.api_server_error == NO_GROUP


def test_what_only_openssl_refuses_is_gos_to_decide(lab_loop):
    """An extension in the ServerHello that was not asked for: Go ignores it, but not that the hashes differ."""

    def change(number, data):
        if number:
            return data
        size = int.from_bytes(data[3:5])
        content = data[5 : 5 + size]
        fields = Fields(content[4:])
        fields.take(34)
        fields.vector(1)
        fields.take(3)
        start = content[4 : len(content) - fields.left]
        extensions = fields.vector(2) + b"\0\x0d\0\2\0\0"
        body = start + len(extensions).to_bytes(2) + extensions
        return record(22, b"\2" + len(body).to_bytes(3) + body) + data[5 + size :]

    failure = attempt(lab_loop.start(ScriptedTls(_context(), change))).failure
    assert failure.api_server_error == "local error: tls: bad record MAC"


def test_an_honest_scripted_server_passes(lab_loop):
    """What the other tests change is all that is wrong with their servers."""
    measured = attempt(lab_loop.start(ScriptedTls(_context())))
    assert (measured.failure, measured.exchange_status) == (None, 404)


class _Answers(ScriptedTls):
    """Answers the request with these bytes."""

    def __init__(self, answer):
        super().__init__(_context())
        self.answer = answer


_BROKEN = "net/http: HTTP/1.x transport connection broken: "


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 no\r\n\r\n", 404, None),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\nLink: y\r\n\r\n" * 5 + b"HTTP/1.0 200 OK\n\n", 200, None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 60 + b"HTTP/1.1 200 OK\r\n\r\n", 200, None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 6, None, _BROKEN + "unexpected EOF"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\n", 200, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, None),
        (b"HTTP/1.1 200 OK\r\nA: b", None, _BROKEN + "unexpected EOF"),
        (b"HTTP/1.1 200 OK\r\n b\r\n\r\n", None, _BROKEN + "malformed MIME header initial line:  b"),
        (b"HTTP/1.1 200 OK\r\nb\r\n\r\n", None, _BROKEN + 'malformed MIME header: missing colon: "b"'),
        (b"HTTP/1.1 200 OK\r\nb : c\r\n\r\n", 200, None),
        (b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", None, _BROKEN + "malformed MIME header line: A: \\x00"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n", None, _BROKEN + 'unsupported transfer encoding: "x"'),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", None, _BROKEN + 'bad Content-Length "x"'),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            None,
            _BROKEN + 'http: message cannot contain multiple Content-Length headers; got ["1" "2"]',
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, None),
        (b"HTTP/1.1  204 two spaces\r\n\r\n", 204, None),
        (b"hello\r\n", None, _BROKEN + 'malformed HTTP response "hello"'),
        (b"HTTP/1.1 OK\r\n", None, _BROKEN + 'malformed HTTP status code "OK"'),
        (b"HTTP/1.1 2000 OK\r\n", None, _BROKEN + 'malformed HTTP status code "2000"'),
        (b"ICY 200 OK\r\n", None, _BROKEN + 'malformed HTTP version "ICY"'),
        (b'say "hi"\r\n', None, _BROKEN + 'malformed HTTP status code "\\"hi\\""'),
    ],
)
def test_the_head_of_an_answer(lab_loop, answer, status, text):
    """Informational responses are skipped, however many; a head that Go cannot read is refused in its words."""
    measured = attempt(lab_loop.start(_Answers(answer)))
    assert measured.exchange_status == status
    assert (measured.failure.api_server_error if measured.failure else None) == text
