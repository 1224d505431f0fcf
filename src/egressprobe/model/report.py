"""The types of a report: measurements with their verdicts. Frozen, no I/O; their JSON is the report's contract.

- `Forecast` says what one fresh kube-apiserver call would do.
- `Finding` is one thing worth a person's time beside the verdict.
- `Result` is about one target, `Report` about the run.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from egressprobe.model.failure import Failure
from egressprobe.model.measurement import Attempt, HttpExchange, Resolution
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.struct import Struct
from egressprobe.model.target import (
    AvailableCondition,
    Expect,
    FailurePolicy,
    Impact,
    Kind,
    ServiceRef,
    Target,
    TargetSeverity,
    Verdict,
)

REPORT_SCHEMA = "egressprobe/report/v1"


class Forecast(Struct, frozen=True):
    """What one fresh kube-apiserver call would do.

    seconds: until it returns, either way. error: kube-apiserver's network error, None when it passes.
    alternatives: texts that the same call may end with instead: two limits end it at the same time.
    share: fraction of equally likely calls that pass (rotations of the answer, choice of endpoint);
    share_unknown: fraction whose outcome is unknown.
    """

    outcome: Literal["pass", "fail"]
    seconds: float
    error: str | None = None
    share: float = 1.0
    share_unknown: float = 0.0
    dns_seconds: float = 0.0
    alternatives: tuple[str, ...] = ()


class Finding(Struct, frozen=True):
    """One thing worth a person's time; text and anchor come from the catalogue. remedy_steps: `remedy` as data."""

    code: str
    severity: Literal["error", "warning", "info"]
    summary: str
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)
    remedy: str = ""
    docs: str = ""
    remedy_steps: RemedySteps | msgspec.UnsetType = msgspec.UNSET


class Availability(Struct, frozen=True):
    """An APIService's condition Available, as the API server's check, which does not verify TLS, would set it.

    reason: the condition's, None where it is unknown. share: fraction of its checks that pass; a check passes if one of
    five random endpoints does. error: the condition's message; alternatives: what it may be instead, by chance.
    url: the path requested. attempts: one an endpoint. condition: the API server's own, as discovery last read it.
    """

    outcome: Literal["pass", "fail", "unknown"]
    reason: str | None
    share: float
    error: str | None
    url: str
    attempts: tuple[Attempt, ...] = ()
    condition: AvailableCondition | None = None
    alternatives: tuple[str, ...] = ()


class TargetView(Struct, frozen=True):
    """A target as a report shows it: no certificates, no query. owner, severity: left out where there is none."""

    kind: Kind
    name: str
    url: str
    service: ServiceRef | None = None
    addresses: tuple[str, ...] = ()
    ca_bundle: str = "system"
    timeout_seconds: int = 10
    failure_policy: FailurePolicy | None = None
    expect: Expect = Expect.REACHABLE
    objects: tuple[str, ...] = ()
    affects: str = ""
    exchange: Literal["head", "review"] = "head"
    owner: str | msgspec.UnsetType = msgspec.UNSET
    severity: TargetSeverity | msgspec.UnsetType = msgspec.UNSET


class Result(Struct, frozen=True):
    """One target: its verdict, the failure of the call that fails, and everything measured.

    switch_relevant: the egress device carries this traffic. resolutions: also those of other name servers, compared.
    attempts, http: of all hops, in their order. duration_ms: of the measurement. authentication: not checked where the
    server refused the probe for lack of credentials that only the API server has.
    """

    target: TargetView
    verdict: Verdict
    impact: Impact
    switch_relevant: bool
    failure: Failure | None
    forecast: Forecast | None
    resolutions: tuple[Resolution, ...]
    attempts: tuple[Attempt, ...]
    http: tuple[HttpExchange, ...]
    findings: tuple[Finding, ...]
    duration_ms: float
    availability: Availability | None = None
    authentication: Literal["not checked"] | None = None


class Summary(msgspec.Struct, frozen=True):
    """Targets by verdict."""

    # "pass" is a Python keyword
    passed: int = msgspec.field(name="pass", default=0)
    degraded: int = 0
    fail: int = 0
    unknown: int = 0

    @property
    def measured(self) -> int:
        """Targets with a verdict of their own."""
        return self.passed + self.degraded + self.fail


_WORST_FIRST = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.PASS)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on several; on none it is unknown."""
    given = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in given), Verdict.UNKNOWN)


def count(verdicts: Iterable[Verdict]) -> Summary:
    """How many of each."""
    n = Counter(verdicts)
    return Summary(n[Verdict.PASS], n[Verdict.DEGRADED], n[Verdict.FAIL], n[Verdict.UNKNOWN])


class Vantage(Struct, frozen=True):
    """Where the probe ran, and the versions it ran with."""

    cluster_name: str | None
    subnet_id: str | None
    availability_zone: str | None
    resolvers: tuple[str, ...]
    openssl_version: str
    version: str
    trust_store: str = ""
    kube_version: str = ""


class Report(Struct, frozen=True):
    """One run. started_at: RFC 3339, UTC. findings: of the run; a target's are in its result."""

    schema_version: str
    run_id: str
    started_at: str
    duration_ms: float
    vantage: Vantage
    verdict: Verdict
    summary: Summary
    results: tuple[Result, ...]
    findings: tuple[Finding, ...]
    limits: str = ""


def view(target: Target) -> TargetView:
    """A target as reports show it."""
    return TargetView(
        kind=target.kind,
        name=target.name,
        url=target.url,
        service=target.service,
        addresses=tuple(str(endpoint) for endpoint in target.endpoints),
        ca_bundle=target.bundle or ("system" if target.verify else "not verified"),
        timeout_seconds=target.timeout_seconds,
        failure_policy=target.failure_policy,
        expect=target.expect,
        objects=target.objects,
        affects=target.affects,
        exchange=target.exchange,
        owner=target.owner or msgspec.UNSET,
        severity=target.severity or msgspec.UNSET,
    )
