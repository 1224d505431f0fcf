"""The faults of the lab, and the verdict and code that the probe must report for each.

One loopback address for each server (places.py), one port for all, names under lab.example. The lab's guard lets
through 127.77.0.0/24 and nothing else that is forbidden; it is handed to the handler in code, no event can set it.
"""

import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import Credential, issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.places import LabPlace, places
from egressprobe.lab.servers import (
    DeafServer,
    HttpServer,
    Loop,
    Page,
    PlainHttpServer,
    RefusingServer,
    Server,
    TcpServer,
    server_context,
)
from egressprobe.model.errors import os_words
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from egressprobe.net.guard import forbidden
from egressprobe.probe.edges import Edges

PORT = 8443
_SPARE_PORTS = (18443, 28443, 38443)
_NET = ip_network("127.77.0.0/24")
_H2 = ("h2", "http/1.1")
# target in events/demo.json -> what the probe must say
EXPECTED: dict[str, tuple[Verdict, Code | None]] = {
    "policy.healthy": (Verdict.PASS, None),
    "corp-idp": (Verdict.PASS, None),
    "vpod.pods.svc": (Verdict.DEGRADED, Code.CONNECT_REFUSED),
    "v1beta1.metrics.k8s.io": (Verdict.PASS, None),
    "nodes": (Verdict.PASS, None),
    "ldap": (Verdict.PASS, None),
    "internet-must-be-closed": (Verdict.PASS, None),
    "nxdomain": (Verdict.FAIL, Code.DNS_NXDOMAIN),
    "aaaa-dropped": (Verdict.FAIL, Code.DNS_TIMEOUT),
    "one-of-two-dead": (Verdict.FAIL, Code.CONNECT_TIMEOUT),
    "refused": (Verdict.FAIL, Code.CONNECT_REFUSED),
    "silent": (Verdict.FAIL, Code.CONNECT_TIMEOUT),
    "expired": (Verdict.FAIL, Code.TLS_CERT_EXPIRED),
    "expires-soon": (Verdict.DEGRADED, None),
    "wrong-name": (Verdict.FAIL, Code.TLS_HOSTNAME_MISMATCH),
    "unknown-ca": (Verdict.FAIL, Code.TLS_UNKNOWN_AUTHORITY),
    "handshake-stall": (Verdict.FAIL, Code.TLS_TIMEOUT),
    "plain-http": (Verdict.FAIL, Code.TLS_NOT_TLS),
    "client-certificate": (Verdict.FAIL, Code.TLS_ALERT),
    "v1beta2.custom.metrics.k8s.io": (Verdict.FAIL, Code.TLS_UNKNOWN_AUTHORITY),
    "issuer-mismatch": (Verdict.FAIL, Code.OIDC_ISSUER_MISMATCH),
    "jwks-unreachable": (Verdict.FAIL, Code.OIDC_JWKS_UNREACHABLE),
    "leak-must-be-closed": (Verdict.FAIL, Code.BLOCKED_TARGET_REACHED),
    "loopback-alias": (Verdict.UNKNOWN, Code.TARGET_FORBIDDEN),
}
_ZONE = {
    "policy": Records(a=("127.77.0.10",)),
    "idp": Records(a=("127.77.0.11",)),
    "keys": Records(a=("127.77.0.12",)),
    "ldap": Records(a=("127.77.0.24",)),
    "aaaa-dropped": Records(a=("127.77.0.10",), fault_aaaa="drop"),
    "half": Records(a=("127.77.0.66", "127.77.0.10")),
    "refused": Records(a=("127.77.0.23",)),
    "silent": Records(a=("127.77.0.66",)),
    "expired": Records(a=("127.77.0.13",)),
    "soon": Records(a=("127.77.0.19",)),
    "wrong-name": Records(a=("127.77.0.14",)),
    "rogue": Records(a=("127.77.0.15",)),
    "stall": Records(a=("127.77.0.16",)),
    "plain": Records(a=("127.77.0.17",)),
    "mtls": Records(a=("127.77.0.18",)),
    "sneaky": Records(a=("127.0.0.1",)),
}


class LabError(RuntimeError):
    """The machine cannot host the lab; one line says why and what to do."""


def lab_guard(address: str) -> str | None:
    """The guard of the product, but for the lab's own addresses."""
    return None if ip_address(address) in _NET else forbidden(address)


def _host(name: str) -> str:
    return f"{name}.lab.example"


