"""A TLS server that requires a client certificate, over blocking sockets: asyncio's drops the alert that says so."""

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@contextmanager
def requiring(context: ssl.SSLContext, ca_pem: str, version: ssl.TLSVersion) -> Iterator[tuple[str, int]]:
    """Serves on a loopback port, at most TLS `version`, and yields its address; clients need a certificate of the CA."""
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ca_pem)
    context.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context), daemon=True).start()
        yield listener.getsockname()[:2]
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, context), daemon=True).start()


def _answer(connection: socket.socket, context: ssl.SSLContext) -> None:
    connection.settimeout(5)
    # A second handle on the socket: reading what is left keeps the close from becoming a reset that hides the alert.
    with socket.socket(fileno=os.dup(connection.fileno())) as raw, suppress(OSError):
        raw.settimeout(5)
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
            try:
                tls.do_handshake()
                tls.recv(4096)
                tls.sendall(_ANSWER)
            except ssl.SSLError:
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
