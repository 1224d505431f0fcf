"""Whether kube-apiserver accepts a certificate chain, and with which error text it refuses.

OpenSSL verifies first. Where it accepts, its signature checks count and Go's rules are checked without verifying
signatures (verify.py): names compared byte by byte, constraints, usages, dates. Where it refuses, the unverified
chain is judged by the same rules with real signature checks, because OpenSSL refuses what Go accepts: a leaf with
keyUsage keyCertSign, anyExtendedKeyUsage as the only usage, key identifiers that differ.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease
from egressprobe.golang.x509.certificate import Certificate, name_text, parse
from egressprobe.golang.x509.der import CertificateError
from egressprobe.golang.x509.public_keys import DSA, LEAST_RSA_BITS, rsa_error
from egressprobe.golang.x509.verify import (
    CertificateRefusal,
    Rules,
    Signed,
    algorithm_error,
    check_leaf,
    verified_chains,
)
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import CertificateView

MAX_CHAIN = 10  # certificates shown; a server may send any number
_MAX_NAMES = 50
_MAX_TEXT = 300  # characters of a name shown
_PREFIX = "tls: failed to verify certificate: "
_SOON_DAYS, _SOON_SHARE = 7.0, 0.2  # less than min(7 days, a fifth of its life) left
_MOST_RSA_BITS = 8192


def views(chain: Sequence[bytes]) -> tuple[CertificateView, ...]:
    """The presented chain for a report, leaf first; what does not parse shows why."""
    return tuple(_view(der) for der in chain[:MAX_CHAIN])


@lru_cache(maxsize=512)  # the same chains come minute after minute
def _view(der: bytes) -> CertificateView:
    try:
        certificate = parse(der)
    except CertificateError as error:
        return CertificateView(str(error), "", "", "", "")
    names = tuple(name.text for name in certificate.extensions.names)
    return CertificateView(
        subject=name_text(certificate.subject)[:_MAX_TEXT],
        issuer=name_text(certificate.issuer)[:_MAX_TEXT],
        serial=f"{certificate.serial:x}",
        not_before=certificate.not_before.isoformat(),
        not_after=certificate.not_after.isoformat(),
        names=tuple(name[:_MAX_TEXT] for name in names[:_MAX_NAMES]),
        sha256=certificate.sha256,
    )


def days_left(chain: Sequence[bytes], now: datetime) -> tuple[float | None, bool]:
    """Days until the first certificate of the chain ends, and whether that is soon."""
    days: float | None = None
    soon = False
    for der in chain[:MAX_CHAIN]:
        try:
            certificate = parse(der)
        except CertificateError:
            continue
        left = (certificate.not_after - now).total_seconds() / 86400
        life = (certificate.not_after - certificate.not_before).total_seconds() / 86400
        soon = soon or left < min(_SOON_DAYS, _SOON_SHARE * life)
        days = left if days is None else min(days, left)
    return days, soon


class Trust(NamedTuple):
    """What a chain is verified against. anchors: returns the trusted certificates in DER; called only when needed.

    host: the name or address the leaf must be valid for. bundle: the caBundle's id; empty: the system roots.
    """

    host: str
    anchors: Callable[[], Sequence[bytes]]
    bundle: str
    release: GoRelease = DEFAULT_RELEASE


# (bundle, host) -> chains presented there whose signatures are valid. The same bytes under the same anchors stay
# valid, so OpenSSL need not verify them again each minute; names, dates and usages are checked every time.
# Not for the system roots, where OpenSSL's verdict covers more than the signatures.
_sound: dict[tuple[str, str], set[tuple[bytes, ...]]] = {}
_MOST_HOSTS, _MOST_CHAINS = 4096, 16


def known(bundle: str, host: str) -> bool:
    """Whether `host` has presented a chain before whose signatures are valid under `bundle`."""
    return (bundle, host) in _sound


def sound(trust: Trust, chain: Sequence[bytes]) -> bool:
    """Whether this chain's signatures were verified before."""
    return tuple(chain) in _sound.get((trust.bundle, trust.host), ())


def remember(trust: Trust, chain: Sequence[bytes]) -> None:
    """Remember a chain whose signatures were verified."""
    if not trust.bundle:
        return
    if len(_sound) >= _MOST_HOSTS:
        _sound.clear()
    chains = _sound.setdefault((trust.bundle, trust.host), set())
    if len(chains) >= _MOST_CHAINS:
        chains.clear()
    chains.add(tuple(chain))


