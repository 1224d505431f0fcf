"""Whether kube-apiserver accepts a certificate chain, with which error text it refuses, and how long the chain lasts.

The chain is judged as it was sent, by Go's rules of the Kubernetes version (golang/x509/verify.py): names compared
byte by byte, constraints, usages, dates. OpenSSL verifies first. The signatures along the path that it verified count
as valid; any other signature that a rule asks for is verified here (golang/x509/signatures.py). So a chain that
OpenSSL refuses and Go accepts is judged too: a leaf with keyUsage keyCertSign, anyExtendedKeyUsage as the only usage,
key identifiers that differ.

What is remembered, valid and invalid signatures, certificates read and refused, is bounded by bytes; chains that were
accepted are in golang/x509/accepted_chains.py.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.error_texts.tls import (
    CERTIFICATE_UNREADABLE,
    INVALID_SIGNATURE,
    KEY_TOO_LARGE,
    KEY_UNSUPPORTED,
    NO_CERTIFICATES,
    VERIFY_FAILED,
)
from egressprobe.golang.byte_cache import ByteCache
from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease
from egressprobe.golang.x509.accepted_chains import (
    Validity,
    accepted_paths,
    chain_key,
    remember_chain,
    validity,
)
from egressprobe.golang.x509.certificate import Certificate, CertificateError, name_text, parse
from egressprobe.golang.x509.public_keys import DSA, rsa_error
from egressprobe.golang.x509.verify import CertificateRefusal, Rules, algorithm_error, verified_chains
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import CertificateView

MAX_CHAIN = 10  # certificates shown; a server may send any number
_MAX_NAMES, _MAX_URLS = 50, 4
_MAX_TEXT = 300  # characters of a name shown
# Characters of a failure's message and of Go's text: up to 99 names of the server's choice are in them.
_MAX_MESSAGE, _MAX_GO_TEXT = 1_000, 8_000
_PREFIX = VERIFY_FAILED.of(problem="")
_SOON_DAYS, _SOON_SHARE = 7.0, 0.2  # less than min(7 days, a fifth of its life) left
_MOST_RSA_BITS = 8192
_DAY = 86400.0
# SHA-256 of a certificate -> how it is shown. The same chains come minute after minute.
_VIEWS: ByteCache[CertificateView] = ByteCache(512 * 1024)
# (SHA-256 of a certificate, of a possible issuer) -> the error of the signature, empty when it is valid. The same
# bytes stay valid or invalid, so neither OpenSSL nor we need verify them again each minute.
_SIGNATURES: ByteCache[str] = ByteCache(512 * 1024)
_SIGNATURE_SIZE = 250  # bytes that one of these takes, about
# (hash of the anchors, name) -> which anchors have that name in them: to look at all takes longer than the rest.
_NAMING: ByteCache[tuple[int, ...]] = ByteCache(256 * 1024)


class Trust(NamedTuple):
    """What a chain is verified against. anchors: returns the trusted certificates in DER; called only when needed.

    host: the name or address the leaf must be valid for. bundle: the caBundle's id; empty: the system roots.
    release: whose rules count.
    """

    host: str
    anchors: Callable[[], Sequence[bytes]]
    bundle: str
    release: GoRelease = DEFAULT_RELEASE


class Judgement(NamedTuple):
    """Go's answer to a chain.

    days: until the first certificate of the chain that Go takes ends, the anchor included; of several chains the one
    that lasts longest. Of a refused chain, or one that is not verified, the leaf's. soon: less than 7 days, or a
    fifth of that certificate's life.
    """

    failure: Failure | None
    days: float | None = None
    soon: bool = False


def views(chain: Sequence[bytes]) -> tuple[CertificateView, ...]:
    """The presented chain for a report, leaf first; what does not parse shows why."""
    return tuple(_view(der) for der in chain[:MAX_CHAIN])


def _view(der: bytes) -> CertificateView:
    digest = sha256(der).digest()
    view = _VIEWS.find(digest)
    if view is None:
        try:
            certificate = parse(der)
        except CertificateError as error:
            return CertificateView(str(error)[:_MAX_TEXT], "", "", "", "")
        names = tuple(name.text[:_MAX_TEXT] for name in certificate.extensions.names[:_MAX_NAMES])
        view = CertificateView(
            subject=name_text(certificate.subject)[:_MAX_TEXT],
            issuer=name_text(certificate.issuer)[:_MAX_TEXT],
            serial=f"{certificate.serial:x}"[:_MAX_TEXT],
            not_before=certificate.not_before.isoformat(),
            not_after=certificate.not_after.isoformat(),
            names=names,
            sha256=certificate.sha256,
            issuer_urls=tuple(url[:_MAX_TEXT] for url in certificate.extensions.issuer_urls[:_MAX_URLS]),
        )
        _VIEWS.put(digest, view, 1000 + 2 * sum(map(len, names)))
    return view


def unverified_days(chain: Sequence[bytes], now: datetime) -> tuple[float | None, bool]:
    """Days until the leaf of a chain that is not verified ends, and whether that is soon."""
    try:
        return _lasts((validity(parse(chain[0])),), now) if chain else (None, False)
    except CertificateError:
        return None, False


def _lasts(path: Iterable[Validity], now: datetime) -> tuple[float, bool]:
    """Days until the first certificate of a path ends, and whether one of them ends soon."""
    days, soon = float("inf"), False
    for not_before, not_after in path:
        left = (not_after - now).total_seconds() / _DAY
        life = (not_after - not_before).total_seconds() / _DAY
        days = min(days, left)
        soon = soon or left < min(_SOON_DAYS, _SOON_SHARE * life)
    return days, soon


def judge(chain: Sequence[bytes], trust: Trust, now: datetime, verified: Sequence[bytes] = ()) -> Judgement:
    """Go's answer to a chain as it was sent, leaf first. verified: the path that OpenSSL verified, leaf first."""
    if not chain:
        message = "the server sent no certificate"
        return Judgement(Failure(Phase.TLS, Code.TLS_CERT_INVALID, message, NO_CERTIFICATES.text))
    anchors = tuple(trust.anchors())
    key = chain_key(chain, anchors, trust.host, trust.release) if trust.bundle else None
    accepted = accepted_paths(key, now) if key else ()
    if accepted:
        return Judgement(None, *max(_lasts(path, now) for path in accepted))
    parsed: list[Certificate] = []
    for der in chain:
        try:
            parsed.append(parse(der, trust.release))
        except CertificateError as error:
            message = f"the server sent a certificate that Go cannot parse: {str(error).removeprefix('x509: ')}"
            text = CERTIFICATE_UNREADABLE.of(problem=error)
            return Judgement(_shortened(Failure(Phase.TLS, Code.TLS_CERT_INVALID, message, text)))
    failure = _size_failure(parsed)
    paths: Sequence[Sequence[Certificate]] = ()
    if failure is None:
        path = _path(verified, trust.release)
        roots = _roots(parsed, anchors, trust, path)
        paths, refusal = verified_chains(parsed, roots, Rules(trust.host, now, trust.release), _signature_error)
        failure = _refused(refusal, parsed, now) if refusal else _key_failure(parsed[0])
        if failure is None and key:
            remember_chain(key, now, paths, (*parsed, *roots))
    days, soon = max(_lasts(map(validity, path), now) for path in paths or [parsed[:1]])
    return Judgement(failure and _shortened(failure), days, soon)


