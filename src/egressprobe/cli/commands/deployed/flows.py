"""`egressprobe flows`: what VPC Flow Logs recorded of the probes' and the control plane's interfaces, by target."""

import argparse
import sys
from typing import Any

from egressprobe.cli.common.durations import seconds_of
from egressprobe.cli.common.exit_codes import (
    BAD_INPUT,
    FAILED,
    INTERRUPTED,
    NOT_SURE,
    OK,
    OUR_ERROR,
    exit_code,
)
from egressprobe.cli.common.parser import STACK, add_fail_on, add_output, add_region
from egressprobe.cli.common.progress import ProgressLine
from egressprobe.cli.output.formats import FORMATS, show
from egressprobe.model.errors import InputError
from egressprobe.observability.flows.result import Flows

EXAMPLES = (
    "egressprobe flows --stack egressprobe-prod",
    "egressprobe flows --stack egressprobe-prod policy.example.com --since 6h",
    "egressprobe flows --stack egressprobe-prod 'kyverno*' -o json",
    "egressprobe flows --stack egressprobe-prod --athena logs.flows --workgroup net",
)
EXIT_TEXT = {
    OK: "requests to every target were accepted, and answered",
    OUR_ERROR: "an error of egressprobe or of AWS; a permission that is missing is named",
    BAD_INPUT: "bad input",
    FAILED: "requests to at least one target were rejected, refused, or not answered",
    NOT_SURE: "no flow log, not everything was seen, or a rejection that has ended",
    INTERRUPTED: "interrupted; queries that were running are stopped",
}
_LONGEST = "7d"


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "flows", help="what VPC Flow Logs saw of a stack's targets: ACCEPT, REJECT, no return"
    )
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="names in the plan, * and ? (default: all)")
    parser.add_argument("--stack", required=True, metavar="NAME", help=STACK)
    parser.add_argument("--since", default="1h", metavar="TIME", help="how far back: 30m, 6h, 2d (default: 1h)")
    parser.add_argument("--athena", default="", metavar="DB.TABLE", help="table of the logs (default: found by Glue)")
    parser.add_argument("--workgroup", default="", metavar="NAME", help="Athena's (default: primary)")
    parser.add_argument(
        "--no-probe", action="store_true", help="do not ask the Planner for today's addresses of names that passed"
    )
    add_region(parser)
    add_fail_on(parser)
    add_output(parser, tuple(FORMATS[Flows]))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.stack.deployment import session_for
    from egressprobe.stack.observing.flows import FlowsRequest, flows

    if options.athena and "." not in options.athena:
        raise InputError("--athena", f'"{options.athena}" is not DATABASE.TABLE')
    request = FlowsRequest(
        options.stack,
        tuple(options.targets),
        seconds_of("--since", options.since, _LONGEST),
        options.athena,
        options.workgroup,
        not options.no_probe,
    )
    with ProgressLine() as progress:
        report = flows(session_for(options.stack, options.region), request, progress)
    show(report, options.output, sys.stdout, options.fail_on)
    return exit_code(report, options.fail_on)
