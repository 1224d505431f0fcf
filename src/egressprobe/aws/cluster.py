"""What AWS tells of a cluster, all of it or what may be read: trouble with a part is a finding, and costs that part."""

from collections.abc import Callable
from typing import Any, NamedTuple

from egressprobe.aws.eks import LEAVING, Cluster, Provider, read_cluster, read_networks, read_providers, tells_mode
from egressprobe.catalog.findings_cluster import CLUSTER_DELETING, EGRESS_MODE_HIDDEN
from egressprobe.catalog.registry import FINDINGS
from egressprobe.model.report import Finding


class Surroundings(NamedTuple):
    """cluster: None where EKS does not say. providers: None where they could not be read. leaving: why the cluster
    is not to be asked any more.
    """

    cluster: Cluster | None
    providers: list[Provider] | None
    networks: dict[str, list[str]]
    findings: list[Finding]
    leaving: str = ""


def look_at_cluster(eks: Any, name: str) -> Surroundings:
    """The cluster alone. Raises nothing that AWS may answer."""
    found: list[Finding] = []
    what = f"the cluster {name} cannot be read; what was known of it stays"
    try:
        cluster = _tried(lambda: _there(eks, name), "CLUSTER_UNREADABLE", what, found)
    except LookupError:
        return _leaving(None, f"the cluster {name} does not exist any more")
    if cluster is not None and cluster.status in LEAVING:
        return _leaving(cluster, f"the cluster {name} is {cluster.status}")
    return Surroundings(cluster, None, {}, found)


def look_around(eks: Any, ec2: Any, name: str) -> Surroundings:
    """The cluster, its identity providers and the VPC's subnets. Raises nothing that AWS may answer."""
    around = look_at_cluster(eks, name)
    cluster, found = around.cluster, around.findings
    if cluster is None or around.leaving:
        return around
    if not tells_mode(eks):
        said = "this botocore is older than controlPlaneEgressMode and drops it; the mode is not known"
        found.append(EGRESS_MODE_HIDDEN.found(said, {}))
    what = "the identity providers cannot be read"
    providers = _tried(lambda: read_providers(eks, name), "IDENTITY_PROVIDERS_UNREADABLE", what, found)
    networks: dict[str, list[str]] | None = None
    if cluster.vpc:
        what = f"the subnets of {cluster.vpc} cannot be read"
        networks = _tried(lambda: read_networks(ec2, cluster.vpc), "NETWORKS_UNREADABLE", what, found)
    return Surroundings(cluster, providers, networks or {}, found)


def _tried[T](read: Callable[[], T], code: str, what: str, found: list[Finding]) -> T | None:
    """What `read` brings, or a finding with AWS's words."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return read()
    except (BotoCoreError, ClientError) as error:
        found.append(FINDINGS[code].found(f"{what}: {error}", {"error": str(error)}))
        return None


def _there(eks: Any, name: str) -> Cluster:
    """Raises LookupError for a cluster that is not."""
    try:
        return read_cluster(eks, name)
    except eks.exceptions.ResourceNotFoundException as error:
        raise LookupError(name) from error


def _leaving(cluster: Cluster | None, said: str) -> Surroundings:
    evidence = {"status": cluster.status if cluster else None}
    return Surroundings(cluster, None, {}, [CLUSTER_DELETING.found(said, evidence)], said)