def _shortened(failure: Failure) -> Failure:
    text = failure.api_server_error or ""
    if len(failure.message) <= _MAX_MESSAGE and len(text) <= _MAX_GO_TEXT:
        return failure
    return replace(failure, message=_cut(failure.message, _MAX_MESSAGE), api_server_error=_cut(text, _MAX_GO_TEXT))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


def _path(verified: Sequence[bytes], release: GoRelease) -> list[Certificate]:
    """OpenSSL's path. It verified the signature of each certificate with the key of the next."""
    try:
        path = [parse(der, release) for der in verified]
    except CertificateError:  # Go refuses one: then nothing is taken from OpenSSL
        return []
    for child, parent in pairwise(path):
        _SIGNATURES.put((child.digest, parent.digest), "", _SIGNATURE_SIZE)
    return path


def _signature_error(child: Certificate, parent: Certificate) -> str | None:
    """Go's text when `parent` did not sign `child`; verified once for the same bytes."""
    error = algorithm_error(child, parent)
    if error:
        return error
    pair = (child.digest, parent.digest)
    remembered = _SIGNATURES.find(pair)
    if remembered is None:
        from egressprobe.golang.x509.signatures import signature_error

        remembered = signature_error(child, parent) or ""
        _SIGNATURES.put(pair, remembered, _SIGNATURE_SIZE)
    return remembered or None


