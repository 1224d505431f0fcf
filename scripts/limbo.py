"""Compares our verdicts and texts with Go's on x509-limbo, a public suite of path validation cases.

Usage: limbo.py [FILE]. FILE holds the suite's server cases with the answers of crypto/x509 of Go 1.26:
{"cases": [{"id", "host", "time" (null: now), "chain", "roots" (both base64 of DER), "go" (empty: accepted)}]}. It is
not part of the project: without it the comparison is counted as not run. Ends with 1 when a verdict differs, more than
three texts do, or a case takes more than 50 ms of CPU time.
"""

import base64
import json
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509 import signatures  # noqa: F401  (imported here, not in the first case's time)
from egressprobe.probe.transport.certificate_check import Trust, judge

_MOST_TEXTS, _MOST_MS = 3, 50.0
_PREFIXES = ("tls: failed to verify certificate: ", "tls: failed to parse certificate from server: ")


class Compared(NamedTuple):
    name: str
    go: str
    ours: str
    ms: float

    @property
    def same_verdict(self) -> bool:
        return bool(self.go) == bool(self.ours)


def compare(cases: Iterable[dict[str, Any]]) -> Iterator[Compared]:
    """Each case with both answers, without what only a TLS client puts before them."""
    for case in cases:
        chain, roots = ([base64.b64decode(der) for der in case[side]] for side in ("chain", "roots"))
        now = datetime.fromisoformat(case["time"]) if case["time"] else datetime.now(UTC)
        trust = Trust(case["host"], lambda roots=roots: roots, "limbo", GoRelease.V1_26)
        began = time.process_time()
        failure = judge(chain, trust, now).failure
        ms = (time.process_time() - began) * 1e3
        yield Compared(case["id"], _bare(case["go"]), _bare(failure.api_server_error or "") if failure else "", ms)


def _bare(text: str) -> str:
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return text


def report(compared: list[Compared]) -> bool:
    """Print what differs and the counts; whether that is good enough."""
    verdicts = [case for case in compared if not case.same_verdict]
    texts = [case for case in compared if case.same_verdict and case.go != case.ours]
    slow = [case for case in compared if case.ms > _MOST_MS]
    for what, cases in (("verdict", verdicts), ("text", texts), ("time", slow)):
        for case in cases:
            print(f"{what} {case.name}: Go {case.go!r}, ours {case.ours!r}, {case.ms:.0f} ms")
    slowest = max((case.ms for case in compared), default=0.0)
    same = f"{len(compared) - len(verdicts)} verdicts and {len(compared) - len(verdicts) - len(texts)} texts as Go's"
    print(f"x509-limbo: {len(compared)} cases, {same}, slowest {slowest:.0f} ms")
    return not verdicts and len(texts) <= _MOST_TEXTS and not slow


def main(arguments: list[str]) -> int:
    if not arguments:
        print("NOT RUN: 1 suite needs x509-limbo with Go's answers (make conformance LIMBO=FILE)")
        return 0
    cases = json.loads(Path(arguments[0]).read_text())["cases"]
    return 0 if report(list(compare(cases))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
