"""Public keys as numbers: the curves that go-jose knows, and the key in an x5c certificate.

Source: go-jose v2.6.3 jwk.go and shared.go (curveSize); crypto/x509/parser.go parsePublicKey (Go 1.25).
"""

from typing import NamedTuple

from egressprobe.golang.x509.certificate import Certificate
from egressprobe.golang.x509.public_keys import CURVES as NAMED_CURVES
from egressprobe.golang.x509.public_keys import ECDSA, ED25519, RSA

# go-jose has no P-224, and a hyphen in the names (RFC 7518 section 6.2.1.1).
CURVES = {curve.name.replace("P", "P-"): curve for curve in NAMED_CURVES.values() if curve.name != "P224"}


class RsaPublic(NamedTuple):
    """*rsa.PublicKey."""

    n: int
    e: int


class EcPublic(NamedTuple):
    """*ecdsa.PublicKey. curve: its name, "P-256"."""

    curve: str
    x: int
    y: int


class EdPublic(NamedTuple):
    """ed25519.PublicKey: always 32 bytes."""

    key: bytes


class OtherPublic(NamedTuple):
    """A key of a type that no JSON Web Key can equal (DSA)."""

    algorithm: str


type KeyNumbers = RsaPublic | EcPublic | EdPublic | OtherPublic


def certificate_key(certificate: Certificate) -> KeyNumbers | None:
    """The public key of a certificate; None for an algorithm that crypto/x509 does not know."""
    key = certificate.key
    if key.algorithm == RSA:
        return RsaPublic(key.modulus, key.exponent)
    if key.algorithm == ECDSA:
        half = (len(key.data) + 1) // 2
        return EcPublic(key.curve.replace("P", "P-"), int.from_bytes(key.data[1:half]), int.from_bytes(key.data[half:]))
    if key.algorithm == ED25519:
        return EdPublic(key.data)
    return OtherPublic(key.algorithm) if key.algorithm else None
