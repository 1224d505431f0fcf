"""Whether kube-apiserver would take a certificate chain, and in which words it refuses.

OpenSSL builds the chain and checks the signatures; Go's rules decide around it, in Go's order
(crypto/tls/handshake_client.go verifyServerCertificate, crypto/x509/verify.go Certificate.Verify):

1. every certificate sent must parse, also one that is not needed;
2. the leaf must be within its dates;
3. the leaf must be good for the host name;
4. then the chain, for which OpenSSL's verify code is translated to Go's text.
"""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

from egressprobe.failure import Code, Failure, Phase
from egressprobe.hostname import hostname_error
from egressprobe.model import CertificateView
from egressprobe.x509 import Certificate, CertificateError, name_text, parse, validity_error

MAX_CHAIN = 10  # certificates shown; a server may send any number
_MAX_NAMES = 50
_MAX_TEXT = 300  # characters of a name shown
_PREFIX = "tls: failed to verify certificate: "
_SOON_DAYS, _SOON_SHARE = 7.0, 0.2  # less than min(7 days, a fifth of its life) left

# include/openssl/x509_vfy.h
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
_CA_REFUSED = frozenset({24, 32, 79})  # invalid CA, keyUsage without certSign, basicConstraints
_INVALID_PURPOSE = 26
_EE_KEY_TOO_SMALL = 66
_WEAK_SIGNATURE = 68
# crypto/x509/x509.go signatureAlgorithmDetails: those Go calls insecure
_INSECURE = {
    "1.2.840.113549.1.1.5": "SHA1-RSA",
    "1.2.840.10045.4.1": "ECDSA-SHA1",
    "1.2.840.113549.1.1.4": "MD5-RSA",
}
_UNKNOWN = "x509: certificate signed by unknown authority"


def views(chain: Sequence[bytes]) -> tuple[CertificateView, ...]:
    """The presented chain for a report, leaf first; what does not parse shows its fingerprint only."""
    shown = []
    for der in chain[:MAX_CHAIN]:
        try:
            one = parse(der)
        except CertificateError as error:
            shown.append(CertificateView(str(error), "", "", "", ""))
            continue
        names = one.dns_names + one.ip_addresses + one.other_names
        shown.append(
            CertificateView(
                subject=name_text(one.subject)[:_MAX_TEXT],
                issuer=name_text(one.issuer)[:_MAX_TEXT],
                serial=f"{one.serial:x}",
                not_before=one.not_before.isoformat(),
                not_after=one.not_after.isoformat(),
                names=tuple(name[:_MAX_TEXT] for name in names[:_MAX_NAMES]),
                sha256=one.sha256,
            )
        )
    return tuple(shown)


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


def chain_failure(chain: Sequence[bytes], host: str, now: datetime) -> Failure | None:
    """Go's refusal of a chain that OpenSSL took; None when Go takes it too."""
    if not chain:
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, "the server sent no certificate", "tls: no certificates")
    return _before_chain(chain, host, now)


def refusal_failure(
    error: ssl.SSLCertVerificationError,
    chain: Sequence[bytes],
    host: str,
    now: datetime,
    anchors: Sequence[bytes] = (),
) -> Failure:
    """Go's refusal where OpenSSL refused. `anchors`: the caBundle, one of which may be what has expired."""
    return _before_chain(chain, host, now) or _of_the_chain(
        error, [parse(der) for der in chain], [parse(der) for der in anchors], now
    )


def _before_chain(chain: Sequence[bytes], host: str, now: datetime) -> Failure | None:
    parsed = []
    for der in chain:
        try:
            parsed.append(parse(der))
        except CertificateError as error:
            text = f"tls: failed to parse certificate from server: {error}"
            said = f"the server sends a certificate that Go refuses to read: {str(error).removeprefix('x509: ')}"
            return Failure(Phase.TLS, Code.TLS_CERT_INVALID, said, text)
    if not parsed:
        return None
    leaf = parsed[0]
    dates = validity_error(leaf, now)
    if dates:
        return _dates(leaf, dates, now, "the server's certificate")
    name = hostname_error(leaf, host)
    if name:
        text = name.removeprefix("x509: ")
        said = f"the server's {text}" if text.startswith("certificate") else text
        return Failure(Phase.TLS, Code.TLS_HOSTNAME_MISMATCH, said, _PREFIX + name)
    return None


def _dates(certificate: Certificate, text: str, now: datetime, what: str) -> Failure:
    if now < certificate.not_before:
        said = f"{what} is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC"
        return Failure(Phase.TLS, Code.TLS_CERT_NOT_YET_VALID, said, _PREFIX + text)
    said = f"{what} expired on {certificate.not_after:%Y-%m-%d at %H:%M} UTC"
    return Failure(Phase.TLS, Code.TLS_CERT_EXPIRED, said, _PREFIX + text)


def _of_the_chain(
    error: ssl.SSLCertVerificationError, chain: list[Certificate], anchors: list[Certificate], now: datetime
) -> Failure:
    code, leaf = error.verify_code, chain[0] if chain else None
    if code in (_NOT_YET_VALID, _EXPIRED):
        for one in (*chain[1:], *anchors):
            dates = validity_error(one, now)
            if dates:
                return _dates(one, dates, now, f"the CA certificate «{one.common_name}»")
        stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = f"{_PREFIX}x509: certificate has expired or is not yet valid: current time {stamp}"
        return Failure(Phase.TLS, Code.TLS_CERT_EXPIRED, "the CA certificate in the bundle has expired", text)
    if code == _INVALID_PURPOSE:
        said = "a certificate of the chain is not meant for servers (extended key usage)"
        text = f"{_PREFIX}x509: certificate specifies an incompatible key usage"
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, said, text)
    issuer = name_text(leaf.issuer) if leaf else "?"
    if code in _UNKNOWN_ISSUER:
        said = f"nothing trusted signed the server's certificate; its issuer is «{issuer}»"
        return Failure(Phase.TLS, Code.TLS_UNKNOWN_AUTHORITY, said, _PREFIX + _UNKNOWN)
    if code == _EE_KEY_TOO_SMALL and leaf and leaf.rsa_bits:
        said = f"the server's RSA key of {leaf.rsa_bits} bits is too small"
        text = (
            f"tls: invalid signature by the server certificate: crypto/rsa: {leaf.rsa_bits}-bit keys are insecure"
            " (see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)"
        )
        return Failure(Phase.TLS, Code.TLS_CERT_INVALID, said, text)
    hint = _hint(code, chain)
    said = f"the certificate chain is not accepted: {error.verify_message}"
    known = Code.TLS_CERT_INVALID
    return Failure(Phase.TLS, known, said, _PREFIX + _UNKNOWN + hint)


def _hint(code: int, chain: list[Certificate]) -> str:
    """`(possibly because of ... while trying to verify candidate authority certificate ...)`."""
    because = ""
    culprit = chain[0] if chain else None
    if code == _WEAK_SIGNATURE:
        culprit = next((one for one in chain if one.signature_algorithm in _INSECURE), culprit)
        algorithm = _INSECURE.get(culprit.signature_algorithm, "") if culprit else ""
        because = f"x509: cannot verify signature: insecure algorithm {algorithm}"
    elif code in _CA_REFUSED:
        because = "x509: invalid signature: parent certificate cannot sign this kind of certificate"
    if not because or culprit is None:
        return ""
    candidate = culprit.issuer_common_name
    return f' (possibly because of "{because}" while trying to verify candidate authority certificate "{candidate}")'
