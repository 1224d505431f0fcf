"""A transit gateway: the attachment in the zone, the route table that it is associated with, and the VPC behind it.

Sources: the transit gateway guide, tgw-vpc-attachments (zones, appliance mode), tgw-nacls (which ACLs are evaluated),
how-transit-gateways-work ("Route tables", "Routing": longest prefix, static before propagated, blackholes drop).
"""

from collections.abc import Callable, Iterable
from functools import partial

from egressprobe.audit.route_targets.internet import entry
from egressprobe.audit.vpc.blockers import TransitRouting, WrongFamily, ZoneWithoutAttachment
from egressprobe.audit.vpc.cidr import Address, block
from egressprobe.audit.vpc.flow import Flow, Place
from egressprobe.audit.vpc.snapshot import Attachment, Route, Subnet
from egressprobe.audit.vpc.snapshot_transit import TransitGateway, TransitHop, TransitRoute, TransitRouteTable
from egressprobe.audit.vpc.topology import Topology
from egressprobe.audit.vpc.walk import Walk
from egressprobe.catalog.findings_vpc_path import (
    IPV6_ROUTE_MISSING,
    TGW_NO_ATTACHMENT_IN_AZ,
    TGW_RETURN_ROUTE_MISSING,
    TGW_ROUTE_BLACKHOLE,
    TGW_ROUTE_MISSING,
)

_USABLE = ("available", "modifying")


