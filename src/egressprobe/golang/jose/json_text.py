"""JSON as Go's encoding/json reads it: what is valid, the error text where it is not, and what strings decode to.

Source: encoding/json/scanner.go and decode.go (unquote) of Go 1.25. go-jose's copy (json/scanner.go of v2.6.3) has the
same grammar. Beside RFC 8259: invalid UTF-8 and lone surrogates become U+FFFD, nesting ends at 10,000, a byte order
mark is an error, and so is anything but white space after the value.
"""

import codecs
import re
from typing import NamedTuple

MAX_DEPTH = 10_000  # encoding/json maxNestingDepth
# No rule looks deeper than key set, keys, key, x5u, User. Below, containers are checked but not kept.
_KEPT_DEPTH = 6


class JsonError(ValueError):
    """Text that is not JSON, or JSON of the wrong type; the text is Go's."""


class JsonNumber:
    """Any number: no rule depends on its value."""


class JsonObject(NamedTuple):
    """The members in the order of the text; a name can occur more than once."""

    members: tuple[tuple[str, "Value"], ...]


type Value = str | bool | JsonNumber | JsonObject | list["Value"] | None

NUMBER = JsonNumber()
_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"([^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+)"')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++|(?!\.))(?:[eE][+-]?[0-9]++|(?![eE]))")
_LITERALS = {ord("t"): (b"true", True), ord("f"): (b"false", False), ord("n"): (b"null", None)}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _each_byte(error: UnicodeError) -> tuple[str, int]:
    """One U+FFFD a byte, as unicode/utf8.DecodeRune; Python's "replace" puts one for a whole sequence."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("egressprobe.go", _each_byte)


def go_text(data: bytes) -> str:
    """Bytes as a Go string of runes: U+FFFD for each byte that is not UTF-8."""
    return data.decode("utf-8", "egressprobe.go")


def kind_of(value: Value) -> str:
    """How UnmarshalTypeError names a value's type; `null` never mismatches."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, JsonNumber):
        return "number"
    return "array" if isinstance(value, list) else "object"


def parse_json(data: bytes) -> Value:
    """The one value in `data`. Raises JsonError with the text of Go's SyntaxError."""
    return _JsonReader(data).read()


