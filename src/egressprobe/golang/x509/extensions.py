"""Certificate extensions as crypto/x509/parser.go processExtensions reads them: kept, refused, or left unhandled."""

from collections.abc import Callable
from typing import Any

import msgspec

from egressprobe.golang.x509.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    CertificateError,
    Reader,
    oid_text,
)
from egressprobe.golang.x509.names import URI_TAG, Constraints, alt_names, name_constraints

SUBJECT_ALT_NAME = "2.5.29.17"
_SUBJECT_KEY_ID, _KEY_USAGE, _BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.19"
_NAME_CONSTRAINTS, _AUTHORITY_KEY_ID, _EXTENDED_KEY_USAGE = "2.5.29.30", "2.5.29.35", "2.5.29.37"
_AUTHORITY_INFO = "1.3.6.1.5.5.7.1.1"
_CRL_POINTS, _POLICIES, _POLICY_MAPPINGS = "2.5.29.31", "2.5.29.32", "2.5.29.33"
_POLICY_CONSTRAINTS, _INHIBIT_ANY = "2.5.29.36", "2.5.29.54"
CERT_SIGN = 1 << 5  # keyUsage bit 5, as crypto/x509.KeyUsageCertSign


class Extensions(msgspec.Struct, frozen=True):
    """What decides. key_usage: bits, 0 without the extension. path_length: -1 unbounded.

    names: every alternative name as (kind, text) in the order of the certificate; kinds are those of
    crypto/x509's messages: `DNS name`, `IP address`, `URI`, `email address`.
    """

    san: bytes | None = None
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    basic_constraints: bool = False
    is_ca: bool = False
    path_length: int = -1
    key_usage: int = 0
    usages: tuple[str, ...] = ()
    subject_key_id: bytes = b""
    authority_key_id: bytes = b""
    permitted: Constraints = Constraints()
    excluded: Constraints = Constraints()
    policies: tuple[str, ...] = ()
    policy_mappings: tuple[tuple[str, str], ...] = ()
    require_explicit: int | None = None
    inhibit_mapping: int | None = None
    inhibit_any: int | None = None
    unhandled: bool = False


def read(listed: dict[str, tuple[bool, bytes]]) -> Extensions:
    """All extensions of one certificate, OID -> (critical, value). Raises CertificateError with Go's text."""
    found: dict[str, Any] = {}
    unhandled = False
    for oid, (critical, value) in listed.items():
        if oid == SUBJECT_ALT_NAME:
            names = alt_names(value)
            found |= names | {"san": value}
            unhandled |= critical and not any(names.values())
        elif oid == _BASIC_CONSTRAINTS:
            found |= _basic_constraints(value)
        elif oid == _KEY_USAGE:
            found["key_usage"] = _key_usage(value)
        elif oid == _EXTENDED_KEY_USAGE:
            found["usages"] = _usages(value)
        elif oid == _NAME_CONSTRAINTS:
            permitted, excluded, unknown = name_constraints(value)
            found |= {"permitted": permitted, "excluded": excluded}
            unhandled |= critical and unknown
        elif oid == _SUBJECT_KEY_ID:
            _never_critical(critical, "subject key identifier")
            found["subject_key_id"] = Reader(value, "invalid subject key identifier").take(OCTET_STRING)
        elif oid == _AUTHORITY_KEY_ID:
            _never_critical(critical, "authority key identifier")
            inner = Reader(value, "invalid authority key identifier").into(SEQUENCE)
            found["authority_key_id"] = inner.take(0x80) if inner.peek(0x80) else b""
        elif oid == _AUTHORITY_INFO:
            _never_critical(critical, "authority info access")
            _authority_info(value)
        elif oid == _CRL_POINTS:
            _crl_points(value)
        elif oid in _POLICY_READERS:
            found |= _POLICY_READERS[oid](value)
        else:
            unhandled |= critical
    return Extensions(**found, unhandled=unhandled)


