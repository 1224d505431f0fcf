"""What a fix touches, and what else uses it: subnets of a table or ACL, interfaces of a group, tables of a gateway."""

from collections.abc import Iterable, Iterator

from egressprobe.audit.changes.change import Change
from egressprobe.audit.vpc.topology import Topology
from egressprobe.model.remedy import Touched

_MOST_USERS = 20


def touched(changes: Iterable[Change], topology: Topology) -> Iterator[Touched]:
    """What exists before the changes, by id."""
    for name in dict.fromkeys(name for change in changes for name in sorted(change.touches)):
        if name.endswith("-NEW"):
            continue
        users = list(dict.fromkeys(_users(topology, name)))
        more = len(users) - _MOST_USERS
        shown = users[:_MOST_USERS] + ([f"and {more} more"] if more > 0 else [])
        yield Touched(_NAMES.get(name, name), tuple(shown))


_NAMES = {"public_access": "VPC Block Public Access", "cluster": "the cluster's subnets", "encryption": "encryption"}


def _users(topology: Topology, name: str) -> Iterator[str]:
    snapshot = topology.snapshot
    table = topology.tables_by_id.get(name)
    if table is not None:
        yield from topology.subnets_of(table)
        yield from table.gateways
    yield from (subnet for acl in snapshot.acls or () if acl.id == name for subnet in acl.subnets)
    if name in snapshot.cluster.groups:
        yield f"cluster {snapshot.cluster.name}"
    yield from (interface.id for interface in snapshot.interfaces or () if name in interface.groups)
    yield from (
        listed.id
        for listed in snapshot.route_tables or ()
        if any(route.to == name for route in listed.routes) and listed.id != name
    )
    if name == "cluster":
        yield from snapshot.cluster.subnets
