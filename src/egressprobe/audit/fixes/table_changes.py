"""Candidates for a control plane whose route leads to an internet gateway, which drops what has no public address.

The route itself is changed only where every subnet that uses the table has interfaces and none of them has a public
address, so that nothing can use it. Otherwise the control plane's subnets get another route table: one that exists, or
a copy of theirs with a route to a NAT gateway.
"""

from collections.abc import Iterator

from egressprobe.audit.changes.association_changes import AssociateTable, CreateRouteTable
from egressprobe.audit.changes.change import NEW_TABLE, Change, DeleteRoute, RouteChange
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.route_changes import Changes, callers, to_nat
from egressprobe.audit.fixes.uses import private_only
from egressprobe.audit.vpc.blockers import RouteEntry
from egressprobe.audit.vpc.snapshot import RouteTable
from egressprobe.audit.vpc.topology import Topology

_MOST_TABLES = 3
_DEFAULT = "0.0.0.0/0"


def not_by_the_internet_gateway(topology: Topology, problem: Problem) -> Iterator[Changes]:
    """In the table itself, else by another table for the callers' subnets."""
    at = problem.blame.at
    table = topology.tables_by_id.get(at.route_table) if isinstance(at, RouteEntry) else None
    if table is None or not isinstance(at, RouteEntry) or ":" in at.destination:
        return
    if all(private_only(topology, name) for name in topology.subnets_of(table)):
        if at.destination != _DEFAULT:
            yield (DeleteRoute(table.id, at.destination),)
        yield from to_nat(topology, problem, table.id, at.destination)
    starts = [name for name in callers(problem) if topology.table_of(name) is table]
    for other in _others(topology, table):
        yield tuple(_associate(table, other.id, name) for name in starts)
    for changes in to_nat(topology, problem, NEW_TABLE, at.destination):
        kept = [route for route in table.routes if route.gate != "local" and not route.propagated and route.active]
        copied = [RouteChange(NEW_TABLE, route) for route in kept if route.destination != at.destination]
        made: list[Change] = [CreateRouteTable(topology.snapshot.vpc.id), *copied, *changes]
        yield (*made, *(_associate(table, NEW_TABLE, name) for name in starts))


def _others(topology: Topology, table: RouteTable) -> list[RouteTable]:
    """Tables that send the internet to a NAT gateway, those that most subnets use first."""

    def to_a_nat(other: RouteTable) -> bool:
        return any(route.destination == _DEFAULT and route.gate == "nat" and route.active for route in other.routes)

    others = [other for other in topology.snapshot.route_tables or () if other.id != table.id and to_a_nat(other)]
    return sorted(others, key=lambda other: -len(other.subnets))[:_MOST_TABLES]


def _associate(table: RouteTable, to: str, subnet: str) -> AssociateTable:
    """A subnet of the main table has no association yet."""
    explicit = subnet in table.subnets
    known = next((name for name, member in table.associations.items() if member == subnet), "")
    placeholder = f"<ROUTE_TABLE_ASSOCIATION_OF_{subnet.upper().replace('-', '_')}>"
    return AssociateTable(to, subnet, replace=explicit, association=(known or placeholder) if explicit else "")
