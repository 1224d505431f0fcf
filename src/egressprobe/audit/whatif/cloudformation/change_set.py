"""A change set, or several (of nested stacks), as a ChangePlan: a step for each resource that can touch a path.

Sources: CloudFormation API Reference, DescribeChangeSet, ResourceChange (BeforeContext and AfterContext are JSON in a
string; Replacement `True`: a new resource is created before the old one is deleted).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from egressprobe.audit.whatif.cloudformation.template import StackTemplate
from egressprobe.audit.whatif.cloudformation.types import HARMLESS, NETWORKS, TYPES
from egressprobe.audit.whatif.plan import EVERYTHING, Action, ChangePlan, PlannedStep, Unmodelled
from egressprobe.audit.whatif.resources.calls import PlannedResource, Values
from egressprobe.audit.whatif.resources.steps import ROWS, step_of, unmodelled_step

_ACTIONS: dict[str, Action] = {"Add": "create", "Modify": "update", "Remove": "delete"}
# Ids whose kind is seen by their beginning (vpc/snapshot.py).
_PREFIXES = {"AWS::EC2::PrefixList": "pl-", "AWS::EC2::EIP": "eipalloc-"}
CHANGE_SET = "CloudFormation change set"  # the kind of the plan
_NESTED = "AWS::CloudFormation::Stack"


class WrongChangeSetError(ValueError):
    """The document is not what DescribeChangeSet answers."""


def is_change_set(document: Any) -> bool:
    """One, or a list of them."""
    listed = document if isinstance(document, list) else [document]
    return bool(listed) and all(isinstance(each, Mapping) and {"Changes", "changes"} & each.keys() for each in listed)


def read_change_sets(document: Any, template: Mapping[str, Any] | None = None) -> ChangePlan:
    """Raises ValueError for a change set that is not whole."""
    sets = [_upper(each) for each in (document if isinstance(document, list) else [document])]
    known = {str(each.get("ChangeSetId") or "") for each in sets}
    steps: list[PlannedStep] = []
    ignored = 0
    for each in sets:
        if each.get("Status") in ("FAILED", "CREATE_PENDING", "CREATE_IN_PROGRESS"):
            raise WrongChangeSetError(
                f"the change set is {each['Status']}: {each.get('StatusReason') or 'wait for it'}"
            )
        if each.get("NextToken"):
            raise WrongChangeSetError(
                "has only the first page of the changes (NextToken): describe it without --no-paginate"
            )
        changes = list(_changes(each))
        stack = StackTemplate(template if len(sets) == 1 else None, dict(_ids(changes)))
        for change in changes:
            step = _step(change, stack, known)
            if step is None:
                ignored += 1
            else:
                steps.append(step)
    return ChangePlan(CHANGE_SET, tuple(steps), ignored=ignored)


def _upper(document: Mapping[str, Any]) -> dict[str, Any]:
    """The console's JSON begins names with small letters."""
    return {name[:1].upper() + name[1:]: value for name, value in document.items()}


def _changes(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    listed = document.get("Changes") or []
    if not isinstance(listed, list):
        raise WrongChangeSetError("Changes is not a list")
    for each in listed:
        change = _upper(each).get("ResourceChange") if isinstance(each, Mapping) else None
        if change is None:
            continue  # of a hook
        if not isinstance(change, Mapping):
            raise WrongChangeSetError("a ResourceChange is not an object")
        resource = _upper(change)
        for name in ("LogicalResourceId", "ResourceType", "Action"):
            if not isinstance(resource.get(name), str):
                raise WrongChangeSetError(f"a ResourceChange has no {name}")
        yield resource


def _ids(changes: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Of each resource after the change."""
    for change in changes:
        existing = change.get("PhysicalResourceId")
        new = change["Action"] == "Add" or change.get("Replacement") == "True"
        yield change["LogicalResourceId"], _new_id(change) if new or not existing else str(existing)


def _new_id(change: Mapping[str, Any]) -> str:
    return f"{_PREFIXES.get(change['ResourceType'], '')}{change['LogicalResourceId']}"


def _step(change: Mapping[str, Any], stack: StackTemplate, known: set[str]) -> PlannedStep | None:
    """None for a resource that cannot touch a path."""
    kind, name = change["ResourceType"], f"{change['LogicalResourceId']} {change['ResourceType']}"
    if kind == _NESTED:
        if change.get("ChangeSetId") in known:
            return None
        why = "the changes of this nested stack are in a change set of their own: give them together, in one JSON list"
        return PlannedStep(name, _action(change), (), (Unmodelled(why, frozenset({EVERYTHING})),))
    if kind not in TYPES and (not NETWORKS.match(kind) or HARMLESS.match(kind)):
        return None
    before, after = _properties(change, "BeforeContext"), _properties(change, "AfterContext")
    if (before is None and change["Action"] != "Add") or (after is None and change["Action"] != "Remove"):
        physical = str(change.get("PhysicalResourceId") or "").partition("|")[0]
        why = "the change set has no property values: describe it with --include-property-values"
        return PlannedStep(name, _action(change), (), (Unmodelled(why, frozenset({physical or EVERYTHING})),))
    filled = stack.filled(change["LogicalResourceId"], after) if after is not None else None
    resource = _resource(change, stack.filled("", before) if before is not None else None, filled)
    return step_of(resource, _Nothing(), name) if resource.type in ROWS else unmodelled_step(resource, name)


class _Nothing:
    """A change set has nothing about resources that stay as they are."""

    def unchanged(self, _: str) -> Iterator[Values]:
        return iter(())


def _action(change: Mapping[str, Any]) -> Action:
    if change["Action"] == "Modify" and change.get("Replacement") == "True":
        return "replace"
    return _ACTIONS.get(change["Action"], "update")


def _resource(
    change: Mapping[str, Any], before: dict[str, Any] | None, after: dict[str, Any] | None
) -> PlannedResource:
    convert = TYPES.get(change["ResourceType"])
    kind = change["ResourceType"]
    old: dict[str, Any] | None = before
    new: dict[str, Any] | None = after
    if convert is not None:
        sides = [convert(side) if side is not None else None for side in (before, after)]
        kind = next(side.type for side in reversed(sides) if side is not None)
        old, new = (side.attributes if side is not None else None for side in sides)
    if old is not None:
        old = old | {"id": change.get("PhysicalResourceId") or ""}
    return PlannedResource(change["LogicalResourceId"], kind, _action(change), old, new, _new_id(change))


def _properties(change: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    text = change.get(name)
    if not isinstance(text, str) or not text:
        return None
    try:
        context = json.loads(text)
    except (ValueError, RecursionError):
        raise WrongChangeSetError(f"{name} of {change['LogicalResourceId']} is not JSON") from None
    properties = context.get("Properties") if isinstance(context, Mapping) else None
    return dict(properties) if isinstance(properties, Mapping) else {}
