"""Where calls start: the control plane's interfaces of a subnet, or every place in it where one could be.

EKS creates two to four interfaces in any of the cluster's subnets and may move them, so every subnet is a source. Which
address an interface gets matters only where a rule names a part of the subnet: those parts are evaluated one by one.
"""

from collections.abc import Iterator

from egressprobe.audit.vpc.cidr import Address, Cidr, address, block
from egressprobe.audit.vpc.flow import Source
from egressprobe.audit.vpc.topology import Topology

# Of those that differ: more than this give no new result.
_MAX_PLACES = 8
# The first four addresses of an IPv4 subnet and the last are reserved (user guide, subnet-sizing).
_FIRST_FREE = 4


def sources(topology: Topology, subnet: str, version: int) -> tuple[list[Source], bool]:
    """Sources in one subnet, of one family; and whether they are real interfaces. Empty: it has no such address."""
    cluster = topology.snapshot.cluster
    live = [
        Source(subnet, source, interface.groups)
        for interface in topology.snapshot.interfaces or ()
        if interface.subnet == subnet and interface.description == f"Amazon EKS {cluster.name}"
        for source in map(address, interface.addresses)
        if source.version == version
    ]
    if live:
        return live, True
    return [Source(subnet, place, cluster.groups) for place in places(topology, subnet, version)], False


def places(topology: Topology, subnet: str, version: int) -> list[Address]:
    """One address for each part of the subnet that a rule treats differently."""
    known = topology.subnets.get(subnet)
    cidrs = [cidr for cidr in map(block, known.blocks if known else ()) if cidr.version == version]
    starts: dict[Address, None] = {}
    for cidr in cidrs:
        starts[Address(cidr.version, min(cidr.first + _FIRST_FREE, cidr.last))] = None
        for part in _named(topology):
            if part.within(cidr) and part != cidr:
                for number in (part.first, part.last + 1):
                    if cidr.first + _FIRST_FREE <= number < cidr.last:
                        starts[Address(cidr.version, number)] = None
    return list(starts)[:_MAX_PLACES]


def _named(topology: Topology) -> Iterator[Cidr]:
    """Every CIDR that a rule names."""
    snapshot = topology.snapshot
    for acl in snapshot.acls or ():
        yield from (block(entry.block) for entry in acl.entries)
    for group in snapshot.groups or ():
        for rule in (*group.ingress, *group.egress):
            yield from map(block, rule.blocks)
    for texts in topology.lists.values():
        yield from map(block, texts or ())
