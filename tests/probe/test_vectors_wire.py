"""The recorded `dns` and `dial` cases on real packets: a DNS server, TLS servers, silent and absent hosts in a
network namespace of their own, probed by the whole path that `egressprobe run` takes.
"""

import asyncio

import pytest

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, Loop, server_context
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan
from tests.support.peers import namespaces as network
from tests.support.peers import vectors

PORT = 8444
CASES = vectors.cases("dns", "dial")
_FATES = {"silent": (network.SILENT, network.SILENT_2), "live": network.LIVE, "refused": (network.REFUSED,)}
_ZONE = {
    "AAAA only": Records(aaaa=(network.LIVE_6,)),
    "A and AAAA, both live": Records(a=network.LIVE[:1], aaaa=(network.LIVE_6,)),
    "v6 silent, v4 live": Records(a=network.LIVE[:1], aaaa=(network.SILENT_6,)),
    "v4 silent, v6 live": Records(a=(network.SILENT,), aaaa=(network.LIVE_6,)),
    "NXDOMAIN": None,
    "NOERROR, no answers": Records(),
    "SERVFAIL": Records(fault_a="SERVFAIL", fault_aaaa="SERVFAIL"),
    "REFUSED": Records(fault_a="REFUSED", fault_aaaa="REFUSED"),
    "A fine, AAAA SERVFAIL": Records(a=network.LIVE[:1], fault_aaaa="SERVFAIL"),
    "A fine, AAAA NXDOMAIN": Records(a=network.LIVE[:1], fault_aaaa="NXDOMAIN"),
    "A fine, AAAA REFUSED": Records(a=network.LIVE[:1], fault_aaaa="REFUSED"),
    "both answers after 1 s": Records(a=network.LIVE[:1], delay=1.0),
    "both answers after 4 s": Records(a=network.LIVE[:1], delay=4.0),
    "truncated over UDP, fine over TCP": Records(a=network.LIVE[:1], truncate=True),
    "60 A records": Records(a=network.MANY),
    "CNAME to a live name in the answer": Records(a=network.LIVE[:1], cname="live.lab."),
    "CNAME to a name that is NXDOMAIN": Records(cname="gone.lab.", fault_a="NXDOMAIN", fault_aaaa="NXDOMAIN"),
    "A of a host that refuses": Records(a=(network.REFUSED,)),
    "A of a host nobody answers ARP for": Records(a=(network.NO_ARP,)),
    "A of a silent host": Records(a=(network.SILENT,)),
    "A answered, AAAA dropped": Records(a=network.LIVE[:1], fault_aaaa="drop"),
    "all queries dropped": Records(fault_a="drop", fault_aaaa="drop"),
    "truncated over UDP, TCP silent": Records(a=network.LIVE[:1], truncate=True, silent_tcp=True),
}


def _host(case: dict) -> str:
    return case["host"] if case["group"] == "dns" else f"{case['id']}.lab"


def _records(case: dict) -> Records | None:
    if case["group"] == "dns":
        return _ZONE[case["dns"]]
    turn = {fate: iter(addresses * 3) for fate, addresses in _FATES.items()} | {"no-arp": iter((network.NO_ARP,))}
    return Records(a=tuple(next(turn[fate]) for fate in case["addresses"]))


@pytest.fixture(scope="module")
def results():
    """One run over all cases, as concurrent as a real one."""
    zone = {_host(case): records for case in CASES if (records := _records(case))}
    ca = make_authority("lab-ca")
    with network.world(), Loop(network.enter_world) as loop:
        tls = server_context(issue(ca, ("*.lab",)))
        for address in (*network.LIVE, *network.MANY, network.LIVE_6):
            loop.start(HttpServer(address, PORT, tls=tls))
        dns = loop.start(DnsServer(serve_zone(zone), network.DNS, 53))
        targets = [
            {
                "kind": "webhook",
                "name": case["id"],
                "url": f"https://{_host(case)}:{PORT}/",
                "caBundle": ca.pem,
                "timeoutSeconds": case["timeoutSeconds"],
            }
            for case in CASES
        ]
        plan = read_plan({"targets": targets})
        edges = Edges(config=ResolverConfig(servers=(dns.text,)))
        report = asyncio.run(run(plan, run_id="vectors", seconds=40, edges=edges))
    return {result.target.name: result for result in report.results}


@pytest.mark.netns
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_on_the_wire(case, results, record_property):
    vectors.check(case, results, record_property)
