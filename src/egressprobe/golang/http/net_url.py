"""URLs as Go's net/url.Parse reads them (net/url/url.go): what it refuses, in its words, and its parts.

The one reader of URLs that are not ours: of the URIs in certificates, and of those that a provider or a redirect names
(url.py). Bytes that are not UTF-8 come as surrogates (errors="surrogateescape").
"""

import re
import string
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from egressprobe.golang.http.quote import quote
from egressprobe.golang.release import GoRelease


class UriError(ValueError):
    """What net/url.Parse refuses; the text is Go's, without its `parse "..."`."""


class Url(NamedTuple):
    """The parts as net/url.URL has them: the scheme in lower case, the host with its port and unescaped.

    userinfo, path, opaque: as they are written. query: with its `?`.
    """

    scheme: str
    host: str = ""
    userinfo: str | None = None
    path: str = ""
    query: str = ""
    opaque: str = ""


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_HOST = frozenset(string.ascii_letters + string.digits + "-_.~!$&'()*+,;=:[]<>\"")
_USER = frozenset(string.ascii_letters + string.digits + "-._:~!$&'()*+,;=%@")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
PORT = re.compile(r"(?::[0-9]*)?")
_SHOWN = 40  # characters of a port or a literal, in a message


def parse_url(text: str, release: GoRelease) -> Url:
    """Raises UriError."""
    # setFragment comes after everything else (url.go Parse)
    before, _, fragment = text.partition("#")
    url = _parse(before, release)
    unescaped(fragment)
    return url


def url_text(text: str) -> str:
    """A URL that was parsed, as URL.String writes it."""
    scheme = _SCHEME.match(text)
    return (scheme[0].lower() + text[scheme.end() :] if scheme else text).removesuffix("#")


def unescaped(text: str) -> str:
    """With its percent escapes decoded. Raises UriError."""
    bad = _BAD_ESCAPE.search(text)
    if bad:
        raise _escape_error(text[bad.start() :])
    if "%" not in text:
        return text
    head, *parts = text.encode("utf-8", "surrogateescape").split(b"%")
    data = head + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in parts)
    return data.decode("utf-8", "surrogateescape")


def _escape_error(text: str) -> UriError:
    """EscapeError: three bytes from the percent sign on."""
    shown = text[:3].encode("utf-8", "surrogateescape")[:3].decode("utf-8", "surrogateescape")
    return UriError(f"invalid URL escape {quote(shown)}")


def _parse(text: str, release: GoRelease) -> Url:
    if _CONTROLS.search(text):
        raise UriError("net/url: invalid control character in URL")
    if text == "*":
        return Url("", path="*")
    if text.startswith(":"):
        raise UriError("missing protocol scheme")
    begin = _SCHEME.match(text)
    scheme = begin[0][:-1].lower() if begin else ""
    path, mark, query = (text[begin.end() :] if begin else text).partition("?")
    query = mark + query
    if not path.startswith("/"):
        if scheme:
            return Url(scheme, opaque=path, query=query)
        if ":" in path.partition("/")[0]:
            raise UriError("first path segment in URL cannot contain colon")
    host, userinfo = "", None
    if path.startswith("//") and (scheme or not path.startswith("///")):
        authority, slash, path = path[2:].partition("/")
        path = slash + path
        userinfo, host = _authority(scheme, authority, release)
    unescaped(path)
    return Url(scheme, host, userinfo, path, query)


def _authority(scheme: str, text: str, release: GoRelease) -> tuple[str | None, str]:
    """parseAuthority: user information, None without any, and the host."""
    user, at, host = text.rpartition("@")
    host = _host(scheme, host, release)
    if not at:
        return None, host
    if not _USER.issuperset(user):
        raise UriError("net/url: invalid userinfo")
    for part in user.partition(":")[::2]:  # one by one, before they are put together
        unescaped(part)
    return user, host


def _host(scheme: str, host: str, release: GoRelease) -> str:
    """parseHost: an IPv6 literal in brackets, or a name; either with a port."""
    bracket = host.rfind("[")
    if bracket > 0 and release >= GoRelease.V1_26:
        raise UriError("invalid IP-literal")
    if bracket >= 0:  # up to Go 1.25 what is before it is dropped
        return _literal(host, bracket + 1)
    colon = host.find(":")
    if colon >= 0:
        strict = release >= GoRelease.V1_26 and scheme in ("http", "https")
        _check_port(host[colon if strict else host.rfind(":") :])
    return _unescaped_host(host)


def _check_port(port: str) -> None:
    if not PORT.fullmatch(port):
        raise UriError(f"invalid port {quote(port[:_SHOWN])} after host")


def _literal(host: str, begin: int) -> str:
    closed = host.rfind("]")
    if closed < 0:
        raise UriError("missing ']' in host")
    port = host[closed + 1 :]
    _check_port(port)
    address, percent, zone = host[begin:closed].partition("%25")
    address = _unescaped_host(address)
    zone = _unescaped_host(percent + zone, zone=True)
    try:
        IPv6Address(address if len(zone) > 1 else address + zone)  # netip takes any zone but an empty one
    except AddressValueError as error:
        if _is_ipv4(address + zone):
            raise UriError("invalid IP-literal") from None
        # netip's own words for it are not replicated
        shown = quote((address + zone)[:_SHOWN])
        raise UriError(f"invalid host: ParseAddr({shown}): unable to parse IP") from error
    return f"[{address}{zone}]{port}"


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _unescaped_host(host: str, *, zone: bool = False) -> str:
    """RFC 3986 section 3.2.2: in a host only bytes outside of ASCII are escaped; %25 is for zones.

    In a zone (RFC 6874) Go takes escapes of what may stand in a host, of the percent sign and of the space.
    """
    for at, character in enumerate(host):
        if character == "%":
            if _BAD_ESCAPE.match(host, at) or not _may_be_escaped(host[at + 1 : at + 3], zone=zone):
                raise _escape_error(host[at:])
        elif character.isascii() and character not in _HOST:
            raise UriError(f"invalid character {quote(character)} in host name")
    return unescaped(host)


def _may_be_escaped(digits: str, *, zone: bool) -> bool:
    byte = int(digits, 16)
    return byte == 0x25 or (byte == 0x20 or chr(byte) in _HOST if zone else byte >= 0x80)
