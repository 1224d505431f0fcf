"""CloudFormation as deploy and destroy use it: the existing stack, change sets, waiting, and why something failed."""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import called
from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack.access.parameters import DEFAULT_NAME_PREFIX
from egressprobe.stack.aws_answers import aws_errors, error_line, field, is_transient

# Named: with NamePrefix the roles have names of their own.
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_NEW = ("REVIEW_IN_PROGRESS",)
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
_REPLACEMENTS = {"True": "  (replaced)", "Conditional": "  (may be replaced)"}
# The interfaces of a function in a VPC take minutes. Seconds between two looks, and how many.
_EVERY, _LOOKS = 10, 240
_CHANGE_SET_EVERY, _CHANGE_SET_LOOKS = 3, 100


class Existing(NamedTuple):
    """A deployed stack; empty parameters where it does not exist."""

    parameters: dict[str, str]
    there: bool

    def belongs_to(self, cluster: str) -> bool:
        """Whether it was deployed for this cluster, or for none that it names."""
        return not self.there or self.parameters.get("ClusterName", cluster) == cluster


def _described(formation: Any, stack: str) -> dict[str, Any]:
    described: dict[str, Any] = field(formation.describe_stacks(StackName=stack), "DescribeStacks", "Stacks", 0)
    return described


def _missing(error: Exception) -> bool:
    return "does not exist" in str(error)


def read_stack(formation: Any, stack: str) -> Existing:
    """Raises InputError for a stack that another operation is changing, or that failed half way."""
    try:
        described = _described(formation, stack)
    except formation.exceptions.ClientError as error:
        if _missing(error):
            return Existing({}, there=False)
        raise
    status = field(described, "DescribeStacks", "StackStatus")
    if status in _NEW:
        return Existing({}, there=False)
    if status.endswith("_IN_PROGRESS") or status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        next_step = "wait for it" if status.endswith("_IN_PROGRESS") else "make destroy first"
        raise InputError("STACK", f'"{stack}" is {status}; {next_step}')
    parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in described.get("Parameters", [])}
    return Existing(parameters, there=True)


def name_prefix(described: dict[str, Any]) -> str:
    """What the names of a stack's functions begin with. described: the stack, as DescribeStacks answers."""
    parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in described.get("Parameters", [])}
    return parameters.get("NamePrefix") or DEFAULT_NAME_PREFIX  # a stack may be older than the parameter


def refuse_another_cluster(existing: Existing, stack: str, cluster: str) -> None:
    """A stack belongs to one cluster: names such as a_b and a-b give the same stack name. Raises InputError."""
    if not existing.belongs_to(cluster):
        owner = existing.parameters["ClusterName"]
        raise InputError("STACK", f'"{stack}" belongs to the cluster "{owner}", not to "{cluster}"; set STACK=NAME')


def change_set(
    formation: Any,
    stack: str,
    existing: Existing,
    template_url: str,
    wanted: dict[str, str],
    previous: Iterable[str],
    tags: dict[str, str],
    pause: Callable[[float], None] = time.sleep,
) -> str | None:
    """The ARN of a change set that is ready; None: there is nothing to change. previous: parameters to leave as is."""
    parameters: list[dict[str, Any]] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in wanted.items()
    ]
    parameters += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(set(previous) - wanted.keys())]
    answer = formation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{int(time.time())}",
        ChangeSetType="UPDATE" if existing.there else "CREATE",
        TemplateURL=template_url,
        Parameters=parameters,
        Capabilities=CAPABILITIES,
        Tags=[{"Key": name, "Value": value} for name, value in tags.items()],
    )
    change: str = field(answer, "CreateChangeSet", "Id")

    def state() -> tuple[str, str]:
        described = formation.describe_change_set(ChangeSetName=change)
        return field(described, "DescribeChangeSet", "Status"), described.get("StatusReason", "")

    status, reason = _wait_while(state, _busy, _CHANGE_SET_EVERY, _CHANGE_SET_LOOKS, pause)
    if status == "CREATE_COMPLETE":
        return change
    formation.delete_change_set(ChangeSetName=change)
    if "didn't contain changes" in reason or "No updates" in reason:
        return None
    raise AwsError(f'the change set of "{stack}" failed: {reason or status}')


