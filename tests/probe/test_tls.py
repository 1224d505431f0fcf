"""Connect, TLS and one exchange with fault servers on loopback, through the engine a run uses."""

import asyncio
import ssl
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.apiserver.client_rules import DEFAULT_ALPN, WEBHOOK_ALPN
from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.golang.tls_hello import offered_groups
from egressprobe.golang.tls_record import TLS_1_3, RecordReader
from egressprobe.golang.x509.ca_bundle import anchors, bundle_id
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.servers import (
    DeafServer,
    EofServer,
    HttpServer,
    PlainHttpServer,
    RefusingServer,
    ResetServer,
    TcpServer,
    server_context,
)
from egressprobe.model.failure import Code, Phase
from egressprobe.model.target import Endpoint, Kind, Plan, Target
from egressprobe.net.guard import forbidden
from egressprobe.net.urls import HostPort
from egressprobe.probe.hop import Prober
from egressprobe.probe.transport import tls_context
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls_context import Offer, client_hello, context, groups
from tests.support.durations import least, timed

CA = make_authority("test-ca")
OTHER_CA = make_authority("other-ca")
ANCHORS = anchors(CA.pem.encode())
GOOD = issue(CA, ("hook.lab", "127.0.0.1"))
_X509 = "tls: failed to verify certificate: x509: "


def attempt(
    server, *, host="hook.lab", kind=Kind.WEBHOOK, scheme="https", verify=True, seconds=20.0, call=5.0, version="1.35"
):
    """One address of one target, as the engine measures it."""
    target = Target(
        kind, "t", f"{scheme}://{host}/", host, server.port, scheme, bundle=bundle_id(ANCHORS), verify=verify
    )
    plan = Plan((target,), {target.bundle: ANCHORS}, kube_version=version)

    async def work():
        now = asyncio.get_running_loop().time()
        prober = Prober(plan, ResolverConfig(), lambda _: None, now + seconds)
        place = HostPort(scheme, host, server.port, "/")
        return await prober._attempt(
            target, Endpoint(server.address, server.port), place, Budget(now + seconds, now + call)
        )

    return asyncio.run(work())


def web(loop, credential=GOOD, **options):
    return loop.start(HttpServer(tls=server_context(credential, **options)))


def test_a_good_server(lab_loop):
    """Every phase has its time, the chain and what was negotiated are kept, the server sees a polite client."""
    server = web(lab_loop)
    measured = attempt(server)
    assert measured.failure is None
    assert measured.connect_ms is not None
    assert measured.connect_ms <= measured.connect_user_ms
    assert (measured.tls.version, measured.tls.alpn, measured.tls.server_name) == ("TLS 1.3", None, "hook.lab")
    assert measured.tls.group in ("X25519", "X25519MLKEM768")
    assert measured.tls.chain[0].names == ("hook.lab", "127.0.0.1")
    assert 79 < measured.tls.days_remaining < 81
    assert measured.exchange_status == 404
    assert server.requests[0].startswith("HEAD / HTTP/1.1\r\nHost: hook.lab:")
    assert "User-Agent: egressprobe/" in server.requests[0]


