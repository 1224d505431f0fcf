"""The picture of a path in SVG: the elements one below the other, with their state in words, and what blocks marked.

Vertical, because ids are long and telephones narrow: it is 360 units wide and is never enlarged. The elements of a path
are drawn once; paths that differ only in subnet and address refer to them (`use`).
"""

import textwrap
from typing import NamedTuple

from egressprobe.cli.output.html.markup import Html, joined, tag
from egressprobe.cli.output.sheet import PathPicture, SheetHop
from egressprobe.cli.output.terminal import printable

_WIDTH, _RAIL, _TEXT, _RIGHT = 360, 18, 40, 350
_LINE, _GAP = 17, 13
# Characters of a line: 13 px of a fixed-width font are at most 8 units, 12 px of another at most 7 on average.
_ID_CHARACTERS, _NOTE_CHARACTERS = 38, 46
_WORDS = {"blocked": "BLOCKED", "partial": "PARTLY BLOCKED", "closed": "CLOSED"}
_CLASSES = {"open": "open", "partial": "part", "blocked": "stop", "unknown": "unsure"}
_SIGNS = {"open": "✓", "partial": "!", "blocked": "✕", "unknown": "?"}


class _Hops(NamedTuple):
    """The elements as drawn. number: of the definition; ends: where the destination's text begins; height: in units."""

    number: int
    ends: int
    height: int


class Pictures:
    """Draws, and has the definitions that pictures refer to; `size` is their length in bytes."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], _Hops] = {}
        self._drawn: list[Html] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self._drawn)

    def forget(self, count: int) -> None:
        """Those drawn after the first `count`: no picture that refers to them is used."""
        self.size -= sum(len(hops.encode()) for hops in self._drawn[count:])
        del self._drawn[count:]
        self._known = {key: hops for key, hops in self._known.items() if hops.number < count}

    def definitions(self) -> Html:
        """To be in the page once."""
        attributes: dict[str, str | bool] = {"class": "definitions", "aria-hidden": "true", "width": "0", "height": "0"}
        return tag("svg", attributes, tag("defs", {}, *self._drawn))

    def draw(self, picture: PathPicture, subnets: str) -> Html:
        """A picture with its text alternative. subnets: what the path starts in."""
        start = _wrapped(subnets, _ID_CHARACTERS)
        end = _wrapped(picture.destination, _ID_CHARACTERS)
        above = _height(len(start) + 1)
        hops = self._hops(picture, len(end))
        height = above + hops.height + 4
        drawing = tag(
            "svg",
            {"viewBox": f"0 0 {_WIDTH} {height}", "width": str(_WIDTH), "height": str(height), "role": "img"}
            | {"aria-label": described(picture, subnets)},
            _rail(0, above, "open"),
            _element(SheetHop("from subnet", "", "open"), start, 0, state=""),
            tag("use", {"href": f"#hops{hops.number}", "y": str(above)}),
            _ids(end, above + hops.ends),
        )
        word = _WORDS.get(picture.state, picture.state)
        caption = f"As configured: {word}, to {picture.destination}"
        return tag("figure", {"class": f"path {picture.state}"}, tag("figcaption", {}, caption), drawing)

    def _hops(self, picture: PathPicture, end_lines: int) -> _Hops:
        key = (picture.hops, end_lines)
        if key not in self._known:
            number = len(self._drawn)
            drawn, ends, height = _chain(picture.hops, end_lines)
            self._drawn.append(tag("g", {"id": f"hops{number}"}, drawn))
            self.size += len(self._drawn[-1].encode())
            self._known[key] = _Hops(number, ends, height)
        return self._known[key]


def described(picture: PathPicture, subnets: str) -> str:
    """The picture in words."""
    call = [_words(hop, picture) for hop in picture.hops if not hop.returning]
    back = [_words(hop, picture) for hop in picture.hops if hop.returning]
    returning = f"; return traffic: {', '.join(back)}" if back else ""
    return f"Path from {subnets}, {_WORDS.get(picture.state, picture.state)}: {', '.join(call)}{returning}"


def _words(hop: SheetHop, picture: PathPicture) -> str:
    name = picture.destination if hop.kind == "destination" else hop.id or hop.note
    return f"{hop.kind} {name} {_WORDS.get(hop.state, hop.state)}"


def _chain(hops: tuple[SheetHop, ...], end_lines: int) -> tuple[Html, int, int]:
    """(drawing, where the text of the destination begins, height)."""
    drawn: list[Html] = []
    y = ends = 0
    for i, hop in enumerate(hops):
        if hop.returning and not hops[i - 1].returning:
            drawn.append(tag("text", {"class": "turn", "x": str(_TEXT), "y": str(y + _LINE)}, "return traffic ↩"))
            drawn.append(_rail(y, y + _LINE + 6, "open"))
            y += _LINE + 6
        destination = hop.kind == "destination"
        if destination:
            ends = y
        names = [""] * end_lines if destination else _wrapped(hop.id, _ID_CHARACTERS)
        notes = _wrapped(hop.note, _NOTE_CHARACTERS)
        height = _height(1 + len(names) + len(notes))
        if i < len(hops) - 1:
            drawn.append(_rail(y, y + height, _CLASSES.get(hop.state, "after") if hop.state == "open" else "after"))
        drawn.append(_element(hop, names, y, notes=notes, state=_WORDS.get(hop.state, hop.state)))
        y += height
    return joined(drawn), ends, y


def _element(hop: SheetHop, names: list[str], y: int, *, state: str, notes: list[str] | None = None) -> Html:
    """Its sign on the rail, its kind and state in the first line, then its id and why it is not open."""
    kind = _CLASSES.get(hop.state, "after")
    listed = notes or []
    box = Html("")
    if kind in ("stop", "part"):
        height = _height(1 + len(names) + len(listed)) - 5
        frame = {"x": str(_TEXT - 7), "y": str(y + 1), "width": str(_RIGHT - _TEXT + 14), "height": str(height)}
        box = tag("rect", {"class": f"box {kind}", "rx": "5"} | frame)
    note_y = y + _LINE * (1 + len(names))
    notes_drawn = [_text("note", line, _TEXT, note_y + _LINE * (n + 1)) for n, line in enumerate(listed)]
    return joined(
        (
            box,
            tag("circle", {"class": f"dot {kind}", "cx": str(_RAIL), "cy": str(y + 12), "r": "9"}),
            _text("mark", _SIGNS.get(hop.state, ""), _RAIL, y + 16),
            _text("kind", hop.kind, _TEXT, y + _LINE),
            _text(f"state {kind}", state, _RIGHT, y + _LINE),
            _ids(names, y),
            *notes_drawn,
        )
    )


def _ids(names: list[str], y: int) -> Html:
    return joined(_text("id", name, _TEXT, y + _LINE * (n + 2)) for n, name in enumerate(names))


def _text(classes: str, text: str, x: int, y: int) -> Html:
    return tag("text", {"class": classes, "x": str(x), "y": str(y)}, text) if text else Html("")


def _rail(y: int, to: int, kind: str) -> Html:
    at = {"x1": str(_RAIL), "x2": str(_RAIL), "y1": str(y + 12), "y2": str(to + 12)}
    return tag("line", {"class": f"rail {kind}"} | at)


def _height(lines: int) -> int:
    return lines * _LINE + _GAP


def _wrapped(text: str, characters: int) -> list[str]:
    return textwrap.wrap(printable(text, 500), characters) if text else []
