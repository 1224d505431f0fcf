"""The TLS phase: a driver over `ssl.MemoryBIO`.

`asyncio.open_connection(ssl=...)` discards the SSL object when a handshake fails, and with it the certificate chain
that identifies an intercepting firewall. Here each flight is written and read explicitly, so that times are
separate, the chain is available after a failure, and the plaintext of the handshake is read (tls_record.py).

A failure has Go's text. certificate_check.py judges the chain: when OpenSSL refuses it and Go would not, the
handshake ends without a failure and without being `established`, and the caller repeats it with a context that
does not verify.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from egressprobe.model.failure import Code, Failure, Phase, classify_stream, errno_text
from egressprobe.model.measurement import Handshake
from egressprobe.probe.transport.certificate_check import Trust, days_left, remember, sound, views
from egressprobe.probe.transport.certificate_check import failure as chain_failure
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import TLS_LIMIT, Budget
from egressprobe.probe.transport.tls_record import (
    HEADER_SIZE,
    Boundary,
    ServerHello,
    alert_text,
    first_record_error,
    not_in_go,
)

_KEEP = 16 * 1024  # bytes of the raw answer: enough for any ServerHello
_CLOSE_LIMIT = 0.5
_READ_SIZE = 64 * 1024
_TLS_1_2 = 0x0303
# crypto/tls to a server that shares none of our groups, versions' ciphers or signature algorithms
NO_COMMON_GROUP = "remote error: tls: handshake failure"
_VERSIONS = {"TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}


class EndOfStreamError(EOFError):
    """The peer closed the connection; `partial` when inside a TLS record."""

    def __init__(self, *, partial: bool) -> None:
        super().__init__("unexpected EOF" if partial else "EOF")


class NotTlsError(ValueError):
    """The first bytes of the answer are not a TLS record; the text is Go's."""


class Session:
    """A TLS client over a Stream, with the Stream's methods.

    Methods raise ssl.SSLError, OSError, TimeoutError, EndOfStreamError, NotTlsError.
    """

    def __init__(self, stream: Stream, context: ssl.SSLContext, server_name: str | None) -> None:
        self.stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = server_name.encode("ascii") if server_name else None
        self.ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.raw = b""
        self.hello_bytes = 0
        self.established = False
        self._boundary = Boundary()

    async def handshake(self, until: float) -> None:
        await self._drive(self.ssl.do_handshake, until)
        self.established = True

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
            return await self._drive(lambda: self.ssl.read(_READ_SIZE), until)
        except ssl.SSLZeroReturnError:
            return b""

    async def close_notify(self) -> None:
        """Send close_notify and close: without it servers log a TLS error each minute."""
        with suppress(ssl.SSLError, OSError, TimeoutError):
            with suppress(ssl.SSLError):
                self.ssl.unwrap()
            await self._flush(asyncio.get_running_loop().time() + _CLOSE_LIMIT)
        self.close()

    def close(self) -> None:
        self.stream.close()

    async def flush_alert(self, until: float) -> None:
        """Send the alert that OpenSSL wrote when it refused, so that the server's log has the reason."""
        with suppress(OSError, TimeoutError):
            await self._flush(until)

    async def _drive[T](self, step: Callable[[], T], until: float) -> T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                if self._outgoing.pending:
                    await self._flush(until)
            else:
                if self._outgoing.pending:
                    await self._flush(until)
                return result
            data = await self.stream.receive(until)
            if not data:
                raise EndOfStreamError(partial=self._boundary.inside)
            self._see(data)
            self._incoming.write(data)

    def _see(self, data: bytes) -> None:
        begun = len(self.raw)
        if begun < _KEEP:
            self.raw += data
            error = first_record_error(self.raw) if begun < HEADER_SIZE else None
            if error:
                raise NotTlsError(error)
        self._boundary.feed(data)

    async def _flush(self, until: float) -> None:
        data = self._outgoing.read()
        if data:
            self.hello_bytes = self.hello_bytes or len(data)
            await self.stream.send(data, until)


# A connection with TLS or without: both have send, receive, close_notify and close.
type Channel = Session | Stream


