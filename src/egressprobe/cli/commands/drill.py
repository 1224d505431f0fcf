"""`egressprobe drill`: see a stack's page and its all-clear come, with a target that fails on purpose."""

import argparse
import json
import signal
from datetime import datetime
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, FAILED, INTERRUPTED, OK, OUR_ERROR, message
from egressprobe.cli.common.parser import STACK, add_output, add_region

EXAMPLES = ("egressprobe drill --stack egressprobe-prod", "egressprobe drill --stack egressprobe-prod -o json")
EXIT_TEXT = {
    OK: "page and all-clear came in the promised time",
    OUR_ERROR: "an error of egressprobe or of AWS",
    BAD_INPUT: "bad input, or a drill cannot run now",
    FAILED: "a message was late, did not come or could not be sent",
    INTERRUPTED: "interrupted; the failing target is removed",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "drill", help="prove that a stack's page and all-clear arrive (15 minutes)"
    )
    parser.add_argument("--stack", required=True, metavar="NAME", help=STACK)
    parser.add_argument(
        "--page", action="store_true", help="also where the page does not name the drill: warn whoever is on call"
    )
    add_region(parser)
    add_output(parser, ("table", "json"))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.stack.drill.run import run_drill

    signal.signal(signal.SIGTERM, _interrupted)
    outcome = run_drill(options.stack, options.region, may_page=options.page, say=_said)
    if options.output == "json":
        print(json.dumps(outcome.document(), indent=2))
    else:
        print(outcome)
    return OK if outcome.kept else FAILED


def _said(text: str) -> None:
    message(f"{datetime.now():%H:%M:%S} {text}")  # noqa: DTZ005 (a person's clock)


def _interrupted(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
