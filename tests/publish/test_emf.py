"""What a run writes to CloudWatch: everything when something is wrong, only what alarms need while all is well."""

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.publish.emf import Series, publish
from tests.stack.test_alarms import BEGAN, report
from tests.support.aws import emf

AT = 86_000  # a minute ago or so
SUBNET = "subnet-0a/eu-west-1a"
ALWAYS = {"MeasuredShare", "BlockingFailures"}
WHOLE = ALWAYS | {"TargetsPlanned", "TargetsMeasured", "TargetsUnknown", "TargetsFailed", "ProbeDuration"}


def written(capsys, verdicts, *args, **kwargs):
    publish(report(AT, SUBNET, verdicts), *args, **kwargs)
    *targets, run = emf.documents(capsys.readouterr().out)
    return [document for document in targets if "Target" in document], run


@pytest.mark.parametrize(
    ("verdicts", "detail", "wanted"),
    [
        ({"a": Verdict.PASS, "b": Verdict.DEGRADED}, "target", ALWAYS),
        ({"a": Verdict.PASS, "b": Verdict.FAIL}, "target", WHOLE),
        ({"a": Verdict.PASS, "b": Verdict.UNKNOWN}, "target", WHOLE - {"BlockingFailures"}),
        ({"a": Verdict.FAIL, "b": Verdict.UNKNOWN}, "target", WHOLE),
        ({"a": Verdict.PASS}, "subnet", WHOLE),
    ],
)
def test_which_series_of_a_subnet_are_written(capsys, verdicts, detail, wanted):
    _, run = written(capsys, verdicts, Series(detail))
    found = emf.metrics(run)
    assert set(found) == wanted
    measured = len(verdicts) - list(verdicts.values()).count(Verdict.UNKNOWN)
    assert found["MeasuredShare"] == measured / len(verdicts)
    if "TargetsPlanned" in found:
        assert found["TargetsMeasured"] + found["TargetsUnknown"] == found["TargetsPlanned"] == len(verdicts)


def test_the_share_is_of_the_whole_plan_and_the_minute_is_the_schedules(capsys):
    """A quarter of the plan, half of it measured; Lambda may start the run in the next minute."""
    verdicts = {"a": Verdict.PASS, "b": Verdict.UNKNOWN}
    minute = datetime.fromtimestamp(BEGAN + AT - 60, UTC)
    _, run = written(capsys, verdicts, share=0.25, minute=minute)
    assert emf.metrics(run)["MeasuredShare"] == 0.125
    assert run["_aws"]["Timestamp"] == (BEGAN + AT - 60) * 1000


