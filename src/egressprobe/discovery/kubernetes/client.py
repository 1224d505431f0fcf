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
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

import httpcore

from egressprobe.apiserver.client_rules import WEBHOOK_ALPN
from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.catalog.findings_cluster import API_SERVER_UNREACHABLE, TOKEN_REFUSED
from egressprobe.discovery.kubernetes.api_server import ApiServer
from egressprobe.discovery.kubernetes.connection import MAX_PAGE, ListConnection
from egressprobe.discovery.kubernetes.resources import ListPage, Resource, read_page
from egressprobe.discovery.kubernetes.responses import (
    TransientError,
    UnreadableError,
    good_body,
    unreadable,
)
from egressprobe.golang.http.proxy import Proxy
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.golang.x509.ca_bundle import bundle_id
from egressprobe.model.errors import InputError
from egressprobe.model.failure import Failure
from egressprobe.model.target import DEFAULT_KUBE_VERSION, Endpoint, Kind, Plan, Target
from egressprobe.net.addresses import is_address
from egressprobe.net.guard import Guard
from egressprobe.net.urls import HostPort, parse_url, shown
from egressprobe.probe.hop import Prober
from egressprobe.probe.transport.exchange import USER_AGENT
from egressprobe.probe.transport.http.proxy import authorization, proxy_dialer
from egressprobe.probe.transport.http.wire import TooLargeError
from egressprobe.probe.transport.resolve import resolve, system_config
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls import Channel, Session
from egressprobe.probe.transport.tls_context import CLIENT_CERTIFICATE, Offer, context, groups, system_roots

_AT_ONCE = 3
_CONNECT_SECONDS = 15.0
# Pause before each retry of a transient error. Seconds.
logger = logging.getLogger("egressprobe")
_RETRIES = (0.5, 2.0)


class KubernetesSource:
    """A Source (run.py). seconds: for everything; guard: of the addresses dialled."""

    def __init__(
        self, server: ApiServer, *, seconds: float, guard: Guard, config: ResolverConfig | None = None
    ) -> None:
        self._server = server
        # A token never goes out in the clear.
        self._at = parse_url(server.url, ("https",) if server.token else ("https", "http"))
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
        # Behind a proxy the addresses are the proxy's to choose.
        self._prober = Prober(self._plan, self._config, (lambda _: None) if server.proxy else guard, self._ends)
        self._forwarded = server.proxy is not None and self._at.scheme == "http" and not server.proxy.is_socks
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._token = server.token() if server.token else None
        self._fixed_headers = (
            (b"Host", self._at.authority.encode()),
            (b"Accept", b"application/json"),
            *(((b"Accept-Encoding", b"gzip"),) if server.compress else ()),
            (b"User-Agent", USER_AGENT.encode()),
            *((name.encode(), value.encode()) for name, value in server.headers),
        )
        if server.proxy:
            self._use_proxy(server.proxy)
        self._unreachable: UnreadableError | None = None
        if server.certificate:
            self._identify(*server.certificate)

    def _use_proxy(self, proxy: Proxy) -> None:
        if self._forwarded:
            self._fixed_headers += tuple((b"Proxy-Authorization", value.encode()) for value in authorization(proxy))
        tunnel = None if self._forwarded else Endpoint(self._at.host, self._at.port)

        async def handshake(stream: Stream, host: str, budget: Budget) -> tuple[Session, Failure | None]:
            return await self._prober.handshake(self._target, stream, self._server.name or host, budget)

        self._prober.dial = proxy_dialer(proxy, tunnel, self._config, handshake)

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
            connection = ListConnection(self)
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

    async def _page(self, connection: ListConnection, resource: Resource, limit: int, token: str) -> bytes:
        """One page, with retries. Raises UnreadableError, ExpiredError and TooLargeError."""
        path = f"{resource.path}?limit={limit}" + (f"&continue={quote(token, safe='')}" if token else "")
        renewed = False
        for pause in (*_RETRIES, None):
            try:
                response = await connection.get(path)
                if response.status == 401 and not renewed and self._server.token:
                    renewed, self._token = True, self._renewed_token(self._server.token)
                    response = await connection.get(path)
                logger.debug("GET %s from the API server: %s", resource.path, response.status)
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

    def request(self, path: str) -> httpcore.Request:
        """A GET of a path. It holds secrets: never print it, nor httpcore's errors about it."""
        token = ((b"Authorization", b"Bearer " + self._token.encode()),) if self._token else ()
        url = httpcore.URL(self._server.url.rstrip("/") + path)
        if self._forwarded:  # RFC 9112 section 3.2.2: to a proxy the whole URL
            url = httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=bytes(url))
        return httpcore.Request("GET", url, headers=[*self._fixed_headers, *token])

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
        place = HostPort(self._at.scheme, self._target.host, self._at.port, "/")
        failure: Failure | None = None
        addresses: tuple[str, ...] = (self._at.host,)
        if self._server.proxy is None and not is_address(self._at.host):
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
        through = ""
        if self._server.proxy:
            evidence["proxy"] = self._server.proxy.shown
            through = f" through the proxy {self._server.proxy.shown}"
        summary = f"the API server cannot be reached{through}: {message}"
        self._unreachable = UnreadableError(API_SERVER_UNREACHABLE, summary, evidence)
        raise self._unreachable
