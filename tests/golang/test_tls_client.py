"""Go's checks of a server's handshake: texts, any fragmentation, any damage. Servers are OpenSSL's, their bytes changed."""

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.golang import tls_hello
from egressprobe.golang.release import GoRelease
from egressprobe.golang.tls_client import ServerFlight
from egressprobe.golang.tls_hello import Fields, group_hello, read_client_hello, read_server_hello
from egressprobe.golang.tls_record import TLS_1_2, TLS_1_3, GoTlsError, RecordReader, read_alert
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.servers import server_context
from egressprobe.probe.transport.tls_context import PADDING_PREFIX, Offer, client_hello, client_offer, context
from tests.conftest import examples
from tests.support.peers.tls_scripts import flight, record, records, recut

CREDENTIAL = issue(make_authority("ca"), ("t.lab",))
HELLO = client_hello(context("", (), Offer(()), verify=False), b"t.lab")
OFFER = read_client_hello(HELLO, PADDING_PREFIX)


def _server(version=None, group=None):
    made = server_context(CREDENTIAL)
    if version:
        made.maximum_version = version
    if group:
        made.set_ecdh_curve(group)
    return made


NEW, OLD, RETRY = (flight(_server(*options), HELLO) for options in ((), (ssl.TLSVersion.TLSv1_2,), (None, "secp384r1")))


def outcome(data, cuts=(), *, release=GoRelease.V1_26):
    """Go's error for these bytes, fed in pieces of these sizes; None when it goes on."""
    server, at = ServerFlight(OFFER, release), 0
    try:
        for cut in (*cuts, len(data) or 1):
            server.feed(data[at : at + cut])
            at += cut
    except GoTlsError as error:
        return str(error)
    return None


def _hello(data=NEW, **changes):
    """The first message of a flight with fields replaced: `random`, `session_id`, `suite`, `compression`, `legacy`."""
    message = next(records(data))[1]
    fields = Fields(message[4:])
    legacy, random, session = fields.take(2), fields.take(32), fields.vector(1)
    suite, compression = fields.take(2), fields.take(1)
    extensions = fields.extensions() | changes.pop("extensions", {})
    for dropped in changes.pop("without", ()):
        extensions.pop(dropped, None)
    values = {"legacy": legacy, "random": random, "session_id": session, "suite": suite, "compression": compression}
    values |= changes
    listed = b"".join(kind.to_bytes(2) + len(value).to_bytes(2) + value for kind, value in extensions.items())
    body = values["legacy"] + values["random"] + bytes([len(values["session_id"])]) + values["session_id"]
    body += values["suite"] + values["compression"] + len(listed).to_bytes(2) + listed
    return record(22, b"\2" + len(body).to_bytes(3) + body)


