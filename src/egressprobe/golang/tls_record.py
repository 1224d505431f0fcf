"""The TLS record layer as Go's client reads it: crypto/tls/conn.go readRecordOrCCS, alert.go (Go 1.25, 1.26).

Pure. `RecordReader` gets the bytes of a server before OpenSSL does. It reassembles the plaintext handshake messages,
however they are cut into records, and raises Go's error where Go would fail. Of encrypted records it checks what is
visible: type, version and length.
"""

from collections.abc import Iterator

from egressprobe.error_texts.tls import HTTP_RESPONSE, LOCAL_ALERT, NOT_TLS, REMOTE_ALERT, SSL_2
from egressprobe.golang.release import DEFAULT_RELEASE, GoRelease

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
HEADER_SIZE = 5
TLS_1_2, TLS_1_3 = 0x0303, 0x0304
_USUAL_HEADER = bytes((APPLICATION_DATA, 3, 3))  # of an encrypted record; then its length
_CLOSE_NOTIFY, _USER_CANCELED = 0, 90
_WARNING, _FATAL = 1, 2
# crypto/tls/common.go
_MAX_PLAINTEXT = 16384
_MAX_CIPHERTEXT = {TLS_1_3: _MAX_PLAINTEXT + 256}
_MAX_CIPHERTEXT_OLD = _MAX_PLAINTEXT + 2048
_MAX_USELESS_RECORDS = 16
_MAX_HANDSHAKE, _MAX_HANDSHAKE_CERTIFICATE = 65536, 262144
_CERTIFICATE = 11
_SSL_2 = 0x80  # the first byte of a record of SSL 2.0
# crypto/tls/alert.go alertText
ALERT_TEXTS = {
    0: "close notify",
    10: "unexpected message",
    20: "bad record MAC",
    21: "decryption failed",
    22: "record overflow",
    30: "decompression failure",
    40: "handshake failure",
    42: "bad certificate",
    43: "unsupported certificate",
    44: "revoked certificate",
    45: "expired certificate",
    46: "unknown certificate",
    47: "illegal parameter",
    48: "unknown certificate authority",
    49: "access denied",
    50: "error decoding message",
    51: "error decrypting message",
    60: "export restriction",
    70: "protocol version not supported",
    71: "insufficient security level",
    80: "internal error",
    86: "inappropriate fallback",
    90: "user canceled",
    100: "no renegotiation",
    109: "missing extension",
    110: "unsupported extension",
    111: "certificate unobtainable",
    112: "unrecognized name",
    113: "bad certificate status response",
    114: "bad certificate hash value",
    115: "unknown PSK identity",
    116: "certificate required",
    120: "no application protocol",
    121: "encrypted client hello required",
}
PROTOCOL_VERSION = 70
UNEXPECTED_MESSAGE, BAD_RECORD_MAC, RECORD_OVERFLOW, DECODE_ERROR = 10, 20, 22, 50


class GoTlsError(OSError):
    """Go's client fails here; the text is Go's."""


class NotTlsError(GoTlsError):
    """The first bytes of the answer are not a TLS record."""


class RemoteAlertError(GoTlsError):
    """The server sent a fatal alert. number: RFC 8446 section 6."""

    def __init__(self, number: int) -> None:
        super().__init__(REMOTE_ALERT.of(problem=alert_text(number)))
        self.number = number


class CloseNotifyError(GoTlsError):
    """The server ended the connection with close_notify."""


def alert_text(number: int) -> str:
    """Go's text of an alert."""
    return ALERT_TEXTS.get(number, f"alert({number})")


def local_error(number: int) -> GoTlsError:
    """The error of a client that sends the alert `number`: Go's net.OpError."""
    return GoTlsError(LOCAL_ALERT.of(problem=alert_text(number)))


def read_alert(data: bytes, version: int, release: GoRelease) -> GoTlsError | None:
    """The error for the content of an alert record; None for one that Go ignores. version: 0 before it is known."""
    if len(data) != 2:
        return local_error(UNEXPECTED_MESSAGE)
    level, number = data
    if number == _CLOSE_NOTIFY:
        return CloseNotifyError("EOF")
    if version == TLS_1_3:
        ignored = number == _USER_CANCELED and release >= GoRelease.V1_25
        return None if ignored else RemoteAlertError(number)
    if level == _WARNING:
        return None
    return RemoteAlertError(number) if level == _FATAL else local_error(UNEXPECTED_MESSAGE)


