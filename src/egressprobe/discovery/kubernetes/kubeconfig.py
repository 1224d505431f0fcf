"""A kubeconfig into an ApiServer, for people outside Lambda: where kubectl connects to, and as whom.

Which credentials are used, and in what form, follows k8s.io/client-go v0.36: tools/clientcmd/client_config.go,
transport/round_trippers.go (a token before a password, impersonation headers), transport/token_source.go (a token file
is stripped and comes before `token`), transport/transport.go TLSConfigFor, plugin/pkg/client/auth/exec/exec.go (a
plugin is used only where there is nothing else). Without a proxy-url the environment's proxies are used; a
server without TLS gets no credentials. The auth providers that kubectl has dropped are refused. No message shows a
secret.
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import os
import re
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from egressprobe.discovery.kubernetes import in_cluster
from egressprobe.discovery.kubernetes.api_server import ApiServer, proxy_of_environment
from egressprobe.discovery.kubernetes.exec_plugin import checked_plugin, run_plugin
from egressprobe.discovery.kubernetes.kubeconfig_file import (
    PLACE,
    ChosenContext,
    ClusterEntry,
    UserEntry,
    choose,
    decoded,
    read_files,
)
from egressprobe.golang.http.proxy import Proxy, parse_proxy
from egressprobe.golang.x509.ca_bundle import BundleError, anchors
from egressprobe.model.errors import InputError, os_words, short
from egressprobe.net.secrets import is_header_value
from egressprobe.net.urls import parse_url, shown

# Bytes of a key of as-user-extra that are in a header's name as they are: transport/round_trippers.go headerKeyEscape.
_LEGAL = frozenset(b"!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
type _Token = Callable[[], str] | None
type _Files = tuple[Path, Path] | None
type _Headers = tuple[tuple[str, str], ...]


def default_paths() -> list[Path]:
    """The files that kubectl reads by itself, those that exist: KUBECONFIG's, else ~/.kube/config."""
    listed = os.environ.get("KUBECONFIG", "")
    paths = [Path(text) for text in dict.fromkeys(listed.split(os.pathsep)) if text] if listed else []
    if not listed:
        paths = [Path.home() / ".kube" / "config"]
    return [path for path in paths if path.exists()]


@contextmanager
def api_server(paths: list[Path], context: str | None = None) -> Iterator[ApiServer]:
    """The server of `context`, by default the current one. Keys are in a private folder for as long as this lasts.

    Where the files say nothing at all, and this is a pod, it is the pod's own cluster. Raises InputError.
    """
    config = read_files(paths)
    if config.is_empty and not context and in_cluster.is_possible():
        yield _in_cluster()
        return
    chosen = choose(config, paths, context)
    with tempfile.TemporaryDirectory(prefix="egressprobe-") as folder:
        yield _server(chosen, Path(folder))


def _in_cluster() -> ApiServer:
    url, token_file, authority = in_cluster.place()
    token = _token(UserEntry(token_file=str(token_file)), Path("/"))
    return ApiServer(url, _anchors(authority), token, proxy=proxy_of_environment(url))


def _server(chosen: ChosenContext, folder: Path) -> ApiServer:
    cluster, user = chosen.cluster, chosen.user
    authority = _authority(cluster, chosen.cluster_home)
    _refused(user)
    proxy = _proxy(cluster)
    url = _url(cluster)
    server = ApiServer(
        url=url,
        anchors=_anchors(authority),
        name=cluster.tls_server_name or None,
        verify=not cluster.insecure_skip_tls_verify,
        headers=_impersonation(user),
        compress=not cluster.disable_compression,
        proxy=proxy or proxy_of_environment(url),
    )
    if url.startswith("http:"):  # clientcmd reads credentials only for TLS
        return server
    token, files = _credentials(chosen, authority, folder)
    return server._replace(token=token, certificate=files, headers=(*_basic(user), *server.headers))


def _proxy(cluster: ClusterEntry) -> Proxy | None:
    """clientcmd/helpers.go parseProxyURL; without proxy-url the environment decides (transport/cache.go)."""
    if not cluster.proxy_url:
        return None
    try:
        return parse_proxy(cluster.proxy_url, ("http", "https", "socks5"))
    except ValueError as error:
        raise InputError(PLACE, f'clusters.proxy-url "{short(shown(cluster.proxy_url))}" {error}') from None


def _url(cluster: ClusterEntry) -> str:
    """rest/url_utils.go DefaultServerURL: HOST or HOST:PORT alone is http, as clientcmd sets TLS up afterwards."""
    url = cluster.server
    if not url:
        raise InputError(PLACE, "clusters.server is missing")
    if "://" not in url and "/" not in url:
        url = f"http://{url}"
    path = re.match(r"[a-z]+://[^/?#]*/[^?#]", url)
    try:
        # Behind a path kubectl drops the query and the fragment.
        url = re.split(r"[?#]", url)[0] if path else url
        parse_url(url, ("https", "http"))
    except ValueError as error:
        raise InputError(PLACE, f'clusters.server "{short(shown(url))}" {error}') from None
    return url


def _authority(cluster: ClusterEntry, home: Path) -> bytes:
    """PEM; empty for the system roots."""
    inline = decoded(cluster.certificate_authority_data, "clusters.certificate-authority-data")
    if cluster.certificate_authority and inline:
        raise InputError(PLACE, "clusters has certificate-authority and certificate-authority-data; keep one")
    if cluster.insecure_skip_tls_verify and (cluster.certificate_authority or inline):
        raise InputError(PLACE, "clusters has insecure-skip-tls-verify and a certificate authority; keep one")
    if cluster.certificate_authority:
        return _file(home / cluster.certificate_authority, "certificate-authority")
    return inline


