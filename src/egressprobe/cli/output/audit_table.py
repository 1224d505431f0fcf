"""The audit as a table: the verdict, a line a target, a column a subnet, then what is wrong and what fixes it."""

from collections.abc import Iterable, Iterator, Sequence

from egressprobe.audit.paths.destination import SubnetCell, TargetRow
from egressprobe.audit.result import Audit
from egressprobe.audit.whatif.result import WhatIf
from egressprobe.cli.output.terminal import (
    COLOURS,
    ORDER,
    SHOWN,
    Style,
    cut,
    indented,
    line,
    paragraph,
    remedy,
    short,
    some,
    widths,
)
from egressprobe.model.report import Finding, worst
from egressprobe.model.target import Expect, Verdict

_SHOWN = {"open": "open", "partial": "partial", "closed": "CLOSED", "unknown": "unknown"}
# Of a target that must be blocked.
_SHOWN_BLOCKED = {"open": "NOT BLOCKED", "partial": "NOT BLOCKED", "closed": "blocked", "unknown": "unknown"}
_COLOUR = {
    "open": COLOURS[Verdict.PASS],
    "partial": COLOURS[Verdict.DEGRADED],
    "CLOSED": COLOURS[Verdict.FAIL],
    "unknown": COLOURS[Verdict.UNKNOWN],
    "NOT BLOCKED": COLOURS[Verdict.FAIL],
    "blocked": COLOURS[Verdict.PASS],
}
_VERDICTS: dict[str, Verdict] = {
    "open": Verdict.PASS,
    "partial": Verdict.DEGRADED,
    "closed": Verdict.FAIL,
    "unknown": Verdict.UNKNOWN,
}
# Of a target that must be blocked.
_VERDICTS_BLOCKED: dict[str, Verdict] = {
    "open": Verdict.FAIL,
    "partial": Verdict.FAIL,
    "closed": Verdict.PASS,
    "unknown": Verdict.UNKNOWN,
}
# What needs a person comes first.
_SEVERITIES = ("error", "warning", "info")
_SEVERITY = {"info": "note", "warning": "WARNING", "error": "ERROR"}
_PAINT = {"info": "2", "warning": COLOURS[Verdict.DEGRADED], "error": COLOURS[Verdict.FAIL]}
_MOST_NOTES, _LEAST_NAME = 5, 10


def audit_table(audit: Audit, *, colour: bool = False, width: int | None = None) -> str:
    """`width`: columns of a terminal to fold words to, never commands; None leaves all whole."""
    style = Style(colour)
    lines = [
        *paragraph(summary_line(audit), width),
        *paragraph(source_line(audit), width),
        "",
        *_matrix(audit, style, width),
        "",
    ]
    findings = sorted(audit.findings, key=lambda finding: _SEVERITIES.index(finding.severity))
    notes = [finding for finding in findings if finding.severity == "info"]
    for alike in _grouped(findings[: len(findings) - len(notes) + _MOST_NOTES]):
        lines += _findings(alike, style, width)
    if len(notes) > _MOST_NOTES:
        lines.append(f"and {len(notes) - _MOST_NOTES} more notes (-o json has them)")
    below = (part for text in footer(audit) for part in paragraph(text, width))
    return "\n".join((*lines, *([""] if findings else []), *below))


def _matrix(audit: Audit, style: Style, width: int | None) -> Iterator[str]:
    """What is closed comes first. A terminal that is too narrow gets the subnets on a line below each target."""
    heads = ("TARGET", "PORT", *(column.zone or column.id for column in audit.subnets))
    ids = ("", "", *(column.id for column in audit.subnets))
    rows = [
        (name_text(row), str(row.target.port), *(cell_text(cell, row.target.expect) for cell in row.cells))
        for row in sorted(audit.rows, key=_order)
    ]
    columns = widths((heads, ids, *rows))
    stacked = width if width and sum(columns) + 2 * (len(columns) - 1) > width else None
    if stacked:
        columns = [min(columns[0], max(stacked - columns[1] - 2, _LEAST_NAME)), columns[1]]
    for head in (heads[:2],) if stacked else (heads, ids):
        yield style.paint(line(head, columns), "2")

    def paint(i: int, text: str) -> str:
        word = next((word for word in _COLOUR if i > 1 and text.startswith(word)), "")
        return style.paint(word, _COLOUR[word]) + text[len(word) :] if word else text

    for cells in rows:
        if not stacked:
            yield line(cells, columns, paint=paint)
            continue
        yield line((cut(cells[0], columns[0]), cells[1]), columns)
        states = ", ".join(f"{name} {state}" for name, state in zip(ids[2:], cells[2:], strict=True))
        yield from indented(style, "subnets", states, stacked)


