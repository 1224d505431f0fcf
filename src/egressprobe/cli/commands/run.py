"""`egressprobe run`: probe targets from here and predict what the API server's call would do."""

import argparse
import asyncio
import logging
import signal
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.cli.common.exit_codes import INTERRUPTED, exit_code, message
from egressprobe.cli.common.parser import add_fail_on, add_names, add_output, add_timeout, check_timeout
from egressprobe.cli.output.formats import FORMATS
from egressprobe.cli.settings.output import shows_progress
from egressprobe.model.errors import InputError
from egressprobe.model.report import Report
from egressprobe.model.target import DEFAULT_KUBE_VERSION, Plan, Target

EXAMPLES = (
    "egressprobe run https://policy.example.com/validate",
    "egressprobe run -f targets.yaml -l 'kyverno*' --fail-on blocks",
    "egressprobe run --kind oidc https://idp.corp.example/realms/eks -o json",
)
logger = logging.getLogger("egressprobe")
_DESCRIPTORS = 16384
_PROGRESS_AFTER, _PROGRESS_EVERY = 1.0, 0.2


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help="probe targets from here and predict what the API server's call would do"
    )
    parser.add_argument(
        "urls", metavar="URL", nargs="*", help="https://webhook/path, HOST[:PORT], tcp://host:port or tls://host:port"
    )
    parser.add_argument(
        "-f",
        "--file",
        action="append",
        default=[],
        help="targets file, YAML or JSON; - is standard input; several are merged",
    )
    add_names(parser)
    parser.add_argument("--kind", choices=("webhook", "oidc"), help="what an https URL is (default: webhook)")
    parser.add_argument(
        "--ca-bundle", metavar="FILE", help="PEM file to trust for the URLs instead of the system roots"
    )
    parser.add_argument(
        "--timeout-seconds", type=int, metavar="N", help="timeoutSeconds of the URLs, 1..30 (default: 10)"
    )
    parser.add_argument(
        "--resolver", action="append", default=[], metavar="ADDR[:PORT]", help="use this name server; may be repeated"
    )
    add_timeout(parser, "seconds for the whole run")
    parser.add_argument(
        "--kube-version",
        metavar="V",
        help=f"Kubernetes version to emulate, {min(HELLOS)}..{max(HELLOS)} (default: {DEFAULT_KUBE_VERSION})",
    )
    parser.add_argument(
        "--concurrency", type=int, default=10, metavar="N", help="targets in flight, 1..100 (default: 10)"
    )
    add_fail_on(parser)
    add_output(parser, tuple(FORMATS[Report]))
    return parser


def run(options: argparse.Namespace) -> int:
    """Probe and print. Ctrl-C prints what was measured so far, and exits with 130."""
    from egressprobe.cli.common.no_network import has_network, without_network
    from egressprobe.cli.inputs.run_plan import plan_of
    from egressprobe.cli.output.formats import show

    plan = plan_of(options)
    check_timeout(options.timeout)
    if not 1 <= options.concurrency <= 100:
        raise InputError("--concurrency", f"{options.concurrency} is not in 1..100")
    _more_descriptors()
    report, interrupted = asyncio.run(_probe(plan, options.timeout, options.concurrency))
    if not has_network():
        report = without_network(report)
    show(report, options.output, sys.stdout, options.fail_on)
    if interrupted:
        message("egressprobe: interrupted; what was not measured is unknown")
        return INTERRUPTED
    return exit_code(report, options.fail_on)


async def _probe(plan: Plan, seconds: float, concurrency: int) -> tuple[Report, bool]:
    """The report, and whether Ctrl-C ended the run early; a second Ctrl-C ends it at once."""
    from egressprobe.probe import run as probe

    done = 0

    def count(target: Target) -> None:
        nonlocal done
        done += 1
        logger.debug("measured %s, %d of %d", target.name, done, len(plan.targets))

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def interrupt() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    with suppress(NotImplementedError, RuntimeError):  # not on Windows, nor outside the main thread
        loop.add_signal_handler(signal.SIGINT, interrupt)
    ticker = asyncio.create_task(_progress(lambda: done, len(plan.targets)))
    try:
        report = await probe.run(
            plan, run_id=str(uuid.uuid4()), seconds=seconds, concurrency=concurrency, on_measured=count, stop=stop
        )
    finally:
        ticker.cancel()
        with suppress(asyncio.CancelledError):
            await ticker
    return report, stop.is_set()


def _more_descriptors() -> None:
    """Raise the limit on open files: it bounds how many targets are unfinished at once (concurrency.py)."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _progress(done: Callable[[], int], many: int) -> None:
    """A counter on a terminal once a run takes longer than a second."""
    if not shows_progress(sys.stderr):
        return
    started = time.monotonic()
    await asyncio.sleep(_PROGRESS_AFTER)
    try:
        while True:
            sys.stderr.write(f"\r{done()} of {many} targets measured, {time.monotonic() - started:.0f} s ")
            sys.stderr.flush()
            await asyncio.sleep(_PROGRESS_EVERY)
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
