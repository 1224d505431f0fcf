"""Secrets of TLS 1.3 (RFC 8446 section 7) and TLS 1.2 (RFC 5246 sections 5 and 8.1, RFC 7627). Pure."""

import hashlib
import hmac
from typing import NamedTuple

from egressprobe.golang.tls.client_hello import vector


class Suite(NamedTuple):
    """A cipher suite. digest: of the key schedule; key, mac, iv: bytes of each. rsa: signed by an RSA key (TLS 1.2)."""

    name: str
    digest: str
    cipher: str
    key: int
    mac: int = 0
    iv: int = 12
    rsa: bool = False


SUITES = {
    0x1301: Suite("TLS_AES_128_GCM_SHA256", "sha256", "gcm", 16),
    0x1302: Suite("TLS_AES_256_GCM_SHA384", "sha384", "gcm", 32),
    0x1303: Suite("TLS_CHACHA20_POLY1305_SHA256", "sha256", "chacha", 32),
    0xC02B: Suite("ECDHE-ECDSA-AES128-GCM-SHA256", "sha256", "gcm", 16, iv=4),
    0xC02F: Suite("ECDHE-RSA-AES128-GCM-SHA256", "sha256", "gcm", 16, iv=4, rsa=True),
    0xC02C: Suite("ECDHE-ECDSA-AES256-GCM-SHA384", "sha384", "gcm", 32, iv=4),
    0xC030: Suite("ECDHE-RSA-AES256-GCM-SHA384", "sha384", "gcm", 32, iv=4, rsa=True),
    0xCCA9: Suite("ECDHE-ECDSA-CHACHA20-POLY1305", "sha256", "chacha", 32),
    0xCCA8: Suite("ECDHE-RSA-CHACHA20-POLY1305", "sha256", "chacha", 32, rsa=True),
    0xC009: Suite("ECDHE-ECDSA-AES128-SHA", "sha256", "cbc", 16, 20, 16),
    0xC013: Suite("ECDHE-RSA-AES128-SHA", "sha256", "cbc", 16, 20, 16, rsa=True),
    0xC012: Suite("ECDHE-RSA-DES-CBC3-SHA", "sha256", "3des", 24, 20, 8, rsa=True),
    0xC00A: Suite("ECDHE-ECDSA-AES256-SHA", "sha256", "cbc", 32, 20, 16),
    0xC014: Suite("ECDHE-RSA-AES256-SHA", "sha256", "cbc", 32, 20, 16, rsa=True),
}


def expand_label(digest: str, secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label, of at most one block of the hash."""
    info = length.to_bytes(2) + vector(b"tls13 " + label.encode(), 1) + vector(context, 1)
    return hmac.digest(secret, info + b"\1", digest)[:length]


class Secrets:
    """The key schedule of TLS 1.3 after the key agreement. transcript: what both sides have sent."""

    def __init__(self, digest: str, shared: bytes) -> None:
        self.digest, self.size = digest, hashlib.new(digest).digest_size
        early = hmac.digest(bytes(self.size), bytes(self.size), digest)
        self._handshake = hmac.digest(self._derive(early, "derived", b""), shared, digest)
        self._master = hmac.digest(self._derive(self._handshake, "derived", b""), bytes(self.size), digest)

    def _derive(self, secret: bytes, label: str, transcript: bytes) -> bytes:
        return expand_label(self.digest, secret, label, self.hash(transcript), self.size)

    def hash(self, transcript: bytes) -> bytes:
        return hashlib.new(self.digest, transcript).digest()

    def handshake(self, side: str, transcript: bytes) -> bytes:
        """The traffic secret of the side `c` or `s`, up to the ServerHello."""
        return self._derive(self._handshake, f"{side} hs traffic", transcript)

    def application(self, side: str, transcript: bytes) -> bytes:
        """The same, up to the server's Finished."""
        return self._derive(self._master, f"{side} ap traffic", transcript)

    def finished(self, traffic: bytes, transcript: bytes) -> bytes:
        """verify_data (RFC 8446 section 4.4.4)."""
        key = expand_label(self.digest, traffic, "finished", b"", self.size)
        return hmac.digest(key, self.hash(transcript), self.digest)

    def next(self, traffic: bytes) -> bytes:
        """After a KeyUpdate."""
        return expand_label(self.digest, traffic, "traffic upd", b"", self.size)


def prf(digest: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """The pseudorandom function of TLS 1.2."""
    seed = label + seed
    out, a = b"", seed
    while len(out) < length:
        a = hmac.digest(secret, a, digest)
        out += hmac.digest(secret, a + seed, digest)
    return out[:length]
