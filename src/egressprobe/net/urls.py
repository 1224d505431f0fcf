"""URLs of targets: read once, strictly, and shown without anything secret."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from egressprobe.net.addresses import canonical, is_address

_DEFAULT_PORTS = {"https": 443, "http": 80}
_PORT = re.compile(r"[0-9]{1,4000}")
# What a URL in a sentence is taken from, in linear time; a timeout is the only query that is not a secret.
_WORD = re.compile(r"""[^\s"'<>]+""")
_TIMEOUT = re.compile(r"https://[^@?#]+\?timeout=[0-9]+s:?")
# What becomes an @ by percent-decoding or by Unicode's compatibility forms.
_OTHER_AT = re.compile(r"%(?:25)*40|[\uff20\ufe6b]")
_QUERY = re.compile(r"[?#]")
_MAX_SHOWN, _MAX_CACHED = 500, 2000  # characters


class HostPort(NamedTuple):
    """Where a URL points. `host`: A-label name or canonical address, without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"


def ascii_host(text: str) -> str:
    """A-label form: what Go's net/http asks DNS for (golang.org/x/net/idna Lookup)."""
    if is_address(text):
        return canonical(text)
    if text.isascii():
        return text
    import idna  # 30 ms, for the few names that need it

    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f'the host name "{text}" cannot be written in ASCII: {error}') from error


def _written_host(netloc: str) -> str:
    """The host as it was written: Go keeps its case in queries, in the SNI and in messages."""
    if netloc.startswith("["):
        return netloc[1:].partition("]")[0]
    return netloc.partition(":")[0]


def as_written(url: str, host: str) -> str:
    """`host` as `url` has it, where it is the same address written otherwise: Go prints it so."""
    if not is_address(host):
        return host
    try:
        written = _written_host(urlsplit(url).netloc)
    except ValueError:
        return host
    return written if is_address(written) and canonical(written) == host else host


def parse_url(url: str, schemes: tuple[str, ...], *, query: bool = False, any_port: bool = False) -> HostPort:
    """Take `url` apart. Raises ValueError with one line that says what is wrong, and shows nothing of the URL.

    any_port: also those that cannot be dialled, which Go's url.Parse accepts.
    """
    prefixes = " or ".join(f"{scheme}://" for scheme in schemes)
    if any(c.isspace() or ord(c) < 0x20 or c == "\x7f" for c in url):
        raise ValueError("contains white space")
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may hold the password
        raise ValueError("is not a URL") from None
    if parts.scheme not in schemes:
        raise ValueError(f"must begin with {prefixes}")
    if "@" in parts.netloc:
        raise ValueError("must not carry user information (user:password@)")
    if not query and (parts.query or "?" in url):
        raise ValueError("must not carry a query (?...)")
    if parts.fragment or "#" in url:
        raise ValueError("must not carry a fragment (#...)")
    host = _written_host(parts.netloc)
    if not host:
        raise ValueError("names no host")
    port = _written_port(parts.netloc, _DEFAULT_PORTS.get(parts.scheme, 0))
    if not any_port and not 1 <= port <= 65535:
        raise ValueError("needs a port in 1..65535" if not port else "has a port that is not in 1..65535")
    return HostPort(parts.scheme, ascii_host(host), port, parts.path or "/")


def _written_port(netloc: str, default: int) -> int:
    """Any number of decimal digits, as net/url validOptionalPort has it; the empty port is the scheme's."""
    text = netloc.rpartition("]")[2].partition(":")[2]
    if not text:
        return default
    if not _PORT.fullmatch(text):
        raise ValueError("has a port that is not in 1..65535")
    return int(text)


def shown(url: str) -> str:
    """`url` for logs, reports and messages: no user information, no query, no fragment, no control characters.

    Of a URL that cannot be taken apart and has an `@` only the scheme is left: what is before it may be a password.
    """
    return _shown(url) if len(url) > _MAX_CACHED else _shown_again(url)


def _shown(url: str) -> str:
    public = _QUERY.split(url, 1)[0]
    scheme, separator, rest = url.partition("://")
    rest = rest if separator else url
    authority = rest.partition("/")[0]
    # With a ? or # in the password the user information ends there, with %40 it does not end at all.
    in_authority = _OTHER_AT.search(authority) is not None or ("@" in rest and _QUERY.search(authority) is not None)
    if "@" in url or in_authority:
        hidden = f"{scheme}://..." if scheme.isalpha() and scheme != url else "(a URL with user information)"
        if in_authority:
            return hidden
        try:
            parts = urlsplit(url)
            host = parts.netloc.rpartition("@")[2]
            _written_port(host, 0)
        except ValueError:
            return hidden
        # After a sloppy separator, or with a slash in the password, user information looks like a path.
        in_path = "@" in parts.path.replace("/@", "")
        public = f"{parts.scheme}://{host}{parts.path}" if host and not in_path else hidden
    return "".join(c if c.isprintable() else "?" for c in public[:_MAX_SHOWN])


def shown_text(text: str) -> str:
    """Text with the URLs in it as `shown` shows them. A timeout, as the API server's messages have it, stays."""
    return _WORD.sub(lambda word: _shown_word(word[0]), text)


def _shown_word(word: str) -> str:
    """A URL, or what may be a broken one, as `shown` shows it; any other word as it is."""
    is_url = ("://" in word or "@" in word) and not _TIMEOUT.fullmatch(word)
    return shown(word) if is_url else word


_shown_again = lru_cache(maxsize=4096)(_shown)  # the same URLs come minute after minute
