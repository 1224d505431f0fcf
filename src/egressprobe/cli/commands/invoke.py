"""`egressprobe invoke`: probe now from every subnet of a deployed stack, by its Planner."""

import argparse
import sys
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, EXIT_CODES, message
from egressprobe.cli.common.parser import add_output, add_region
from egressprobe.cli.output.formats import FORMATS
from egressprobe.model.joined_report import Joined
from egressprobe.model.target import Verdict

EXAMPLES = (
    "egressprobe invoke --stack egressprobe-prod",
    "egressprobe invoke --stack egressprobe-prod policy.example.com -o json",
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "invoke", help="probe now from every subnet of a deployed stack"
    )
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="names of the stack's inventory (default: all)")
    parser.add_argument("--stack", required=True, metavar="NAME", help="the CloudFormation stack")
    add_region(parser)
    add_output(parser, tuple(FORMATS[Joined]))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.output.formats import show
    from egressprobe.stack.planner_client import invoke

    joined = invoke(options.stack, options.targets, options.region)
    for refused in joined.refused:
        message(f'egressprobe: "{refused.name}" {refused.why}')
    show(joined, options.output, sys.stdout)
    return BAD_INPUT if joined.refused and joined.verdict is Verdict.PASS else EXIT_CODES[joined.verdict]
