"""The DNS part of a snapshot: DHCP options, Route 53 Resolver rules, private hosted zones, DNS Firewall."""

from egressprobe.model.struct import CompactStruct


class Dhcp(CompactStruct, frozen=True):
    """A DHCP options set. servers: domain-name-servers; changed_at: ISO 8601, of a change in the last hour."""

    id: str
    servers: tuple[str, ...] = ()
    domain: str = ""
    changed_at: str = ""


class ResolverRule(CompactStruct, frozen=True):
    """A rule of Route 53 Resolver that is associated with the VPC. targets: name servers of a FORWARD rule."""

    id: str
    domain: str
    kind: str
    name: str = ""
    targets: tuple[str, ...] = ()


class Zone(CompactStruct, frozen=True):
    """A private hosted zone associated with the VPC."""

    id: str
    name: str


class DnsFirewallRule(CompactStruct, frozen=True):
    """domains: None for a list that AWS manages, which cannot be read."""

    group: str
    name: str
    action: str
    priority: int
    group_priority: int = 0
    list: str = ""
    query_type: str = ""
    domains: tuple[str, ...] | None = None
