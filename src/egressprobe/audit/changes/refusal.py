"""What AWS refuses, and how the changed item of a list is found."""

from collections.abc import Sequence
from typing import Protocol


class ChangeRefused(Exception):  # noqa: N818 (an expected answer of AWS)
    """code: of AWS's error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Identified(Protocol):
    """An item of a snapshot."""

    @property
    def id(self) -> str: ...


def find[T: Identified](items: Sequence[T] | None, name: str, code: str) -> T:
    """Raises ChangeRefused with AWS's code for an id that does not exist."""
    item_or_none = next((item for item in items or () if item.id == name), None)
    if item_or_none is None:
        raise ChangeRefused(code, f"{name} does not exist")
    return item_or_none


def swap[T: Identified](items: Sequence[T] | None, changed: T) -> tuple[T, ...]:
    """The list with the item of the same id replaced."""
    return tuple(changed if item.id == changed.id else item for item in items or ())
