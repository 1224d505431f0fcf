"""The names in a certificate and the constraints on names, as crypto/x509/parser.go and verify.go read them."""

import re
import string
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

import msgspec

from egressprobe.addresses import canonical, is_address
from egressprobe.der import SEQUENCE, CertificateError, Reader

_EMAIL, _DNS, URI_TAG, _IP = 0x81, 0x82, 0x86, 0x87
EMAIL, DNS_NAME, URI, IP_ADDRESS = "email address", "DNS name", "URI", "IP address"

type Network = IPv4Network | IPv6Network


class Constraints(msgspec.Struct, frozen=True):
    """One side of a nameConstraints extension."""

    dns: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def alt_names(value: bytes) -> dict[str, tuple[Any, ...]]:
    names: list[tuple[str, str]] = []
    inner = Reader(value, "invalid subject alternative names").into(SEQUENCE, "invalid subject alternative name")
    while not inner.empty:
        element = inner.any()
        if element.tag == _IP:
            if len(element.body) not in (4, 16):
                raise CertificateError(f"x509: cannot parse IP address of length {len(element.body)}")
            names.append((IP_ADDRESS, canonical(element.body)))
        elif element.tag == _DNS:
            names.append((DNS_NAME, _ia5(element.body, "SAN dNSName is malformed")))
        elif element.tag == _EMAIL:
            names.append((EMAIL, _ia5(element.body, "SAN rfc822Name is malformed")))
        elif element.tag == URI_TAG:
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


_ATOM = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~.")


def mailbox(text: str) -> tuple[str, str] | None:
    """parseRFC2821Mailbox (crypto/x509/verify.go): the local part, unquoted, and the domain; None for no mailbox."""
    if text.startswith('"'):
        match = re.match(r'"((?:[^"\\\r\n]|\\[^\r\n])*)"@', text)
        local, domain = (re.sub(r"\\(.)", r"\1", match[1]), text[match.end() :]) if match else ("", "")
    else:
        local, _, domain = text.partition("@")
        if not _ATOM.issuperset(local) or local.startswith(".") or local.endswith(".") or ".." in local:
            return None
    return (local, domain) if local and domain and reverse_labels(domain) is not None else None


_BAD_CONSTRAINTS = "invalid NameConstraints extension"


def name_constraints(value: bytes) -> tuple[Constraints, Constraints, bool]:
    """Permitted, excluded, and whether there is a kind of name that Go does not handle."""
    outer = Reader(value, _BAD_CONSTRAINTS)
    top = outer.into(SEQUENCE)
    sides = [top.take(tag) if top.peek(tag) else b"" for tag in (0xA0, 0xA1)]
    if not outer.empty or not top.empty or not any(sides):
        raise CertificateError(f"x509: {_BAD_CONSTRAINTS}")
    permitted, one = _subtrees(sides[0])
    excluded, two = _subtrees(sides[1])
    return permitted, excluded, one or two


def _subtrees(body: bytes) -> tuple[Constraints, bool]:
    dns: list[str] = []
    networks: list[Network] = []
    emails: list[str] = []
    uris: list[str] = []
    unknown = False
    inner = Reader(body, _BAD_CONSTRAINTS)
    while not inner.empty:
        tag, raw, _ = inner.into(SEQUENCE).any()
        if tag == _IP:
            networks.append(_network(raw))
        elif tag == _DNS:
            text = _ia5(raw, "invalid constraint value")
            if reverse_labels(text.removeprefix(".")) is None:
                raise CertificateError(f'x509: failed to parse dnsName constraint "{text}"')
            dns.append(text)
        elif tag == _EMAIL:
            text = _ia5(raw, "invalid constraint value")
            good = mailbox(text) if "@" in text else reverse_labels(text.removeprefix(".")) is not None
            if not good:
                raise CertificateError(f'x509: failed to parse rfc822Name constraint "{text}"')
            emails.append(text)
        elif tag == URI_TAG:
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
