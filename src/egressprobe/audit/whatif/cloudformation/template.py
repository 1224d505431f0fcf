"""Properties that a change set does not know, found by the template: which resource of the stack they refer to.

A change set has `{{changeSet:KNOWN_AFTER_APPLY}}` where AWS assigns the value. The template has `Ref` or `Fn::GetAtt`
there; a resource that the change set adds or replaces is then named by its logical id.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from egressprobe.audit.whatif.plan import KnownAfterApply

# CloudFormation API Reference, ResourceTargetDefinition.
AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
_MOST_DEPTH = 12


class StackTemplate:
    """ids: of the resources of the stack by logical id, as the snapshot has them, or will have them."""

    def __init__(self, template: Mapping[str, Any] | None, ids: Mapping[str, str]) -> None:
        resources = (template or {}).get("Resources")
        self._resources: Mapping[str, Any] = resources if isinstance(resources, Mapping) else {}
        self._given, self._ids = template is not None, ids

    def filled(self, logical_id: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The properties with what is not known found, or marked."""
        resource = self._resources.get(logical_id)
        written = resource.get("Properties") if isinstance(resource, Mapping) else None
        filled: dict[str, Any] = self._part("", properties, written)
        return filled

    def _part(self, name: str, value: Any, written: Any) -> Any:
        if value == AFTER_APPLY:
            return self._found(name, written)
        if isinstance(value, Mapping):
            inner = written if isinstance(written, Mapping) else {}
            return {key: self._part(key, each, inner.get(key)) for key, each in value.items()}
        if isinstance(value, list):
            parts = written if isinstance(written, list) and len(written) == len(value) else [None] * len(value)
            return [self._part(name, each, part) for each, part in zip(value, parts, strict=True)]
        if isinstance(value, str) and AFTER_APPLY in value:
            return KnownAfterApply(f"the change set does not know {name}")
        return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value

    def _found(self, name: str, written: Any) -> Any:
        names = list(dict.fromkeys(_referred(written, _MOST_DEPTH)))
        ids = [self._ids[each] for each in names if each in self._ids]
        if isinstance(written, list) and len(ids) == len(names) == len(written):
            return ids
        if len(ids) == 1:
            return ids[0]
        hint = "" if self._given else " (--template gives the template)"
        return KnownAfterApply(f"the change set does not know {name}{hint}")


def _referred(written: Any, depth: int) -> Iterator[str]:
    """Logical ids that an expression refers to, in whatever function it is."""
    if depth <= 0:
        return
    if isinstance(written, list):
        for each in written:
            yield from _referred(each, depth - 1)
    elif isinstance(written, Mapping):
        for key, value in written.items():
            if key == "Ref" and isinstance(value, str):
                yield value
            elif key == "Fn::GetAtt":
                yield (value.split(".")[0] if isinstance(value, str) else str(value[0] if value else ""))
            else:
                yield from _referred(value, depth - 1)
