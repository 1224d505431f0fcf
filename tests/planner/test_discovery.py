"""The Planner with discovery: what it plans of what was found, what it keeps when it cannot ask, how old that is, and
what it says when the stack stands wrong.
"""

import asyncio
import base64
import gzip
import json
from datetime import UTC, datetime, timedelta

import boto3
import msgspec
import pytest
from botocore.stub import Stubber

from egressprobe.aws.cluster import look_around
from egressprobe.aws.eks import Cluster, described, read_networks, read_providers, supports_egress_mode
from egressprobe.catalog.findings_cluster import LIST_UNREADABLE
from egressprobe.cli.output.targets_yaml import document
from egressprobe.discovery.issuers import issuer_targets, with_issuers
from egressprobe.discovery.kubelets import networks_of
from egressprobe.discovery.run import collect
from egressprobe.handlers import planner as planner_handler
from egressprobe.handlers.probe import handler as probe_handler
from egressprobe.model.discovered import Discovered
from egressprobe.model.joined_report import Joined
from egressprobe.planner import reconcile as planning
from egressprobe.planner import settings as settings_module
from egressprobe.planner.lookup.failing import FailingTarget
from egressprobe.planner.lookup.note import NOTE
from egressprobe.planner.placement import misplaced
from egressprobe.planner.settings import Probe, Settings
from tests.support.aws import emf
from tests.support.aws.cloudformation import SUBNETS
from tests.support.aws.fake_aws import ENVIRONMENT
from tests.support.aws.planners import Context, hook, planner_stack
from tests.support.kube_objects import EXEMPT, Items, configuration, node, service, slice_of, webhook
from tests.support.peers.kubeapi import CLUSTER_CA

AUTHORITY = base64.b64encode(CLUSTER_CA.pem.encode()).decode()
IDS = [text.partition("/")[0] for text in SUBNETS[:3]]
ISSUER = "oidc/oidc.eks.eu-west-1.amazonaws.com/id"


class InCluster:
    """The Discover function: the real reading of objects that the test has set."""

    def __init__(self):
        self.items, self.broken, self.events, self.fails = {}, {}, [], False

    def __call__(self, body):
        event = json.loads(body)
        self.events.append(event)
        if self.fails:
            return b'{"errorMessage": "it timed out", "errorType": "Sandbox.Timedout"}'
        networks = networks_of(event["networks"], event["remoteNetworks"])
        return msgspec.json.encode(asyncio.run(collect(Items(self.items, self.broken), networks)))


@pytest.fixture
def stack(tmp_path, monkeypatch):
    with planner_stack(tmp_path, monkeypatch, ClusterSecurityGroupIds="sg-0a,sg-0b") as one:
        one.cluster = InCluster()
        function = one.rendered.value({"Fn::GetAtt": ["Discover", "Arn"]})
        one.cloud.functions[function] = one.cluster
        one.cloud.cluster = {
            "endpoint": "https://1234.gr7.eu-west-1.eks.amazonaws.com",
            "certificateAuthority": {"data": AUTHORITY},
            "identity": {"oidc": {"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id"}},
            "resourcesVpcConfig": {"vpcId": "vpc-1", "clusterSecurityGroupId": "sg-0a", "securityGroupIds": ["sg-0b"]},
        }
        one.cluster.items = {"validatingwebhookconfigurations": [configuration("c", to("one"), to("two"))]}
        yield one


def to(name, **more):
    return webhook(f"{name}.x", url=f"https://{name}.example/", namespaceSelector=EXEMPT, **more)


