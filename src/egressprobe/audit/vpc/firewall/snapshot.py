"""AWS Network Firewall as data: the firewalls whose endpoints routes lead to, with their policy and rule groups.

Names and values are those of the API (Network Firewall API Reference, DescribeFirewall, DescribeFirewallPolicy,
DescribeRuleGroup). Settings that this version does not know are named in `unknown`: with them nothing is judged.
"""

from egressprobe.model.struct import CompactStruct


class FirewallEndpoint(CompactStruct, frozen=True):
    """An endpoint in one subnet. in_sync: it has the rules of the current policy. status: READY, ..."""

    id: str
    subnet: str
    status: str = "READY"
    in_sync: bool = True


class TcpFlags(CompactStruct, frozen=True):
    """Of the flags in `masks` (none: of all), those in `flags` are set and no others."""

    flags: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()


class StatelessRule(CompactStruct, frozen=True):
    """An empty match setting matches everything. Ports: ranges. protocols: IANA numbers."""

    priority: int
    actions: tuple[str, ...]
    sources: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    source_ports: tuple[tuple[int, int], ...] = ()
    destination_ports: tuple[tuple[int, int], ...] = ()
    protocols: tuple[int, ...] = ()
    tcp_flags: tuple[TcpFlags, ...] = ()


class DomainList(CompactStruct, frozen=True):
    """action: ALLOWLIST, DENYLIST, REJECTLIST or ALERTLIST. types: TLS_SNI, HTTP_HOST, ..."""

    action: str
    targets: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


class FirewallRuleGroup(CompactStruct, frozen=True):
    """A rule group of a policy. priority: None where the policy evaluates by action.

    text: stateful rules as Suricata has them, a line each; standard stateful rules are kept in this form too.
    ip_sets, port_sets: rule variables by name. managed: by AWS, which does not show the rules; only_alerts: the policy
    overrides them to alert. unread: why the rules could not be read.
    """

    arn: str
    priority: int | None = None
    managed: bool = False
    only_alerts: bool = False
    stateless: tuple[StatelessRule, ...] = ()
    text: str = ""
    domains: DomainList | None = None
    ip_sets: dict[str, tuple[str, ...]] = {}
    port_sets: dict[str, tuple[str, ...]] = {}
    unread: str = ""
    unknown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


class FirewallPolicy(CompactStruct, frozen=True):
    """strict: rules in the order of their groups and lines, else by action. home_net: the policy's, empty for the VPC's
    CIDR. stateful_default: only of a strict order.
    """

    arn: str
    stateless_default: tuple[str, ...] = ("aws:forward_to_sfe",)
    stateful_default: tuple[str, ...] = ()
    strict: bool = False
    home_net: tuple[str, ...] = ()
    stateless_groups: tuple[FirewallRuleGroup, ...] = ()
    stateful_groups: tuple[FirewallRuleGroup, ...] = ()
    tls_inspection: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


class NetworkFirewall(CompactStruct, frozen=True):
    """Read only where a route leads to an endpoint. vpc: where it is deployed. policy: None where it cannot be read;
    `unread` says why.
    """

    arn: str
    vpc: str
    endpoints: tuple[FirewallEndpoint, ...] = ()
    policy: FirewallPolicy | None = None
    unread: str = ""
    unknown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]
