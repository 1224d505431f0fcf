"""A VPC broken in one place each: what the real probe meets in it, what the audit finds, and what the diagnosis says.

The probe runs in the namespaces of the control plane's interfaces, against real DNS and TLS servers, in a virtual VPC
built from the same snapshot that the audit reads. Each broken VPC has a sibling in which only that place is whole:
there the target passes and the audit has no such finding.
"""

import asyncio
import threading

import pytest
from msgspec.structs import replace

from egressprobe.audit.paths.destinations import custom_servers
from egressprobe.audit.root_cause import causes
from egressprobe.audit.run import audit
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, serve_zone
from egressprobe.lab.servers import HttpServer, Loop, server_context
from egressprobe.model.report import TargetView
from egressprobe.model.target import Verdict
from egressprobe.planner.join import Heard, join
from egressprobe.probe.edges import Edges, Location
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan
from tests.support.vpc.broken import BASE, BROKEN, CUSTOM_DNS, ISSUER, NAMES, TARGETS, ZONE
from tests.support.vpc.snapshots import CORP, PEER, POD, WEB, WEB6, A, B
from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.resolver import Resolver
from tests.support.vpc.virtual.wires import wires

pytestmark = [pytest.mark.netns, pytest.mark.nftables, pytest.mark.bridges]

CA = make_authority("grid")


@pytest.fixture(scope="module")
def laboratory():
    """Servers where the targets are; names as the VPC's own resolver would give them."""
    context = server_context(issue(CA, [*NAMES, ISSUER, "*.example"]))
    with wires() as made:
        built = Built(made, BASE, set())
        pod = built.actors["eni-pod"].name
        loops, resolver = [], Resolver(ZONE)
        try:
            for place, addresses, port in (
                ("net", (WEB, WEB6), 443),
                ("transit", (CORP,), 443),
                ("peer", (PEER,), 443),
                (pod, (POD,), 9443),
            ):
                loop = Loop(made[place].enter).__enter__()
                loops.append(loop)
                for address in addresses:
                    loop.start(HttpServer(address, port, tls=context))
            for place, address in (("vpc", "10.0.0.2"), (built.actors["eni-box"].name, CUSTOM_DNS)):
                loop = Loop(made[place].enter).__enter__()
                loops.append(loop)
                loop.start(DnsServer(resolver if place == "vpc" else serve_zone(ZONE), address, 53))
            yield made, resolver
        finally:
            for loop in loops:
                loop.__exit__(None, None, None)


def look(laboratory, snapshot, target):
    """The VPC built; the real probe from both subnets, joined; the audit of the same."""
    made, resolver = laboratory
    built = Built(made, snapshot, set())
    built.nat_rules()
    resolver.snapshot = snapshot
    raw = {"kind": "webhook", "name": target, "caBundle": CA.pem, "timeoutSeconds": 5} | TARGETS[target]
    plan = read_plan({"targets": [raw], "ipFamily": "ipv6"})
    servers = custom_servers(snapshot.dhcp, snapshot) or ["10.0.0.2"]
    config = ResolverConfig(servers=tuple(f"{one}:53" for one in servers))
    reports = {}

    def probe(name, subnet):
        with built.actors[name].inside():
            reports[subnet] = asyncio.run(
                run(plan, run_id=name, seconds=20, location=Location("prod", subnet), edges=Edges(config=config))
            )

    threads = [threading.Thread(target=probe, args=pair) for pair in (("eni-a", A), ("eni-b", B))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    heard = [Heard(subnet, "", (reports[subnet],)) for subnet in (A, B)]
    shown = TargetView(plan.targets[0].kind, target, plan.targets[0].url)
    joined = join(heard, [shown], run_id="1", started_at="", duration_ms=0.0, cluster_name="prod")
    known = {name: (*one.a, *one.aaaa) for name, one in ZONE.items()}
    found = audit(replace(snapshot, names=known | snapshot.names), plan.targets)
    return joined, found, causes(joined, snapshot)


_WHOLE = {}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Here an answer takes less than a millisecond."""
    monkeypatch.setattr("egressprobe.probe.transport.connect.CONNECT_LIMIT", 0.4)


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name.replace(" ", "-"))
def test_a_broken_vpc(case, laboratory):
    """What fails, fails as expected and only where it should; audit and diagnosis name the same one thing."""
    joined, found, why = look(laboratory, case.snapshot, case.target)
    row = joined.rows[0]
    failing = {cell.subnet_id: cell.code for cell in row.cells if cell.verdict is not Verdict.PASS}
    assert failing == dict.fromkeys(case.only, case.live)
    errors = {one.code for one in found.findings if one.severity == "error"}
    assert errors - {"VPC_DNS_SUPPORT_OFF", "DNS_FIREWALL_BLOCKS"} <= {case.code}
    assert case.code in ("", *(one.code for one in found.findings))
    assert [one.code for one in why] == [case.cause or case.code]
    assert why[0].subnets == case.only
    assert why[0].remedy
    if len(case.only) == 1:
        assert bool(why[0].differs) == any(text in why[0].differs[0] for text in case.only)
    if case.code:
        assert str(case.live) in why[0].consequences or case.cause


@pytest.mark.parametrize("case", [one for one in BROKEN if one.code], ids=lambda case: case.name.replace(" ", "-"))
def test_its_whole_sibling(case, laboratory):
    """With that one place whole the target passes from everywhere and nobody finds anything."""
    whole = case.whole if case.whole is not None else BASE
    key = (id(whole), case.target)  # many have the same
    if key not in _WHOLE:
        _WHOLE[key] = look(laboratory, whole, case.target)
    joined, found, why = _WHOLE[key]
    assert [cell.verdict for cell in joined.rows[0].cells] == [Verdict.PASS, Verdict.PASS]
    assert why == ()
    assert {one.code for one in found.findings} - {"DHCP_WITHOUT_AMAZON_DNS", "PATH_UNKNOWN"} == set()
