"""Errors that a person can act on, and their texts."""

import traceback

_MAX_SHOWN = 60


class InputError(ValueError):
    """One line: the place in the input, what is wrong there, and what to write instead."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)


class AwsError(RuntimeError):
    """AWS refused or could not be reached, or a function failed: one line, with AWS's message."""


def os_words(error: OSError) -> str:
    """The operating system's text for an error on a file, in lower case."""
    return (error.strerror or str(error)).lower()


def stack_of(error: BaseException) -> str:
    """Where an unexpected error was raised, without its text, which may hold a secret."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}"


def short(text: str) -> str:
    """Text of a user for a message: at most 60 characters, unprintable ones as `?`."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= _MAX_SHOWN else clean[: _MAX_SHOWN - 1] + "…"
