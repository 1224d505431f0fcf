"""EC2's responses as structs of the snapshot, one function for each kind. Pure; a missing field gets a default.

Field names are those of the EC2 API Reference's data types.
"""

from collections.abc import Iterable
from typing import Any

from egressprobe.audit.vpc.snapshot import (
    Acl,
    AclEntry,
    Attachment,
    Gateway,
    Group,
    Interface,
    Nat,
    Peering,
    Permission,
    Route,
    RouteTable,
    RouteTargetKind,
    Subnet,
    Vpc,
    VpcEndpoint,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp

type Item = dict[str, Any]
# https://www.iana.org/assignments/protocol-numbers; EC2 returns names for these four.
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
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
        subnets=tuple(sorted(_values(associations, "SubnetId"))),
        gateways=tuple(sorted(_values(associations, "GatewayId"))),
        routes=tuple(map(_route, item.get("Routes") or [])),
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
        active=item.get("State") != "blackhole",
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


def acl(item: Item) -> Acl:
    entries = sorted(map(_entry, item.get("Entries") or []), key=lambda entry: (entry.egress, entry.number))
    associations = item.get("Associations") or []
    return Acl(
        id=item["NetworkAclId"],
        subnets=tuple(sorted(_values(associations, "SubnetId"))),
        entries=tuple(entries),
        default=bool(item.get("IsDefault")),
        associations={
            element["NetworkAclAssociationId"]: element["SubnetId"]
            for element in associations
            if element.get("NetworkAclAssociationId") and element.get("SubnetId")
        },
    )


def _entry(item: Item) -> AclEntry:
    protocol = _protocol(item.get("Protocol"))
    span = item.get("PortRange") or {}
    return AclEntry(
        number=int(item["RuleNumber"]),
        egress=bool(item.get("Egress")),
        allow=item.get("RuleAction") == "allow",
        protocol=protocol,
        block=item.get("CidrBlock") or item.get("Ipv6CidrBlock") or "",
        ports=_ports(protocol, span.get("From"), span.get("To")),
    )


def _protocol(value: Any) -> int:
    text = str(value if value is not None else "-1")
    return _PROTOCOLS[text] if text in _PROTOCOLS else int(text)


def _ports(protocol: int, low: Any, high: Any) -> tuple[int, int] | None:
    """None for all: no range, -1 in either place, or a protocol that has no ports."""
    if protocol not in (6, 17) or low is None or high is None or int(low) < 0 or int(high) < 0:
        return None
    return int(low), int(high)


def group(item: Item) -> Group:
    return Group(
        id=item["GroupId"],
        name=item.get("GroupName") or "",
        ingress=tuple(map(_permission, item.get("IpPermissions") or [])),
        egress=tuple(map(_permission, item.get("IpPermissionsEgress") or [])),
    )


def _permission(item: Item) -> Permission:
    protocol = _protocol(item.get("IpProtocol"))
    ipv4, ipv6 = (_values(item.get("IpRanges"), "CidrIp"), _values(item.get("Ipv6Ranges"), "CidrIpv6"))
    return Permission(
        protocol=protocol,
        ports=_ports(protocol, item.get("FromPort"), item.get("ToPort")),
        blocks=(*ipv4, *ipv6),
        prefix_lists=tuple(_values(item.get("PrefixListIds"), "PrefixListId")),
        groups=tuple(_values(item.get("UserIdGroupPairs"), "GroupId")),
    )


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
        groups=tuple(_values(item.get("Groups"), "GroupId")),
        addresses=(*_values(ipv4, "PrivateIpAddress"), *_values(item.get("Ipv6Addresses"), "Ipv6Address")),
        prefixes=(*_values(item.get("Ipv4Prefixes"), "Ipv4Prefix"), *_values(item.get("Ipv6Prefixes"), "Ipv6Prefix")),
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
        addresses=tuple(_values(usable, "PrivateIp")),
        elastic=tuple(_values(usable, "PublicIp")),
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
    )


def peering(item: Item, vpc_id: str) -> Peering:
    sides = [item.get("AccepterVpcInfo") or {}, item.get("RequesterVpcInfo") or {}]
    other = next((side for side in sides if side.get("VpcId") != vpc_id), {})
    ipv4 = _values(other.get("CidrBlockSet"), "CidrBlock") or _optional(other.get("CidrBlock"))
    return Peering(
        id=item["VpcPeeringConnectionId"],
        state=(item.get("Status") or {}).get("Code") or "",
        peer=other.get("VpcId") or "",
        blocks=(*ipv4, *_values(other.get("Ipv6CidrBlockSet"), "Ipv6CidrBlock")),
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
        element["Key"]: tuple(_values(element.get("Values"), "Value"))
        for element in item.get("DhcpConfigurations") or []
    }
    return Dhcp(
        item["DhcpOptionsId"],
        options.get("domain-name-servers", ()),
        " ".join(options.get("domain-name", ())),
    )


def _values(items: Iterable[Item] | None, field: str) -> list[str]:
    return [item[field] for item in items or [] if item.get(field)]


def _optional(value: str | None) -> list[str]:
    return [value] if value else []


def _state(item: Item | None) -> str:
    return (item or {}).get("State") or ""
