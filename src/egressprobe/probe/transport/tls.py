"""The TLS phase: a driver over `ssl.MemoryBIO`.

`asyncio.open_connection(ssl=...)` discards the SSL object when a handshake fails, and with it the certificate chain
that identifies an intercepting firewall. Here each flight is written and read explicitly, so that times are separate
and the chain is available after a failure.

Two readers see the same handshake: OpenSSL does the cryptography, and golang/tls_client.py makes Go's checks, of the
plaintext before OpenSSL gets it, of decrypted messages as OpenSSL reports them. Go's refusal wins over OpenSSL's.
certificate_check.py judges the chain, as it was sent: when OpenSSL refuses it and Go would not, the handshake ends
without a failure and without being `established`, and the caller repeats it with a context that does not verify.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from egressprobe.apiserver.kube_version import CURRENT, Hello
from egressprobe.golang.tls_client import ServerFlight, UnsupportedVersionError
from egressprobe.golang.tls_record import ALERT, CloseNotifyError, GoTlsError, NotTlsError, RemoteAlertError, read_alert
from egressprobe.golang.x509.accepted_chains import remember_host
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Handshake
from egressprobe.probe.transport.certificate_check import Judgement, Trust, judge, unverified_days, views
from egressprobe.probe.transport.go_session import GoSession
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import TLS_LIMIT, Budget
from egressprobe.probe.transport.tls_context import ObservedConnection, ProbeContext, client_offer
from egressprobe.probe.transport.tls_failure import NO_COMMON_GROUP, EndOfStreamError, ssl_failure, stream_failure

_CLOSE_LIMIT = 0.5
_READ_SIZE = 64 * 1024
# Pieces of application data that are returned without letting other targets run.
_PIECES_AT_ONCE = 8
_SERVER_HELLO = 2
_FINAL = (NotTlsError, UnsupportedVersionError, RemoteAlertError, CloseNotifyError)  # whatever follows
_VERSIONS = {"TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}


class Session:
    """A TLS client over a Stream, with the Stream's methods.

    Methods raise ssl.SSLError, GoTlsError, OSError, TimeoutError, EndOfStreamError.
    """

    def __init__(self, stream: Stream, context: ProbeContext, server_name: str | None, hello: Hello = CURRENT) -> None:
        self.stream, self._context = stream, context
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = server_name.encode("ascii") if server_name else None
        self.ssl = cast("ObservedConnection", context.wrap_bio(self._incoming, self._outgoing, server_hostname=name))
        self.ssl.on_message = self._on_message
        self.hello_bytes, self.established = 0, False
        self.flight: ServerFlight | None = None
        self._hello = hello
        self._go_error: GoTlsError | None = None  # of a decrypted message
        self._pending: GoTlsError | None = None  # of a record that OpenSSL does not get
        self._pieces = 0
        self._all_read = False  # OpenSSL has read all that came
        self._doubt = False

    @property
    def doubtful(self) -> bool:
        """Whether Go may see this connection otherwise: OpenSSL refused it, or it hides what Go refuses."""
        return self._doubt or (self.flight is not None and self.flight.records.suspicious)

    async def handshake(self, until: float) -> None:
        await self._drive(self.ssl.do_handshake, until)
        self.established = True
        self._all_read = not self._incoming.pending
        if self.flight is not None:
            self.flight.complete = True

    @property
    def protocol(self) -> str | None:
        """The protocol that ALPN selected."""
        return self.ssl.selected_alpn_protocol()

    async def send(self, data: bytes, until: float) -> None:
        self.ssl.write(data)
        await self._flush(until)

    async def receive(self, until: float) -> bytes:
        """The next bytes of the application; empty after close_notify."""
        try:
            data = await self._drive(partial(self.ssl.read, _READ_SIZE), until)
        except ssl.SSLZeroReturnError:
            return b""
        if self.flight is not None:
            self.flight.data_arrived()
        self.stream.budget.charge(0)
        self._pieces += 1
        if self._pieces >= _PIECES_AT_ONCE:
            self._pieces = 0
            self.stream.budget.stop_cpu()
            await asyncio.sleep(0)
            self.stream.budget.start_cpu(asyncio.get_running_loop())
            if asyncio.get_running_loop().time() >= until:
                raise TimeoutError
        return data

    async def close_notify(self) -> None:
        """Send close_notify and close: without it servers log a TLS error each minute."""
        try:
            with suppress(ssl.SSLError):
                self.ssl.unwrap()
            await self._flush(asyncio.get_running_loop().time() + _CLOSE_LIMIT)
        except (ssl.SSLError, OSError):  # a TimeoutError among them
            pass
        self.close()

    def close(self) -> None:
        """Close the connection, and end the references in a circle, so that OpenSSL's memory is free at once."""
        self.ssl.on_message = None
        if self.flight is not None:
            self.flight.close()
        self.stream.close()

    async def flush_alert(self, until: float) -> None:
        """Send the alert that OpenSSL wrote when it refused, so that the server's log has the reason."""
        with suppress(OSError, TimeoutError):
            await self._flush(until)

    async def _drive[T](self, step: Callable[[], T], until: float) -> T:
        while True:
            if self._all_read:
                self._all_read = False  # the step would only ask for data, by an exception
            else:
                result, done = self._step(step)
                if self._outgoing.pending:
                    await self._flush(until)
                if done:
                    return cast("T", result)
            if self._pending is not None:
                raise self._pending
            data = await self.stream.receive(until)
            self._pieces = 0
            flight = self.flight
            if not data:
                raise EndOfStreamError(partial=flight is not None and flight.records.inside)
            if flight is not None:
                before = flight.records.records
                try:
                    flight.feed(data)
                except GoTlsError as error:  # once OpenSSL has read what came before
                    self._doubt = not isinstance(error, _FINAL)
                    self._pending, data = error, data[: flight.records.consumed]
                self.stream.budget.charge(0, flight.records.records - before)
            self._incoming.write(data)

    def _step(self, step: Callable[[], Any]) -> tuple[Any, bool]:
        """One call into OpenSSL, and whether it finished. Go's error for a message of this step wins."""
        try:
            result, done = step(), True
        except ssl.SSLWantReadError:
            result, done = None, False
        except ssl.SSLError as error:
            if self._go_error is not None:
                raise self._go_error from error
            ended = self.established and isinstance(error, ssl.SSLZeroReturnError)
            self._doubt = not (ended or isinstance(error, ssl.SSLCertVerificationError))
            raise
        if self._go_error is not None:
            raise self._go_error
        return result, done

    def _on_message(self, content_type: int, data: bytes) -> None:
        """A decrypted alert or handshake message; OpenSSL is in the middle of a step."""
        flight = self.flight
        if flight is None or self._go_error is not None:
            return
        try:
            if content_type == ALERT:
                error = read_alert(data, flight.version, self._hello.release)
                if error is not None and not isinstance(error, CloseNotifyError):
                    self._doubt = not self.established  # it may have come in the clear, before the version was known
                    raise error
            elif data[0] != _SERVER_HELLO:
                flight.decrypted(data)
        except GoTlsError as error:
            self._go_error = error

    async def _flush(self, until: float) -> None:
        data = self._outgoing.read()
        if not data:
            return
        if self.flight is None:
            self.hello_bytes = len(data)
            self.flight = ServerFlight(client_offer(self._context, data), self._hello.release)
        await self.stream.send(data, until)