_LOCAL = "local error: tls: "
_FORBIDDEN = "tls: server sent a ServerHello extension forbidden in TLS 1.3"
_CASES = {
    "hello request": (record(22, bytes(4)), "tls: received unexpected handshake message of type *tls.helloRequestMsg when waiting for *tls.serverHelloMsg"),
    "unknown message": (record(22, b"\x63\0\0\0"), _LOCAL + "unexpected message"),
    "hello request with a body": (record(22, b"\0\0\0\1x"), _LOCAL + "error decoding message"),
    "huge message": (record(22, b"\2\xff\0\0"), "tls: handshake message of length 16711680 bytes exceeds maximum of 65536 bytes"),
    "empty handshake record": (record(22, b""), _LOCAL + "unexpected message"),
    "record overflow": (record(22, bytes(16385)), _LOCAL + "record overflow"),
    "oversized": (b"\x16\3\3\xff\xff", "tls: oversized record received with length 65535"),
    "http": (b"HTTP/1.1 400", "http: server gave HTTP response to HTTPS client"),
    "ssh": (b"SSH-2.0-x", "tls: first record does not look like a TLS handshake"),
    "change_cipher_spec first": (record(20, b"\1"), "tls: first record does not look like a TLS handshake"),
    "fatal alert": (record(21, b"\2\x28"), "remote error: tls: handshake failure"),
    "unknown alert": (record(21, b"\2\xc8"), "remote error: tls: alert(200)"),
    "alert of three bytes": (record(21, b"\2\x28\0"), _LOCAL + "unexpected message"),
    "close_notify": (record(21, b"\1\0"), "EOF"),
    "warnings": (record(21, b"\1\x70") * 17, "tls: too many ignored records"),
    "a few warnings": (record(21, b"\1\x70") * 16, None),
    "session id": (_hello(session_id=b"x" * 32), "tls: server did not echo the legacy session ID"),
    "compression": (_hello(compression=b"\1"), "tls: server sent non-zero legacy TLS compression method"),
    "suite": (_hello(suite=b"\x13\x04"), "tls: server chose an unconfigured cipher suite"),
    "legacy version": (_hello(legacy=b"\3\1"), "tls: server sent an incorrect legacy version"),
    "TLS 1.1": (_hello(without=(43,), legacy=b"\3\2"), "tls: server selected unsupported protocol version 302"),
    "TLS 1.3 by legacy version": (_hello(without=(43,), legacy=b"\3\4"), "tls: server selected TLS 1.3 using the legacy version field"),
    "ALPN": (_hello(extensions={16: b"\0\3\2h2"}), _FORBIDDEN),
    "extended master secret": (_hello(extensions={23: b""}), _FORBIDDEN),
    "cookie": (_hello(extensions={44: b"\0\1x"}), "tls: server sent a cookie in a normal ServerHello"),
    "empty cookie": (_hello(RETRY, extensions={44: b"\0\0"}), _LOCAL + "error decoding message"),
    "no share": (_hello(without=(51,)), "tls: server did not send a key share"),
    "a group that was not shared": (_hello(extensions={51: b"\0\x18\0\1x"}), "tls: server selected unsupported group"),
    "pre-shared key": (_hello(extensions={41: b"\0\0"}), "tls: server selected an invalid PSK"),
    "unknown extension": (_hello(extensions={0x1234: b"x"}), None),
    "retry without a change": (_hello(RETRY, without=(51,)), "tls: server sent an unnecessary HelloRetryRequest message"),
    "retry for what was shared": (_hello(RETRY, extensions={51: b"\0\x1d"}), "tls: server sent an unnecessary HelloRetryRequest key_share"),
    "retry for an unknown group": (_hello(RETRY, extensions={51: b"\x12\x34"}), "tls: server selected unsupported group"),
    "two retries": (RETRY.partition(record(20, b"\1"))[0] * 2, "tls: server sent two HelloRetryRequest messages"),
    "downgrade": (_hello(OLD, random=bytes(24) + b"DOWNGRD\1"), "tls: downgrade attempt detected, possibly due to a MitM attack or a broken middlebox"),
    "plaintext behind ServerHello": (_hello() + record(22, b"\x08\0\0\2\0\0"), _LOCAL + "bad record MAC"),
    "record version": (_hello() + record(23, bytes(30), 0x0301), "tls: received record with version 301 when expecting version 303"),
    "long record": (_hello() + b"\x17\3\3\x41\x01", "tls: oversized record received with length 16641"),
    "many change_cipher_spec": (_hello() + record(20, b"\1") * 17, "tls: too many ignored records"),
    "change_cipher_spec of two": (_hello() + record(20, b"\2"), _LOCAL + "error decoding message"),
    "data behind ServerHello in one record": (record(22, next(records(NEW))[1] + b"\x08"), "tls: handshake buffer not empty before setting read traffic secret"),
    "TLS 1.2 suite": (_hello(OLD, suite=b"\0\x2f"), "tls: server chose an unconfigured cipher suite"),
    "TLS 1.2 compression": (_hello(OLD, compression=b"\1"), "tls: server selected unsupported compression format"),
    "TLS 1.2 session id": (_hello(OLD, session_id=OFFER.session_id), "tls: server echoed TLS 1.3 compatibility session ID in TLS 1.2"),
    "TLS 1.2 ALPN": (_hello(OLD, extensions={16: b"\0\3\2h2"}), "tls: server advertised unrequested ALPN extension"),
    "TLS 1.2 points": (_hello(OLD, extensions={11: b"\1\1"}), "tls: server offered only incompatible point formats"),
    "TLS 1.2 renegotiation": (_hello(OLD, extensions={0xFF01: b"\1x"}), "tls: initial handshake had non-empty renegotiation extension"),
    "TLS 1.2 without certificate": (_hello(OLD) + record(22, b"\x0e\0\0\0"), "tls: received unexpected handshake message of type *tls.serverHelloDoneMsg when waiting for *tls.certificateMsg"),
    "TLS 1.2 empty certificates": (_hello(OLD) + record(22, b"\x0b\0\0\3\0\0\0"), "tls: received unexpected handshake message of type *tls.certificateMsg when waiting for *tls.certificateMsg"),
    "TLS 1.2 early change_cipher_spec": (_hello(OLD) + record(20, b"\1"), _LOCAL + "unexpected message"),
    "TLS 1.2 data": (_hello(OLD) + record(23, b"x"), _LOCAL + "unexpected message"),
}  # fmt: skip


