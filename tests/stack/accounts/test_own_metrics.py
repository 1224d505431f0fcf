"""A stack in a monitoring account, and a cluster of the same name in an account that is linked to it."""

import itertools
import json
import re

import pytest

from tests.conftest import ROOT
from tests.stack.test_alarms import NAMES, World
from tests.support.aws.alarms import CloudWatch
from tests.support.aws.cloudformation import rendered

LINKED = "210987654321"
ONLY_OWN = " AND AWS.AccountId = CURRENT_ACCOUNT_ID()"
ONLY_OWN_SEARCH = " :aws.AccountId = 'LOCAL' "


class _Link:
    """Where the other account's metrics are written: the monitoring account's store."""

    def __init__(self, store):
        self._store = store

    def add(self, *args):
        self._store.add(*args, account=LINKED)

    def add_document(self, *args):
        self._store.add_document(*args, account=LINKED)


def outage_elsewhere(**parameters):
    """The pages of a cluster that is well, while one of its name in a linked account is broken."""
    here, elsewhere = World(**parameters), World()
    here.watch = CloudWatch(rendered(3, **({"TargetNotifications": "false"} | parameters)), monitoring=True)
    elsewhere.watch.store = _Link(here.watch.store)
    elsewhere.failing = {(None, NAMES[0])}
    for _ in range(15):
        elsewhere.run(1)
        here.run(1)
    return [(which, state) for _, which, state in here.pages()]


def test_an_outage_in_a_linked_account_is_no_page_of_the_cluster_of_the_same_name():
    assert outage_elsewhere(MonitoringAccount="true") == []


def test_without_the_parameter_it_is_one():
    """What the parameter is for."""
    assert ("path broken", "ALARM") in outage_elsewhere()


def test_its_own_outage_still_pages():
    one = World(MonitoringAccount="true")
    one.watch = CloudWatch(rendered(3, TargetNotifications="false", MonitoringAccount="true"), monitoring=True)
    one.failing = {(None, NAMES[0])}
    assert [(which, state) for _, which, state in one.run(10).pages()] == [("path broken", "ALARM")]


def _expressions(**parameters):
    """Every query of alarms and dashboard that names the cluster."""
    stack = rendered(2, **parameters)
    alarms = (alarm.get("Metrics", ()) for alarm in stack.of("AWS::CloudWatch::Alarm").values())
    yield from (metric["Expression"] for metric in itertools.chain(*alarms) if "Expression" in metric)
    [dashboard] = stack.of("AWS::CloudWatch::Dashboard").values()
    for widget in json.loads(dashboard["DashboardBody"])["widgets"]:
        for metric in widget["properties"].get("metrics", ()):
            if isinstance(metric[0], dict):
                yield metric[0]["expression"]


@pytest.mark.parametrize("detail", ["target", "subnet"])
def test_every_query_by_the_clusters_name_reads_this_account_only(detail):
    plain = [text for text in _expressions(MetricDetail=detail) if "ClusterName" in text]
    own = [text for text in _expressions(MetricDetail=detail, MonitoringAccount="true") if "ClusterName" in text]
    assert len(plain) == len(own) > 10
    for before, after in zip(plain, own, strict=True):
        added = ONLY_OWN if before.startswith("SELECT") else ONLY_OWN_SEARCH
        assert after.count(added) == 1
        assert after.replace(added, "") == before
        assert "AccountId" not in before


def test_what_the_commands_and_the_planner_read_is_of_their_own_account():
    """They read single metrics, whose default is the own account; a query over all accounts would need a condition."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        if path.parent.name != "fleet_dashboard":
            assert not re.search(
                r"FROM SCHEMA\(|SEARCH\('|IncludeLinkedAccounts|includeLinkedAccounts", path.read_text()
            ), path
