"""Route tables, network ACLs and what they are associated with, on a snapshot, by EC2's rules."""

from msgspec.structs import replace

from egressprobe.audit.changes.association_changes import (
    AssociateAcl,
    AssociateTable,
    CreateAcl,
    CreateRouteTable,
    DeleteAcl,
    DeleteAclRule,
    DeleteRouteTable,
    DisablePropagation,
    DisassociateTable,
    SetMainTable,
)
from egressprobe.audit.changes.refusal import UNMODELLED, ChangeRefused, NotInSnapshot, find, swap, without
from egressprobe.audit.vpc.packet_filters import ALL, STAR
from egressprobe.audit.vpc.snapshot import Acl, AclEntry, Route, RouteTable, VpcSnapshot

_NO_TABLE, _NO_ACL, _NO_SUBNET = (
    "InvalidRouteTableID.NotFound",
    "InvalidNetworkAclID.NotFound",
    "InvalidSubnetID.NotFound",
)


def create_table(change: CreateRouteTable, snapshot: VpcSnapshot) -> VpcSnapshot:
    if change.vpc != snapshot.vpc.id:
        raise NotInSnapshot("InvalidVpcID.NotFound", f"{change.vpc} is another VPC")
    local = tuple(Route(text, "local", "local") for text in snapshot.vpc.blocks)
    return replace(snapshot, route_tables=(*(snapshot.route_tables or ()), RouteTable(change.id, routes=local)))


def delete_table(change: DeleteRouteTable, snapshot: VpcSnapshot) -> VpcSnapshot:
    table = find(snapshot.route_tables, change.table, _NO_TABLE)
    if table.main or table.subnets or table.gateways:
        used = (
            "the main route table" if table.main else f"associated with {', '.join((*table.subnets, *table.gateways))}"
        )
        raise ChangeRefused("DependencyViolation", f"{table.id} is {used}")
    return replace(snapshot, route_tables=without(snapshot.route_tables, table.id))


def associate_table(change: AssociateTable, snapshot: VpcSnapshot) -> VpcSnapshot:
    table = find(snapshot.route_tables, change.table, _NO_TABLE)
    tables, of_gateway = snapshot.route_tables or (), not _is_subnet(snapshot, change.member)
    if of_gateway and all(gateway.id != change.member for gateway in snapshot.gateways or ()):
        raise ChangeRefused("InvalidSubnetID.NotFound", f"{change.member} is neither a subnet nor a gateway of the VPC")
    now = next((other for other in tables if change.member in (*other.subnets, *other.gateways)), None)
    if now is not None and now.id == table.id:
        return snapshot
    if now is not None and not change.replace:
        raise ChangeRefused("Resource.AlreadyAssociated", f"{change.member} is associated with {now.id}")
    if now is None and change.replace:
        raise ChangeRefused("InvalidAssociationID.NotFound", f"{change.member} is associated with no route table")
    tables = tuple(_with(other, change.member, table.id, of_gateway=of_gateway) for other in tables)
    return replace(snapshot, route_tables=tables)


def _is_subnet(snapshot: VpcSnapshot, name: str) -> bool:
    return any(subnet.id == name for subnet in snapshot.subnets)


def _with(table: RouteTable, member: str, chosen: str, *, of_gateway: bool) -> RouteTable:
    """The table with the member if it is the chosen one, else without."""
    listed = tuple(name for name in (table.gateways if of_gateway else table.subnets) if name != member)
    if table.id == chosen:
        listed = tuple(sorted((*listed, member)))
    return replace(table, gateways=listed) if of_gateway else replace(table, subnets=listed)


def disassociate_table(change: DisassociateTable, snapshot: VpcSnapshot) -> VpcSnapshot:
    table = find(snapshot.route_tables, change.table, _NO_TABLE)
    if change.member not in (*table.subnets, *table.gateways):
        raise ChangeRefused("InvalidAssociationID.NotFound", f"{change.member} is not associated with {table.id}")
    changed = replace(
        table,
        subnets=tuple(name for name in table.subnets if name != change.member),
        gateways=tuple(name for name in table.gateways if name != change.member),
    )
    return replace(snapshot, route_tables=swap(snapshot.route_tables, changed))


def set_main_table(change: SetMainTable, snapshot: VpcSnapshot) -> VpcSnapshot:
    find(snapshot.route_tables, change.table, _NO_TABLE)
    tables = tuple(replace(table, main=table.id == change.table) for table in snapshot.route_tables or ())
    return replace(snapshot, route_tables=tables)


def disable_propagation(change: DisablePropagation, snapshot: VpcSnapshot) -> VpcSnapshot:
    table = find(snapshot.route_tables, change.table, _NO_TABLE)
    kept = tuple(route for route in table.routes if not (route.propagated and route.to == change.gateway))
    return replace(snapshot, route_tables=swap(snapshot.route_tables, replace(table, routes=kept)))


def create_acl(change: CreateAcl, snapshot: VpcSnapshot) -> VpcSnapshot:
    """With the two last rules that deny the rest, and with two more where the VPC has IPv6."""
    if change.vpc != snapshot.vpc.id:
        raise NotInSnapshot("InvalidVpcID.NotFound", f"{change.vpc} is another VPC")
    last = [(STAR[0], "0.0.0.0/0")]
    if any(":" in text for text in snapshot.vpc.blocks):
        last.append((STAR[1], "::/0"))
    entries = tuple(
        AclEntry(number, egress, allow=False, protocol=ALL, block=text)
        for egress in (False, True)
        for number, text in last
    )
    return replace(snapshot, acls=(*(snapshot.acls or ()), Acl(change.id, entries=entries)))


def delete_acl(change: DeleteAcl, snapshot: VpcSnapshot) -> VpcSnapshot:
    acl = find(snapshot.acls, change.acl, _NO_ACL)
    if acl.default:
        raise ChangeRefused("Client.CannotDelete", f"{acl.id} is the default network ACL")
    if acl.subnets:
        raise ChangeRefused("DependencyViolation", f"{acl.id} is associated with {', '.join(acl.subnets)}")
    return replace(snapshot, acls=without(snapshot.acls, acl.id))


def delete_acl_rule(change: DeleteAclRule, snapshot: VpcSnapshot) -> VpcSnapshot:
    acl = find(snapshot.acls, change.acl, _NO_ACL)
    kept = tuple(entry for entry in acl.entries if (entry.number, entry.egress) != (change.number, change.egress))
    if len(kept) == len(acl.entries) or change.number in STAR:
        where = "egress" if change.egress else "ingress"
        raise ChangeRefused("InvalidNetworkAclEntry.NotFound", f"{acl.id} has no {where} rule {change.number}")
    return replace(snapshot, acls=swap(snapshot.acls, replace(acl, entries=kept)))


def associate_acl(change: AssociateAcl, snapshot: VpcSnapshot) -> VpcSnapshot:
    find(snapshot.subnets, change.subnet, _NO_SUBNET)
    name = change.acl or next((acl.id for acl in snapshot.acls or () if acl.default), "")
    if not name:
        raise ChangeRefused(UNMODELLED, "the snapshot does not show which network ACL is the default one")
    chosen = find(snapshot.acls, name, _NO_ACL)
    acls = tuple(
        replace(
            acl,
            subnets=tuple(
                sorted({*acl.subnets, change.subnet} if acl.id == chosen.id else {*acl.subnets} - {change.subnet})
            ),
        )
        for acl in snapshot.acls or ()
    )
    return replace(snapshot, acls=acls)
