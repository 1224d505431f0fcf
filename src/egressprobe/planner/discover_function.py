"""The Planner's side of discovery: asks the Discover function in the VPC, and makes trouble with it a finding."""

from typing import Any

import msgspec

from egressprobe.aws.cluster import Surroundings
from egressprobe.aws.eks import Cluster
from egressprobe.catalog.findings_cluster import DISCOVERY_FAILED
from egressprobe.discovery.issuers import with_issuers
from egressprobe.discovery.kubernetes.resources import RESOURCES
from egressprobe.model.discovered import DISCOVERED_SCHEMA, Discovered
from egressprobe.planner.probe_functions import invoke

EVERY_LIST = frozenset(one.plural for one in RESOURCES)


def discover(client: Any, function: str, around: Surroundings) -> tuple[Discovered, frozenset[str]]:
    """What the cluster has now, and what could not be read: lists by plural, and kinds that EKS tells of."""
    found = Discovered(unread=tuple(EVERY_LIST))
    if around.cluster is not None and not around.leaving:
        found = _ask(client, function, around.cluster, around.networks)
    unread = set(found.unread)
    if around.cluster is None or around.leaving:
        unread |= {"Cluster"}
    if around.providers is None:
        unread |= {"IdentityProviderConfig"}
    return with_issuers(found, around), frozenset(unread)


def _ask(client: Any, function: str, cluster: Cluster, networks: dict[str, list[str]]) -> Discovered:
    if not cluster.endpoint:
        return _failed(f"the cluster is {cluster.status} and has no endpoint yet")
    event = {
        "action": "discover",
        "cluster": {"name": cluster.name, "endpoint": cluster.endpoint, "certificateAuthority": cluster.authority},
        "networks": networks,
        "remoteNetworks": list(cluster.remote),
    }
    body, error = invoke(client, function, event)
    if error is None:
        try:
            found = msgspec.json.decode(body, type=Discovered)
        except msgspec.DecodeError as odd:
            error = f"its answer cannot be read: {odd}"
        else:
            if found.schema_version == DISCOVERED_SCHEMA:
                return found
            error = f"its answer is {found.schema_version}, not {DISCOVERED_SCHEMA}"
    return _failed(error)


def _failed(error: str) -> Discovered:
    said = f"discovery failed; what it found last stays in the plan: {error}"
    return Discovered(findings=(DISCOVERY_FAILED.found(said, {"error": error}),), unread=tuple(EVERY_LIST))
