"""With each plan the probes are compared with the real API server; trouble with it costs neither plan nor audit."""

import json
import re

import pytest
from scripts.build import _SERVICES

from egressprobe.incidents.corroboration.facts import ApiServerFacts, FailingMinutes, WebhookCalls
from egressprobe.planner.evidence import corroborate
from tests.conftest import ROOT
from tests.support.aws import emf
from tests.support.aws.planners import hook, planner_stack

SRC = ROOT / "src" / "egressprobe"
SINCE, UNTIL = "2026-11-26T02:00:00+00:00", "2026-11-26T02:15:00+00:00"


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """With the control plane's log, which moto's cluster does not write."""
    with planner_stack(tmp_path, monkeypatch, Discovery="false", CorroborateApiServer="logs") as one:
        yield one


def answered(stack, target):
    """The plan's answer as Lambda encodes it."""
    return json.loads(json.dumps(stack.plan(target).run()))


def facts(**more):
    return ApiServerFacts(SINCE, UNTIL, **more)


def test_a_disagreement_is_reported(stack, monkeypatch, capsys):
    """In the answer, in the log and, as the audit's findings, in the metric whose alarm is a notice."""
    objects = ["ValidatingWebhookConfiguration/a/a.corp"]
    target = hook("a", objects=objects, affects="all Pod CREATE", failurePolicy="Fail")
    failing = (FailingMinutes("a", 15, ("connect_timeout",)),)
    counted = (WebhookCalls("validating", 1200.0, 0.0, 0.0, 15),)
    monkeypatch.setattr(corroborate, "_facts", lambda *_: facts(failing=failing, webhooks=counted))
    warnings = []
    monkeypatch.setattr(corroborate.logger, "warning", lambda text, extra: warnings.append(text))
    answer = answered(stack, target)
    (finding,) = answer["apiServer"]["findings"]
    assert finding["code"] == "API_SERVER_DISAGREES"
    assert answer["apiServer"]["evidence"] == {
        "a": ["the API server refused none of its 1200 validating webhook calls in 15 minutes"]
    }
    printed = capsys.readouterr().out
    (metric,) = [document for document in emf.documents(printed) if "AuditFindings" in document]
    assert (metric["ClusterName"], metric["AuditFindings"]) == ("prod", [1])
    assert warnings == ["for 15 minutes: no call refused although fail-closed webhooks fail: a"]


def test_agreement_is_no_notice(stack, monkeypatch, capsys):
    """A word in the log and in the answer, and no metric."""
    target = hook("a", objects=["ValidatingWebhookConfiguration/a/a.corp"])
    failing = (FailingMinutes("a", 15, ("connect_timeout",)),)
    counted = (WebhookCalls("validating", 1200.0, 30.0, 0.0, 15),)
    monkeypatch.setattr(corroborate, "_facts", lambda *_: facts(failing=failing, webhooks=counted))
    answer = answered(stack, target)
    assert [finding["code"] for finding in answer["apiServer"]["findings"]] == ["API_SERVER_AGREES"]
    assert "AuditFindings" not in capsys.readouterr().out


def test_against_cloudwatch(stack):
    """Over HTTP with the permissions of the role: nothing is there yet, and that is said, not taken for agreement."""
    answer = answered(stack, hook("a"))
    assert answer["apiServer"].keys() <= {"since", "until", "unknown"}
    watched = {call.action for call in stack.cloud.calls if call.action.startswith("cloudwatch:")}
    assert watched == {"cloudwatch:ListMetrics"}, "nothing fails, so that nothing is paid"


def test_what_aws_refuses_is_said(stack):
    stack.cloud.before = lambda call: (403, "AccessDenied") if call.action.startswith("cloudwatch:") else None
    answer = answered(stack, hook("a"))
    assert "cloudwatch:ListMetrics" in answer["apiServer"]["unknown"][0]
    assert len(answer["created"]) == 3


def test_a_bug_in_the_comparison_costs_the_plan_nothing(stack, monkeypatch):
    monkeypatch.setattr(corroborate, "compare", lambda *_, **__: 1 / 0)
    answer = answered(stack, hook("a"))
    assert answer["apiServer"] == {"unknown": ["not compared with the API server: ZeroDivisionError: division by zero"]}
    assert len(answer["created"]) == 3


@pytest.mark.parametrize("given", [{"CorroborateApiServer": "false"}, {"AuditPermissions": "false"}])
def test_it_can_be_left_out(tmp_path, monkeypatch, given):
    """Then CloudWatch is not read."""
    with planner_stack(tmp_path, monkeypatch, Discovery="false", **{"CorroborateApiServer": "logs"} | given) as stack:
        answer = answered(stack, hook("a"))
        assert not {call.action for call in stack.cloud.calls if call.action.startswith(("cloudwatch", "logs"))}
    assert answer["apiServer"] == {"unknown": ["not compared with the API server: CorroborateApiServer is false"]}


def test_the_artifact_has_every_service():
    """Other services of botocore are left out of it (scripts/build.py)."""
    sources = "".join(path.read_text() for name in ("aws", "planner") for path in (SRC / name).rglob("*.py"))
    assert set(re.findall(r'(?:\.client|_make)\("([\w-]+)"', sources)) <= _SERVICES
