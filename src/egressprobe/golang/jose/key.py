"""One JSON Web Key: whether it decodes, and whether a token can be verified with it.

Source: go-jose v2.6.3 jwk.go (JSONWebKey.UnmarshalJSON and the functions it calls), signing.go (newVerifier),
shared.go (parseCertificateChain); crypto/rsa (Go 1.25) for what an RSA key can verify. `use`, `key_ops` and `alg` of a
key are not looked at.
"""

import hashlib
from typing import NamedTuple

from egressprobe.error_texts.oidc import JOSE
from egressprobe.golang.jose.base64_text import Base64Error, decode_raw_url, decode_standard
from egressprobe.golang.jose.json_text import Value
from egressprobe.golang.jose.public_key import CURVES, EcPublic, EdPublic, KeyNumbers, RsaPublic, certificate_key
from egressprobe.golang.jose.raw_key import JoseError, RawKey
from egressprobe.golang.jose.rsa_private import RsaPrivate, Work, check_exponent, validate
from egressprobe.golang.x509.certificate import Certificate, parse
from egressprobe.golang.x509.der import CertificateError

_PREFIX = JOSE.of(problem="")
_LEAST_RSA_BITS = 1024  # crypto/rsa checkKeySize, GODEBUG rsa1024min=1


class JsonWebKey(NamedTuple):
    """A key that decodes. unusable: why no token can be verified with it, None where one can."""

    kty: str
    kid: str
    unusable: str | None


def decode_key(value: Value, work: Work) -> JsonWebKey:
    """JSONWebKey.UnmarshalJSON. Raises JoseError with go-jose's text, TooCostlyError when `work` is used up."""
    raw = RawKey(value)
    chain, leaf = _chain(raw.x5c)
    kty = raw.strings["kty"]
    public: KeyNumbers | None = None
    private = raw.buffers["d"] is not None
    if kty == "EC":
        public = _ec(raw, private=private)
    elif kty == "RSA":
        public = _rsa(raw, work, private=private)
    elif kty == "oct":
        if leaf is not None:
            raise JoseError(f"{_PREFIX}invalid JWK, found 'oct' (symmetric) key with cert chain")
        if raw.buffers["k"] is None:
            raise JoseError(f"{_PREFIX}invalid OCT (symmetric) key, missing k value")
    elif kty == "OKP":
        public = _okp(raw)
    else:
        raise JoseError(f"{_PREFIX}unknown json web key type '{kty}'")
    if leaf is not None and public is not None and leaf != public:
        raise JoseError(f"{_PREFIX}invalid JWK, public keys in key and x5c fields to not match")
    _check_thumbprints(raw, chain)
    return JsonWebKey(kty, raw.strings["kid"], _unusable(public, private=private))


def _chain(x5c: list[str]) -> tuple[list[Certificate], KeyNumbers | None]:
    """The certificates and the first one's key; None where crypto/x509 does not know its algorithm."""
    try:
        chain = [parse(decode_standard(text)) for text in x5c]
        return chain, certificate_key(chain[0]) if chain else None
    except (Base64Error, CertificateError) as error:
        raise JoseError(f"{_PREFIX}failed to unmarshal x5c field: {error}") from error


def _ec(raw: RawKey, *, private: bool) -> EcPublic:
    crv, kind = raw.strings["crv"], "private" if private else "public"
    curve = CURVES.get(crv)
    if curve is None:
        raise JoseError(f"{_PREFIX}unsupported elliptic curve '{crv}'")
    x, y, d = (raw.buffers[name] for name in ("x", "y", "d"))
    if x is None or y is None:
        missing = "private key, missing x/y/d values" if private else "key, missing x/y values"
        raise JoseError(f"{_PREFIX}invalid EC {missing}")
    for name, data in (("x", x), ("y", y), ("d", d)):
        if data is not None and len(data) != curve.size:
            raise JoseError(f"{_PREFIX}invalid EC {kind} key, wrong length for {name}")
    public = EcPublic(crv, int.from_bytes(x), int.from_bytes(y))
    if not curve.contains(public.x, public.y):
        raise JoseError(f"{_PREFIX}invalid EC key, X/Y are not on declared curve")
    return public


