"""Reports as data: json, yaml, jsonl, and what fits a Lambda response.

One result that needs too many bytes is cut before any other: a server cannot make the evidence on other targets
disappear by sending much.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.model.failure import Failure
from egressprobe.model.measurement import Attempt, Resolution
from egressprobe.model.report import Finding, Report, Result
from egressprobe.model.text import valid, with_ellipsis

# A synchronous invocation answers with at most 6 MB; JSON inside JSON and base64 eat a third.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE = 4 * 1000 * 1000
_MAX_TEXT = 2000  # characters of one text of a result that is cut
_MAX_NAMED = 20  # targets that the finding names


def response(report: Report, limit: int = MAX_RESPONSE) -> dict[str, Any]:
    """The report as a handler's response, below `limit` bytes: largest results are cut first, verdicts never."""
    report = encodable(report)
    results, cut = fitting(report.results, limit - len(msgspec.json.encode(replace(report, results=()))))
    if cut:
        evidence = {"limitBytes": limit, "targets": cut[:_MAX_NAMED], "count": len(cut)}
        note = REPORT_REDUCED.found(f"details of {len(cut)} targets were left out to fit the response", evidence)
        report = replace(report, results=results, findings=(*report.findings, note))
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report))
    return document


def encodable(report: Report) -> Report:
    """The report without lone surrogates, which JSON in UTF-8 cannot carry: they cost their own text only."""
    try:
        msgspec.json.encode(report)
    except UnicodeEncodeError:
        return msgspec.convert(valid(msgspec.to_builtins(report)), Report)
    return report


def fitting(results: Sequence[Result], limit: int) -> tuple[tuple[Result, ...], list[str]]:
    """The results in at most `limit` bytes, and the names of those that were cut; each step cuts the largest one."""
    kept = list(results)
    sizes = [len(msgspec.json.encode(result)) for result in kept]
    steps = [0] * len(kept)
    total = sum(sizes) + len(kept) + _room(kept)
    largest = [(-size, i) for i, size in enumerate(sizes)]
    heapq.heapify(largest)
    while total > limit and largest:
        _, i = heapq.heappop(largest)
        kept[i] = REDUCTIONS[steps[i]](kept[i])
        steps[i] += 1
        size = len(msgspec.json.encode(kept[i]))
        total, sizes[i] = total + size - sizes[i], size
        if steps[i] < len(REDUCTIONS):
            heapq.heappush(largest, (-size, i))
    return tuple(kept), [result.target.name for result, step in zip(kept, steps, strict=True) if step]


def _room(results: Sequence[Result]) -> int:
    """Bytes for the finding that names what was cut."""
    return 2000 + sum(len(result.target.name) for result in results[:_MAX_NAMED])


def _short(text: str) -> str:
    return with_ellipsis(text, _MAX_TEXT)


def _short_failure(failure: Failure | None) -> Failure | None:
    if failure is None:
        return None
    error = failure.api_server_error
    error = None if error is None else _short(error)
    return replace(failure, message=_short(failure.message), api_server_error=error, remedy_steps=msgspec.UNSET)


def _short_attempt(attempt: Attempt) -> Attempt:
    return replace(attempt, failure=_short_failure(attempt.failure))


def _short_finding(finding: Finding) -> Finding:
    large = len(msgspec.json.encode(finding.evidence)) > _MAX_TEXT
    evidence = {} if large else finding.evidence
    return replace(finding, summary=_short(finding.summary), evidence=evidence, remedy_steps=msgspec.UNSET)


def _short_texts(result: Result) -> Result:
    """Every text that a server may have written, cut."""
    forecast = result.forecast
    if forecast is not None and forecast.error is not None:
        forecast = replace(forecast, error=_short(forecast.error), alternatives=())
    check = result.availability
    if check is not None:
        error = None if check.error is None else _short(check.error)
        check = replace(check, error=error, alternatives=(), attempts=tuple(map(_short_attempt, check.attempts)))
    http = tuple(replace(hop, url=_short(hop.url), failure=_short_failure(hop.failure)) for hop in result.http)
    findings = tuple(map(_short_finding, result.findings))
    return replace(
        result,
        failure=_short_failure(result.failure),
        forecast=forecast,
        attempts=tuple(map(_short_attempt, result.attempts)),
        http=http,
        findings=findings,
        availability=check,
    )


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


_MAX_URL = 2_000  # characters of a target's URL that remain when everything else has been cut


def _verdict_only(result: Result) -> Result:
    """Without everything of unbounded length: no evidence, no texts."""
    target = replace(result.target, url=result.target.url[:_MAX_URL])
    return replace(_bare(result), target=target, findings=(), failure=None, forecast=None, availability=None)


# From a whole result to a verdict, step by step.
REDUCTIONS = (_short_texts, _without_chains, _without_queries, _bare, _verdict_only)


def from_json(text: str | bytes) -> Report:
    """A report read back. Raises msgspec.ValidationError."""
    return msgspec.json.decode(text, type=Report)
