"""Network ACLs and security groups of EC2 as structs of the snapshot. Pure.

A field whose default could open a path is required: KeyError, so that its list counts as not read.
"""

from egressprobe.audit.vpc.snapshot import Acl, AclEntry, Group, Permission
from egressprobe.aws.parse.ec2_parse import Item, values

# https://www.iana.org/assignments/protocol-numbers; EC2 returns names for these four.
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_ALLOWS = {"allow": True, "deny": False}
_MAX_PORT = 65535


def acl(item: Item) -> Acl:
    entries = sorted(map(_entry, item.get("Entries") or []), key=lambda entry: (entry.egress, entry.number))
    associations = item.get("Associations") or []
    return Acl(
        id=item["NetworkAclId"],
        subnets=tuple(sorted(values(associations, "SubnetId"))),
        entries=tuple(entries),
        default=bool(item.get("IsDefault")),
        associations={
            element["NetworkAclAssociationId"]: element["SubnetId"]
            for element in associations
            if element.get("NetworkAclAssociationId") and element.get("SubnetId")
        },
    )


def _entry(item: Item) -> AclEntry:
    protocol = _protocol(item["Protocol"])
    span = item.get("PortRange") or {}
    return AclEntry(
        number=item["RuleNumber"],
        egress=item["Egress"],
        allow=_ALLOWS[item["RuleAction"]],
        protocol=protocol,
        block=item.get("CidrBlock") or item.get("Ipv6CidrBlock") or "",
        ports=_ports(protocol, span, "From", "To"),
    )


def _protocol(value: str) -> int:
    if not isinstance(value, str):
        raise TypeError(f"the protocol {value} is not a text")
    return _PROTOCOLS[value] if value in _PROTOCOLS else int(value)


def _ports(protocol: int, span: Item, low: str, high: str) -> tuple[int, int] | None:
    """None for all: -1 in both places, or a protocol that has no ports. low, high: the fields of `span`.

    Raises KeyError, TypeError and ValueError.
    """
    if protocol not in (6, 17):
        return None
    ports = span[low], span[high]
    if ports == (-1, -1):
        return None
    if not 0 <= ports[0] <= ports[1] <= _MAX_PORT:
        raise ValueError(f"{ports} is not a range of ports")
    return ports


def group(item: Item) -> Group:
    return Group(
        id=item["GroupId"],
        name=item.get("GroupName") or "",
        ingress=tuple(map(_permission, item.get("IpPermissions") or [])),
        egress=tuple(map(_permission, item.get("IpPermissionsEgress") or [])),
    )


def _permission(item: Item) -> Permission:
    protocol = _protocol(item["IpProtocol"])
    ipv4, ipv6 = (values(item.get("IpRanges"), "CidrIp"), values(item.get("Ipv6Ranges"), "CidrIpv6"))
    return Permission(
        protocol=protocol,
        ports=_ports(protocol, item, "FromPort", "ToPort"),
        blocks=(*ipv4, *ipv6),
        prefix_lists=tuple(values(item.get("PrefixListIds"), "PrefixListId")),
        groups=tuple(values(item.get("UserIdGroupPairs"), "GroupId")),
    )
