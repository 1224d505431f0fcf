"""HTTP/1 responses, gzip bodies and URLs of a peer, as Go's net/http and net/url take them.

Every expectation is that of Go 1.25.5, run beside this code, here and for 60,000 mutated responses and URLs.
"""

import gzip
import tracemalloc
import zlib

import pytest

from egressprobe.golang.http.gzip_body import GzipError, gunzip
from egressprobe.golang.http.input import MAX_HEADER, BodyTooLargeError, HeadTooLargeError, HttpError
from egressprobe.golang.http.quote import cut, quote
from egressprobe.golang.http.response import ResponseReader
from egressprobe.golang.http.url import UrlError, parse_go_url, resolve
from egressprobe.golang.release import GoRelease
from tests.support.cpu_time import assert_linear, within_seconds

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
_EXCEEDED = "server response headers exceeded 10485760 bytes; aborted"
LENGTH_5 = OK + b"Content-Length: 5\r\n\r\n"


def read(data, piece=100_000, most=1 << 20):
    reader = ResponseReader(most)
    for at in range(0, len(data), piece):
        if reader.done:
            break
        reader.feed(data[at : at + piece])
    while not reader.done:
        reader.feed(b"")
    return reader


READ = {
    "length": (LENGTH_5 + b"12345", "200 OK", b"12345"),
    "more than the length": (LENGTH_5 + b"1234567", "200 OK", b"12345"),
    "until the end": (OK + b"\r\n12345", "200 OK", b"12345"),
    "chunks": (CHUNKED + b"2\r\n12\r\n3;x=y\r\n345\r\n0\r\n\r\n", "200 OK", b"12345"),
    "chunks, trailer": (CHUNKED + b"5 \r\n12345\r\n0\r\nX: y\r\n\r\n", "200 OK", b"12345"),
    "chunked wins": (OK + b"Content-Length: 2\r\n" + CHUNKED[len(OK) :] + b"1\r\n1\r\n0\r\n\r\n", "200 OK", b"1"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", "200 OK", b"5\r\n"),
    "HTTP/2.0 in text": (b"HTTP/2.0 200 OK\r\n\r\n", "200 OK", b""),
    "line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 1\n\n1", "200 OK", b"1"),
    "no reason": (b"HTTP/1.1 200\r\n\r\n", "200", b""),
    "spaces before the code": (b"HTTP/1.1   404 Not Found\r\n\r\n", "404 Not Found", b""),
    "no content": (b"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n12345", "204 x", b""),
    "100 before": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n" + LENGTH_5 + b"12345",
        "200 OK",
        b"12345",
    ),
    "space before the colon": (OK + b"X : y\r\nContent-Length: 0\r\n\r\n", "200 OK", b""),
    "folded": (OK + b"Content-Length:\r\n 5\r\n\r\n12345", "200 OK", b"12345"),
    "same length twice": (OK + b"Content-Length: 5\r\nContent-Length: 5 \r\n\r\n12345", "200 OK", b"12345"),
    "bytes outside ASCII": (OK + b"X: \xff\r\nContent-Length: 0\r\n\r\n", "200 OK", b""),
}


@pytest.mark.parametrize("piece", [1, 3, 100_000])
@pytest.mark.parametrize("name", READ)
def test_responses_in_any_pieces(name, piece):
    data, status_line, body = READ[name]
    reader = read(data, piece)
    assert (reader.status_line, bytes(reader.body)) == (status_line, body)


