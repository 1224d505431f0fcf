"""Which targets the switch moves, and causes over several rounds."""

import pytest
from msgspec.structs import replace

from egressprobe.model.failure import Code
from egressprobe.model.joined_report import Cause
from egressprobe.model.report import TargetView
from egressprobe.model.target import Kind, ServiceRef, Verdict
from egressprobe.readiness.causes import causes_of
from egressprobe.readiness.matrix import ProbeRound, matrix, moves
from tests.support.preflights import CLUSTER, POLICY, TARGETS, ScriptedSources

SERVICE = ServiceRef("ns", "svc")


@pytest.mark.parametrize(
    ("kind", "service", "addresses", "moved"),
    [
        (Kind.WEBHOOK, None, (), True),
        (Kind.OIDC, None, (), True),
        (Kind.ENDPOINT, None, (), True),
        (Kind.KUBELET, None, ("10.0.3.10:10250",), False),
        (Kind.WEBHOOK, SERVICE, ("10.0.3.10:9443",), False),
        (Kind.WEBHOOK, SERVICE, ("[2001:db9::10]:9443",), False),
        (Kind.AGGREGATED_API, SERVICE, ("10.0.3.10:443",), False),
        (Kind.AGGREGATED_API, SERVICE, ("10.0.3.10:443", "93.184.216.34:443"), True),
        (Kind.WEBHOOK, SERVICE, ("hooks.example.com:443",), True),
        (Kind.WEBHOOK, SERVICE, ("[2a00:1450:4001::1]:443",), False),
        (Kind.WEBHOOK, SERVICE, (), False),
    ],
)
def test_what_the_switch_moves(kind, service, addresses, moved):
    """By URL, or by a Service whose endpoints are outside of the VPC; pods may have global IPv6 addresses."""
    assert moves(TargetView(kind, "t", "https://t.example/", service=service, addresses=addresses)) is moved


def test_an_endpoint_outside_of_the_vpc_that_fails_would_break_by_the_switch():
    target = {
        "kind": "aggregated-api",
        "name": "v1.metrics.example.com",
        "service": {"namespace": "ns", "name": "svc"},
        "addresses": ["93.184.216.34:443"],
    }
    sources = ScriptedSources(targets=(target,), changes={(None, None, "v1.metrics.example.com"): (Verdict.FAIL, None)})
    [row] = matrix([ProbeRound(sources.probe(None))], (), None, CLUSTER.subnets)
    assert (row.switch_relevant, str(row.relation)) == (True, "would break by the switch")


def test_a_cause_of_several_rounds_is_one():
    """With the subnets of all of them; what the Planner found counts where the audit has nothing."""
    a, b = CLUSTER.subnets
    fail = (Verdict.FAIL, Code.CONNECT_TIMEOUT)
    sources = ScriptedSources(targets=TARGETS[:1], changes={(0, a, POLICY): fail, (1, b, POLICY): fail})
    planners = Cause(POLICY, (a,), "CONFIG_ALLOWS_BUT_NO_REPLY", "no reply", "ask the server")
    rounds = [
        ProbeRound(replace(sources.probe(None), causes=(planners,))),
        ProbeRound(replace(sources.probe(None), causes=(replace(planners, subnets=(b,)),))),
        ProbeRound(None, "throttled"),
    ]
    rows = matrix(rounds, (), None, CLUSTER.subnets)
    assert [(cause.code, cause.subnets) for cause in causes_of(rows, rounds, None)] == [
        ("CONFIG_ALLOWS_BUT_NO_REPLY", (a, b))
    ]
    assert [cell.rounds for cell in rows[0].cells] == [
        (Verdict.FAIL, Verdict.PASS, Verdict.UNKNOWN),
        (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN),
    ]


def test_what_nothing_else_explains_is_the_failure_itself():
    """Once for all subnets that have it, with its remedy."""
    changes = {(None, None, POLICY): (Verdict.FAIL, Code.TLS_CERT_EXPIRED)}
    sources = ScriptedSources(targets=TARGETS[:1], changes=changes)
    rounds = [ProbeRound(sources.probe(None))]
    [cause] = causes_of(matrix(rounds, (), None, CLUSTER.subnets), rounds, None)
    assert (cause.code, cause.subnets) == ("tls_cert_expired", CLUSTER.subnets)
    assert cause.remedy
