"""What the probes predict beside what the API server did: a grid of predictions and facts, and what follows."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.catalog.advice import KEPT_CONNECTIONS
from egressprobe.discovery.callers import api_service_call
from egressprobe.discovery.kubernetes.objects import ApiService
from egressprobe.incidents.corroboration.compare import USUAL_REASONS, compare
from egressprobe.incidents.corroboration.facts import (
    ApiServerFacts,
    Corroboration,
    FailingMinutes,
    LoggedFailure,
    WebhookCalls,
)
from egressprobe.incidents.corroboration.sentences import evidence_for, with_api_server
from egressprobe.incidents.model import AffectedTarget, ObservedCause, Tier
from egressprobe.model.target import AvailableCondition, Expect, FailurePolicy, Impact, Kind, Target
from tests.conftest import examples

RECORDED = Path(__file__).parents[1] / "data" / "kubernetes" / "apiservices.json"
SINCE, UNTIL = "2026-11-26T02:00:00+00:00", "2026-11-26T02:15:00+00:00"
FACTS = ApiServerFacts(SINCE, UNTIL, failing=(), measured_minutes=15)
LONG_AGO, JUST_NOW = "2026-11-25T20:00:00Z", "2026-11-26T02:05:00Z"
DISAGREES, AGREES = "API_SERVER_DISAGREES", "API_SERVER_AGREES"


def api(status="True", since=LONG_AGO, **more):
    condition = AvailableCondition(status=status, reason="Passed", message="all checks passed", since=since)
    return Target(Kind.AGGREGATED_API, "metrics", "", "m.kube-system.svc", 443, condition=condition, **more)


def hook(name="policy", kind="Validating", affects="all Pod CREATE", policy=FailurePolicy.FAIL, **more):
    objects = (f"{kind}WebhookConfiguration/{name}/{name}.corp",)
    return Target(Kind.WEBHOOK, name, "", name, 443, objects=objects, affects=affects, failure_policy=policy, **more)


def failing(target="metrics", minutes=15, codes=("connect_timeout",), subnets=()):
    return FACTS._replace(failing=(FailingMinutes(target, minutes, codes, subnets),))


def outcome(targets, facts, *, fresh=True):
    """(code, reason) of each finding."""
    found = compare(targets, facts, fresh=fresh).findings
    return [(finding.code, finding.evidence.get("reason", "")) for finding in found]


# -- conditions of APIServices --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "facts", "expected"),
    [
        pytest.param(api("True"), FACTS, [], id="both pass"),
        pytest.param(api("True"), failing(), [(DISAGREES, "available although probes fail")], id="kept connection"),
        pytest.param(api("False"), failing(), [(AGREES, "")], id="both fail"),
        pytest.param(api("False"), FACTS, [(DISAGREES, "unavailable although probes pass")], id="credentials"),
        pytest.param(api("True", JUST_NOW), failing(), [], id="available for 10 minutes only"),
        pytest.param(api("False", JUST_NOW), FACTS, [], id="unavailable for 10 minutes only"),
        pytest.param(api("False", ""), FACTS, [], id="since when is unknown"),
        pytest.param(api("False", "yesterday"), FACTS, [], id="not a time"),
        pytest.param(api("Unknown"), failing(), [], id="unknown"),
        pytest.param(api("True"), failing(minutes=12), [], id="failing for 12 minutes"),
        pytest.param(api("True"), failing(codes=("tls_unknown_authority",)), [], id="the check verifies no TLS"),
        pytest.param(api("True"), failing(codes=()), [], id="code is not known"),
        pytest.param(api("True"), failing(codes=("connect_timeout", "made_up")), [], id="one code is not known"),
        pytest.param(api("False"), failing(codes=("apiservice_unavailable",)), [], id="predicted by the condition"),
        pytest.param(api("False"), FACTS._replace(measured_minutes=12), [], id="not measured in 3 minutes"),
        pytest.param(api("False"), failing(minutes=0), [], id="degraded, or not counted yet"),
        pytest.param(api("False"), failing("all targets", 0), [], id="one series for all targets"),
        pytest.param(api("False"), FACTS._replace(failing=None), [], id="the probes' metrics were not read"),
        pytest.param(api("False", expect=Expect.BLOCKED), FACTS, [], id="meant to be blocked"),
        pytest.param(replace(api("False"), condition=None), FACTS, [], id="no condition"),
    ],
)
def test_conditions(target, facts, expected):
    """Only what lasted for the whole window on both sides is compared."""
    assert outcome([target], facts) == expected


def test_conditions_that_were_not_read_just_now():
    """A list that discovery could not read keeps its last content: nothing follows from it."""
    result = compare([api("False")], FACTS, fresh=False)
    assert result.findings == ()
    assert result.unknown == ("the conditions of APIServices were not read just now: they disprove nothing",)
    assert outcome([api("False")], failing(), fresh=False) == [(AGREES, "")]


def test_recorded_conditions_of_a_real_api_server():
    """Without a network behind it: it agrees with probes that fail, and not with probes that pass."""
    items = msgspec.convert(json.loads(RECORDED.read_text())["items"], list[ApiService])
    calls = [api_service_call(item) for item in items if item.spec.service]
    conditions = [call.condition for call in calls if hasattr(call, "condition")]
    assert [condition.status for condition in conditions] == ["False"] * 3
    later = FACTS._replace(since="2026-11-21T21:00:00+00:00", until="2026-11-21T21:15:00+00:00")
    for condition in conditions:
        target = replace(api(), condition=condition)
        (disagrees,) = compare([target], later, fresh=True).findings
        assert disagrees.evidence["reason"] == "unavailable although probes pass"
        assert condition.message in disagrees.evidence["observed"][0]
        agrees = compare([target], later._replace(failing=failing().failing), fresh=True)
        assert agrees.findings[0].code == AGREES


# -- calls of webhooks ----------------------------------------------------------------------------------------


def calls(kind="validating", **counts):
    return WebhookCalls(kind, **{"calls": 1200.0, "refused": 0.0, "refused_before": 0.0, "minutes": 15} | counts)


def with_calls(facts, *counts):
    return facts._replace(webhooks=counts)


NONE_REFUSED = (DISAGREES, "no call refused although fail-closed webhooks fail")


@pytest.mark.parametrize(
    ("target", "counts", "expected", "why"),
    [
        pytest.param(hook(), calls(), [NONE_REFUSED], "", id="none refused"),
        pytest.param(hook(), calls(refused=40.0), [(AGREES, "")], "", id="more refused than before"),
        pytest.param(
            hook(), calls(refused=40.0, refused_before=41.0), [], "refusals by policy count too", id="a policy refuses"
        ),
        pytest.param(
            hook(), calls(refused=9.0, refused_before=9.0, slow_minutes=14), [(AGREES, "")], "", id="calls time out"
        ),
        pytest.param(hook(), calls(calls=14.0), [], "they prove nothing", id="few calls"),
        pytest.param(hook(), calls(calls=None), [], "no complete counts", id="no counts"),
        pytest.param(hook(), calls(refused=None), [], "no complete counts", id="refusals are not counted"),
        pytest.param(hook(), calls(minutes=9), [], "no complete counts", id="minutes are missing"),
        pytest.param(hook(affects="most Pod CREATE"), calls(), [], "selectors narrow", id="not always called"),
        pytest.param(hook(policy=FailurePolicy.IGNORE), calls(), [], "", id="fail-open calls are not counted"),
        pytest.param(hook(kind="Mutating"), calls(), [], "", id="another kind's calls"),
        pytest.param(hook(kind="Mutating"), calls("mutating"), [NONE_REFUSED], "", id="mutating"),
    ],
)
def test_calls_while_a_webhook_fails(target, counts, expected, why):
    """The counters are of the whole cluster: no refused call contradicts, and more than before agree."""
    facts = with_calls(failing("policy"), counts)
    assert outcome([target], facts) == expected
    unknown = compare([target], facts, fresh=True).unknown
    assert len(unknown) == bool(why)
    assert why in "".join(unknown)


def test_calls_while_no_webhook_fails():
    """Refusals are policy; slow calls are said, and are no finding: the webhook may decide slowly."""
    facts = with_calls(FACTS, calls(refused=900.0, slow_minutes=15), calls("mutating", slow_minutes=3))
    result = compare([hook()], facts, fresh=True)
    assert result.findings == ()
    assert result.unknown == (
        "one in a hundred validating webhook calls took more than 10 s in 15 of 15 minutes, though their probes pass: "
        "slow decisions, or timeouts",
    )


def logged(webhook="policy.corp", calls=30, first="2026-11-26T02:01:00+00:00", closed=True):
    return LoggedFailure(webhook, closed, calls, first, "2026-11-26T02:14:00+00:00", "dial tcp: i/o timeout")


FAILS = (DISAGREES, "calls fail although probes pass")


@pytest.mark.parametrize(
    ("targets", "facts", "lines", "expected"),
    [
        pytest.param([hook()], failing("policy"), logged(), [(AGREES, "")], id="both fail"),
        pytest.param([hook()], failing("policy"), logged(calls=1), [(AGREES, "")], id="one call is enough to agree"),
        pytest.param([hook()], FACTS, logged(), [FAILS], id="calls fail, probes pass"),
        pytest.param([hook()], FACTS, logged(closed=False), [FAILS], id="and requests go on without it"),
        pytest.param([hook()], FACTS, logged(calls=2), [], id="two calls"),
        pytest.param([hook()], FACTS, logged(first="2026-11-26T02:10:00+00:00"), [], id="for four minutes"),
        pytest.param([hook()], FACTS, logged("other.corp"), [], id="of another webhook"),
        pytest.param([hook()], FACTS._replace(measured_minutes=2), logged(), [], id="not measured"),
        pytest.param([hook(), hook("b")], failing("b"), logged(), [FAILS], id="one of two"),
    ],
)
def test_the_log(targets, facts, lines, expected):
    """It names the webhook, so that it decides."""
    assert outcome(targets, facts._replace(logged=(lines,))) == expected


def test_the_log_decides_before_the_counters():
    """A call of this webhook is in the log: that the whole cluster's counters have no refusal says less."""
    facts = with_calls(failing("policy"), calls())._replace(logged=(logged(),))
    assert outcome([hook()], facts) == [(AGREES, "")]


