"""The table: the summary, then one line for each target, and under each that does not pass its cause and its fix.

What fails comes first; in each line the verdict, the slow or broken phase in its column, then the predicted call. A
terminal that is too narrow for the columns gets the times on a line of their own. Colour only repeats the verdict.
"""

from collections.abc import Iterator

from egressprobe.catalog.advice import advice
from egressprobe.catalog.entry import steps
from egressprobe.catalog.findings_probe import DNS_SLOW
from egressprobe.catalog.registry import visible
from egressprobe.cli.output.terminal import (
    COLOURS,
    ORDER,
    SHOWN,
    Style,
    cut,
    indented,
    line,
    ms,
    paragraph,
    remedy,
    short,
    some,
    widths,
)
from egressprobe.model.failure import Code, Phase
from egressprobe.model.measurement import Attempt
from egressprobe.model.report import Availability, Report, Result, TargetView
from egressprobe.model.target import Impact, Kind, Verdict

_HEADS = ("VERDICT", "KIND", "TARGET", "DNS", "CONNECT", "TLS", "HTTP", "PREDICTED API CALL")
_PHASES = (Phase.RESOLVE, Phase.CONNECT, Phase.TLS, Phase.HTTP)
_IMPACTS = {
    Impact.BLOCKS: "requests that need it are refused",
    Impact.BYPASSES: "the check is skipped, requests go through unchecked",
    Impact.DELAYS: "every request waits, then goes through unchecked",
}
_AVAILABLE = {
    "pass": "yes: the API server's own check, which does not verify TLS, passes",
    "fail": "no: the API server's own check fails, and it sends no request",
    "unknown": "unknown: the check needs the API server's client certificate",
}
_TIMES = range(3, 7)  # the columns of _HEADS that hold times
_NONE, _BROKEN = "-", "x"


def to_table(report: Report, *, colour: bool = False, width: int | None = None) -> str:
    """The table; `width`: columns of a terminal to fold explanations to, None leaves them whole."""
    style = Style(colour)
    results = sorted(report.results, key=lambda result: ORDER.index(result.verdict))
    word = SHOWN[report.verdict]
    first, *rest = paragraph(summary_line(report), width)
    lines = [style.paint(word, COLOURS[report.verdict]) + first.removeprefix(word), *rest, ""]
    rows = [_row(result) for result in results]
    columns = widths((_HEADS, *rows))
    if width and sum(columns) + 2 * (len(columns) - 1) > width:
        lines += _stacked(results, rows, style, width)
    else:
        lines.append(style.paint(line(_HEADS, columns, right=_TIMES), "2"))
        for row, result in zip(rows, results, strict=True):
            lines.append(line(row, columns, right=_TIMES, paint=style.first(COLOURS[result.verdict])))
            lines += _explained(result, style, width)
    below = (part for text in footer(report) for part in paragraph(text, width))
    return "\n".join((*lines, "", *below))


def summary_line(report: Report) -> str:
    """The first line: the verdict, and how many targets have which."""
    s = report.summary
    counts = f"{s.fail} fail, {s.unknown} unknown, {s.degraded} degraded, {s.passed} pass"
    return f"{SHOWN[report.verdict]}: {counts} in {report.duration_ms / 1e3:.1f} s"


def _stacked(results: list[Result], rows: list[tuple[str, ...]], style: Style, width: int) -> Iterator[str]:
    """Without the columns of times: verdict, kind and target in one line, the rest below it."""
    columns = widths((_HEADS[:3], *(row[:3] for row in rows)))
    room = width - sum(columns[:2]) - 4
    columns[2] = min(columns[2], room)
    yield style.paint(line(_HEADS[:3], columns), "2")
    for row, result in zip(rows, results, strict=True):
        name = cut(row[2], room)
        yield line((*row[:2], name), columns, paint=style.first(COLOURS[result.verdict]))
        times = (f"{head.lower()} {row[i]}" for i, head in enumerate(_HEADS) if i in _TIMES and row[i] != _NONE)
        yield from indented(style, "call", "; ".join((row[-1], ", ".join(times))).rstrip("; "), width)
        yield from _explained(result, style, width)


def _explained(result: Result, style: Style, width: int | None) -> Iterator[str]:
    for label, text in details(result):
        yield from indented(style, label, text, width)


def _row(result: Result) -> tuple[str, ...]:
    return (SHOWN[result.verdict], result.target.kind, short(result.target.name), *_times(result), call_text(result))


def phase_times(result: Result) -> dict[Phase, float]:
    """Milliseconds of each phase that was measured, of the attempt that got furthest."""
    best = _furthest(result)
    lookups = [r for r in result.resolutions if r.view == "system" and r.origin != "literal"]
    times = {
        Phase.RESOLVE: max((r.ms for r in lookups), default=None),
        Phase.CONNECT: best.connect_ms if best else None,
        Phase.TLS: best.tls.duration_ms if best and best.tls else None,
        Phase.HTTP: result.http[-1].duration_ms if result.http else best.exchange_ms if best else None,
    }
    return {phase: value for phase, value in times.items() if value is not None}


