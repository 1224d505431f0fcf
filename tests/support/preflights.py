"""Sources of a preflight without AWS: a cluster, its targets, what each subnet's probe reports, round by round."""

from msgspec.structs import replace

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import Permission
from egressprobe.model.discovered import Discovered
from egressprobe.model.failure import CODES, Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Resolution
from egressprobe.model.report import REPORT_SCHEMA, Forecast, Report, Result, Vantage, count, view, worst
from egressprobe.model.target import Impact, Verdict
from egressprobe.planner.join import Heard, join
from egressprobe.readiness.matrix import moves
from egressprobe.readiness.result import ClusterState
from egressprobe.targets.plan import read_plan
from tests.support.vpc.snapshots import WEB, clean, swap

SUBNETS = {"subnet-a": "eu-west-1a", "subnet-b": "eu-west-1b"}
POLICY, CORP_LOGIN, ISSUER, KUBELET = "policy.example.com/validate", "login.example.com", "oidc.eks", "kubelet a"
CLUSTER = ClusterState(
    name="prod",
    region="eu-west-1",
    account="123456789012",
    arn="arn:aws:eks:eu-west-1:123456789012:cluster/prod",
    status="ACTIVE",
    mode="AWS_MANAGED",
    version="1.35",
    vpc="vpc-1",
    subnets=tuple(SUBNETS),
    security_groups=("sg-cluster",),
    ip_family="ipv4",
    private_access=True,
)
TARGETS = (
    {
        "kind": "webhook",
        "name": POLICY,
        "url": "https://policy.example.com/validate",
        "failurePolicy": "Fail",
        "objects": ["ValidatingWebhookConfiguration/policy/check"],
    },
    {
        "kind": "oidc",
        "name": CORP_LOGIN,
        "url": "https://login.example.com",
        "objects": ["IdentityProviderConfig/corp"],
    },
    {
        "kind": "oidc",
        "name": ISSUER,
        "url": "https://oidc.eks.eu-west-1.amazonaws.com/id/A",
        "objects": ["Cluster/prod"],
        "advisory": True,
    },
    {"kind": "kubelet", "name": KUBELET, "addresses": ["10.0.3.10:10250"], "objects": ["Node/a"]},
)


def result(
    target,
    verdict=Verdict.PASS,
    code=None,
    *,
    addresses=(WEB,),
    failing=None,
    ms=20.0,
    findings=(),
    impact=Impact.BLOCKS,
):
    """A target's result. failing: the addresses that do; by default all where the verdict is fail and there is a code."""
    target = view(target) if hasattr(target, "endpoints") else target
    code = code or (Code.CONNECT_TIMEOUT if verdict is Verdict.FAIL else None)
    failure = None
    if code is not None:
        phase = CODES[code].phase or Phase.CONNECT
        failure = Failure(phase, code, f"{target.name} does not answer", f"dial tcp: {code}")
    resolved = failure is None or failure.phase is not Phase.RESOLVE
    failing = (
        tuple(addresses if failure is not None and verdict is Verdict.FAIL else ()) if failing is None else failing
    )
    attempts = tuple(
        Attempt(
            address,
            443,
            "ipv6" if ":" in address else "ipv4",
            failure=(failure or Failure(Phase.CONNECT, Code.CONNECT_TIMEOUT, "silence"))
            if address in failing
            else None,
        )
        for address in (addresses if resolved else ())
    )
    outcome = "fail" if verdict is Verdict.FAIL else "pass"
    host = target.url.split("//")[1].split("/")[0] if target.url else ""
    named = [Resolution(host, "dns", 1.0, tuple(addresses) if resolved else (), failure=None if resolved else failure)]
    return Result(
        target=target,
        verdict=verdict,
        impact=impact,
        switch_relevant=moves(target),
        failure=failure,
        forecast=None if verdict is Verdict.UNKNOWN else Forecast(outcome, ms / 1e3),
        resolutions=tuple(named if host else ()),
        attempts=attempts,
        http=(),
        findings=findings,
        duration_ms=ms,
    )


def report(subnet, results):
    """One probe's."""
    verdicts = [one.verdict for one in results]
    at = Vantage("prod", subnet, SUBNETS.get(subnet), ("10.0.0.2",), "OpenSSL 3.5", "0", "system", "1.35")
    return Report(
        REPORT_SCHEMA, "run", "2026-11-26T12:00:00.000+00:00", 50.0, at, worst(verdicts), count(verdicts), tuple(results), ()
    )  # fmt: skip


class ScriptedSources:
    """changes: (round from 0, subnet, target) -> (verdict, code) or a Result; None for any round or subnet.

    Every part can be replaced by an exception, which is then raised.
    """

    def __init__(
        self, *, targets=TARGETS, cluster=CLUSTER, changes=None, snapshot=None, subnets=SUBNETS, discovered=None
    ):
        self.targets, self.subnets, self.changes = targets, subnets, changes or {}
        self.clusters = [cluster]
        self.discovered = discovered if discovered is not None else Discovered(targets=tuple(targets))
        facts = clean().cluster
        kubelets = Permission(6, (10250, 10250), groups=("sg-cluster",))
        self.snapshot = snapshot or clean(
            groups=swap(clean().groups, "sg-pods", ingress=(kubelets,)),
            cluster=replace(facts, ip_family="ipv4", mode="AWS_MANAGED"),
            names=dict.fromkeys(("policy.example.com", "login.example.com"), (WEB,)),
        )
        self.probed_from = "stack egressprobe-prod"
        self.errors = {}  # by the name of the method, or the number of the round
        self.cluster_name = "prod"
        self.joined_findings = ()
        self.view_errors = {}  # (round, subnet) -> text
        self.rounds = 0

    def _raise(self, part):
        if part in self.errors:
            raise self.errors[part]

    def cluster(self):
        self._raise("cluster")
        return self.clusters.pop(0) if len(self.clusters) > 1 else self.clusters[0]

    def discover(self):
        self._raise("discover")
        return self.discovered

    def audit(self, plan):
        self._raise("audit")
        return audit(self.snapshot, plan.targets)

    def probe(self, plan):
        number, self.rounds = self.rounds, self.rounds + 1
        self._raise(number)
        targets = read_plan({"targets": list(self.targets)}).targets if self.targets else ()
        heard = []
        for subnet, zone in self.subnets.items():
            results = [one for target in targets if (one := self._result(number, subnet, target)) is not None]
            error = self.view_errors.get((number, subnet))
            heard.append(Heard(subnet, zone, () if error else (report(subnet, results),), error))
        return join(
            heard,
            [view(target) for target in targets],
            run_id="run",
            started_at="2026-11-26T12:00:00.000+00:00",
            duration_ms=60.0,
            cluster_name=self.cluster_name,
            findings=self.joined_findings,
        )

    def _result(self, number, subnet, target):
        for key in ((number, subnet, target.name), (None, subnet, target.name), (None, None, target.name)):
            if key in self.changes:
                change = self.changes[key]
                return result(target, *change) if isinstance(change, tuple) else change
        addresses = tuple(endpoint.address for endpoint in target.endpoints) or (WEB,)
        return result(target, addresses=addresses)


class FakeClock:
    """Time passes only while someone sleeps."""

    def __init__(self):
        self.time, self.slept = 1000.0, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds
