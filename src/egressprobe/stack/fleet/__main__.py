"""`python -m egressprobe.stack.fleet FILE`, for the Makefile: deploy the clusters of a file by StackSets.

Exit codes: 0 everything is as in the file, 1 a cluster is not, or AWS's error, 2 bad input, 130 stopped by a person.
"""

import argparse
import sys
from collections.abc import Sequence

from egressprobe.stack.__main__ import exit_code, session_of
from egressprobe.stack.fleet.run import Consent, check_file, fleet


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    return exit_code(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m egressprobe.stack.fleet", description=__doc__)
    parser.add_argument("file", help="clusters.yaml, see docs/fleet.md")
    parser.add_argument("--architecture", choices=("arm64", "x86_64"), default="arm64", help="what build/ is built for")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--prune", action="store_true", help="delete the stacks that are not in the file")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--check", action="store_true", help="show what would be done, and change nothing")
    only.add_argument("--check-file", action="store_true", help="read the file and its targets files, nothing else")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.check_file:
        check_file(options.file)
        return 0
    consent = Consent(yes=options.yes, only_show=options.check, prune=options.prune)
    try:
        return fleet(session_of, options.file, architecture=options.architecture, consent=consent)
    except KeyboardInterrupt:
        print("\nStopped. No operation was begun since the last line above.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