def at(monkeypatch, moment):
    """The Planner's clock."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment

    monkeypatch.setattr("egressprobe.handlers.planner.datetime", Clock)


def finding_codes(answer):
    return [one["code"] for one in answer["findings"]]


def test_what_was_found_is_planned_beside_the_targets_file(stack, capsys):
    """Webhooks of the cluster, its issuer, the associated provider's, and the file's own, in every subnet."""
    stack.cloud.providers = {"corp": "https://idp.example/realms/eks", "other": "https://idp2.example"}
    answer = stack.plan(hook("mine")).run()
    assert set(stack.covered()) == {
        "mine", "one.example", "two.example", ISSUER, "oidc/idp.example/realms/eks", "oidc/idp2.example",
    }  # fmt: skip
    assert set(stack.covered().values()) == {3}
    assert answer["findings"] == []
    [event] = stack.cluster.events
    assert event["cluster"] == {
        "name": "prod",
        "endpoint": "https://1234.gr7.eu-west-1.eks.amazonaws.com",
        "certificateAuthority": AUTHORITY,
    }
    issuer = stack.planned(ISSUER)
    assert (issuer["advisory"], issuer["objects"]) == (True, ["Cluster/prod"])
    assert stack.planned("oidc/idp2.example")["objects"] == ["IdentityProviderConfig/other"]
    [said] = emf.documents(capsys.readouterr().out)
    assert emf.metrics(said) == {"PlanAge": 0}


def test_the_second_run_writes_the_time_only(stack):
    stack.plan(hook("mine")).run()
    note = stack.schedules()[NOTE]
    assert note["State"] == "DISABLED"
    answer = stack.run()
    assert (answer["created"], answer["deleted"], answer["unchanged"]) == ([], [], 4 - len(answer["updated"]))
    assert set(answer["updated"]) <= {NOTE}


def test_without_a_targets_file_the_cluster_is_enough(stack):
    stack.run()
    assert set(stack.covered()) == {"one.example", "two.example", ISSUER}


def test_a_configured_name_stays_and_the_found_one_is_marked(stack):
    stack.plan(hook("one.example")).run()
    names = set(stack.covered())
    assert {"one.example", "two.example", ISSUER} < names
    [marked] = names - {"one.example", "two.example", ISSUER}
    assert marked.startswith("one.example~")
    assert stack.run()["unchanged"] >= 3, "and stays so"


def test_a_name_that_a_person_took_meanwhile_is_the_persons(stack):
    """Also while discovery fails and what it found last would have it."""
    stack.run()
    stack.cluster.fails = True
    stack.plan(hook("one.example", timeoutSeconds=3)).run()
    raw = stack.planned("one.example")
    assert raw["timeoutSeconds"] == 3
    assert "objects" not in raw


def test_a_file_that_discovery_wrote_does_not_stand_against_what_it_finds_now(stack):
    """`discover > targets.yaml; make deploy TARGETS=targets.yaml`: one target each, where the pods are now."""
    stack.cluster.items = behind_a_service(("10.0.0.1", True))
    written = document(asyncio.run(collect(Items(stack.cluster.items))), {})
    stack.cluster.items["endpointslices"] = [slice_of(("10.0.0.2", True))]
    stack.plan(*written["targets"], bundles=written["bundles"]).run()
    assert set(stack.covered()) == {"svc.ns.svc", ISSUER}
    [raw] = [raw for raw in stack.plans()["s00-all"]["targets"] if raw["name"] == "svc.ns.svc"]
    assert raw["addresses"] == ["10.0.0.2:9443"]
    stack.cluster.items = {}
    stack.run()
    assert set(stack.covered()) == {"svc.ns.svc", ISSUER}, "it stands in the file"


@pytest.mark.parametrize("how", ["fails", "refused", "nonsense", "unreadable"])
def test_when_discovery_fails_the_last_answer_stays_and_ages(stack, how, capsys, monkeypatch):
    """The function fails, may not be invoked, answers nonsense; or the API server does."""
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    at(monkeypatch, start)
    stack.plan(hook("mine")).run()
    before = stack.covered()
    [function] = [arn for arn in stack.cloud.functions if arn.endswith("-discover")]
    if how == "fails":
        stack.cluster.fails = True
    elif how == "refused":
        stack.cloud.before = lambda call: (
            (403, "AccessDeniedException") if call.resource.endswith("-discover") else None
        )
    elif how == "nonsense":
        stack.cloud.functions[function] = lambda _: b'{"schemaVersion": "egressprobe/discovered/v9"}'
    else:
        unread = msgspec.json.encode(
            Discovered(unread=("validatingwebhookconfigurations", "mutatingwebhookconfigurations"))
        )
        stack.cloud.functions[function] = lambda _: unread
    at(monkeypatch, start + timedelta(minutes=30))
    capsys.readouterr()
    answer = stack.run()
    assert stack.covered() == before
    assert answer["created"] == answer["updated"] == answer["deleted"] == []
    assert answer["planAge"] == 1800
    assert emf.metrics(emf.documents(capsys.readouterr().out)[0]) == {"PlanAge": 1800}
    assert finding_codes(answer) == ([] if how == "unreadable" else ["DISCOVERY_FAILED"])
    stack.cloud.before = lambda _: None
    stack.cloud.functions[function], stack.cluster.fails = stack.cluster, False
    at(monkeypatch, start + timedelta(minutes=45))
    assert stack.run()["planAge"] == 0


def test_a_cluster_without_an_endpoint_yet_is_not_asked(stack):
    stack.cloud.cluster |= {"endpoint": "", "status": "CREATING"}
    answer = stack.run()
    assert finding_codes(answer) == ["DISCOVERY_FAILED"]
    assert answer["findings"][0]["summary"].endswith("the cluster is CREATING and has no endpoint yet")
    assert stack.cluster.events == []


def test_a_first_discovery_that_fails_says_no_age(stack, capsys):
    """There is nothing old yet, and nothing new: the alarm finds the silence."""
    stack.cluster.fails = True
    answer = stack.plan(hook("mine")).run()
    assert answer["planAge"] is None
    assert emf.documents(capsys.readouterr().out) == []
    assert set(stack.covered()) == {"mine", ISSUER}


def behind_a_service(*endpoints, also=()):
    """Lists with a webhook whose Service has these endpoints."""
    hooks = configuration(
        "c", webhook("a.x", service={"namespace": "ns", "name": "svc"}, namespaceSelector=EXEMPT), *also
    )
    lists = {"validatingwebhookconfigurations": [hooks], "services": [service()]}
    return lists | {"endpointslices": [slice_of(*endpoints)]}


def unreadable(*plurals):
    from egressprobe.discovery.kubernetes.responses import UnreadableError

    return {plural: UnreadableError(LIST_UNREADABLE, f"{plural}: broke", {}) for plural in plurals}


def test_what_one_list_would_have_told_stays_and_the_rest_is_new(stack):
    """Of a broken list what was known stays; of the others what is gone goes."""
    stack.cluster.items = {
        "validatingwebhookconfigurations": [configuration("c", to("old"), to("shared", failurePolicy="Ignore"))],
        "mutatingwebhookconfigurations": [configuration("m", to("shared"), to("mutates"))],
        "nodes": [node("n1", "10.0.0.1")],
    }
    stack.run()
    stack.cluster.broken = unreadable("mutatingwebhookconfigurations")
    stack.cluster.items = {
        "validatingwebhookconfigurations": [configuration("c", to("new"), to("shared", failurePolicy="Ignore"))]
    }
    answer = stack.run()
    assert set(stack.covered()) == {"new.example", "shared.example", "mutates.example", ISSUER}
    shared = stack.planned("shared.example")
    assert shared["failurePolicy"] == "Fail", "the mutating webhook may still be there"
    assert finding_codes(answer) == ["LIST_UNREADABLE"]


def test_without_slices_services_keep_their_addresses(stack):
    stack.cluster.items = behind_a_service(("10.0.0.1", True))
    stack.run()
    stack.cluster.broken = unreadable("endpointslices")
    stack.run()
    assert stack.planned("svc.ns.svc")["addresses"] == ["10.0.0.1:9443"]
    stack.cluster.broken, stack.cluster.items["endpointslices"] = {}, []
    stack.run()
    gone = stack.planned("svc.ns.svc")
    assert gone["refusal"]["finding"] == "SERVICE_WITHOUT_ENDPOINTS", (
        "its last pod is gone: it fails, it does not vanish"
    )


def test_a_list_that_was_never_granted_does_not_age_the_plan(stack, monkeypatch):
    """Nothing was ever known of it, so nothing known is old."""
    stack.cluster.broken = unreadable("nodes")
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    for minutes in (0, 15):
        at(monkeypatch, start + timedelta(minutes=minutes))
        assert stack.run()["planAge"] == 0


def test_when_eks_is_silent_discovery_waits_and_issuers_stay(stack, monkeypatch):
    stack.cloud.providers = {"corp": "https://idp.example"}
    stack.run()
    before = stack.covered()
    stack.cloud.before = lambda call: (403, "AccessDeniedException") if call.action.startswith("eks:") else None
    answer = stack.run()
    assert stack.covered() == before
    assert finding_codes(answer) == ["CLUSTER_UNREADABLE"]
    assert len(stack.cluster.events) == 1
    stack.cloud.before = lambda call: (403, "AccessDeniedException") if "IdentityProvider" in call.action else None
    answer = stack.run()
    assert stack.covered() == before
    assert finding_codes(answer) == ["IDENTITY_PROVIDERS_UNREADABLE"]


def test_nodes_are_told_apart_by_the_vpcs_subnets(stack, monkeypatch):
    ec2 = boto3.client("ec2", endpoint_url=stack.cloud.url)
    moto = boto3.client("ec2", endpoint_url="https://ec2.eu-west-1.amazonaws.com")
    vpc = moto.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    made = moto.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    assert read_networks(ec2, vpc) == {made: ["10.7.1.0/24"]}
    stack.cloud.cluster["resourcesVpcConfig"]["vpcId"] = vpc
    stack.cloud.cluster["remoteNetworkConfig"] = {"remoteNodeNetworks": [{"cidrs": ["10.200.0.0/16"]}]}
    stack.cluster.items = {"nodes": [node("a", "10.7.1.5"), node("b", "10.200.3.4"), node("c", "10.9.9.9", zone="z")]}
    stack.run()
    assert set(stack.covered()) == {f"kubelet/{made}", "kubelet/10.200.0.0/16", "kubelet/z", ISSUER}


def failing_line(stack, capsys):
    """What the log group gets of a scheduled minute, as a subscription's event."""
    capsys.readouterr()
    for name, one in stack.schedules().items():
        if name != NOTE:
            probe_handler(json.loads(one["Target"]["Input"]), Context())
            break
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]


