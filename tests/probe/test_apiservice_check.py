"""An APIService is asked twice, in two ways: available or not, and whether requests to it would be proxied."""

import asyncio
import ssl
from types import SimpleNamespace

import pytest

from egressprobe.apiserver.availability import availability
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.servers import HttpServer, Page, ResetServer, TcpServer, server_context
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Hop
from egressprobe.model.target import Endpoint, Kind, ServiceRef, Target, Verdict
from egressprobe.probe.apiservice_check import check_path
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan
from tests.support.peers.client_certificates import requiring
from tests.support.peers.h2server import H2Server

CA, OTHER_CA = make_authority("api-ca"), make_authority("other-ca")
NAME, PATH = "v1beta1.metrics.k8s.io", "/apis/metrics.k8s.io/v1beta1"
SERVICE = {"namespace": "kube-system", "name": "metrics-server"}
TLS = server_context(issue(CA, ("metrics-server.kube-system.svc",)))


def probe(*servers, ca=CA, **more):
    target = {"kind": "aggregated-api", "name": NAME, "service": SERVICE, "caBundle": ca.pem} | more
    target |= {"addresses": [f"{server.address}:{server.port}" for server in servers]}
    edges = Edges(guard=lambda _: None, config=ResolverConfig())
    return asyncio.run(run(read_plan({"targets": [target]}), run_id="a", seconds=20, edges=edges)).results[0]


def api(loop, status="200 OK", tls=TLS):
    return loop.start(HttpServer(tls=tls, pages={PATH: Page(b"{}", status)}))


def test_available_and_proxied(lab_loop):
    """Two connections: the check without a name and unverified, the call with both."""
    server = api(lab_loop)
    one = probe(server)
    assert (one.verdict, one.availability.outcome, one.availability.reason) == (Verdict.PASS, "pass", "Passed")
    assert one.availability.attempts[0].tls.server_name is None
    assert one.availability.attempts[0].exchange_status == 200
    assert one.attempts[0].tls.server_name == "metrics-server.kube-system.svc"
    assert any(
        request.startswith(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}") for request in server.requests
    )


def test_available_and_every_request_is_503(lab_loop):
    """A wrong caBundle: the check does not look at it."""
    one = probe(api(lab_loop), ca=OTHER_CA)
    assert (one.verdict, one.availability.outcome) == (Verdict.FAIL, "pass")
    assert one.failure.code is Code.TLS_UNKNOWN_AUTHORITY
    assert one.failure.api_server_error.startswith("error trying to reach service: tls: failed to verify certificate")
    assert [found.code for found in one.findings] == ["AVAILABLE_BUT_REJECTED"]


@pytest.mark.parametrize("status", ["301 Moved Permanently", "404 Not Found", "500 Oops", "503 Unavailable"])
def test_only_2xx_is_available(lab_loop, status):
    """Requests could be proxied, but none is: each gets 503 at once, and the condition has the reason."""
    server = api(lab_loop, status)
    one = probe(server)
    url = f"https://127.0.0.1:{server.port}{PATH}"
    assert (one.verdict, one.forecast.outcome, one.forecast.seconds) == (Verdict.FAIL, "fail", 0.0)
    assert one.failure.api_server_error == one.forecast.error == "service unavailable"
    assert (one.availability.outcome, one.availability.reason) == ("fail", "FailedDiscoveryCheck")
    assert one.availability.error == f"failing or missing response from {url}: bad status from {url}: {status[:3]}"
    assert one.failure.code is Code.HTTP_STATUS
    assert one.failure.message.startswith("the APIService is not Available: ")


CONDITION = {"reason": "FailedDiscoveryCheck", "message": "bad status: 401", "since": "2026-11-26T01:02:03Z"}


