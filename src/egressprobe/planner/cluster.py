"""What the Planner reads of the cluster, and nothing more."""

from contextlib import suppress
from typing import Any, NamedTuple

from egressprobe.kubeversion import nearest

# The mode where EKS does not say.
UNTOLD = "unknown"


class Cluster(NamedTuple):
    """mode: controlPlaneEgressMode as it is called, `unknown` where EKS does not say; any value is passed on."""

    version: str
    ip_family: str
    mode: str
    status: str


def read_cluster(client: Any, name: str) -> Cluster:
    """DescribeCluster. Raises botocore's exceptions."""
    return described(client.describe_cluster(name=name)["cluster"])


def described(found: dict[str, Any]) -> Cluster:
    """Out of DescribeCluster's `cluster`, of which any part may be missing."""
    network = found.get("kubernetesNetworkConfig") or {}
    vpc = found.get("resourcesVpcConfig") or {}
    return Cluster(
        version=found.get("version", ""),
        ip_family=network.get("ipFamily") or "ipv4",
        mode=vpc.get("controlPlaneEgressMode") or UNTOLD,
        status=found.get("status", ""),
    )


def facts(cluster: Cluster) -> dict[str, Any]:
    """What of it goes into a plan. A value that a probe does not know stays out: it would refuse the whole plan."""
    known: dict[str, Any] = {}
    with suppress(ValueError):
        known["kubeVersion"] = nearest(cluster.version)
    if cluster.ip_family in ("ipv4", "ipv6"):
        known["ipFamily"] = cluster.ip_family
    return known
