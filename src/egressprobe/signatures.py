"""Real signature checks, for the second opinion over a chain that OpenSSL refused.

Imported only then: the library costs 36 ms, 300 ms on a small Lambda.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from egressprobe.goverify import algorithm_error
from egressprobe.x509 import Certificate


def signature_error(child: Certificate, parent: Certificate) -> str | None:
    """Go's text when `parent` did not sign `child`; None when it did."""
    refused = algorithm_error(child, parent)
    if refused:
        return refused
    try:
        key = serialization.load_der_public_key(parent.public_key)
        made = x509.load_der_x509_certificate(child.der)
        parameters = made.signature_algorithm_parameters
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(child.signature, child.tbs, parameters, made.signature_hash_algorithm)  # type: ignore[arg-type]
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(child.signature, child.tbs, parameters)  # type: ignore[arg-type]
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(child.signature, child.tbs)
        else:
            return "x509: cannot verify signature: algorithm unimplemented"
    except InvalidSignature:
        pass
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "x509: cannot verify signature: algorithm unimplemented"
    else:
        return None
    if isinstance(key, rsa.RSAPublicKey):
        return "crypto/rsa: verification error"
    kind = "ECDSA" if isinstance(key, ec.EllipticCurvePublicKey) else "Ed25519"
    return f"x509: {kind} verification failure"
