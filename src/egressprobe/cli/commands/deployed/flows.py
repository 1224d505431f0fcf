"""`egressprobe flows`: what VPC Flow Logs recorded of the probes' and the control plane's interfaces, by target."""

import argparse
from typing import Any

from egressprobe.cli.common.durations import seconds_of
from egressprobe.cli.common.observing import add_observed, add_report, exit_text, show_observed
from egressprobe.model.errors import InputError
from egressprobe.observability.flows.result import Flows

EXAMPLES = (
    "egressprobe flows --stack egressprobe-prod",
    "egressprobe flows --stack egressprobe-prod policy.example.com --since 6h",
    "egressprobe flows --stack egressprobe-prod 'kyverno*' -o json",
    "egressprobe flows --stack egressprobe-prod --athena logs.flows --workgroup net",
)
EXIT_TEXT = exit_text(
    "requests to every target were accepted, and answered",
    "requests to at least one target were rejected, refused, or not answered",
    "no flow log, not everything was seen, or a rejection that has ended",
)
_LONGEST = "7d"


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "flows", help="what VPC Flow Logs saw of a stack's targets: ACCEPT, REJECT, no return"
    )
    add_observed(parser, "1h", "30m, 6h, 2d")
    parser.add_argument("--athena", default="", metavar="DB.TABLE", help="table of the logs (default: found by Glue)")
    parser.add_argument("--workgroup", default="", metavar="NAME", help="Athena's (default: primary)")
    parser.add_argument(
        "--no-probe", action="store_true", help="do not ask the Planner for today's addresses of names that passed"
    )
    add_report(parser, Flows)
    return parser


def run(options: argparse.Namespace) -> int:
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
    return show_observed(options, flows, request)