REFUSED = {
    "nothing after a line": (b"HTTP/1.1 200 OK\r\n", "unexpected EOF"),
    "cut in the headers": (OK + b"X: y\r\n", "unexpected EOF"),
    "no HTTP": (b"220 smtp.example ready\r\n\r\n", 'malformed HTTP status code "smtp.example"'),
    "no space": (b"SSH-2.0-x\r\n", 'malformed HTTP response "SSH-2.0-x"'),
    "version": (b"HTTP/11 200 OK\r\n\r\n", 'malformed HTTP version "HTTP/11"'),
    "lower case": (b"http/1.1 200 OK\r\n\r\n", 'malformed HTTP version "http/1.1"'),
    "code of four": (b"HTTP/1.1 2000 OK\r\n\r\n", 'malformed HTTP status code "2000"'),
    "code negative": (b"HTTP/1.1 -12 OK\r\n\r\n", 'malformed HTTP status code "-12"'),
    "no colon": (OK + b"x\r\n\r\n", 'malformed MIME header: missing colon: "x"'),
    "initial space": (OK + b" x: y\r\n\r\n", "malformed MIME header initial line:  x: y"),
    "no name": (OK + b": y\r\n\r\n", "malformed MIME header line: : y"),
    "control character": (OK + b"X: a\x00b\r\n\r\n", "malformed MIME header line: X: a\\x00b"),
    "name in lower case": (OK + b"x-y: a\x00b\r\n\r\n", "malformed MIME header line: X-Y: a\\x00b"),
    "name with a bracket": (OK + b"X(: a\r\n\r\n", "malformed MIME header line: X(: a"),
    "length negative": (OK + b"Content-Length: -1\r\n\r\n", 'bad Content-Length "-1"'),
    "length with a sign": (OK + b"Content-Length: +5\r\n\r\n", 'bad Content-Length "+5"'),
    "length empty": (OK + b"Content-Length:\r\n\r\n", 'invalid empty Content-Length ""'),
    "length huge": (OK + b"Content-Length: 9223372036854775808\r\n\r\n", 'bad Content-Length "9223372036854775808"'),
    "lengths": (
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        'http: message cannot contain multiple Content-Length headers; got ["5" "6"]',
    ),
    "encoding": (OK + b"Transfer-Encoding: gzip\r\n\r\n", 'unsupported transfer encoding: "gzip"'),
    "encodings": (
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        'too many transfer encodings: ["chunked" "chunked"]',
    ),
    "trailer name": (OK + b"Trailer: content-length\r\n" + CHUNKED[len(OK) :], 'bad trailer key "Content-Length"'),
}


@pytest.mark.parametrize("name", REFUSED)
def test_heads_that_are_refused(name):
    data, text = REFUSED[name]
    with pytest.raises(HttpError) as raised:
        read(data, 7)
    assert (str(raised.value), raised.value.in_body) == (text, False)


