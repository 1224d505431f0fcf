"""EC2's responses as structs of the snapshot, one function for each kind. Pure.

A missing field gets a default; one whose default could open a path is required: KeyError, so that its list counts as
not read. Field names are those of the EC2 API Reference's data types.
"""

from collections.abc import Iterable
from typing import Any

from egressprobe.audit.vpc.snapshot import (
    Attachment,
    Gateway,
    Interface,
    Nat,
    Peering,
    Route,
    RouteTable,
    RouteTargetKind,
    Subnet,
    Vpc,
    VpcEndpoint,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp

type Item = dict[str, Any]
_ACTIVE = {"active": True, "blackhole": False}
_NOT_INSTALLED = "filtered"  # a propagated route that the table does not use
# The fields of a Route that name its target, in the order of the API; of GatewayId the prefix of the id decides.
_TARGET_FIELDS: tuple[tuple[str, RouteTargetKind], ...] = (
    ("NatGatewayId", "nat"),
    ("TransitGatewayId", "transit"),
    ("VpcPeeringConnectionId", "peering"),
    ("EgressOnlyInternetGatewayId", "egress-only"),
    ("NetworkInterfaceId", "interface"),
    ("InstanceId", "interface"),
    ("CoreNetworkArn", "other"),
    ("LocalGatewayId", "other"),
    ("CarrierGatewayId", "other"),
    ("OdbNetworkArn", "other"),
)
_GATEWAY_IDS: tuple[tuple[str, RouteTargetKind], ...] = (("igw-", "internet"), ("vgw-", "vpn"), ("vpce-", "endpoint"))


def vpc(item: Item) -> Vpc:
    cidrs = [element["CidrBlock"] for element in _associated(item, "CidrBlockAssociationSet", "CidrBlockState")]
    cidrs += [
        element["Ipv6CidrBlock"] for element in _associated(item, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlockState")
    ]
    return Vpc(
        id=item["VpcId"],
        owner=item.get("OwnerId") or "",
        blocks=tuple(dict.fromkeys([*_optional(item.get("CidrBlock")), *cidrs])),
        dhcp_options=item.get("DhcpOptionsId") or "",
    )


def subnet(item: Item) -> Subnet:
    ipv6 = [
        element["Ipv6CidrBlock"] for element in _associated(item, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlockState")
    ]
    return Subnet(
        id=item["SubnetId"],
        zone=item.get("AvailabilityZone") or "",
        owner=item.get("OwnerId") or "",
        blocks=(*_optional(item.get("CidrBlock")), *ipv6),
        free=item.get("AvailableIpAddressCount"),
        dns64=bool(item.get("EnableDns64")),
    )


def _associated(item: Item, field: str, state: str) -> list[Item]:
    """The active CIDRs; one that was removed stays listed for a while."""
    return [element for element in item.get(field) or [] if (element.get(state) or {}).get("State") == "associated"]


def route_table(item: Item) -> RouteTable:
    associations = [
        element
        for element in item.get("Associations") or []
        if _state(element.get("AssociationState")) != "disassociated"
    ]
    return RouteTable(
        id=item["RouteTableId"],
        main=any(element.get("Main") for element in associations),
        subnets=tuple(sorted(values(associations, "SubnetId"))),
        gateways=tuple(sorted(values(associations, "GatewayId"))),
        routes=tuple(_route(route) for route in item.get("Routes") or [] if route["State"] != _NOT_INSTALLED),
        associations={
            element["RouteTableAssociationId"]: element.get("SubnetId") or element.get("GatewayId") or "main"
            for element in associations
            if element.get("RouteTableAssociationId")
        },
    )


def _route(item: Item) -> Route:
    to, kind = _target(item)
    destination = (
        item.get("DestinationCidrBlock") or item.get("DestinationIpv6CidrBlock") or item.get("DestinationPrefixListId")
    )
    return Route(
        destination=destination or "",
        gate=kind,
        to=to,
        active=_ACTIVE[item["State"]],
        propagated=item.get("Origin") == "EnableVgwRoutePropagation",
    )


def _target(item: Item) -> tuple[str, RouteTargetKind]:
    for field, kind in _TARGET_FIELDS:
        if item.get(field):
            return item[field], kind
    gateway = item.get("GatewayId") or ""
    if gateway == "local":
        return gateway, "local"
    return gateway, next((kind for prefix, kind in _GATEWAY_IDS if gateway.startswith(prefix)), "other")


def interface(item: Item) -> Interface:
    """Association.PublicIp: the public address that an internet gateway translates to a private one."""
    ipv4 = item.get("PrivateIpAddresses") or ([item] if item.get("PrivateIpAddress") else [])
    attachment = item.get("Attachment") or {}
    public = {
        (element.get("Association") or {}).get("PublicIp"): element.get("PrivateIpAddress") for element in (item, *ipv4)
    }
    return Interface(
        id=item["NetworkInterfaceId"],
        subnet=item.get("SubnetId") or "",
        groups=tuple(values(item.get("Groups"), "GroupId")),
        addresses=(*values(ipv4, "PrivateIpAddress"), *values(item.get("Ipv6Addresses"), "Ipv6Address")),
        prefixes=(*values(item.get("Ipv4Prefixes"), "Ipv4Prefix"), *values(item.get("Ipv6Prefixes"), "Ipv6Prefix")),
        description=item.get("Description") or "",
        kind=item.get("InterfaceType") or "interface",
        owner=item.get("OwnerId") or "",
        checked=item.get("SourceDestCheck") is not False,
        instance=attachment.get("InstanceId") or "",
        public={text: private for text, private in public.items() if text and private},
        status=item.get("Status") or "",
    )


def nat(item: Item) -> Nat:
    listed = item.get("NatGatewayAddresses") or []
    usable = [element for element in listed if element.get("Status") in (None, "succeeded")]
    usable.sort(key=lambda element: element.get("IsPrimary") is False)
    return Nat(
        id=item["NatGatewayId"],
        state=item.get("State") or "",
        subnet=item.get("SubnetId") or "",
        public=item.get("ConnectivityType") != "private",
        regional=item.get("AvailabilityMode") == "regional",
        addresses=tuple(values(usable, "PrivateIp")),
        elastic=tuple(values(usable, "PublicIp")),
        route_table=item.get("RouteTableId") or "",
    )


def internet_gateway(item: Item, vpc_id: str) -> Gateway:
    return Gateway(item["InternetGatewayId"], "internet", _attached(item.get("Attachments"), vpc_id))


def egress_only_gateway(item: Item, vpc_id: str) -> Gateway:
    return Gateway(item["EgressOnlyInternetGatewayId"], "egress-only", _attached(item.get("Attachments"), vpc_id))


def vpn_gateway(item: Item, vpc_id: str) -> Gateway:
    return Gateway(item["VpnGatewayId"], "vpn", _attached(item.get("VpcAttachments"), vpc_id))


def _attached(attachments: list[Item] | None, vpc_id: str) -> bool:
    """An internet gateway is `available` where the others are `attached` (EC2 API, InternetGatewayAttachment)."""
    return any(
        element.get("VpcId") == vpc_id and element.get("State") in ("attached", "available")
        for element in attachments or []
    )


def attachment(item: Item) -> Attachment:
    return Attachment(
        id=item["TransitGatewayAttachmentId"],
        gateway=item.get("TransitGatewayId") or "",
        state=item.get("State") or "",
        subnets=tuple(sorted(item.get("SubnetIds") or [])),
        ipv6=(item.get("Options") or {}).get("Ipv6Support") != "disable",
        appliance=(item.get("Options") or {}).get("ApplianceModeSupport") == "enable",
    )


def peering(item: Item, vpc_id: str) -> Peering:
    sides = [item.get("AccepterVpcInfo") or {}, item.get("RequesterVpcInfo") or {}]
    other = next((side for side in sides if side.get("VpcId") != vpc_id), {})
    ipv4 = values(other.get("CidrBlockSet"), "CidrBlock") or _optional(other.get("CidrBlock"))
    return Peering(
        id=item["VpcPeeringConnectionId"],
        state=(item.get("Status") or {}).get("Code") or "",
        peer=other.get("VpcId") or "",
        blocks=(*ipv4, *values(other.get("Ipv6CidrBlockSet"), "Ipv6CidrBlock")),
    )


def endpoint(item: Item) -> VpcEndpoint:
    return VpcEndpoint(
        id=item["VpcEndpointId"],
        kind=item.get("VpcEndpointType") or "",
        service=item.get("ServiceName") or "",
        state=(item.get("State") or "").lower(),
        subnets=tuple(sorted(item.get("SubnetIds") or [])),
        private_dns=bool(item.get("PrivateDnsEnabled")),
    )


def dhcp(item: Item) -> Dhcp:
    options = {
        element["Key"]: tuple(values(element.get("Values"), "Value"))
        for element in item.get("DhcpConfigurations") or []
    }
    return Dhcp(
        item["DhcpOptionsId"],
        options.get("domain-name-servers", ()),
        " ".join(options.get("domain-name", ())),
    )


def values(items: Iterable[Item] | None, field: str) -> list[str]:
    return [item[field] for item in items or [] if item.get(field)]


def _optional(value: str | None) -> list[str]:
    return [value] if value else []


def _state(item: Item | None) -> str:
    return (item or {}).get("State") or ""
