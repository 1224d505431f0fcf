"""HTTP/1 and HTTP/2 servers that break a rule, or any number of them, in any pieces.

What Go's client takes is taken with the same body; what breaks one of its rules, or is cut, is a failure with its words;
everything else is one of the two, the same however the bytes arrive. The rules and their sources: http_answers.py. Go
itself was run beside this code over such inputs (docs/develop.md).
"""

import asyncio

from egressprobe.golang.http.http2 import Http2Reader
from egressprobe.golang.http.input import BodyTooLargeError, HttpError
from egressprobe.golang.http.response import ResponseReader
from egressprobe.golang.release import DEFAULT_RELEASE
from egressprobe.model.failure import Code, Phase
from egressprobe.probe.transport.exchange import exchange
from egressprobe.probe.transport.http.request import MAX_BODY
from egressprobe.probe.transport.time_limits import Budget
from tests.probe.test_http_fetch import Channel, run
from tests.support.mutations import mutated_bytes
from tests.support.peers import http_answers as answers

_CODES = {Code.HTTP_BODY_INVALID, Code.HTTP_RESET, Code.HTTP_BODY_TOO_LARGE}
_RESET = ConnectionResetError(104, "Connection reset by peer")


def fetched(random, data, protocol, **options):
    """What fetch makes of it, once in pieces of a random size; the readers alone say the same for two sizes."""
    small = random.choice((1, 2, 7, 100)) if len(data) < 20_000 else 4096
    assert _read(data, protocol, small) == _read(data, protocol, 1 << 16)
    after = _RESET if random.random() < 0.1 else b""
    result = run(Channel(data, protocol=protocol, piece=random.choice((small, 1 << 16)), after=after), **options)
    _invariants(result)
    return result


def _read(data, protocol, piece):
    reader = Http2Reader(MAX_BODY) if protocol == "h2" else ResponseReader(MAX_BODY)
    try:
        for at in range(0, len(data), piece):
            if not reader.done:
                reader.feed(data[at : at + piece])
        if not reader.done:
            reader.end() if protocol == "h2" else reader.feed(b"")
    except (HttpError, BodyTooLargeError) as error:
        return type(error), str(error)
    assert reader.done
    return reader.status_line, reader.headers, bytes(reader.body)


def _invariants(result):
    failure = result.failure
    assert (result.response is None) == (failure is not None)
    if failure is None:
        assert len(result.response.body) <= MAX_BODY
        assert result.response.status_line.isprintable()
        assert "\n" not in result.response.content_type
        return
    assert failure.phase is Phase.HTTP
    assert failure.code in _CODES, failure
    assert failure.api_server_error or failure.code is Code.HTTP_BODY_TOO_LARGE
    texts = failure.message + (failure.api_server_error or "")
    assert "secret" not in texts
    assert texts.isprintable()
    assert len(texts) <= 4000


def _whole(random, made, protocol):
    """Taken with its body; with something after it too; cut anywhere before its end it fails."""
    data, body, framed = (*made, True)[:3]
    if random.random() < 0.5:
        result = run(Channel(data + (b"junk" if framed and random.random() < 0.3 else b""), protocol=protocol))
        assert result.failure is None, (data[:300], result.failure)
        assert result.response.body == body
    elif framed:
        cut = fetched(random, data[: random.randrange(len(data))], protocol)
        assert cut.failure is not None, cut.response


def test_http1_responses(fuzz):
    def check(random):
        match random.randrange(4):
            case 0:
                _whole(random, answers.whole_http1(random), None)
            case 1:
                data = answers.broken_http1(random)
                assert fetched(random, data, None).failure is not None, data[:300]
            case 2:
                fetched(random, answers.odd_http1(random), None, body=random.random() < 0.8)
            case _:
                made = random.choice((answers.odd_http1, lambda chance: answers.whole_http1(chance)[0]))(random)
                data = made if random.random() < 0.95 else random.randbytes(random.randrange(1, 300))
                fetched(random, mutated_bytes(random, data, answers.PIECES), None)

    fuzz(check, inputs=300, most_seconds=1.0)


def test_http2_responses(fuzz):
    def check(random):
        match random.randrange(4):
            case 0:
                _whole(random, answers.whole_http2(random), "h2")
            case 1:
                data = answers.broken_http2(random)
                assert fetched(random, data, "h2").failure is not None, data[:300]
            case 2:
                fetched(random, answers.odd_http2(random), "h2", body=random.random() < 0.8)
            case _:
                made = random.choice((answers.odd_http2, lambda chance: answers.whole_http2(chance)[0]))(random)
                data = made if random.random() < 0.95 else random.randbytes(random.randrange(1, 300))
                fetched(random, mutated_bytes(random, data, answers.ODD_FRAMES), "h2")

    fuzz(check, inputs=40, most_seconds=1.0)


def test_answers_to_head(fuzz):
    """The exchange after the handshake: a status of a status line that is there, or a failure; in any pieces."""

    def exchanged(data, protocol, piece):
        async def call():
            now = asyncio.get_running_loop().time()
            channel = Channel(data, protocol=protocol, piece=piece)
            return await exchange(channel, "h", Budget(now + 100, now + 5), DEFAULT_RELEASE, http=True)

        return asyncio.run(call())

    def check(random):
        protocol = random.choice((None, None, "h2"))
        made = answers.odd_http1 if protocol is None or random.random() < 0.1 else answers.odd_http2
        data = made(random)
        if random.random() < 0.6:
            data = mutated_bytes(random, data, answers.PIECES)
        result = exchanged(data, protocol, 1 << 16)
        again = exchanged(data, protocol, random.choice((1, 3, 50)))
        assert (result.status, result.failure) == (again.status, again.failure)
        if result.failure is None:
            if protocol == "h2":
                assert len(data) >= 9
                return
            # strconv.Atoi takes a sign
            forms = (b" %03d" % result.status, b" +%02d" % result.status, b" -00")
            assert any(form in data for form in forms)
        else:
            assert result.failure.code in _CODES
            assert (result.failure.message + result.failure.api_server_error).isprintable()

    fuzz(check, inputs=500, most_seconds=0.5)
