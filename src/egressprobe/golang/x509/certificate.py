"""Certificates as Go reads them: the few fields that decide, out of DER.

A whole X.509 library costs 36 ms of import at full CPU and 300 ms at a small Lambda's; the probe needs a
dozen fields a minute. `parse` reads the DER of RFC 5280 section 4.1 and raises `CertificateError` with
Go's text where Go's parser (crypto/x509/parser.go parseCertificate) refuses. It takes what Go takes: what follows
the last field of a sequence is ignored, but not what follows the certificate.
"""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec

from egressprobe.error_texts.tls import DATES
from egressprobe.golang.byte_cache import ByteCache
from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease
from egressprobe.golang.x509.der import SEQUENCE, CertificateError, Reader
from egressprobe.golang.x509.distinguished_name import attributes, name_text
from egressprobe.golang.x509.extensions import Extensions, read_extensions
from egressprobe.golang.x509.public_keys import (
    PublicKey,
    SignatureAlgorithm,
    algorithm_identifier,
    read_public_key,
    read_signature_algorithm,
)

__all__ = ["Certificate", "CertificateError", "attributes", "name_text", "parse", "validity_error"]

_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3


class Certificate(msgspec.Struct, frozen=True):
    """The fields of one certificate that decide. `tbs`, names and `public_key` are raw DER.

    not_before, not_after: UTC; a year before 1 or after 9999 is the nearest that Python has. dates: both as Go prints
    them, with the offset of the certificate. digest: SHA-256 of `der`.
    """

    der: bytes
    tbs: bytes
    version: int
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    dates: tuple[str, str]
    public_key: bytes
    key: PublicKey
    extensions: Extensions
    signature_algorithm: SignatureAlgorithm | None
    signature: bytes
    digest: bytes

    @property
    def sha256(self) -> str:
        return self.digest.hex()

    @property
    def common_name(self) -> str:
        """The last CN of the subject, as pkix.Name.FillFromRDNSequence keeps it; empty without one."""
        names = [value for key, value in attributes(self.subject) if key == "CN"]
        return names[-1] if names else ""

    @property
    def hint_name(self) -> str:
        """How UnknownAuthorityError names a candidate: CN, else the first organization, else the serial number."""
        organizations = [value for key, value in attributes(self.subject) if key == "O"]
        return self.common_name or (organizations[0] if organizations else f"serial:{_decimal(self.serial)}")


def _decimal(number: int) -> str:
    """A serial number of any length: Python refuses more than 4,300 digits, which no person reads either."""
    return str(number) if number.bit_length() < 4096 else f"{number:#x}"


_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _read_time(validity: Reader) -> tuple[datetime, str]:
    """The next date (readASN1Time), in UTC and as Go prints it (time.RFC3339).

    UTCTime also without seconds, both also with an offset, but not one of zero (cryptobyte ReadASN1UTCTime).
    """
    short = validity.peek(_UTC_TIME)
    if not short and not validity.peek(_GENERALIZED_TIME):
        raise CertificateError("x509: unsupported time format")
    error = CertificateError(f"x509: malformed {'UTCTime' if short else 'GeneralizedTime'}")
    text = validity.any(str(error).removeprefix("x509: ")).body
    digits, zone = (text[:-1], "Z") if text[-1:] == b"Z" else (text[:-5], text[-5:].decode("latin-1"))
    if not digits.isdigit() or len(digits) not in ((10, 12) if short else (14,)):
        raise error
    width = 2 if short else 4
    year = int(digits[:width])
    month, day, hour, minute, *seconds = (int(digits[at : at + 2]) for at in range(width, len(digits), 2))
    second = seconds[0] if seconds else 0
    if short:  # RFC 5280 section 4.1.2.5.1: 50..99 is 19xx
        year += 1900 if year >= 50 else 2000
    leap = month == 2 and day == 29 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] + leap or hour > 23 or minute > 59 or second > 59:
        raise error
    offset = timedelta()
    if zone != "Z":
        if zone[0] not in "+-" or not zone[1:].isdecimal() or zone[1:] == "0000":
            raise error
        hours, minutes = int(zone[1:3]), int(zone[3:])
        if hours > 24 or minutes > 59:
            raise error
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
        zone = f"{zone[:3]}:{zone[3:]}"
    shown = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{zone}"
    if year == 0:
        return _FIRST, shown
    local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    try:
        return local - offset, shown
    except OverflowError:
        return (_FIRST if offset > timedelta() else _LAST), shown


# Read certificates and what was refused. Bytes of DER; a certificate read takes up to thirty times its size.
_READ: ByteCache[Certificate | CertificateError] = ByteCache(512 * 1024)


