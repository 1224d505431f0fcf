"""Whether kube-apiserver would take a certificate chain, and in which words it refuses.

OpenSSL verifies first. Where it is content, its signatures count and Go's rules are gone through without
arithmetic (verify.py): names compared byte by byte, constraints, usages, dates. Where it refuses, the
unverified chain gets a second opinion by the same rules with real signature checks, because OpenSSL refuses
what Go takes: a leaf with keyUsage keyCertSign, "any" as its only extended usage, unlike key identifiers.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from egressprobe.golang.x509.certificate import Certificate, name_text, parse
from egressprobe.golang.x509.der import CertificateError
from egressprobe.golang.x509.verify import (
    KEYS,
    LEAST_RSA_BITS,
    Refusal,
    Signed,
    algorithm_error,
    check_leaf,
    small_rsa,
    verify,
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
        one = parse(der)
    except CertificateError as error:
        return CertificateView(str(error), "", "", "", "")
    names = tuple(text for _, text in one.extensions.names)
    return CertificateView(
        subject=name_text(one.subject)[:_MAX_TEXT],
        issuer=name_text(one.issuer)[:_MAX_TEXT],
        serial=f"{one.serial:x}",
        not_before=one.not_before.isoformat(),
        not_after=one.not_after.isoformat(),
        names=tuple(name[:_MAX_TEXT] for name in names[:_MAX_NAMES]),
        sha256=one.sha256,
    )


def days_left(chain: Sequence[bytes], now: datetime) -> tuple[float | None, bool]:
    """Days until the first certificate of the chain ends, and whether that is soon."""
    days: float | None = None
    soon = False
    for der in chain[:MAX_CHAIN]:
        try:
            one = parse(der)
        except CertificateError:
            continue
        left = (one.not_after - now).total_seconds() / 86400
        life = (one.not_after - one.not_before).total_seconds() / 86400
        soon = soon or left < min(_SOON_DAYS, _SOON_SHARE * life)
        days = left if days is None else min(days, left)
    return days, soon


class Trust(NamedTuple):
    """What a chain is judged against. anchors: what is trusted, in DER, asked for only when needed.

    host: the name or address it must be good for. bundle: the caBundle's id; empty: the system roots.
    """

    host: str
    anchors: Callable[[], Sequence[bytes]]
    bundle: str


# (bundle, host) -> chains shown there whose signatures were found good. The same bytes under the same anchors stay
# good, so OpenSSL need not do the arithmetic again each minute; names, dates and usages are gone through every time.
# Not for the system roots, where OpenSSL's word stands for more than the signatures.
_sound: dict[tuple[str, str], set[tuple[bytes, ...]]] = {}
_MOST_HOSTS, _MOST_CHAINS = 4096, 16


def known(bundle: str, host: str) -> bool:
    """Whether `host` has shown a chain before whose signatures are good under `bundle`."""
    return (bundle, host) in _sound


def sound(trust: Trust, chain: Sequence[bytes]) -> bool:
    """Whether it is this chain."""
    return tuple(chain) in _sound.get((trust.bundle, trust.host), ())


def remember(trust: Trust, chain: Sequence[bytes]) -> None:
    """Keep a chain whose signatures were checked."""
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

    verified: OpenSSL was content, so the signatures are good and only the rules are gone through; else every
    signature is checked here.
    """
    if not chain:
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, "the server sent no certificate", "tls: no certificates")
    parsed: list[Certificate] = []
    for der in chain:
        try:
            parsed.append(parse(der))
        except CertificateError as error:
            text = f"tls: failed to parse certificate from server: {error}"
            said = f"the server sends a certificate that Go refuses to read: {str(error).removeprefix('x509: ')}"
            return Failure(Phase.TLS, Code.TLS_CERT_INVALID, said, text)
    return _size_failure(parsed) or _verify(parsed, trust, now, verified=verified) or _key_failure(parsed[0])


