"""Where an API server is and as whom it is read, and which proxy the environment names for it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from egressprobe.golang.http.proxy import Proxy, environment_proxy
from egressprobe.model.errors import InputError
from egressprobe.net.urls import parse_url, shown


class ApiServer(NamedTuple):
    """Where and as whom to read.

    anchors: the cluster's CA, empty for the system roots. token: a bearer token, fresh at each call; None: the
    certificate alone. certificate: files of a client certificate and its key. name: sent as SNI and verified
    instead of the URL's host. headers: of each request, such as impersonation. compress: take gzip. proxy: what
    connects; a URL with http:// needs no TLS, and kubectl sends no credentials to it.
    """

    url: str
    anchors: tuple[bytes, ...]
    token: Callable[[], str] | None = None
    certificate: tuple[Path, Path] | None = None
    name: str | None = None
    verify: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    compress: bool = True
    proxy: Proxy | None = None

    def __repr__(self) -> str:
        return f"ApiServer({shown(self.url)!r})"


def proxy_of_environment(url: str) -> Proxy | None:
    """HTTPS_PROXY (HTTP_PROXY for http://) and NO_PROXY, as kubectl uses them for `url`. Raises InputError."""
    at = parse_url(url, ("https", "http"))
    try:
        return environment_proxy(os.environ, at.scheme, at.host, at.port)
    except ValueError as error:
        raise InputError(f"{at.scheme.upper()}_PROXY", str(error)) from None
