"""crypto/rsa's check of a private key: a key set that holds a private key is decoded with it.

Source: crypto/rsa/rsa.go Validate and precompute, crypto/internal/fips140/rsa/rsa.go checkPublicKey and
checkPrivateKey, bigmod/nat.go (Go 1.25). Each function raises JoseError with Go's text.
"""

from typing import NamedTuple

from egressprobe.golang.jose.raw_key import JoseError

# Bits. The check is cubic in the size of the key: beyond this one key would hold us for seconds.
MAX_BITS = 16_384


class RsaPrivate(NamedTuple):
    """All numbers of a two-prime key. dp, dq, qi: None unless all three are given."""

    n: int
    e: int
    d: int
    p: int
    q: int
    crt: tuple[int, int, int] | None


def validate(key: RsaPrivate) -> None:
    """rsa.PrivateKey.Validate. Raises JoseError."""
    if key.n.bit_length() > MAX_BITS or max(key.p, key.q).bit_length() > MAX_BITS:
        raise JoseError(f"crypto/rsa: a private key of more than {MAX_BITS} bits, too large to check")
    for modulus in (key.n, key.p, key.q):
        if modulus <= 1:
            raise JoseError("modulus must be > 1")
    if key.d >= key.n:
        raise JoseError("input overflows the modulus" + (" size" if _limbs(key.d) > _limbs(key.n) else ""))
    dp, dq, qi = key.crt or _crt(key)
    if key.crt and qi >= key.p:
        raise JoseError("input overflows the modulus" + (" size" if _limbs(qi) > _limbs(key.p) else ""))
    if key.n % 2 == 0:
        raise JoseError("crypto/rsa: public modulus is even")
    check_exponent(key.e)
    _check_primes(key)
    _check_exponents(key, dp, dq)
    if qi * key.q % key.p != 1:
        raise JoseError("crypto/rsa: invalid CRT coefficient")
    if abs(key.p - key.q).bit_length() <= key.n.bit_length() // 2 - 100:
        raise JoseError("crypto/rsa: |p - q| too small")
    if key.d.bit_length() <= key.n.bit_length() // 2:
        raise JoseError("crypto/rsa: d too small")


def _limbs(number: int) -> int:
    return (number.bit_length() + 63) // 64


def _crt(key: RsaPrivate) -> tuple[int, int, int]:
    """newPrivateKey: the inverse by Fermat, so a `p` that is not prime gives a wrong one."""
    for prime in (key.p, key.q):
        if prime == 2:
            raise JoseError("modulus must be > 1")
    if key.p % 2 == 0:
        raise JoseError("crypto/rsa: p is even")
    return key.d % (key.p - 1), key.d % (key.q - 1), pow(key.q, key.p - 2, key.p)


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
