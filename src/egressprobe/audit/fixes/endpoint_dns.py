"""Private DNS of an interface endpoint: turning it off takes the service away from subnets that have no other path."""

from egressprobe.audit.changes.attribute_changes import DisablePrivateDns
from egressprobe.audit.fixes.route_changes import Changes
from egressprobe.audit.fixes.uses import private_dns_users
from egressprobe.audit.vpc.topology import Topology


def private_dns_off(topology: Topology, endpoint: str) -> tuple[Changes, str]:
    """The change, if nothing loses the service by it; else none, and words about what would."""
    cut_off = private_dns_users(topology)
    if not cut_off:
        return (DisablePrivateDns(endpoint),), ""
    names = ", ".join(cut_off[:5]) + (f" and {len(cut_off) - 5} more" if len(cut_off) > 5 else "")
    return (), f"; turning it off is no fix here: {names} have no other path to the EKS API"
