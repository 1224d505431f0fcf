"""What AWS reports of a cluster: a part that cannot be read is a finding, and the rest is read."""

from collections.abc import Callable
from typing import Any, NamedTuple

from egressprobe.aws.eks import (
    LEAVING,
    Cluster,
    IdentityProvider,
    read_cluster,
    read_networks,
    read_providers,
    supports_egress_mode,
    update_in_progress,
)
from egressprobe.aws.paging import not_as_documented
from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_cluster import (
    CLUSTER_DELETING,
    CLUSTER_UNREADABLE,
    EGRESS_MODE_HIDDEN,
    IDENTITY_PROVIDERS_UNREADABLE,
    NETWORKS_UNREADABLE,
)
from egressprobe.model.report import Finding


class Surroundings(NamedTuple):
    """cluster: None where EKS does not answer. providers: None where they could not be read. leaving: why the cluster
    must not be read any more: it is gone, or being deleted.
    """

    cluster: Cluster | None
    providers: list[IdentityProvider] | None
    networks: dict[str, list[str]]
    findings: list[Finding]
    leaving: str = ""


def look_at_cluster(eks: Any, name: str) -> Surroundings:
    """The cluster alone. Errors of AWS are findings, never raised."""
    findings: list[Finding] = []
    what = f"the cluster {name} cannot be read; what was known of it is kept"
    try:
        cluster = _tried(lambda: _existing(eks, name), CLUSTER_UNREADABLE, what, findings)
    except _ClusterGoneError:
        return _leaving(None, f"the cluster {name} no longer exists")
    if cluster is not None and cluster.status in LEAVING:
        return _leaving(cluster, f"the cluster {name} is {cluster.status}")
    return Surroundings(cluster, None, {}, findings)


def look_around(eks: Any, ec2: Any, name: str) -> Surroundings:
    """The cluster, its identity providers and the VPC's subnets. Errors of AWS are findings, never raised."""
    surroundings = look_at_cluster(eks, name)
    cluster, findings = surroundings.cluster, surroundings.findings
    if cluster is None or surroundings.leaving:
        return surroundings
    if not supports_egress_mode(eks):
        message = "this botocore is older than controlPlaneEgressMode and drops it; the mode is not known"
        findings.append(EGRESS_MODE_HIDDEN.found(message, {}))
    what = "the identity providers cannot be read"
    providers = _tried(lambda: read_providers(eks, name), IDENTITY_PROVIDERS_UNREADABLE, what, findings)
    networks: dict[str, list[str]] | None = None
    if cluster.vpc:
        what = f"the subnets of {cluster.vpc} cannot be read"
        networks = _tried(lambda: read_networks(ec2, cluster.vpc), NETWORKS_UNREADABLE, what, findings)
    return Surroundings(cluster, providers, networks or {}, findings)


def read_update(eks: Any, name: str) -> tuple[str | None, str]:
    """The id of the update that is in progress, empty for none; None and AWS's message where that cannot be read."""
    findings: list[Finding] = []
    what = f"the updates of {name} cannot be read"
    update = _tried(lambda: update_in_progress(eks, name), CLUSTER_UNREADABLE, what, findings)
    return update, "; ".join(finding.summary for finding in findings)


def _tried[T](read: Callable[[], T], entry: FindingEntry, what: str, findings: list[Finding]) -> T | None:
    """What `read` returns, or a finding with AWS's message."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return read()
    except (BotoCoreError, ClientError) as error:
        why = str(error)
    except _ClusterGoneError:
        raise
    except Exception as error:  # an answer that cannot be understood is like one that was refused
        why = not_as_documented(error)
    findings.append(entry.found(f"{what}: {why}", {"error": why}))
    return None


class _ClusterGoneError(Exception):
    """The cluster does not exist."""


def _existing(eks: Any, name: str) -> Cluster:
    """Raises _ClusterGoneError for a cluster that does not exist."""
    try:
        return read_cluster(eks, name)
    except eks.exceptions.ResourceNotFoundException as error:
        raise _ClusterGoneError from error


def _leaving(cluster: Cluster | None, message: str) -> Surroundings:
    evidence = {"status": cluster.status if cluster else None}
    return Surroundings(cluster, None, {}, [CLUSTER_DELETING.found(message, evidence)], message)
