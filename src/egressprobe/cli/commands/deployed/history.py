"""`egressprobe history`: outages and availability of a stack's targets, from its logs and metrics."""

import argparse
from typing import Any

from egressprobe.cli.common.durations import seconds_of
from egressprobe.cli.common.observing import add_observed, add_report, exit_text, show_observed
from egressprobe.model.errors import InputError
from egressprobe.observability.history.outages import DEFAULT_GAP
from egressprobe.observability.history.result import OutageHistory

EXAMPLES = (
    "egressprobe history --stack egressprobe-prod",
    "egressprobe history --stack egressprobe-prod policy.example.com --since 90d",
    "egressprobe history --stack egressprobe-prod --objective 99.95 -o markdown",
)
EXIT_TEXT = exit_text(
    "every target met the objective",
    "at least one target missed the objective",
    "none missed it; an outage goes on, or less than half was measured",
)
_LONGEST, _MOST_GAP = "455d", 60


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "history", help="outages and availability of a stack's targets, with their error budget"
    )
    add_observed(parser, "30d", "6h, 7d, 400d")
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
    add_report(parser, OutageHistory)
    return parser


def run(options: argparse.Namespace) -> int:
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
    return show_observed(options, history, request)
