"""`egressprobe diff`: what is worse, better, slower, new and gone between two reports."""

import argparse
import sys
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, FAILED, INTERRUPTED, NOT_SURE, OK, OUR_ERROR, TEXT, exit_code
from egressprobe.cli.common.parser import add_fail_on, add_output
from egressprobe.cli.output.formats import FORMATS
from egressprobe.model.errors import InputError
from egressprobe.readiness.result import Difference

EXAMPLES = (
    "egressprobe diff egressprobe-baseline-prod.json now.json",
    "egressprobe run -f targets.yaml -o json | egressprobe diff before.json -",
)
EXIT_TEXT = {
    OK: "nothing is worse",
    OUR_ERROR: TEXT[OUR_ERROR],
    BAD_INPUT: "bad input, or reports of two clusters",
    FAILED: "something is worse, or new and fails, with an effect on the cluster",
    NOT_SURE: "something is slower or cannot be compared",
    INTERRUPTED: "interrupted",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff", help="compare two reports: what is worse, better, slower, new, gone"
    )
    parser.add_argument("before", metavar="BEFORE", help="a baseline, or the JSON of preflight, verify, invoke or run")
    parser.add_argument("after", metavar="AFTER", help="the same of later; - is standard input")
    parser.add_argument("--force", action="store_true", help="compare reports of two clusters")
    add_fail_on(parser)
    add_output(parser, tuple(FORMATS[Difference]))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.inputs.report_file import check_same_cluster, read_report
    from egressprobe.cli.output.formats import show
    from egressprobe.readiness.comparison.compare import compare_reports

    if options.before == options.after == "-":
        raise InputError("BEFORE and AFTER", "are both -; only one can be standard input")
    before, after = read_report(options.before), read_report(options.after)
    check_same_cluster(before, after, force=options.force)
    difference = compare_reports(before, after)
    show(difference, options.output, sys.stdout, options.fail_on)
    return exit_code(difference, options.fail_on)
