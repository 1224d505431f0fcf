"""Every text that the API server may write is found again, with its own code."""

import json
from pathlib import Path
from string import Formatter

import pytest

from egressprobe.apiserver.admission_review import ReviewAnswer, review_failure
from egressprobe.apiserver.client_rules import RULES
from egressprobe.apiserver.log_messages import sentence
from egressprobe.catalog.pasted.meanings import meanings
from egressprobe.catalog.pasted.recognise import recognise
from egressprobe.catalog.registry import lookup
from egressprobe.error_texts import network, services, tls
from egressprobe.error_texts.calls import CHECK, GET
from egressprobe.error_texts.rows import CAUSES
from egressprobe.error_texts.template import find_all, squeeze
from egressprobe.golang.tls_record import ALERT_TEXTS, PROTOCOL_VERSION
from egressprobe.model.failure import ERRNO_TEXTS, Code
from egressprobe.model.measurement import Hop
from egressprobe.model.target import FailurePolicy, Kind, Target
from egressprobe.publish.response import from_json
from tests.error_texts.produced import everything

DATA = Path(__file__).parents[1] / "data"
SAMPLES = {
    "endpoint": "10.0.0.1:443",
    "remote": "10.0.0.1:443",
    "local": "10.9.9.9:40000",
    "server": "10.0.0.2:53",
    "url": "https://h.example:8443/v",
    "net": "udp",
    "version": 0x301,
    "operation": "read",
}
PRODUCED = everything()
URL = "https://policy.example:8443/validate"


def filled(text):
    """A template with sample values."""
    names = {name for _, name, _, _ in Formatter().parse(text) if name}
    return text.format(**{name: SAMPLES.get(name, "abc") for name in names})


def first(text):
    """The codes of rank 1 of the only error of a text."""
    errors = recognise(text)
    assert len(errors) == 1, (text, errors)
    return [meaning.entry.code for meaning in meanings(errors[0]) if meaning.rank == 1]


def target(kind=Kind.WEBHOOK, policy=FailurePolicy.FAIL, objects=()):
    return Target(kind, "policy.example:8443", URL, "policy.example", 8443, failure_policy=policy, objects=objects)


WEBHOOK = target(objects=("ValidatingWebhookConfiguration/v/check.policy.example",))
SETTINGS = {
    "fail": (WEBHOOK, "call"),
    "ignore": (target(policy=FailurePolicy.IGNORE), "call"),
    "conversion": (target(objects=("CustomResourceDefinition/certs.acme.example/v1, Kind=Cert",)), "call"),
    "discovery": (target(Kind.OIDC), "discovery"),
    "jwks": (target(Kind.OIDC), "jwks"),
    "aggregated": (target(Kind.AGGREGATED_API), "call"),
    "kubelet": (target(Kind.KUBELET), "call"),
}


def in_setting(name, text, code):
    """The API server's whole sentence for an error of this code."""
    about, role = SETTINGS[name]
    return sentence(about, Hop(role=role, url=URL, host="policy.example", port=8443), code, text)


def test_every_row_finds_its_own_text():
    """What a row writes is found as this row and as nothing else, also without its white space."""
    for row in CAUSES:
        errors = recognise(filled(row.text))
        found = [error.causes[0].text if error.causes else "nothing" for error in errors]
        assert [error.causes[0] for error in errors] == [row], f'"{row.text}" is found as {found or "nothing"}'
    assert len(CAUSES) > 200


def test_every_code_of_a_row_exists():
    """Rows name entries of the catalogue, and every failure that a call can meet has a row."""
    named = {code for row in CAUSES for code in (*row.codes, *row.less)}
    assert all(lookup(code) for code in named)
    never_logged = {
        *(Code.TARGET_FORBIDDEN, Code.DEADLINE_EXCEEDED, Code.PROBE_LIMITATION, Code.HTTP_BODY_TOO_LARGE),
        *(Code.BLOCKED_TARGET_REACHED, Code.CONTROL_UNREACHABLE),
    }
    assert {str(code) for code in Code} - named == {str(code) for code in never_logged}


def test_the_alert_of_old_versions_is_go_s():
    """The one alert with a code of its own has the text of alert 70."""
    assert ALERT_TEXTS[PROTOCOL_VERSION] in tls.PROTOCOL_VERSION.text
    for number, text in ALERT_TEXTS.items():
        codes = first(tls.REMOTE_ALERT.of(problem=text))
        assert codes == ["tls_protocol_version" if number == PROTOCOL_VERSION else "tls_alert"]


