"""Candidates for routes and their targets: NAT, internet and egress-only gateways, transit gateways.

Three changes are never candidates, whatever they open:

- A default route to an internet gateway in a route table that interfaces without public address use: they would lose
  their egress path.
- Another target for a route to an internet gateway that an interface with a public address may use: load balancers and
  NAT gateways need it.
- To delete a route to an appliance, firewall or endpoint: packets would pass uninspected.
"""

from collections.abc import Iterator

from egressprobe.audit.changes.change import (
    NEW_EGRESS_ONLY_GATEWAY,
    NEW_INTERNET_GATEWAY,
    NEW_NAT,
    AttachGateway,
    AttachTransitGateway,
    Change,
    CreateGateway,
    CreateNat,
    DeleteRoute,
    RouteChange,
)
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.uses import public_only
from egressprobe.audit.vpc.blockers import (
    BlackholeRoute,
    MissingRoute,
    NatMissingRoute,
    NatRoutes,
    PrivateAddress,
    PrivateNat,
    RouteEntry,
    ZoneWithoutAttachment,
)
from egressprobe.audit.vpc.cidr import NAT64, Address, address, block, on_the_internet
from egressprobe.audit.vpc.snapshot import Nat, Route, RouteTargetKind
from egressprobe.audit.vpc.topology import Topology

type Changes = tuple[Change, ...]
_NAT64_CIDR = "64:ff9b::/96"
_MOST_NATS = 2
# Targets that forward without a look at the packets, by the prefix of their ids.
_FORWARDERS = ("nat-", "igw-", "eigw-", "tgw-", "pcx-", "vgw-")


def missing_route(topology: Topology, problem: Problem) -> Iterator[Changes]:
    """A default route to what leads to the internet; for a private address a route to the only thing that may."""
    at = problem.blame.at
    if isinstance(at, NatMissingRoute):
        yield from nat_routes(topology, problem)
    elif isinstance(at, MissingRoute):
        target = address(at.address)
        if target in NAT64:
            yield from to_nat(topology, problem, at.route_table, _NAT64_CIDR)
        elif not on_the_internet(target):
            yield from _to_private(topology, at.route_table, target)
        elif target.version == 6:
            yield from _to_egress_only(topology, at.route_table, "::/0")
        else:
            yield from to_nat(topology, problem, at.route_table, "0.0.0.0/0")
    elif isinstance(at, RouteEntry) and at.target.startswith("nat-"):  # it does not forward this family
        yield from _to_egress_only(topology, at.route_table, at.destination)


def private_address(topology: Topology, problem: Problem) -> Iterator[Changes]:
    at = problem.blame.at
    if isinstance(at, PrivateAddress) and at.route_table:
        yield from _to_private(topology, at.route_table, address(at.address))


def nat64(topology: Topology, problem: Problem) -> Iterator[Changes]:
    at = problem.blame.at
    if isinstance(at, PrivateAddress) and at.route_table:
        yield from to_nat(topology, problem, at.route_table, _NAT64_CIDR)


def other_nat(topology: Topology, problem: Problem) -> Iterator[Changes]:
    """Another NAT gateway for the same route; one that is no default route may be deleted."""
    at = problem.blame.at
    if isinstance(at, RouteEntry):
        yield from to_nat(topology, problem, at.route_table, at.destination, but=at.target)
        yield from delete_route(topology, problem)


def egress_only(topology: Topology, problem: Problem) -> Iterator[Changes]:
    at = problem.blame.at
    if isinstance(at, RouteEntry):
        yield from _to_egress_only(topology, at.route_table, at.destination)


def blackhole(topology: Topology, problem: Problem) -> Iterator[Changes]:
    """A target that exists, of the kind that it was; else the route is deleted and a shorter prefix is used."""
    at = problem.blame.at
    if not isinstance(at, RouteEntry):
        return
    if at.target.startswith("nat-") and (isinstance(at, BlackholeRoute) or at.subnet in callers(problem)):
        yield from to_nat(topology, problem, at.route_table, at.destination, but=at.target)
    elif at.target.startswith("igw-"):
        gateway = _internet_gateway(topology)
        if gateway is not None:
            yield (_route(topology, at.route_table, at.destination, "internet", gateway),)
        elif isinstance(at, BlackholeRoute):
            route = _route(topology, at.route_table, at.destination, "internet", NEW_INTERNET_GATEWAY)
            yield (*_new_internet_gateway(topology), route)
        else:
            yield (AttachGateway(at.target, topology.snapshot.vpc.id),)
    elif at.target.startswith("eigw-"):
        yield from _to_egress_only(topology, at.route_table, at.destination)
    yield from delete_route(topology, problem)


def delete_route(_: Topology, problem: Problem) -> Iterator[Changes]:
    """A shorter prefix is used instead; there is none below a default route."""
    at = problem.blame.at
    default = isinstance(at, RouteEntry) and at.destination in ("0.0.0.0/0", "::/0")
    if isinstance(at, RouteEntry) and at.target.startswith(_FORWARDERS) and not default:
        yield (DeleteRoute(at.route_table, at.destination),)


def direct(topology: Topology, problem: Problem) -> Iterator[Changes]:
    """Without the routes that send an address of the VPC to a NAT gateway, whose address no group of it matches."""
    changes: dict[Change, None] = {}
    for path in problem.paths:
        table, target = topology.table_of(path.subnet), address(path.address)
        chosen = topology.route(table, target).route if table and topology.inside(target) else None
        if table and chosen and chosen.gate == "nat":
            changes[DeleteRoute(table.id, chosen.destination)] = None
    if changes:
        yield tuple(changes)


