"""What is read of the stack's alarms: botocore's client with its answers stubbed, as documented and otherwise."""

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from egressprobe.aws.incidents.alarms import read_alarms
from egressprobe.incidents.alarms import AlarmKind, Contributor

PREFIX = "egressprobe prod "
AT = datetime(2026, 11, 26, 2, 14, tzinfo=UTC)
NO_RULES = {"AlarmMuteRuleSummaries": []}


@pytest.fixture
def cloudwatch():
    client = boto3.client("cloudwatch", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub


def metric(name, state="OK", **more):
    return {"AlarmName": PREFIX + name, "StateValue": state, "StateTransitionedTimestamp": AT} | more


def describes(stub, metrics=(), composites=(), token=None):
    answer = {"MetricAlarms": list(metrics), "CompositeAlarms": list(composites)}
    asked = {"AlarmNamePrefix": PREFIX, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    stub.add_response("describe_alarms", answer | ({"NextToken": token} if token else {}), asked)


def contributes(stub, name, *attributes, token=None, asked=None):
    series = [
        {"ContributorId": str(i), "ContributorAttributes": one, "StateReason": "", "StateTransitionedTimestamp": AT}
        for i, one in enumerate(attributes)
    ]
    more = {"NextToken": token} if token else {}
    stub.add_response(
        "describe_alarm_contributors",
        {"AlarmContributors": series} | more,
        {"AlarmName": PREFIX + name} | ({"NextToken": asked} if asked else {}),
    )


def test_where_nothing_is_on_one_call_is_made(cloudwatch):
    """Alarms that the stack does not have are OK; those that incidents are not about are left out."""
    client, stub = cloudwatch
    describes(
        stub, [metric("targets"), metric("silent in slot 0", "ALARM")], [metric("path broken", "INSUFFICIENT_DATA")]
    )
    facts = read_alarms(client, PREFIX)
    stub.assert_no_pending_responses()
    assert {alarm.kind: alarm.state for alarm in facts.alarms} == dict.fromkeys(AlarmKind, "OK") | {
        AlarmKind.PATH_BROKEN: "INSUFFICIENT_DATA"
    }
    assert facts.unknown == ()
    assert all(alarm.known for alarm in facts.alarms)


def test_contributors_come_with_their_attributes_page_by_page(cloudwatch):
    """By the names that the queries of template.yaml group by; of the composite alarm only the state is read."""
    client, stub = cloudwatch
    describes(stub, [metric("targets", "ALARM"), metric("egress path down", "ALARM")], [metric("path broken", "ALARM")])
    contributes(stub, "targets", {"Target": "a", "Code": "connect_timeout", "Impact": "blocks"}, token="2")
    contributes(stub, "targets", {"Target": "b", "SubnetId": "subnet-1"}, asked="2")
    stub.add_response("list_alarm_mute_rules", NO_RULES)
    contributes(stub, "egress path down", {"SubnetId": "subnet-2"})
    stub.add_response("list_alarm_mute_rules", NO_RULES)
    stub.add_response("list_alarm_mute_rules", NO_RULES)
    facts = read_alarms(client, PREFIX)
    stub.assert_no_pending_responses()
    since = "2026-11-26T02:14:00Z"
    assert facts.of(AlarmKind.TARGETS).contributors == (
        Contributor("a", "connect_timeout", "blocks", "", since),
        Contributor("b", "", "", "subnet-1", since),
    )
    assert facts.of(AlarmKind.EGRESS_DOWN).contributors == (Contributor(subnet_id="subnet-2", since=since),)
    assert (facts.of(AlarmKind.PATH_BROKEN).on, facts.of(AlarmKind.PATH_BROKEN).since) == (True, since)


RULE = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm-mute-rule:night work"


@pytest.mark.parametrize(
    ("schedule", "expires", "said"),
    [
        ({"Expression": "at(2026-11-26T01:00)", "Duration": "PT4H"}, None, " until 2026-11-26T05:00:00Z"),
        ({"Expression": "at(2026-11-26T01:00)", "Duration": "P1DT30M", "Timezone": "Europe/Berlin"}, None, " until 2026-11-27T00:30:00Z"),
        ({"Expression": "at(2026-11-26T01:00)", "Duration": "PT4H"}, AT, " until 2026-11-26T02:14:00Z"),
        ({"Expression": "at(2026-11-26T01:00)", "Duration": "PT4H", "Timezone": "Mars/Olympus"}, None, ""),
        ({"Expression": "cron(0 2 * * *)", "Duration": "PT4H"}, None, ""),
        ({"Expression": "cron(0 2 * * *)", "Duration": "PT4H"}, AT, " until 2026-11-26T02:14:00Z"),
    ],
)  # fmt: skip
def test_a_rule_that_is_active_mutes_with_its_end_where_that_is_known(cloudwatch, schedule, expires, said):
    """CloudWatch evaluates the expression: its status decides."""
    client, stub = cloudwatch
    describes(stub, [], [metric("path broken", "ALARM")])
    asked = {"AlarmName": PREFIX + "path broken", "Statuses": ["ACTIVE"]}
    stub.add_response(
        "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": RULE, "Status": "ACTIVE"}]}, asked
    )
    rule = {"Rule": {"Schedule": schedule}} | ({"ExpireDate": expires} if expires else {})
    stub.add_response("get_alarm_mute_rule", rule, {"AlarmMuteRuleName": "night work"})
    assert read_alarms(client, PREFIX).of(AlarmKind.PATH_BROKEN).muted == f"mute rule night work{said}"


