"""`egressprobe demo`: a schedule's event through the real Lambda handler, on the lab.

Prints the table, and with --metrics what CloudWatch would get; exits 0 when every verdict and code is the one that
the lab expects.
"""

import argparse
import io
import sys
import time
from contextlib import redirect_stdout
from typing import Any

import msgspec

from egressprobe.cli.common.exit_codes import BAD_INPUT, OK, OUR_ERROR
from egressprobe.cli.common.parser import add_output
from egressprobe.cli.output.formats import FORMATS, render
from egressprobe.model.report import Report

EXAMPLES = ("egressprobe demo", "egressprobe demo -o json", "egressprobe demo --metrics")
EXIT_TEXT = {
    OK: "every verdict is the one that is expected",
    OUR_ERROR: "a verdict is wrong, or the built-in network cannot be started",
    BAD_INPUT: "bad input",
}
_FUNCTION_SECONDS = 30.0


class _DemoContext:
    """What Lambda would hand to the handler."""

    aws_request_id = "demo"

    def __init__(self) -> None:
        self._ends = time.monotonic() + _FUNCTION_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - time.monotonic()) * 1000)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo", help="probe a built-in broken network: no AWS account, no root"
    )
    parser.add_argument("--metrics", action="store_true", help="also print the metrics that CloudWatch would get")
    add_output(parser, tuple(FORMATS[Report]))
    return parser


def run(options: argparse.Namespace) -> int:
    """Probe every target of the lab and compare with what the lab expects."""
    from egressprobe.lab.scenario import EXPECTED, LabError

    try:
        answer, printed = invoke()
    except LabError as error:
        print(f"egressprobe: {error}", file=sys.stderr)
        return OUR_ERROR
    report = msgspec.convert(answer, Report)
    documents = [line for line in printed.splitlines() if '"_aws"' in line]
    print(render(report, options.output, sys.stdout))
    if options.metrics:
        print("", *documents, sep="\n")
    wrong = list(surprises(report))
    print(f"\n{len(EXPECTED) - len(wrong)} of {len(EXPECTED)} verdicts correct.", file=sys.stderr)
    if options.output == "table" and not options.metrics:
        print(f"CloudWatch would get {len(documents)} lines of metrics: egressprobe demo --metrics", file=sys.stderr)
    for line in wrong:
        print(f"egressprobe: wrong verdict: {line}", file=sys.stderr)
    return OUR_ERROR if wrong else OK


def invoke() -> tuple[dict[str, Any], str]:
    """The handler's response to events/demo.json on the lab, and what it printed."""
    from egressprobe.lab.scenario import lab

    printed = io.StringIO()
    with lab() as (event, edges), redirect_stdout(printed):
        from egressprobe.handlers.probe import make_handler

        answer = make_handler(edges)(event, _DemoContext())
    return answer, printed.getvalue()


def surprises(report: Report) -> list[str]:
    """Every target whose verdict or code is not the lab's."""
    from egressprobe.lab.scenario import EXPECTED

    results = {result.target.name: result for result in report.results}
    wrong = [f"{name} is missing" for name in EXPECTED if name not in results]
    for name, (verdict, code) in EXPECTED.items():
        result = results.get(name)
        actual = (result.verdict, result.failure.code if result.failure else None) if result else None
        if actual and actual != (verdict, code):
            wrong.append(f"{name}: {actual[0]} {actual[1] or ''}, expected {verdict} {code or ''}")
    return wrong
