"""Standard output whose reader is gone, as that of `| head`."""

import os
import sys
from contextlib import suppress


def drop_stdout() -> None:
    """What is still buffered has nowhere to go; the interpreter would try it again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
