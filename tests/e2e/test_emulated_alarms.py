"""What the Planner reads of CloudWatch and CloudTrail, as the emulation answers it: of one target that fails."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.account import client
from tests.e2e.emulation import control

pytestmark = pytest.mark.netns
TARGETS = "egressprobe prod targets"


def _now():
    return datetime.fromtimestamp(control("/now"), UTC)


def test_alarms_are_events_and_their_series_are_listed(stack, cluster):
    """On the bus as CloudWatch sends them; contributors, the failing minutes and mute rules as its API has them."""
    watch, events, queues = (client(name) for name in ("cloudwatch", "events", "sqs"))
    url = queues.create_queue(QueueName="alarms")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name="alarms", EventPattern=json.dumps({"source": ["aws.cloudwatch"], "detail": {"alarmName": [TARGETS]}})
    )
    events.put_targets(Rule="alarms", Targets=[{"Id": "queue", "Arn": arn}])
    window = {"Expression": f"at({_now() - timedelta(minutes=1):%Y-%m-%dT%H:%M})", "Duration": "PT10M"}
    watch.put_alarm_mute_rule(Name="now", Rule={"Schedule": window}, MuteTargets={"AlarmNames": [TARGETS]})
    [muted] = watch.list_alarm_mute_rules(AlarmName=TARGETS, Statuses=["ACTIVE"])["AlarmMuteRuleSummaries"]
    assert watch.list_alarm_mute_rules(AlarmName="other")["AlarmMuteRuleSummaries"] == []
    name = muted["AlarmMuteRuleArn"].rpartition(":")[2]
    assert watch.get_alarm_mute_rule(AlarmMuteRuleName=name)["Status"] == "ACTIVE"

    cluster.stop("policy")
    assert stack.minutes(7) == [], "its actions are muted"
    cluster.start("policy")
    [contributor] = watch.describe_alarm_contributors(AlarmName=TARGETS)["AlarmContributors"]
    attributes = {"Target": "policy.example:8443", "Code": "connect_refused", "Impact": "blocks"}
    assert contributor["ContributorAttributes"] == attributes
    assert timedelta(0) <= _now() - contributor["StateTransitionedTimestamp"] < timedelta(minutes=8)
    dimensions = {"ClusterName": "prod", "Impact": "blocks", "Target": "policy.example:8443"}
    metric = {"Namespace": "EgressProbe", "MetricName": "ProbeSuccess"}
    metric |= {"Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()]}
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "SampleCount"}}
    answer = watch.get_metric_data(MetricDataQueries=[query], StartTime=_now() - timedelta(hours=1), EndTime=_now())
    [result] = answer["MetricDataResults"]
    assert 5 <= len(result["Timestamps"]) <= 7
    assert set(result["Values"]) == {2.0}, "of two subnets"
    with_impact = [{"Name": "ClusterName", "Value": "prod"}, {"Name": "Impact"}]
    listed = watch.list_metrics(Namespace="EgressProbe", MetricName="ProbeSuccess", Dimensions=with_impact)["Metrics"]
    assert sorted(pair["Value"] for pair in metric["Dimensions"]) in [
        sorted(pair["Value"] for pair in one["Dimensions"]) for one in listed
    ]
    stack.settle()
    received = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    seen = [json.loads(message["Body"]) for message in received]
    kinds = [(event["detail-type"].split()[2], event["detail"]["state"]["value"]) for event in seen]
    assert sorted(kinds) == [("Contributor", "ALARM"), ("Contributor", "OK"), ("State", "ALARM"), ("State", "OK")]
    assert seen[0]["detail"]["alarmContributor"]["attributes"] == attributes
    watch.delete_alarm_mute_rule(AlarmMuteRuleName="now")
    events.remove_targets(Rule="alarms", Ids=["queue"])
    events.delete_rule(Name="alarms")


def test_calls_that_change_the_network_are_listed_late_with_their_caller(account):
    """By the resource they name too; reads are not."""
    role = account.role("deployer")
    made = role("ec2").create_network_acl(VpcId=account.vpc)["NetworkAcl"]["NetworkAclId"]
    role("ec2").create_network_acl_entry(
        NetworkAclId=made, RuleNumber=1, Protocol="-1", RuleAction="deny", Egress=True, CidrBlock="192.0.2.0/24"
    )
    role("ec2").delete_network_acl(NetworkAclId=made)
    trail, of_acl = client("cloudtrail"), [{"AttributeKey": "ResourceName", "AttributeValue": made}]
    control("/trail", 300)
    assert trail.lookup_events(LookupAttributes=of_acl)["Events"] == []
    control("/pass", 301)
    found = trail.lookup_events(LookupAttributes=of_acl, StartTime=_now() - timedelta(hours=1))["Events"]
    assert [event["EventName"] for event in found] == ["DeleteNetworkAcl", "CreateNetworkAclEntry"]
    record = json.loads(found[1]["CloudTrailEvent"])
    assert record["requestParameters"]["networkAclId"] == made
    assert record["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "deployer"
    writes = [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}]
    names = {event["EventName"] for event in trail.lookup_events(LookupAttributes=writes)["Events"]}
    assert {"CreateNetworkAcl", "DeleteNetworkAcl"} <= names
    assert not any(name.startswith("Describe") for name in names)
    control("/trail", 0)
