"""The Lambda door: events, deadlines, metrics, and no secret in a log."""

import json
import re
import time
from datetime import UTC, datetime

import msgspec
import pytest

from egressprobe.cli.output.formats import to_json
from egressprobe.golang.resolver import ResolverConfig
from egressprobe.handlers import probe
from egressprobe.handlers.probe import _seconds, concurrency, handler, make_handler
from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, TcpServer, server_context
from egressprobe.model.errors import InputError
from egressprobe.model.failure import Code
from egressprobe.model.report import Report
from egressprobe.probe.edges import Edges
from egressprobe.publish.response import from_json, response
from tests.support.aws import emf

CA = make_authority("ca")


class Context:
    aws_request_id = "r-1"

    def __init__(self, seconds=30.0):
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self):
        return int((self._ends - time.monotonic()) * 1000)


@pytest.fixture
def world(lab_loop):
    """A good and a silent webhook, and the handler that may reach them."""
    good = lab_loop.start(HttpServer(tls=server_context(issue(CA, ("good.lab",)))))
    silent = lab_loop.start(TcpServer())
    dns = lab_loop.start(DnsServer(serve_zone({n: Records(a=("127.0.0.1",)) for n in ("good.lab", "silent.lab")})))
    edges = Edges(guard=lambda _: None, config=ResolverConfig(servers=(dns.text,)))
    targets = [
        {"kind": "webhook", "name": "good", "url": f"https://good.lab:{good.port}/", "caBundle": CA.pem},
        {"kind": "webhook", "name": "silent", "url": f"https://silent.lab:{silent.port}/", "caBundle": CA.pem},
        {"kind": "webhook", "name": "nx", "url": "https://nx.lab/", "caBundle": CA.pem, "failurePolicy": "Ignore"},
    ]
    return make_handler(edges), targets


def test_on_demand(world, capsys, caplog):
    """The report is the answer; a person's debugging moves no metric."""
    handle, targets = world
    answer = handle({"targets": [targets[0], targets[2]]}, Context())
    report = msgspec.convert(answer, Report)
    assert (report.run_id, report.schema_version, report.verdict) == ("r-1", "egressprobe/report/v1", "fail")
    assert {one.target.name: str(one.verdict) for one in report.results} == {"good": "pass", "nx": "fail"}
    assert report.results[1].failure.code is Code.DNS_NXDOMAIN
    printed = capsys.readouterr().out
    assert emf.documents(printed) == []
    assert "verdict=fail pass=1 degraded=0 fail=1 unknown=0" in caplog.text
    assert json.loads(json.dumps(answer)) == answer
    assert from_json(to_json(report)) == report


