"""TLS 1.2 after the ServerHello: crypto/tls/handshake_client.go, key_agreement.go (Go 1.25, 1.26). Pure."""

from collections.abc import Generator

from egressprobe.golang.tls.client_hello import vector
from egressprobe.golang.tls.handshake_signature import SCHEMES, WRONG_ALGORITHM, verify_signature
from egressprobe.golang.tls.handshake_state import HandshakeState
from egressprobe.golang.tls.key_exchange import KeyShare, ShareError
from egressprobe.golang.tls.key_schedule import SUITES, Secrets, Suite, prf
from egressprobe.golang.tls.protection import CbcProtection, Protection, Tls12Protection
from egressprobe.golang.tls_hello import ServerHello
from egressprobe.golang.tls_record import GoTlsError
from egressprobe.golang.x509.public_keys import RSA

_CERTIFICATE, _SERVER_KEY_EXCHANGE, _CERTIFICATE_REQUEST, _CLIENT_KEY_EXCHANGE = 11, 12, 13, 16
_FINISHED, _CERTIFICATE_STATUS = 20, 22
_INVALID_EXCHANGE = "tls: invalid ServerKeyExchange message"


def tls_1_2(state: HandshakeState) -> Generator[None]:
    """Raises GoTlsError, and what the judge of the chain raises."""
    hello = state.server_hello()
    suite = SUITES[hello.suite]
    yield from state.message()
    message = yield from state.raw_message()
    if message[0] == _CERTIFICATE_STATUS:
        state.take(message)
        message = yield from state.raw_message()
    state.judge(state.flight.certificates)
    state.take(message)
    share, secret = None, b""
    if message[0] == _SERVER_KEY_EXCHANGE:
        share, secret = _key_exchange(state, message[4:], suite, hello)
        message = yield from state.message()
    requested = message[0] == _CERTIFICATE_REQUEST
    if requested:
        yield from state.message()
    assert share is not None  # noqa: S101 (the flight says what is missing)
    if requested:
        state.send(bytes([_CERTIFICATE]) + vector(vector(b"", 3), 3))
    state.send(bytes([_CLIENT_KEY_EXCHANGE]) + vector(vector(share.public, 1), 3))
    label, seed = b"master secret", state.random + hello.random
    if hello.extended_master_secret:
        label, seed = b"extended master secret", _digest(state, suite)
    master = prf(suite.digest, secret, label, seed, 48)
    sealing, state.records.upcoming = _block(state, suite, master, hello)
    state.send_ccs()
    state.sealing = sealing
    verify_data = prf(suite.digest, master, b"client finished", _digest(state, suite), 12)
    state.send(bytes([_FINISHED]) + vector(verify_data, 3))
    state.flight.check_ticket()
    yield from state.record(expects_ccs=True)
    message = yield from state.raw_message()
    if message[0] != _FINISHED:
        raise state.flight.unexpected(_FINISHED, message[0])
    if message[4:] != prf(suite.digest, master, b"server finished", _digest(state, suite), 12):
        raise GoTlsError("tls: server's Finished message was incorrect")


def _digest(state: HandshakeState, suite: Suite) -> bytes:
    return Secrets(suite.digest, b"").hash(state.transcript)


def _block(state: HandshakeState, suite: Suite, master: bytes, hello: ServerHello) -> tuple[Protection, Protection]:
    """The key block (RFC 5246 section 6.3): ours, the server's."""
    ivs = 0 if suite.mac else suite.iv
    total = 2 * (suite.mac + suite.key + ivs)
    block = prf(suite.digest, master, b"key expansion", hello.random + state.random, total)
    parts = []
    for size in (suite.mac, suite.mac, suite.key, suite.key, ivs, ivs):
        parts.append(block[:size])
        block = block[size:]
    if suite.mac:
        return CbcProtection(suite, parts[2], parts[0]), CbcProtection(suite, parts[3], parts[1])
    return Tls12Protection(suite, parts[2], parts[4]), Tls12Protection(suite, parts[3], parts[5])


def _key_exchange(state: HandshakeState, body: bytes, suite: Suite, hello: ServerHello) -> tuple[KeyShare, bytes]:
    """ecdheKeyAgreement.processServerKeyExchange; the flight has checked the first part."""
    share = KeyShare(int.from_bytes(body[1:3]))
    point_end = 4 + body[3]
    try:
        secret = share.agree(body[4:point_end])
    except ShareError:
        raise GoTlsError(_INVALID_EXCHANGE) from None
    number, signature = int.from_bytes(body[point_end : point_end + 2]), body[point_end + 2 :]
    listed = [state.terms.schemes[at : at + 2] for at in range(0, len(state.terms.schemes), 2)]
    wrong_length = len(signature) >= 2 and int.from_bytes(signature[:2]) + 2 != len(signature)
    if len(signature) < 2 or (state.strict and wrong_length):
        raise GoTlsError(_INVALID_EXCHANGE)
    if number.to_bytes(2) not in listed:
        raise GoTlsError(WRONG_ALGORITHM)
    scheme = SCHEMES[number]
    if (scheme.kind == RSA) != suite.rsa or wrong_length:
        raise GoTlsError(_INVALID_EXCHANGE)
    verify_signature(scheme, state.leaf(), state.random + hello.random + body[:point_end], signature[2:])
    return share, secret
