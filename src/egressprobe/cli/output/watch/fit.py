"""Text in an exact number of terminal columns: wide characters take two, combining ones none. Pure."""

import unicodedata

from egressprobe.cli.output.terminal import printable


def columns(text: str) -> int:
    """How many columns printable text takes (Unicode Standard Annex 11)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text`, made printable, cut or filled with blanks to `width` columns."""
    text = printable(text)
    if columns(text) > width:
        text = _cut(text, width)
    blank = " " * (width - columns(text))
    return blank + text if right else text + blank


def _cut(text: str, width: int) -> str:
    dots = "..." if width > 6 else ""
    return text[: _most(text, width - len(dots))] + dots


def _most(text: str, width: int) -> int:
    """How many characters of `text` fit into `width` columns."""
    used = 0
    for i, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return i
    return len(text)


def fold(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken at blanks, and within a word only where it is longer."""
    lines: list[str] = []
    line = ""
    for word in printable(text).split(" "):
        if line and columns(line) + 1 + columns(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
        while columns(line) > width:
            most = max(_most(line, width), 1)
            lines.append(line[:most])
            line = line[most:]
    return [*lines, line]
