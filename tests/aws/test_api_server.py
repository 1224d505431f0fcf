"""What CloudWatch knows of the API server and of the probes: metrics in the shapes of AWS's own model, and the log."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber

from egressprobe.aws.incidents.api_server import ApiServerClients, api_server_clients, read_api_server
from egressprobe.incidents.corroboration.facts import FailingMinutes, WebhookCalls
from egressprobe.incidents.corroboration.log_lines import FILTER
from tests.incidents.test_log_lines import LINE, NAME

NOW = datetime(2026, 11, 26, 2, 18, 30, tzinfo=UTC)
UNTIL = datetime(2026, 11, 26, 2, 15, tzinfo=UTC)
SINCE = UNTIL - timedelta(minutes=15)
IN_WINDOW = [SINCE + timedelta(minutes=i) for i in range(15)]
BEFORE = [SINCE - timedelta(minutes=15 - i) for i in range(15)]
SUBNETS = ("subnet-a", "subnet-b")
LISTED = {
    "Namespace": "EgressProbe",
    "MetricName": "ProbeSuccess",
    "Dimensions": [{"Name": "ClusterName", "Value": "prod"}, {"Name": "Impact"}],
    "RecentlyActive": "PT3H",
}
SEARCHED = {
    "logGroupName": "/aws/eks/prod/cluster",
    "logStreamNamePrefix": "kube-apiserver-",
    "startTime": 1_795_658_400_000,
    "endTime": 1_795_659_510_000,
    "filterPattern": FILTER,
}


@pytest.fixture(scope="module")
def session():
    return boto3.Session("id", "secret", region_name="eu-west-1")


@pytest.fixture
def clients(session):
    return api_server_clients(logs=True, session=session)


def series(**dimensions):
    pairs = [{"Name": name, "Value": value} for name, value in ({"ClusterName": "prod"} | dimensions).items()]
    return {"Namespace": "EgressProbe", "MetricName": "ProbeSuccess", "Dimensions": pairs}


def values(name, stamps, value):
    numbers = [value] * len(stamps) if isinstance(value, int | float) else value
    return {"Id": name, "Label": name, "Timestamps": stamps, "Values": numbers, "StatusCode": "Complete"}


def answer(clients, *results, listed=(), logs=None, **options):
    """What is read when CloudWatch returns these results."""
    with Stubber(clients.cloudwatch) as cloudwatch, Stubber(clients.logs) as lines:
        cloudwatch.add_response("list_metrics", {"Metrics": list(listed)}, LISTED)
        cloudwatch.add_response("get_metric_data", {"MetricDataResults": list(results)})
        for page, token in logs or ():
            lines.add_response("filter_log_events", page, SEARCHED | token)
        facts = read_api_server(clients, "prod", SUBNETS, NOW, compared=True, **options)
        cloudwatch.assert_no_pending_responses()
        lines.assert_no_pending_responses()
    return facts


def test_the_metrics_that_are_read(clients):
    """By AWS's own names, dimension and statistics: EKS user guide, Basic metrics in Amazon CloudWatch."""
    sent = {}
    clients.cloudwatch.meta.events.register(
        "before-parameter-build.cloudwatch.GetMetricData", lambda params, **_: sent.update(params)
    )
    answer(clients, listed=[series(Target="x", Impact="blocks")])
    assert (sent["StartTime"], sent["EndTime"]) == (SINCE - timedelta(minutes=15), UNTIL)
    read = {
        (metric["Namespace"], metric["MetricName"], query["MetricStat"]["Stat"])
        for query in sent["MetricDataQueries"]
        for metric in [query["MetricStat"]["Metric"]]
    }
    assert read == {
        ("AWS/EKS", "apiserver_admission_webhook_request_total_VALIDATING", "Sum"),
        ("AWS/EKS", "apiserver_admission_webhook_request_total_ADMIT", "Sum"),
        ("AWS/EKS", "apiserver_admission_webhook_rejection_count_VALIDATING", "Sum"),
        ("AWS/EKS", "apiserver_admission_webhook_rejection_count_ADMIT", "Sum"),
        ("AWS/EKS", "apiserver_admission_webhook_admission_duration_seconds_VALIDATING_P99", "Average"),
        ("AWS/EKS", "apiserver_admission_webhook_admission_duration_seconds_ADMIT_P99", "Average"),
        ("EgressProbe", "MeasuredShare", "Sum"),
        ("EgressProbe", "TargetsFailed", "Sum"),
        ("EgressProbe", "ProbeSuccess", "Minimum"),
    }
    eks = [q["MetricStat"]["Metric"] for q in sent["MetricDataQueries"] if q["Id"].startswith(("valid", "mutat"))]
    assert all(metric["Dimensions"] == [{"Name": "ClusterName", "Value": "prod"}] for metric in eks)
    assert {query["MetricStat"]["Period"] for query in sent["MetricDataQueries"]} == {60}


