"""URLs that a peer names, as Go reads them: jwks_uri and Location.

Source: net/url/url.go Parse and ResolveReference, net/http/transport.go roundTrip (Go 1.25). Looser than what we take
from our own users (net/urls.py): white space in a path, user information and fragments are fine.
"""

from typing import NamedTuple

from egressprobe.error_texts.http import UNSUPPORTED_SCHEME
from egressprobe.error_texts.network import INVALID_PORT
from egressprobe.golang.http.net_url import PORT, UriError, parse_url, unescaped
from egressprobe.golang.http.quote import quote
from egressprobe.golang.release import GoRelease
from egressprobe.net.urls import shown

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
        if at >= 0 and PORT.fullmatch(host[at:]):
            host = host[:at]
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @property
    def port(self) -> int:
        """Of the URL, else of its scheme. Raises UrlError for one that cannot be dialled."""
        at = self.host.rfind(":")
        digits = self.host[at + 1 :] if at >= 0 and PORT.fullmatch(self.host[at:]) else ""
        if not digits:
            return _PORTS.get(self.scheme, 0)
        if len(digits.lstrip("0")) > 5 or int(digits) > _MAX_PORT:
            raise UrlError(INVALID_PORT.of(port=digits[:40]))
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
            return UNSUPPORTED_SCHEME.of(scheme=quote(self.scheme))
        return None if self.host else "http: no Host in request URL"


def parse_go_url(text: str, release: GoRelease = GoRelease.V1_25) -> GoUrl:
    """url.Parse. Raises UrlError with `parse "...": ...`, in which the query is left out."""
    try:
        url = parse_url(text, release)
    except UriError as error:
        raise UrlError(f"parse {quote(_without_secrets(text.partition('#')[0]))}: {error}") from error
    return GoUrl(url.scheme, url.userinfo, url.host, _escaped_path(url.path), url.query, url.opaque)


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


def _escaped_path(text: str) -> str:
    """EscapedPath: as written where every character may stand in a path, else escaped anew."""
    if _PATH_VALID.issuperset(text):
        return text
    data = unescaped(text).encode("utf-8", "surrogateescape")
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
