"""The first failing minute, over moto's metrics, and where GetMetricData refuses, pages and garbles."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from egressprobe.aws.incidents.since import FirstMinutes, first_minutes, of_egress, of_target
from tests.support.aws.fake_aws import ENVIRONMENT

NOW = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def cloudwatch(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.client("cloudwatch")


def put(client, series, ago):
    """A value in each of these minutes ago."""
    [variant] = series.variants
    dimensions = [{"Name": name, "Value": value} for name, value in (("ClusterName", "prod"), *variant)]
    data = [{"MetricName": series.metric, "Dimensions": dimensions, "Timestamp": minute(n), "Value": 0.0} for n in ago]
    for at in range(0, len(data), 500):
        client.put_metric_data(Namespace="EgressProbe", MetricData=data[at : at + 500])


def minute(ago):
    return NOW.replace(second=0) - ago * MINUTE


@pytest.mark.parametrize(
    ("ago", "first"),
    [
        ([1], 1),
        (range(1, 20), 19),
        ([1, 2, 4, 5], 5),
        ([1, 2, 3, 9, 10], 3),
        ([3, 7, 12], 12),
        (range(1, 700), 699),
        ([*range(1, 150), *range(400, 450)], 149),
    ],
    ids=[
        "one minute",
        "an outage",
        "a silent minute",
        "an earlier outage",
        "now and then",
        "half a day",
        "another one",
    ],
)
def test_the_outage_begins_with_the_first_of_its_minutes(cloudwatch, ago, first):
    """One of more than three hours is looked up in a day."""
    series = of_target("a", "blocks")
    put(cloudwatch, series, ago)
    put(cloudwatch, of_target("b", "blocks"), [30])
    assert first_minutes(cloudwatch, "prod", [series], NOW) == FirstMinutes({series: minute(first)})


def test_a_failure_that_did_not_count_at_first_began_with_its_first_minute(cloudwatch):
    """The Planner looked its addresses up, and then it counts; a rollout two hours before is not part of it."""
    put(cloudwatch, of_target("a", "uncounted"), [4, 5, 6, 120, 121])
    put(cloudwatch, of_target("a", "blocks"), [1, 2, 3])
    both = of_target("a", "blocks", "uncounted")
    assert first_minutes(cloudwatch, "prod", [both], NOW).since == {both: minute(6)}


def test_each_series_has_its_own_time_and_one_without_values_has_none(cloudwatch):
    """Also of more than one call's 500 queries."""
    targets = [of_target(f"t{number}", "blocks") for number in range(510)]
    put(cloudwatch, targets[0], range(1, 4))
    put(cloudwatch, targets[505], range(1, 9))
    subnet = of_egress("subnet-a", down=True)
    put(cloudwatch, subnet, range(1, 5))
    read = first_minutes(cloudwatch, "prod", [*targets, subnet, of_egress("subnet-a", down=False)], NOW)
    assert read == FirstMinutes({targets[0]: minute(3), targets[505]: minute(8), subnet: minute(4)})


def client(read):
    meta = SimpleNamespace(
        service_model=SimpleNamespace(service_name="cloudwatch"),
        method_to_api_mapping={"get_metric_data": "GetMetricData"},
    )
    return SimpleNamespace(meta=meta, get_metric_data=read)


def test_pages_of_one_series_are_put_together():
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html: "PartialData"."""
    pages = [[minute(1)], [minute(2), minute(3)]]

    def read(NextToken="0", **_):  # noqa: N803 (boto3's name)
        more = {"NextToken": str(int(NextToken) + 1)} if int(NextToken) + 1 < len(pages) else {}
        return {"MetricDataResults": [{"Id": "q0", "Timestamps": pages[int(NextToken)]}]} | more

    series = of_target("a", "blocks")
    assert first_minutes(client(read), "prod", [series], NOW).since == {series: minute(3)}


@pytest.mark.parametrize(
    "answer",
    [{"MetricDataResults": [{"Timestamps": [NOW]}]}, {"MetricDataResults": 3}, {"MetricDataResults": [None]}],
)
def test_an_answer_of_another_shape_is_reported(answer):
    read = first_minutes(client(lambda **_: answer), "prod", [of_target("a", "blocks")], NOW)
    assert read.since == {}
    assert read.unread.startswith("AWS's answer is not as documented")


def test_a_refusal_is_reported_with_the_action():
    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricData")

    read = first_minutes(client(refuse), "prod", [of_target("a", "blocks")], NOW)
    assert read == FirstMinutes({}, "cloudwatch:GetMetricData: AccessDenied: no")


def test_nothing_is_asked_where_nothing_fails():
    assert first_minutes(client(pytest.fail), "prod", [], NOW) == FirstMinutes({})
