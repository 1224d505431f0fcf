"""The checks that Go's TLS client makes of a server's handshake messages, in Go's order and with Go's texts.

crypto/tls handshake_client.go, handshake_client_tls13.go, handshake_messages.go and key_agreement.go of Go 1.25 and
1.26. Pure: messages in, GoTlsError out. Signatures, key agreement and Finished are OpenSSL's to check, certificates
x509's. Where OpenSSL is as strict as Go, it stops the handshake; here is what OpenSSL accepts and Go does not, and
the text of what both refuse.

A server answers *our* ClientHello. It may select what OpenSSL offers and Go does not (X448, finite fields): that is
recorded in `group`, and the caller tries again with Go's groups.
"""

from collections.abc import Generator

from egressprobe.error_texts.tls import SELECTED_VERSION
from egressprobe.golang.release import GoRelease
from egressprobe.golang.tls_hello import (
    GROUP_NAMES,
    ClientOffer,
    Fields,
    ServerHello,
    read_server_hello,
)
from egressprobe.golang.tls_hello_checks import (
    check_encrypted_extensions,
    check_hello,
    check_old_hello,
    check_retry,
    check_share,
)
from egressprobe.golang.tls_messages import check_form
from egressprobe.golang.tls_record import (
    DECODE_ERROR,
    TLS_1_2,
    TLS_1_3,
    GoTlsError,
    RecordReader,
    local_error,
)

_HELLO_REQUEST, _SERVER_HELLO, _NEW_SESSION_TICKET, _ENCRYPTED_EXTENSIONS = 0, 2, 4, 8
_CERTIFICATE, _SERVER_KEY_EXCHANGE, _CERTIFICATE_REQUEST, _SERVER_HELLO_DONE = 11, 12, 13, 14
_CERTIFICATE_VERIFY, _FINISHED, _CERTIFICATE_STATUS, _KEY_UPDATE = 15, 20, 22, 24
# Go's type names, as %T prints them; those in _VERSIONED end in TLS13 there.
_TYPES = {
    _HELLO_REQUEST: "helloRequestMsg",
    1: "clientHelloMsg",
    _SERVER_HELLO: "serverHelloMsg",
    _NEW_SESSION_TICKET: "newSessionTicketMsg",
    5: "endOfEarlyDataMsg",
    _ENCRYPTED_EXTENSIONS: "encryptedExtensionsMsg",
    _CERTIFICATE: "certificateMsg",
    _SERVER_KEY_EXCHANGE: "serverKeyExchangeMsg",
    _CERTIFICATE_REQUEST: "certificateRequestMsg",
    _SERVER_HELLO_DONE: "serverHelloDoneMsg",
    _CERTIFICATE_VERIFY: "certificateVerifyMsg",
    16: "clientKeyExchangeMsg",
    _FINISHED: "finishedMsg",
    _CERTIFICATE_STATUS: "certificateStatusMsg",
    _KEY_UPDATE: "keyUpdateMsg",
}
_VERSIONED = {_NEW_SESSION_TICKET, _CERTIFICATE, _CERTIFICATE_REQUEST}
# crypto/tls/auth.go: what a TLS 1.3 CertificateVerify may use
_SCHEMES_TLS_1_3 = {0x0804, 0x0805, 0x0806, 0x0403, 0x0503, 0x0603, 0x0807}
_DOWNGRADES = {b"DOWNGRD\1", b"DOWNGRD\0"}  # RFC 8446 section 4.1.3
# Bytes of a record without content: the type and the tag of an AEAD, before TLS 1.3 the explicit nonce and the tag
_EMPTY_TLS_1_3 = 17
_EMPTY_TLS_1_2 = dict.fromkeys((0xC02B, 0xC02C, 0xC02F, 0xC030), 24) | dict.fromkeys((0xCCA8, 0xCCA9), 16)
_NAMED_CURVE = 3  # RFC 8422 section 5.4
_LAST_CURVE = 29  # X25519; hybrid groups are for TLS 1.3 only
_MAX_NON_ADVANCING = 16  # conn.go maxUselessRecords, handlePostHandshakeMessage


