"""What is between the functions and AWS: it passes every call on as it is, or lets it fail.

It changes no header, so that signatures stay valid.
"""

import http.client
import io
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Literal

from tests.e2e.emulation import ENDPOINT, GATEWAY
from tests.support.aws.fake_aws import Call, call_of, refusal

type Kind = Literal["throttled", "error", "reset", "lost", "timeout"]
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and the common errors of each service's reference
_THROTTLED = {"ec2": (503, "RequestLimitExceeded"), "lambda": (429, "TooManyRequestsException")}
_LONGER_THAN_ANY_CLIENT_WAITS = 120.0


class Faults:
    """`arm` calls to fail; `calls` were made, `hit` of them failed. Actions are IAM's names."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.over = Event()
        self._armed: dict[str, tuple[Kind, int]] = {}
        self._lock = Lock()

    def arm(self, kind: Kind, *actions: str, times: int = 1) -> None:
        """The first `times` calls of each action fail; so do all where it is large."""
        with self._lock:
            self._armed |= dict.fromkeys(actions, (kind, times))

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()
            self.hit.clear()

    def next(self, action: str) -> Kind | None:
        """What this call meets."""
        with self._lock:
            self.calls[action] += 1
            kind, times = self._armed.get(action, (None, 0))
            if kind is None or self.hit[action] >= times:
                return None
            self.hit[action] += 1
            return kind


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: Faults

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self._call(body)
        kind = self.faults.next(call.action) if call else None
        if call and kind in ("throttled", "error"):
            service = call.action.partition(":")[0]
            status, code = _THROTTLED.get(service, (429, "ThrottlingException"))
            headers, answer = refusal(call, code if kind == "throttled" else "InternalError")
            self._reply(status if kind == "throttled" else 500, headers, answer)
            return
        if kind == "timeout":
            self.faults.over.wait(_LONGER_THAN_ANY_CLIENT_WAITS)
        if kind in ("reset", "timeout"):
            self._reset()
            return
        status, headers, answer = self._pass_on(body)
        if kind == "lost":
            self._reset()
            return
        self._reply(status, headers, answer)

    def _call(self, body: bytes) -> Call | None:
        path, _, query = self.path.partition("?")
        environ = {"REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query}
        target = self.headers.get("X-Amz-Target")
        environ |= {"HTTP_X_AMZ_TARGET": target} if target else {}
        return call_of(environ | {"wsgi.input": io.BytesIO(body)}, body)

    def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", GATEWAY, timeout=330)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        hop_by_hop = ("transfer-encoding", "connection", "content-length")
        return answer.status, [pair for pair in answer.getheaders() if pair[0].lower() not in hop_by_hop], data

    def _reply(self, status: int, headers: list[tuple[str, str]], answer: bytes) -> None:
        self.send_response_only(status)
        for name, value in (*headers, ("Content-Length", str(len(answer)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients go away as they like."""


@contextmanager
def proxy() -> Iterator[Faults]:
    faults = Faults()
    server = _Server(("127.0.0.1", ENDPOINT), type("Handler", (_Handler,), {"faults": faults}))
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield faults
    finally:
        faults.over.set()
        server.shutdown()
        server.server_close()
