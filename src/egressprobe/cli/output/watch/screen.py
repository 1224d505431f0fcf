"""One frame of `watch` as lines of exactly the terminal's width. Pure: what is shown is all in its arguments.

From the top: what is watched, the verdicts, the matrix with the last times, details of the selected target, the last
outages, the keys. Where there are few lines the outages are left out first, then the details.
"""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from egressprobe.cli.output.terminal import COLOURS, ORDER, SHOWN, Style, ms
from egressprobe.cli.output.watch.fit import columns, fit, fold
from egressprobe.model.report import count, worst
from egressprobe.model.target import Verdict
from egressprobe.watching.history import History, Outage, Track
from egressprobe.watching.rounds import WatchedCell

LEAST_WIDTH, LEAST_HEIGHT = 40, 8
_BARS = ("▁▂▃▄▅▆▇█", ".:-=+*#@")  # the second where the terminal's encoding lacks the first
_MOST_BARS, _LEAST_TARGET, _MOST_TARGET, _CELL = 30, 16, 40, 26
_LABEL = 10
_HELP = (
    "q            quit",
    "j, k, arrows select a target: its cause and fix are below the table",
    "g, G         the first, the last target",
    "p            pause, go on",
    "?            this help; any key closes it",
    "",
    "FAIL: the API server's call would fail.  DEGRADED: some calls would fail, or it is slow.",
    "UNKNOWN: not measured, or no news for 4 minutes: neither pass nor fail.",
    "A bar is one round: its height is the time of the predicted call, x is a failure, ? is unknown.",
)
_KEYS = "q quit  j/k select  p pause  ? help"


class Frame(NamedTuple):
    """title: what is watched. now: Unix time. state: `looking`, `paused` or when the next look is. stale: seconds after
    which a measurement is no news. trouble: of the last look. selected: name of a target. first: row at the top.
    """

    title: str
    now: float
    state: str = ""
    trouble: str = ""
    selected: str = ""
    help: bool = False
    stale: float = 240.0
    unicode: bool = True
    style: Style = Style()


def clock(at: float) -> str:
    """UTC, as logs have it."""
    return time.strftime("%H:%M:%SZ", time.gmtime(at))


