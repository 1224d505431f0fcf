"""`exchange: review`: a dry-run review at the webhook's own path, judged as the API server judges the answer."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.apiserver.admission_review import ReviewAnswer, review_failure, review_request
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.servers import TcpServer, server_context
from egressprobe.model.failure import Code
from egressprobe.model.target import Kind, Target, Verdict
from egressprobe.probe.edges import Edges
from egressprobe.probe.run import run
from egressprobe.targets.plan import read_plan

CA = make_authority("ca")
PREFIX = 'Internal error occurred: failed calling webhook "w": failed to call webhook: '
CRD = ["CustomResourceDefinition/xs.g.io/v1, Kind=X"]


class Webhook(TcpServer):
    """Answers HEAD / with 503, as a load balancer's default, and a POST with what `reply` makes of the request."""

    def __init__(self, reply, status="200 OK", more=""):
        super().__init__(tls=server_context(issue(CA, ("svc.ns.svc",))))
        self.reply, self.status, self.more = reply, status, more
        self.requests = []

    async def talk(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body, status = b"", "503 Service Unavailable"
        if head.startswith("POST"):
            length = int(head.lower().partition("content-length: ")[2].split("\r")[0])
            request = json.loads(await reader.readexactly(length))
            self.requests.append((head, request))
            body, status = self.reply(request), self.status
        writer.write(f"HTTP/1.1 {status}\r\n{self.more}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


def answered(request, **changes):
    response = {"uid": request["request"]["uid"], "allowed": True} | changes
    return json.dumps({k: request[k] for k in ("apiVersion", "kind")} | {"response": response}).encode()


def probe(server, **more):
    target = {"kind": "webhook", "name": "w", "caBundle": CA.pem, "exchange": "review"} | more
    target |= {
        "service": {"namespace": "ns", "name": "svc", "path": "/validate/"},
        "addresses": [f"{server.address}:{server.port}"],
    }
    edges = Edges(guard=lambda _: None, config=ResolverConfig())
    return asyncio.run(run(read_plan({"targets": [target]}), run_id="a", seconds=10, edges=edges))


@pytest.mark.parametrize("changes", [{}, {"allowed": False, "status": {"message": "no"}}], ids=["allowed", "denied"])
def test_a_webhook_that_answers_passes(lab_loop, changes):
    """Allowed or denied: it works. It was asked at its own path, marked dryRun, and the report says so."""
    server = lab_loop.start(Webhook(lambda request: answered(request, **changes)))
    report = probe(server)
    [result] = report.results
    assert (result.verdict, result.target.exchange, result.findings) == (Verdict.PASS, "review", ())
    [(head, request)] = server.requests
    assert head.startswith("POST /validate?timeout=10s HTTP/1.1\r\nHost: svc.ns.svc:443\r\n")
    assert (request["request"]["dryRun"], request["request"]["operation"]) == (True, "CREATE")
    assert request["request"]["options"]["dryRun"] == ["All"]
    assert "HEAD /" not in report.limits


def test_off_by_default(lab_loop):
    """Without the key nothing but HEAD / is sent, and the report says what that cannot tell."""
    server = lab_loop.start(Webhook(answered))
    report = probe(server, exchange="head")
    assert (report.results[0].verdict, server.requests) == (Verdict.DEGRADED, [])
    assert "HEAD /" in report.limits


@pytest.mark.parametrize(
    ("reply", "status", "code", "error"),
    [
        (lambda _: b"<html>", "200 OK", Code.HTTP_BODY_INVALID, "couldn't get version/kind; json parse error: invalid character '<' looking for beginning of value"),
        (lambda _: b"gone", "404 Not Found", Code.HTTP_STATUS, "the server could not find the requested resource"),
        (lambda _: b"", "503 Service Unavailable", Code.HTTP_STATUS, "the server is currently unable to handle the request"),
        (lambda _: b'oh "no"\n', "500 Oops", Code.HTTP_STATUS, 'an error on the server ("oh \\"no\\"") has prevented the request from succeeding'),
        (lambda _: b"{}", "200 OK", Code.HTTP_BODY_INVALID, "Object 'Kind' is missing in '{}'"),
        (lambda r: answered(r, patch="W10="), "200 OK", Code.HTTP_BODY_INVALID, "webhook returned response.patch but not response.patchType"),
        (lambda r: json.dumps(r).encode(), "200 OK", Code.HTTP_BODY_INVALID, "webhook response was absent"),
        (
            lambda r: json.dumps({"apiVersion": "v1", "kind": "Status"}).encode(),
            "200 OK",
            Code.HTTP_BODY_INVALID,
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got v1, Kind=Status",
        ),
    ],
)  # fmt: skip
def test_a_bad_answer_fails_in_the_api_servers_words(lab_loop, reply, status, code, error):
    """HEAD / would pass or degrade these; there is no `Post "URL":`, for the request itself worked."""
    [result] = probe(lab_loop.start(Webhook(reply, status))).results
    assert (result.verdict, result.failure.code) == (Verdict.FAIL, code)
    assert result.failure.api_server_error == PREFIX + error


def test_a_wrong_uid_and_a_redirect(lab_loop):
    """An answer to another request is none; a redirect is not followed, so that its outcome is unknown."""
    [wrong] = probe(lab_loop.start(Webhook(lambda request: answered(request, uid="x")))).results
    assert wrong.failure.api_server_error.endswith(', got "x"')
    [moved] = probe(lab_loop.start(Webhook(answered, "307 Moved", "Location: https://other/\r\n"))).results
    assert (moved.verdict, moved.failure.code) == (Verdict.UNKNOWN, Code.PROBE_LIMITATION)


def test_a_conversion_webhook_gets_a_conversion_review(lab_loop):
    """Without objects; Success passes, anything else fails with the webhook's message."""
    good = lab_loop.start(Webhook(lambda request: answered(request, result={"status": "Success"}, convertedObjects=[])))
    bad = lab_loop.start(Webhook(lambda request: answered(request, result={"status": "Failure", "message": "no such"})))
    assert probe(good, objects=CRD).results[0].verdict is Verdict.PASS
    assert good.requests[0][1]["request"]["desiredAPIVersion"] == "g.io/v1"
    assert (
        probe(bad, objects=CRD).results[0].failure.api_server_error
        == "conversion webhook for g.io/v1, Kind=X failed: no such"
    )


HOOK = Target(Kind.WEBHOOK, "w", "https://h/", "h", 443, exchange="review")


@given(st.integers(100, 599), st.sampled_from(["", "text/html", "application/json"]), st.binary(max_size=200))
def test_any_answer_is_judged_and_no_stranger_passes(status, content_type, body):
    """Total over statuses and bytes: what does not name the uid never passes, and texts are bounded and printable."""
    failure = review_failure(HOOK, "uid-1", ReviewAnswer(status, content_type, body))
    assert failure is not None
    assert (failure.api_server_error + failure.message).isprintable()


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just("uid-1")),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["apiVersion", "kind", "response", "uid", "allowed", "patch"]), inner),
        ),
        max_leaves=12,
    )
)
def test_any_json_is_judged(document):
    """Any JSON in place of the answer: only a review with a response of this uid passes."""
    body = json.dumps(document).encode()
    failure = review_failure(HOOK, "uid-1", ReviewAnswer(200, "application/json", body))
    if failure is None:
        assert document["response"]["uid"] == "uid-1"
        assert (document["apiVersion"], document["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")


def test_the_request_is_a_review_of_its_uid():
    assert json.loads(review_request(HOOK, "uid-1"))["request"]["uid"] == "uid-1"