BODIES = {
    "cut": (LENGTH_5 + b"12", "unexpected EOF"),
    "cut in a chunk": (CHUNKED + b"5\r\n12", "unexpected EOF"),
    "cut after a chunk": (CHUNKED + b"2\r\n12\r", "unexpected EOF"),
    "cut before the last chunk": (CHUNKED + b"2\r\n12\r\n", "unexpected EOF"),
    "cut in the trailer": (CHUNKED + b"0\r\n", "http: unexpected EOF reading trailer"),
    "trailer without an end": (CHUNKED + b"0\r\nX: y\r\n", "http: suspiciously long trailer after chunked body"),
    "trailer without a colon": (CHUNKED + b"0\r\nX y\r\n\r\n", 'malformed MIME header: missing colon: "X y"'),
    "no size": (CHUNKED + b"\r\n", "empty hex number for chunk length"),
    "size of letters": (CHUNKED + b"zz\r\n", "invalid byte in chunk length"),
    "size of 17 digits": (CHUNKED + b"0" * 17 + b"\r\n", "http chunk length too large"),
    "longer chunk": (CHUNKED + b"2\r\n123\r\n", "malformed chunked encoding"),
    "bare line feed": (CHUNKED + b"2\n12\r\n", "chunked line ends with bare LF"),
    "carriage return": (CHUNKED + b"2\r2\r\n", "invalid CR in chunked line"),
    "endless size": (CHUNKED + b"0" * 5000, "header line too long"),
    "endless extensions": (
        CHUNKED + (b"1;" + b"x" * 3000 + b"\r\n1\r\n") * 10,
        "chunked encoding contains too much non-data",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_refused(name):
    data, text = BODIES[name]
    with pytest.raises(HttpError) as raised:
        read(data, 7)
    assert (str(raised.value), raised.value.in_body) == (text, True)


@pytest.mark.parametrize(
    ("flood", "error", "text"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", HeadTooLargeError, "more than 1000 informational responses"),
        (b"HTTP/1.1 103 x\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", HttpError, _EXCEEDED),
        (b"X: " + b"y" * 3_000_000 + b"\r\n", HttpError, _EXCEEDED),
        (b"y" * 3_000_000, HttpError, _EXCEEDED),
    ],
    ids=["100", "103", "lines", "one line"],
)
def test_endless_headers_end(flood, error, text):
    """Bounded in bytes, as in Go, and in messages, where Go has no bound: then nothing is said of the response."""
    reader = ResponseReader(10)
    fed = 0

    def feed_on():
        nonlocal fed
        if not flood.startswith(b"HTTP/"):
            reader.feed(OK + b"X: y\r\n ")
        while True:
            reader.feed(flood)
            fed += len(flood)

    with pytest.raises(error, match=text):
        feed_on()
    assert fed <= MAX_HEADER + len(flood)


def test_headers_of_nearly_10_mib_are_read_as_go_reads_them():
    line = b"X-Filler: " + b"y" * 9_989 + b"\r\n"
    count = MAX_HEADER // len(line)
    assert read(OK + line * (count - 1) + b"Content-Length: 2\r\n\r\n{}").body == b"{}"
    with pytest.raises(HttpError, match=_EXCEEDED):
        read(OK + line * (count + 1) + b"\r\n")


@pytest.mark.parametrize(
    "head",
    [b"".join(b"%x:\r\n" % i for i in range(15_000)), b"X: y\r\n" + b" z\r\n" * 25_000],
    ids=["names", "continuation lines"],
)
def test_small_headers_take_little_memory(head):
    """They are judged and dropped. Kept, they would take twenty times their bytes, and a connection brings megabytes."""
    tracemalloc.start()
    try:
        read(OK + head + b"\r\n", piece=16_384)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000


@pytest.mark.parametrize("head", [OK + b"\r\n", CHUNKED + b"fffff\r\n", OK + b"Content-Length: 999999\r\n\r\n"])
def test_a_body_over_its_bound_ends(head):
    with pytest.raises(BodyTooLargeError):
        read(head + b"x" * 2000, most=1000)


def test_a_byte_at_a_time_is_linear():
    """A trickled response is never looked at twice."""
    data = OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n" + b"z" * 100_000

    def trickle(count):
        reader = ResponseReader(1 << 20)
        for at in range(count):
            reader.feed(data[at : at + 1])

    assert_linear(trickle, 10_000, 100_000)


def test_gzip_members():
    assert gunzip(b"", 10) == b""
    assert gunzip(gzip.compress(b"ab", mtime=0) + gzip.compress(b"") + gzip.compress(b"c"), 10) == b"abc"


def _member(flags, extra):
    deflate = zlib.compressobj(wbits=-15)
    data = deflate.compress(b"a") + deflate.flush()
    tail = zlib.crc32(b"a").to_bytes(4, "little") + (1).to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + extra + data + tail


@pytest.mark.parametrize(
    ("flags", "extra"), [(4, b"\x02\x00ab"), (8, b"name\x00"), (16, b"comment\xff\x00"), (1, b""), (28, b"\0\0\0\0")]
)
def test_gzip_headers(flags, extra):
    assert gunzip(_member(flags, extra), 10) == b"a"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"not gzip at all", "gzip: invalid header"),
        (b"short", "unexpected EOF"),
        (gzip.compress(b"ab", mtime=0)[:-1], "unexpected EOF"),
        (gzip.compress(b"ab", mtime=0)[:14], "unexpected EOF"),
        (gzip.compress(b"ab", mtime=0) + b"{more than ten}", "gzip: invalid header"),
        (gzip.compress(b"ab", mtime=0)[:-8] + bytes(8), "gzip: invalid checksum"),
        (_member(2, b"xx"), "gzip: invalid header"),
        (_member(8, b"n" * 600), "gzip: invalid header"),
    ],
)
def test_gzip_that_is_refused(data, text):
    with pytest.raises(GzipError) as raised:
        gunzip(data, 1000)
    assert str(raised.value) == text


def test_gzip_bombs_end():
    with pytest.raises(BodyTooLargeError):
        gunzip(gzip.compress(bytes(64 << 20)), 1 << 20)
    many = gzip.compress(b"") * 40_000
    assert within_seconds(5.0, lambda: gunzip(many, 10)) == b""


BASE = parse_go_url("https://idp.example:8443/r/a?x=1")


