"""HTTP/2 responses as Go's client takes them.

Every expectation is that of Go 1.25.5, run beside this code, here and for 20,000 mutated responses.
"""

import struct

import pytest
from hpack import Encoder

from egressprobe.golang.http.http2 import MAX_HEADER_LIST, Http2Reader
from egressprobe.golang.http.input import BodyTooLargeError, HeadTooLargeError, HttpError
from egressprobe.golang.release import GoRelease
from tests.support.cpu_time import assert_linear

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def headers(*fields, flags=END_HEADERS, stream=1):
    return frame(HEADERS, flags, stream, Encoder().encode(fields))


def data(body, flags=END_STREAM, stream=1):
    return frame(DATA, flags, stream, body)


def number(value):
    return struct.pack("!I", value)


HELLO = frame(SETTINGS, 0, 0)
OK = headers((":status", "200"), ("content-type", "a/b"))
GOOD = HELLO + OK + data(b"12345")


def read(received, piece=100_000, most=1 << 20):
    reader = Http2Reader(most)
    for at in range(0, len(received), piece):
        if reader.done:
            break
        reader.feed(received[at : at + piece])
    reader.end()
    return reader


READ = {
    "plain": (GOOD, "200 OK", b"12345"),
    "frames between": (
        HELLO
        + frame(PING, 0, 0, bytes(8))
        + frame(99, 0, 1, b"x")
        + frame(SETTINGS, ACK, 0)
        + OK
        + frame(WINDOW, 0, 1, number(5))
        + data(b"12", 0)
        + frame(PRIORITY, 0, 1, bytes(5))
        + data(b"345"),
        "200 OK",
        b"12345",
    ),
    "no body": (HELLO + headers((":status", "204"), flags=END_HEADERS | END_STREAM), "204 No Content", b""),
    "informational": (HELLO + headers((":status", "103")) + OK + data(b"1"), "200 OK", b"1"),
    "trailers": (HELLO + OK + data(b"1", 0) + headers(("x", "y"), flags=END_HEADERS | END_STREAM), "200 OK", b"1"),
    "padding": (HELLO + OK + data(b"\x021\0\0", END_STREAM | PADDED), "200 OK", b"1"),
    "priority": (
        HELLO
        + frame(HEADERS, END_HEADERS | HAS_PRIORITY, 1, bytes(5) + Encoder().encode([(":status", "200")]))
        + data(b"1"),
        "200 OK",
        b"1",
    ),
    "other streams": (
        HELLO + headers((":status", "500"), stream=3) + data(b"x", stream=2) + OK + data(b"1"),
        "200 OK",
        b"1",
    ),
    "goaway after": (HELLO + OK + frame(GOAWAY, 0, 0, number(1) + number(0)) + data(b"1"), "200 OK", b"1"),
    "what follows": (GOOD + b"\xff" * 50, "200 OK", b"12345"),
    "phrase": (HELLO + headers((":status", "422"), flags=END_HEADERS | END_STREAM), "422 Unprocessable Entity", b""),
    "unknown status": (HELLO + headers((":status", "299"), flags=END_HEADERS | END_STREAM), "299 ", b""),
}


@pytest.mark.parametrize("piece", [1, 3, 100_000])
@pytest.mark.parametrize("name", READ)
def test_responses_in_any_pieces(name, piece):
    received, status_line, body = READ[name]
    reader = read(received, piece)
    assert (reader.status_line, bytes(reader.body)) == (status_line, body)


