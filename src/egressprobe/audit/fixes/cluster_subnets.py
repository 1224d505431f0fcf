"""Other subnets for the cluster: what fixes a control plane in public subnets.

To give a public subnet a route to a NAT gateway would take the internet from its load balancers; the control plane can
leave instead. EKS accepts subnets of the same zones (user guide, network-reqs).
"""

from functools import cache, partial

from egressprobe.audit.changes.apply import apply
from egressprobe.audit.changes.attribute_changes import UpdateClusterSubnets
from egressprobe.audit.changes.refusal import ChangeRefused
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.proposal import Proposal, Step, proposal
from egressprobe.audit.fixes.trial import Trial
from egressprobe.audit.paths.paths import PathKey, evaluate
from egressprobe.audit.vpc.sources import sources
from egressprobe.catalog.findings_vpc_path import ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS

# EKS recommends 16 free addresses (user guide, network-reqs).
_FREE_NEEDED = 16


def other_subnets(trial: Trial, problem: Problem, keys: list[PathKey]) -> Proposal | None:
    """Subnets of the same zones from which everything that the present ones must reach is open; None for none."""
    cluster = trial.topology.snapshot.cluster
    if problem.blame.finding is not ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS or not cluster.name:
        return None
    replaced: dict[str, str] = {}
    for name in dict.fromkeys(key[0] for key in keys):
        better = _better(trial, name, {*cluster.subnets, *replaced.values()})
        if better is None:
            return None
        replaced[name] = better
    change = UpdateClusterSubnets(cluster.name, tuple(replaced.get(name, name) for name in cluster.subnets))
    try:
        apply(change, trial.topology.snapshot)
    except ChangeRefused:
        return None
    return proposal([Step((change,), trial.topology)])


def _better(trial: Trial, name: str, taken: set[str]) -> str | None:
    topology = trial.topology
    starts = cache(partial(sources, topology))
    zone = next((subnet.zone for subnet in topology.snapshot.subnets if subnet.id == name), "")
    for subnet in topology.snapshot.subnets:
        if subnet.id in taken or subnet.zone != zone or (subnet.free is not None and subnet.free < _FREE_NEEDED):
            continue
        moved = [(subnet.id, *key[1:]) for key in trial.paths if key[0] == name and not trial.must_be_blocked(key)]
        blocked = [(subnet.id, *key[1:]) for key in trial.paths if key[0] == name and trial.must_be_blocked(key)]
        if all(evaluate(topology, key, starts).state == "open" for key in moved) and all(
            evaluate(topology, key, starts).state == "closed" for key in blocked
        ):
            return subnet.id
    return None
