"""Hostile servers in a process of their own, a class of behaviour each, and one honest server beside them.

Run as `python -m tests.support.peers.hostile`: prints the ports and the CA as JSON, ends with its standard input.
"""

import json
import socket
import ssl
import sys
import tempfile
import threading
import time
import zlib
from contextlib import suppress

from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.servers import server_context

NAMES = ("idp.lab.example", "b.a.svc")
SECONDS = 200.0  # how long a hostile server goes on
OK = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _repeat(connection, data, pause=0.0):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        connection.sendall(data)
        if pause:
            time.sleep(pause)


def _talk(connection, context):
    """TLS and one request; a HEAD is answered at once."""
    secure = context.wrap_socket(connection, server_side=True)
    request = secure.recv(65536)
    if request.startswith(b"HEAD"):
        secure.sendall(OK)
        return None
    return secure


def honest(connection, context):
    secure = context.wrap_socket(connection, server_side=True)
    secure.recv(65536)
    secure.sendall(OK)


def hello_requests(connection, context):
    connection.recv(65536)
    _repeat(connection, bytes.fromhex("160303000400000000") * 7000)


def warnings(connection, context):
    connection.recv(65536)
    _repeat(connection, bytes.fromhex("15030300020170") * 9000)


def informational(connection, context):
    if secure := _talk(connection, context):
        _repeat(secure, b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)


def tickets(connection, context):
    """As many session tickets as OpenSSL sends."""
    context = server_context(CREDENTIAL)
    context.num_tickets = 5000
    secure = context.wrap_socket(connection, server_side=True)
    secure.recv(65536)
    secure.sendall(OK)


def tiny_records(connection, context):
    """The body of an OIDC document in TLS records of one byte, as fast as they go."""
    if secure := _talk(connection, context):
        secure.sendall(_JSON + b"Content-Length: 900000\r\n\r\n")
        for _ in range(900_000):
            secure.sendall(b" ")


def tiny_status(connection, context):
    """A status line that never ends, a byte a record: the first exchange of any target."""
    secure = context.wrap_socket(connection, server_side=True)
    secure.recv(65536)
    secure.sendall(b"HTTP/1.1 200 ")
    _repeat(secure, b"x")


def slow_bytes(connection, context):
    """A ServerHello a byte at a time."""
    connection.recv(65536)
    for byte in b"\x16\x03\x03\x40\x00" + bytes(20_000):
        connection.sendall(bytes([byte]))
        time.sleep(0.005)


def tiny_chunks(connection, context):
    if secure := _talk(connection, context):
        secure.sendall(_JSON + b"Transfer-Encoding: chunked\r\n\r\n")
        _repeat(secure, b"1\r\n \r\n" * 500, 0.001)


def many_certificates(connection, context):
    """A chain as long as OpenSSL reads, of certificates that sign each other's like."""
    MANY.wrap_socket(connection, server_side=True)


def many_names(connection, context):
    """A leaf with thousands of names."""
    NAMED.wrap_socket(connection, server_side=True)


def endless_body(connection, context):
    if secure := _talk(connection, context):
        secure.sendall(_JSON + b"\r\n")
        _repeat(secure, b" " * 65536)


def endless_header(connection, context):
    if secure := _talk(connection, context):
        secure.sendall(_JSON)
        _repeat(secure, b"X-More: " + b"y" * 16000 + b"\r\n")


def gzip_tail(connection, context):
    """A small gzip body and bytes behind its end, for ever."""
    if secure := _talk(connection, context):
        packer = zlib.compressobj(wbits=31)
        body = packer.compress(b"{}") + packer.flush()
        secure.sendall(_JSON + b"Content-Encoding: gzip\r\n\r\n" + body)
        _repeat(secure, b"z" * 65536)


def gzip_bomb(connection, context):
    if secure := _talk(connection, context):
        packer = zlib.compressobj(9, wbits=31)
        secure.sendall(_JSON + b"Content-Encoding: gzip\r\n\r\n" + packer.compress(bytes(200 << 20)) + packer.flush())


def large_issuer(connection, context):
    """An issuer of nearly a megabyte that is not the right one."""
    if secure := _talk(connection, context):
        body = b'{"issuer": "https://' + b"i" * 1_000_000 + b'", "jwks_uri": "https://x"}'
        secure.sendall(_JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body)


# class -> (kind of target, behaviour) for each of five targets
CLASSES = {
    "messages": (
        ("webhook", hello_requests),
        ("webhook", warnings),
        ("oidc", informational),
        ("webhook", tickets),
        ("oidc", informational),
    ),
    "trickles": (
        ("oidc", tiny_records),
        ("webhook", tiny_status),
        ("webhook", slow_bytes),
        ("oidc", tiny_chunks),
        ("oidc", tiny_records),
    ),
    "computation": (
        ("webhook", many_certificates),
        ("webhook", many_names),
        ("webhook", many_certificates),
        ("webhook", many_names),
        ("webhook", many_certificates),
    ),
    "memory": (
        ("oidc", endless_body),
        ("oidc", endless_header),
        ("oidc", gzip_tail),
        ("oidc", gzip_bomb),
        ("oidc", endless_body),
    ),
    "bloat": (("oidc", large_issuer),) * 5,
}
AUTHORITY = make_authority("Lab CA")
CREDENTIAL = issue(AUTHORITY, NAMES)


def _many():
    """A leaf and some hundred certificates of unrelated authorities behind it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    others = "".join(make_authority(f"CA {i % 7}").pem for i in range(120))
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(CREDENTIAL.chain_and_key_pem + others)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _serve(behave, context):
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def one(connection):
        with suppress(OSError, ValueError):
            behave(connection, context)
        with suppress(OSError):
            connection.close()

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


if __name__ == "__main__":
    MANY = _many()
    NAMED = server_context(issue(AUTHORITY, (*NAMES, *(f"n{i}.lab.example" for i in range(3000)))))
    CONTEXT = server_context(CREDENTIAL)
    ports = {name: [_serve(behave, CONTEXT) for _, behave in targets] for name, targets in CLASSES.items()}
    print(json.dumps({"honest": _serve(honest, CONTEXT), "classes": ports, "ca": AUTHORITY.pem}), flush=True)
    sys.stdin.read()