def transit(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """In by the attachment of the zone, and on by the gateway's route table where that can be read."""
    topology = walk.topology
    if topology.snapshot.attachments is None:
        walk.ends(f"the attachments of {route.to} cannot be read")
        return
    attachments = [attachment for attachment in topology.attachments_of(route.to) if attachment.state in _USABLE]
    subnets = [topology.subnets.get(name) for attachment in attachments for name in attachment.subnets]
    in_zone = [subnet for subnet in subnets if subnet is not None and subnet.zone == here.zone]
    if not in_zone:
        message = f"{route.to} has no attachment in {here.zone}, so it accepts nothing from {here.id}"
        at = ZoneWithoutAttachment(*entry(walk, here, route), here.zone)
        walk.close(TGW_NO_ATTACHMENT_IN_AZ, route.to, message, at)
    if flow.to.version == 6 and not any(attachment.ipv6 for attachment in attachments):
        message = f"the attachment of {route.to} has IPv6 support off"
        walk.close(IPV6_ROUTE_MISSING, route.to, message, WrongFamily(*entry(walk, here, route), "ipv6"))
    there = in_zone[0].id
    walk.acl_in(there, flow.source, flow.port, None)
    caller = topology.subnet_of(flow.source)
    if caller is not None:  # None: the source is in a VPC before this one
        _return_by_attachment(walk, caller.id, [subnet.id for subnet in subnets if subnet is not None], flow)
    gateway = topology.transit_gateways.get(route.to)
    if gateway is None or gateway.tables is None:
        walk.ends(f"the transit gateway {route.to}: its route tables, and what is behind it")
        return
    attachment = next(attachment for attachment in attachments if there in attachment.subnets)
    _forward(walk, gateway, attachment, flow, in_zone[0].zone)


def _return_by_attachment(walk: Walk, caller: str, subnets: list[str], flow: Flow) -> None:
    """Return traffic comes in by the attachment's subnet of one of the zones; which one depends on the other side.

    What comes in by an attachment in a subnet is not evaluated by that subnet's ACL (tgw-nacls, "Same subnet").
    """
    arrivals = [
        step.check
        for step in walk.returning
        if step.arrives and step.subnet == caller and step.client == flow.client and step.place == walk.place
    ]
    others = [name for name in dict.fromkeys(subnets) if name != caller]
    if caller in subnets:
        walk.forget_arrivals({caller}, flow.client)
    why = f"by which of {', '.join(sorted({*subnets}))} return traffic comes in"

    def comes_in() -> None:
        checks: list[Callable[[], None]] = [
            partial(walk.acl_out, name, flow.source, None, flow.client) for name in others
        ]
        if caller in subnets:
            checks = [lambda: None, *(partial(_each, (check, *arrivals)) for check in checks)]
        walk.either(checks, why)

    if others:
        walk.back(caller, flow.client, comes_in, arrives=False)


def _each(checks: Iterable[Callable[[], None]]) -> None:
    for check in checks:
        check()


def _forward(walk: Walk, gateway: TransitGateway, attachment: Attachment, flow: Flow, zone: str) -> None:
    """By the route table that the attachment is associated with."""
    hop = _hop(walk, gateway, attachment.id, flow.to)
    if hop is None:
        return
    if f"{gateway.id} {hop.attachment}" in flow.via or hop.attachment == attachment.id:
        walk.ends(f"{gateway.id} sends {flow.to} back to {hop.attachment}")
        return
    walk.back("", flow.client, lambda: _returns(walk, gateway, hop, attachment, flow.source), arrives=False)
    other = walk.vpc(hop.resource)
    if other is None:
        kind = "VPC" if hop.kind == "vpc" else f"{hop.kind} attachment"
        walk.ends(f"the {kind} {hop.resource or hop.attachment} behind {gateway.id}")
        return
    walk.meets(hop.attachment, hop.resource)
    _enter(walk, other, gateway, hop, zone, flow._replace(via=(*flow.via, f"{gateway.id} {hop.attachment}")))


def _hop(walk: Walk, gateway: TransitGateway, attachment: str, to: Address) -> TransitHop | None:
    """Where the gateway sends packets for an address that come in by an attachment; None where that is not known."""
    table = next((table for table in gateway.tables or () if attachment in table.associated), None)
    if table is None:
        message = f"{attachment} is associated with no route table of {gateway.id}, which drops its packets"
        walk.close(TGW_ROUTE_MISSING, gateway.id, message, TransitRouting(gateway.id, "", attachment, str(to)))
        return None
    walk.meets(table.id)
    route, at = _select(table, to), TransitRouting(gateway.id, table.id, attachment, str(to))
    if route is None and not table.complete:
        walk.ends(f"{table.id} of {gateway.id} has more routes than can be listed")
    elif route is None:
        walk.close(TGW_ROUTE_MISSING, table.id, f"{table.id} of {gateway.id} has no route for {to}", at)
    elif not route.active:
        message = f"{table.id} of {gateway.id} drops {route.destination}: the route is a blackhole"
        walk.close(TGW_ROUTE_BLACKHOLE, table.id, message, at)
    elif len(route.hops) != 1:
        walk.ends(f"{table.id} of {gateway.id} spreads {route.destination} over {len(route.hops)} attachments")
    else:
        return route.hops[0]
    return None


def _select(table: TransitRouteTable, to: Address) -> TransitRoute | None:
    """The longest prefix; of equal ones the static one."""
    matching = [route for route in table.routes if to in block(route.destination)]
    return max(matching, key=lambda route: (block(route.destination).length, not route.propagated), default=None)


def _returns(walk: Walk, gateway: TransitGateway, hop: TransitHop, attachment: Attachment, to: Address) -> None:
    """Return traffic by the route table of the other attachment, which is often another one."""
    table = next((table for table in gateway.tables or () if hop.attachment in table.associated), None)
    if table is None and hop.kind == "vpc":
        message = f"return traffic is dropped: {hop.attachment} is associated with no route table of {gateway.id}"
    elif table is None:  # a peered transit gateway's or a VPN's may be associated where this account cannot see it
        walk.ends(f"the route table of {hop.attachment}")
        return
    else:
        walk.meets(table.id)
        route = _select(table, to)
        if route is not None and route.active:
            if [back.attachment for back in route.hops] != [attachment.id]:
                hops = ", ".join(back.attachment for back in route.hops)
                walk.ends(f"{table.id} of {gateway.id} sends return traffic to {hops}, not to {attachment.id}")
            return
        if route is None and not table.complete:
            walk.ends(f"{table.id} of {gateway.id} has more routes than can be listed")
            return
        lack = "has no route" if route is None else "has a blackhole route"
        message = f"return traffic is dropped: {table.id} of {gateway.id}, which {hop.attachment} uses, {lack} for {to}"
    at = TransitRouting(gateway.id, table.id if table else "", hop.attachment, str(to))
    walk.block(TGW_RETURN_ROUTE_MISSING, table.id if table else gateway.id, message, at)


def _enter(walk: Walk, other: Topology, gateway: TransitGateway, hop: TransitHop, zone: str, flow: Flow) -> None:
    """Into the VPC behind it, by the subnet of its attachment in the same zone, and on by that subnet's routes."""
    attachment = next((listed for listed in other.attachments_of(gateway.id) if listed.id == hop.attachment), None)
    vpc = other.snapshot.vpc.id
    if attachment is None:
        walk.ends(f"the subnets of {hop.attachment} in {vpc} cannot be read")
        return
    if attachment.state not in _USABLE:
        message = f"{hop.attachment}, the attachment of {vpc} to {gateway.id}, is {attachment.state}"
        at = TransitRouting(gateway.id, "", hop.attachment, str(flow.to))
        walk.close(TGW_ROUTE_BLACKHOLE, hop.attachment, message, at)
    subnets = [other.subnets[name] for name in attachment.subnets if name in other.subnets]
    # Names of zones are those of an account (Regions and Zones guide, az-ids); appliance mode takes any zone.
    same_names = other.snapshot.account == walk.topology.snapshot.account and not attachment.appliance
    nearest = [subnet for subnet in subnets if same_names and subnet.zone == zone] or subnets
    if not nearest:
        walk.ends(f"the subnets of {hop.attachment} in {vpc} cannot be read")
        return
    places = {_rules(other, subnet.id): subnet.id for subnet in reversed(nearest)}
    arrive = [partial(_arrive, walk, Place(other, gateway.id, subnet), flow) for subnet in places.values()]
    if len(arrive) == 1:
        arrive[0]()
    else:
        walk.ends(f"by which of {', '.join(sorted(places.values()))} calls come into {vpc}")


def _rules(other: Topology, subnet: str) -> tuple[str, str]:
    """The ids of what decides in a subnet: route table and network ACL."""
    table, acl = other.table_of(subnet), other.acls.get(subnet)
    return (table.id if table else "", acl.id if acl else "")


def _arrive(walk: Walk, place: Place, flow: Flow) -> None:
    walk.visit(place, lambda: _depart(walk, place, flow))


def _depart(walk: Walk, place: Place, flow: Flow) -> None:
    """Out of the attachment's interface. In its own subnet no ACL is evaluated; the route back counts all the same."""
    there = place.topology.subnet_of(flow.to)
    if there is not None and there.id == place.attachment_subnet:
        walk.back(there.id, flow.client, lambda: walk.returns(there.id, flow), arrives=False)
    walk.depart(place.attachment_subnet, flow)
