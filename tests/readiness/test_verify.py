"""verify: no all-clear where the measurement now is not of everything, and where something fails as before."""

import pytest
from msgspec.structs import replace

from egressprobe.catalog.findings_cluster import STACK_DRIFTED
from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.model.discovered import Discovered
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from egressprobe.readiness.comparison.compare import compare
from egressprobe.readiness.result import LOCAL
from egressprobe.readiness.run import preflight
from egressprobe.readiness.switching.probes import difference
from egressprobe.targets.plan import read_plan
from tests.support.preflights import CLUSTER, POLICY, TARGETS, FakeClock, ScriptedSources, result
from tests.support.vpc.snapshots import WEB

FAIL, TIMEOUT = Verdict.FAIL, Code.CONNECT_TIMEOUT
ROUTED = replace(CLUSTER, mode="CUSTOMER_ROUTED")
WEB6 = "2600:1f18::1"
METRICS = {
    "kind": "aggregated-api",
    "name": "v1beta1.metrics.k8s.io",
    "addresses": ["10.0.3.10:4443"],
    "service": {"namespace": "kube-system", "name": "metrics-server"},
    "objects": ["APIService/v1beta1.metrics.k8s.io"],
}
UNREADABLE = {"kind": "webhook", "name": "new.example.com", "url": "ftp://new.example.com"}
BY_BOTH = result(read_plan({"targets": [TARGETS[0]]}).targets[0], addresses=(WEB, WEB6))


def measured(sources):
    return preflight(sources, rounds=2, seconds=1, clock=FakeClock())


def switched(**fields):
    """Sources of the cluster after the switch. fields: of the sources, in place of what they have."""
    sources = ScriptedSources(cluster=ROUTED, changes=fields.pop("changes", None))
    for name, value in fields.items():
        setattr(sources, name, value)
    return sources


def test_nothing_is_worse():
    assert difference(measured(ScriptedSources()), measured(switched()), "b.json").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("before", "fields", "words"),
    [
        ({}, {"joined_findings": (STACK_DRIFTED.found("its groups are others", {}),)}, "its groups are others"),
        ({}, {"joined_findings": (REPORT_REDUCED.found("the report was cut", {}),)}, "the report was cut"),
        ({}, {"clusters": [ROUTED, replace(ROUTED, security_groups=("sg-2",))]}, "changed while it was measured"),
        ({}, {"discovered": Discovered(targets=(*TARGETS, UNREADABLE))}, "new.example.com: cannot be read"),
        (
            {"changes": {(None, None, POLICY): BY_BOTH}},
            {"changes": {(None, "subnet-a", POLICY): BY_BOTH}},
            "was not probed by IPv6 from subnet-b",
        ),
    ],
    ids=["a stack that drifted", "a report that was cut", "a change meanwhile", "an unreadable target", "a family"],
)
def test_what_was_not_seen_is_no_all_clear(before, fields, words):
    """No cell is worse or unknown; the measurement itself says what it did not see. diff says the same."""
    baseline, now = measured(ScriptedSources(**before)), measured(switched(**fields))
    for compared in (difference(baseline, now, "b.json"), compare(baseline, now)):
        assert compared.verdict is Verdict.UNKNOWN
        assert words in "; ".join(compared.not_compared)


def test_from_this_computer_the_paths_of_the_switch_are_not_seen():
    """Both reports can be compared; whether the switch broke something they do not show."""
    both = [ScriptedSources(cluster=cluster, targets=TARGETS[:3], subnets={LOCAL: ""}) for cluster in (CLUSTER, ROUTED)]
    for sources in both:
        sources.probed_from = LOCAL
    before, after = map(measured, both)
    verified = difference(before, after, "b.json")
    assert verified.verdict is Verdict.UNKNOWN
    assert "this computer" in "; ".join(verified.not_compared)
    assert compare(before, after).verdict is Verdict.PASS


def test_an_aggregated_api_that_fails_as_before_is_no_all_clear():
    """None of AWS's steps is about it."""
    failing = {"targets": (*TARGETS, METRICS), "changes": {(None, None, METRICS["name"]): (FAIL, TIMEOUT)}}
    before, after = (measured(ScriptedSources(cluster=cluster, **failing)) for cluster in (CLUSTER, ROUTED))
    verified = difference(before, after, "b.json")
    assert verified.verdict is Verdict.DEGRADED
    assert "v1beta1.metrics.k8s.io: failing, as before the switch" in {check.summary for check in verified.checks}
