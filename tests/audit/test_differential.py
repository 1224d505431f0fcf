"""The audit against real packets: random VPCs, made in moto, read by boto3, audited, and built from namespaces.

The contract of a word: open means that packets pass on every client port 1024-65535, partial on those that it names,
closed on none, unknown that the way leads through something whose inside the VPC does not show.

EGRESSPROBE_VPCS: how many (6; `make check` 300; 3,000 on request). They are the same in each run, unless
EGRESSPROBE_VPC_SEED is given: any text; `new` for one at random, which is printed.
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
from moto.moto_api._internal import mock_random

from egressprobe.audit.paths.reachability import walk
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.cidr import EPHEMERAL, Ports, address
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from egressprobe.aws.vpc_snapshot import readers
from egressprobe.targets.plan import read_plan
from tests.support.vpc.execute import execute
from tests.support.vpc.virtual.build import Built
from tests.support.vpc.virtual.packets import Call, Servers, connect
from tests.support.vpc.virtual.wires import wires
from tests.support.vpc.vpcs import PORTS, make, moto_session

pytestmark = [pytest.mark.netns, pytest.mark.nftables, pytest.mark.bridges]

REQUIRED = 300 if os.environ.get("EGRESSPROBE_REQUIRE_ALL") else 6
MANY = int(os.environ.get("EGRESSPROBE_VPCS", REQUIRED))
_CLIENTS = 4  # ports tried on each way
_WAIT, _AGAIN = 0.2, 10.0  # seconds
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
    seed = _seed(monkeypatch)
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


def _seed(monkeypatch):
    for key, value in {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(key, value)
    seed = os.environ.get("EGRESSPROBE_VPC_SEED", "1")
    seed = f"{random.SystemRandom().getrandbits(32):08x}" if seed == "new" else seed
    mock_random.seed(seed)  # moto's, of which its identifiers are made
    return seed


FIXED = int(os.environ.get("EGRESSPROBE_VPCS") or (60 if os.environ.get("EGRESSPROBE_REQUIRE_ALL") else 3))


@pytest.mark.timeout(3600)
def test_printed_fixes_let_real_packets_pass(monkeypatch, record_property):
    """The printed commands of each random VPC carried out: packets agree with the audit of the changed VPC, every path
    of a finding with commands is open, and nothing that was open is closed.
    """
    seed = _seed(monkeypatch)
    done, opened, commands = 0, 0, 0
    with laboratory() as (made, servers):
        clients = readers(moto_session())
        for i in range(FIXED):
            vpc = make(clients, f"{seed}/fix/{i}")
            wanted = _targets(vpc)
            before = audit(vpc.snapshot, wanted)
            lines = [
                line
                for finding in before.findings
                for line in finding.remedy.split("\n")
                if line.startswith("aws ") and "addresses" in finding.evidence
            ]
            changed = execute(vpc.snapshot, lines)
            after = audit(changed, wanted)
            then = {(path.subnet, path.address, path.port): path for path in after.paths}
            for path in before.paths:
                now = then[path.subnet, path.address, path.port].state
                assert path.state != "open" or now == "open", f"EGRESSPROBE_VPC_SEED={seed}, fix {i}: {path}"
                opened += path.state in ("closed", "partial") and now == "open"
            commands += len(lines)
            if not lines or any("create-nat-gateway" in line for line in lines):
                continue  # the virtual VPC has no regional NAT gateways
            fixed = vpc._replace(snapshot=changed)
            _, _, wrong = _compare(made, servers, fixed, random.Random(f"{seed}/{i}/ports"))
            assert not wrong, f"EGRESSPROBE_VPC_SEED={seed}, fix {i}, {lines}:\n" + "\n".join(wrong[:5])
            done += 1
    record_property("said", f"{FIXED} VPCs, {commands} commands, {opened} paths opened; {done} built and tried")


def _targets(vpc):
    raw = [
        {"kind": "endpoint", "name": f"{text} {port}", "url": f"tcp://{f'[{text}]' if ':' in text else text}:{port}"}
        for text in vpc.targets
        for port in PORTS
    ]
    return read_plan({"targets": raw}).targets


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
            if one.subnet == subnet and one.description == f"Amazon EKS {vpc.snapshot.cluster.name}"
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
