"""`make destroy CLUSTER=name`: deletes the stack, then waits until Lambda has removed its network interfaces.

CloudFormation deletes in the right order: the Planner and its schedule before the schedule group, whose deletion
deletes every schedule, and functions before the role that may remove their interfaces. The interfaces are shared by
functions with the same subnet and groups and are removed up to 45 minutes later; until then the security groups cannot
be deleted.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack.aws_answers import field
from egressprobe.stack.cloudformation import (
    failures,
    name_prefix,
    read_stack,
    refuse_another_cluster,
    wait_until_deleted,
)
from egressprobe.stack.deploy import confirmed, require_terminal

_EVERY, _LOOKS = 15, 240
_INTERFACE_MINUTES = 45


def destroy(
    session: Any, *, stack: str, yes: bool, cluster: str | None = None, pause: Callable[[float], None] = time.sleep
) -> int:
    """Returns 0 when everything is deleted, 1 while interfaces remain. Raises InputError and AwsError."""
    require_terminal(yes=yes)
    formation, ec2 = session.client("cloudformation"), session.client("ec2")
    try:
        existing = read_stack(formation, stack)
    except InputError:
        existing = None  # failed half way: deleting it is the remedy
    if existing is not None and not existing.there:
        raise InputError("STACK", f'"{stack}" does not exist in {session.region_name}')
    if existing is not None and cluster is not None:
        refuse_another_cluster(existing, stack, cluster)
    described = field(formation.describe_stacks(StackName=stack), "DescribeStacks", "Stacks", 0)
    stack_id: str = field(described, "DescribeStacks", "StackId")
    prefix = f"{name_prefix(described)}-{stack_id.rpartition('/')[2].partition('-')[0]}"
    print(f'"{stack}" will be deleted: probes, schedules, alarms, dashboard and logs.', file=sys.stderr)
    if not (yes or confirmed()):
        return 0
    formation.delete_stack(StackName=stack)
    if not wait_until_deleted(formation, stack_id, _EVERY, _LOOKS):
        raise AwsError(f'"{stack}" was not deleted: {failures(formation, stack_id)}')
    return _wait_for_interfaces(ec2, prefix, pause)


def _wait_for_interfaces(ec2: Any, prefix: str, pause: Callable[[float], None]) -> int:
    remaining: list[str] = []
    for _ in range(_INTERFACE_MINUTES * 60 // _EVERY):
        remaining = interfaces(ec2, prefix)
        if not remaining:
            print("Everything is deleted.", file=sys.stderr)
            return 0
        print(f"Waiting for Lambda to remove {', '.join(remaining)} ...", file=sys.stderr)
        pause(_EVERY)
    print(
        f"egressprobe: still there: {', '.join(remaining)}. Another function with the same subnet and groups may use "
        "them; else Lambda removes them within the day: "
        "aws ec2 describe-network-interfaces --network-interface-ids " + " ".join(remaining),
        file=sys.stderr,
    )
    return 1


def interfaces(ec2: Any, prefix: str) -> list[str]:
    """Interfaces that Lambda created for the functions of this stack."""
    filters = [{"Name": "description", "Values": [f"AWS Lambda VPC ENI-{prefix}-*"]}]
    pages = ec2.get_paginator("describe_network_interfaces").paginate(Filters=filters)
    return [
        interface["NetworkInterfaceId"]
        for page in pages
        for interface in page.get("NetworkInterfaces", [])
        if "NetworkInterfaceId" in interface
    ]
