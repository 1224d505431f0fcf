"""A VPC as data: everything that the audit reads, taken once, frozen; its JSON is a file that can be sent.

`None` instead of a list: it could not be read, and `unread` says why. An empty list is a fact.
"""

from typing import Any, Literal

import msgspec

from egressprobe.audit.vpc.firewall.snapshot import NetworkFirewall
from egressprobe.audit.vpc.snapshot_dns import Dhcp, DnsFirewallRule, ResolverRule, Zone
from egressprobe.audit.vpc.snapshot_load_balancers import LoadBalancers
from egressprobe.audit.vpc.snapshot_transit import TransitGateway
from egressprobe.model.struct import CompactStruct

SNAPSHOT_SCHEMA = "egressprobe/snapshot/v1"


class Vpc(CompactStruct, frozen=True):
    """blocks: CIDRs of both families. dns_*: None where the attribute could not be read."""

    id: str
    owner: str = ""
    blocks: tuple[str, ...] = ()
    dhcp_options: str = ""
    dns_support: bool | None = None
    dns_hostnames: bool | None = None


class Subnet(CompactStruct, frozen=True):
    """blocks: CIDRs. free: free addresses. dns64: the resolver synthesizes IPv6 addresses of names that have none."""

    id: str
    zone: str = ""
    owner: str = ""
    blocks: tuple[str, ...] = ()
    free: int | None = None
    dns64: bool = False


type RouteTargetKind = Literal[
    "local",
    "internet",
    "egress-only",
    "nat",
    "transit",
    "vpn",
    "peering",
    "endpoint",
    "interface",
    "other",
]


class Route(CompactStruct, frozen=True):
    """destination: CIDR or prefix list. gate, to: the kind of its target, and the target's id."""

    destination: str
    gate: RouteTargetKind
    to: str = ""
    active: bool = True
    propagated: bool = False


class RouteTable(CompactStruct, frozen=True):
    """subnets: associated explicitly; all others use the main table. gateways: whose inbound traffic it routes.

    associations: id of an association -> the subnet or gateway, `main` for the main table's.
    """

    id: str
    main: bool = False
    subnets: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    associations: dict[str, str] = {}


class AclEntry(CompactStruct, frozen=True):
    """protocol: IANA number, -1 for all. ports: None for all."""

    number: int
    egress: bool
    allow: bool
    protocol: int
    block: str
    ports: tuple[int, int] | None = None


class Acl(CompactStruct, frozen=True):
    """A network ACL; entries by direction and number. 32767 (IPv6: 32768) is the `*` that denies the rest.

    default: the VPC's, which new subnets get. associations: id of an association -> the subnet.
    """

    id: str
    subnets: tuple[str, ...] = ()
    entries: tuple[AclEntry, ...] = ()
    default: bool = False
    associations: dict[str, str] = {}


class Permission(CompactStruct, frozen=True):
    """A rule of a security group. protocol, ports: as in AclEntry. groups: of members, by id."""

    protocol: int
    ports: tuple[int, int] | None = None
    blocks: tuple[str, ...] = ()
    prefix_lists: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Group(CompactStruct, frozen=True):
    id: str
    name: str = ""
    ingress: tuple[Permission, ...] = ()
    egress: tuple[Permission, ...] = ()


class Interface(CompactStruct, frozen=True):
    """addresses, prefixes: of both families. checked: the source/destination check is on.

    public: public IPv4 address -> the private one that it is associated with. status: EC2's, such as `in-use` or
    `available` (attached to nothing); empty where it is not known.
    """

    id: str
    subnet: str
    groups: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    description: str = ""
    kind: str = "interface"
    owner: str = ""
    checked: bool = True
    instance: str = ""
    public: dict[str, str] = {}
    status: str = ""


class Nat(CompactStruct, frozen=True):
    """addresses: private; elastic: public. subnet: empty for a regional one, which has a route table of its own."""

    id: str
    state: str
    subnet: str = ""
    public: bool = True
    regional: bool = False
    addresses: tuple[str, ...] = ()
    elastic: tuple[str, ...] = ()
    route_table: str = ""


class Gateway(CompactStruct, frozen=True):
    """An internet, egress-only or VPN gateway. attached: to this VPC."""

    id: str
    kind: Literal["internet", "egress-only", "vpn"]
    attached: bool = True


class Attachment(CompactStruct, frozen=True):
    """An attachment of a transit gateway to this VPC. appliance: appliance mode, which spreads flows over zones."""

    id: str
    gateway: str
    state: str = "available"
    subnets: tuple[str, ...] = ()
    ipv6: bool = True
    appliance: bool = False


