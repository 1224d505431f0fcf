"""What the modules of resource types share: how attributes become parameters, and a row of their tables."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from egressprobe.audit.whatif.plan import KnownAfterApply, PlannedCall, Unmodelled
from egressprobe.audit.whatif.terraform.document import Document, TerraformResource

type Values = Mapping[str, Any]
type Effects = Iterator[PlannedCall | Unmodelled]


class TypeRow(NamedTuple):
    """What a resource type does when it is created, deleted and updated. update: None where every change of what
    matters replaces it.
    """

    create: Callable[[TerraformResource, Values, Document], Effects]
    delete: Callable[[TerraformResource, Values, Document], Effects]
    update: Callable[[TerraformResource, Values, Values, Document], Effects] | None = None


def nothing(*_: Any) -> Effects:
    yield from ()


def picked(values: Values, names: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """Parameters by attribute; what is not set is left out."""
    given = {parameter: values.get(name) for name, parameter in names.items()}
    return {name: value for name, value in (given | more).items() if value not in (None, "", [])}


def simple(operation: str, names: Mapping[str, str], *, created: bool = False) -> Callable[..., Effects]:
    """One call with these attributes. created: it creates what the resource is."""

    def calls(resource: TerraformResource, values: Values, _: Document) -> Effects:
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
