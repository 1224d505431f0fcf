"""Go's checks of a ServerHello against the offer, in Go's order: crypto/tls handshake_client.go and _tls13.go.

Pure. Each raises GoTlsError.
"""

from egressprobe.golang.tls_hello import ClientOffer, ServerHello
from egressprobe.golang.tls_record import TLS_1_2, TLS_1_3, GoTlsError

SUITES_TLS_1_3 = {0x1301, 0x1302, 0x1303}


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
    if not hello.selected_group and hello.cookie is None:
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


def check_old_hello(offer: ClientOffer, hello: ServerHello) -> None:
    """Of TLS 1.2: handshake and processServerHello."""
    problem = None
    if hello.session_id and hello.session_id == offer.session_id:
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
