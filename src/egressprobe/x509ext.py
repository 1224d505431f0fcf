"""Certificate extensions as crypto/x509/parser.go processExtensions reads them: kept, refused, or left unhandled."""

import string
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

import msgspec

from egressprobe.addresses import canonical, is_address
from egressprobe.der import BOOLEAN, INTEGER, OID, SEQUENCE, CertificateError, Element, elements, oid_text, only

SUBJECT_ALT_NAME = "2.5.29.17"
_SUBJECT_KEY_ID, _KEY_USAGE, _BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.19"
_NAME_CONSTRAINTS, _AUTHORITY_KEY_ID, _EXTENDED_KEY_USAGE = "2.5.29.30", "2.5.29.35", "2.5.29.37"
_AUTHORITY_INFO = "1.3.6.1.5.5.7.1.1"
# Read, but without a say in whether a default Verify passes: CRL points, policies, mappings, constraints, inhibitAny.
_WITHOUT_SAY = frozenset({"2.5.29.31", "2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54"})
CERT_SIGN = 1 << 5  # keyUsage bit 5, as crypto/x509.KeyUsageCertSign
_EMAIL, _DNS, _URI, _IP = 0x81, 0x82, 0x86, 0x87
EMAIL, DNS_NAME, URI, IP_ADDRESS = "email address", "DNS name", "URI", "IP address"

type Network = IPv4Network | IPv6Network


class Constraints(msgspec.Struct, frozen=True):
    """One side of a nameConstraints extension."""

    dns: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


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
    unhandled: bool = False


def read(listed: dict[str, tuple[bool, bytes]]) -> Extensions:
    """All extensions of one certificate, OID -> (critical, value). Raises CertificateError with Go's text."""
    found: dict[str, Any] = {}
    unhandled = False
    for oid, (critical, value) in listed.items():
        if oid == SUBJECT_ALT_NAME:
            names = _alt_names(value)
            found |= names | {"san": value}
            unhandled |= critical and not any(names.values())
        elif oid == _BASIC_CONSTRAINTS:
            found |= _basic_constraints(value)
        elif oid == _KEY_USAGE:
            found["key_usage"] = _key_usage(value)
        elif oid == _EXTENDED_KEY_USAGE:
            found["usages"] = tuple(oid_text(e.body) for e in _list(value, "extended key usages") if _is(e.tag, OID))
        elif oid == _NAME_CONSTRAINTS:
            permitted, excluded, unknown = _name_constraints(value)
            found |= {"permitted": permitted, "excluded": excluded}
            unhandled |= critical and unknown
        elif oid == _SUBJECT_KEY_ID:
            _never_critical(critical, "subject key identifier")
            found["subject_key_id"] = only(value, 0x04, "subject key identifier")
        elif oid == _AUTHORITY_KEY_ID:
            _never_critical(critical, "authority key identifier")
            parts = _list(value, "authority key identifier")
            found["authority_key_id"] = next((e.body for e in parts if e.tag == 0x80), b"")
        elif oid == _AUTHORITY_INFO:
            _never_critical(critical, "authority info access")
        elif oid not in _WITHOUT_SAY:
            unhandled |= critical
    return Extensions(**found, unhandled=unhandled)


def _is(tag: int, wanted: int) -> bool:
    if tag != wanted:
        raise CertificateError("x509: invalid extended key usages")
    return True


def _never_critical(critical: bool, what: str) -> None:  # noqa: FBT001 (a field of the extension)
    if critical:
        raise CertificateError(f"x509: {what} incorrectly marked critical")


def _list(value: bytes, what: str) -> list[Element]:
    return elements(only(value, SEQUENCE, what), what)


def _basic_constraints(value: bytes) -> dict[str, Any]:
    parts = elements(only(value, SEQUENCE, "basic constraints"), "basic constraints")
    is_ca, length = False, -1
    if parts and parts[0].tag == BOOLEAN:
        if parts[0].body not in (b"\xff", b"\0"):
            raise CertificateError("x509: invalid basic constraints")
        is_ca = parts[0].body == b"\xff"
        parts = parts[1:]
    if parts and parts[0].tag == INTEGER:
        length = int.from_bytes(parts[0].body, signed=True)
    return {"basic_constraints": True, "is_ca": is_ca, "path_length": length}


def _key_usage(value: bytes) -> int:
    """The bits, first bit lowest; none set is as if the extension were not there."""
    body = only(value, 0x03, "key usage")
    if not body or body[0] > 7:
        raise CertificateError("x509: invalid key usage")
    bits = "".join(f"{byte:08b}" for byte in body[1:])
    return sum(1 << i for i, bit in enumerate(bits[:9]) if bit == "1")