def logs_event(*names, failing=("service_unresolved",), dialled=0, timestamp=None):
    """A subscription filter's event: base64 of gzip of JSON, a message a log line. By default no endpoint is ready."""
    line = {"verdict": "fail", "failing": failing, "dialled": dialled}
    more = {} if timestamp is None else {"timestamp": timestamp.timestamp() * 1000}
    lines = [{"message": json.dumps({"Target": name} | line)} | more for name in names]
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps({"logEvents": lines}).encode())).decode()}}


@pytest.fixture
def pauses(monkeypatch):
    taken = []
    monkeypatch.setattr(planning.time, "sleep", taken.append)
    monkeypatch.setattr(planning.refresh, "__defaults__", (*planning.refresh.__defaults__[:-1], taken.append))
    return taken


def test_pods_that_moved_are_found_again_in_their_first_failing_minute(stack, capsys, monkeypatch, pauses):
    """A rollout: the addresses of the plan are dead. The probe's own line wakes the Planner, and the plan has the new
    ones at once, but not before EndpointSlices had 15 seconds since the failure.
    """
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    at(monkeypatch, start)
    monkeypatch.setattr("egressprobe.net.guard.forbidden", lambda _: None)
    stack.cluster.items = behind_a_service(("203.0.113.1", False), also=[to("one")])
    stack.run()
    lines = {one["Target"]: one for one in failing_line(stack, capsys) if "Target" in one}
    assert {name: one.get("discoveredAddresses") for name, one in lines.items() if one["verdict"] == "fail"} == {
        "svc.ns.svc": True, "one.example": None,
    }  # fmt: skip
    assert (lines["svc.ns.svc"]["failing"], lines["svc.ns.svc"]["dialled"]) == (["service_unresolved"], 0)
    for address, later, ago, paused in (("203.0.113.2", 60, 5, 10.0), ("203.0.113.3", 90, 20, 0.0)):
        stack.cluster.items["endpointslices"] = [slice_of((address, True))]
        at(monkeypatch, start + timedelta(seconds=later))
        pauses.clear()
        failed = start + timedelta(seconds=later - ago)
        assert len(stack.run(logs_event("svc.ns.svc", timestamp=failed))["updated"]) == 4
        assert pauses == [1.0, paused]
        assert stack.planned("svc.ns.svc")["addresses"] == [f"{address}:9443"]
        [times] = {(plan["lookedUpAt"], "confirmed" in plan) for plan in stack.plans().values()}
        assert times == ((start + timedelta(seconds=later)).isoformat(), False), "that it failed before means nothing"