def changes(formation: Any, change: str) -> str:
    """The changes, a line per resource."""
    rows: list[str] = []
    for page in formation.get_paginator("describe_change_set").paginate(ChangeSetName=change):
        for entry in page.get("Changes", []):
            resource = entry.get("ResourceChange", {})
            action, name = str(resource.get("Action", "?")).lower(), resource.get("LogicalResourceId", "?")
            replaced = _REPLACEMENTS.get(resource.get("Replacement"), "")
            rows.append(f"  {action:<8}{name:<28}{resource.get('ResourceType', '?')}{replaced}")
    return "\n".join(["Changes:", *sorted(rows)])


def undo(formation: Any, stack: str, change: str, existing: Existing) -> None:
    formation.delete_change_set(ChangeSetName=change)
    if not existing.there:
        formation.delete_stack(StackName=stack)  # the empty one that a first change set leaves


def wait(formation: Any, stack: str, existing: Existing, pause: Callable[[float], None] = time.sleep) -> None:
    """Until the stack is created or updated. Raises AwsError with what failed, or where AWS gives no answer."""
    done = "UPDATE_COMPLETE" if existing.there else "CREATE_COMPLETE"
    status, _ = _wait_while(lambda: (_status(formation, stack), ""), _busy, _EVERY, _LOOKS, pause)
    if status != done:
        raise AwsError(f'"{stack}" failed: {failures(formation, stack)}')


def wait_until_deleted(
    formation: Any, stack_id: str, every: float, looks: int, pause: Callable[[float], None] = time.sleep
) -> bool:
    """Whether the stack was deleted in that time. Raises AwsError where AWS gives no answer."""

    def state() -> tuple[str, str]:
        try:
            return _status(formation, stack_id), ""
        except formation.exceptions.ClientError as error:
            if _missing(error):
                return "DELETE_COMPLETE", ""
            raise

    status, _ = _wait_while(state, _busy, every, looks, pause)
    return status == "DELETE_COMPLETE"


def _status(formation: Any, stack: str) -> str:
    return str(field(_described(formation, stack), "DescribeStacks", "StackStatus"))


def _busy(status: str) -> bool:
    """UPDATE_COMPLETE_CLEANUP_IN_PROGRESS is still busy: the next change set would be refused."""
    return status.endswith(("_IN_PROGRESS", "_PENDING"))


def _wait_while(
    state: Callable[[], tuple[str, str]],
    busy: Callable[[str], bool],
    every: float,
    looks: int,
    pause: Callable[[float], None],
) -> tuple[str, str]:
    """The first state that is not busy, or the last one seen.

    Throttling and a lost connection say nothing about the stack: the next look decides. Raises AwsError where no look
    got an answer, and botocore's exceptions for refusals that stay.
    """
    described, last_error = ("", ""), ""
    for look in range(looks):
        try:
            described, last_error = state(), ""
        except Exception as error:
            if not is_transient(error):
                raise
            last_error = error_line(error)
        else:
            if not busy(described[0]):
                return described
        if look + 1 < looks:
            pause(every)
    if last_error:
        minutes = every * looks / 60
        raise AwsError(f"no answer from CloudFormation ({last_error}); the operation goes on without this command; "
                       f"waited {minutes:.0f} minutes")  # fmt: skip
    return described


def failures(formation: Any, stack: str) -> str:
    """The first events that failed, in CloudFormation's words."""
    try:
        events = formation.describe_stack_events(StackName=stack).get("StackEvents", [])
    except aws_errors() as error:
        return f"see its events ({error_line(error)})"
    reasons = [
        f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
        if str(event.get("ResourceStatus", "")).endswith("_FAILED")
    ]
    return "; ".join(reasons[:3]) or "see its events"


def outputs(formation: Any, stack: str) -> dict[str, str]:
    """Empty where there is no such stack. Raises InputError for one of others, and AwsError."""
    try:
        answer = called(formation, "describe_stacks", StackName=stack)
    except AwsError as error:
        # Also of a name that no stack can have.
        if "ValidationError" in str(error):
            return {}
        raise
    described = field(answer, "DescribeStacks", "Stacks", 0)
    values = {entry["OutputKey"]: entry["OutputValue"] for entry in described.get("Outputs", [])}
    if "PlannerFunction" not in values:
        raise InputError("--stack", f'"{stack}" is not a stack of egressprobe: it has no output PlannerFunction')
    return values
