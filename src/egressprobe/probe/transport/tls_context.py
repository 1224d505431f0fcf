"""TLS contexts that behave like kube-apiserver's crypto/tls client.

One `SSLContext` per (bundle, offer, verification), built once per process and kept: loading the system roots takes
19 ms, 220 ms at a small Lambda's CPU share. Contexts hold no state of a run.

- TLS 1.2 and 1.3, Go's cipher list; SECLEVEL 1 because Go accepts RSA keys of 1024 bits.
- Partial chains: every certificate in a caBundle is an anchor (crypto/x509.CertPool). No X509_STRICT.
- OpenSSL's host name check is off: golang/x509/hostname.py follows Go's.
- A ClientHello of Go's size for the Kubernetes version (kube_version.py). With a post-quantum key share it is
  about 1,500 bytes, two TCP segments, which some middleboxes and paths drop. OpenSSL >= 3.5 sends the same by
  itself; with older versions dummy ALPN names, which no server selects, pad the hello to the byte.
- A hello without that share offers one group at a time, because the `ssl` module cannot name a list and
  OpenSSL's own list is twice as long as Go's: see `groups`.
"""

import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.apiserver.client_rules import WEBHOOK_ALPN
from egressprobe.apiserver.kube_version import CURRENT, Hello
from egressprobe.golang.tls_hello import (
    GROUP_NAMES,
    ClientOffer,
    offered_groups,
    read_client_hello,
    read_session_id,
)
from egressprobe.golang.tls_record import ALERT, HANDSHAKE

# crypto/tls/cipher_suites.go without RSA key exchange, CBC-SHA256 and 3DES, which Go has off by default
_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
    "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"
    "@SECLEVEL=1"
)
_NO_ENCRYPT_THEN_MAC = 1 << 19  # SSL_OP_NO_ENCRYPT_THEN_MAC: Go does not offer it
# SSL_OP_TLSEXT_PADDING fills hellos of 256 to 511 bytes to 512, for a load balancer of 2013; Go does not.
_TLSEXT_PADDING = 1 << 4
# SSL_OP_NO_TX_ and NO_RX_CERTIFICATE_COMPRESSION, since OpenSSL 3.2: Go has none
_NO_COMPRESSION = 3 << 32
# crypto/tls/defaults.go without the post-quantum ones, by OpenSSL's names; the first one has the key share
_GROUPS = ("X25519", "prime256v1", "secp384r1", "secp521r1")
_OPENSSL_DEFAULT = ""
_SAMPLE_NAME = b"a.lab"
PADDING_PREFIX = b"x-egressprobe-pad-"
# CPython's hook for SSL_CTX_set_msg_callback; the property of ssl.SSLContext makes enums, 150 us a handshake.
_MESSAGE_CALLBACK: Any = vars(ssl.SSLContext.__mro__[1]).get("_msg_callback")
_REPORTED = (ALERT, HANDSHAKE)
_PAD_ENTRIES, _PAD_FIRST_GUESS, _PAD_MAX = 6, 900, 6 * 250
_LEAST_PADDING = 6 * 24  # fewer bytes do not hold the dummy names
# Contexts of caBundles that are kept, 20 KB each with one certificate; making one takes 0.3 ms.
MOST_BUNDLES = 1024
_contexts: dict[tuple[str, "Offer", bool], "ProbeContext"] = {}
_fillers: dict["Offer", list[str]] = {}
_trust_store = ""
_system_roots: tuple[int, tuple[bytes, ...]] = (-1, ())


class ObservedConnection(ssl.SSLObject):
    """An SSL object that reports the alerts and handshake messages it reads, decrypted: `on_message(type, content)`."""

    on_message: Callable[[int, bytes], None] | None = None


def _report(
    connection: ObservedConnection, direction: str, version: int, content_type: int, message_type: int, data: bytes
) -> None:
    del version, message_type
    # Called for each record and its content type too, 40 times a handshake: most end at the first comparison.
    if content_type in _REPORTED and direction == "read" and connection.on_message is not None:
        connection.on_message(content_type, data)


class ProbeContext(ssl.SSLContext):
    """A context as `context` makes it.

    client_offer: what each of its ClientHellos offers, read from the first one; only the session id changes.
    """

    client_offer: ClientOffer | None = None


CLIENT_CERTIFICATE = " as "  # between the id of a bundle and that of the client certificate loaded beside it


class Offer(NamedTuple):
    """What a ClientHello offers. `group`: the only one offered; empty for OpenSSL's default list."""

    alpn: tuple[str, ...]
    hello: Hello = CURRENT
    group: str = ""


def groups(hello: Hello) -> tuple[str, ...]:
    """The groups to offer, one handshake each: the next where the server has none in common with the last.

    OpenSSL's default list is the first choice for a large hello. For a small one it is a few bytes too long, but in
    TLS 1.2 the list also limits the curves of certificates, so it is the last resort; not since OpenSSL 3.5,
    where it always brings the post-quantum share.
    """
    if hello.post_quantum:
        return (_OPENSSL_DEFAULT, *_GROUPS)
    if ssl.OPENSSL_VERSION_INFO >= (3, 5):
        return _GROUPS
    return (*_GROUPS, _OPENSSL_DEFAULT)


@lru_cache(maxsize=16)
def missing_groups(hello: Hello) -> tuple[int, ...]:
    """The key exchange groups of the API server's hello that this OpenSSL does not offer, by number."""
    offered: set[str] = set(offered_groups(client_hello(context("", (), Offer((), hello), verify=False), None)))
    offered |= {"X25519", "P-256", "P-384", "P-521"}
    return tuple(number for number, name in GROUP_NAMES.items() if name in hello.groups and name not in offered)


