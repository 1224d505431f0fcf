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


def elements(data: bytes, what: str = "certificate") -> list[Element]:
    """The elements that `data` consists of. Raises CertificateError, `what` names the place."""
    found, at, end = [], 0, len(data)
    while at < end:
        start = at + 2
        if start > end or data[at] & 0x1F == 0x1F:
            raise CertificateError(f"x509: malformed {what}")
        size = data[at + 1]
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(data[start : start + width])
            # Minimal: the short form where it fits, no leading zero
            if not 1 <= width <= 4 or start + width > end or size < 0x80 or size >> 8 * (width - 1) == 0:
                raise CertificateError(f"x509: malformed {what}")
            start += width
        if start + size > end:
            raise CertificateError(f"x509: malformed {what}")
        found.append(Element(data[at], data[start : start + size], data[at : start + size]))
        at = start + size
    return found


def only(data: bytes, tag: int, what: str) -> bytes:
    """The content of the one element that `data` is."""
    found = elements(data, what)
    if len(found) != 1 or found[0].tag != tag:
        raise CertificateError(f"x509: malformed {what}")
    return found[0].body


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
