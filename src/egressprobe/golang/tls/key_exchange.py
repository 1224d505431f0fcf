"""Key shares of the groups that Go offers (crypto/tls/key_schedule.go keyExchange, key_agreement.go). Pure."""

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

X25519, P256, P384, P521 = 29, 23, 24, 25
X25519MLKEM768, SECP256R1MLKEM768, SECP384R1MLKEM1024 = 0x11EC, 0x11EB, 0x11ED
_CURVES = {P256: ec.SECP256R1(), P384: ec.SECP384R1(), P521: ec.SECP521R1()}
# (group of the traditional part, its size, size of the ciphertext), draft-ietf-tls-ecdhe-mlkem section 4
_HYBRIDS = {
    X25519MLKEM768: (X25519, 32, 1088),
    SECP256R1MLKEM768: (P256, 65, 1088),
    SECP384R1MLKEM1024: (P384, 97, 1568),
}
GROUPS = frozenset({X25519, *_CURVES, *_HYBRIDS})


class ShareError(ValueError):
    """A server's key share that cannot be used."""


class KeyShare:
    """Our key for one group. public: what is sent. fallback: a hybrid's traditional part, which is a group as well."""

    def __init__(self, group: int) -> None:
        self.group, self.public = group, b""
        self._ml: mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey | None = None
        self.fallback: KeyShare | None = None
        if group in _HYBRIDS:
            self.fallback = KeyShare(_HYBRIDS[group][0])
            kem = mlkem.MLKEM1024PrivateKey if group == SECP384R1MLKEM1024 else mlkem.MLKEM768PrivateKey
            self._ml = kem.generate()
            parts = (self._ml.public_key().public_bytes_raw(), self.fallback.public)
            self.public = b"".join(parts if group == X25519MLKEM768 else reversed(parts))
        elif group == X25519:
            self._x = x25519.X25519PrivateKey.generate()
            self.public = self._x.public_key().public_bytes_raw()
        else:
            self._ec = ec.generate_private_key(_CURVES[group])
            self.public = self._ec.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def agree(self, data: bytes) -> bytes:
        """The shared secret with the server's share. Raises ShareError."""
        try:
            return self._hybrid(data) if self.group in _HYBRIDS else self._agree(data)
        except (ValueError, UnsupportedAlgorithm, InternalError) as error:
            raise ShareError from error

    def _hybrid(self, data: bytes) -> bytes:
        assert self._ml is not None  # noqa: S101 (of a hybrid)
        assert self.fallback is not None  # noqa: S101
        _, point, ciphertext = _HYBRIDS[self.group]
        if len(data) != point + ciphertext:
            raise ShareError
        if self.group == X25519MLKEM768:
            return self._ml.decapsulate(data[:ciphertext]) + self.fallback.agree(data[ciphertext:])
        return self.fallback.agree(data[:point]) + self._ml.decapsulate(data[point:])

    def _agree(self, data: bytes) -> bytes:
        if self.group == X25519:
            return self._x.exchange(x25519.X25519PublicKey.from_public_bytes(data))
        if data[:1] != b"\4":  # crypto/ecdh takes uncompressed points only
            raise ShareError
        return self._ec.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[self.group], data))
