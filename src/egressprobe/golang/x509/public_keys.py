"""Public keys and signature algorithms as crypto/x509 reads them (parser.go parsePublicKey, x509.go).

A key that Go cannot read makes the certificate unreadable, wherever it is in the chain. A key of an algorithm that
Go does not know is not looked at: such a certificate can be sent, but signs nothing.
"""

from typing import NamedTuple

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.der import NULL, SEQUENCE, CertificateError, Reader

RSA, ECDSA, ED25519, DSA = "RSA", "ECDSA", "Ed25519", "DSA"
_KEY_ALGORITHMS = {
    "1.2.840.113549.1.1.1": RSA,
    "1.2.840.10045.2.1": ECDSA,
    "1.3.101.112": ED25519,
    "1.2.840.10040.4.1": DSA,
}
GO_TYPES = {RSA: "*rsa.PublicKey", ECDSA: "*ecdsa.PublicKey", ED25519: "ed25519.PublicKey", DSA: "*dsa.PublicKey"}
LEAST_RSA_BITS = 1024
_MOST_EXPONENT = (1 << 31) - 1
_ED25519_SIZE = 32


class Curve(NamedTuple):
    """y**2 = x**3 - 3 * x + b modulo p (FIPS 186-4 appendix D.1.2)."""

    name: str
    p: int
    b: int

    @property
    def size(self) -> int:
        """Bytes of a coordinate."""
        return (self.p.bit_length() + 7) // 8

    def contains(self, x: int, y: int) -> bool:
        """crypto/elliptic IsOnCurve: also False for coordinates that are not reduced."""
        return x < self.p and y < self.p and (y * y - (x * x - 3) * x - self.b) % self.p == 0


