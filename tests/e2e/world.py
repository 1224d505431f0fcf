"""What a cluster's API server calls: real DNS and TLS servers, and a Kubernetes API that lists them."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, Loop, Page, server_context
from tests.e2e import network
from tests.support.kube_objects import configuration, service, slice_of, webhook
from tests.support.peers.kubeapi import CLUSTER_CA, kube_api

CA = make_authority("corporate")
_BUNDLE = base64.b64encode(CA.pem.encode()).decode()
PORT = 8443
ISSUER = f"https://issuer.example:{PORT}"
_HOOK = {"/validate": Page(b"{}")}
# name -> address, pages
SERVERS = {
    "issuer": (network.ISSUER, "issuer"),
    "policy": (network.POLICY, _HOOK),
    "second": (network.SECOND, _HOOK),
    "audit": (network.AUDIT, _HOOK),
    **{f"pod-{i}": (address, _HOOK) for i, address in enumerate(network.PODS)},
}
_WELL = ("issuer", "policy", "second", "audit", "pod-0")
# The key of RFC 7517, appendix A.1.
_KEY = {
    "kty": "RSA",
    "kid": "2011-04-29",
    "alg": "RS256",
    "use": "sig",
    "e": "AQAB",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
    "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
    "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
}


def _issuer_pages() -> dict[str, Page]:
    document = {
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/keys",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    keys = {"keys": [_KEY]}
    return {
        "/.well-known/openid-configuration": Page(json.dumps(document).encode()),
        "/keys": Page(json.dumps(keys).encode()),
    }


class World:
    """`start` and `stop` servers by name; `api` is the Kubernetes API; `pods` sets the addresses behind the Service."""

    def __init__(self, loop: Loop, api: Any) -> None:
        self._loop, self.api = loop, api
        self._running: dict[str, HttpServer] = {}
        api.accepts = lambda token: token.startswith("k8s-aws-v1.")
        self.repair()

    def repair(self) -> None:
        """All of it is well: one webhook of each kind, the cluster's issuer, one pod."""
        self.api.refused.clear()
        self.start(*(name for name in _WELL if name not in self._running))
        self.stop(*(name for name in self._running if name not in _WELL))
        self.pods("pod-0")
        self.webhooks(policy="Fail", second="Fail", audit="Ignore")

    @property
    def cluster(self) -> dict[str, Any]:
        """What EKS says of it."""
        authority = base64.b64encode(CLUSTER_CA.pem.encode()).decode()
        return {
            "endpoint": self.api.url,
            "certificateAuthority": {"data": authority},
            "identity": {"oidc": {"issuer": ISSUER}},
        }

    def start(self, *names: str) -> None:
        for name in names:
            address, pages = SERVERS[name]
            host = "admission-svc.admission.svc" if name.startswith("pod-") else f"{name}.example"
            tls = server_context(issue(CA, (host,)))
            pages = _issuer_pages() if pages == "issuer" else pages
            self._running[name] = self._loop.start(HttpServer(address, PORT, tls=tls, pages=pages))

    def stop(self, *names: str) -> None:
        for name in [*names]:
            self._loop.call(self._running.pop(name).stop())

    def pods(self, *names: str) -> None:
        """The endpoints of the webhook's Service, as EndpointSlices list them."""
        endpoints = [(SERVERS[name][0], True) for name in names]
        self.api.items |= {
            "services": [service("admission-svc", "admission", (("https", 443),))],
            "endpointslices": [
                slice_of(*endpoints, name="admission-svc", namespace="admission", ports=(("https", PORT),))
            ],
        }

    def webhooks(self, **failure_policies: str) -> None:
        """Webhooks by URL, name -> failurePolicy, beside the one in pods."""
        more = {"timeoutSeconds": 2, "sideEffects": "None", "ca": _BUNDLE}
        hooks = [
            webhook(f"{name}.example", url=f"https://{name}.example:{PORT}/validate", failurePolicy=policy, **more)
            for name, policy in failure_policies.items()
        ]
        where = {"namespace": "admission", "name": "admission-svc", "path": "/validate", "port": 443}
        hooks.append(webhook("pods.example", service=where, failurePolicy="Fail", **more))
        self.api.items["validatingwebhookconfigurations"] = [configuration("admission", *hooks)]


@contextmanager
def world() -> Iterator[World]:
    """A healthy one."""
    zone = {f"{name}.example": Records(a=(address,)) for name, (address, _) in SERVERS.items()}
    with Loop() as loop, kube_api({}, address=network.API) as api:
        for address in (network.RESOLVER, network.LINK_LOCAL_RESOLVER):
            loop.start(DnsServer(serve_zone(zone), address, 53))
        yield World(loop, api)
