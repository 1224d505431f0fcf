"""The names in a certificate and the constraints on names, as crypto/x509/parser.go and verify.go read them."""

import re
import string
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import msgspec

from egressprobe.golang.x509.der import SEQUENCE, CertificateError, Reader
from egressprobe.net.addresses import canonical, is_address

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
    error, host = _parse_url(text)
    if error:
        raise CertificateError(f'x509: cannot parse URI "{text}": parse "{text}": {error}')
    if host and reverse_labels(host) is None:
        raise CertificateError(f'x509: cannot parse URI "{text}": invalid domain')


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST_BYTES = frozenset(string.ascii_letters + string.digits + "-_.~!$&'()*+,;=:[]<>\"%")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|%.{0,2}")
_PORT = re.compile(r"(:[0-9]*)?")


def _parse_url(text: str) -> tuple[str | None, str]:
    """The error of net/url Parse, and the host with its port."""
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        return "net/url: invalid control character in URL", ""
    rest = text.partition("#")[0].partition("?")[0]
    scheme = _SCHEME.match(rest)
    if rest.startswith(":"):
        return "missing protocol scheme", ""
    rest = rest[scheme.end() :] if scheme else rest
    host = ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        host, rest = authority.rpartition("@")[2], slash + path
    elif not scheme and ":" in rest.partition("/")[0]:
        return "first path segment in URL cannot contain colon", ""
    elif scheme and not rest.startswith("/"):
        return None, ""  # opaque: mailto:, urn:
    error = _host_error(host)
    escape = _BAD_ESCAPE.search(rest)
    return error or (f'invalid URL escape "{escape[0]}"' if escape else None), host


def _host_error(host: str) -> str | None:
    if host.startswith("[") and "]" not in host:
        return "missing ']' in host"
    port = host.rpartition("]")[2] if host.startswith("[") else host[host.rfind(":") :] if ":" in host else ""
    if not _PORT.fullmatch(port):
        return f'invalid port "{port}" after host'
    # RFC 3986 section 3.2.2: in a host only other than ASCII is escaped; %25 is for zones (RFC 6874)
    escape = next((e for e in _ESCAPE.findall(host) if len(e) < 3 or (e[1] in "01234567" and e != "%25")), None)
    if escape:
        return f'invalid URL escape "{escape}"'
    wrong = next((c for c in host if c < "\x80" and c not in _HOST_BYTES), None)
    return f'invalid character "{wrong}" in host name' if wrong else None


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
    if not outer.empty or not top.empty:
        raise CertificateError(f"x509: {_BAD_CONSTRAINTS}")
    if not any(sides):
        raise CertificateError("x509: empty name constraints extension")
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
