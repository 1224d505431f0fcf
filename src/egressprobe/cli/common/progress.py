"""What a command is doing, in one line of a terminal that is written over; in a pipe it would be noise."""

import sys
from typing import Self

from egressprobe.cli.output.terminal import printable
from egressprobe.cli.settings.output import shows_progress

_CLEAR = "\r\x1b[K"  # ECMA-48: erase to the end of the line


class ProgressLine:
    """Shows its texts on stderr. Used as a context, it is gone when the command prints its result or a message."""

    def __init__(self) -> None:
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._shown:
            print(_CLEAR, end="", file=sys.stderr, flush=True)

    def __call__(self, text: str) -> None:
        if shows_progress(sys.stderr):
            self._shown = True
            print(f"{_CLEAR}{printable(text, 76)[:76]}", end="", file=sys.stderr, flush=True)
