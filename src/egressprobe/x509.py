"""Certificates as Go reads them: the few fields that decide, out of DER.

A whole X.509 library costs 36 ms of import at full CPU and 300 ms at a small Lambda's; the probe needs a
dozen fields a minute. `parse` walks the DER of RFC 5280 section 4.1 and raises `CertificateError` with
Go's text where Go's parser (crypto/x509/parser.go) refuses; signatures are OpenSSL's business.

"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address

import msgspec

_INTEGER, _BIT_STRING, _OID, _SEQUENCE, _UTC_TIME, _GENERALIZED_TIME = 0x02, 0x03, 0x06, 0x30, 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_BMP_STRING, _T61_STRING = 0x1E, 0x14
_SAN_EMAIL, _SAN_DNS, _SAN_URI, _SAN_IP = 0x81, 0x82, 0x86, 0x87

SUBJECT_ALT_NAME = "2.5.29.17"
_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"

# crypto/x509/pkix/pkix.go attributeTypeNames
_ATTRIBUTES = {
    "2.5.4.6": "C",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.3": "CN",
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.17": "POSTALCODE",
}


class CertificateError(ValueError):
    """A certificate that Go's parser refuses; the text is Go's."""


class Certificate(msgspec.Struct, frozen=True):
    """The fields of one certificate that decide. Times are UTC."""

    der: bytes
    version: int
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    other_names: tuple[str, ...]
    extensions: dict[str, tuple[bool, bytes]]
    signature_algorithm: str
    rsa_bits: int | None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.der).hexdigest()

    @property
    def common_name(self) -> str:
        """The last CN of the subject, as pkix.Name.FillFromRDNSequence keeps it; empty without one."""
        return _common_name(self.subject)

    @property
    def issuer_common_name(self) -> str:
        """The last CN of the issuer; empty without one."""
        return _common_name(self.issuer)


def _common_name(name: bytes) -> str:
    names = [value for key, value in attributes(name) if key == "CN"]
    return names[-1] if names else ""


def _element(der: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the element at `at`."""
    if at + 2 > end:
        raise CertificateError("x509: malformed certificate")
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or start + size > end:
            raise CertificateError("x509: malformed certificate")
        length, start = int.from_bytes(der[start : start + size]), start + size
    if start + length > end:
        raise CertificateError("x509: malformed certificate")
    return tag, start, start + length


def _elements(der: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    while start < end:
        tag, inner, after = _element(der, start, end)
        yield tag, inner, after
        start = after


def _expect(item: tuple[int, int, int], tag: int, what: str) -> tuple[int, int]:
    if item[0] != tag:
        raise CertificateError(f"x509: malformed {what}")
    return item[1], item[2]


def _oid(der: bytes) -> str:
    if not der:
        raise CertificateError("x509: malformed OID field")
    arcs, value = [], 0
    for byte in der:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2) if arcs else 0
    return ".".join(str(n) for n in (first, arcs[0] - 40 * first, *arcs[1:])) if arcs else ""


def _time(tag: int, text: bytes) -> datetime:
    digits = text.removesuffix(b"Z")
    if tag == _UTC_TIME:  # RFC 5280 section 4.1.2.5.1: 50..99 is 19xx
        digits = (b"19" if digits[:2] >= b"50" else b"20") + digits
    elif tag != _GENERALIZED_TIME:
        raise CertificateError("x509: unsupported time format")
    if len(digits) != 14 or not digits.isdigit() or not text.endswith(b"Z"):
        raise CertificateError("x509: malformed validity")
    month, day, hour, minute, second = (int(digits[i : i + 2]) for i in range(4, 14, 2))
    try:
        return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise CertificateError("x509: malformed validity") from error


def attributes(name: bytes) -> list[tuple[str, str]]:
    """The attributes of a Name as (short key or OID, text), in the order of the certificate."""
    found = []
    for _, rdn_start, rdn_end in _elements(name, *_element(name, 0, len(name))[1:]):
        for _, start, end in _elements(name, rdn_start, rdn_end):
            (_, oid_start, oid_end), (tag, value_start, value_end), *_ = _elements(name, start, end)
            oid, raw = _oid(name[oid_start:oid_end]), name[value_start:value_end]
            if tag == _BMP_STRING:
                text = raw.decode("utf-16-be", "replace")
            else:
                text = raw.decode("latin-1" if tag == _T61_STRING else "utf-8", "replace")
            found.append((_ATTRIBUTES.get(oid, oid), text))
    return found


def name_text(name: bytes) -> str:
    """A Name in the form of RFC 2253: last attribute first, as Go and openssl print it."""
    return ",".join(f"{key}={value}" for key, value in reversed(attributes(name)))