def test_what_still_fails_where_it_is_listed_is_confirmed(stack, monkeypatch, pauses):
    """Until it is looked up the plan is as it was; then all of its endpoints are, in its shard only."""
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    at(monkeypatch, start)
    stack.cluster.items = behind_a_service(("203.0.113.1", True), ("203.0.113.2", True), also=[to("one")])
    stack.run()
    at(monkeypatch, start + timedelta(minutes=1))
    event = logs_event("svc.ns.svc", failing=["203.0.113.1:9443", "203.0.113.7:9443"], dialled=2)
    assert len(stack.run(event)["updated"]) == 4
    endpoints = ["203.0.113.1:9443", "203.0.113.2:9443", "203.0.113.7:9443"]
    assert all(plan["confirmed"] == {"svc.ns.svc": endpoints} for plan in stack.plans().values())
    at(monkeypatch, start + timedelta(minutes=15))
    assert set(stack.run()["updated"]) == {NOTE}, "nothing is written for what is known"
    at(monkeypatch, start + timedelta(minutes=30))
    stack.run()
    assert not any("confirmed" in plan for plan in stack.plans().values()), "it is too long ago"


def test_what_cannot_be_looked_up_counts_at_once(stack, monkeypatch, pauses):
    """The plan has no time any more, so the Probe counts every failure; then it has one again."""
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    at(monkeypatch, start)
    stack.cluster.items = behind_a_service(("203.0.113.1", True), also=[to("one")])
    stack.run()
    at(monkeypatch, start + timedelta(minutes=1))
    stack.cluster.broken = unreadable("endpointslices")
    stack.run(logs_event("svc.ns.svc", failing=["203.0.113.1:9443"], dialled=1))
    assert not any("lookedUpAt" in plan or "confirmed" in plan for plan in stack.plans().values())
    stack.cluster.broken = {}
    at(monkeypatch, start + timedelta(minutes=2))
    stack.run(logs_event("svc.ns.svc", failing=["203.0.113.1:9443"], dialled=1))
    assert all(plan["lookedUpAt"] and plan["confirmed"] for plan in stack.plans().values())


