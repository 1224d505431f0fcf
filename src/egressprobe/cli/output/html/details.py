"""What is behind the matrix: for each target its cells with their times, why, and the pictures of the paths.

Cells with the same explanation and the same paths share one block. `<details>`: closed, a browser lays nothing of it
out; open, it works without JavaScript. A target's details come whole, without explanations, or not at all: page.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from egressprobe.cli.output.html.markup import Html, Node, classed, tag
from egressprobe.cli.output.html.matrix import column_name
from egressprobe.cli.output.html.parts import pairs, sign, verdict_pill
from egressprobe.cli.output.html.picture import Pictures
from egressprobe.cli.output.sheet import PathPicture, Sheet, SheetCell, SheetRow
from egressprobe.cli.output.terminal import ORDER, SHOWN, ms

type Fixes = Mapping[str, Html]
type Extent = Literal["all", "times", "none"]
_LEFT_OUT = {
    "times": "Explanations and paths are left out here, to bound the size of this file; -o json has them.",
    "none": "Details are left out here, to bound the size of this file; -o json has them.",
}


def target_details(sheet: Sheet, number: int, pictures: Pictures, fixes: Fixes, extent: Extent) -> Html:
    """Of the row of this number; `#tNUMBER` and `#tNUMBERcCELL` are its anchors. fixes: `links_by_summary`."""
    row = sheet.rows[number]
    names = _names(sheet)
    facts = [("url", row.url), ("kind", row.kind), ("impact", row.impact), *row.tags]
    content = [pairs([(label, text) for label, text in facts if text], "pairs facts")]
    if extent != "none":
        content.append(_times(row, number, names))
    if extent == "all":
        content.append(tag("div", {"class": "blocks"}, *_blocks(row, names, pictures, fixes)))
    else:
        content.append(tag("p", {"class": "hint"}, _LEFT_OUT[extent]))
    summary = tag("summary", {}, verdict_pill(row.verdict), " ", classed("span", "name", row.name))
    attributes = {"class": f"target {row.verdict}", "id": f"t{number}"}
    return tag("details", attributes, summary, tag("div", {"class": "inside"}, *content))


def _names(sheet: Sheet) -> dict[str, str]:
    """Column -> how it is named: by both of its lines."""
    named = [(column_name(column), column) for column in sheet.columns]
    return {head: name for name, (head, _) in named} | {below: name for name, (_, below) in named if below}


def _times(row: SheetRow, number: int, names: dict[str, str]) -> Html:
    phases = list(dict.fromkeys(phase for cell in row.cells for phase, _ in cell.phases))
    timed = any(cell.seconds is not None for cell in row.cells)
    expiring = any(cell.expires is not None for cell in row.cells)
    heads = ["From", "Result", *(["Predicted call"] if timed else []), *phases, *(["Certificate"] if expiring else [])]

    def line(place: int, cell: SheetCell) -> Html:
        seconds = dict(cell.phases)
        cells = [tag("th", {"scope": "row"}, names.get(cell.column, cell.column)), _result(cell)]
        cells += [_time(cell.seconds)] if timed else []
        cells += [_time(seconds.get(phase)) for phase in phases]
        cells += [tag("td", {}, _until(cell.expires))] if expiring else []
        return tag("tr", {"id": f"t{number}c{place}"}, *cells)

    head = tag("thead", {}, tag("tr", {}, *(tag("th", {"scope": "col"}, text) for text in heads)))
    body = tag("tbody", {}, *(line(place, cell) for place, cell in enumerate(row.cells)))
    # Scrolls by itself where it is wider than the screen; a region that scrolls must be reached by keyboard.
    frame = {"class": "frame", "tabindex": "0", "role": "group", "aria-label": f"Results of {row.name}"}
    return tag("div", frame, tag("table", {"class": "times"}, head, body))


def _result(cell: SheetCell) -> Html:
    word = SHOWN[cell.verdict]
    text = word if cell.seconds is not None and cell.text == ms(cell.seconds * 1e3) else cell.text
    text = text if text.startswith(word) else f"{word} {text}"
    return tag("td", {"class": f"result {cell.verdict}"}, sign(cell.verdict), text)


def _time(seconds: float | None) -> Html:
    return tag("td", {"class": "time"}, "-" if seconds is None else ms(seconds * 1e3))


def _until(expires: float | None) -> str:
    if expires is None:
        return "-"
    try:
        return f"until {datetime.fromtimestamp(expires, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):  # of a year that has no date here
        return "-"


def _blocks(row: SheetRow, names: dict[str, str], pictures: Pictures, fixes: Fixes) -> Iterator[Html]:
    """One for each distinct explanation, the worst verdict first."""
    alike: dict[tuple[object, ...], dict[int, SheetCell]] = {}
    for place, cell in enumerate(row.cells):
        if cell.details or cell.paths:
            alike.setdefault((cell.details, *map(_shape, cell.paths)), {})[place] = cell
    for numbered in sorted(alike.values(), key=_worst_first):
        cells = list(numbered.values())
        places = [names.get(cell.column, cell.column) for cell in cells]
        drawn = [pictures.draw(path, _starts(cells, i)) for i, path in enumerate(cells[0].paths)]
        figures = tag("div", {"class": "paths"}, *drawn) if drawn else Html("")
        verdict = ORDER[_worst_first(numbered)]
        block = {"class": f"block {verdict}", "data-cells": " ".join(map(str, numbered))}
        notes = dict.fromkeys(hop.note for path in cells[0].paths for hop in path.hops)
        links = [tag("p", {}, fixes[note]) for note in notes if note in fixes]
        yield tag("div", block, tag("h3", {}, *_title(places)), pairs(cells[0].details), figures, *links)


def _worst_first(numbered: Mapping[int, SheetCell]) -> int:
    return min(ORDER.index(cell.verdict) for cell in numbered.values())


def _shape(path: PathPicture) -> tuple[object, ...]:
    return path.destination, path.state, path.hops


def _title(names: Sequence[str]) -> Iterator[Node]:
    """Names of subnets are not folded at their hyphens."""
    words = _listed(list(dict.fromkeys(names))).split()
    for word in words if words[:1] == ["from"] else ("From", *words):
        yield classed("span", "whole", word)
        yield " "


def _starts(cells: Sequence[SheetCell], i: int) -> str:
    return _listed(list(dict.fromkeys(cell.paths[i].subnet for cell in cells)))


def _listed(names: Sequence[str]) -> str:
    most = 4
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
