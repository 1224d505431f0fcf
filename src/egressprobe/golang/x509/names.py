"""The names in a certificate and the constraints on names, as crypto/x509/parser.go and verify.go read them."""

import string
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.der import SEQUENCE, CertificateError, Reader, quoted
from egressprobe.net.addresses import canonical

_EMAIL, _DNS, URI_TAG, _IP = 0x81, 0x82, 0x86, 0x87
EMAIL, DNS_NAME, URI, IP_ADDRESS = "email address", "DNS name", "URI", "IP address"


class Name(NamedTuple):
    """One alternative name. kind: as crypto/x509's messages call it.

    text: as written, an address as Go prints it. value: an address's 4 or 16 bytes, a URI's host, else text.
    """

    kind: str
    text: str
    value: str | bytes


class AddressRange(NamedTuple):
    """An iPAddress constraint: 4 or 16 bytes of address, as written, and the length of its mask."""

    address: bytes
    length: int

    def __str__(self) -> str:
        """As net.IPNet.String prints it: not masked, and IPv4-mapped as IPv4."""
        text = canonical(self.address)
        mapped = len(self.address) == 16 and "." in text and ":" not in text
        return f"{text}/{max(self.length - 96, 0) if mapped else self.length}"


class Constraints(msgspec.Struct, frozen=True):
    """One side of a nameConstraints extension, in the order of the certificate."""

    dns: tuple[str, ...] = ()
    subnets: tuple[AddressRange, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def alternative_names(value: bytes, release: GoRelease) -> tuple[Name, ...]:
    """The names of a subjectAltName extension of the kinds that Go reads (parseSANExtension)."""
    names: list[Name] = []
    sequence = Reader(value, "invalid subject alternative names").take(SEQUENCE)
    inner = Reader(sequence, "invalid subject alternative name")
    while not inner.empty:
        tag, body, _ = inner.any()
        if tag == _IP:
            if len(body) not in (4, 16):
                raise CertificateError(f"x509: cannot parse IP address of length {len(body)}")
            names.append(Name(IP_ADDRESS, canonical(body), body))
        elif tag == _DNS:
            text = _ia5(body, "SAN dNSName is malformed")
            names.append(Name(DNS_NAME, text, text))
        elif tag == _EMAIL:
            text = _ia5(body, "SAN rfc822Name is malformed")
            names.append(Name(EMAIL, text, text))
        elif tag == URI_TAG:
            names.append(_uri(_ia5(body, "SAN uniformResourceIdentifier is malformed"), release))
    return tuple(names)


def _ia5(body: bytes, error: str) -> str:
    if not body.isascii():
        raise CertificateError(f"x509: {error}")
    return body.decode("ascii")


def _uri(text: str, release: GoRelease) -> Name:
    """A URI that net/url cannot parse, or whose host is not a domain, is fatal."""
    from egressprobe.golang.http.net_url import UriError, parse_url  # few certificates have one

    try:
        url = parse_url(text, release)
    except UriError as error:
        raise CertificateError(f"x509: cannot parse URI {quoted(text)}: parse {quoted(text)}: {error}") from None
    if not domain_valid(url.host):
        raise CertificateError(f"x509: cannot parse URI {quoted(text)}: invalid domain")
    return Name(URI, text, url.host)


_DOMAIN = frozenset(map(chr, range(33, 127)))


def domain_valid(domain: str, *, constraint: bool = False) -> bool:
    """Whether domainNameValid (parser.go) takes it: no empty label, no final dot, printable ASCII.

    The empty text passes. A constraint may begin with a dot.
    """
    if constraint and domain != ".":
        domain = domain.removeprefix(".")
    return not domain or (domain[0] != "." and domain[-1] != "." and ".." not in domain and _DOMAIN.issuperset(domain))


_ATOM = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~.")
_QTEXT = frozenset(map(chr, (*range(1, 9), 11, 12, *range(14, 34), *range(35, 92), *range(93, 128))))
_QPAIR = frozenset(map(chr, (*range(1, 10), 11, 12, *range(14, 128))))


def mailbox(text: str) -> tuple[str, str] | None:
    """parseRFC2821Mailbox (verify.go): the local part without quotes, and the domain, which may be empty; or None."""
    is_quoted = text.startswith('"')
    local, at = _quoted_local(text) if is_quoted else _atoms(text)
    if at < 0 or text[at : at + 1] != "@":
        return None
    if not is_quoted and (not local or local[0] == "." or local[-1] == "." or ".." in local):
        return None
    domain = text[at + 1 :]
    return (local, domain) if domain_valid(domain) else None


def _quoted_local(text: str) -> tuple[str, int]:
    """The content of a quoted string and where it ends; -1 where it is none."""
    local: list[str] = []
    at = 1
    while at < len(text):
        character = text[at]
        at += 1
        if character == '"':
            return "".join(local), at
        if character == "\\":
            character = text[at : at + 1]
            at += 1
            if character not in _QPAIR:
                return "", -1
        elif character not in _QTEXT:
            return "", -1
        local.append(character)
    return "", -1


def _atoms(text: str) -> tuple[str, int]:
    """What comes before the first character that no atom has. A backslash takes the next one (RFC 3696 section 3)."""
    local: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
            if at == len(text):
                return "", -1
        elif text[at] not in _ATOM:
            break
        local.append(text[at])
        at += 1
    return "".join(local), at


_BAD_CONSTRAINTS = "invalid NameConstraints extension"


def name_constraints(value: bytes, release: GoRelease) -> tuple[Constraints, Constraints, bool]:
    """Permitted, excluded, and whether there is a kind of name that Go does not handle."""
    outer = Reader(value, _BAD_CONSTRAINTS)
    top = outer.into(SEQUENCE)
    sides = [top.take(tag) if top.peek(tag) else b"" for tag in (0xA0, 0xA1)]
    if not outer.empty or not top.empty:
        raise CertificateError(f"x509: {_BAD_CONSTRAINTS}")
    if not any(sides):
        raise CertificateError("x509: empty name constraints extension")
    permitted, unknown_permitted = _subtrees(sides[0], release)
    excluded, unknown_excluded = _subtrees(sides[1], release)
    return permitted, excluded, unknown_permitted or unknown_excluded


def _subtrees(body: bytes, release: GoRelease) -> tuple[Constraints, bool]:
    dns: list[str] = []
    subnets: list[AddressRange] = []
    emails: list[str] = []
    uris: list[str] = []
    unknown = False
    inner = Reader(body, _BAD_CONSTRAINTS)
    while not inner.empty:
        tag, raw, _ = inner.into(SEQUENCE).any()
        if tag == _IP:
            subnets.append(_subnet(raw))
        elif tag == _DNS:
            dns.append(_domain(raw, "dnsName", release))
        elif tag == _EMAIL:
            emails.append(_domain(raw, "rfc822Name", release, may_be_mailbox=True))
        elif tag == URI_TAG:
            uris.append(_uri_domain(raw, release))
        else:
            unknown = True
    return Constraints(tuple(dns), tuple(subnets), tuple(emails), tuple(uris)), unknown


def _domain(raw: bytes, what: str, release: GoRelease, *, may_be_mailbox: bool = False) -> str:
    text = _constraint_text(raw)
    is_mailbox = may_be_mailbox and "@" in text
    if text == "." and release < GoRelease.V1_24:  # parser.go before domainNameValid: a dot, then nothing
        return text
    if not (mailbox(text) is not None if is_mailbox else domain_valid(text, constraint=True)):
        raise CertificateError(f"x509: failed to parse {what} constraint {quoted(text)}")
    return text


def _uri_domain(raw: bytes, release: GoRelease) -> str:
    text = _constraint_text(raw)
    if is_ip_literal(text) and text[:1] != "[" and "%" not in text:
        raise CertificateError(f"x509: failed to parse URI constraint {quoted(text)}: cannot be IP address")
    return _domain(raw, "URI", release)


def _constraint_text(raw: bytes) -> str:
    if raw.isascii():
        return raw.decode("ascii")
    text = quoted(raw.decode("utf-8", "surrogateescape"))
    raise CertificateError(f"x509: invalid constraint value: x509: {text} cannot be encoded as an IA5String")


def _subnet(raw: bytes) -> AddressRange:
    """Address and mask, 8 or 32 bytes; a mask with holes is refused."""
    if len(raw) not in (8, 32):
        raise CertificateError(f"x509: IP constraint contained value of length {len(raw)}")
    half = len(raw) // 2
    ones = f"{int.from_bytes(raw[half:]):0{half * 8}b}".rstrip("0")
    if "0" in ones:
        raise CertificateError(f"x509: IP constraint contained invalid mask {raw[half:].hex()}")
    return AddressRange(raw[:half], len(ones))


def is_ip_literal(host: str) -> bool:
    """Whether netip.ParseAddr takes it, or is in brackets: what a URI constraint cannot be compared with."""
    if host.startswith("[") and host.endswith("]"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
