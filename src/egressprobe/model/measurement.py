"""The types of what was measured. Frozen, comparable with ==, no I/O.

A `Measurement` is what was seen of one target, phase by phase, without a verdict: it is made of `Hop`s (a
webhook is one hop; an OIDC provider is discovery, its redirects and the key set), each a `Resolution` and one
`Attempt` an address.

All times are milliseconds when the name ends in `_ms` (JSON `Ms`), seconds when it ends in `_seconds`.
A `_ms` value comes from the kernel where the kernel gives one (TCP_INFO, receive time stamps); the
`user_ms` beside it is what this process saw, CPU starvation included.
"""

from typing import Literal

import msgspec

from egressprobe.model.failure import Failure
from egressprobe.model.struct import Struct


class Query(Struct, frozen=True):
    """One question to one name server over one transport."""

    server: str
    transport: Literal["udp", "tcp"]
    ms: float
    user_ms: float = 0.0
    rcode: str | None = None
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    ttl: int | None = None
    failure: Failure | None = None


class Lookup(Struct, frozen=True):
    """One name and record type, through all servers and rounds; `failure` is what Go would return."""

    name: str
    type: Literal["A", "AAAA"]
    ms: float
    queries: tuple[Query, ...]
    addresses: tuple[str, ...] = ()
    failure: Failure | None = None


class Resolution(Struct, frozen=True):
    """A host name made into addresses.

    addresses: in the order in which Go gets them; one that is twice in the answer is there twice, as for Go.
    lookups: in the order of the search list, A and AAAA side by side.
    sources: destination -> our source address for it, None without a route (input of RFC 6724); of several only.
    """

    host: str
    origin: Literal["dns", "hosts", "literal"]
    ms: float
    addresses: tuple[str, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    view: str = "system"
    sources: dict[str, str | None] = msgspec.field(default_factory=dict)
    failure: Failure | None = None


class CertificateView(Struct, frozen=True):
    """One certificate as presented, leaf first. `issuer_urls`: where it says its issuer's certificate is (AIA)."""

    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    names: tuple[str, ...] = ()
    sha256: str = ""
    issuer_urls: tuple[str, ...] = ()


class Handshake(Struct, frozen=True):
    """One TLS handshake. `duration_ms` is time on the wire; `group` from the plaintext ServerHello."""

    duration_ms: float
    user_ms: float
    first_byte_ms: float | None = None
    version: str | None = None
    cipher: str | None = None
    group: str | None = None
    hello_retry: bool = False
    alpn: str | None = None
    server_name: str | None = None
    hello_bytes: int = 0
    chain: tuple[CertificateView, ...] = ()
    days_remaining: float | None = None
    expires_soon: bool = False


class TcpState(Struct, frozen=True):
    """The kernel's view of a connection that broke in the handshake: TCP_INFO just before it was closed.

    unacked: segments sent and not acknowledged. out_of_order: segments that came with a gap before them.
    """

    unacked: int
    bytes_acked: int
    bytes_received: int
    out_of_order: int
    retransmits: int


type RungName = Literal["again", "again-mss-536", "small", "small-mss-536", "other-name"]
type RungOutcome = Literal["answered", "silent", "reset", "closed", "unknown"]


class Rung(Struct, frozen=True):
    """One more handshake of the retry ladder, differing in one thing from the one that broke.

    mss: the segment size asked for, None for the path's own. server_name: None when none was sent.
    unknown: TCP did not connect, or the time was up.
    """

    name: RungName
    hello_bytes: int
    mss: int | None
    server_name: str | None
    outcome: RungOutcome
    ms: float


class Attempt(Struct, frozen=True):
    """One address, dialled by itself. `failure_ms`: how long the failing phase took to fail.

    tcp, ladder: of a handshake that met silence, a reset or an end; the ladder is for one address of a family.
    """

    address: str
    port: int
    family: Literal["ipv4", "ipv6"]
    connect_ms: float | None = None
    connect_user_ms: float | None = None
    tls: Handshake | None = None
    exchange_ms: float | None = None
    exchange_status: int | None = None
    failure: Failure | None = None
    failure_ms: float | None = None
    tcp: TcpState | None = None
    ladder: tuple[Rung, ...] = ()


class HttpExchange(Struct, frozen=True):
    """One request after measurement: OIDC discovery, a redirect, a key set. Never a query string in `url`.

    retries: how often it was made again because the server had not taken it (HTTP/2), as the API server's client does.
    """

    url: str
    address: str
    duration_ms: float
    protocol: str = ""
    status: int | None = None
    body_bytes: int = 0
    failure: Failure | None = None
    retries: int = 0


type Role = Literal["call", "discovery", "jwks", "control", "availability"]


class Hop(Struct, frozen=True):
    """One host on a target's path: resolved, every address dialled, at most one request."""

    role: Role
    url: str
    host: str
    port: int
    resolution: Resolution | None = None
    attempts: tuple[Attempt, ...] = ()
    http: HttpExchange | None = None
    failure: Failure | None = None


class Measurement(Struct, frozen=True):
    """Everything seen of one target. `failure`: why the measurement is incomplete.

    availability: the check that the API server makes of an APIService beside proxying requests to it.
    """

    hops: tuple[Hop, ...]
    duration_ms: float
    views: tuple[Resolution, ...] = ()
    control: Hop | None = None
    availability: Hop | None = None
    failure: Failure | None = None