# A connection with TLS or without: both have send, receive, close_notify and close.
type Channel = Session | GoSession | Stream


async def tls_handshake(
    stream: Stream,
    context: ProbeContext,
    *,
    server_name: str | None,
    trust: Trust | None,
    budget: Budget,
    hello: Hello = CURRENT,
) -> tuple[Session, Handshake, Failure | None]:
    """One handshake on a connected stream, for at most TLS_LIMIT seconds. Failures are data.

    server_name: the SNI, None to send none. trust: what the chain is judged against, None where the API server does
    not verify. hello: the Kubernetes version's, whose rules count.
    """
    loop = asyncio.get_running_loop()
    session = Session(stream, context, server_name, hello)
    until = budget.until(loop.time(), TLS_LIMIT)
    started = time.perf_counter()
    failure: Failure | None = None
    try:
        await session.handshake(until)
    except ssl.SSLCertVerificationError:
        await session.flush_alert(until)
    except (ssl.SSLError, OSError, EndOfStreamError) as error:
        waited = time.perf_counter() - started
        failure = _broken(session, error, trust, waited, ran_out=budget.ran_out(loop.time()))
        trust = None
        if isinstance(error, ssl.SSLError):
            await session.flush_alert(until)
    user_seconds = time.perf_counter() - started
    chain = _chain(session)
    group = session.flight.group if session.flight else None
    if failure is None and group is not None and group not in hello.groups:
        trust = None
        message = f"{stream.endpoint} selects the key exchange group {group}, which the API server does not offer"
        failure = Failure(Phase.TLS, Code.TLS_ALERT, message, NO_COMMON_GROUP)
    now = datetime.now(UTC)
    if trust is None:
        judgement = Judgement(failure, *unverified_days(chain, now))
    else:
        judgement = judge(chain, trust, now, _verified_path(session, context))
        if judgement.failure is None and session.established:
            remember_host(trust.bundle, trust.host)
    return session, _record(session, chain, judgement, server_name, user_seconds), judgement.failure


