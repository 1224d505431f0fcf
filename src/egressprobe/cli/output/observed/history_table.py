"""Outages and availability as a table: a line a target, then the outages, then what the sources can say."""

from collections.abc import Iterator

from egressprobe.cli.output.terminal import (
    COLOURS,
    ORDER,
    SHOWN,
    Style,
    cut,
    indented,
    line,
    paragraph,
    printable,
    short,
    some,
    widths,
)
from egressprobe.model.target import Verdict
from egressprobe.observability.history.result import (
    HistoryCell,
    HistoryRow,
    HistorySource,
    MinuteTally,
    OutageHistory,
    TargetOutage,
)

_HEADS = ("VERDICT", "TARGET", "AVAILABLE", "FAILED", "UNKNOWN", "BUDGET LEFT", "OUTAGES")
_MOST_OUTAGES = 20


def history_table(history: OutageHistory, *, colour: bool = False, width: int | None = None) -> str:
    """width: columns of a terminal to fold explanations to; None leaves them whole."""
    style = Style(colour)
    word = SHOWN[history.verdict]
    first, *rest = paragraph(summary_line(history), width)
    lines = [style.paint(word, COLOURS[history.verdict]) + first.removeprefix(word), *rest]
    if history.rows:
        lines += ["", *_rows(history, style, width)]
    if history.outages:
        lines += ["", "Outages, those that go on first, then the newest:"]
        lines += [part for outage in history.outages[:_MOST_OUTAGES] for part in _outage(outage, history, style, width)]
        more = len(history.outages) - _MOST_OUTAGES
        lines += [f"and {more} more (-o json has them)"] if more > 0 else []
    below = [part for text in footer(history) for part in paragraph(text, width)]
    return "\n".join([*lines, "", *below])


def _rows(history: OutageHistory, style: Style, width: int | None) -> Iterator[str]:
    rows = sorted(history.rows, key=by_need)
    cells = [_cells(row) for row in rows]
    columns = widths((_HEADS, *cells))
    if width:
        columns[1] = max(min(columns[1], columns[1] + width - sum(columns) - 2 * (len(columns) - 1)), 12)
    yield style.paint(line(_HEADS, columns, right=range(2, 7)), "2")
    for row, texts in zip(rows, cells, strict=True):
        shown = (texts[0], cut(texts[1], columns[1]), *texts[2:])
        yield line(shown, columns, right=range(2, 7), paint=style.first(COLOURS[row.verdict]))
        if len(texts[1]) > columns[1]:
            yield from indented(style, "target", row.target, width)
        worst = [cell for cell in row.cells if cell.tally.failed or cell.tally.unknown]
        if worst and len(row.cells) > 1:
            yield from indented(style, "subnets", ", ".join(map(cell_text, worst)), width)


def by_need(row: HistoryRow) -> tuple[int, float, str]:
    """What needs a person comes first, then what has least of its budget left."""
    return (ORDER.index(row.verdict), row.budget_left, row.target)


def _cells(row: HistoryRow) -> tuple[str, ...]:
    return (
        SHOWN[row.verdict],
        short(row.target),
        percent(row.tally),
        failed_text(row.tally),
        minutes(row.tally.unknown),
        f"{minutes(row.budget_left)}",
        f"{row.outages}{' now' if row.ongoing else ''}",
    )


def cell_text(cell: HistoryCell) -> str:
    """A target from a subnet: `subnet-0a 99.87% (38 m failed, 5 m unknown)`."""
    known = ((failed_text(cell.tally), "failed"), (minutes(cell.tally.unknown), "unknown"))
    parts = [f"{text} {what}" for text, what in known if text != "0 m"]
    return f"{cell.subnet_id} {percent(cell.tally)}" + (f" ({', '.join(parts)})" if parts else "")


def percent(tally: MinuteTally) -> str:
    """Cut, not rounded: 99.99996 is not 100."""
    if tally.percent is None:
        return "-"
    if tally.failed == 0:
        return "100%"
    return f"{min(int(tally.percent * 1000) / 1000, 99.999):.3f}%"


def failed_text(tally: MinuteTally) -> str:
    """`38 m`, or `5-15 m` where the source sums up several minutes."""
    if tally.failed_at_least != tally.failed:
        return f"{tally.failed_at_least}-{tally.failed} m"
    return minutes(tally.failed)


