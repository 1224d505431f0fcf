"""Errors as people paste them: out of logs, `kubectl` and YAML, escaped, wrapped, several at once."""

import json
import textwrap

import pytest

from egressprobe.catalog.pasted.meanings import meanings
from egressprobe.catalog.pasted.next_steps import next_steps
from egressprobe.catalog.pasted.paste import MOST_CHARACTERS, cleaned, records
from egressprobe.catalog.pasted.place import api_service, place
from egressprobe.catalog.pasted.recognise import recognise
from egressprobe.cli.output.pasted_errors import described, to_json
from egressprobe.model.target import Kind
from tests.conftest import ROOT
from tests.support.cpu_time import assert_linear, within_seconds

DATA = ROOT / "tests/data"
POST = 'failed to call webhook: Post "https://policy.example:8443/validate?timeout=10s": '
CALL = f'failed calling webhook "check.policy.example": {POST}'
KUBECTL = f'Error from server (InternalError): error when creating "app.yaml": Internal error occurred: {CALL}'
DENIED = 'Error from server: admission webhook "check.policy.example" denied the request: no label; context deadline exceeded'
EKS = "https://0A1B2C3D.gr7.eu-west-1.eks.amazonaws.com"
CONDITION = """\
    message: 'failing or missing response from https://10.0.7.1:4443/apis/metrics.k8s.io/v1beta1:
      Get "https://10.0.7.1:4443/apis/metrics.k8s.io/v1beta1": dial tcp 10.0.7.1:4443:
      connect: connection refused'
    reason: FailedDiscoveryCheck
    status: "False"
    type: Available
"""
CALLS = [
    # (the paste, kind of call, the code that comes first)
    (KUBECTL + "context deadline exceeded", "webhook", "connect_timeout"),
    (KUBECTL + "dial tcp 10.0.7.1:8443: connect: no route to host", "webhook", "host_unreachable"),
    (KUBECTL + "Address is not allowed", "webhook", "service_unresolved"),
    (KUBECTL + 'no endpoints available for service "policy"', "webhook", "service_unresolved"),
    (KUBECTL + "EOF", "webhook", "tls_eof"),
    (KUBECTL + 'service "policy" not found', "webhook", "service_unresolved"),
    (KUBECTL + "proxyconnect tcp: dial tcp 10.0.0.9:3128: i/o timeout", "webhook", "connect_timeout"),
    (
        "W1126 14:00:00.000000      11 dispatcher.go:225] Failed calling webhook, failing closed check.policy.example: "
        f"{CALL}tls: failed to verify certificate: x509: certificate signed by unknown authority",
        *("webhook", "tls_unknown_authority"),
    ),
    (
        'E1126 14:00:00.000000      11 dispatcher.go:214] "Unhandled Error" err="Failed calling webhook, failing open '
        'a.b.c: failed calling webhook \\"a.b.c\\": failed to call webhook: Post \\"https://x.y:443/v?timeout=3s\\": '
        'net/http: TLS handshake timeout" logger="UnhandledError"',
        *("webhook", "tls_timeout"),
    ),
    (
        '{"ts":1764165600,"caller":"validating/dispatcher.go","msg":"Failed calling webhook","err":"failed calling webhook '
        '\\"a.b.c\\": failed to call webhook: Post \\"https://x.y:443/v?timeout=3s\\": dial tcp: lookup x.y on '
        '10.0.0.2:53: server misbehaving"}',
        *("webhook", "dns_servfail"),
    ),
    (
        '"@message": "{\\"err\\":\\"failed calling webhook \\\\\\"a.b.c\\\\\\": failed to call webhook: Post '
        '\\\\\\"https://x.y/v?timeout=3s\\\\\\": remote error: tls: handshake failure\\"}"',
        *("webhook", "tls_alert"),
    ),
    (
        "Error from server: conversion webhook for cert-manager.io/v1alpha2, Kind=Certificate failed: Post "
        '"https://cert-manager-webhook.cert-manager.svc:443/convert?timeout=30s": x509: certificate has expired or is not '
        "yet valid: current time 2026-11-26T14:00:00Z is after 2026-11-25T00:00:00Z",
        *("webhook", "tls_cert_expired"),
    ),
    ("Error from server: Internal error occurred: error resolving resource", "webhook", "ca_bundle_invalid"),
    (
        'failed calling webhook "a": could not get REST client: unable to load root certificates: unable to parse bytes as '
        "PEM block",
        *("webhook", "ca_bundle_invalid"),
    ),
    (
        'E1126 14:00:00.000000      11 remote_available_controller.go:463] "Unhandled Error" err="v1beta1.metrics.k8s.io '
        "failed with: failing or missing response from https://10.0.7.1:4443/apis/metrics.k8s.io/v1beta1: Get "
        '\\"https://10.0.7.1:4443/apis/metrics.k8s.io/v1beta1\\": context deadline exceeded"',
        *("aggregated-api", "connect_timeout"),
    ),
    (
        "E1126 14:00:00.000000      11 remote_available_controller.go:463] v1beta1.metrics.k8s.io failed with: failing or "
        "missing response from https://10.0.7.1:4443/apis/metrics.k8s.io/v1beta1: bad status from "
        "https://10.0.7.1:4443/apis/metrics.k8s.io/v1beta1: 404",
        *("aggregated-api", "http_status"),
    ),
    (CONDITION, "aggregated-api", "connect_refused"),
    (
        '  Message:               endpointslices for service/metrics-server in "kube-system" have no addresses with port '
        'name "https"\n  Reason:                MissingEndpoints\n  Status:                False',
        *("aggregated-api", "service_unresolved"),
    ),
    (
        "Error from server (ServiceUnavailable): the server is currently unable to handle the request "
        "(get pods.metrics.k8s.io)",
        *("aggregated-api", "apiservice_unavailable"),
    ),
    (
        "Error from server (ServiceUnavailable): error trying to reach service: tls: failed to verify certificate: x509: "
        "certificate is valid for a.svc, not metrics.kube-system.svc",
        *("aggregated-api", "tls_hostname_mismatch"),
    ),
    (
        "couldn't get resource list for metrics.k8s.io/v1beta1: the server is currently unable to handle the request",
        *("aggregated-api", "apiservice_unavailable"),
    ),
    (
        "unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery: "
        "metrics.k8s.io/v1beta1",
        *("aggregated-api", "apiservice_unavailable"),
    ),
    ("Error from server: error dialing backend: dial tcp 10.0.7.5:10250: i/o timeout", "kubelet", "connect_timeout"),
    ("error trying to reach service: dial tcp 10.0.7.5:10250: i/o timeout", "kubelet", "connect_timeout"),
    (
        'E1126 14:00:00.000000      11 oidc.go:335] oidc authenticator: initializing plugin: Get "https://idp.example/r/'
        '.well-known/openid-configuration": dial tcp: lookup idp.example on 10.0.0.2:53: no such host',
        *("oidc", "dns_nxdomain"),
    ),
    ("oidc authenticator: initializing plugin: 503 Service Unavailable: <html>", "oidc", "http_status"),
    (
        'E1126 14:00:00.000000      11 authentication.go:75] "Unable to authenticate the request" err="[invalid bearer '
        "token, oidc: verify token: failed to verify signature: fetching keys oidc: get keys failed Get "
        '\\"https://keys.example/jwks\\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)]"',
        *("oidc", "oidc_jwks_unreachable"),
    ),
    (
        'err="[invalid bearer token, oidc: verify token: failed to verify signature: fetching keys oidc: failed to decode '
        "keys: expected Content-Type = application/json, got \\\"text/html\\\": invalid character '<' looking for beginning "
        'of value <html>]"',
        *("oidc", "oidc_jwks_invalid"),
    ),
    ('Post "https://policy.example/v": http2: client connection lost', None, "http_timeout"),
    ("dial tcp 10.0.7.1:443: i/o timeout", None, "connect_timeout"),
]
CLIENTS = [
    f"Unable to connect to the server: dial tcp: lookup {EKS[8:]} on 1.1.1.1:53: no such host",
    "Unable to connect to the server: net/http: TLS handshake timeout",
    "Unable to connect to the server: dial tcp 10.0.7.1:443: i/o timeout",
    "Unable to connect to the server: x509: certificate signed by unknown authority",
    "The connection to the server 127.0.0.1:8080 was refused - did you specify the right host or port?",
    f'E1126 14:00:00.000000 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API group list: Get '
    f'\\"{EKS}/api?timeout=32s\\": dial tcp 10.0.7.1:443: i/o timeout"',
    f'Get "{EKS}/api/v1/namespaces/default/pods?limit=500": net/http: TLS handshake timeout',
    'Get "https://172.20.0.1:443/api/v1/nodes?limit=500": dial tcp 172.20.0.1:443: i/o timeout',
    "Unable to connect to the server: getting credentials: exec: executable aws not found",
    'error: context "prod" does not exist',
]
DECISIONS = [
    (DENIED, "denied the request"),
    ('Error from server (Forbidden): admission webhook "a.b" denied the request without explanation', "denied"),
    (
        'Error from server (Forbidden): pods is forbidden: User "jo" cannot list resource "pods" in API group "" in the '
        'namespace "x"',
        "RBAC",
    ),
    (
        'Error from server (Forbidden): pods "x" is forbidden: exceeded quota: compute, requested: pods=1',
        "ResourceQuota",
    ),
    (
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
        "Pod Security",
    ),
    ("ValidatingAdmissionPolicy 'p.x' with binding 'b' denied request: no", "ValidatingAdmissionPolicy"),
    ('The Deployment "x" is invalid: spec.selector: Required value', "validation"),
    ('error: error validating "x.yaml": error validating data: unknown field "a"', "validation"),
    (
        'Error from server (Conflict): Operation cannot be fulfilled on deployments.apps "x": the object has been modified; '
        "please apply your changes to the latest version and try again",
        "another client",
    ),
    ('Error from server (NotFound): pods "x" not found', "does not exist"),
    ('Error from server (AlreadyExists): pods "x" already exists', "exists already"),
    ("error: You must be logged in to the server (Unauthorized)", "credentials"),
    (
        "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
        "credentials",
    ),
    ('"Unable to authenticate the request" err="[invalid bearer token, service account token has expired]"', "too old"),
    ("Error from server: etcdserver: request timed out", "etcd"),
    ("Error from server: etcdserver: mvcc: database space exceeded", "etcd, behind the API server, refused or did not"),
    ('error: resource mapping not found: no matches for kind "Cert" in version "x.y/v1"', "does not serve"),
    ("Error from server (TooManyRequests): Too many requests, please try again later.", "Fairness"),
]