def length(seconds: float) -> str:
    """`45s`, `2m10s`, `3h05m`, `2d04h`."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes_left = divmod(minutes, 60)
    if not minutes:
        return f"{rest}s"
    if not hours:
        return f"{minutes}m{rest:02d}s"
    return f"{hours}h{minutes_left:02d}m" if hours < 24 else f"{hours // 24}d{hours % 24:02d}h"


def verdict_of(cell: WatchedCell, frame: Frame) -> Verdict:
    """A measurement that is too old is no news: unknown."""
    return Verdict.UNKNOWN if frame.now - cell.at > frame.stale else cell.verdict


def draw(history: History, frame: Frame, width: int, height: int) -> list[str]:
    """`height` lines of `width` columns."""
    width = max(width, 1)
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        small = f"{width}x{height} is too small: {LEAST_WIDTH}x{LEAST_HEIGHT} at least"
        return [fit(small if i == 0 else "", width) for i in range(max(height, 1))]
    top = [*_head(history, frame, width), fit("", width)]
    room = height - len(top) - 1
    body = [fit(text, width) for text in _HELP] if frame.help else _body(history, frame, width, room)
    keys = frame.style.paint(fit(_KEYS, width), "2")
    return [*top, *_filled(body, room, width), keys]


def _filled(lines: Sequence[str], room: int, width: int) -> list[str]:
    return [*lines[:room], *[fit("", width)] * (room - len(lines))]


def _head(history: History, frame: Frame, width: int) -> list[str]:
    right = f"{frame.state}  {clock(frame.now)}"
    title = fit(f"egressprobe watch {frame.title}", width - columns(right) - 1) + " " + right
    verdicts = [_worst(tracks, frame) for tracks in history.by_target().values()]
    s = count(verdicts)
    word = worst(verdicts)
    text = f"{SHOWN[word]}: {s.fail} fail, {s.unknown} unknown, {s.degraded} degraded, {s.passed} pass"
    summary = fit(text if verdicts else "no round yet", width)
    lines = [frame.style.paint(fit(title, width), "1"), frame.style.paint(summary, COLOURS[word])]
    if frame.trouble:
        lines.append(frame.style.paint(fit(frame.trouble, width), COLOURS[Verdict.UNKNOWN]))
    return lines


def _worst(tracks: Sequence[Track], frame: Frame) -> Verdict:
    return worst(verdict_of(track.cell, frame) for track in tracks)


def _body(history: History, frame: Frame, width: int, room: int) -> list[str]:
    targets = history.targets()
    outages = [_outage(outage, frame, width) for outage in reversed(history.outages)]
    of_outages = min(len(outages), 5) + 2 if room >= 14 else 0
    most_rows = max(min(len(targets), (room - of_outages) // 2), min(len(targets), 3), 1)
    matrix = _matrix(history, targets, frame, width, most_rows)
    left = room - len(matrix) - of_outages
    described = _details(history, frame, width, left - 1) if left > 2 else []
    lines = [*matrix, *([fit("", width), *described] if described else [])]
    if of_outages:
        lines = _filled(lines, room - of_outages, width)
        lines += [fit("", width), frame.style.paint(fit("LAST OUTAGES" if outages else "NO OUTAGES", width), "2")]
        lines += outages
    return lines


def _matrix(history: History, targets: Sequence[str], frame: Frame, width: int, rows: int) -> list[str]:
    """The head, and the rows around the selected target."""
    subnets, by_target = history.subnets(), history.by_target()
    wide = min(max([_LEAST_TARGET, *(columns(name) for name in targets)]), _MOST_TARGET, max(width // 3, _LEAST_TARGET))
    left = width - 2 - wide - 1
    cell = min(_CELL, max((left - 12) // max(len(subnets), 1) - 1, 4))
    room = left if len(subnets) * (cell + 1) <= left else left - 12
    shown = subnets[: max(room // (cell + 1), 1)]
    bars = min(max(left - len(shown) * (cell + 1), 0), _MOST_BARS)
    head = f"  {fit('TARGET', wide)} " + "".join(f"{fit(name, cell)} " for name in shown)
    more = len(subnets) - len(shown)
    head += "LAST TIMES" if bars >= 10 and not more else f"+{more} subnets" if more else ""
    lines = [frame.style.paint(fit(head, width), "2")]
    at = targets.index(frame.selected) if frame.selected in targets else 0
    first = min(max(at - rows // 2, 0), max(len(targets) - rows, 0))
    for target in targets[first : first + rows]:
        parts = [">" if target == frame.selected else " ", " ", fit(target, wide), " "]
        for subnet in shown:
            track = history.tracks.get((target, subnet))
            parts.append(_cell(track, frame, cell) + " ")
        used = 3 + wide + len(shown) * (cell + 1)
        parts.append(fit(_bars(by_target[target], frame, bars), max(width - used, 0)))
        lines.append("".join(parts))
    return lines


def _cell(track: Track | None, frame: Frame, width: int) -> str:
    if track is None:
        return fit("-", width)
    verdict = verdict_of(track.cell, frame)
    text = SHOWN[verdict] if width >= 8 or verdict is Verdict.PASS else SHOWN[verdict][:4]
    if verdict is Verdict.PASS:
        text = ms(track.cell.seconds * 1e3) if track.cell.seconds is not None else text
    elif verdict is track.cell.verdict and track.cell.code:
        text = f"{text} {track.cell.code}"
    return frame.style.paint(fit(text, width), COLOURS[verdict])


def _bars(tracks: Sequence[Track], frame: Frame, most: int) -> str:
    """The last rounds of the subnet that is worst now: one character each."""
    if not tracks or most < 1:
        return ""
    track = min(tracks, key=lambda track: (ORDER.index(track.cell.verdict), track.cell.subnet))
    times = list(track.times)[-most:]
    heights = _BARS[0 if frame.unicode else 1]
    known = [t.seconds for t in times if t.seconds is not None and t.verdict is not Verdict.FAIL]
    # Times that are all alike are half as high as there is room.
    highest = max(*known, 2 * min(known)) if known else 0.0
    marks = []
    for measured in times:
        if measured.verdict is Verdict.FAIL:
            marks.append("x")
        elif measured.seconds is None or measured.verdict is Verdict.UNKNOWN:
            marks.append("?" if measured.verdict is Verdict.UNKNOWN else heights[0])
        else:
            share = measured.seconds / highest if highest else 0.0
            marks.append(heights[min(int(share * len(heights)), len(heights) - 1)])
    return "".join(marks)


def _details(history: History, frame: Frame, width: int, room: int) -> list[str]:
    """Of the selected target: each different cause once, with the subnets that have it."""
    tracks = history.by_target().get(frame.selected, [])
    lines = [frame.style.paint(line, "1") for line in _folded(frame.selected, width)] if tracks else []
    alike: dict[tuple[Verdict, tuple[tuple[str, str], ...]], list[Track]] = {}
    for track in tracks:
        alike.setdefault((verdict_of(track.cell, frame), track.cell.details), []).append(track)
    for (verdict, details), same in alike.items():
        where = ", ".join(track.cell.subnet for track in same)
        since = length(frame.now - min(track.since for track in same))
        lines.append(frame.style.paint(fit(f"{SHOWN[verdict]} from {where} for {since}", width), COLOURS[verdict]))
        for label, text in _important_first(details):
            folded = _folded(text, width - _LABEL - 2)
            lines += [fit(f"  {label if i == 0 else '':<{_LABEL - 1}} {part}", width) for i, part in enumerate(folded)]
    if len(lines) > room:
        lines = [*lines[: room - 1], frame.style.paint(fit("... a higher window shows more", width), "2")]
    return lines


def _important_first(details: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Cause and fix before the rest; a line without a label goes with the one before it."""
    groups: list[list[tuple[str, str]]] = []
    for pair in details:
        if pair[0] or not groups:
            groups.append([])
        groups[-1].append(pair)
    order = ("in", "cause", "finding", "fix", "replace", "impact")
    groups.sort(key=lambda group: order.index(group[0][0]) if group[0][0] in order else len(order))
    return [pair for group in groups for pair in group]


def _folded(text: str, width: int) -> Iterator[str]:
    yield from (fit(part, width) for part in fold(text, width))


def _outage(outage: Outage, frame: Frame, width: int) -> str:
    ended = outage.ended if outage.ended is not None else frame.now
    until = clock(ended) if outage.ended is not None else "now"
    text = f"{clock(outage.began)} - {until:<9} {length(ended - outage.began):>7}  {outage.target} from {outage.subnet}"
    line = fit(f"{text}  {outage.code}" + (f": {outage.cause}" if outage.cause else ""), width)
    return line if outage.ended is not None else frame.style.paint(line, COLOURS[Verdict.FAIL])
