"""Where a pod's own cluster is, as k8s.io/client-go v0.36 finds it (rest/config.go InClusterConfig).

kubectl looks there when its kubeconfig files say nothing (tools/clientcmd/merged_client_builder.go ClientConfig).
https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

import os
from contextlib import suppress
from pathlib import Path

from egressprobe.golang.x509.ca_bundle import BundleError, anchors

_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def is_possible() -> bool:
    """Clientcmd's inClusterClientConfig.Possible."""
    return bool(_host() and _port()) and (_FOLDER / "token").exists() and not (_FOLDER / "token").is_dir()


def place() -> tuple[str, Path, bytes]:
    """The URL, the file of the token, and the CA in PEM: empty, for the system roots, where it cannot be used."""
    host = f"[{_host()}]" if ":" in _host() else _host()
    authority = b""
    with suppress(OSError, BundleError):
        pem = (_FOLDER / "ca.crt").read_bytes()
        if anchors(pem):
            authority = pem
    return f"https://{host}:{_port()}", _FOLDER / "token", authority


def _host() -> str:
    return os.environ.get("KUBERNETES_SERVICE_HOST", "")


def _port() -> str:
    return os.environ.get("KUBERNETES_SERVICE_PORT", "")