def _alt_names(value: bytes) -> dict[str, tuple[Any, ...]]:
    names: list[tuple[str, str]] = []
    for element in elements(only(value, SEQUENCE, "subject alternative names"), "subject alternative name"):
        if element.tag == _IP:
            if len(element.body) not in (4, 16):
                raise CertificateError(f"x509: cannot parse IP address of length {len(element.body)}")
            names.append((IP_ADDRESS, canonical(element.body)))
        elif element.tag == _DNS:
            names.append((DNS_NAME, _ia5(element.body, "SAN dNSName is malformed")))
        elif element.tag == _EMAIL:
            names.append((EMAIL, _ia5(element.body, "SAN rfc822Name is malformed")))
        elif element.tag == _URI:
            text = _ia5(element.body, "SAN uniformResourceIdentifier is malformed")
            _check_uri(text)
            names.append((URI, text))
    return {
        "names": tuple(names),
        "dns_names": tuple(text for kind, text in names if kind == DNS_NAME),
        "ip_addresses": tuple(text for kind, text in names if kind == IP_ADDRESS),
    }


def _ia5(body: bytes, said: str) -> str:
    if not body.isascii():
        raise CertificateError(f"x509: {said}")
    return body.decode("ascii")


def _check_uri(text: str) -> None:
    """A URI that net/url cannot parse, or whose host is no domain, is fatal."""
    try:
        host = urlsplit(text).hostname or ""
    except ValueError as error:
        raise CertificateError(f'x509: cannot parse URI "{text}": {error}') from None
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        raise CertificateError(f'x509: cannot parse URI "{text}": net/url: invalid control character in URL')
    if host and not is_address(host) and reverse_labels(host) is None:
        raise CertificateError(f'x509: cannot parse URI "{text}": invalid domain')


_DOMAIN = frozenset(string.printable[:94])  # domainToReverseLabels: "Invalid character" outside of 33..126


def reverse_labels(domain: str) -> list[str] | None:
    """DomainToReverseLabels (crypto/x509/verify.go): the labels from the right; None for no domain."""
    if not domain:
        return []
    labels = domain.split(".")
    if any(not label or not _DOMAIN.issuperset(label) for label in labels):
        return None
    return labels[::-1]


def _name_constraints(value: bytes) -> tuple[Constraints, Constraints, bool]:
    """Permitted, excluded, and whether there is a kind of name that Go does not handle."""
    sides = {element.tag: element.body for element in elements(only(value, SEQUENCE, "name constraints"))}
    if not sides.keys() <= {0xA0, 0xA1} or not any(sides.values()):
        raise CertificateError("x509: invalid NameConstraints extension")
    permitted, one = _subtrees(sides.get(0xA0, b""))
    excluded, two = _subtrees(sides.get(0xA1, b""))
    return permitted, excluded, one or two


def _subtrees(body: bytes) -> tuple[Constraints, bool]:
    dns: list[str] = []
    networks: list[Network] = []
    emails: list[str] = []
    uris: list[str] = []
    unknown = False
    for subtree in elements(body, "name constraints"):
        parts = elements(subtree.body, "name constraints")
        if not parts:
            raise CertificateError("x509: invalid NameConstraints extension")
        tag, raw = parts[0].tag, parts[0].body
        if tag == _IP:
            networks.append(_network(raw))
        elif tag == _DNS:
            text = _ia5(raw, "invalid constraint value")
            if reverse_labels(text.removeprefix(".")) is None:
                raise CertificateError(f'x509: failed to parse dnsName constraint "{text}"')
            dns.append(text)
        elif tag == _EMAIL:
            emails.append(_ia5(raw, "invalid constraint value"))
        elif tag == _URI:
            text = _ia5(raw, "invalid constraint value")
            if is_address(text):
                raise CertificateError(f'x509: failed to parse URI constraint "{text}": cannot be IP address')
            if reverse_labels(text.removeprefix(".")) is None:
                raise CertificateError(f'x509: failed to parse URI constraint "{text}"')
            uris.append(text)
        else:
            unknown = True
    return Constraints(tuple(dns), tuple(networks), tuple(emails), tuple(uris)), unknown


def _network(raw: bytes) -> Network:
    """Address and mask, 8 or 32 bytes; a mask with holes is refused."""
    if len(raw) not in (8, 32):
        raise CertificateError(f"x509: IP constraint contained value of length {len(raw)}")
    half = len(raw) // 2
    address = (IPv4Address if half == 4 else IPv6Address)(raw[:half])
    mask = int.from_bytes(raw[half:])
    ones = f"{mask:0{half * 8}b}".rstrip("0")
    if "0" in ones:
        raise CertificateError(f"x509: IP constraint contained invalid mask {raw[half:].hex()}")
    return ip_network(f"{address}/{len(ones)}", strict=False)
