"""One DNS response as Go reads it, byte by byte.

The parser follows golang.org/x/net/dns/dnsmessage (Parser, Name.unpack): the damage that it rejects and the damage
that it ignores decide whether the API server has an address. The checks and their order are those of
net/dnsclient_unix.go: checkResponse, exchange, checkHeader, skipToAnswer and the loop of goLookupIPCNAMEOrder.

Pure: bytes in, `Reading` out.
"""

import os
import struct
from contextlib import suppress
from functools import lru_cache
from typing import Literal, NamedTuple

import dns.name
import dns.rcode
import msgspec
from msgspec.structs import replace

from egressprobe.model.failure import Code
from egressprobe.net.addresses import from_packed

EDNS_PAYLOAD = 1232  # net/dnsclient_unix.go maxDNSPacketSize; https://www.dnsflagday.net/2020/
_HEADER = struct.Struct("!6H")
_RESOURCE = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_QR, _AA, _TC, _RD, _RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_A, _CNAME, _AAAA, _OPT, _IN = 1, 5, 28, 41, 1
_TYPES = {"A": _A, "AAAA": _AAAA}
_OPT_RECORD = b"\0" + _RESOURCE.pack(_OPT, EDNS_PAYLOAD, 0, 0)
_MAX_POINTERS, _MAX_NAME = 10, 255  # dnsmessage Name.unpack
_MAX_CNAMES = 16  # kept for a report
_UNREADABLE, _INVALID = "cannot unmarshal DNS message", "invalid DNS response"
type RecordType = Literal["A", "AAAA"]


class Request(NamedTuple):
    """One query."""

    identity: int
    name: bytes
    kind: RecordType

    @property
    def wire(self) -> bytes:
        """Recursive, with EDNS(0), as net/dnsclient_unix.go newRequest builds it."""
        header = _HEADER.pack(self.identity, _RD, 1, 0, 0, 1)
        return header + self.name + struct.pack("!HH", _TYPES[self.kind], _IN) + _OPT_RECORD


class Reading(msgspec.Struct, frozen=True):
    """The result of reading one response.

    code: None when it answers. message: plain words. error: Go's text.
    final: no other server is queried (the name or the record does not exist). truncated: query again over TCP.
    """

    rcode: str | None = None
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    ttl: int | None = None
    code: Code | None = None
    message: str = ""
    error: str = ""
    final: bool = False
    truncated: bool = False


def make_request(name: str, kind: RecordType) -> Request:
    """A query with a random id. `name`: absolute, accepted by `is_domain_name`."""
    return Request(int.from_bytes(os.urandom(2)), _wire_name(name), kind)


@lru_cache(maxsize=4096)  # the same names are queried every minute
def _wire_name(name: str) -> bytes:
    return dns.name.from_text(name).to_wire() or b"\0"


def mismatch(wire: bytes, request: Request) -> str | None:
    """None when `wire` answers `request`; else Go's text, if it comes over TCP.

    Over UDP a message that does not answer the request is ignored, as it may be forged (golang/go #13281).
    """
    try:
        identity, flags, questions, *_ = _HEADER.unpack_from(wire)
        if not questions:
            return _UNREADABLE
        name, at = _name(wire, _HEADER.size)
        kind, group = struct.unpack_from("!HH", wire, at)
    except (ValueError, struct.error):
        return _UNREADABLE
    requested = _name(request.name, 0)[0]
    same = name.lower() == requested.lower() and (kind, group) == (_TYPES[request.kind], _IN)
    return None if same and identity == request.identity and flags & _QR else _INVALID


def read(wire: bytes, kind: RecordType, *, over_udp: bool) -> Reading:
    """Read a response that answers its request."""
    _, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(wire)
    low = _rcode_text(flags & 0xF)
    if questions != 1:
        return Reading(
            low, code=Code.DNS_MALFORMED, message="the response does not repeat exactly our question", error=_INVALID
        )
    if flags & _TC and over_udp:
        return Reading(low, truncated=True)
    start = _skip_name(wire, _HEADER.size) + 4
    code, has_additional = _extended(wire, start, (answers, authorities, additionals), flags & 0xF)
    rcode = _rcode_text(code)
    records = _Answers(wire, start, answers)
    partial = Reading(rcode, cnames=tuple(records.cnames[:_MAX_CNAMES]), ttl=records.ttl)
    if code == dns.rcode.NXDOMAIN:
        message = "the name does not exist (NXDOMAIN)"
        return replace(partial, code=Code.DNS_NXDOMAIN, message=message, error="no such host", final=True)
    if answers and not records.begun:
        return _unreadable(rcode)
    if code == dns.rcode.NOERROR and not answers and not has_additional and not flags & (_AA | _RA):
        message = "a lame referral: the server neither resolves nor is authoritative"
        return Reading(rcode, code=Code.DNS_SERVFAIL, message=message, error="lame referral")
    if code != dns.rcode.NOERROR:
        fault = Code.DNS_REFUSED if code == dns.rcode.REFUSED else Code.DNS_SERVFAIL
        return Reading(rcode, code=fault, message=f"the server answers {rcode}", error="server misbehaving")
    try:
        position = _skip_to(wire, start, answers, _TYPES[kind])
    except (ValueError, struct.error):
        return _unreadable(rcode)
    if position is None:
        message = "the name has no such record"
        return replace(partial, code=Code.DNS_NO_ADDRESSES, message=message, error="no such host", final=True)
    addresses = records.addresses if position == (start, answers) else _Answers(wire, *position).addresses
    if not addresses:
        return replace(_unreadable(rcode), final=True)  # Go has chosen this server by now
    return replace(partial, addresses=tuple(dict.fromkeys(addresses)), final=True)