def test_schedule(world, capsys, monkeypatch):
    """One valid document a target and one a run; the dimensions are the contract's."""
    monkeypatch.setenv("EGRESSPROBE_CLUSTER_NAME", "prod")
    monkeypatch.setenv("EGRESSPROBE_AVAILABILITY_ZONE", "eu-west-1a")
    handle, targets = world
    handle({"source": "schedule", "plan": {"targets": [targets[0], targets[2]]}}, Context())
    good, nx, days, whole = emf.documents(capsys.readouterr().out)
    assert good["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "EgressProbe"
    assert good["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["ClusterName", "Target"]]
    assert (good["ClusterName"], good["Target"]) == ("prod", "good")
    assert (emf.metrics(good), emf.metrics(nx)) == ({"ProbeSuccess": 1}, {"ProbeSuccess": 0})
    assert (nx["code"], nx["impact"], nx["availabilityZone"]) == ("dns_nxdomain", "bypasses", "eu-west-1a")
    assert "failing open nx" in nx["apiServerError"]
    assert whole["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["ClusterName", "SubnetId"]]
    run = emf.metrics(whole)
    assert 79 < emf.metrics(days)["CertificateDaysRemaining"] < 81
    assert run.pop("MeasuredShare") == 1.0
    assert run.pop("ProbeDuration") > 0
    counts = {"TargetsPlanned": 2, "TargetsMeasured": 2, "TargetsFailed": 1, "TargetsUnknown": 0}
    assert run == counts | {"BlockingFailures": 0}, "nx fails open"


def test_metric_detail(world, capsys, monkeypatch):
    """By subnet as well, when the function is told so."""
    monkeypatch.setenv("EGRESSPROBE_METRIC_DETAIL", "subnet")
    handle, targets = world
    handle({"source": "schedule", "plan": {"targets": [targets[0]]}}, Context())
    good, _, _ = emf.documents(capsys.readouterr().out)
    assert sorted(good["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == ["ClusterName", "SubnetId", "Target"]


def test_a_short_function_still_reports(world, capsys, caplog):
    """3 s of function, a silent target: the report leaves before, unknown is counted and is no data point."""
    handle, targets = world
    answer = handle({"source": "schedule", "plan": {"targets": targets}}, Context(3.0))
    assert 0 < _seconds(Context(3.0), len(targets)) <= 2.5, "half a second is left for the report"
    verdicts = {one["target"]["name"]: one["verdict"] for one in answer["results"]}
    assert verdicts == {"good": "pass", "silent": "unknown", "nx": "fail"}
    assert answer["results"][1]["failure"]["code"] == Code.DEADLINE_EXCEEDED
    printed = capsys.readouterr().out
    documents = emf.documents(printed)
    assert [d.get("Target") for d in documents] == ["good", "nx", None, None]
    assert emf.metrics(documents[-1])["TargetsUnknown"] == 1
    assert "target not measured" in caplog.text


@pytest.mark.parametrize(
    ("scheduled", "stamp"),
    [
        ("2026-11-26T11:59:00Z", "2026-11-26T11:59:00+00:00"),
        ("<aws.scheduler.scheduled-time>", None),
        ("2026-11-25T11:59:00Z", None),
        ("2026-11-26T11:59:00", None),
        (None, None),
        (5, None),
    ],
)
def test_the_metrics_are_of_the_minute_of_the_schedule(scheduled, stamp):
    """A time that is missing, wrong or without a zone: the run's own start is taken, and nothing is lost."""
    now = datetime(2026, 11, 26, 12, 0, 3, tzinfo=UTC)
    assert probe._scheduled_at(scheduled, now) == (stamp and datetime.fromisoformat(stamp))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"source": "aws.events"}, "event.source: must be schedule"),
        ({"source": "schedule"}, "event.plan: is missing"),
        ({"source": "schedule", "plan": 5}, 'expected an object with "targets", got a number'),
        ({"source": "schedule", "plan": {"targets": []}}, "targets: is empty"),
        ({"source": "schedule", "plan": {"targets": [{}]}}, "targets[0]"),
    ],
)
def test_a_bad_scheduled_event_raises_so_that_lambda_counts_an_error(event, reason, caplog):
    """No caller reads the response of a schedule; the log says why, and no metric is published."""
    with pytest.raises(InputError, match=re.escape(reason)):
        handler(event, Context())
    assert "bad event" in caplog.text


def test_a_crash_of_a_scheduled_run_raises_and_of_an_on_demand_run_answers(monkeypatch, caplog):
    monkeypatch.setattr("egressprobe.handlers.probe.read_plan", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        handler({"source": "schedule", "plan": {"targets": []}}, Context())
    assert handler({"targets": []}, Context())["error"]["code"] == Code.INTERNAL_ERROR
    assert caplog.text.count("egressprobe itself failed") == 2


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (None, "event: must be an object"),
        ([], "event: must be an object"),
        ({}, "targets: is missing"),
        ({"targets": "x"}, "targets: expected a list, got a string"),
        ({"targets": [], "plan": {}}, "event.plan: is unknown"),
        ({"action": "reboot"}, "event.action: must be doctor"),
        ({"action": "doctor", "name": 5}, "event.name: must be a string"),
        ({"action": "doctor", "name": "x" * 255}, "event.name: must be a string: a host name to look up, at most 254"),
        ({"targets": [], "guard": "off"}, "event.guard: is unknown"),
        ({"targets": [{"kind": "webhook", "name": "h", "url": "https://u:pw@h/?token=t"}]}, "targets[0].url"),
    ],
)
def test_bad_events(event, said, caplog):
    """A report-shaped error; the log says why and holds no secret."""
    answer = handler(event, Context())
    assert (answer["schemaVersion"], answer["verdict"], answer["results"]) == ("egressprobe/report/v1", "unknown", [])
    assert answer["error"]["code"] == Code.TARGET_INVALID
    assert msgspec.convert(answer, Report).summary.unknown == 0
    assert said in answer["error"]["message"]
    printed = caplog.text + str([record.__dict__ for record in caplog.records])
    assert said in printed
    assert "pw@" not in printed
    assert "token" not in printed


