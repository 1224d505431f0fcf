"""URLs as Go's net/url.Parse reads them (net/url/url.go): what it refuses, in its words, and the host it finds.

Only what crypto/x509 needs of the URIs in a certificate: the scheme and the host with its port. Text is ASCII.
"""

import re
import string
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from egressprobe.golang.release import GoRelease


class UriError(ValueError):
    """What net/url.Parse refuses; the text is Go's, without its `parse "..."`."""


class Url(NamedTuple):
    """The scheme in lower case; `host` with its port, as net/url.URL.Host."""

    scheme: str
    host: str


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_HOST = frozenset(string.ascii_letters + string.digits + "-_.~!$&'()*+,;=:[]<>\"")
_USER = frozenset(string.ascii_letters + string.digits + "-._:~!$&'()*+,;=%@")
_ESCAPE = re.compile(r"%(?:([0-9A-Fa-f]{2})|.{0,2})", re.DOTALL)
_PORT = re.compile(r"(:[0-9]*)?")


def parse_url(text: str, release: GoRelease) -> Url:
    """Raises UriError."""
    # setFragment comes after everything else (url.go Parse)
    before, _, fragment = text.partition("#")
    url = _parse(before, release)
    _unescape(fragment)
    return url


def url_text(text: str) -> str:
    """A URL that was parsed, as URL.String writes it."""
    scheme = _SCHEME.match(text)
    return (scheme[0].lower() + text[scheme.end() :] if scheme else text).removesuffix("#")


def _parse(text: str, release: GoRelease) -> Url:
    if _CONTROLS.search(text):
        raise UriError("net/url: invalid control character in URL")
    if text.startswith(":"):
        raise UriError("missing protocol scheme")
    begin = _SCHEME.match(text)
    scheme = begin[0][:-1].lower() if begin else ""
    rest = text[begin.end() :] if begin else text
    path = rest.partition("?")[0]
    if not path.startswith("/"):
        if scheme:
            return Url(scheme, "")  # opaque: mailto:, urn:
        if ":" in path.partition("/")[0]:
            raise UriError("first path segment in URL cannot contain colon")
    host = ""
    if path.startswith("//") and (scheme or not path.startswith("///")):
        authority, slash, path = path[2:].partition("/")
        path = slash + path
        user, at, host = authority.rpartition("@")
        host = _host(scheme, host, release)
        if at and not _USER.issuperset(user):
            raise UriError("net/url: invalid userinfo")
        _unescape(user)
    _unescape(path)
    return Url(scheme, host)


def _unescape(text: str) -> None:
    """A percent sign must begin an escape."""
    for escape in _ESCAPE.finditer(text):
        if not escape[1]:
            raise UriError(f'invalid URL escape "{escape[0]}"')


def _host(scheme: str, host: str, release: GoRelease) -> str:
    """parseHost: an IPv6 literal in brackets, or a name; either with a port."""
    bracket = host.rfind("[")
    if bracket > 0 and release >= GoRelease.V1_26:
        raise UriError("invalid IP-literal")
    if bracket == 0 or (bracket > 0 and host.startswith("[")):
        return _literal(host)
    colon = host.find(":")
    if colon >= 0:
        strict = release >= GoRelease.V1_26 and scheme in ("http", "https")
        port = host[colon if strict else host.rfind(":") :]
        if not _PORT.fullmatch(port):
            raise UriError(f'invalid port "{port}" after host')
    return _unescaped_host(host)


def _literal(host: str) -> str:
    closed = host.rfind("]")
    if closed < 0:
        raise UriError("missing ']' in host")
    port = host[closed + 1 :]
    if not _PORT.fullmatch(port):
        raise UriError(f'invalid port "{port}" after host')
    address = _unescaped_host(host[1:closed])
    try:
        IPv6Address(address)
    except AddressValueError:
        # netip's own words for it are not replicated
        raise UriError(f'invalid host: ParseAddr("{address}"): unable to parse IP') from None
    return f"[{address}]{port}"


def _unescaped_host(host: str) -> str:
    """RFC 3986 section 3.2.2: in a host only bytes outside of ASCII are escaped; %25 is for zones (RFC 6874)."""
    at = 0
    while at < len(host):
        if host[at] == "%":
            escape = _ESCAPE.match(host, at)
            code = escape[1] if escape else None
            if not escape or not code or (code[0] in "01234567" and code != "25"):
                raise UriError(f'invalid URL escape "{host[at : at + 3]}"')
            at = escape.end()
            continue
        if host[at] not in _HOST:
            raise UriError(f'invalid character "{host[at]}" in host name')
        at += 1
    return _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), host)
