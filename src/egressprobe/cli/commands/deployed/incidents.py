"""`egressprobe incidents`: what is open now, since when, and whether a message was sent, by a stack's Planner."""

import argparse
import sys
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, FAILED, INTERRUPTED, NOT_SURE, OK, OUR_ERROR, TEXT, exit_code
from egressprobe.cli.common.parser import STACK, add_output, add_region
from egressprobe.cli.output.formats import FORMATS
from egressprobe.incidents.answer import OpenIncidents

EXAMPLES = (
    "egressprobe incidents --stack egressprobe-prod",
    "egressprobe incidents --stack egressprobe-prod -o json",
)
EXIT_TEXT = {
    OK: "no incident is open",
    OUR_ERROR: TEXT[OUR_ERROR],
    BAD_INPUT: TEXT[BAD_INPUT],
    FAILED: "at least one page is open",
    NOT_SURE: "notices only; or it is not known what is open",
    INTERRUPTED: "interrupted",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "incidents", help="open incidents of a stack: since when, why, was it sent"
    )
    parser.add_argument("--stack", required=True, metavar="NAME", help=STACK)
    add_region(parser)
    add_output(parser, tuple(FORMATS[OpenIncidents]))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.output.formats import show
    from egressprobe.stack.planner_client import open_incidents

    answer = open_incidents(options.stack, options.region)
    show(answer, options.output, sys.stdout)
    return exit_code(answer)