def minutes(count: float) -> str:
    """`38 m`, `2.5 h`, `3.1 d`; negative ones too."""
    size = abs(count)
    if size < 10 and size != int(size):
        return f"{count:.1f} m"
    if size < 120:
        return f"{count:.0f} m"
    return f"{count / 60:.1f} h" if size < 2880 else f"{count / 1440:.1f} d"


def outage_time(outage: TargetOutage, history: OutageHistory) -> str:
    """From when to when. One that fails in the first minute that was read may have begun before."""
    earlier = "before " if outage.start == history.since else ""
    return f"{earlier}{moment(outage.start)} to {'now' if outage.ongoing else moment(outage.end)}"


def _outage(outage: TargetOutage, history: OutageHistory, style: Style, width: int | None) -> Iterator[str]:
    head = printable(outage_time(outage, history))
    text = printable(f"{short(outage.target)}: {outage_text(outage)}")
    if width and len(head) + 2 + len(text) > width:
        yield head
        yield from (f"    {part}" for part in paragraph(text, width - 4))
    else:
        yield f"{head}  {text}"
    if outage.cause:
        yield from indented(style, "cause", outage.cause, width)
    if outage.incidents:
        yield from indented(style, "incident", some(outage.incidents), width)


def outage_text(outage: TargetOutage) -> str:
    """How long, from where, with which codes."""
    parts = [minutes(outage.minutes)]
    if outage.failed_minutes != outage.minutes:
        parts.append(f"{minutes(outage.failed_minutes)} failed")
    if outage.unknown_minutes:
        parts.append(f"{minutes(outage.unknown_minutes)} unknown")
    if outage.resolution_seconds > 60:
        parts.append(f"times to {minutes(outage.resolution_seconds / 60)}")
    if outage.subnets:
        parts.append(f"from {some(outage.subnets)}")
    if outage.codes:
        parts.append(some(tuple(f"{part.code} {minutes(part.minutes)}" for part in outage.codes)))
    return ", ".join(parts)


def moment(time: str) -> str:
    """`2026-11-26 02:11`."""
    return time[:16].replace("T", " ")


def footer(history: OutageHistory) -> Iterator[str]:
    """What the sources can say, and what an outage is."""
    yield from history.notes
    for source in history.sources:
        yield source_line(source)
    yield (
        f"Times are UTC. Availability is of the measured minutes; unknown ones are neither up nor down. A minute of a "
        f"target fails if it fails from any subnet. An outage ends with its last failing minute before "
        f"{history.gap_minutes} minutes that passed."
    )


def source_line(source: HistorySource) -> str:
    """What a source has, and what reading it cost."""
    if source.problem and not source.queries:
        return f"Not read: {source.name}: {source.problem}"
    what = f"{source.name}, {moment(source.since)} to {moment(source.until)}"
    if source.name == "metrics":
        what += f", points of up to {minutes(source.resolution_seconds / 60)}, without codes and causes"
        cost = f"{source.queries} metrics requested, ${source.dollars:.4f}"
    else:
        queries = f"{source.queries} quer{'y' if source.queries == 1 else 'ies'}"
        cost = f"{queries}, {source.bytes_scanned / 1e6:.1f} MB scanned, ${source.dollars:.4f}"
    return f"Read: {what}: {cost}{f'; not read in part: {source.problem}' if source.problem else ''}"


def summary_line(history: OutageHistory) -> str:
    """The first line: the verdict, what missed the objective, and the outages."""
    head = f"{SHOWN[history.verdict]}: {history.cluster_name or history.stack}: "
    if not history.rows:
        return f"{head}nothing was recorded from {moment(history.since)} to {moment(history.until)} UTC"
    missed = sum(row.verdict is Verdict.FAIL for row in history.rows)
    now = sum(outage.ongoing for outage in history.outages)
    outages = f"{len(history.outages)} outage{'s' if len(history.outages) != 1 else ''}"
    return (
        f"{head}{missed} of {len(history.rows)} targets missed {history.objective:g}%, {outages}"
        f"{f', {now} now' if now else ''}, {moment(history.since)} to {moment(history.until)} UTC"
    )
