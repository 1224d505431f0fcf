"""What is asked for and what came back: the parts that HTTP/1 and HTTP/2 share."""

import base64
from typing import NamedTuple

from egressprobe.error_texts.network import NO_SUCH_HOST
from egressprobe.golang.http.quote import escaped
from egressprobe.golang.http.url import GoUrl, UrlError
from egressprobe.golang.release import GoRelease
from egressprobe.net.urls import HostPort, parse_url
from egressprobe.probe.transport.exchange import USER_AGENT

MAX_BODY = 1 << 20  # bytes, after decompression
_MAX_NAME = 254  # net.isDomainName
_SHOWN_HOST = 100  # characters of a host, in a message
_NO_PORT = 1  # parse_url refuses 0, which Go dials
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Response(NamedTuple):
    """One response. status_line: the status as Go shows it, "404 Not Found". location: of a redirect, unresolved."""

    status: int
    status_line: str
    protocol: str
    content_type: str
    body: bytes
    location: str | None


class Progress:
    """How far an exchange got when the connection broke. broken: Go's words before an error of the headers.
    release: whose rules count.

    retries: requests that were made again on the same connection; refused: why.
    """

    def __init__(self, broken: str, release: GoRelease) -> None:
        self.broken, self.release = broken, release
        self.retries, self.refused = 0, ""
        self.received = 0
        self.status: str | None = None


def host_port(url: GoUrl) -> HostPort:
    """Where a URL of a peer points. Raises UrlError with Go's text where it points nowhere."""
    error = url.callable_error()
    if error:
        raise UrlError(error)
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    port = url.port
    no_such_host = UrlError(NO_SUCH_HOST.of(host=escaped(url.hostname[:_SHOWN_HOST])))
    if len(host) > _MAX_NAME:
        raise no_such_host
    try:
        return parse_url(f"{url.scheme}://{host}:{port or _NO_PORT}/", ("http", "https"))._replace(port=port)
    except ValueError as error_of_ours:
        raise no_such_host from error_of_ours


def headers(url: GoUrl) -> list[tuple[str, str]]:
    """As Go's client sends them. Raises UrlError."""
    place = host_port(url)
    fields = [("Host", url.host if url.host.isascii() and "%" not in url.host else place.authority)]
    fields += [("User-Agent", USER_AGENT), ("Accept-Encoding", "gzip")]
    if url.userinfo is not None:
        user, _, password = url.userinfo.partition(":")
        credentials = f"{user}:{password}".encode("utf-8", "surrogateescape")
        fields.append(("Authorization", f"Basic {base64.b64encode(credentials).decode('ascii')}"))
    return fields
