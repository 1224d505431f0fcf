"""Certificates as Go reads them: the few fields that decide, out of DER.

A whole X.509 library costs 36 ms of import at full CPU and 300 ms at a small Lambda's; the probe needs a
dozen fields a minute. `parse` walks the DER of RFC 5280 section 4.1 and raises `CertificateError` with
Go's text where Go's parser (crypto/x509/parser.go) refuses.
"""

import hashlib
import re
import string
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from egressprobe.golang.x509.der import (
    BIT_STRING,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    CertificateError,
    Element,
    elements,
    first_oid,
    oid_text,
    only,
)
from egressprobe.golang.x509.extensions import Extensions, read

_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_UTF8_STRING, _NUMERIC_STRING, _PRINTABLE_STRING = 0x0C, 0x12, 0x13
_T61_STRING, _IA5_STRING, _BMP_STRING = 0x14, 0x16, 0x1E
_ASCII = frozenset(map(chr, range(0x80)))
_NUMERIC = frozenset(string.digits + " ")
# crypto/x509/parser.go isPrintable: with '*' and '&', which are not in X.680 but in the field
_PRINTABLE = frozenset(string.ascii_letters + string.digits + " '()+,-./:=?*&")
_NULL = 0x05
RSA_ENCRYPTION, EC_PUBLIC_KEY, ED25519 = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1", "1.3.101.112"
# P-224, P-256, P-384, P-521 (crypto/x509/x509.go namedCurveFromOID)
_CURVES = frozenset({"1.3.132.0.33", "1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"})
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


class Certificate(msgspec.Struct, frozen=True):
    """The fields of one certificate that decide. Times are UTC; `tbs`, names and keys are raw DER."""

    der: bytes
    tbs: bytes
    version: int
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    public_key: bytes
    key_algorithm: str
    rsa_bits: int | None
    extensions: Extensions
    signature_algorithm: str
    signature: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.der).hexdigest()

    @property
    def common_name(self) -> str:
        """The last CN of the subject, as pkix.Name.FillFromRDNSequence keeps it; empty without one."""
        names = [value for key, value in attributes(self.subject) if key == "CN"]
        return names[-1] if names else ""

    @property
    def hint_name(self) -> str:
        """How UnknownAuthorityError names a candidate: CN, else the first organization, else the serial number."""
        organizations = [value for key, value in attributes(self.subject) if key == "O"]
        return self.common_name or (organizations[0] if organizations else f"serial:{self.serial}")


_UTC = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})")
_GENERALIZED = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(Z|[+-]\d{4})")


def _time(tag: int, text: bytes) -> datetime:
    """A date as cryptobyte reads it: UTCTime also without seconds, both also with an offset, but not one of zero."""
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise CertificateError("x509: unsupported time format")
    short = tag == _UTC_TIME
    error = f"x509: malformed {'UTCTime' if short else 'GeneralizedTime'}"
    match = (_UTC if short else _GENERALIZED).fullmatch(text)
    if match is None or match[7][1:] == b"0000":
        raise CertificateError(error)
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if short:  # RFC 5280 section 4.1.2.5.1: 50..99 is 19xx
        year += 1900 if year >= 50 else 2000
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return at - _offset(match[7])
    except (ValueError, OverflowError) as error_of_ours:
        raise CertificateError(error) from error_of_ours


def _offset(zone: bytes) -> timedelta:
    if zone == b"Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[3:5])
    if hours > 24 or minutes > 59:
        raise ValueError("no such zone")
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[:1] == b"-" else 1)


def attributes(name: bytes) -> list[tuple[str, str]]:
    """The attributes of a Name as (short key or OID, text), in the order of the certificate."""
    found = []
    for rdn in elements(only(name, SEQUENCE, "issuer or subject"), "RDNSequence"):
        for attribute in elements(rdn.body, "RDNSequence"):
            parts = elements(attribute.body, "RDNSequence attribute")
            if len(parts) != 2:
                raise CertificateError("x509: invalid RDNSequence: invalid attribute")
            oid, (_, value) = oid_text(parts[0].body), parts
            found.append((_ATTRIBUTES.get(oid, oid), _string(value)))
    return found


def _string(value: Element) -> str:
    """parseASN1String: the string types Go knows, and what each may hold."""
    try:
        if value.tag in (_T61_STRING, _BMP_STRING):
            return value.body.decode("latin-1" if value.tag == _T61_STRING else "utf-16-be")
        text = value.body.decode("utf-8")
    except UnicodeDecodeError:
        raise CertificateError("x509: invalid RDNSequence: invalid attribute value: invalid UTF-8 string") from None
    allowed = {_UTF8_STRING: None, _IA5_STRING: _ASCII, _PRINTABLE_STRING: _PRINTABLE, _NUMERIC_STRING: _NUMERIC}
    if value.tag not in allowed:
        raise CertificateError(
            f"x509: invalid RDNSequence: invalid attribute value: unsupported string type: {value.tag}"
        )
    characters = allowed[value.tag]
    if characters is not None and not characters.issuperset(text):
        kind = {_IA5_STRING: "IA5String", _PRINTABLE_STRING: "PrintableString"}.get(value.tag, "NumericString")
        raise CertificateError(f"x509: invalid RDNSequence: invalid attribute value: invalid {kind}")
    return text


