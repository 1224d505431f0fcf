"""A server's signature over the handshake: crypto/tls/auth.go, key_agreement.go (Go 1.25, 1.26). Pure."""

from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from egressprobe.error_texts.tls import INVALID_SIGNATURE
from egressprobe.golang.tls_record import GoTlsError
from egressprobe.golang.x509.certificate import Certificate
from egressprobe.golang.x509.public_keys import ECDSA, ED25519, RSA, PublicKey, rsa_error

_CURVES = {"P224": ec.SECP224R1(), "P256": ec.SECP256R1(), "P384": ec.SECP384R1(), "P521": ec.SECP521R1()}
WRONG_ALGORITHM = "tls: certificate used with invalid signature algorithm"
INVALID = INVALID_SIGNATURE.of(problem="")


class Scheme(NamedTuple):
    """A SignatureScheme (RFC 8446 section 4.2.3). kind: the key's algorithm. curve: the only one in TLS 1.3."""

    kind: str
    digest: hashes.HashAlgorithm | None
    pss: bool = False
    curve: str = ""


SCHEMES = {
    0x0401: Scheme(RSA, hashes.SHA256()),
    0x0501: Scheme(RSA, hashes.SHA384()),
    0x0601: Scheme(RSA, hashes.SHA512()),
    0x0201: Scheme(RSA, hashes.SHA1()),  # noqa: S303 (as Go before 1.25)
    0x0804: Scheme(RSA, hashes.SHA256(), pss=True),
    0x0805: Scheme(RSA, hashes.SHA384(), pss=True),
    0x0806: Scheme(RSA, hashes.SHA512(), pss=True),
    0x0403: Scheme(ECDSA, hashes.SHA256(), curve="P256"),
    0x0503: Scheme(ECDSA, hashes.SHA384(), curve="P384"),
    0x0603: Scheme(ECDSA, hashes.SHA512(), curve="P521"),
    0x0203: Scheme(ECDSA, hashes.SHA1()),  # noqa: S303
    0x0807: Scheme(ED25519, None),
}


def check_scheme_tls_1_3(number: int, key: PublicKey) -> Scheme:
    """SignatureSchemesForPublicKey and the client's own list. Raises GoTlsError."""
    scheme = SCHEMES.get(number)
    good = scheme is not None and scheme.kind == key.algorithm and (scheme.kind != RSA or scheme.pss)
    if good and scheme is not None and scheme.kind == ECDSA:
        good = scheme.curve == key.curve
    if good and scheme is not None and scheme.digest is not None and scheme.kind == RSA:
        good = ((key.bits or 0) + 7) // 8 >= 2 * scheme.digest.digest_size + 2
    if not good or scheme is None:
        raise GoTlsError(WRONG_ALGORITHM)
    return scheme


def verify_signature(scheme: Scheme, leaf: Certificate, signed: bytes, signature: bytes) -> None:
    """VerifyHandshakeSignature. Raises GoTlsError."""
    key = leaf.key
    if key.algorithm != scheme.kind:
        article = "an Ed25519" if scheme.kind == ED25519 else f"an {scheme.kind}"
        raise GoTlsError(f"{INVALID}expected {article} public key, got {key.go_type}")
    refused = rsa_error(key) if key.algorithm == RSA else None
    if refused:
        raise GoTlsError(INVALID + refused)
    try:
        _verify(scheme, key, signed, signature)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        what = "crypto/rsa: verification error" if scheme.kind == RSA else f"{scheme.kind} verification failure"
        raise GoTlsError(INVALID + what) from None


def _verify(scheme: Scheme, key: PublicKey, signed: bytes, signature: bytes) -> None:
    if scheme.digest is None:
        ed25519.Ed25519PublicKey.from_public_bytes(key.data).verify(signature, signed)
    elif scheme.kind == ECDSA:
        point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[key.curve], key.data)
        point.verify(signature, signed, ec.ECDSA(scheme.digest))
    else:
        rsa_key = rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key()
        pad: padding.AsymmetricPadding = padding.PKCS1v15()
        if scheme.pss:
            pad = padding.PSS(padding.MGF1(scheme.digest), scheme.digest.digest_size)
        rsa_key.verify(signature, signed, pad, scheme.digest)
