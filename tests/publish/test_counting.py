"""Which failures count: of discovered targets only those that were looked up, or that nobody looks up."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt
from egressprobe.model.report import REPORT_SCHEMA, Report, Result, Summary, TargetView, Vantage
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.publish.counting import FRESH, failing, uncounted
from egressprobe.publish.emf import UNCOUNTED, Series, publish
from tests.support.aws import emf

AT = datetime.now().astimezone().replace(microsecond=0) - timedelta(hours=1)
A, B, C = "10.0.0.1:443", "10.0.0.2:443", "[fd00::3]:443"
SILENT = Failure(Phase.CONNECT, Code.CONNECT_TIMEOUT, "i/o timeout")


def result(dead=(A, B), planned=(A, B, C), name="svc", verdict=Verdict.FAIL, **more):
    """A discovered target of which the endpoints `dead` are silent."""
    attempts = tuple(
        Attempt(host.strip("[]"), int(port), "ipv4", failure=SILENT if f"{host}:{port}" in dead else None)
        for host, _, port in (place.rpartition(":") for place in planned)
    )
    target = TargetView(Kind.WEBHOOK, name, f"https://{name}/", addresses=planned, objects=("A/b",))
    fields = {"impact": Impact.BLOCKS, "switch_relevant": False, "failure": SILENT, "forecast": None}
    fields |= {"resolutions": (), "attempts": attempts, "http": (), "findings": (), "duration_ms": 1.0}
    return replace(Result(target=target, verdict=verdict, **fields), **more)


def report(*results):
    fails = sum(one.verdict is Verdict.FAIL for one in results)
    return Report(
        REPORT_SCHEMA, "run", AT.isoformat(), 1.0, Vantage("prod", "subnet-a", "a", (), "", ""), Verdict.FAIL,
        Summary(passed=len(results) - fails, fail=fails), results, (),
    )  # fmt: skip


REFUSED = result(dead=(), planned=(), failure=Failure(Phase.RESOLVE, Code.SERVICE_UNRESOLVED, "no endpoints"))
FRESHLY = timedelta(0)


@pytest.mark.parametrize(
    ("failed", "looked_up_at", "confirmed", "counts"),
    [
        (result(), FRESHLY, (), False),
        (result(), -FRESH, (), False),
        (result(), -FRESH - timedelta(seconds=1), (), True),
        (result(), timedelta(seconds=59), (), False),
        (result(), timedelta(seconds=61), (), True),
        (result(), "", (), True),
        (result(), "yesterday", (), True),
        (result(), FRESHLY, (A, B), True),
        # A third of the calls may fail: one confirmed endpoint of three is no outage, whatever the others do.
        (result(), FRESHLY, (A,), False),
        (result(), FRESHLY, (A, C), False),
        (result(dead=(A, B, C)), FRESHLY, (A, C), True),
        (result(dead=(A,), planned=(A, B)), FRESHLY, (A,), True),
        (result(dead=(A,), planned=(A, B)), FRESHLY, (B,), False),
        (REFUSED, FRESHLY, (), False),
        (REFUSED, FRESHLY, (A, B), False),
        (REFUSED, FRESHLY, ("service_unresolved",), True),
        # Every endpoint answers and the call fails all the same.
        (result(dead=()), FRESHLY, ("connect_timeout",), True),
        (result(dead=()), FRESHLY, (A, B, C), False),
        # What discovery did not find, or what has one address by its URL, does not move.
        (replace(result(), switch_relevant=True), FRESHLY, (), True),
        (replace(result(), target=replace(result().target, objects=())), FRESHLY, (), True),
    ],
)  # fmt: skip
def test_a_failure_counts_once_it_was_looked_up(failed, looked_up_at, confirmed, counts):
    if isinstance(looked_up_at, timedelta):
        looked_up_at = (AT + looked_up_at).isoformat()
    assert uncounted(report(failed), looked_up_at, {"svc": confirmed}) == (set() if counts else {"svc"})


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.DEGRADED, Verdict.UNKNOWN])
def test_only_failures_wait(verdict):
    assert uncounted(report(replace(result(), verdict=verdict)), AT.isoformat(), {}) == set()


def test_the_endpoints_that_failed_are_named():
    assert failing(result(dead=(A, C))) == (A, C)
    assert failing(REFUSED) == ("service_unresolved",)
    by_name = replace(result(), target=replace(result().target, addresses=("pod.example:443",)))
    assert failing(by_name) == ("pod.example:443",), "an endpoint that is a host name"


def documents(capsys, *results, waiting=("svc",), **more):
    capsys.readouterr()
    publish(report(*results), uncounted=frozenset(waiting), **more)
    return emf.documents(capsys.readouterr().out)


@pytest.mark.parametrize("detail", ["target", "subnet"])
def test_what_does_not_count_is_neither_a_pass_nor_a_fail(capsys, detail):
    """It has a series of its own, no evidence for an all-clear, and it is measured: nobody is blind."""
    line, other, run = documents(capsys, result(), result(name="other", verdict=Verdict.PASS), series=Series(detail))
    [dimensions] = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert set(dimensions) == {"ClusterName", "Target", "Impact"}
    assert line["SubnetId"] == "subnet-a"
    assert (line["Impact"], line["counted"], line["verdict"], line["ProbeSuccess"]) == (UNCOUNTED, False, "fail", [0.0])
    assert (line["discoveredAddresses"], line["failing"], line["dialled"]) == (True, [A, B], 3)
    assert emf.metrics(other) == {"ProbeSuccess": 1}
    found = emf.metrics(run)
    assert found["MeasuredShare"] == 1
    assert found["TargetsUnsettled"] == 1
    assert "BlockingFailures" not in found


def test_beside_a_failure_that_counts_both_are_what_they_are(capsys):
    *_, run = documents(capsys, result(), result(name="other"))
    found = emf.metrics(run)
    assert (found["BlockingFailures"], found["TargetsUnsettled"], found["TargetsFailed"]) == (1, 1, 2)


def test_what_pages_nobody_has_no_series_while_it_waits(capsys, caplog):
    kubelet = replace(result(), target=replace(result().target, kind=Kind.KUBELET))
    for harmless in (kubelet, replace(result(), impact=Impact.BYPASSES)):
        caplog.clear()
        [run] = documents(capsys, harmless)
        assert "BlockingFailures" not in emf.metrics(run)
        [line] = caplog.records
        assert (line.Target, line.verdict, line.discoveredAddresses, line.counted) == ("svc", "fail", True, False)


@pytest.mark.parametrize(
    ("others", "impact"),
    [((), UNCOUNTED), ((Verdict.PASS,), UNCOUNTED), ((Verdict.FAIL,), "blocks")],
    ids=["alone", "beside a pass", "beside a failure"],
)
def test_the_one_series_of_all_targets_is_no_pass_either(capsys, others, impact):
    more = [result(name=f"other-{i}", verdict=verdict) for i, verdict in enumerate(others)]
    line, _ = documents(capsys, result(), *more, one_series=True)
    assert (line["Impact"], line["ProbeSuccess"]) == (impact, [0.0])
    kubelet = replace(result(), target=replace(result().target, kind=Kind.KUBELET))
    assert len(documents(capsys, kubelet, one_series=True)) == 1, "nothing but the run's own"
