"""A response of HTTP/1 as Go's client reads it: what is accepted, how long the body is, the error text.

Source: net/http/response.go ReadResponse, transport.go readLoop and readResponse, transfer.go readTransfer,
internal/chunked.go, net/textproto/reader.go (Go 1.25), for the answer to a GET on a new connection.

ResponseReader takes bytes as they come, in any pieces, in linear time; it does no input itself. Go bounds all header
blocks of one exchange together, those of 1xx responses included, and its chunked reader the bytes that are no data; so
do we, and count responses as well.
"""

from collections.abc import Generator

from egressprobe.error_texts.http import INFORMATIONAL
from egressprobe.golang.http.input import (
    BUFFER,
    SHOWN,
    BodyTooLargeError,
    EndError,
    HeadTooLargeError,
    HttpError,
    HttpInput,
    body_length,
    canonical_name,
    chunk_size,
    line_text,
    too_many_informational,
)
from egressprobe.golang.http.quote import escaped, quote
from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease

# Responses before the final one. Go bounds their bytes, before 1.24 their number; after a thousand
# what it would get is not known.
MAX_INFORMATIONAL = 1000
_MAX_EXCESS = 16 * 1024  # chunked.go: bytes that are no data


class ResponseReader:
    """Feed it what arrives. most: bytes of body that are kept; more raise BodyTooLargeError.
    has_body: False for the answer to a HEAD. connect: to a CONNECT, where the first response is final and no body is
    read (dialConn).

    status: the number; status_line: Go's Response.Status, for example "404 Not Found". headers: by canonical name, in
    order, those of KEPT_HEADERS; bytes that are not UTF-8 are surrogates. body: as sent, chunking removed, gzip not.
    head_done: the final status and headers have been read; done: the body as well.
    """

    def __init__(
        self, most: int, release: GoRelease = DEFAULT_RELEASE, *, has_body: bool = True, connect: bool = False
    ) -> None:
        self.protocol, self.status, self.status_line = "", 0, ""
        self.headers: dict[str, list[str]] = {}
        self.body = bytearray()
        self.head_done = self.done = False
        self._release = release
        self._most, self._connect, self._has_body = most, connect, has_body and not connect
        self._input = HttpInput()
        self._steps = self._read()
        next(self._steps)

    def feed(self, data: bytes) -> None:
        """`data`: what arrived, empty at the end of the stream.

        Raises HttpError, BodyTooLargeError, HeadTooLargeError.
        """
        if self.done:
            return
        self._input.data += data
        self._input.ended = self._input.ended or not data
        try:
            next(self._steps)
        except StopIteration:
            self.done = True

    def header(self, name: str) -> str:
        """The first value by its canonical name, "" without one (http.Header.Get)."""
        return self.headers.get(name, [""])[0]

    def _read(self) -> Generator[None]:
        yield
        for count in range(MAX_INFORMATIONAL):
            try:
                yield from self._head()
            except EndError:
                raise HttpError("unexpected EOF") from None
            chunked = self._chunked()
            length = self._length(chunked=chunked)
            self._check_trailer_names(chunked=chunked)
            if self._connect or not 100 <= self.status <= 199 or self.status == 101:
                break
            if too_many_informational(count + 1, self._release):
                raise HttpError(INFORMATIONAL.text)
        else:
            raise HeadTooLargeError(f"sends more than {MAX_INFORMATIONAL} informational responses")
        self.head_done = True
        if not self._has_body:
            return
        if chunked:
            if self.status not in (101, 204, 304):
                yield from self._chunks()
        elif length >= 0:
            yield from self._sized(length)
        else:
            yield from self._until_end()

    # The head

    def _head(self) -> Generator[None]:
        line = yield from self._input.line()
        protocol, space, status = line.partition(b" ")
        if not space:
            raise HttpError(f"malformed HTTP response {quote(line_text(line))}")
        status = status.lstrip(b" ")
        code = status.partition(b" ")[0]
        # strconv.Atoi takes a sign
        if len(code) != 3 or not (code.isdigit() or (code[:1] == b"+" and code[1:].isdigit())) or not code.isascii():
            if code != b"-00":
                raise HttpError(f"malformed HTTP status code {quote(line_text(code))}")
            code = b"000"
        if (
            len(protocol) != 8
            or not protocol.startswith(b"HTTP/")
            or protocol[6:7] != b"."
            or not (protocol[5:6] + protocol[7:8]).isdigit()
        ):
            raise HttpError(f"malformed HTTP version {quote(line_text(protocol))}")
        self.protocol = protocol.decode("ascii")
        self.status, self.status_line = int(code), escaped(line_text(status))
        self.headers = yield from self._input.header_block()

    # The body's length

    def _chunked(self) -> bool:
        values = self.headers.pop("Transfer-Encoding", None)
        if values is None or self.protocol < "HTTP/1.1":
            return False
        if len(values) != 1:
            shown = "[" + " ".join(quote(value[:SHOWN]) for value in values[:4]) + "]"
            raise HttpError(f"too many transfer encodings: {shown}")
        if not values[0].isascii() or values[0].lower() != "chunked":
            raise HttpError(f"unsupported transfer encoding: {quote(values[0][:SHOWN])}")
        return True

    def _length(self, *, chunked: bool) -> int:
        """fixLength: -1 until the end of the stream (or chunked)."""
        values = self.headers.get("Content-Length", [])
        length = -1
        if values:
            first = values[0].strip(" \t\n\r")
            if any(value.strip(" \t\n\r") != first for value in values):
                shown = "[" + " ".join(quote(value[:SHOWN]) for value in values[:4]) + "]"
                raise HttpError(f"http: message cannot contain multiple Content-Length headers; got {shown}")
            if not first:
                raise HttpError('invalid empty Content-Length ""')
            if (read := body_length(first)) is None:
                raise HttpError(f"bad Content-Length {quote(first[:SHOWN])}")
            length = read
        if self.status in (204, 304) or 100 <= self.status <= 199:
            return 0
        return -1 if chunked else length

    def _check_trailer_names(self, *, chunked: bool) -> None:
        if not chunked:
            return
        for value in self.headers.pop("Trailer", []):
            for element in value.split(","):
                name = canonical_name(element.strip(" \t\n\r").encode("utf-8", "surrogateescape"))
                if name in ("Transfer-Encoding", "Trailer", "Content-Length"):
                    raise HttpError(f"bad trailer key {quote(name)}")

    # The body

    def _keep(self, data: bytes) -> None:
        self.body += data
        if len(self.body) > self._most:
            raise BodyTooLargeError

    def _sized(self, length: int) -> Generator[None]:
        while length:
            if not self._input.data:
                if self._input.ended:
                    raise HttpError("unexpected EOF", in_body=True)
                yield
                continue
            data = self._input.take(length)
            length -= len(data)
            self._keep(data)

    def _until_end(self) -> Generator[None]:
        while True:
            if self._input.data:
                self._keep(self._input.take(len(self._input.data)))
            if self._input.ended:
                return
            yield

    def _chunks(self) -> Generator[None]:
        excess = 0
        while True:
            line = yield from self._input.chunk_line()
            size = chunk_size(line.rstrip(b" \t").partition(b";")[0])
            excess = max(excess + len(line) + 2 - 16 - 2 * size, 0)
            if excess > _MAX_EXCESS:
                raise HttpError("chunked encoding contains too much non-data", in_body=True)
            if size == 0:
                break
            yield from self._sized(size)
            end = yield from self._input.peek(2)
            if len(end) < 2:
                raise HttpError("unexpected EOF", in_body=True)
            if end != b"\r\n":
                raise HttpError("malformed chunked encoding", in_body=True)
            self._input.take(2)
        yield from self._trailer()

    def _trailer(self) -> Generator[None]:
        end = yield from self._input.peek(2)
        if end == b"\r\n":
            return
        if len(end) < 2:
            raise HttpError("http: unexpected EOF reading trailer", in_body=True)
        data = self._input.data
        while b"\r\n\r\n" not in data[:BUFFER]:
            if len(data) >= BUFFER or self._input.ended:
                raise HttpError("http: suspiciously long trailer after chunked body", in_body=True)
            yield
        try:
            yield from self._input.header_block()
        except EndError:
            raise HttpError("http: unexpected EOF reading trailer", in_body=True) from None
        except HttpError as error:
            raise HttpError(str(error), in_body=True) from None
