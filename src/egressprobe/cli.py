"""The command line. stdout is data, stderr is talk.

Exit codes: 0 pass, 1 our own error, 2 bad input, 3 at least one fail, 4 degraded or unknown only.
"""

import argparse
import asyncio
import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from egressprobe import __version__
from egressprobe.inputs import AwsError, InputError, os_words
from egressprobe.kubeversion import DEFAULT_KUBE_VERSION, HELLOS
from egressprobe.model import Kind, Plan, Verdict
from egressprobe.plan import read_plan, target_from_url
from egressprobe.report import Report

OK, OUR_ERROR, BAD_INPUT, FAILED, NOT_SURE = 0, 1, 2, 3, 4
_EXIT = {Verdict.PASS: OK, Verdict.FAIL: FAILED, Verdict.DEGRADED: NOT_SURE, Verdict.UNKNOWN: NOT_SURE}
_FORMATS = ("table", "json", "yaml", "jsonl")
DEFAULT_TIMEOUT = 60.0  # the longest a person waits for a table; the slowest target alone takes about 35 s
_MAX_TIMEOUT = 900.0
_DESCRIPTORS = 16384
_PROGRESS_AFTER, _PROGRESS_EVERY = 1.0, 0.2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of a page of usage."""
        raise InputError("", f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but `--help` and `--version` exits by itself."""
    try:
        options = _parser().parse_args(argv)
        command: Callable[[argparse.Namespace], int] = options.command
        code = command(options)
    except InputError as error:
        _say(f"egressprobe: {error}")
        return BAD_INPUT
    except AwsError as error:
        _say(f"egressprobe: {error}")
        return OUR_ERROR
    except BrokenPipeError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OUR_ERROR
    except KeyboardInterrupt:
        _say("egressprobe: interrupted")
        return OUR_ERROR
    except Exception as error:
        if os.environ.get("EGRESSPROBE_TRACEBACK"):
            raise
        _say(f"egressprobe: internal error: {type(error).__name__}: {error} (EGRESSPROBE_TRACEBACK=1 shows where)")
        return OUR_ERROR
    return code


def _parser() -> _Parser:
    parser = _Parser(prog="egressprobe", description=__import__("egressprobe").__doc__)
    parser.add_argument("--version", action="version", version=f"egressprobe {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    run = commands.add_parser("run", help="probe targets from here and say what the API server would meet")
    run.add_argument("urls", metavar="URL", nargs="*", help="https://webhook/path, tcp://host:port or tls://host:port")
    run.add_argument("-f", "--file", help="targets file, YAML or JSON; - is standard input")
    run.add_argument("--kind", choices=("webhook", "oidc"), help="what an https URL is (default: webhook)")
    run.add_argument("--ca-bundle", metavar="FILE", help="PEM file to trust for the URLs instead of the system roots")
    run.add_argument("--timeout-seconds", type=int, metavar="N", help="timeoutSeconds of the URLs, 1..30 (default: 10)")
    run.add_argument(
        "--resolver", action="append", default=[], metavar="ADDR[:PORT]", help="ask this name server; may be repeated"
    )
    run.add_argument(
        "--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help="seconds for the whole run (default: 60)"
    )
    run.add_argument(
        "--kube-version",
        metavar="V",
        help=f"of the API server stood in for, {min(HELLOS)}..{max(HELLOS)} (default: {DEFAULT_KUBE_VERSION})",
    )
    run.add_argument("--concurrency", type=int, default=10, metavar="N", help="targets in flight, 1..100 (default: 10)")
    _format(run)
    run.set_defaults(command=_run)

    invoke = commands.add_parser("invoke", help="probe now from every subnet of a deployed stack, by its Planner")
    invoke.add_argument("targets", metavar="TARGET", nargs="*", help="names of the stack's inventory (default: all)")
    invoke.add_argument("--stack", required=True, metavar="NAME", help="the CloudFormation stack")
    invoke.add_argument("--region", help="default: AWS_REGION or the profile's")
    invoke.add_argument("-o", "--output", choices=("table", "json", "yaml"), default="table", help="default: table")
    invoke.set_defaults(command=_invoke)

    discover = commands.add_parser("discover", help="the targets a cluster really has, as a file that run -f takes")
    discover.add_argument("--cluster", metavar="NAME", help="ask EKS and the API server, as the AWS profile's identity")
    discover.add_argument("--region", help="default: AWS_REGION or the profile's")
    discover.add_argument("--kubeconfig", metavar="FILE", help="ask the API server that a kubeconfig names")
    discover.add_argument("--context", metavar="NAME", help="of the kubeconfig; default: its current one")
    discover.add_argument("--from", dest="folder", metavar="DIR", help="recorded lists, PLURAL.json each")
    discover.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help="seconds (default: 60)")
    discover.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", help="default: yaml")
    discover.set_defaults(command=_discover)

    explain = commands.add_parser("explain", help="what a code means, how to confirm it, how to mend it")
    explain.add_argument("code", metavar="CODE", nargs="?", help="a failure or finding; without one: list them all")
    explain.add_argument("-o", "--output", choices=("text", "json"), default="text")
    explain.set_defaults(command=_explain)

    demo = commands.add_parser("demo", help="the whole thing on a built-in broken network: no AWS, no root")
    _format(demo)
    demo.set_defaults(command=_demo)
    return parser


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=_FORMATS, default="table", help="default: table")