@pytest.mark.parametrize(
    ("target", "facts", "expected"),
    [
        pytest.param(hook(), FACTS._replace(logged=(logged(calls=1),)), [(AGREES, "")], id="in the log"),
        pytest.param(hook(), with_calls(FACTS, calls(refused=5.0)), [(AGREES, "")], id="more refused"),
        pytest.param(hook(), with_calls(FACTS, calls()), [], id="none refused yet"),
        pytest.param(replace(api("False", JUST_NOW), name="policy"), FACTS, [(AGREES, "")], id="unavailable"),
        pytest.param(replace(api("True"), name="policy"), FACTS, [], id="still available"),
        pytest.param(hook(), ApiServerFacts(SINCE, UNTIL, logged=(logged(),)), [(AGREES, "")], id="without metrics"),
    ],
)
def test_a_failure_that_has_just_begun(target, facts, expected):
    """The API server can agree with it at once; to disagree it takes 15 minutes."""
    result = compare([target], facts, fresh=True, failing_now={"policy": "connect_timeout"})
    assert [(finding.code, finding.evidence.get("reason", "")) for finding in result.findings] == expected


# -- what people read -----------------------------------------------------------------------------------------


def test_a_disagreement_as_people_read_it():
    """What, for how long, what the API server itself reports, and what that usually means."""
    result = compare([api("True")], failing(subnets=("subnet-a",)), fresh=True)
    (finding,) = result.findings
    assert (finding.severity, finding.summary) == ("warning", "for 15 minutes: available although probes fail: metrics")
    sentence = (
        "the API server itself reports Available=True since 2026-11-25T20:00:00Z (Passed: all checks passed) of metrics, "
        "and probes failed from subnet-a in 15 of 15 minutes"
    )
    assert finding.evidence["observed"] == [sentence]
    assert finding.evidence["usual"] == list(USUAL_REASONS["available although probes fail"])
    assert evidence_for(result, ["metrics", "x"]) == (sentence, KEPT_CONNECTIONS)
    assert evidence_for(result, ["x"]) == ()
    assert msgspec.convert(msgspec.to_builtins(result), Corroboration) == result