@pytest.mark.parametrize(("text", "kind", "code"), CALLS, ids=range(len(CALLS)))
@pytest.mark.parametrize("written", ["as it is", "wrapped", "folded"])
def test_calls_of_the_api_server(text, kind, code, written):
    """The kind of call and the code, also where a terminal cuts words at 80 columns and YAML folds at spaces."""
    if written == "wrapped":
        text = "\n".join(line[at : at + 80] for line in text.splitlines() for at in range(0, len(line), 80))
    elif written == "folded":
        text = textwrap.indent("\n".join(textwrap.wrap(text, 70, break_long_words=False)), "      ")
    (error,) = recognise(text)
    assert (error.kind, error.by_client, error.verdict) == (kind, False, None)
    found = meanings(error)
    assert (found[0].entry.code, found[0].rank) == (code, 1)
    assert all(meaning.why for meaning in found)


@pytest.mark.parametrize("text", CLIENTS, ids=range(len(CLIENTS)))
def test_a_client_s_own_connection(text):
    """Between kubectl and the API server: no call of the API server."""
    (error,) = recognise(text)
    assert error.by_client
    assert error.verdict is None
    steps = next_steps(error, meanings(error))
    assert "aws eks describe-cluster --name <CLUSTER> --query cluster.resourcesVpcConfig" in steps
    assert not any("invoke" in step for step in steps)


