"""Fault servers, one class each: what a target can do wrong on an open port.

All run in one event loop in a thread of their own (`Lab loop`), so that the code under test has another one.
"""

import asyncio
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from egressprobe.lab.certs import Credential

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST
_H2_SETTINGS = b"\0\0\0\4\0\0\0\0\0"


class Server(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Loop:
    """An event loop in a thread. Use as a context manager; servers started in it stop with it.

    enter: called first in that thread, to move it into another network namespace, say.
    """

    def __init__(self, enter: Callable[[], None] = lambda: None) -> None:
        self._loop = asyncio.new_event_loop()
        self._enter = enter
        self._thread = threading.Thread(target=self._run, name="lab", daemon=True)
        self._servers: list[Server] = []

    def _run(self) -> None:
        self._enter()
        self._loop.run_forever()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def stop_servers(self) -> None:
        """Stop what was started so far."""
        for server in self._servers:
            with suppress(OSError, TimeoutError):
                self.call(server.stop())
        self._servers.clear()

    def __exit__(self, *_: object) -> None:
        self.stop_servers()
        self.call(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def call[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def start[S: Server](self, server: S) -> S:
        self.call(server.start())
        self._servers.append(server)
        return server


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class TcpServer:
    """Accepts connections and runs `talk`; by default it sends nothing."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.address, self.port = address, port
        self.accepted = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.address, self.port, ssl=self._tls, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)  # dropping it would close the socket and fake a reset
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            await self.talk(reader, writer)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Sends nothing."""


class ResetServer(TcpServer):
    """Reads the hello, then resets."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()


class EofServer(TcpServer):
    """Reads the hello, sends `words`, then closes."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, *, words: bytes = b"") -> None:
        super().__init__(address, port)
        self._words = words

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(self._words)
        writer.close()


class Page(NamedTuple):
    """One answer of an HttpServer; `wait` seconds before it."""

    body: bytes = b""
    status: str = "200 OK"
    headers: tuple[str, ...] = ("Content-Type: application/json",)
    wait: float = 0.0


class HttpServer(TcpServer):
    """HTTP/1.1 over TLS or in the clear: `pages` by path, 404 for the rest. `requests`: lines seen."""

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        pages: Mapping[str, Page] | None = None,
        wait: float = 0.0,
    ) -> None:
        super().__init__(address, port, tls=tls)
        self.pages = dict(pages or {})
        self.requests: list[str] = []
        self._wait = wait

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ssl_object = writer.get_extra_info("ssl_object")
        if ssl_object is not None and ssl_object.selected_alpn_protocol() == "h2":
            writer.write(_H2_SETTINGS)
            await reader.read(65536)
            return
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.requests.append(head)
        await asyncio.sleep(self._wait)
        method, path, *_ = head.split(" ")
        page = self.pages.get(path.partition("?")[0], Page(b"not here", "404 Not Found"))
        await asyncio.sleep(page.wait)
        body = b"" if method == "HEAD" else page.body
        lines = (f"HTTP/1.1 {page.status}", *page.headers, f"Content-Length: {len(page.body)}", "Connection: close")
        writer.write("\r\n".join((*lines, "", "")).encode() + body)
        await writer.drain()
        writer.close()


class PlainHttpServer(TcpServer):
    """A web server without TLS: answers a ClientHello with 400."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


class RefusingServer(TcpServer):
    """Refuses the handshake with the alert of its context, for a missing client certificate for example.

    asyncio's own TLS drops the alert it has written when a handshake fails, so the handshake is driven here.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0, *, context: ssl.SSLContext) -> None:
        super().__init__(address, port)
        self._context = context

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self._context.wrap_bio(incoming, outgoing, server_side=True)
        over = False
        while not over:
            try:
                session.do_handshake()
                over = True
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                data = await reader.read(65536)
                if not data:
                    return
                incoming.write(data)
            except ssl.SSLError:
                over = True
        writer.write(outgoing.read())
        await writer.drain()
        await reader.read(65536)  # closing with the request unread would reset, and overtake the alert
        writer.close()


class DeafServer:
    """A listener whose accept queue is full: the kernel drops every further SYN, as a firewall would (Linux)."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.address, self.port = address, port
        self._sockets: list[socket.socket] = []

    async def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.address, self.port))
        listener.listen(0)
        self.port = listener.getsockname()[1]
        self._sockets = [listener]
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect((self.address, self.port))
            self._sockets.append(filler)
        await asyncio.sleep(0.05)

    async def stop(self) -> None:
        for sock in self._sockets:
            sock.close()


def server_context(
    credential: Credential, *, alpn: tuple[str, ...] = (), client_ca: str | None = None
) -> ssl.SSLContext:
    """A server's TLS context; with `client_ca` (PEM) it demands a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "credential.pem")
        path.write_text(credential.chain_and_key_pem)
        context.load_cert_chain(path)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca)
    return context