def test_kept_connections_are_no_excuse_where_the_probes_pass():
    """Calls that fail are not explained by connections that are kept."""
    result = compare([hook()], FACTS._replace(logged=(logged(),)), fresh=True)
    assert evidence_for(result, ["policy"]) == (
        "the API server's log has 30 calls of webhook policy.corp that failed (2026-11-26T02:01:00+00:00 to "
        "2026-11-26T02:14:00+00:00), and requests were refused, the last with: dial tcp: i/o timeout",
    )
    agreeing = compare([api("False")], failing(), fresh=True)
    assert KEPT_CONNECTIONS not in evidence_for(agreeing, ["metrics"])


def test_a_causes_evidence():
    """Two sentences at most, after its first; other causes stay as they are."""
    result = compare([hook(), hook("b"), hook("c")], FACTS._replace(logged=tuple(logged(f"{n}.corp") for n in ("policy", "b", "c"))), fresh=True, failing_now=dict.fromkeys(("policy", "b", "c"), "tls_reset"))  # fmt: skip
    cause = ObservedCause(
        "k",
        "C",
        Tier.PAGE,
        "w",
        tuple(AffectedTarget(n, Impact.BLOCKS) for n in ("policy", "b", "c")),
        evidence=("own", "last"),
    )
    other = replace(cause, key="o", targets=(AffectedTarget("x", Impact.BLOCKS),))
    with_sentences, as_it_was = with_api_server([cause, other], result)
    assert [text.partition(" that ")[0] for text in with_sentences.evidence] == [
        "own",
        "the API server's log has 30 calls of webhook policy.corp",
        "the API server's log has 30 calls of webhook b.corp",
        "last",
    ]
    assert as_it_was == other


