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
from typing import Any

from egressprobe.arguments import parser
from egressprobe.inputs import AwsError, InputError, os_words
from egressprobe.model import Kind, Plan, Verdict
from egressprobe.plan import read_plan, target_from_url
from egressprobe.report import Report

OK, OUR_ERROR, BAD_INPUT, FAILED, NOT_SURE = 0, 1, 2, 3, 4
_EXIT = {Verdict.PASS: OK, Verdict.FAIL: FAILED, Verdict.DEGRADED: NOT_SURE, Verdict.UNKNOWN: NOT_SURE}
_MAX_TIMEOUT = 900.0
_DESCRIPTORS = 16384
_PROGRESS_AFTER, _PROGRESS_EVERY = 1.0, 0.2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but `--help` and `--version` exits by itself."""
    try:
        options = parser().parse_args(argv)
        code = _COMMANDS[options.command](options)
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


def _audit(options: argparse.Namespace) -> int:
    from egressprobe.audit.ask import ask
    from egressprobe.audit.table import to_table
    from egressprobe.publish import data
    from egressprobe.publish.render import look

    found = ask(
        cluster=options.cluster,
        region=options.region,
        snapshot=options.snapshot,
        save=options.save,
        targets=options.file,
        skip=options.skip,
    )
    match options.output:
        case "json":
            print(data.to_json(found))
        case "yaml":
            print(data.to_yaml(found))
        case _:
            print(to_table(found, **look(sys.stdout)))
    return _EXIT[found.verdict]


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


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "invoke": _invoke,
    "discover": _discover,
    "audit": _audit,
    "explain": _explain,
    "demo": _demo,
}


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
