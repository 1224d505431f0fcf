"""An IPv6 CIDR for a subnet of an IPv6 cluster that has none."""

import ipaddress
from functools import cache, partial

from egressprobe.audit.changes.apply import apply
from egressprobe.audit.changes.attribute_changes import AssociateIpv6
from egressprobe.audit.changes.refusal import ChangeRefused
from egressprobe.audit.fixes.proposal import Proposal, Step, proposal
from egressprobe.audit.fixes.uses import INTERNET
from egressprobe.audit.paths.paths import evaluate
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology


def ipv6_cidr(topology: Topology, subnet: str) -> Proposal:
    """The first /64 of the VPC's that no subnet has, if the subnet then reaches the internet."""
    whole = next((cidr for cidr in topology.blocks if cidr.version == 6), None)
    if whole is None:
        return Proposal((), f"No command: {topology.snapshot.vpc.id} needs an IPv6 CIDR first, which AWS assigns.")
    taken = {cidr.first for cidr, _ in topology.subnet_blocks if cidr.version == 6}
    first = next((first for first in range(whole.first, whole.last, 1 << 64) if first not in taken), None)
    if first is None:
        return Proposal((), "No command: every /64 of the VPC's IPv6 CIDR is in use.")
    change = AssociateIpv6(topology.snapshot.vpc.id, subnet, f"{ipaddress.IPv6Address(first)}/64")
    try:
        after = Topology(apply(change, topology.snapshot))
    except ChangeRefused as refused:
        return Proposal((), f"No command: AWS would refuse to {change.words} ({refused}).")
    path = evaluate(after, (subnet, INTERNET[6], 443, "tcp", False), cache(partial(sources, after)))
    if path.state != "open":
        why = path.blames[0].said if path.blames else "; ".join(path.knowledge_ends)
        return Proposal((), f"No command: to {change.words} alone does not open the internet: {why}.")
    effect = "the subnet then reaches the internet by IPv6"
    return proposal([Step((change,), topology)], effect=effect)
