"""`egressprobe switch`: switch a cluster to CUSTOMER_ROUTED, follow the update, verify. There is no way to undo it."""

import argparse
import sys
from datetime import timedelta
from typing import Any

from egressprobe.cli.common.exit_codes import (
    BAD_INPUT,
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    NOT_SURE,
    OK,
    OUR_ERROR,
)
from egressprobe.cli.common.parser import STACK, add_output, add_vpc
from egressprobe.cli.output.formats import FORMATS
from egressprobe.model.errors import InputError
from egressprobe.readiness.result import Difference
from egressprobe.readiness.switching.job import DEFAULT_WAIT, Ended, SwitchEnd

EXAMPLES = (
    "egressprobe switch --cluster prod --dry-run",
    "egressprobe switch --cluster prod --baseline egressprobe-baseline-prod.json",
    "egressprobe switch --cluster prod --resume",
    "egressprobe switch --cluster prod --yes-this-is-irreversible prod",
)
EXIT_TEXT = {
    OK: "switched, and nothing is worse; or --dry-run: nothing is against it",
    OUR_ERROR: "an error of egressprobe or of AWS, or EKS did not switch it",
    BAD_INPUT: "not sent: bad input or baseline, not confirmed, or an update in progress",
    FAILED: "switched, and something is worse; or refused: the baseline is NO-GO",
    NOT_SURE: "switched, not all is known; or not sent: UNKNOWN, or no one to confirm",
    INTERRUPTED: "interrupted; the last line has the true state, --resume goes on",
}
_CODES = {
    Ended.UNCONFIRMED: BAD_INPUT,
    Ended.NO_GO: FAILED,
    Ended.UNSEEN: NOT_SURE,
    Ended.INPUT: BAD_INPUT,
    Ended.BUSY: BAD_INPUT,
    Ended.NOT_SWITCHED: OUR_ERROR,
    Ended.NOT_KNOWN: NOT_SURE,
    Ended.INTERRUPTED: INTERRUPTED,
    Ended.ERROR: OUR_ERROR,
}
_MOST_AGE, _MOST_WAIT = 24 * 60, 24 * 60  # minutes


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "switch", help="switch a cluster to CUSTOMER_ROUTED after a GO, follow the update, verify (cannot be undone)"
    )
    add_vpc(parser, "the cluster to switch")
    parser.add_argument("--stack", metavar="NAME", help=f"probe by it (default: the baseline's): {STACK}")
    parser.add_argument(
        "--baseline", metavar="FILE", help="what preflight saved: a GO (default: egressprobe-baseline-NAME.json)"
    )
    parser.add_argument(
        "--max-age", type=int, default=60, metavar="MIN", help="refuse an older baseline; 1..1440 minutes (default: 60)"
    )
    parser.add_argument(
        "--wait",
        type=int,
        default=round(DEFAULT_WAIT.total_seconds() / 60),
        metavar="MIN",
        help="follow the update for at most these minutes, 1..1440 (default: 45)",
    )
    parser.add_argument("--resume", action="store_true", help="go on with a switch that was interrupted")
    confirmation = parser.add_mutually_exclusive_group()
    confirmation.add_argument(
        "--dry-run", action="store_true", help="check everything and send nothing (the default without a terminal)"
    )
    confirmation.add_argument(
        "--yes-this-is-irreversible", dest="confirmed", metavar="NAME", help="confirm by the cluster's name"
    )
    add_output(parser, tuple(FORMATS[Difference]))
    return parser


def run(options: argparse.Namespace) -> int:
    """The report after the switch goes to stdout, everything else to stderr."""
    from egressprobe.cli.inputs.switch_source import one_at_a_time, say_state_alone, switch_job
    from egressprobe.cli.output.formats import render
    from egressprobe.readiness.switching.run import switch

    _check(options)
    try:
        with one_at_a_time(options):
            job = switch_job(options, timedelta(minutes=options.max_age), timedelta(minutes=options.wait))
            try:
                end = switch(job, resume=options.resume)
            except KeyboardInterrupt:  # once more, after the true state was said
                return INTERRUPTED
    except InputError as error:
        if not options.resume:
            raise
        say_state_alone(options, error)
        return BAD_INPUT
    if end.difference is not None:
        print(render(end.difference, options.output, sys.stdout), flush=True)
    return _code(end, options)


def _code(end: SwitchEnd, options: argparse.Namespace) -> int:
    if end.difference is not None:
        return EXIT_CODES[end.difference.verdict]
    if end.ended is Ended.DRY_RUN:
        return OK if options.dry_run else NOT_SURE
    return _CODES[end.ended]


def _check(options: argparse.Namespace) -> None:
    if not options.cluster:
        raise InputError("--cluster", "is missing; give the cluster's name")
    if not 1 <= options.max_age <= _MOST_AGE:
        raise InputError("--max-age", f"{options.max_age} is not in 1..{_MOST_AGE} minutes")
    if not 1 <= options.wait <= _MOST_WAIT:
        raise InputError("--wait", f"{options.wait} is not in 1..{_MOST_WAIT} minutes")
    if options.confirmed is not None and options.confirmed != options.cluster:
        raise InputError("--yes-this-is-irreversible", f'"{options.confirmed}" is not the name given with --cluster')
