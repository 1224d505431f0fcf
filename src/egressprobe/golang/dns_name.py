"""Domain names in DNS messages: golang.org/x/net/dns/dnsmessage Name.pack, Name.unpack and skipName. Pure."""

from functools import lru_cache

_MAX_POINTERS, _MAX_NAME, _MAX_LABEL = 10, 255, 63


@lru_cache(4096)  # of at most 255 bytes each: 1 MB
def wire_name(name: str) -> bytes:
    """An absolute name as a query carries it: Name.pack. Raises ValueError for a label that is empty or too long.

    Not by dnspython: its import takes 30 ms, 300 on a small Lambda, and it reads escapes and Unicode that Go sends as
    they are (a search list may have anything in it).
    """
    labels = name.encode().removesuffix(b".").split(b".") if name != "." else []
    if not all(0 < len(label) <= _MAX_LABEL for label in labels):
        raise ValueError(f"{name} has a label that is empty or longer than {_MAX_LABEL} bytes")
    return b"".join([bytes((len(label),)) + label for label in labels]) + b"\0"


def skip_name(wire: bytes, at: int) -> int:
    """The offset behind the name at `at`, without following pointers: dnsmessage skipName. Raises ValueError."""
    length = len(wire)
    while at < length:
        size = wire[at]
        at += 1
        if size == 0:
            return at
        if size >= 0xC0:
            return at + 1
        if size >= 0x40:
            raise ValueError("a reserved label type")
        at += size
    raise ValueError("the name is cut off")


class MessageNames:
    """The names of one message: dnsmessage Name.unpack. Methods raise ValueError for a name that Go cannot read.

    A name is at most 255 bytes and 10 pointers long, and what follows each label start is remembered, so that a
    message costs time linear in its size, however its names point into each other.
    """

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        # offset of a label or pointer -> length of the name from there and its pointers
        self._known: dict[int, tuple[int, int]] = {}

    def end(self, at: int) -> int:
        """The offset behind the name at `at`, which can be read."""
        if at not in self._known:
            self._measure(at)
        return at + 2 if self.wire[at] >= 0xC0 else skip_name(self.wire, at)

    def read(self, at: int) -> tuple[bytes, int]:
        """The name at `at` with a dot behind each label, and the offset behind it."""
        end = self.end(at)
        labels: list[bytes] = []
        while size := self.wire[at]:
            if size >= 0xC0:
                at = (size & 0x3F) << 8 | self.wire[at + 1]
            else:
                labels += (self.wire[at + 1 : at + 1 + size], b".")
                at += size + 1
        return b"".join(labels) or b".", end

    def _measure(self, at: int) -> None:
        wire = self.wire
        if wire[at : at + 1] == b"\0":  # the name of every OPT record
            self._known[at] = (0, 0)
            return
        steps: list[tuple[int, int, int]] = []  # offset, bytes of its label, pointers
        length = pointers = 0
        while at not in self._known:
            size = wire[at] if at < len(wire) else 0x40
            if size >= 0xC0:
                if at + 1 >= len(wire):
                    raise ValueError("the name is cut off")
                steps.append((at, 0, 1))
                pointers += 1
                at = (size & 0x3F) << 8 | wire[at + 1]
            else:
                label = wire[at + 1 : at + 1 + size]
                if size >= 0x40 or len(label) < size or b"." in label:
                    raise ValueError("the name cannot be read")
                if size == 0:
                    self._known[at] = (0, 0)
                    break
                steps.append((at, size + 1, 0))
                length += size + 1
                at += size + 1
            if length > _MAX_NAME or pointers > _MAX_POINTERS:
                raise ValueError("the name is too long")
        length, pointers = self._known[at]
        for offset, size, pointer in reversed(steps):
            length, pointers = length + size, pointers + pointer
            self._known[offset] = (length, pointers)
        if length > _MAX_NAME or pointers > _MAX_POINTERS:
            raise ValueError("the name is too long")


def name_text(name: bytes) -> str:
    """A name for a report: what does not print is escaped as in RFC 1035 section 5.1."""
    return "".join(chr(c) if 0x21 <= c <= 0x7E else f"\\{c:03d}" for c in name)