@pytest.mark.parametrize("case", _CASES)
def test_texts(case):
    data, text = _CASES[case]
    assert outcome(data) == text


def test_honest_servers_pass():
    assert [outcome(data) for data in (NEW, OLD, RETRY)] == [None] * 3


@pytest.mark.parametrize("left", [bytes(4), bytes(8), b"\0", b"\x0e\0\0\0"], ids=bytes.hex)
def test_what_follows_the_server_hello_done_in_its_record_is_left_over(left):
    """conn.go readRecordOrCCS: a change_cipher_spec after it fails, also where OpenSSL drops a HelloRequest."""
    *before, (kind, last) = records(OLD)
    sent = b"".join(record(*each) for each in before) + record(kind, last + left)
    assert outcome(sent) is None
    assert outcome(sent + record(20, b"\1")) == _LOCAL + "unexpected message"
    assert outcome(OLD + record(20, b"\1")) is None


@given(st.sampled_from([NEW, OLD, RETRY]), st.lists(st.integers(1, 60), min_size=1, max_size=5), st.booleans())
def test_any_fragmentation_is_read_alike(data, cuts, every):
    """Records of any sizes: the same group, version and certificates."""

    def seen(given):
        server = ServerFlight(OFFER, GoRelease.V1_26)
        server.feed(given)
        return server.hello, server.group, server.version, server.retry, server.certificates

    assert seen(recut(data, cuts, every=every and data is OLD)) == seen(data)


@settings(max_examples=examples(300))
@given(
    st.sampled_from([NEW, OLD, RETRY]),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3)), max_size=3),
    st.lists(st.integers(1, 40), max_size=40),
)
def test_damage_is_judged_alike_however_it_arrives(data, changes, cuts):
    """Any change of the bytes ends in nothing but Go's error or none, the same for any pieces."""
    for at, inserted, removed in changes:
        data = data[:at] + inserted + data[at + removed :]
    assert outcome(data, cuts) == outcome(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data):
    outcome(data)
    outcome(record(22, data))
    outcome(record(22, b"\2" + len(data).to_bytes(3) + data))


def _established(version=TLS_1_3, *, release=GoRelease.V1_26):
    server = ServerFlight(OFFER, release)
    server.records.version, server.complete = version, True
    return server


TICKET = b"\x04" + (13).to_bytes(3) + bytes(13)


def test_tickets_are_counted_since_go_1_26():
    """16 pass, 17 do not, unless data comes in between."""
    server = _established()
    for _ in range(3):
        for _ in range(16):
            server.decrypted(TICKET)
        server.data_arrived()
    for _ in range(16):
        server.decrypted(TICKET)
    with pytest.raises(GoTlsError, match="too many non-advancing records"):
        server.decrypted(TICKET)
    for _ in range(100):
        _established(release=GoRelease.V1_25).decrypted(TICKET)


@pytest.mark.parametrize(
    ("version", "message", "text"),
    [
        (TLS_1_2, bytes(4), "local error: tls: no renegotiation"),
        (TLS_1_3, b"\x18\0\0\1\2", "local error: tls: error decoding message"),
        (TLS_1_3, b"\x0d\0\0\3\0\0\0", "tls: received unexpected handshake message of type *tls.certificateRequestMsgTLS13"),
    ],
)  # fmt: skip
def test_messages_after_the_handshake(version, message, text):
    with pytest.raises(GoTlsError) as error:
        _established(version).decrypted(message)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("version", "release", "content", "text"),
    [
        (TLS_1_3, GoRelease.V1_25, b"\1\x74", "remote error: tls: certificate required"),
        (TLS_1_3, GoRelease.V1_25, b"\1\x5a", None),
        (TLS_1_3, GoRelease.V1_24, b"\1\x5a", "remote error: tls: user canceled"),
        (TLS_1_2, GoRelease.V1_24, b"\1\x5a", None),
        (TLS_1_2, GoRelease.V1_25, b"\1\x74", None),
        (TLS_1_2, GoRelease.V1_25, b"\3\x74", "local error: tls: unexpected message"),
        (0, GoRelease.V1_25, b"\2\x46", "remote error: tls: protocol version not supported"),
    ],
)
def test_alerts(version, release, content, text):
    error = read_alert(content, version, release)
    assert (str(error) if error else None) == text


def test_a_hello_of_groups_alone_is_answered_with_the_group():
    """A real server asks for the key share of the group it selects; one without it sends an alert."""
    for curve, number in (("X25519", 29), ("secp384r1", 24)):
        reply = flight(_server(group=curve), group_hello((29, 24), "t.lab", bytes(range(64))))
        answer = read_server_hello(next(RecordReader().feed(reply)))
        assert (answer.is_retry, answer.selected_group) == (True, number)


