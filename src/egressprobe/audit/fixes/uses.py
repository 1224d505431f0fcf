"""What else uses the VPC: calls that no target of the cluster makes, and that a fix must not break.

They are samples, one for each path by which traffic can leave a subnet: to the internet in both families, to an address
of every other route, to the other subnets; from an interface of each subnet, and from one with a public address where
the subnet routes to an internet gateway (load balancers and NAT gateways, whose clients are on the internet).
"""

from collections.abc import Iterator
from typing import NamedTuple

from egressprobe.audit.paths.reachability import Path, State, walk
from egressprobe.audit.vpc.cidr import Address, address, block
from egressprobe.audit.vpc.flow import Source
from egressprobe.audit.vpc.sources import places
from egressprobe.audit.vpc.topology import Topology

INTERNET = {4: "192.0.2.1", 6: "2001:db8::1"}
_PORT = 443
# Of each kind; a VPC with more has them alike.
_MOST_ROUTES, _MOST_SUBNETS = 24, 16


class Use(NamedTuple):
    """One call. inbound: what calls the source from the internet, so its own calls must not pass a NAT gateway."""

    source: Source
    to: str
    port: int = _PORT
    inbound: bool = False

    @property
    def words(self) -> str:
        where = "the internet" if self.to in INTERNET.values() else self.to
        return f"{where} to {self.source.subnet}" if self.inbound else f"{self.source.subnet} to {where}"


class Outcome(NamedTuple):
    state: State
    path: Path


def uses(topology: Topology) -> list[Use]:
    """The samples of one VPC."""
    return list(dict.fromkeys(_uses(topology)))


def _uses(topology: Topology) -> Iterator[Use]:
    samples = _samples(topology)
    for name in topology.subnets:
        for version in (4, 6):
            start = next(iter(places(topology, name, version)), None)
            if start is None:
                continue
            source = Source(name, start, None)
            for target in samples:
                if target.version == version:
                    yield Use(source, str(target))
        start = next(iter(places(topology, name, 4)), None)
        if start is not None and is_public(topology, name) and not private_only(topology, name):
            yield Use(Source(name, start, None, public=True), INTERNET[4], inbound=True)


def is_public(topology: Topology, subnet: str) -> bool:
    """Whether the subnet's route to the internet is an internet gateway that is attached."""
    table = topology.table_of(subnet)
    route = topology.route(table, address(INTERNET[4])).route if table else None
    return route is not None and route.gate == "internet" and route.active and route.to in topology.gateways


def private_only(topology: Topology, subnet: str) -> bool:
    """Whether the subnet has interfaces, and none of them has a public address or is a NAT gateway's."""
    if topology.snapshot.interfaces is None:
        return False
    interfaces = [interface for interface in topology.snapshot.interfaces if interface.subnet == subnet]
    public = [interface for interface in interfaces if interface.public or interface.kind == "nat_gateway"]
    return bool(interfaces) and not public and all(nat.subnet != subnet for nat in topology.snapshot.nats or ())


def public_only(topology: Topology, subnet: str) -> bool:
    """Whether everything that is known in the subnet has a public address, or is a NAT gateway's."""
    if topology.snapshot.interfaces is None:
        return False
    return all(
        interface.public or interface.kind == "nat_gateway"
        for interface in topology.snapshot.interfaces
        if interface.subnet == subnet
    )


def _samples(topology: Topology) -> list[Address]:
    """One address for each route, and one of each subnet."""
    samples = dict.fromkeys(map(address, INTERNET.values()))
    routes = [
        route.destination
        for table in topology.snapshot.route_tables or ()
        for route in table.routes
        if route.gate != "local" and not route.destination.startswith("pl-")
    ]
    listed = [text for texts in topology.lists.values() for text in (texts or ())[:1]]
    for text in list(dict.fromkeys([*routes, *listed]))[:_MOST_ROUTES]:
        cidr = block(text)
        if cidr.length > 0:
            samples[Address(cidr.version, min(cidr.first + 1, cidr.last))] = None
    for subnet in topology.snapshot.subnets[:_MOST_SUBNETS]:
        for text in subnet.blocks:
            cidr = block(text)
            samples[Address(cidr.version, cidr.last - 1)] = None
    return list(samples)


def outcome(topology: Topology, use: Use) -> Outcome:
    """The state of one use; inbound calls are closed where the source's own traffic leaves by a NAT gateway."""
    path = walk(topology, use.source, use.to, use.port)
    if use.inbound and not is_public(topology, use.source.subnet):
        return Outcome("closed", path)
    return Outcome(path.state, path)


def private_dns_users(topology: Topology) -> list[str]:
    """Subnets with interfaces and no egress path to the internet: they reach AWS by VPC endpoints only."""
    occupied = {
        interface.subnet
        for interface in topology.snapshot.interfaces or ()
        if interface.kind not in ("nat_gateway", "vpc_endpoint", "gateway_load_balancer_endpoint")
    }
    cut_off = []
    for name in topology.subnets:
        start = next(iter(places(topology, name, 4)), None)
        if topology.snapshot.interfaces is not None and name not in occupied:
            continue
        if start is None or is_public(topology, name):
            continue
        if walk(topology, Source(name, start, None), INTERNET[4], _PORT).state != "open":
            cut_off.append(name)
    return cut_off
