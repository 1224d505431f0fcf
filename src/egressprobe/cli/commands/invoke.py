"""`egressprobe invoke`: probe now from every subnet of a deployed stack, by its Planner."""

import argparse
import sys
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, INTERRUPTED, TEXT, exit_code, message
from egressprobe.cli.common.parser import STACK, add_fail_on, add_names, add_output, add_region
from egressprobe.cli.output.formats import FORMATS
from egressprobe.model.joined_report import Joined
from egressprobe.model.target import Verdict

EXAMPLES = (
    "egressprobe invoke --stack egressprobe-prod",
    "egressprobe invoke --stack egressprobe-prod policy.example.com -o json",
    "egressprobe invoke --stack egressprobe-prod -l 'kyverno*' -o junit",
)

# One response has everything: by Ctrl-C it is not here yet.
EXIT_TEXT = TEXT | {INTERRUPTED: "interrupted; the probes go on, with their results in the logs"}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "invoke", help="probe now from every subnet of a deployed stack"
    )
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="names of the stack's inventory (default: all)")
    parser.add_argument("--stack", required=True, metavar="NAME", help=STACK)
    add_names(parser)
    add_region(parser)
    add_fail_on(parser)
    add_output(parser, tuple(FORMATS[Joined]))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.inputs.names import matching
    from egressprobe.cli.output.formats import show
    from egressprobe.stack.planner_client import invoke

    # Globs alone are matched by the Planner, which has the inventory.
    names = matching(options.targets, options.names) if options.targets else options.names
    try:
        joined = invoke(options.stack, names, options.region)
    except KeyboardInterrupt:
        message("egressprobe: interrupted; the stack's probes go on, and their results are in its logs")
        return INTERRUPTED
    for refused in joined.refused:
        message(f'egressprobe: "{refused.name}" {refused.why}')
    show(joined, options.output, sys.stdout, options.fail_on)
    return BAD_INPUT if joined.refused and joined.verdict is Verdict.PASS else exit_code(joined, options.fail_on)
