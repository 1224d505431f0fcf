"""Certificate extensions as crypto/x509/parser.go processExtensions reads them: kept, refused, or left unhandled."""

from collections.abc import Callable
from typing import Any

import msgspec

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.der import (
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    CertificateError,
    Reader,
    minimal_oid,
)
from egressprobe.golang.x509.names import (
    DNS_NAME,
    IP_ADDRESS,
    URI_TAG,
    Constraints,
    Name,
    alternative_names,
    name_constraints,
)

SUBJECT_ALT_NAME = "2.5.29.17"
_SUBJECT_KEY_ID, _KEY_USAGE, _BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.19"
_NAME_CONSTRAINTS, _AUTHORITY_KEY_ID, _EXTENDED_KEY_USAGE = "2.5.29.30", "2.5.29.35", "2.5.29.37"
_AUTHORITY_INFO, _CA_ISSUERS = "1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.48.2"
_CRL_POINTS, _POLICIES, _POLICY_MAPPINGS = "2.5.29.31", "2.5.29.32", "2.5.29.33"
_POLICY_CONSTRAINTS, _INHIBIT_ANY = "2.5.29.36", "2.5.29.54"
CERT_SIGN = 1 << 5  # keyUsage bit 5, as crypto/x509.KeyUsageCertSign


class Extensions(msgspec.Struct, frozen=True):
    """What decides. key_usage: bits, 0 without the extension. path_length: -1 unbounded.

    names: every alternative name in the order of the certificate. constrains: there is a nameConstraints extension, of
    whatever kinds of names; then all names below must be readable. policies, policy_mappings: the bytes of OIDs.
    issuer_urls: where authority information access says the issuer's certificate is.
    """

    san: bytes | None = None
    names: tuple[Name, ...] = ()
    basic_constraints: bool = False
    is_ca: bool = False
    path_length: int = -1
    key_usage: int = 0
    usages: tuple[str, ...] = ()
    subject_key_id: bytes = b""
    authority_key_id: bytes = b""
    constrains: bool = False
    permitted: Constraints = Constraints()
    excluded: Constraints = Constraints()
    policies: tuple[bytes, ...] = ()
    policy_mappings: tuple[tuple[bytes, bytes], ...] = ()
    require_explicit: int | None = None
    inhibit_mapping: int | None = None
    inhibit_any: int | None = None
    issuer_urls: tuple[str, ...] = ()
    unhandled: bool = False

    @property
    def dns_names(self) -> tuple[str, ...]:
        return tuple(name.text for name in self.names if name.kind == DNS_NAME)

    @property
    def ip_addresses(self) -> tuple[str, ...]:
        """In their shortest form, an IPv4-mapped address as IPv4."""
        return tuple(name.text for name in self.names if name.kind == IP_ADDRESS)


def read_extensions(listed: dict[str, tuple[bool, bytes]], release: GoRelease) -> Extensions:
    """All extensions of one certificate, OID -> (critical, value). Raises CertificateError with Go's text."""
    fields: dict[str, Any] = {}
    unhandled = False
    for oid, (critical, value) in listed.items():
        if oid in _NEVER_CRITICAL and critical:
            raise CertificateError(f"x509: {_NEVER_CRITICAL[oid]} incorrectly marked critical")
        if oid == SUBJECT_ALT_NAME:
            names = alternative_names(value, release)
            fields |= {"names": names, "san": value}
            unhandled |= critical and not names
        elif oid == _NAME_CONSTRAINTS:
            permitted, excluded, unknown = name_constraints(value, release)
            fields |= {"constrains": True, "permitted": permitted, "excluded": excluded}
            unhandled |= critical and unknown
        elif oid in _READERS and (release >= GoRelease.V1_24 or oid not in _SINCE_1_24):
            fields |= _READERS[oid](value, release)
        else:
            unhandled |= critical
    return Extensions(**fields, unhandled=unhandled)


def _basic_constraints(value: bytes, release: GoRelease) -> dict[str, Any]:
    """A negative path length is refused since Go 1.25, and none before."""
    inner = Reader(value, "invalid basic constraints").into(SEQUENCE)
    is_ca = inner.peek(BOOLEAN) and inner.boolean()
    length = -1
    if inner.peek(INTEGER):
        length = inner.integer()
        if length < 0 and release >= GoRelease.V1_25:
            raise inner.fail()
    return {"basic_constraints": True, "is_ca": is_ca, "path_length": length}


