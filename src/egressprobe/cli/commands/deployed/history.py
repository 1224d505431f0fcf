"""`egressprobe history`: outages and availability of a stack's targets, from its logs and metrics."""

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
from egressprobe.observability.history.outages import DEFAULT_GAP
from egressprobe.observability.history.result import OutageHistory

EXAMPLES = (
    "egressprobe history --stack egressprobe-prod",
    "egressprobe history --stack egressprobe-prod policy.example.com --since 90d",
    "egressprobe history --stack egressprobe-prod --objective 99.95 -o markdown",
)
EXIT_TEXT = {
    OK: "every target met the objective",
    OUR_ERROR: "an error of egressprobe or of AWS; a permission that is missing is named",
    BAD_INPUT: "bad input",
    FAILED: "at least one target missed the objective",
    NOT_SURE: "none missed it; an outage goes on, or less than half was measured",
    INTERRUPTED: "interrupted; queries that were running are stopped",
}
_LONGEST, _MOST_GAP = "455d", 60


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "history", help="outages and availability of a stack's targets, with their error budget"
    )
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="names in the plan, * and ? (default: all)")
    parser.add_argument("--stack", required=True, metavar="NAME", help=STACK)
    parser.add_argument("--since", default="30d", metavar="TIME", help="how far back: 6h, 7d, 400d (default: 30d)")
    parser.add_argument(
        "--objective", type=float, default=99.9, metavar="PERCENT", help="availability to meet (default: 99.9)"
    )
    parser.add_argument(
        "--gap",
        type=int,
        default=DEFAULT_GAP,
        metavar="N",
        help=f"passing minutes that end an outage, 1..60 (default: {DEFAULT_GAP})",
    )
    add_region(parser)
    add_fail_on(parser)
    add_output(parser, tuple(FORMATS[OutageHistory]))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.stack.deployment import session_for
    from egressprobe.stack.observing.history import HistoryRequest, history

    if not 0 < options.objective < 100:
        raise InputError("--objective", f"{options.objective:g} is not between 0 and 100 per cent")
    if not 1 <= options.gap <= _MOST_GAP:
        raise InputError("--gap", f"{options.gap} is not in 1..{_MOST_GAP}")
    request = HistoryRequest(
        options.stack,
        tuple(options.targets),
        seconds_of("--since", options.since, _LONGEST),
        options.objective,
        options.gap,
    )
    with ProgressLine() as progress:
        report = history(session_for(options.stack, options.region), request, progress)
    show(report, options.output, sys.stdout, options.fail_on)
    return exit_code(report, options.fail_on)