# By the object identifier of its parameters.
CURVES = {
    "1.3.132.0.33": Curve("P224", 2**224 - 2**96 + 1, 0xB4050A850C04B3ABF54132565044B0B7D7BFD8BA270B39432355FFB4),
    "1.2.840.10045.3.1.7": Curve(
        "P256",
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "1.3.132.0.34": Curve(
        "P384",
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    "1.3.132.0.35": Curve(
        "P521",
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
}


class PublicKey(NamedTuple):
    """algorithm: empty for one that Go does not know. data: a point or an Ed25519 key. modulus, exponent: of RSA.

    any_size: an RSA key of fewer than LEAST_RSA_BITS can be used.
    """

    algorithm: str = ""
    data: bytes = b""
    curve: str = ""
    modulus: int = 0
    exponent: int = 0
    any_size: bool = False

    @property
    def bits(self) -> int | None:
        """The bits of an RSA modulus."""
        return self.modulus.bit_length() or None

    @property
    def go_type(self) -> str:
        """The type in Go's messages."""
        return GO_TYPES.get(self.algorithm, "<nil>")


def read_public_key(oid: str, parameters: bytes, data: bytes, release: GoRelease) -> PublicKey:
    """A SubjectPublicKeyInfo's parts; `parameters` with its header, empty without. Raises CertificateError."""
    algorithm = _KEY_ALGORITHMS.get(oid, "")
    if algorithm == RSA:
        return _rsa(parameters, data, release)
    if algorithm == ECDSA:
        return PublicKey(ECDSA, data, _check_point(parameters, data, release))
    if algorithm == ED25519:
        if parameters:
            raise CertificateError("x509: Ed25519 key encoded with illegal parameters")
        if len(data) != _ED25519_SIZE:
            raise CertificateError("x509: wrong Ed25519 public key size")
    elif algorithm == DSA:
        _check_dsa(parameters, data)
    return PublicKey(algorithm, data)


def _rsa(parameters: bytes, data: bytes, release: GoRelease) -> PublicKey:
    """RFC 8017 appendix A.1.1; what follows the key is ignored. Any size: before Go 1.24 (GODEBUG rsa1024min)."""
    if parameters != NULL:
        raise CertificateError("x509: RSA key missing NULL parameters")
    numbers = Reader(data, "invalid RSA public key").into(SEQUENCE)
    modulus = numbers.big_integer(error="invalid RSA modulus")
    exponent = numbers.integer(error="invalid RSA public exponent")
    if modulus <= 0:
        raise CertificateError("x509: RSA modulus is not a positive number")
    if exponent <= 0:
        raise CertificateError("x509: RSA public exponent is not a positive number")
    return PublicKey(RSA, modulus=modulus, exponent=exponent, any_size=release < GoRelease.V1_24)


def _check_point(parameters: bytes, data: bytes, release: GoRelease) -> str:
    """The curve's name of an uncompressed point on a named curve (SEC 1 section 2.3.4)."""
    curve = CURVES.get(Reader(parameters, "invalid ECDSA parameters").oid())
    if curve is None:
        raise CertificateError("x509: unsupported elliptic curve")
    error = _point_error(curve, data)
    if error:
        older = "x509: failed to unmarshal elliptic curve point"
        raise CertificateError(error if release >= GoRelease.V1_26 else older)
    return curve.name


def _point_error(curve: Curve, data: bytes) -> str | None:
    """The text of crypto/ecdsa.ParseUncompressedPublicKey and crypto/internal/fips140/nistec."""
    if data[:1] != b"\x04":
        return "ecdsa: invalid uncompressed public key"
    if len(data) != 1 + 2 * curve.size:
        return f"invalid {curve.name} point encoding"
    x, y = int.from_bytes(data[1 : 1 + curve.size]), int.from_bytes(data[1 + curve.size :])
    if x >= curve.p or y >= curve.p:
        return f"invalid {curve.name}{' e' if curve.name == 'P256' else 'E'}lement encoding"
    if not curve.contains(x, y):
        return f"{curve.name} point not on curve"
    return None


def _check_dsa(parameters: bytes, data: bytes) -> None:
    y = Reader(data, "invalid DSA public key").big_integer()
    numbers = Reader(parameters, "invalid DSA parameters").into(SEQUENCE)
    if min(y, *(numbers.big_integer() for _ in range(3))) <= 0:
        raise CertificateError("x509: zero or negative DSA parameter")


class SignatureAlgorithm(NamedTuple):
    """One row of crypto/x509/x509.go signatureAlgorithmDetails: Go's name, the key it needs, Go's refusal of it.

    hint: what follows the name in the refusal.
    """

    name: str
    key: str
    insecure: bool = False
    hint: str = ""


_ALGORITHMS = {
    "1.2.840.113549.1.1.4": SignatureAlgorithm("MD5-RSA", RSA, insecure=True),
    "1.2.840.113549.1.1.5": SignatureAlgorithm("SHA1-RSA", RSA, insecure=True),
    "1.3.14.3.2.29": SignatureAlgorithm("SHA1-RSA", RSA, insecure=True),
    "1.2.840.113549.1.1.11": SignatureAlgorithm("SHA256-RSA", RSA),
    "1.2.840.113549.1.1.12": SignatureAlgorithm("SHA384-RSA", RSA),
    "1.2.840.113549.1.1.13": SignatureAlgorithm("SHA512-RSA", RSA),
    "1.2.840.10040.4.3": SignatureAlgorithm("DSA-SHA1", DSA, insecure=True),
    "2.16.840.1.101.3.4.3.2": SignatureAlgorithm("DSA-SHA256", DSA),
    "1.2.840.10045.4.1": SignatureAlgorithm("ECDSA-SHA1", ECDSA, insecure=True),
    "1.2.840.10045.4.3.2": SignatureAlgorithm("ECDSA-SHA256", ECDSA),
    "1.2.840.10045.4.3.3": SignatureAlgorithm("ECDSA-SHA384", ECDSA),
    "1.2.840.10045.4.3.4": SignatureAlgorithm("ECDSA-SHA512", ECDSA),
    "1.3.101.112": SignatureAlgorithm("Ed25519", ED25519),
}
# InsecureAlgorithmError.Error, before Go 1.24
_SHA_1, _SHA_1_HINT = ("SHA1-RSA", "ECDSA-SHA1"), " (temporarily override with GODEBUG=x509sha1=1)"
_ED25519_SIGNATURE, _RSA_PSS, _MGF1 = "1.3.101.112", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
# (hash, length of the salt) -> what Go calls it
_PSS = {
    ("2.16.840.1.101.3.4.2.1", 32): SignatureAlgorithm("SHA256-RSAPSS", RSA),
    ("2.16.840.1.101.3.4.2.2", 48): SignatureAlgorithm("SHA384-RSAPSS", RSA),
    ("2.16.840.1.101.3.4.2.3", 64): SignatureAlgorithm("SHA512-RSAPSS", RSA),
}


def read_signature_algorithm(oid: str, parameters: bytes, release: GoRelease) -> SignatureAlgorithm | None:
    """getSignatureAlgorithmFromAI; None for one that Go does not know."""
    if oid == _RSA_PSS:
        try:
            return _pss(parameters)
        except CertificateError:
            return None
    if oid == _ED25519_SIGNATURE and parameters:
        return None
    algorithm = _ALGORITHMS.get(oid)
    if algorithm and algorithm.name in _SHA_1 and release < GoRelease.V1_24:
        return algorithm._replace(hint=_SHA_1_HINT)
    return algorithm


def _pss(parameters: bytes) -> SignatureAlgorithm | None:
    """RSASSA-PSS-params (RFC 4055 section 3.1): all three written out, one hash for both, the salt as long as it."""
    fields = Reader(parameters, "").into(SEQUENCE)
    digest, digest_parameters = algorithm_identifier(fields.into(0xA0).take(SEQUENCE))
    mask, mask_parameters = algorithm_identifier(fields.into(0xA1).take(SEQUENCE))
    salt = fields.into(0xA2).integer()
    trailer = fields.into(0xA3).integer() if fields.peek(0xA3) else 1
    inner, inner_parameters = algorithm_identifier(Reader(mask_parameters, "").take(SEQUENCE))
    if mask != _MGF1 or inner != digest or trailer != 1 or not {digest_parameters, inner_parameters} <= {b"", NULL}:
        return None
    return _PSS.get((digest, salt))


def algorithm_identifier(body: bytes) -> tuple[str, bytes]:
    """The OID and the parameters, with their header, of an AlgorithmIdentifier (parseAI)."""
    reader = Reader(body, "malformed OID")
    oid = reader.oid()
    return oid, b"" if reader.empty else reader.any("malformed parameters").raw


def rsa_error(key: PublicKey) -> str | None:
    """What crypto/rsa refuses before it verifies (rsa.go checkKeySize, internal/fips140/rsa/rsa.go checkPublicKey)."""
    if key.bits is not None and key.bits < LEAST_RSA_BITS and not key.any_size:
        page = "https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size"
        return f"crypto/rsa: {key.bits}-bit keys are insecure (see {page})"
    error = None
    if not key.modulus & 1:
        error = "crypto/rsa: public modulus is even"
    elif key.exponent < 2:
        error = "crypto/rsa: public exponent too small or negative"
    elif not key.exponent & 1:
        error = "crypto/rsa: public exponent is even"
    elif key.exponent > _MOST_EXPONENT:
        error = "crypto/rsa: public exponent too large"
    # Before Go 1.24 the signature is what is wrong (rsa.go checkPub and its callers).
    return "crypto/rsa: verification error" if error and key.any_size else error
