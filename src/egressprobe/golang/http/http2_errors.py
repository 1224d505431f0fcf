"""HTTP/2's errors as Go words them, and the rules for a header block.

Source: net/http/h2_bundle.go (Go 1.25): http2ErrCode, http2StreamError, http2canRetryError, readMetaFrame and
checkPseudos; status.go.
"""

from http import HTTPStatus

from egressprobe.golang.http.input import HttpError, RefusedError
from egressprobe.golang.http.quote import quote

_CODES = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED"),
    *("FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM"),
    *("INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)
PADDED = 0x8  # the flag of DATA, HEADERS and PUSH_PROMISE
PROTOCOL, FLOW_CONTROL, FRAME_SIZE, COMPRESSION = 1, 3, 6, 9
_REFUSED_STREAM = 7
BY_PEER = "received from peer"
# net/http StatusText where Python's phrase is another
_STATUS_TEXTS = {413: "Request Entity Too Large", 414: "Request URI Too Long", 416: "Requested Range Not Satisfiable"}
_STATUS_TEXTS |= {418: "I'm a teapot", 422: "Unprocessable Entity"}
_REQUEST_PSEUDO = frozenset({b":method", b":path", b":scheme", b":authority", b":protocol"})
_NAME = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_CONTROL = frozenset([*range(0x09), *range(0x0A, 0x20), 0x7F])


def code_name(number: int) -> str:
    return _CODES[number] if number < len(_CODES) else f"unknown error code 0x{number:x}"


def connection_error(number: int) -> HttpError:
    return HttpError(f"connection error: {code_name(number)}")


class StreamError(Exception):
    """An error that ends one stream only. The text comes after `stream error: stream ID N; CODE`."""

    def __init__(self, stream: int, number: int, cause: str = "") -> None:
        super().__init__(f"stream error: stream ID {stream}; {code_name(number)}" + (f"; {cause}" if cause else ""))
        self.stream, self.number, self.by_peer = stream, number, cause == BY_PEER


def refused(error: StreamError) -> RefusedError | None:
    """None where Go does not make the request again. After PROTOCOL_ERROR the connection is not used again."""
    if error.number == _REFUSED_STREAM:
        return RefusedError(str(error), new_connection=False)
    if error.number == PROTOCOL and error.by_peer:
        return RefusedError(str(error), new_connection=True)
    return None


def padding_of(flags: int, payload: bytes) -> tuple[int, bytes]:
    """How much padding there is at the end, and the payload without its length."""
    if not flags & PADDED:
        return 0, payload
    if not payload:
        raise HttpError("unexpected EOF")
    return payload[0], payload[1:]


def check_fields(stream: int, fields: list[tuple[bytes, bytes]]) -> None:
    """ReadMetaFrame and checkPseudos. Raises StreamError."""
    regular = False
    pseudo: set[bytes] = set()
    cause = ""
    for name, value in fields:
        shown = quote(name[:100].decode("utf-8", "surrogateescape"))
        if not _CONTROL.isdisjoint(value):
            cause = f"invalid header field value for {shown}"
        if name.startswith(b":"):
            if regular:
                cause = "pseudo header field after regular"
        else:
            regular = True
            if not name or not _NAME.issuperset(name):
                cause = f"invalid header field name {shown}"
        if cause:
            raise StreamError(stream, PROTOCOL, cause)
    for name, _ in fields:
        if not name.startswith(b":"):
            continue
        shown = quote(name[:100].decode("utf-8", "surrogateescape"))
        if name != b":status" and name not in _REQUEST_PSEUDO:
            raise StreamError(stream, PROTOCOL, f"invalid pseudo-header {shown}")
        if name in pseudo:
            raise StreamError(stream, PROTOCOL, f"duplicate pseudo-header {shown}")
        pseudo.add(name)
    if b":status" in pseudo and len(pseudo) > 1:
        raise StreamError(stream, PROTOCOL, "mix of request and response pseudo headers")


def status_text(status: int) -> str:
    if status in _STATUS_TEXTS:
        return _STATUS_TEXTS[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def frame_too_large(*, looks_like_http1: bool) -> HttpError:
    """A frame beyond SETTINGS_MAX_FRAME_SIZE."""
    text = "http2: frame too large"
    if looks_like_http1:
        hint = "note that the frame header looked like an HTTP/1.1 header"
        text = f"http2: failed reading the frame payload: {text}, {hint}"
    return HttpError(text)
