"""`python -m egressprobe`, and what the installed commands start: the command line."""

import signal
import sys


def start() -> int:
    """Run the command line. Ctrl-C while it is imported, a third of a second, ends it without a traceback."""
    from_terminal = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else ignored, by nohup for example
    if from_terminal:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from egressprobe.cli.main import main

    if from_terminal:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return main()


if __name__ == "__main__":
    sys.exit(start())
