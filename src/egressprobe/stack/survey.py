"""What a cluster has that a stack needs: read once, checked before anything is made.

Every refusal is one line (InputError) that says what is wrong and the way out.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from egressprobe.aws.eks import UNTOLD, described, ipv6_blocks
from egressprobe.model.errors import InputError

MAX_SUBNETS = 16
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
MAX_GROUPS = 5
# A subnet with as few as EKS itself needs for an upgrade is left alone.
# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
LEAST_FREE = 6


class Subnet(NamedTuple):
    """`free`: addresses; `dual`: it has an IPv6 block."""

    id: str
    zone: str
    free: int
    dual: bool

    def __str__(self) -> str:
        return f"{self.id}/{self.zone}"


class Survey(NamedTuple):
    """subnets: sorted by id. groups: of the control plane's interfaces, the cluster's own first.

    authentication: the cluster's mode, API, API_AND_CONFIG_MAP or CONFIG_MAP.
    """

    cluster: str
    version: str
    mode: str
    ip_family: str
    vpc: str
    groups: tuple[str, ...]
    subnets: tuple[Subnet, ...]
    authentication: str = ""


def read_survey(eks: Any, ec2: Any, cluster: str) -> Survey:
    """DescribeCluster and DescribeSubnets. Raises InputError, and botocore's exceptions for what is not about input."""
    try:
        found = eks.describe_cluster(name=cluster)["cluster"]
    except eks.exceptions.ResourceNotFoundException:
        known = ", ".join(eks.list_clusters()["clusters"]) or "none"
        raise InputError("CLUSTER", f"«{cluster}» is not in this account and region; there are: {known}") from None
    seen = described(found)
    if seen.status in ("CREATING", "DELETING", "FAILED"):
        raise InputError("CLUSTER", f"«{cluster}» is {seen.status}; deploy once it is ACTIVE")
    said = ec2.describe_subnets(SubnetIds=list(seen.subnets))["Subnets"]
    return Survey(
        cluster=cluster,
        version=seen.version,
        mode="not told by EKS" if seen.mode == UNTOLD else seen.mode,
        ip_family=seen.ip_family,
        vpc=seen.vpc or said[0]["VpcId"],
        groups=seen.groups,
        subnets=tuple(sorted(map(_subnet, said))),
        authentication=seen.authentication,
    )


def check(survey: Survey, deployed: Sequence[str] = ()) -> None:
    """Refuse what would not deploy, or would harm. deployed: subnets that have their probe already."""
    if not survey.groups:
        raise InputError("CLUSTER", "has no security group; name some with SecurityGroupIds=sg-...")
    if len(survey.groups) > MAX_GROUPS:
        raise InputError(
            "CLUSTER",
            f"its control plane has {len(survey.groups)} security groups, a function takes {MAX_GROUPS}: a probe with "
            "fewer would stand elsewhere. Merge some of them, or name five with SecurityGroupIds=sg-...",
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


def slots(before: str, subnets: Sequence[Subnet]) -> str:
    """The stack's parameter Subnets: who has a slot keeps it, who is new gets the lowest free one.

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


def _subnet(said: dict[str, Any]) -> Subnet:
    return Subnet(said["SubnetId"], said["AvailabilityZone"], said["AvailableIpAddressCount"], bool(ipv6_blocks(said)))
