"""TLS 1.3 after the ServerHello: crypto/tls/handshake_client_tls13.go (Go 1.25, 1.26). Pure."""

from collections.abc import Generator

from egressprobe.golang.tls.client_hello import client_hello, vector
from egressprobe.golang.tls.handshake_signature import check_scheme_tls_1_3, verify_signature
from egressprobe.golang.tls.handshake_state import HandshakeState
from egressprobe.golang.tls.key_exchange import X25519MLKEM768, KeyShare, ShareError
from egressprobe.golang.tls.key_schedule import SUITES, Secrets, Suite
from egressprobe.golang.tls.protection import Tls13Protection
from egressprobe.golang.tls_hello import ServerHello
from egressprobe.golang.tls_record import GoTlsError

_CERTIFICATE, _CERTIFICATE_REQUEST, _FINISHED = 11, 13, 20
_HYBRID_SIZE = 1088 + 32
# RFC 8446 section 4.4.3
_SERVER_CONTEXT = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"


def tls_1_3(state: HandshakeState) -> Generator[None]:
    """Raises GoTlsError, and what the judge of the chain raises."""
    hello = state.server_hello()
    suite = SUITES[hello.suite]
    if hello.is_retry:
        _answer_retry(state, hello, suite)
        yield from state.message()
        hello = state.server_hello()
    else:
        state.send_ccs()
    try:
        shared = next(s for s in state.shares if s.group == hello.share_group).agree(hello.share)
    except ShareError:
        raise GoTlsError(_share_text(state, hello)) from None
    secrets = state.secrets = Secrets(suite.digest, shared)
    client = secrets.handshake("c", state.transcript)
    state.sealing = Tls13Protection(suite, client)
    state.open_with(suite, secrets.handshake("s", state.transcript))
    server = state.traffic["s"]
    yield from state.message()
    message = yield from state.message()
    requested = message[0] == _CERTIFICATE_REQUEST
    if requested:
        yield from state.message()
    state.judge(state.flight.certificates)
    yield from _certificate_verify(state)
    message = yield from state.raw_message()
    before = state.transcript
    state.take(message)
    if message[4:] != secrets.finished(server, before):
        raise GoTlsError("tls: invalid server finished hash")
    transcript = state.transcript
    state.open_with(suite, secrets.application("s", transcript))
    if requested:
        state.send(bytes([_CERTIFICATE]) + vector(b"\0" + vector(b"", 3), 3))
    state.send(bytes([_FINISHED]) + vector(secrets.finished(client, state.transcript), 3))
    state.traffic["c"] = secrets.application("c", transcript)
    state.sealing = Tls13Protection(suite, state.traffic["c"])


def _share_text(state: HandshakeState, hello: ServerHello) -> str:
    """handshake_client_tls13.go establishHandshakeKeys: of Go 1.25 the hybrid has texts of its own."""
    if not state.strict and hello.share_group == X25519MLKEM768 and len(hello.share) != _HYBRID_SIZE:
        return "tls: invalid server X25519MLKEM768 key share"
    return "tls: invalid server key share"


def _answer_retry(state: HandshakeState, hello: ServerHello, suite: Suite) -> None:
    """processHelloRetryRequest; a HelloRetryRequest is hashed with a digest of the first ClientHello."""
    size = 4 + int.from_bytes(state.transcript[1:4])
    first, retry = state.transcript[:size], state.transcript[size:]
    digest = Secrets(suite.digest, b"").hash(first)
    state.transcript = b"\xfe" + vector(digest, 3) + retry
    if hello.selected_group:
        state.shares = [KeyShare(hello.selected_group)]
    state.send_ccs()
    state.send(client_hello(state.terms, state.random, state.session_id, state.shares, hello.cookie or b""))


def _certificate_verify(state: HandshakeState) -> Generator[None]:
    message = yield from state.raw_message()
    before = state.transcript
    state.take(message)
    assert state.secrets is not None  # noqa: S101
    leaf = state.leaf()
    scheme = check_scheme_tls_1_3(int.from_bytes(message[4:6]), leaf.key)
    verify_signature(scheme, leaf, _SERVER_CONTEXT + state.secrets.hash(before), message[8:])
