"""Standard input, output and error, whatever they are: closed, full, of another encoding."""

import os
import sys
from io import TextIOWrapper


def prepare_streams() -> None:
    """A closed one is /dev/null: Python has None there, and what is written would be an error of ours.

    One that is ASCII, say, gets escapes for other characters, not an error.
    """
    sys.stdin = sys.stdin or _nothing("r")
    sys.stdout = sys.stdout or _nothing("w")
    sys.stderr = sys.stderr or _nothing("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nothing(mode: str) -> TextIOWrapper:
    return TextIOWrapper(open(os.devnull, f"{mode}b"), encoding="utf-8")  # noqa: PTH123 (until the end)
