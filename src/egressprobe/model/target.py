"""What to measure. Frozen, comparable with ==, no I/O.

Data flows one way: event -> plan -> measurement -> forecast -> diagnosis -> report -> publish.

What was seen is in measurement.py, what it means in report.py. The JSON names (camelCase) are the contract.
"""

from enum import StrEnum
from typing import Literal

from egressprobe.model.struct import Struct

DEFAULT_KUBE_VERSION = "1.35"
TARGETS_SCHEMA = "egressprobe/targets/v1"
# The target of `egressprobe drill`, which fails on purpose; no inventory has it.
DRILL_TARGET = "egressprobe-drill"
# A target of which fewer of all equally likely calls pass fails: a fail-closed webhook that fails every third call is
# an outage.
LEAST_SHARE = 2 / 3


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


class TargetSeverity(StrEnum):
    """How much a target matters to its owner, the most severe first; the names of PagerDuty's Events API v2.

    It decides no verdict and no alarm: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
    """

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


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


class CallRefusal(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the API server fails a call before it connects.

    finding: the catalogue's code. error: client-go's or the service resolver's own text.
    """

    finding: str
    error: str


class AvailableCondition(Struct, frozen=True, forbid_unknown_fields=True):
    """The condition Available of an APIService, as discovery last read it: minutes old on a schedule.

    status, reason, message: the API server's own. since: its lastTransitionTime (RFC 3339), when the status last
    changed; empty where it has none. k8s.io/kube-aggregator/pkg/apis/apiregistration/types.go
    """

    status: Literal["True", "False", "Unknown"]
    reason: str = ""
    message: str = ""
    since: str = ""


class Target(Struct, frozen=True):
    """One thing the API server must reach, checked and ready to connect to.

    host: the name or address dialled and, for TLS, verified (A-label form). For targets given by
        addresses it is the name verified.
    scheme: `https`, `tls` (TLS without HTTP), `tcp` or, for a JWKS hop only, `http`.
    endpoints: set for targets given by addresses: each call picks one at random.
    bundle: key into `Plan.bundles`; empty: the system roots.
    verify: False where kube-apiserver does not verify (kubelet, insecureSkipTLSVerify).
    objects: what in the cluster calls it, `KIND/NAME` or `KIND/NAME/WEBHOOK`, the one that matters most first;
        set for what discovery found.
    affects: the requests that depend on them, in words: `all Pod CREATE`.
    advisory: a documented prerequisite on which nothing in the cluster depends: it warns and never fails.
    refusal: why the call fails before a connection is made.
    exchange: what a webhook is sent after the handshake: HEAD /, or a review marked dryRun (admission_review.py).
    condition: what the API server itself says of an APIService; None where discovery did not read it.
    owner, severity: for messages; of the targets file or of annotations (model/ownership.py). The Probe gets neither.
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
    objects: tuple[str, ...] = ()
    affects: str = ""
    advisory: bool = False
    refusal: CallRefusal | None = None
    condition: AvailableCondition | None = None
    exchange: Literal["head", "review"] = "head"
    owner: str = ""
    severity: TargetSeverity | None = None


class Misplacement(Struct, frozen=True, forbid_unknown_fields=True):
    """Why nothing measured here says anything about the cluster. finding: of the catalogue. said: its summary."""

    finding: str
    said: str


class Plan(Struct, frozen=True):
    """What one run measures. Two plans are the same plan when they are equal.

    resolvers: `ADDR` or `ADDR:PORT`, instead of the system's name servers.
    compare_resolvers: queried as well, only to compare (`DNS_VIEWS_DIFFER`).
    ip_family: the cluster's; with `ipv6` an IPv6 address we have no route to is unknown, not dead.
    sources: the assumed source address by family, for RFC 6724; by default our own.
    kube_version: the Kubernetes version to emulate; it decides the ClientHello (kube_version.py).
    one_series: ProbeSuccess of all targets is one series (the whole plan, of which this is a shard, has too many).
    misplaced: the probe is not where the control plane is: every verdict is unknown.
    retired: how many targets have left the plan lately: no all-clear while there are any.
    egress_mode: the cluster's controlPlaneEgressMode, empty where the plan does not have it.
    drill: its targets fail on purpose; nothing else is published of the run.
    share: from 0 to 1, of the whole plan, of which this is a shard; the shards' add up to 1.
    looked_up_at: when the addresses of discovered targets were read (ISO 8601); empty: every failure counts at once.
    confirmed: of failing targets by name, the endpoints and codes whose failures count (publish/counting.py).
    """

    targets: tuple[Target, ...]
    bundles: dict[str, tuple[bytes, ...]] = {}
    resolvers: tuple[str, ...] = ()
    compare_resolvers: tuple[str, ...] = ()
    ip_family: Literal["ipv4", "ipv6"] | None = None
    sources: dict[str, str] = {}
    kube_version: str = DEFAULT_KUBE_VERSION
    one_series: bool = False
    misplaced: Misplacement | None = None
    retired: int = 0
    egress_mode: str = ""
    share: float = 1.0
    drill: bool = False
    looked_up_at: str = ""
    confirmed: dict[str, tuple[str, ...]] = {}
