"""What has arrived of an HTTP/1 response, read as bufio, textproto and the chunked reader do.

Source: net/textproto/reader.go ReadMIMEHeader, net/http/internal/chunked.go, bufio (Go 1.25). The methods are
generators: they yield where they need more bytes, and never look at a byte twice.
"""

from collections.abc import Generator

from egressprobe.error_texts.http import HEADERS_TOO_LARGE
from egressprobe.golang.http.quote import escaped, quote
from egressprobe.golang.release import GoRelease

MAX_HEADER = 10 << 20  # bytes of all header blocks: http.Transport.maxHeaderResponseSize
# The headers whose values are used. The others are read by the same rules and dropped: a million of them fits into
# MAX_HEADER and would take 100 MB.
KEPT_HEADERS = frozenset(
    ("Content-Encoding", "Content-Length", "Content-Type", "Location", "Trailer", "Transfer-Encoding")
)
_MAX_LENGTH = (1 << 63) - 1  # bytes of a body
_MAX_INFORMATIONAL = 5  # responses, before Go 1.24
BUFFER = 4096  # bytes, bufio.Reader's default: bounds a chunk's size line and the trailer
SHOWN = 300  # bytes of a line of the peer, in a message

_NAME_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_VALUE_BYTES = frozenset([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
_HEX = frozenset(b"0123456789abcdefABCDEF")


class HttpError(ValueError):
    """A response that Go's client refuses. The text is Go's, without what its callers put before it.

    in_body: the status and the headers were fine: the error comes from reading the body.
    """

    def __init__(self, text: str, *, in_body: bool = False) -> None:
        super().__init__(text)
        self.in_body = in_body


class RefusedError(HttpError):
    """The server has not taken the request, which Go's client makes again (http2canRetryError): on a new connection, or
    as the next stream of the same one.
    """

    def __init__(self, text: str, *, new_connection: bool) -> None:
        super().__init__(text)
        self.new_connection = new_connection


class BodyTooLargeError(ValueError):
    """More body than the caller wants."""


class HeadTooLargeError(ValueError):
    """More of a head than is read here. Go reads on, so what it would say is not known."""


class EndError(Exception):
    """The stream ended where more was needed (io.EOF)."""


def line_text(data: bytes) -> str:
    """The beginning of a line, for a message."""
    return data[:SHOWN].decode("utf-8", "surrogateescape")


def body_length(text: str) -> int | None:
    """A Content-Length as a number; None for one that Go does not take (strconv.ParseUint(text, 10, 63))."""
    digits = text.lstrip("0")  # int() takes no more than some thousands of digits
    if not (text.isascii() and text.isdigit()) or len(digits) > 19:
        return None
    length = int(digits or "0")
    return length if length <= _MAX_LENGTH else None


def too_many_informational(count: int, release: GoRelease) -> bool:
    """Whether `count` 1xx responses are refused: more than five, before Go 1.24 (max1xxResponses)."""
    return count > _MAX_INFORMATIONAL and release < GoRelease.V1_24


def headers_exceeded() -> HttpError:
    """More header bytes than the client takes."""
    return HttpError(HEADERS_TOO_LARGE.of(most=MAX_HEADER))


class HttpInput:
    """What has arrived and was not read yet. The generators yield where they need more."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False
        self._left = MAX_HEADER

    def take(self, count: int) -> bytes:
        taken = bytes(self.data[:count])
        del self.data[:count]
        return taken

    def line(self) -> Generator[None, None, bytes]:
        """bufio.Reader.ReadLine: without its line break; at the end of the stream what there is.

        Raises EndError where there is nothing, HttpError where all headers together are too large.
        """
        searched = 0
        while (at := self.data.find(b"\n", searched)) < 0 and len(self.data) <= self._left:
            if self.ended:
                if not self.data:
                    raise EndError
                return self.take(len(self.data))
            searched = len(self.data)
            yield
        if at < 0 or at > self._left:
            raise headers_exceeded()
        self._left -= at + 1
        return self.take(at + 1)[:-1].removesuffix(b"\r")

    def peek(self, count: int) -> Generator[None, None, bytes]:
        """Up to `count` bytes, fewer only at the end of the stream."""
        while len(self.data) < count and not self.ended:
            yield
        return bytes(self.data[:count])

    def header_block(self) -> Generator[None, None, dict[str, list[str]]]:
        """textproto.Reader.ReadMIMEHeader: those of KEPT_HEADERS. Raises HttpError and EndError."""
        headers: dict[str, list[str]] = {}
        first = yield from self.peek(1)
        if first in (b" ", b"\t"):
            line = yield from self.line()
            if len(line) > 80:
                raise HttpError("message too large")
            raise HttpError(f"malformed MIME header initial line: {escaped(line_text(line))}")
        while True:
            line = yield from self.line()
            if not line:
                return headers
            if b":" not in line:
                raise HttpError(f"malformed MIME header: missing colon: {quote(line_text(line))}")
            line = yield from self._continued(line)
            if not line:  # trimmed to nothing
                return headers
            name, value = _field(line)
            if name in KEPT_HEADERS:
                headers.setdefault(name, []).append(value)

    def _continued(self, line: bytes) -> Generator[None, None, bytes]:
        """The line and those that go on with it, joined by one space each."""
        joined = bytearray(line.strip(b" \t"))
        while (yield from self._skip_space()):
            joined += b" "
            try:
                more = yield from self.line()
            except EndError:
                break
            joined += more.strip(b" \t")
        return bytes(joined)

    def _skip_space(self) -> Generator[None, None, bool]:
        """Whether there was white space before the next byte."""
        skipped = 0
        while (yield from self.peek(1)) in (b" ", b"\t"):
            run = len(self.data) - len(self.data.lstrip(b" \t"))
            self.take(run)
            skipped += run
            if skipped > self._left:
                raise HttpError("message too large")
        self._left -= skipped
        return skipped > 0

    def chunk_line(self) -> Generator[None, None, bytes]:
        data, searched = self.data, 0
        while (at := data.find(b"\n", searched)) < 0:
            if len(data) >= BUFFER:
                raise HttpError("header line too long", in_body=True)
            if self.ended:
                raise HttpError("unexpected EOF", in_body=True)
            searched = len(data)
            yield
        if at >= BUFFER:
            raise HttpError("header line too long", in_body=True)
        line = self.take(at + 1)
        carriage = line.find(b"\r")
        if carriage < 0:
            raise HttpError("chunked line ends with bare LF", in_body=True)
        if carriage != len(line) - 2:
            raise HttpError("invalid CR in chunked line", in_body=True)
        return line[:-2]


def _field(line: bytes) -> tuple[str, str]:
    name, _, value = line.partition(b":")
    canonical = canonical_name(name)
    if canonical is None or not _VALUE_BYTES.issuperset(value):
        # canonicalMIMEHeaderKey writes a valid name in place, so the line is shown with it
        shown = line if canonical is None else canonical.encode() + line[len(name) :]
        raise HttpError(f"malformed MIME header line: {escaped(line_text(shown))}")
    return canonical, value.lstrip(b" \t").decode("utf-8", "surrogateescape")


def canonical_name(name: bytes) -> str | None:
    """canonicalMIMEHeaderKey: None for an invalid name; one with a space in it is kept as it is written."""
    if not name or not _NAME_BYTES.issuperset(name.replace(b" ", b"")):
        return None
    text = name.decode("ascii")
    return text if " " in text else "-".join(part.capitalize() for part in text.split("-"))


def chunk_size(digits: bytes) -> int:
    if not digits:
        raise HttpError("empty hex number for chunk length", in_body=True)
    for index, byte in enumerate(digits):
        if byte not in _HEX:
            raise HttpError("invalid byte in chunk length", in_body=True)
        if index == 16:
            raise HttpError("http chunk length too large", in_body=True)
    return int(digits, 16)
