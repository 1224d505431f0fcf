"""Sets of ports, ACLs and routes against the obvious way to work them out."""

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.audit.vpc.cidr import Address, Ports, address, behind_nat64, block, on_the_internet
from egressprobe.audit.vpc.packet_filters import acl_passes
from egressprobe.audit.vpc.snapshot import Acl, AclEntry, PrefixList, Route, RouteTable, from_json, to_json
from egressprobe.audit.vpc.topology import Topology
from tests.conftest import examples
from tests.support.vpc.snapshots import clean

PORT = st.integers(0, 40)
SPAN = st.tuples(PORT, PORT).map(sorted).map(tuple)
BLOCKS = st.sampled_from(
    ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24", "10.0.1.7/32", "10.0.1.0/25", "::/0", "2001:db8::/32"]
)
SOURCES = st.sampled_from(["10.0.1.7", "10.0.1.200", "10.9.9.9", "8.8.8.8", "2001:db8::1", "fd00::1"])


def _union(spans):
    found = Ports(())
    for span in spans:
        found |= Ports((span,))
    return found


PORTS = st.lists(SPAN, max_size=4).map(_union)


def _members(ports):
    return {port for port in range(-1, 45) if port in ports}


@given(PORTS, PORTS)
def test_sets_of_ports(one, other):
    a, b = _members(one), _members(other)
    assert _members(one | other) == a | b
    assert _members(one & other) == a & b
    assert _members(one - other) == a - b
    assert bool(one) == bool(a)
    for found in (one | other, one - other):
        assert all(low <= high for low, high in found.ranges)
        assert all(x[1] + 1 < y[0] for x, y in zip(found.ranges, found.ranges[1:], strict=False)) or found == one


ENTRIES = st.lists(st.tuples(st.booleans(), st.sampled_from([-1, 6, 17]), BLOCKS, st.none() | SPAN), max_size=6).map(
    lambda rows: tuple(
        AclEntry(10 * i, False, allow, protocol, held, ports)
        for i, (allow, protocol, held, ports) in enumerate(rows, 1)
    )
)


@settings(max_examples=examples(300))
@given(ENTRIES, SOURCES, st.sampled_from([6, 17]))
def test_an_acl_is_its_rules_one_port_at_a_time(entries, source, protocol):
    everything = Ports(((0, 40),))
    passed, denied_by = acl_passes(
        Acl("a", (), entries), egress=False, protocol=protocol, remote=address(source), ports=everything
    )
    denying = []
    for port in range(41):
        first = next((e for e in entries if _matches(e, source, protocol, port)), None)
        assert (port in passed) == (first is not None and first.allow)
        if first is None or not first.allow:
            denying.append(first.number if first else 32767)
    assert denied_by == (min(denying) if denying else 0)


def _matches(entry, source, protocol, port):
    return (
        entry.protocol in (-1, protocol)
        and ipaddress.ip_address(source) in ipaddress.ip_network(entry.block)
        and (entry.ports is None or entry.ports[0] <= port <= entry.ports[1])
    )


ROUTES = st.lists(st.tuples(BLOCKS | st.just("pl-1"), st.booleans()), max_size=6).map(
    lambda rows: tuple(
        Route(to, "transit", f"tgw-{i}", propagated=p and not to.startswith("pl-")) for i, (to, p) in enumerate(rows)
    )
)
LISTED = ("10.0.1.0/24", "2001:db8::/32")


@settings(max_examples=examples(300))
@given(ROUTES, SOURCES)
def test_the_longest_prefix_wins(listed, source):
    network = Topology(replace(clean(), prefix_lists=(PrefixList("pl-1", LISTED),)))
    found = network.route(RouteTable("rtb-x", routes=listed), address(source)).route
    to = ipaddress.ip_address(source)
    best = None
    for route in listed:
        for text in LISTED if route.destination == "pl-1" else (route.destination,):
            net = ipaddress.ip_network(text)
            if to in net:
                rank = (net.prefixlen, 1 if route.destination == "pl-1" else 0 if route.propagated else 2)
                best = max(best or (-1, 0), rank)
    if best is None:
        assert found is None
        return
    listing = found.destination == "pl-1"
    rank = 1 if listing else 0 if found.propagated else 2
    texts = LISTED if listing else (found.destination,)
    assert best in [(ipaddress.ip_network(t).prefixlen, rank) for t in texts if to in ipaddress.ip_network(t)]


@given(st.integers(0, 2**32 - 1))
def test_addresses_are_those_of_the_standard_library(number):
    one = ipaddress.IPv4Address(number)
    mine = address(str(one))
    assert (str(mine), mine) == (str(one), Address(4, number))
    if one.is_private and one in ipaddress.ip_network("10.0.0.0/8"):
        assert not on_the_internet(mine)
    assert behind_nat64(address(f"64:ff9b::{one}")) == mine
    assert mine in block(f"{one}/20")


def test_a_snapshot_is_the_same_after_a_file():
    held = clean()
    assert from_json(to_json(held)) == held