# -- run ----------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    from egressprobe.publish.render import render
    from egressprobe.run import run

    plan = _plan(options)
    _within(options.timeout)
    if not 1 <= options.concurrency <= 100:
        raise InputError("--concurrency", f"{options.concurrency} is not in 1..100")
    done = 0

    def count(_: object) -> None:
        nonlocal done
        done += 1

    async def work() -> Report:
        ticker = asyncio.create_task(_progress(lambda: done, len(plan.targets)))
        try:
            return await run(
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
    return _EXIT[report.verdict]


def _invoke(options: argparse.Namespace) -> int:
    from egressprobe.publish.render import render
    from egressprobe.stack.invoke import invoke

    joined = invoke(options.stack, options.targets, options.region)
    for one in joined.refused:
        _say(f"egressprobe: «{one.name}» {one.why}")
    print(render(joined, options.output, sys.stdout))
    return BAD_INPUT if joined.refused and joined.verdict is Verdict.PASS else _EXIT[joined.verdict]


def _discover(options: argparse.Namespace) -> int:
    from egressprobe.discovery.ask import ask
    from egressprobe.publish.found import to_json, to_yaml

    _within(options.timeout)
    asked = ask(
        cluster=options.cluster,
        region=options.region,
        kubeconfig=options.kubeconfig,
        context=options.context,
        folder=options.folder,
        seconds=options.timeout,
    )
    for one in asked.found.findings:
        _say(f"{one.code}: {one.summary}")
    yaml = options.output == "yaml"
    print(to_yaml(asked.found, asked.facts, asked.origin) if yaml else to_json(asked.found, asked.facts))
    return NOT_SURE if asked.found.unread else OK


def _within(timeout: float) -> None:
    if not 0.1 <= timeout <= _MAX_TIMEOUT:
        raise InputError("--timeout", f"{timeout:g} is not in 0.1..{_MAX_TIMEOUT:g} seconds")


def _plan(options: argparse.Namespace) -> Plan:
    """Targets of the file, then the URLs."""
    from egressprobe.targetsfile import read_file

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
    """As many sockets as the system lets us have: it bounds how many targets are unfinished at once (slots.py)."""
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


# -- explain, demo ------------------------------------------------------------------------------------------


def _explain(options: argparse.Namespace) -> int:
    from egressprobe import catalog
    from egressprobe.publish import explanation

    if options.code is None:
        print(explanation.index())
        return OK
    entry_or_none = catalog.lookup(options.code)
    if entry_or_none is None:
        import difflib

        near = difflib.get_close_matches(options.code.lower(), [e.code.lower() for e in catalog.all_entries()], 1)
        hint = f"; did you mean {near[0]}?" if near else "; egressprobe explain lists them all"
        raise InputError("", f"«{options.code}» is no code of egressprobe{hint}")
    if options.output == "json":
        print(explanation.to_json(entry_or_none))
    else:
        print(explanation.to_text(entry_or_none))
    return OK


def _demo(options: argparse.Namespace) -> int:
    from egressprobe.lab.demo import demo

    return demo(options.output)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