@pytest.mark.parametrize(
    ("credential", "code", "text"),
    [
        (issue(CA, ("other.lab",)), Code.TLS_HOSTNAME_MISMATCH, "certificate is valid for other.lab, not hook.lab"),
        (
            issue(CA, (), common_name="hook.lab"),
            Code.TLS_HOSTNAME_MISMATCH,
            "certificate relies on legacy Common Name field, use SANs instead",
        ),
        (
            issue(CA, ("10.0.0.1",), common_name="hook.lab"),
            Code.TLS_HOSTNAME_MISMATCH,
            "certificate is not valid for any names, but wanted to match hook.lab",
        ),
        (
            issue(CA, ("hook.lab",), ends=timedelta(hours=-1)),
            Code.TLS_CERT_EXPIRED,
            "certificate has expired or is not",
        ),
        (
            issue(CA, ("hook.lab",), begins=timedelta(hours=5)),
            Code.TLS_CERT_NOT_YET_VALID,
            "certificate has expired or is not yet valid: current time",
        ),
        (issue(OTHER_CA, ("hook.lab",)), Code.TLS_UNKNOWN_AUTHORITY, "certificate signed by unknown authority"),
    ],
    ids=["wrong-name", "cn-only", "ip-san", "expired", "not-yet", "unknown-ca"],
)
def test_certificates_that_go_refuses(lab_loop, credential, code, text):
    """Go's sentence, and the chain although the handshake failed."""
    measured = attempt(web(lab_loop, credential))
    assert (measured.failure.phase, measured.failure.code) == (Phase.TLS, code)
    assert measured.failure.api_server_error.startswith(_X509 + text)
    assert measured.tls.chain[0].issuer in ("CN=test-ca", "CN=other-ca")


def test_where_nothing_is_verified_nothing_is_refused(lab_loop):
    """A kubelet's self-signed certificate passes, and the server's choice of h2 is spoken."""
    measured = attempt(web(lab_loop, issue(OTHER_CA, ("x",)), alpn=("h2",)), kind=Kind.KUBELET, verify=False)
    assert measured.failure is None
    assert measured.tls.alpn == "h2"


@pytest.mark.parametrize(
    ("host", "names", "passes"),
    [
        ("a.w.lab", ("*.w.lab",), True),
        ("a.b.w.lab", ("*.w.lab",), False),
        ("t.internal", ("*.internal",), True),
        ("hook.lab.", ("hook.lab",), True),
        ("HOOK.lab", ("hook.LAB",), True),
        ("127.0.0.1", ("127.0.0.1",), True),
        ("127.0.0.1", ("hook.lab",), False),
    ],
)
def test_host_names_by_go_rules(lab_loop, host, names, passes):
    """Single-label wildcard parents and trailing dots pass, which OpenSSL refuses."""
    assert (attempt(web(lab_loop, issue(CA, names)), host=host).failure is None) is passes


@pytest.mark.parametrize(
    ("server", "code", "text"),
    [
        (ResetServer(), Code.TLS_RESET, "read: connection reset by peer"),
        (EofServer(), Code.TLS_EOF, "EOF"),
        (EofServer(words=b"\x16\x03\x03\x40\x00partial"), Code.TLS_EOF, "unexpected EOF"),
        (PlainHttpServer(), Code.TLS_NOT_TLS, "http: server gave HTTP response to HTTPS client"),
        (EofServer(words=b"SSH-2.0-OpenSSH_9\r\n"), Code.TLS_NOT_TLS, "tls: first record does not look like a TLS"),
        (EofServer(words=b"\x15\x03\x03\x00\x02\x02\x28"), Code.TLS_ALERT, "remote error: tls: handshake failure"),
        (
            EofServer(words=b"\x15\x03\x01\x00\x02\x02\x46"),
            Code.TLS_PROTOCOL_VERSION,
            "remote error: tls: protocol version not supported",
        ),
    ],
    ids=["reset", "eof", "eof-inside", "http", "ssh", "alert", "old-version"],
)
def test_handshakes_that_break(lab_loop, server, code, text):
    """Go's words for what the other side did, with its own punctuation."""
    measured = attempt(lab_loop.start(server))
    assert (measured.failure.phase, measured.failure.code) == (Phase.TLS, code)
    assert text in measured.failure.api_server_error


def test_a_silent_server(lab_loop):
    """Silence until the call would have ended."""
    waited, measured = timed(lambda: attempt(lab_loop.start(TcpServer()), call=0.4))
    assert measured.failure.code is Code.TLS_TIMEOUT
    assert 350 <= measured.failure_ms <= waited


