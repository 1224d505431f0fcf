"""What has to be done so that the clusters of the file are what is deployed. Pure.

A StackSet has at most one instance in an account and region, so several clusters of one account and region are in
several StackSets: NAME, NAME-2, NAME-3. What is deployed is read from the sets, and nothing else is remembered.

1. A cluster never moves between sets: moving would delete its probes and create them again.
2. A new cluster gets the lowest set that has no instance in its account and region, also a place that an earlier
   removal left. A place that this plan empties is not used by it: a deletion takes up to 45 minutes, and may fail.
3. A cluster that cannot be read is left with the parameters that it has.
4. Deleting takes its own consent. Without it, what is not in the file stays.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

CURRENT, INOPERABLE = "CURRENT", "INOPERABLE"


class StackChange(StrEnum):
    """What happens to the stack of a cluster. TEMPLATE: updated by the update of its set alone."""

    CREATE = "create"
    UPDATE = "update"
    TEMPLATE = "upgrade"
    DELETE = "delete"
    NOT_IN_FILE = "not in file"
    UNREAD = "not read"
    INOPERABLE = "inoperable"
    UNCHANGED = "unchanged"


# What is done by an operation on the instance itself.
ON_INSTANCE = frozenset({StackChange.CREATE, StackChange.UPDATE, StackChange.DELETE})


class DeployedStack(NamedTuple):
    """A stack instance. number: of its set, from 1 on. status: CURRENT, OUTDATED or INOPERABLE, with AWS's reason.

    created: whether there is a stack, not only an instance whose creation failed. unit: the organizational unit that
    it was deployed by, with service-managed permissions.
    """

    number: int
    account: str
    region: str
    overrides: Mapping[str, str]
    status: str = CURRENT
    created: bool = True
    reason: str = ""
    unit: str = ""

    @property
    def cluster(self) -> str:
        return self.overrides.get("ClusterName", "")


class WantedStack(NamedTuple):
    """A cluster of the file, with the parameters of its own. problem: why these are not known."""

    cluster: str
    account: str
    region: str
    overrides: Mapping[str, str]
    problem: str = ""


class PlannedStack(NamedTuple):
    """number: of the set, 0 where the cluster has none. before: the overrides as deployed. reason: for a person."""

    change: StackChange
    number: int
    cluster: str
    account: str
    region: str
    overrides: Mapping[str, str]
    before: Mapping[str, str]
    reason: str = ""
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.cluster or '(no ClusterName)'} ({self.account}, {self.region})"


class FleetPlan(NamedTuple):
    """new_sets, changed_sets: numbers of the sets to create and to update. stacks: in the file's order, then others."""

    new_sets: tuple[int, ...]
    changed_sets: tuple[int, ...]
    stacks: tuple[PlannedStack, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.new_sets or self.changed_sets or any(stack.change in ON_INSTANCE for stack in self.stacks))


def numbered_name(name: str, number: int) -> str:
    """NAME, NAME-2, NAME-3: of a set, and of a page of the fleet dashboard. number: from 1."""
    return name if number == 1 else f"{name}-{number}"


def set_number(name: str, of_set: str) -> int:
    """The number of a set of that name; 0 for another one."""
    if of_set == name:
        return 1
    number = re.fullmatch(rf"{re.escape(name)}-([1-9][0-9]{{0,3}})", of_set)
    return int(number[1]) if number and number[1] != "1" else 0


def plan_fleet(
    wanted: Sequence[WantedStack],
    deployed: Iterable[DeployedStack],
    *,
    sets: Collection[int],
    changed_sets: Collection[int],
    prune: bool = False,
) -> FleetPlan:
    """sets: those that exist. changed_sets: of these, whose template, parameters or tags differ from the wanted."""
    left: dict[tuple[str, str, str, int], DeployedStack] = {}
    by_cluster: dict[tuple[str, str, str], DeployedStack] = {}
    taken: dict[tuple[str, str], set[int]] = {}
    for stack in sorted(deployed, key=lambda stack: (stack.number, stack.account, stack.region)):
        by_cluster.setdefault((stack.account, stack.region, stack.cluster), stack)
        taken.setdefault((stack.account, stack.region), set()).add(stack.number)
        left[stack.account, stack.region, stack.cluster, stack.number] = stack
    stacks = []
    for cluster in wanted:
        existing = by_cluster.get((cluster.account, cluster.region, cluster.cluster))
        if existing is not None:
            left.pop((existing.account, existing.region, existing.cluster, existing.number), None)
            stacks.append(_planned_existing(cluster, existing, set_changes=existing.number in changed_sets))
            continue
        number = 0
        if not cluster.problem:
            place = taken.setdefault((cluster.account, cluster.region), set())
            number = next(i for i in range(1, len(place) + 2) if i not in place)
            place.add(number)
        change = StackChange.UNREAD if cluster.problem else StackChange.CREATE
        stacks.append(_planned(change, number, cluster, {}, cluster.problem))
    stacks += [_planned_other(stack, prune=prune) for stack in left.values()]
    numbers = {stack.number for stack in stacks if stack.change is StackChange.CREATE}
    return FleetPlan(tuple(sorted(numbers - set(sets))), tuple(sorted(changed_sets)), tuple(stacks))


def _planned_existing(cluster: WantedStack, existing: DeployedStack, *, set_changes: bool) -> PlannedStack:
    reason = existing.reason
    if existing.status == INOPERABLE:
        change = StackChange.INOPERABLE
    elif cluster.problem:
        change, reason = StackChange.UNREAD, cluster.problem
    elif not existing.created:
        change = StackChange.CREATE
    elif cluster.overrides != existing.overrides or (existing.status != CURRENT and not set_changes):
        change = StackChange.UPDATE
    else:
        change = StackChange.TEMPLATE if set_changes else StackChange.UNCHANGED
    return _planned(change, existing.number, cluster, existing.overrides, reason, existing.unit)


def _planned(
    change: StackChange,
    number: int,
    cluster: WantedStack,
    before: Mapping[str, str],
    reason: str = "",
    unit: str = "",
) -> PlannedStack:
    overrides = before if cluster.problem else cluster.overrides
    return PlannedStack(
        change, number, cluster.cluster, cluster.account, cluster.region, overrides, before, reason, unit
    )


def _planned_other(stack: DeployedStack, *, prune: bool) -> PlannedStack:
    change = StackChange.DELETE if prune else StackChange.NOT_IN_FILE
    return PlannedStack(
        change,
        stack.number,
        stack.cluster,
        stack.account,
        stack.region,
        stack.overrides,
        stack.overrides,
        stack.reason,
        stack.unit,
    )