def test_what_stays_broken_is_looked_up_less_and_less_often(stack, monkeypatch, pauses):
    """An hour of failing minutes; a target that begins to fail meanwhile does not wait, and a change begins anew."""
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    at(monkeypatch, start)
    stack.cluster.items = behind_a_service(("203.0.113.1", False), also=[to("one")])
    stack.run()
    looked = []
    for minute in range(1, 60):
        at(monkeypatch, start + timedelta(minutes=minute))
        if minute % 15 == 0:
            stack.run()
        if not stack.run(logs_event("svc.ns.svc")).get("skipped"):
            looked.append(minute)
    assert looked == [1, 2, 3, 5, 9, 17, 32, 47]
    at(monkeypatch, start + timedelta(minutes=60))
    assert stack.run(logs_event("svc.ns.svc"))["skipped"]
    assert not stack.run(logs_event("svc.ns.svc", "one.example")).get("skipped")
    stack.cluster.items["endpointslices"] = [slice_of(("203.0.113.9", True))]
    at(monkeypatch, start + timedelta(minutes=76))
    assert len(stack.run(logs_event("svc.ns.svc"))["updated"]) == 4
    at(monkeypatch, start + timedelta(minutes=77))
    moved = logs_event("svc.ns.svc", failing=["203.0.113.9:9443"], dialled=1)
    assert not stack.run(moved).get("skipped"), "another endpoint does not wait"