def test_a_deaf_listener(lab_loop):
    """SYNs are dropped: a connect timeout; cut by the run's end instead, it is not measured."""
    server = lab_loop.start(DeafServer())
    assert attempt(server, call=0.3).failure.code is Code.CONNECT_TIMEOUT
    assert attempt(server, seconds=0.3).failure.code is Code.DEADLINE_EXCEEDED


def test_refused(lab_loop):
    server = lab_loop.start(TcpServer())
    lab_loop.call(server.stop())
    measured = attempt(server)
    assert (measured.failure.phase, measured.failure.code) == (Phase.CONNECT, Code.CONNECT_REFUSED)
    text = f"dial tcp 127.0.0.1:{server.port}: connect: connection refused"
    assert measured.failure.api_server_error == text


def test_a_demand_for_a_client_certificate_is_seen_after_the_handshake(lab_loop):
    """TLS 1.3: the handshake succeeds, the first read fails."""
    server = RefusingServer(context=server_context(GOOD, client_ca=CA.pem))
    measured = attempt(lab_loop.start(server))
    assert measured.tls.version == "TLS 1.3"
    assert (measured.failure.phase, measured.failure.code) == (Phase.TLS, Code.TLS_ALERT)
    assert measured.failure.api_server_error == "remote error: tls: certificate required"


class _AfterTls(TcpServer):
    """A TLS server that says `words` to the request and ends."""

    def __init__(self, words, *, hang=False):
        super().__init__(tls=server_context(GOOD))
        self._words, self._hang = words, hang

    async def talk(self, reader, writer):
        await reader.read(4096)
        if not self._hang:
            writer.write(self._words)
            writer.close()


@pytest.mark.parametrize(
    ("server", "code", "text"),
    [
        (_AfterTls(b""), Code.HTTP_RESET, "EOF"),
        (_AfterTls(b"220 smtp ready\r\n"), Code.HTTP_BODY_INVALID, 'broken: malformed HTTP status code "smtp"'),
        (_AfterTls(b"", hang=True), Code.HTTP_TIMEOUT, None),
    ],
    ids=["eof", "smtp", "hang"],
)
def test_servers_that_do_not_answer_the_request(lab_loop, server, code, text):
    measured = attempt(lab_loop.start(server), call=1.0)
    assert (measured.failure.phase, measured.failure.code) == (Phase.HTTP, code)
    assert text is None or text in measured.failure.api_server_error


def test_cut_off_by_a_reset_while_connecting_is_a_code_of_its_own():
    """ECONNRESET from connect(2) itself."""
    from egressprobe.model.failure import classify_connect

    assert classify_connect(ConnectionResetError(104, "reset")) is Code.CONNECT_RESET
    assert classify_connect(OSError(113, "x")) is Code.HOST_UNREACHABLE
    assert classify_connect(OSError(101, "x")) is Code.NETWORK_UNREACHABLE
    assert classify_connect(OSError(24, "too many open files")) is Code.INTERNAL_ERROR


def test_forbidden_addresses_are_not_dialled(lab_loop):
    """The guard stands at connect: the listener sees nobody."""
    server = lab_loop.start(TcpServer())
    target = Target(Kind.ENDPOINT, "t", "tcp://x:1", "x", server.port, "tcp")

    async def work():
        now = asyncio.get_running_loop().time()
        prober = Prober(Plan((target,)), ResolverConfig(), forbidden, now + 5)
        place = HostPort("tcp", "x", server.port, "/")
        return [
            await prober._attempt(target, Endpoint(address, server.port), place, Budget(now + 5, now + 5))
            for address in ("127.0.0.1", "::ffff:127.0.0.1")
        ]

    for measured in asyncio.run(work()):
        assert measured.failure.code is Code.TARGET_FORBIDDEN
    assert server.accepted == 0