def test_many_targets_are_one_finding():
    targets = [replace(api("False"), name=f"api-{i}") for i in range(30)]
    (finding,) = compare(targets, FACTS, fresh=True).findings
    assert finding.summary.endswith("api-0, api-1, api-2 and 27 more")
    assert len(finding.evidence["targets"]) == 20


_NUMBERS = st.none() | st.floats(0, 1e9) | st.just(float("nan")) | st.just(float("inf"))
_TEXTS = st.sampled_from(["", SINCE, LONG_AGO, "x", "policy", "policy.corp", "connect_timeout", "all targets", "2026"])
_FACTS = st.builds(
    ApiServerFacts,
    since=_TEXTS,
    until=_TEXTS,
    failing=st.none()
    | st.tuples(st.builds(FailingMinutes, _TEXTS, st.integers(0, 15), st.tuples(_TEXTS), st.tuples(_TEXTS))),
    measured_minutes=st.integers(0, 15),
    webhooks=st.tuples(
        st.builds(
            WebhookCalls, st.just("validating"), _NUMBERS, _NUMBERS, _NUMBERS, st.integers(0, 15), st.integers(0, 15)
        )
    ),
    logged=st.none() | st.tuples(st.builds(logged, _TEXTS, st.integers(1, 9), st.just(SINCE), st.booleans())),
    unread=st.tuples(_TEXTS),
)


@settings(max_examples=examples(150))
@given(_FACTS, st.booleans(), st.sampled_from(["True", "False", "Unknown"]), _TEXTS)
def test_any_facts_are_compared(facts, fresh, status, since):
    """A comparison is total, and a target is never said both to agree and to disagree by one source."""
    result = compare([hook(), replace(api(status, since), name="policy")], facts, fresh=fresh)
    assert all(finding.evidence["targets"] for finding in result.findings)
    assert msgspec.json.encode(result)
    if facts.failing is None:
        assert result.findings == ()
    compare([hook()], facts, fresh=fresh, failing_now={"policy": since})


def test_the_page_has_every_reason_and_figure():
    """docs/corroboration.md explains each disagreement under its own name; figures are those of the messages."""
    page = (Path(__file__).parents[2] / "docs" / "corroboration.md").read_text()
    assert all(f"| {reason} |" in page for reason in USUAL_REASONS)
    for figure in ("90 s", "85 s", "95 s", "39.7 s"):
        assert figure in KEPT_CONNECTIONS
        assert figure in page or figure == "90 s"