@pytest.mark.parametrize(("text", "what"), DECISIONS, ids=range(len(DECISIONS)))
def test_decisions_are_no_path_problem(text, what):
    """Denied, forbidden, invalid, conflict: no code of the network, whatever words follow."""
    (error,) = recognise(text)
    assert error.verdict is not None
    assert what in error.verdict.what
    assert meanings(error) == ()
    assert not any("egressprobe run" in step for step in next_steps(error, ()))


def test_what_is_read_out_of_the_text():
    """Webhook, URL without its query, host, port, Service, APIService, limit."""
    (error,) = recognise(KUBECTL + "context deadline exceeded")
    at = place(error)
    assert (error.values["webhook"], at.url) == ("check.policy.example", "https://policy.example:8443/validate")
    assert (at.host, at.port, at.service) == ("policy.example", "8443", "")
    (error,) = recognise('Post "https://k.kyverno.svc:443/v?timeout=10s": EOF')
    assert (place(error).service, place(error).namespace) == ("k", "kyverno")
    (error,) = recognise(CONDITION)
    assert api_service(error) == "v1beta1.metrics.k8s.io"
    (error,) = recognise('Post "https://[fd00::7]:9443/v": EOF')
    assert (place(error).host, place(error).port) == ("fd00::7", "9443")
    (error,) = recognise('Post "https://user:secret@h.example/v?token=secret#secret": EOF')
    assert place(error).url == "https://h.example/v"


