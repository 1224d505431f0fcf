"""Routes and the gateways that they lead to on a snapshot, by EC2's rules."""

from collections.abc import Sequence

from msgspec.structs import replace

from egressprobe.audit.changes.change import (
    NEW_ATTACHMENT,
    NEW_EGRESS_ONLY_GATEWAY,
    NEW_NAT,
    NEW_NAT_TABLE,
    AttachGateway,
    AttachTransitGateway,
    CreateGateway,
    CreateNat,
    DeleteRoute,
    RouteChange,
)
from egressprobe.audit.changes.refusal import ChangeRefused, Identified, find, swap
from egressprobe.audit.vpc.cidr import block
from egressprobe.audit.vpc.snapshot import Attachment, Gateway, Nat, Route, RouteTable, VpcSnapshot


def route(change: RouteChange, snapshot: VpcSnapshot) -> VpcSnapshot:
    table, route = find(snapshot.route_tables, change.table, "InvalidRouteTableID.NotFound"), change.route
    existing = next((listed for listed in table.routes if listed.destination == route.destination), None)
    if existing is not None and not change.replace and not existing.propagated:
        raise ChangeRefused("RouteAlreadyExists", f"{table.id} has a route for {route.destination}")
    if existing is None and change.replace:
        raise ChangeRefused("InvalidParameterValue", f"{table.id} has no route for {route.destination}")
    _valid(snapshot, route)
    kept = tuple(listed for listed in table.routes if listed is not existing or listed.propagated)
    return replace(snapshot, route_tables=swap(snapshot.route_tables, replace(table, routes=(*kept, route))))


def _valid(snapshot: VpcSnapshot, route: Route) -> None:
    """The target exists, forwards the family, and the destination does not cut into the VPC's own CIDR."""
    lists: dict[str, tuple[str, Sequence[Identified] | None]] = {
        "nat": ("NatGatewayNotFound", snapshot.nats),
        "internet": ("InvalidGatewayID.NotFound", snapshot.gateways),
        "egress-only": ("InvalidGatewayID.NotFound", snapshot.gateways),
        "peering": ("InvalidVpcPeeringConnectionID.NotFound", snapshot.peerings),
    }
    if route.gate in lists:
        code, items = lists[route.gate]
        find(items, route.to, code)
    if route.gate == "transit" and all(attachment.gateway != route.to for attachment in snapshot.attachments or ()):
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
    kept = tuple(route for route in table.routes if route.destination != change.destination or route.gate == "local")
    if len(kept) == len(table.routes):
        raise ChangeRefused("InvalidRoute.NotFound", f"{table.id} has no route for {change.destination} to delete")
    return replace(snapshot, route_tables=swap(snapshot.route_tables, replace(table, routes=kept)))


def create_nat(change: CreateNat, snapshot: VpcSnapshot) -> VpcSnapshot:
    """Its route table has a route to the internet gateway from the start (user guide, nat-gateways-regional)."""
    gateway = next(
        (listed for listed in snapshot.gateways or () if listed.kind == "internet" and listed.attached), None
    )
    if gateway is None:
        raise ChangeRefused("Gateway.NotAttached", f"{change.vpc} has no internet gateway")
    local = tuple(Route(text, "local", "local") for text in snapshot.vpc.blocks)
    table = RouteTable(NEW_NAT_TABLE, routes=(*local, Route("0.0.0.0/0", "internet", gateway.id)))
    nat = Nat(NEW_NAT, "available", regional=True, route_table=table.id)
    tables, nats = (*(snapshot.route_tables or ()), table), (*(snapshot.nats or ()), nat)
    return replace(snapshot, route_tables=tables, nats=nats)


def create_gateway(change: CreateGateway, snapshot: VpcSnapshot) -> VpcSnapshot:
    """A new internet gateway is not attached, so it is not in a snapshot of the VPC yet."""
    if not change.egress_only:
        return snapshot
    return replace(snapshot, gateways=(*(snapshot.gateways or ()), Gateway(NEW_EGRESS_ONLY_GATEWAY, "egress-only")))


def attach_gateway(change: AttachGateway, snapshot: VpcSnapshot) -> VpcSnapshot:
    if any(gateway.kind == "internet" and gateway.attached for gateway in snapshot.gateways or ()):
        raise ChangeRefused("Resource.AlreadyAssociated", f"{change.vpc} has an internet gateway")
    tables = tuple(
        replace(
            table,
            routes=tuple(
                replace(route, active=True) if route.to == change.gateway else route for route in table.routes
            ),
        )
        for table in snapshot.route_tables or ()
    )
    gateways = (*(snapshot.gateways or ()), Gateway(change.gateway, "internet"))
    return replace(snapshot, gateways=gateways, route_tables=tables)


def attach_transit_gateway(change: AttachTransitGateway, snapshot: VpcSnapshot) -> VpcSnapshot:
    subnet = find(snapshot.subnets, change.subnet, "InvalidSubnetID.NotFound")
    attachments = snapshot.attachments or ()
    if not change.attachment:
        if any(listed.gateway == change.gateway and listed.state == "available" for listed in attachments):
            raise ChangeRefused("DuplicateTransitGatewayAttachment", f"{change.gateway} is attached to {change.vpc}")
        added = Attachment(NEW_ATTACHMENT, change.gateway, subnets=(subnet.id,))
        return replace(snapshot, attachments=(*attachments, added))
    attachment = find(attachments, change.attachment, "InvalidTransitGatewayAttachmentID.NotFound")
    zones = {other.zone for other in snapshot.subnets if other.id in attachment.subnets}
    if subnet.zone in zones:
        raise ChangeRefused("DuplicateSubnetsInSameZone", f"{attachment.id} has a subnet in {subnet.zone}")
    changed = replace(attachment, subnets=tuple(sorted((*attachment.subnets, subnet.id))))
    return replace(snapshot, attachments=swap(attachments, changed))