class _JsonReader:
    """An explicit stack instead of recursion: the nesting is the peer's."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        # Open containers: an array's values, or an object's [name, value] pairs; None where they are not kept.
        self._open: list[tuple[bytes, list[Value] | None, list[tuple[str, Value]] | None]] = []
        self._names: list[str] = []

    def read(self) -> Value:
        while True:
            value, done = self._value()
            while done:
                if not self._open:
                    self._skip()
                    if self._at < len(self._data):
                        raise self._unexpected("after top-level value")
                    return value
                value, done = self._after(value)

    def _skip(self) -> int:
        """The next byte that is not white space; -1 at the end."""
        match = _SPACE.match(self._data, self._at)
        self._at = match.end() if match else self._at
        return self._data[self._at] if self._at < len(self._data) else -1

    def _value(self) -> tuple[Value, bool]:
        """A whole value, or False as second where a container was opened."""
        byte = self._skip()
        if byte == 0x22:
            return self._string(), True
        if byte in (0x7B, 0x5B):
            return self._begin(byte)
        if byte in _LITERALS:
            word, value = _LITERALS[byte]
            if not self._data.startswith(word, self._at):
                raise self._literal_error()
            self._at += len(word)
            return value, True
        match = _NUMBER.match(self._data, self._at)
        if match:
            self._at = match.end()
            return NUMBER, True
        if byte == 0x2D or 0x30 <= byte <= 0x39:
            raise self._literal_error()
        raise self._unexpected("looking for beginning of value")

    def _begin(self, byte: int) -> tuple[Value, bool]:
        if len(self._open) >= MAX_DEPTH:
            raise self._unexpected("exceeded max depth")
        self._at += 1
        kept = len(self._open) < _KEPT_DEPTH
        following = self._skip()
        if byte == 0x5B:
            if following == 0x5D:
                self._at += 1
                return [], True
            self._open.append((b"]", [] if kept else None, None))
            return None, False
        if following == 0x7D:
            self._at += 1
            return JsonObject(()), True
        self._open.append((b"}", None, [] if kept else None))
        self._name()
        return None, False

    def _name(self) -> None:
        if self._skip() != 0x22:
            raise self._unexpected("looking for beginning of object key string")
        self._names.append(self._string())
        if self._skip() != 0x3A:
            raise self._unexpected("after object key")
        self._at += 1

    def _after(self, value: Value) -> tuple[Value, bool]:
        """Put a finished value into its container: the container where it ends, else False as second."""
        end, values, pairs = self._open[-1]
        if end == b"]":
            if values is not None:
                values.append(value)
        else:
            name = self._names.pop()
            if pairs is not None:
                pairs.append((name, value))
        byte = self._skip()
        if byte == end[0]:
            self._at += 1
            self._open.pop()
            return (values or []) if end == b"]" else JsonObject(tuple(pairs or ())), True
        if byte != 0x2C:
            raise self._unexpected("after array element" if end == b"]" else "after object key:value pair")
        self._at += 1
        if end == b"}":
            self._name()
        return None, False

    def _string(self) -> str:
        match = _STRING.match(self._data, self._at)
        if match is None:
            raise self._literal_error()
        self._at = match.end()
        text = go_text(match[1])
        return _unescaped(text) if "\\" in text else text

    def _unexpected(self, context: str) -> JsonError:
        return _syntax_error(self._data[self._at :][:1], context)

    def _literal_error(self) -> JsonError:
        """The first byte that a literal cannot go on with. The end of the text reads as a space (scanner.eof)."""
        return _literal_error(self._data[self._at :] + b" ")


def _unescaped(text: str) -> str:
    """A surrogate pair is one rune, a lone surrogate U+FFFD (encoding/json unquoteBytes)."""

    def character(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else _SHORT_ESCAPES.get(match[2], match[2])

    decoded = _ESCAPE.sub(character, text)
    if _SURROGATE.search(decoded):
        return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return decoded


def quoted_byte(byte: int) -> str:
    """A byte as scanner.go quoteChar shows it: the rune of that number, between single quotes."""
    if byte == 0x27:
        return "'\\''"
    if byte == 0x22:
        return "'\"'"
    shown = {0x07: "\\a", 0x08: "\\b", 0x0C: "\\f", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x0B: "\\v", 0x5C: "\\\\"}
    if byte in shown:
        return f"'{shown[byte]}'"
    if byte < 0x20 or byte == 0x7F:
        return f"'\\x{byte:02x}'"
    # strconv.IsPrint: neither C1 controls nor U+00A0 and U+00AD
    return f"'\\u{byte:04x}'" if 0x80 <= byte <= 0xA0 or byte == 0xAD else f"'{chr(byte)}'"


def _syntax_error(byte: bytes, context: str) -> JsonError:
    if not byte:
        return JsonError("unexpected end of JSON input")
    return JsonError(f"invalid character {quoted_byte(byte[0])} {context}")


_HEX = frozenset(b"0123456789abcdefABCDEF")


def _literal_error(text: bytes) -> JsonError:
    """Why a string, number, true, false or null that begins `text` is not one. `text` has a space added at its end."""
    if text[0] == 0x22:
        return _string_error(text)
    if text[0] in _LITERALS:
        word, _ = _LITERALS[text[0]]
        at = next(at for at in range(1, len(word)) if text[at : at + 1] != word[at : at + 1])
        return _syntax_error(text[at : at + 1], f"in literal {word.decode()} (expecting '{chr(word[at])}')")
    integer = re.match(rb"-?(?:0|[1-9][0-9]*+)?", text)
    begun = integer.end() if integer else 0
    if text[begun - 1 : begun] == b"-":
        return _syntax_error(text[begun : begun + 1], "in numeric literal")
    if text[begun : begun + 1] == b".":
        fraction = re.compile(rb"\.[0-9]*+").match(text, begun)
        end = fraction.end() if fraction else begun
        if end == begun + 1:
            return _syntax_error(text[end : end + 1], "after decimal point in numeric literal")
        begun = end
    exponent = re.compile(rb"[eE][+-]?[0-9]*+").match(text, begun)
    end = exponent.end() if exponent else begun
    return _syntax_error(text[end : end + 1], "in exponent of numeric literal")


def _string_error(text: bytes) -> JsonError:
    plain = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+').match(text, 1)
    at = plain.end() if plain else 1
    if at >= len(text):
        return JsonError("unexpected end of JSON input")
    if text[at] != 0x5C:
        return _syntax_error(text[at : at + 1], "in string literal")
    if text[at + 1 : at + 2] != b"u":
        return _syntax_error(text[at + 1 : at + 2], "in string escape code")
    digits = next(index for index in range(at + 2, at + 6) if text[index] not in _HEX)
    return _syntax_error(text[digits : digits + 1], "in \\u hexadecimal character escape")