async def tls_handshake(
    stream: Stream,
    context: ssl.SSLContext,
    *,
    server_name: str | None,
    trust: Trust | None,
    budget: Budget,
) -> tuple[Session, Handshake, Failure | None]:
    """One handshake on a connected stream, for at most TLS_LIMIT seconds. Failures are data.

    server_name: the SNI, None to send none. trust: what the chain is judged against, None where the API
    server does not verify.
    """
    loop = asyncio.get_running_loop()
    session = Session(stream, context, server_name)
    until = budget.until(loop.time(), TLS_LIMIT)
    started = time.perf_counter()
    failure: Failure | None = None
    try:
        await session.handshake(until)
    except ssl.SSLCertVerificationError:
        await session.flush_alert(until)
    except (ssl.SSLError, OSError, EndOfStreamError, NotTlsError) as error:
        trust = None  # there is no chain to judge
        waited = time.perf_counter() - started
        failure = _version_failure(error, ServerHello.parse(session.raw), str(stream.endpoint)) or stream_failure(
            error, stream, Phase.TLS, waited, ran_out=budget.ran_out(loop.time())
        )
        if isinstance(error, ssl.SSLError):
            await session.flush_alert(until)
    user_seconds = time.perf_counter() - started
    chain = _chain(session)
    hello = ServerHello.parse(session.raw)
    if failure is None and hello and not_in_go(hello.group):
        trust = None
        message = f"{stream.endpoint} selects the key exchange group {hello.group}, which the API server does not offer"
        failure = Failure(Phase.TLS, Code.TLS_ALERT, message, NO_COMMON_GROUP)
    if trust is not None:
        verified = context.verify_mode is not ssl.CERT_NONE or sound(trust, chain)
        failure = chain_failure(chain, trust, datetime.now(UTC), verified=session.established and verified)
        if failure is None and session.established:
            remember(trust, chain)
    return session, _record(session, chain, server_name, user_seconds, hello), failure


def _chain(session: Session) -> list[bytes]:
    with suppress(ssl.SSLError, ValueError):
        return [bytes(der) for der in session.ssl.get_unverified_chain()]
    return []


def _record(
    session: Session, chain: list[bytes], server_name: str | None, user_seconds: float, hello: ServerHello | None
) -> Handshake:
    stream = session.stream
    first_byte = stream.first_byte_seconds
    on_wire = stream.lap()
    cipher = session.ssl.cipher()
    version = session.ssl.version()
    days, soon = days_left(chain, datetime.now(UTC))
    return Handshake(
        duration_ms=round((on_wire or user_seconds) * 1e3, 3),
        user_ms=round(user_seconds * 1e3, 3),
        first_byte_ms=None if first_byte is None else round(first_byte * 1e3, 3),
        version=_VERSIONS.get(version, version) if version and cipher else None,
        cipher=cipher[0] if cipher else None,
        group=hello.group if hello else None,
        hello_retry=bool(hello and hello.retry),
        alpn=session.protocol,
        server_name=server_name,
        hello_bytes=session.hello_bytes,
        chain=views(chain),
        days_remaining=None if days is None else round(days, 2),
        expires_soon=soon,
    )


def stream_failure(error: Exception, stream: Stream, phase: Phase, waited: float, *, ran_out: bool) -> Failure:
    """The failure for an error on an established connection, in the TLS or the HTTP phase."""
    tls = phase is Phase.TLS
    where = str(stream.endpoint)
    if isinstance(error, TimeoutError):
        if ran_out:
            return Failure(phase, Code.DEADLINE_EXCEEDED, f"the run's deadline passed while waiting for {where}")
        what = "the ClientHello" if tls else "the request"
        code = Code.TLS_TIMEOUT if tls else Code.HTTP_TIMEOUT
        return Failure(phase, code, f"{where} does not answer {what}: no data for {waited:.1f} s")
    if isinstance(error, EndOfStreamError | ssl.SSLZeroReturnError):  # a close_notify is the end to Go as well
        code = Code.TLS_EOF if tls else Code.HTTP_RESET
        during = "in the handshake" if tls else "before it answered"
        text = str(error) if isinstance(error, EndOfStreamError) else "EOF"
        return Failure(phase, code, f"{where} closed the connection {during}", text)
    if isinstance(error, NotTlsError):
        return Failure(phase, Code.TLS_NOT_TLS, f"{where} does not speak TLS on this port", str(error))
    if isinstance(error, ssl.SSLError):
        return _ssl_failure(error, where)
    if isinstance(error, OSError):
        text = errno_text(error)
        return Failure(phase, classify_stream(error, phase), f"{where}: {text}", f"{stream.describe()}: {text}")
    raise error


def _version_failure(error: Exception, hello: ServerHello | None, where: str) -> Failure | None:
    """A server that selects a version we did not offer (crypto/tls/handshake_client.go pickTLSVersion)."""
    if not isinstance(error, ssl.SSLError) or hello is None or hello.version >= _TLS_1_2:
        return None
    text = f"tls: server selected unsupported protocol version {hello.version:x}"
    message = f"{where} supports only TLS versions older than 1.2"
    return Failure(Phase.TLS, Code.TLS_PROTOCOL_VERSION, message, text)


def _ssl_failure(error: ssl.SSLError, where: str) -> Failure:
    reason = error.reason or ""
    alert = alert_text(reason)
    if alert:
        version = alert == "protocol version not supported"
        code = Code.TLS_PROTOCOL_VERSION if version else Code.TLS_ALERT
        message = f'{where} refused with the alert "{alert}"'
        return Failure(Phase.TLS, code, message, f"remote error: tls: {alert}")
    message = f"{where}: the handshake failed ({reason.lower() or error})"
    return Failure(Phase.TLS, Code.TLS_ALERT, message, "tls: unexpected message")
