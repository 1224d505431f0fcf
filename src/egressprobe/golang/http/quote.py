"""Text of a peer in a message: strconv.Quote, and one place that cuts it to a length.

Source: strconv/quote.go (Go 1.25). strconv.IsPrint is close to str.isprintable, which is what decides here.
"""

_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def _escaped(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8 (surrogateescape)
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x20 or number == 0x7F:
        return _ESCAPES.get(character) or f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def escaped(text: str) -> str:
    """Text without control characters or line breaks: each is shown as Go writes it in a quoted string."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def quote(text: str) -> str:
    """strconv.Quote. Bytes that are not UTF-8 come as surrogates (errors="surrogateescape")."""
    return '"' + escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def cut(body: bytes, most: int) -> str:
    """The first `most` bytes as escaped text, for a message."""
    text = body[:most].decode("utf-8", "replace").strip()
    return escaped(text)