def _alt_names(der: bytes) -> tuple[list[str], list[str], list[str]]:
    dns: list[str] = []
    ips: list[str] = []
    others: list[str] = []
    for tag, start, end in _elements(der, *_element(der, 0, len(der))[1:]):
        raw = der[start:end]
        if tag in (_SAN_DNS, _SAN_URI, _SAN_EMAIL):
            if not raw.isascii():
                raise CertificateError("x509: SAN dNSName is malformed")
            (dns if tag == _SAN_DNS else others).append(raw.decode())
        elif tag == _SAN_IP:
            if len(raw) not in (4, 16):
                raise CertificateError(
                    f"x509: cannot parse IP address of length {len(raw)}"
                )  # parser.go parseSANExtension
            address = ip_address(raw)
            ips.append(str(getattr(address, "ipv4_mapped", None) or address))
    return dns, ips, others


@lru_cache(maxsize=512)  # the same chains come minute after minute, and each is read for several reasons
def parse(der: bytes) -> Certificate:
    """Read one DER certificate. Raises CertificateError with Go's text."""
    outer = _expect(_element(der, 0, len(der)), _SEQUENCE, "certificate")
    tbs = _expect(_element(der, *outer), _SEQUENCE, "tbs certificate")
    fields = list(_elements(der, *tbs))
    version = 1
    if fields and fields[0][0] == _VERSION:
        _, start, end = _element(der, fields[0][1], fields[0][2])
        version = int.from_bytes(der[start:end]) + 1
        fields = fields[1:]
    if len(fields) < 6:
        raise CertificateError("x509: malformed tbs certificate")
    start, end = _expect(fields[0], _INTEGER, "serial number")
    if start == end:
        raise CertificateError("x509: malformed serial number")
    if der[start] & 0x80:  # parser.go: "we do not reject negative serials in CSRs, but here we do"
        raise CertificateError("x509: negative serial number")
    validity = [_time(tag, der[a:b]) for tag, a, b in _elements(der, fields[3][1], fields[3][2])]
    if len(validity) != 2:
        raise CertificateError("x509: malformed validity")
    extensions = _extensions(der, fields)
    dns, ips, others = _alt_names(extensions.get(SUBJECT_ALT_NAME, (False, b"\x30\x00"))[1])
    return Certificate(
        der=der,
        version=version,
        serial=int.from_bytes(der[start:end]),
        issuer=_whole(der, fields[2]),
        subject=_whole(der, fields[4]),
        not_before=validity[0],
        not_after=validity[1],
        dns_names=tuple(dns),
        ip_addresses=tuple(ips),
        other_names=tuple(others),
        extensions=extensions,
        signature_algorithm=_algorithm(der, fields[1]),
        rsa_bits=_rsa_bits(der, fields[5]),
    )


def _algorithm(der: bytes, field: tuple[int, int, int]) -> str:
    _, start, end = _element(der, field[1], field[2])
    return _oid(der[start:end])


def _rsa_bits(der: bytes, key: tuple[int, int, int]) -> int | None:
    """Bits of the modulus of an RSA SubjectPublicKeyInfo (RFC 8017 appendix A.1.1); None for other keys."""
    (algorithm, bits) = list(_elements(der, key[1], key[2]))[:2]
    if _algorithm(der, algorithm) != _RSA_ENCRYPTION:
        return None
    _, start, end = _element(der, *_element(der, bits[1] + 1, bits[2])[1:])
    return int.from_bytes(der[start:end]).bit_length()


def _whole(der: bytes, field: tuple[int, int, int]) -> bytes:
    """A Name element with its header, rebuilt in the definite form it must have had."""
    body = der[field[1] : field[2]]
    size = len(body)
    if size < 0x80:
        return bytes((field[0], size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((field[0], 0x80 | len(length))) + length + body


def _extensions(der: bytes, fields: list[tuple[int, int, int]]) -> dict[str, tuple[bool, bytes]]:
    found: dict[str, tuple[bool, bytes]] = {}
    for tag, start, end in fields[6:]:
        if tag != _EXTENSIONS:
            continue
        for item in _elements(der, *_expect(_element(der, start, end), _SEQUENCE, "extensions")):
            parts = list(_elements(der, *_expect(item, _SEQUENCE, "extension")))
            if len(parts) < 2:
                raise CertificateError("x509: malformed extension")
            oid = _oid(der[parts[0][1] : parts[0][2]])
            if oid in found:
                raise CertificateError("x509: certificate contains duplicate extensions")
            critical = len(parts) == 3 and der[parts[1][1] : parts[1][2]] == b"\xff"
            found[oid] = (critical, der[parts[-1][1] : parts[-1][2]])
    return found


def validity_error(certificate: Certificate, now: datetime) -> str | None:
    """Go's text when `now` is outside the certificate's validity, else None."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    prefix = "x509: certificate has expired or is not yet valid: current time"
    if now < certificate.not_before:
        return f"{prefix} {stamp} is before {certificate.not_before:%Y-%m-%dT%H:%M:%SZ}"
    if now > certificate.not_after:
        return f"{prefix} {stamp} is after {certificate.not_after:%Y-%m-%dT%H:%M:%SZ}"
    return None