@pytest.mark.parametrize(
    ("text", "host", "uri"),
    [
        ("/jwks", "idp.example:8443", "/jwks"),
        ("jwks?y", "idp.example:8443", "/r/jwks?y"),
        ("../k/./l/..", "idp.example:8443", "/k/"),
        ("?y=2", "idp.example:8443", "/r/a?y=2"),
        ("#f", "idp.example:8443", "/r/a?x=1"),
        ("//other", "other", "/"),
        ("HTTP://u:p@H:80/a b#f", "H:80", "/a%20b"),
        ("https://h/%2f?q= x", "h", "/%2f?q= x"),
        ("https://h/../../x", "h", "/x"),
        ("https://[::1]:8/\u00e9", "[::1]:8", "/%C3%A9"),
        ("https://xn--0/", "xn--0", "/"),
        ("https://h/a{b", "h", "/a%7Bb"),
    ],
)
def test_locations(text, host, uri):
    url = resolve(BASE, text)
    assert (url.host, url.request_uri) == (host, uri)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://a b/", 'invalid character " " in host name'),
        ("http://h/\x01", "net/url: invalid control character in URL"),
        ("https://h/%zz", 'invalid URL escape "%zz"'),
        ("https://h/#%zz", 'invalid URL escape "%zz"'),
        ("https://%41/", 'invalid URL escape "%41"'),
        ("https://h:8a/", 'invalid port ":8a" after host'),
        ("https://[::1/", "missing ']' in host"),
        ("https://[1.2.3.4]/", "invalid IP-literal"),
        ("https://u\u00e9@h/", "net/url: invalid userinfo"),
        ("https://%u:p@h/", 'invalid URL escape "%u"'),
        ("https://h%\u00e9x/", 'invalid URL escape "%\u00e9"'),
        ("https://[::1%25a%2fb]/", 'invalid URL escape "%2f"'),
        (":x", "missing protocol scheme"),
        ("a b:c", "first path segment in URL cannot contain colon"),
    ],
)
def test_urls_that_are_refused(text, reason):
    with pytest.raises(UrlError, match="parse ") as raised:
        parse_go_url(text)
    assert str(raised.value).endswith(f": {reason}")


@pytest.mark.parametrize(
    ("text", "before", "since"),
    [
        ("https://a[::1]/", "[::1]", "invalid IP-literal"),
        ("https://h:1:2/", "h:1:2", 'invalid port ":1:2" after host'),
        ("ldap://h:1:2/", "h:1:2", "h:1:2"),
        ("https://[::1%25%25]/", "[::1%%]", "[::1%%]"),
    ],
)
def test_hosts_by_release(text, before, since):
    """Go 1.26 takes one colon in a host, for http and https, and nothing before a bracket."""

    def host(release):
        try:
            return parse_go_url(text, release).host
        except UrlError as error:
            return str(error).partition('/": ')[2]

    assert (host(GoRelease.V1_25), host(GoRelease.V1_26)) == (before, since)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ftp://h/", 'unsupported protocol scheme "ftp"'),
        ("/k", 'unsupported protocol scheme ""'),
        ("mailto:a@b", 'unsupported protocol scheme "mailto"'),
        ("https:///k", "http: no Host in request URL"),
        ("https:k", "http: no Host in request URL"),
    ],
)
def test_urls_that_cannot_be_called(text, reason):
    assert parse_go_url(text).callable_error() == reason


def test_ports_that_cannot_be_dialled():
    assert (parse_go_url("https://h").port, parse_go_url("http://h:").port, parse_go_url("http://h:08").port) == (
        443,
        80,
        8,
    )
    with pytest.raises(UrlError, match="dial tcp: address 99999: invalid port"):
        assert parse_go_url("https://h:99999/").port


@pytest.mark.parametrize(
    "secret", ["u:S3CR3T@h/", "h/?S3CR3T", "h/?x=a@b&S3CR3T", "h/#S3CR3T", "S3CR3T@h:x/", "h/%zz?S3CR3T"]
)
def test_urls_are_shown_without_secrets(secret):
    try:
        shown = parse_go_url("https://" + secret).shown
    except UrlError as error:
        shown = str(error)
    assert "S3CR3T" not in shown


def test_text_of_a_peer():
    assert quote('a"\\\x07\u2028\U000e0001\udcff') == '"a\\"\\\\\\a\\u2028\\U000e0001\\xff"'
    assert cut(b" a\nb\x1b[31m" + b"x" * 100, 12) == "a\\nb\\x1b[31mxxx"