PROTOCOL = "connection error: PROTOCOL_ERROR"
STREAM = "stream error: stream ID 1; "
REFUSED = {
    "nothing": (b"", "unexpected EOF"),
    "cut": (GOOD[:15], "unexpected EOF"),
    "HTTP/1": (
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "http2: failed reading the frame payload: http2: frame too large, "
        "note that the frame header looked like an HTTP/1.1 header",
    ),
    "large frame": (HELLO + frame(DATA, 0, 1, bytes(16_385)), "http2: frame too large"),
    "no settings": (OK + data(b"1"), PROTOCOL),
    "settings of a stream": (frame(SETTINGS, 0, 1), PROTOCOL),
    "settings of 5 bytes": (frame(SETTINGS, 0, 0, bytes(5)), "connection error: FRAME_SIZE_ERROR"),
    "window size": (frame(SETTINGS, 0, 0, b"\0\4" + number(1 << 31)), "connection error: FLOW_CONTROL_ERROR"),
    "acknowledged twice": (HELLO + frame(SETTINGS, ACK, 0) * 2 + OK, PROTOCOL),
    "push": (HELLO + frame(PUSH, END_HEADERS, 1, number(2)), PROTOCOL),
    "ping of 7 bytes": (HELLO + frame(PING, 0, 0, bytes(7)), "connection error: FRAME_SIZE_ERROR"),
    "window of 0": (HELLO + frame(WINDOW, 0, 0, number(0)), PROTOCOL),
    "window of 0 of the stream": (HELLO + frame(WINDOW, 0, 1, number(0)), f"{STREAM}PROTOCOL_ERROR"),
    "window overflow": (HELLO + frame(WINDOW, 0, 0, number((1 << 31) - 1)), "connection error: FLOW_CONTROL_ERROR"),
    "reset": (HELLO + frame(RESET, 0, 1, number(11)), f"{STREAM}ENHANCE_YOUR_CALM; received from peer"),
    "reset, unknown": (HELLO + frame(RESET, 0, 1, number(99)), f"{STREAM}unknown error code 0x63; received from peer"),
    "goaway": (
        HELLO + frame(GOAWAY, 0, 0, number(0) + number(2)),
        "http2: Transport received GOAWAY from server ErrCode:INTERNAL_ERROR",
    ),
    "goaway and end": (
        HELLO + frame(GOAWAY, 0, 0, number(1) + number(11) + b'too_many "pings"'),
        "http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=ENHANCE_YOUR_CALM, "
        'debug="too_many \\"pings\\""',
    ),
    "data before headers": (HELLO + data(b"1"), f"{STREAM}PROTOCOL_ERROR"),
    "data of stream 0": (HELLO + data(b"1", stream=0), PROTOCOL),
    "data never asked for": (HELLO + data(b"1", stream=5), PROTOCOL),
    "headers of stream 0": (HELLO + headers((":status", "200"), stream=0), PROTOCOL),
    "continuation alone": (HELLO + frame(CONTINUATION, END_HEADERS, 1), PROTOCOL),
    "continuation missing": (HELLO + frame(HEADERS, 0, 1) + data(b"1"), PROTOCOL),
    "hpack": (HELLO + frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff"), "connection error: COMPRESSION_ERROR"),
    "no status": (
        HELLO + headers(("x", "y")),
        f"{STREAM}PROTOCOL_ERROR; malformed response from server: missing status pseudo header",
    ),
    "status of letters": (
        HELLO + headers((":status", "abc")),
        f"{STREAM}PROTOCOL_ERROR; malformed response from server: malformed non-numeric status pseudo header",
    ),
    "status twice": (
        HELLO + headers((":status", "200"), (":status", "200")),
        f'{STREAM}PROTOCOL_ERROR; duplicate pseudo-header ":status"',
    ),
    "status after": (
        HELLO + headers(("x", "y"), (":status", "200")),
        f"{STREAM}PROTOCOL_ERROR; pseudo header field after regular",
    ),
    "unknown pseudo": (
        HELLO + headers((":status", "200"), (":x", "y")),
        f'{STREAM}PROTOCOL_ERROR; invalid pseudo-header ":x"',
    ),
    "request pseudo": (
        HELLO + headers((":status", "200"), (":path", "/")),
        f"{STREAM}PROTOCOL_ERROR; mix of request and response pseudo headers",
    ),
    "upper case": (
        HELLO + headers((":status", "200"), ("X", "y")),
        f'{STREAM}PROTOCOL_ERROR; invalid header field name "X"',
    ),
    "control character": (
        HELLO + headers((":status", "200"), ("x", "a\nb")),
        f'{STREAM}PROTOCOL_ERROR; invalid header field value for "x"',
    ),
    "informational end": (
        HELLO + headers((":status", "100"), flags=END_HEADERS | END_STREAM),
        f"{STREAM}PROTOCOL_ERROR; 1xx informational response with END_STREAM flag",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_responses_that_are_refused(name):
    received, text = REFUSED[name]
    with pytest.raises(HttpError) as raised:
        read(received, 7)
    assert (str(raised.value), raised.value.in_body) == (text, False)


BODIES = {
    "cut": (HELLO + OK + data(b"1", 0), "unexpected EOF"),
    "reset": (HELLO + OK + frame(RESET, 0, 1, number(8)), f"{STREAM}CANCEL; received from peer"),
    "trailers that do not end": (HELLO + OK + headers(("x", "y")), PROTOCOL),
    "status in trailers": (HELLO + OK + headers((":status", "200"), flags=END_HEADERS | END_STREAM), PROTOCOL),
    "longer than declared": (
        HELLO + headers((":status", "200"), ("content-length", "1")) + data(b"12"),
        "net/http: server replied with more than declared Content-Length; truncated",
    ),
    "shorter than declared": (
        HELLO + headers((":status", "200"), ("content-length", "3")) + data(b"12"),
        "unexpected EOF",
    ),
    "shorter than the largest length": (
        HELLO + headers((":status", "200"), ("content-length", "9223372036854775807")) + data(b"12"),
        "unexpected EOF",
    ),
    "shorter than a length with zeros": (
        HELLO + headers((":status", "200"), ("content-length", f"{3:030}")) + data(b"12"),
        "unexpected EOF",
    ),
    "padding too long": (HELLO + OK + data(b"\x09", PADDED), PROTOCOL),
}


@pytest.mark.parametrize(("release", "refused"), [(GoRelease.V1_23, True), (GoRelease.V1_24, False)])
def test_informational_responses_are_counted_before_go_1_24(release, refused):
    def feed(count):
        Http2Reader(10, release).feed(HELLO + headers((":status", "103")) * count + OK + data(b"1"))

    feed(5)
    if refused:
        with pytest.raises(HttpError, match="http2: too many 1xx informational responses"):
            feed(6)
    else:
        feed(60)


@pytest.mark.parametrize("length", ["9223372036854775808", "+1", "1_0", "٣"])
def test_what_is_no_length_in_http2_is_ignored(length):
    sent = HELLO + headers((":status", "200"), ("content-length", length)) + data(b"12")
    assert read(sent).body == b"12"


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_refused(name):
    received, text = BODIES[name]
    with pytest.raises(HttpError) as raised:
        read(received, 7)
    assert (str(raised.value), raised.value.in_body) == (text, True)


def test_a_body_over_its_bound_ends():
    with pytest.raises(BodyTooLargeError):
        read(HELLO + OK + data(bytes(5000)), most=1000)


def test_a_header_list_is_bounded():
    """A kilobyte that names a large table entry a thousand times; and a block that never ends. Go's own bound is ten
    times as large, so nothing is said of the response.
    """
    entry = Encoder().encode([(":status", "200"), ("x", "y" * 3900)])
    bomb = HELLO + frame(HEADERS, END_HEADERS, 1, entry + b"\xbe" * 12_000)
    with pytest.raises(HeadTooLargeError, match="header lists of more than 1048576 bytes"):
        read(bomb)
    endless = (
        HELLO + frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1, bytes(16_384)) * (2 * MAX_HEADER_LIST // 16_384 + 2)
    )
    with pytest.raises(HeadTooLargeError):
        read(endless)
    informational = HELLO + headers((":status", "103"), ("x", "y" * 3000)) * 400
    with pytest.raises(HeadTooLargeError):
        read(informational)


def test_a_byte_at_a_time_is_linear():
    received = HELLO + OK + b"".join(data(bytes(1000), 0) for _ in range(120))

    def trickle(count):
        reader = Http2Reader(1 << 20)
        for at in range(count):
            reader.feed(received[at : at + 1])

    assert_linear(trickle, 10_000, 100_000)
