"""The properties of a cluster that a stack needs: read once, checked before anything is made.

Every refusal is one line (InputError) that says what is wrong and how to go on.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from egressprobe.aws.eks import UNKNOWN_MODE, described, ipv6_blocks
from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack.aws_answers import field

MAX_SUBNETS = 16
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
MAX_GROUPS = 5
# A subnet with only as many as EKS itself needs for an upgrade is refused.
# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
LEAST_FREE = 6


class ClusterSubnet(NamedTuple):
    """`free`: addresses; `dual`: it has an IPv6 block."""

    id: str
    zone: str
    free: int
    dual: bool

    def __str__(self) -> str:
        return f"{self.id}/{self.zone}"


class Survey(NamedTuple):
    """subnets: sorted by id. groups: of the control plane's interfaces, the cluster's own first.

    authentication: the cluster's mode, API, API_AND_CONFIG_MAP or CONFIG_MAP. private: endpointPrivateAccess, None
    where EKS does not report it.
    """

    cluster: str
    version: str
    mode: str
    ip_family: str
    vpc: str
    groups: tuple[str, ...]
    subnets: tuple[ClusterSubnet, ...]
    authentication: str = ""
    private: bool | None = None

    @property
    def warnings(self) -> list[str]:
        """What deploys, but not as wished."""
        if self.private is not False:
            return []
        text = (
            "  WARNING: the private endpoint is off (endpointPrivateAccess): discovery reaches the public one by the "
            "VPC's egress path, and only if publicAccessCidrs has its address"
        )
        return [text]


def read_survey(eks: Any, ec2: Any, cluster: str) -> Survey:
    """DescribeCluster and DescribeSubnets. Raises InputError, and botocore's exceptions for what is not about input."""
    try:
        cluster_fields = field(eks.describe_cluster(name=cluster), "DescribeCluster", "cluster")
    except eks.exceptions.ResourceNotFoundException:
        names = ", ".join(eks.list_clusters().get("clusters") or []) or "none"
        raise InputError("CLUSTER", f'"{cluster}" is not in this account and region; there are: {names}') from None
    cluster_info = described(cluster_fields)
    if cluster_info.status in ("CREATING", "DELETING", "FAILED"):
        raise InputError("CLUSTER", f'"{cluster}" is {cluster_info.status}; deploy once it is ACTIVE')
    if not cluster_info.subnets:
        raise AwsError(f"DescribeCluster's answer lacks the subnets of {cluster}: is the endpoint AWS's?")
    subnets = field(ec2.describe_subnets(SubnetIds=list(cluster_info.subnets)), "DescribeSubnets", "Subnets")
    return Survey(
        cluster=cluster,
        version=cluster_info.version,
        mode="not reported by EKS" if cluster_info.mode == UNKNOWN_MODE else cluster_info.mode,
        ip_family=cluster_info.ip_family,
        vpc=cluster_info.vpc or field(subnets, "DescribeSubnets", 0, "VpcId"),
        groups=cluster_info.groups,
        subnets=tuple(sorted(map(_subnet, subnets))),
        authentication=cluster_info.authentication,
        private=(cluster_fields.get("resourcesVpcConfig") or {}).get("endpointPrivateAccess"),
    )


def check_survey(survey: Survey, deployed: Sequence[str] = ()) -> None:
    """Refuses what would not deploy, or would harm. deployed: subnets that have a probe already. Raises InputError."""
    if not survey.groups:
        raise InputError("CLUSTER", "has no security group; name some with SecurityGroupIds=sg-...")
    if len(survey.groups) > MAX_GROUPS:
        raise InputError(
            "CLUSTER",
            f"its control plane has {len(survey.groups)} security groups, a function takes {MAX_GROUPS}: a probe with "
            "fewer would have other rules. Merge some of them, or name five with SecurityGroupIds=sg-...",
        )
    if len(survey.subnets) > MAX_SUBNETS:
        raise InputError("CLUSTER", f"has {len(survey.subnets)} subnets, {MAX_SUBNETS} are supported")
    new = [subnet for subnet in survey.subnets if subnet.id not in deployed]
    for subnet in new:
        if subnet.free <= LEAST_FREE:
            raise InputError(
                subnet.id,
                f"has {subnet.free} free addresses; EKS needs {LEAST_FREE} itself. Free some, or use a larger subnet",
            )
        if survey.ip_family == "ipv6" and not subnet.dual:
            raise InputError(subnet.id, "has no IPv6 block, and the cluster is IPv6; associate one")


def slots(before: str, subnets: Sequence[ClusterSubnet]) -> str:
    """The stack's parameter Subnets: a subnet keeps its slot, a new one gets the lowest free slot.

    before: the parameter as deployed, empty for a new stack. `-` is an empty slot.
    """
    wanted = {subnet.id: str(subnet) for subnet in subnets}
    taken = [wanted.pop(text.partition("/")[0], "-") for text in before.split(",")] if before else []
    for text in wanted.values():
        if "-" in taken:
            taken[taken.index("-")] = text
        else:
            taken.append(text)
    while taken and taken[-1] == "-":
        taken.pop()
    if len(taken) > MAX_SUBNETS:
        raise InputError("CLUSTER", f"needs {len(taken)} slots, {MAX_SUBNETS} are supported")
    return ",".join(taken)


def _subnet(fields: dict[str, Any]) -> ClusterSubnet:
    return ClusterSubnet(
        field(fields, "DescribeSubnets", "SubnetId"),
        field(fields, "DescribeSubnets", "AvailabilityZone"),
        field(fields, "DescribeSubnets", "AvailableIpAddressCount"),
        bool(ipv6_blocks(fields)),
    )