def test_certificates_have_one_series_of_the_cluster(capsys):
    publish(report(AT, SUBNET, {"a": Verdict.PASS, "b": Verdict.PASS}, days=6.5), Series("subnet"))
    [days] = [d for d in emf.documents(capsys.readouterr().out) if "CertificateDaysRemaining" in emf.metrics(d)]
    assert emf.metrics(days) == {"CertificateDaysRemaining": 6.5}
    assert days["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["ClusterName"]]


def test_a_passing_line_has_times_and_nothing_else(capsys):
    [passing, degraded], _ = written(capsys, {"a": Verdict.PASS, "b": Verdict.DEGRADED})
    assert set(passing) == {"_aws", "ClusterName", "Target", "ProbeSuccess", "SubnetId", "tlsMs", "daysRemaining"}
    assert {"verdict", "addresses", "runId", "impact"} <= set(degraded)
    assert len(json.dumps(passing, separators=(",", ":"))) < 424, "price.py reckons with 450, CloudWatch's 26 included"


@pytest.mark.parametrize(
    ("detail", "dimensions"), [("target", {"ClusterName", "Target"}), ("subnet", {"ClusterName", "Target", "SubnetId"})]
)
def test_one_series_has_the_dimensions_that_the_alarm_looks_at(capsys, caplog, detail, dimensions):
    [only], _ = written(capsys, {"a": Verdict.PASS, "b": Verdict.FAIL}, Series(detail), one_series=True)
    assert (only["Target"], emf.metrics(only)) == ("all targets", {"ProbeSuccess": 0})
    assert set(only["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == dimensions
    assert [record.Target for record in caplog.records] == ["b"], "the log names it"


def test_above_the_cap_a_probe_falls_back_by_itself(capsys):
    """Whoever made the plan: a person's schedule event is capped too."""
    many = {f"t{i}": Verdict.PASS for i in range(5)}
    [only], _ = written(capsys, many, Series(cap=4))
    assert (only["Target"], emf.metrics(only)) == ("all targets", {"ProbeSuccess": 1})
    assert len(written(capsys, many, Series(cap=5))[0]) == 5


def test_all_unknown_is_no_success_of_all(capsys):
    targets, run = written(capsys, {"a": Verdict.UNKNOWN}, one_series=True)
    assert targets == []
    assert emf.metrics(run)["TargetsUnknown"] == 1
    assert run["_aws"]["Timestamp"] == (BEGAN + AT) * 1000


def test_a_failing_target_has_a_second_set_of_dimensions_with_code_and_impact(capsys):
    """It costs nothing while all is well, and lets a notification name all three."""
    [passing, failing], run = written(capsys, {"a": Verdict.PASS, "b": Verdict.FAIL})
    [directive] = failing["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [
        ["ClusterName", "Target"],
        ["ClusterName", "Target", "Code", "Impact"],
        ["ClusterName", "Target", "Impact"],
    ]
    assert (failing["Code"], failing["Impact"]) == ("connect_timeout", "blocks")
    assert passing["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["ClusterName", "Target"]]
    assert emf.metrics(run)["BlockingFailures"] == 1


@pytest.mark.parametrize(
    ("kind", "impact", "verdict", "expected"),
    [
        (Kind.WEBHOOK, Impact.BLOCKS, Verdict.FAIL, ("blocks", 1)),
        (Kind.WEBHOOK, Impact.BYPASSES, Verdict.FAIL, ("bypasses", 0)),
        (Kind.WEBHOOK, Impact.DELAYS, Verdict.FAIL, ("delays", 0)),
        (Kind.ENDPOINT, Impact.NONE, Verdict.FAIL, ("none", 0)),
        (Kind.KUBELET, Impact.BLOCKS, Verdict.FAIL, ("kubelet", 0)),
        (Kind.WEBHOOK, Impact.BLOCKS, Verdict.DEGRADED, ("degraded", 0)),
        (Kind.WEBHOOK, Impact.BLOCKS, Verdict.PASS, (None, 0)),
    ],
)
def test_only_what_blocks_counts_for_a_page(capsys, kind, impact, verdict, expected):
    whole = report(AT, SUBNET, {"a": verdict})
    target = replace(whole.results[0].target, kind=kind)
    publish(replace(whole, results=(replace(whole.results[0], target=target, impact=impact),)))
    document, _, run = emf.documents(capsys.readouterr().out)
    assert (document.get("Impact"), emf.metrics(run)["BlockingFailures"]) == expected


@pytest.mark.parametrize(
    ("attempts", "verdict", "mode", "metric"),
    [
        ((Phase.CONNECT,), Verdict.FAIL, "CUSTOMER_ROUTED", "EgressDown"),
        ((), Verdict.FAIL, "CUSTOMER_ROUTED", "EgressDown"),
        ((Phase.CONNECT,), Verdict.DEGRADED, "CUSTOMER_ROUTED", "EgressDown"),
        ((Phase.CONNECT,), Verdict.FAIL, "AWS_MANAGED", "EgressWouldFail"),
        ((Phase.TLS,), Verdict.FAIL, "CUSTOMER_ROUTED", None),
        ((Phase.CONNECT, None), Verdict.FAIL, "CUSTOMER_ROUTED", None),
        ((None,), Verdict.PASS, "CUSTOMER_ROUTED", None),
        ((), Verdict.UNKNOWN, "CUSTOMER_ROUTED", None),
    ],
)
def test_egress_is_down_when_nothing_outside_can_be_reached(capsys, attempts, verdict, mode, metric):
    """The cluster's issuer alone is enough, which is only degraded: nothing in the cluster depends on it."""
    whole = report(AT, SUBNET, {"issuer": verdict, "inside": Verdict.PASS})
    issuer, inside = whole.results
    failures = [phase and Failure(phase, Code.CONNECT_TIMEOUT, "i/o timeout") for phase in attempts]
    seen = tuple(Attempt("192.0.2.1", 443, "ipv4", failure=failure) for failure in failures)
    failure = next(filter(None, failures), None) or (
        None if verdict is Verdict.PASS else Failure(Phase.RESOLVE, Code.DNS_TIMEOUT, "i/o timeout")
    )
    issuer = replace(issuer, attempts=seen, failure=failure)
    publish(replace(whole, results=(issuer, replace(inside, switch_relevant=False))), egress_mode=mode)
    found = emf.metrics(emf.documents(capsys.readouterr().out)[-1])
    assert {name for name in found if name.startswith("Egress")} == ({metric} if metric else set())


def test_a_target_that_left_the_plan_is_no_evidence_that_all_is_well(capsys):
    _, run = written(capsys, {"a": Verdict.PASS}, retired=1)
    found = emf.metrics(run)
    assert found["TargetsUnsettled"] == 1
    assert "BlockingFailures" not in found
