"""A real DNS server, UDP and TCP, that answers, truncates, fails or does not answer, by name.

`Records` are those of one name. A handler returns a message, raw bytes, or None for no answer, after a delay.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from egressprobe.golang.resolver import server_text

type Transport = Literal["udp", "tcp"]


class Reply(NamedTuple):
    """What to send: a message, bytes as they are, or None for silence; after `delay` seconds."""

    message: dns.message.Message | bytes | None
    delay: float = 0.0


class Records(NamedTuple):
    """What a name has. `fault`: by record type or for both, what is done instead of answering."""

    a: tuple[str, ...] = ()
    aaaa: tuple[str, ...] = ()
    cname: str | None = None
    fault_a: str = ""
    fault_aaaa: str = ""
    truncate: bool = False
    silent_tcp: bool = False
    delay: float = 0.0


type Zone = Mapping[str, Records]
type Handle = Callable[[dns.message.Message, Transport], Reply]


def serve_zone(zone: Zone) -> Handle:
    """A handler for a zone; names that are not in it do not exist."""

    def handle(query: dns.message.Message, transport: Transport) -> Reply:
        question = query.question[0]
        name = question.name.to_text().rstrip(".").lower()
        records = zone.get(name)
        response = dns.message.make_response(query, recursion_available=True)
        if records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return Reply(response)
        v4 = question.rdtype == dns.rdatatype.A
        fault = records.fault_a if v4 else records.fault_aaaa
        if fault == "drop" or (records.silent_tcp and transport == "tcp"):
            return Reply(None)
        if records.truncate and transport == "udp":
            response.flags |= dns.flags.TC
            return Reply(response, records.delay)
        owner = question.name
        if records.cname:
            response.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", records.cname))
            owner = response.answer[0][0].target
        if fault:
            response.set_rcode(dns.rcode.from_text(fault))
            return Reply(response, records.delay)
        for address in records.a if v4 else records.aaaa:
            # One set a record: dnspython shuffles within a set, and here the order is the point.
            response.answer.append(dns.rrset.from_text(owner, 60, "IN", "A" if v4 else "AAAA", address))
        return Reply(response, records.delay)

    return handle


# Ports that are tried where the system chooses one.
_TRIES = 20


class DnsServer:
    """Answers on `address`:`port` (0: any) over UDP and TCP. `seen` lists (name, type, transport)."""

    def __init__(self, handle: Handle, address: str = "127.0.0.1", port: int = 0) -> None:
        self.address, self.port = address, port
        self.seen: list[tuple[str, str, Transport]] = []
        self._handle = handle
        self._open: list[asyncio.BaseTransport | asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def text(self) -> str:
        return server_text(self.address, self.port)

    async def start(self) -> None:
        for _ in range(_TRIES if self.port == 0 else 1):
            try:
                await self._listen()
                return
            except OSError as error:
                failure = error
        raise failure

    async def _listen(self) -> None:
        """One port for both. One that is free for TCP may be taken for UDP, by any socket of this computer."""
        server = await asyncio.start_server(self._stream, self.address, self.port)
        port: int = server.sockets[0].getsockname()[1]
        try:
            udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(self.address, port)
            )
        except OSError:
            server.close()
            raise
        self.port, self._open = port, [server, udp]

    async def stop(self) -> None:
        for transport in self._open:
            transport.close()
        for writer in self._writers:
            writer.close()

    def reply(self, wire: bytes, transport: Transport) -> Reply:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.seen.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype), transport))
        return self._handle(query, transport)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)  # dropping it would close the socket and fake a reset
        try:
            size = int.from_bytes(await reader.readexactly(2))
            reply = self.reply(await reader.readexactly(size), "tcp")
        except asyncio.IncompleteReadError:
            return
        if reply.message is None:
            return
        await asyncio.sleep(reply.delay)
        wire = _wire(reply.message, 65535)
        writer.write(len(wire).to_bytes(2) + wire)
        await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)  # noqa: S101 (for the type checker)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._server.reply(data, "udp")
        if reply.message is not None and self._transport is not None:
            wire = _wire(reply.message, 4096)
            asyncio.get_running_loop().call_later(reply.delay, self._transport.sendto, wire, addr)


def _wire(message: dns.message.Message | bytes, size: int) -> bytes:
    return message if isinstance(message, bytes) else message.to_wire(max_size=size)
