"""Which proxy a Go client uses for a URL, as golang.org/x/net/http/httpproxy and net/http decide. Pure.

Also what k8s.io/apimachinery/pkg/util/net/http.go NewProxierWithNoProxyCIDR adds for clients of Kubernetes: leading
zeros in the IPv4 CIDRs of NO_PROXY. No message and no repr shows user information.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from egressprobe.golang.http.url import GoUrl, UrlError, parse_go_url
from egressprobe.net.addresses import is_address
from egressprobe.net.urls import ascii_host

# net/http/transport.go schemePort, portMap
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_MAX_PORT = 65535
# net/http/transport.go Transport.Proxy. In both socks5 and socks5h the proxy resolves the name.
NET_HTTP_SCHEMES = ("http", "https", "socks5", "socks5h")
_PORT = re.compile(r":0*([0-9]*)(?<=[0-9])$")
_CIDR = re.compile(r"[0-9a-f:.]+/[0-9]{1,3}")
_LEADING_ZEROS = re.compile(r"(?<![0-9a-f:])0+(?=[0-9])")
_HOST_PORT = re.compile(r"(?:\[(?P<literal>[^\[\]]*)\]|(?P<name>[^\[\]:]*)):(?P<port>[^\[\]:]*)")


class Proxy(NamedTuple):
    """credentials: user name and password, percent-decoded; None without user information."""

    scheme: str
    host: str
    port: int
    credentials: tuple[bytes, bytes] | None = None

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks5")

    @property
    def shown(self) -> str:
        """The URL without user information."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self.shown!r})"


def parse_proxy(text: str, schemes: tuple[str, ...]) -> Proxy:
    """A proxy's URL. Raises ValueError with one line that says what is wrong and shows nothing of the URL."""
    try:
        return _proxy(parse_go_url(text), schemes)
    except UrlError:
        raise ValueError("is not a URL") from None


def _proxy(url: GoUrl, schemes: tuple[str, ...]) -> Proxy:
    if url.scheme not in schemes:
        raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in schemes)}")
    if not url.hostname:
        raise ValueError("names no host")
    written = _PORT.search(url.host)
    port = int(written[1][:6] or "0") if written else _PORTS[url.scheme]
    if not 1 <= port <= _MAX_PORT:
        raise ValueError("has a port that is not in 1..65535")
    credentials = None
    if url.userinfo is not None:
        user, _, password = url.userinfo.partition(":")
        credentials = (unquote_to_bytes(user), unquote_to_bytes(password))
    return Proxy(url.scheme, ascii_host(url.hostname), port, credentials)


def environment_proxy(environ: Mapping[str, str], scheme: str, host: str, port: int) -> Proxy | None:
    """http.ProxyFromEnvironment for SCHEME://HOST:PORT; None: without a proxy.

    A variable that is not a URL counts as unset, as in Go. Raises ValueError for a URL that no proxy can have, and for
    HTTP_PROXY in a CGI program.
    """
    name = f"{scheme}_proxy"
    value = environ.get(name.upper()) or environ.get(name) or ""
    url = _bogus_or_url(value) if value else None
    if url is None:
        return None
    if scheme == "http" and environ.get("REQUEST_METHOD"):
        raise ValueError("refusing to use HTTP_PROXY value in CGI environment; see golang.org/s/cgihttpproxy")
    if not _uses_proxy(environ.get("NO_PROXY") or environ.get("no_proxy") or "", host, port):
        return None
    return _proxy(url, NET_HTTP_SCHEMES)


def _bogus_or_url(value: str) -> GoUrl | None:
    """parseProxy: HOST:PORT alone is an HTTP proxy."""
    url: GoUrl | None = None
    with suppress(UrlError):
        url = parse_go_url(value)
    if url is None or not url.scheme or not url.host:
        with suppress(UrlError):
            return parse_go_url(f"http://{value}")
    return url


def _uses_proxy(no_proxy: str, host: str, port: int) -> bool:
    """useProxy: localhost and loopback addresses never go through a proxy."""
    if host == "localhost":
        return False
    address = ip_address(host) if is_address(host) else None
    if address is not None and _unmapped(address).is_loopback:
        return False
    host = host.strip().lower()
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    return "*" not in entries and not any(_excludes(entry, host, address, str(port)) for entry in entries)


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4-mapped address is the IPv4 address (net.IP.To4)."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _excludes(entry: str, host: str, address: IPv4Address | IPv6Address | None, port: str) -> bool:
    """Whether one entry of NO_PROXY names the host: a CIDR, an address or a domain, the latter two with a port."""
    network = _network(entry)
    if network is not None:
        return address is not None and _unmapped(address) in network
    match = _HOST_PORT.fullmatch(entry)
    name, wanted = (match["literal"] or match["name"] or "", match["port"]) if match else (entry, "")
    if not name:
        return False
    if wanted and wanted != port:
        return False
    if is_address(name) and "%" not in name:
        return address is not None and _unmapped(ip_address(name)) == _unmapped(address)
    if address is not None:
        return False
    name = name[1:] if name.startswith("*.") else name
    with suppress(ValueError):
        name = ascii_host(name)
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    if not _CIDR.fullmatch(entry):
        return None
    try:
        network = ip_network(_LEADING_ZEROS.sub("", entry), strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return IPv4Network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network