def test_no_event_opens_loopback():
    """The product's handler refuses loopback whatever the event says, by number and through a mapped form."""
    for address in ("127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "169.254.169.254:80"):
        target = {"kind": "kubelet", "name": "n", "addresses": [address]}
        answer = handler({"targets": [target]}, Context())
        assert answer["results"][0]["verdict"] == "unknown"
        assert answer["results"][0]["failure"]["code"] == Code.TARGET_FORBIDDEN


def test_our_own_bug_is_unknown_and_takes_no_other_target_down(world, monkeypatch):
    """A phase that raises: internal_error for that target alone."""
    from egressprobe.probe import measure

    real = measure._measure

    async def broken(prober, target, budget):
        if target.name == "nx":
            raise RuntimeError("boom")
        return await real(prober, target, budget)

    monkeypatch.setattr(measure, "_measure", broken)
    handle, targets = world
    answer = handle({"targets": [targets[0], targets[2]]}, Context())
    assert [one["verdict"] for one in answer["results"]] == ["pass", "unknown"]
    assert answer["results"][1]["failure"]["code"] == Code.INTERNAL_ERROR


def test_the_response_stays_below_its_limit(world):
    """Chains go first, then single queries; verdicts never."""
    handle, targets = world
    report = msgspec.convert(handle({"targets": targets[:1]}, Context()), Report)
    whole = len(msgspec.json.encode(report))
    for limit in (whole - 100, whole - 1300, 900):
        smaller = msgspec.json.encode(response(report, limit))
        again = from_json(smaller)
        assert len(smaller) < max(limit, 2500)
        assert [one.verdict for one in again.results] == [one.verdict for one in report.results]
        assert again.findings[0].code == "REPORT_REDUCED"
        assert again.results[0].attempts == () or again.results[0].attempts[0].tls.chain == ()


@pytest.mark.netns  # it asks the VPC resolver, wherever it runs
def test_doctor(world):
    """What the platform is like, each fact present."""
    handle, _ = world
    answer = handle({"action": "doctor", "name": "good.lab"}, Context())
    assert answer["schemaVersion"] == "egressprobe/doctor/v1"
    assert answer["openssl"].startswith("OpenSSL")
    assert "X25519" in answer["clientHello"]["webhook"]["groups"]
    assert answer["clientHello"]["default"]["bytes"] == answer["clientHello"]["webhook"]["bytes"] + 3
    assert answer["kernelTimes"] == {"tcpInfo": True, "receiveStamps": True}
    assert {"lo"} <= {one["name"] for one in answer["interfaces"]}
    assert answer["nameServers"][0]["addresses"] == ["127.0.0.1"]
    first, second = answer["nameServersByDnspython"][:2]
    assert (first["rcode"], first["edns"], first["tcp"]) == ("NOERROR", True, False)
    assert first["answers"][0].endswith(" IN A 127.0.0.1")
    assert second["error"].split(":")[0] in {"Timeout", "ConnectionRefusedError", "OSError"}
    assert answer["nameServers"][1]["failure"]["code"] in {Code.DNS_TIMEOUT, Code.DNS_UNREACHABLE}
    json.dumps(answer)


@pytest.mark.parametrize(("memory", "wanted"), [("256", 5), ("1769", 10), (None, 10)])
def test_concurrency_follows_the_memory(monkeypatch, memory, wanted):
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)
    if memory:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)
    assert concurrency() == wanted


_ODD = ["", " ", "x", "-1", "0", "1e3", "9" * 30, "²", "prod\udcff", "\x1b[31m", "a" * 5000]


@pytest.mark.parametrize("value", _ODD)
@pytest.mark.parametrize(
    "name",
    [
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "EGRESSPROBE_MAX_SERIES",
        "EGRESSPROBE_METRIC_DETAIL",
        "EGRESSPROBE_CLUSTER_NAME",
        "EGRESSPROBE_AVAILABILITY_ZONE",
    ],
)
def test_an_odd_environment_costs_one_field(world, monkeypatch, name, value):
    """Whatever a variable holds: a report with the verdict of every target leaves, in valid JSON."""
    handle, targets = world
    monkeypatch.setenv(name, value)
    document = handle({"source": "schedule", "plan": {"targets": targets[:1]}}, Context())
    json.dumps(document, ensure_ascii=False).encode()
    assert [result["verdict"] for result in document["results"]] == ["pass"]
    assert "error" not in document


def test_a_lone_surrogate_costs_one_target(world):
    """JSON can carry what UTF-8 cannot: the other targets are measured, and the response can be encoded."""
    handle, targets = world
    odd = {"kind": "webhook", "name": "odd", "url": json.loads('"https://good.lab/\\ud800"')}
    document = handle({"targets": [targets[0], odd]}, Context())
    json.dumps(document, ensure_ascii=False).encode()
    assert document["results"][0]["verdict"] == "pass"
    assert len(document["results"]) == 2


@pytest.mark.parametrize("zone", ["eth0", "no such interface", "9" * 50, "\0", "\ud800", "\x1b[31m"])
def test_a_zone_of_an_address_is_no_error_of_ours(zone):
    """Go dials without a zone that is no interface; getaddrinfo(3) refuses it."""
    addresses = [f"[::1%{zone}]:1"]
    target = {"kind": "kubelet", "name": "zone", "addresses": addresses}
    edges = Edges(guard=lambda _: None, config=ResolverConfig(servers=("127.0.0.1:1",)))
    result = make_handler(edges)({"targets": [target]}, Context(3.0))["results"][0]
    assert result["failure"]["code"] == Code.CONNECT_REFUSED
