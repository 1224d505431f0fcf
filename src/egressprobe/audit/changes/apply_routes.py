"""Routes and the gateways that they lead to on a snapshot, by EC2's rules."""

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from egressprobe.audit.changes.change import (
    AttachGateway,
    AttachTransitGateway,
    CreateGateway,
    CreateNat,
    DeleteRoute,
    RouteChange,
)
from egressprobe.audit.changes.network_changes import DeleteInternetGateway
from egressprobe.audit.changes.refusal import ChangeRefused, Identified, NotInSnapshot, find, swap
from egressprobe.audit.vpc.cidr import Address, address, block
from egressprobe.audit.vpc.snapshot import Attachment, Gateway, Nat, Route, RouteTable, VpcSnapshot

# The first four addresses of a subnet are AWS's (user guide, subnet-sizing).
_RESERVED = 4


def route(change: RouteChange, snapshot: VpcSnapshot) -> VpcSnapshot:
    table, route = find(snapshot.route_tables, change.table, "InvalidRouteTableID.NotFound"), change.route
    existing = next((listed for listed in table.routes if _same(listed, route.destination)), None)
    if existing is not None and not change.replace and not existing.propagated:
        raise ChangeRefused("RouteAlreadyExists", f"{table.id} has a route for {route.destination}")
    if existing is None and change.replace:
        raise ChangeRefused("InvalidParameterValue", f"{table.id} has no route for {route.destination}")
    _valid(snapshot, route)
    kept = tuple(listed for listed in table.routes if listed is not existing or listed.propagated)
    return replace(snapshot, route_tables=swap(snapshot.route_tables, replace(table, routes=(*kept, route))))


def _same(route: Route, destination: str) -> bool:
    """One CIDR can be written in several ways."""
    if "pl-" in (route.destination[:3], destination[:3]):
        return route.destination == destination
    return block(route.destination) == block(destination)


def _valid(snapshot: VpcSnapshot, route: Route) -> None:
    """The target exists, forwards the family, and the destination does not cut into the VPC's own CIDR."""
    lists: dict[str, tuple[str, Sequence[Identified] | None]] = {
        "nat": ("NatGatewayNotFound", snapshot.nats),
        "internet": ("InvalidGatewayID.NotFound", snapshot.gateways),
        "egress-only": ("InvalidGatewayID.NotFound", snapshot.gateways),
        "vpn": ("InvalidGatewayID.NotFound", snapshot.gateways),
        "peering": ("InvalidVpcPeeringConnectionID.NotFound", snapshot.peerings),
    }
    if route.gate in lists:
        code, items = lists[route.gate]
        try:
            find(items, route.to, code)
        except NotInSnapshot as missing:  # the table is there: a route to what is not is refused
            raise ChangeRefused(missing.code, f"{route.to} is not in {snapshot.vpc.id}") from None
    attached = None if snapshot.attachments is None else {listed.gateway for listed in snapshot.attachments}
    if route.gate == "transit" and attached is not None and route.to not in attached:
        raise ChangeRefused("InvalidTransitGatewayID.NotFound", f"{route.to} is not attached to the VPC")
    if route.destination.startswith("pl-"):
        return
    destination = block(route.destination)
    if route.gate == "egress-only" and destination.version == 4:
        raise ChangeRefused("InvalidParameterValue", "an egress-only internet gateway forwards IPv6 only")
    own = [block(text) for text in snapshot.vpc.blocks]
    inside = any(destination.within(cidr) and destination != cidr for cidr in own)
    if inside and route.gate not in ("nat", "interface", "endpoint"):
        raise ChangeRefused("InvalidParameterValue", f"{route.destination} is more specific than the local route")


def delete_route(change: DeleteRoute, snapshot: VpcSnapshot) -> VpcSnapshot:
    table = find(snapshot.route_tables, change.table, "InvalidRouteTableID.NotFound")
    kept = tuple(
        route
        for route in table.routes
        if not _same(route, change.destination) or route.gate == "local" or route.propagated
    )
    if len(kept) == len(table.routes):
        raise ChangeRefused("InvalidRoute.NotFound", f"{table.id} has no route for {change.destination} to delete")
    return replace(snapshot, route_tables=swap(snapshot.route_tables, replace(table, routes=kept)))


