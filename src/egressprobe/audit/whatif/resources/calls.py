"""A resource of a plan, and what the modules of resource types share: how attributes become parameters, a row."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from egressprobe.audit.whatif.plan import Action, KnownAfterApply, PlannedCall, Unmodelled

type Values = Mapping[str, Any]
type Effects = Iterator[PlannedCall | Unmodelled]


class PlannedResource(NamedTuple):
    """One resource instance that changes. before, after: None where it does not exist; new: its name in the snapshot
    if it is created. exists: the id that it has now.
    """

    address: str
    type: str
    action: Action
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    new: str

    @property
    def exists(self) -> str:
        return str((self.before or {}).get("id") or "")

    @property
    def id(self) -> str:
        """As the other steps of the plan name it."""
        return self.new if self.action in ("create", "replace") else self.exists

    def changed(self, *ignored: str) -> set[str]:
        """Attributes that differ."""
        before, after = self.before or {}, self.after or {}
        return {name for name in {*before, *after} - {*ignored} if before.get(name) != after.get(name)}


class KnownResources(Protocol):
    """What else the plan knows."""

    def unchanged(self, kind: str) -> Iterable[Values]:
        """The values of every resource of a type that stays as it is."""
        ...


class TypeRow(NamedTuple):
    """What a resource type does when it is created, deleted and updated. update: None where that is to
    delete and to create it.
    """

    create: Callable[[PlannedResource, Values, KnownResources], Effects]
    delete: Callable[[PlannedResource, Values, KnownResources], Effects]
    update: Callable[[PlannedResource, Values, Values, KnownResources], Effects] | None = None


def nothing(*_: Any) -> Effects:
    yield from ()


def picked(values: Values, names: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """Parameters by attribute; what is not set is left out."""
    given = {parameter: values.get(name) for name, parameter in names.items()}
    return {name: value for name, value in (given | more).items() if value not in (None, "", [])}


def simple(operation: str, names: Mapping[str, str], *, created: bool = False) -> Callable[..., Effects]:
    """One call with these attributes. created: it creates what the resource is."""

    def calls(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
        yield PlannedCall(operation, picked(values, names), resource.new if created else "")

    return calls


def listed(values: Values, name: str) -> list[Any] | None:
    """A set or list; None where it is not known."""
    value = values.get(name)
    if isinstance(value, KnownAfterApply):
        return None
    return list(value) if isinstance(value, list | tuple) else []


def texts(value: Any) -> set[str]:
    return {str(each) for each in value} if isinstance(value, list | tuple) else set()


def is_known(values: Iterable[Any]) -> bool:
    return not any(isinstance(value, KnownAfterApply) for value in values)
