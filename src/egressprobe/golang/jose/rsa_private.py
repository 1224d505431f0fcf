"""crypto/rsa's check of a private key: a key set that holds a private key is decoded with it.

Source: crypto/rsa/rsa.go Validate and precompute, crypto/internal/fips140/rsa/rsa.go checkPublicKey and
checkPrivateKey, bigmod/nat.go (Go 1.25). JoseErrors have Go's text.
"""

from typing import NamedTuple

from egressprobe.golang.jose.raw_key import JoseError

# Bits. Beyond this even a multiplication takes long.
_MAX_BITS = 16_384
# Go checks each private key with a modular exponentiation, cubic in the bits of a prime: 25 ms for a 4096-bit key's.
# A document of 1 MiB has room for minutes of it. This is one prime of a 6144-bit key, or three of a 4096-bit one.
_MOST_WORK = 3072**3


class TooCostlyError(ValueError):
    """Private keys that would take too long to check: what Go makes of the key set is unknown."""


class Work:
    """What is left of the computation for one key set."""

    def __init__(self) -> None:
        self._left = _MOST_WORK

    def charge(self, bits: int) -> None:
        """One exponentiation modulo a number of `bits` bits. Raises TooCostlyError."""
        self._left -= bits**3
        if self._left < 0:
            raise TooCostlyError("the key set has RSA private keys that take too long to check")


class RsaPrivate(NamedTuple):
    """All numbers of a two-prime key. dp, dq, qi: None unless all three are given."""

    n: int
    e: int
    d: int
    p: int
    q: int
    crt: tuple[int, int, int] | None


def validate(key: RsaPrivate, work: Work) -> None:
    """rsa.PrivateKey.Validate. Raises JoseError and TooCostlyError."""
    if max(key.n, key.p, key.q).bit_length() > _MAX_BITS:
        raise TooCostlyError(f"the key set has an RSA private key of more than {_MAX_BITS} bits")
    for modulus in (key.n, key.p, key.q):
        if modulus <= 1:
            raise JoseError("modulus must be > 1")
    if key.d >= key.n:
        raise JoseError("input overflows the modulus" + (" size" if _limbs(key.d) > _limbs(key.n) else ""))
    dp, dq = key.crt[:2] if key.crt else _exponents(key)
    if key.crt and key.crt[2] >= key.p:
        raise JoseError("input overflows the modulus" + (" size" if _limbs(key.crt[2]) > _limbs(key.p) else ""))
    if key.n % 2 == 0:
        raise JoseError("crypto/rsa: public modulus is even")
    check_exponent(key.e)
    _check_primes(key)
    _check_exponents(key, dp, dq)
    if (key.crt[2] if key.crt else _coefficient(key, work)) * key.q % key.p != 1:
        raise JoseError("crypto/rsa: invalid CRT coefficient")
    if abs(key.p - key.q).bit_length() <= key.n.bit_length() // 2 - 100:
        raise JoseError("crypto/rsa: |p - q| too small")
    if key.d.bit_length() <= key.n.bit_length() // 2:
        raise JoseError("crypto/rsa: d too small")


def _limbs(number: int) -> int:
    return (number.bit_length() + 63) // 64


def _exponents(key: RsaPrivate) -> tuple[int, int]:
    """What Go computes where the key has no CRT members (newPrivateKey)."""
    for prime in (key.p, key.q):
        if prime == 2:
            raise JoseError("modulus must be > 1")
    if key.p % 2 == 0:
        raise JoseError("crypto/rsa: p is even")
    return key.d % (key.p - 1), key.d % (key.q - 1)


def _coefficient(key: RsaPrivate, work: Work) -> int:
    """The inverse by Fermat, so a wrong one where `p` is not prime. Computed last: it decides only there."""
    work.charge(key.p.bit_length())
    return pow(key.q, key.p - 2, key.p)


def check_exponent(e: int) -> None:
    """A public exponent, as checkPublicKey. Raises JoseError."""
    if e < 2:
        raise JoseError("crypto/rsa: public exponent too small or negative")
    if e % 2 == 0:
        raise JoseError("crypto/rsa: public exponent is even")
    if e > (1 << 31) - 1:
        raise JoseError("crypto/rsa: public exponent too large")


def _check_primes(key: RsaPrivate) -> None:
    if key.p >= key.n or key.q >= key.n:
        raise JoseError("crypto/rsa: invalid prime")
    if key.p * key.q % key.n:
        raise JoseError("crypto/rsa: p * q != n")


def _check_exponents(key: RsaPrivate, dp: int, dq: int) -> None:
    for prime, exponent in ((key.p, dp), (key.q, dq)):
        if prime == 2:
            raise JoseError("crypto/rsa: invalid prime")
        if exponent >= prime - 1 or exponent * key.e % (prime - 1) != 1:
            raise JoseError("crypto/rsa: invalid CRT exponent")
