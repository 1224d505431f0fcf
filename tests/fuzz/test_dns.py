"""DNS responses: built, then damaged; names that point into each other; any bytes at all."""

import struct

from egressprobe.golang.dns_message import MAX_ADDRESSES, make_request, mismatch, read
from egressprobe.model.failure import Code

_TYPES = (1, 28, 5, 41, 16, 6, 65535)


def _name(random, size):
    """Labels and pointers; most are well formed."""
    out = b""
    for _ in range(random.randrange(6)):
        if random.random() < 0.3:
            return out + struct.pack("!H", 0xC000 | random.randrange(max(size, 1)) & 0x3FFF)
        label = random.randbytes(random.randrange(1, 64))
        out += bytes([len(label) if random.random() < 0.95 else random.randrange(256)]) + label
    return out + b"\0"


def _message(random, request):
    counts = [random.choice((0, 1, 2, 5, 65535)) for _ in range(3)]
    flags = 0x8000 | random.getrandbits(15) if random.random() < 0.5 else 0x8180
    wire = struct.pack("!6H", request.identity, flags, 1, *counts) + request.name + struct.pack("!HH", 1, 1)
    for _ in range(random.randrange(12)):
        kind = random.choice(_TYPES)
        data = {1: random.randbytes(4), 28: random.randbytes(16), 5: _name(random, len(wire))}.get(
            kind, random.randbytes(random.randrange(40))
        )
        size = len(data) if random.random() < 0.9 else random.randrange(65536)
        wire += _name(random, len(wire)) + struct.pack("!HHIH", kind, 1, random.getrandbits(32), size) + data
    wire = bytearray(wire)
    for _ in range(random.choice((0, 0, 1, 3, 20))):
        wire[random.randrange(len(wire))] = random.randrange(256)
    return bytes(wire[: random.randrange(len(wire) + 1)] if random.random() < 0.2 else wire)


def test_dns_answers(fuzz):
    """An answer or a reason, never an exception; addresses only with no failure, bounded in number."""

    def check(random):
        request = make_request("a-name.lab.example.", "A")
        wire = _message(random, request)
        if mismatch(wire, request) is not None:
            return
        for udp in (True, False):
            reading = read(wire, "A", over_udp=udp)
            assert (reading.code is None) == bool(reading.addresses) or reading.truncated
            assert len(reading.addresses) <= MAX_ADDRESSES
            assert len(reading.cnames) <= 16
            assert reading.code is not Code.INTERNAL_ERROR

    fuzz(check, inputs=3000, most_seconds=0.2)


def test_dns_names_that_point_into_each_other(fuzz):
    """64 KB of records whose owners point anywhere: time bounded by the bytes."""

    def check(random):
        head = struct.pack("!6H", 7, 0x8180, 1, 65535, 0, 0) + b"\1a\3lab\0\0\1\0\1"
        parts, size = [head], len(head)
        while size < 65_000:
            own = random.choice((b"", b"\1x", b"\1y" * random.randrange(60)))
            pointer = struct.pack("!H", 0xC000 | random.randrange(12, min(size, 0x3FFF)))
            parts.append(own + pointer + struct.pack("!HHIH", random.choice((5, 16)), 1, 1, 2) + b"\xc0\x0c")
            size += len(parts[-1])
        read(b"".join(parts)[:65535], "A", over_udp=False)

    fuzz(check, inputs=30, most_seconds=0.4)