def _rsa(raw: RawKey, work: Work, *, private: bool) -> RsaPublic:
    n, e = raw.buffers["n"], raw.buffers["e"]
    if not private:
        if n is None or e is None:
            raise JoseError(f"{_PREFIX}invalid RSA key, missing n/e values")
        return RsaPublic(int.from_bytes(n), _exponent(e))
    numbers = {name: raw.buffers[name] for name in ("n", "e", "d", "p", "q")}
    for name, data in numbers.items():
        if data is None:  # jwk.go's switch names the first only
            raise JoseError(f"{_PREFIX}invalid RSA private key, missing {name.upper()} value(s)")
    n_, _, d, p, q = (int.from_bytes(data or b"") for data in numbers.values())
    given = [raw.buffers[name] for name in ("dp", "dq", "qi")]
    crt = [int.from_bytes(data) for data in given if data is not None]
    whole = (crt[0], crt[1], crt[2]) if len(crt) == 3 else None
    public = RsaPublic(n_, _exponent(e or b""))
    validate(RsaPrivate(n_, public.e, d, p, q, whole), work)
    return public


def _exponent(data: bytes) -> int:
    """int(big.Int.Int64()): the lowest 64 bits, as a signed number (byteBuffer.toInt)."""
    return int.from_bytes(data[-8:].rjust(8, b"\0"), signed=True)


def _okp(raw: RawKey) -> EdPublic:
    crv, x = raw.strings["crv"], raw.buffers["x"]
    if crv != "Ed25519" or x is None:
        raise JoseError(f"{_PREFIX}unknown curve {crv}'")
    return EdPublic(x[:32].ljust(32, b"\0"))  # copied into 32 bytes, whatever its length


def _check_thumbprints(raw: RawKey, chain: list[Certificate]) -> None:
    prints = {}
    for name, size in (("x5t", 20), ("x5t#S256", 32)):
        try:
            digest = decode_raw_url(raw.strings[name])
        except Base64Error as error:
            raise JoseError(f"{_PREFIX}invalid JWK, {name} header has invalid encoding") from error
        prints[name] = _from_hex(digest, name) if len(digest) == 2 * size else digest
    for name, size in (("x5t", 20), ("x5t#S256", 32)):
        if prints[name] and len(prints[name]) != size:
            raise JoseError(f"{_PREFIX}invalid JWK, {name} header is of incorrect size")
    if chain:
        sha1 = hashlib.sha1(chain[0].der, usedforsecurity=False).digest()
        expected = {"x5t": sha1, "x5t#S256": hashlib.sha256(chain[0].der).digest()}
        for name, digest in expected.items():
            if prints[name] and prints[name] != digest:
                raise JoseError(f"{_PREFIX}invalid JWK, x5c thumbprint does not match {name} value")


def _from_hex(data: bytes, name: str) -> bytes:
    """encoding/hex: the length is even here, so only a character can be wrong."""
    for byte in data:
        if chr(byte) not in "0123456789abcdefABCDEF":
            shown = f"U+{byte:04X}" + (f" '{chr(byte)}'" if chr(byte).isprintable() else "")
            raise JoseError(f"{_PREFIX}invalid JWK, unable to hex decode {name}: encoding/hex: invalid byte: {shown}")
    return bytes.fromhex(data.decode("ascii"))


def _unusable(public: KeyNumbers | None, *, private: bool) -> str | None:
    """Why jws.Verify can never succeed with a key, for the algorithms that kube-apiserver accepts.

    ES256-512, PS256-512 and RS256-512 (plugin/pkg/authenticator/token/oidc allowedSigningAlgs); crypto/rsa checkKeySize
    and checkPublicKey for RSA keys.
    """
    if private:
        return "a private key: go-jose verifies with public keys only"
    if isinstance(public, RsaPublic):
        if public.n.bit_length() < _LEAST_RSA_BITS:
            return f"a {public.n.bit_length()}-bit RSA key: fewer than {_LEAST_RSA_BITS} bits are refused"
        if public.n % 2 == 0:
            return "an RSA key with an even modulus, which crypto/rsa refuses"
        try:
            check_exponent(public.e)
        except JoseError as error:
            return str(error)
        return None
    if isinstance(public, EcPublic):
        return None
    return "EdDSA is not accepted" if isinstance(public, EdPublic) else "a symmetric key: HS256-512 are not accepted"