def _broken(session: Session, error: Exception, trust: Trust | None, waited: float, *, ran_out: bool) -> Failure:
    """Why a handshake failed. Go judges the chain as soon as it has it, before anything that follows."""
    flight = session.flight
    if (
        flight is not None
        and flight.certificates
        and trust is not None
        and isinstance(error, ssl.SSLError | GoTlsError)
    ):
        refused = judge(flight.certificates, trust, datetime.now(UTC)).failure
        if refused is not None:
            return refused
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLZeroReturnError) and flight is not None:
        return ssl_failure(error, str(session.stream.endpoint), flight.version, flight.certificates)
    return stream_failure(error, session.stream, Phase.TLS, waited, ran_out=ran_out)


def _chain(session: Session) -> list[bytes]:
    """The certificates as sent; OpenSSL's encoding of them where it does not report messages."""
    if session.flight is not None and session.flight.certificates:
        return list(session.flight.certificates)
    with suppress(ssl.SSLError, ValueError):
        return [bytes(der) for der in session.ssl.get_unverified_chain()]
    return []


def _verified_path(session: Session, context: ssl.SSLContext) -> list[bytes]:
    """The path that OpenSSL verified, leaf first; empty where it did not verify, or refused."""
    if session.established and context.verify_mode is not ssl.CERT_NONE:
        with suppress(ssl.SSLError, ValueError):
            return [bytes(der) for der in session.ssl.get_verified_chain()]
    return []


def _record(
    session: Session, chain: list[bytes], judgement: Judgement, server_name: str | None, user_seconds: float
) -> Handshake:
    stream, flight = session.stream, session.flight
    first_byte, on_wire = stream.first_byte_seconds, stream.lap()
    cipher, version = session.ssl.cipher(), session.ssl.version()
    return Handshake(
        duration_ms=round((on_wire or user_seconds) * 1e3, 3),
        user_ms=round(user_seconds * 1e3, 3),
        first_byte_ms=None if first_byte is None else round(first_byte * 1e3, 3),
        version=_VERSIONS.get(version, version) if version and cipher else None,
        cipher=cipher[0] if cipher else None,
        group=flight.group if flight else None,
        hello_retry=bool(flight and flight.retry),
        alpn=session.protocol,
        server_name=server_name,
        hello_bytes=session.hello_bytes,
        chain=views(chain),
        days_remaining=None if judgement.days is None else round(judgement.days, 2),
        expires_soon=judgement.soon,
    )