class Peering(CompactStruct, frozen=True):
    """blocks: CIDRs of the other VPC."""

    id: str
    state: str
    peer: str = ""
    blocks: tuple[str, ...] = ()


class VpcEndpoint(CompactStruct, frozen=True):
    """A VPC endpoint; kind as EC2 names it: Interface, Gateway, GatewayLoadBalancer, ..."""

    id: str
    kind: str
    service: str = ""
    state: str = "available"
    subnets: tuple[str, ...] = ()
    private_dns: bool = False


class PrefixList(CompactStruct, frozen=True):
    """blocks: CIDRs; None where its entries cannot be read."""

    id: str
    blocks: tuple[str, ...] | None = None


class Exclusion(CompactStruct, frozen=True):
    """An exclusion of VPC Block Public Access. of: the VPC or subnet, by id."""

    of: str
    mode: str


class PublicAccess(CompactStruct, frozen=True):
    """VPC Block Public Access of the region. mode: off, block-bidirectional, block-ingress."""

    mode: str
    exclusions: tuple[Exclusion, ...] = ()


class Encryption(CompactStruct, frozen=True):
    """VPC encryption controls. excluded: the kinds of resource that they allow, by the API's names."""

    id: str
    mode: str
    excluded: tuple[str, ...] = ()


class ClusterFacts(CompactStruct, frozen=True):
    """What EKS reports. groups: the cluster security group first. remote, remote_pods: CIDRs of hybrid nodes and of
    their pods. reads_dhcp: whether the cluster's role may read DHCP options.
    """

    name: str
    ip_family: str = "ipv4"
    mode: str = ""
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    issuer: str = ""
    role: str = ""
    reads_dhcp: bool | None = None
    remote_pods: tuple[str, ...] = ()


class Unread(CompactStruct, frozen=True):
    """What could not be read: the part of the snapshot, the IAM action, AWS's message."""

    part: str
    action: str
    error: str
    denied: bool = False


class VpcSnapshot(CompactStruct, frozen=True):
    """The VPC at one time. names: addresses of host names, as resolved where it was taken.

    other_vpcs: VPCs behind transit gateways and peering connections, as far as they could be read: the network only.
    """

    schema_version: str
    taken_at: str
    region: str
    account: str
    cluster: ClusterFacts
    vpc: Vpc
    subnets: tuple[Subnet, ...] = ()
    route_tables: tuple[RouteTable, ...] | None = None
    acls: tuple[Acl, ...] | None = None
    groups: tuple[Group, ...] | None = None
    interfaces: tuple[Interface, ...] | None = None
    nats: tuple[Nat, ...] | None = None
    gateways: tuple[Gateway, ...] | None = None
    attachments: tuple[Attachment, ...] | None = None
    peerings: tuple[Peering, ...] | None = None
    endpoints: tuple[VpcEndpoint, ...] | None = None
    prefix_lists: tuple[PrefixList, ...] | None = None
    dhcp: Dhcp | None = None
    resolver_rules: tuple[ResolverRule, ...] | None = None
    zones: tuple[Zone, ...] | None = None
    dns_firewall: tuple[DnsFirewallRule, ...] | None = None
    public_access: PublicAccess | None = None
    encryption: tuple[Encryption, ...] | None = None
    unread: tuple[Unread, ...] = ()
    names: dict[str, tuple[str, ...]] = {}
    transit_gateways: tuple[TransitGateway, ...] | None = None
    other_vpcs: tuple["VpcSnapshot", ...] = ()
    load_balancers: LoadBalancers | None = None
    firewalls: tuple[NetworkFirewall, ...] | None = None


def to_json(snapshot: VpcSnapshot) -> bytes:
    """Indented, with a newline at its end; reading it back gives an equal snapshot."""
    return msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n"


def from_json(data: bytes) -> VpcSnapshot:
    """Raises ValueError that names the field."""
    try:
        document = msgspec.json.decode(data)
        version: Any = document.get("schemaVersion") if isinstance(document, dict) else None
        if version != SNAPSHOT_SCHEMA:
            shown = version or "missing"
            raise ValueError(f"its schemaVersion is {shown}, not {SNAPSHOT_SCHEMA}; save one with audit --save")
        return msgspec.json.decode(data, type=VpcSnapshot)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("it is nested too deep" if isinstance(error, RecursionError) else str(error)) from None
