"""TLS servers that are honest up to a point: what they send in the clear is cut, changed or replaced."""

import asyncio
import ssl
from contextlib import suppress

from egressprobe.lab.servers import TcpServer

ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def record(kind, content, version=0x0303):
    return bytes([kind]) + version.to_bytes(2) + len(content).to_bytes(2) + content


def records(data):
    """(type, content) of each whole record."""
    at = 0
    while at + 5 <= len(data):
        size = int.from_bytes(data[at + 3 : at + 5])
        yield data[at], data[at + 5 : at + 5 + size]
        at += 5 + size


def recut(data, cuts, *, every=False):
    """The same handshake bytes in records of `cuts` bytes, the last size repeated. every: of all records, as TLS 1.2."""
    out, cut_one = b"", False
    for kind, content in records(data):
        if kind != 22 or (cut_one and not every):
            out += record(kind, content)
            continue
        cut_one, at, i = True, 0, 0
        while at < len(content):
            size = cuts[min(i, len(cuts) - 1)]
            out += record(kind, content[at : at + size])
            at, i = at + size, i + 1
    return out


def flight(context, hello):
    """The first flight of a server to a ClientHello record."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


class ScriptedTls(TcpServer):
    """Drives a real server handshake and sends `change(flight number, bytes)` of each flight; then answers and ends."""

    answer = ANSWER

    def __init__(self, context, change=lambda number, data: data):
        super().__init__()
        self._context, self._change = context, change

    async def talk(self, reader, writer):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self._context.wrap_bio(incoming, outgoing, server_side=True)
        number = 0

        def flush():
            nonlocal number
            data = outgoing.read()
            if data:
                writer.write(self._change(number, data))
                number += 1

        async def drive(step):
            while True:
                try:
                    result = step()
                    flush()
                    return result
                except ssl.SSLWantReadError:
                    flush()
                    data = await reader.read(65536)
                    if not data:
                        raise EOFError from None
                    incoming.write(data)

        try:
            await drive(session.do_handshake)
            await drive(lambda: session.read(65536))
            session.write(self.answer)
            flush()
        except (ssl.SSLError, EOFError):
            writer.write(outgoing.read())
        await writer.drain()
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.read(65536), 0.2)
        writer.close()


class Bytes(TcpServer):
    """Answers the ClientHello with `answer(hello record)` and keeps the connection open."""

    def __init__(self, answer):
        super().__init__()
        self._answer = answer

    async def talk(self, reader, writer):
        hello = await reader.read(65536)
        writer.write(self._answer(hello))
        await writer.drain()
        await reader.read(65536)
