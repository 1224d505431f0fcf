"""What --color, --quiet and --verbose say, for the run of one command."""

import os
from contextvars import ContextVar
from typing import IO

COLOURS = ("auto", "always", "never")
_colour: ContextVar[str] = ContextVar("colour", default=COLOURS[0])
_level: ContextVar[int] = ContextVar("level", default=0)


def set_output(*, colour: str, quiet: bool, verbose: bool) -> None:
    """Once a command; both quiet and verbose: no progress, but the log."""
    _colour.set(colour)
    _level.set(2 * verbose - quiet)


def is_quiet() -> bool:
    """Only the first line of a table, no progress."""
    return _level.get() in (-1, 1)


def is_verbose() -> bool:
    """What is done is logged to stderr."""
    return _level.get() > 0


def has_colour(stream: IO[str]) -> bool:
    """As --color says; else never with NO_COLOR, always with CLICOLOR_FORCE, else on a terminal that is not dumb.

    https://no-color.org and https://bixense.com/clicolors.
    """
    if _colour.get() != COLOURS[0]:
        return _colour.get() == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def shows_progress(stream: IO[str]) -> bool:
    """Where a person watches, and did not ask for quiet."""
    return stream.isatty() and not is_quiet()