def failure(moment, name="one.example", *endpoints):
    return FailingTarget(name, frozenset(endpoints or ["service_unresolved"]), len(endpoints), moment)


def test_of_several_refreshes_at_once_one_goes_on(stack, monkeypatch, pauses):
    """Another execution environment claims it before, or in the same second."""
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    at(monkeypatch, start)
    stack.run()
    at(monkeypatch, start + timedelta(minutes=1))
    asked = len(stack.cluster.events)
    inner = []

    def other(seconds):
        if seconds == 1.0 and not inner:
            inner.append(None)
            inner[0] = planning.refresh(
                settings_module.read_settings(), planner_handler.bundled(), settings_module.clients(),
                lambda: start + timedelta(minutes=1), "another", [failure(start)], lambda _: None,
            )  # fmt: skip

    monkeypatch.setattr(planning.refresh, "__defaults__", (*planning.refresh.__defaults__[:-1], other))
    answer = stack.run(logs_event("one.example"))
    assert inner[0]["skipped"], "it is claimed"
    assert not answer.get("skipped")
    assert len(stack.cluster.events) == asked + 1


@pytest.mark.parametrize(
    "data",
    ["H4sI...", "", None, 5, base64.b64encode(b"x").decode(), base64.b64encode(gzip.compress(b"[" * 100_000)).decode()],
)
def test_a_subscriptions_event_that_cannot_be_read_is_a_refresh_all_the_same(stack, monkeypatch, pauses, data):
    at(monkeypatch, datetime(2026, 11, 22, 6, 0, tzinfo=UTC))
    stack.run()
    at(monkeypatch, datetime(2026, 11, 22, 6, 1, tzinfo=UTC))
    assert "unchanged" in stack.run({"awslogs": {"data": data}})


def test_what_is_broken_for_good_can_be_left_out(stack, monkeypatch):
    """It would keep the page on, and hide what breaks next. The targets file is not touched by it."""
    stack.cluster.items["nodes"] = [node("a", "10.0.0.1", zone="z")]
    monkeypatch.setenv("EGRESSPROBE_EXCLUDE", "two.*,kubelet/*,mine")
    answer = stack.plan(hook("mine")).run()
    assert set(stack.covered()) == {"mine", "one.example", ISSUER}
    assert answer["excluded"] == ["kubelet/z", "two.example"]


# -- drift ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "wrong", "said"),
    [
        ({"subnetIds": IDS[1:]}, ["s00-all"], f"{IDS[0]} is no longer one of the cluster's subnets"),
        ({"subnetIds": [*IDS, "subnet-new"]}, [], "there is no probe in subnet-new"),
        (
            {"securityGroupIds": ["sg-0c"]},
            ["s00-all", "s01-all", "s02-all"],
            "the control plane has the security groups sg-0a, sg-0c, at deployment it had sg-0a, sg-0b",
        ),
        ({"securityGroupIds": ["sg-0b"], "clusterSecurityGroupId": "sg-0a"}, [], None),
    ],
    ids=["subnet-gone", "subnet-new", "groups", "same"],
)
def test_a_stack_that_stands_wrong_says_so_where_it_does(stack, changes, wrong, said):
    stack.cloud.cluster["resourcesVpcConfig"] |= changes
    answer = stack.run()
    assert sorted(name for name, plan in stack.plans().items() if "misplaced" in plan) == wrong
    assert finding_codes(answer) == (["STACK_DRIFTED"] if said else [])
    if said:
        assert answer["findings"][0]["summary"].startswith(said)
        assert "make deploy CLUSTER=prod" in answer["findings"][0]["summary"]
    for name in wrong:
        assert stack.plans()[name]["misplaced"]["finding"] == "STACK_DRIFTED"
    stack.cloud.cluster["resourcesVpcConfig"] |= {
        "subnetIds": IDS, "securityGroupIds": ["sg-0b"], "clusterSecurityGroupId": "sg-0a",
    }  # fmt: skip
    stack.run()
    assert not any("misplaced" in plan for plan in stack.plans().values()), "and is mended"


