"""ClientHello and ServerHello as bytes: what was offered, what was selected (RFC 8446 section 4.1).

A ServerHello is read by the rules of crypto/tls/handshake_messages.go serverHelloMsg.unmarshal. Pure.
"""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from egressprobe.golang.tls_record import DECODE_ERROR, HANDSHAKE, HEADER_SIZE, TLS_1_2, TLS_1_3, local_error

# RFC 8446 section 4.1.3: the SHA-256 of "HelloRetryRequest"
_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
(_STATUS, _GROUPS, _POINTS, _ALPN, _SCT, _EMS, _TICKET) = (5, 10, 11, 16, 18, 23, 35)
(_PSK, _VERSIONS, _COOKIE, _KEY_SHARE, _RENEGOTIATION) = (41, 43, 44, 51, 0xFF01)
_SERVER_NAME, _SIGNATURE_ALGORITHMS, _ENCRYPTED_HELLO = 0, 13, 0xFE0D
_CLIENT_HELLO = 1
_SESSION_ID = HEADER_SIZE + 4 + 2 + 32  # in the record of a ClientHello: behind message header, version and random
_EXTENSION = struct.Struct("!HH")  # type and length; of a key share: group and length
GROUP_NAMES = {
    0x11EC: "X25519MLKEM768",
    0x11EB: "SecP256r1MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
    0x6399: "X25519Kyber768Draft00",
    29: "X25519",
    23: "P-256",
    24: "P-384",
    25: "P-521",
}


