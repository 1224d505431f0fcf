"""What changed between two reports as a table: the verdict first, then each target that changed, then its cause."""

from collections.abc import Iterator, Sequence

from egressprobe.catalog.entry import is_command
from egressprobe.cli.output.terminal import (
    COLOURS,
    SHOWN,
    Style,
    indented,
    line,
    ms,
    paragraph,
    printable,
    remedy,
    short,
    widths,
)
from egressprobe.model.joined_report import Cause
from egressprobe.model.target import Impact, Verdict
from egressprobe.readiness.result import (
    CellDifference,
    CheckState,
    Difference,
    MatrixCell,
    ReportSide,
    SwitchCheck,
    Trend,
)

_HEADS = {
    Trend.WORSE: "WORSE",
    Trend.UNKNOWN: "UNKNOWN",
    Trend.SLOWER: "SLOWER",
    Trend.NEW: "new",
    Trend.GONE: "gone",
    Trend.BETTER: "better",
    Trend.FASTER: "faster",
}
_PAINT = {
    Trend.WORSE: COLOURS[Verdict.FAIL],
    Trend.UNKNOWN: COLOURS[Verdict.UNKNOWN],
    Trend.SLOWER: COLOURS[Verdict.DEGRADED],
    Trend.BETTER: COLOURS[Verdict.PASS],
    Trend.FASTER: COLOURS[Verdict.PASS],
}
_CHECKS = {
    CheckState.MET: ("met", COLOURS[Verdict.PASS]),
    CheckState.NOT_MET: ("NOT MET", COLOURS[Verdict.FAIL]),
    CheckState.UNKNOWN: ("UNKNOWN", COLOURS[Verdict.UNKNOWN]),
}
_MOST_CELLS, _MOST_TARGETS, _MOST_NAMED = 12, 40, 5
_TIMED = (Trend.SLOWER, Trend.FASTER)


def difference_table(difference: Difference, *, colour: bool = False, width: int | None = None) -> str:
    """`width`: columns of a terminal to fold words to, never commands; None leaves all whole."""
    style = Style(colour)
    lines = [style.paint(part, COLOURS[difference.verdict]) for part in paragraph(headline(difference), width)]
    lines += [part for text in _sides(difference) for part in paragraph(text, width)]
    if difference.checks:
        lines += ["", *_checks(difference.checks, style, width)]
    groups = _groups(difference.differences)
    for group in groups[:_MOST_TARGETS]:
        lines += ["", *_group(group, style, width)]
    if len(groups) > _MOST_TARGETS:
        lines += ["", f"and {len(groups) - _MOST_TARGETS} more targets (-o json has them)"]
    lines += _causes(difference.causes, style, width)
    lines.append("")
    lines += [part for text in _footer(difference) for part in paragraph(text, width)]
    return "\n".join(lines)


def headline(difference: Difference) -> str:
    """The verdict and what decides it, in one line."""
    trends = [entry.trend for entry in difference.differences]
    counts = [f"{trends.count(trend)} {trend}" for trend in _HEADS if trend in trends]
    unmet = sum(check.state is CheckState.NOT_MET for check in difference.checks)
    unknown = sum(check.state is CheckState.UNKNOWN for check in difference.checks)
    parts = [f"{unmet} of {len(difference.checks)} checks not met"] * bool(unmet)
    parts += [f"{unknown} of {len(difference.checks)} checks unknown"] * bool(unknown)
    parts += counts or ["nothing is worse"]
    name = f"{difference.cluster_name}: " if difference.cluster_name else ""  # reports of `run` have no cluster
    return f"{SHOWN[difference.verdict].upper()}: {name}{', '.join(parts)}, {difference.same} the same"


def _sides(difference: Difference) -> Iterator[str]:
    for label, side in (("before", difference.before), ("after", difference.after)):
        yield f"{label:<7} {side_text(side)}"
    for change in difference.cluster_changes:
        yield f"changed {change}"