def probe_requiring(version, **more):
    """A server that requires a client certificate by another CA."""
    tls = server_context(issue(CA, ("metrics-server.kube-system.svc",)))
    with requiring(tls, OTHER_CA.pem, version) as (address, port):
        return probe(SimpleNamespace(address=address, port=port), **more)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_refusal_of_the_anonymous_is_no_failure(lab_loop, status):
    """The API server presents its front-proxy certificate, which we do not have: reached, authentication not checked."""
    one = probe(api(lab_loop, status))
    assert (one.verdict, one.availability.outcome, one.availability.reason) == (Verdict.PASS, "unknown", None)
    assert (one.failure, one.authentication) == (None, "not checked")
    assert [found.code for found in one.findings] == ["AUTHENTICATION_NOT_CHECKED"]
    assert f"refuses the probe (status {status[:3]})" in one.findings[0].summary


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_demanded_client_certificate_is_no_failure(version):
    """In TLS 1.2 an alert in the handshake, in TLS 1.3 one after it: the path and the server's certificate are proven."""
    one = probe_requiring(version)
    assert (one.verdict, one.failure, one.authentication) == (Verdict.PASS, None, "not checked")
    assert (one.availability.outcome, one.forecast.outcome) == ("unknown", "pass")
    assert one.attempts[0].tls.chain


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_wrong_server_certificate_is_not_hidden_by_the_demand(version):
    """The proxy verifies the server before it shows anything: unknown authority, not authentication."""
    one = probe_requiring(version, caBundle=OTHER_CA.pem)
    assert (one.verdict, one.failure.code) == (Verdict.FAIL, Code.TLS_UNKNOWN_AUTHORITY)


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized"])
@pytest.mark.parametrize(
    ("own", "verdict"), [("False", Verdict.FAIL), ("True", Verdict.PASS), ("Unknown", Verdict.PASS)]
)
def test_the_api_servers_own_false_is_the_verdict(lab_loop, status, own, verdict):
    """It has the client certificate and we do not: where it says False, with its reason and since when."""
    one = probe(api(lab_loop, status), condition=CONDITION | {"status": own})
    assert one.verdict is verdict
    assert one.availability.condition.status == own
    if verdict is Verdict.FAIL:
        assert (one.failure.code, one.failure.api_server_error) == (Code.APISERVICE_UNAVAILABLE, "service unavailable")
        assert "2026-11-26T01:02:03Z (FailedDiscoveryCheck): bad status: 401" in one.failure.message


@pytest.mark.parametrize(
    ("finding", "error", "version", "reason", "message"),
    [
        ("SERVICE_NOT_FOUND", "m", "1.35", "ServiceNotFound", "m"),
        ("SERVICE_PORT_NOT_FOUND", "m", "1.35", "ServicePortError", "m"),
        ("SERVICE_TYPE_UNSUPPORTED", 'unsupported service type "ExternalName"', "1.35", "FailedDiscoveryCheck", None),
        ("SERVICE_WITHOUT_ENDPOINTS", "endpoints for s", "1.35", "MissingEndpoints", "endpointslices for s"),
        ("SERVICE_WITHOUT_ENDPOINTS", "endpointslices for s", "1.32", "MissingEndpoints", "endpoints for s"),
        (
            "SERVICE_WITHOUT_ENDPOINTS",
            "cannot find endpointslices for s",
            "1.35",
            "EndpointsNotFound",
            "cannot find endpointslices for s",
        ),
        (
            "SERVICE_WITHOUT_ENDPOINTS",
            "cannot find endpointslices for s",
            "1.32",
            "EndpointsNotFound",
            "cannot find endpoints for s",
        ),
    ],
)
def test_reasons_of_a_condition_without_endpoints(finding, error, version, reason, message):
    """kube-aggregator's reasons and messages, by version; requests get 503 and nothing is dialled."""
    target = {
        "kind": "aggregated-api",
        "name": NAME,
        "service": SERVICE,
        "refusal": {"finding": finding, "error": error},
    }
    edges = Edges(guard=lambda _: None, config=ResolverConfig())
    plan = read_plan({"targets": [target], "kubeVersion": version})
    [one] = asyncio.run(run(plan, run_id="a", seconds=5, edges=edges)).results
    assert (one.availability.reason, one.availability.error) == (reason, message or error)
    assert (one.verdict, one.failure.api_server_error) == (Verdict.FAIL, "service unavailable")


