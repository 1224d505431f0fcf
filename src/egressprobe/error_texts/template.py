"""A text with placeholders: formatted for the forecast, searched for in a pasted error. Pure.

Searching takes no regular expression over the pasted text: the literal parts are looked for one after the other, each
within a bounded distance, so the time is linear in the text. White space does not count, for terminals and YAML wrap
lines anywhere. A value ends where the next literal part begins; the last value of a text ends at the next white space.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from string import Formatter
from typing import NamedTuple

from egressprobe.model.failure import Code

# Placeholders that may hold anything: words of other parties. All others are one word.
_FREE = frozenset({"problem", "because", "names", "expected", "actual", "answer", "issuer", "error"})
_MOST_FREE, _MOST_WORD = 9000, 600  # characters of a value
_MOST_TRIES = 40  # places in one text where a row may begin
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_WORD = re.compile(r"[^\s\"<>\\]+")


class ErrorText(NamedTuple):
    """One text. codes: what it may mean, the likeliest first; the text alone does not separate them.

    why: what in the text says so. less: codes that are possible and less likely. family: the text is only the beginning
    of many, so any other row that fits says more. root: it begins a new error in a text with several.
    """

    text: str
    codes: tuple[str, ...] = ()
    why: str = ""
    less: tuple[str, ...] = ()
    family: bool = False
    root: bool = False

    def of(self, **values: object) -> str:
        """The text with its values."""
        return self.text.format(**values)


class _Part(NamedTuple):
    """A literal part in lower case and without white space, and the placeholder behind it.

    gaps: the positions in it where the row has white space, so that ` on ` is not found in `amazonaws`.
    """

    literal: str
    name: str | None
    gaps: tuple[int, ...]


class Found(NamedTuple):
    """A row in a text. start, end: of its literal parts, in the text without white space."""

    row: ErrorText
    start: int
    end: int
    values: dict[str, str]


class Squeezed(NamedTuple):
    """A text without white space. gaps: positions before which there was some; lower: in ASCII lower case.

    soft: those of the gaps where a terminal may have wrapped the line within a word.
    """

    text: str
    lower: str
    gaps: frozenset[int]
    soft: frozenset[int]


def squeeze(text: str, wrapped_at: int = 79) -> Squeezed:
    """wrapped_at: a line of at least so many characters may go on within a word on the next."""
    parts: list[str] = []
    gaps, soft, at = set(), set(), 0
    for line in text.splitlines():
        for word in line.split():
            parts.append(word)
            gaps.add(at)
            at += len(word)
        if len(line.rstrip()) >= wrapped_at:
            soft.add(at)
    squeezed = "".join(parts)
    return Squeezed(squeezed, squeezed.translate(_LOWER), frozenset(gaps), frozenset(soft))


@lru_cache(maxsize=512)
def _parts(text: str) -> tuple[_Part, ...]:
    return tuple(_part(literal, name) for literal, name, _, _ in Formatter().parse(text))


def _part(literal: str, name: str | None) -> _Part:
    words = literal.split(" ")
    gaps, at = set(), 0
    for word in words[:-1]:
        at += len(word)
        gaps.add(at)
    if name is None:
        gaps.discard(sum(map(len, words)))
    return _Part("".join(words).translate(_LOWER), name, tuple(sorted(gaps)))


@lru_cache(maxsize=512)
def _longest(text: str) -> str:
    return max((part.literal for part in _parts(text)), key=len)


def weight(row: ErrorText) -> int:
    """How many characters of a row's text are its own."""
    return sum(len(part.literal) for part in _parts(row.text))


def find_all(row: ErrorText, text: Squeezed) -> Iterator[Found]:
    """The places of `row` in `text`, at most 40."""
    if _longest(row.text) not in text.lower:
        return
    parts = _parts(row.text)
    leading = None if parts[0].literal else parts[0].name
    if leading is not None:
        parts = parts[1:]
    at = 0
    for _ in range(_MOST_TRIES):
        begin = _find(parts[0], text, at, len(text.text))
        if begin < 0:
            return
        at = begin + 1
        matched = _match(parts, text, begin) if leading or _starts_word(text, begin) else None
        if matched is None:
            continue
        end, values = matched
        if leading is not None:
            values[leading] = _before(text, begin)
        yield Found(row, begin, end, values)
        at = max(at, end)


def _find(part: _Part, text: Squeezed, start: int, end: int) -> int:
    """Where `part` is next, with white space beside it where its row has some; -1 for nowhere."""
    if not part.literal:  # only white space between two words
        return next((at for at in range(start + 1, min(end, len(text.text))) if at in text.gaps), -1)
    at = text.lower.find(part.literal, start, end)
    for _ in range(_MOST_TRIES):
        if at < 0:
            return -1
        if all(at + gap in text.gaps or at + gap == len(text.text) for gap in part.gaps):
            return at
        at = text.lower.find(part.literal, at + 1, end)
    return -1


def _match(parts: tuple[_Part, ...], text: Squeezed, begin: int) -> tuple[int, dict[str, str]] | None:
    """The end of a row that begins at `begin`, and its values."""
    values: dict[str, str] = {}
    name, end = parts[0].name, begin + len(parts[0].literal)
    for part in parts[1:]:
        if name is None:
            break
        most = _MOST_FREE if name in _FREE else _MOST_WORD
        next_at = _find(part, text, end, end + most + len(part.literal))
        value = text.text[end:next_at]
        if next_at < 0 or (name not in _FREE and (not _WORD.fullmatch(value) or _crosses(text, end, next_at))):
            return None
        values[name] = value
        name, end = part.name, next_at + len(part.literal)
    if name is not None:
        values[name] = "" if name in _FREE else _word(text, end)
        return end, values
    return (end, values) if _ends_word(text, end) else None


def _crosses(text: Squeezed, start: int, end: int) -> bool:
    """Whether there was white space within a value that is one word, other than where a line was wrapped."""
    return any(at in text.gaps and at not in text.soft for at in range(start + 1, end))


def _starts_word(text: Squeezed, at: int) -> bool:
    return at == 0 or at in text.gaps or not (text.text[at].isalnum() and text.text[at - 1].isalnum())


def _ends_word(text: Squeezed, at: int) -> bool:
    return at >= len(text.text) or at in text.gaps or not (text.text[at].isalnum() and text.text[at - 1].isalnum())


def _word(text: Squeezed, start: int) -> str:
    """From `start` to the next white space, without what closes a sentence."""
    end = start
    while end < len(text.text) and end - start < _MOST_WORD and text.text[end] not in "\"'<>\\,;":
        end += 1
        if end in text.gaps and end not in text.soft:
            break
    return text.text[start:end].rstrip(".:)]}")


def _before(text: Squeezed, end: int) -> str:
    """The word before `end`."""
    start = end
    while start > 0 and end - start < _MOST_WORD and text.text[start - 1] not in "\"'<>\\=,;":
        if start in text.gaps and start not in text.soft and start < end:
            break
        start -= 1
    return text.text[start:end].rstrip(":")


def codes(*names: Code | str) -> tuple[str, ...]:
    """Codes of failures and of findings as text."""
    return tuple(str(name) for name in names)
