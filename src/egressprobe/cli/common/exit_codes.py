"""Exit codes of every command, and the one way to write a message.

0 pass, 1 our own error, 2 bad input, 3 at least one fail, 4 degraded or unknown only.
"""

import sys

from egressprobe.cli.output.terminal import printable
from egressprobe.model.target import Verdict

OK, OUR_ERROR, BAD_INPUT, FAILED, NOT_SURE = 0, 1, 2, 3, 4
EXIT_CODES = {Verdict.PASS: OK, Verdict.FAIL: FAILED, Verdict.DEGRADED: NOT_SURE, Verdict.UNKNOWN: NOT_SURE}


def message(text: str) -> None:
    """One line on stderr; other parties' text in it cannot control the terminal."""
    print(printable(text), file=sys.stderr)
