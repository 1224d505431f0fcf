"""Proxies on loopback: HTTP CONNECT, the same over TLS, and SOCKS 5, with or without credentials; and broken ones."""

import base64
import queue
import socket
import ssl
import struct
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from egressprobe.lab.certs import issue
from tests.support.peers.kubeapi import CLUSTER_CA

USER, PASSWORD = "user", "pass word"
GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """`asked`: what the clients wanted to reach, `authorized`: with which credentials."""

    def __init__(self, url):
        self.url = url
        self.asked, self.authorized = [], []


def _pump(source, sink):
    with suppress(OSError, ValueError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _join(client, host, port, where):
    with socket.create_connection(where or (host, port), 5) as server:
        server.settimeout(10)
        threads = [
            threading.Thread(target=_pump, args=pair, daemon=True) for pair in ((client, server), (server, client))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)


def _head(client):
    data = b""
    while b"\r\n\r\n" not in data and (more := client.recv(4096)):
        data += more
    return data


def connect_proxy(*, credentials=False, where=None):
    """RFC 9110 section 9.3.6. where: what every tunnel leads to, whatever was asked for."""

    def talk(client, proxy):
        head = _head(client)
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        proxy.asked.append(target)
        proxy.authorized.append(headers.get("Proxy-Authorization"))
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if credentials and headers.get("Proxy-Authorization") != wanted:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
            return
        if method == "CONNECT":
            host, port = target.rsplit(":", 1)
            client.sendall(GRANTED)
            _join(client, host.strip("[]"), int(port), where)
            return
        at = urlsplit(target)
        with socket.create_connection((at.hostname, at.port), 5) as server:
            server.sendall(head.replace(target.encode(), f"{at.path}?{at.query}".encode(), 1))
            _pump(server, client)

    return talk


def socks_proxy(*, credentials=False, where=None, reply=0, method=None):
    """RFC 1928, RFC 1929."""

    def talk(client, proxy):
        file = client.makefile("rb")
        methods = file.read(file.read(2)[1])
        chosen = 2 if credentials else 0
        client.sendall(bytes([5, (chosen if chosen in methods else 0xFF) if method is None else method]))
        if credentials:
            user = file.read(file.read(2)[1])
            password = file.read(file.read(1)[0])
            proxy.authorized.append((user, password))
            good = (user, password) == (USER.encode(), PASSWORD.encode())
            client.sendall(bytes([1, 0 if good else 1]))
            if not good:
                return
        kind = file.read(4)[3]
        length = {1: 4, 4: 16}.get(kind) or file.read(1)[0]
        address = file.read(length)
        host = (
            address.decode()
            if kind == 3
            else socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, address)
        )
        (port,) = struct.unpack("!H", file.read(2))
        proxy.asked.append((kind, host, port))
        # The bound address may be a name.
        client.sendall(bytes([5, reply, 0, 3, 4]) + b"name" + bytes(2))
        if not reply:
            _join(client, host, port, where)

    return talk


def answering(*pieces, pause=0.0, close=True, reset=False):
    """Sends `pieces` after the first bytes of the client."""

    def talk(client, proxy):
        proxy.asked.append(client.recv(4096))
        with suppress(OSError):
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif not close:
                client.recv(1)

    return talk


@contextmanager
def proxy_server(talk, scheme="http", *, authority=CLUSTER_CA, names=("127.0.0.1",)):
    """Runs `talk` for each connection. https: with a certificate of `authority` for `names`."""
    context = None
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(issue(authority, names).chain_and_key_pem)
            file.flush()
            context.load_cert_chain(file.name)
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    ended = queue.Queue()

    def serve(client):
        with suppress(OSError, ValueError, IndexError):
            client.settimeout(15)
            client = context.wrap_socket(client, server_side=True) if context else client
            talk(client, proxy)
        with suppress(OSError):
            client.close()

    def accept():
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        ended.put(None)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        ended.get(timeout=5)
