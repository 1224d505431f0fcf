"""The resources of a Terraform plan with their values before and after; what Terraform does not know is found if
possible (references.py).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from egressprobe.audit.whatif.plan import Action
from egressprobe.audit.whatif.resources.calls import PlannedResource
from egressprobe.audit.whatif.terraform.references import TYPES, ExpressionPlace, Instance, PlanConfiguration, unknown

_ACTIONS: dict[tuple[str, ...], Action] = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    # `forget` leaves what exists alone.
    ("create", "forget"): "create",
    ("forget", "create"): "create",
}
_MODULE = re.compile(r'module\.([\w-]+)(?:\[(?:"((?:[^"\\]|\\.)*)"|(\d+))\])?')


class WrongShapeError(ValueError):
    """The document is not what `terraform show -json` prints."""


class Document:
    """A plan. Raises WrongShapeError for what does not have its shape."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        changes = document.get("resource_changes")
        if changes is None:
            changes = []
        if not isinstance(changes, list) or not all(isinstance(change, Mapping) for change in changes):
            raise WrongShapeError("resource_changes is not a list of objects")
        self._changes = [change for change in changes if change.get("mode") == "managed"]
        for change in self._changes:
            _checked(change)
        self._configuration = PlanConfiguration(document, map(_instance, self._changes))

    def resources(self) -> Iterator[PlannedResource]:
        """Those that change."""
        for change in self._changes:
            action = _ACTIONS.get(tuple(change["change"]["actions"]))
            if action is not None:
                yield self._resource(change, action)

    def unchanged(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The values of every resource of a type that stays as it is."""
        for change in self._changes:
            if change["type"] == kind and tuple(change["change"]["actions"]) == ("no-op",):
                yield change["change"].get("before") or {}

    def secrets(self) -> Iterator[str]:
        """Texts that are marked sensitive."""
        for change in self._changes:
            values = change["change"]
            for side in ("before", "after"):
                yield from _marked(values.get(side), values.get(f"{side}_sensitive"))

    def _resource(self, change: Mapping[str, Any], action: Action) -> PlannedResource:
        values, instance = change["change"], _instance(change)
        block = self._configuration.resource(instance.module, change["type"], change["name"])
        expressions = (block or {}).get("expressions")
        place = ExpressionPlace(instance.module, instance.keys, instance.key, (block or {}).get("for_each_expression"))
        after = values.get("after")
        if after is not None or values.get("after_unknown"):
            after = self._filled(after or {}, values.get("after_unknown"), expressions, place)
        before = values.get("before")
        return PlannedResource(
            change["address"], change["type"], action, before, after if action != "delete" else None, _new_id(change)
        )

    def _filled(self, after: Mapping[str, Any], hidden: Any, written: Any, place: ExpressionPlace) -> dict[str, Any]:
        """The values of one object, with what is not known found by its expressions, or marked.

        What nothing is written for is computed by the provider, and is left out.
        """
        values = dict(after)
        if not isinstance(hidden, Mapping):
            return values
        for name, mark in hidden.items():
            # An expression for the whole object instead of a block.
            whole = written if isinstance(written, Mapping) and "references" in written else None
            expression = whole or (written.get(name) if isinstance(written, Mapping) else None)
            if mark is True:
                if expression is None and (isinstance(written, Mapping) or name not in TYPES):
                    values.pop(name, None)
                    continue
                ids = self._configuration.find(name, expression, place, many=name.endswith(("_ids", "_groups")))
                values[name] = _value(name, ids)
            elif mark:
                values[name] = self._part(name, values.get(name), mark, expression, place)
        return values

    def _part(self, name: str, value: Any, mark: Any, expression: Any, place: ExpressionPlace) -> Any:
        """A list or object of which a part is not known."""
        if isinstance(value, Mapping):
            return self._filled(value, mark, expression, place)
        if not isinstance(value, list) or not isinstance(mark, list):
            return value
        if all(each is None or isinstance(each, str) for each in value):
            known = [each for each in value if each is not None]
            ids = self._configuration.find(name, expression, place, many=True)
            missing = len(value) - len(known)
            fits = ids is not None and len(set(ids) - set(known)) == missing
            return [*known, *sorted(set(ids or ()) - set(known))] if fits else unknown(name)
        return [
            self._filled(each, part, _block(expression, each, len(value)), place) if isinstance(each, Mapping) else each
            for each, part in zip(value, [*mark, *[False] * len(value)], strict=False)
        ]


def _value(name: str, ids: list[str] | None) -> Any:
    if ids is None:
        return unknown(name)
    return ids if name.endswith(("_ids", "_groups")) else ids[0]


def _block(expression: Any, element: Mapping[str, Any], count: int) -> Any:
    """The nested block that an element of a set is written in: by the constants that it has."""
    if not isinstance(expression, list):
        return expression
    if len(expression) == count == 1:
        return expression[0]
    fitting = [block for block in expression if isinstance(block, Mapping) and _fits(block, element)]
    return fitting[0] if len(fitting) == 1 else {name: [block.get(name) for block in fitting] for name in element}


def _fits(block: Mapping[str, Any], element: Mapping[str, Any]) -> bool:
    constants = {
        name: part["constant_value"]
        for name, part in block.items()
        if isinstance(part, Mapping) and "constant_value" in part
    }
    return all(element.get(name) in (value, str(value)) for name, value in constants.items())


def _checked(change: Mapping[str, Any]) -> None:
    for name in ("address", "type", "name"):
        if not isinstance(change.get(name), str):
            raise WrongShapeError(f"a resource change has no {name}")
    values = change.get("change")
    if not isinstance(values, Mapping) or not isinstance(values.get("actions"), list):
        raise WrongShapeError(f"{change['address']} has no change with actions")
    for side in ("before", "after"):
        if not isinstance(values.get(side), Mapping | None):
            raise WrongShapeError(f"{side} of {change['address']} is not an object")


def _instance(change: Mapping[str, Any]) -> Instance:
    modules = [(match[1], _key(match)) for match in _MODULE.finditer(str(change.get("module_address") or ""))]
    values = change["change"]
    actions = tuple(values["actions"])
    existing = str((values.get("before") or {}).get("id") or "")
    name = _new_id(change) if "create" in actions else existing
    return Instance(
        tuple(name for name, _ in modules),
        tuple(key for _, key in modules),
        change["type"],
        change["name"],
        change.get("index"),
        name,
    )


def _key(match: re.Match[str]) -> str | int | None:
    return int(match[3]) if match[3] is not None else match[2]


# Ids whose kind is seen by their beginning (vpc/snapshot.py).
_PREFIXED = {"aws_ec2_managed_prefix_list": "pl-", "aws_eip": "eipalloc-"}


def _new_id(change: Mapping[str, Any]) -> str:
    return f"{_PREFIXED.get(change['type'], '')}{change['address']}"


def _marked(value: Any, mark: Any) -> Iterator[str]:
    if mark is True:
        yield from _leaves(value)
    elif isinstance(mark, Mapping) and isinstance(value, Mapping):
        for name, part in mark.items():
            yield from _marked(value.get(name), part)
    elif isinstance(mark, list) and isinstance(value, list):
        for each, part in zip(value, mark, strict=False):
            yield from _marked(each, part)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
