"""A connection with the TLS client of golang/tls, over a Stream: the second opinion after OpenSSL's.

It makes the handshake as Go does where OpenSSL refuses it and Go may not, or refuses without Go's reason. What is
sent over it is as harmless as over any other: HEAD /, or what discovery of OIDC asks for.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from egressprobe.apiserver.kube_version import Hello
from egressprobe.golang.tls_record import TLS_1_3, CloseNotifyError, GoTlsError
from egressprobe.model.failure import Failure, Phase
from egressprobe.model.measurement import Handshake
from egressprobe.probe.transport.certificate_check import Judgement, Trust, judge, unverified_days, views
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import TLS_LIMIT, Budget
from egressprobe.probe.transport.tls_failure import EndOfStreamError, stream_failure

if TYPE_CHECKING:
    from egressprobe.golang.tls.client import GoTlsClient

_CLOSE_LIMIT = 0.5
_WARNING, _FATAL = 1, 2
_CLOSE_NOTIFY, _ILLEGAL_PARAMETER = 0, 47


class GoSession:
    """A TLS client with the Stream's methods, which raise GoTlsError, OSError, TimeoutError, EndOfStreamError."""

    def __init__(self, stream: Stream, client: "GoTlsClient") -> None:
        self.stream, self.client = stream, client
        self.established = False

    async def handshake(self, until: float) -> None:
        """Also raises what the judge of the chain raises."""
        try:
            await self._flush(until)
            while self.client.selected is None:
                before = self.client.records.read
                self.client.feed(await self._receive(until))
                self.stream.budget.charge(0, self.client.records.read - before)
                await self._flush(until)
        except GoTlsError as error:
            await self._refuse(error)
            raise
        self.established = True

    @property
    def protocol(self) -> str | None:
        return self.client.selected.alpn if self.client.selected else None

    async def send(self, data: bytes, until: float) -> None:
        await self.stream.send(self.client.seal(data), until)

    async def receive(self, until: float) -> bytes:
        """The next bytes of the application; empty after close_notify."""
        data = b""
        try:
            while not (plain := self.client.read(data)):
                await self._flush(until)
                data = await self._receive(until)
        except CloseNotifyError:
            return b""
        except GoTlsError as error:
            await self._refuse(error)
            raise
        return plain

    async def _receive(self, until: float) -> bytes:
        data = await self.stream.receive(until)
        if not data:
            raise EndOfStreamError(partial=self.client.records.inside)
        return data

    async def _flush(self, until: float) -> None:
        data = bytes(self.client.output)
        if data:
            self.client.output.clear()
            await self.stream.send(data, until)

    async def _refuse(self, error: GoTlsError) -> None:
        """Tell the server, whose log then has a reason."""
        if "remote error" not in str(error):
            with suppress(OSError, TimeoutError):
                until = asyncio.get_running_loop().time() + _CLOSE_LIMIT
                await self.stream.send(self.client.alert(_FATAL, _ILLEGAL_PARAMETER), until)

    async def close_notify(self) -> None:
        """Send close_notify and close."""
        if self.established:
            with suppress(OSError, TimeoutError):
                until = asyncio.get_running_loop().time() + _CLOSE_LIMIT
                await self.stream.send(self.client.alert(_WARNING, _CLOSE_NOTIFY), until)
        self.close()

    def close(self) -> None:
        self.stream.close()


class _ChainRefusedError(Exception):
    """Go's rules refuse the chain."""


class GoOffer(NamedTuple):
    """name: sent as SNI, None to send none. trust: what the chain is judged against, None where it is not verified."""

    name: str | None
    alpn: tuple[str, ...]
    hello: Hello
    trust: Trust | None


async def go_handshake(stream: Stream, offer: GoOffer, budget: Budget) -> tuple[GoSession, Handshake, Failure | None]:
    """One handshake on a connected stream, for at most TLS_LIMIT seconds. Failures are data (as tls.tls_handshake)."""
    # Their library costs start time, and is rarely needed.
    from egressprobe.golang.tls.client import GoTlsClient
    from egressprobe.golang.tls.client_hello import HelloTerms

    trust = offer.trust
    terms = HelloTerms(offer.name, offer.alpn, offer.hello.groups, offer.hello.release)
    judgement: Judgement | None = None

    def judge_chain(chain: Sequence[bytes]) -> None:
        nonlocal judgement
        if trust is not None:
            judgement = judge(chain, trust, datetime.now(UTC))
            if judgement.failure is not None:
                raise _ChainRefusedError

    loop = asyncio.get_running_loop()
    session = GoSession(stream, GoTlsClient(terms, offer.hello.release, judge_chain))
    started = time.perf_counter()
    failure: Failure | None = None
    try:
        await session.handshake(budget.until(loop.time(), TLS_LIMIT))
    except _ChainRefusedError:
        failure = judgement.failure if judgement else None
    except (OSError, EndOfStreamError) as error:
        waited = time.perf_counter() - started
        failure = stream_failure(error, stream, Phase.TLS, waited, ran_out=budget.ran_out(loop.time()))
    user_seconds = time.perf_counter() - started
    return session, _record(session, judgement, offer.name, user_seconds), failure


def _record(session: GoSession, judgement: Judgement | None, name: str | None, user_seconds: float) -> Handshake:
    stream, client = session.stream, session.client
    chain, selected = client.flight.certificates, client.selected
    if judgement is None:
        judgement = Judgement(None, *unverified_days(chain, datetime.now(UTC)))
    first_byte = stream.first_byte_seconds
    on_wire = stream.lap()
    return Handshake(
        duration_ms=round((on_wire or user_seconds) * 1e3, 3),
        user_ms=round(user_seconds * 1e3, 3),
        first_byte_ms=None if first_byte is None else round(first_byte * 1e3, 3),
        version=("TLS 1.3" if selected.version == TLS_1_3 else "TLS 1.2") if selected else None,
        cipher=selected.suite.name if selected else None,
        group=client.flight.group,
        hello_retry=client.flight.retry,
        alpn=session.protocol,
        server_name=name,
        hello_bytes=client.hello_size,
        chain=views(chain),
        days_remaining=None if judgement.days is None else round(judgement.days, 2),
        expires_soon=judgement.soon,
    )
