"""A response of HTTP/2 as Go's client reads it: which frames it takes, when the response is whole, the error text.

Source: net/http/h2_bundle.go (Go 1.25): http2Framer.ReadFrame and readMetaFrame, http2clientConnReadLoop; RFC 9113,
RFC 7541. For one request on a new connection, and the same once more where it was refused (`again`). What has arrived
is judged; sending is done elsewhere.

The bounds are ours, and what lies beyond them is not judged: Go reads header lists of 10 MiB and frames without end
until its call's time is up. A list of 10 MiB may be 300,000 fields in a few kilobytes, and seconds of CPU time.
"""

from collections.abc import Callable

from hpack import Decoder
from hpack.exceptions import HPACKError, OversizedHeaderListError

from egressprobe.error_texts.http import H2_INFORMATIONAL, TOO_MUCH_BODY
from egressprobe.golang.http.http2_connection import (
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    HTTP1_HEADER,
    MAX_FRAME,
    MAX_WINDOW,
    SETTINGS,
    ConnectionFrames,
)
from egressprobe.golang.http.http2_errors import (
    COMPRESSION,
    FRAME_SIZE,
    PROTOCOL,
    StreamError,
    check_fields,
    code_name,
    connection_error,
    frame_too_large,
    padding_of,
    refused,
    status_text,
)
from egressprobe.golang.http.input import (
    KEPT_HEADERS,
    BodyTooLargeError,
    HeadTooLargeError,
    HttpError,
    RefusedError,
    body_length,
    canonical_name,
    too_many_informational,
)
from egressprobe.golang.http.quote import quote
from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease

MAX_HEADER_LIST = 1 << 20  # bytes, of all header blocks with 32 a field (RFC 7541 section 4.1)
_TOO_LARGE = f"sends header lists of more than {MAX_HEADER_LIST} bytes"
MAX_FRAMES = 10_000
_END_STREAM = 0x1
_END_HEADERS, _HAS_PRIORITY = 0x4, 0x20


