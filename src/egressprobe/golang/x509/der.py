"""DER as Go's golang.org/x/crypto/cryptobyte reads it: definite, minimal lengths, low tag numbers, nothing more.

Raises CertificateError; the text is that of crypto/x509/parser.go for the place at hand.
"""

from functools import lru_cache
from typing import NamedTuple

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE, SET = 0x01, 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
NULL = b"\x05\x00"
_MOST_ARC = 1 << 31  # cryptobyte readBase128Int


class CertificateError(ValueError):
    """A certificate that Go's parser refuses; the text is Go's."""


class Element(NamedTuple):
    """One element: its tag, its content, and both with the header (`raw`)."""

    tag: int
    body: bytes
    raw: bytes


def _content(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins and ends; (0, 0) unless it is well formed."""
    end, start = len(data), at + 2
    if start > end or data[at] & 0x1F == 0x1F:
        return 0, 0
    size = data[at + 1]
    if size & 0x80:
        width = size & 0x7F
        size = int.from_bytes(data[start : start + width])
        # Minimal: the short form where it fits, no leading zero
        if not 1 <= width <= 4 or start + width > end or size < 0x80 or size >> 8 * (width - 1) == 0:
            return 0, 0
        start += width
    return (start, start + size) if start + size <= end else (0, 0)


def elements(data: bytes, what: str = "certificate") -> list[Element]:
    """All elements of `data`. Raises CertificateError; `what` names the place."""
    reader, parts = Reader(data, f"malformed {what}"), []
    while not reader.empty:
        parts.append(reader.any())
    return parts


class Reader:
    """Takes elements from the front, as cryptobyte.String does; what is not taken is ignored.

    error: the text raised when the element asked for does not come next, without its `x509: `; each call may
    give another.
    """

    __slots__ = ("_at", "_data", "_error")

    def __init__(self, data: bytes, error: str) -> None:
        self._data, self._at, self._error = data, 0, error

    @property
    def empty(self) -> bool:
        return self._at >= len(self._data)

    @property
    def at(self) -> int:
        """How many bytes were taken."""
        return self._at

    def fail(self, error: str = "") -> CertificateError:
        """The error to raise."""
        return CertificateError(f"x509: {error or self._error}")

    def peek(self, tag: int) -> bool:
        """Whether the next element has this tag."""
        return self._at < len(self._data) and self._data[self._at] == tag

    def any(self, error: str = "") -> Element:
        """The next element, whatever it is."""
        data, at = self._data, self._at
        start, end = _content(data, at)
        if not start:
            raise self.fail(error)
        self._at = end
        return Element(data[at], data[start:end], data[at:end])

    def element(self, tag: int, error: str = "") -> Element:
        """The next element, which must have this tag."""
        if not self.peek(tag):
            raise self.fail(error)
        return self.any(error)

    def take(self, tag: int, error: str = "") -> bytes:
        """The content of the next element, which must have this tag."""
        data, at = self._data, self._at
        start, end = _content(data, at)
        if not start or data[at] != tag:
            raise self.fail(error)
        self._at = end
        return data[start:end]

    def into(self, tag: int, error: str = "") -> "Reader":
        """A reader of the next element's content, with the same error unless another is given."""
        return Reader(self.take(tag, error), error or self._error)

    def big_integer(self, tag: int = INTEGER, error: str = "") -> int:
        """A minimal INTEGER (X.690 section 8.3.2)."""
        body = self.take(tag, error)
        if not body or (len(body) > 1 and (body[0], body[1] >> 7) in ((0x00, 0), (0xFF, 1))):
            raise self.fail(error)
        return int.from_bytes(body, signed=True)

    def integer(self, tag: int = INTEGER, error: str = "") -> int:
        """One that fits 64 bits, signed."""
        value = self.big_integer(tag, error)
        if not -(1 << 63) <= value < 1 << 63:
            raise self.fail(error)
        return value

    def boolean(self, error: str = "") -> bool:
        body = self.take(BOOLEAN, error)
        if body not in (b"\xff", b"\0"):
            raise self.fail(error)
        return body == b"\xff"

    def bit_string(self, error: str = "") -> tuple[bytes, int]:
        """The bytes of a BIT STRING and how many bits of the last are unused; those must be zero."""
        body = self.take(BIT_STRING, error)
        unused = body[0] if body else 8
        if unused > 7 or (len(body) == 1 and unused) or (len(body) > 1 and body[-1] & (1 << unused) - 1):
            raise self.fail(error)
        return body[1:], unused

    def aligned_bits(self, error: str = "") -> bytes:
        """A BIT STRING with the unused bits shifted away (encoding/asn1 BitString.RightAlign)."""
        data, unused = self.bit_string(error)
        return (int.from_bytes(data) >> unused).to_bytes(len(data)) if unused else data

    def oid(self, error: str = "") -> str:
        """An OBJECT IDENTIFIER as `1.2.840...`: minimal arcs below 2**31."""
        body = self.take(OID, error)
        text = _oid_text(body) if len(body) <= _CACHED_OID else _read_oid(body)
        if text is None:
            raise self.fail(error)
        return text


_CACHED_OID = 32  # bytes; longer ones are not used, and a cache must be bounded by bytes


def _read_oid(body: bytes) -> str | None:
    arcs: list[int] = []
    value, begins = 0, True
    for byte in body:
        if (begins and byte == 0x80) or value >= _MOST_ARC >> 7:  # not minimal, or too large
            return None
        value = value << 7 | byte & 0x7F
        begins = not byte & 0x80
        if begins:
            arcs.append(value)
            value = 0
    if not arcs or not begins:
        return None
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


_oid_text = lru_cache(maxsize=512)(_read_oid)


def minimal_oid(body: bytes) -> bool:
    """Whether the content of an OID is well formed, with arcs of any size (crypto/x509/oid.go newOIDFromDER)."""
    if not body or body[-1] & 0x80:
        return False
    starts = (0, *(i + 1 for i, byte in enumerate(body[:-1]) if not byte & 0x80))
    return all(body[start] != 0x80 for start in starts)


_QUOTED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_QUOTED |= {"\\": "\\\\", '"': '\\"'}


def quoted(text: str) -> str:
    """Text as Go's %q prints it (strconv.Quote); bytes that are not UTF-8 as surrogates (errors="surrogateescape")."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_quoted_character, text)) + '"'


def _quoted_character(character: str) -> str:
    if character in _QUOTED:
        return _QUOTED[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