def _verify(chain: list[Certificate], trust: Trust, now: datetime, *, verified: bool) -> Failure | None:
    leaf = chain[0]
    if verified and not trust.bundle:  # a public root: OpenSSL's word for the chain, Go's rules for the leaf
        refusal = check_leaf(leaf, trust.host, now)
    else:
        roots = _roots(trust.anchors(), chain)
        signed: Signed = algorithm_error
        if not verified or _ambiguous(chain, roots):
            from egressprobe.golang.x509.signatures import signature_error

            signed = signature_error
        refusal = verify(chain, roots, trust.host, now, signed)
    return _refused(refusal, leaf, now) if refusal else None


def _ambiguous(chain: Sequence[Certificate], roots: Sequence[Certificate]) -> bool:
    """Whether a certificate has several possible issuers: then the path OpenSSL took need not be the one Go takes."""
    pool = {one.der: one.subject for one in (*chain[1:], *roots)}
    subjects = list(pool.values())
    return any(subjects.count(one.issuer) > 1 for one in chain)


def _roots(anchors: Sequence[bytes], chain: Sequence[Certificate]) -> list[Certificate]:
    """The anchors that could matter: those whose subject some certificate names as its issuer, or the leaf itself."""
    issuers = [one.issuer for one in chain]
    found = []
    for der in anchors:
        if der == chain[0].der or any(issuer in der for issuer in issuers):
            with suppress(CertificateError):
                found.append(parse(der))
    return found


def _size_failure(chain: list[Certificate]) -> Failure | None:
    """crypto/tls/handshake_client.go checkKeySize: no RSA key over 8192 bits, wherever it is in the chain."""
    if any(one.rsa_bits is not None and one.rsa_bits > _MOST_RSA_BITS for one in chain):
        text = f"tls: server sent certificate containing RSA key larger than {_MOST_RSA_BITS} bits"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, "the server's RSA key is too large for Go", text)
    return None


def _key_failure(leaf: Certificate) -> Failure | None:
    """What Go notices only when the leaf's key is used."""
    if leaf.key_algorithm not in KEYS:
        text = "tls: server's certificate contains an unsupported type of public key: <nil>"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, "the server's key is of a kind that Go does not know", text)
    if leaf.rsa_bits is not None and leaf.rsa_bits < LEAST_RSA_BITS:
        text = f"tls: invalid signature by the server certificate: {small_rsa(leaf.rsa_bits)}"
        said = f"the server's RSA key of {leaf.rsa_bits} bits is too small"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, said, text)
    return None


def _refused(refusal: Refusal, leaf: Certificate, now: datetime) -> Failure:
    """A refusal as a failure: code, plain words, Go's text."""
    text, guilty = _PREFIX + refusal.text, refusal.certificate
    what = "the server's certificate" if guilty is leaf else f"the CA certificate «{guilty.hint_name}»"
    plain = refusal.text.removeprefix("x509: ")
    if refusal.kind == "dates":
        if now < guilty.not_before:
            said = f"{what} is not valid before {guilty.not_before:%Y-%m-%d %H:%M} UTC"
            return Failure(Phase.TLS, Code.TLS_CERT_NOT_YET_VALID, said, text)
        said = f"{what} expired on {guilty.not_after:%Y-%m-%d at %H:%M} UTC"
        return Failure(Phase.TLS, Code.TLS_CERT_EXPIRED, said, text)
    if refusal.kind == "name":
        said = f"the server's {plain}" if plain.startswith("certificate") else plain
        return Failure(Phase.TLS, Code.TLS_HOSTNAME_MISMATCH, said, text)
    if refusal.kind == "authority":
        said = f"nothing trusted signed the server's certificate; its issuer is «{name_text(leaf.issuer)}»"
        return Failure(Phase.TLS, Code.TLS_UNKNOWN_AUTHORITY, said, text)
    if refusal.kind == "usage":
        said = "a certificate of the chain is not meant for servers (extended key usage)"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, said, text)
    return Failure(Phase.TLS, Code.TLS_CERT_INVALID, f"{what} is refused: {plain}", text)
