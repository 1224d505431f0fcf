"""The fleet dashboard: every cluster a row, within what AWS documents, and no row that reads another cluster."""

import json
import re

import pytest
from samtranslator.yaml_helper import yaml_parse

from egressprobe.stack.fleet.file import ClustersFile, ListedCluster
from egressprobe.stack.fleet_dashboard import console
from egressprobe.stack.fleet_dashboard.console import AccessPortal, dashboard_url
from egressprobe.stack.fleet_dashboard.pages import FleetPages, fleet_dashboards
from tests.conftest import ROOT
from tests.stack.test_alarms import NAMES, World
from tests.support.aws import dashboards
from tests.support.aws.alarms import computed

OWN, FIRST, SECOND = "999988887777", "111122223333", "444455556666"
NAME = "fleet-egressprobe"
REGIONS = ("eu-west-1", "us-east-1", "ap-southeast-2")


def file_of(*clusters, **more):
    return ClustersFile(name="clusters.yaml", clusters=clusters, **more)


def made(file, **more):
    """The documents by name, each checked. Without subnets in the file, the searches find `subnets` series."""
    options = FleetPages(NAME, OWN, "eu-west-1", **more)
    found = fleet_dashboards(file, options)
    return {name: dashboards.check(body, options.subnets) for name, body in found.items()}


def rows(documents):
    """The three widgets of each row: text, numbers of the probes, numbers of the Planner."""
    widgets = [widget for document in documents.values() for widget in document["widgets"]]
    return [
        widgets[i - 1 : i + 2]
        for i, widget in enumerate(widgets)
        if widget["properties"].get("view") == "singleValue" and widget["x"] == 5
    ]


def fleet(many, accounts=200, regions=REGIONS):
    return file_of(
        *(ListedCluster(f"cluster-{i}", f"{i % accounts:012}", regions[i % len(regions)]) for i in range(many))
    )


@pytest.mark.parametrize(
    ("many", "subnets", "dashes"), [(1, 16, 1), (100, 3, 1), (100, 16, 3), (1000, 3, 10), (1000, 16, 22)]
)
def test_every_cluster_has_one_row_on_pages_within_the_quotas(many, subnets, dashes):
    file = fleet(many)
    documents = made(file, subnets=subnets)
    assert list(documents) == [NAME, *(f"{NAME}-{number}" for number in range(2, dashes + 1))]
    titles = [numbers["properties"]["title"] for _, numbers, _ in rows(documents)]
    assert titles == [f"{one.name} {one.account} {one.region}" for one in file.clusters]


def test_overviews_of_every_region_of_a_partition_fit():
    regions = tuple(f"xx-region-{number}" for number in range(40))
    documents = made(fleet(120, regions=regions))
    titles = re.findall(r"## (xx-region-\d+), worst first", json.dumps(documents))
    assert sorted(titles) == sorted(regions)
    assert len(rows(documents)) == 120


def test_a_clusters_own_list_of_subnets_counts():
    listed = [f"subnet-0{i}/eu-west-1a" for i in range(3)]
    few = file_of(*(ListedCluster(f"c{i}", FIRST, REGIONS[0], subnets=tuple(listed)) for i in range(90)))
    found = fleet_dashboards(few, FleetPages(NAME, OWN, REGIONS[0]))
    assert len(found) == 1
    assert all(dashboards.check(body, 3) for body in found.values())


def test_a_long_name_and_a_large_body():
    name = "n" * 100
    documents = made(
        file_of(*(ListedCluster(f"{name[:-4]}{i:04}", FIRST, "ap-southeast-2") for i in range(200))), subnets=3
    )
    assert max(len(json.dumps(one)) for one in documents.values()) < 1_000_000


def test_the_pages_link_to_each_other():
    documents = made(fleet(100))
    for number, document in enumerate(documents.values(), 1):
        head = document["widgets"][0]["properties"]["markdown"]
        assert f"page {number} of 3" in head
        linked = re.findall(r"\[(\d+)\]\((\S+)\)", head)
        wanted = [(str(n), dashboard_url(name, "eu-west-1")) for n, name in enumerate(documents, 1) if n != number]
        assert linked == wanted


def _accounts(widgets):
    """Every account that a row's queries name, or that they read without a condition: None."""
    for widget in widgets[1:]:
        for metric in widget["properties"]["metrics"]:
            if len(metric) > 1:
                yield metric[-1].get("accountId", "own")
            elif metric[0]["expression"].startswith("SELECT"):
                found = re.search(r"AWS\.AccountId = '?([0-9]+|CURRENT_ACCOUNT_ID\(\))", metric[0]["expression"])
                yield found and found[1].replace("CURRENT_ACCOUNT_ID()", "own")
            elif metric[0]["expression"].startswith("SEARCH"):
                found = re.search(r":aws\.AccountId = '?([0-9]+|LOCAL)", metric[0]["expression"])
                yield found and found[1].replace("LOCAL", "own")


def test_clusters_of_one_name_in_two_accounts_and_two_regions_are_rows_of_their_own():
    places = [(FIRST, "eu-west-1"), (SECOND, "eu-west-1"), (FIRST, "us-east-1"), (OWN, "eu-west-1")]
    found = rows(made(file_of(*(ListedCluster("prod", *place) for place in places))))
    assert len(found) == len(places)
    for (account, region), widgets in zip(places, found, strict=True):
        assert set(_accounts(widgets)) == {"own" if account == OWN else account}
        assert {widget["properties"]["region"] for widget in widgets[1:]} == {region}
        assert account in widgets[0]["properties"]["markdown"]


