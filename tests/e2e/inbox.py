"""The people who are notified: HTTP subscriptions of SNS topics, confirmed as SNS asks.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

PORT = 9100


class Inbox:
    """Messages in the order of their arrival, in SNS's envelope."""

    def __init__(self) -> None:
        self.port = PORT
        self.messages: list[dict[str, Any]] = []
        self.tokens: list[dict[str, str]] = []
        self._changed = Condition()

    def receive(self, body: dict[str, Any]) -> None:
        with self._changed:
            if body.get("Type") == "SubscriptionConfirmation":
                self.tokens.append(body)
            else:
                self.messages.append(body)
            self._changed.notify_all()

    def wait_for(self, count: int, seconds: float = 10) -> None:
        """Until so many messages are there. Raises TimeoutError."""
        self._wait(lambda: len(self.messages) >= count, seconds)

    def confirmation(self, seconds: float = 10) -> dict[str, str]:
        self._wait(lambda: bool(self.tokens), seconds)
        return self.tokens.pop()

    def _wait(self, there: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._changed:
            while not there():
                if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                    raise TimeoutError(f"{len(self.messages)} messages have arrived")


class _Handler(BaseHTTPRequestHandler):
    inbox: Inbox

    def do_POST(self) -> None:
        self.inbox.receive(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silent."""


@contextmanager
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    server = ThreadingHTTPServer(("127.0.0.1", PORT), type("Handler", (_Handler,), {"inbox": made}))
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
