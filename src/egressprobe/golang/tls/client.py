"""Go's TLS client: bytes of the server in, bytes to send and those of the application out. Pure.

ServerFlight checks the order and the content of the messages; the handshakes here have the keys and the signatures. No
resumption, no client certificate: where one is requested the answer is an empty list, as kube-apiserver's to webhooks.
"""

from collections.abc import Generator
from typing import NamedTuple

from egressprobe.golang.release import GoRelease
from egressprobe.golang.tls.client_hello import HelloTerms
from egressprobe.golang.tls.handshake_12 import tls_1_2
from egressprobe.golang.tls.handshake_13 import tls_1_3
from egressprobe.golang.tls.handshake_state import ChainJudge, HandshakeState
from egressprobe.golang.tls.key_schedule import SUITES, Suite
from egressprobe.golang.tls.protection import Tls13Protection
from egressprobe.golang.tls_record import ALERT, APPLICATION_DATA, HANDSHAKE, TLS_1_3, GoTlsError

_KEY_UPDATE = 24
_MAX_RECORD = 16384
_MAX_USELESS_RECORDS = 16


class Selected(NamedTuple):
    """What the handshake agreed on."""

    version: int
    suite: Suite
    group: str | None
    alpn: str | None


class GoTlsClient:
    """Feed it what the server sends; `output` is to be sent. Methods raise GoTlsError, or what `judge` raises."""

    def __init__(self, terms: HelloTerms, release: GoRelease, judge: ChainJudge) -> None:
        self._state = HandshakeState(terms, release, judge)
        self.output, self.records, self.flight = self._state.output, self._state.records, self._state.flight
        self.hello_size = len(self.output)
        self.selected: Selected | None = None
        self._steps = self._handshake()
        next(self._steps)

    def feed(self, data: bytes) -> None:
        """Bytes of the server during the handshake; `selected` is set when it is done."""
        self.records.arrive(data)
        try:
            next(self._steps)
        except StopIteration:
            return

    def read(self, data: bytes) -> bytes:
        """Bytes of the server after the handshake; the application's, empty when more are needed (Conn.Read)."""
        records = self.records
        records.arrive(data)
        if not self._post_handshake():
            return b""
        while not records.application:
            if not (records.next() and self._post_handshake()):
                return b""
        application = bytes(records.application)
        records.application.clear()
        return application

    def seal(self, data: bytes) -> bytes:
        """Records of application data."""
        sealing = self._state.sealing
        assert sealing is not None  # noqa: S101 (after the handshake)
        pieces = [data[at : at + _MAX_RECORD] for at in range(0, len(data), _MAX_RECORD)]
        return b"".join(sealing.seal(APPLICATION_DATA, piece) for piece in pieces)

    def alert(self, level: int, number: int) -> bytes:
        """An alert record, under the keys that are in use."""
        content, sealing = bytes([level, number]), self._state.sealing
        return sealing.seal(ALERT, content) if sealing else bytes([ALERT, 3, 3, 0, 2]) + content

    def _handshake(self) -> Generator[None]:
        yield
        yield from self._state.message()
        self.records.version = self.flight.version
        yield from (tls_1_3 if self.flight.version == TLS_1_3 else tls_1_2)(self._state)
        self.records.complete = self.flight.complete = True
        hello = self._state.server_hello()
        name = self.flight.protocol.decode("ascii", "replace") or None
        self.selected = Selected(self.flight.version, SUITES[hello.suite], self.flight.group, name)

    def _post_handshake(self) -> bool:
        """Messages after the handshake. False: one of them is not whole yet."""
        records, flight = self.records, self.flight
        while records.has_fragment:
            message = records.message()
            if message is None:
                if not records.next():
                    return False
                continue
            flight.check_form(message)
            if flight.version == TLS_1_3:
                records.useless += 1
                if records.useless > _MAX_USELESS_RECORDS:
                    raise GoTlsError("tls: too many non-advancing records")
            flight.after_handshake(message)
            if message[0] == _KEY_UPDATE:
                self._update_keys(answer=message[4:] == b"\1")
        return True

    def _update_keys(self, *, answer: bool) -> None:
        state, secrets, sealing = self._state, self._state.secrets, self._state.sealing
        assert self.selected is not None  # noqa: S101 (after the handshake)
        assert secrets is not None  # noqa: S101
        assert sealing is not None  # noqa: S101
        suite = self.selected.suite
        if answer:
            self.output += sealing.seal(HANDSHAKE, bytes([_KEY_UPDATE, 0, 0, 1, 0]))
            state.traffic["c"] = secrets.next(state.traffic["c"])
            state.sealing = Tls13Protection(suite, state.traffic["c"])
        state.open_with(suite, secrets.next(state.traffic["s"]))