def create_nat(change: CreateNat, snapshot: VpcSnapshot) -> VpcSnapshot:
    """The route table of a regional one leads to the internet gateway from the start (user guide,
    nat-gateways-regional).
    """
    gateway = next(
        (listed for listed in snapshot.gateways or () if listed.kind == "internet" and listed.attached), None
    )
    if gateway is None and (change.elastic or not change.subnet) and snapshot.gateways is not None:
        raise ChangeRefused("Gateway.NotAttached", f"{change.vpc or snapshot.vpc.id} has no internet gateway")
    nats = snapshot.nats or ()
    if change.subnet:
        return replace(snapshot, nats=(*nats, _in_subnet(change, snapshot)))
    local = tuple(Route(text, "local", "local") for text in snapshot.vpc.blocks)
    default = (Route("0.0.0.0/0", "internet", gateway.id),) if gateway else ()
    table = RouteTable(f"rtb-{change.id}", routes=(*local, *default))
    nat = Nat(change.id, "available", regional=True, route_table=table.id)
    return replace(snapshot, route_tables=(*(snapshot.route_tables or ()), table), nats=(*nats, nat))


def _in_subnet(change: CreateNat, snapshot: VpcSnapshot) -> Nat:
    """Without an address of its own it gets one that EC2 chooses: here the first of the subnet that may be free."""
    subnet = find(snapshot.subnets, change.subnet, "InvalidSubnetID.NotFound")
    ipv4 = next((block(text) for text in subnet.blocks if ":" not in text), None)
    if ipv4 is None:
        raise ChangeRefused("InvalidSubnet", f"{subnet.id} has no IPv4 addresses")
    if subnet.free == 0:
        raise ChangeRefused("InsufficientFreeAddressesInSubnet", f"{subnet.id} has no free address")
    chosen = change.address or str(Address(4, min(ipv4.first + _RESERVED, ipv4.last)))
    if change.address and address(change.address) not in ipv4:
        raise ChangeRefused("InvalidParameterValue", f"{change.address} is not an address of {subnet.id}")
    return Nat(change.id, "available", subnet.id, bool(change.elastic), addresses=(chosen,), elastic=change.elastic)


def create_gateway(change: CreateGateway, snapshot: VpcSnapshot) -> VpcSnapshot:
    """A new internet gateway is not attached, so it is not in a snapshot of the VPC yet."""
    if not change.egress_only:
        return snapshot
    if change.vpc != snapshot.vpc.id:
        raise NotInSnapshot("InvalidVpcID.NotFound", f"{change.vpc} is another VPC")
    return replace(snapshot, gateways=(*(snapshot.gateways or ()), Gateway(change.id, "egress-only")))


def delete_internet_gateway(change: DeleteInternetGateway, snapshot: VpcSnapshot) -> VpcSnapshot:
    """One that is not attached is not in a snapshot of the VPC."""
    if any(gateway.id == change.gateway and gateway.attached for gateway in snapshot.gateways or ()):
        raise ChangeRefused("DependencyViolation", f"{change.gateway} is attached to {snapshot.vpc.id}")
    return snapshot


def attach_gateway(change: AttachGateway, snapshot: VpcSnapshot) -> VpcSnapshot:
    if change.vpc != snapshot.vpc.id:
        raise NotInSnapshot("InvalidVpcID.NotFound", f"{change.vpc} is another VPC")
    kind: Literal["internet", "vpn"] = "vpn" if change.vpn else "internet"
    if any(gateway.kind == kind and gateway.attached for gateway in snapshot.gateways or ()):
        code = "VpnGatewayAttachmentLimitExceeded" if change.vpn else "Resource.AlreadyAssociated"
        raise ChangeRefused(code, f"{change.vpc} has {'a VPN' if change.vpn else 'an internet'} gateway")
    tables = tuple(
        replace(
            table,
            routes=tuple(
                replace(route, active=True) if route.to == change.gateway else route for route in table.routes
            ),
        )
        for table in snapshot.route_tables or ()
    )
    others = (gateway for gateway in snapshot.gateways or () if gateway.id != change.gateway)
    gateways = (*others, Gateway(change.gateway, kind))
    return replace(snapshot, gateways=gateways, route_tables=tables)


def attach_transit_gateway(change: AttachTransitGateway, snapshot: VpcSnapshot) -> VpcSnapshot:
    subnet = find(snapshot.subnets, change.subnet, "InvalidSubnetID.NotFound")
    attachments = snapshot.attachments or ()
    if not change.attachment:
        if any(listed.gateway == change.gateway and listed.state == "available" for listed in attachments):
            raise ChangeRefused("DuplicateTransitGatewayAttachment", f"{change.gateway} is attached to {change.vpc}")
        added = Attachment(change.id, change.gateway, subnets=(subnet.id,))
        return replace(snapshot, attachments=(*attachments, added))
    attachment = find(attachments, change.attachment, "InvalidTransitGatewayAttachmentID.NotFound")
    zones = {other.zone for other in snapshot.subnets if other.id in attachment.subnets}
    if subnet.zone in zones:
        raise ChangeRefused("DuplicateSubnetsInSameZone", f"{attachment.id} has a subnet in {subnet.zone}")
    changed = replace(attachment, subnets=tuple(sorted((*attachment.subnets, subnet.id))))
    return replace(snapshot, attachments=swap(attachments, changed))
