"""URLs of targets: read once, strictly, and shown without anything secret."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from egressprobe.net.addresses import canonical, is_address

_DEFAULT_PORTS = {"https": 443, "http": 80}


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


def _host(text: str) -> str:
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


def parse_url(url: str, schemes: tuple[str, ...], *, query: bool = False) -> HostPort:
    """Take `url` apart. Raises ValueError with one line that says what is wrong."""
    prefixes = " or ".join(f"{scheme}://" for scheme in schemes)
    if any(c.isspace() or ord(c) < 0x20 for c in url):
        raise ValueError("contains white space")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from error
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
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError("has a port that is not in 1..65535") from error
    if port is None:
        port = _DEFAULT_PORTS.get(parts.scheme, 0)
    if not 1 <= port <= 65535:
        raise ValueError("needs a port in 1..65535" if not port else "has a port that is not in 1..65535")
    return HostPort(parts.scheme, _host(host), port, parts.path or "/")


@lru_cache(maxsize=4096)  # the same URLs come minute after minute
def shown(url: str) -> str:
    """`url` for logs and reports: no user information, no query, no fragment, no control characters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable URL)"
    host = parts.netloc.rpartition("@")[2]
    text = f"{parts.scheme}://{host}{parts.path}"
    return "".join(c if c.isprintable() else "?" for c in text)[:500]
