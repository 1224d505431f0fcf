"""The simulation of many clusters: its arithmetic, its data, and that docs/scale.md shows what the code does today."""

import copy
from fractions import Fraction

import boto3
import botocore.session
import pytest
from bench.scale import counting, report
from bench.scale.bucket import Call, accepted, carried_out
from bench.scale.fleet import REFERENCE, by_place, fleet
from bench.scale.quotas import increase, read_quotas
from bench.scale.rates import ATTEMPTS, PATTERNS, Demand, executions, largest, outcomes
from bench.scale.results import recorded_results
from bench.scale.usage import Stack, busiest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from egressprobe.aws import vpc_snapshot
from egressprobe.planner import settings
from egressprobe.planner.incidents.settings import incident_clients
from egressprobe.stack.fleet.plan import WantedStack, plan_fleet
from egressprobe.stack.fleet.show import query_alarms, quota_warnings
from egressprobe.stack.template import expanded
from tests.conftest import ROOT

COUNTS = counting.recorded()
QUOTAS = {quota.id: quota for quota in read_quotas().quotas}


@given(
    st.lists(st.integers(0, 80), max_size=40).map(sorted), st.integers(1, 5), st.integers(1, 8), st.sampled_from([4, 8])
)
def test_a_bucket_accepts_what_one_that_is_filled_step_by_step_accepts(steps, rate, burst, per_second):
    """By brute force: in each step of a fraction of a second the bucket gets its part, in exact numbers."""
    tokens, now, expected = Fraction(burst), 0, []
    for step in steps:
        while now < step:
            now, tokens = now + 1, min(Fraction(burst), tokens + Fraction(rate, per_second))
        expected.append(tokens >= 1)
        tokens -= expected[-1]
    assert accepted([step / per_second for step in steps], rate, burst) == expected


def test_a_call_is_tried_again_and_lost_when_all_attempts_are_refused():
    assert carried_out([Call(0.0, 1)] * 5, 2, 2) == (5, 3, 3, 5)
    patient = carried_out([Call(0.0, 8)] * 5, 2, 2)
    assert (patient.calls, patient.lost) == (5, 0)
    assert patient.refused >= 3
    late = carried_out([Call(float(second), 1) for second in range(5)], 1, 1)
    assert (late.lost, late.peak) == (0, 1)


def test_the_same_seed_gives_the_same_fleet_and_the_same_calls():
    assert fleet(50, "platform", 3) == fleet(50, "platform", 3) != fleet(50, "platform", 4)
    place = [REFERENCE] * 40
    once = [outcomes(QUOTAS["resolver"], place, COUNTS, "outage", seed) for seed in (1, 1, 2)]
    assert once[0] == once[1] != once[2]


def test_fleets_have_all_their_clusters_where_they_say():
    even = fleet(1000, "even")
    assert {len([one for one in even if one.account == account]) for account in range(200)} == {5}
    uneven = by_place(fleet(1000, "platform"))
    assert sum(map(len, uneven.values())) == 1000
    assert len(uneven[0, 0]) == 150


@pytest.mark.parametrize(
    ("quota", "more"), [("metricsInsightsAlarms", "Metrics Insights alarm"), ("roles", "AWS::IAM::Role")]
)
def test_a_resource_more_leaves_room_for_fewer_clusters(quota, more):
    counts = copy.deepcopy(COUNTS)
    counts["stack"]["shared"][more] += 1
    before, after = (busiest(QUOTAS[quota], [REFERENCE] * 30, Stack(given)).used for given in (COUNTS, counts))
    assert after == before + 30


def test_a_call_more_leaves_room_for_fewer_clusters():
    counts = copy.deepcopy(COUNTS)
    counts["plan"]["run"]["cloudtrail:LookupEvents"] += 2
    rooms = [report.clusters_that_fit(QUOTAS["trail"], given, "together", 0) for given in (COUNTS, counts)]
    assert rooms[1] < rooms[0]


def test_an_outage_is_more_executions_than_a_healthy_minute_and_fewer_than_all_at_once():
    most = {pattern: executions([REFERENCE] * 60, COUNTS, pattern) for pattern in PATTERNS}
    assert most["spread"] < most["outage"] < most["together"] == 60 * 3


def test_the_largest_number_is_found():
    assert [largest(lambda number, limit=limit: number <= limit, 100) for limit in (0, 7, 100, 500)] == [0, 7, 100, 100]


