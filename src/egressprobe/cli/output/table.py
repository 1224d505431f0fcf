"""The table: one line a target, and under what does not pass its cause and what kube-apiserver would log.

Read at 3 a.m.: verdict first, the slow or broken phase in its column, then words. No colour decides
anything; it only repeats the verdict, on a terminal.
"""

import re
import textwrap
from collections.abc import Iterator

from egressprobe.catalog.registry import lookup
from egressprobe.cli.output.terminal import COLOURS, MAX_NAME, ORDER, SHOWN, Style, indented, ms
from egressprobe.model.failure import Phase
from egressprobe.model.measurement import Attempt
from egressprobe.model.report import Report, Result
from egressprobe.model.target import Impact, Kind, Verdict

_HEADS = ("VERDICT", "KIND", "TARGET", "DNS", "CONNECT", "TLS", "HTTP", "A FRESH CALL")
_PHASES = (Phase.RESOLVE, Phase.CONNECT, Phase.TLS, Phase.HTTP)
_IMPACTS = {
    Impact.BLOCKS: "requests that need it are refused",
    Impact.BYPASSES: "the check is skipped, requests go through unchecked",
    Impact.DELAYS: "every request waits, then goes through unchecked",
}
_AVAILABLE = {
    "pass": "yes: the API server's own check, which does not verify TLS, passes",
    "fail": "no: the API server's own check fails, and it sends no request",
    "unknown": "cannot be told from outside: the check is refused to the anonymous",
}
_NONE, _BROKEN = "-", "x"
_MOST_OBJECTS = 5


def to_table(report: Report, *, colour: bool = False, width: int | None = None) -> str:
    """The table; `width`: columns of a terminal to fold long explanations to, None leaves them whole."""
    style = Style(colour)
    ordered = sorted(report.results, key=lambda one: ORDER.index(one.verdict))
    rows = [(_row(one), one) for one in ordered]
    widths = [max(len(head), *(len(row[i]) for row, _ in rows), 0) for i, head in enumerate(_HEADS)]
    lines = [style.paint(_line(_HEADS, widths), "2")]
    for row, one in rows:
        text = _line(row, widths)
        lines.append(style.paint(text[: widths[0]], COLOURS[one.verdict]) + text[widths[0] :])
        for label, said in details(one):
            lines += indented(style, label, said, width)
    footer = _footer(report)
    if width:
        footer = (part for line in footer for part in textwrap.wrap(line, width, break_on_hyphens=False))
    return "\n".join((*lines, "", *footer))


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:3], widths[:3], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[3:7], widths[3:7], strict=True)]
    return "  ".join((*left, *right, cells[7])).rstrip()


def _row(one: Result) -> tuple[str, ...]:
    name = one.target.name
    shown = name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
    return (SHOWN[one.verdict], one.target.kind, shown, *_times(one), _call(one))


def _times(one: Result) -> tuple[str, ...]:
    """Milliseconds by phase of the attempt that tells most: the one that got furthest."""
    best = max(one.attempts, key=_progress, default=None)
    own = [r for r in one.resolutions if r.view == "system" and r.origin != "literal"]
    # Content (a wrong issuer, a bad key set) is judged after every phase has worked.
    broken = one.failure.phase if one.failure and one.verdict is not Verdict.PASS else None
    http = one.http[-1].duration_ms if one.http else best.exchange_ms if best else None
    values = (
        max((r.ms for r in own), default=None),
        best.connect_ms if best else None,
        best.tls.duration_ms if best and best.tls else None,
        http,
    )
    cells = [_NONE if value is None else ms(value) for value in values]
    if broken is not None:
        at = _PHASES.index(broken)
        went_well = best is not None and best.failure is None and broken in (Phase.CONNECT, Phase.TLS)
        cells[at] = _BROKEN if cells[at] == _NONE or went_well else f"{_BROKEN} {cells[at]}"
    return tuple(cells)


def _progress(attempt: Attempt) -> tuple[bool, bool, bool]:
    return (attempt.failure is None, attempt.tls is not None, attempt.connect_ms is not None)


def _call(one: Result) -> str:
    predicted = one.forecast
    if predicted is None:
        if one.target.expect == "blocked":
            return {Verdict.PASS: "is blocked", Verdict.FAIL: "is NOT blocked"}.get(one.verdict, "cannot be told")
        return "cannot be told"
    verb = "passes in" if predicted.outcome == "pass" else "fails after"
    text = f"{verb} {ms(predicted.seconds * 1e3)}"
    if 0 < predicted.share < 1:
        text += f"; {predicted.share:.0%} of calls pass"
    return text


def details(one: Result) -> Iterator[tuple[str, str]]:
    if one.verdict is Verdict.PASS:
        yield from (("note", found.summary) for found in one.findings)
        return
    if one.failure:
        yield "cause", f"{one.failure.message} ({one.failure.code})"
        if one.failure.api_server_error:
            yield "apiserver", one.failure.api_server_error
    if one.availability:
        yield "available", _AVAILABLE[one.availability.outcome]
    for found in one.findings:
        yield "finding", f"{found.summary} ({found.code})"
    mend = _mend(one)
    if mend:
        yield "mend", mend
    some_fail = one.verdict is Verdict.DEGRADED and one.forecast is not None and one.forecast.share < 1
    if (one.verdict is Verdict.FAIL or some_fail) and one.impact in _IMPACTS:
        stands_before = f"; {one.target.affects}" if one.target.affects else ""
        yield "impact", f"{one.impact}: {_IMPACTS[one.impact]}{stands_before}"
    if one.target.objects:
        yield "nodes" if one.target.kind is Kind.KUBELET else "called by", _some(one.target.objects)


def _some(objects: tuple[str, ...]) -> str:
    more = len(objects) - _MOST_OBJECTS
    return ", ".join(objects[:_MOST_OBJECTS]) + (f" and {more} more" if more > 0 else "")


def _mend(one: Result) -> str:
    """The catalogue's remedy with this target's address and port in it: of the cause found, else of the failure."""
    entry = lookup(one.failure.code) if one.failure else None
    causes = [found.remedy for found in one.findings if found.severity == "error"]
    others = [entry.remedy] if entry else [found.remedy for found in one.findings]
    text = next(iter((*causes, *others)), "")
    broken = next((a for a in one.attempts if a.failure), None)
    known = {"ADDRESS": broken.address, "PORT": str(broken.port)} if broken else {}
    if one.target.service:
        known |= {"NAMESPACE": one.target.service.namespace, "SERVICE": one.target.service.name}
    for word, value in known.items():
        text = re.sub(rf"\b{word}\b", value, text)
    return text


def _footer(report: Report) -> Iterator[str]:
    s, at = report.summary, report.vantage
    for found in report.findings:
        yield f"{found.summary} ({found.code})"
    yield (
        f"{s.passed} pass, {s.degraded} degraded, {s.fail} fail, {s.unknown} unknown "
        f"in {report.duration_ms / 1e3:.1f} s. Resolver {', '.join(at.resolvers)}; as Kubernetes {at.kube_version}; "
        f"roots {at.trust_store} (EKS's own may differ); {at.openssl_version}."
    )
    yield report.limits