def test_webhook_calls(clients):
    """Sums of the window, and the refusals of the 15 minutes before it."""
    facts = answer(
        clients,
        values("validating_calls", IN_WINDOW, 80.0),
        values("validating_refused", BEFORE + IN_WINDOW, [1.0] * 15 + [4.0] * 15),
        values("validating_p99", IN_WINDOW, [24.9] * 12 + [0.2] * 3),
        values("mutating_calls", IN_WINDOW[:9], 3.0),
    )
    assert facts.webhooks == (
        WebhookCalls("validating", 1200.0, 60.0, 15.0, 15, 12),
        WebhookCalls("mutating", 27.0, None, None, 9, 0),
    )
    assert (facts.since, facts.until) == ("2026-11-26T02:00:00+00:00", "2026-11-26T02:15:00+00:00")
    assert facts.unread == ()


def test_failing_targets(clients):
    """Minutes of the series that decides; codes and subnets of the others; what is degraded fails in no minute."""
    listed = [
        series(Target="a", Impact="blocks"),
        series(Target="a", SubnetId="subnet-a", Code="connect_timeout", Impact="blocks"),
        series(Target="b", Impact="degraded"),
        series(Target="c", Impact="uncounted"),
        series(Target="d", Impact="blocks"),
    ]
    # The reader numbers them in the order of target, impact, code and subnet.
    facts = answer(
        clients,
        values("probed_0", BEFORE + IN_WINDOW[:14], 0.0),
        values("probed_1", IN_WINDOW[:13], 0.0),
        values("probed_2", IN_WINDOW, 1.0),
        values("probed_3", IN_WINDOW, 0.0),
        values("probed_4", BEFORE, 0.0),
        listed=listed,
    )
    assert facts.failing == (
        FailingMinutes("a", 14, ("connect_timeout",), ("subnet-a",)),
        FailingMinutes("b", 0),
        FailingMinutes("c", 0),
    )


@pytest.mark.parametrize(("shares", "minutes"), [((1.0, 1.0), 15), ((1.0, 0.9), 0), ((2.0, 1.0), 0), ((1.0, None), 0)])
def test_minutes_in_which_everything_was_measured(clients, shares, minutes):
    """Every subnet's runs add up to the whole plan; more is a run that counted twice, and no evidence."""
    results = [values(f"measured_{i}", IN_WINDOW, share) for i, share in enumerate(shares) if share is not None]
    assert answer(clients, *results).measured_minutes == minutes


def test_minutes_with_failures_that_are_not_listed_yet(clients):
    """ListMetrics lists a new series within 15 minutes: until then it is not known which targets pass."""
    whole = [values(f"measured_{i}", IN_WINDOW, 1.0) for i in range(2)]
    failed = values("failed_1", IN_WINDOW[5:], 2.0)
    assert answer(clients, *whole, failed).measured_minutes == 5
    listed = [series(Target=name, Impact="blocks") for name in "ab"]
    probed = [values("probed_0", IN_WINDOW, 0.0), values("probed_1", IN_WINDOW[10:], 0.0)]
    assert answer(clients, *whole, failed, *probed, listed=listed).measured_minutes == 10