class ServerFlight:
    """What one server sends, checked message by message.

    hello, group, retry: what the server selected, and whether after a HelloRetryRequest. certificates: as sent, leaf
    first. protocol: of ALPN. All as far as they were read.
    """

    def __init__(self, offer: ClientOffer, release: GoRelease) -> None:
        self.hello: ServerHello | None = None
        self.group: str | None = None
        self.retry = False
        self.certificates: list[bytes] = []
        self.protocol = b""
        self.complete = False
        self.records = RecordReader(release)
        self._offer = offer
        self._release = release
        self._non_advancing = 0
        self._steps = self._handshake()
        next(self._steps)

    @property
    def version(self) -> int:
        return self.records.version

    def feed(self, data: bytes) -> None:
        """Bytes from the server, before OpenSSL gets them. Raises GoTlsError."""
        for message in self.records.feed(data):
            self._message(message)

    def decrypted(self, message: bytes) -> None:
        """A handshake message that was encrypted. Raises GoTlsError."""
        if self.complete:
            self.check_form(message)
            if self._release >= GoRelease.V1_26 and self.version == TLS_1_3:
                self._non_advancing += 1
                if self._non_advancing > _MAX_NON_ADVANCING:
                    raise GoTlsError("tls: too many non-advancing records")
            self.after_handshake(message)
        elif self.version == TLS_1_3:
            self._message(message)

    def close(self) -> None:
        """Read no further message: the generator that waits for one refers to us, a circle for the collector."""
        self._steps.close()

    def data_arrived(self) -> None:
        """Application data was read."""
        self._non_advancing = 0

    def _message(self, message: bytes) -> None:
        self.check_form(message)
        self.step(message)

    def step(self, message: bytes) -> None:
        """A message whose form is right: whether it belongs here. Raises GoTlsError."""
        try:
            self._steps.send(message)
        except StopIteration:  # after an error Go reads no more, but OpenSSL may report more
            pass

    def check_form(self, message: bytes) -> None:
        """conn.go unmarshalHandshakeMessage. Raises GoTlsError."""
        if message[0] != _SERVER_HELLO or self.hello is not None:  # the first is read by `step`
            check_form(message, self.version)

    def after_handshake(self, message: bytes) -> None:
        """conn.go handlePostHandshakeMessage, without its count. Raises GoTlsError."""
        kind = message[0]
        if self.version != TLS_1_3:
            if kind == _HELLO_REQUEST:
                raise local_error(100)  # RenegotiateNever: no renegotiation
            raise self.unexpected(_HELLO_REQUEST, kind)
        if kind not in (_NEW_SESSION_TICKET, _KEY_UPDATE):
            raise GoTlsError(f"tls: received unexpected handshake message of type *tls.{self._name(kind)}")

    def _name(self, kind: int) -> str:
        suffix = "TLS13" if self.version == TLS_1_3 and kind in _VERSIONED else ""
        return _TYPES[kind] + suffix

    def unexpected(self, wanted: int, kind: int) -> GoTlsError:
        """UnexpectedMessageError."""
        return GoTlsError(
            f"tls: received unexpected handshake message of type *tls.{self._name(kind)} "
            f"when waiting for *tls.{self._name(wanted)}"
        )

    def _handshake(self) -> Generator[None, bytes]:
        """The handshake, resumed with each message."""
        message = yield
        hello = self._server_hello(message)
        picked = hello.supported_version or hello.legacy_version
        if picked not in (TLS_1_2, TLS_1_3):
            raise UnsupportedVersionError(picked)
        self.records.version = picked
        if picked == TLS_1_2 and hello.random[24:] in _DOWNGRADES:
            raise GoTlsError("tls: downgrade attempt detected, possibly due to a MitM attack or a broken middlebox")
        yield from self._tls_1_3(hello) if picked == TLS_1_3 else self._tls_1_2(hello)

    def _server_hello(self, message: bytes) -> ServerHello:
        if message[0] != _SERVER_HELLO:
            raise self.unexpected(_SERVER_HELLO, message[0])
        self.hello = read_server_hello(message)
        return self.hello

    # -- TLS 1.3

    def _tls_1_3(self, hello: ServerHello) -> Generator[None, bytes]:
        check_hello(self._offer, hello)
        first = hello
        if hello.is_retry:
            self.retry = True
            check_retry(self._offer, hello)
            suite = hello.suite
            hello = self._server_hello((yield))
            check_hello(self._offer, hello, suite)
        check_share(self._offer, hello, first)
        self.group = GROUP_NAMES.get(hello.share_group, f"0x{hello.share_group:04x}")
        self.records.encrypted, self.records.empty_size = True, _EMPTY_TLS_1_3
        message = yield
        self._encrypted_extensions(message)
        message = yield
        if message[0] == _CERTIFICATE_REQUEST:
            message = yield
        if message[0] != _CERTIFICATE:
            raise self.unexpected(_CERTIFICATE, message[0])
        self._read_certificates(message, entries=True)
        if not self.certificates:
            raise GoTlsError("tls: received empty certificates message")
        message = yield
        if message[0] != _CERTIFICATE_VERIFY:
            raise self.unexpected(_CERTIFICATE_VERIFY, message[0])
        if int.from_bytes(message[4:6]) not in _SCHEMES_TLS_1_3:
            raise GoTlsError("tls: certificate used with invalid signature algorithm")
        message = yield
        if message[0] != _FINISHED:
            raise self.unexpected(_FINISHED, message[0])
        self.complete = True
        yield

    def _encrypted_extensions(self, message: bytes) -> None:
        if message[0] != _ENCRYPTED_EXTENSIONS:
            raise self.unexpected(_ENCRYPTED_EXTENSIONS, message[0])
        self.protocol = check_encrypted_extensions(self._offer, message)

    def _read_certificates(self, message: bytes, *, entries: bool) -> None:
        """entries: of TLS 1.3, with extensions each."""
        fields = Fields(message[4:])
        if entries and fields.vector(1):
            raise local_error(DECODE_ERROR)
        chain = Fields(fields.vector(3))
        fields.end()
        while chain.left:
            self.certificates.append(chain.vector(3))
            if entries:
                chain.vector(2)

    # -- TLS 1.2

    def _tls_1_2(self, hello: ServerHello) -> Generator[None, bytes]:
        check_old_hello(self._offer, hello, self._release)
        self.protocol = hello.alpn
        message = yield
        if message[0] == _CERTIFICATE:
            self._read_certificates(message, entries=False)
        if not self.certificates:
            raise self.unexpected(_CERTIFICATE, message[0])
        message = yield
        if message[0] == _CERTIFICATE_STATUS:
            if not hello.has_status:
                raise GoTlsError("tls: received unexpected CertificateStatus message")
            message = yield
        if message[0] == _SERVER_KEY_EXCHANGE:
            self._server_key_exchange(message[4:])
            message = yield
        if message[0] == _CERTIFICATE_REQUEST:
            message = yield
        if message[0] != _SERVER_HELLO_DONE:
            raise self.unexpected(_SERVER_HELLO_DONE, message[0])
        if self.group is None:
            raise GoTlsError("tls: missing ServerKeyExchange message")
        self.check_ticket()
        self.records.expects_ccs, self.records.empty_size = True, _EMPTY_TLS_1_2.get(hello.suite, 0)
        yield

    def check_ticket(self) -> None:
        """readSessionTicket: Go has offered none. Raises GoTlsError."""
        if self.hello is not None and self.hello.has_ticket:
            raise GoTlsError("tls: server sent unrequested session ticket")

    def _server_key_exchange(self, body: bytes) -> None:
        """key_agreement.go ecdheKeyAgreement.processServerKeyExchange, up to the signature."""
        invalid = GoTlsError("tls: invalid ServerKeyExchange message")
        if len(body) < 4:
            raise invalid
        group = int.from_bytes(body[1:3])
        if body[0] != _NAMED_CURVE:
            raise GoTlsError("tls: server selected unsupported curve")
        if len(body) < 4 + body[3] + 2:
            raise invalid
        if group not in self._offer.groups:
            raise GoTlsError("tls: server selected unoffered curve")
        if group in GROUP_NAMES and group > _LAST_CURVE:
            raise GoTlsError("tls: server selected unsupported curve")
        self.group = GROUP_NAMES.get(group, f"0x{group:04x}")


class UnsupportedVersionError(GoTlsError):
    """pickTLSVersion: the server selected a version that Go does not offer."""

    def __init__(self, version: int) -> None:
        super().__init__(SELECTED_VERSION.of(version=version))