def trust_store() -> str:
    """Which system roots a context without a caBundle uses. EKS's own set may differ."""
    global_paths = ssl.get_default_verify_paths()
    return _trust_store or global_paths.cafile or global_paths.capath or "none"


def context(bundle: str, anchors: tuple[bytes, ...], offer: Offer, *, verify: bool) -> ProbeContext:
    """The context for a bundle id and its anchors (empty: system roots).

    One that does not verify is shared by all bundles, but never one with a client certificate (CLIENT_CERTIFICATE in
    the id): it would be presented to every server of the process.
    """
    key = (bundle if verify or CLIENT_CERTIFICATE in bundle else "", offer, verify)
    if key not in _contexts:
        _contexts[key] = _build(anchors if bundle else None, offer, verify=verify)
        _drop_oldest()
    return _contexts[key]


def _drop_oldest() -> None:
    """A warm process meets new bundles for as long as it lives. The system's roots stay: they are slow to load."""
    bundles = [key for key in _contexts if key[0]]
    for key in bundles[: max(len(bundles) - MOST_BUNDLES, 0)]:
        del _contexts[key]


def _build(anchors: tuple[bytes, ...] | None, offer: Offer, *, verify: bool) -> ProbeContext:
    made = ProbeContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    made.sslobject_class = ObservedConnection
    if _MESSAGE_CALLBACK is not None:
        _MESSAGE_CALLBACK.__set__(made, _report)
    made.set_ciphers(_CIPHERS)
    made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_LEGACY_SERVER_CONNECT | _NO_ENCRYPT_THEN_MAC
    made.options &= ~_TLSEXT_PADDING
    if ssl.OPENSSL_VERSION_INFO >= (3, 2):
        made.options |= _NO_COMPRESSION
    if offer.group:
        made.set_ecdh_curve(offer.group)
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        made.verify_mode = ssl.CERT_NONE
    elif anchors is None:
        _load_system_roots(made)
    else:
        for der in anchors:
            with suppress(ssl.SSLError):  # one that OpenSSL cannot read must not take the others down
                made.load_verify_locations(cadata=der)
    _size_hello(made, offer)
    return made


def _load_system_roots(made: ssl.SSLContext) -> None:
    """The platform's roots; certifi's where it has none, since a report must say which."""
    global _trust_store
    made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    paths = ssl.get_default_verify_paths()
    if made.cert_store_stats()["x509_ca"] or paths.capath or sys.platform == "win32":
        _trust_store = paths.cafile or paths.capath or "system"
        return
    import certifi

    made.load_verify_locations(cafile=certifi.where())
    _trust_store = str(Path(certifi.where()))


def system_roots(verifying: ssl.SSLContext) -> tuple[bytes, ...]:
    """The system's anchors in DER, as far as they are in one file (a folder is read by OpenSSL as needed)."""
    global _system_roots
    if verifying.verify_mode is ssl.CERT_NONE:
        verifying = context("", (), Offer(WEBHOOK_ALPN), verify=True)
    # OpenSSL adds those of a folder as it needs them; encoding 150 roots takes longer than judging a chain.
    count = verifying.cert_store_stats()["x509"]
    if _system_roots[0] != count:
        _system_roots = count, tuple(verifying.get_ca_certs(binary_form=True))
    return _system_roots[1]


def _size_hello(made: ssl.SSLContext, offer: Offer) -> None:
    """Fill the ClientHello to Go's size by looking, once for each offer, at what OpenSSL writes."""
    if offer not in _fillers:
        _fillers[offer] = _filler(made, offer)
    made.set_alpn_protocols([*offer.alpn, *_fillers[offer]])


def _filler(made: ssl.SSLContext, offer: Offer) -> list[str]:
    wanted = offer.hello.size + len(_SAMPLE_NAME) + sum(1 + len(name) for name in offer.alpn if name == "h2")
    made.set_alpn_protocols(list(offer.alpn))
    if len(client_hello(made, _SAMPLE_NAME)) >= wanted - _LEAST_PADDING:
        return []
    made.set_alpn_protocols([*offer.alpn, *_padding(_PAD_FIRST_GUESS)])
    pad = _PAD_FIRST_GUESS + wanted - len(client_hello(made, _SAMPLE_NAME))
    return _padding(min(pad, _PAD_MAX))


def _padding(size: int) -> list[str]:
    """Dummy ALPN names that take `size` bytes on the wire, a length byte each included."""
    share, more = divmod(size, _PAD_ENTRIES)
    lengths = [share + (i < more) - 1 for i in range(_PAD_ENTRIES)]
    return [f"{PADDING_PREFIX.decode()}{i}-".ljust(length, "p") for i, length in enumerate(lengths)]


def client_offer(made: ProbeContext, record: bytes) -> ClientOffer:
    """What `record`, a ClientHello of the context, offers."""
    if made.client_offer is None:
        made.client_offer = read_client_hello(record, PADDING_PREFIX)
    return made.client_offer._replace(session_id=read_session_id(record))


def client_hello(made: ssl.SSLContext, server_name: bytes | None) -> bytes:
    """The ClientHello that a context writes, its record header included. Sends nothing."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = made.wrap_bio(incoming, outgoing, server_hostname=server_name)
    with suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()
