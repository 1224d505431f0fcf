r"""The shorthand syntax of the AWS CLI (user guide, cli-usage-shorthand): `Key=value,Key2=[a,b],Key3={Nested=c}`.

The grammar, as the CLI reads it:

    parameter = pair *("," pair)            pair   = key "=" values
    values    = list / structure / csv      list   = "[" [ value *("," value) ] "]"
    structure = "{" [ pair *("," pair) ] "}" where a value is a list, a structure or one word
    csv       = word *("," word), until the next word is followed by "="

A word is quoted with ' or ", or ends at a comma; `\,` is a comma in it. In a list or structure it also ends at ] or }.
"""

import re
from typing import Any, NoReturn

_KEY = re.compile(r"[A-Za-z0-9\-_.#/:]*")
_SINGLE, _DOUBLE = re.compile(r"'(?:\\'|[^'])*'"), re.compile(r'"(?:\\"|[^"])*"')
_START = r"""(?:\\,|[^\s"',=\[{])"""
_WORD = re.compile(_START + r"""(?:\\,|[^"',\]}])*""")
# After a comma: a word that "=" follows is the next key.
_NEXT_WORD = re.compile(_START + r"""(?:\\,|[^"',=])*""")
_SPACE = re.compile(r"\s*")
_MAX_DEPTH = 20


def parse(text: str) -> dict[str, Any]:
    """Words stay texts: their types are those of the API's model. Raises ValueError: what is expected, and where."""
    return _ShorthandReader(text).parameter()


class _ShorthandReader:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    # -- grammar ----------------------------------------------------------------------------------------------

    def parameter(self) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while True:
            key = self._key()
            if key in pairs:
                raise ValueError(f'"{key}" is given twice; is there a comma instead of a space before it?')
            pairs[key] = self._values()
            if self.at >= len(self.text):
                return pairs
            self._expect(",")

    def _key(self) -> str:
        key = self._take(_KEY)
        self._expect("=")
        return key

    def _values(self) -> Any:
        if self._next in ("[", "{"):
            return self._nested()
        if not self._next:
            return ""
        words = [self._word(_WORD, needed=False)]
        self._take(_SPACE)
        while self._next == ",":
            comma = self.at
            self._expect(",")
            word = self._maybe_word()
            if word is None:
                self.at = comma
                break
            words.append(word)
        return words[0] if len(words) == 1 else words

    def _maybe_word(self) -> str | None:
        """The next word of a csv; None where it is the key of the next pair."""
        if not self._next:
            self._fail("a value")
        if self._next not in ("'", '"') and not _NEXT_WORD.match(self.text, self.at):
            return None
        word = self._word(_NEXT_WORD, needed=True)
        self._take(_SPACE)
        return word if self._next in ("", ",") else None

    def _nested(self) -> Any:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ValueError("is nested too deep")
        value = self._list() if self._next == "[" else self._structure()
        self.depth -= 1
        return value

    def _list(self) -> list[Any]:
        values = []
        self._expect("[")
        while self._next != "]":
            values.append(self._value())
            self._separator("]")
        self.at += 1
        return values

    def _structure(self) -> dict[str, Any]:
        pairs = {}
        self._expect("{")
        while self._next != "}":
            key = self._key()
            pairs[key] = self._value()
            self._separator("}")
        self.at += 1
        return pairs

    def _value(self) -> Any:
        return self._nested() if self._next in ("[", "{") else self._word(_WORD, needed=False)

    def _separator(self, end: str) -> None:
        self._take(_SPACE)
        if self._next != end:
            self._expect(",")

    # -- words ------------------------------------------------------------------------------------------------

    def _word(self, pattern: re.Pattern[str], *, needed: bool) -> str:
        if self._next in ("'", '"'):
            quote = self._next
            quoted = self._take(_SINGLE if quote == "'" else _DOUBLE)
            if not quoted:
                self._fail(f"a closing {quote}")
            return quoted[1:-1].replace(f"\\{quote}", quote).replace("\\\\", "\\")
        word = self._take(pattern)
        if not word and needed:
            self._fail("a value")
        return word.replace("\\,", ",").rstrip()

    @property
    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def _expect(self, character: str) -> None:
        self._take(_SPACE)
        if self._next != character:
            self._fail(f'"{character}"')
        self.at += 1
        self._take(_SPACE)

    def _fail(self, expected: str) -> NoReturn:
        where = f'"{self.text[self.at :][:20]}"' if self._next else "the end"
        raise ValueError(f"{expected} is expected before {where}")
