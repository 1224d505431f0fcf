"""Responses of HTTP/1 and HTTP/2 servers: whole ones with their body, and the same with one rule broken.

`whole_http1`, `whole_http2`: (bytes, body), taken by Go's client with exactly that body. `broken_http1`,
`broken_http2`: bytes that Go's client refuses, whichever the rest is (net/http/response.go, transfer.go, chunked.go,
h2_bundle.go; Go 1.25). `odd_http1`, `odd_http2`: headers, frames and status lines that some readers take, and some not.
"""

import gzip

from hpack import Encoder

BODIES = (b"{}", b'{"issuer":"https://idp.example/r","jwks_uri":"https://x/k"}', b"", b"x" * 300, bytes(5000))
FIRST = (b"HTTP/1.1 200 OK",) * 6 + (b"HTTP/1.0 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 200", b"HTTP/1.1  500 x")
INFORMATIONAL = (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n")
ODD_FIRST = (
    *(b"HTTP/2.0 200 OK", b"HTTP/1.1 2000", b"HTTP/11 200 OK", b"HTTP/1.1 +20 x", b"HTTP/1.1 -00 x", b"220 smtp ready"),
    *(b"http/1.1 200 OK", b"HTTP/0.9 200 OK", b"HTTP/1.1 101 S", b"", b"HTTP/1.1", b"HTTP/1.1 204 No", b"HTTP/1.1 304 x"),
    *(b"HTTP/1.1 302 F", b"HTTP/1.1 20", b"HTTP/1.1 2OO x", b"HTTP/1.1 200 \xff\x00", b"\x15\x03\x01\x00\x02\x02\x46"),
)  # fmt: skip
ODD_FIELDS = (
    *(b"X: y", b"X : y", b"Set-Cookie: a\xffb", b" folded: x", b"X:\tz", b"Content-Length: 2", b"Content-Length: 2, 2"),
    *(b"content-length: 5", b"Transfer-Encoding: identity", b"Transfer-Encoding: Chunked", b"Trailer: Content-Length"),
    *(b"Location: /x", b"Location: https://xn--0/", b"\tmore", b"Empty:", b": novalue", b"no colon", b"B\x01d: x"),
    *(b"Bad: x\x00y", b"Content-Length: +2", b"Content-Length:", b"Content-Length: 99999999999999999999"),
    *(b"Content-Encoding: GZIP", b"Content-Encoding: gzip", b"Content-Encoding: br", b"X: " + b"y" * 5000),
)  # fmt: skip
PIECES = (b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"0", b"f", b";", b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n")
# Each makes a response that is refused, before its own headers.
_REFUSED_FIRST = (
    b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 abc",
    b"HTTP/x.1 200 OK",
    b"http/1.1 200 OK",
    b"SSH-2.0-x",
    b"220 smtp",
)
_REFUSED_FIELDS = (
    *(b"no colon", b": novalue", b"B\x01d: x", b"Bad: x\x00y", b"Content-Length: -1", b"Content-Length: 1\r\nContent-Length: 2"),
    *(b"Transfer-Encoding: gzip", b"Content-Length:", b"Content-Length: 99999999999999999999"),
)  # fmt: skip
_REFUSED_CHUNKS = (b"\r\n", b"x\r\n", b"1\nx\r\n0\r\n\r\n", b"2\r\nabc\r\n", b"11111111111111111\r\n", b"-1\r\n")


def packed(random, body):
    """The body, and the header that says how it is packed."""
    if random.random() < 0.2:
        middle = random.randrange(len(body) + 1)
        return gzip.compress(body[:middle]) + gzip.compress(body[middle:]), [b"Content-Encoding: gzip"]
    return body, []


def chunked(random, body):
    out = b""
    while body:
        size = random.randrange(1, len(body) + 1)
        extension = random.choice((b"", b"", b";x=y", b" "))
        out += b"%x" % size + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    return out + b"0\r\n" + random.choice((b"", b"X: y\r\n")) + b"\r\n"


def _http1(random, body):
    """First lines, status line, header fields, body as sent; framed: its end is marked."""
    sent, fields = packed(random, body)
    first = random.choice(FIRST)
    way = random.choice(("length", "chunks", "end")) if b"/1.0" not in first else "length"
    if way == "length":
        fields.append(b"Content-Length: %d" % len(sent))
    elif way == "chunks":
        fields.append(b"Transfer-Encoding: chunked")
        sent = chunked(random, sent)
    fields.append(b"Content-Type: application/json")
    random.shuffle(fields)
    before = b"".join(random.choice(INFORMATIONAL) for _ in range(random.choice((0, 0, 0, 1, 3))))
    return before, first, fields, sent, way != "end"


def _joined(before, first, fields, sent, end=b"\r\n"):
    return before + first + end + end.join(fields) + end + end + sent


def whole_http1(random):
    """(bytes, body, whether its end is marked)."""
    body = random.choice(BODIES)
    *parts, framed = _http1(random, body)
    return _joined(*parts, random.choice((b"\r\n",) * 4 + (b"\n",))), body, framed


def broken_http1(random):
    before, _, fields, sent, _ = _http1(random, random.choice(BODIES))
    first = FIRST[0]  # HTTP/1.0 has no chunks
    match random.randrange(3):
        case 0:
            first = random.choice(_REFUSED_FIRST)
        case 1:
            fields.insert(random.randrange(1, len(fields) + 1), random.choice(_REFUSED_FIELDS))
        case _:
            fields = [b"Transfer-Encoding: chunked"]
            sent = b"1\r\nx\r\n" * random.randrange(3) + random.choice(_REFUSED_CHUNKS)
    return _joined(before, first, fields, sent)


def odd_http1(random):
    before, first, fields, sent, _ = _http1(random, random.choice(BODIES))
    if random.random() < 0.4:
        first = random.choice(ODD_FIRST)
    for _ in range(random.choice((0, 1, 2))):
        fields.insert(random.randrange(len(fields) + 1), random.choice(ODD_FIELDS))
    if random.random() < 0.1:
        sent += random.choice((b"junk", b"\0", gzip.compress(b"more"), b"\xff" * 3000))
    return _joined(before, first, fields, sent, random.choice((b"\r\n",) * 5 + (b"\n",)))


DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY = 1, 4, 8, 32


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def number(value):
    return value.to_bytes(4)


# Between any two others they change nothing.
HARMLESS = (
    *(frame(PING, 0, 0, bytes(8)), frame(PING, 1, 0, bytes(8)), frame(WINDOW, 0, 0, number(1000)), frame(SETTINGS, 0, 0)),
    *(frame(WINDOW, 0, 1, number(1000)), frame(PRIORITY, 0, 1, bytes(5)), frame(99, 0, 1, b"x"), frame(RESET, 0, 3, number(8))),
    frame(SETTINGS, 0, 0, b"\0\3\0\0\0\x64\x99\x99\0\0\0\1"),
)  # fmt: skip
# Where the response is not complete yet, each of them ends it.
REFUSED_FRAMES = (
    *(frame(DATA, 0, 0, b"x"), frame(DATA, 0, 3, b"x"), frame(PUSH, END_HEADERS, 1, number(2)), frame(PING, 0, 0, b"x")),
    *(frame(SETTINGS, 0, 0, bytes(5)), frame(SETTINGS, 0, 1), frame(SETTINGS, 1, 0, bytes(6)), frame(RESET, 0, 1, number(2))),
    *(frame(WINDOW, 0, 0, number(0)), frame(WINDOW, 0, 1, number(0)), frame(WINDOW, 0, 0, number((1 << 31) - 1))),
    *(frame(CONTINUATION, END_HEADERS, 1), frame(HEADERS, END_HEADERS, 0), frame(PRIORITY, 0, 0, bytes(5)), frame(GOAWAY, 0, 0, b"x")),
    *(frame(DATA, PADDED, 1, b"\x09"), frame(DATA, 0, 1, bytes(16_385)), frame(SETTINGS, 0, 0, b"\0\4\x80\0\0\0"), b"HTTP/1.1 "),
)  # fmt: skip
ODD_FRAMES = (
    *(frame(GOAWAY, 0, 0, number(last) + number(code) + b"dbg") for last in (0, 1, 3) for code in (0, 2, 11)),
    *(frame(RESET, 0, 1, number(code)) for code in (0, 1, 7, 8, 99)),
    *(frame(SETTINGS, 1, 0), frame(DATA, 0, 2, b"zz"), frame(WINDOW, 0, 3, number((1 << 31) - 1)), frame(WINDOW, 0, 3, number(0))),
)  # fmt: skip
_ODD_HEADERS = (
    *(("x", "y"), ("location", "/x"), ("X", "y"), ("connection", "close"), ("transfer-encoding", "chunked")),
    *(("x", "a\x00b"), ("x", "a\nb"), ("", ""), ("x y", "z"), (":path", "/"), (":status", "200"), (":foo", "x")),
    *(("trailer", "x"), ("content-length", "5"), ("content-length", "-1"), ("set-cookie", "\xff"), ("x", "\t ")),
    *(("content-encoding", "gzip"), ("x", "y" * 5000)),
)  # fmt: skip


def _head_frames(random, fields, *, ended):
    """HEADERS, padded, with a priority, or cut into CONTINUATIONs."""
    flags, block = END_HEADERS | (END_STREAM if ended else 0), Encoder().encode(fields, huffman=random.random() < 0.7)
    payload = block
    if random.random() < 0.1:
        flags, payload = flags | HAS_PRIORITY, b"\0\0\0\0\x10" + payload
    if random.random() < 0.1:
        pad = random.randrange(20)
        flags, payload = flags | PADDED, bytes([pad]) + payload + bytes(pad)
    elif random.random() < 0.2:
        at = random.randrange(len(payload) + 1) if not flags & HAS_PRIORITY else len(payload)
        return [
            frame(HEADERS, flags & ~END_HEADERS, 1, payload[:at]) + frame(CONTINUATION, END_HEADERS, 1, payload[at:])
        ]
    return [frame(HEADERS, flags, 1, payload)]


def _data_frames(random, sent, *, trailers):
    frames = []
    while sent:
        size = random.randrange(1, min(len(sent), 16_000) + 1)
        piece, sent = sent[:size], sent[size:]
        flags = END_STREAM if not sent and not trailers else 0
        if random.random() < 0.1:
            pad = random.randrange(9)
            flags, piece = flags | PADDED, bytes([pad]) + piece + bytes(pad)
        frames.append(frame(DATA, flags, 1, piece))
    return frames or ([] if trailers else [frame(DATA, END_STREAM, 1)])


def _http2(random, body, fields=()):
    """The frames of a response: SETTINGS, what may come before, head, body, trailers."""
    sent, marks = packed(random, body)
    head = [(":status", random.choice(("200",) * 6 + ("404", "503"))), ("content-type", "application/json")]
    head += [("content-encoding", "gzip")] if marks else []
    head += [("content-length", str(len(sent)))] if random.random() < 0.4 else []
    head += fields
    frames = [frame(SETTINGS, 0, 0, random.choice((b"", b"\0\4\0\x10\0\0\0\5\0\0\x40\0")))]
    if random.random() < 0.2:
        frames += [frame(HEADERS, END_HEADERS, 1, Encoder().encode([(":status", "103"), ("link", "x")]))]
    ended, trailers = not sent and random.random() < 0.5, random.random() < 0.1
    frames += _head_frames(random, head, ended=ended)
    if not ended:
        frames += _data_frames(random, sent, trailers=trailers)
        if trailers:
            frames += [frame(HEADERS, END_HEADERS | END_STREAM, 1, Encoder().encode([("x", "y")]))]
    return frames


def _with(random, frames, more, *, before=None):
    """`more` anywhere behind the first frame, and before the last one."""
    for item in more:
        frames.insert(random.randrange(1, len(frames) if before is None else before), item)
    return frames


def whole_http2(random):
    """(bytes, body)."""
    body = random.choice(BODIES)
    frames = _http2(random, body)
    return b"".join(_with(random, frames, random.choices(HARMLESS, k=random.choice((0, 0, 1, 3))))), body


def broken_http2(random):
    if random.random() < 0.8:
        return b"".join(_with(random, _http2(random, random.choice(BODIES)), [random.choice(REFUSED_FRAMES)]))
    frames = _http2(random, b"{}")
    return b"".join(frames[1:] if random.random() < 0.3 else frames[:-1])


def odd_http2(random):
    fields = random.choices(_ODD_HEADERS, k=random.choice((0, 1, 2)))
    frames = _http2(random, random.choice(BODIES), fields)
    more = random.choices((*ODD_FRAMES, *HARMLESS, *REFUSED_FRAMES), k=random.choice((0, 1, 2)))
    for item in more:
        frames.insert(random.randrange(len(frames) + 1), item)
    return b"".join(frames)