def test_in_an_account_that_is_no_monitoring_account_no_query_has_an_account():
    """AWS documents the conditions for monitoring accounts only."""
    file = file_of(ListedCluster("prod", OWN, "eu-west-1"), ListedCluster("stage", OWN, "eu-west-1"))
    assert "AccountId" not in json.dumps(made(file))
    assert "CURRENT_ACCOUNT_ID()" in json.dumps(made(file, monitoring=True))
    assert "GROUP BY AWS.AccountId, ClusterName" in json.dumps(made(file, monitoring=True))


def test_a_row_links_to_the_clusters_dashboard():
    """Whose name has no prefix of one's own."""
    file = file_of(
        ListedCluster("prod", FIRST, "eu-west-1"),
        ListedCluster("dark", FIRST, "eu-west-1", parameters={"CreateDashboard": False}),
        parameters={"MetricDetail": "subnet", "NamePrefix": "corp"},
    )
    [[prod, *_], [dark, *_]] = rows(made(file))
    url = "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/egressprobe-prod"
    assert prod["properties"]["markdown"] == f"[**prod**]({url})\n\n{FIRST} eu-west-1"
    assert dark["properties"]["markdown"] == f"**dark**\n\n{FIRST} eu-west-1"
    portal = AccessPortal("https://example.awsapps.com/start/", "Read Only")
    [[prod, *_], _] = rows(made(file, portal=portal))
    link = re.search(r"\]\((\S+)\)", prod["properties"]["markdown"])[1]
    start = f"https://example.awsapps.com/start/#/console?account_id={FIRST}&role_name=Read%20Only&destination="
    assert (
        link
        == f"{start}{url.replace(':', '%3A').replace('/', '%2F').replace('?', '%3F').replace('=', '%3D').replace('#', '%23')}"
    )


def test_the_consoles_are_those_of_the_template():
    mapping = yaml_parse((ROOT / "template.yaml").read_text())["Mappings"]["Console"]
    hosts = {partition: one["Host"] for partition, one in mapping.items()}
    assert hosts == console._HOSTS
    assert dashboard_url("x", "cn-north-1").startswith("https://console.amazonaws.cn/")
    assert dashboard_url("x", "mars-north-1").startswith("https://console.aws.amazon.com/")


def _expressions(scope_file):
    [[_, numbers, _]] = rows(made(scope_file))
    return {metric[0]["id"]: metric[0]["expression"] for metric in numbers["properties"]["metrics"] if len(metric) == 1}


EXPRESSIONS = _expressions(file_of(ListedCluster("prod", OWN, "eu-west-1")))
WITH_LIST = _expressions(file_of(ListedCluster("prod", OWN, "eu-west-1", subnets=("subnet-0a/x", "subnet-0b/x"))))


@pytest.mark.parametrize(
    ("most", "measured", "shown"),
    [
        (0, 100.0, 0),
        (0, 99.9, None),  # something was not measured: a 0 would be no evidence
        (0, 120.0, None),  # a run that counted twice
        (0, None, None),
        (None, 100.0, None),  # unsettled, see docs/metrics.md
        (None, None, None),
        (2, 40.0, 2),
        (2, 100.0, 2),
    ],
)
def test_no_failure_is_shown_only_where_everything_was_measured(most, measured, shown):
    assert computed(EXPRESSIONS["blocking"], {"most": most, "measured": measured}) == shown


def _found(one, metric, statistic):
    """By subnet, the value of each of the last whole periods of five minutes; None: no data."""
    series = one.watch.store.series("EgressProbe", metric)
    last = one.now // 300
    windows = [range((last - back) * 5, (last - back + 1) * 5) for back in (2, 1)]
    found = []
    for minutes in series.values():
        values = [[value for minute in window for value in minutes.get(minute, ())] for window in windows]
        found.append([statistic(some) if some else None for some in values][-1])
    return found


def _measured(one, expressions=EXPRESSIONS):
    shares = _found(one, "MeasuredShare", sum)
    known = [value for value in shares if value is not None]
    if not known:
        return None
    functions = {"SUM": lambda _: sum(known), "METRIC_COUNT": len}
    return eval(expressions["measured"], {"__builtins__": {}}, functions | {"shares": shares})  # noqa: S307


@pytest.mark.parametrize(
    ("dead", "blind", "shards", "share"),
    [(0, (), 1, 100.0), (1, (), 1, 200 / 3), (3, (), 1, None), (0, NAMES[:1], 1, 75.0), (0, (), 2, 100.0)],
)
def test_the_share_that_was_measured_is_of_all_subnets_shards_and_targets(dead, blind, shards, share):
    """On what the probes really publish. A subnet that was seen before and is silent is not measured."""
    one = World()
    if shards == 2:
        one.shards = ((0.25, slice(0, 1)), (0.75, slice(1, None)))
    one.run(5)
    one.dead = set(one.subnets[:dead])
    one.blind = {(subnet, name) for subnet in one.subnets for name in blind}
    one.run(17)  # the last whole period ended two minutes ago
    found = _measured(one)
    assert (found is None) is (share is None)
    assert found == pytest.approx(share) if share else True


def test_a_removed_subnet_counts_where_the_file_does_not_list_those_that_are_left():
    one = World(2)
    one.subnets = (*one.subnets, "subnet-gone/eu-west-1c")
    one.run(5)
    one.dead = {"subnet-gone/eu-west-1c"}
    one.run(17)
    assert _measured(one) == pytest.approx(200 / 3)
    assert _measured(one, WITH_LIST) == 100.0


def test_the_failures_of_the_worst_subnet_are_shown():
    one = World()
    one.failing = {(one.subnets[1], NAMES[0]), (one.subnets[1], NAMES[1])}
    one.run(17)
    assert max(_found(one, "BlockingFailures", max)) == 2
