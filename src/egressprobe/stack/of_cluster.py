"""The stack that probes a cluster: the one that was named, if it is of this cluster, or the only one that there is."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from egressprobe.model.errors import AwsError, InputError, short
from egressprobe.stack.aws_answers import failures_as_lines
from egressprobe.stack.cloudformation import outputs, read_stack

_EITHER = "give --stack NAME, or --local to probe from this computer"


class ProbingStack(NamedTuple):
    """planner: ARN of the Planner."""

    name: str
    planner: str


def probing_stack(session: Any, cluster: str, stack: str | None) -> ProbingStack:
    """Raises InputError for a stack of another cluster, none, or several; AwsError where AWS does not answer."""
    with failures_as_lines():
        formation = session.client("cloudformation")
        if stack is not None:
            planner = outputs(formation, stack)["PlannerFunction"]
            owner = read_stack(formation, stack).parameters.get("ClusterName", "")
            if owner and owner != cluster:
                message = f'"{short(stack)}" belongs to the cluster "{short(owner)}", not to "{short(cluster)}"'
                raise InputError("--stack", message)
            return ProbingStack(stack, planner)
    try:
        with failures_as_lines():
            stacks = list(_of(formation, cluster))
    except AwsError as error:
        raise AwsError(f"the stack of {cluster} cannot be looked up: {error}; {_EITHER}") from None
    if not stacks:
        raise InputError("--stack", f'there is no stack of egressprobe for the cluster "{short(cluster)}"; {_EITHER}')
    if len(stacks) > 1:
        names = ", ".join(probing.name for probing in stacks)
        raise InputError("--stack", f'the cluster "{short(cluster)}" has several: {names}; name one of them')
    return stacks[0]


def _of(formation: Any, cluster: str) -> Iterator[ProbingStack]:
    """DescribeStacks, paged, has outputs and parameters of every stack that is not deleted."""
    for page in formation.get_paginator("describe_stacks").paginate():
        for described in page.get("Stacks", []):
            parameters = _pairs(described.get("Parameters"), "Parameter")
            planner = _pairs(described.get("Outputs"), "Output").get("PlannerFunction")
            if planner and parameters.get("ClusterName") == cluster:
                yield ProbingStack(str(described["StackName"]), planner)


def _pairs(entries: Any, kind: str) -> Mapping[str, str]:
    return {entry[f"{kind}Key"]: entry.get(f"{kind}Value", "") for entry in entries or ()}
