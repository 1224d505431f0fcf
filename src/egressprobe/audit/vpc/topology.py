"""A snapshot with its indexes: which table, which ACL, which interface. Everything the walk asks, answered once.

Routes (VPC User Guide, how-route-tables-work, "Route priority"): the longest prefix wins whatever its origin; of
equal ones local, then static, then prefix list, then propagated. A blackhole that wins drops.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from egressprobe.audit.vpc.cidr import Address, Block, address, block
from egressprobe.audit.vpc.snapshot import (
    Acl,
    Attachment,
    Endpoint,
    Gateway,
    Group,
    Interface,
    Nat,
    Peering,
    Route,
    RouteTable,
    Subnet,
    VpcSnapshot,
)


class Chosen(NamedTuple):
    """route: None where none matches. unsure: why it may be another one."""

    route: Route | None
    unsure: str = ""


class Network:
    """Indexes over one snapshot. Raises ValueError for a block that is none."""

    def __init__(self, snapshot: VpcSnapshot) -> None:
        self.snapshot = snapshot
        # A participant of a shared VPC does not see the owner's tables and ACLs, nor the others' subnets.
        self.shared = bool(snapshot.vpc.owner and snapshot.account and snapshot.vpc.owner != snapshot.account)
        self.blocks = tuple(map(block, snapshot.vpc.blocks))
        self.subnets: dict[str, Subnet] = {one.id: one for one in snapshot.subnets}
        self.subnet_blocks: list[tuple[Block, Subnet]] = [
            (block(held), one) for one in snapshot.subnets for held in one.blocks
        ]
        self.acls: dict[str, Acl] = {name: one for one in snapshot.acls or () for name in one.subnets}
        tables = snapshot.route_tables or ()
        self.tables: dict[str, RouteTable] = {name: one for one in tables for name in one.subnets}
        self.tables_by_id: dict[str, RouteTable] = {one.id: one for one in tables}
        self.edges: dict[str, RouteTable] = {name: one for one in tables for name in one.gateways}
        self.main = next((one for one in tables if one.main), None)
        self.groups: dict[str, Group] = {one.id: one for one in snapshot.groups or ()}
        self.nats: dict[str, Nat] = {one.id: one for one in snapshot.nats or ()}
        self.gateways: dict[str, Gateway] = {one.id: one for one in snapshot.gateways or ()}
        self.peerings: dict[str, Peering] = {one.id: one for one in snapshot.peerings or ()}
        self.endpoints: dict[str, Endpoint] = {one.id: one for one in snapshot.endpoints or ()}
        self.lists = {one.id: one.blocks for one in snapshot.prefix_lists or ()}
        self.interfaces: dict[str, Interface] = {one.id: one for one in snapshot.interfaces or ()}
        self.instances: dict[str, Interface] = {
            one.instance: one for one in reversed(snapshot.interfaces or ()) if one.instance
        }
        self._subnet_of: dict[Address, Subnet | None] = {}
        self._by_address: dict[Address, Interface] = {}
        self._prefixes: list[tuple[Block, Interface]] = []
        for one in snapshot.interfaces or ():
            for text in one.addresses:
                self._by_address[address(text)] = one
            self._prefixes += [(block(text), one) for text in one.prefixes]
        self._check()

    def _check(self) -> None:
        """Everything else that is parsed on the way: a bad word in a file is found before the walk."""
        for table in self.snapshot.route_tables or ():
            _parsed(table.id, (route.destination for route in table.routes if not route.destination.startswith("pl-")))
        for acl in self.snapshot.acls or ():
            _parsed(acl.id, (entry.block for entry in acl.entries))
        for group in self.snapshot.groups or ():
            _parsed(group.id, (text for rule in (*group.ingress, *group.egress) for text in rule.blocks))
        for name, held in self.lists.items():
            _parsed(name, held or ())
        for one in self.snapshot.peerings or ():
            _parsed(one.id, one.blocks)

    def table_of(self, subnet: str) -> RouteTable | None:
        """Its own, or the VPC's main one (user guide, "Main route table")."""
        return self.tables.get(subnet) or self.main

    def attachments_of(self, gateway: str) -> list[Attachment]:
        return [one for one in self.snapshot.attachments or () if one.gateway == gateway]

    def inside(self, one: Address) -> bool:
        return any(one in held for held in self.blocks)

    def subnet_of(self, one: Address) -> Subnet | None:
        if one not in self._subnet_of:  # asked several times a walk
            self._subnet_of[one] = next((subnet for held, subnet in self.subnet_blocks if one in held), None)
        return self._subnet_of[one]

    def interface_of(self, one: Address) -> Interface | None:
        """By its address, or by a prefix that is delegated to it (EC2 User Guide, ec2-prefix-eni)."""
        found = self._by_address.get(one)
        return found or next((held for prefix, held in self._prefixes if one in prefix), None)

    def route(self, table: RouteTable, to: Address) -> Chosen:
        best: list[tuple[int, int, Route]] = []
        unsure = ""
        for route in table.routes:
            for held in self._destinations(route):
                if held is None:
                    unsure = f"the prefix list {route.destination} of a route cannot be read"
                elif to in held:
                    best.append((held.length, _RANK.get(_origin(route), 0), route))
        if not best:
            return Chosen(None, unsure)
        best.sort(key=lambda one: one[:2], reverse=True)
        top = best[0]
        if len(best) > 1 and best[1][:2] == top[:2] and best[1][2].to != top[2].to and _origin(top[2]) == "list":
            unsure = f"two prefix lists of {table.id} have the same block, and EC2 takes one of them at random"
        return Chosen(top[2], unsure)

    def _destinations(self, route: Route) -> Iterator[Block | None]:
        if not route.destination.startswith("pl-"):
            yield block(route.destination)
            return
        held = self.lists.get(route.destination)
        if held is None:
            yield None
        else:
            yield from map(block, held)


def _parsed(owner: str, texts: Iterable[str]) -> None:
    for text in texts:
        try:
            block(text)
        except ValueError:
            raise ValueError(f"{owner}: «{text}» is no address block") from None


_RANK = {"local": 3, "static": 2, "list": 1, "propagated": 0}


def _origin(route: Route) -> str:
    if route.gate == "local":
        return "local"
    if route.destination.startswith("pl-"):
        return "list"
    return "propagated" if route.propagated else "static"
