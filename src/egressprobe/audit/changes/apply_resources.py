"""What a VPC consists of on a snapshot, by EC2's rules: what is created, changed and deleted."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from egressprobe.audit.changes.network_changes import AssociateTransitTable, DeleteTransitRoute, TransitRouteChange
from egressprobe.audit.changes.refusal import ChangeRefused, NotInSnapshot, find, swap, without
from egressprobe.audit.changes.resource_changes import (
    ChangeAttachment,
    ChangePrefixList,
    CreateEndpoint,
    CreateGroup,
    CreatePeering,
    DeleteAttachment,
    DeleteEndpoint,
    DeleteGroup,
    DeleteNat,
    DeletePeering,
    ModifyEndpoint,
    RemoveGateway,
    SetInterfaceGroups,
)
from egressprobe.audit.vpc.packet_filters import ALL
from egressprobe.audit.vpc.snapshot import (
    Group,
    Peering,
    Permission,
    PrefixList,
    Route,
    RouteTable,
    VpcEndpoint,
    VpcSnapshot,
)
from egressprobe.audit.vpc.snapshot_transit import TransitHop, TransitRoute, TransitRouteTable


def of_this_vpc(snapshot: VpcSnapshot, vpc: str) -> None:
    """Raises NotInSnapshot for what is created in another VPC."""
    if vpc != snapshot.vpc.id:
        raise NotInSnapshot("InvalidVpcID.NotFound", f"{vpc} is another VPC")


def _tables(snapshot: VpcSnapshot, changed: Callable[[Route], Route | None]) -> tuple[RouteTable, ...] | None:
    """The route tables with every route changed, or taken away."""
    if snapshot.route_tables is None:
        return None
    return tuple(
        replace(table, routes=tuple(route for route in map(changed, table.routes) if route is not None))
        for table in snapshot.route_tables
    )


def _blackholes(snapshot: VpcSnapshot, target: str) -> tuple[RouteTable, ...] | None:
    """Static routes to what is gone stay and drop (user guide, nat-gateway-working-with); propagated ones go."""

    def changed(route: Route) -> Route | None:
        if route.to != target:
            return route
        return None if route.propagated else replace(route, active=False)

    return _tables(snapshot, changed)


def delete_nat(change: DeleteNat, snapshot: VpcSnapshot) -> VpcSnapshot:
    nat = find(snapshot.nats, change.nat, "NatGatewayNotFound")
    own, interfaces = {*nat.addresses}, snapshot.interfaces
    tables = _blackholes(snapshot, nat.id)
    if interfaces is not None:
        interfaces = tuple(
            interface for interface in interfaces if interface.kind != "nat_gateway" or not own & {*interface.addresses}
        )
    return replace(
        snapshot,
        nats=without(snapshot.nats, nat.id),
        interfaces=interfaces,
        route_tables=without(tables, nat.route_table) if tables is not None else None,
    )


def remove_gateway(change: RemoveGateway, snapshot: VpcSnapshot) -> VpcSnapshot:
    gateway = find(snapshot.gateways, change.gateway, "InvalidInternetGatewayID.NotFound")
    if gateway.kind == "internet":
        using = [nat.id for nat in snapshot.nats or () if nat.elastic and not nat.regional]
        using += [interface.id for interface in snapshot.interfaces or () if interface.public]
        if using:
            message = f"{snapshot.vpc.id} has some mapped public addresses: {', '.join(dict.fromkeys(using))}"
            raise ChangeRefused("DependencyViolation", message)
    return replace(
        snapshot,
        gateways=without(snapshot.gateways, gateway.id),
        route_tables=_blackholes(snapshot, gateway.id),
    )


def change_attachment(change: ChangeAttachment, snapshot: VpcSnapshot) -> VpcSnapshot:
    attachment = find(snapshot.attachments, change.attachment, "InvalidTransitGatewayAttachmentID.NotFound")
    kept = tuple(name for name in attachment.subnets if name not in change.remove)
    if not kept:
        raise ChangeRefused("InvalidParameterValue", f"{attachment.id} needs at least one subnet")
    ipv6 = attachment.ipv6 if change.ipv6 is None else change.ipv6
    return replace(snapshot, attachments=swap(snapshot.attachments, replace(attachment, subnets=kept, ipv6=ipv6)))


def delete_attachment(change: DeleteAttachment, snapshot: VpcSnapshot) -> VpcSnapshot:
    attachment = find(snapshot.attachments, change.attachment, "InvalidTransitGatewayAttachmentID.NotFound")
    return replace(
        snapshot,
        attachments=without(snapshot.attachments, attachment.id),
        route_tables=_blackholes(snapshot, attachment.gateway),
    )


def create_endpoint(change: CreateEndpoint, snapshot: VpcSnapshot) -> VpcSnapshot:
    of_this_vpc(snapshot, change.vpc)
    for other in snapshot.endpoints or ():
        twice = change.private_dns and other.private_dns and other.service == change.service
        if twice and other.kind == change.kind == "Interface" and other.state == "available":
            raise ChangeRefused("InvalidParameter", f"{other.id} of {change.service} has private DNS already")
    endpoint = VpcEndpoint(
        change.id,
        change.kind,
        change.service,
        subnets=tuple(sorted(change.subnets)),
        private_dns=change.private_dns,
    )
    after = replace(snapshot, endpoints=(*(snapshot.endpoints or ()), endpoint))
    return _endpoint_routes(after, endpoint.id, change.prefix_list, change.tables)


def _endpoint_routes(snapshot: VpcSnapshot, endpoint: str, prefix_list: str, names: Iterable[str]) -> VpcSnapshot:
    for name in names:
        table = find(snapshot.route_tables, name, "InvalidRouteTableId.NotFound")
        if any(route.destination == prefix_list for route in table.routes):
            raise ChangeRefused("RouteAlreadyExists", f"{table.id} has a route for {prefix_list}")
        changed = replace(table, routes=(*table.routes, Route(prefix_list, "endpoint", endpoint)))
        snapshot = replace(snapshot, route_tables=swap(snapshot.route_tables, changed))
    return snapshot


def modify_endpoint(change: ModifyEndpoint, snapshot: VpcSnapshot) -> VpcSnapshot:
    endpoint = find(snapshot.endpoints, change.endpoint, "InvalidVpcEndpointId.NotFound")
    subnets = sorted({*endpoint.subnets, *change.add_subnets} - {*change.remove_subnets})
    private_dns = endpoint.private_dns if change.private_dns is None else change.private_dns
    changed = replace(endpoint, subnets=tuple(subnets), private_dns=private_dns)
    tables = snapshot.route_tables
    if tables is not None:
        tables = tuple(
            replace(table, routes=tuple(route for route in table.routes if route.to != endpoint.id))
            if table.id in change.remove_tables
            else table
            for table in tables
        )
    after = replace(snapshot, endpoints=swap(snapshot.endpoints, changed), route_tables=tables)
    return _endpoint_routes(after, endpoint.id, change.prefix_list, change.add_tables)


def delete_endpoint(change: DeleteEndpoint, snapshot: VpcSnapshot) -> VpcSnapshot:
    endpoint = find(snapshot.endpoints, change.endpoint, "InvalidVpcEndpointId.NotFound")

    def kept(route: Route) -> Route | None:
        return None if route.to == endpoint.id else route

    tables = _tables(snapshot, kept) if endpoint.kind == "Gateway" else _blackholes(snapshot, endpoint.id)
    return replace(snapshot, endpoints=without(snapshot.endpoints, endpoint.id), route_tables=tables)


def create_peering(change: CreatePeering, snapshot: VpcSnapshot) -> VpcSnapshot:
    if snapshot.vpc.id not in (change.vpc, change.peer):
        raise NotInSnapshot("InvalidVpcID.NotFound", f"{change.vpc} and {change.peer} are other VPCs")
    other = change.peer if change.vpc == snapshot.vpc.id else change.vpc
    added = Peering(change.id, "active" if change.accepted else "pending-acceptance", other)
    return replace(snapshot, peerings=(*(snapshot.peerings or ()), added))


def delete_peering(change: DeletePeering, snapshot: VpcSnapshot) -> VpcSnapshot:
    peering = find(snapshot.peerings, change.peering, "InvalidVpcPeeringConnectionID.NotFound")
    return replace(
        snapshot, peerings=without(snapshot.peerings, peering.id), route_tables=_blackholes(snapshot, peering.id)
    )


def create_group(change: CreateGroup, snapshot: VpcSnapshot) -> VpcSnapshot:
    of_this_vpc(snapshot, change.vpc)
    if change.name and any(group.name == change.name for group in snapshot.groups or ()):
        raise ChangeRefused("InvalidGroup.Duplicate", f"{snapshot.vpc.id} has a group named {change.name}")
    everywhere = ["0.0.0.0/0"] + ["::/0"] * any(":" in text for text in snapshot.vpc.blocks)
    group = Group(change.id, change.name, egress=(Permission(ALL, blocks=tuple(everywhere)),))
    return replace(snapshot, groups=(*(snapshot.groups or ()), group))


def delete_group(change: DeleteGroup, snapshot: VpcSnapshot) -> VpcSnapshot:
    group = find(snapshot.groups, change.group, "InvalidGroup.NotFound")
    using = [interface.id for interface in snapshot.interfaces or () if group.id in interface.groups]
    using += [
        other.id
        for other in snapshot.groups or ()
        if other.id != group.id and any(group.id in rule.groups for rule in (*other.ingress, *other.egress))
    ]
    if using:
        raise ChangeRefused("DependencyViolation", f"{group.id} is used by {', '.join(dict.fromkeys(using))}")
    return replace(snapshot, groups=without(snapshot.groups, group.id))


def set_interface_groups(change: SetInterfaceGroups, snapshot: VpcSnapshot) -> VpcSnapshot:
    interface = find(snapshot.interfaces, change.interface, "InvalidNetworkInterfaceID.NotFound")
    for name in change.groups:
        find(snapshot.groups, name, "InvalidGroup.NotFound")
    return replace(snapshot, interfaces=swap(snapshot.interfaces, replace(interface, groups=change.groups)))


def change_prefix_list(change: ChangePrefixList, snapshot: VpcSnapshot) -> VpcSnapshot:
    """A list that no route or rule names is not in the snapshot; it is added, since it may be named soon."""
    kept = without(snapshot.prefix_lists, change.prefix_list)
    return replace(snapshot, prefix_lists=(*kept, PrefixList(change.prefix_list, change.blocks)))


def transit_route(change: TransitRouteChange, snapshot: VpcSnapshot) -> VpcSnapshot:
    """A static route beside a propagated one is preferred to it (transit gateway guide, "Route evaluation order")."""
    table = _transit_table(snapshot, change.table)
    fixed = [route for route in table.routes if route.destination == change.destination and not route.propagated]
    if fixed and not change.replace:
        raise ChangeRefused("RouteAlreadyExists", f"{table.id} has a route for {change.destination}")
    if not fixed and change.replace:
        raise ChangeRefused("InvalidRoute.NotFound", f"{table.id} has no static route for {change.destination}")
    hops = (_hop(snapshot, change.attachment),) if change.attachment else ()
    added = TransitRoute(change.destination, active=bool(hops), hops=hops)
    return _with_transit(snapshot, replace(table, routes=(*_but(table.routes, fixed), added)))


def delete_transit_route(change: DeleteTransitRoute, snapshot: VpcSnapshot) -> VpcSnapshot:
    table = _transit_table(snapshot, change.table)
    fixed = [route for route in table.routes if route.destination == change.destination and not route.propagated]
    if not fixed:
        raise ChangeRefused("InvalidRoute.NotFound", f"{table.id} has no static route for {change.destination}")
    return _with_transit(snapshot, replace(table, routes=_but(table.routes, fixed)))


def associate_transit_table(change: AssociateTransitTable, snapshot: VpcSnapshot) -> VpcSnapshot:
    """An attachment has at most one (transit gateway guide, "Route table association")."""
    table = _transit_table(snapshot, change.table)
    tables = [other for gateway in snapshot.transit_gateways or () for other in gateway.tables or ()]
    now = next((other for other in tables if change.attachment in other.associated), None)
    if change.end:
        if now is None or now.id != table.id:
            message = f"{change.attachment} is not associated with {table.id}"
            raise ChangeRefused("InvalidAssociation.NotFound", message)
        kept = tuple(name for name in table.associated if name != change.attachment)
        return _with_transit(snapshot, replace(table, associated=kept))
    if now is not None:
        raise ChangeRefused("Resource.AlreadyAssociated", f"{change.attachment} is associated with {now.id}")
    return _with_transit(snapshot, replace(table, associated=(*table.associated, change.attachment)))


def _transit_table(snapshot: VpcSnapshot, name: str) -> TransitRouteTable:
    tables = [table for gateway in snapshot.transit_gateways or () for table in gateway.tables or ()]
    return find(tables, name, "InvalidRouteTableID.NotFound")


def _with_transit(snapshot: VpcSnapshot, table: TransitRouteTable) -> VpcSnapshot:
    gateways = tuple(
        gateway if gateway.tables is None else replace(gateway, tables=swap(gateway.tables, table))
        for gateway in snapshot.transit_gateways or ()
    )
    return replace(snapshot, transit_gateways=gateways)


def _but(routes: tuple[TransitRoute, ...], without: list[TransitRoute]) -> tuple[TransitRoute, ...]:
    return tuple(route for route in routes if route not in without)


def _hop(snapshot: VpcSnapshot, attachment: str) -> TransitHop:
    """What an attachment leads to, as far as the snapshot shows it."""
    for each in (snapshot, *snapshot.other_vpcs):
        if any(listed.id == attachment for listed in each.attachments or ()):
            return TransitHop(attachment, "vpc", each.vpc.id)
    hops = (
        hop
        for gateway in snapshot.transit_gateways or ()
        for table in gateway.tables or ()
        for route in table.routes
        for hop in route.hops
    )
    return next((hop for hop in hops if hop.attachment == attachment), TransitHop(attachment, "unknown"))
