"""The readiness of a fleet: 30 clusters in 3 regions with faults; each fault costs its own line."""

import threading

import pytest
from msgspec import json
from msgspec.structs import replace

from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.target import Verdict
from egressprobe.readiness.fleet.result import FleetEvidence
from egressprobe.readiness.fleet.run import MemberSources, fleet_readiness
from egressprobe.readiness.fleet.side_by_side import side_by_side
from egressprobe.readiness.result import Decision
from tests.support.preflights import CLUSTER, POLICY, FakeClock, ScriptedSources

REGIONS = ("eu-west-1", "us-east-1", "ap-south-1")
NAMES = tuple(f"cluster-{number}" for number in range(10))


class ScriptedFleet:
    """changes: (region, name) -> a callable that makes its MemberSources, or an exception; all others pass."""

    def __init__(self, changes=None, regions=None):
        self.changes, self.regions = changes or {}, regions or dict.fromkeys(REGIONS, NAMES)
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def names(self, region):
        names = self.regions[region]
        if isinstance(names, BaseException):
            raise names
        return names

    def member(self, member):
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            change = self.changes.get(tuple(member), probed)
            if isinstance(change, BaseException):
                raise change
            return change(member)
        finally:
            with self.lock:
                self.at_once -= 1


def of(member, **more):
    """The sources of a cluster that is ready for the switch."""
    cluster = replace(CLUSTER, name=member.name, region=member.region, arn=f"arn:aws:eks:{member.region}:1:cluster/x")
    sources = ScriptedSources(cluster=cluster, **more)
    sources.cluster_name = member.name
    return sources


def probed(member, **more):
    return MemberSources(of(member, **more), stack=f"egressprobe-{member.name}")


def audit_only(member, **more):
    return MemberSources(of(member, **more), no_stack="no stack probes it")


def raising(part, error):
    def make(member):
        given = probed(member)
        given.sources.errors[part] = error
        return given

    return make


def read(fleet, regions=REGIONS, **more):
    """With two rounds, whose time passes at once."""
    return fleet_readiness(fleet, regions, rounds=2, seconds=10.0, clock=FakeClock(), **more)


def lines(fleet):
    return {(line.region, line.name): line for line in fleet.clusters}


FAULTS = {
    ("eu-west-1", "cluster-0"): AwsError("AccessDeniedException: not authorized to perform eks:DescribeCluster"),
    ("eu-west-1", "cluster-1"): raising("cluster", AwsError("ThrottlingException: Rate exceeded (reached max retries: 8)")),
    ("us-east-1", "cluster-2"): raising("cluster", InputError("--cluster", "the cluster cluster-2 no longer exists")),
    ("us-east-1", "cluster-3"): raising("audit", AwsError("UnauthorizedOperation: ec2:DescribeVpcs")),
    ("us-east-1", "cluster-4"): lambda member: probed(member, changes={(None, None, POLICY): (Verdict.FAIL,)}),
    ("ap-south-1", "cluster-5"): audit_only,
    ("ap-south-1", "cluster-6"): ZeroDivisionError("a secret"),
    ("ap-south-1", "cluster-7"): raising("discover", AwsError("the API server of cluster-7 did not answer")),
}  # fmt: skip


def test_what_fails_costs_its_own_line():
    """All 30 are there: 22 GO, one NO-GO, and 7 UNKNOWN with the reason."""
    fleet = read(ScriptedFleet(FAULTS))
    by_name = lines(fleet)
    assert len(by_name) == 30
    assert {key for key, line in by_name.items() if line.decision is Decision.GO} == set(by_name) - set(FAULTS)
    assert [key for key, line in by_name.items() if line.decision is Decision.NO_GO] == [("us-east-1", "cluster-4")]
    words = {
        ("eu-west-1", "cluster-0"): "AccessDenied",
        ("eu-west-1", "cluster-1"): "Rate exceeded",
        ("us-east-1", "cluster-2"): "no longer exists",
        ("us-east-1", "cluster-3"): "ec2:DescribeVpcs",
        ("us-east-1", "cluster-4"): POLICY,
        ("ap-south-1", "cluster-5"): "no stack probes it",
        ("ap-south-1", "cluster-6"): "egressprobe itself failed: ZeroDivisionError",
        ("ap-south-1", "cluster-7"): "did not answer",
    }
    assert {key: text in by_name[key].decides for key, text in words.items()} == dict.fromkeys(words, True)
    assert "secret" not in json.encode(fleet).decode()
    assert fleet.decision is Decision.NO_GO


def test_a_line_says_what_it_is_based_on():
    by_name = lines(read(ScriptedFleet(FAULTS)))
    kinds = {key: by_name[key].evidence for key in FAULTS}
    assert kinds[("ap-south-1", "cluster-5")] is FleetEvidence.AUDIT_ONLY
    unread = {
        ("eu-west-1", "cluster-0"),
        ("eu-west-1", "cluster-1"),
        ("us-east-1", "cluster-2"),
        ("ap-south-1", "cluster-6"),
    }
    assert {key for key, kind in kinds.items() if kind is FleetEvidence.NONE} == unread
    healthy = by_name[("eu-west-1", "cluster-9")]
    assert (healthy.version, healthy.mode, healthy.status) == ("1.35", "AWS_MANAGED", "ACTIVE")
    assert (healthy.evidence, healthy.stack) == (FleetEvidence.PROBED, "egressprobe-cluster-9")
    assert healthy.decides == "on the switched path 2 of 2 pass from each of 2 subnets in each of 2 rounds"


