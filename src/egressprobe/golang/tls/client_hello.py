"""The ClientHello of Go's client, to the byte: crypto/tls/handshake_client.go makeClientHello, handshake_messages.go.

Without a session cache Go offers no tickets, so a server sends it none.
"""

from typing import NamedTuple

from egressprobe.golang.release import GoRelease
from egressprobe.golang.tls.key_exchange import GROUPS, KeyShare
from egressprobe.golang.tls_hello import GROUP_NAMES
from egressprobe.golang.tls_record import TLS_1_2, TLS_1_3

# The order with AES in hardware (cipher_suites.go cipherSuitesPreferenceOrder), then defaultCipherSuitesTLS13
_SUITES = bytes.fromhex("c02bc02fc02cc030cca9cca8c009c013c00ac014")
_TRIPLE_DES, _SUITES_TLS_1_3 = bytes.fromhex("c012"), bytes.fromhex("130113021303")
# defaults.go defaultSupportedSignatureAlgorithms
_SCHEMES, _SHA1_SCHEMES = bytes.fromhex("0804040308070805080604010501060105030603"), bytes.fromhex("02010203")
_NUMBERS = {name: number for number, name in GROUP_NAMES.items()}


class HelloTerms(NamedTuple):
    """What a ClientHello offers. name: sent as SNI. release: decides the suites and schemes."""

    name: str | None
    alpn: tuple[str, ...]
    groups: tuple[str, ...]
    release: GoRelease

    @property
    def group_numbers(self) -> tuple[int, ...]:
        """Those of `groups` that we can make keys for."""
        return tuple(_NUMBERS[name] for name in self.groups if _NUMBERS.get(name) in GROUPS)

    @property
    def splits_schemes(self) -> bool:
        """Whether SHA-1 is offered for certificates only."""
        return self.release >= GoRelease.V1_25

    @property
    def suites(self) -> bytes:
        """cipher_suites: 3DES is offered with the settings of Go 1.22 (GODEBUG tls3des)."""
        return _SUITES + (_TRIPLE_DES if self.release <= GoRelease.V1_22 else b"") + _SUITES_TLS_1_3

    @property
    def schemes(self) -> bytes:
        """signature_algorithms."""
        return _SCHEMES if self.splits_schemes else _SCHEMES + _SHA1_SCHEMES


def vector(value: bytes, length_size: int) -> bytes:
    """A value behind its length."""
    return len(value).to_bytes(length_size) + value


def first_shares(terms: HelloTerms) -> list[KeyShare]:
    """One for the preferred group; of a hybrid one for its traditional part as well."""
    preferred = KeyShare(terms.group_numbers[0])
    fallback = preferred.fallback
    return [preferred, fallback] if fallback and fallback.group in terms.group_numbers else [preferred]


def client_hello(
    terms: HelloTerms, random: bytes, session_id: bytes, shares: list[KeyShare], cookie: bytes = b""
) -> bytes:
    """The handshake message."""
    groups = b"".join(number.to_bytes(2) for number in terms.group_numbers)
    keys = b"".join(share.group.to_bytes(2) + vector(share.public, 2) for share in shares)
    extensions: list[tuple[int, bytes]] = []
    if terms.name:
        extensions.append((0, vector(b"\0" + vector(terms.name.encode("ascii"), 2), 2)))
    extensions += [(11, b"\1\0"), (0xFF01, b"\0"), (23, b""), (18, b""), (5, b"\1\0\0\0\0")]
    extensions += [(10, vector(groups, 2)), (13, vector(terms.schemes, 2))]
    if terms.splits_schemes:
        extensions.append((50, vector(_SCHEMES + _SHA1_SCHEMES, 2)))
    if terms.alpn:
        extensions.append((16, vector(b"".join(vector(name.encode("ascii"), 1) for name in terms.alpn), 2)))
    extensions.append((43, vector(TLS_1_3.to_bytes(2) + TLS_1_2.to_bytes(2), 1)))
    if cookie:
        extensions.append((44, vector(cookie, 2)))
    extensions.append((51, vector(keys, 2)))
    packed = b"".join(kind.to_bytes(2) + vector(value, 2) for kind, value in extensions)
    body = TLS_1_2.to_bytes(2) + random + vector(session_id, 1) + vector(terms.suites, 2) + b"\1\0" + vector(packed, 2)
    return b"\1" + vector(body, 3)
