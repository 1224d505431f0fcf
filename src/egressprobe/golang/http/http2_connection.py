"""HTTP/2 frames that belong to the connection: whether Go's client takes them.

Source: net/http/h2_bundle.go (Go 1.25): http2parseSettingsFrame and its sisters, processSettings, processWindowUpdate.
"""

import struct
from collections.abc import Callable

from egressprobe.golang.http.http2_errors import (
    BY_PEER,
    FLOW_CONTROL,
    FRAME_SIZE,
    PADDED,
    PROTOCOL,
    StreamError,
    connection_error,
    frame_too_large,
)
from egressprobe.golang.http.input import HttpError
from egressprobe.golang.release import GoRelease

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
HEADER_SIZE, MAX_FRAME = 9, 16_384  # bytes; SETTINGS_MAX_FRAME_SIZE, RFC 9113 section 6.5.2
HTTP1_HEADER = b"HTTP/1.1 "
MAX_WINDOW = (1 << 31) - 1  # also the largest stream identifier
_FIRST_WINDOW = 65_535
_ACK = 0x1
_ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE, _ENABLE_CONNECT_PROTOCOL = 2, 4, 5, 8


class ConnectionFrames:
    """handlers: by type, (flags, stream, payload); they raise HttpError, or StreamError where one stream ends.

    stream: the identifier of the request's. release: decides which SETTINGS are refused.
    """

    def __init__(self, release: GoRelease) -> None:
        self.stream, self._release = 1, release
        self._acknowledged = False
        self._windows = [_FIRST_WINDOW, _FIRST_WINDOW]  # of the connection, of the stream; nothing is sent
        self._first_window = _FIRST_WINDOW
        self.handlers: dict[int, Callable[[int, int, bytes], None]] = {
            PRIORITY: self._priority,
            RST_STREAM: self._reset,
            SETTINGS: self._settings,
            PUSH_PROMISE: self._push,
            PING: self._ping,
            WINDOW_UPDATE: self._window,
        }

    def next_stream(self) -> None:
        """The request is made again on the same connection."""
        self.stream += 2
        self._windows[1] = self._first_window

    def _settings(self, flags: int, stream: int, payload: bytes) -> None:
        if flags & _ACK and payload:
            raise connection_error(FRAME_SIZE)
        if stream:
            raise connection_error(PROTOCOL)
        if len(payload) % 6:
            raise connection_error(FRAME_SIZE)
        if flags & _ACK:
            if self._acknowledged:
                raise connection_error(PROTOCOL)
            self._acknowledged = True
            return
        for identifier, value in struct.iter_unpack("!HI", payload):
            if identifier == _INITIAL_WINDOW_SIZE:
                if value > MAX_WINDOW:
                    raise connection_error(FLOW_CONTROL)
                self._windows[1] += value - self._first_window
                self._first_window = value
            elif not _valid(identifier, value, self._release):
                raise connection_error(PROTOCOL)

    def _ping(self, flags: int, stream: int, payload: bytes) -> None:
        del flags
        if len(payload) != 8:
            raise connection_error(FRAME_SIZE)
        if stream:
            raise connection_error(PROTOCOL)

    def _priority(self, flags: int, stream: int, payload: bytes) -> None:
        del flags
        if not stream:
            raise connection_error(PROTOCOL)
        if len(payload) != 5:
            raise connection_error(FRAME_SIZE)

    def _push(self, flags: int, stream: int, payload: bytes) -> None:
        """Pushes were declined, so any is an error."""
        if stream and len(payload) < (5 if flags & PADDED else 4):
            raise HttpError("unexpected EOF")
        raise connection_error(PROTOCOL)

    def _window(self, flags: int, stream: int, payload: bytes) -> None:
        del flags
        if len(payload) != 4:
            raise connection_error(FRAME_SIZE)
        increment = int.from_bytes(payload) & MAX_WINDOW
        if not increment:
            raise StreamError(stream, PROTOCOL) if stream else connection_error(PROTOCOL)
        if stream not in (0, self.stream):
            return
        self._windows[bool(stream)] += increment
        if self._windows[bool(stream)] > MAX_WINDOW:
            raise StreamError(stream, FLOW_CONTROL) if stream else connection_error(FLOW_CONTROL)

    def _reset(self, flags: int, stream: int, payload: bytes) -> None:
        del flags
        if len(payload) != 4:
            raise connection_error(FRAME_SIZE)
        if not stream:
            raise connection_error(PROTOCOL)
        raise StreamError(stream, int.from_bytes(payload), BY_PEER)


def _valid(identifier: int, value: int, release: GoRelease) -> bool:
    """Whether a SETTINGS parameter is taken (http2Setting.Valid); pushes and frame sizes are checked since Go 1.26."""
    if identifier == _ENABLE_CONNECT_PROTOCOL or (identifier == _ENABLE_PUSH and release >= GoRelease.V1_26):
        return value <= 1
    if identifier == _MAX_FRAME_SIZE and release >= GoRelease.V1_26:
        return MAX_FRAME <= value < 1 << 24
    return True


def first_frame_whole(data: bytes, release: GoRelease) -> bool:
    """Whether the server's first frame, which must be SETTINGS, has arrived whole. Raises HttpError."""
    if len(data) < HEADER_SIZE:
        return False
    end = HEADER_SIZE + int.from_bytes(data[:3])
    if end > HEADER_SIZE + MAX_FRAME:
        raise frame_too_large(looks_like_http1=data.startswith(HTTP1_HEADER))
    if len(data) < end:
        return False
    if data[3] != SETTINGS:
        raise connection_error(PROTOCOL)
    stream = int.from_bytes(data[5:HEADER_SIZE]) & MAX_WINDOW
    ConnectionFrames(release).handlers[SETTINGS](data[4], stream, data[HEADER_SIZE:end])
    return True
