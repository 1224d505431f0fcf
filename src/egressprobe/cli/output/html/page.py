"""One report as one HTML file: the headline, facts, checks, the matrix, problems, details, and what was not covered.

Nothing is loaded: styles and script are in the file, and its Content-Security-Policy (CSP level 3) names them by their
SHA-256 and forbids everything else, so that even a mistake of ours could run no other script and send nothing.

The size is bounded: the details of targets that do not pass come first, and what is beyond `MAX_BYTES` is left out,
which the page says at each of them and at its end. The matrix and the problems are always whole.
"""

import base64
import hashlib
from importlib import resources
from typing import NamedTuple

from egressprobe.cli.output.html.details import Extent, target_details
from egressprobe.cli.output.html.markup import Html, Node, classed, tag
from egressprobe.cli.output.html.matrix import matrix
from egressprobe.cli.output.html.parts import pairs, section, verdict_pill
from egressprobe.cli.output.html.picture import Pictures
from egressprobe.cli.output.html.problems import checks, links_by_summary, problems
from egressprobe.cli.output.sheet import Sheet
from egressprobe.cli.output.terminal import ORDER, SHOWN

# What a browser opens at once and a mail server forwards.
MAX_BYTES = 4_500_000
_RESERVE = 20_000  # for the elements around the sections and the notes of what was left out
_EXTENTS: tuple[Extent, ...] = ("all", "times", "none")


def to_html(sheet: Sheet) -> str:
    """The whole file, without control characters other than line feeds."""
    style, script = _asset("report.css"), _asset("report.js")
    above = (_header(sheet), _navigation(sheet))
    first, second = (checks(sheet), matrix(sheet), problems(sheet)), _notes(sheet.notes)
    fixed = sum(map(_bytes, (style, script, *above, *first, second)))
    details = _details(sheet, MAX_BYTES - _RESERVE - fixed)
    end = _notes((*sheet.notes, *details.notes)) if details.notes else second
    main = tag("main", {"id": "main"}, *first, details.section, end)
    # Assets are ours: neither has `</`, which would end its element (a test reads the page back).
    body = tag("body", {}, *above, main, _footer(sheet), details.definitions, tag("script", {}, Html(script)))
    return f"<!doctype html>\n{tag('html', {'lang': 'en'}, _head(sheet, style, script), body)}"


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _head(sheet: Sheet, style: str, script: str) -> Html:
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        {},
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("meta", {"name": "referrer", "content": "no-referrer"}),
        tag("title", {}, f"{_word(sheet)} - {_title(sheet)}"),
        tag("style", {}, Html(style)),
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _header(sheet: Sheet) -> Html:
    return tag(
        "header",
        {"class": f"banner {sheet.verdict}"},
        classed("p", "title", _title(sheet)),
        tag("h1", {}, *_headline(sheet)),
        pairs(sheet.facts, "pairs facts"),
    )


def _title(sheet: Sheet) -> str:
    """With the cluster's name, which most titles have."""
    return sheet.title if sheet.cluster in sheet.title else f"{sheet.title}: {sheet.cluster}"


def _headline(sheet: Sheet) -> tuple[Node, ...]:
    """The word that decides as a pill, where the headline begins with it, and what follows."""
    word = _word(sheet)
    rest = sheet.headline.removeprefix(word)
    if rest == sheet.headline or rest[:1].isalnum():
        return verdict_pill(sheet.verdict, word), f" {sheet.headline}"
    return verdict_pill(sheet.verdict, word), f" {rest.lstrip(':;, ')}"


def _word(sheet: Sheet) -> str:
    return sheet.decision or SHOWN[sheet.verdict]


def _navigation(sheet: Sheet) -> Html:
    links = (
        ("checks", "Checks", len(sheet.checks)),
        ("matrix", "Targets", len(sheet.rows)),
        ("problems", "Problems", len(sheet.problems)),
        ("details", "Details", len(sheet.rows)),
        ("notes", "Notes", len(sheet.notes)),
    )
    shown = [tag("a", {"href": f"#{name}"}, f"{title} ({count})") for name, title, count in links if count]
    return tag("nav", {"aria-label": "Sections"}, *shown)


class _Details(NamedTuple):
    section: Html
    definitions: Html
    notes: tuple[str, ...]


def _details(sheet: Sheet, room: int) -> _Details:
    """As much as has room, the worst verdicts first; in the page they are in the order of the rows."""
    pictures, fixes, blocks = Pictures(), links_by_summary(sheet), dict[int, Html]()
    left_out = {"times": 0, "none": 0}
    # The least that each target takes is kept free for those that come later: the times of all, if they have room.
    extents, least = _EXTENTS[:2], _sizes(sheet, "times")
    if sum(least) > room:
        extents, least = _EXTENTS, _sizes(sheet, "none")
    room -= sum(least)
    for number in sorted(range(len(sheet.rows)), key=lambda number: ORDER.index(sheet.rows[number].verdict)):
        for extent in extents:
            count, size = len(pictures), pictures.size
            block = target_details(sheet, number, pictures, fixes, extent)
            takes = _bytes(block) + pictures.size - size - least[number]
            if takes <= room or extent == extents[-1]:
                break
            pictures.forget(count)
        blocks[number], room = block, room - takes
        if extent != "all":
            left_out[extent] += 1
    notes = tuple(
        f"{what} of {count} of {len(sheet.rows)} targets are left out, to bound the size of the file; -o json has them."
        for what, count in (("Explanations and paths", left_out["times"]), ("Details", left_out["none"]))
        if count
    )
    if not blocks:
        return _Details(Html(""), Html(""), notes)
    ordered = [blocks[number] for number in range(len(sheet.rows))]
    hint = classed("p", "printed", "Only what does not pass is printed.")
    return _Details(section("details", "Details by target", hint, *ordered), pictures.definitions(), notes)


def _sizes(sheet: Sheet, extent: Extent) -> list[int]:
    """In bytes, without pictures."""
    return [_bytes(target_details(sheet, number, Pictures(), {}, extent)) for number in range(len(sheet.rows))]


def _bytes(text: str) -> int:
    return len(text.encode())


def _notes(notes: tuple[str, ...]) -> Html:
    items = [tag("li", {}, note) for note in notes]
    return section("notes", "Not covered, and limits", tag("ul", {}, *items)) if items else Html("")


def _footer(sheet: Sheet) -> Html:
    took = f" in {sheet.seconds:.1f} s" if sheet.seconds else ""
    return tag("footer", {}, tag("p", {}, f"Made by egressprobe, {sheet.made_at}{took}."))
