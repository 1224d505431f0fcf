"""What a run writes to CloudWatch: everything when something is wrong, only what alarms need while all is well."""

import json

import pytest

from egressprobe.model.target import Verdict
from egressprobe.publish.emf import Series, publish
from tests.stack.test_alarms import BEGAN, report
from tests.support.aws import emf

AT = 86_000  # a minute ago or so
SUBNET = "subnet-0a/eu-west-1a"
ALWAYS = {"TargetsMeasured", "TargetsUnknown", "CertificateDaysRemaining"}
WHOLE = ALWAYS | {"TargetsPlanned", "TargetsFailed", "ProbeDuration"}


def written(capsys, verdicts, *args, **kwargs):
    publish(report(AT, SUBNET, verdicts), *args, **kwargs)
    *targets, run = emf.documents(capsys.readouterr().out)
    return targets, run


@pytest.mark.parametrize(
    ("verdicts", "detail", "wanted"),
    [
        ({"a": Verdict.PASS, "b": Verdict.DEGRADED}, "target", ALWAYS),
        ({"a": Verdict.PASS, "b": Verdict.FAIL}, "target", WHOLE),
        ({"a": Verdict.PASS, "b": Verdict.UNKNOWN}, "target", WHOLE),
        ({"a": Verdict.PASS}, "subnet", WHOLE),
    ],
)
def test_which_series_of_a_subnet_are_written(capsys, verdicts, detail, wanted):
    _, run = written(capsys, verdicts, Series(detail))
    found = emf.metrics(run)
    assert set(found) == wanted
    assert found["TargetsMeasured"] + found["TargetsUnknown"] == len(verdicts)
    if "TargetsPlanned" in found:
        assert found["TargetsPlanned"] == len(verdicts)


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