def parse(der: bytes, release: GoRelease = DEFAULT_RELEASE) -> Certificate:
    """Read one DER certificate. Raises CertificateError with Go's text.

    The same chains come minute after minute, and each is read for several reasons: results are kept, refusals too.
    """
    digest = hashlib.sha256(der).digest()
    result = _READ.get((digest, release), lambda: _result(der, digest, release), len(der))
    if isinstance(result, CertificateError):
        raise CertificateError(*result.args)
    return result


def _result(der: bytes, digest: bytes, release: GoRelease) -> Certificate | CertificateError:
    try:
        return _parse(der, digest, release)
    except CertificateError as error:
        return error.with_traceback(None)


def _parse(der: bytes, digest: bytes, release: GoRelease) -> Certificate:
    whole = Reader(der, "malformed certificate")
    outer = whole.into(SEQUENCE)
    tbs = outer.element(SEQUENCE, "malformed tbs certificate")
    fields = Reader(tbs.body, "")
    version = _version(fields)
    serial = fields.big_integer(error="malformed serial number")
    if serial < 0 and release >= GoRelease.V1_23:  # GODEBUG x509negativeserial
        raise CertificateError("x509: negative serial number")
    algorithm = fields.take(SEQUENCE, "malformed signature algorithm identifier")
    if outer.take(SEQUENCE, "malformed algorithm identifier") != algorithm:
        raise CertificateError("x509: inner and outer signature algorithm identifiers don't match")
    signature_algorithm = read_signature_algorithm(*algorithm_identifier(algorithm), release)
    issuer = fields.element(SEQUENCE, "malformed issuer").raw
    attributes(issuer, release)
    validity = fields.into(SEQUENCE, "malformed validity")
    (not_before, begins), (not_after, ends) = _read_time(validity), _read_time(validity)
    subject = fields.element(SEQUENCE, "malformed issuer").raw  # Go's word for the subject as well
    if subject != issuer:
        attributes(subject, release)
    public_key = fields.element(SEQUENCE, "malformed spki")
    key = _key(public_key.body, release)
    extensions = read_extensions(_listed(fields, version), release)
    signature = outer.aligned_bits("malformed signature")
    if not whole.empty:
        raise CertificateError("x509: trailing data")
    return Certificate(
        der=der,
        tbs=tbs.raw,
        version=version,
        serial=serial,
        issuer=issuer,
        subject=subject,
        not_before=not_before,
        not_after=not_after,
        dates=(begins, ends),
        public_key=public_key.raw,
        key=key,
        extensions=extensions,
        signature_algorithm=signature_algorithm,
        signature=signature,
        digest=digest,
    )


def _version(fields: Reader) -> int:
    """1 to 3."""
    version = 1
    if fields.peek(_VERSION):
        inner = fields.into(_VERSION, "malformed version")
        version = inner.integer() + 1
        if not inner.empty or version < 1:
            raise CertificateError("x509: malformed version")
    if version > 3:
        raise CertificateError("x509: invalid version")
    return version


def _key(body: bytes, release: GoRelease) -> PublicKey:
    """A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7)."""
    reader = Reader(body, "malformed subjectPublicKey")
    oid, parameters = algorithm_identifier(reader.take(SEQUENCE, "malformed public key algorithm identifier"))
    return read_public_key(oid, parameters, reader.aligned_bits(), release)


def _listed(fields: Reader, version: int) -> dict[str, tuple[bool, bytes]]:
    """The extensions field as OID -> (critical, value). Only version 3 has one, version 2 unique identifiers."""
    listed: dict[str, tuple[bool, bytes]] = {}
    if version > 1:
        for tag, what in ((_ISSUER_ID, "issuerUniqueID"), (_SUBJECT_ID, "subjectUniqueID")):
            if fields.peek(tag):
                fields.any(f"malformed {what}")
    if version < 3 or not fields.peek(_EXTENSIONS):
        return listed
    sequence = fields.into(_EXTENSIONS, "malformed extensions").into(SEQUENCE)
    while not sequence.empty:
        extension = sequence.into(SEQUENCE, "malformed extension")
        oid = extension.oid("malformed extension OID field")
        critical = extension.peek(0x01) and extension.boolean("malformed extension critical field")
        value = extension.take(0x04, "malformed extension value field")
        if oid in listed:
            raise CertificateError(f'x509: certificate contains duplicate extension with OID "{oid}"')
        listed[oid] = (critical, value)
    return listed


def validity_error(certificate: Certificate, now: datetime) -> str | None:
    """Go's text when `now` is outside the certificate's validity, else None."""
    if certificate.not_before <= now <= certificate.not_after:
        return None
    limit = f"before {certificate.dates[0]}" if now < certificate.not_before else f"after {certificate.dates[1]}"
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return DATES.of(now=stamp, limit=limit)
