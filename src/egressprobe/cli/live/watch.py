"""`egressprobe watch`: a live screen of the targets and subnets, or a line for each change."""

import argparse
import os
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, INTERRUPTED, OK, OUR_ERROR
from egressprobe.cli.common.parser import STACK, add_names, add_region
from egressprobe.cli.common.program import program
from egressprobe.model.errors import InputError
from egressprobe.watching.repeat import LookSource

EXAMPLES = (
    "egressprobe watch https://policy.example.com/validate",
    "egressprobe watch -f targets.yaml --interval 30",
    "egressprobe watch --stack egressprobe-prod",
    "egressprobe watch --stack egressprobe-prod | tee changes.log",
)
EXIT_TEXT = {
    OK: "ended with q; with --rounds: every target passes",
    OUR_ERROR: "an error of egressprobe or of AWS",
    BAD_INPUT: "bad input",
    3: "with --rounds: at least one target fails at the end",
    4: "with --rounds: none fails; some are degraded or unknown",
    INTERRUPTED: "ended with Ctrl-C; 143 with SIGTERM",
}
_LEAST, _LEAST_INVOKE, _MOST = 5.0, 60.0, 3600.0
_LOCAL, _STACK, _INVOKE = 10.0, 60.0, 300.0  # seconds: the default intervals
_CONCURRENCY, _SECONDS = 10, 60.0
_MOST_ROUNDS = 1_000_000


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "watch", help="a live screen of the targets: probed from here, or what a stack's probes see each minute"
    )
    parser.add_argument("urls", metavar="URL", nargs="*", help="as of `run`")
    parser.add_argument("-f", "--file", action="append", default=[], help="targets file; several are merged")
    parser.add_argument("--stack", metavar="NAME", help=f"read its probes' log, probe nothing: {STACK}")
    parser.add_argument(
        "--invoke", action="store_true", help="with --stack: probe from every subnet each interval, which costs"
    )
    parser.add_argument(
        "--interval",
        type=float,
        metavar="S",
        help=f"seconds from one look to the next, {_LEAST:g}..{_MOST:g} (default: {_LOCAL:g}; with --stack {_STACK:g}, "
        f"with --invoke {_INVOKE:g}, which is at least {_LEAST_INVOKE:g})",
    )
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="end after N looks (default: go on)")
    parser.add_argument("--plain", action="store_true", help="a line for each change, also on a terminal")
    parser.add_argument("--kind", choices=("webhook", "oidc"), help="what an https URL is (default: webhook)")
    parser.add_argument("--ca-bundle", metavar="FILE", help="PEM file to trust for the URLs")
    parser.add_argument("--resolver", action="append", default=[], metavar="ADDR[:PORT]", help="use this name server")
    add_names(parser)
    add_region(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.live.app import Watching, can_draw
    from egressprobe.cli.settings.output import has_colour

    every = _interval(options)
    if not 0 <= options.rounds <= _MOST_ROUNDS:
        raise InputError("--rounds", f"{options.rounds} is not in 0..{_MOST_ROUNDS}")
    title = options.stack or ", ".join((*options.file, *options.urls))
    look = _of_stack(options) if options.stack else _local(options)
    watching = Watching(look, title=title, every=every, rounds=options.rounds)
    term = os.environ.get("TERM")
    if options.plain or not can_draw(sys.stdout, term):
        return watching.lines(sys.stdout)
    stdin = sys.stdin if sys.stdin is not None and sys.stdin.isatty() else None
    return watching.screen(sys.stdout, stdin, colour=has_colour(sys.stdout))


def _interval(options: argparse.Namespace) -> float:
    """Raises InputError for options that do not go together."""
    if options.stack and (options.urls or options.file or options.kind or options.ca_bundle or options.resolver):
        raise InputError("--stack", "watches the stack's inventory; give no URL, -f or option of a URL with it")
    if options.invoke and not options.stack:
        raise InputError("--invoke", "is of a stack: give --stack NAME")
    if not options.stack and not (options.urls or options.file):
        raise InputError("", f"nothing to watch: give URLs, -f FILE or --stack NAME (see {program()} watch --help)")
    least = _LEAST_INVOKE if options.invoke else _LEAST
    default = _INVOKE if options.invoke else _STACK if options.stack else _LOCAL
    every: float = default if options.interval is None else options.interval
    if not least <= every <= _MOST:
        raise InputError("--interval", f"{every:g} is not in {least:g}..{_MOST:g} seconds")
    return every


def _local(options: argparse.Namespace) -> LookSource:
    from egressprobe.cli.common.no_network import has_network, without_network
    from egressprobe.cli.inputs.run_plan import plan_of
    from egressprobe.cli.output.watch.cells import of_report
    from egressprobe.model.report import Report
    from egressprobe.watching.local import LocalLook
    from egressprobe.watching.rounds import WatchRound

    options.timeout_seconds = options.kube_version = None  # as of `run`, which has options for them
    plan = plan_of(options)

    def round_of(report: Report, at: float) -> WatchRound:
        return of_report(report if has_network() else without_network(report), at)

    return LocalLook(plan, seconds=_SECONDS, concurrency=_CONCURRENCY, round_of=round_of)


def _of_stack(options: argparse.Namespace) -> LookSource:
    from egressprobe.cli.output.watch.cells import of_joined
    from egressprobe.stack.planner_client import invoke
    from egressprobe.watching.joined import PlannerLook
    from egressprobe.watching.stack_logs import logs_of

    logs = logs_of(options.stack, options.region, wanted=_wanted(options.names))  # a stack that exists, in any case
    if options.invoke:
        return PlannerLook(lambda: invoke(options.stack, options.names, options.region), of_joined)
    return logs


def _wanted(names: list[str]) -> Callable[[str], bool]:
    return lambda target: not names or any(fnmatchcase(target, name) for name in names)
