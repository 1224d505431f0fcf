"""What a stack is, from its outputs and parameters, and the targets of its plan, from its schedules."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import called
from egressprobe.model.errors import AwsError, InputError, short
from egressprobe.model.target import Target
from egressprobe.observability.flows.result import ObservedSubnet
from egressprobe.planner.scheduler_api import list_schedules
from egressprobe.stack.aws_answers import failures_as_lines
from egressprobe.targets.spec import read_target

_MOST_NAMED = 5


class StackFacts(NamedTuple):
    """planner: ARN. groups: of the probes. probe_logs, planner_logs: names of log groups. detail: MetricDetail."""

    name: str
    cluster: str
    planner: str
    schedules: str
    probe_logs: str
    planner_logs: str
    subnets: tuple[ObservedSubnet, ...]
    groups: tuple[str, ...]
    detail: str
    family: str


def read_facts(session: Any, stack: str) -> StackFacts:
    """DescribeStacks. Raises InputError for a stack that does not exist or is not of egressprobe, AwsError."""
    with failures_as_lines():
        formation = session.client("cloudformation")
        try:
            described = called(formation, "describe_stacks", StackName=stack)["Stacks"][0]
        except AwsError as error:
            if "does not exist" in str(error):
                raise InputError("--stack", f'there is no stack "{short(stack)}" in {session.region_name}') from None
            raise
    outputs = {entry["OutputKey"]: entry.get("OutputValue", "") for entry in described.get("Outputs") or ()}
    parameters = {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in described.get("Parameters") or ()}
    if "PlannerFunction" not in outputs or "ProbeLogGroup" not in outputs:
        raise InputError("--stack", f'"{short(stack)}" is not a stack of egressprobe: it has no output PlannerFunction')
    probe_logs = outputs["ProbeLogGroup"]
    return StackFacts(
        name=stack,
        cluster=parameters.get("ClusterName", ""),
        planner=outputs["PlannerFunction"],
        schedules=outputs.get("ScheduleGroup", ""),
        probe_logs=probe_logs,
        planner_logs=f"{probe_logs.rpartition('/')[0]}/planner",  # template.yaml, PlannerLogs
        subnets=tuple(_subnets(parameters.get("Subnets", ""))),
        groups=tuple(filter(None, parameters.get("SecurityGroupIds", "").split(","))),
        detail=parameters.get("MetricDetail", "target"),
        family=parameters.get("IpFamily", "ipv4"),
    )


def _subnets(text: str) -> Iterable[ObservedSubnet]:
    """SUBNET/ZONE, slot by slot; `-` is an empty slot."""
    for slot in text.split(","):
        subnet, _, zone = slot.partition("/")
        if subnet.startswith("subnet-"):
            yield ObservedSubnet(subnet, zone)


class PlannedTargets(NamedTuple):
    """targets: by name. unreadable: names of others, which another version may have written."""

    targets: list[Target]
    unreadable: list[str]


def planned_targets(session: Any, group: str) -> PlannedTargets:
    """The targets of the stack's schedules. Raises AwsError."""
    targets: dict[str, Target] = {}
    unreadable: dict[str, None] = {}
    with failures_as_lines():
        schedules = list_schedules(session.client("scheduler"), group)
    for _, schedule in sorted(schedules.items()):
        for raw in _raw_targets(schedule):
            # The bundle decides about the handshake; nothing here does.
            fields = {key: raw[key] for key in raw if not key.startswith("caBundle")}
            try:
                target, _ = read_target(fields, "", {})
                targets.setdefault(target.name, target)
            except InputError:
                unreadable[short(str(raw.get("name")))] = None
    return PlannedTargets([targets[name] for name in sorted(targets)], sorted(unreadable))


def _raw_targets(schedule: dict[str, Any]) -> list[dict[str, Any]]:
    with suppress(KeyError, TypeError, ValueError, RecursionError):
        raw = json.loads(schedule["Target"]["Input"])["plan"]["targets"]
        return [target for target in raw if isinstance(target, dict)]
    return []


def chosen_targets(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    """Those that are named, exactly or by a glob in any case; all without names. Raises InputError for one of none."""
    if not names:
        return list(targets)
    picked: dict[str, Target] = {}
    for name in names:
        matching = [t for t in targets if t.name == name or fnmatchcase(t.name.lower(), name.lower())]
        if not matching:
            known = some([target.name for target in targets])
            raise InputError("TARGET", f'"{short(name)}" is not in the stack\'s plan; there are: {known}')
        picked |= {target.name: target for target in matching}
    return list(picked.values())


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return (", ".join(names[:_MOST_NAMED]) or "none") + (f" and {more} more" if more > 0 else "")
