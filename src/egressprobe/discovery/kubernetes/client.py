"""The only reader of the Kubernetes API: lists, page by page, over our own connections and rules.

- Name, dial, TLS and certificates are the probe's engine: the API server's certificate is verified as a Go client
  verifies it, against the cluster's CA alone, and a failure has its phase and code.
- GET and nothing else. A redirect is not followed: the token would go with it.
- A page is bounded. A larger one is requested again with fewer objects; one object that is too large is a finding, and
  so is a server that ignores `limit`.
- Transient errors are retried twice, with an expired continue token the list is read again from its start (run.py), a
  refused token is replaced once. The token is in no message, no log and no repr.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import httpcore

from egressprobe.apiserver.client_rules import WEBHOOK_ALPN
from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.catalog.findings_cluster import API_SERVER_UNREACHABLE, TOKEN_REFUSED
from egressprobe.discovery.kubernetes.resources import ListPage, Resource, read_page
from egressprobe.discovery.kubernetes.responses import (
    ListResponse,
    TransientError,
    UnreadableError,
    good_body,
    unreadable,
)
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.golang.x509.ca_bundle import bundle_id
from egressprobe.model.errors import InputError
from egressprobe.model.failure import Failure
from egressprobe.model.target import DEFAULT_KUBE_VERSION, Endpoint, Kind, Plan, Target
from egressprobe.net.addresses import is_address
from egressprobe.net.guard import Guard
from egressprobe.net.secrets import without_secrets
from egressprobe.net.urls import HostPort, parse_url, shown
from egressprobe.probe.hop import Prober
from egressprobe.probe.transport.exchange import USER_AGENT
from egressprobe.probe.transport.http.wire import TooLargeError, UnpackError, Wire, is_packed, read_body
from egressprobe.probe.transport.peer_limits import API_SERVER_LIMITS, PeerBudget
from egressprobe.probe.transport.resolve import resolve, system_config
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_context import CLIENT_CERTIFICATE, Offer, context, groups, system_roots

# Bytes of one page, unpacked; with three lists at once this bounds what discovery holds.
MAX_PAGE = 16 << 20
_AT_ONCE = 3
# Without any data; for one page. Seconds.
_SILENCE, _PAGE_SECONDS = 10.0, 30.0
_CONNECT_SECONDS = 15.0
# Pause before each retry of a transient error. Seconds.
_RETRIES = (0.5, 2.0)
_MAX_ERROR = 64 << 10


class ApiServer(NamedTuple):
    """Where and as whom to read.

    anchors: the cluster's CA, empty for the system roots. token: a bearer token, fresh at each call; None: the
    certificate alone. certificate: files of a client certificate and its key. name: sent as SNI and verified
    instead of the URL's host. headers: of each request, such as impersonation. compress: take gzip.
    """

    url: str
    anchors: tuple[bytes, ...]
    token: Callable[[], str] | None = None
    certificate: tuple[Path, Path] | None = None
    name: str | None = None
    verify: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    compress: bool = True

    def __repr__(self) -> str:
        return f"ApiServer({shown(self.url)!r})"


class KubernetesSource:
    """A Source (run.py). seconds: for everything; guard: of the addresses dialled."""

    def __init__(
        self, server: ApiServer, *, seconds: float, guard: Guard, config: ResolverConfig | None = None
    ) -> None:
        self._server = server
        self._at = parse_url(server.url, ("https",))
        host = server.name or self._at.host
        trusted = server.anchors
        bundle = bundle_id(trusted) if trusted else ""
        if server.certificate:
            # Contexts are cached by bundle for the life of the process: this one has a client certificate.
            trusted = trusted or system_roots(context("", (), Offer(WEBHOOK_ALPN), verify=True))
            bundle = f"{bundle}{CLIENT_CERTIFICATE}{server.certificate[0]}"
        self._target = Target(
            # A webhook's client offers HTTP/1.1 only, which is all we speak.
            Kind.WEBHOOK,
            "the API server",
            server.url,
            host=host,
            port=self._at.port,
            bundle=bundle,
            verify=server.verify,
        )
        self._plan = Plan((self._target,), {bundle: trusted} if bundle else {})
        self._config = config or system_config()
        self._ends = asyncio.get_running_loop().time() + seconds
        self._prober = Prober(self._plan, self._config, guard, self._ends)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._token = server.token() if server.token else None
        self._fixed_headers = (
            (b"Host", self._at.authority.encode()),
            (b"Accept", b"application/json"),
            *(((b"Accept-Encoding", b"gzip"),) if server.compress else ()),
            (b"User-Agent", USER_AGENT.encode()),
            *((name.encode(), value.encode()) for name, value in server.headers),
        )
        self._unreachable: UnreadableError | None = None
        if server.certificate:
            self._identify(*server.certificate)

    def _identify(self, certificate: Path, key: Path) -> None:
        hello = HELLOS[DEFAULT_KUBE_VERSION]
        for group in groups(hello):
            for verify in (True, False):
                offer = Offer(WEBHOOK_ALPN, hello, group)
                made = context(self._target.bundle, self._plan.bundles[self._target.bundle], offer, verify=verify)
                made.load_cert_chain(certificate, key)

    async def pages(self, resource: Resource) -> AsyncIterator[ListPage]:
        """Raises UnreadableError, ExpiredError and PageError."""
        async with self._slots:
            connection = _Connection(self)
            limit, token = resource.limit, ""
            try:
                while True:
                    try:
                        body = await self._page(connection, resource, limit, token)
                    except TooLargeError:
                        if limit == 1:
                            message = f"one page of one object is larger than {MAX_PAGE >> 20} MiB"
                            raise unreadable(resource, message) from None
                        limit = max(limit // 5, 1)
                        continue
                    page = read_page(body, resource)
                    yield page
                    token = page.next
                    if not token:
                        return
            finally:
                await connection.close()

    async def _page(self, connection: "_Connection", resource: Resource, limit: int, token: str) -> bytes:
        """One page, with retries. Raises UnreadableError, ExpiredError and TooLargeError."""
        path = f"{resource.path}?limit={limit}" + (f"&continue={quote(token, safe='')}" if token else "")
        renewed = False
        for pause in (*_RETRIES, None):
            try:
                response = await connection.get(path)
                if response.status == 401 and not renewed and self._server.token:
                    renewed, self._token = True, self._renewed_token(self._server.token)
                    response = await connection.get(path)
                return good_body(response, resource, going_on=bool(token))
            except TransientError as error:
                await connection.close()
                wait = max(pause or 0.0, error.pause)
                if pause is None or self.left() <= wait:
                    raise unreadable(resource, str(error)) from None
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    @staticmethod
    def _renewed_token(token: Callable[[], str]) -> str:
        try:
            return token()
        except InputError as error:  # a token file, or a plugin, that worked once
            raise UnreadableError(TOKEN_REFUSED, f"the token cannot be renewed: {error}", {}) from None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Of one request. They hold secrets: never print them, nor httpcore's errors about them."""
        token = ((b"Authorization", b"Bearer " + self._token.encode()),) if self._token else ()
        return [*self._fixed_headers, *token]

    def left(self) -> float:
        """Seconds until everything must be done."""
        return self._ends - asyncio.get_running_loop().time()

    async def open(self) -> Channel:
        """A connection to the first address that accepts one. A failure is remembered for the other lists.

        Raises UnreadableError.
        """
        if self._unreachable is not None:
            raise self._unreachable
        loop = asyncio.get_running_loop()
        budget = Budget(self._ends, loop.time() + _CONNECT_SECONDS)
        place = HostPort("https", self._target.host, self._at.port, "/")
        failure: Failure | None = None
        addresses: tuple[str, ...] = (self._at.host,)
        if not is_address(self._at.host):
            resolution = await resolve(self._at.host, self._config, budget)
            addresses, failure = resolution.addresses, resolution.failure
        for address in addresses:
            attempt, channel = await self._prober.open(
                self._target, Endpoint(address, self._at.port), place, budget.after_dns(loop.time())
            )
            if channel is not None:
                return channel
            failure = attempt.failure or failure
        code, message = (str(failure.code), failure.message) if failure else ("internal_error", "it has no address")
        evidence = {"endpoint": shown(self._server.url), "code": code, "phase": failure.phase if failure else None}
        summary = f"the API server cannot be reached: {message}"
        self._unreachable = UnreadableError(API_SERVER_UNREACHABLE, summary, evidence)
        raise self._unreachable

    @property
    def url(self) -> str:
        return self._server.url.rstrip("/")


