"""Public keys as numbers: the curves that go-jose knows, and the key in an x5c certificate.

Source: go-jose v2.6.3 jwk.go and shared.go (curveSize); crypto/elliptic Curve.IsOnCurve; crypto/x509/parser.go
parsePublicKey (Go 1.25).
"""

from typing import NamedTuple

from egressprobe.golang.x509.certificate import Certificate
from egressprobe.golang.x509.public_keys import ECDSA, ED25519, RSA


class Curve(NamedTuple):
    """The curve y^2 = x^3 - 3x + b over `prime` (FIPS 186-4 appendix D.1.2). size: bytes of a coordinate."""

    name: str
    size: int
    prime: int
    b: int

    def contains(self, x: int, y: int) -> bool:
        """IsOnCurve: also False for coordinates that are not reduced."""
        if x >= self.prime or y >= self.prime:
            return False
        return (y * y - (x * x * x - 3 * x + self.b)) % self.prime == 0


CURVES = {
    curve.name: curve
    for curve in (
        Curve(
            "P-256",
            32,
            (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1,
            0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        ),
        Curve(
            "P-384",
            48,
            (1 << 384) - (1 << 128) - (1 << 96) + (1 << 32) - 1,
            0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        ),
        Curve(
            "P-521",
            66,
            (1 << 521) - 1,
            int(
                "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF07"
                "3573DF883D2C34F1EF451FD46B503F00",
                16,
            ),
        ),
    )
}


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
