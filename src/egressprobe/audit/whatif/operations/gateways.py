"""Operations on gateways, transit gateway attachments, peering connections and VPC endpoints."""

from collections.abc import Iterator

from msgspec.structs import replace

from egressprobe.audit.changes.attribute_changes import AcceptPeering
from egressprobe.audit.changes.change import AttachGateway, AttachTransitGateway, Change, CreateGateway, CreateNat
from egressprobe.audit.changes.network_changes import AssociateTransitTable, DeleteTransitRoute, TransitRouteChange
from egressprobe.audit.changes.refusal import ChangeRefused
from egressprobe.audit.changes.resource_changes import (
    ChangeAttachment,
    CreateEndpoint,
    CreatePeering,
    DeleteAttachment,
    DeleteEndpoint,
    DeleteNat,
    DeletePeering,
    ModifyEndpoint,
    RemoveGateway,
)
from egressprobe.audit.vpc.snapshot import PrefixList
from egressprobe.audit.vpc.topology import is_load_balancer
from egressprobe.audit.whatif.operations.protocols import cidr
from egressprobe.audit.whatif.operations.world import World
from egressprobe.audit.whatif.plan import NAMES, NotModelled, Parameters, Unmodelled

# What a NAT gateway has instead of an address that AWS chooses (vpc/snapshot.py, Nat).
_ALLOCATION = "eipalloc-NEW"


