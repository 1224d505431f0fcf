"""Calls that end before anything is dialled, prerequisites that only warn, and probes that stand wrong."""

import asyncio

import msgspec
import pytest

from egressprobe.apiserver.log_messages import sentence
from egressprobe.apiserver.refusals import REFUSALS
from egressprobe.cli.output.table import to_table
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.model.failure import Code, Phase
from egressprobe.model.target import Impact, Verdict
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.publish.response import MAX_RESPONSE, response
from egressprobe.targets.plan import read_plan

HOOK = {
    "kind": "webhook",
    "name": "svc.ns.svc",
    "service": {"namespace": "ns", "name": "svc", "path": "/v"},
    "objects": ["ValidatingWebhookConfiguration/cfg/v.example", "CustomResourceDefinition/xs.g.io/v1, Kind=X"],
    "affects": "all Pod CREATE",
    "failurePolicy": "Fail",
    "timeoutSeconds": 7,
}


def probe(*targets, **plan):
    edges = Edges(guard=lambda _: None, config=ResolverConfig(servers=("127.0.0.1:1",)))
    return asyncio.run(run(read_plan({"targets": list(targets)} | plan), run_id="t", seconds=10, edges=edges))


def refusal(code, error='no endpoints available for service "svc"'):
    return {"refusal": {"finding": code, "error": error}}


def test_what_a_refused_call_fails_with():
    """The Service leads nowhere, or no client can be made."""
    assert REFUSALS["SERVICE_WITHOUT_ENDPOINTS"] == (Phase.RESOLVE, Code.SERVICE_UNRESOLVED)
    assert REFUSALS["CA_BUNDLE_UNUSABLE"] == (Phase.TLS, Code.CA_BUNDLE_INVALID)


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_a_call_that_is_never_dialled_fails_with_its_finding(code):
    [one] = probe(HOOK | refusal(code)).results
    assert (one.verdict, one.impact, one.attempts, one.resolutions) == (Verdict.FAIL, Impact.BLOCKS, (), ())
    assert [found.code for found in one.findings] == [code]
    assert (one.failure.phase, one.failure.code) == REFUSALS[code]
    assert (one.forecast.outcome, one.forecast.seconds, one.forecast.share) == ("fail", 0.0, 0.0)
    assert not one.switch_relevant, "it is broken today, whatever the egress mode"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            'Internal error occurred: failed calling webhook "v.example": failed to call webhook: '
            'Post "https://svc.ns.svc:443/v?timeout=7s": no endpoints available for service "svc"',
        ),
        (
            {"failurePolicy": "Ignore"},
            'Failed calling webhook, failing open v.example: failed calling webhook "v.example": failed to call webhook: '
            'Post "https://svc.ns.svc:443/v?timeout=7s": no endpoints available for service "svc"',
        ),
        (
            {"objects": ["CustomResourceDefinition/xs.g.io/v1, Kind=X"]},
            'conversion webhook for g.io/v1, Kind=X failed: Post "https://svc.ns.svc:443/v?timeout=7s": '
            'no endpoints available for service "svc"',
        ),
        (
            {"objects": []},
            'Internal error occurred: failed calling webhook "svc.ns.svc": failed to call webhook: '
            'Post "https://svc.ns.svc:443/v?timeout=7s": no endpoints available for service "svc"',
        ),
        (
            refusal("CA_BUNDLE_UNUSABLE", "could not get REST client: unable to load root certificates: x"),
            'Internal error occurred: failed calling webhook "v.example": could not get REST client: unable to load '
            "root certificates: x",
        ),
        (
            refusal("CA_BUNDLE_UNUSABLE", "could not get REST client: unable to load root certificates: x")
            | {"objects": ["CustomResourceDefinition/xs.g.io/v1, Kind=X"]},
            "conversion webhook for g.io/v1, Kind=X failed: unable to load root certificates: x",
        ),
        (
            refusal("CA_BUNDLE_UNUSABLE", "Internal error occurred: error resolving resource")
            | {"objects": ["CustomResourceDefinition/xs.g.io/v1, Kind=X"]},
            "Internal error occurred: error resolving resource",
        ),
        (
            refusal("SERVICE_IS_THE_API_SERVER", "the server could not find the requested resource"),
            'Internal error occurred: failed calling webhook "v.example": failed to call webhook: the server could not '
            "find the requested resource",
        ),
        (
            refusal("URL_PORT_INVALID", "dial tcp: address 99999: invalid port")
            | {"service": None, "url": "https://h.example:99999/v"},
            'Internal error occurred: failed calling webhook "v.example": failed to call webhook: '
            'Post "https://h.example:99999/v?timeout=7s": dial tcp: address 99999: invalid port',
        ),
    ],
    ids=["fail", "ignore", "conversion", "unnamed", "bundle", "conversion-bundle", "not-served", "itself", "port"],
)
def test_the_api_servers_sentence_names_the_webhook_not_the_target(changes, said):
    """apiserver/pkg/util/webhook/error.go, apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go."""
    [one] = probe(HOOK | refusal("SERVICE_WITHOUT_ENDPOINTS") | changes).results
    assert one.failure.api_server_error == said


