"""Measure: every phase by itself, every address of both families, at once. Nothing is judged here.

`Probe.measure` is total: network trouble is data in the measurement, and trouble of our own becomes
`internal_error` on this target alone.
"""

import asyncio
import logging
import ssl
import time
from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.addresses import is_address
from egressprobe.budget import OIDC_LIMIT, SLACK, Budget
from egressprobe.certificates import Trust, known
from egressprobe.connect import connect
from egressprobe.exchange import exchange
from egressprobe.failure import Code, Failure, Phase
from egressprobe.guard import Guard
from egressprobe.kubeversion import HELLOS
from egressprobe.ladder import CLIMBED, Climber, Shape
from egressprobe.lookup import ResolverConfig, server_text, split_server
from egressprobe.measured import Attempt, Handshake, Hop, Measurement, Resolution, Role
from egressprobe.model import Endpoint, Expect, Kind, Plan, Target
from egressprobe.refusal import refused
from egressprobe.resolve import compare, resolve
from egressprobe.rules import RULES
from egressprobe.slots import LADDERS
from egressprobe.stream import Stream
from egressprobe.tls import NO_COMMON_GROUP, Channel, Session, shake_hands
from egressprobe.tlsrecord import foreign
from egressprobe.trust import Offer, context, groups, system_roots
from egressprobe.urls import Place, parse_url, shown
from egressprobe.wire import keep_stamps, source_address, tcp_state

# Addresses of one target dialled at once; with slots.py this bounds the process's descriptors.
_DIALS = 8
# A dial with less time than this left would call a slow address silent. Seconds.
_LEAST_DIAL = 1.0

logger = logging.getLogger("egressprobe")


class Opened(NamedTuple):
    """An open connection after its attempt: a TLS session or a plain stream."""

    attempt: Attempt
    channel: Channel | None


class _Terms(NamedTuple):
    """How one handshake is made: whether OpenSSL verifies, the group offered, who has climbed the ladder."""

    verify: bool
    group: str
    climbed: set[str] | None