def nat_routes(topology: Topology, problem: Problem) -> Iterator[Changes]:
    """A route to the internet gateway in a table of the NAT gateway's own; else another NAT gateway for its clients."""
    at = problem.blame.at
    if not isinstance(at, NatMissingRoute | NatRoutes | PrivateNat):
        return
    nat = topology.nats.get(at.nat)
    table = topology.tables_by_id.get(at.route_table)
    if nat is not None and nat.public and (nat.elastic or nat.regional) and table is not None:
        users = topology.subnets_of(table)
        default = next((route for route in table.routes if route.destination == "0.0.0.0/0"), None)
        own = users == ([] if nat.regional else [nat.subnet]) and (default is None or default.gate != "internet")
        unused = not table.main and (default is None or not default.active)
        if own or (unused and all(public_only(topology, name) for name in users)):
            gateway = _internet_gateway(topology)
            created = () if gateway else _new_internet_gateway(topology)
            yield (*created, _route(topology, table.id, "0.0.0.0/0", "internet", gateway or NEW_INTERNET_GATEWAY))
    for made, other in _nats(topology, problem, at.nat):
        changes: dict[Change, None] = {}
        for name in callers(problem):
            table = topology.table_of(name)
            for route in table.routes if table else ():
                if table is not None and route.to == at.nat:
                    changes[_route(topology, table.id, route.destination, "nat", other)] = None
        if changes:
            yield (*made, *changes)


def transit_attachment(topology: Topology, problem: Problem) -> Iterator[Changes]:
    """The subnet of each zone that has no attachment, in the attachment that exists."""
    changes: dict[Change, None] = {}
    for _, blame in problem.pairs:
        at = blame.at
        if isinstance(at, ZoneWithoutAttachment):
            usable = [
                listed for listed in topology.attachments_of(at.target) if listed.state in ("available", "modifying")
            ]
            attachment = usable[0].id if usable else ""
            changes[AttachTransitGateway(at.target, topology.snapshot.vpc.id, at.subnet, attachment)] = None
    if changes:
        yield tuple(changes)


def callers(problem: Problem) -> list[str]:
    """The subnets that the blocked calls start from."""
    return list(dict.fromkeys(path.subnet for path in problem.paths))


def to_nat(topology: Topology, problem: Problem, table: str, destination: str, but: str = "") -> Iterator[Changes]:
    """A route to each NAT gateway that may do."""
    for made, nat in _nats(topology, problem, but):
        yield (*made, _route(topology, table, destination, "nat", nat))


def _nats(topology: Topology, problem: Problem, but: str) -> Iterator[tuple[Changes, str]]:
    """NAT gateways with internet access: regional ones and those of the same zone first, a new one last."""
    starts = callers(problem)
    zones = {subnet.id: subnet.zone for subnet in topology.snapshot.subnets}

    def usable(nat: Nat) -> bool:
        return nat.state == "available" and nat.public and nat.id != but and nat.subnet not in starts

    nats = [nat for nat in topology.snapshot.nats or () if usable(nat)]
    near = {zones.get(name) for name in starts}
    nats.sort(key=lambda nat: (not nat.regional, zones.get(nat.subnet) not in near))
    for nat in nats[:_MOST_NATS]:
        yield (), nat.id
    if NEW_NAT not in topology.nats:
        made = () if _internet_gateway(topology) else _new_internet_gateway(topology)
        yield (*made, CreateNat(topology.snapshot.vpc.id)), NEW_NAT


def _to_egress_only(topology: Topology, table: str, destination: str) -> Iterator[Changes]:
    gateways = topology.snapshot.gateways or ()
    gateway = next((gateway.id for gateway in gateways if gateway.kind == "egress-only" and gateway.attached), None)
    made = () if gateway else (CreateGateway(topology.snapshot.vpc.id, egress_only=True),)
    destination = destination if ":" in destination else "::/0"
    yield (*made, _route(topology, table, destination, "egress-only", gateway or NEW_EGRESS_ONLY_GATEWAY))


def _to_private(topology: Topology, table: str, target: Address) -> Iterator[Changes]:
    """To the peer that has the address, or to the transit gateway if it is the only thing that could lead there."""
    host = f"{target}/{128 if target.version == 6 else 32}"
    for peering in topology.snapshot.peerings or ():
        if peering.state == "active" and any(target in block(text) for text in peering.blocks):
            yield (_route(topology, table, host, "peering", peering.id),)
    gateways = {attachment.gateway for attachment in topology.snapshot.attachments or ()}
    if len(gateways) == 1:
        yield (_route(topology, table, host, "transit", gateways.pop()),)


def _internet_gateway(topology: Topology) -> str | None:
    gateways = topology.snapshot.gateways or ()
    return next((gateway.id for gateway in gateways if gateway.kind == "internet" and gateway.attached), None)


def _new_internet_gateway(topology: Topology) -> Changes:
    vpc = topology.snapshot.vpc.id
    return (CreateGateway(vpc), AttachGateway(NEW_INTERNET_GATEWAY, vpc))


def _route(topology: Topology, table: str, destination: str, gate: RouteTargetKind, to: str) -> RouteChange:
    """Creates the route, or replaces the one of the same destination."""
    routes = topology.tables_by_id[table].routes if table in topology.tables_by_id else ()
    replaced = any(route.destination == destination for route in routes)
    return RouteChange(table, Route(destination, gate, to), replaced)