def test_a_cluster_that_is_switched_already_is_said_to_be():
    """Its decision is about its paths as they are."""

    def routed(member):
        given = probed(member)
        given.sources.clusters = [replace(given.sources.clusters[0], mode="CUSTOMER_ROUTED")]
        return given

    [line] = read(ScriptedFleet({("eu-west-1", "a"): routed}, {"eu-west-1": ("a",)}), ("eu-west-1",)).clusters
    assert line.decision is Decision.GO
    assert line.decides.startswith("switched already; on the switched path 2 of 2 pass")


def test_the_same_faults_give_the_same_lines():
    """The worst first, then by region and name; whatever finishes first."""
    first, second = read(ScriptedFleet(FAULTS), at_once=1), read(ScriptedFleet(FAULTS), REGIONS[::-1], at_once=16)
    assert first.clusters == second.clusters
    assert first.regions == second.regions
    order = [Decision.NO_GO, Decision.UNKNOWN, Decision.GO]
    keys = [(order.index(line.decision), line.region, line.name) for line in first.clusters]
    assert keys == sorted(keys)


def test_without_probes_it_is_unknown_at_most():
    """An open configuration is no evidence that packets pass; a closed one is evidence that they do not."""
    fleet = read(ScriptedFleet({("eu-west-1", "a"): audit_only}, {"eu-west-1": ("a",)}), ("eu-west-1",))
    [line] = fleet.clusters
    assert (line.decision, line.decides) == (Decision.UNKNOWN, "no stack probes it")
    assert fleet.decision is Decision.UNKNOWN


def test_without_probes_it_can_be_no_go():
    def closed(member):
        given = audit_only(member)
        snapshot = given.sources.snapshot
        tables = tuple(replace(table, routes=()) for table in snapshot.route_tables)
        given.sources.snapshot = replace(snapshot, route_tables=tables)
        return given

    fleet = read(ScriptedFleet({("eu-west-1", "a"): closed}, {"eu-west-1": ("a",)}), ("eu-west-1",))
    assert fleet.clusters[0].decision is Decision.NO_GO
    assert fleet.clusters[0].evidence is FleetEvidence.AUDIT_ONLY


def test_no_more_than_so_many_at_once():
    five = threading.Barrier(5)

    def together(member):
        five.wait(timeout=60)
        return probed(member)

    fleet = ScriptedFleet({("eu-west-1", name): together for name in NAMES}, {"eu-west-1": NAMES})
    assert {line.decision for line in read(fleet, ("eu-west-1",), at_once=5).clusters} == {Decision.GO}
    assert fleet.most_at_once == 5


def test_one_that_hangs_is_unknown_and_the_others_are_read():
    """It keeps no place of the others, and what it returns later is dropped."""
    hanging, time = threading.Event(), [0.0]

    def hang(member):
        hanging.wait(timeout=60)
        return probed(member)

    def say(text):
        if text.startswith("9 of 10"):
            time[0] = 10_000.0

    fleet = ScriptedFleet({("eu-west-1", "cluster-0"): hang}, {"eu-west-1": NAMES})
    made = read(fleet, ("eu-west-1",), at_once=2, now=lambda: time[0], say=say)
    hanging.set()
    [line] = [line for line in made.clusters if line.decision is not Decision.GO]
    assert (line.name, line.evidence, line.decides) == ("cluster-0", FleetEvidence.NONE, "no result after 370 s")
    assert len(made.clusters) == 10


def test_a_region_that_cannot_be_listed_is_named_and_the_others_are_read():
    regions = {
        "eu-west-1": NAMES[:2],
        "us-east-1": AwsError("AccessDeniedException: eks:ListClusters"),
        "ap-south-1": (),
    }
    fleet = read(ScriptedFleet(regions=regions))
    assert [(region.name, region.clusters, region.error) for region in fleet.regions] == [
        ("ap-south-1", 0, ""),
        ("eu-west-1", 2, ""),
        ("us-east-1", 0, "AccessDeniedException: eks:ListClusters"),
    ]
    assert [line.decision for line in fleet.clusters] == [Decision.GO, Decision.GO]
    assert fleet.decision is Decision.UNKNOWN


def test_a_fleet_without_clusters_is_not_go():
    fleet = read(ScriptedFleet(regions=dict.fromkeys(REGIONS, ())))
    assert (fleet.decision, fleet.clusters) == (Decision.UNKNOWN, ())


@pytest.mark.parametrize("after", [1, 7])
def test_ctrl_c_keeps_what_is_there(after):
    """The others are UNKNOWN, by name."""

    def say(_):
        said.append(1)
        if len(said) == after:
            raise KeyboardInterrupt

    said = []
    made = read(ScriptedFleet(regions={"eu-west-1": NAMES}), ("eu-west-1",), at_once=1, say=say)
    assert len([line for line in made.clusters if line.decision is Decision.GO]) == after
    assert {line.decides for line in made.clusters[: 10 - after]} == {"interrupted before it was read"}
    assert len(made.clusters) == 10
    assert (made.interrupted, made.decision) == (True, Decision.UNKNOWN)


def test_an_interruption_while_nothing_is_finished():
    """Ctrl-C reaches the thread that waits."""

    def now():
        times.append(1)
        if len(times) > 3:
            raise KeyboardInterrupt
        return 0.0

    times, release = [], threading.Event()
    jobs = side_by_side(["job"], lambda _: release.wait(timeout=60), at_once=1, limit=1e9, now=now)
    with pytest.raises(KeyboardInterrupt):
        list(jobs)
    release.set()
