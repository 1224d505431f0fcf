"""The only reader of EKS, and of the CIDRs of the VPC's subnets. Values that are not known here are passed on."""

from contextlib import suppress
from ipaddress import ip_network
from typing import Any, NamedTuple

import msgspec

from egressprobe.apiserver.kube_version import nearest

# The mode where EKS does not report one.
UNKNOWN_MODE = "unknown"
# The status of a cluster that is being deleted, or was never created.
LEAVING = frozenset({"DELETING", "FAILED"})


class Cluster(NamedTuple):
    """mode: controlPlaneEgressMode, `unknown` where EKS does not report it; any value is passed on.

    authority: the cluster's CA, PEM in base64. groups: the cluster security group first. remote, remote_pods: CIDRs of
    hybrid nodes and of their pods. role: ARN of the cluster's role. private_access: endpointPrivateAccess, None where
    EKS does not report it. logs: types of control-plane logs that are on: `api`, `audit` and so on.
    """

    version: str
    ip_family: str
    mode: str
    status: str
    name: str = ""
    endpoint: str = ""
    authority: str = ""
    issuer: str = ""
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    authentication: str = ""
    role: str = ""
    remote_pods: tuple[str, ...] = ()
    arn: str = ""
    private_access: bool | None = None
    logs: tuple[str, ...] = ()


class IdentityProvider(NamedTuple):
    """An associated OIDC identity provider."""

    name: str
    issuer: str
    status: str


def read_cluster(client: Any, name: str) -> Cluster:
    """DescribeCluster. Raises botocore's exceptions, and those of `described`."""
    return described(client.describe_cluster(name=name)["cluster"])


def described(response: dict[str, Any]) -> Cluster:
    """Reads DescribeCluster's `cluster`, of which any part may be missing.

    Raises ValueError, TypeError and AttributeError for values that are not as documented.
    """
    network = response.get("kubernetesNetworkConfig") or {}
    vpc = response.get("resourcesVpcConfig") or {}
    groups = dict.fromkeys([vpc.get("clusterSecurityGroupId"), *(vpc.get("securityGroupIds") or [])])
    hybrid = response.get("remoteNetworkConfig") or {}
    cluster = Cluster(
        version=response.get("version", ""),
        ip_family=network.get("ipFamily") or "ipv4",
        mode=vpc.get("controlPlaneEgressMode") or UNKNOWN_MODE,
        status=response.get("status", ""),
        name=response.get("name", ""),
        endpoint=response.get("endpoint") or "",
        authority=(response.get("certificateAuthority") or {}).get("data") or "",
        issuer=((response.get("identity") or {}).get("oidc") or {}).get("issuer") or "",
        vpc=vpc.get("vpcId") or "",
        subnets=tuple(sorted(vpc.get("subnetIds") or [])),
        groups=tuple(group for group in groups if group),
        remote=_cidrs(hybrid.get("remoteNodeNetworks")),
        remote_pods=_cidrs(hybrid.get("remotePodNetworks")),
        role=response.get("roleArn") or "",
        authentication=(response.get("accessConfig") or {}).get("authenticationMode") or "",
        arn=response.get("arn") or "",
        private_access=vpc.get("endpointPrivateAccess"),
        logs=_logs(response.get("logging") or {}),
    )
    return _as_documented(tuple(cluster), Cluster)


def _as_documented[T](value: Any, kind: type[T]) -> T:
    """`value` if its types are those of `kind` and its texts can be printed. Raises ValueError."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str) and not part.isprintable():
            raise ValueError("a text has control characters, or is not Unicode")
        if isinstance(part, list | tuple):
            waiting.extend(part)
    return msgspec.convert(value, kind)


def _logs(logging: dict[str, Any]) -> tuple[str, ...]:
    """https://docs.aws.amazon.com/eks/latest/APIReference/API_LogSetup.html"""
    setups = logging.get("clusterLogging") or []
    return tuple(sorted({kind for setup in setups if setup.get("enabled") for kind in setup.get("types") or []}))


def _cidrs(networks: list[dict[str, Any]] | None) -> tuple[str, ...]:
    return tuple(sorted(_cidr(cidr) for network in networks or [] for cidr in network.get("cidrs") or []))


def _cidr(text: str) -> str:
    ip_network(text, strict=False)
    return text


def supports_egress_mode(client: Any) -> bool:
    """False for a botocore that silently drops controlPlaneEgressMode from the response (before 1.43.33)."""
    shape = client.meta.service_model.shape_for("VpcConfigResponse")
    return "controlPlaneEgressMode" in shape.members


def read_providers(client: Any, name: str) -> list[IdentityProvider]:
    """ListIdentityProviderConfigs, paged, and each described. Raises botocore's exceptions."""
    pages = client.get_paginator("list_identity_provider_configs").paginate(clusterName=name)
    references = [reference for page in pages for reference in page.get("identityProviderConfigs") or []]
    providers = []
    for reference in references:
        response = client.describe_identity_provider_config(clusterName=name, identityProviderConfig=reference)
        config = (response.get("identityProviderConfig") or {}).get("oidc") or {}
        issuer, status = config.get("issuerUrl") or "", config.get("status") or ""
        providers.append(IdentityProvider(reference.get("name", ""), issuer, status))
    return _as_documented([tuple(provider) for provider in providers], list[IdentityProvider])


def update_in_progress(client: Any, name: str) -> str:
    """The id of the cluster's update that is in progress, empty where none is. Raises botocore's exceptions.

    ListUpdates, paged, in no documented order, so that each is described: a cluster has few.
    https://docs.aws.amazon.com/eks/latest/APIReference/API_Update.html
    """
    pages = client.get_paginator("list_updates").paginate(name=name)
    for update in [update for page in pages for update in page.get("updateIds") or []]:
        described_update = client.describe_update(name=name, updateId=update)
        if (described_update.get("update") or {}).get("status") == "InProgress":
            return str(update)
    return ""


def read_networks(client: Any, vpc: str) -> dict[str, list[str]]:
    """The CIDRs of every subnet of the VPC, by its id: nodes may be in other subnets than the control plane.

    DescribeSubnets, paged. Raises botocore's exceptions.
    """
    pages = client.get_paginator("describe_subnets").paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    cidrs = {}
    for subnet in (subnet for page in pages for subnet in page["Subnets"]):
        ipv6 = [association["Ipv6CidrBlock"] for association in ipv6_blocks(subnet)]
        cidrs[subnet["SubnetId"]] = [_cidr(cidr) for cidr in (subnet.get("CidrBlock"), *ipv6) if cidr]
    return msgspec.convert(cidrs, dict[str, list[str]])


def ipv6_blocks(subnet: dict[str, Any]) -> list[dict[str, Any]]:
    """The active ones of DescribeSubnets' associations; one that was removed stays listed for a while."""
    associations = subnet.get("Ipv6CidrBlockAssociationSet") or []
    return [
        association
        for association in associations
        if association.get("Ipv6CidrBlockState", {}).get("State") == "associated"
    ]


def facts(cluster: Cluster) -> dict[str, Any]:
    """What a plan contains of it. A value that a probe does not know is left out: it would refuse the whole plan."""
    known: dict[str, Any] = {}
    with suppress(ValueError):
        known["kubeVersion"] = nearest(cluster.version)
    if cluster.ip_family in ("ipv4", "ipv6"):
        known["ipFamily"] = cluster.ip_family
    return known
