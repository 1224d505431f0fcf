"""Certificates of any shape, right or wrong: DER written by hand, signed by a real library.

Libraries refuse to make what servers in the field present (negative serials, v1 leaves, odd key usage), so
the structure of RFC 5280 section 4.1 is spelled out here.
"""

import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

SERVER, CLIENT, ANY = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"
_ALGORITHMS = {
    ("rsa", "sha256"): "1.2.840.113549.1.1.11",
    ("rsa", "sha1"): "1.2.840.113549.1.1.5",
    ("ec", "sha256"): "1.2.840.10045.4.3.2",
    ("ed25519", "sha256"): "1.3.101.112",
}
_HASHES = {"sha256": hashes.SHA256, "sha1": hashes.SHA1}
type Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    out = bytes((first * 40 + second,))
    for arc in rest:
        group = [arc & 0x7F]
        while arc := arc >> 7:
            group.append(0x80 | arc & 0x7F)
        out += bytes(reversed(group))
    return tlv(0x06, out)


def name(common_name: str) -> bytes:
    return seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, common_name.encode())))) if common_name else seq()


def _time(moment: datetime) -> bytes:
    """RFC 5280 section 4.1.2.5: UTCTime through 2049."""
    if moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    return seq(oid(dotted), *((tlv(0x01, b"\xff"),) if critical else ()), tlv(0x04, value))


def alt_names(*, dns: Sequence[str] = (), ips: Sequence[bytes] = (), uris: Sequence[str] = ()) -> bytes:
    parts = [tlv(0x82, n.encode()) for n in dns] + [tlv(0x86, u.encode()) for u in uris] + [tlv(0x87, i) for i in ips]
    return extension("2.5.29.17", seq(*parts))


def basic_constraints(*, ca: bool, critical: bool = True) -> bytes:
    return extension("2.5.29.19", seq(*((tlv(0x01, b"\xff"),) if ca else ())), critical=critical)


def key_usage(bits: int, unused: int) -> bytes:
    return extension("2.5.29.15", tlv(0x03, bytes((unused, bits))), critical=True)


def extended_key_usage(*usages: str) -> bytes:
    return extension("2.5.29.37", seq(*map(oid, usages)))


CERT_SIGN = key_usage(0x04, 2)


def make_key(kind: str = "ec") -> Key:
    """`ec`, `ed25519`, or `rsa` with its bits: rsa2048, rsa768."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    bits = int(kind.removeprefix("rsa"))
    if bits >= 1024:
        return rsa.generate_private_key(65537, bits)
    made = subprocess.run(["openssl", "genrsa", str(bits)], capture_output=True, check=True)
    key = serialization.load_pem_private_key(made.stdout, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


class Made(NamedTuple):
    """A certificate, its key, and its subject's DER."""

    der: bytes
    key: Key
    subject: bytes

    @property
    def pem(self) -> str:
        import base64

        return "-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(self.der).decode() + "-----END CERTIFICATE-----\n"

    @property
    def key_pem(self) -> str:
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self.key.private_bytes(*form).decode()


def _kind(key: Key) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "rsa"
    return "ec" if isinstance(key, ec.EllipticCurvePrivateKey) else "ed25519"


def _sign(key: Key, data: bytes, digest: str) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), _HASHES[digest]())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(_HASHES[digest](), deterministic_signing=True))  # RFC 6979
    return key.sign(data)


def make(
    subject: str = "",
    *,
    by: Made | None = None,
    key: Key | None = None,
    extensions: Sequence[bytes] = (),
    version: int = 3,
    serial: int = 4711,
    begins: timedelta = timedelta(days=-30),
    ends: timedelta = timedelta(days=300),
    digest: str = "sha256",
    fields: Mapping[str, bytes] | None = None,
    at: datetime | None = None,
) -> Made:
    """One certificate, signed by `by` or by itself. The same key, time and fields make the same bytes.

    at: the time that `begins` and `ends` are relative to; None: now.
    fields: DER to take instead of the usual: version, serial, validity, public_key, after_extensions (in the TBS),
    after_signature (in the certificate), unused (of the signature's BIT STRING).
    """
    given = fields or {}
    key = key or make_key()
    signer = by.key if by else key
    kind = _kind(signer)
    algorithm = seq(oid(_ALGORITHMS[kind, digest]), *((tlv(0x05),) if kind == "rsa" else ()))
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    now = at or datetime.now(UTC)
    tbs = seq(
        given.get("version", tlv(0xA0, integer(version - 1)) if version > 1 else b""),
        given.get("serial", integer(serial)),
        algorithm,
        by.subject if by else name(subject),
        given.get("validity", seq(_time(now + begins), _time(now + ends))),
        name(subject),
        given.get("public_key", key.public_key().public_bytes(*form)),
        *((tlv(0xA3, seq(*extensions)),) if extensions else ()),
        given.get("after_extensions", b""),
    )
    signature = tlv(0x03, given.get("unused", b"\0"), _sign(signer, tbs, digest))
    return Made(seq(tbs, algorithm, signature, given.get("after_signature", b"")), key, name(subject))


def make_ca(common_name: str, **options: object) -> Made:
    """A root as tools make them: CA:TRUE, keyCertSign."""
    return make(common_name, extensions=(basic_constraints(ca=True), CERT_SIGN), **options)
