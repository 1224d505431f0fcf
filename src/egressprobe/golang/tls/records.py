"""The record layer of Go's client with keys: crypto/tls/conn.go readRecordOrCCS, readHandshake (Go 1.25, 1.26). Pure.

tls_record.RecordReader sees what OpenSSL gets, without keys; this one decrypts, so it sees every record as Go does.
"""

from egressprobe.error_texts.tls import HTTP_RESPONSE, NOT_TLS, SSL_2
from egressprobe.golang.release import GoRelease
from egressprobe.golang.tls.protection import Protection
from egressprobe.golang.tls_record import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    DECODE_ERROR,
    HANDSHAKE,
    HEADER_SIZE,
    RECORD_OVERFLOW,
    TLS_1_2,
    TLS_1_3,
    UNEXPECTED_MESSAGE,
    GoTlsError,
    NotTlsError,
    local_error,
    read_alert,
)

_MAX_PLAINTEXT = 16384
_MAX_USELESS_RECORDS = 16
_MAX_HANDSHAKE, _MAX_HANDSHAKE_CERTIFICATE = 65536, 262144
_CERTIFICATE = 11
_SSL_2 = 0x80


class KeyedRecords:
    """What arrived. version: 0 before the ServerHello. opening: the keys, None for none; upcoming: after the CCS.

    application: data that was read and not taken.
    """

    def __init__(self, release: GoRelease) -> None:
        self.version = 0
        self.opening: Protection | None = None
        self.upcoming: Protection | None = None
        self.complete = False
        self.application = bytearray()
        self.useless = 0
        self.read = 0
        self._release = release
        self._raw, self._messages = bytearray(), bytearray()

    def arrive(self, data: bytes) -> None:
        self._raw += data

    @property
    def inside(self) -> bool:
        """Whether the bytes so far end inside a record."""
        return bool(self._raw)

    @property
    def has_fragment(self) -> bool:
        """Whether handshake bytes wait to be read."""
        return bool(self._messages)

    def next(self, *, expects_ccs: bool = False) -> bool:
        """Read records until one counts. False: more bytes are needed. Raises GoTlsError."""
        while (record := self._record()) is not None:
            if self._take(*record, expects_ccs=expects_ccs):
                return True
            self.useless += 1
            if self.useless > _MAX_USELESS_RECORDS:
                raise GoTlsError("tls: too many ignored records")
        return False

    def message(self) -> bytes | None:
        """The next handshake message that is whole. Raises GoTlsError for one that is too long."""
        if len(self._messages) < 4:
            return None
        size = int.from_bytes(self._messages[1:4])
        certificate = self.version and self._messages[0] == _CERTIFICATE
        most = _MAX_HANDSHAKE_CERTIFICATE if certificate else _MAX_HANDSHAKE
        if size > most:
            raise GoTlsError(f"tls: handshake message of length {size} bytes exceeds maximum of {most} bytes")
        if len(self._messages) < 4 + size:
            return None
        message = bytes(self._messages[: 4 + size])
        del self._messages[: 4 + size]
        return message

    def _record(self) -> tuple[bytes, bytes] | None:
        """Header and payload of the next record, the header checked as soon as it is there."""
        if self.application:
            raise GoTlsError("tls: internal error: attempted to read record with pending application data")
        raw = self._raw
        if len(raw) < HEADER_SIZE:
            return None
        header = bytes(raw[:HEADER_SIZE])
        self._check_header(header)
        size = int.from_bytes(header[3:5])
        if len(raw) < HEADER_SIZE + size:
            return None
        payload = bytes(raw[HEADER_SIZE : HEADER_SIZE + size])
        del raw[: HEADER_SIZE + size]
        self.read += 1
        return header, payload

    def _check_header(self, header: bytes) -> None:
        kind, version, size = header[0], int.from_bytes(header[1:3]), int.from_bytes(header[3:5])
        # A RecordHeaderError with these five bytes is what net/http looks at; with our connection it says so.
        is_http = header == b"HTTP/"
        if not self.complete and kind == _SSL_2:
            raise GoTlsError(SSL_2.text)
        if self.version and version != TLS_1_2:
            if is_http and not self.complete:
                raise NotTlsError(HTTP_RESPONSE.text)
            raise GoTlsError(f"tls: received record with version {version:x} when expecting version {TLS_1_2:x}")
        if not self.version and (kind not in (ALERT, HANDSHAKE) or version >= 0x1000):
            text = (HTTP_RESPONSE if is_http else NOT_TLS).text
            raise NotTlsError(text) if not self.read else GoTlsError(text)
        if size > (_MAX_PLAINTEXT + 256 if self.version == TLS_1_3 else _MAX_PLAINTEXT + 2048):
            raise GoTlsError(f"tls: oversized record received with length {size}")

    def _take(self, header: bytes, payload: bytes, *, expects_ccs: bool) -> bool:
        """Process one record. False: it is ignored."""
        kind, data = header[0], payload
        if self.opening is not None and not (self.version == TLS_1_3 and kind == CHANGE_CIPHER_SPEC):
            kind, data = self.opening.open(header, payload)
        if len(data) > _MAX_PLAINTEXT:
            raise local_error(RECORD_OVERFLOW)
        if self.opening is None and kind == APPLICATION_DATA:
            raise local_error(UNEXPECTED_MESSAGE)
        if self._advances(kind) and data:
            self.useless = 0
        if self.version == TLS_1_3 and kind != HANDSHAKE and self._messages:
            raise local_error(UNEXPECTED_MESSAGE)
        if kind == ALERT:
            error = read_alert(data, self.version, self._release)
            if error is not None:
                raise error
            return False
        if kind == CHANGE_CIPHER_SPEC:
            return self._change_cipher_spec(data, expects_ccs=expects_ccs)
        if kind == APPLICATION_DATA:
            if not self.complete or expects_ccs:
                raise local_error(UNEXPECTED_MESSAGE)
            self.application += data
            return bool(data)
        if kind != HANDSHAKE or not data or expects_ccs:
            raise local_error(UNEXPECTED_MESSAGE)
        self._messages += data
        return True

    def _advances(self, kind: int) -> bool:
        if self._release >= GoRelease.V1_26:  # messages after the handshake do not reset the count
            return kind == APPLICATION_DATA or (kind == HANDSHAKE and not self.complete)
        return kind not in (ALERT, CHANGE_CIPHER_SPEC)

    def _change_cipher_spec(self, data: bytes, *, expects_ccs: bool) -> bool:
        if data != b"\1":
            raise local_error(DECODE_ERROR)
        if self._messages:
            raise local_error(UNEXPECTED_MESSAGE)
        if self.version == TLS_1_3:
            return False
        if not expects_ccs:
            raise local_error(UNEXPECTED_MESSAGE)
        self.opening, self.upcoming = self.upcoming, None
        return True
