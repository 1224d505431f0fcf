"""Errors that a person can act on, and their texts."""

import traceback
from collections.abc import Sequence

from egressprobe.model.text import with_ellipsis

_MAX_SHOWN, _MAX_LINE = 60, 2000


class InputError(ValueError):
    """One printable line: the place in the input, what is wrong there, and what to write instead."""

    def __init__(self, place: str, message: str) -> None:
        self.place, self.message = place, message
        super().__init__(_printable(f"{place}: {message}" if place else message)[:_MAX_LINE])

    @property
    def mistakes(self) -> "tuple[InputError, ...]":
        """Every mistake that was found: this one, unless it is a `MistakesError`."""
        return (self,)


class MistakesError(InputError):
    """Mistakes of one input. As a line it is the first of them, with the number of the others."""

    def __init__(self, mistakes: Sequence[InputError]) -> None:
        first, more = mistakes[0], len(mistakes) - 1
        super().__init__(first.place, f"{first.message} (and {more} more mistake{'s' * (more > 1)})")
        self._mistakes = tuple(mistakes)

    @property
    def mistakes(self) -> tuple[InputError, ...]:
        return self._mistakes


def input_error(mistakes: Sequence[InputError]) -> InputError:
    """What to raise for one or several mistakes."""
    return mistakes[0] if len(mistakes) == 1 else MistakesError(mistakes)


class AwsError(RuntimeError):
    """AWS refused or could not be reached, or a function failed: one line, with AWS's message."""


def _printable(text: str) -> str:
    """Text of others must not end a line, move the cursor, or be impossible to encode."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def os_words(error: OSError) -> str:
    """The operating system's text for an error on a file, in lower case."""
    return (error.strerror or str(error)).lower()


def stack_of(error: BaseException) -> str:
    """Where an unexpected error was raised, without its text, which may hold a secret."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}"


def short(text: str) -> str:
    """Text of a user for a message: at most 60 characters, unprintable ones as `?`."""
    return with_ellipsis(_printable(text), _MAX_SHOWN)
