"""`egressprobe verify`: after a switch, by whomever: is anything worse than in the baseline, and AWS's five steps."""

import argparse
import sys
from typing import Any

from egressprobe.cli.common.exit_codes import (
    BAD_INPUT,
    FAILED,
    INTERRUPTED,
    NOT_SURE,
    OK,
    OUR_ERROR,
    TEXT,
    exit_code,
    message,
)
from egressprobe.cli.common.parser import STACK, add_fail_on, add_output, add_rounds, add_vpc, check_rounds
from egressprobe.cli.output.formats import FORMATS
from egressprobe.model.errors import InputError
from egressprobe.readiness.result import Difference

EXAMPLES = (
    "egressprobe verify --cluster prod --baseline egressprobe-baseline-prod.json",
    "egressprobe verify --cluster prod --stack egressprobe-prod -o json",
)
EXIT_TEXT = {
    OK: "switched, and nothing is worse",
    OUR_ERROR: TEXT[OUR_ERROR],
    BAD_INPUT: "bad input, or the baseline of another cluster",
    FAILED: "something is worse, or a step of the verification is not met",
    NOT_SURE: "something is slower, unknown, or was broken before the switch",
    INTERRUPTED: "interrupted; what was measured is printed",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "verify", help="after the switch: what is worse than in the baseline, and AWS's steps of the verification"
    )
    add_vpc(parser, "the cluster that was switched")
    parser.add_argument("--stack", metavar="NAME", help=f"probe by it (default: the baseline's): {STACK}")
    parser.add_argument(
        "--baseline",
        metavar="FILE",
        help="what preflight saved before the switch (default: egressprobe-baseline-NAME.json)",
    )
    add_rounds(parser)
    add_fail_on(parser)
    add_output(parser, tuple(FORMATS[Difference]))
    return parser


def run(options: argparse.Namespace) -> int:
    """Measure, compare, print."""
    from egressprobe.cli.inputs.switch_source import verification_of
    from egressprobe.cli.output.formats import show

    _check(options)
    difference = verification_of(options)
    show(difference, options.output, sys.stdout, options.fail_on)
    if difference.now is not None and difference.now.interrupted:
        message("egressprobe: interrupted before everything was measured")
        return INTERRUPTED
    return exit_code(difference, options.fail_on)


def _check(options: argparse.Namespace) -> None:
    if not options.cluster:
        raise InputError("--cluster", "is missing; give the cluster's name")
    check_rounds(options)