def side_text(side: ReportSide) -> str:
    """One of the two reports: its file, when it was made, in which mode, and in how many rounds."""
    rounds = f"{side.rounds} round{'' if side.rounds == 1 else 's'}"
    mode = f", {side.mode}" if side.mode else ""
    return f"{short(side.origin)}, {side.started_at}{mode}, {rounds}"


def _checks(checks: Sequence[SwitchCheck], style: Style, width: int | None) -> Iterator[str]:
    for check in checks:
        word, code = _CHECKS[check.state]
        yield style.paint(f"{word:<9}", code) + printable(check.title)
        if check.state is not CheckState.MET:
            yield from indented(style, "cause", check.summary, width)
            for label, text in remedy((), check.remedy_steps) if check.remedy_steps else ():
                yield from indented(style, label, text, width)


def _causes(causes: Sequence[Cause], style: Style, width: int | None) -> Iterator[str]:
    """Each once, with its targets; a command of an earlier one is not printed again: AWS would refuse it."""
    groups: dict[tuple[str, str], list[Cause]] = {}
    for cause in causes:
        groups.setdefault((cause.code, cause.summary), []).append(cause)
    printed: set[str] = set()
    for (code, summary), group in groups.items():
        yield from ("", printable(f"CAUSE    {code}"))
        yield from indented(style, "cause", summary, width)
        targets = _some([short(cause.target) for cause in group])
        subnets = _some([subnet for cause in group for subnet in cause.subnets])
        yield from indented(style, "affects", f"{targets} from {subnets}", width)
        texts = [text for text in group[0].remedy.split("\n") if not (text in printed and is_command(text))]
        printed.update(texts)
        for label, text in remedy(texts, group[0].remedy_steps):
            yield from indented(style, label, text, width)


def _some(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = len(unique) - _MOST_NAMED
    return ", ".join(unique[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _groups(differences: Sequence[CellDifference]) -> list[list[CellDifference]]:
    """The cells of one target with one trend; in the order of the differences, the worst first."""
    groups: dict[tuple[object, ...], list[CellDifference]] = {}
    for entry in differences:
        groups.setdefault((entry.trend, entry.kind, entry.target), []).append(entry)
    return list(groups.values())


def _group(group: Sequence[CellDifference], style: Style, width: int | None) -> Iterator[str]:
    first = group[0]
    effect = f" ({first.impact})" if first.impact is not Impact.NONE and first.trend is not Trend.GONE else ""
    head = style.paint(f"{_HEADS[first.trend]:<9}", _PAINT.get(first.trend, "2"))
    yield f"{head}{printable(first.kind)} {short(first.target)}{effect}"
    rows = [(entry.subnet_id or "this computer", entry.family or "-", change(entry)) for entry in group[:_MOST_CELLS]]
    columns = widths(rows)
    yield from (f"    {line(cells, columns)}" for cells in rows)
    if len(group) > _MOST_CELLS:
        yield f"    and {len(group) - _MOST_CELLS} more (-o json has them)"
    for why in dict.fromkeys(entry.summary for entry in group if entry.summary):
        yield from indented(style, "why", why, width)


def change(entry: CellDifference) -> str:
    """A cell before and after."""
    if entry.trend in _TIMED and entry.before and entry.after:
        return f"{_time(entry.before)} -> {_time(entry.after)}"
    return f"{_cell(entry.before)} -> {_cell(entry.after)}"


def _time(cell: MatrixCell) -> str:
    return "?" if cell.median_ms is None else ms(cell.median_ms)


def _cell(cell: MatrixCell | None) -> str:
    return "-" if cell is None else f"{SHOWN[cell.verdict]} {cell.code or ''}".rstrip()


def _footer(difference: Difference) -> Iterator[str]:
    yield from (f"Not compared: {text}." for text in difference.not_compared)
    if difference.now is not None and difference.now.limits:
        yield difference.now.limits