def test_a_rule_of_which_only_the_name_can_be_read_mutes(cloudwatch):
    client, stub = cloudwatch
    describes(stub, [], [metric("path broken", "ALARM")])
    stub.add_response(
        "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": RULE, "Status": "ACTIVE"}]}
    )
    stub.add_client_error("get_alarm_mute_rule", "AccessDenied", "no")
    assert read_alarms(client, PREFIX).of(AlarmKind.PATH_BROKEN).muted == "mute rule night work"


def test_rules_that_cannot_be_listed_mute_nothing(cloudwatch):
    """A message too many is better than none."""
    client, stub = cloudwatch
    describes(stub, [], [metric("path broken", "ALARM")])
    stub.add_client_error("list_alarm_mute_rules", "AccessDenied", "no")
    alarm = read_alarms(client, PREFIX).of(AlarmKind.PATH_BROKEN)
    assert (alarm.muted, alarm.known) == ("", True)


def test_contributors_that_cannot_be_read_are_unknown_and_the_alarm_is_on(cloudwatch):
    client, stub = cloudwatch
    describes(stub, [metric("targets", "ALARM"), metric("notices", "ALARM")])
    stub.add_client_error("describe_alarm_contributors", "AccessDenied", "not allowed")
    stub.add_response("list_alarm_mute_rules", NO_RULES)
    contributes(stub, "notices", {"Target": "n"})
    stub.add_response("list_alarm_mute_rules", NO_RULES)
    facts = read_alarms(client, PREFIX)
    alarm = facts.of(AlarmKind.TARGETS)
    assert (alarm.on, alarm.known, alarm.contributors) == (True, False, ())
    assert alarm.unread == "cloudwatch:DescribeAlarmContributors: AccessDenied: not allowed"
    assert facts.of(AlarmKind.NOTICES).known
    assert facts.unknown == (f"the alarm `targets` could not be read: {alarm.unread}",)


def test_alarms_that_cannot_be_described_are_all_unknown(cloudwatch):
    client, stub = cloudwatch
    stub.add_client_error("describe_alarms", "Throttling", "slow down")
    facts = read_alarms(client, PREFIX)
    assert facts.unread == "cloudwatch:DescribeAlarms: Throttling: slow down"
    assert not any(facts.of(kind).known for kind in AlarmKind)


class Odd:
    """A client whose answers are of other shapes."""

    def __init__(self, alarms, contributors=None, rules=None):
        from types import SimpleNamespace as Of

        self.meta = Of(service_model=Of(service_name="cloudwatch"), method_to_api_mapping={})
        self.get_paginator = lambda _: Of(paginate=lambda **_: alarms)
        self.describe_alarm_contributors = lambda **_: contributors
        self.list_alarm_mute_rules = lambda **_: rules
        self.can_paginate = lambda _: False


@pytest.mark.parametrize(
    "alarms", [[{"MetricAlarms": [{"AlarmName": "x"}]}], [{"MetricAlarms": [None]}], [{"MetricAlarms": 3}], 3]
)
def test_an_answer_of_another_shape_is_unknown(alarms):
    assert "not as documented" in read_alarms(Odd(alarms), PREFIX).unread


@pytest.mark.parametrize(
    "contributors",
    [
        {},
        {"AlarmContributors": [{}]},
        {"AlarmContributors": None},
        {"AlarmContributors": [{"ContributorAttributes": 3}]},
    ],
)
def test_contributors_of_another_shape_are_unknown(contributors):
    facts = read_alarms(
        Odd([{"MetricAlarms": [metric("targets", "ALARM")]}], contributors, {"AlarmMuteRuleSummaries": [{}]}), PREFIX
    )
    assert facts.of(AlarmKind.TARGETS).unread
    assert facts.of(AlarmKind.TARGETS).on


def test_a_state_that_is_none_of_the_three_is_unknown():
    facts = read_alarms(Odd([{"MetricAlarms": [metric("targets", "PANIC")]}]), PREFIX)
    assert facts.of(AlarmKind.TARGETS).unread == "its state is 'PANIC'"


@pytest.mark.parametrize("pages", [[], [{}], [{"MetricAlarms": []}]])
def test_a_stack_without_any_alarm_is_unknown_not_well(pages):
    """Every stack has some: a list without them is no evidence."""
    facts = read_alarms(Odd(pages), PREFIX)
    assert facts.unread == "CloudWatch lists no alarm whose name begins with 'egressprobe prod '"
