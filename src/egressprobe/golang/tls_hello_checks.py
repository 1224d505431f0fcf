"""Go's checks of a server's hello and extensions against the offer, in Go's order: crypto/tls handshake_client.go and
handshake_client_tls13.go.

Pure. Each raises GoTlsError.
"""

from functools import lru_cache
from typing import NamedTuple

from egressprobe.golang.release import GoRelease
from egressprobe.golang.tls_hello import ClientOffer, Fields, ServerHello, read_alpn
from egressprobe.golang.tls_record import DECODE_ERROR, TLS_1_2, TLS_1_3, GoTlsError, local_error

SUITES_TLS_1_3 = {0x1301, 0x1302, 0x1303}
_ALPN, _EARLY_DATA, _QUIC = 16, 42, 57


def check_hello(offer: ClientOffer, hello: ServerHello, suite: int | None = None) -> None:
    """Of TLS 1.3: checkServerHelloOrHRR. suite: that of a HelloRetryRequest before."""
    problem = None
    if not hello.supported_version:
        problem = "server selected TLS 1.3 using the legacy version field"
    elif hello.supported_version != TLS_1_3:
        problem = "server selected an invalid version after a HelloRetryRequest"
    elif hello.legacy_version != TLS_1_2:
        problem = "server sent an incorrect legacy version"
    elif hello.has_old_extensions:
        problem = "server sent a ServerHello extension forbidden in TLS 1.3"
    elif hello.session_id != offer.session_id:
        problem = "server did not echo the legacy session ID"
    elif hello.compression:
        problem = "server sent non-zero legacy TLS compression method"
    elif suite is not None and hello.suite != suite:
        problem = "server changed cipher suite after a HelloRetryRequest"
    elif hello.suite not in SUITES_TLS_1_3:
        problem = "server chose an unconfigured cipher suite"
    if problem:
        raise GoTlsError(f"tls: {problem}")


def check_retry(offer: ClientOffer, hello: ServerHello) -> None:
    """Of a HelloRetryRequest: processHelloRetryRequest."""
    problem = None
    if hello.has_encrypted_hello:
        problem = "unexpected encrypted client hello extension in serverHello"
    elif not hello.selected_group and hello.cookie is None:
        problem = "server sent an unnecessary HelloRetryRequest message"
    elif hello.share_group:
        problem = "received malformed key_share extension"
    elif hello.selected_group and hello.selected_group not in offer.groups:
        problem = "server selected unsupported group"
    elif hello.selected_group in offer.shares:
        problem = "server sent an unnecessary HelloRetryRequest key_share"
    if problem:
        raise GoTlsError(f"tls: {problem}")


def check_share(offer: ClientOffer, hello: ServerHello, first: ServerHello) -> None:
    """Of TLS 1.3: processServerHello. first: the HelloRetryRequest, if there was one."""
    problem = None
    shares = (first.selected_group,) if first.selected_group else offer.shares
    if hello.is_retry:
        problem = "server sent two HelloRetryRequest messages"
    elif hello.cookie:
        problem = "server sent a cookie in a normal ServerHello"
    elif hello.selected_group:
        problem = "malformed key_share extension"
    elif not hello.share_group:
        problem = "server did not send a key share"
    elif hello.share_group not in shares:
        problem = "server selected unsupported group"
    elif hello.selected_identity is not None:
        problem = "server selected an invalid PSK"
    if problem:
        raise GoTlsError(f"tls: {problem}")


def check_old_hello(offer: ClientOffer, hello: ServerHello, release: GoRelease) -> None:
    """Of TLS 1.2: handshake and processServerHello."""
    problem = None
    if release >= GoRelease.V1_25 and hello.session_id and hello.session_id == offer.session_id:
        problem = "server echoed TLS 1.3 compatibility session ID in TLS 1.2"
    elif hello.suite not in offer.suites or hello.suite in SUITES_TLS_1_3:
        problem = "server chose an unconfigured cipher suite"
    elif hello.compression:
        problem = "server selected unsupported compression format"
    elif hello.points and 0 not in hello.points:
        problem = "server offered only incompatible point formats"
    elif hello.renegotiation:
        problem = "initial handshake had non-empty renegotiation extension"
    if problem:
        raise GoTlsError(f"tls: {problem}")
    check_alpn(offer, hello.alpn)


def check_alpn(offer: ClientOffer, protocol: bytes) -> None:
    """The selected protocol: checkALPN."""
    if protocol and not offer.alpn:
        raise GoTlsError("tls: server advertised unrequested ALPN extension")
    if protocol and protocol not in offer.alpn:
        raise GoTlsError("tls: server selected unadvertised ALPN protocol")


class _EncryptedExtensions(NamedTuple):
    """What Go looks at. alpn: empty where it is absent; early_data: None."""

    alpn: bytes
    quic: bool
    early_data: bytes | None


def check_encrypted_extensions(offer: ClientOffer, message: bytes) -> bytes:
    """Of TLS 1.3: readServerParameters, after encryptedExtensionsMsg.unmarshal. The protocol selected, or empty."""
    read = _remembered_extensions if len(message) <= _MOST_REMEMBERED else _encrypted_extensions
    extensions = read(message)
    check_alpn(offer, extensions.alpn)
    if extensions.quic:
        raise GoTlsError("tls: server sent an unexpected quic_transport_parameters extension")
    if extensions.early_data is not None:
        if extensions.early_data:
            raise local_error(DECODE_ERROR)
        raise GoTlsError("tls: server sent an unexpected early_data extension")
    return extensions.alpn


def _encrypted_extensions(message: bytes) -> _EncryptedExtensions:
    fields = Fields(message[4:])
    extensions = fields.extensions()
    fields.end()
    alpn = read_alpn(extensions[_ALPN]) if _ALPN in extensions else b""
    return _EncryptedExtensions(alpn, _QUIC in extensions, extensions.get(_EARLY_DATA))


# Nearly all servers send one of a few messages: no extension at all, or a protocol.
_MOST_REMEMBERED = 64  # bytes
_remembered_extensions = lru_cache(maxsize=256)(_encrypted_extensions)
