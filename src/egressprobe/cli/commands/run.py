"""`egressprobe run`: probe targets from here and predict what the API server's call would do."""

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.cli.common.exit_codes import EXIT_CODES
from egressprobe.cli.common.parser import add_output, add_timeout, check_timeout
from egressprobe.cli.output.formats import FORMATS
from egressprobe.model.errors import InputError, os_words
from egressprobe.model.report import Report
from egressprobe.model.target import DEFAULT_KUBE_VERSION, Kind, Plan
from egressprobe.targets.plan import read_plan, target_from_url

_DESCRIPTORS = 16384
_PROGRESS_AFTER, _PROGRESS_EVERY = 1.0, 0.2


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help="probe targets from here and predict what the API server's call would do"
    )
    parser.add_argument(
        "urls", metavar="URL", nargs="*", help="https://webhook/path, tcp://host:port or tls://host:port"
    )
    parser.add_argument("-f", "--file", help="targets file, YAML or JSON; - is standard input")
    parser.add_argument("--kind", choices=("webhook", "oidc"), help="what an https URL is (default: webhook)")
    parser.add_argument(
        "--ca-bundle", metavar="FILE", help="PEM file to trust for the URLs instead of the system roots"
    )
    parser.add_argument(
        "--timeout-seconds", type=int, metavar="N", help="timeoutSeconds of the URLs, 1..30 (default: 10)"
    )
    parser.add_argument(
        "--resolver", action="append", default=[], metavar="ADDR[:PORT]", help="ask this name server; may be repeated"
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
    add_output(parser, tuple(FORMATS[Report]))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.output.formats import render
    from egressprobe.probe import run as probe

    plan = _plan(options)
    check_timeout(options.timeout)
    if not 1 <= options.concurrency <= 100:
        raise InputError("--concurrency", f"{options.concurrency} is not in 1..100")
    done = 0

    def count(_: object) -> None:
        nonlocal done
        done += 1

    async def work() -> Report:
        ticker = asyncio.create_task(_progress(lambda: done, len(plan.targets)))
        try:
            return await probe.run(
                plan,
                run_id=str(uuid.uuid4()),
                seconds=options.timeout,
                concurrency=options.concurrency,
                on_measured=count,
            )
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker

    _more_descriptors()
    report = asyncio.run(work())
    print(render(report, options.output, sys.stdout))
    return EXIT_CODES[report.verdict]


def _plan(options: argparse.Namespace) -> Plan:
    """Targets of the file, then the URLs."""
    from egressprobe.targets.file import read_file

    if not options.file and not options.urls:
        raise InputError("", "nothing to probe: give URLs or -f FILE (see egressprobe run --help)")
    document: Any = read_file(options.file) if options.file else {"targets": []}
    if options.urls:
        bundle = _read_bundle(options.ca_bundle) if options.ca_bundle else None
        if not isinstance(document, dict) or not isinstance(document.get("targets", []), list):
            read_plan(document)  # says what is wrong with the file
        entries = [
            target_from_url(
                url,
                kind=Kind(options.kind) if options.kind and not url.startswith(("tcp://", "tls://")) else None,
                place=f"URL {i + 1}",
                timeout=options.timeout_seconds,
                bundle=bundle if url.startswith(("https://", "tls://")) else None,
            )
            for i, url in enumerate(dict.fromkeys(options.urls))
        ]
        document = document | {"targets": [*document.get("targets", []), *entries]}
    if options.resolver and isinstance(document, dict):
        document = document | {"resolvers": options.resolver}
    if options.kube_version and isinstance(document, dict):
        document = document | {"kubeVersion": options.kube_version}
    return read_plan(document)


def _more_descriptors() -> None:
    """Raise the limit on open files: it bounds how many targets are unfinished at once (concurrency.py)."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _read_bundle(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InputError("--ca-bundle", f"{name} cannot be read: {os_words(error)}") from None


async def _progress(done: Callable[[], int], many: int) -> None:
    """A counter on a terminal once a run takes longer than a second."""
    if not sys.stderr.isatty():
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
