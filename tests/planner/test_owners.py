"""Owners and severities between discovery, the schedules and the joined report: no Probe sees them, none is lost."""

import asyncio
import json
from datetime import UTC, datetime

import msgspec
import pytest

from egressprobe.discovery.kubelets import networks_of
from egressprobe.discovery.run import collect
from egressprobe.handlers.planner import handler
from egressprobe.model.joined_report import Joined
from egressprobe.model.ownership import TargetOwner
from egressprobe.planner.inventory import read_inventory, with_discovered
from egressprobe.planner.lookup.failing import FailingTarget, looked_up
from egressprobe.planner.lookup.owners import OWNERS, owners_input, parse_owners
from egressprobe.planner.shards import cut
from egressprobe.targets.plan import read_plan
from tests.discovery.test_owners import annotated
from tests.planner.test_discovery import AUTHORITY
from tests.support.aws.planners import GROUP, Context, hook, planner_stack
from tests.support.kube_objects import EXEMPT, Items, configuration, webhook

# What a Probe of before owners existed accepts of a webhook target.
KNOWN_BEFORE = {
    *("kind", "name", "impact", "objects", "affects", "url", "service", "addresses", "timeoutSeconds"),
    *("advisory", "failurePolicy", "refusal", "exchange", "caBundleRef"),
}


def to(name):
    return webhook("a.x", url=f"https://{name}.invalid/", namespaceSelector=EXEMPT)


@pytest.fixture
def stack(tmp_path, monkeypatch):
    with planner_stack(tmp_path, monkeypatch, ClusterSecurityGroupIds="sg-0a") as one:
        function = one.rendered.value({"Fn::GetAtt": ["Discover", "Arn"]})
        one.items = {"validatingwebhookconfigurations": [annotated(configuration("c", to("found")), "Team F", "error")]}

        def discover(body):
            event = json.loads(body)
            networks = networks_of(event["networks"], event["remoteNetworks"])
            return msgspec.json.encode(asyncio.run(collect(Items(one.items), networks)))

        one.cloud.functions[function] = discover
        one.cloud.cluster = {
            "endpoint": "https://1234.gr7.eu-west-1.eks.amazonaws.com",
            "certificateAuthority": {"data": AUTHORITY},
            "resourcesVpcConfig": {"vpcId": "vpc-1", "clusterSecurityGroupId": "sg-0a", "securityGroupIds": []},
        }
        yield one


def asked(stack, *names):
    stack.real_probes()
    joined = msgspec.convert(handler({"action": "probe", "targets": list(names)}, Context()), Joined)
    return {row.target.name: (row.target.owner or "", row.target.severity or "") for row in joined.rows}


def test_a_probe_of_before_reads_the_plan_and_the_joined_report_names_the_owners(stack):
    """Of a target of the file and of a discovered one; from a probe that answers and from one that does not."""
    stack.plan(hook("mine", owner="Team M", severity="critical"), hook("bare")).run()
    plans = stack.plans()
    assert {key for plan in plans.values() for raw in plan["targets"] for key in raw} <= KNOWN_BEFORE
    assert parse_owners(stack.schedules()[OWNERS]) == {"found.invalid": TargetOwner("Team F", "error")}
    assert stack.schedules()[OWNERS]["State"] == "DISABLED"
    owned = {"mine": ("Team M", "critical"), "found.invalid": ("Team F", "error"), "bare": ("", "")}
    assert asked(stack, *owned) == owned
    stack.cloud.functions.clear()
    stack.cloud.functions[stack.arn(0)] = lambda _: b"nonsense"
    assert asked(stack, "mine") == {"mine": ("Team M", "critical")}


def test_a_second_run_writes_nothing_and_a_failed_discovery_keeps_them(stack):
    stack.plan(hook("mine")).run()
    first = stack.schedules()
    answer = stack.run()
    assert not {OWNERS, "s00-all"} & set(answer["updated"] + answer["created"] + answer["deleted"])
    stack.cloud.functions.clear()
    stack.run()
    assert stack.schedules()[OWNERS]["Target"] == first[OWNERS]["Target"]
    assert asked(stack, "found.invalid") == {"found.invalid": ("Team F", "error")}


@pytest.mark.thorough
def test_an_annotation_that_is_removed_is_gone_with_its_schedule(stack):
    stack.plan(hook("mine")).run()
    stack.items = {"validatingwebhookconfigurations": [configuration("c", to("found"))]}
    assert stack.run()["deleted"] == [OWNERS]
    assert asked(stack, "found.invalid") == {"found.invalid": ("", "")}


@pytest.mark.parametrize("content", ["", "[]", "null", '{"owners": 7}', '{"owners": {"t": {"severity": "page"}}}'])
def test_a_schedule_that_cannot_be_read_has_no_owners(content):
    assert parse_owners({"Target": {"Input": content}}) == {}


def test_a_damaged_schedule_costs_the_owners_only(stack):
    stack.plan(hook("mine")).run()
    damaged = {key: stack.schedules()[OWNERS][key] for key in ("FlexibleTimeWindow", "ScheduleExpression", "Target")}
    damaged["Target"] = damaged["Target"] | {"Input": "[]"}
    stack.scheduler.update_schedule(GroupName=GROUP, Name=OWNERS, State="DISABLED", **damaged)
    assert asked(stack, "found.invalid") == {"found.invalid": ("", "")}
    assert stack.run()["updated"].count(OWNERS) == 1, "the next discovery writes it again"


def test_what_the_targets_file_says_counts_key_by_key():
    written = {"kind": "webhook", "name": "t", "url": "https://t.example/", "objects": ["A/b"]}
    found = written | {"owner": "Annotation", "severity": "info"}
    for more, expected in (
        ({}, ("Annotation", "info")),
        ({"owner": "File"}, ("File", "info")),
        ({"severity": "critical"}, ("Annotation", "critical")),
    ):
        both, invalid = with_discovered(read_inventory({"targets": [written | more]}), [found], {})
        target = both.entries["t"].target
        assert ((target.owner, target.severity), invalid) == (expected, {})


def test_the_input_of_a_schedule_is_as_long_as_without_owners():
    bare = {"kind": "webhook", "name": "t", "url": "https://t.example/"}
    [with_owner], [without] = (
        cut(read_inventory({"targets": [raw]})).shards
        for raw in (bare | {"owner": "x" * 200, "severity": "error"}, bare)
    )
    assert with_owner == without
    assert read_plan(with_owner.plan).targets[0].owner == ""


def test_owners_that_do_not_fit_one_schedule_are_named():
    owners = {f"target-{number:05}": TargetOwner("ü" * 200) for number in range(300)}
    text, left = owners_input(owners)
    assert len(text) <= 256_000
    kept = parse_owners({"Target": {"Input": text}})
    assert len(kept) > 150
    assert set(kept) | set(left) == set(owners)
    assert not set(kept) & set(left)


def test_a_new_owner_is_no_other_call():
    """What was confirmed as failing stays so: `confirmed` decides whether a failure counts."""
    now = datetime(2026, 11, 26, tzinfo=UTC)
    raw = {"name": "t", "addresses": ["10.0.0.1:443"]}
    report = FailingTarget("t", frozenset({"10.0.0.1:443"}), 1, now)
    after = looked_up({}, [report], {"t": raw}, {"t": raw | {"owner": "new", "severity": "info"}}, now)
    assert after["t"].confirmed == ("10.0.0.1:443",)
