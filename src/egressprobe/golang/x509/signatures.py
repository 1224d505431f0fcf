"""Real signature checks, for the second opinion over a chain that OpenSSL refused.

Imported only then: the library costs 36 ms, 300 ms on a small Lambda. It sees keys and bytes, never whole
certificates: it refuses some that Go reads.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from egressprobe.golang.x509.certificate import Certificate
from egressprobe.golang.x509.public_keys import ECDSA, ED25519, RSA, PublicKey, SignatureAlgorithm
from egressprobe.golang.x509.verify import UNSUPPORTED, algorithm_error

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
_CURVES = {"P224": ec.SECP224R1(), "P256": ec.SECP256R1(), "P384": ec.SECP384R1(), "P521": ec.SECP521R1()}
_WRONG = {
    RSA: "crypto/rsa: verification error",
    ECDSA: "x509: ECDSA verification failure",
    ED25519: "x509: Ed25519 verification failure",
}


def signature_error(child: Certificate, parent: Certificate) -> str | None:
    """Go's text when `parent` did not sign `child`; None when it did."""
    refused = algorithm_error(child, parent)
    algorithm = child.signature_algorithm
    if refused or algorithm is None:
        return refused or UNSUPPORTED
    try:
        _verify(child, parent.key, algorithm)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return _WRONG[algorithm.key]
    return None


def _verify(child: Certificate, key: PublicKey, algorithm: SignatureAlgorithm) -> None:
    """Raises InvalidSignature, or ValueError and UnsupportedAlgorithm where the library cannot use the key."""
    if key.algorithm == RSA:
        rsa_key = rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key()
        rsa_key.verify(child.signature, child.tbs, _rsa_padding(algorithm), _digest(algorithm))
    elif key.algorithm == ECDSA:
        point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[key.curve], key.data)
        point.verify(child.signature, child.tbs, ec.ECDSA(_digest(algorithm)))
    else:
        ed25519.Ed25519PublicKey.from_public_bytes(key.data).verify(child.signature, child.tbs)


def _digest(algorithm: SignatureAlgorithm) -> hashes.HashAlgorithm:
    return next(digest for name, digest in _HASHES.items() if name in algorithm.name)


def _rsa_padding(algorithm: SignatureAlgorithm) -> padding.AsymmetricPadding:
    """PKCS #1 v1.5, or PSS with a salt as long as the hash."""
    if not algorithm.name.endswith("PSS"):
        return padding.PKCS1v15()
    digest = _digest(algorithm)
    return padding.PSS(padding.MGF1(digest), digest.digest_size)
