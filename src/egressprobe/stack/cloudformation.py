"""CloudFormation as deploy and destroy use it: a stack as it is, change sets, waiting, and why something failed."""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from egressprobe.model.errors import AwsError, InputError

_CAPABILITIES = ["CAPABILITY_IAM"]
_NEW = ("REVIEW_IN_PROGRESS",)
# A VPC function's interfaces take minutes. Seconds between looks, and looks.
_EVERY, _LOOKS = 10, 240


class Existing(NamedTuple):
    """A stack as deployed; empty parameters: there is none."""

    parameters: dict[str, str]
    there: bool


def read_stack(formation: Any, stack: str) -> Existing:
    """Raises InputError for a stack that is in the middle of something."""
    try:
        found = formation.describe_stacks(StackName=stack)["Stacks"][0]
    except formation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return Existing({}, there=False)
        raise
    status = found["StackStatus"]
    if status in _NEW:
        return Existing({}, there=False)
    if status.endswith("_IN_PROGRESS") or status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        way_out = "wait for it" if status.endswith("_IN_PROGRESS") else "make destroy first"
        raise InputError("STACK", f"«{stack}» is {status}; {way_out}")
    said = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
    return Existing(said, there=True)


def change_set(
    formation: Any,
    stack: str,
    existing: Existing,
    template_url: str,
    wanted: dict[str, str],
    kept: Iterable[str],
    tags: dict[str, str],
) -> str | None:
    """The ARN of a change set that is ready; None: there is nothing to change. kept: parameters that stay."""
    from botocore.exceptions import WaiterError

    parameters: list[dict[str, Any]] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in wanted.items()
    ]
    parameters += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(set(kept) - wanted.keys())]
    change: str = formation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{int(time.time())}",
        ChangeSetType="UPDATE" if existing.there else "CREATE",
        TemplateURL=template_url,
        Parameters=parameters,
        Capabilities=_CAPABILITIES,
        Tags=[{"Key": name, "Value": value} for name, value in tags.items()],
    )["Id"]
    try:
        formation.get_waiter("change_set_create_complete").wait(
            ChangeSetName=change, WaiterConfig={"Delay": 3, "MaxAttempts": 100}
        )
    except WaiterError:
        found = formation.describe_change_set(ChangeSetName=change)
        reason = found.get("StatusReason", "")
        formation.delete_change_set(ChangeSetName=change)
        if "didn't contain changes" in reason or "No updates" in reason:
            return None
        raise AwsError(f"the change set of «{stack}» failed: {reason}") from None
    return change


def changes(formation: Any, change: str) -> str:
    """What will be done, a line a resource."""
    found: list[str] = []
    for page in formation.get_paginator("describe_change_set").paginate(ChangeSetName=change):
        for one in page.get("Changes", []):
            said = one["ResourceChange"]
            replaced = "  (replaced)" if said.get("Replacement") == "True" else ""
            found.append(
                f"  {said['Action'].lower():<8}{said['LogicalResourceId']:<28}{said['ResourceType']}{replaced}"
            )
    return "\n".join(["What will be done:", *sorted(found)])


def undo(formation: Any, stack: str, change: str, existing: Existing) -> None:
    formation.delete_change_set(ChangeSetName=change)
    if not existing.there:
        formation.delete_stack(StackName=stack)  # the empty one that a first change set leaves


def wait(formation: Any, stack: str, existing: Existing) -> None:
    from botocore.exceptions import WaiterError

    waiter = formation.get_waiter("stack_update_complete" if existing.there else "stack_create_complete")
    try:
        waiter.wait(StackName=stack, WaiterConfig={"Delay": _EVERY, "MaxAttempts": _LOOKS})
    except WaiterError:
        raise AwsError(f"«{stack}» failed: {failures(formation, stack)}") from None


def failures(formation: Any, stack: str) -> str:
    """The first things that failed, in CloudFormation's words."""
    events = formation.describe_stack_events(StackName=stack)["StackEvents"]
    said = [
        f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', '')}"
        for one in reversed(events)
        if one["ResourceStatus"].endswith("_FAILED")
    ]
    return "; ".join(said[:3]) or "see its events"


def outputs(formation: Any, stack: str) -> dict[str, str]:
    """Raises InputError where there is no such stack, or not one of ours."""
    try:
        found = formation.describe_stacks(StackName=stack)["Stacks"][0]
    except formation.exceptions.ClientError as error:
        raise InputError("stack", f"«{stack}»: {error.response['Error']['Message']}") from None
    said = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if "PlannerFunction" not in said:
        raise InputError("stack", f"«{stack}» is no stack of egressprobe: it has no output PlannerFunction")
    return said