def test_what_the_engine_raises_is_collected():
    """The collection of texts out of the source sees all packages that raise them."""
    files = {item.where.partition(":")[0] for item in PRODUCED}
    assert len(PRODUCED) > 200
    assert {"tls_client.py", "records.py", "names.py", "response.py", "http2.py", "key.py", "ca_bundle.py"} <= files
    assert {item.code for item in PRODUCED} >= {Code.TLS_ALERT, Code.TLS_CERT_INVALID, Code.HTTP_BODY_INVALID}


@pytest.mark.parametrize("setting", ["fail", "ignore", "conversion", "discovery", "aggregated"])
def test_every_text_of_the_engine_leads_to_its_code(setting):
    """In each of the API server's sentences the code is first, or among those that the text cannot separate."""
    wrong = [
        item for item in PRODUCED if str(item.code) not in first(in_setting(setting, item.text, item.code) or item.text)
    ]
    assert not wrong


def test_failures_of_a_key_set_are_the_key_set_s():
    """Behind `fetching keys` every failure of the network is oidc_jwks_unreachable, and its own code the next."""
    for item in PRODUCED:
        if item.code in (Code.TLS_ALERT, Code.HTTP_RESET):
            (error,) = recognise(in_setting("jwks", item.text, item.code))
            found = {meaning.entry.code: meaning.rank for meaning in meanings(error)}
            assert found["oidc_jwks_unreachable"] == 1
            assert found[str(item.code)] == 2, item


def network_texts():
    """(text, code) of everything that golang/, forecast.py and the probe's transport say of DNS and sockets."""
    for text, (connecting, established) in ERRNO_TEXTS.items():
        yield network.DIAL_ERROR.of(endpoint="10.0.0.1:443", error=text), connecting
        for operation in ("read", "write"):
            broken = network.SOCKET_ERROR.of(operation=operation, local="10.0.0.9:5", remote="10.0.0.1:443", error=text)
            yield broken, established
        for row in network.QUERY_ERROR.values():
            query = row.of(net="udp", local="10.0.0.9:5", server="10.0.0.2:53", error=text)
            yield network.LOOKUP_FAILED.of(host="h.example", server="10.0.0.2:53", error=query), Code.DNS_UNREACHABLE
    for row in network.QUERY_TIMEOUT.values():
        query = row.of(net="tcp", local="10.0.0.9:5", server="[fd00::2]:53")
        yield network.LOOKUP_FAILED.of(host="h.example", server="[fd00::2]:53", error=query), Code.DNS_TIMEOUT
    for error, code in (
        *(("no such host", Code.DNS_NXDOMAIN), ("no such host", Code.DNS_NO_ADDRESSES), ("EOF", Code.DNS_MALFORMED)),
        *((network.MISBEHAVING.text, Code.DNS_SERVFAIL), (network.MISBEHAVING.text, Code.DNS_REFUSED)),
        *((network.LAME_REFERRAL.text, Code.DNS_SERVFAIL), (network.UNREADABLE_DNS.text, Code.DNS_MALFORMED)),
        (network.INVALID_DNS.text, Code.DNS_MALFORMED),
    ):
        yield network.LOOKUP_FAILED.of(host="h.example", server="10.0.0.2:53", error=error), code
    yield network.LOOKUP_TIMEOUT.of(host="h.example"), Code.DNS_TIMEOUT
    yield network.DIAL_TIMEOUT.of(endpoint="[fd00::7]:443"), Code.CONNECT_TIMEOUT
    yield tls.TLS_TIMEOUT.text, Code.TLS_TIMEOUT
    yield "EOF", Code.TLS_EOF
    yield "unexpected EOF", Code.TLS_EOF
    for rules in RULES.values():
        for text in (rules.timed_out, *rules.timeouts):
            yield from ((text, code) for code in (Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT, Code.DNS_TIMEOUT))


