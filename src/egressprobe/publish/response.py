"""Reports as data: json, yaml, jsonl, and what fits a Lambda response."""

from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.model.measurement import Attempt, Resolution
from egressprobe.model.report import Report, Result

# A synchronous invocation answers with at most 6 MB; JSON inside JSON and base64 eat a third.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE = 4 * 1000 * 1000


def response(report: Report, limit: int = MAX_RESPONSE) -> dict[str, Any]:
    """The report as a handler's response, below `limit` bytes: chains are cut first, verdicts never."""
    findings = report.findings
    for step in (None, *REDUCTIONS):
        if step is not None:
            results = tuple(step(result) for result in report.results)
            note = REPORT_REDUCED.found("details were left out to fit the response", {"limitBytes": limit})
            report = replace(report, results=results, findings=(*findings, note))
        encoded = msgspec.json.encode(report)
        if len(encoded) < limit:
            break
    document: dict[str, Any] = msgspec.json.decode(encoded)
    return document


def _without_chains(result: Result) -> Result:
    check = result.availability
    if check is not None:
        check = replace(check, attempts=tuple(map(_unchained, check.attempts)))
    return replace(result, attempts=tuple(map(_unchained, result.attempts)), availability=check)


def _unchained(attempt: Attempt) -> Attempt:
    return replace(attempt, tls=replace(attempt.tls, chain=())) if attempt.tls else attempt


def _without_queries(result: Result) -> Result:
    return replace(result, resolutions=tuple(map(_unqueried, result.resolutions)))


def _unqueried(resolution: Resolution) -> Resolution:
    return replace(resolution, lookups=(), sources={})


def _bare(result: Result) -> Result:
    check = replace(result.availability, attempts=()) if result.availability else None
    target = replace(result.target, addresses=(), objects=(), affects="")
    return replace(result, attempts=(), resolutions=(), http=(), target=target, availability=check)


def _verdict_only(result: Result) -> Result:
    """Without everything of unbounded length: no evidence, no texts."""
    return replace(_bare(result), findings=(), failure=None, forecast=None, availability=None)


# From a whole result to a verdict; the first that fits is taken.
REDUCTIONS = (_without_chains, _without_queries, _bare, _verdict_only)


def from_json(text: str | bytes) -> Report:
    """A report read back. Raises msgspec.ValidationError."""
    return msgspec.json.decode(text, type=Report)