def _never_critical(critical: bool, what: str) -> None:  # noqa: FBT001 (a field of the extension)
    if critical:
        raise CertificateError(f"x509: {what} incorrectly marked critical")


def _basic_constraints(value: bytes) -> dict[str, Any]:
    """A negative path length is refused since Go 1.25."""
    error = "invalid basic constraints"
    inner = Reader(value, error).into(SEQUENCE)
    is_ca, length = False, -1
    if inner.peek(BOOLEAN):
        body = inner.take(BOOLEAN)
        if body not in (b"\xff", b"\0"):
            raise CertificateError(f"x509: {error}")
        is_ca = body == b"\xff"
    if inner.peek(INTEGER):
        length = inner.integer()
        if length < 0:
            raise CertificateError(f"x509: {error}")
    return {"basic_constraints": True, "is_ca": is_ca, "path_length": length}


def _key_usage(value: bytes) -> int:
    """The bits, first bit lowest; none set is as if the extension were not there."""
    body = Reader(value, "invalid key usage").take(BIT_STRING)
    unused = body[0] if body else 8
    stray = body[-1] & ((1 << unused) - 1) if len(body) > 1 else unused
    if unused > 7 or stray:
        raise CertificateError("x509: invalid key usage")
    bits = "".join(f"{byte:08b}" for byte in body[1:])
    return sum(1 << i for i, bit in enumerate(bits[:9]) if bit == "1")


def _usages(value: bytes) -> tuple[str, ...]:
    inner = Reader(value, "invalid extended key usages").into(SEQUENCE)
    found = []
    while not inner.empty:
        found.append(oid_text(inner.take(OID)))
    return tuple(found)


def _authority_info(value: bytes) -> None:
    inner = Reader(value, "invalid authority info access").into(SEQUENCE)
    while not inner.empty:
        description = inner.into(SEQUENCE)
        description.take(OID)
        if description.peek(URI_TAG):
            description.take(URI_TAG)


def _crl_points(value: bytes) -> None:
    inner = Reader(value, "invalid CRL distribution points").into(SEQUENCE, "invalid CRL distribution point")
    while not inner.empty:
        point = inner.into(SEQUENCE)
        if point.peek(0xA0):
            names = point.into(0xA0).into(0xA0)
            while names.peek(URI_TAG):
                names.take(URI_TAG)


def _policies(value: bytes) -> dict[str, Any]:
    error = "invalid certificate policies"
    inner = Reader(value, error).into(SEQUENCE)
    seen: list[str] = []
    while not inner.empty:
        policy = oid_text(inner.into(SEQUENCE).take(OID))
        if policy in seen:
            raise CertificateError(f"x509: {error}")
        seen.append(policy)
    return {"policies": tuple(seen)}


def _policy_mappings(value: bytes) -> dict[str, Any]:
    inner = Reader(value, "invalid policy mappings extension").into(SEQUENCE)
    found = []
    while not inner.empty:
        mapping = inner.into(SEQUENCE)
        found.append((oid_text(mapping.take(OID)), oid_text(mapping.take(OID))))
    return {"policy_mappings": tuple(found)}


def _policy_constraints(value: bytes) -> dict[str, Any]:
    inner = Reader(value, "invalid policy constraints extension").into(SEQUENCE)
    names = {0x80: "require_explicit", 0x81: "inhibit_mapping"}
    return {name: inner.integer(tag) for tag, name in names.items() if inner.peek(tag)}


def _inhibit_any(value: bytes) -> dict[str, Any]:
    return {"inhibit_any": Reader(value, "invalid inhibit any policy extension").integer()}


_POLICY_READERS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    _POLICIES: _policies,
    _POLICY_MAPPINGS: _policy_mappings,
    _POLICY_CONSTRAINTS: _policy_constraints,
    _INHIBIT_ANY: _inhibit_any,
}