def _servers(ca: Credential, port: int, at: Callable[[int], tuple[str, int]]) -> Iterator[Server]:
    """Every server of the lab. port: that of the URLs. at: where a server listens, by the last byte of its address."""

    def web(
        last: int, names: tuple[str, ...], *, by: Credential = ca, ends: timedelta = timedelta(days=80)
    ) -> HttpServer:
        credential = issue(by, names, ends=ends)
        return HttpServer(*at(last), tls=server_context(credential))

    yield web(10, tuple(map(_host, ("policy", "half", "aaaa-dropped"))))
    yield HttpServer(*at(11), tls=server_context(issue(ca, (_host("idp"),)), alpn=("http/1.1",)), pages=_pages(port))
    yield HttpServer(*at(12), tls=server_context(issue(ca, (_host("keys"),))), pages={"/jwks": _KEYS})
    yield web(13, (_host("expired"),), ends=timedelta(hours=-1))
    yield web(14, (_host("another-name"),))
    yield web(15, (_host("rogue"),), by=make_authority("Rogue Firewall CA"))
    yield TcpServer(*at(16))
    yield PlainHttpServer(*at(17))
    mtls = server_context(issue(ca, (_host("mtls"),)), client_ca=ca.pem)
    yield RefusingServer(*at(18), context=mtls)
    yield web(19, (_host("soon"),), ends=timedelta(days=1.5))
    metrics = issue(ca, ("metrics-server.kube-system.svc",))
    yield HttpServer(*at(20), tls=server_context(metrics), pages={_METRICS: Page(b"{}")})
    custom = issue(make_authority("rotated CA"), ("adapter.monitoring.svc",))
    yield HttpServer(*at(25), tls=server_context(custom), pages={_CUSTOM_METRICS: Page(b"{}")})
    for last in (21, 22):
        node = issue(make_authority(f"node-{last}-ca"), (f"127.77.0.{last}",))
        yield HttpServer(*at(last), tls=server_context(node, alpn=_H2))
    yield web(24, (_host("ldap"),))
    for last in (31, 32):
        yield web(last, ("pods.policy.svc",))
    yield DeafServer(*at(66))


_METRICS, _CUSTOM_METRICS = "/apis/metrics.k8s.io/v1beta1", "/apis/custom.metrics.k8s.io/v1beta2"
_KEYS = Page(
    json.dumps(
        {
            "keys": [
                {  # RFC 7515 appendix A.3.1
                    "kty": "EC",
                    "crv": "P-256",
                    "kid": "lab",
                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                }
            ]
        }
    ).encode()
)


def _pages(port: int) -> dict[str, Page]:
    """Three realms: a correct one, one whose document names another issuer, one whose keys cannot be fetched."""
    base = f"https://{_host('idp')}:{port}/realms"
    realms = {
        "eks": (f"{base}/eks", f"https://{_host('keys')}:{port}/jwks"),
        "renamed": (f"{base}/old-name", f"https://{_host('keys')}:{port}/jwks"),
        "keys-elsewhere": (f"{base}/keys-elsewhere", f"https://{_host('refused')}:{port}/jwks"),
    }
    return {
        f"/realms/{realm}/.well-known/openid-configuration": Page(
            json.dumps({"issuer": issuer, "jwks_uri": jwks}).encode()
        )
        for realm, (issuer, jwks) in realms.items()
    }


def demo_event(port: int = PORT) -> dict[str, Any]:
    """events/demo.json: packed beside this module in a wheel, in the repository's events/ otherwise."""
    beside = Path(__file__).with_name("demo.json")
    path = beside if beside.exists() else Path(__file__).parents[3] / "events" / "demo.json"
    event: dict[str, Any] = json.loads(path.read_text().replace(f":{PORT}", f":{port}"))
    return event


@contextmanager
def lab() -> Iterator[tuple[dict[str, Any], Edges]]:
    """The running lab: events/demo.json with the lab's CA in it, and the edges to hand to the handler."""
    ca = make_authority("egressprobe lab CA")
    zone = {_host(name): records for name, records in _ZONE.items()}
    with Loop() as loop:
        place = _start(loop, ca)
        dns = loop.start(DnsServer(serve_zone(zone), place.dns))
        event = demo_event(place.port)
        event["plan"]["bundles"]["lab-ca"] = ca.pem
        yield event, Edges(guard=lab_guard, config=ResolverConfig(servers=(dns.text,)), dial=place.dial)


def _start(loop: Loop, ca: Credential) -> LabPlace:
    """Start every server: on other ports where the usual ones are taken (a second demo, say), and on 127.0.0.1 alone
    where there is no other loopback address.
    """
    for place in places((PORT, *_SPARE_PORTS)):
        try:
            for server in _servers(ca, place.port, place.at):
                loop.start(server)
            return place
        except OSError as error:
            loop.stop_servers()
            # Without a number: asyncio's own for an address that is not there.
            if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, None):
                raise LabError(f"the lab cannot listen on a loopback address: {os_words(error)}") from error
    ports = ", ".join(map(str, (PORT, *_SPARE_PORTS)))
    raise LabError(f"the lab needs one of the ports {ports} free on 127.77.0.10 to .66, or a range of 57 on 127.0.0.1")