def _key_usage(value: bytes, _: GoRelease) -> dict[str, Any]:
    """The bits, first bit lowest; none set is as if the extension were not there."""
    data = Reader(value, "invalid key usage").bit_string()[0]
    bits = "".join(f"{byte:08b}" for byte in data[:2])
    return {"key_usage": sum(1 << i for i, bit in enumerate(bits[:9]) if bit == "1")}


def _usages(value: bytes, _: GoRelease) -> dict[str, Any]:
    inner = Reader(value, "invalid extended key usages").into(SEQUENCE)
    usages = []
    while not inner.empty:
        usages.append(inner.oid())
    return {"usages": tuple(usages)}


def _subject_key_id(value: bytes, _: GoRelease) -> dict[str, Any]:
    return {"subject_key_id": Reader(value, "invalid subject key identifier").take(OCTET_STRING)}


def _authority_key_id(value: bytes, _: GoRelease) -> dict[str, Any]:
    inner = Reader(value, "invalid authority key identifier").into(SEQUENCE)
    return {"authority_key_id": inner.take(0x80) if inner.peek(0x80) else b""}


def _authority_info(value: bytes, _: GoRelease) -> dict[str, Any]:
    inner = Reader(value, "invalid authority info access").into(SEQUENCE)
    urls = []
    while not inner.empty:
        description = inner.into(SEQUENCE)
        method = description.oid()
        if description.peek(URI_TAG):
            url = description.take(URI_TAG)
            if method == _CA_ISSUERS:
                urls.append(url.decode("latin-1"))
    return {"issuer_urls": tuple(urls)}


def _crl_points(value: bytes, _: GoRelease) -> dict[str, Any]:
    sequence = Reader(value, "invalid CRL distribution points").take(SEQUENCE)
    inner = Reader(sequence, "invalid CRL distribution point")
    while not inner.empty:
        point = inner.into(SEQUENCE)
        if point.peek(0xA0):
            names = point.into(0xA0).into(0xA0)
            while names.peek(URI_TAG):
                names.take(URI_TAG)
    return {}


def _policies(value: bytes, release: GoRelease) -> dict[str, Any]:
    inner = Reader(value, "invalid certificate policies").into(SEQUENCE)
    policies: dict[bytes, None] = {}
    while not inner.empty:
        policy = inner.into(SEQUENCE).take(OID)
        if (policy in policies and release >= GoRelease.V1_24) or not minimal_oid(policy):
            raise inner.fail()
        policies[policy] = None
    return {"policies": tuple(policies)}


def _policy_mappings(value: bytes, _: GoRelease) -> dict[str, Any]:
    inner = Reader(value, "invalid policy mappings extension").into(SEQUENCE)
    mappings = []
    while not inner.empty:
        mapping = inner.into(SEQUENCE)
        mappings.append((mapping.take(OID), mapping.take(OID)))
    return {"policy_mappings": tuple(mappings)}


def _policy_constraints(value: bytes, _: GoRelease) -> dict[str, Any]:
    """Go takes a negative number for none."""
    inner = Reader(value, "invalid policy constraints extension").into(SEQUENCE)
    names = {0x80: "require_explicit", 0x81: "inhibit_mapping"}
    numbers = {name: inner.integer(tag) for tag, name in names.items() if inner.peek(tag)}
    return {name: number for name, number in numbers.items() if number >= 0}


def _inhibit_any(value: bytes, _: GoRelease) -> dict[str, Any]:
    number = Reader(value, "invalid inhibit any policy extension").integer()
    return {"inhibit_any": number} if number >= 0 else {}


_NEVER_CRITICAL = {
    _SUBJECT_KEY_ID: "subject key identifier",
    _AUTHORITY_KEY_ID: "authority key identifier",
    _AUTHORITY_INFO: "authority info access",
}
# Unknown before, so refused when critical (parser.go processExtensions).
_SINCE_1_24 = {_POLICY_MAPPINGS, _POLICY_CONSTRAINTS, _INHIBIT_ANY}
_READERS: dict[str, Callable[[bytes, GoRelease], dict[str, Any]]] = {
    _BASIC_CONSTRAINTS: _basic_constraints,
    _KEY_USAGE: _key_usage,
    _EXTENDED_KEY_USAGE: _usages,
    _SUBJECT_KEY_ID: _subject_key_id,
    _AUTHORITY_KEY_ID: _authority_key_id,
    _AUTHORITY_INFO: _authority_info,
    _CRL_POINTS: _crl_points,
    _POLICIES: _policies,
    _POLICY_MAPPINGS: _policy_mappings,
    _POLICY_CONSTRAINTS: _policy_constraints,
    _INHIBIT_ANY: _inhibit_any,
}
