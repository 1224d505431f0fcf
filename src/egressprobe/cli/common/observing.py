"""What `flows` and `history` have in common: whose targets, how far back, and a report with its exit code."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, FAILED, INTERRUPTED, NOT_SURE, OK, OUR_ERROR, TEXT, exit_code
from egressprobe.cli.common.parser import STACK, add_fail_on, add_output, add_region
from egressprobe.cli.common.progress import ProgressLine
from egressprobe.cli.output.formats import FORMATS, show
from egressprobe.observability.flows.result import Flows
from egressprobe.observability.history.result import OutageHistory


def exit_text(passes: str, fails: str, not_sure: str) -> dict[int, str]:
    """EXIT_TEXT of such a command."""
    return {
        OK: passes,
        OUR_ERROR: f"{TEXT[OUR_ERROR]}; a permission that is missing is named",
        BAD_INPUT: TEXT[BAD_INPUT],
        FAILED: fails,
        NOT_SURE: not_sure,
        INTERRUPTED: "interrupted; queries that were running are stopped",
    }


def add_observed(parser: argparse.ArgumentParser, since: str, examples: str) -> None:
    """Which targets of what, and how far back; since: the default."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="names in the plan, * and ? (default: all)")
    parser.add_argument("--stack", required=True, metavar="NAME", help=STACK)
    parser.add_argument("--since", default=since, metavar="TIME", help=f"how far back: {examples} (default: {since})")


def add_report(parser: argparse.ArgumentParser, kind: type[Flows | OutageHistory]) -> None:
    """Where it is read, and how it is shown."""
    add_region(parser)
    add_fail_on(parser)
    add_output(parser, tuple(FORMATS[kind]))


def show_observed[Request](
    options: argparse.Namespace,
    observe: Callable[[Any, Request, Callable[[str], None]], Flows | OutageHistory],
    request: Request,
) -> int:
    """observe: makes the report of boto3's session, the request and what takes the progress. Returns the exit code."""
    from egressprobe.stack.deployment import session_for

    with ProgressLine() as progress:
        report = observe(session_for(options.stack, options.region), request, progress)
    show(report, options.output, sys.stdout, options.fail_on)
    return exit_code(report, options.fail_on)
