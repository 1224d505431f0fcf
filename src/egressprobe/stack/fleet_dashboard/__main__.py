"""`python -m egressprobe.stack.fleet_dashboard FILE`, for the Makefile: dashboards with one row a cluster of a file.

Exit codes: 0 done, 1 not confirmed or AWS's error, 2 bad input.
"""

import argparse
import sys
from collections.abc import Sequence

from egressprobe.stack.__main__ import exit_code, session_of
from egressprobe.stack.fleet_dashboard.command import fleet_dashboard
from egressprobe.stack.survey import MAX_SUBNETS


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    return exit_code(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m egressprobe.stack.fleet_dashboard", description=__doc__)
    parser.add_argument("file", help="clusters.yaml, see docs/fleet-dashboard.md")
    parser.add_argument("--name", default="fleet-egressprobe", help="of the first dashboard (%(default)s); then NAME-2")
    parser.add_argument("--print", action="store_true", help="print name and body of each as JSON; change nothing")
    parser.add_argument("--account", help="that has the dashboards; to print without credentials, with --region")
    parser.add_argument("--region", help="of the console's links to the pages")
    parser.add_argument("--monitoring-account", action="store_true", help="even if every cluster of FILE is its own")
    parser.add_argument("--subnets", type=int, default=MAX_SUBNETS, metavar="N", help="most of a cluster (%(default)s)")
    parser.add_argument("--portal", default="", metavar="URL", help="access portal: links open in a cluster's account")
    parser.add_argument("--role", default="", help="permission set of the links by the portal")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _run(options: argparse.Namespace) -> int:
    without_aws = options.print and options.account and options.region
    return fleet_dashboard(options, None if without_aws else session_of(options.region))


if __name__ == "__main__":
    sys.exit(main())