def test_the_next_commands_are_filled_in():
    """With the host, the URL and the names of the text, quoted for a shell."""

    def steps(text):
        (error,) = recognise(text)
        return next_steps(error, meanings(error))

    assert steps(KUBECTL + "EOF")[:2] == (
        "egressprobe run https://policy.example:8443/validate",
        "egressprobe invoke --stack <STACK> -l 'policy.example*'",
    )
    service = steps('failed calling webhook "a": failed to call webhook: Post "https://k.kyverno.svc:443/v": EOF')
    assert "egressprobe run -f targets.yaml -l 'k.kyverno.svc*'" in service
    assert "kubectl -n kyverno get endpointslices -l kubernetes.io/service-name=k" in service
    assert "kubectl get apiservice v1beta1.metrics.k8s.io -o yaml" in steps(CONDITION)
    issuer = (
        'oidc authenticator: initializing plugin: Get "https://idp.example/r/.well-known/openid-configuration": EOF'
    )
    assert steps(issuer)[0] == "egressprobe run --kind oidc https://idp.example/r"
    assert "egressprobe run tls://keys.example:443" in steps(
        "oidc: verify token: failed to verify signature: fetching keys oidc: get keys failed "
        'Get "https://keys.example/jwks": EOF'
    )
    assert "egressprobe run 'https://h/$(reboot)'" in steps('Post "https://h/$(reboot)": EOF')


def test_the_limit_of_the_call_decides_the_order():
    """Above 10 s Go's own errors of a handshake or a lookup usually come first, so these two come last."""

    def codes(limit):
        (error,) = recognise(f'Post "https://h.example/v?timeout={limit}s": context deadline exceeded')
        return [meaning.entry.code for meaning in meanings(error) if meaning.rank == 1]

    assert codes(10) == ["connect_timeout", "tls_timeout", "dns_timeout", "http_timeout"]
    assert codes(30) == ["connect_timeout", "http_timeout", "tls_timeout", "dns_timeout"]


def test_several_errors_in_one_paste():
    """One each, in their order; the same one is counted."""
    lines = [
        f"E1126 14:00:0{i}.000000      11 dispatcher.go:214] {CALL}dial tcp 10.0.7.1:8443: connect: connection refused"
        for i in range(3)
    ]
    text = "\n".join(
        (*lines, "some other line", DENIED, f"[{CALL}EOF, {CALL.replace('check', 'other')}EOF]", CONDITION)
    )
    found = recognise(text)
    assert [error.times for error in found] == [3, 1, 1, 1, 1]
    assert [bool(error.verdict) for error in found] == [False, True, False, False, False]
    assert [error.values.get("webhook") for error in found[2:4]] == ["check.policy.example", "other.policy.example"]
    assert found[4].kind is Kind.AGGREGATED_API
    bare = recognise("dial tcp 10.0.7.1:443: i/o timeout\nremote error: tls: internal error\nEOF")
    assert [meanings(error)[0].entry.code for error in bare] == ["connect_timeout", "tls_alert", "tls_eof"]


