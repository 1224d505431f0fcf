"""One DNS response as Go reads it, byte by byte.

The parser follows golang.org/x/net/dns/dnsmessage (Parser, Name.unpack): the damage that it rejects and the damage
that it ignores decide whether the API server has an address. The checks and their order are those of
net/dnsclient_unix.go: checkResponse, exchange, checkHeader, skipToAnswer and the loop of goLookupIPCNAMEOrder.

Pure: bytes in, `Reading` out.
"""

import os
import struct
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from egressprobe.error_texts.network import INVALID_DNS, LAME_REFERRAL, MISBEHAVING, UNREADABLE_DNS
from egressprobe.golang.dns_name import MessageNames, name_text, skip_name, wire_name
from egressprobe.model.failure import Code
from egressprobe.net.addresses import from_packed

EDNS_PAYLOAD = 1232  # net/dnsclient_unix.go maxDNSPacketSize; https://www.dnsflagday.net/2020/
_HEADER = struct.Struct("!6H")
_RESOURCE = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_QR, _AA, _TC, _RD, _RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_A, _CNAME, _AAAA, _OPT, _IN = 1, 5, 28, 41, 1
_NOERROR, _FORMERR, _NXDOMAIN, _NOTIMP, _REFUSED, _BADVERS = 0, 1, 3, 4, 5, 16
# https://www.iana.org/assignments/dns-parameters, DNS RCODEs
_RCODES = {_NOERROR: "NOERROR", _FORMERR: "FORMERR", 2: "SERVFAIL", _NXDOMAIN: "NXDOMAIN", _NOTIMP: "NOTIMP"}
_RCODES |= {_REFUSED: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE"}
_RCODES |= {11: "DSOTYPENI", _BADVERS: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE", 20: "BADNAME"}
_RCODES |= {21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE"}
# What a server answers that does not know EDNS(0) (RFC 6891 section 7)
_NO_EDNS = {_FORMERR, _NOTIMP, _BADVERS}
MAX_ADDRESSES = 64  # per name: bounds the sockets that one answer can make us open
_TYPES = {"A": _A, "AAAA": _AAAA}
_TYPES_AND_CLASS = {kind: struct.pack("!HH", number, _IN) for kind, number in _TYPES.items()}
_OPT_RECORD = b"\0" + _RESOURCE.pack(_OPT, EDNS_PAYLOAD, 0, 0)
_MAX_CNAMES = 16  # reported
_UNREADABLE, _INVALID = UNREADABLE_DNS.text, INVALID_DNS.text
type RecordType = Literal["A", "AAAA"]


class DnsRequest(NamedTuple):
    """One query."""

    identity: int
    name: bytes
    kind: RecordType

    @property
    def question(self) -> bytes:
        """Name, type and class, as they are sent and repeated."""
        return self.name + _TYPES_AND_CLASS[self.kind]

    @property
    def wire(self) -> bytes:
        """Recursive, with EDNS(0), as net/dnsclient_unix.go newRequest builds it."""
        return _HEADER.pack(self.identity, _RD, 1, 0, 0, 1) + self.question + _OPT_RECORD


class Reading(msgspec.Struct, frozen=True, gc=False):
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


def make_request(name: str, kind: RecordType) -> DnsRequest:
    """A query with a random id. `name`: absolute, accepted by `is_domain_name`."""
    return DnsRequest(int.from_bytes(os.urandom(2)), wire_name(name), kind)


def mismatch(wire: bytes, request: DnsRequest) -> str | None:
    """None when `wire` answers `request`; else Go's text, if it comes over TCP.

    Over UDP a message that does not answer the request is ignored, as it may be forged (golang/go #13281).
    """
    try:
        identity, flags, questions, *_ = _HEADER.unpack_from(wire)
        if (
            flags & _QR
            and questions
            and identity == request.identity
            and wire.startswith(request.question, _HEADER.size)
        ):
            return None  # nearly every response: the question byte by byte, whose name Go can read
        if not questions:
            return _UNREADABLE
        name, at = MessageNames(wire).read(_HEADER.size)
        kind, group = struct.unpack_from("!HH", wire, at)
    except (ValueError, struct.error):
        return _UNREADABLE
    requested = MessageNames(request.name).read(0)[0]
    same = name.lower() == requested.lower() and (kind, group) == (_TYPES[request.kind], _IN)
    return None if same and identity == request.identity and flags & _QR else _INVALID


def read(wire: bytes, kind: RecordType, *, over_udp: bool) -> Reading:
    """Read a response that answers its request."""
    _, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(wire)
    if questions != 1:
        message = "the response does not repeat exactly our question"
        return Reading(_rcodename_text(flags & 0xF), code=Code.DNS_MALFORMED, message=message, error=_INVALID)
    if flags & _TC and over_udp:
        return Reading(_rcodename_text(flags & 0xF), truncated=True)
    start = skip_name(wire, _HEADER.size) + 4
    names = MessageNames(wire)
    code, has_additional = _extended(names, start, (answers, authorities, additionals), flags & 0xF)
    rcode = _rcodename_text(code)
    records = _Answers(names, start, answers)
    cnames, ttl = tuple(records.cnames), records.ttl
    if code == _NXDOMAIN:
        message = f"the name does not exist (NXDOMAIN){_chain_end(records)}"
        return Reading(rcode, (), cnames, ttl, Code.DNS_NXDOMAIN, message, "no such host", final=True)
    if answers and not records.begun:
        return _unreadable(rcode)
    if code == _NOERROR and not answers and not has_additional and not flags & (_AA | _RA):
        message = "a lame referral: the server neither resolves nor is authoritative"
        return Reading(rcode, code=Code.DNS_SERVFAIL, message=message, error=LAME_REFERRAL.text)
    if code in _NO_EDNS:
        message = f"the server answers {rcode} to a query with EDNS(0), which Go's resolver always sends"
        return Reading(rcode, code=Code.DNS_SERVFAIL, message=message, error=MISBEHAVING.text)
    if code != _NOERROR:
        fault = Code.DNS_REFUSED if code == _REFUSED else Code.DNS_SERVFAIL
        return Reading(rcode, code=fault, message=f"the server answers {rcode}", error=MISBEHAVING.text)
    try:
        position = _skip_to(names, start, answers, _TYPES[kind])
    except (ValueError, struct.error):
        return _unreadable(rcode)
    if position is None:
        message = f"the name has no {kind} record{_chain_end(records)}"
        return Reading(rcode, (), cnames, ttl, Code.DNS_NO_ADDRESSES, message, "no such host", final=True)
    addresses = records.addresses if position == (start, answers) else _Answers(names, *position).addresses
    if not addresses:
        return replace(_unreadable(rcode), final=True)  # Go has chosen this server by now
    return Reading(rcode, tuple(addresses[:MAX_ADDRESSES]), cnames, ttl, final=True)


def _rcodename_text(code: int) -> str:
    return _RCODES.get(code, f"RCODE{code}")


def _chain_end(records: "_Answers") -> str:
    """Where a chain of CNAMEs ends, for a message."""
    return f": its CNAME chain ends at {records.last_cname}" if records.last_cname else ""


def _unreadable(rcode: str | None) -> Reading:
    return Reading(rcode, code=Code.DNS_MALFORMED, message="the response cannot be read", error=_UNREADABLE)


class _Answers:
    """What Go reads from the answer section, up to its end or the first damage.

    addresses: of every A and AAAA, whatever its owner name and whichever type was requested; Go begins at the first
    record of that type. begun: there is a first record whose header can be read.
    """

    def __init__(self, names: MessageNames, at: int, count: int) -> None:
        self.begun = False
        self.addresses: list[str] = []
        self.cnames: list[str] = []
        self.last_cname = ""
        self.ttl: int | None = None
        try:
            for _ in range(count):
                at = self._record(names, at)
        except (ValueError, struct.error):
            pass

    def _record(self, names: MessageNames, at: int) -> int:
        wire = names.wire
        at = names.end(at)
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
            names.end(at)
            if len(self.cnames) < _MAX_CNAMES:
                self.last_cname = name_text(names.read(at)[0])
                self.cnames.append(self.last_cname)
        elif at + size > len(wire):
            raise ValueError("the record is cut off")
        return at + int(size)


def _skip_to(names: MessageNames, at: int, count: int, wanted: int) -> tuple[int, int] | None:
    """Offset of the first record of type `wanted`, and how many records are left from there: skipToAnswer.

    Earlier records are skipped unread. Raises ValueError or struct.error.
    """
    for left in range(count, 0, -1):
        if _RESOURCE.unpack_from(names.wire, names.end(at))[0] == wanted:
            return at, left
        at = _skip_record(names.wire, at)
    return None


def _extended(names: MessageNames, at: int, counts: tuple[int, int, int], low: int) -> tuple[int, bool]:
    """The response code with the OPT record's upper bits, and whether there is any additional record.

    net/dnsclient_unix.go extractExtendedRCode: damage before it is ignored.
    """
    answers, authorities, additionals = counts
    wire = names.wire
    has_additional = False
    try:
        for _ in range(answers + authorities):
            at = _skip_record(wire, at)
        for _ in range(additionals):
            start = names.end(at)
            kind, _, ttl, _ = _RESOURCE.unpack_from(wire, start)
            has_additional = True
            if kind == _OPT:
                return (ttl >> 24) << 4 | low, True
            at = _skip_record(wire, at)
    except (ValueError, struct.error):
        pass
    return low, has_additional


def _skip_record(wire: bytes, at: int) -> int:
    at = skip_name(wire, at)
    size = _RESOURCE.unpack_from(wire, at)[3]
    at += _RESOURCE.size + int(size)
    if at > len(wire):
        raise ValueError("the record is cut off")
    return at