def test_another_family_is_drift_too(stack):
    stack.cloud.cluster["kubernetesNetworkConfig"] = {"ipFamily": "ipv6"}
    answer = stack.run()
    assert finding_codes(answer) == ["STACK_DRIFTED"]
    assert all("misplaced" in plan for plan in stack.plans().values())


@pytest.mark.parametrize("gone", [False, True])
def test_a_cluster_that_goes_away_is_not_asked_and_nothing_is_known(stack, gone):
    stack.run()
    if gone:
        stack.cloud.before = lambda call: (
            (404, "ResourceNotFoundException") if call.action == "eks:DescribeCluster" else None
        )
    else:
        stack.cloud.cluster["status"] = "DELETING"
    answer = stack.run()
    assert finding_codes(answer) == ["CLUSTER_DELETING"]
    assert len(stack.cluster.events) == 1
    found = stack.plans()
    assert {plan["misplaced"]["finding"] for plan in found.values()} == {"CLUSTER_DELETING"}
    assert {raw["name"] for raw in found["s00-all"]["targets"]} == {"one.example", "two.example", ISSUER}


def test_verdicts_from_the_wrong_place_are_unknown(stack, capsys):
    """By schedule and on demand: never pass, never fail, and counted."""
    stack.cloud.cluster["resourcesVpcConfig"] |= {"subnetIds": IDS[1:]}
    stack.real_probes()
    stack.plan(hook("mine")).run()
    capsys.readouterr()
    report = probe_handler({"source": "schedule", "plan": stack.plans()["s00-all"]}, Context())
    assert {one["verdict"] for one in report["results"]} == {"unknown"}
    assert [one["code"] for one in report["findings"]] == ["STACK_DRIFTED"]
    [run] = [one for one in emf.documents(capsys.readouterr().out) if "TargetsUnknown" in one]
    assert emf.metrics(run)["TargetsUnknown"] == len(report["results"])
    right = probe_handler({"source": "schedule", "plan": stack.plans()["s01-all"]}, Context())
    assert {one["verdict"] for one in right["results"]} == {"fail", "degraded"}, (
        "nothing resolves here; the issuer warns"
    )
    joined = msgspec.convert(stack.run({"targets": ["mine", "one.example"]}), Joined)
    assert [[str(cell.verdict) for cell in row.cells] for row in joined.rows] == [["unknown", "fail", "fail"]] * 2
    assert [one.code for one in joined.findings] == ["STACK_DRIFTED"]


def test_what_was_discovered_can_be_asked_for_and_nothing_else(stack):
    stack.real_probes()
    stack.run()
    before = len(stack.cloud.calls)
    joined = msgspec.convert(stack.run({"targets": ["two.example", "evil.example"]}), Joined)
    asked = stack.cloud.calls[before:]
    read = [call.resource.rpartition("/")[2] for call in asked if call.action == "scheduler:GetSchedule"]
    assert read == ["s00-all"], "one subnet's schedules have it all"
    assert [row.target.name for row in joined.rows] == ["two.example"]
    assert joined.rows[0].target.objects == ("ValidatingWebhookConfiguration/c/two.x",)
    assert [one.name for one in joined.refused] == ["evil.example"]


def test_drift_is_pure():
    own = Settings("prod", (Probe(0, "subnet-a", "z", "f"), Probe(3, "subnet-b", "z", "f")), "g", "r")
    cluster = Cluster("1.33", "ipv4", "unknown", "ACTIVE", subnets=("subnet-a", "subnet-b"), groups=("sg-1",))
    assert misplaced(own, cluster) == ({}, [])
    assert misplaced(own, None) == ({}, [])
    said, found = misplaced(own._replace(groups=("sg-2",)), cluster)
    assert (set(said), [one.code for one in found]) == ({0, 3}, ["STACK_DRIFTED"])
    assert misplaced(own._replace(groups=("sg-1",)), cluster._replace(groups=()))[0] == {}, "moto tells none"


# -- EKS ------------------------------------------------------------------------------------------------------


