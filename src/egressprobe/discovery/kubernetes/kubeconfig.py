"""A kubeconfig into an ApiServer, for people outside Lambda: kubectl's file, as far as it says where and as whom.

Taken: server, certificate-authority(-data), insecure-skip-tls-verify, tls-server-name; token, tokenFile, client
certificates, exec plugins (`aws eks get-token`). A proxy-url, passwords and the auth providers that kubectl has
dropped are refused with a line.
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import binascii
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from egressprobe.discovery.kubernetes.client import ApiServer
from egressprobe.golang.x509.ca_bundle import BundleError, anchors
from egressprobe.model.errors import InputError, os_words, short
from egressprobe.net.urls import parse_url
from egressprobe.targets.file import read_file

_EXEC_SECONDS = 60
_PLACE = "--kubeconfig"


@contextmanager
def api_server(path: str, context: str | None = None) -> Iterator[ApiServer]:
    """The server of `context`, by default the current one. Keys lie in a private folder for as long as this lasts.

    Raises InputError.
    """
    document = read_file(path)
    if not isinstance(document, dict):
        raise InputError(_PLACE, f"{path} is not a kubeconfig")
    name = context or document.get("current-context") or ""
    if not name:
        raise InputError(_PLACE, f"{path} has no current-context; name one with --context")
    chosen = _named(document, "contexts", "context", name)
    cluster = _named(document, "clusters", "cluster", str(chosen.get("cluster")))
    user = _named(document, "users", "user", str(chosen.get("user"))) if chosen.get("user") else {}
    home = Path(path).resolve().parent
    with tempfile.TemporaryDirectory(prefix="egressprobe-") as folder:
        yield _server(cluster, user, home, Path(folder))


def _named(document: dict[str, Any], plural: str, singular: str, name: str) -> dict[str, Any]:
    listed = document.get(plural)
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    for one in entries:
        if one.get("name") == name and isinstance(one.get(singular), dict):
            found: dict[str, Any] = one[singular]
            return found
    known = ", ".join(short(str(one.get("name"))) for one in entries) or "none"
    raise InputError(_PLACE, f'there is no {singular} "{short(name)}"; there are: {known}')


def _server(cluster: dict[str, Any], user: dict[str, Any], home: Path, folder: Path) -> ApiServer:
    if cluster.get("proxy-url"):
        raise InputError(_PLACE, "proxy-url is not supported; connect without a proxy")
    url = str(cluster.get("server") or "")
    try:
        parse_url(url, ("https",))
    except ValueError as error:
        raise InputError(_PLACE, f'server "{short(url)}" {error}') from None
    token, certificate = _identity(user, home, folder)
    return ApiServer(
        url=url,
        anchors=_authority(cluster, home),
        token=token,
        certificate=certificate,
        name=cluster.get("tls-server-name") or None,
        verify=not cluster.get("insecure-skip-tls-verify", False),
    )


def _authority(cluster: dict[str, Any], home: Path) -> tuple[bytes, ...]:
    data = _data(cluster, "certificate-authority", home)
    if data is None:
        return ()
    try:
        return anchors(data)
    except BundleError as error:
        raise InputError(_PLACE, f"certificate-authority: {error}") from None


def _data(entry: dict[str, Any], key: str, home: Path) -> bytes | None:
    """`KEY-data` in base64, or the file that KEY names, beside the kubeconfig."""
    inline = entry.get(f"{key}-data")
    if inline:
        try:
            return base64.b64decode(str(inline), validate=True)
        except (binascii.Error, ValueError):
            raise InputError(_PLACE, f"{key}-data is not base64") from None
    return _file(home / str(entry[key]), key) if entry.get(key) else None


def _file(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(_PLACE, f"{key} {path} cannot be read: {os_words(error)}") from None


type _Identity = tuple[Callable[[], str] | None, tuple[Path, Path] | None]


def _identity(user: dict[str, Any], home: Path, folder: Path) -> _Identity:
    for key in ("username", "password", "auth-provider"):
        if user.get(key):
            raise InputError(_PLACE, f"users.{key} is not supported; use a token, a client certificate or exec")
    if isinstance(user.get("exec"), dict):
        return _by_plugin(user["exec"], folder)
    certificate, key_data = _data(user, "client-certificate", home), _data(user, "client-key", home)
    files = _keep(folder, certificate, key_data) if certificate and key_data else None
    if user.get("tokenFile"):
        path = home / str(user["tokenFile"])
        return lambda: _file(path, "tokenFile").decode("utf-8", "replace").strip(), files
    fixed = user.get("token")
    return (lambda: str(fixed)) if fixed else None, files


def _by_plugin(plugin: dict[str, Any], folder: Path) -> _Identity:
    """What an exec plugin gives; a token that is refused is asked for once more."""
    status = _exec(plugin)
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    files = _keep(folder, str(certificate).encode(), str(key).encode()) if certificate and key else None
    if not status.get("token"):
        return None, files
    fresh = [str(status["token"])]

    def token() -> str:
        return fresh.pop() if fresh else str(_exec(plugin).get("token") or "")

    return token, files


def _keep(folder: Path, certificate: bytes, key: bytes) -> tuple[Path, Path]:
    """OpenSSL reads them from files only."""
    paths = folder / "certificate", folder / "key"
    for path, data in zip(paths, (certificate, key), strict=True):
        path.touch(mode=0o600)
        path.write_bytes(data)
    return paths


def _exec(plugin: dict[str, Any]) -> dict[str, Any]:
    """The status of an ExecCredential. https://kubernetes.io/docs/reference/config-api/client-authentication.v1/"""
    command = str(plugin.get("command") or "")
    found = shutil.which(command)
    if found is None:
        raise InputError(_PLACE, f'the exec plugin "{short(command)}" is not on PATH')
    given = {str(one.get("name")): str(one.get("value")) for one in plugin.get("env") or [] if isinstance(one, dict)}
    version = str(plugin.get("apiVersion") or "client.authentication.k8s.io/v1")
    info = json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}})
    environment = os.environ | given | {"KUBERNETES_EXEC_INFO": info}
    arguments = [str(one) for one in plugin.get("args") or []]
    try:
        done = subprocess.run(
            [found, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_EXEC_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(_PLACE, f'the exec plugin "{short(command)}" did not finish: {type(error).__name__}') from None
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = words[-1] if words else f"exit {done.returncode}"
        raise InputError(_PLACE, f'the exec plugin "{short(command)}" failed: {said[:200]}')
    try:
        status = json.loads(done.stdout)["status"]
        return dict(status)
    except (ValueError, KeyError, TypeError):
        raise InputError(_PLACE, f'the exec plugin "{short(command)}" printed no ExecCredential') from None