def test_an_unusable_ca_bundle_makes_no_condition_false():
    """The check does not verify: the condition stays True, and requests fail with the client's own error."""
    refusal = {"finding": "CA_BUNDLE_UNUSABLE", "error": "unable to load root certificates: x"}
    target = {"kind": "aggregated-api", "name": NAME, "service": SERVICE, "refusal": refusal}
    edges = Edges(guard=lambda _: None, config=ResolverConfig())
    [one] = asyncio.run(run(read_plan({"targets": [target]}), run_id="a", seconds=5, edges=edges)).results
    assert (one.verdict, one.availability) == (Verdict.FAIL, None)
    assert one.failure.api_server_error == "unable to load root certificates: x"


def test_over_h2(lab_loop):
    tls = server_context(issue(CA, ("metrics-server.kube-system.svc",)), alpn=("h2", "http/1.1"))
    server = lab_loop.start(H2Server(tls, {PATH: Page(b"{}")}))
    one = probe(server)
    assert (one.verdict, one.availability.outcome) == (Verdict.PASS, "pass")
    assert PATH in server.requests


def test_a_broken_connection_in_the_conditions_words(lab_loop):
    server = lab_loop.start(ResetServer())
    one = probe(server)
    url = f"https://127.0.0.1:{server.port}{PATH}"
    assert one.availability.error.startswith(f'failing or missing response from {url}: Get "{url}": read tcp ')
    assert one.failure.code is Code.TLS_RESET


@pytest.mark.thorough
def test_silence_ends_after_five_seconds(lab_loop):
    """The controller's client gives up after 5 s; the proxied request would go on for longer."""
    one = probe(lab_loop.start(TcpServer()))
    assert one.availability.outcome == "fail"
    assert one.availability.error.endswith("(Client.Timeout exceeded while awaiting headers)")
    assert one.availability.alternatives[0].endswith(": context deadline exceeded")
    assert 4_900 < one.availability.attempts[0].failure_ms < 8_000  # of 10 s


def seen(*outcomes):
    """An availability hop: ok, failed, refused (403) or cut endpoints."""
    codes = {"failed": Code.CONNECT_REFUSED, "refused": Code.HTTP_STATUS, "cut": Code.DEADLINE_EXCEEDED}
    attempts = [
        Attempt(
            f"10.0.0.{i}",
            443,
            "ipv4",
            exchange_status=403 if how == "refused" else None,
            failure=None if how == "ok" else Failure(Phase.HTTP, codes[how], how, how),
        )
        for i, how in enumerate(outcomes)
    ]
    return availability(Hop("availability", PATH, "h", 443, attempts=tuple(attempts)))


@pytest.mark.parametrize(
    ("outcomes", "outcome", "share"),
    [
        (("ok",), "pass", 1.0),
        (("ok", "failed"), "pass", 0.9688),  # five picks, one success is enough
        (("ok", *["failed"] * 9), "fail", 0.4095),
        (("failed",), "fail", 0.0),
        (("refused",), "unknown", 0.0),
        (("failed", "refused"), "unknown", 0.0),
        (("ok", "refused"), "pass", 1.0),
        (("cut",), "unknown", 0.0),
    ],
)
def test_five_checks_of_a_random_endpoint(outcomes, outcome, share):
    assert (seen(*outcomes).outcome, seen(*outcomes).share) == (outcome, share)


def test_other_kinds_have_none():
    assert availability(None) is None


@pytest.mark.parametrize(
    ("name", "path", "wanted"),
    [
        ("v1beta1.metrics.k8s.io", None, PATH),
        ("v1.packages.operators.coreos.com", None, "/apis/packages.operators.coreos.com/v1"),
        ("anything", None, "/apis"),
        ("anything", "/apis/g/v1", "/apis/g/v1"),
    ],
)
def test_what_is_asked_for(name, path, wanted):
    service = ServiceRef("n", "s", path=path)
    endpoint = Endpoint("10.0.0.1", 443)
    target = Target(Kind.AGGREGATED_API, name, "u", "s.n.svc", 443, service=service, endpoints=(endpoint,))
    assert check_path(target) == wanted
