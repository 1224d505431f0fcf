"""What one handshake of Go's client has: the messages read and sent, their transcript, and the keys in use. Pure."""

import os
from collections.abc import Callable, Generator, Sequence

from egressprobe.error_texts.tls import CERTIFICATE_UNREADABLE
from egressprobe.golang.release import GoRelease
from egressprobe.golang.tls.client_hello import HelloTerms, client_hello, first_shares, vector
from egressprobe.golang.tls.key_schedule import Secrets, Suite
from egressprobe.golang.tls.protection import Protection, Tls13Protection
from egressprobe.golang.tls.records import KeyedRecords
from egressprobe.golang.tls_client import ServerFlight
from egressprobe.golang.tls_hello import ServerHello, read_client_hello
from egressprobe.golang.tls_record import CHANGE_CIPHER_SPEC, HANDSHAKE, GoTlsError
from egressprobe.golang.x509.certificate import Certificate, parse
from egressprobe.golang.x509.der import CertificateError

_NOT_EMPTY = "tls: handshake buffer not empty before setting read traffic secret"

# Judges the chain when Go would. Raises what the caller wants to get.
type ChainJudge = Callable[[Sequence[bytes]], None]


class HandshakeState:
    """output: to be sent. strict: Go 1.26. traffic: the secrets of both sides in TLS 1.3."""

    def __init__(self, terms: HelloTerms, release: GoRelease, judge: ChainJudge) -> None:
        self.terms, self.judge = terms, judge
        self.strict = release >= GoRelease.V1_26
        self.random, self.session_id = os.urandom(32), os.urandom(32)
        self.shares = first_shares(terms)
        hello = client_hello(terms, self.random, self.session_id, self.shares)
        self.output = bytearray(bytes([HANDSHAKE, 3, 1]) + vector(hello, 2))
        self.records = KeyedRecords(release)
        self.flight = ServerFlight(read_client_hello(bytes(self.output), b"\0"), release)
        self.transcript = hello
        self.sealing: Protection | None = None
        self.secrets: Secrets | None = None
        self.traffic = {"c": b"", "s": b""}

    def record(self, *, expects_ccs: bool = False) -> Generator[None]:
        """One more record that counts."""
        while not self.records.next(expects_ccs=expects_ccs):
            yield

    def raw_message(self) -> Generator[None, None, bytes]:
        """The next message; its form has been checked."""
        while (message := self.records.message()) is None:
            yield from self.record()
        self.flight.check_form(message)
        return message

    def message(self) -> Generator[None, None, bytes]:
        """The next message, which belongs here and is in the transcript."""
        message = yield from self.raw_message()
        self.take(message)
        return message

    def take(self, message: bytes) -> None:
        """Check that a message belongs here, and add it to the transcript."""
        self.flight.step(message)
        self.transcript += message

    def send(self, message: bytes) -> None:
        """A handshake message."""
        self.transcript += message
        plain = bytes([HANDSHAKE, 3, 3]) + vector(message, 2)
        self.output += self.sealing.seal(HANDSHAKE, message) if self.sealing else plain

    def send_ccs(self) -> None:
        self.output += bytes([CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1])

    def open_with(self, suite: Suite, traffic: bytes) -> None:
        """SetReadTrafficSecret. Raises GoTlsError."""
        if self.strict and self.records.has_fragment:
            raise GoTlsError(_NOT_EMPTY)
        self.traffic["s"] = traffic
        self.records.opening = Tls13Protection(suite, traffic)

    def server_hello(self) -> ServerHello:
        """The last one that the flight took."""
        assert self.flight.hello is not None  # noqa: S101
        return self.flight.hello

    def leaf(self) -> Certificate:
        """Raises GoTlsError."""
        try:
            return parse(self.flight.certificates[0])
        except CertificateError as error:  # where the chain is not verified
            raise GoTlsError(CERTIFICATE_UNREADABLE.of(problem=error)) from None
