"""What all tables share: columns, labels, colours, folding, time formats, and the escape of unprintable text.

Everything that reaches a terminal goes through `printable`: certificates, DNS names, HTTP bodies and the API server's
messages are written by other parties. It is called here, in `line` and `indented`, and by `message` for stderr.
"""

import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from egressprobe.catalog.entry import is_command
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.target import Verdict

COLOURS = {Verdict.PASS: "32", Verdict.DEGRADED: "33", Verdict.FAIL: "31", Verdict.UNKNOWN: "35"}
SHOWN = {Verdict.PASS: "pass", Verdict.DEGRADED: "DEGRADED", Verdict.FAIL: "FAIL", Verdict.UNKNOWN: "UNKNOWN"}
# What needs a person comes first.
ORDER = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.PASS)
MAX_NAME = 60
MAX_TEXT = 2000  # characters of one value: twice the longest sentence of kube-apiserver in the recorded cases
_COMMAND_LABELS = ("fix", "check", "undo", "")  # beside these a line may be a command
_INDENT = 14
_LEAST_ROOM = 20  # columns of a text in a terminal that is too narrow for it
_MOST_CHECKS, _MOST_USERS, _MOST_NAMED = 2, 8, 5
_RETURNED = " (the id that the command before returns)"
# Cc, Cf (bidirectional overrides), Cs (lone surrogates, which no encoder takes), Co, Cn, Zl, Zp.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


type Paint = Callable[[int, str], str]


class Style(NamedTuple):
    """`colour`: escape codes may be written."""

    colour: bool = False

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def first(self, code: str) -> Paint:
        """Paints the first cell of a line."""
        return lambda i, text: self.paint(text, code) if i == 0 else text


PLAIN = Style()


def printable(text: str, most: int = MAX_TEXT) -> str:
    r"""`text` in one line of printable characters, others as \n, \x1b, \u202e; cut to `most` characters."""
    if len(text) > most:
        text = f"{text[:most]}... ({len(text) - most} more characters)"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def short(name: str) -> str:
    """A name that fits its column."""
    return cut(printable(name), MAX_NAME)


def cut(text: str, most: int) -> str:
    """`text`, or its first characters and dots; the beginning of a name says more than its end."""
    return text if len(text) <= most else text[: max(most - 3, 1)] + "..."


def widths(rows: Iterable[Sequence[str]]) -> list[int]:
    """The width of each column; all rows have the same number of cells."""
    return [max(len(printable(cell)) for cell in column) for column in zip(*rows, strict=True)]


def line(
    cells: Sequence[str], columns: Sequence[int], *, right: range = range(0), paint: Paint = lambda _, text: text
) -> str:
    """One line of a table. right: the columns aligned to the right, times for example. paint: colours of a cell."""
    parts = []
    for i, (cell, width) in enumerate(zip(cells, columns, strict=True)):
        text = printable(cell)
        blank = " " * (width - len(text))
        parts.append(blank + paint(i, text) if i in right else paint(i, text) + blank)
    return "  ".join(parts).rstrip()


def indented(style: Style, label: str, text: str, width: int | None) -> Iterator[str]:
    """One explanation. What kube-apiserver logs and commands are never folded: both are there to be copied."""
    text = printable(text)
    folded = [text]
    copied = label == "apiserver" or (label in _COMMAND_LABELS and is_command(text))
    if width and not copied and len(text) + _INDENT > width:
        folded = _folded(text, max(width - _INDENT, _LEAST_ROOM))
    yield f"    {style.paint(f'{label:<9}', '2')} {folded[0]}"
    yield from (" " * _INDENT + part for part in folded[1:])


def remedy(lines: Sequence[str], known: RemedySteps | UnsetType = UNSET) -> Iterator[tuple[str, str]]:
    """(label, text) of a remedy: what to check first, its lines, placeholders, undo, what it touches, its proof."""
    if known:
        check = [text for text in known.check if text not in lines]
        yield from _labelled("check", check[:_MOST_CHECKS])
    yield from _labelled("fix", lines)
    if known:
        commands = " ".join((*known.fix, *known.undo))
        names = [name + _RETURNED * name.startswith("<NEW_") for name in known.placeholders if name in commands]
        yield from _labelled("replace", [", ".join(names)] if names else [])
        yield from _labelled("undo", known.undo)
        yield from _labelled("touches", [f"{item.id}{_used(item.used_by)}" for item in known.touches])
        yield from _labelled("proven", [known.proven_by] if known.proven else [])


def _labelled(label: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    yield from (("" if i else label, text) for i, text in enumerate(lines))


def _used(names: Sequence[str]) -> str:
    return f", used by {some(names, _MOST_USERS)}" if names else ""


def some(names: Sequence[str], most: int = _MOST_NAMED) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def paragraph(text: str, width: int | None) -> list[str]:
    """A line of the footer, folded to the terminal."""
    text = printable(text)
    return _folded(text, width) if width else [text]


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def ms(value: float) -> str:
    """Milliseconds with two digits, seconds from 1000 on."""
    if value >= 1000:
        return f"{value / 1000:.1f}s"
    return f"{value:.0f}ms" if value >= 10 else f"{value:.1f}ms" if value >= 0.1 else "<0.1ms"
