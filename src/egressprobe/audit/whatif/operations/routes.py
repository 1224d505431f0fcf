"""Operations on routes, route tables and network ACLs and their associations."""

from collections.abc import Iterator

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
from egressprobe.audit.changes.change import AclRuleChange, Change, DeleteRoute, RouteChange
from egressprobe.audit.changes.refusal import ChangeRefused, find
from egressprobe.audit.vpc.packet_filters import STAR
from egressprobe.audit.vpc.snapshot import AclEntry, Route, RouteTargetKind
from egressprobe.audit.whatif.operations.protocols import cidr, number_of, ports_of
from egressprobe.audit.whatif.operations.world import World
from egressprobe.audit.whatif.plan import EVERYTHING, NotModelled, Parameters, Unmodelled

# The parameters that name a route's target; the prefix of GatewayId decides what it is.
_TARGETS: tuple[tuple[str, RouteTargetKind], ...] = (
    ("NatGatewayId", "nat"),
    ("TransitGatewayId", "transit"),
    ("VpcPeeringConnectionId", "peering"),
    ("EgressOnlyInternetGatewayId", "egress-only"),
    ("VpcEndpointId", "endpoint"),
    ("NetworkInterfaceId", "interface"),
    ("InstanceId", "interface"),
    ("LocalGatewayId", "other"),
    ("CarrierGatewayId", "other"),
    ("CoreNetworkArn", "other"),
    ("OdbNetworkArn", "other"),
)


def route(world: World, given: Parameters, _: str, *, replace: bool = False) -> Iterator[Change | Unmodelled]:
    gate, to = _target(world, given)
    yield RouteChange(given.text("RouteTableId"), Route(_destination(given), gate, to), replace)


def replace_route(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    return route(world, given, name, replace=True)


def _destination(given: Parameters) -> str:
    text = given.text("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    if not text:
        raise NotModelled("the route has no destination")
    return text if text.startswith("pl-") else cidr(text)


def _target(world: World, given: Parameters) -> tuple[RouteTargetKind, str]:
    for name, gate in _TARGETS:
        if name in given:
            return gate, given.text(name)
    if given.flag("LocalTarget") or given.text("GatewayId") == "local":
        return "local", "local"
    gateway = given.text("GatewayId")
    if not gateway:
        raise NotModelled("the route has no target that is known here")
    if gateway.startswith("vpce-") or any(endpoint.id == gateway for endpoint in world.snapshot.endpoints or ()):
        return "endpoint", gateway
    kinds = {listed.id: listed.kind for listed in world.snapshot.gateways or ()}
    if gateway in kinds:
        return kinds[gateway], gateway
    return ("vpn" if gateway.startswith("vgw-") else "internet"), gateway


def delete_route(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield DeleteRoute(given.text("RouteTableId"), _destination(given))


def create_table(_: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    yield CreateRouteTable(given.text("VpcId"), name)


def delete_table(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield DeleteRouteTable(given.text("RouteTableId"))


def associate_table(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    member = given.text("SubnetId", "GatewayId")
    if name:
        world.associations[name] = member
    yield AssociateTable(given.text("RouteTableId"), member)


def replace_table_association(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    member, table = _member(world, given, "rtbassoc-"), given.text("RouteTableId")
    if name:
        world.associations[name] = member
    if member == "main":
        yield SetMainTable(table)
    else:
        yield AssociateTable(table, member, replace=True)


def disassociate_table(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    member = _member(world, given, "rtbassoc-")
    if member == "main":
        raise ChangeRefused("InvalidParameterValue", "the association of the main route table cannot be ended")
    tables = world.snapshot.route_tables or ()
    table = next((table.id for table in tables if member in (*table.subnets, *table.gateways)), "")
    yield DisassociateTable(table or given.text("RouteTableId"), member)


def _member(world: World, given: Parameters, prefix: str) -> str:
    """By the association's id; in commands that egressprobe prints it is the subnet's id after a prefix."""
    association = given.text("AssociationId")
    member = world.associations.pop(association, "") or given.text("SubnetId", "GatewayId")
    if not member and association in world.ended:
        raise ChangeRefused("InvalidAssociationID.NotFound", f"{association} has ended by an earlier step")
    world.ended.add(association)
    written = association.removeprefix(prefix)
    if not member and (written == "main" or any(subnet.id == written for subnet in world.snapshot.subnets)):
        member = written
    if not member:
        raise NotModelled(f"the snapshot does not have the association {association}", frozenset({EVERYTHING}))
    return member


def enable_propagation(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    table = given.text("RouteTableId")
    why = f"which routes {given.text('GatewayId')} propagates to {table} is not known"
    yield Unmodelled(why, frozenset({table}))


def disable_propagation(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield DisablePropagation(given.text("RouteTableId"), given.text("GatewayId"))


def reset_table(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    """Not of AWS: a default table that Terraform adopts loses its routes."""
    table = find(world.snapshot.route_tables, given.text("RouteTableId"), "InvalidRouteTableID.NotFound")
    for route in table.routes:
        if route.gate not in ("local", "endpoint") and not route.propagated:
            yield DeleteRoute(table.id, route.destination)


def reset_acl(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    """Not of AWS: a default network ACL that Terraform adopts loses its entries."""
    acl = find(world.snapshot.acls, given.text("NetworkAclId"), "InvalidNetworkAclID.NotFound")
    for entry in acl.entries:
        if entry.number not in STAR:
            yield DeleteAclRule(acl.id, entry.number, entry.egress)


def create_acl(_: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    yield CreateAcl(given.text("VpcId"), name)


def delete_acl(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield DeleteAcl(given.text("NetworkAclId"))


def acl_entry(_: World, given: Parameters, __: str, *, replace: bool = False) -> Iterator[Change | Unmodelled]:
    protocol, number = number_of(given.text("Protocol")), given.number("RuleNumber")
    span, block = given.item("PortRange"), given.text("CidrBlock", "Ipv6CidrBlock")
    if number is None or not block:
        raise NotModelled("an entry needs a rule number and a CIDR")
    ports = ports_of(protocol, span.number("From"), span.number("To"))
    allow = given.text("RuleAction").lower() == "allow"
    entry = AclEntry(number, bool(given.flag("Egress")), allow, protocol, cidr(block), ports)
    yield AclRuleChange(given.text("NetworkAclId"), entry, replace)


def replace_acl_entry(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    return acl_entry(world, given, name, replace=True)


def delete_acl_entry(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    number = given.number("RuleNumber")
    if number is None:
        raise NotModelled("an entry needs a rule number")
    yield DeleteAclRule(given.text("NetworkAclId"), number, bool(given.flag("Egress")))


def associate_acl(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    subnet = _member(world, given, "aclassoc-")
    if name:
        world.associations[name] = subnet
    acl = given.text("NetworkAclId")
    yield AssociateAcl(subnet, "" if acl == "acl-DEFAULT" else acl)