def test_a_denial_within_a_webhook_s_failure_is_none():
    """A webhook that answers 401 in client-go's words failed; it decided nothing."""
    words = "the server has asked for the client to provide credentials"
    (error,) = recognise(f'failed calling webhook "a.b": failed to call webhook: {words}')
    assert error.verdict is None
    assert meanings(error)[0].entry.code == "http_status"


def test_fail_open_is_seen():
    """The log says that the request went through."""
    (error,) = recognise(f"Failed calling webhook, failing open a.b: {CALL}EOF")
    assert error.fails_open


@pytest.mark.parametrize(
    "text", ["the moon is full", "", "\n\n", "context", "Error from server", "null", "{}", "GEOFENCE"]
)
def test_what_is_no_error_is_not_recognised(text):
    assert recognise(text) == ()


def test_colours_and_quotes_of_every_kind():
    r"""Escape codes go; \", \\", “ and &quot; are quotes."""
    written = '\x1b[31mPost \\\\"https://h/v\\\\": \u201cx\u201d &quot;y&quot;\x1b[0m\\nnext'
    assert cleaned(written) == 'Post "https://h/v": "x" "y"\nnext'


HOSTILE = [
    *("\\", '\\"', "\x1b[", "dial tcp ", "lookup a on ", 'Post "', 'failed calling webhook "a": ', "a", "\n", "x509: "),
    *(
        "certificate is valid for ",
        "read udp 1->",
        "context deadline exceeded",
        "\u202e",
        "oidc: ",
        "[[[{{{",
        "{problem}",
    ),
    *(
        "Error from server (",
        'service/a in "',
        "\ud800",
        "0x",
        'failed to parse Location header "',
        'is forbidden: User "',
    ),
]


@pytest.mark.parametrize(
    "piece", [pytest.param(p, marks=[pytest.mark.thorough] * (i > 0), id=str(i)) for i, p in enumerate(HOSTILE)]
)
def test_hostile_text_takes_bounded_time(piece):
    """1 MiB of any piece, with line ends or without."""
    for text in (
        piece * (MOST_CHARACTERS // len(piece)),
        f"{piece * 50}\n" * (MOST_CHARACTERS // (50 * len(piece) + 1)),
    ):
        within_seconds(5, lambda text=text: recognise(text))


def test_time_is_linear_in_a_line():
    """A line of the pieces of long rows, at most as long as a record."""
    piece = 'x509: certificate is valid for a, lookup b on c: Post "https://h/": dial tcp 1.2.3.4:5: connect: '
    assert_linear(lambda size: recognise(piece * size), 20, 320)


def test_a_paste_is_bounded():
    """What is beyond 1 MiB, or beyond 200 different errors, is left out."""
    assert len(cleaned("a" * (MOST_CHARACTERS + 10))) == MOST_CHARACTERS
    lines = [f"E1126 14:00:00.000000 x.go:1] {'abcdefghij'[i % 10] * (1 + i // 10)} EOF" for i in range(400)]
    assert len(records("\n".join(lines))) == 200


RECORDED = [
    (head.split(), paste)
    for head, _, paste in (part.partition("\n") for part in (DATA / "pasted-errors.txt").read_text().split("### ")[1:])
]


@pytest.mark.parametrize(("expected", "paste"), RECORDED, ids=range(len(RECORDED)))
def test_texts_as_people_paste_them(expected, paste):
    """In the forms of issues, events, controllers' logs and tools: whose error it is, and what it says first.

    Once each: a paste that repeats one error has one explanation. A client's connection is probed as far as TLS.
    """
    about, kind, code = (None if word == "-" else word for word in expected)
    errors = [described(error) for error in recognise(paste)]
    if about == "none":
        assert errors == []
        return
    (pasted,) = errors
    document = json.loads(to_json([pasted.error]))["errors"][0]
    assert (document["about"], document["kind"] if kind else None) == (about, kind)
    assert (document["meanings"][0]["code"] if code else None) == code
    assert document["pathProblem"] is (about == "call")
    probes = [command for command in pasted.next if command.startswith(("egressprobe run", "egressprobe invoke"))]
    assert bool(probes) or about != "call"
    assert about != "client" or all(" tls://" in command for command in probes)