def test_an_anchor_openssl_cannot_read_does_not_take_the_others_down():
    """A context is made of what can be loaded."""
    tls = context("sha256:test-mixed", (b"\x30\x03\x02\x01\x05", *ANCHORS), Offer(WEBHOOK_ALPN), verify=True)
    assert tls.cert_store_stats()["x509"] == 1


# What kube-apiserver sends with a name of five characters, by its version.
RECORDED = {"1.31": 262, "1.33": 1482, "1.34": 1482, "1.35": 1508, "1.36": 1512}


@pytest.mark.parametrize("version", HELLOS)
@pytest.mark.parametrize(("alpn", "more"), [(WEBHOOK_ALPN, 0), (DEFAULT_ALPN, 3)])
@pytest.mark.parametrize("name", [b"t.lab", b"a-much-longer-name.of.some.example", None])
def test_the_client_hello_has_gos_size(version, alpn, more, name):
    """To the byte on OpenSSL before 3.5, to 3% after; without the post-quantum share 15 bytes over: it offers ML-DSA."""
    shape = HELLOS[version]
    tls = context(bundle_id(ANCHORS), ANCHORS, Offer(alpn, shape, groups(shape)[0]), verify=True)
    hello = client_hello(tls, name)
    wanted = (shape.size + len(name) if name else shape.size - 9) + more
    assert RECORDED.get(version, shape.size + 5) == shape.size + 5
    new = ssl.OPENSSL_VERSION_INFO >= (3, 5)
    assert abs(len(hello) - wanted) <= (0 if not new else 0.03 * wanted if shape.post_quantum else 16)
    assert name is None or hello.index(name) + len(name) < 1400
    assert ("X25519MLKEM768" in offered_groups(hello)) == (new and shape.post_quantum)


@pytest.mark.parametrize("group", ["prime256v1", "secp384r1", "X25519"])
def test_a_hello_without_the_post_quantum_share_still_offers_every_group(lab_loop, group):
    """One handshake a group, since OpenSSL's own list would not fit Go's size: a P-384-only server works."""
    tls = server_context(GOOD)
    tls.set_ecdh_curve(group)
    server = lab_loop.start(HttpServer(tls=tls))
    measured = attempt(server, version="1.31")
    assert measured.failure is None
    assert measured.tls.hello_bytes < 350


@pytest.mark.parametrize("version", ["1.31", "1.35"])
@pytest.mark.parametrize("curve", ["secp256k1", "X448"])
def test_no_common_group_at_all(lab_loop, version, curve):
    """OpenSSL would take X448, Go has never heard of it: the words of a server that was offered Go's groups."""
    tls = server_context(GOOD)
    tls.set_ecdh_curve(curve)
    measured = attempt(lab_loop.start(RefusingServer(context=tls)), version=version)
    assert measured.failure is not None
    assert measured.failure.api_server_error == "remote error: tls: handshake failure"


def test_a_foreign_group_in_tls_1_2(lab_loop):
    """There it is in the ServerKeyExchange."""
    tls = server_context(GOOD)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ecdh_curve("X448")
    measured = attempt(lab_loop.start(RefusingServer(context=tls)))
    assert (measured.failure.code, measured.tls.group) == (Code.TLS_ALERT, "0x001e")
    assert attempt(lab_loop.start(HttpServer(tls=_only_tls_1_2("prime256v1")))).tls.group == "P-256"


def _only_tls_1_2(curve):
    tls = server_context(GOOD)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ecdh_curve(curve)
    return tls


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO >= (3, 5), reason="its own list always brings the post-quantum share")
def test_a_small_hello_and_a_certificate_of_another_curve(lab_loop):
    """In TLS 1.2 the list of groups limits certificates too: one group alone would not do."""
    server = lab_loop.start(HttpServer(tls=_only_tls_1_2("X25519")))
    assert attempt(server, version="1.31").failure is None


