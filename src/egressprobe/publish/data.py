"""Reports as data: json, yaml, jsonl, and what fits a Lambda response."""

from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.catalog import finding
from egressprobe.measured import Attempt, Resolution
from egressprobe.report import Report, Result

# A synchronous invocation answers with at most 6 MB; JSON inside JSON and base64 eat a third.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE = 4 * 1000 * 1000


def to_json(report: msgspec.Struct, *, indent: int = 2) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=indent).decode()


def to_jsonl(report: Report) -> str:
    """One line a result, each with the run it belongs to, then nothing else: made for grep and jq."""
    head = {"runId": report.run_id, "startedAt": report.started_at}
    lines = (msgspec.json.encode(head | msgspec.to_builtins(one)).decode() for one in report.results)
    return "\n".join(lines)


def to_yaml(report: msgspec.Struct) -> str:
    import yaml

    return yaml.safe_dump(msgspec.to_builtins(report), sort_keys=False, allow_unicode=True).rstrip("\n")


def from_json(text: str | bytes) -> Report:
    """A report read back. Raises msgspec.ValidationError."""
    return msgspec.json.decode(text, type=Report)


def response(report: Report, limit: int = MAX_RESPONSE) -> dict[str, Any]:
    """The report as a handler's answer, below `limit` bytes: chains go first, verdicts never."""
    said = report.findings
    for step in (None, *REDUCTIONS):
        if step is not None:
            results = tuple(step(one) for one in report.results)
            note = finding("REPORT_REDUCED", "details were left out to fit the response", {"limitBytes": limit})
            report = replace(report, results=results, findings=(*said, note))
        encoded = msgspec.json.encode(report)
        if len(encoded) < limit:
            break
    answer: dict[str, Any] = msgspec.json.decode(encoded)
    return answer


def _without_chains(one: Result) -> Result:
    check = one.availability
    if check is not None:
        check = replace(check, attempts=tuple(map(_unchained, check.attempts)))
    return replace(one, attempts=tuple(map(_unchained, one.attempts)), availability=check)


def _unchained(attempt: Attempt) -> Attempt:
    return replace(attempt, tls=replace(attempt.tls, chain=())) if attempt.tls else attempt


def _without_queries(one: Result) -> Result:
    return replace(one, resolutions=tuple(map(_unqueried, one.resolutions)))


def _unqueried(resolution: Resolution) -> Resolution:
    return replace(resolution, lookups=(), sources={})


def _bare(one: Result) -> Result:
    check = replace(one.availability, attempts=()) if one.availability else None
    target = replace(one.target, addresses=(), objects=(), affects="")
    return replace(one, attempts=(), resolutions=(), http=(), target=target, availability=check)


def _verdict_only(one: Result) -> Result:
    """Nothing of unbounded length is left: no evidence, no texts."""
    return replace(_bare(one), findings=(), failure=None, forecast=None, availability=None)


# From a whole result to a verdict; the first that fits is taken.
REDUCTIONS = (_without_chains, _without_queries, _bare, _verdict_only)