@pytest.fixture
def eks(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("eks")
    with Stubber(client) as stub:
        yield client, stub


@pytest.mark.parametrize("mode", ["AWS_MANAGED", "CUSTOMER_ROUTED", "CUSTOMER_ISOLATED", "SOMETHING_NEW", None])
def test_the_mode_is_passed_on_whatever_it_is(mode):
    found = described({"resourcesVpcConfig": {"controlPlaneEgressMode": mode} if mode else {}})
    assert found.mode == (mode or "unknown")
    assert described({}) == Cluster("", "ipv4", "unknown", "")


def test_a_botocore_that_drops_the_mode_is_told(eks, monkeypatch):
    """As before 1.43.33, the shape has no such member and the field is not in the answer."""
    client, stub = eks
    assert supports_egress_mode(client)
    shapes = client.meta.service_model._service_description["shapes"]
    monkeypatch.delitem(shapes["VpcConfigResponse"]["members"], "controlPlaneEgressMode")
    stub.add_response("describe_cluster", {"cluster": {"name": "prod", "status": "ACTIVE"}}, {"name": "prod"})
    stub.add_response("list_identity_provider_configs", {"identityProviderConfigs": []}, {"clusterName": "prod"})
    around = look_around(client, None, "prod")
    assert [one.code for one in around.findings] == ["EGRESS_MODE_HIDDEN"]
    assert around.cluster.mode == "unknown"


def test_identity_providers_are_paged_and_described(eks):
    client, stub = eks
    for i, more in ((0, {"nextToken": "t"}), (1, {})):
        said = {"identityProviderConfigs": [{"type": "oidc", "name": f"p{i}"}]} | more
        asked = {"clusterName": "prod"} | ({"nextToken": "t"} if i else {})
        stub.add_response("list_identity_provider_configs", said, asked)
    for i, status in ((0, "ACTIVE"), (1, "DELETING")):
        config = {"oidc": {"issuerUrl": f"https://idp{i}.example/", "status": status}}
        asked = {"clusterName": "prod", "identityProviderConfig": {"type": "oidc", "name": f"p{i}"}}
        stub.add_response("describe_identity_provider_config", {"identityProviderConfig": config}, asked)
    found = read_providers(client, "prod")
    cluster = Cluster("1.33", "ipv4", "unknown", "ACTIVE", name="prod", issuer="https://oidc.eks/id/1")
    assert [raw["name"] for raw in issuer_targets(cluster, found)] == ["oidc/oidc.eks/id/1", "oidc/idp0.example"]


def test_a_networks_refusal_costs_the_subnets_only(eks):
    client, stub = eks
    cluster = {"name": "prod", "status": "ACTIVE", "resourcesVpcConfig": {"vpcId": "vpc-1"}}
    stub.add_response("describe_cluster", {"cluster": cluster}, {"name": "prod"})
    stub.add_response("list_identity_provider_configs", {"identityProviderConfigs": []}, {"clusterName": "prod"})
    ec2 = boto3.client("ec2")
    with Stubber(ec2) as refusing:
        refusing.add_client_error("describe_subnets", "UnauthorizedOperation", "no", 403)
        around = look_around(client, ec2, "prod")
    assert [one.code for one in around.findings] == ["NETWORKS_UNREADABLE"]
    assert around.providers == []


def test_an_issuer_that_is_no_url_is_a_finding():
    cluster = Cluster("1.33", "ipv4", "unknown", "ACTIVE", name="prod", issuer="https://u:p@idp.example")
    from egressprobe.aws.cluster import Surroundings

    found = with_issuers(Discovered(), Surroundings(cluster, [], {}, []))
    assert (found.targets, [one.code for one in found.findings]) == ((), ["OBJECT_NOT_PROBED"])
    assert "u:p" not in found.findings[0].summary


def test_nothing_to_plan_at_all_fails_aloud(stack, monkeypatch):
    monkeypatch.setenv("EGRESSPROBE_DISCOVER", "")
    with pytest.raises(planning.InputError, match=r"deploy with TARGETS=FILE"):
        stack.run()