def _anchors(authority: bytes) -> tuple[bytes, ...]:
    try:
        return anchors(authority) if authority else ()
    except BundleError as error:
        raise InputError(PLACE, f"certificate-authority: {error}") from None


def _file(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = os_words(error) if isinstance(error, OSError) else "it is not a path"
        raise InputError(PLACE, f"{key} {_shown(path)} cannot be read: {reason}") from None


def _shown(path: Path) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(path))


def _refused(user: UserEntry) -> None:
    """validation.go validateAuthInfo, and what is not supported here."""
    if user.auth_provider is not None:
        raise InputError(PLACE, "users.auth-provider is not supported; use a token, a client certificate or exec")
    if user.token and (user.username or user.password):
        raise InputError(PLACE, "users has a token and a username or password; keep one")
    if (user.as_uid or user.as_groups or user.as_user_extra) and not user.user_as:
        raise InputError(PLACE, "users has as-uid, as-groups or as-user-extra without as; name the user")
    for key, inline in (("certificate", user.client_certificate_data), ("key", user.client_key_data)):
        if getattr(user, f"client_{key}") and inline:
            raise InputError(PLACE, f"users has client-{key} and client-{key}-data; keep one")
    has_certificate = user.client_certificate or user.client_certificate_data
    if has_certificate and not (user.client_key or user.client_key_data):
        raise InputError(PLACE, "users has a client certificate without client-key or client-key-data")
    if user.exec is not None:
        checked_plugin(user.exec)


def _credentials(chosen: ChosenContext, authority: bytes, folder: Path) -> tuple[_Token, _Files]:
    user, home = chosen.user, chosen.user_home
    files: _Files = None
    if user.client_certificate or user.client_certificate_data:
        pair = [
            decoded(getattr(user, f"client_{part}_data"), f"users.client-{part}-data")
            or _file(home / getattr(user, f"client_{part}"), f"client-{part}")
            for part in ("certificate", "key")
        ]
        files = _keep(folder, *pair)
    token = _token(user, home)
    if user.exec is None or token or files or user.username or user.password:
        return token, files
    return _by_plugin(chosen, authority, folder)


def _token(user: UserEntry, home: Path) -> _Token:
    """A file's token is read again each time; where it cannot be read `token` is used."""
    fixed = _checked(user.token, "users.token") if user.token else ""
    if not user.token_file:
        return (lambda: fixed) if fixed else None
    path = home / user.token_file

    def read() -> str:
        try:
            text = _file(path, "tokenFile").decode("utf-8", "replace").strip()
            if not text:
                raise InputError(PLACE, f"tokenFile {_shown(path)} is empty")
        except InputError:
            if fixed:
                return fixed
            raise
        return _checked(text, "the token in tokenFile")

    read()
    return read


def _checked(text: str, what: str) -> str:
    """net/http refuses to send such a header, and so does kubectl."""
    if not is_header_value(text):
        raise InputError(PLACE, f"{what} has a line end or another control character in it; write it as one line")
    return text


def _by_plugin(chosen: ChosenContext, authority: bytes, folder: Path) -> tuple[_Token, _Files]:
    """What an exec plugin gives; after the API server has refused a token it is run once more."""
    plugin = chosen.user.exec
    assert plugin is not None  # noqa: S101 (the caller)
    first = run_plugin(plugin, chosen.user_home, chosen.cluster, authority)
    files = _keep(folder, first.certificate.encode(), first.key.encode()) if first.certificate else None
    if not first.token:
        return None, files
    unused = [first.token]

    def token() -> str:
        return unused.pop() if unused else run_plugin(plugin, chosen.user_home, chosen.cluster, authority).token

    return token, files


def _keep(folder: Path, certificate: bytes, key: bytes) -> tuple[Path, Path]:
    """OpenSSL reads them from files only. Raises InputError for a pair that crypto/tls X509KeyPair refuses."""
    paths = folder / "certificate", folder / "key"
    for path, data in zip(paths, (certificate, key), strict=True):
        path.touch(mode=0o600)
        path.write_bytes(data)
    try:
        # An encrypted key would make OpenSSL ask for its password on the terminal.
        ssl.create_default_context().load_cert_chain(*paths, password="")
    except (ssl.SSLError, ValueError, OSError):
        raise InputError(PLACE, "the client certificate and its key are not a pair in PEM, or are encrypted") from None
    return paths


def _basic(user: UserEntry) -> _Headers:
    if not (user.username or user.password):
        return ()
    credentials = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    return (("Authorization", f"Basic {credentials}"),)


def _impersonation(user: UserEntry) -> _Headers:
    """transport/round_trippers.go impersonatingRoundTripper."""
    headers = [("Impersonate-User", user.user_as)] if user.user_as else []
    headers += [("Impersonate-Uid", user.as_uid)] if user.as_uid else []
    headers += [("Impersonate-Group", group) for group in user.as_groups]
    for key, values in user.as_user_extra.items():
        headers += [(f"Impersonate-Extra-{_header_key(key)}", value) for value in values]
    for name, value in headers:
        _checked(value, f"users.{name}")
    return tuple(headers)


def _header_key(key: str) -> str:
    """Percent-encoded where it may not be in a header's name."""
    return "".join(chr(byte) if byte in _LEGAL else f"%{byte:02X}" for byte in key.encode())
