"""`make destroy CLUSTER=name`: the stack, then a wait for what Lambda leaves behind in the VPC.

CloudFormation's own order is right: the Planner and its schedule go before the schedule group, whose end ends every
schedule, and functions go before the role that may remove their interfaces. The interfaces are shared by functions
with the same subnet and groups and go up to 45 minutes later; until then the security groups cannot be deleted.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack.cloudformation import failures, read_stack
from egressprobe.stack.deploy import agreed, somebody_to_ask

_EVERY, _LOOKS = 15, 240
_INTERFACE_MINUTES = 45


def destroy(session: Any, *, stack: str, yes: bool, pause: Callable[[float], None] = time.sleep) -> int:
    """Returns 0 when nothing is left, 1 while interfaces are. Raises InputError and AwsError."""
    from botocore.exceptions import WaiterError

    somebody_to_ask(yes=yes)
    formation, ec2 = session.client("cloudformation"), session.client("ec2")
    try:
        existing = read_stack(formation, stack)
    except InputError:
        existing = None  # failed half way: that is what this is for
    if existing is not None and not existing.there:
        raise InputError("STACK", f"«{stack}» does not exist in {session.region_name}")
    found = formation.describe_stacks(StackName=stack)["Stacks"][0]
    prefix = "egressprobe-" + found["StackId"].rpartition("/")[2].partition("-")[0]
    print(f"«{stack}» will be deleted: probes, schedules, alarms, dashboard and logs.", file=sys.stderr)
    if not (yes or agreed()):
        return 0
    formation.delete_stack(StackName=stack)
    try:
        formation.get_waiter("stack_delete_complete").wait(
            StackName=found["StackId"], WaiterConfig={"Delay": _EVERY, "MaxAttempts": _LOOKS}
        )
    except WaiterError:
        raise AwsError(f"«{stack}» was not deleted: {failures(formation, found['StackId'])}") from None
    return _wait_for_interfaces(ec2, prefix, pause)


def _wait_for_interfaces(ec2: Any, prefix: str, pause: Callable[[float], None]) -> int:
    left: list[str] = []
    for _ in range(_INTERFACE_MINUTES * 60 // _EVERY):
        left = interfaces(ec2, prefix)
        if not left:
            print("Nothing is left.", file=sys.stderr)
            return 0
        print(f"Waiting for Lambda to remove {', '.join(left)} ...", file=sys.stderr)
        pause(_EVERY)
    print(
        f"egressprobe: still there: {', '.join(left)}. Another function with the same subnet and groups may use them; "
        "else they go within the day: aws ec2 describe-network-interfaces --network-interface-ids " + " ".join(left),
        file=sys.stderr,
    )
    return 1


def interfaces(ec2: Any, prefix: str) -> list[str]:
    """Interfaces that Lambda made for our functions."""
    wanted = [{"Name": "description", "Values": [f"AWS Lambda VPC ENI-{prefix}-*"]}]
    pages = ec2.get_paginator("describe_network_interfaces").paginate(Filters=wanted)
    return [one["NetworkInterfaceId"] for page in pages for one in page["NetworkInterfaces"]]
