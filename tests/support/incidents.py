"""Looks of the Planner, as data: targets that fail from subnets, joined, audited on a virtual VPC, and the alarms."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.audit.root_cause import causes
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.catalog.advice import with_advice
from egressprobe.incidents.alarms import AlarmFacts, AlarmKind, AlarmReading, Contributor
from egressprobe.model.failure import CODES, Code, Failure, Phase
from egressprobe.model.joined_report import Joined
from egressprobe.model.measurement import Attempt, Resolution
from egressprobe.model.report import REPORT_SCHEMA, Finding, Forecast, Report, Result, Summary, TargetView, Vantage
from egressprobe.model.target import FailurePolicy, Impact, Kind, ServiceRef, Verdict
from egressprobe.planner.join import Heard, join
from tests.support.vpc.snapshots import POD, WEB, A, B

NOW = "2026-11-26T02:20:00+00:00"
ZONES = {A: "eu-west-1a", B: "eu-west-1b"}
_ERRORS = {
    Code.CONNECT_TIMEOUT: "dial tcp {address}: i/o timeout",
    Code.CONNECT_REFUSED: "dial tcp {address}: connect: connection refused",
    Code.DNS_NXDOMAIN: "dial tcp: lookup {host}: no such host",
    Code.TLS_CERT_EXPIRED: "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
    Code.TLS_UNKNOWN_AUTHORITY: "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    Code.SERVICE_UNRESOLVED: 'no endpoints available for service "{host}"',
}


class Probed(NamedTuple):
    """A target as the Planner has it. outside: the egress path carries its calls."""

    name: str
    address: str = WEB
    port: int = 443
    outside: bool = True
    impact: Impact = Impact.BLOCKS
    kind: Kind = Kind.WEBHOOK
    affects: str = "all Pod CREATE"
    objects: tuple[str, ...] = ()
    url: str = ""

    @property
    def view(self) -> TargetView:
        service = None if self.outside else ServiceRef("hooks", self.name)
        url = self.url or f"https://{self.name}:{self.port}/" if self.outside else f"https://{self.name}.hooks.svc/"
        ignored = self.impact in (Impact.BYPASSES, Impact.DELAYS)
        return TargetView(
            self.kind,
            self.name,
            url,
            service,
            addresses=() if self.outside else (f"{self.address}:{self.port}",),
            failure_policy=FailurePolicy.IGNORE if ignored else FailurePolicy.FAIL,
            objects=self.objects or self._callers,
            affects=self.affects,
        )

    @property
    def _callers(self) -> tuple[str, ...]:
        return (f"ValidatingWebhookConfiguration/{self.name}/check",) if self.kind is Kind.WEBHOOK else ()

    def result(
        self,
        code: Code | None,
        verdict: Verdict | None = None,
        findings: Iterable[Finding] = (),
        message: str = "",
    ) -> Result:
        """As measured from one subnet; without a code it passes."""
        phase = (CODES[code].phase or Phase.CONNECT) if code else None
        failure = None
        if code is not None and phase is not None:
            place = f"{self.address}:{self.port}"
            error = _ERRORS.get(code, "").format(address=place, host=self.name) or None
            failure = Failure(phase, code, message or f"{self.name} ({place}): {code}", error)
        dialled = phase is not Phase.RESOLVE
        at_connect = failure if phase is Phase.CONNECT else None
        attempts = (Attempt(self.address, self.port, "ipv4", failure=at_connect or failure),) if dialled else ()
        result = Result(
            target=self.view,
            verdict=verdict or (Verdict.FAIL if code else Verdict.PASS),
            impact=self.impact,
            switch_relevant=self.outside,
            failure=failure,
            forecast=Forecast("fail" if code else "pass", 5.0),
            resolutions=(Resolution(self.name, "dns", 1.0, (self.address,) if dialled else ()),),
            attempts=attempts,
            http=(),
            findings=tuple(findings),
            duration_ms=1.0,
        )
        return with_advice(result)


def pod(name: str, **changed: Any) -> Probed:
    """A webhook behind a Service."""
    return Probed(name, **{"address": POD, "port": 9443, "outside": False} | changed)


type Seen = Mapping[str, Mapping[str, Result | None] | str]


def joined_of(seen: Seen, targets: Iterable[Probed], snapshot: VpcSnapshot | None = None) -> Joined:
    """seen: subnet -> target -> result, or why the subnet's probe did not respond. snapshot: audited, if there is one."""
    heard = []
    for subnet, results in seen.items():
        if isinstance(results, str):
            heard.append(Heard(subnet, ZONES.get(subnet, ""), (), results))
            continue
        vantage = Vantage("prod", subnet, ZONES.get(subnet, ""), (), "", "")
        measured = tuple(result for result in results.values() if result is not None)
        report = Report(REPORT_SCHEMA, "1", NOW, 1.0, vantage, Verdict.FAIL, Summary(), measured, ())
        heard.append(Heard(subnet, ZONES.get(subnet, ""), (report,)))
    views = [target.view for target in targets]
    joined = join(heard, views, run_id="1", started_at=NOW, duration_ms=1.0, cluster_name="prod")
    return replace(joined, causes=causes(joined, snapshot)) if snapshot else joined


def on(kind: AlarmKind, *contributors: Contributor, muted: str = "") -> AlarmReading:
    return AlarmReading(kind, "ALARM", "2026-11-26T02:15:00+00:00", contributors, muted=muted)


def facts(*alarms: AlarmReading) -> AlarmFacts:
    """The alarms given; all others are OK."""
    given = {alarm.kind: alarm for alarm in alarms}
    return AlarmFacts(tuple(given.get(kind, AlarmReading(kind, "OK")) for kind in AlarmKind))


def broken(*names: str, code: Code = Code.CONNECT_TIMEOUT, **changed: Any) -> AlarmFacts:
    """`targets` and `path broken` are on, for these targets."""
    contributors = [Contributor(name, str(code), "blocks", "", "2026-11-26T02:15:00+00:00") for name in names]
    return facts(on(AlarmKind.TARGETS, *contributors, **changed), on(AlarmKind.PATH_BROKEN, **changed))
