"""When it is not known whether the paths work: probe trouble, and no all-clear without evidence."""

import pytest

from tests.e2e.account import client
from tests.e2e.stack import PAGE, say

pytestmark = pytest.mark.netns


def test_the_cluster_refuses_discovery(stack, cluster):
    """What was found last stays planned; after more than an hour the plan is old."""
    refused = stack.minute
    lists = ("validatingwebhookconfigurations", "services", "endpointslices")
    cluster.api.refused |= dict.fromkeys(lists, 403)
    planned = stack.plan()
    assert "DISCOVERY_FORBIDDEN" in {finding["code"] for finding in planned["findings"]}
    page = stack.until("probe impaired", within=75)
    say(f"{page.minute - refused:>5} min  after the last look at the whole cluster at the latest")
    assert stack.alarms()["plan is old"] == "ALARM"
    assert (page.tier, stack.plan()["targets"]) == (PAGE, planned["targets"])
    cluster.api.refused.clear()
    stack.until("probe impaired", "OK", within=20)


def test_the_planner_does_not_run(stack):
    """Its schedule is deleted: probing goes on, and after more than an hour the plan is old."""
    [schedule] = stack.resources("AWS::Scheduler::Schedule").values()
    groups = stack.resources("AWS::Scheduler::ScheduleGroup")
    where = {"Name": schedule.rpartition("|")[2], "GroupName": groups["PlannerScheduleGroup"]}
    scheduler = client("scheduler")
    fields = ("ScheduleExpression", "FlexibleTimeWindow", "Target", "Description")
    properties = {key: value for key, value in scheduler.get_schedule(**where).items() if key in fields}
    scheduler.delete_schedule(**where)
    deleted = stack.minute
    page = stack.until("probe impaired", within=75)
    say(f"{page.minute - deleted:>5} min  after its last run at the latest")
    assert stack.alarms()["plan is old"] == "ALARM"
    scheduler.create_schedule(**where, **properties)
    stack.until("probe impaired", "OK", within=20)


def test_the_clusters_security_groups_change(stack, account):
    """The probes stand where the control plane no longer is: unknown, and a page that does not end by itself."""
    account.describe_cluster(subnets=2, groups=[])
    stack.plan()
    stack.until("probe impaired", within=12)
    assert stack.alarms()["blind"] == "ALARM"
    account.describe_cluster(subnets=2)
    stack.plan()
    stack.until("probe impaired", "OK", within=12)


def test_a_probe_is_deleted_while_a_target_fails(stack, account, cluster):
    """Its silence pages; it is no evidence that the target recovered."""
    cluster.stop("policy")
    stack.until("targets", within=8)
    client("lambda").delete_function(FunctionName=stack.probe(account.subnets[1]))
    page = stack.until("probe impaired", within=12)
    assert (page.tier, stack.alarms()[f"silent in slot {stack.slots[account.subnets[1]]}"]) == (PAGE, "ALARM")
    cluster.start("policy")
    assert stack.minutes(20) == []
    assert stack.alarms()["path broken"] == "ALARM"
