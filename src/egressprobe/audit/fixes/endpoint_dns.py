"""Private DNS of an interface endpoint: turning it off takes the service away from subnets that have no other path."""

from egressprobe.audit.changes.resource_changes import ModifyEndpoint
from egressprobe.audit.fixes.proposal import Proposal, Step, proposal
from egressprobe.audit.fixes.uses import private_dns_users
from egressprobe.audit.vpc.topology import Topology


def private_dns_off(topology: Topology, endpoint: str) -> Proposal:
    """The change, if nothing loses the service by it; else words about what would."""
    cut_off = private_dns_users(topology)
    if not cut_off:
        effect = "every subnet with an interface has another path to the EKS API"
        return proposal([Step((ModifyEndpoint(endpoint, private_dns=False),), topology)], effect=effect)
    names = ", ".join(cut_off[:5]) + (f" and {len(cut_off) - 5} more" if len(cut_off) > 5 else "")
    return Proposal((), f"turning it off is no fix here: {names} have no other path to the EKS API")