@pytest.mark.parametrize("setting", list(SETTINGS))
def test_every_text_of_the_network_leads_to_its_code(setting):
    """The same for DNS, TCP and time limits; behind `fetching keys` the key set comes before."""
    for text, code in network_texts():
        (error,) = recognise(in_setting(setting, text, code))
        found = {meaning.entry.code: meaning.rank for meaning in meanings(error)}
        assert found[str(code)] == (2 if setting == "jwks" else 1), (text, code, found)
        # Without the kubelet's port the words are those of an aggregated API.
        assert error.kind == (Kind.AGGREGATED_API if setting == "kubelet" else SETTINGS[setting][0].kind)
        assert not error.by_client


@pytest.mark.parametrize(
    "answer",
    [
        *(
            ReviewAnswer(status, "text/plain", b"no")
            for status in (400, 401, 404, 405, 409, 422, 429, 500, 502, 503, 504)
        ),
        ReviewAnswer(200, "text/html", b"<html>"),
        ReviewAnswer(200, "application/json", b"{}"),
        ReviewAnswer(200, "application/json", b'{"kind":"Status","apiVersion":"v1"}'),
        ReviewAnswer(200, "application/json", b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}'),
        ReviewAnswer(
            200,
            "application/json",
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"2"}}',
        ),
        ReviewAnswer(
            200,
            "application/json",
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"1","patch":"x"}}',
        ),
    ],
)
def test_answers_of_a_webhook_lead_to_their_code(answer):
    """What client-go says of an answer, in the sentence that has no `Post`."""
    failure = review_failure(WEBHOOK, "1", answer)
    text = in_setting("fail", failure.api_server_error, failure.code)
    assert "Post" not in text
    assert str(failure.code) in first(text)


def test_words_of_the_webhook_itself_are_an_answer():
    """A text that nobody knows, without `Post "URL"`: the webhook answered."""
    assert first('failed calling webhook "a.b": failed to call webhook: the moon is full') == [
        *("http_status", "http_body_invalid")
    ]


CHECKED = "https://10.0.0.1:4443/apis/metrics.k8s.io/v1beta1"


def test_conditions_of_an_apiservice():
    """Each message of the condition Available, and what every request gets meanwhile."""
    at = {"name": "metrics", "namespace": "kube-system"}
    for row, finding in (
        (services.NOT_PRESENT.of(**at), "SERVICE_NOT_FOUND"),
        (services.NOT_LISTENING.of(**at, port=443), "SERVICE_PORT_NOT_FOUND"),
        (services.NO_ADDRESSES["endpointslices"].of(**at, port='"https"'), "SERVICE_WITHOUT_ENDPOINTS"),
        (services.NO_SLICES["endpoints"].of(**at), "SERVICE_WITHOUT_ENDPOINTS"),
    ):
        assert first(row) == ["service_unresolved", finding]
    assert first("service unavailable") == ["apiservice_unavailable"]
    for text, code in network_texts():
        message = CHECK.of(url=CHECKED, problem=GET.of(url=CHECKED, problem=text))
        (error,) = recognise(message)
        assert error.kind is Kind.AGGREGATED_API
        assert str(code) in first(message)


def test_every_recorded_text_is_recognised():
    """Reports, vectors of a real API server, and its objects: none is left."""
    texts = {
        case["error"]
        for case in json.loads((DATA / "kube-apiserver-vectors.json").read_text())["cases"]
        if "error" in case
    }
    texts |= {
        condition["message"]
        for item in json.loads((DATA / "kubernetes/apiservices.json").read_text())["items"]
        for condition in item["status"]["conditions"]
        if condition["status"] == "False"
    }
    report = from_json((DATA / "report.json").read_text())
    texts |= {result.failure.api_server_error for result in report.results if result.failure}
    texts -= {None}
    assert len(texts) > 50
    assert [text for text in texts if not recognise(text)] == []
    for result in report.results:
        if result.failure and result.failure.api_server_error:
            assert str(result.failure.code) in first(result.failure.api_server_error)


def test_a_word_is_not_found_within_another():
    """` on ` in `amazonaws`, EOF in `GEOFENCE`, and a value that is two words."""
    host = "A1.gr7.eu-west-1.eks.amazonaws.com"
    (found,) = find_all(network.NO_SUCH_HOST_ON, squeeze(f"lookup {host} on 1.1.1.1:53: no such host"))
    assert found.values == {"host": host, "server": "1.1.1.1:53"}
    assert not recognise("GEOFENCE")
    assert not list(find_all(network.DIAL_TIMEOUT, squeeze("dial tcp 1.2.3.4:1 or so: i/o timeout")))
