"""The plaintext of a TLS handshake that OpenSSL's API does not expose, and Go's texts of alerts.

- `ServerHello.parse`: the key exchange group and whether there was a HelloRetryRequest (RFC 8446 section 4.1.3).
- `first_record_error`: Go's text for bytes that are not a TLS record (crypto/tls/conn.go readRecordOrCCS).
- `Boundary`: whether a connection ended between two records or inside one (EOF or unexpected EOF).
- `ALERTS`: OpenSSL's reason mnemonics -> texts of crypto/tls/alert.go.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

HANDSHAKE, ALERT = 22, 21
HEADER_SIZE = 5
_SERVER_HELLO, _SERVER_KEY_EXCHANGE = 2, 12
_NAMED_CURVE = 3  # RFC 8422 section 5.4
_SUPPORTED_GROUPS, _SUPPORTED_VERSIONS, _KEY_SHARE = 10, 43, 51
# RFC 8446 section 4.1.3: the SHA-256 of "HelloRetryRequest"
_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_GROUPS = {
    0x11EC: "X25519MLKEM768",
    0x11EB: "SecP256r1MLKEM768",
    29: "X25519",
    23: "P-256",
    24: "P-384",
    25: "P-521",
}
# What Go offers (crypto/tls/defaults.go); OpenSSL offers X448 and finite fields as well.
_GO_GROUPS = frozenset({"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"})
# OpenSSL reason (without its SSLV3_/TLSV1_/TLSV13_ and ALERT_ prefixes) -> crypto/tls/alert.go alertText
ALERTS = {
    "CLOSE_NOTIFY": "close notify",
    "UNEXPECTED_MESSAGE": "unexpected message",
    "BAD_RECORD_MAC": "bad record MAC",
    "DECRYPTION_FAILED": "decryption failed",
    "RECORD_OVERFLOW": "record overflow",
    "DECOMPRESSION_FAILURE": "decompression failure",
    "HANDSHAKE_FAILURE": "handshake failure",
    "BAD_CERTIFICATE": "bad certificate",
    "UNSUPPORTED_CERTIFICATE": "unsupported certificate",
    "CERTIFICATE_REVOKED": "revoked certificate",
    "CERTIFICATE_EXPIRED": "expired certificate",
    "CERTIFICATE_UNKNOWN": "unknown certificate",
    "ILLEGAL_PARAMETER": "illegal parameter",
    "UNKNOWN_CA": "unknown certificate authority",
    "ACCESS_DENIED": "access denied",
    "DECODE_ERROR": "error decoding message",
    "DECRYPT_ERROR": "error decrypting message",
    "EXPORT_RESTRICTION": "export restriction",
    "PROTOCOL_VERSION": "protocol version not supported",
    "INSUFFICIENT_SECURITY": "insufficient security level",
    "INTERNAL_ERROR": "internal error",
    "INAPPROPRIATE_FALLBACK": "inappropriate fallback",
    "USER_CANCELLED": "user canceled",
    "NO_RENEGOTIATION": "no renegotiation",
    "MISSING_EXTENSION": "missing extension",
    "UNSUPPORTED_EXTENSION": "unsupported extension",
    "CERTIFICATE_UNOBTAINABLE": "certificate unobtainable",
    "UNRECOGNIZED_NAME": "unrecognized name",
    "BAD_CERTIFICATE_STATUS_RESPONSE": "bad certificate status response",
    "BAD_CERTIFICATE_HASH_VALUE": "bad certificate hash value",
    "UNKNOWN_PSK_IDENTITY": "unknown PSK identity",
    "CERTIFICATE_REQUIRED": "certificate required",
    "NO_APPLICATION_PROTOCOL": "no application protocol",
}


def alert_text(reason: str) -> str | None:
    """Go's text of the alert behind an OpenSSL reason; None when the reason is not an alert of the peer."""
    for prefix in ("SSLV3_", "TLSV13_", "TLSV1_"):
        if reason.startswith(prefix):
            return ALERTS.get(reason.removeprefix(prefix).removeprefix("ALERT_"))
    return None


