"""URLs that a peer names, as Go reads them: jwks_uri and Location.

Source: net/url/url.go Parse and ResolveReference, net/http/transport.go roundTrip (Go 1.25). Looser than what we take
from our own users (net/urls.py): white space in a path, user information and fragments are fine.
"""

import ipaddress
import re
from typing import NamedTuple

from egressprobe.golang.http.quote import quote
from egressprobe.net.urls import shown

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_PORT = re.compile(r"(?::[0-9]*)?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~!$&'()*+,;=:[]<>\"%")
# encodePath: what stays as it is written
_PATH_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~$&+,/:;=@")
_PATH_VALID = _PATH_PLAIN | frozenset("!'()*[]%")
_SHOWN = 500  # characters of a URL in a message
_MAX_PORT = 65535
_PORTS = {"http": 80, "https": 443}


class UrlError(ValueError):
    """A URL that Go refuses, or that its client cannot call. The text is Go's."""


class GoUrl(NamedTuple):
    """The parts. host: with its port, percent escapes decoded. path: escaped as it is sent. query: with its `?`."""

    scheme: str = ""
    userinfo: str | None = None
    host: str = ""
    path: str = ""
    query: str = ""
    opaque: str = ""

    @property
    def hostname(self) -> str:
        """Without port and brackets."""
        host = self.host
        at = host.rfind(":")
        if at >= 0 and _PORT.fullmatch(host[at:]):
            host = host[:at]
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @property
    def port(self) -> int:
        """Of the URL, else of its scheme. Raises UrlError for one that cannot be dialled."""
        at = self.host.rfind(":")
        digits = self.host[at + 1 :] if at >= 0 and _PORT.fullmatch(self.host[at:]) else ""
        if not digits:
            return _PORTS.get(self.scheme, 0)
        if len(digits.lstrip("0")) > 5 or int(digits) > _MAX_PORT:
            raise UrlError(f"dial tcp: address {digits[:40]}: invalid port")
        return int(digits)

    @property
    def shown(self) -> str:
        """For reports and messages: no user information, no query, no control characters."""
        return shown(f"{self.scheme}://{self.host}{self.path}" if not self.opaque else f"{self.scheme}:{self.opaque}")

    @property
    def request_uri(self) -> str:
        """What the request line asks for."""
        if self.opaque:
            return (f"{self.scheme}:" if self.opaque.startswith("//") else "") + self.opaque + self.query
        return (self.path or "/") + self.query

    def callable_error(self) -> str | None:
        """Why http.Transport does not even dial it."""
        if self.scheme not in _PORTS:
            return f"unsupported protocol scheme {quote(self.scheme)}"
        return None if self.host else "http: no Host in request URL"


def parse_go_url(text: str) -> GoUrl:
    """url.Parse. Raises UrlError with `parse "...": ...`, in which the query is left out."""
    whole, _, fragment = text.partition("#")
    try:
        url = _parse(whole)
        _unescape(fragment)
        return url
    except UrlError as error:
        raise UrlError(f"parse {quote(_without_secrets(whole))}: {error}") from error


def resolve(base: GoUrl, text: str) -> GoUrl:
    """URL.Parse: a Location against the URL that answered. Raises UrlError."""
    ref = parse_go_url(text)
    if ref.scheme or ref.host or ref.userinfo is not None:
        scheme = ref.scheme or base.scheme
        return ref._replace(scheme=scheme, path=_resolved("", ref.path) if not ref.opaque else ref.path)
    query = base.query if not ref.path and not ref.query else ref.query
    return GoUrl(base.scheme, base.userinfo, base.host, _resolved(base.path, ref.path), query)


def _without_secrets(text: str) -> str:
    """Neither query nor user information of a URL that cannot be taken apart."""
    text = text.partition("?")[0]
    scheme, slashes, rest = text.partition("//")
    authority, slash, path = rest.partition("/")
    return (scheme + slashes + authority.rpartition("@")[2] + slash + path)[:_SHOWN]