def test_a_chain_that_was_good_says_nothing_of_another(lab_loop):
    """Signatures are not checked twice over the same bytes; a forged certificate of the same names is other bytes."""
    forger = make_authority("test-ca")
    for credential, wanted in ((GOOD, None), (GOOD, None), (issue(forger, ("hook.lab",)), Code.TLS_UNKNOWN_AUTHORITY)):
        measured = attempt(web(lab_loop, credential))
        assert (measured.failure.code if measured.failure else None) is wanted
    assert attempt(web(lab_loop)).failure is None


@given(st.lists(st.integers(0, 40), max_size=6), st.lists(st.integers(1, 30), max_size=20))
def test_the_end_of_a_record_is_known_however_the_bytes_come(sizes, cuts):
    """Fed in any pieces: inside a record until its last byte."""
    stream = b"".join(b"\x17\x03\x03" + size.to_bytes(2) + bytes(size) for size in sizes)
    reader, at = RecordReader(), 0
    reader.version, reader.encrypted = TLS_1_3, True
    ends = {0}
    for size in sizes:
        ends.add(max(ends) + 5 + size)
    for cut in (*cuts, len(stream) or 1):
        assert not list(reader.feed(stream[at : at + cut]))
        at = min(at + cut, len(stream))
        assert reader.inside == (at not in ends)


def test_endpoints_with_chains_of_their_own(lab_loop):
    """Two servers of one name: each chain is known by itself, and neither vouches for a third."""
    ours = [web(lab_loop, issue(CA, ("hook.lab",))) for _ in range(2)]
    forged = web(lab_loop, issue(make_authority("test-ca"), ("hook.lab",)))
    for server in (*ours, forged, *ours, forged):
        assert (attempt(server).failure is None) == (server is not forged)


def test_group_and_retry_come_from_the_server_hello(lab_loop):
    """A P-384-only server works through a HelloRetryRequest, and the report says so."""
    tls = server_context(GOOD)
    tls.set_ecdh_curve("secp384r1")
    measured = attempt(lab_loop.start(HttpServer(tls=tls)))
    assert measured.failure is None
    assert (measured.tls.group, measured.tls.hello_retry) == ("P-384", True)


def test_tls_1_2(lab_loop):
    tls = server_context(GOOD)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    measured = attempt(lab_loop.start(HttpServer(tls=tls)))
    assert (measured.failure, measured.tls.version) == (None, "TLS 1.2")


def test_first_byte_time_is_the_servers_wait(lab_loop):
    """A server that waits 80 ms before its answer reads as 80 ms, not as our own bookkeeping."""
    server = lab_loop.start(HttpServer(tls=server_context(GOOD), wait=0.08))
    # The best of some: on a machine that is busy the server itself waits longer now and then.
    assert 78 <= least(lambda: attempt(server).exchange_ms, 110) <= 110


def test_elsewhere_than_on_linux_user_space_times_stand_in(lab_loop, monkeypatch):
    """No TCP_INFO, no receive time stamps: the same measurement, with this process's own clock."""
    from egressprobe.probe.transport import kernel_socket as wire

    monkeypatch.setattr(wire, "_LINUX", False)
    measured = attempt(web(lab_loop))
    assert measured.failure is None
    assert measured.connect_ms == measured.connect_user_ms
    assert 0 < measured.tls.duration_ms <= measured.tls.user_ms


def test_contexts_of_old_bundles_are_dropped(monkeypatch):
    """The newest are kept, and the system's; without verification the bundle does not matter."""
    monkeypatch.setattr(tls_context, "MOST_BUNDLES", 3)
    monkeypatch.setattr(tls_context, "_contexts", {})
    offer = Offer(WEBHOOK_ALPN)
    system = context("", (), offer, verify=False)
    for i in range(9):
        context(f"sha256:{i}", ANCHORS, offer, verify=True)
        assert context(f"sha256:{i}", ANCHORS, offer, verify=False) is system
    assert [key[0] for key in tls_context._contexts] == ["", "sha256:6", "sha256:7", "sha256:8"]