def _roots(
    chain: Sequence[Certificate], anchors: tuple[bytes, ...], trust: Trust, path: Sequence[Certificate]
) -> list[Certificate]:
    """The anchors that could matter: those whose subject some certificate names as its issuer, or the leaf itself.

    System roots in a folder are in no list; the one at the end of OpenSSL's path is an anchor.
    """
    leaf = chain[0].der
    issuers = {certificate.issuer for certificate in chain}
    positions = {i for issuer in issuers for i in _naming(issuer, anchors)}
    positions |= {i for i, der in enumerate(anchors) if der == leaf}
    roots = []
    for i in sorted(positions):
        try:
            roots.append(parse(anchors[i], trust.release))
        except CertificateError:
            continue
    if not trust.bundle and path:
        roots.append(path[-1])
    return roots


def _naming(issuer: bytes, anchors: tuple[bytes, ...]) -> tuple[int, ...]:
    """The positions of the anchors that have a name in them. The anchors are ours, not a peer's: their hash will do."""
    return _NAMING.get(
        (hash(anchors), issuer),
        lambda: tuple(i for i, der in enumerate(anchors) if issuer in der),
        len(issuer) + 200,
    )


def _size_failure(chain: Sequence[Certificate]) -> Failure | None:
    """crypto/tls/handshake_client.go checkKeySize: no RSA key over 8192 bits, wherever it is in the chain."""
    if any((certificate.key.bits or 0) > _MOST_RSA_BITS for certificate in chain):
        text = KEY_TOO_LARGE.of(bits=_MOST_RSA_BITS)
        message = f"an RSA key of the chain has more than {_MOST_RSA_BITS} bits"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, message, text)
    return None


def _key_failure(leaf: Certificate) -> Failure | None:
    """What Go finds only when it uses the leaf's public key."""
    if leaf.key.algorithm in ("", DSA):
        text = KEY_UNSUPPORTED.of(type=leaf.key.go_type)
        message = "Go does not support the type of the server's public key"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, message, text)
    error = rsa_error(leaf.key) if leaf.key.bits is not None else None
    if error:
        text = INVALID_SIGNATURE.of(problem=error)
        message = f"Go refuses the server's RSA key of {leaf.key.bits} bits: {error.removeprefix('crypto/rsa: ')}"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, message, text)
    return None


def _refused(refusal: CertificateRefusal, chain: Sequence[Certificate], now: datetime) -> Failure:
    """A refusal as a failure: code, plain words, Go's text."""
    leaf, text, guilty = chain[0], _PREFIX + refusal.text, refusal.certificate
    subject = "the server's certificate" if guilty is leaf else f'the CA certificate "{guilty.hint_name[:_MAX_TEXT]}"'
    plain = refusal.text.removeprefix("x509: ")
    code = Code.TLS_CERT_INVALID
    if refusal.kind == "dates" and now < guilty.not_before:
        code = Code.TLS_CERT_NOT_YET_VALID
        message = f"{subject} is not valid before {guilty.not_before:%Y-%m-%d %H:%M} UTC"
    elif refusal.kind == "dates":
        code = Code.TLS_CERT_EXPIRED
        message = f"{subject} expired on {guilty.not_after:%Y-%m-%d at %H:%M} UTC"
    elif refusal.kind == "name":
        code = Code.TLS_HOSTNAME_MISMATCH
        message = f"the server's {plain}" if plain.startswith("certificate") else plain
    elif refusal.kind == "authority":
        code = Code.TLS_UNKNOWN_AUTHORITY
        issuer = name_text(leaf.issuer)[:_MAX_TEXT]
        message = f'the server\'s certificate is signed by an unknown CA; its issuer is "{issuer}"'
        urls = leaf.extensions.issuer_urls
        if urls and not any(certificate.subject == leaf.issuer for certificate in chain[1:]):
            message += f", whose certificate the server does not send (it is at {urls[0][:_MAX_TEXT]})"
    elif refusal.kind == "usage":
        message = "a certificate of the chain does not allow server authentication (extended key usage)"
    else:
        message = f"{subject} is refused: {plain}"
    return Failure(Phase.TLS, code, message, text)