def test_groups_follow_the_kubernetes_version():
    assert "SecP256r1MLKEM768" in HELLOS["1.36"].groups
    assert "SecP256r1MLKEM768" not in HELLOS["1.35"].groups
    assert HELLOS["1.31"].groups == ("X25519", "P-256", "P-384", "P-521")


@pytest.mark.parametrize(("version", "size"), [(TLS_1_3, 17), (TLS_1_2, 24)])
def test_empty_records_are_counted(version, size):
    """16 in a row pass, 17 do not; one with content starts again."""
    reader = RecordReader()
    reader.version, reader.encrypted, reader.empty_size = version, True, size
    empty, full = record(23, bytes(size)), record(23, bytes(size + 1))
    assert not list(reader.feed((empty * 16 + full) * 3 + empty * 16))
    with pytest.raises(GoTlsError, match="too many ignored records"):
        list(reader.feed(empty))


@given(st.sampled_from([NEW, OLD, RETRY]), st.integers(0, 30))
def test_what_came_before_an_error_is_consumed(data, extra):
    """`consumed` ends exactly before the record with the error."""
    server = ServerFlight(OFFER, GoRelease.V1_26)
    with pytest.raises(GoTlsError, match="oversized"):
        server.feed(data + b"\x16\3\3\xff\xff" + bytes(extra))
    assert server.records.consumed == len(data)


# Header and size of records: usual ones, empty ones, of other types and versions, too long ones.
_RECORD_SHAPES = [
    *((b"\x17\3\3", size) for size in (16, 17, 18, 24, 40, 16640, 16641, 18432, 18433)),
    *((b"\x14\3\3", 1), (b"\x15\3\3", 2), (b"\x16\3\3", 20), (b"\x17\3\1", 26), (b"\x17\3", 0), (b"", 0)),
]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(_RECORD_SHAPES), st.sampled_from([1, 1, 9])), max_size=9),
    st.sampled_from([(TLS_1_3, 17), (TLS_1_2, 24), (TLS_1_2, 0)]),
    st.lists(st.integers(1, 60), max_size=9),
)
def test_whole_encrypted_records_are_read_as_pieces_of_them(shapes, kind, cuts):
    """The way for whole records takes less time and says the same as the way for pieces."""
    data = b"".join(
        (header + size.to_bytes(2) + b"\1" * size) * (many if size < 100 else 1) for (header, size), many in shapes
    )

    def seen(pieces):
        reader = RecordReader()
        reader.version, reader.empty_size = kind
        reader.encrypted, error = True, ""
        for piece in pieces:
            try:
                assert list(reader.feed(piece)) == []
            except GoTlsError as raised:
                error = str(raised)
                break
        return error, reader.records, reader.inside, reader._ignored

    at, pieces = 0, []
    for cut in (*cuts, len(data) or 1):
        pieces.append(data[at : at + cut])
        at += cut
    assert seen(pieces) == seen([data]) == seen([data[i : i + 4] for i in range(0, len(data), 4)])


def _usual(key, **changes):
    """A ServerHello as Go and OpenSSL write it."""
    share = changes.get("group", b"\0\x1d") + len(key).to_bytes(2) + key
    return _hello(extensions={43: changes.get("version", b"\3\4"), 51: share}, session_id=changes.get("id", bytes(32)))


@settings(max_examples=examples(300))
@given(
    st.binary(max_size=70),
    st.sampled_from([{}, {"version": b"\3\3"}, {"id": b""}, {"id": bytes(31)}, {"group": b"\x11\xec"}]),
    st.lists(st.tuples(st.integers(4, 130), st.binary(max_size=2), st.integers(0, 2)), max_size=2),
)
def test_the_usual_server_hello_is_read_as_any_other(key, changes, damage):
    """Whatever is different is read in the long way; what is not, comes out the same."""
    data = next(records(_usual(key, **changes)))[1]
    for at, inserted, removed in damage:
        data = data[:at] + inserted + data[at + removed :]
    short = tls_hello._usual_server_hello(data)
    if not damage:
        assert (short is not None) is (changes in ({}, {"group": b"\x11\xec"}))
    if short is not None:
        assert short == tls_hello._any_server_hello(data)


def test_what_a_context_offers_is_read_once():
    """Only the session id changes from one ClientHello to the next."""
    made = context("", (), Offer(("h2",)), verify=False)
    for name in (b"a.lab", None, b"a-longer-name.lab"):
        hello = client_hello(made, name)
        assert client_offer(made, hello) == read_client_hello(hello, PADDING_PREFIX)
