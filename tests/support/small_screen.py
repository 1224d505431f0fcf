"""A terminal's screen, as far as `watch` uses one: what is where after the escape sequences that it writes.

Anything else than those is an error, so that a text of another party that reaches the terminal is noticed.
"""

import re
import unicodedata

_SEQUENCE = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])")


class SmallScreen:
    """lines: the rows as text. alternate: the alternate screen is on; cursor: it is shown."""

    def __init__(self, columns, rows):
        self.alternate, self.cursor = False, True
        self._rest = ""
        self.resize(columns, rows)

    def resize(self, columns, rows):
        """As a terminal does; what was there is drawn again by the program."""
        self.columns, self.rows = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0

    @property
    def lines(self):
        return ["".join(cell for cell in row if cell).rstrip() for row in self._cells]

    @property
    def text(self):
        return "\n".join(self.lines)

    def feed(self, text):
        text, at = self._rest + text, 0
        self._rest = ""
        while at < len(text):
            if text[at] == "\x1b":
                match = _SEQUENCE.match(text, at)
                if match is None:
                    self._rest = text[at:]
                    assert len(self._rest) < 20, f"not a sequence of ours: {self._rest!r}"
                    return
                self._obey(*match.groups())
                at = match.end()
                continue
            self._put(text[at])
            at += 1

    def _obey(self, numbers, letter):
        if letter == "m":
            return
        if (numbers, letter) in (("?1049", "h"), ("?1049", "l")):
            self.alternate = letter == "h"
            self.resize(self.columns, self.rows)
        elif (numbers, letter) in (("?25", "h"), ("?25", "l")):
            self.cursor = letter == "h"
        elif letter == "H":
            row, _, column = numbers.partition(";")
            self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
        elif letter == "K":
            self._cells[self._row][self._column :] = [" "] * (self.columns - self._column)
        elif letter == "J":
            first = 0 if numbers == "2" else self._row
            for row in range(first, self.rows):
                self._cells[row] = [" "] * self.columns
        else:
            raise AssertionError(f"not a sequence of ours: {numbers}{letter}")

    def _put(self, character):
        if character == "\r":
            self._column = 0
            return
        if character == "\n":
            self._row = min(self._row + 1, self.rows - 1)
            return
        assert character.isprintable(), repr(character)
        if unicodedata.combining(character):
            return
        wide = unicodedata.east_asian_width(character) in "WF"
        if self._column + wide >= self.columns + (not wide) * 1:
            return  # behind the last column
        self._cells[self._row][self._column] = character
        if wide:
            self._cells[self._row][self._column + 1] = ""
        self._column += 2 if wide else 1
