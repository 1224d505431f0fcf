"""`egressprobe demo`: a schedule's event through the real Lambda handler, on the lab.

Prints the metrics as CloudWatch would get them and the table as a person would; exits 0 when the probe said
of every fault what the lab knows to be true.
"""

import argparse
import io
import sys
import time
from contextlib import redirect_stdout
from typing import Any

import msgspec

from egressprobe.cli.common.exit_codes import OK, OUR_ERROR
from egressprobe.cli.common.parser import add_output
from egressprobe.cli.output.formats import FORMATS, render
from egressprobe.model.report import Report

_FUNCTION_SECONDS = 30.0


class _Context:
    """What Lambda would hand to the handler."""

    aws_request_id = "demo"

    def __init__(self) -> None:
        self._ends = time.monotonic() + _FUNCTION_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - time.monotonic()) * 1000)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo", help="the whole thing on a built-in broken network: no AWS, no root"
    )
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
    if options.output == "table":
        documents = [line for line in printed.splitlines() if '"_aws"' in line]
        print(
            f"What CloudWatch gets: {len(documents)} documents in embedded metric format, on stdout of the function.\n"
        )
        print("\n".join(documents), end="\n\n")
        print("What a person gets:\n")
    print(render(report, options.output, sys.stdout))
    wrong = list(surprises(report))
    print(f"\nThe lab has {len(EXPECTED)} targets; {len(EXPECTED) - len(wrong)} came out as they are.", file=sys.stderr)
    for line in wrong:
        print(f"egressprobe: not as the lab is: {line}", file=sys.stderr)
    return OUR_ERROR if wrong else OK


def invoke() -> tuple[dict[str, Any], str]:
    """The handler's answer to events/demo.json on the lab, and what it printed."""
    from egressprobe.lab.scenario import lab

    printed = io.StringIO()
    with lab() as (event, edges), redirect_stdout(printed):
        from egressprobe.handlers.probe import make_handler

        answer = make_handler(edges)(event, _Context())
    return answer, printed.getvalue()


def surprises(report: Report) -> list[str]:
    """Every target that came out otherwise than the lab knows it to be."""
    from egressprobe.lab.scenario import EXPECTED

    found = {one.target.name: one for one in report.results}
    wrong = [f"{name} is missing" for name in EXPECTED if name not in found]
    for name, (verdict, code) in EXPECTED.items():
        one = found.get(name)
        got = (one.verdict, one.failure.code if one.failure else None) if one else None
        if one and got != (verdict, code):
            wrong.append(f"{name}: {one.verdict} {one.failure.code if one.failure else ''}, expected {verdict} {code}")
    return wrong
