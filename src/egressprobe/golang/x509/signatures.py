"""Real signature checks, for the second opinion over a chain that OpenSSL refused.

Imported only then: the library costs 36 ms, 300 ms on a small Lambda. It sees keys and bytes, never whole
certificates where that can be helped: it refuses some that Go reads.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from egressprobe.golang.x509.certificate import Certificate
from egressprobe.golang.x509.verify import algorithm_error

_RSA_PSS = "1.2.840.113549.1.1.10"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
    "1.2.840.10045.4.3.2": hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
}
_UNSUPPORTED = "x509: cannot verify signature: algorithm unimplemented"


def signature_error(child: Certificate, parent: Certificate) -> str | None:
    """Go's text when `parent` did not sign `child`; None when it did."""
    refused = algorithm_error(child, parent)
    if refused:
        return refused
    wrong = _UNSUPPORTED
    try:
        key = serialization.load_der_public_key(parent.public_key)
        if isinstance(key, rsa.RSAPublicKey):
            wrong = "crypto/rsa: verification error"
            scheme, digest = _rsa_scheme(child)
            key.verify(child.signature, child.tbs, scheme, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            wrong = "x509: ECDSA verification failure"
            key.verify(child.signature, child.tbs, ec.ECDSA(_HASHES[child.signature_algorithm]))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            wrong = "x509: Ed25519 verification failure"
            key.verify(child.signature, child.tbs)
        else:
            return _UNSUPPORTED
    except InvalidSignature:
        return wrong
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return _UNSUPPORTED
    return None


def _rsa_scheme(child: Certificate) -> tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]:
    """PKCS #1 v1.5 by the algorithm's name; for PSS its parameters are in the certificate."""
    if child.signature_algorithm != _RSA_PSS:
        return padding.PKCS1v15(), _HASHES[child.signature_algorithm]
    from cryptography import x509

    made = x509.load_der_x509_certificate(child.der)
    scheme, digest = made.signature_algorithm_parameters, made.signature_hash_algorithm
    if not isinstance(scheme, padding.PSS) or digest is None:
        raise ValueError("no PSS parameters")
    return scheme, digest