class _Connection:
    """One connection that is kept while the server keeps it, and opened again when it does not."""

    def __init__(self, source: KubernetesSource) -> None:
        self._source = source
        self._channel: Channel | None = None
        self._http: httpcore.AsyncHTTP11Connection | None = None
        self._wire: Wire | None = None

    async def get(self, path: str) -> ListResponse:
        """Raises TransientError, TooLargeError, UnreadableError."""
        if self._http is None or not self._http.is_available():
            await self.close()
            await self._open()
        assert self._http is not None  # noqa: S101
        assert self._wire is not None  # noqa: S101
        if self._source.left() <= 0:
            raise TransientError("no time is left for discovery")
        try:
            async with asyncio.timeout(min(_PAGE_SECONDS, self._source.left())):
                self._wire.until = asyncio.get_running_loop().time() + _SILENCE
                response = await self._http.handle_async_request(
                    httpcore.Request("GET", self._source.url + path, headers=self._source.headers())
                )
                return await self._read(response)
        except TooLargeError:
            await self.close()
            raise
        except UnpackError as error:
            raise TransientError(f"the response cannot be decompressed: {error}") from None
        except TimeoutError:
            raise TransientError(f"a page took longer than {_PAGE_SECONDS:.0f} s, or all the time left") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise TransientError(self._describe(error)) from None

    async def _read(self, response: httpcore.Response) -> ListResponse:
        headers = {name.lower(): value for name, value in response.headers}
        most = MAX_PAGE if response.status == 200 else _MAX_ERROR
        try:
            body = await read_body(self._chunks(response), packed=is_packed(response.headers), most=most)
        except TooLargeError:
            if response.status == 200:
                raise
            body = b""
        with suppress(httpcore.NetworkError, httpcore.ProtocolError):
            await response.aclose()
        return ListResponse(response.status, headers, body)

    async def _chunks(self, response: httpcore.Response) -> AsyncIterator[bytes]:
        """The body; each chunk extends the time limit."""
        async for chunk in response.aiter_stream():
            if self._wire is not None:
                self._wire.until = asyncio.get_running_loop().time() + _SILENCE
            yield chunk

    def _describe(self, error: Exception) -> str:
        cause = self._wire.error if self._wire else None
        if isinstance(cause, TimeoutError):
            return f"the server said nothing for {_SILENCE:.0f} s"
        if isinstance(cause, ssl.SSLError):
            return f"TLS broke: {(cause.reason or '').lower() or cause}"
        if isinstance(error, httpcore.LocalProtocolError):
            return "the request cannot be sent"
        return f"the connection broke: {without_secrets(str(cause or error))}"

    async def _open(self) -> None:
        self._channel = await self._source.open()
        self._channel.stream.budget = PeerBudget(API_SERVER_LIMITS)
        self._wire = Wire(self._channel, 0.0)
        origin = httpcore.URL(self._source.url).origin
        self._http = httpcore.AsyncHTTP11Connection(origin=origin, stream=self._wire)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close_notify()
        self._channel = self._http = self._wire = None
