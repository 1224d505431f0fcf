"""Fixes of what rules find beside the paths: private DNS of an interface endpoint, a subnet without IPv6 CIDR."""

import ipaddress
from collections.abc import Iterable, Iterator
from functools import cache, partial

from egressprobe.audit.changes.apply import apply
from egressprobe.audit.changes.attribute_changes import AssociateIpv6
from egressprobe.audit.changes.refusal import ChangeRefused
from egressprobe.audit.changes.resource_changes import ModifyEndpoint
from egressprobe.audit.fixes.proposal import Proposal, Step, proposal
from egressprobe.audit.fixes.uses import INTERNET, private_dns_users
from egressprobe.audit.paths.paths import evaluate
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology


def private_dns_off(topology: Topology, endpoint: str) -> Proposal:
    """The change, if nothing loses the service by it; else words about what would."""
    cut_off = private_dns_users(topology)
    if not cut_off:
        effect = "every subnet with an interface has another path to the EKS API"
        return proposal([Step((ModifyEndpoint(endpoint, private_dns=False),), topology)], effect=effect)
    names = ", ".join(cut_off[:5]) + (f" and {len(cut_off) - 5} more" if len(cut_off) > 5 else "")
    return Proposal((), f"turning it off is no fix here: {names} have no other path to the EKS API")


def ipv6_cidrs(topology: Topology, subnets: Iterable[str]) -> Iterator[tuple[str, Proposal]]:
    """For each of the subnets; each gets another CIDR."""
    for subnet in subnets:
        proposed, topology = _ipv6_cidr(topology, subnet)
        yield subnet, proposed


def _ipv6_cidr(topology: Topology, subnet: str) -> tuple[Proposal, Topology]:
    """The first /64 of the VPC's that no subnet has, if the subnet then reaches the internet; and the VPC with it."""
    whole = next((cidr for cidr in topology.blocks if cidr.version == 6), None)
    if whole is None:
        words = f"No command: {topology.snapshot.vpc.id} needs an IPv6 CIDR first, which AWS assigns."
        return Proposal((), words), topology
    taken = {cidr.first for cidr, _ in topology.subnet_blocks if cidr.version == 6}
    first = next((first for first in range(whole.first, whole.last, 1 << 64) if first not in taken), None)
    if first is None:
        return Proposal((), "No command: every /64 of the VPC's IPv6 CIDR is in use."), topology
    change = AssociateIpv6(topology.snapshot.vpc.id, subnet, f"{ipaddress.IPv6Address(first)}/64")
    try:
        after = Topology(apply(change, topology.snapshot))
    except ChangeRefused as refused:
        return Proposal((), f"No command: AWS would refuse to {change.words} ({refused})."), topology
    path = evaluate(after, (subnet, INTERNET[6], 443, "tcp", False, ""), cache(partial(sources, after)))
    if path.state != "open":
        why = path.blames[0].said if path.blames else "; ".join(path.knowledge_ends)
        return Proposal((), f"No command: to {change.words} alone does not open the internet: {why}."), topology
    effect = "the subnet then reaches the internet by IPv6"
    return proposal([Step((change,), topology)], effect=effect), after
