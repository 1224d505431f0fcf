"""Where a call went, and whose it was, as far as the text says. Pure."""

import re
from typing import NamedTuple

from egressprobe.catalog.pasted.recognise import Recognised
from egressprobe.model.target import Kind
from egressprobe.net.urls import shown

_PORTS = {"https": "443", "http": "80"}
_API_PATH = re.compile(r"/apis/([a-z0-9.-]{1,253})/(v[a-z0-9]{1,30})\b")
_GROUP_VERSION = re.compile(r"([a-z0-9.-]{1,253})/(v[a-z0-9]{1,30})")
_API_NAME = re.compile(r"v[a-z0-9]{1,30}\.[a-z0-9.-]{1,253}")


class CallPlace(NamedTuple):
    """Where the call went. url: without query, fragment and user info; service, namespace: of NAME.NAMESPACE.svc."""

    url: str = ""
    host: str = ""
    port: str = ""
    service: str = ""
    namespace: str = ""


def place(error: Recognised) -> CallPlace:
    """Read from the URL, else from the host or the endpoint that the text names."""
    # What is left of a URL that cannot be taken apart may be a part of a password.
    scheme, separator, rest = shown(error.values.get("url", "")).partition("://")
    if separator and rest != "...":
        authority, slash, path = rest.partition("/")
        authority = authority.rpartition("@")[2]
        for mark in "?#":
            authority, path = authority.partition(mark)[0], path.partition(mark)[0]
        url = f"{scheme}://{authority}{slash}{path}".rstrip(".,:;")
    else:
        url, authority = "", error.values.get("host") or error.values.get("endpoint", "")
    host, port = _split(authority)
    port = port or (_PORTS.get(scheme, "") if separator else "")
    service, _, namespace = host.removesuffix(".svc").partition(".") if host.endswith(".svc") else ("", "", "")
    return CallPlace(url, host, port, service, namespace)


def is_loopback(at: CallPlace) -> bool:
    """Whether the call stays on the API server's own computer."""
    return at.host in {"localhost", "::1"} or at.host.startswith("127.")


def is_without_kubeconfig(at: CallPlace) -> bool:
    """Whether it is the server that kubectl calls where no kubeconfig names one (client-go, tools/clientcmd)."""
    return (at.host, at.port) == ("localhost", "8080")


def _split(authority: str) -> tuple[str, str]:
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = authority.partition(":")
    return (authority, "") if ":" in port else (host, port)


def api_service(error: Recognised) -> str:
    """The name of the APIService, VERSION.GROUP; empty where the text has none."""
    named = error.values.get("api", "")
    if _API_NAME.fullmatch(named):
        return named
    match = _GROUP_VERSION.fullmatch(named) or _API_PATH.search(error.values.get("url", ""))
    return f"{match[2]}.{match[1]}" if match else ""


def _serving(error: Recognised) -> str:
    served = error.values.get("served", "")
    return f"that serves {served}" if served else ""


def whose_call(error: Recognised) -> str:
    """Who made the call, in words."""
    if error.by_client:
        return "a client's own connection to the API server"
    if error.kind is None:
        return "not in the text: the API server's call, if it is from its log or behind `Error from server`"
    name, api = error.values.get("webhook", ""), api_service(error) or _serving(error)
    words = {
        Kind.WEBHOOK: f"the API server's call of {f'the webhook {name}' if name else 'a webhook'}",
        Kind.OIDC: "the API server's call of an OIDC provider",
        Kind.AGGREGATED_API: f"the API server's call of {f'the aggregated API {api}' if api else 'an aggregated API'}",
        Kind.KUBELET: "the API server's call of a kubelet",
    }
    resource = error.values.get("resource")
    return f"the API server's call of the conversion webhook of {resource}" if resource else words[error.kind]
