"""Credential plugins of a kubeconfig, such as `aws eks get-token`: run, and their answer read.

As k8s.io/client-go/plugin/pkg/client/auth/exec/exec.go v0.36: the plugin gets KUBERNETES_EXEC_INFO, the cluster in it
where `provideClusterInfo` is set, and prints an ExecCredential of the version that the kubeconfig names. What it
prints is a secret; of its messages one line is shown, without what looks like one.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.discovery.kubernetes.kubeconfig_file import PLACE, ClusterEntry, ExecEntry
from egressprobe.model.errors import InputError, short
from egressprobe.net.secrets import is_header_value, without_secrets

_SECONDS = 60
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_MODES = ("Never", "IfAvailable", "Always")
_EXTENSION = "client.authentication.k8s.io/exec"


class ExecCredential(NamedTuple):
    """A token, a certificate with its key (PEM), or both; empty where there is none."""

    token: str = ""
    certificate: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return "ExecCredential()"


def checked_plugin(plugin: ExecEntry) -> None:
    """Raises InputError for what clientcmd's validateAuthInfo refuses."""
    if not plugin.command:
        raise InputError(PLACE, "users.exec.command is missing")
    if plugin.api_version not in _VERSIONS:
        problem = f'"{short(plugin.api_version)}" is not known' if plugin.api_version else "is missing"
        raise InputError(PLACE, f"users.exec.apiVersion {problem}; use {' or '.join(_VERSIONS)}")
    if any(not variable.name for variable in plugin.env):
        raise InputError(PLACE, "users.exec.env has a variable without a name")
    mode = plugin.interactive_mode
    if mode not in _MODES and (mode or plugin.api_version == _VERSIONS[0]):  # v1beta1 defaults to IfAvailable
        problem = f'"{short(mode)}" is not known' if mode else "is missing"
        raise InputError(PLACE, f"users.exec.interactiveMode {problem}; use {', '.join(_MODES)}")


def run_plugin(plugin: ExecEntry, home: Path, cluster: ClusterEntry, authority: bytes) -> ExecCredential:
    """One run of it. home: the kubeconfig's folder; authority: the cluster's CA, in PEM. Raises InputError."""
    name = f'the exec plugin "{short(plugin.command)}"'
    # A command with a separator is relative to the file, another is looked up on PATH (loader.go).
    command = str(home / plugin.command) if os.sep in plugin.command else plugin.command
    program = shutil.which(command)
    if program is None:
        where = "an executable file" if os.sep in plugin.command else "on PATH"
        hint = f"; {without_secrets(plugin.install_hint)}" if plugin.install_hint else ""
        raise InputError(PLACE, f"{name} is not {where}{hint}")
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if plugin.interactive_mode == "Always" and not terminal:
        raise InputError(PLACE, f"{name} needs a terminal (interactiveMode: Always)")
    interactive = terminal and plugin.interactive_mode != "Never"
    environment = os.environ | {variable.name: variable.value for variable in plugin.env}
    environment["KUBERNETES_EXEC_INFO"] = _info(plugin, cluster, authority, interactive=interactive)
    try:
        done = subprocess.run(
            [program, *plugin.args],
            env=environment,
            stdin=None if interactive else subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise InputError(PLACE, f"{name} did not finish: {type(error).__name__}") from None
    if done.returncode:
        secrets = [*plugin.args, *(variable.value for variable in plugin.env)]
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = without_secrets(lines[-1], secrets) if lines else ""
        raise InputError(PLACE, f"{name} failed: {reason or f'exit {done.returncode}'}")
    return _credential(done.stdout, plugin.api_version, name)


def _info(plugin: ExecEntry, cluster: ClusterEntry, authority: bytes, *, interactive: bool) -> str:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.provide_cluster_info:
        extension = next((e.extension for e in cluster.extensions if e.name == _EXTENSION), None)
        fields = {
            "server": cluster.server,
            "tls-server-name": cluster.tls_server_name,
            "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
            "certificate-authority-data": base64.b64encode(authority).decode(),
            "proxy-url": cluster.proxy_url,
            "disable-compression": cluster.disable_compression,
            "config": extension,
        }
        spec["cluster"] = {key: value for key, value in fields.items() if value or key == "server"}
    return json.dumps({"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec})


def _credential(output: bytes, version: str, name: str) -> ExecCredential:
    """The status of an ExecCredential. https://kubernetes.io/docs/reference/config-api/client-authentication.v1/"""
    try:
        document = json.loads(output)
        kind, printed, status = document.get("kind"), document.get("apiVersion"), document.get("status")
    except (ValueError, AttributeError, RecursionError):
        raise InputError(PLACE, f"{name} printed no ExecCredential") from None
    if kind != "ExecCredential" or not isinstance(status, dict):
        raise InputError(PLACE, f"{name} printed no ExecCredential")
    if printed != version:
        raise InputError(PLACE, f"{name} printed another version than {version}, which the kubeconfig names")
    texts = [status.get(key) or "" for key in ("token", "clientCertificateData", "clientKeyData")]
    if not all(isinstance(text, str) for text in texts):
        raise InputError(PLACE, f"{name} printed a status that is not of strings")
    credential = ExecCredential(*texts)
    if not any(credential):
        raise InputError(PLACE, f"{name} printed neither a token nor a certificate")
    if bool(credential.certificate) != bool(credential.key):
        raise InputError(PLACE, f"{name} printed a certificate or a key, not both")
    if not is_header_value(credential.token):
        raise InputError(PLACE, f"{name} printed a token with a line end or another control character in it")
    return credential