def test_each_quota_has_its_page_and_the_commands_are_of_the_api():
    shape = botocore.session.get_session().get_service_model("service-quotas")
    shape = shape.operation_model("RequestServiceQuotaIncrease").input_shape
    commands = 0
    for quota in read_quotas().quotas:
        assert quota.source.startswith("https://docs.aws.amazon.com/"), quota.id
        assert (quota.quota_code is None) == (quota.service_code is None)
        command = increase(quota, 2 * quota.value).split()
        if command:
            commands += 1
            service, code, wanted = command[4::2]
            parameters = {"ServiceCode": service, "QuotaCode": code, "DesiredValue": float(wanted)}
            assert not ParamValidator().validate(parameters, shape).has_errors()
    assert commands > 10
    assert not increase(QUOTAS["metricsInsightsAlarms"], 400), "AWS's page: not adjustable"


def test_every_call_has_a_rate_or_is_listed_as_not_documented():
    actions = {*Demand(COUNTS).plan(REFERENCE), *(action for _, action, _ in Demand(COUNTS).outage(REFERENCE))}
    known = {one.action for one in read_quotas().not_documented}
    free = {action for action in actions if not any(quota.bucket_of(action) for quota in read_quotas().rates())}
    others = {
        "eks:ListIdentityProviderConfigs",
        "scheduler:DeleteSchedule",
        "cloudwatch:GetAlarmMuteRule",
        "lambda:InvokeFunction",
    }
    assert free - others <= known


def test_calls_are_repeated_as_often_as_the_products_clients_repeat_them(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    planner = settings.clients.__wrapped__()
    audit = vpc_snapshot.readers(patient=False)
    incidents = incident_clients.__wrapped__()
    made = [
        (planner.scheduler, "scheduler"),
        (planner.eks, "eks"),
        (incidents.cloudwatch, "cloudwatch"),
        (audit.ec2, "ec2"),
        (audit.elb, "elasticloadbalancing"),
    ]
    for client, prefix in made:
        assert client.meta.config.retries["total_max_attempts"] == ATTEMPTS.get(prefix, 3), prefix


def test_the_recorded_resources_are_those_of_the_template():
    assert counting.stack_counts() == COUNTS["stack"], 'make scale ARGS="--count --record", then make docs'


def test_the_recorded_figures_are_those_of_the_recorded_counts():
    recorded = recorded_results()
    assert recorded["ask"] == report.ask(fleet(1000, "platform"), COUNTS)
    assert recorded["deploy"] == report.deploy(COUNTS)
    assert recorded["counts"] == [
        report.count_of(quota, {one.title: fleet(one.clusters, one.spread) for one in report.SCENARIOS}, COUNTS)
        for quota in read_quotas().counts()
    ]
    place = max(by_place(fleet(1000, "platform")).values(), key=len)
    trail = next(one for one in recorded["rates"] if one["id"] == "trail")
    lost = outcomes(QUOTAS["trail"], place, COUNTS, "outage")["trail"]
    assert trail["lost"]["outage"] == round(lost.lost / lost.calls, 4)


def test_the_page_says_what_was_recorded():
    page, recorded = (ROOT / "docs" / "scale.md").read_text(), recorded_results()
    room = next(one["fit"] for one in recorded["counts"] if one["id"] == "metricsInsightsAlarms")
    assert f"has room for {room} clusters" in page
    assert f"the {recorded['deploy']['alarms']} metric alarms" in page
    assert f"takes {recorded['deploy']['seconds']} seconds" in page
    lossy = {one["id"] for one in recorded["rates"] if one["fit"]["outage"] < room}
    assert lossy == {"trail"}, "Of the 22 clusters ..."
    assert recorded["quotasAsOf"] in page
    assert all(f"`{action}`" in page for action in recorded["notDocumented"])
    assert max(map(len, report.as_table(recorded).splitlines())) <= 80


def test_a_fleet_with_more_alarms_than_the_quota_is_warned_of():
    """As many stacks as the simulation says fit are silent; with one more the line names place and numbers."""
    template = expanded()
    assert query_alarms(template) == Stack(COUNTS).resources("Metrics Insights alarm", REFERENCE)
    room = QUOTAS["metricsInsightsAlarms"].value // query_alarms(template)
    names = [f"c{number}" for number in range(room + 1)]
    wanted = [WantedStack(name, "1" * 12, "eu-west-1", {"ClusterName": name}) for name in names]
    elsewhere = WantedStack("other", "2" * 12, "eu-west-1", {"ClusterName": "other"})
    fits = plan_fleet([*wanted[:room], elsewhere], [], sets=(), changed_sets=())
    assert quota_warnings(fits, template) == []
    [line] = quota_warnings(plan_fleet([*wanted, elsewhere], [], sets=(), changed_sets=()), template)
    assert line.startswith(
        f"111111111111, eu-west-1: {room + 1} stacks have {(room + 1) * query_alarms(template)} alarms"
    )
    assert f"allows 200: {room} stacks" in line


@pytest.mark.thorough
def test_everything_is_as_recorded():
    """The Planner's calls, an outage's and the whole simulation."""
    assert counting.everything() == COUNTS
    assert report.simulated(COUNTS) == recorded_results()