def _order(row: TargetRow) -> int:
    return ORDER.index(worst(path_verdict(cell.state, row.target.expect) for cell in row.cells))


def path_verdict(state: str, expect: Expect) -> Verdict:
    """What the state of a path means for a target; partial: for some of its addresses or ports."""
    return (_VERDICTS_BLOCKED if expect is Expect.BLOCKED else _VERDICTS)[state]


def name_text(row: TargetRow) -> str:
    """A target by its name; its addresses may be assumed."""
    return short(row.target.name) + (" (assumed public)" if row.target.assumed and row.target.host else "")


def cell_text(cell: SubnetCell, expect: Expect) -> str:
    """A target from a subnet: the state of its paths, and what closes or narrows them."""
    if expect is Expect.BLOCKED:
        return _SHOWN_BLOCKED[cell.state]
    return f"{_SHOWN[cell.state]} {cell.code}" if cell.code and cell.state != "open" else _SHOWN[cell.state]


def _grouped(findings: Sequence[Finding]) -> Iterable[list[Finding]]:
    """Those of one code with one fix are together, where the first of them is; notes have no fix."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for i, finding in enumerate(findings):
        fix = i if finding.severity == "info" else (finding.remedy, str(finding.remedy_steps))
        groups.setdefault((finding.severity, finding.code, fix), []).append(finding)
    return groups.values()


def _findings(alike: Sequence[Finding], style: Style, width: int | None) -> Iterator[str]:
    """Each cause with what it affects, then the fix of all of them."""
    first = alike[0]
    head = f"{_SEVERITY[first.severity]:<8}{first.code}" + (f" ({len(alike)})" if len(alike) > 1 else "")
    yield style.paint(head[:8], _PAINT[first.severity]) + head[8:]
    for finding in alike:
        yield from indented(style, "cause", finding.summary, width)
        if finding.severity != "info" and (affects := affected(finding)):
            yield from indented(style, "affects", affects, width)
    if first.severity != "info":
        for label, text in remedy(first.remedy.split("\n"), first.remedy_steps):
            yield from indented(style, label, text, width)


def affected(finding: Finding) -> str:
    """The targets and subnets of a finding about paths; empty for others."""
    if "subnets" not in finding.evidence:
        return ""
    return f"{some(finding.evidence['targets'])} from {some(finding.evidence['subnets'])}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def footer(audit: Audit) -> Iterator[str]:
    """What was not audited, and the limits of an audit."""
    if audit.not_audited:
        listed = [f"{target.name} ({target.reason})" for target in audit.not_audited]
        yield f"{len(listed)} not audited: {some(listed)}."
    yield audit.limits


def summary_line(audit: Audit) -> str:
    """The first line: the verdict, and how many findings there are."""
    nouns = {"error": "error", "warning": "warning", "info": "note"}
    counts = ", ".join(
        _counted(sum(finding.severity == severity for finding in audit.findings), noun)
        for severity, noun in nouns.items()
    )
    suppressed = ""
    if audit.skipped:
        suppressed = f", {_counted(audit.suppressed, 'finding')} suppressed ({', '.join(audit.skipped)} skipped)"
        suppressed += _still_closed(audit)
    name = audit.cluster_name or audit.vpc
    return f"{name}: {SHOWN[audit.verdict]}; {counts}{suppressed}."


def _still_closed(audit: Audit) -> str:
    """What a suppressed finding closes stays closed."""
    verdicts = [worst(path_verdict(cell.state, row.target.expect) for cell in row.cells) for row in audit.rows]
    count = sum(verdict is not Verdict.PASS for verdict in verdicts)
    return f"; {_counted(count, 'target')} {'does' if count == 1 else 'do'} not pass" if count else ""


def source_line(audit: Audit | WhatIf) -> str:
    """Which VPC was read, and when."""
    return f"{audit.vpc} in {audit.region} as of {audit.taken_at}."
