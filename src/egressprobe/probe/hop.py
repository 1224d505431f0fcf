"""One host of a target: its name resolved, every address of both families connected to, TLS, one exchange.

Every phase is timed by itself; no verdicts here. A network failure is data in the attempt, never an exception.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.apiserver.client_rules import RULES
from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.golang.release import GoRelease
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.golang.x509.accepted_chains import known
from egressprobe.model.failure import HANDSHAKE_CUT, Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Handshake, Hop, Resolution, Role
from egressprobe.model.target import Endpoint, Expect, Plan, Target
from egressprobe.net.addresses import is_address
from egressprobe.net.guard import Guard
from egressprobe.net.urls import HostPort, as_written, shown
from egressprobe.probe.concurrency import LADDERS
from egressprobe.probe.missing_group import lacks_the_group
from egressprobe.probe.retry_ladder import Climber, Shape
from egressprobe.probe.second_opinion import second_opinion, with_missing_group
from egressprobe.probe.transport.certificate_check import Trust
from egressprobe.probe.transport.connect import Dial, connect
from egressprobe.probe.transport.exchange import exchange
from egressprobe.probe.transport.go_session import GoOffer
from egressprobe.probe.transport.kernel_socket import source_address, tcp_state
from egressprobe.probe.transport.resolve import resolve
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls import Channel, Session, tls_handshake
from egressprobe.probe.transport.tls_context import Offer, ProbeContext, context, groups, system_roots
from egressprobe.probe.transport.tls_failure import NO_COMMON_GROUP

# Addresses of one target dialled at once; with concurrency.py this bounds the process's descriptors.
_DIALS = 8
# With less time than this left a slow address would be taken for a silent one. Seconds.
_LEAST_DIAL = 1.0
# Failures in which OpenSSL has no part.
_JUDGED = frozenset(code for code in Code if code.startswith("tls_cert_")) | {
    Code.TLS_UNKNOWN_AUTHORITY,
    Code.TLS_HOSTNAME_MISMATCH,
}
logger = logging.getLogger("egressprobe")


class Opened(NamedTuple):
    """An open connection after its attempt: a TLS session or a plain stream."""

    attempt: Attempt
    channel: Channel | None


class _Tried(NamedTuple):
    """An Opened. doubtful: OpenSSL refused what Go may not."""

    attempt: Attempt
    channel: Channel | None
    doubtful: bool = False


class _Terms(NamedTuple):
    """How one handshake is made: whether OpenSSL verifies, the group offered, who has climbed the ladder."""

    verify: bool
    group: str
    climbed: set[str] | None


class Prober:
    """One run's engine: the plan's trust and resolvers, the guard, and the run's end (event loop time)."""

    def __init__(self, plan: Plan, config: ResolverConfig, guard: Guard, run_ends: float, dial: Dial = connect) -> None:
        self.plan, self.config, self._guard, self.run_ends = plan, config, guard, run_ends
        self.hello = HELLOS[plan.kube_version]
        self._ladders = asyncio.Semaphore(LADDERS)
        self.dial = dial

    def context(self, target: Target, *, verify: bool, group: str | None = None) -> ProbeContext:
        offer = Offer(RULES[target.kind].alpn, self.hello, groups(self.hello)[0] if group is None else group)
        return context(target.bundle, self.plan.bundles.get(target.bundle, ()), offer, verify=verify)

    async def hop(self, target: Target, role: Role, url: str, host_port: HostPort, budget: Budget) -> Hop:
        """Resolve one host and dial every address of it."""
        resolution: Resolution | None = None
        endpoints: Sequence[Endpoint]
        unresolved: tuple[Attempt, ...] = ()
        if len(target.endpoints) == 1 and not is_address(target.endpoints[0].address):
            resolution = await self._resolve(target.endpoints[0].address, budget)
            endpoints = [Endpoint(address, target.endpoints[0].port) for address in resolution.addresses]
        elif target.endpoints:
            endpoints, unresolved = await self._resolved(target.endpoints, budget)
        else:
            resolution = await self._resolve(host_port.host, budget)
            endpoints = [Endpoint(address, host_port.port) for address in dict.fromkeys(resolution.addresses)]
        after = budget.after_dns(asyncio.get_running_loop().time())
        # For a target that must be blocked the cause is of no interest.
        climbed: set[str] | None = None if target.expect is Expect.BLOCKED else set()

        async def bounded(endpoint: Endpoint) -> Attempt:
            if after.call_ends - asyncio.get_running_loop().time() < _LEAST_DIAL:
                message = f"{endpoint}: not tried, silent addresses before it used up the time"
                failure = Failure(Phase.CONNECT, Code.DEADLINE_EXCEEDED, message)
                return replace(_untried(endpoint), failure=failure, failure_ms=0.0)
            return await self._attempt(target, endpoint, host_port, after, climbed)

        return Hop(
            role=role,
            url=shown(url),
            host=host_port.host,
            port=host_port.port,
            resolution=resolution,
            attempts=(*await each(endpoints, bounded), *unresolved),
        )

    async def _resolved(
        self, endpoints: Sequence[Endpoint], budget: Budget
    ) -> tuple[list[Endpoint], tuple[Attempt, ...]]:
        """Endpoints with the addresses of those that are host names; names that have none are failed attempts."""
        addressed: list[Endpoint] = []
        unresolved: list[Attempt] = []
        for endpoint in endpoints:
            resolution = await self._resolve(endpoint.address, budget) if not is_address(endpoint.address) else None
            if resolution is None:
                addressed.append(endpoint)
                continue
            addressed += [Endpoint(address, endpoint.port) for address in resolution.addresses]
            if not resolution.addresses:
                attempt = replace(_untried(endpoint), failure=resolution.failure, failure_ms=resolution.ms)
                unresolved.append(attempt)
        return list(dict.fromkeys(addressed)), tuple(unresolved)

    async def _resolve(self, host: str, budget: Budget) -> Resolution:
        if is_address(host):
            sources = {host: source_address(host)}
            return Resolution(host=host, origin="literal", ms=0.0, addresses=(host,), sources=sources)
        return await resolve(host, self.config, budget)

    async def _attempt(
        self, target: Target, endpoint: Endpoint, host_port: HostPort, budget: Budget, climbed: set[str] | None = None
    ) -> Attempt:
        """Connect, TLS and one exchange with one address, then a clean close."""
        opened = await self.open(target, endpoint, host_port, budget, climbed)
        attempt = await self._exchanged(opened, target, host_port, budget)
        if isinstance(opened.channel, Session) and opened.channel.doubtful:
            offer = self._go_offer(target, host_port)
            opened = Opened(*await second_opinion(self.dial, opened.attempt, offer, budget))
            attempt = await self._exchanged(opened, target, host_port, budget)
        return attempt

    async def _exchanged(self, opened: Opened, target: Target, host_port: HostPort, budget: Budget) -> Attempt:
        attempt, channel = opened.attempt, opened.channel
        if channel is None:
            return attempt
        if host_port.scheme == "tcp":
            channel.close()
            return attempt
        http = RULES[target.kind].http or host_port.scheme in ("https", "http")
        if target.exchange == "review" and http:
            from egressprobe.probe.admission_review import review  # HTTP costs start time, and few targets need it

            exchanged = await review(channel, target, budget, self.hello.release)
        else:
            exchanged = await exchange(channel, host_port.authority, budget, self.hello.release, http=http)
        await channel.close_notify()
        return replace(
            attempt,
            exchange_ms=None if exchanged.failure else exchanged.ms,
            exchange_status=exchanged.status,
            failure=exchanged.failure,
            failure_ms=exchanged.ms if exchanged.failure else None,
        )

    async def open(
        self, target: Target, endpoint: Endpoint, host_port: HostPort, budget: Budget, climbed: set[str] | None = None
    ) -> Opened:
        """TCP and, where the scheme has it, TLS; the connection is left open only if both went well.

        climbed: the families of which an address has used the retry ladder; None: no ladder.
        """
        forbidden = self._guard(endpoint.address)
        if forbidden:
            refused = Failure(Phase.CONNECT, Code.TARGET_FORBIDDEN, f"never connected to: {forbidden}")
            return Opened(replace(_untried(endpoint), failure=refused, failure_ms=0.0), None)
        verify = target.verify and not known(target.bundle, host_port.host)
        terms = _Terms(verify, groups(self.hello)[0], climbed)
        opened = await self._open(target, endpoint, host_port, budget, terms)
        # Go's groups are not quite those that were offered: too many with OpenSSL's list, too few with one.
        tls = opened.attempt.tls
        if (tls and tls.group and tls.group not in self.hello.groups) or (
            not self.hello.post_quantum and lacks_the_group(opened.attempt)
        ):
            for group in groups(self.hello)[1:]:
                other = await self._open(target, endpoint, host_port, budget, terms._replace(group=group, climbed=None))
                if not lacks_the_group(other.attempt):
                    opened, terms = other, terms._replace(group=group)
                    break
        if opened.channel is None and opened.attempt.failure is None:
            # OpenSSL rejects what Go accepts: once more without OpenSSL's verification, judged by the same rules.
            opened = await self._open(target, endpoint, host_port, budget, terms._replace(verify=False))
        failure = opened.attempt.failure
        no_group = failure is not None and failure.api_server_error == NO_COMMON_GROUP
        if not (opened.doubtful or no_group):
            return Opened(opened.attempt, opened.channel)
        lacks_suite = self.hello.release <= GoRelease.V1_22  # 3DES, which OpenSSL does not offer
        again = second_opinion if opened.doubtful or lacks_suite else with_missing_group
        return Opened(*await again(self.dial, opened.attempt, self._go_offer(target, host_port), budget))

    def _go_offer(self, target: Target, host_port: HostPort) -> GoOffer:
        trust = self._trust(target, host_port.host, self.context(target, verify=False))
        return GoOffer(_server_name(host_port.host), RULES[target.kind].alpn, self.hello, trust)

    async def _open(
        self, target: Target, endpoint: Endpoint, host_port: HostPort, budget: Budget, terms: "_Terms"
    ) -> _Tried:
        """One connection on `terms`. Neither a channel nor a failure: OpenSSL rejected what Go's rules accept."""
        attempt = _untried(endpoint)
        stream, connected = await self.dial(endpoint, budget)
        if stream is None:
            return _Tried(replace(attempt, failure=connected.failure, failure_ms=connected.ms), None)
        attempt = replace(attempt, connect_ms=connected.ms, connect_user_ms=connected.user_ms)
        if host_port.scheme in ("tcp", "http"):
            return _Tried(attempt, stream)
        name = _server_name(host_port.host)
        climber: Climber | None = None
        if terms.climbed is not None:
            shape = Shape(endpoint, name, RULES[target.kind].alpn, self.hello, self.dial)
            climber = Climber(shape, self.run_ends, self._ladders, terms.climbed)
        keep = False
        try:
            session, handshake, failure = await self._tls_handshake(target, stream, host_port.host, name, budget, terms)
            attempt = replace(attempt, tls=handshake, failure=failure)
            if failure is None:
                keep = session.established
                return _Tried(attempt, session if keep else None)
            waited = handshake.user_ms if failure.code is Code.TLS_TIMEOUT else handshake.duration_ms
            attempt = replace(attempt, failure_ms=waited)
            if session.doubtful and failure.code not in _JUDGED | HANDSHAKE_CUT:
                return _Tried(attempt, None, doubtful=True)
            if failure.code in HANDSHAKE_CUT and climber is not None:
                attempt = replace(attempt, tcp=tcp_state(stream.sock))
                stream.close()
                attempt = replace(attempt, ladder=await climber.top())
            return _Tried(attempt, None)
        finally:
            if climber is not None:
                climber.leave()
            if not keep:
                stream.close()

    async def handshake(
        self, target: Target, stream: Stream, host: str, budget: Budget
    ) -> tuple[Session, Failure | None]:
        """TLS as with `target`, but with `host`, and verified by Go's rules alone."""
        name = _server_name(host)
        terms = _Terms(verify=False, group=groups(self.hello)[0], climbed=None)
        session, _, failure = await self._tls_handshake(target, stream, host, name, budget, terms)
        return session, failure

    async def _tls_handshake(
        self, target: Target, stream: Stream, host: str, name: str | None, budget: Budget, terms: "_Terms"
    ) -> tuple[Session, Handshake, Failure | None]:
        tls = self.context(target, verify=terms.verify, group=terms.group)
        trust = self._trust(target, host, tls)
        return await tls_handshake(stream, tls, server_name=name, trust=trust, budget=budget, hello=self.hello)

    def _trust(self, target: Target, host: str, tls: ssl.SSLContext) -> Trust | None:
        """What the chain is judged against; None where the API server does not verify."""
        if not target.verify:
            return None
        anchors, host = self.plan.bundles.get(target.bundle, ()), as_written(target.url, host)
        return Trust(host, lambda: anchors or system_roots(tls), target.bundle, self.hello.release)


async def each(endpoints: Sequence[Endpoint], dial: Callable[[Endpoint], Awaitable[Attempt]]) -> tuple[Attempt, ...]:
    """Every endpoint of a target, a few at once."""
    if len(endpoints) == 1:  # the usual case: no task for it
        return (await dial(endpoints[0]),)
    slots = asyncio.Semaphore(_DIALS)

    async def bounded(endpoint: Endpoint) -> Attempt:
        async with slots:
            return await dial(endpoint)

    return tuple(await asyncio.gather(*map(bounded, endpoints)))


def _server_name(host: str) -> str | None:
    """Go sends no SNI for an address and strips a trailing dot (crypto/tls hostnameInSNI)."""
    return None if is_address(host) else host.removesuffix(".")


def _untried(endpoint: Endpoint) -> Attempt:
    return Attempt(endpoint.address, endpoint.port, endpoint.family)