def test_the_log(clients):
    """Page by page, also where one is empty; only where the cluster writes one of the two logs."""
    event = {"timestamp": 1_795_658_460_000, "message": LINE, "logStreamName": "kube-apiserver-1"}
    pages = [({"events": [], "nextToken": "t"}, {}), ({"events": [event]}, {"nextToken": "t"})]
    facts = answer(clients, logs=pages, log_types=("api", "scheduler"))
    assert ([failure.webhook for failure in facts.logged], facts.log_complete) == ([NAME], True)
    assert answer(clients, log_types=("scheduler",)).logged is None


def test_a_log_that_is_too_large(clients):
    """It is read for 15 seconds; what was found counts, what was not is not taken for none."""
    event = {"timestamp": 1_795_658_460_000, "message": LINE}
    times = iter((0.0, 20.0))
    pages = [({"events": [event], "nextToken": "t"}, {})]
    facts = answer(clients, logs=pages, log_types=("audit",), clock=lambda: next(times))
    assert ([failure.webhook for failure in facts.logged], facts.log_complete) == ([NAME], False)
    assert facts.unread == ("the control plane's log was read in part: it is larger than the time allows",)


def test_what_aws_refuses(clients):
    """Each part by itself: the others are read."""
    with Stubber(clients.cloudwatch) as cloudwatch, Stubber(clients.logs) as logs:
        cloudwatch.add_client_error("list_metrics", "AccessDenied", "no")
        cloudwatch.add_response("get_metric_data", {"MetricDataResults": [values("validating_calls", IN_WINDOW, 1.0)]})
        logs.add_client_error("filter_log_events", "ResourceNotFoundException", "none")
        facts = read_api_server(clients, "prod", SUBNETS, NOW, compared=True, log_types=("audit",))
    assert (facts.failing, facts.webhooks[0].calls, facts.logged) == (None, 15.0, None)
    assert facts.unread == (
        "the probes' metrics could not be read (cloudwatch:ListMetrics): AccessDenied: no",
        "the control plane's log could not be read (logs:FilterLogEvents): ResourceNotFoundException: none",
    )


@pytest.mark.parametrize("page", [None, {"Metrics": [{}]}, {"MetricDataResults": [{"Id": "x"}], "Metrics": 3}])
def test_answers_of_another_shape(clients, page, monkeypatch):
    for operation in ("list_metrics", "get_metric_data"):
        monkeypatch.setattr(clients.cloudwatch, operation, lambda **_: page)
    facts = read_api_server(ApiServerClients(clients.cloudwatch), "prod", SUBNETS, NOW, compared=True)
    assert facts.failing is None
    assert all("could not be read" in why for why in facts.unread)
    assert facts.unread


def test_more_series_than_one_request_takes(clients):
    """Then which target passes is not known."""
    facts = answer(clients, listed=[series(Target=f"t{i}", Impact="blocks") for i in range(451)])
    assert facts.failing is None
    assert facts.unread == ("451 series of failing targets: more than can be compared",)


@pytest.mark.parametrize(
    ("listed", "lines", "compared"), [((), [], False), ((), [], True), (("a",), [], False), ((), [LINE], False)]
)
def test_metrics_are_read_only_where_something_fails(clients, listed, lines, compared):
    """By the probes, by the log, or by what the caller knows: each metric costs."""
    with Stubber(clients.cloudwatch) as cloudwatch, Stubber(clients.logs) as logs:
        metrics = [series(Target=name, Impact="blocks") for name in listed]
        cloudwatch.add_response("list_metrics", {"Metrics": metrics}, LISTED)
        events = [{"timestamp": 1_795_658_460_000, "message": line} for line in lines]
        logs.add_response("filter_log_events", {"events": events})
        if listed or lines or compared:
            cloudwatch.add_response("get_metric_data", {"MetricDataResults": []})
        facts = read_api_server(clients, "prod", SUBNETS, NOW, compared=compared, log_types=("api",))
        cloudwatch.assert_no_pending_responses()
    assert facts.unread == ()
    assert (facts.failing is None) == (not (listed or lines or compared))