def name_text(name: bytes) -> str:
    """A Name in the form of RFC 2253: last attribute first, as Go and openssl print it."""
    return ",".join(f"{key}={value}" for key, value in reversed(attributes(name)))


@lru_cache(maxsize=512)  # the same chains come minute after minute, and each is read for several reasons
def parse(der: bytes) -> Certificate:
    """Read one DER certificate. Raises CertificateError with Go's text."""
    outer = elements(only(der, SEQUENCE, "certificate"))
    if len(outer) != 3 or outer[0].tag != SEQUENCE or outer[2].tag != BIT_STRING:
        raise CertificateError("x509: malformed tbs certificate")
    fields = elements(outer[0].body, "tbs certificate")
    version = 1
    if fields and fields[0].tag == _VERSION:
        version = int.from_bytes(only(fields[0].body, INTEGER, "version")) + 1
        fields = fields[1:]
    if len(fields) < 6 or fields[0].tag != INTEGER or not fields[0].body:
        raise CertificateError("x509: malformed serial number")
    if not 1 <= version <= 3:
        raise CertificateError("x509: invalid version")
    serial, algorithm, issuer, validity, subject, key, *rest = fields
    if serial.body[0] & 0x80:  # parser.go: "we do not reject negative serials in CSRs, but here we do"
        raise CertificateError("x509: negative serial number")
    if algorithm.raw != outer[1].raw:
        raise CertificateError("x509: inner and outer signature algorithm identifiers don't match")
    dates = [_time(one.tag, one.body) for one in elements(validity.body, "validity")]
    if len(dates) != 2:
        raise CertificateError("x509: malformed validity")
    attributes(issuer.raw), attributes(subject.raw)
    kind, bits = _public_key(key.body)
    return Certificate(
        der=der,
        tbs=outer[0].raw,
        version=version,
        serial=int.from_bytes(serial.body),
        issuer=issuer.raw,
        subject=subject.raw,
        not_before=dates[0],
        not_after=dates[1],
        public_key=key.raw,
        key_algorithm=kind,
        rsa_bits=bits,
        extensions=read(_listed(rest) if version == 3 else {}),
        signature_algorithm=first_oid(algorithm.body),
        signature=outer[2].body[1:],
    )


def _public_key(body: bytes) -> tuple[str, int | None]:
    """The algorithm of a SubjectPublicKeyInfo, and the bits of an RSA modulus (RFC 8017 appendix A.1.1)."""
    parts = elements(body, "spki")
    if len(parts) != 2 or parts[1].tag != BIT_STRING or not parts[1].body:
        raise CertificateError("x509: malformed spki")
    algorithm = first_oid(parts[0].body)
    if algorithm == EC_PUBLIC_KEY:
        curve = elements(parts[0].body, "spki")[1:]
        if not curve or curve[0].tag != OID or oid_text(curve[0].body) not in _CURVES:
            raise CertificateError("x509: unsupported elliptic curve")
    if algorithm != RSA_ENCRYPTION:
        return algorithm, None
    if elements(parts[0].body, "spki")[-1].tag != _NULL:
        raise CertificateError("x509: RSA key missing NULL parameters")
    numbers = elements(only(parts[1].body[1:], SEQUENCE, "RSA public key"), "RSA public key")
    if len(numbers) < 2 or numbers[0].tag != INTEGER:
        raise CertificateError("x509: invalid RSA modulus")
    if numbers[1].tag != INTEGER or int.from_bytes(numbers[1].body, signed=True) <= 0:
        raise CertificateError("x509: RSA public exponent is not a positive number")
    modulus = int.from_bytes(numbers[0].body, signed=True)
    if modulus <= 0:
        raise CertificateError("x509: RSA modulus is not a positive number")
    return algorithm, modulus.bit_length()


def _listed(fields: list[Element]) -> dict[str, tuple[bool, bytes]]:
    """The extensions field as OID -> (critical, value)."""
    found: dict[str, tuple[bool, bytes]] = {}
    for field in fields:
        if field.tag != _EXTENSIONS:
            continue
        for item in elements(only(field.body, SEQUENCE, "extensions"), "extension"):
            parts = elements(item.body, "extension")
            if not 2 <= len(parts) <= 3 or parts[0].tag != OID or parts[-1].tag != OCTET_STRING:
                raise CertificateError("x509: malformed extension")
            oid, *middle, value = parts
            name = oid_text(oid.body)
            if name in found:
                raise CertificateError(f'x509: certificate contains duplicate extension with OID "{name}"')
            found[name] = (bool(middle) and middle[0].body == b"\xff", value.body)
    return found


def validity_error(certificate: Certificate, now: datetime) -> str | None:
    """Go's text when `now` is outside the certificate's validity, else None."""
    if certificate.not_before <= now <= certificate.not_after:
        return None
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    prefix = "x509: certificate has expired or is not yet valid: current time"
    if now < certificate.not_before:
        return f"{prefix} {stamp} is before {certificate.not_before:%Y-%m-%dT%H:%M:%SZ}"
    return f"{prefix} {stamp} is after {certificate.not_after:%Y-%m-%dT%H:%M:%SZ}"
