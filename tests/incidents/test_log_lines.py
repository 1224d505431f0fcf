"""Failed calls in the control plane's log: kube-apiserver's own lines, and audit events, of which callers wrote parts."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.apiserver.log_messages import sentence
from egressprobe.incidents.corroboration.facts import LoggedFailure
from egressprobe.incidents.corroboration.log_lines import logged_failures
from egressprobe.model.failure import Code
from egressprobe.model.measurement import Hop
from egressprobe.model.target import FailurePolicy, Kind, ServiceRef, Target

AT = 1_795_659_060_000  # 2026-11-26T02:11:00Z
NAME = "validate.kyverno.svc-fail"
URL = "https://kyverno-svc.kyverno.svc:443/validate/fail?timeout=10s"
ERROR = f'Post "{URL}": dial tcp 10.0.3.7:9443: i/o timeout'
LINE = (
    "W1126 02:11:00.556165      11 dispatcher.go:225] Failed calling webhook, failing closed "
    f'{NAME}: failed calling webhook "{NAME}": failed to call webhook: {ERROR}'
)


def audited(annotations=None, message="", stage="ResponseComplete", reason="InternalError", **more):
    """An event of kube-apiserver's audit log (k8s.io/apiserver/pkg/apis/audit/v1), at level Metadata."""
    return json.dumps(
        {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": "8a1f7a0c-1c5b-4d3b-9d60-1f7f6d2c9f1e",
            "stage": stage,
            "requestURI": "/api/v1/namespaces/default/pods",
            "verb": "create",
            "user": {"username": "kubernetes-admin"},
            "responseStatus": {"metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": 500},
            "annotations": {"authorization.k8s.io/decision": "allow"} | (annotations or {}),
        }
        | more
    )


def failures(*messages, step=60_000):
    return logged_failures([{"timestamp": AT + i * step, "message": text} for i, text in enumerate(messages)])


def test_lines_of_the_api_server():
    """By webhook and policy: how many, from when to when, and the last error."""
    other = LINE.replace("i/o timeout", "connect: connection refused")
    assert failures(LINE, "I1126 unrelated", other) == (
        LoggedFailure(
            NAME,
            closed=True,
            calls=2,
            first="2026-11-26T02:11:00+00:00",
            last="2026-11-26T02:13:00+00:00",
            error=f'Post "{URL}": dial tcp 10.0.3.7:9443: connect: connection refused',
        ),
    )


@pytest.mark.parametrize("kind", ["validating", "mutation"])
def test_annotations_of_fail_open_webhooks(kind):
    """The value is the webhook's name; one event a request counts."""
    key = f"failed-open.{kind}.webhook.admission.k8s.io/round_0_index_3"
    requests = [audited({key: NAME}, stage=stage) for stage in ("RequestReceived", "ResponseComplete")]
    (failure,) = failures(*requests)
    assert (failure.webhook, failure.closed, failure.calls, failure.error) == (NAME, False, 1, "")


def test_a_fail_closed_call_in_an_audit_event():
    """The response's message; where both logs have it, it is counted once."""
    message = f'Internal error occurred: failed calling webhook "{NAME}": failed to call webhook: {ERROR}'
    (failure,) = failures(audited(message=message))
    assert (failure.closed, failure.calls, failure.error) == (True, 1, ERROR)
    (both,) = failures(audited(message=message), LINE, LINE)
    assert both.calls == 2


@pytest.mark.parametrize("policy", FailurePolicy)
def test_our_own_sentences_are_read_back(policy):
    """What a report predicts for the log is what is looked for in it."""
    service = ServiceRef("kyverno", "kyverno-svc", 443, "/validate/fail")
    objects = (f"ValidatingWebhookConfiguration/kyverno/{NAME}",)
    target = Target(
        Kind.WEBHOOK, "k", "", "kyverno-svc.kyverno.svc", 443, path="/validate/fail", service=service, objects=objects
    )
    target = Target(**{name: getattr(target, name) for name in target.__struct_fields__} | {"failure_policy": policy})
    text = sentence(target, Hop("target", URL, "", 443), Code.CONNECT_TIMEOUT, "dial tcp 10.0.3.7:9443: i/o timeout")
    if policy is FailurePolicy.FAIL:
        (failure,) = failures(audited(message=text))
    else:
        (failure,) = failures(f"W1126 dispatcher.go:225] {text}")
    assert (failure.webhook, failure.closed, failure.error) == (NAME, policy is FailurePolicy.FAIL, ERROR)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(audited(requestObject={"data": {"x": LINE}}), id="in an object that was sent"),
        pytest.param(audited(message=f'admission webhook "{NAME}" denied the request: no', reason=""), id="a denial"),
        pytest.param(audited(message=f'failed calling webhook "{NAME}": x', reason="Invalid"), id="another error"),
        pytest.param("{" * 100_000, id="deep"),
        pytest.param('{"annotations": 3, "stage": "ResponseComplete", "responseStatus": []}', id="other types"),
        pytest.param("x" * 1_100_001 + LINE, id="too large"),
        pytest.param(None, id="none"),
    ],
)
def test_what_is_no_failed_call(message):
    """Callers write into audit events, and a policy's refusal is no failure to call."""
    assert failures(message) == ()


def test_texts_are_printable_and_bounded():
    (failure,) = failures(LINE + "\x1b[31m\n" + "x" * 5000)
    assert failure.error.isprintable()
    assert len(failure.error) == 300


def test_the_number_of_webhooks_is_bounded():
    assert len(failures(*(LINE.replace(NAME, f"n{i}") for i in range(600)))) == 500


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=12), below, max_size=3),
    max_leaves=8,
)
_AUDITED = st.dictionaries(st.sampled_from(["stage", "annotations", "responseStatus"]), _JSON).map(json.dumps)


@settings(max_examples=60)
@given(st.lists(st.fixed_dictionaries({}, optional={"timestamp": _JSON, "message": _JSON | _AUDITED}) | _JSON))
def test_any_event_is_read(events):
    """Whatever the shape: failures with printable names, or none."""
    assert all(failure.webhook.isprintable() and failure.calls > 0 for failure in logged_failures(events))