class RecordReader:
    """The records of one server.

    suspicious: something came that OpenSSL may take otherwise than Go. inside: whether the bytes so far end inside a
    record. records: how many have begun. consumed: bytes of the last `feed` up to the end of the last record without
    an error.
    version: 0 until the caller has read a ServerHello. expects_ccs, encrypted: set by the caller as the handshake
    goes on; `encrypted` follows by itself after a change_cipher_spec of TLS 1.2.
    """

    def __init__(self, release: GoRelease = DEFAULT_RELEASE) -> None:
        self.records = self.consumed = 0
        self._release = release
        self.suspicious = False
        self.version = 0
        self.encrypted = self.expects_ccs = False
        self.empty_size = 0  # of an encrypted record without content, where the cipher has it
        self._header = b""  # incomplete
        self._content: bytearray | None = None  # of the current record; None where it is encrypted
        self._kind = self._left = self._size = 0
        self._messages = bytearray()
        self._ignored = self._sealed = 0

    @property
    def inside(self) -> bool:
        return bool(self._left or self._header)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The plaintext handshake messages that are complete with `data`. Raises GoTlsError."""
        view, at, length = memoryview(data), 0, len(data)
        self.consumed = 0
        while at < length:
            if self.encrypted and not self._left and not self._header:
                at = self.consumed = self._after_usual(data, at)
                if at == length:
                    return
            if not self._left:
                missing = HEADER_SIZE - len(self._header)
                self._header += data[at : at + missing]
                at += missing
                if len(self._header) < HEADER_SIZE:
                    return
                self._begin()
            piece = view[at : at + self._left]
            if self._content is not None:
                self._content += piece
            at += len(piece)
            self._left -= len(piece)
            if not self._left:
                yield from self._end()
                self.consumed = at

    def _after_usual(self, data: bytes, at: int) -> int:
        """The offset behind the whole encrypted records at `at` that are as `_begin` and `_end` require.

        That is nearly all there are; this way each takes a fifth of the time.
        """
        most, length = _MAX_CIPHERTEXT.get(self.version, _MAX_CIPHERTEXT_OLD), len(data)
        while at + HEADER_SIZE <= length and data.startswith(_USUAL_HEADER, at):
            size = data[at + 3] << 8 | data[at + 4]
            end = at + HEADER_SIZE + size
            if size > most or size == self.empty_size or end > length:
                break
            self.records += 1
            self._ignored = 0
            at = end
        return at

    def _begin(self) -> None:
        """Check a header: the order of readRecordOrCCS."""
        header, self._header = self._header, b""
        self._kind, version, size = header[0], int.from_bytes(header[1:3]), int.from_bytes(header[3:5])
        self.records += 1
        if not self.version:
            if self.records == 1 and header == b"HTTP/":
                raise NotTlsError(HTTP_RESPONSE.text)
            if self._kind == _SSL_2:
                raise NotTlsError(SSL_2.text)
            if self._kind not in (ALERT, HANDSHAKE) or version >= 0x1000:
                raise NotTlsError(NOT_TLS.text) if self.records == 1 else GoTlsError(NOT_TLS.text)
        elif version != TLS_1_2:
            raise GoTlsError(f"tls: received record with version {version:x} when expecting version {TLS_1_2:x}")
        if size > _MAX_CIPHERTEXT.get(self.version, _MAX_CIPHERTEXT_OLD):
            raise GoTlsError(f"tls: oversized record received with length {size}")
        plain = not self.encrypted or (self.version == TLS_1_3 and self._kind == CHANGE_CIPHER_SPEC)
        self._content = bytearray() if plain else None
        self._left = self._size = size

    def _end(self) -> Iterator[bytes]:
        content, kind = self._content, self._kind
        if content is None:
            self._sealed += 1
            # Of TLS 1.2 only the Finished; what follows is a renegotiation, or what Go cannot read.
            self.suspicious = self.suspicious or (kind == HANDSHAKE and self._sealed > 1)
            if self.version == TLS_1_3 and kind != APPLICATION_DATA:
                raise local_error(BAD_RECORD_MAC)
            if kind == APPLICATION_DATA and self._size == self.empty_size:
                self._ignore()
            else:
                self._ignored = 0
            return
        if len(content) > _MAX_PLAINTEXT:
            raise local_error(RECORD_OVERFLOW)
        if kind == HANDSHAKE:
            if not content or self.expects_ccs:
                raise local_error(UNEXPECTED_MESSAGE)
            self._ignored = 0
            self._messages += content
            yield from self._complete_messages()
        elif kind == ALERT:
            error = read_alert(bytes(content), self.version, self._release)
            if error is not None:
                raise error
            self._ignore()
        elif kind == CHANGE_CIPHER_SPEC:
            self._change_cipher_spec(bytes(content))
        else:
            raise local_error(UNEXPECTED_MESSAGE)

    def _change_cipher_spec(self, content: bytes) -> None:
        if content != b"\1":
            raise local_error(DECODE_ERROR)
        if self._messages:
            raise local_error(UNEXPECTED_MESSAGE)
        if self.version == TLS_1_3:
            self.suspicious = self.suspicious or self._sealed > 0
            self._ignore()
        elif self.expects_ccs:
            self.encrypted, self.expects_ccs = True, False
        else:
            raise local_error(UNEXPECTED_MESSAGE)

    def _ignore(self) -> None:
        self._ignored += 1
        if self._ignored > _MAX_USELESS_RECORDS:
            raise GoTlsError("tls: too many ignored records")

    def _complete_messages(self) -> Iterator[bytes]:
        """Go reads none while it waits for a change_cipher_spec, and refuses that if one is left."""
        while len(self._messages) >= 4 and not self.expects_ccs:
            size = int.from_bytes(self._messages[1:4])
            certificate = self.version and self._messages[0] == _CERTIFICATE
            most = _MAX_HANDSHAKE_CERTIFICATE if certificate else _MAX_HANDSHAKE
            if size > most:
                raise GoTlsError(f"tls: handshake message of length {size} bytes exceeds maximum of {most} bytes")
            if len(self._messages) < 4 + size:
                return
            message = bytes(self._messages[: 4 + size])
            del self._messages[: 4 + size]
            yield message
            if self.encrypted and self._messages:  # conn.go setReadTrafficSecret
                raise GoTlsError("tls: handshake buffer not empty before setting read traffic secret")
