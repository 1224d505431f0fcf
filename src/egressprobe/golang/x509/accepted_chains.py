"""Chains that were accepted, remembered: the same bytes come from the same hosts minute after minute.

Only what was accepted under a caBundle, whose anchors are known; with the system roots OpenSSL may know roots that are
in no list. Nothing of a peer's choice is kept, only digests and dates, and that is bounded by bytes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from egressprobe.golang.byte_cache import ByteCache
from egressprobe.golang.release import GoRelease
from egressprobe.golang.x509.certificate import Certificate

# When a certificate begins and ends to be valid.
type Validity = tuple[datetime, datetime]
# (bundle, host): its next handshake need not be verified by OpenSSL.
_HOSTS: ByteCache[bool] = ByteCache(512 * 1024)
_HOST_SIZE = 150  # bytes that one of these takes beside the name, about


class ChainKey(NamedTuple):
    """What a verdict depends on beside the time. anchors: their hash, which will do because they are ours."""

    host: str
    release: GoRelease
    anchors: int
    sizes: tuple[int, ...]
    digest: bytes


class _Accepted(NamedTuple):
    """since, before: between these moments none of the certificates looked at begins or ends to be valid."""

    since: datetime
    before: datetime | None
    paths: tuple[tuple[Validity, ...], ...]


_CHAINS: ByteCache[_Accepted] = ByteCache(1024 * 1024)
_CHAIN_SIZE, _VALIDITY_SIZE = 600, 200  # bytes, about


def known(bundle: str, host: str) -> bool:
    """Whether `host` has presented a chain before that was accepted under the caBundle `bundle`."""
    return _HOSTS.find((bundle, host)) is not None


def remember_host(bundle: str, host: str) -> None:
    """Remember that a chain of `host` was accepted."""
    if bundle:
        _HOSTS.put((bundle, host), value=True, size=len(host) + _HOST_SIZE)


def chain_key(chain: Sequence[bytes], anchors: tuple[bytes, ...], host: str, release: GoRelease) -> ChainKey:
    """The key of a chain as it was sent."""
    digest = hashlib.sha256(b"".join(chain)).digest()
    return ChainKey(host, release, hash(anchors), tuple(map(len, chain)), digest)


def accepted_paths(key: ChainKey, now: datetime) -> tuple[tuple[Validity, ...], ...]:
    """The paths with which the chain is accepted at `now`; empty where it must be verified."""
    accepted = _CHAINS.find(key)
    if accepted is None or now < accepted.since or (accepted.before is not None and now >= accepted.before):
        return ()
    return accepted.paths


def remember_chain(
    key: ChainKey, now: datetime, paths: Sequence[Sequence[Certificate]], certificates: Iterable[Certificate]
) -> None:
    """Remember a chain that was accepted at `now`. certificates: all that its verdict may depend on."""
    moments = [moment for certificate in certificates for moment in validity(certificate) if moment > now]
    dates = tuple(tuple(map(validity, path)) for path in paths)
    accepted = _Accepted(now, min(moments, default=None), dates)
    _CHAINS.put(key, accepted, len(key.host) + _CHAIN_SIZE + _VALIDITY_SIZE * sum(map(len, dates)))


def validity(certificate: Certificate) -> Validity:
    return certificate.not_before, certificate.not_after
