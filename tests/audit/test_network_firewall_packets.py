"""Random policies of a network firewall, with real packets: a namespace with nftables behind the endpoint of a virtual VPC.

Stateless rules of both directions and stateful 5-tuple rules, by action and in strict order. Open must mean that a
client's port passes, closed that none does, and partial exactly the ports that the audit names.
"""

import random
from collections import Counter

import pytest

from egressprobe.audit.paths.reachability import walk
from egressprobe.audit.vpc.cidr import Ports
from egressprobe.audit.vpc.firewall.connection import NOT_TLS
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from tests.support.vpc.example import snapshot
from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.packets import Call, Servers, connect
from tests.support.vpc.virtual.wires import wires

pytestmark = [pytest.mark.netns, pytest.mark.nftables, pytest.mark.bridges]
PORTS = (443, 8443)
TARGETS = ("93.184.216.34", "52.94.1.10", "10.0.2.5")
CLIENTS = (1024, 29999, 30000, 40000, 40001, 65535)
SIDES = ("10.0.0.0/16", "10.0.1.20/32", "93.184.0.0/16", "10.0.2.0/24", "any")
RANGES = ("", ":443", ":8443", ":443-8443", ":1024-30000", ":30000-65535", ":1024-65535")
MADE = {
    "subnets": {"cp": "10.0.1.0/24 a", "db": "10.0.2.0/24 a", "fw": "10.0.9.0/24 a", "public": "10.0.0.0/24 a"},
    "tables": {
        "rtb-cp": {"for": "cp", "0.0.0.0/0": "vpce-1", "10.0.2.0/24": "vpce-1"},
        "rtb-db": {"for": "db", "10.0.1.0/24": "vpce-1"},
        "rtb-fw": {"for": "fw", "0.0.0.0/0": "nat-1"},
        "rtb-public": {"for": "public", "0.0.0.0/0": "igw-1", "10.0.1.0/24": "vpce-1"},
    },
    "nats": {"nat-1": "public"},
    "interfaces": {"eni-db": {"ip": "10.0.2.5", "in": "db"}},
}


def _policy(rng):
    stateless = [
        f"{i} {rng.choice(('pass', 'drop', 'forward', 'forward'))} {rng.choice(('tcp', 'tcp', 'any', 'udp'))} "
        f"{rng.choice(SIDES)}{rng.choice(RANGES)} {rng.choice(SIDES)}{rng.choice(RANGES)}"
        for i in range(1, rng.randint(1, 5))
    ]
    rules = [
        f"{rng.choice(('pass', 'drop', 'reject'))} tcp {rng.choice(('10.0.1.0/24', '10.0.1.20'))} any -> "
        f"{rng.choice(('any', '93.184.0.0/16', '52.94.1.10', '10.0.2.0/24'))} {rng.choice(('any', '443', '8443', '400:500'))} "
        f"(sid:{i};)"
        for i in range(1, rng.randint(1, 5))
    ]
    fields = {"stateless": stateless, "rules": "\n".join(rules), "order": rng.choice(("strict", "action"))}
    if fields["order"] == "strict" and rng.random() < 0.3:
        fields["default"] = "strict"
    # What forwards one direction only is unknown; most policies do the same with both.
    fields["stateless_default"] = rng.choice(("forward", "forward", "forward", "pass", "drop"))
    return fields


def _ports(path):
    if path.state == "closed":
        return Ports(())
    return Ports(tuple(tuple(map(int, (part + "-" + part).split("-")[:2])) for part in path.client_ports.split(", ")))


@pytest.mark.parametrize("many", [4, pytest.param(60, marks=pytest.mark.thorough)])
def test_random_policies_agree_with_packets(many, record_property):
    states, calls = Counter(), 0
    with wires() as made:
        servers = Servers([one for name, one in made.items() if name not in ("vpc", "edge", "out6")], PORTS)
        try:
            for i in range(many):
                fields = _policy(random.Random(f"policy {i}"))
                raw = MADE | {"nfw": {"fw-1": {"endpoints": {"vpce-1": "fw"}} | fields}}
                found, tried, wrong = _compare(made, servers, snapshot(raw))
                assert not wrong, f"policy {i}, {fields}:\n" + "\n".join(wrong[:5])
                calls += tried
                states += Counter(found)
        finally:
            servers.close()
    record_property("said", f"{many} policies, {calls} connections, no disagreement: {dict(states)}")
    assert states["open"]
    assert states["closed"]
    if many > 10:
        assert states["partial"]
        assert states["unknown"] < 0.3 * sum(states.values())


def _compare(made, servers, vpc):
    topology = Topology(vpc)
    built = Built(made, vpc, set())
    [origin], _ = sources(topology, "cp", 4)
    asked, found = {}, []
    for text in TARGETS:
        for port in PORTS:
            path = walk(topology, origin, text, port, server_name=NOT_TLS)
            found.append(path.state)
            if path.state != "unknown":
                for client in CLIENTS:
                    asked[Call("eni-eks-cp", str(origin.address), client, text, port)] = path
    built.nat_rules()
    servers.drain()
    passed = connect(built, list(asked), 0.3)
    servers.drain()
    odd = [call for call, path in asked.items() if call in passed and passed[call] != _expected(path, call)]
    wrong = [
        f"{call}: {again}, and the audit: {asked[call]}"
        for call in odd
        if (again := connect(built, [call], 3.0).get(call)) != _expected(asked[call], call)
    ]
    return found, len(passed), wrong


def _expected(path, call):
    """Return traffic of a NAT gateway comes back to any port of it, which the firewall before it does not see."""
    return path.state == "open" or call.client in _ports(path)
