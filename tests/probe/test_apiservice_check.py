"""An APIService is asked twice, in two ways: available or not, and whether requests to it would be proxied."""

import asyncio

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
from tests.support.peers.h2server import H2Server

CA, OTHER_CA = make_authority("api-ca"), make_authority("other-ca")
NAME, PATH = "v1beta1.metrics.k8s.io", "/apis/metrics.k8s.io/v1beta1"
SERVICE = {"namespace": "kube-system", "name": "metrics-server"}
TLS = server_context(issue(CA, ("metrics-server.kube-system.svc",)))


def probe(*servers, ca=CA):
    target = {"kind": "aggregated-api", "name": NAME, "service": SERVICE, "caBundle": ca.pem}
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
    """Requests could be proxied, but none is: the verdict is fail, in the condition's words."""
    server = api(lab_loop, status)
    one = probe(server)
    url = f"https://127.0.0.1:{server.port}{PATH}"
    assert (one.verdict, one.forecast.outcome) == (Verdict.FAIL, "pass")
    assert (one.availability.outcome, one.availability.reason) == ("fail", "FailedDiscoveryCheck")
    assert one.availability.error == f"failing or missing response from {url}: bad status from {url}: {status[:3]}"
    assert one.failure.code is Code.HTTP_STATUS
    assert one.failure.message.startswith("the APIService is not Available: ")


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_refusal_of_the_anonymous_says_nothing(lab_loop, status):
    """The API server shows its front-proxy certificate, which we do not have: not known, and no verdict of ours."""
    one = probe(api(lab_loop, status))
    assert (one.verdict, one.availability.outcome, one.availability.reason) == (Verdict.PASS, "unknown", None)


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


def test_silence_ends_after_five_seconds(lab_loop):
    """The controller's client gives up after 5 s; the proxied request would go on for longer."""
    one = probe(lab_loop.start(TcpServer()))
    assert one.availability.outcome == "fail"
    assert one.availability.error.endswith("(Client.Timeout exceeded while awaiting headers)")
    assert 4_900 < one.availability.attempts[0].failure_ms < 5_500


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
