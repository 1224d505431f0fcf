"""A preflight as a table: the decision and what decides it, the matrix, causes with their fixes, checks, and gaps."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

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
    widths,
)
from egressprobe.model.joined_report import Cause
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.report import Finding
from egressprobe.model.target import Verdict
from egressprobe.readiness.result import (
    LOCAL,
    CheckState,
    Decision,
    DecisionReason,
    MatrixCell,
    MatrixRow,
    Preflight,
    Relation,
)

_COLOUR = {Decision.GO: "32", Decision.NO_GO: "31", Decision.UNKNOWN: "35"}
_STATES = {CheckState.MET: "met", CheckState.NOT_MET: "NOT MET", CheckState.UNKNOWN: "UNKNOWN"}
_STATE_COLOUR = {CheckState.MET: "32", CheckState.NOT_MET: "31", CheckState.UNKNOWN: "35"}
_PARTS = {"prerequisite": "Prerequisites", "verification": "Verification, as AWS lists it"}
_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6", "": "-"}
_MOST_REASONS, _MOST_NAMED, _LEAST_ROOM = 12, 4, 10


def preflight_table(preflight: Preflight, *, colour: bool = False, width: int | None = None) -> str:
    """The table; `width`: columns of a terminal to fold words to, None leaves them whole. Commands are never folded."""
    style = Style(colour)
    parts = [
        list(_head(preflight, style, width)),
        list(_reasons(preflight, style, width)),
        *(list(group) for group in _matrix(preflight, style, width)),
        list(_causes(preflight, style, width)),
        list(_checks(preflight, "prerequisite", style, width)),
        list(_checks(preflight, "verification", style, width)),
        list(_findings(preflight.safety, style, width)),
        list(_not_covered(preflight, style, width)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def headline(preflight: Preflight) -> str:
    """The decision and what decides it, in one line."""
    if preflight.decision is Decision.GO:
        return f"GO  {_why_go(preflight)}"
    wanted = [reason for reason in preflight.reasons if reason.decision is preflight.decision] or preflight.reasons
    more = len(preflight.reasons) - 1
    rest = f"; {more} more reason{'s' if more > 1 else ''}" if more > 0 else ""
    return f"{preflight.decision}  {reason_text(wanted[0])}{rest}" if wanted else str(preflight.decision)


def _why_go(preflight: Preflight) -> str:
    moved = [row for row in preflight.rows if row.switch_relevant and not row.advisory]
    where = f"from {_counted(len(preflight.cluster.subnets), 'subnet')} in {_counted(preflight.rounds, 'round')}"
    if not moved:
        return "no webhook, issuer or API is on the path that the switch moves"
    warned = sum(row.verdict is Verdict.DEGRADED for row in preflight.rows if row.switch_relevant)
    warnings = f", {warned} of them with a warning" if warned else ""
    return f"every target on the switched path ({len(moved)}) passes {where}{warnings}"


def reason_text(reason: DecisionReason) -> str:
    """One reason of the decision."""
    code = f" ({reason.code})" if reason.code else ""
    return f"{short(reason.subject)}: {reason.summary}{code}"


def _head(preflight: Preflight, style: Style, width: int | None) -> Iterator[str]:
    first, *rest = paragraph(headline(preflight), width)
    word = str(preflight.decision)
    yield style.paint(word, _COLOUR[preflight.decision]) + first[len(word) :]
    yield from rest
    cluster = preflight.cluster
    moved = sum(row.switch_relevant for row in preflight.rows)
    facts = (
        f"{cluster.name} in {cluster.region}: {cluster.mode}, {cluster.status}; probed from {preflight.probed_from}, "
        f"{_counted(preflight.rounds, 'round')} in {preflight.duration_ms / 1e3:.0f} s; "
        f"{_counted(len(preflight.rows), 'target')}, {moved} on the path that the switch moves."
    )
    yield from paragraph(facts, width)
    if preflight.probed_from == LOCAL:
        text = "This computer is not in the cluster's subnets: what passes here may fail there, so GO is not possible."
        yield from paragraph(text, width)
    if cluster.mode == "CUSTOMER_ROUTED":
        yield from paragraph("The cluster is switched already: this is about its paths as they are.", width)


def _reasons(preflight: Preflight, style: Style, width: int | None) -> Iterator[str]:
    """All of them, where the first line does not have them all."""
    if len(preflight.reasons) < 2:
        return
    yield style.paint("Why", "1")
    for reason in preflight.reasons[:_MOST_REASONS]:
        text = reason_text(reason)
        first, *rest = paragraph(text, width - 11 if width else None)
        yield f"  {style.paint(f'{reason.decision:<7}', _COLOUR[reason.decision])}  {first}"
        yield from (" " * 11 + part for part in rest)
    if len(preflight.reasons) > _MOST_REASONS:
        yield f"  and {len(preflight.reasons) - _MOST_REASONS} more (-o json has them)"


class _MatrixLine(NamedTuple):
    """One target by one family."""

    row: MatrixRow
    family: str
    cells: tuple[str, ...]
    verdict: Verdict


def _matrix(preflight: Preflight, style: Style, width: int | None) -> Iterator[Iterator[str]]:
    """The lines of each group; all groups have the same columns."""
    groups: dict[str, list[_MatrixLine]] = {}
    for row in preflight.rows:
        groups.setdefault(group_title(row), []).extend(_lines(row, preflight))
    lines = [entry for group in groups.values() for entry in group]
    families = any(entry.family == "ipv6" for entry in lines)
    heads = ("VERDICT", "SWITCH", "KIND", "TARGET", *(["BY"] if families else []))
    zones = tuple(column.zone or column.id for column in preflight.subnets)
    ids = tuple(column.id if column.zone else "" for column in preflight.subnets)
    cells = [(*_left(entry, families=families), *entry.cells) for entry in lines]
    columns = widths(((*heads, *zones), (*(("",) * len(heads)), *ids), *cells))
    stacked = bool(width and sum(columns) + 2 * (len(columns) - 1) > width)
    if stacked and width:
        others = sum(columns[: len(heads)]) - columns[3] + 2 * (len(heads) - 1)
        columns = columns[: len(heads)]
        columns[3] = min(columns[3], max(width - others, _LEAST_ROOM))
    layout = _Layout(columns, heads, zones, ids, stacked=stacked, families=families)
    for title, group in groups.items():
        yield _group_lines(title, group, layout, style, width)


class _Layout(NamedTuple):
    columns: list[int]
    heads: tuple[str, ...]
    zones: tuple[str, ...]
    ids: tuple[str, ...]
    stacked: bool
    families: bool


def _group_lines(
    title: str, group: Sequence[_MatrixLine], layout: _Layout, style: Style, width: int | None
) -> Iterator[str]:
    yield style.paint(f"{title} ({len({entry.row.target.name for entry in group})})", "1")
    if layout.stacked:
        yield style.paint(line(layout.heads, layout.columns), "2")
    else:
        yield style.paint(line((*layout.heads, *layout.zones), layout.columns), "2")
        if any(layout.ids):
            yield style.paint(line((*("",) * len(layout.heads), *layout.ids), layout.columns), "2")
    for entry in group:
        left = list(_left(entry, families=layout.families))
        left[3] = cut(left[3], layout.columns[3])
        shown = left if layout.stacked else [*left, *entry.cells]
        yield line(shown, layout.columns, paint=style.first(COLOURS[entry.verdict]))
        if layout.stacked:
            names = [subnet or zone for subnet, zone in zip(layout.ids, layout.zones, strict=True)]
            text = ", ".join(f"{name} {cell}" for name, cell in zip(names, entry.cells, strict=True))
            yield from indented(style, "subnets", text, width)


def _left(entry: _MatrixLine, *, families: bool) -> tuple[str, ...]:
    target = entry.row.target
    left = (SHOWN[entry.verdict], "moves" if entry.row.switch_relevant else "stays", target.kind, short(target.name))
    return (*left, _FAMILIES[entry.family]) if families else left


def group_title(row: MatrixRow) -> str:
    """What a row has to do with the switch, as the title of its group."""
    if row.relation is Relation.BY_SWITCH:
        return "Would break by the switch"
    if row.relation is Relation.TODAY:
        return "Broken today, not by the switch"
    if row.verdict in (Verdict.UNKNOWN, Verdict.FAIL):
        return "Not known"
    return "Warnings" if row.verdict is Verdict.DEGRADED else "Passing"


def _lines(row: MatrixRow, preflight: Preflight) -> Iterator[_MatrixLine]:
    for family in dict.fromkeys(cell.family for cell in row.cells):
        by_subnet = {cell.subnet_id: cell for cell in row.cells if cell.family == family}
        cells = tuple(cell_text(by_subnet.get(column.id), preflight.rounds) for column in preflight.subnets)
        verdicts = [cell.verdict for cell in by_subnet.values()]
        yield _MatrixLine(row, family, cells, next(v for v in ORDER if v in verdicts))


def cell_text(cell: MatrixCell | None, rounds: int) -> str:
    """The median of the predicted call, or the verdict with its code; in how many rounds, where they differ."""
    if cell is None:
        return "-"
    if cell.verdict is Verdict.PASS:
        text = "pass" if cell.median_ms is None else ms(cell.median_ms)
    else:
        text = SHOWN[cell.verdict] + (f" {cell.code}" if cell.code else "")
        times = sum(verdict is cell.verdict for verdict in cell.rounds)
        text += f" {times}/{rounds}" if times != rounds and rounds > 1 else ""
    contradicts = cell.configured in ("closed", "partial") and cell.verdict is not Verdict.FAIL
    return f"{text} (configured: {cell.configured.upper()})" if contradicts else text


def _causes(preflight: Preflight, style: Style, width: int | None) -> Iterator[str]:
    """A cause that several targets have in common is shown once; those that the switch has to do with come first."""
    groups: dict[tuple[str, str], list[Cause]] = {}
    for cause in preflight.causes:
        groups.setdefault((cause.code, cause.summary), []).append(cause)
    if groups:
        yield style.paint("Causes", "1")
    printed: set[str] = set()
    for (code, summary), causes in groups.items():
        yield f"  {code}"
        yield from indented(style, "cause", summary, width)
        targets = _some([short(cause.target) for cause in causes])
        subnets = _some([subnet for cause in causes for subnet in cause.subnets])
        yield from indented(style, "affects", f"{targets} from {subnets}", width)
        yield from _remedy(causes[0].remedy.split("\n"), causes[0].remedy_steps or UNSET, printed, style, width)


def _remedy(
    texts: Sequence[str], steps: RemedySteps | UnsetType, printed: set[str], style: Style, width: int | None
) -> Iterator[str]:
    """Commands that an earlier cause has are not made twice."""
    fresh = [text for text in texts if text and not (text.startswith("aws ") and text in printed)]
    printed.update(texts)
    for label, text in remedy(fresh, steps):
        yield from indented(style, label, text, width)


def _checks(preflight: Preflight, part: str, style: Style, width: int | None) -> Iterator[str]:
    wanted = [check for check in preflight.checks if check.part == part]
    explained = {cause.code for cause in preflight.causes}
    if wanted:
        yield style.paint(_PARTS[part], "1")
    for check in wanted:
        first, *rest = paragraph(f"{check.title}: {check.summary}", width - 11 if width else None)
        yield f"  {style.paint(f'{_STATES[check.state]:<7}', _STATE_COLOUR[check.state])}  {first}"
        yield from (" " * 11 + text for text in rest)
        if check.state is CheckState.MET or part != "prerequisite":
            continue
        if check.code in explained:
            yield from indented(style, "fix", f"as of {check.code}, above", width)
        elif check.remedy_steps:
            for label, text in remedy(check.remedy_steps.fix, check.remedy_steps):
                yield from indented(style, label, text, width)
        yield from indented(style, "source", check.source, width)


def _findings(findings: Sequence[Finding], style: Style, width: int | None) -> Iterator[str]:
    shown = [finding for finding in findings if finding.severity != "info"]
    if shown:
        yield style.paint("Found by discovery", "1")
    for finding in shown:
        yield f"  {finding.code}"
        yield from indented(style, finding.severity, finding.summary, width)


def _not_covered(preflight: Preflight, style: Style, width: int | None) -> Iterator[str]:
    texts = [*preflight.not_covered, *([preflight.limits] if preflight.limits else [])]
    if texts:
        yield style.paint("Not covered", "1")
    for text in texts:
        yield from ("  " + part for part in paragraph(text, width - 2 if width else None))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _some(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _MOST_NAMED
    return ", ".join(distinct[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
