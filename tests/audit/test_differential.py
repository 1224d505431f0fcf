"""The audit against real packets: random VPCs, made in moto, read by boto3, audited, and built from namespaces.

The contract of a word: open means that packets pass on every client port 1024-65535, partial on those that it names,
closed on none, unknown that the way leads through something whose inside the VPC does not show.

EGRESSPROBE_VPCS: how many (12; `make check` 300; 3,000 on request). EGRESSPROBE_VPC_SEED: of a run to repeat.
"""

import functools
import os
import random
import re
from collections import Counter
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from moto import mock_aws

from egressprobe.audit.vpc.cidr import EPHEMERAL, Ports, address
from egressprobe.audit.vpc.reachability import walk
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from egressprobe.aws.vpc_snapshot import readers
from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.packets import Call, Servers, connect
from tests.support.vpc.virtual.wires import wires
from tests.support.vpc.vpcs import CLUSTER, PORTS, make, moto_session

pytestmark = [pytest.mark.netns, pytest.mark.nftables, pytest.mark.bridges]

REQUIRED = 300 if os.environ.get("EGRESSPROBE_REQUIRE_ALL") else 12
MANY = int(os.environ.get("EGRESSPROBE_VPCS", REQUIRED))
_CLIENTS = 4  # ports tried on each way
_WAIT, _AGAIN = 0.2, 1.5
_KNOWLEDGE_ENDS = re.compile(
    r"the transit gateway|the other side of pcx-|the appliance eni-|no interface of the VPC has"
    r"|return traffic leaves "
    r"|an egress rule names the target's group|an egress rule names a group, and whether|which of its addresses|two prefix lists|what nat-\S+ does with this call"
)


@contextmanager
def laboratory():
    from moto.core import responses

    once = functools.cache(responses.method_names_from_class)  # a third of moto's time, always the same
    with wires() as made, mock_aws(), patch.object(responses, "method_names_from_class", once):
        servers = Servers([one for name, one in made.items() if name not in ("vpc", "edge", "out6")], PORTS)
        try:
            yield made, servers
        finally:
            servers.close()


@pytest.mark.timeout(3600)
def test_the_audit_agrees_with_real_packets(monkeypatch, record_property):
    """Zero disagreements over all ways of all VPCs; unknown only where knowledge really ends, and seldom."""
    for key, value in {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(key, value)
    seed = os.environ.get("EGRESSPROBE_VPC_SEED") or f"{random.SystemRandom().getrandbits(32):08x}"
    states, blames, calls = Counter(), Counter(), 0
    with laboratory() as (made, servers):
        clients = readers(moto_session())
        for i in range(MANY):
            vpc = make(clients, f"{seed}/{i}")
            found, tried, wrong = _compare(made, servers, vpc, random.Random(f"{seed}/{i}/ports"))
            assert not wrong, f"EGRESSPROBE_VPC_SEED={seed}, VPC {i}:\n" + "\n".join(wrong[:5])
            calls += tried
            for path in found:
                states[path.state] += 1
                if path.blame:
                    blames[path.blame.code] += 1
                for why in path.knowledge_ends:
                    assert _KNOWLEDGE_ENDS.search(why), why
    ways = sum(states.values())
    figures = f"{MANY} random VPCs (seed {seed}), {ways} ways, {calls} connections, no disagreement: {dict(states)}"
    record_property("said", f"{figures}; closed by {len(blames)} kinds of element")
    assert states["unknown"] <= 0.10 * ways
    if MANY >= 300:  # fewer may lack a kind by chance
        assert min(states[name] for name in ("open", "closed", "partial")) >= 0.01 * ways


def _compare(made, servers, vpc, rng):
    """All ways of one VPC, and what the packets say against the audit."""
    network = Topology(vpc.snapshot)
    built = Built(made, vpc.snapshot, set(vpc.targets))
    edges = _edges(vpc.snapshot)
    paths, asked = [], []
    for subnet in vpc.snapshot.cluster.subnets:
        actor = next(
            one.id
            for one in vpc.snapshot.interfaces
            if one.subnet == subnet and one.description == f"Amazon EKS {CLUSTER}"
        )
        for text in vpc.targets:
            found, live = sources(network, subnet, address(text).version)
            if not found:
                continue
            assert live
            origin = found[0]
            clients = _clients(edges, rng)
            for client in clients:
                if (built.nats and ":" not in text) and not any(
                    key[1:] == (str(origin.address), client) for key in built.ports
                ):
                    built.pair(str(origin.address), client, edges, rng)
            for port in PORTS:
                path = walk(network, origin, text, port)
                paths.append(path)
                if path.state != "unknown":
                    asked += [(path, Call(actor, str(origin.address), client, text, port)) for client in clients]
    built.nat_rules()
    servers.drain()
    passed = connect(built, [call for _, call in asked], _WAIT)
    servers.drain()
    odd = [(path, call) for path, call in asked if call in passed and passed[call] != _expected(path, call, built, vpc)]
    wrong = []
    for path, call in odd:  # alone, and with patience: two NATs in a row may want one tuple at once
        again = connect(built, [call], _AGAIN)[call]
        if again != _expected(path, call, built, vpc):
            wrong.append(f"{call} {'passes' if again else 'dies'}, and the audit says {path}")
    return paths, len(passed), wrong


def _expected(path, call, built, vpc):
    if path.state == "closed":
        return False
    if path.client_ports and call.client not in _ports(path.client_ports):
        return False
    nats = [name for name in path.elements if name.startswith("nat-")]
    source, client = call.source, call.client
    for name, text in zip(nats, path.nat_ports, strict=True):
        client = built.ports[(name, source, client)]
        source = next(one.addresses[0] for one in vpc.snapshot.nats if one.id == name)
        if client not in _ports(text):
            return False
    return True


def _ports(text):
    return Ports(tuple(tuple(map(int, (part + "-" + part).split("-")[:2])) for part in text.split(", ")))


def _edges(snapshot):
    """The ports beside which some ACL changes its mind."""
    found = {1024, 65535}
    for acl in snapshot.acls:
        for entry in acl.entries:
            if entry.ports:
                found |= {p for edge in entry.ports for p in (edge - 1, edge, edge + 1)}
    return sorted(port for port in found if port in EPHEMERAL and port not in PORTS)


def _clients(edges, rng):
    some = rng.sample(edges, min(len(edges), _CLIENTS - 1))
    while (other := rng.randint(1024, 65535)) in PORTS:
        pass  # somebody listens there
    return list(dict.fromkeys([*some, other]))