def create_nat(_: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    subnet = given.text("SubnetId")
    if given.text("AvailabilityMode") == "regional" or (not subnet and "VpcId" in given):
        yield CreateNat(given.text("VpcId"), name)
        return
    private = given.text("ConnectivityType") == "private"
    yield CreateNat("", name, subnet, given.text("PrivateIpAddress"), () if private else (_ALLOCATION,))


def delete_nat(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield DeleteNat(given.text("NatGatewayId"))


def nat_addresses(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    nat = given.text("NatGatewayId")
    yield Unmodelled(f"the addresses of {nat} are changed", frozenset({nat}))


def create_internet_gateway(world: World, _: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    """It is in no VPC until it is attached."""
    world.detached.add(name)
    yield from ()


def attach_gateway(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    vpn = given.text("VpnGatewayId")
    yield AttachGateway(vpn or given.text("InternetGatewayId"), given.text("VpcId"), vpn=bool(vpn))


def detach_gateway(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield RemoveGateway(given.text("InternetGatewayId", "VpnGatewayId"), given.text("VpcId"))


def delete_gateway(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    name = given.text("InternetGatewayId", "VpnGatewayId")
    if any(gateway.id == name for gateway in world.snapshot.gateways or ()):
        raise ChangeRefused("DependencyViolation", f"{name} is attached to {world.snapshot.vpc.id}")
    yield from ()


def create_egress_only(_: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    yield CreateGateway(given.text("VpcId"), egress_only=True, id=name)


def delete_egress_only(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    yield RemoveGateway(given.text("EgressOnlyInternetGatewayId"), world.snapshot.vpc.id)


def create_attachment(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    gateway, vpc, subnets = given.text("TransitGatewayId"), given.text("VpcId"), given.texts("SubnetIds")
    if vpc and vpc != world.snapshot.vpc.id:
        yield from _transit(world, f"{gateway} gets an attachment in {vpc}")
        return
    for i, subnet in enumerate(subnets):
        yield AttachTransitGateway(gateway, vpc, subnet, name if i else "", name)
    if given.item("Options").text("Ipv6Support") != "enable":  # the default is off (CreateTransitGatewayVpcAttachment)
        yield ChangeAttachment(gateway, name, ipv6=False)


def _gateway_of(world: World, attachment: str) -> str:
    return next((listed.gateway for listed in world.snapshot.attachments or () if listed.id == attachment), "")


def modify_attachment(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    name, options = given.text("TransitGatewayAttachmentId"), given.item("Options")
    gateway = _gateway_of(world, name)
    for subnet in given.texts("AddSubnetIds"):
        yield AttachTransitGateway(gateway, world.snapshot.vpc.id, subnet, name)
    ipv6 = {"enable": True, "disable": False}.get(options.text("Ipv6Support"))
    removed = given.texts("RemoveSubnetIds")
    if removed or ipv6 is not None:
        yield ChangeAttachment(gateway, name, removed, ipv6)
    if options.text("ApplianceModeSupport"):
        yield Unmodelled(f"the appliance mode of {name} is changed", frozenset({gateway}))


def delete_attachment(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    name = given.text("TransitGatewayAttachmentId")
    yield DeleteAttachment(_gateway_of(world, name), name)


def transit_routes(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    """Route tables that the snapshot does not have: a change there may touch all that is sent to a transit gateway."""
    table = _transit_table(given) or "a route table"
    yield from _transit(world, f"{table} of a transit gateway is changed")


def _transit_table(given: Parameters) -> str:
    """Empty for one whose id is known only after the change."""
    try:
        return given.text("TransitGatewayRouteTableId")
    except NotModelled:
        return ""


def _in_snapshot(world: World, table: str) -> bool:
    gateways = world.snapshot.transit_gateways or ()
    return any(listed.id == table for gateway in gateways for listed in gateway.tables or ())


def transit_route(
    world: World, given: Parameters, name: str, *, replaces: bool = False
) -> Iterator[Change | Unmodelled]:
    table = _transit_table(given)
    if not _in_snapshot(world, table):
        yield from transit_routes(world, given, name)
        return
    attachment = "" if given.flag("Blackhole") else given.text("TransitGatewayAttachmentId")
    yield TransitRouteChange(table, cidr(given.text("DestinationCidrBlock")), attachment, replaces)


def replace_transit_route(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    return transit_route(world, given, name, replaces=True)


def delete_transit_route(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    table = _transit_table(given)
    if not _in_snapshot(world, table):
        yield from transit_routes(world, given, name)
        return
    yield DeleteTransitRoute(table, cidr(given.text("DestinationCidrBlock")))


def transit_association(
    world: World, given: Parameters, name: str, *, end: bool = False
) -> Iterator[Change | Unmodelled]:
    table = _transit_table(given)
    if not _in_snapshot(world, table):
        yield from transit_routes(world, given, name)
        return
    yield AssociateTransitTable(table, given.text("TransitGatewayAttachmentId"), end)


def no_transit_association(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    return transit_association(world, given, name, end=True)


def _transit(world: World, why: str) -> Iterator[Unmodelled]:
    gateways = frozenset(attachment.gateway for attachment in world.snapshot.attachments or ())
    yield Unmodelled(why, gateways or frozenset({"tgw-"}))


def firewall(world: World, _: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    """Not one operation of AWS: rules and policies of Network Firewall, which stands behind endpoints."""
    vpcs = (world.snapshot, *world.snapshot.other_vpcs)
    endpoints = [endpoint for vpc in vpcs for endpoint in vpc.endpoints or ()]
    touched = frozenset(endpoint.id for endpoint in endpoints if endpoint.kind == "GatewayLoadBalancer")
    yield Unmodelled("Network Firewall is not modelled", touched)


def load_balancer(world: World, _: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    """Not one operation of AWS: load balancers, their listeners and targets."""
    touched = frozenset(interface.id for interface in world.snapshot.interfaces or () if is_load_balancer(interface))
    yield Unmodelled("load balancers are not modelled", touched)


def create_peering(_: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    accepted = bool(given.flag("AutoAccept"))
    yield CreatePeering(given.text("VpcId"), given.text("PeerVpcId"), name, accepted=accepted)


def accept_peering(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield AcceptPeering(given.text("VpcPeeringConnectionId"))


def delete_peering(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield DeletePeering(given.text("VpcPeeringConnectionId"))


def _prefix_list(world: World, service: str) -> str:
    """Of a gateway endpoint's service. One that no route names is not in the snapshot: without CIDRs for now."""
    if service not in world.prefix_lists:
        name = world.prefix_lists[service] = f"pl-{service.rpartition('.')[2]}"
        lists = (*(world.snapshot.prefix_lists or ()), PrefixList(name, ()))
        world.snapshot = replace(world.snapshot, prefix_lists=lists)
    return world.prefix_lists[service]


def create_endpoint(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    kind, service = given.text("VpcEndpointType") or "Gateway", given.text("ServiceName")
    if kind not in ("Gateway", "Interface", "GatewayLoadBalancer"):
        raise NotModelled(f"VPC endpoints of the type {kind} are not modelled", frozenset({NAMES}))
    tables = given.texts("RouteTableIds")
    new_list = kind == "Gateway" and service not in world.prefix_lists
    prefix_list = _prefix_list(world, service) if kind == "Gateway" else ""
    # EC2's default is on; it needs a service with a private DNS name, which AWS's own have.
    private_dns = kind == "Interface" and given.flag("PrivateDnsEnabled") is not False
    subnets = given.texts("SubnetIds")
    yield CreateEndpoint(given.text("VpcId"), name, kind, service, subnets, tables, private_dns, prefix_list)
    if new_list and tables:
        why = f"the snapshot does not have the addresses of {service}, which {name} leads to"
        yield Unmodelled(why, frozenset(tables), only_opens=True)


def modify_endpoint(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    name = given.text("VpcEndpointId")
    endpoint = next((listed for listed in world.snapshot.endpoints or () if listed.id == name), None)
    service = endpoint.service if endpoint else ""
    tables = given.texts("AddRouteTableIds")
    new_list = bool(tables) and service not in world.prefix_lists
    yield ModifyEndpoint(
        name,
        tables,
        given.texts("RemoveRouteTableIds"),
        given.texts("AddSubnetIds"),
        given.texts("RemoveSubnetIds"),
        given.flag("PrivateDnsEnabled"),
        _prefix_list(world, service) if tables else "",
    )
    if new_list:
        why = f"the snapshot does not have the addresses of {service}, which {name} leads to"
        yield Unmodelled(why, frozenset(tables), only_opens=True)


def delete_endpoints(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    for name in given.texts("VpcEndpointIds"):
        yield DeleteEndpoint(name)