def _parse(text: str) -> GoUrl:
    if _CONTROL.search(text):
        raise UrlError("net/url: invalid control character in URL")
    if text == "*":
        return GoUrl(path="*")
    scheme, rest = _split_scheme(text)
    rest, mark, query = rest.partition("?")
    query = mark + query
    if not rest.startswith("/"):
        if scheme:
            return GoUrl(scheme, opaque=rest, query=query)
        if ":" in rest.partition("/")[0]:
            raise UrlError("first path segment in URL cannot contain colon")
    userinfo, host = None, ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        userinfo, host = _authority(authority)
    _unescape(rest)
    return GoUrl(scheme, userinfo, host, _escaped_path(rest), query)


def _split_scheme(text: str) -> tuple[str, str]:
    if text.startswith(":"):
        raise UrlError("missing protocol scheme")
    match = _SCHEME.match(text)
    return (match[1].lower(), text[match.end() :]) if match else ("", text)


def _authority(text: str) -> tuple[str | None, str]:
    userinfo, at, host_text = text.rpartition("@")
    host = _host(host_text)
    if not at:
        return None, host
    if not _USERINFO.fullmatch(userinfo):
        raise UrlError("net/url: invalid userinfo")
    _unescape(userinfo)
    return userinfo, host


def _host(text: str) -> str:
    bracket = text.rfind("[")
    if bracket >= 0:
        end = text.rfind("]")
        if end < 0:
            raise UrlError("missing ']' in host")
        port = text[end + 1 :]
        if not _PORT.fullmatch(port):
            raise UrlError(f"invalid port {quote(port[:40])} after host")
        literal, percent, zone = text[bracket + 1 : end].partition("%25")
        _check_host(literal)
        if _is_ipv4(literal):
            raise UrlError("invalid IP-literal")
        try:
            ipaddress.IPv6Address(literal)
        except ValueError as error:
            raise UrlError(f"invalid host: ParseAddr({quote(literal[:40])}): unable to parse IP") from error
        return f"[{literal}{'%' + _unescape(zone) if percent else ''}]{port}"
    at = text.rfind(":")
    if at >= 0 and not _PORT.fullmatch(text[at:]):
        raise UrlError(f"invalid port {quote(text[at : at + 40])} after host")
    _check_host(text)
    return _unescape(text)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _check_host(text: str) -> None:
    """Unescape with encodeHost: percent escapes are for bytes outside ASCII only."""
    index = 0
    while index < len(text):
        if text[index] == "%":
            if _BAD_ESCAPE.match(text, index) or (text[index + 1] in "01234567" and text[index : index + 3] != "%25"):
                raise UrlError(f"invalid URL escape {quote(text[index : index + 3])}")
            index += 3
            continue
        if text[index].isascii() and text[index] not in _HOST_CHARACTERS:
            raise UrlError(f"invalid character {quote(text[index])} in host name")
        index += 1


def _unescape(text: str) -> str:
    bad = _BAD_ESCAPE.search(text)
    if bad:
        raise UrlError(f"invalid URL escape {quote(text[bad.start() : bad.start() + 3])}")
    if "%" not in text:
        return text
    head, *parts = text.encode("utf-8", "surrogateescape").split(b"%")
    data = head + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in parts)
    return data.decode("utf-8", "surrogateescape")


def _escaped_path(text: str) -> str:
    """EscapedPath: as written where every character may stand in a path, else escaped anew."""
    if _PATH_VALID.issuperset(text):
        return text
    data = _unescape(text).encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if chr(byte) in _PATH_PLAIN else f"%{byte:02X}" for byte in data)


def _resolved(base: str, ref: str) -> str:
    """resolvePath: RFC 3986 section 5.2.4, as net/url does it."""
    if not ref:
        full = base
    elif ref.startswith("/"):
        full = ref
    else:
        full = base[: base.rfind("/") + 1] + ref
    if not full:
        return ""
    kept: list[str] = []
    first = True
    element = ""
    for element in full.split("/"):
        if element == ".":
            first = False
        elif element == "..":
            first = _drop_last(kept)
        else:
            if not first:
                kept.append("/")
            kept.append(element)
            first = False
    path = "/" + "".join(kept) + ("/" if element in (".", "..") else "")
    return path[1:] if path.startswith("//") else path


def _drop_last(kept: list[str]) -> bool:
    """Cut back to before the last slash; True where there is none left."""
    while kept:
        if kept.pop() == "/":
            return False
    return True
