"""The nouns. Frozen, comparable with ==, no I/O.

Data flows one way: event -> plan -> measurement -> forecast -> diagnosis -> report -> publish.

- `Target` and `Plan` say what to measure.
- `Measurement` says what was seen, phase by phase, and judges nothing: it is made of `Hop`s (a webhook is
  one hop; an OIDC provider is discovery, its redirects and the key set), each a `Resolution` and one
  `Attempt` an address.

What it means is in report.py. The JSON names (camelCase) are the contract.

All times are milliseconds when the name ends in `_ms` (JSON `Ms`), seconds when it ends in `_seconds`.
A `_ms` value comes from the kernel where the kernel gives one (TCP_INFO, receive time stamps); the
`user_ms` beside it is what this process saw, CPU starvation included.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from egressprobe.failure import Failure
from egressprobe.kubeversion import DEFAULT_KUBE_VERSION

TARGETS_SCHEMA = "egressprobe/targets/v1"


class Struct(msgspec.Struct, frozen=True, rename="camel"):
    """Base of the nouns that travel as JSON. Every field is written, null or not: readers need not guess."""


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 (a verdict, not a password)
    DEGRADED = "degraded"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    OIDC = "oidc"
    WEBHOOK = "webhook"
    AGGREGATED_API = "aggregated-api"
    KUBELET = "kubelet"
    ENDPOINT = "endpoint"


class Impact(StrEnum):
    """What breaks in the cluster when the target fails."""

    BLOCKS = "blocks"
    BYPASSES = "bypasses"
    DELAYS = "delays"
    NONE = "none"


class FailurePolicy(StrEnum):
    FAIL = "Fail"
    IGNORE = "Ignore"


class Expect(StrEnum):
    REACHABLE = "reachable"
    BLOCKED = "blocked"


class ServiceRef(Struct, frozen=True, forbid_unknown_fields=True):
    """The `service` of a webhook's clientConfig or of an APIService; `port` is the *service* port."""

    namespace: str
    name: str
    port: int = 443
    path: str | None = None

    @property
    def server_name(self) -> str:
        """The TLS name kube-apiserver asks for (k8s.io/apiserver/pkg/util/webhook/client.go)."""
        return f"{self.name}.{self.namespace}.svc"


class Endpoint(Struct, frozen=True):
    """One address to dial; `address` is in canonical text form."""

    address: str
    port: int

    @property
    def family(self) -> Literal["ipv4", "ipv6"]:
        return "ipv6" if ":" in self.address else "ipv4"

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Target(Struct, frozen=True):
    """One thing the API server must reach, checked and ready to dial.

    host: the name or address dialled and, for TLS, verified (A-label form). For targets given by
        addresses it is the name verified.
    scheme: `https`, `tls` (TLS without HTTP), `tcp` or, for a JWKS hop only, `http`.
    endpoints: set for targets given by addresses: each call picks one at random.
    bundle: key into `Plan.bundles`; empty: the system roots.
    verify: False where kube-apiserver does not verify (kubelet, insecureSkipTLSVerify).
    """

    kind: Kind
    name: str
    url: str
    host: str
    port: int
    scheme: Literal["https", "http", "tls", "tcp"] = "https"
    path: str = "/"
    service: ServiceRef | None = None
    endpoints: tuple[Endpoint, ...] = ()
    bundle: str = ""
    verify: bool = True
    timeout_seconds: int = 10
    failure_policy: FailurePolicy | None = None
    expect: Expect = Expect.REACHABLE
    control: str | None = None
    impact: Impact | None = None


class Plan(Struct, frozen=True):
    """What one run measures. Two plans are the same plan when they are equal.

    resolvers: `ADDR` or `ADDR:PORT`, instead of the system's name servers.
    compare_resolvers: asked as well, only to compare (`DNS_VIEWS_DIFFER`).
    ip_family: the cluster's; with `ipv6` an IPv6 address we have no route to is unknown, not dead.
    sources: the assumed source address by family, for RFC 6724; by default our own.
    kube_version: of the API server stood in for; its ClientHello follows (kubeversion.py).
    one_series: ProbeSuccess of all targets is one series (the whole plan, of which this is a shard, has too many).
    """

    targets: tuple[Target, ...]
    bundles: dict[str, tuple[bytes, ...]] = {}
    resolvers: tuple[str, ...] = ()
    compare_resolvers: tuple[str, ...] = ()
    ip_family: Literal["ipv4", "ipv6"] | None = None
    sources: dict[str, str] = {}
    kube_version: str = DEFAULT_KUBE_VERSION
    one_series: bool = False


# -- what was seen ---------------------------------------------------------------------------------------


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

    lookups: in the order of the search list, A and AAAA side by side.
    sources: destination -> our source address for it, None without a route (input of RFC 6724); of several only.
    """

    host: str
    origin: Literal["dns", "hosts", "literal"]
    ms: float
    addresses: tuple[str, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    view: str = "system"
    sources: dict[str, str | None] = {}
    failure: Failure | None = None


class CertificateView(Struct, frozen=True):
    """One certificate as presented, leaf first."""

    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    names: tuple[str, ...] = ()
    sha256: str = ""


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

    tcp, ladder: of a handshake that met silence, a reset or an end; one address of a family climbs.
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
    """One request after measurement: OIDC discovery, a redirect, a key set. Never a query string in `url`."""

    url: str
    address: str
    duration_ms: float
    protocol: str = ""
    status: int | None = None
    body_bytes: int = 0
    failure: Failure | None = None


type Role = Literal["call", "discovery", "jwks", "control", "availability"]


class Hop(Struct, frozen=True):
    """One host on a target's way: resolved, every address dialled, at most one request."""

    role: Role
    url: str
    host: str
    port: int
    resolution: Resolution | None = None
    attempts: tuple[Attempt, ...] = ()
    http: HttpExchange | None = None
    failure: Failure | None = None


class Measurement(Struct, frozen=True):
    """Everything seen of one target. `failure`: why there is less than a whole measurement.

    availability: the check that the API server makes of an APIService beside proxying requests to it.
    """

    hops: tuple[Hop, ...]
    duration_ms: float
    views: tuple[Resolution, ...] = ()
    control: Hop | None = None
    availability: Hop | None = None
    failure: Failure | None = None
