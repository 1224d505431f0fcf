"""A snapshot with its indexes: which route table, which ACL, which interface. A walk looks everything up here.

Routes (VPC User Guide, route-tables-priority; Site-to-Site VPN User Guide, vpn-route-priority): the longest prefix
wins; of equal ones local, then static, then prefix list, then propagated. A local route wins over a propagated one even
where that is more specific. A blackhole route that is selected drops.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from egressprobe.audit.vpc.cidr import Address, Cidr, Ports, address, block
from egressprobe.audit.vpc.firewall.inspection import Inspection
from egressprobe.audit.vpc.firewall.snapshot import FirewallEndpoint, NetworkFirewall
from egressprobe.audit.vpc.packet_filters import Passed, acl_passes
from egressprobe.audit.vpc.snapshot import (
    Acl,
    Attachment,
    Gateway,
    Group,
    Interface,
    Nat,
    Peering,
    Route,
    RouteTable,
    Subnet,
    VpcEndpoint,
    VpcSnapshot,
)

LOAD_BALANCERS = frozenset({"network_load_balancer", "gateway_load_balancer"})


class ChosenRoute(NamedTuple):
    """route: None where none matches. unsure: why it may be another one."""

    route: Route | None
    unsure: str = ""


# Direction (egress), protocol, remote address, ports.
type AclQuestion = tuple[bool, int, Address, Ports]


class Topology:
    """Indexes over one snapshot. Raises ValueError for an invalid CIDR.

    like: of a snapshot that differs little: what was worked out for tables and ACLs that both have is kept.
    """

    def __init__(self, snapshot: VpcSnapshot, like: "Topology | None" = None) -> None:
        self.snapshot = snapshot
        # By the identity of table or ACL; each is kept with its results, so that no identity is used twice.
        self.acl_results: dict[int, tuple[Acl, dict[AclQuestion, Passed]]] = like.acl_results if like else {}
        self.route_results: dict[int, tuple[RouteTable, dict[Address, ChosenRoute]]] = (
            like.route_results if like else {}
        )
        # A participant of a shared VPC sees neither the owner's tables and ACLs nor the subnets of others.
        self.shared = bool(snapshot.vpc.owner and snapshot.account and snapshot.vpc.owner != snapshot.account)
        # Whether an address that is in none of `subnets` is in no subnet of the VPC.
        self.all_subnets = not self.shared and not any(unread.part == "subnets" for unread in snapshot.unread)
        self.blocks = tuple(map(block, snapshot.vpc.blocks))
        self.subnets: dict[str, Subnet] = {subnet.id: subnet for subnet in snapshot.subnets}
        self.subnet_blocks: list[tuple[Cidr, Subnet]] = [
            (block(text), subnet) for subnet in snapshot.subnets for text in subnet.blocks
        ]
        self.acls: dict[str, Acl] = {name: acl for acl in snapshot.acls or () for name in acl.subnets}
        tables = snapshot.route_tables or ()
        self.tables: dict[str, RouteTable] = {name: table for table in tables for name in table.subnets}
        self.tables_by_id: dict[str, RouteTable] = {table.id: table for table in tables}
        self.edges: dict[str, RouteTable] = {name: table for table in tables for name in table.gateways}
        self.main = next((table for table in tables if table.main), None)
        self.groups: dict[str, Group] = {group.id: group for group in snapshot.groups or ()}
        self.nats: dict[str, Nat] = {nat.id: nat for nat in snapshot.nats or ()}
        self.gateways: dict[str, Gateway] = {gateway.id: gateway for gateway in snapshot.gateways or ()}
        self.peerings: dict[str, Peering] = {peering.id: peering for peering in snapshot.peerings or ()}
        self.endpoints: dict[str, VpcEndpoint] = {endpoint.id: endpoint for endpoint in snapshot.endpoints or ()}
        self.lists = {prefix_list.id: prefix_list.blocks for prefix_list in snapshot.prefix_lists or ()}
        self.transit_gateways = {gateway.id: gateway for gateway in snapshot.transit_gateways or ()}
        balancers = snapshot.load_balancers
        self.load_balancers = {balancer.id: balancer for balancer in (balancers.balancers if balancers else ())}
        self.target_groups = {group.id: group for group in (balancers.target_groups if balancers else ())}
        # VPCs behind a transit gateway or a peering connection, by id.
        unchanged = like is not None and like.snapshot.other_vpcs is snapshot.other_vpcs
        self.others: dict[str, Topology] = (
            like.others if like and unchanged else {other.vpc.id: Topology(other) for other in snapshot.other_vpcs}
        )
        self.firewalls: dict[str, tuple[NetworkFirewall, FirewallEndpoint]] = {
            endpoint.id: (firewall, endpoint)
            for firewall in snapshot.firewalls or ()
            for endpoint in firewall.endpoints
        }
        same_rules = like is not None and like.snapshot.firewalls is snapshot.firewalls and like.blocks == self.blocks
        self._inspections: dict[str, Inspection] = like._inspections if like and same_rules else {}  # noqa: SLF001
        # Whether a firewall on a path may look at server names.
        self.inspects: bool = bool(self.firewalls) or any(other.inspects for other in self.others.values())
        self._index_interfaces(snapshot.interfaces or ())
        self._subnet_of: dict[Address, Subnet | None] = {}
        self._check()

    def _index_interfaces(self, interfaces: tuple[Interface, ...]) -> None:
        self.interfaces: dict[str, Interface] = {interface.id: interface for interface in interfaces}
        self.instances: dict[str, Interface] = {
            interface.instance: interface for interface in reversed(interfaces) if interface.instance
        }
        # EKS's own interfaces are always attached: where they are `available` too (an emulated account) the status of
        # the others means nothing.
        eks = f"Amazon EKS {self.snapshot.cluster.name}"
        self.statuses_known = not any(
            interface.description == eks and interface.status == "available" for interface in interfaces
        )
        # Public IPv4 address -> the interface and its private address.
        self.public: dict[Address, tuple[Interface, Address]] = {}
        self._by_address: dict[Address, Interface] = {}
        self._prefixes: list[tuple[Cidr, Interface]] = []
        for interface in interfaces:
            for text in interface.addresses:
                self._by_address[address(text)] = interface
            self._prefixes += [(block(text), interface) for text in interface.prefixes]
            for public, private in interface.public.items():
                self.public[address(public)] = (interface, address(private))

    def _check(self) -> None:
        """Parses everything else that a walk parses: an invalid word in a file is found before the walk."""
        for table in self.snapshot.route_tables or ():
            _parsed(table.id, (route.destination for route in table.routes if not route.destination.startswith("pl-")))
        for acl in self.snapshot.acls or ():
            _parsed(acl.id, (entry.block for entry in acl.entries))
        for group in self.snapshot.groups or ():
            _parsed(group.id, (text for rule in (*group.ingress, *group.egress) for text in rule.blocks))
        for name, texts in self.lists.items():
            _parsed(name, texts or ())
        for peering in self.snapshot.peerings or ():
            _parsed(peering.id, peering.blocks)
        for gateway in self.snapshot.transit_gateways or ():
            for transit_table in gateway.tables or ():
                _parsed(transit_table.id, (route.destination for route in transit_table.routes))
        for firewall in self.snapshot.firewalls or ():
            for rules in firewall.policy.stateless_groups if firewall.policy else ():
                _parsed(rules.name, (text for rule in rules.stateless for text in (*rule.sources, *rule.destinations)))
        cluster = self.snapshot.cluster
        _parsed("cluster", (*cluster.remote, *cluster.remote_pods))

    def table_of(self, subnet: str) -> RouteTable | None:
        """Its own, or the VPC's main one (user guide, subnet-route-tables)."""
        return self.tables.get(subnet) or self.main

    def subnets_of(self, table: RouteTable) -> list[str]:
        """Those that use the table: associated with it, or, for the main one, with none."""
        return [name for name in self.subnets if self.table_of(name) is table]

    def attachments_of(self, gateway: str) -> list[Attachment]:
        return [attachment for attachment in self.snapshot.attachments or () if attachment.gateway == gateway]

    def inside(self, target: Address) -> bool:
        """Whether it is in one of the VPC's CIDRs."""
        return any(target in cidr for cidr in self.blocks)

    def subnet_of(self, target: Address) -> Subnet | None:
        if target not in self._subnet_of:  # asked several times a walk
            self._subnet_of[target] = next((subnet for cidr, subnet in self.subnet_blocks if target in cidr), None)
        return self._subnet_of[target]

    def interface_of(self, target: Address) -> Interface | None:
        """By its address, or by a prefix that is delegated to it (EC2 User Guide, ec2-prefix-eni)."""
        interface = self._by_address.get(target)
        return interface or next((owner for prefix, owner in self._prefixes if target in prefix), None)

    def forwarder(self, target: str) -> Interface | None:
        """The interface that a route to an interface or instance leads to."""
        return self.interfaces.get(target) or self.instances.get(target)

    def inspection(self, firewall: NetworkFirewall) -> Inspection | None:
        """The rules of a firewall in this VPC; None where its policy could not be read."""
        if firewall.policy is None:
            return None
        if firewall.arn not in self._inspections:
            self._inspections[firewall.arn] = Inspection(firewall.policy, self.blocks)
        return self._inspections[firewall.arn]

    def acl(self, acl: Acl, question: AclQuestion) -> Passed:
        """What the ACL allows; each question is worked out once."""
        results = self.acl_results.setdefault(id(acl), (acl, {}))[1]
        if question not in results:
            egress, protocol, remote, ports = question
            results[question] = acl_passes(acl, egress=egress, protocol=protocol, remote=remote, ports=ports)
        return results[question]

    def route(self, table: RouteTable, to: Address) -> ChosenRoute:
        """The route that EC2 selects for an address."""
        results = self.route_results.setdefault(id(table), (table, {}))[1]
        if to not in results:
            results[to] = self._select(table, to)
        return results[to]

    def _select(self, table: RouteTable, to: Address) -> ChosenRoute:
        matching: list[tuple[int, int, Route]] = []
        unsure = ""
        for route in table.routes:
            for cidr in self._destinations(route):
                if cidr is None:
                    unsure = f"the prefix list {route.destination} of a route cannot be read"
                elif to in cidr:
                    matching.append((cidr.length, _RANK[_origin(route)], route))
        if any(rank == _RANK["local"] for _, rank, _ in matching):
            matching = [match for match in matching if match[1] != _RANK["propagated"]]
        if not matching:
            return ChosenRoute(None, unsure)
        matching.sort(key=lambda match: match[:2], reverse=True)
        first = matching[0]
        if (
            len(matching) > 1
            and matching[1][:2] == first[:2]
            and matching[1][2].to != first[2].to
            and _origin(first[2]) == "list"
        ):
            unsure = f"two prefix lists of {table.id} have the same CIDR, and EC2 selects one of them at random"
        return ChosenRoute(first[2], unsure)

    def _destinations(self, route: Route) -> Iterator[Cidr | None]:
        if not route.destination.startswith("pl-"):
            yield block(route.destination)
            return
        texts = self.lists.get(route.destination)
        if texts is None:
            yield None
        else:
            yield from map(block, texts)


def _parsed(owner: str, texts: Iterable[str]) -> None:
    for text in texts:
        try:
            block(text)
        except ValueError:
            raise ValueError(f'{owner}: "{text}" is not a CIDR') from None


_RANK = {"local": 3, "static": 2, "list": 1, "propagated": 0}


def _origin(route: Route) -> str:
    if route.gate == "local":
        return "local"
    if route.destination.startswith("pl-"):
        return "list"
    return "propagated" if route.propagated else "static"


def is_load_balancer(interface: Interface) -> bool:
    """By EC2's InterfaceType, or by the description of Elastic Load Balancing's interfaces (`ELB app/NAME/ID`)."""
    return interface.kind in LOAD_BALANCERS or interface.description.startswith("ELB ")