class Http2Reader:
    """Feed it what arrives. most: bytes of body that are kept; more raise BodyTooLargeError.

    status, status_line, headers, body, head_done, done: as ResponseReader's. After an error or `done` it takes no
    more. frames: how many have been read.
    """

    def __init__(self, most: int, release: GoRelease = DEFAULT_RELEASE) -> None:
        self.status, self.status_line = 0, ""
        self.headers: dict[str, list[str]] = {}
        self.body = bytearray()
        self.head_done = self.done = False
        self.frames = 0
        self._most, self._release, self._informational = most, release, 0
        self._data = bytearray()
        self._decoder = Decoder(MAX_HEADER_LIST)
        self._list_left = MAX_HEADER_LIST
        self._block: bytearray | None = None  # header fragments that await a CONTINUATION
        self._block_stream = self._block_flags = 0
        self._past_trailers = self._past_headers = False
        self._remaining = -1  # of the body's declared length
        self._goaway: tuple[int, int, bytes] | None = None
        self._connection = ConnectionFrames(release)
        self._handlers: dict[int, Callable[[int, int, bytes], None]] = {
            **self._connection.handlers,
            DATA: self._on_data,
            HEADERS: self._on_headers,
            GOAWAY: self._on_goaway,
            CONTINUATION: self._on_continuation,
        }

    def header(self, name: str) -> str:
        """The first value by its canonical name, "" without one (http.Header.Get)."""
        return self.headers.get(name, [""])[0]

    @property
    def _stream(self) -> int:
        return self._connection.stream

    def again(self) -> None:
        """After a RefusedError of the stream: the request is made again as the next stream. Raises as feed."""
        self._connection.next_stream()
        self.feed(b"")

    def feed(self, data: bytes) -> None:
        """`data`: what arrived. Raises HttpError, RefusedError, BodyTooLargeError, HeadTooLargeError."""
        self._data += data
        at = 0
        try:
            while not self.done and len(self._data) - at >= 9:
                length = int.from_bytes(self._data[at : at + 3])
                looks_like_http1 = self._data[at : at + 9] == HTTP1_HEADER
                if length > MAX_FRAME:
                    raise frame_too_large(looks_like_http1=looks_like_http1)
                if len(self._data) - at < 9 + length:
                    break
                at += 9 + length
                self._frame(bytes(self._data[at - 9 - length : at]))
        except StreamError as error:
            raise (None if self.head_done else refused(error)) or self._error(str(error)) from None
        except RefusedError:
            raise
        except HttpError as error:
            raise self._error(str(error)) from None
        finally:
            del self._data[:at]

    def end(self) -> None:
        """The end of the stream. Raises HttpError unless the response is whole."""
        if self.done:
            return
        if self._goaway is not None:
            last, number, debug = self._goaway
            shown = quote(debug[:200].decode("utf-8", "surrogateescape"))
            raise self._error(
                "http2: server sent GOAWAY and closed the connection; "
                f"LastStreamID={last}, ErrCode={code_name(number)}, debug={shown}"
            )
        raise self._error("unexpected EOF")

    def _error(self, text: str) -> HttpError:
        return HttpError(text, in_body=self.head_done)

    def _frame(self, frame: bytes) -> None:
        kind, flags, stream = frame[3], frame[4], int.from_bytes(frame[5:9]) & MAX_WINDOW
        self.frames += 1
        if self._block is not None and (kind != CONTINUATION or stream != self._block_stream):
            # The payload is parsed first; each of its errors is a connection error as well.
            raise connection_error(PROTOCOL)
        if self.frames == 1 and kind != SETTINGS:
            raise connection_error(PROTOCOL)
        self._handle(kind, flags, stream, frame[9:])

    def _handle(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        handler = self._handlers.get(kind)
        if handler is None:  # RFC 9113 section 4.1: unknown types are ignored
            return
        try:
            handler(flags, stream, payload)
        except StreamError as error:
            if error.stream == self._stream:
                raise

    # Frames of the connection

    def _on_goaway(self, flags: int, stream: int, payload: bytes) -> None:
        del flags
        if stream:
            raise connection_error(PROTOCOL)
        if len(payload) < 8:
            raise connection_error(FRAME_SIZE)
        last, number = (int.from_bytes(payload[at : at + 4]) for at in (0, 4))
        last &= MAX_WINDOW
        debug = payload[8:]
        if self._goaway is not None:
            debug = self._goaway[2] or debug
            number = self._goaway[1] or number
        self._goaway = (last, number, debug)
        if last < self._stream and not self.head_done:  # afterwards the response can still end before it is aborted
            if number and self._stream == 1:
                raise HttpError(f"http2: Transport received GOAWAY from server ErrCode:{code_name(number)}")
            raise RefusedError("http2: Transport received Server's graceful shutdown GOAWAY", new_connection=True)

    # Headers

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream:
            raise connection_error(PROTOCOL)
        padding, payload = padding_of(flags, payload)
        if flags & _HAS_PRIORITY:
            if len(payload) < 5:
                raise HttpError("unexpected EOF")
            payload = payload[5:]
        if len(payload) < padding:
            raise StreamError(stream, PROTOCOL)
        self._block = bytearray(payload[: len(payload) - padding])
        self._block_stream, self._block_flags = stream, flags
        if flags & _END_HEADERS:
            self._on_block()

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream or self._block is None:
            raise connection_error(PROTOCOL)
        self._block += payload
        if len(self._block) > 2 * MAX_HEADER_LIST:
            raise HeadTooLargeError(_TOO_LARGE)
        if flags & _END_HEADERS:
            self._on_block()

    def _on_block(self) -> None:
        """A header block that is whole: decoded in any case, since it changes the decoder."""
        stream, ended = self._block_stream, bool(self._block_flags & _END_STREAM)
        block, self._block = bytes(self._block or b""), None
        fields = self._fields(block)
        check_fields(stream, fields)
        if stream != self._stream:
            return
        if self._past_headers:
            if self._past_trailers or not ended or any(name.startswith(b":") for name, _ in fields):
                raise connection_error(PROTOCOL)
            self._past_trailers = True
            self._end_stream()
            return
        self._response(fields, ended=ended)

    def _fields(self, block: bytes) -> list[tuple[bytes, bytes]]:
        try:
            decoded = self._decoder.decode(block, raw=True)
        except OversizedHeaderListError:
            raise HeadTooLargeError(_TOO_LARGE) from None
        except (HPACKError, ValueError, IndexError) as error:
            raise connection_error(COMPRESSION) from error
        fields = [(bytes(name), bytes(value)) for name, value, *_ in decoded]
        self._list_left -= sum(len(name) + len(value) + 32 for name, value in fields)
        if self._list_left < 0:
            raise HeadTooLargeError(_TOO_LARGE)
        return fields

    def _response(self, fields: list[tuple[bytes, bytes]], *, ended: bool) -> None:
        status = next((value for name, value in fields if name == b":status"), b"").decode("utf-8", "surrogateescape")
        if not status:
            raise StreamError(self._stream, PROTOCOL, "malformed response from server: missing status pseudo header")
        try:
            if not status.isascii() or not status.lstrip("+-").isdigit() or len(status) > 18:
                raise ValueError(status)
            self.status = int(status)
        except ValueError:
            cause = "malformed response from server: malformed non-numeric status pseudo header"
            raise StreamError(self._stream, PROTOCOL, cause) from None
        if 100 <= self.status <= 199:
            if ended:
                raise StreamError(self._stream, PROTOCOL, "1xx informational response with END_STREAM flag")
            self._informational += 1
            if too_many_informational(self._informational, self._release):
                raise StreamError(self._stream, PROTOCOL, H2_INFORMATIONAL.text)
            return
        self.status_line = f"{status} {status_text(self.status)}"
        self.headers = {}
        for name, value in fields:
            if (canonical := canonical_name(name) or "") in KEPT_HEADERS:
                self.headers.setdefault(canonical, []).append(value.decode("utf-8", "surrogateescape"))
        lengths = self.headers.get("Content-Length", [])
        if len(lengths) == 1:
            self._remaining = -1 if (length := body_length(lengths[0])) is None else length
        self.head_done = self._past_headers = True
        if ended:
            self._end_stream()

    # The body

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream:
            raise connection_error(PROTOCOL)
        padding, payload = padding_of(flags, payload)
        if padding > len(payload):
            raise connection_error(PROTOCOL)
        if stream != self._stream:
            if stream >= self._stream + 2:  # never asked for
                raise connection_error(PROTOCOL)
            return
        if not self._past_headers:
            raise StreamError(self._stream, PROTOCOL)
        data = payload[: len(payload) - padding]
        if self._remaining >= 0:
            if len(data) > self._remaining:
                raise HttpError(TOO_MUCH_BODY.text)
            self._remaining -= len(data)
        self.body += data
        if len(self.body) > self._most:
            raise BodyTooLargeError
        if flags & _END_STREAM:
            self._end_stream()

    def _end_stream(self) -> None:
        if self._remaining > 0:
            raise HttpError("unexpected EOF")
        self.done = True
