"""EC2's answers made into the snapshot's nouns, one function an answer. Pure; a field that is missing is a default.

The names of the fields are those of the EC2 API Reference's data types.
"""

from collections.abc import Iterable
from typing import Any

from egressprobe.audit.vpc.snapshot import (
    Acl,
    AclEntry,
    Attachment,
    Endpoint,
    Gate,
    Gateway,
    Group,
    Interface,
    Nat,
    Peering,
    Permission,
    Route,
    RouteTable,
    Subnet,
    Vpc,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp

type Said = dict[str, Any]
# https://www.iana.org/assignments/protocol-numbers; EC2 answers with names for these four.
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
# Route fields in the order of the API; GatewayId tells by its prefix.
_GATES: tuple[tuple[str, Gate], ...] = (
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
_GATEWAYS: tuple[tuple[str, Gate], ...] = (("igw-", "internet"), ("vgw-", "vpn"), ("vpce-", "endpoint"))


def vpc(said: Said) -> Vpc:
    held = [one["CidrBlock"] for one in _associated(said, "CidrBlockAssociationSet", "CidrBlockState")]
    held += [one["Ipv6CidrBlock"] for one in _associated(said, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlockState")]
    return Vpc(
        id=said["VpcId"],
        owner=said.get("OwnerId") or "",
        blocks=tuple(dict.fromkeys([*_some(said.get("CidrBlock")), *held])),
        dhcp_options=said.get("DhcpOptionsId") or "",
    )


def subnet(said: Said) -> Subnet:
    six = [one["Ipv6CidrBlock"] for one in _associated(said, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlockState")]
    return Subnet(
        id=said["SubnetId"],
        zone=said.get("AvailabilityZone") or "",
        owner=said.get("OwnerId") or "",
        blocks=(*_some(said.get("CidrBlock")), *six),
        free=said.get("AvailableIpAddressCount"),
        dns64=bool(said.get("EnableDns64")),
    )


def _associated(said: Said, field: str, state: str) -> list[Said]:
    """Blocks that hold; one that was taken away stays listed for a while."""
    return [one for one in said.get(field) or [] if (one.get(state) or {}).get("State") == "associated"]


def route_table(said: Said) -> RouteTable:
    held = [one for one in said.get("Associations") or [] if _state(one.get("AssociationState")) != "disassociated"]
    return RouteTable(
        id=said["RouteTableId"],
        main=any(one.get("Main") for one in held),
        subnets=tuple(sorted(_of(held, "SubnetId"))),
        gateways=tuple(sorted(_of(held, "GatewayId"))),
        routes=tuple(map(_route, said.get("Routes") or [])),
    )


def _route(said: Said) -> Route:
    to, gate = "", "other"
    for field, kind in _GATES:
        if said.get(field):
            to, gate = said[field], kind
            break
    else:
        to = said.get("GatewayId") or ""
        gate = "local" if to == "local" else next((kind for start, kind in _GATEWAYS if to.startswith(start)), "other")
    destination = (
        said.get("DestinationCidrBlock") or said.get("DestinationIpv6CidrBlock") or said.get("DestinationPrefixListId")
    )
    return Route(
        destination=destination or "",
        gate=gate,  # type: ignore[arg-type]
        to=to,
        active=said.get("State") != "blackhole",
        propagated=said.get("Origin") == "EnableVgwRoutePropagation",
    )


def acl(said: Said) -> Acl:
    entries = sorted(map(_entry, said.get("Entries") or []), key=lambda one: (one.egress, one.number))
    held = [one["SubnetId"] for one in said.get("Associations") or [] if one.get("SubnetId")]
    return Acl(said["NetworkAclId"], tuple(sorted(held)), tuple(entries))


def _entry(said: Said) -> AclEntry:
    protocol = _protocol(said.get("Protocol"))
    span = said.get("PortRange") or {}
    return AclEntry(
        number=int(said["RuleNumber"]),
        egress=bool(said.get("Egress")),
        allow=said.get("RuleAction") == "allow",
        protocol=protocol,
        block=said.get("CidrBlock") or said.get("Ipv6CidrBlock") or "",
        ports=_ports(protocol, span.get("From"), span.get("To")),
    )


def _protocol(said: Any) -> int:
    text = str(said if said is not None else "-1")
    return _PROTOCOLS[text] if text in _PROTOCOLS else int(text)


def _ports(protocol: int, low: Any, high: Any) -> tuple[int, int] | None:
    """None for all: no range, -1 in either place, or a protocol that has no ports."""
    if protocol not in (6, 17) or low is None or high is None or int(low) < 0 or int(high) < 0:
        return None
    return int(low), int(high)


def group(said: Said) -> Group:
    return Group(
        id=said["GroupId"],
        name=said.get("GroupName") or "",
        ingress=tuple(map(_permission, said.get("IpPermissions") or [])),
        egress=tuple(map(_permission, said.get("IpPermissionsEgress") or [])),
    )


def _permission(said: Said) -> Permission:
    protocol = _protocol(said.get("IpProtocol"))
    four, six = (_of(said.get("IpRanges"), "CidrIp"), _of(said.get("Ipv6Ranges"), "CidrIpv6"))
    return Permission(
        protocol=protocol,
        ports=_ports(protocol, said.get("FromPort"), said.get("ToPort")),
        blocks=(*four, *six),
        prefix_lists=tuple(_of(said.get("PrefixListIds"), "PrefixListId")),
        groups=tuple(_of(said.get("UserIdGroupPairs"), "GroupId")),
    )


def interface(said: Said) -> Interface:
    four = said.get("PrivateIpAddresses") or ([said] if said.get("PrivateIpAddress") else [])
    attached = said.get("Attachment") or {}
    return Interface(
        id=said["NetworkInterfaceId"],
        subnet=said.get("SubnetId") or "",
        groups=tuple(_of(said.get("Groups"), "GroupId")),
        addresses=(*_of(four, "PrivateIpAddress"), *_of(said.get("Ipv6Addresses"), "Ipv6Address")),
        prefixes=(*_of(said.get("Ipv4Prefixes"), "Ipv4Prefix"), *_of(said.get("Ipv6Prefixes"), "Ipv6Prefix")),
        description=said.get("Description") or "",
        kind=said.get("InterfaceType") or "interface",
        owner=said.get("OwnerId") or "",
        checked=said.get("SourceDestCheck") is not False,
        instance=attached.get("InstanceId") or "",
    )


def nat(said: Said) -> Nat:
    held = said.get("NatGatewayAddresses") or []
    good = [one for one in held if one.get("Status") in (None, "succeeded")]
    good.sort(key=lambda one: one.get("IsPrimary") is False)
    return Nat(
        id=said["NatGatewayId"],
        state=said.get("State") or "",
        subnet=said.get("SubnetId") or "",
        public=said.get("ConnectivityType") != "private",
        regional=said.get("AvailabilityMode") == "regional",
        addresses=tuple(_of(good, "PrivateIp")),
        elastic=tuple(_of(good, "PublicIp")),
        route_table=said.get("RouteTableId") or "",
    )


def internet_gateway(said: Said, vpc_id: str) -> Gateway:
    return Gateway(said["InternetGatewayId"], "internet", _attached(said.get("Attachments"), vpc_id))


def egress_only_gateway(said: Said, vpc_id: str) -> Gateway:
    return Gateway(said["EgressOnlyInternetGatewayId"], "egress-only", _attached(said.get("Attachments"), vpc_id))


def vpn_gateway(said: Said, vpc_id: str) -> Gateway:
    return Gateway(said["VpnGatewayId"], "vpn", _attached(said.get("VpcAttachments"), vpc_id))


def _attached(held: list[Said] | None, vpc_id: str) -> bool:
    """An internet gateway says `available` where the others say `attached` (EC2 API, InternetGatewayAttachment)."""
    return any(one.get("VpcId") == vpc_id and one.get("State") in ("attached", "available") for one in held or [])


def attachment(said: Said) -> Attachment:
    return Attachment(
        id=said["TransitGatewayAttachmentId"],
        gateway=said.get("TransitGatewayId") or "",
        state=said.get("State") or "",
        subnets=tuple(sorted(said.get("SubnetIds") or [])),
        ipv6=(said.get("Options") or {}).get("Ipv6Support") != "disable",
    )


def peering(said: Said, vpc_id: str) -> Peering:
    sides = [said.get("AccepterVpcInfo") or {}, said.get("RequesterVpcInfo") or {}]
    other = next((one for one in sides if one.get("VpcId") != vpc_id), {})
    four = _of(other.get("CidrBlockSet"), "CidrBlock") or _some(other.get("CidrBlock"))
    return Peering(
        id=said["VpcPeeringConnectionId"],
        state=(said.get("Status") or {}).get("Code") or "",
        peer=other.get("VpcId") or "",
        blocks=(*four, *_of(other.get("Ipv6CidrBlockSet"), "Ipv6CidrBlock")),
    )


def endpoint(said: Said) -> Endpoint:
    return Endpoint(
        id=said["VpcEndpointId"],
        kind=said.get("VpcEndpointType") or "",
        service=said.get("ServiceName") or "",
        state=(said.get("State") or "").lower(),
        subnets=tuple(sorted(said.get("SubnetIds") or [])),
        private_dns=bool(said.get("PrivateDnsEnabled")),
    )


def dhcp(said: Said) -> Dhcp:
    held = {one["Key"]: tuple(_of(one.get("Values"), "Value")) for one in said.get("DhcpConfigurations") or []}
    return Dhcp(
        said["DhcpOptionsId"],
        held.get("domain-name-servers", ()),
        " ".join(held.get("domain-name", ())),
    )


def _of(listed: Iterable[Said] | None, field: str) -> list[str]:
    return [one[field] for one in listed or [] if one.get(field)]


def _some(value: str | None) -> list[str]:
    return [value] if value else []


def _state(said: Said | None) -> str:
    return (said or {}).get("State") or ""
