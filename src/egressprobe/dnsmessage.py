"""What Go makes of one DNS response: net/dnsclient_unix.go checkResponse, checkHeader, skipToAnswer.

Pure: bytes in, `Reading` out. dnspython takes the message apart; the decisions and their order are Go's.
"""

import struct
from typing import Literal

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import msgspec

from egressprobe.addresses import canonical
from egressprobe.failure import Code

EDNS_PAYLOAD = 1232  # net/dnsclient_unix.go maxDNSPacketSize; https://www.dnsflagday.net/2020/
_HEADER = struct.Struct("!6H")
_QR = 0x8000
_MAX_CNAMES = 16  # kept for a report

type RecordType = Literal["A", "AAAA"]


class Reading(msgspec.Struct, frozen=True):
    """One response, judged.

    code: None when it answers. said: plain words. error: Go's text.
    final: no other server is asked (the name or the record does not exist). truncated: ask again over TCP.
    """

    rcode: str | None = None
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    ttl: int | None = None
    code: Code | None = None
    said: str = ""
    error: str = ""
    final: bool = False
    truncated: bool = False


def make_query(name: str, kind: RecordType) -> dns.message.Message:
    """A recursive question with EDNS(0), as newRequest builds it."""
    return dns.message.make_query(name, kind, use_edns=0, payload=EDNS_PAYLOAD)


def answers(wire: bytes, query: dns.message.Message) -> bool:
    """Whether `wire` answers `query`: the id, the QR bit and the question, its name in any case.

    What does not is passed over, as it may be forged (golang/go #13281).
    """
    if len(wire) < _HEADER.size:
        return False
    identity, flags, questions, *_ = _HEADER.unpack_from(wire)
    if identity != query.id or not flags & _QR or questions < 1:
        return False
    asked = query.question[0]
    question = (asked.name.to_wire() or b"") + struct.pack("!HH", asked.rdtype, asked.rdclass)
    return wire[_HEADER.size : _HEADER.size + len(question)].lower() == question.lower()


def read(wire: bytes, kind: RecordType, *, over_udp: bool) -> Reading:
    """Judge a response that `answers` its query."""
    flags = _HEADER.unpack_from(wire)[1]
    if flags & dns.flags.TC and over_udp:
        return Reading(rcode=dns.rcode.to_text(dns.rcode.Rcode(flags & 0xF)), truncated=True)
    try:
        message = dns.message.from_wire(wire, one_rr_per_rrset=True, ignore_trailing=True, continue_on_error=True)
    except (dns.exception.DNSException, ValueError):
        return _unreadable(None)
    rcode = message.rcode()
    rcode_text = dns.rcode.to_text(rcode)
    if rcode == dns.rcode.NXDOMAIN:
        return _says(message, rcode_text, Code.DNS_NXDOMAIN, "the name does not exist (NXDOMAIN)", final=True)
    broken = len(message.answer) < _HEADER.unpack_from(wire)[3]  # a damaged OPT does not matter to Go
    if not message.answer and broken:
        return _unreadable(rcode_text)
    empty = not message.answer and not message.additional and message.opt is None
    if rcode == dns.rcode.NOERROR and empty and not message.flags & (dns.flags.AA | dns.flags.RA):
        said = "a lame referral: this server does not resolve"
        return Reading(rcode_text, code=Code.DNS_SERVFAIL, said=said, error="lame referral")
    if rcode != dns.rcode.NOERROR:
        code = Code.DNS_REFUSED if rcode == dns.rcode.REFUSED else Code.DNS_SERVFAIL
        return Reading(rcode_text, code=code, said=f"the server answers {rcode_text}", error="server misbehaving")
    if not any(record.rdtype == dns.rdatatype.from_text(kind) for record in message.answer):
        if broken:
            return _unreadable(rcode_text)
        return _says(message, rcode_text, Code.DNS_NO_ADDRESSES, "the name has no such record", final=True)
    return _says(message, rcode_text, None, "", final=True)


def _unreadable(rcode: str | None) -> Reading:
    said = "the answer cannot be read"
    return Reading(rcode, code=Code.DNS_MALFORMED, said=said, error="cannot unmarshal DNS message")


def _says(message: dns.message.Message, rcode: str, code: Code | None, said: str, *, final: bool) -> Reading:
    addresses: list[str] = []
    cnames: list[str] = []
    for record in message.answer:
        # Go takes every address record of the answer, whatever name owns it and whichever type was asked.
        if record.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and code is None:
            addresses.append(canonical(record[0].address))
        elif record.rdtype == dns.rdatatype.CNAME:
            cnames.append(record[0].target.to_text())
    return Reading(
        rcode,
        addresses=tuple(dict.fromkeys(addresses)),
        cnames=tuple(cnames[:_MAX_CNAMES]),
        ttl=min((record.ttl for record in message.answer), default=None),
        code=code,
        said=said,
        error="no such host" if code else "",
        final=final,
    )
