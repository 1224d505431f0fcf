"""The only reader of EKS, and of the VPC's subnets for what EKS says of them. Values we do not know are passed on."""

from contextlib import suppress
from typing import Any, NamedTuple

from egressprobe.apiserver.kube_version import nearest

# The mode where EKS does not say.
UNTOLD = "unknown"
# Of a cluster that goes away, or never came.
LEAVING = frozenset({"DELETING", "FAILED"})


class Cluster(NamedTuple):
    """mode: controlPlaneEgressMode as it is called, `unknown` where EKS does not say; any value is passed on.

    authority: the cluster's CA, PEM in base64. groups: the cluster security group first. remote: address blocks of
    hybrid nodes. role: ARN of the cluster's own.
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


class Provider(NamedTuple):
    """An associated OIDC identity provider."""

    name: str
    issuer: str
    status: str


def read_cluster(client: Any, name: str) -> Cluster:
    """DescribeCluster. Raises botocore's exceptions."""
    return described(client.describe_cluster(name=name)["cluster"])


def described(found: dict[str, Any]) -> Cluster:
    """Out of DescribeCluster's `cluster`, of which any part may be missing."""
    network = found.get("kubernetesNetworkConfig") or {}
    vpc = found.get("resourcesVpcConfig") or {}
    groups = dict.fromkeys([vpc.get("clusterSecurityGroupId"), *(vpc.get("securityGroupIds") or [])])
    hybrid = (found.get("remoteNetworkConfig") or {}).get("remoteNodeNetworks") or []
    return Cluster(
        version=found.get("version", ""),
        ip_family=network.get("ipFamily") or "ipv4",
        mode=vpc.get("controlPlaneEgressMode") or UNTOLD,
        status=found.get("status", ""),
        name=found.get("name", ""),
        endpoint=found.get("endpoint") or "",
        authority=(found.get("certificateAuthority") or {}).get("data") or "",
        issuer=((found.get("identity") or {}).get("oidc") or {}).get("issuer") or "",
        vpc=vpc.get("vpcId") or "",
        subnets=tuple(sorted(vpc.get("subnetIds") or [])),
        groups=tuple(group for group in groups if group),
        remote=tuple(sorted(block for one in hybrid for block in one.get("cidrs") or [])),
        role=found.get("roleArn") or "",
        authentication=(found.get("accessConfig") or {}).get("authenticationMode") or "",
    )


def tells_mode(client: Any) -> bool:
    """False for a botocore that drops controlPlaneEgressMode from the answer without a word (before 1.43.33)."""
    shape = client.meta.service_model.shape_for("VpcConfigResponse")
    return "controlPlaneEgressMode" in shape.members


def read_providers(client: Any, name: str) -> list[Provider]:
    """ListIdentityProviderConfigs, paged, and each described. Raises botocore's exceptions."""
    pages = client.get_paginator("list_identity_provider_configs").paginate(clusterName=name)
    listed = [one for page in pages for one in page.get("identityProviderConfigs") or []]
    found = []
    for one in listed:
        said = client.describe_identity_provider_config(clusterName=name, identityProviderConfig=one)
        config = (said.get("identityProviderConfig") or {}).get("oidc") or {}
        provider = one.get("name", "")
        found.append(Provider(provider, config.get("issuerUrl") or "", config.get("status") or ""))
    return found


def read_networks(client: Any, vpc: str) -> dict[str, list[str]]:
    """The address blocks of every subnet of the VPC, by its id: nodes need not be where the control plane is.

    DescribeSubnets, paged. Raises botocore's exceptions.
    """
    pages = client.get_paginator("describe_subnets").paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    found = {}
    for said in (one for page in pages for one in page["Subnets"]):
        held = [one["Ipv6CidrBlock"] for one in ipv6_blocks(said)]
        found[said["SubnetId"]] = [block for block in (said.get("CidrBlock"), *held) if block]
    return found


def ipv6_blocks(subnet: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of DescribeSubnets' associations that hold; one that was taken away stays listed for a while."""
    listed = subnet.get("Ipv6CidrBlockAssociationSet") or []
    return [one for one in listed if one.get("Ipv6CidrBlockState", {}).get("State") == "associated"]


def facts(cluster: Cluster) -> dict[str, Any]:
    """What of it goes into a plan. A value that a probe does not know stays out: it would refuse the whole plan."""
    known: dict[str, Any] = {}
    with suppress(ValueError):
        known["kubeVersion"] = nearest(cluster.version)
    if cluster.ip_family in ("ipv4", "ipv6"):
        known["ipFamily"] = cluster.ip_family
    return known
