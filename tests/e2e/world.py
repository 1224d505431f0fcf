"""What a cluster's API server calls: real DNS and TLS servers, and a Kubernetes API that lists them."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from egressprobe.lab.certs import Credential, issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import DeafServer, HttpServer, Loop, Page, Server, server_context
from tests.e2e import network
from tests.support.kube_objects import configuration, service, slice_of, webhook
from tests.support.peers.kubeapi import CLUSTER_CA, kube_api

type Pages = Mapping[str, Page]
CA = make_authority("corporate")
_BUNDLE = base64.b64encode(CA.pem.encode()).decode()
PORT = 8443
ISSUER = f"https://issuer.example:{PORT}"
_HOOK = {"/validate": Page(b"{}")}
# An aggregated API, of a Service with one pod.
API_SERVICE, API_POD, _API_PATH = "v1.metrics.example", "pod-9", "/apis/metrics.example/v1"
_UNAVAILABLE = "FailedDiscoveryCheck"
_METRICS = {"namespace": "metrics", "name": "metrics-svc"}
# More webhooks by URL: with a fault each, the others stay well.
HOOKS = tuple(f"hook-{i}" for i in range(len(network.HOOKS)))
# name -> address, pages
SERVERS = {
    "issuer": (network.ISSUER, "issuer"),
    "policy": (network.POLICY, _HOOK),
    "second": (network.SECOND, _HOOK),
    "audit": (network.AUDIT, _HOOK),
    **{name: (address, _HOOK) for name, address in zip(HOOKS, network.HOOKS, strict=True)},
    **{f"pod-{i}": (address, _HOOK) for i, address in enumerate(network.PODS)},
}
_WELL = ("issuer", "policy", "second", "audit", "pod-0", *HOOKS)
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

    def __init__(self, loop: Loop, api: Any, zone: dict[str, Records]) -> None:
        """zone: what the resolver knows."""
        self._loop, self.api, self._zone, self._names = loop, api, zone, dict(zone)
        self._running: dict[str, Server] = {}
        api.accepts = lambda token: token.startswith("k8s-aws-v1.")
        self.repair()

    def repair(self) -> None:
        """All of it is well: webhooks of each kind, the cluster's issuer, one pod, an aggregated API."""
        self.api.refused.clear()
        self.stop(*self._running)
        self.start(*_WELL)
        self._zone.update(self._names)
        self.pods("pod-0")
        self.aggregate()
        self.webhooks(policy="Fail", second="Fail", audit="Ignore", **dict.fromkeys(HOOKS, "Fail"))

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
            self.serve(name)

    def serve(self, name: str, *, authority: Credential = CA, days: int = 80, pages: Pages | None = None) -> None:
        """In place of the server that runs there. days: for which its certificate is still valid."""
        address, usual = SERVERS[name]
        host = "admission-svc.admission.svc" if name.startswith("pod-") else f"{name}.example"
        tls = server_context(issue(authority, (host,), ends=timedelta(days=days)))
        shown = pages or (_issuer_pages() if isinstance(usual, str) else usual)
        self._replace(name, HttpServer(address, PORT, tls=tls, pages=shown))

    def silence(self, name: str) -> None:
        """Its host drops every SYN, as a firewall does."""
        self._replace(name, DeafServer(SERVERS[name][0], PORT))

    def _replace(self, name: str, server: Server) -> None:
        if name in self._running:
            self.stop(name)
        self._running[name] = self._loop.start(server)

    def forget(self, name: str) -> None:
        """The resolver answers that the server's name does not exist."""
        self._zone.pop(f"{name}.example")

    def remember(self, name: str) -> None:
        self._zone[f"{name}.example"] = self._names[f"{name}.example"]

    def aggregate(self, status: str = "200 OK") -> None:
        """The cluster has an aggregated API, whose pod answers with this status."""
        self.serve(API_POD, pages={_API_PATH: Page(b"{}", status)})
        group, version = API_SERVICE.partition(".")[2], API_SERVICE.partition(".")[0]
        spec = {"group": group, "version": version, "service": _METRICS | {"port": 443}, "insecureSkipTLSVerify": True}
        said = {"type": "Available"} | (
            {"status": "True", "reason": "Passed"}
            if status.startswith("2")
            else {"status": "False", "reason": _UNAVAILABLE}
        )
        listed = {"metadata": {"name": API_SERVICE}, "spec": spec, "status": {"conditions": [said]}}
        self.api.items["apiservices"] = [listed]

    def stop(self, *names: str) -> None:
        for name in [*names]:
            self._loop.call(self._running.pop(name).stop())

    def pods(self, *names: str, ready: bool = True) -> None:
        """The endpoints of the webhook's Service, as EndpointSlices list them."""
        endpoints = [(SERVERS[name][0], ready) for name in names]
        ports = (("https", PORT),)
        self.api.items |= {
            "services": [
                service("admission-svc", "admission", (("https", 443),)),
                service(_METRICS["name"], _METRICS["namespace"], (("https", 443),)),
            ],
            "endpointslices": [
                slice_of(*endpoints, name="admission-svc", namespace="admission", ports=ports),
                slice_of((SERVERS[API_POD][0], True), **_METRICS, ports=ports),
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
        yield World(loop, api, zone)
