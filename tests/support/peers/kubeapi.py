"""A Kubernetes API server on loopback, over real TLS with a cluster CA: lists in pages with continue tokens, and the
ways in which real ones and what stands before them fail.

It behaves as the recorded answers of a real one do (tests/data/kubernetes): 400 for a continue token that is none, 410
for one that is too old, 401 and 403 with a Status, gzip above 128 KB where the client takes it.
"""

import base64
import gzip
import json
import queue
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from egressprobe.discovery.kubernetes.api_server import ApiServer
from egressprobe.discovery.kubernetes.resources import RESOURCES
from egressprobe.golang.x509.ca_bundle import anchors
from egressprobe.lab.certs import issue, make_authority

RECORDED = Path(__file__).parents[2] / "data" / "kubernetes"
BY_PATH = {resource.path: resource for resource in RESOURCES}
TOKEN = "the-token"
CLUSTER_CA = make_authority("kubernetes")
_GZIP_FROM = 128 << 10


def recorded() -> dict[str, list[Any]]:
    """The items of every recorded list, by plural."""
    return {one.plural: json.loads((RECORDED / f"{one.plural}.json").read_text())["items"] for one in RESOURCES}


class KubeApi:
    """`items` by plural. What goes wrong is set by plural too:

    refused: status of every answer. expires: how many times a page token is too old by its second page. fails: how
    many times an answer is 503. cut: ends in the middle of the body. silent: seconds before the answer.
    deaf: ignores `limit`. elsewhere: redirects. raw: the body as it is.
    """

    def __init__(self, items: dict[str, list[Any]]) -> None:
        self.items = items
        self.tokens = {TOKEN}
        self.refused: dict[str, int] = {}
        self.expires: dict[str, int] = {}
        self.fails: dict[str, int] = {}
        self.cut: set[str] = set()
        self.silent: dict[str, float] = {}
        self.deaf: set[str] = set()
        self.elsewhere: dict[str, str] = {}
        self.raw: dict[str, bytes] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.accepts = lambda token: token in self.tokens
        self.packed = 0
        self.most = 1 << 30  # objects a page, whatever limit says
        self.url = ""

    def server(self, **more: Any) -> ApiServer:
        found = {"anchors": anchors(CLUSTER_CA.pem.encode()), "token": lambda: TOKEN} | more
        return ApiServer(self.url, **found)

    def asked(self, plural: str) -> list[dict[str, list[str]]]:
        """The queries of the requests for a list."""
        urls = [urlsplit(path) for path, _ in self.requests]
        return [parse_qs(url.query) for url in urls if url.path.endswith(f"/{plural}")]

    def answer(self, path: str, authorization: str) -> tuple[int, bytes, dict[str, str]]:
        url = urlsplit(path)
        resource = BY_PATH.get(url.path)
        if resource is None:
            return status(404, "NotFound", "the server could not find the requested resource")
        plural = resource.plural
        if plural in self.elsewhere:
            return 307, b"", {"Location": self.elsewhere[plural]}
        if not self.accepts(authorization.removeprefix("Bearer ")):
            return status(401, "Unauthorized", "Unauthorized")
        if plural in self.refused:
            group = f' in API group "{resource.group}"'
            said = (
                f'{plural} is forbidden: User "egressprobe" cannot list resource "{plural}"{group} at the cluster scope'
            )
            return status(self.refused[plural], "Forbidden", said)
        if self.fails.get(plural, 0):
            self.fails[plural] -= 1
            return (*status(503, "ServiceUnavailable", "apiserver is shutting down")[:2], {"Retry-After": "0"})
        if plural in self.raw:
            return 200, self.raw[plural], {}
        return self._page(resource, parse_qs(url.query))

    def _page(self, resource: Any, query: dict[str, list[str]]) -> tuple[int, bytes, dict[str, str]]:
        items, start = self.items.get(resource.plural, []), 0
        if "continue" in query:
            try:
                start = int(json.loads(base64.b64decode(query["continue"][0]))["start"])
            except ValueError:
                return status(400, "BadRequest", "invalid continue token: continue key is not valid")
            if self.expires.get(resource.plural, 0):
                self.expires[resource.plural] -= 1
                return status(410, "Expired", "The provided continue parameter is too old to display a consistent list")
        limit = len(items) if resource.plural in self.deaf else min(int(query.get("limit", ["500"])[0]), self.most)
        meta: dict[str, Any] = {"resourceVersion": "2140"}
        if start + limit < len(items):
            token = json.dumps({"v": "meta.k8s.io/v1", "rv": 2140, "start": str(start + limit)})
            meta |= {"continue": base64.b64encode(token.encode()).decode(), "remainingItemCount": 1}
        page = items[start : start + limit]
        found = {"kind": f"{resource.kind}List", "apiVersion": "v1", "metadata": meta, "items": page}
        return 200, json.dumps(found).encode(), {}


def status(code: int, reason: str, message: str) -> tuple[int, bytes, dict[str, str]]:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return code, json.dumps(body).encode(), {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: KubeApi

    def do_GET(self) -> None:
        api = self.api
        api.requests.append((self.path, dict(self.headers)))
        plural = urlsplit(self.path).path.rpartition("/")[2]
        time.sleep(api.silent.get(plural, 0))
        code, body, headers = api.answer(self.path, self.headers.get("Authorization", ""))
        if len(body) > _GZIP_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers = gzip.compress(body, 1), headers | {"Content-Encoding": "gzip"}
            api.packed += 1
        self.send_response(code)
        for name, value in (headers | {"Content-Type": "application/json", "Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if plural in api.cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients of these tests come and go as they like."""


@contextmanager
def kube_api(
    items: dict[str, list[Any]] | None = None,
    *,
    address: str = "127.0.0.1",
    enter: Callable[[], None] = lambda: None,
    client_ca: str = "",
    tls: bool = True,
):
    """A KubeApi that listens. enter: called first in its thread, to move it into another network namespace.

    client_ca: who may come with a certificate instead of a token. tls: False for plain HTTP, as `kubectl proxy`.
    """
    api = KubeApi(recorded() if items is None else items)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(issue(CLUSTER_CA, (address,)).chain_and_key_pem)
        file.flush()
        context.load_cert_chain(file.name)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca)
        api.tokens.add("")
    started: queue.Queue[_Server] = queue.Queue()

    def serve() -> None:
        enter()
        made = _Server((address, 0), type("Handler", (_Handler,), {"api": api}))
        if tls:
            made.socket = context.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
        started.put(made)
        made.serve_forever(0.02)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    server = started.get(timeout=10)
    api.url = f"{'https' if tls else 'http'}://{address}:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