class Probe:
    """One run's engine: the plan's trust and resolvers, the guard, and the run's end (event loop time)."""

    def __init__(self, plan: Plan, config: ResolverConfig, guard: Guard, run_ends: float) -> None:
        self._plan, self._config, self._guard, self.run_ends = plan, config, guard, run_ends
        self._hello = HELLOS[plan.kube_version]
        self._ladders = asyncio.Semaphore(LADDERS)

    def prepare(self) -> None:
        """Do what blocks first, not among the measurements: trust stores and imports, for the kinds that are there."""
        keep_stamps()
        for target in self._plan.targets:
            if target.scheme != "tcp":
                with suppress(Exception):  # it fails again for its own target, where it is that target's unknown
                    self._context(target, verify=target.verify)
        if any(target.kind is Kind.OIDC for target in self._plan.targets):
            import egressprobe.oidcprobe  # 66 ms, 640 on a small Lambda
        if any(target.kind is Kind.AGGREGATED_API for target in self._plan.targets):
            import egressprobe.availability  # noqa: F401 (as above)

    def _context(self, target: Target, *, verify: bool, group: str | None = None) -> ssl.SSLContext:
        offer = Offer(RULES[target.kind].alpn, self._hello, groups(self._hello)[0] if group is None else group)
        return context(target.bundle, self._plan.bundles.get(target.bundle, ()), offer, verify=verify)

    async def measure(self, target: Target) -> Measurement:
        """Everything there is to see of one target. Never raises but for cancellation."""
        started = time.perf_counter()
        try:
            measured = await self._measure(target, self._budget(target))
        except Exception as error:
            logger.exception("measuring failed", extra={"target": target.name})
            said = f"egressprobe itself failed: {type(error).__name__}: {error}"
            measured = Measurement((), 0.0, failure=Failure(Phase.RESOLVE, Code.INTERNAL_ERROR, said))
        ms = round((time.perf_counter() - started) * 1e3, 3)
        return replace(measured, duration_ms=ms)

    def _budget(self, target: Target) -> Budget:
        """Starts when the slot is taken; ends a little after the API server's own call would."""
        limit = OIDC_LIMIT if target.kind is Kind.OIDC else float(target.timeout_seconds)
        return Budget(self.run_ends, asyncio.get_running_loop().time() + limit + SLACK)

    async def _measure(self, target: Target, budget: Budget) -> Measurement:
        if target.refusal is not None:
            return Measurement((refused(target, target.refusal),), 0.0)
        place = Place(target.scheme, target.host, target.port, target.path)
        beside: list[Future[Any]] = [
            asyncio.ensure_future(compare(target.host, server, budget)) for server in self._other_servers(target)
        ]
        if target.expect is Expect.BLOCKED and target.control:
            beside.append(asyncio.ensure_future(self._control(target, target.control, budget)))
        if target.kind is Kind.AGGREGATED_API:
            from egressprobe.availability import check

            beside.append(asyncio.ensure_future(check(self, target)))
        try:
            hop = await self.hop(target, "call", target.url, place, budget)
            hops: tuple[Hop, ...] = (hop,)
            if target.kind is Kind.OIDC:
                from egressprobe.oidcprobe import follow

                hops = await follow(self, target, hop, budget)
            seen = [await one for one in beside]
        finally:
            for one in beside:
                one.cancel()
        views = tuple(one for one in seen if isinstance(one, Resolution))
        other = {one.role: one for one in seen if isinstance(one, Hop)}
        return Measurement(hops, 0.0, views, other.get("control"), other.get("availability"))

    def _other_servers(self, target: Target) -> list[str]:
        """Name servers to compare with: the rest of DHCP's, and the VPC's own."""
        if target.endpoints or is_address(target.host):
            return []
        first, *rest = self._config.servers
        others = dict.fromkeys((*rest, *(server_text(*split_server(s)) for s in self._plan.compare_resolvers)))
        return [server for server in others if server != first]

    async def _control(self, target: Target, url: str, budget: Budget) -> Hop:
        """The positive control of a target that is expected to be blocked."""
        place = parse_url(url, ("tcp", "tls", "https"))
        return await self.hop(target, "control", url, place._replace(scheme="tcp"), budget)

    async def hop(self, target: Target, role: Role, url: str, place: Place, budget: Budget) -> Hop:
        """Resolve one host and dial every address of it."""
        resolution: Resolution | None = None
        if target.endpoints:
            endpoints: Sequence[Endpoint] = target.endpoints
        else:
            resolution = await self._resolve(place.host, budget)
            endpoints = [Endpoint(address, place.port) for address in resolution.addresses]
        after = budget.after_dns(asyncio.get_running_loop().time())
        # What must be blocked is not to be explained.
        climbed: set[str] | None = None if target.expect is Expect.BLOCKED else set()

        async def one(endpoint: Endpoint) -> Attempt:
            if after.call_ends - asyncio.get_running_loop().time() < _LEAST_DIAL:
                said = f"{endpoint}: not dialled, silent addresses before it took all the time"
                failure = Failure(Phase.CONNECT, Code.DEADLINE_EXCEEDED, said)
                return replace(_untried(endpoint), failure=failure, failure_ms=0.0)
            return await self._attempt(target, endpoint, place, after, climbed)

        return Hop(
            role=role,
            url=shown(url),
            host=place.host,
            port=place.port,
            resolution=resolution,
            attempts=await each(endpoints, one),
        )

    async def _resolve(self, host: str, budget: Budget) -> Resolution:
        if is_address(host):
            sources = {host: source_address(host)}
            return Resolution(host=host, origin="literal", ms=0.0, addresses=(host,), sources=sources)
        return await resolve(host, self._config, budget)

    async def _attempt(
        self, target: Target, endpoint: Endpoint, place: Place, budget: Budget, climbed: set[str] | None = None
    ) -> Attempt:
        """Connect, TLS and one exchange with one address, then a clean close."""
        attempt, channel = await self.open(target, endpoint, place, budget, climbed)
        if channel is None:
            return attempt
        if place.scheme == "tcp":
            channel.close()
            return attempt
        http = RULES[target.kind].http or place.scheme in ("https", "http")
        said = await exchange(channel, authority=place.authority, http=http, budget=budget)
        await channel.goodbye()
        return replace(
            attempt,
            exchange_ms=None if said.failure else said.ms,
            exchange_status=said.status,
            failure=said.failure,
            failure_ms=said.ms if said.failure else None,
        )

    async def open(
        self, target: Target, endpoint: Endpoint, place: Place, budget: Budget, climbed: set[str] | None = None
    ) -> Opened:
        """TCP and, where the scheme has it, TLS; the connection is left open only if both went well.

        climbed: the families of which an address has climbed the retry ladder; None: nobody climbs.
        """
        forbidden = self._guard(endpoint.address)
        if forbidden:
            refused = Failure(Phase.CONNECT, Code.TARGET_FORBIDDEN, f"never dialled: {forbidden}")
            return Opened(replace(_untried(endpoint), failure=refused, failure_ms=0.0), None)
        verify = target.verify and not known(target.bundle, place.host)
        terms = _Terms(verify, groups(self._hello)[0], climbed)
        opened = await self._open(target, endpoint, place, budget, terms)
        # Go's groups are not quite those that were offered: too many with OpenSSL's list, too few with one.
        tls = opened.attempt.tls
        if (tls and foreign(tls.group)) or (not self._hello.post_quantum and _lacks_the_group(opened.attempt)):
            for group in groups(self._hello)[1:]:
                other = await self._open(target, endpoint, place, budget, terms._replace(group=group, climbed=None))
                if not _lacks_the_group(other.attempt):
                    opened, terms = other, terms._replace(group=group)
                    break
        if opened.channel is None and opened.attempt.failure is None:
            # OpenSSL refuses what Go takes: once more without OpenSSL's opinion, judged by the same rules.
            opened = await self._open(target, endpoint, place, budget, terms._replace(verify=False))
        return opened

    async def _open(self, target: Target, endpoint: Endpoint, place: Place, budget: Budget, terms: "_Terms") -> Opened:
        """One connection on `terms`. Neither a channel nor a failure: OpenSSL refused what the rules take."""
        attempt = _untried(endpoint)
        stream, connected = await connect(endpoint, budget)
        if stream is None:
            return Opened(replace(attempt, failure=connected.failure, failure_ms=connected.ms), None)
        attempt = replace(attempt, connect_ms=connected.ms, connect_user_ms=connected.user_ms)
        if place.scheme in ("tcp", "http"):
            return Opened(attempt, stream)
        # Go sends no SNI for an address and strips a trailing dot (crypto/tls hostnameInSNI)
        name = None if is_address(place.host) else place.host.removesuffix(".")
        climber: Climber | None = None
        if terms.climbed is not None:
            shape = Shape(endpoint, name, RULES[target.kind].alpn, self._hello)
            climber = Climber(shape, self.run_ends, self._ladders, terms.climbed)
        keep = False
        try:
            session, handshake, failure = await self._shake_hands(target, stream, place.host, name, budget, terms)
            attempt = replace(attempt, tls=handshake, failure=failure)
            if failure is None:
                keep = session.established
                return Opened(attempt, session if keep else None)
            waited = handshake.user_ms if failure.code is Code.TLS_TIMEOUT else handshake.duration_ms
            attempt = replace(attempt, failure_ms=waited)
            if failure.code in CLIMBED and climber is not None:
                attempt = replace(attempt, tcp=tcp_state(stream.sock))
                stream.close()
                attempt = replace(attempt, ladder=await climber.top())
            return Opened(attempt, None)
        finally:
            if climber is not None:
                climber.leave()
            if not keep:
                stream.close()

    async def _shake_hands(
        self, target: Target, stream: Stream, host: str, name: str | None, budget: Budget, terms: "_Terms"
    ) -> tuple[Session, Handshake, Failure | None]:
        tls = self._context(target, verify=terms.verify, group=terms.group)
        anchors = self._plan.bundles.get(target.bundle, ())
        trust = Trust(host, lambda: anchors or system_roots(tls), bundle=target.bundle) if target.verify else None
        return await shake_hands(stream, tls, server_name=name, trust=trust, budget=budget)


async def each(endpoints: Sequence[Endpoint], dial: Callable[[Endpoint], Awaitable[Attempt]]) -> tuple[Attempt, ...]:
    """Every endpoint of a target, a few at once."""
    if len(endpoints) == 1:  # the usual case: no task for it
        return (await dial(endpoints[0]),)
    slots = asyncio.Semaphore(_DIALS)

    async def bounded(endpoint: Endpoint) -> Attempt:
        async with slots:
            return await dial(endpoint)

    return tuple(await asyncio.gather(*map(bounded, endpoints)))


def _lacks_the_group(attempt: Attempt) -> bool:
    """The alert of a server that shares no group with us; some just close."""
    failure = attempt.failure
    if failure is None:
        return False
    return failure.api_server_error == NO_COMMON_GROUP or failure.code in (Code.TLS_EOF, Code.TLS_RESET)


def _untried(endpoint: Endpoint) -> Attempt:
    return Attempt(endpoint.address, endpoint.port, endpoint.family)