def failure(chain: Sequence[bytes], trust: Trust, now: datetime, *, verified: bool) -> Failure | None:
    """Go's refusal of a presented chain (leaf first); None when it accepts.

    verified: OpenSSL accepted, so the signatures are valid and only the rules are checked; else every signature is
    verified here.
    """
    if not chain:
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, "the server sent no certificate", "tls: no certificates")
    parsed: list[Certificate] = []
    for der in chain:
        try:
            parsed.append(parse(der, trust.release))
        except CertificateError as error:
            text = f"tls: failed to parse certificate from server: {error}"
            message = f"the server sent a certificate that Go cannot parse: {str(error).removeprefix('x509: ')}"
            return Failure(Phase.TLS, Code.TLS_CERT_INVALID, message, text)
    return _size_failure(parsed) or _verify(parsed, trust, now, verified=verified) or _key_failure(parsed[0])


def _verify(chain: list[Certificate], trust: Trust, now: datetime, *, verified: bool) -> Failure | None:
    leaf, rules = chain[0], Rules(trust.host, now, trust.release)
    if verified and not trust.bundle:  # a public root: OpenSSL's verdict on the chain, Go's rules for the leaf
        refusal = check_leaf(leaf, rules)
    else:
        roots = _roots(trust.anchors(), chain)
        signed: Signed = algorithm_error
        if not verified or _ambiguous(chain, roots):
            from egressprobe.golang.x509.signatures import signature_error

            signed = signature_error
        refusal = verified_chains(chain, roots, rules, signed).refusal
    return _refused(refusal, leaf, now) if refusal else None


def _ambiguous(chain: Sequence[Certificate], roots: Sequence[Certificate]) -> bool:
    """Whether a certificate has several possible issuers: then the path OpenSSL took need not be the one Go takes."""
    pool = {candidate.der: candidate.subject for candidate in (*chain[1:], *roots)}
    subjects = Counter(pool.values())
    return any(subjects[certificate.issuer] > 1 for certificate in chain)


def _roots(anchors: Sequence[bytes], chain: Sequence[Certificate]) -> list[Certificate]:
    """The anchors that could matter: those whose subject some certificate names as its issuer, or the leaf itself."""
    issuers = {certificate.issuer for certificate in chain}
    roots = []
    for der in anchors:
        if der == chain[0].der or any(issuer in der for issuer in issuers):
            with suppress(CertificateError):
                roots.append(parse(der))
    return roots


def _size_failure(chain: list[Certificate]) -> Failure | None:
    """crypto/tls/handshake_client.go checkKeySize: no RSA key over 8192 bits, wherever it is in the chain."""
    if any((certificate.rsa_bits or 0) > _MOST_RSA_BITS for certificate in chain):
        text = f"tls: server sent certificate containing RSA key larger than {_MOST_RSA_BITS} bits"
        return Failure(
            Phase.TLS, Code.TLS_CERT_INVALID, f"an RSA key of the chain has more than {_MOST_RSA_BITS} bits", text
        )
    return None


def _key_failure(leaf: Certificate) -> Failure | None:
    """What Go finds only when it uses the leaf's public key."""
    if leaf.key.algorithm in ("", DSA):
        text = f"tls: server's certificate contains an unsupported type of public key: {leaf.key.go_type}"
        return Failure(
            Phase.TLS, Code.TLS_CERT_INVALID, "Go does not support the type of the server's public key", text
        )
    if leaf.rsa_bits is not None and leaf.rsa_bits < LEAST_RSA_BITS:
        text = f"tls: invalid signature by the server certificate: {rsa_error(leaf.key)}"
        message = f"the server's RSA key of {leaf.rsa_bits} bits is too small"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, message, text)
    return None


def _refused(refusal: CertificateRefusal, leaf: Certificate, now: datetime) -> Failure:
    """A refusal as a failure: code, plain words, Go's text."""
    text, guilty = _PREFIX + refusal.text, refusal.certificate
    subject = "the server's certificate" if guilty is leaf else f'the CA certificate "{guilty.hint_name}"'
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
        message = f'the server\'s certificate is signed by an unknown CA; its issuer is "{name_text(leaf.issuer)}"'
    elif refusal.kind == "usage":
        message = "a certificate of the chain does not allow server authentication (extended key usage)"
    else:
        message = f"{subject} is refused: {plain}"
    return Failure(Phase.TLS, code, message, text)
