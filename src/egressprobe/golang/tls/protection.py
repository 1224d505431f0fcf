"""Record protection: AEADs, and AES or 3DES in CBC mode with HMAC-SHA1 (crypto/tls/conn.go halfConn). Pure."""

import hmac
import os
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from egressprobe.golang.tls.key_schedule import Suite, expand_label
from egressprobe.golang.tls_record import (
    APPLICATION_DATA,
    BAD_RECORD_MAC,
    RECORD_OVERFLOW,
    TLS_1_2,
    UNEXPECTED_MESSAGE,
    local_error,
)

_MAX_INNER = 16384 + 1
_TAG = 16


class Protection(Protocol):
    """One direction's keys."""

    def seal(self, kind: int, data: bytes) -> bytes:
        """A whole record."""

    def open(self, header: bytes, payload: bytes) -> tuple[int, bytes]:
        """The content of a record and its type. Raises GoTlsError."""


class Tls13Protection:
    """RFC 8446 section 5.2."""

    def __init__(self, suite: Suite, traffic: bytes) -> None:
        self._aead = _aead(suite, expand_label(suite.digest, traffic, "key", b"", suite.key))
        self._iv = expand_label(suite.digest, traffic, "iv", b"", suite.iv)
        self._sequence = 0

    def _nonce(self) -> bytes:
        nonce = (int.from_bytes(self._iv) ^ self._sequence).to_bytes(len(self._iv))
        self._sequence += 1
        return nonce

    def seal(self, kind: int, data: bytes) -> bytes:
        header = bytes([APPLICATION_DATA, 3, 3]) + (len(data) + 1 + _TAG).to_bytes(2)
        return header + self._aead.encrypt(self._nonce(), data + bytes([kind]), header)

    def open(self, header: bytes, payload: bytes) -> tuple[int, bytes]:
        try:
            inner = self._aead.decrypt(self._nonce(), payload, header)
        except (InvalidTag, ValueError):
            raise local_error(BAD_RECORD_MAC) from None
        if header[0] != APPLICATION_DATA:
            raise local_error(UNEXPECTED_MESSAGE)
        if len(inner) > _MAX_INNER:
            raise local_error(RECORD_OVERFLOW)
        content = inner.rstrip(b"\0")
        if inner and not content:
            raise local_error(UNEXPECTED_MESSAGE)
        return (content[-1], content[:-1]) if inner else (APPLICATION_DATA, b"")


class Tls12Protection:
    """RFC 5288, RFC 7905: GCM with an explicit nonce, ChaCha20 with the sequence number."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes) -> None:
        self._aead, self._iv, self._explicit = _aead(suite, key), iv, 8 if suite.cipher == "gcm" else 0
        self._sequence = 0

    def _step(self, explicit: bytes) -> tuple[bytes, bytes]:
        sequence = self._sequence.to_bytes(8)
        self._sequence += 1
        if self._explicit:
            return self._iv + explicit, sequence
        return (int.from_bytes(self._iv) ^ int.from_bytes(sequence)).to_bytes(len(self._iv)), sequence

    def seal(self, kind: int, data: bytes) -> bytes:
        explicit = self._sequence.to_bytes(8)[: self._explicit]
        nonce, sequence = self._step(explicit)
        kind_version = bytes([kind]) + TLS_1_2.to_bytes(2)
        sealed = explicit + self._aead.encrypt(nonce, data, sequence + kind_version + len(data).to_bytes(2))
        return kind_version + len(sealed).to_bytes(2) + sealed

    def open(self, header: bytes, payload: bytes) -> tuple[int, bytes]:
        size = len(payload) - self._explicit - _TAG
        if size < 0:
            raise local_error(BAD_RECORD_MAC)
        nonce, sequence = self._step(payload[: self._explicit])
        try:
            associated = sequence + header[:3] + size.to_bytes(2)
            return header[0], self._aead.decrypt(nonce, payload[self._explicit :], associated)
        except (InvalidTag, ValueError):
            raise local_error(BAD_RECORD_MAC) from None


class CbcProtection:
    """RFC 5246 section 6.2.3.2 with HMAC-SHA1."""

    def __init__(self, suite: Suite, key: bytes, mac: bytes) -> None:
        self._key = TripleDES(key) if suite.cipher == "3des" else algorithms.AES(key)
        self._mac, self._block = mac, suite.iv
        self._sequence = 0

    def _digest(self, header: bytes, data: bytes) -> bytes:
        sequence = self._sequence.to_bytes(8)
        self._sequence += 1
        return hmac.digest(self._mac, sequence + header[:3] + len(data).to_bytes(2) + data, "sha1")

    def seal(self, kind: int, data: bytes) -> bytes:
        kind_version = bytes([kind]) + TLS_1_2.to_bytes(2)
        data += self._digest(kind_version, data)
        padding = self._block - 1 - len(data) % self._block
        iv = os.urandom(self._block)
        encryptor = Cipher(self._key, modes.CBC(iv)).encryptor()
        sealed = iv + encryptor.update(data + bytes([padding]) * (padding + 1)) + encryptor.finalize()
        return kind_version + len(sealed).to_bytes(2) + sealed

    def open(self, header: bytes, payload: bytes) -> tuple[int, bytes]:
        block = self._block
        least = block + (20 + 1 + block - 1) // block * block
        if len(payload) % block or len(payload) < least:
            raise local_error(BAD_RECORD_MAC)
        decryptor = Cipher(self._key, modes.CBC(payload[:block])).decryptor()
        plain = decryptor.update(payload[block:]) + decryptor.finalize()
        padding = plain[-1] + 1
        content = plain[: max(len(plain) - padding - 20, 0)]
        mac = plain[len(content) : len(content) + 20]
        good = padding + 20 <= len(plain) and plain[-padding:] == bytes([padding - 1]) * padding
        # Whoever could measure this sees nothing of value: only HEAD / is ever sent.
        if not hmac.compare_digest(self._digest(header, content), mac) or not good:
            raise local_error(BAD_RECORD_MAC)
        return header[0], content


def _aead(suite: Suite, key: bytes) -> AESGCM | ChaCha20Poly1305:
    return AESGCM(key) if suite.cipher == "gcm" else ChaCha20Poly1305(key)