def test_an_apiservice_says_what_its_condition_says():
    raw = {"kind": "aggregated-api", "name": "v1.x.y", "service": HOOK["service"]}
    [one] = probe(raw | refusal("SERVICE_NOT_FOUND", 'service/svc in "ns" is not present')).results
    assert (one.verdict, one.failure.api_server_error) == (Verdict.FAIL, "service unavailable")
    assert (one.availability.reason, one.availability.error) == (
        "ServiceNotFound",
        'service/svc in "ns" is not present',
    )
    assert one.failure.message.endswith('service/svc in "ns" is not present')
    assert sentence(read_plan({"targets": [HOOK | refusal("SERVICE_NOT_FOUND")]}).targets[0], None, None, "x")


def test_the_table_says_who_calls_and_what_to_do():
    report = probe(HOOK | refusal("SERVICE_WITHOUT_ENDPOINTS"))
    text = to_table(report)
    assert "impact    blocks: requests that need it are refused; all Pod CREATE" in text
    assert "called by ValidatingWebhookConfiguration/cfg/v.example, CustomResourceDefinition/xs.g.io/v1, Kind=X" in text
    assert "endpointslices -n ns -l kubernetes.io/service-name=svc" in text


def test_a_prerequisite_that_nothing_waits_for_warns():
    """The cluster's own issuer: degraded, so no page and exit 4; with what it met."""
    raw = {"kind": "oidc", "name": "own", "url": "https://issuer.invalid/id"}
    own, other = probe(raw | {"advisory": True}, raw | {"name": "other"}).results
    assert (own.verdict, other.verdict) == (Verdict.DEGRADED, Verdict.FAIL)
    assert [found.code for found in own.findings] == ["CLUSTER_ISSUER_UNREACHABLE"]
    assert own.failure.code == other.failure.code
    assert own.findings[0].evidence["code"] == str(other.failure.code)


@pytest.mark.parametrize("code", ["STACK_DRIFTED", "CLUSTER_DELETING"])
def test_from_the_wrong_place_everything_is_unknown(code):
    report = probe(
        HOOK | refusal("SERVICE_NOT_FOUND"),
        {"kind": "webhook", "name": "x", "url": "https://x.invalid/"},
        misplaced={"finding": code, "said": "the groups changed"},
    )
    assert (report.verdict, report.summary.unknown) == (Verdict.UNKNOWN, 2)
    assert {one.verdict for one in report.results} == {Verdict.UNKNOWN}
    assert [(found.code, found.summary) for found in report.findings] == [(code, "the groups changed")]
    assert f"the groups changed ({code})" in to_table(report)


def test_however_many_call_it_the_answer_fits():
    """Names of objects are cut like everything else of unbounded length; the verdict stays."""
    many = [f"ValidatingWebhookConfiguration/cfg/{i}-{'x' * 900}" for i in range(1000)]
    report = probe(*(HOOK | refusal("SERVICE_NOT_FOUND") | {"name": f"t{i}", "objects": many} for i in range(8)))
    answer = response(report)
    assert len(msgspec.json.encode(answer)) < MAX_RESPONSE
    assert {one["verdict"] for one in answer["results"]} == {"fail"}