@lru_cache(maxsize=64)
def _rcode_text(code: int) -> str:
    return dns.rcode.to_text(dns.rcode.Rcode(code))


def _unreadable(rcode: str | None) -> Reading:
    return Reading(rcode, code=Code.DNS_MALFORMED, message="the response cannot be read", error=_UNREADABLE)


class _Answers:
    """What Go reads from the answer section, up to its end or the first damage.

    addresses: of every A and AAAA, whatever its owner name and whichever type was requested; Go begins at the first
    record of that type. begun: there is a first record whose header can be read.
    """

    def __init__(self, wire: bytes, at: int, count: int) -> None:
        self.begun = False
        self.addresses: list[str] = []
        self.cnames: list[str] = []
        self.ttl: int | None = None
        with suppress(ValueError, struct.error):
            for _ in range(count):
                at = self._record(wire, at)

    def _record(self, wire: bytes, at: int) -> int:
        at = _name(wire, at)[1]
        kind, _, ttl, size = _RESOURCE.unpack_from(wire, at)
        at += _RESOURCE.size
        self.begun = True
        self.ttl = ttl if self.ttl is None else min(self.ttl, ttl)
        if kind in (_A, _AAAA):  # Go reads 4 or 16 bytes, whatever length the record has
            width = 4 if kind == _A else 16
            if at + width > len(wire):
                raise ValueError("the address is cut off")
            self.addresses.append(from_packed(wire[at : at + width]))
        elif kind == _CNAME:
            self.cnames.append(_text(_name(wire, at)[0]))
        elif at + size > len(wire):
            raise ValueError("the record is cut off")
        return at + int(size)


def _skip_to(wire: bytes, at: int, count: int, wanted: int) -> tuple[int, int] | None:
    """Offset of the first record of type `wanted`, and how many records are left from there: skipToAnswer.

    Earlier records are skipped unread. Raises ValueError or struct.error.
    """
    for left in range(count, 0, -1):
        after_name = _name(wire, at)[1]
        if _RESOURCE.unpack_from(wire, after_name)[0] == wanted:
            return at, left
        at = _skip_record(wire, at)
    return None


def _extended(wire: bytes, at: int, counts: tuple[int, int, int], low: int) -> tuple[int, bool]:
    """The response code with the OPT record's upper bits, and whether there is any additional record.

    net/dnsclient_unix.go extractExtendedRCode: damage before it is ignored.
    """
    answers, authorities, additionals = counts
    has_additional = False
    try:
        for _ in range(answers + authorities):
            at = _skip_record(wire, at)
        for _ in range(additionals):
            start = _name(wire, at)[1]
            kind, _, ttl, _ = _RESOURCE.unpack_from(wire, start)
            has_additional = True
            if kind == _OPT:
                return (ttl >> 24) << 4 | low, True
            at = _skip_record(wire, at)
    except (ValueError, struct.error):
        pass
    return low, has_additional


def _skip_record(wire: bytes, at: int) -> int:
    at = _skip_name(wire, at)
    size = _RESOURCE.unpack_from(wire, at)[3]
    at += _RESOURCE.size + int(size)
    if at > len(wire):
        raise ValueError("the record is cut off")
    return at


def _skip_name(wire: bytes, at: int) -> int:
    """The offset behind the name at `at`, without following pointers: dnsmessage skipName. Raises ValueError."""
    while at < len(wire):
        size = wire[at]
        at += 1
        if size == 0:
            return at
        if size >= 0xC0:
            return at + 1
        if size >= 0x40:
            raise ValueError("a reserved label type")
        at += size
    raise ValueError("the name is cut off")


def _name(wire: bytes, at: int) -> tuple[bytes, int]:
    """The name at `at` with a dot behind each label, and where it ends: dnsmessage Name.unpack. Raises ValueError."""
    labels: list[bytes] = []
    end, pointers, length = 0, 0, 0
    while at < len(wire):
        size = wire[at]
        at += 1
        if size == 0:
            if length > _MAX_NAME:
                raise ValueError("the name is too long")
            return b"".join(labels) or b".", end or at
        if size >= 0xC0:
            if at >= len(wire):
                break
            end = end or at + 1
            pointers += 1
            if pointers > _MAX_POINTERS:
                raise ValueError("too many compression pointers")
            at = (size & 0x3F) << 8 | wire[at]
            continue
        label = wire[at : at + size]
        if size >= 0x40 or len(label) < size or b"." in label:
            break
        labels += (label, b".")
        length += size + 1
        at += size
    raise ValueError("the name cannot be read")


def _text(name: bytes) -> str:
    """A name for a report: what does not print is escaped as in RFC 1035 section 5.1."""
    return "".join(chr(c) if 0x21 <= c <= 0x7E else f"\\{c:03d}" for c in name)