class Fields:
    """A cursor over a message, as Go's cryptobyte.String. Methods raise Go's decode error where bytes are missing."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        begin, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise local_error(DECODE_ERROR)
        return self._data[begin : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, length_size: int) -> bytes:
        """A value behind its length of `length_size` bytes."""
        data, begin = self._data, self._at + length_size
        self._at = end = begin + int.from_bytes(data[begin - length_size : begin])
        if end > len(data):  # of a length that is cut off `begin` is behind the data already
            raise local_error(DECODE_ERROR)
        return data[begin:end]

    def end(self) -> None:
        """Raise if anything is left."""
        if self.left:
            raise local_error(DECODE_ERROR)

    def extensions(self) -> dict[int, bytes]:
        """A list of extensions by type; one type twice is an error."""
        fields, extensions = Fields(self.vector(2)), {}
        while fields.left:
            kind = fields.number(2)
            if kind in extensions:
                raise local_error(DECODE_ERROR)
            extensions[kind] = fields.vector(2)
        return extensions


class ClientOffer(NamedTuple):
    """What a ClientHello offers. alpn: without the names that only pad it."""

    session_id: bytes
    suites: frozenset[int]
    groups: tuple[int, ...]
    shares: tuple[int, ...]
    alpn: tuple[bytes, ...]


def read_client_hello(record: bytes, padding_prefix: bytes) -> ClientOffer:
    """The offer in our own ClientHello, its record header included. padding_prefix: of ALPN names that only pad.

    Raises GoTlsError where bytes are missing.
    """
    try:
        session_id = read_session_id(record)
        at = _SESSION_ID + 1 + len(session_id)
        suites, at = _vector_of_numbers(record, at)
        at += 1 + record[at] + 2  # compression methods, length of the extensions
        groups: tuple[int, ...] = ()
        alpn: list[bytes] = []
        shares: list[int] = []
        while at < len(record):
            kind, size = _EXTENSION.unpack_from(record, at)
            at, end = at + 4, at + 4 + size
            if kind == _GROUPS:
                groups = _vector_of_numbers(record, at)[0]
            elif kind == _ALPN:
                start = at + 2
                while start < end:
                    alpn.append(record[start + 1 : start + 1 + record[start]])
                    start += 1 + record[start]
            elif kind == _KEY_SHARE:
                start = at + 2
                while start < end:
                    group, length = _EXTENSION.unpack_from(record, start)
                    shares.append(group)
                    start += 4 + length
            at = end
    except (IndexError, struct.error):
        raise local_error(DECODE_ERROR) from None
    names = tuple(name for name in alpn if not name.startswith(padding_prefix))
    return ClientOffer(session_id, frozenset(suites), groups, tuple(shares), names)


def read_session_id(record: bytes) -> bytes:
    """The session id in our own ClientHello, which no other has. Raises IndexError."""
    return record[_SESSION_ID + 1 : _SESSION_ID + 1 + record[_SESSION_ID]]


def _vector_of_numbers(data: bytes, at: int) -> tuple[tuple[int, ...], int]:
    """The 16-bit numbers of the vector at `at`, and the offset behind it. Raises struct.error."""
    (size,) = struct.unpack_from("!H", data, at)
    return struct.unpack_from(f"!{size // 2}H", data, at + 2), at + 2 + size


def group_hello(groups: Sequence[int], server_name: str | None, random: bytes) -> bytes:
    """A ClientHello record of TLS 1.3 with `groups` and no key share: a server that has one asks for it.

    The answer is a HelloRetryRequest with the group that the server selects, or an alert (RFC 8446 section 4.2.8).
    random: 64 bytes, for the random and the session id.
    """
    extensions = {
        _GROUPS: _vector(b"".join(group.to_bytes(2) for group in groups), 2),
        _SIGNATURE_ALGORITHMS: _vector(bytes.fromhex("080404030807080508060503060304010501"), 2),
        _VERSIONS: _vector(TLS_1_3.to_bytes(2), 1),
        _KEY_SHARE: _vector(b"", 2),
    }
    if server_name:
        extensions[_SERVER_NAME] = _vector(b"\0" + _vector(server_name.encode("ascii"), 2), 2)
    listed = b"".join(kind.to_bytes(2) + _vector(value, 2) for kind, value in extensions.items())
    suites = bytes.fromhex("130113021303")
    body = (
        TLS_1_2.to_bytes(2) + random[:32] + _vector(random[32:], 1) + _vector(suites, 2) + b"\1\0" + _vector(listed, 2)
    )
    message = bytes([_CLIENT_HELLO]) + _vector(body, 3)
    return bytes([HANDSHAKE, 3, 1]) + _vector(message, 2)


def _vector(value: bytes, length_size: int) -> bytes:
    return len(value).to_bytes(length_size) + value


def offered_groups(record: bytes) -> list[str]:
    """The names of supported_groups (RFC 8446 section 4.2.7) in a ClientHello record."""
    return [GROUP_NAMES.get(code, f"0x{code:04x}") for code in read_client_hello(record, b"x-").groups]


class ServerHello(NamedTuple):
    """A ServerHello or HelloRetryRequest. Numbers are 0 and bytes empty where the extension is absent."""

    legacy_version: int
    random: bytes
    session_id: bytes
    suite: int
    compression: int
    supported_version: int = 0
    selected_group: int = 0
    share_group: int = 0
    share: bytes = b""
    cookie: bytes | None = None
    selected_identity: int | None = None
    alpn: bytes = b""
    points: bytes = b""
    renegotiation: bytes = b""
    has_ticket: bool = False
    has_status: bool = False
    has_old_extensions: bool = False
    extended_master_secret: bool = False
    has_encrypted_hello: bool = False

    @property
    def is_retry(self) -> bool:
        return self.random == _RETRY_RANDOM


def read_alpn(extension: bytes) -> bytes:
    """The one protocol that a server selected (RFC 7301 section 3.1). Raises GoTlsError."""
    fields = Fields(extension)
    protocols = Fields(fields.vector(2))
    fields.end()
    name = protocols.vector(1)
    protocols.end()
    if not name:
        raise local_error(DECODE_ERROR)
    return name


def read_server_hello(message: bytes) -> ServerHello:
    """serverHelloMsg.unmarshal. Unknown extensions are ignored. Raises GoTlsError."""
    return _usual_server_hello(message) or _any_server_hello(message)


# Up to the key: version, random, session id of 32 bytes, suite, compression, length of the extensions, the whole of
# supported_versions and the type of key_share, the lengths of key_share, its group, the length of its key.
_USUAL = struct.Struct("!H32sB32sHBH8sHHH")
_USUAL_EXTENSIONS = struct.pack("!HHHH", _VERSIONS, 2, TLS_1_3, _KEY_SHARE)


def _usual_server_hello(message: bytes) -> ServerHello | None:
    """One of TLS 1.3 as Go and OpenSSL write it, with two extensions in their order; None for any other.

    The same as `_any_server_hello` says, in a sixth of the time.
    """
    if len(message) < 4 + _USUAL.size:
        return None
    version, random, session_size, session_id, suite, compression, *sizes = _USUAL.unpack_from(message, 4)
    extensions_size, extensions, share_size, group, key_size = sizes
    key = len(message) - 4 - _USUAL.size
    if session_size != 32 or extensions != _USUAL_EXTENSIONS or key_size != key:
        return None
    if extensions_size != key + 14 or share_size != key + 4:
        return None
    return ServerHello(
        version, random, session_id, suite, compression, TLS_1_3, 0, group, message[len(message) - key :]
    )


def _any_server_hello(message: bytes) -> ServerHello:
    fields = Fields(message[4:])
    hello = ServerHello(fields.number(2), fields.take(32), fields.vector(1), fields.number(2), fields.number(1))
    if not fields.left:
        return hello
    extensions = fields.extensions()
    fields.end()
    values = {kind: Fields(value) for kind, value in extensions.items()}
    more: dict[str, Any] = {}
    if _VERSIONS in values:
        more["supported_version"] = values[_VERSIONS].number(2)
    if _COOKIE in values:
        more["cookie"] = _filled(values[_COOKIE].vector(2))
    if _KEY_SHARE in values:
        if values[_KEY_SHARE].left == 2:
            more["selected_group"] = values[_KEY_SHARE].number(2)
        else:
            more["share_group"] = values[_KEY_SHARE].number(2)
            more["share"] = values[_KEY_SHARE].vector(2)
    if _PSK in values:
        more["selected_identity"] = values[_PSK].number(2)
    if _ALPN in values:
        more["alpn"] = read_alpn(extensions[_ALPN])
        values[_ALPN].take(values[_ALPN].left)
    if _POINTS in values:
        more["points"] = _filled(values[_POINTS].vector(1))
    if _RENEGOTIATION in values:
        more["renegotiation"] = values[_RENEGOTIATION].vector(1)
    if _SCT in values:
        _check_timestamps(values[_SCT])
    for kind in (_STATUS, _TICKET, _EMS, _VERSIONS, _COOKIE, _KEY_SHARE, _PSK, _POINTS, _RENEGOTIATION, _SERVER_NAME):
        if kind in values:
            values[kind].end()
    old = {_STATUS, _TICKET, _EMS, _RENEGOTIATION, _ALPN, _SCT} & extensions.keys()
    more |= {"extended_master_secret": _EMS in values, "has_encrypted_hello": _ENCRYPTED_HELLO in values}
    more |= {"has_ticket": _TICKET in values, "has_status": _STATUS in values, "has_old_extensions": bool(old)}
    return hello._replace(**more)


def _check_timestamps(fields: Fields) -> None:
    timestamps = Fields(_filled(fields.vector(2)))
    fields.end()
    while timestamps.left:
        _filled(timestamps.vector(2))


def _filled(value: bytes) -> bytes:
    if not value:
        raise local_error(DECODE_ERROR)
    return value
