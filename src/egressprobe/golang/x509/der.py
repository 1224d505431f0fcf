"""DER as Go's golang.org/x/crypto/cryptobyte reads it: definite, minimal lengths, low tag numbers, nothing more.

Raises CertificateError; the text is that of crypto/x509/parser.go for the place at hand.
"""

from typing import NamedTuple

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE = 0x01, 0x02, 0x03, 0x04, 0x06, 0x30


class CertificateError(ValueError):
    """A certificate that Go's parser refuses; the text is Go's."""


class Element(NamedTuple):
    """One element: its tag, its content, and both with the header (`raw`)."""

    tag: int
    body: bytes
    raw: bytes


def _split(data: bytes, at: int) -> tuple[Element, int] | None:
    """The element at `at` and where it ends; None where there is none that is well formed."""
    end, start = len(data), at + 2
    if start > end or data[at] & 0x1F == 0x1F:
        return None
    size = data[at + 1]
    if size & 0x80:
        width = size & 0x7F
        size = int.from_bytes(data[start : start + width])
        # Minimal: the short form where it fits, no leading zero
        if not 1 <= width <= 4 or start + width > end or size < 0x80 or size >> 8 * (width - 1) == 0:
            return None
        start += width
    if start + size > end:
        return None
    return Element(data[at], data[start : start + size], data[at : start + size]), start + size


def elements(data: bytes, what: str = "certificate") -> list[Element]:
    """The elements that `data` consists of. Raises CertificateError, `what` names the place."""
    found, at = [], 0
    while at < len(data):
        split = _split(data, at)
        if split is None:
            raise CertificateError(f"x509: malformed {what}")
        element, at = split
        found.append(element)
    return found


def only(data: bytes, tag: int, what: str) -> bytes:
    """The content of the one element that `data` is."""
    found = elements(data, what)
    if len(found) != 1 or found[0].tag != tag:
        raise CertificateError(f"x509: malformed {what}")
    return found[0].body


class Reader:
    """Takes elements from the front, as cryptobyte.String does: what is left over is nobody's business.

    error: the text raised when what is wanted is not there, without its `x509: `.
    """

    def __init__(self, data: bytes, error: str) -> None:
        self._data, self._at, self._error = data, 0, error

    @property
    def empty(self) -> bool:
        return self._at >= len(self._data)

    def peek(self, tag: int) -> bool:
        """Whether the next element has this tag."""
        return not self.empty and self._data[self._at] == tag

    def any(self) -> Element:
        """The next element, whatever it is."""
        split = _split(self._data, self._at)
        if split is None:
            raise CertificateError(f"x509: {self._error}")
        element, self._at = split
        return element

    def take(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        if not self.peek(tag):
            raise CertificateError(f"x509: {self._error}")
        return self.any().body

    def into(self, tag: int, error: str = "") -> "Reader":
        """A reader of the next element's content."""
        return Reader(self.take(tag), error or self._error)

    def integer(self, tag: int = INTEGER) -> int:
        """A minimal INTEGER (X.690 section 8.3.2) that fits 64 bits."""
        body = self.take(tag)
        padded = len(body) > 1 and (body[0], body[1] >> 7) in ((0x00, 0), (0xFF, 1))
        if not body or padded or len(body) > 8:
            raise CertificateError(f"x509: {self._error}")
        return int.from_bytes(body, signed=True)


def oid_text(body: bytes) -> str:
    """`1.2.840...` of an OBJECT IDENTIFIER's content."""
    if not body or body[-1] & 0x80 or len(body) > 64:
        raise CertificateError("x509: malformed OID field")
    arcs, value = [], 0
    for byte in body:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def first_oid(data: bytes) -> str:
    """The OID that an AlgorithmIdentifier or an attribute begins with."""
    parts = elements(data, "OID field")
    if not parts or parts[0].tag != OID:
        raise CertificateError("x509: malformed OID field")
    return oid_text(parts[0].body)
