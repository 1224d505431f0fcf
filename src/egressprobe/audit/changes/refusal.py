"""What AWS refuses, and how the changed item of a list is found."""

from collections.abc import Sequence
from typing import Protocol

# Not AWS's: what the change does is not known here.
UNMODELLED = "Unmodelled"


class ChangeRefused(Exception):  # noqa: N818 (an expected answer of AWS)
    """code: of AWS's error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class NotInSnapshot(ChangeRefused):
    """What is to be changed is not in the snapshot: it does not exist, or it is in another VPC."""


class Identified(Protocol):
    """An item of a snapshot."""

    @property
    def id(self) -> str: ...


def find[T: Identified](items: Sequence[T] | None, name: str, code: str) -> T:
    """Raises NotInSnapshot with AWS's code for an id that does not exist; ChangeRefused for a list that is not read."""
    if items is None:
        raise ChangeRefused(UNMODELLED, f"the list that {name} is in could not be read")
    item_or_none = next((item for item in items if item.id == name), None)
    if item_or_none is None:
        raise NotInSnapshot(code, f"{name} does not exist")
    return item_or_none


def swap[T: Identified](items: Sequence[T] | None, changed: T) -> tuple[T, ...]:
    """The list with the item of the same id replaced."""
    return tuple(changed if item.id == changed.id else item for item in items or ())


def without[T: Identified](items: Sequence[T] | None, name: str) -> tuple[T, ...]:
    """The list without the item of this id."""
    return tuple(item for item in items or () if item.id != name)
