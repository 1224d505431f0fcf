"""Certificate.Verify of Go's crypto/x509 (verify.go), as kube-apiserver calls it for a server certificate.

Rules, in Go's order: the leaf must be valid and good for the host name; then chains are built from it to any
trusted certificate over parents whose subject equals the issuer *byte by byte*; each step needs a signature
and a certificate that may sign, is within its dates, its path length and its name constraints; last, one
chain must allow server authentication all the way down.

Pure. `Signed` says whether a parent's key made a child's signature; `algorithm_error` is the part of that
question that needs no arithmetic. OpenSSL or signatures.py answer the rest.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from egressprobe.golang.x509.certificate import EC_PUBLIC_KEY, ED25519, RSA_ENCRYPTION, Certificate, validity_error
from egressprobe.golang.x509.extensions import CERT_SIGN
from egressprobe.golang.x509.hostname import hostname_error
from egressprobe.golang.x509.name_constraints import violation
from egressprobe.golang.x509.policies import policies_valid

type Signed = Callable[[Certificate, Certificate], str | None]
type Kind = Literal["dates", "name", "authority", "usage", "certificate"]
_SERVER_AUTH, _ANY = "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"
_MAX_SIGNATURE_CHECKS = 100  # maxChainSignatureChecks
LEAST_RSA_BITS = 1024
_UNSUPPORTED = "x509: cannot verify signature: algorithm unimplemented"
_MAY_NOT_SIGN = "x509: invalid signature: parent certificate cannot sign this kind of certificate"
# x509.go signatureAlgorithmDetails: OID -> (Go's name, key it needs, whether Go calls it insecure)
_RSA, _EC, _ED = "RSA", "ECDSA", "Ed25519"
_ALGORITHMS = {
    "1.2.840.113549.1.1.4": ("MD5-RSA", _RSA, True),
    "1.2.840.113549.1.1.5": ("SHA1-RSA", _RSA, True),
    "1.3.14.3.2.29": ("SHA1-RSA", _RSA, True),
    "1.2.840.113549.1.1.11": ("SHA256-RSA", _RSA, False),
    "1.2.840.113549.1.1.12": ("SHA384-RSA", _RSA, False),
    "1.2.840.113549.1.1.13": ("SHA512-RSA", _RSA, False),
    "1.2.840.113549.1.1.10": ("SHA256-RSAPSS", _RSA, False),
    "1.2.840.10045.4.1": ("ECDSA-SHA1", _EC, True),
    "1.2.840.10045.4.3.2": ("ECDSA-SHA256", _EC, False),
    "1.2.840.10045.4.3.3": ("ECDSA-SHA384", _EC, False),
    "1.2.840.10045.4.3.4": ("ECDSA-SHA512", _EC, False),
    "1.3.101.112": ("Ed25519", _ED, False),
}
# The public keys Go knows, with the name of their Go type
KEYS = {
    RSA_ENCRYPTION: (_RSA, "*rsa.PublicKey"),
    EC_PUBLIC_KEY: (_EC, "*ecdsa.PublicKey"),
    ED25519: (_ED, "ed25519.PublicKey"),
}


class CertificateRefusal(NamedTuple):
    """Why Go refuses: its text, what kind of thing it is, and the certificate at fault."""

    text: str
    kind: Kind
    certificate: Certificate


def small_rsa(bits: int) -> str:
    """crypto/rsa since Go 1.24, for keys under 1024 bits."""
    return f"crypto/rsa: {bits}-bit keys are insecure (see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)"


def algorithm_error(child: Certificate, parent: Certificate) -> str | None:
    """What checkSignature refuses before any arithmetic; None when only the arithmetic is left."""
    known = _ALGORITHMS.get(child.signature_algorithm)
    if known is None:
        return _UNSUPPORTED
    name, wanted, insecure = known
    if insecure:
        return f"x509: cannot verify signature: insecure algorithm {name}"
    have, go_type = KEYS[parent.key_algorithm]
    if have != wanted:
        return f"x509: signature algorithm specifies an {wanted} public key, but have public key of type {go_type}"
    if parent.rsa_bits is not None and parent.rsa_bits < LEAST_RSA_BITS:
        return small_rsa(parent.rsa_bits)
    return None


def verify(
    chain: Sequence[Certificate], roots: Sequence[Certificate], host: str, now: datetime, signed: Signed
) -> CertificateRefusal | None:
    """None when Go accepts the chain (leaf first) for `host`, else why not."""
    leaf = chain[0]
    refusal = check_leaf(leaf, host, now)
    if refusal:
        return refusal
    if any(root.der == leaf.der for root in roots):
        found: list[list[Certificate]] = [[leaf]]
    else:
        builder = _Builder(chain[1:], roots, now, signed)
        found, refusal = builder.chains([leaf])
        if refusal:
            return refusal
    return _none_left(found, leaf)


def _none_left(chains: Sequence[Sequence[Certificate]], leaf: Certificate) -> CertificateRefusal | None:
    """The end of Verify: of the chains built one must be meant for servers and have valid policies."""
    serving = [one for one in chains if _serves(one)]
    if any(policies_valid(one) for one in serving):
        return None
    unfit = len(chains) - len(serving)
    if not serving:
        return CertificateRefusal("x509: certificate specifies an incompatible key usage", "usage", leaf)
    details = [f"{unfit} chains with incompatible key usage"] if unfit else []
    details.append(f"{len(serving)} chains with invalid policies")
    return CertificateRefusal(f"x509: no valid chains built: {', '.join(details)}", "certificate", leaf)


def check_leaf(leaf: Certificate, host: str, now: datetime) -> CertificateRefusal | None:
    """What comes before any chain: the leaf by itself, then its names."""
    refusal = _valid(leaf, [], now, authority=False)
    if refusal:
        return refusal
    name = hostname_error(leaf, host)
    return CertificateRefusal(name, "name", leaf) if name else None


class _Builder:
    """buildChains, with its budget of signature checks."""

    def __init__(
        self, intermediates: Sequence[Certificate], roots: Sequence[Certificate], now: datetime, signed: Signed
    ) -> None:
        self._intermediates, self._roots, self._now, self._signed = intermediates, roots, now, signed
        self._checks = 0

    def chains(self, current: list[Certificate]) -> tuple[list[list[Certificate]], CertificateRefusal | None]:
        """All chains on from `current`, or the refusal Go reports when there are none."""
        child = current[-1]
        found: list[list[Certificate]] = []
        hint: CertificateRefusal | None = None
        last: CertificateRefusal | None = None  # Go's err: of the last candidate that was looked at
        candidates = [(root, True) for root in _parents(child, self._roots)]
        candidates += [(one, False) for one in _parents(child, self._intermediates)]
        for candidate, trusted in candidates:
            self._checks += 1
            if self._checks > _MAX_SIGNATURE_CHECKS:
                said = "x509: signature check attempts limit reached while verifying certificate chain"
                last = CertificateRefusal(said, "authority", child)
                continue
            if candidate.key_algorithm not in KEYS or _already_in(candidate, current):
                continue
            error = _may_sign(candidate) or self._signed(child, candidate)
            if error:
                hint = hint or CertificateRefusal(error, "authority", candidate)
                continue
            last = _valid(candidate, current, self._now, authority=True, trusted=trusted)
            if last:
                hint = hint or last
            elif trusted:
                found.append([*current, candidate])
            else:
                more, last = self.chains([*current, candidate])
                found += more
        if found:
            return found, None
        return [], last or _unknown_authority(child, hint)


def _unknown_authority(child: Certificate, hint: CertificateRefusal | None) -> CertificateRefusal:
    text = "x509: certificate signed by unknown authority"
    if hint is None:
        return CertificateRefusal(text, "authority", child)
    said = hint.text.replace("\\", "\\\\").replace('"', '\\"')  # Go's %q
    candidate = hint.certificate.hint_name.replace("\\", "\\\\").replace('"', '\\"')
    because = f' (possibly because of "{said}" while trying to verify candidate authority certificate "{candidate}")'
    weak = "insecure" in hint.text or hint.text == _MAY_NOT_SIGN
    return CertificateRefusal(text + because, "certificate" if weak else "authority", child)


def _parents(child: Certificate, pool: Sequence[Certificate]) -> list[Certificate]:
    """findPotentialParents: same name; key identifiers that match first, one missing next, unlike ones last."""

    def rank(candidate: Certificate) -> int:
        have, wanted = candidate.extensions.subject_key_id, child.extensions.authority_key_id
        return 0 if have == wanted else 1 if not have or not wanted else 2

    return sorted((one for one in pool if one.subject == child.issuer), key=rank)


def _already_in(candidate: Certificate, current: Sequence[Certificate]) -> bool:
    return any(
        one.subject == candidate.subject
        and one.public_key == candidate.public_key
        and one.extensions.san == candidate.extensions.san
        for one in current
    )


def _may_sign(parent: Certificate) -> str | None:
    """CheckSignatureFrom: RFC 5280 section 4.2.1.9 and keyUsage; a v1 root may."""
    known = parent.extensions
    if (parent.version == 3 and not known.basic_constraints) or (known.basic_constraints and not known.is_ca):
        return _MAY_NOT_SIGN
    if known.key_usage and not known.key_usage & CERT_SIGN:
        return _MAY_NOT_SIGN
    return None


def _valid(
    certificate: Certificate,
    below: list[Certificate],
    now: datetime,
    *,
    authority: bool,
    trusted: bool = False,
) -> CertificateRefusal | None:
    """isValid: of a leaf, or of an authority above `below`."""
    known = certificate.extensions
    if known.unhandled:
        return CertificateRefusal("x509: unhandled critical extension", "certificate", certificate)
    dates = validity_error(certificate, now)
    if dates:
        return CertificateRefusal(dates, "dates", certificate)
    if authority:
        name = violation(certificate, below)
        if name:
            return CertificateRefusal(name, "certificate", certificate)
        if not trusted and not (known.basic_constraints and known.is_ca):
            said = "x509: certificate is not authorized to sign other certificates"
            return CertificateRefusal(said, "certificate", certificate)
    if known.basic_constraints and 0 <= known.path_length < len(below) - 1:
        return CertificateRefusal("x509: too many intermediates for path length constraint", "certificate", certificate)
    return None


def _serves(chain: Sequence[Certificate]) -> bool:
    """CheckChainForKeyUsage for serverAuth: every certificate that lists usages must list it, or any."""
    return all(not one.extensions.usages or {_SERVER_AUTH, _ANY} & set(one.extensions.usages) for one in chain)
