"""Deployments over a stack that runs, and its end."""

import pytest

from tests.e2e.account import client
from tests.e2e.emulation import control
from tests.e2e.stack import NAME

pytestmark = pytest.mark.netns


def test_subnets_leave_and_join(stack, account):
    """The deleted probe's slot is given up; two subnets get probes; the one that stays is not touched."""
    functions = client("lambda")
    kept, slot = stack.probe(account.subnets[0]), stack.slots[account.subnets[0]]
    before = functions.get_function(FunctionName=kept)["Configuration"]["LastModified"]
    account.describe_cluster(subnets=1)
    stack.deploy()
    assert stack.slots == {account.subnets[0]: slot}
    account.describe_cluster(subnets=3)
    stack.deploy()
    assert stack.slots.keys() == set(account.subnets)
    assert stack.probe(account.subnets[0]) == kept
    assert functions.get_function(FunctionName=kept)["Configuration"]["LastModified"] == before
    stack.minutes(25)
    measured = {
        dimensions["SubnetId"]
        for dimensions, minutes in control("/series?EgressProbe/MeasuredShare")
        if max(map(int, minutes)) >= stack.began + stack.minute - 2
    }
    assert measured == set(account.subnets)
    assert {state for name, state in stack.alarms().items() if name.startswith("silent")} == {"OK"}


def test_nothing_is_left(stack):
    """Of the stack; the bucket of artifacts stays, as documented."""
    stack.destroy()
    assert control("/states") == {}
    left = {
        "functions": client("lambda").list_functions()["Functions"],
        "logs": client("logs").describe_log_groups()["logGroups"],
        "schedules": client("scheduler").list_schedules()["Schedules"],
        "groups": [
            group
            for group in client("scheduler").list_schedule_groups()["ScheduleGroups"]
            if group["Name"] != "default"
        ],
        "roles": [role for role in client("iam").list_roles()["Roles"] if NAME in role["RoleName"]],
        "dashboards": client("cloudwatch").list_dashboards()["DashboardEntries"],
        "alarms": client("cloudwatch").describe_alarms()["MetricAlarms"],
        "topics": [
            topic for topic in client("sns").list_topics()["Topics"] if not topic["TopicArn"].endswith(":notices")
        ],
        "access": [
            entry for entry in client("eks").list_access_entries(clusterName="prod")["accessEntries"] if NAME in entry
        ],
    }
    assert not any(left.values()), left
