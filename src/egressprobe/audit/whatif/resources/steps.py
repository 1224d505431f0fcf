"""The step of one resource: its row decides; a type of networks without row touches what it names."""

from collections.abc import Iterator, Mapping
from typing import Any

from egressprobe.audit.whatif.carry_out import is_id
from egressprobe.audit.whatif.plan import EVERYTHING, PlannedCall, PlannedStep, Unmodelled
from egressprobe.audit.whatif.resources.calls import KnownResources, PlannedResource, TypeRow
from egressprobe.audit.whatif.resources.gateways import GATEWAY_TYPES
from egressprobe.audit.whatif.resources.groups import GROUP_TYPES
from egressprobe.audit.whatif.resources.network import NETWORK_TYPES
from egressprobe.audit.whatif.resources.routes import ROUTE_TYPES

ROWS: dict[str, TypeRow] = ROUTE_TYPES | GROUP_TYPES | GATEWAY_TYPES | NETWORK_TYPES
_IGNORED = ("tags", "tags_all", "timeouts", "description", "id", "arn", "region", "owner_id", "Tags", "Description")


def step_of(resource: PlannedResource, known: KnownResources, name: str = "") -> PlannedStep | None:
    """Of a resource whose type has a row; None where the change touches no path. name: instead of the address."""
    calls: list[PlannedCall] = []
    missing: list[Unmodelled] = []
    try:
        for effect in _effects(resource, ROWS[resource.type], known):
            if isinstance(effect, PlannedCall):
                calls.append(effect)
            else:
                missing.append(effect)
    except Exception as error:  # an odd value, or an error of ours: this resource is unknown, and no other
        why = f"egressprobe cannot read {resource.address} ({type(error).__name__})"
        calls, missing = [], [Unmodelled(why, frozenset({EVERYTHING}))]
    if not calls and not missing:
        return None
    return PlannedStep(name or resource.address, resource.action, tuple(calls), tuple(missing))


def _effects(resource: PlannedResource, row: TypeRow, known: KnownResources) -> Iterator[PlannedCall | Unmodelled]:
    before, after = resource.before or {}, resource.after or {}
    if resource.action in ("delete", "replace"):
        yield from row.delete(resource, before, known)
    if resource.action in ("create", "replace"):
        yield from row.create(resource, after, known)
    if resource.action == "update" and resource.changed(*_IGNORED):
        if row.update is not None:
            yield from row.update(resource, before, after, known)
        else:
            yield from row.delete(resource, before, known)
            yield from row.create(resource, after, known)


def unmodelled_step(resource: PlannedResource, name: str = "") -> PlannedStep | None:
    """Of a type of networks without row: it may touch the paths that consult an id that it names. None for an update of
    what touches no path.
    """
    if resource.action == "update" and not resource.changed(*_IGNORED):
        return None
    ids = {text for values in (resource.before, resource.after) for text in _texts(values) if is_id(text)}
    unmodelled = Unmodelled(f"{resource.type} is not modelled", frozenset(ids or {EVERYTHING}))
    return PlannedStep(name or resource.address, resource.action, (), (unmodelled,))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
