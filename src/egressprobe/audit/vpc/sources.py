"""Where calls start: the control plane's interfaces of a subnet, or every place in it where one could stand.

EKS makes two to four interfaces in any of the cluster's subnets and may move them, so every subnet is a start. Which
address it gets can matter only where a rule names a part of the subnet: those parts are tried one by one.
"""

from collections.abc import Iterator

from egressprobe.audit.vpc.cidr import Address, Block, address, block
from egressprobe.audit.vpc.topology import Network
from egressprobe.audit.vpc.walk import Origin

# Of those that differ; more than this says nothing new.
_MAX_PLACES = 8
# The first four addresses of an IPv4 subnet and the last are AWS's (user guide, subnet-sizing).
_FIRST_FREE = 4


def origins(network: Network, subnet: str, version: int) -> tuple[list[Origin], bool]:
    """Starts in one subnet, of one family; and whether they are real interfaces. Empty: it has no such address."""
    cluster = network.snapshot.cluster
    live = [
        Origin(subnet, one, found.groups)
        for found in network.snapshot.interfaces or ()
        if found.subnet == subnet and found.description == f"Amazon EKS {cluster.name}"
        for one in map(address, found.addresses)
        if one.version == version
    ]
    if live:
        return live, True
    held = network.subnets.get(subnet)
    blocks = [one for one in map(block, held.blocks if held else ()) if one.version == version]
    return [Origin(subnet, one, cluster.groups) for one in _places(network, blocks)], False


def _places(network: Network, blocks: list[Block]) -> list[Address]:
    """One in each part of the subnet that some rule of an ACL, group or route tells from the rest."""
    found: dict[Address, None] = {}
    for held in blocks:
        found[Address(held.version, min(held.first + _FIRST_FREE, held.last))] = None
        for part in _named(network):
            if part.within(held) and part != held:
                for number in (part.first, part.last + 1):
                    if held.first + _FIRST_FREE <= number < held.last:
                        found[Address(held.version, number)] = None
    return list(found)[:_MAX_PLACES]


def _named(network: Network) -> Iterator[Block]:
    snapshot = network.snapshot
    for acl in snapshot.acls or ():
        yield from (block(entry.block) for entry in acl.entries)
    for group in snapshot.groups or ():
        for rule in (*group.ingress, *group.egress):
            yield from map(block, rule.blocks)
    for held in network.lists.values():
        yield from map(block, held or ())