def _times(result: Result) -> tuple[str, ...]:
    best, times = _furthest(result), phase_times(result)
    # Content (a wrong issuer, a bad key set) is judged after every phase has worked.
    broken = result.failure.phase if result.failure and result.verdict is not Verdict.PASS else None
    if result.failure and result.failure.code is Code.BLOCKED_TARGET_REACHED:
        broken = None  # the connection that should have failed worked
    cells = [ms(times[phase]) if phase in times else _NONE for phase in _PHASES]
    if broken is not None:
        at = _PHASES.index(broken)
        worked = best is not None and best.failure is None and broken in (Phase.CONNECT, Phase.TLS)
        cells[at] = _BROKEN if cells[at] == _NONE or worked else f"{_BROKEN} {cells[at]}"
    return tuple(cells)


def _furthest(result: Result) -> Attempt | None:
    return max(result.attempts, key=_progress, default=None)


def _progress(attempt: Attempt) -> tuple[bool, bool, bool]:
    return (attempt.failure is None, attempt.tls is not None, attempt.connect_ms is not None)


def call_text(result: Result) -> str:
    """What the predicted call does."""
    predicted = result.forecast
    if predicted is None:
        if result.target.expect == "blocked":
            return {Verdict.PASS: "is blocked", Verdict.FAIL: "is NOT blocked"}.get(result.verdict, "not measured")
        return "not measured"
    verb = "passes in" if predicted.outcome == "pass" else "fails after"
    text = f"{verb} {ms(predicted.seconds * 1e3)}"
    if 0 < predicted.share < 1:
        text += f"; {predicted.share:.0%} of calls pass"
    return text


def details(result: Result) -> Iterator[tuple[str, str]]:
    """(label, text) of everything that is worth knowing of a result."""
    if result.verdict is Verdict.PASS:
        yield from (("note", finding.summary) for finding in result.findings)
        return
    if result.failure:
        yield "cause", f"{result.failure.message} ({result.failure.code})"
        if result.failure.api_server_error:
            yield "apiserver", result.failure.api_server_error
        yield from (
            ("", f"or, by chance: {text}") for text in (result.forecast.alternatives if result.forecast else ())
        )
    if result.availability:
        yield "available", _available(result.availability)
    for finding in visible(result.findings):
        if finding.code == DNS_SLOW.code and result.failure and result.failure.code is Code.DNS_TIMEOUT:
            continue  # the cause has said so
        yield "finding", f"{finding.summary} ({finding.code})"
    check, fix = advice(result)
    yield from remedy(fix, steps(check, fix))
    some_fail = result.verdict is Verdict.DEGRADED and result.forecast is not None and result.forecast.share < 1
    if (result.verdict is Verdict.FAIL or some_fail) and result.impact in _IMPACTS:
        affects = f"; {result.target.affects}" if result.target.affects else ""
        yield "impact", f"{result.impact}{_condition(result)}: {_IMPACTS[result.impact]}{affects}"
    if result.target.objects:
        yield "nodes" if result.target.kind is Kind.KUBELET else "called by", some(result.target.objects)
    yield from (("owner", text) for text in owned_by(result.target))


def owned_by(target: TargetView) -> Iterator[str]:
    """`Team A (critical)`; nothing where neither is known."""
    owner = target.owner or ("not known" if target.severity else "")
    if owner:
        yield f"{owner} ({target.severity})" if target.severity else owner


def _condition(result: Result) -> str:
    """A webhook that is not out of the cluster's configuration: its failurePolicy is not known."""
    target = result.target
    unknown = target.kind is Kind.WEBHOOK and target.failure_policy is None and not target.objects
    return ", if its failurePolicy is Fail (not known for a URL)" if unknown and result.impact is Impact.BLOCKS else ""


def _available(check: Availability) -> str:
    """Of the API server's own condition where it is False, else of the check as we repeated it."""
    own = check.condition
    if own is not None and own.status == "False" and check.outcome != "fail":
        return f"no: the API server reports False ({own.reason}){f' since {own.since}' if own.since else ''}"
    reason = f" ({check.reason}: {check.error})" if check.outcome == "fail" else ""
    return _AVAILABLE[check.outcome] + reason


def footer(report: Report) -> Iterator[str]:
    """Findings of the run, what it was made with, and its limits."""
    at = report.vantage
    for finding in report.findings:
        yield f"{finding.summary} ({finding.code})"
    roots = f"roots {at.trust_store} (EKS's own may differ)"
    bundles = {result.target.ca_bundle for result in report.results} - {"system", "not verified"}
    if bundles:
        own = sum(result.target.ca_bundle in bundles for result in report.results)
        every = own == len(report.results)
        roots = (
            "own caBundle for each target"
            if every
            else f"own caBundle for {own} of {len(report.results)} targets, otherwise {roots}"
        )
    yield f"Resolver {', '.join(at.resolvers)}; as Kubernetes {at.kube_version}; {roots}; {at.openssl_version}."
    yield report.limits
