"""The stack that probes a cluster: the one that was named, if it is of this cluster, or the only one that there is."""

from collections.abc import Mapping, Sequence
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
    if stack is not None:
        with failures_as_lines():
            formation = session.client("cloudformation")
            planner = outputs(formation, stack)["PlannerFunction"]
            owner = read_stack(formation, stack).parameters.get("ClusterName", "")
            if owner and owner != cluster:
                message = f'"{short(stack)}" belongs to the cluster "{short(owner)}", not to "{short(cluster)}"'
                raise InputError("--stack", message)
            return ProbingStack(stack, planner)
    try:
        stacks = stacks_by_cluster(session)
    except AwsError as error:
        raise AwsError(f"the stack of {cluster} cannot be looked up: {error}; {_EITHER}") from None
    return only_stack(stacks, cluster)


def only_stack(stacks: Mapping[str, Sequence[ProbingStack]], cluster: str) -> ProbingStack:
    """Raises InputError where the cluster has none, or several."""
    its_stacks = stacks.get(cluster, ())
    if not its_stacks:
        name = short(cluster)
        none = f'there is no stack of egressprobe for the cluster "{name}"'
        raise InputError("--stack", f"{none}; make one (make deploy CLUSTER={name}), {_EITHER}")
    if len(its_stacks) > 1:
        names = ", ".join(probing.name for probing in its_stacks)
        raise InputError("--stack", f'the cluster "{short(cluster)}" has several: {names}; name one of them')
    return its_stacks[0]


def stacks_by_cluster(session: Any) -> dict[str, list[ProbingStack]]:
    """The stacks of egressprobe in the session's region, by the cluster that they probe. Raises AwsError.

    DescribeStacks, paged, has outputs and parameters of every stack that is not deleted.
    """
    stacks: dict[str, list[ProbingStack]] = {}
    with failures_as_lines():
        for page in session.client("cloudformation").get_paginator("describe_stacks").paginate():
            for described in page.get("Stacks", []):
                cluster = _pairs(described.get("Parameters"), "Parameter").get("ClusterName")
                planner = _pairs(described.get("Outputs"), "Output").get("PlannerFunction")
                if planner and cluster:
                    stacks.setdefault(cluster, []).append(ProbingStack(str(described["StackName"]), planner))
    return stacks


def _pairs(entries: Any, kind: str) -> Mapping[str, str]:
    return {entry[f"{kind}Key"]: entry.get(f"{kind}Value", "") for entry in entries or ()}