def first_record_error(data: bytes) -> str | None:
    """Go's text when `data`, the first bytes of an answer to a ClientHello, is not a TLS record."""
    if len(data) < HEADER_SIZE:
        return None
    if data.startswith(b"HTTP/"):  # net/http/transport.go, RecordHeaderError
        return "http: server gave HTTP response to HTTPS client"
    if data[0] not in (ALERT, HANDSHAKE) or int.from_bytes(data[1:3]) >= 0x1000:
        return "tls: first record does not look like a TLS handshake"
    return None


def offered_groups(hello: bytes) -> list[str]:
    """The supported_groups (RFC 8446 section 4.2.7) of a ClientHello record."""
    body = hello[HEADER_SIZE:]
    at = 38 + 1 + body[38]  # handshake header, version, random, session id
    at += 2 + int.from_bytes(body[at : at + 2])  # cipher suites
    at += 1 + body[at] + 2  # compression methods; length of the extensions
    while at + 4 <= len(body):
        kind, size = struct.unpack_from("!HH", body, at)
        if kind == _SUPPORTED_GROUPS:
            codes = struct.unpack_from(f"!{(size - 2) // 2}H", body, at + 6)
            return [_group_name(code) for code in codes]
        at += 4 + size
    return []


class Boundary:
    """Follows record boundaries; `inside`: whether the bytes so far end inside a record."""

    def __init__(self) -> None:
        self._header = b""  # of a record whose header is not whole yet
        self._left = 0  # bytes of the current record that are still to come

    def feed(self, data: bytes) -> None:
        at, data = self._left, self._header + data if self._header else data
        while at + HEADER_SIZE <= len(data):
            at += HEADER_SIZE + int.from_bytes(data[at + 3 : at + 5])
        self._left = max(at - len(data), 0)
        self._header = data[at:]

    @property
    def inside(self) -> bool:
        return bool(self._left or self._header)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The plaintext handshake messages of whole records, as (type, content)."""
    stream, at = b"", 0
    while at + HEADER_SIZE <= len(data) and data[at] == HANDSHAKE:
        size = int.from_bytes(data[at + 3 : at + 5])
        stream += data[at + HEADER_SIZE : at + HEADER_SIZE + size]
        at += HEADER_SIZE + size
    at = 0
    while at + 4 <= len(stream):
        size = int.from_bytes(stream[at + 1 : at + 4])
        yield stream[at], stream[at + 4 : at + 4 + size]
        at += 4 + size


def _curve(data: bytes) -> str | None:
    """The curve in a ServerKeyExchange of TLS 1.2."""
    for kind, body in _messages(data):
        if kind == _SERVER_KEY_EXCHANGE and len(body) >= 3 and body[0] == _NAMED_CURVE:
            return _group_name(int.from_bytes(body[1:3]))
    return None


def _group_name(code: int) -> str:
    return _GROUPS.get(code, f"0x{code:04x}")


def not_in_go(group: str | None) -> bool:
    """Whether a server selected a group that the API server does not offer; it may support others."""
    return group is not None and group not in _GO_GROUPS


class ServerHello(NamedTuple):
    """What a server selected. group: of the key exchange; in TLS 1.2 from its ServerKeyExchange."""

    version: int
    group: str | None
    retry: bool

    @classmethod
    def parse(cls, data: bytes) -> "ServerHello | None":
        """Out of the first bytes received; None when they hold no whole ServerHello."""
        try:
            return cls._parse(data)
        except (IndexError, struct.error):
            return None

    @classmethod
    def _parse(cls, data: bytes) -> "ServerHello | None":
        if data[0] != HANDSHAKE or data[5] != _SERVER_HELLO:
            return None
        body = data[5:]
        end = 4 + int.from_bytes(body[1:4])
        if len(body) < end:
            return None
        version, group = int.from_bytes(body[4:6]), None
        retry = body[6:38] == _RETRY_RANDOM
        at = 39 + body[38] + 3  # session id, cipher suite, compression
        at += 2  # length of the extensions
        while at + 4 <= end:
            kind, size = struct.unpack_from("!HH", body, at)
            value = body[at + 4 : at + 4 + size]
            if kind == _SUPPORTED_VERSIONS:
                version = int.from_bytes(value)
            elif kind == _KEY_SHARE:
                group = _group_name(int.from_bytes(value[:2]))
            at += 4 + size
        return cls(version, group or _curve(data), retry)
