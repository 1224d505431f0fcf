"""The plan: which set a cluster is in, and that it stays there."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.stack.fleet.plan import (
    ON_INSTANCE,
    DeployedStack,
    StackChange,
    WantedStack,
    numbered_name,
    plan_fleet,
    set_number,
)
from tests.support.cpu_time import within_seconds

_ACCOUNTS, _REGIONS, _CLUSTERS = ("111122223333", "444455556666"), ("eu-west-1", "us-east-1"), ("a", "b", "c", "d")
_keys = st.tuples(st.sampled_from(_ACCOUNTS), st.sampled_from(_REGIONS), st.sampled_from(_CLUSTERS))


def wanted(account, region, cluster, subnets="subnet-0a/z", problem=""):
    overrides = {} if problem else {"ClusterName": cluster, "Subnets": subnets}
    return WantedStack(cluster, account, region, overrides, problem)


def deployed(number, account, region, cluster, subnets="subnet-0a/z", **more):
    return DeployedStack(number, account, region, {"ClusterName": cluster, "Subnets": subnets}, **more)


@st.composite
def _fleets(draw):
    """What the file wants, and sets with at most one instance in an account and region."""
    keys = draw(st.lists(_keys, unique=True, max_size=10))
    file = [
        wanted(
            *key, draw(st.sampled_from(["subnet-0a/z", "subnet-0b/z"])), draw(st.sampled_from(["", "", "", "denied"]))
        )
        for key in keys
    ]
    status = st.sampled_from([("CURRENT", True), ("OUTDATED", True), ("OUTDATED", False), ("INOPERABLE", True)])
    places = draw(
        st.lists(st.tuples(st.integers(1, 4), st.sampled_from(_ACCOUNTS), st.sampled_from(_REGIONS)), unique=True)
    )
    stacks = []
    for place in places:
        state, created = draw(status)
        stacks.append(deployed(*place, draw(st.sampled_from(_CLUSTERS)), status=state, created=created))
    return file, stacks, {number for number, _, _ in places}


def applied(plan, stacks):
    """What is deployed once every operation has succeeded; a change of a set brings its instances up to date."""
    result = {(one.number, one.account, one.region): one for one in stacks}
    for key, one in result.items():
        if one.number in plan.changed_sets and one.status != "INOPERABLE":
            result[key] = one._replace(status="CURRENT", created=True)
    for change in plan.stacks:
        key = (change.number, change.account, change.region)
        if change.change is StackChange.DELETE:
            del result[key]
        elif change.change in ON_INSTANCE:
            assert (
                change.change is not StackChange.CREATE
                or key not in result
                or not result[key].created
                or (change.number in plan.changed_sets)
            )
            result[key] = DeployedStack(change.number, change.account, change.region, change.overrides)
    return list(result.values())


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(_fleets(), st.booleans(), st.sets(st.integers(1, 4)))
def test_what_every_plan_keeps(fleet, prune, changed):
    """One cluster a place, none moves, unread ones stay, and a plan that was done leaves nothing to do."""
    file, stacks, sets = fleet
    plan = plan_fleet(file, stacks, sets=sets, changed_sets=changed & sets, prune=prune)
    places = Counter((one.number, one.account, one.region) for one in plan.stacks if one.number)
    assert set(places.values()) <= {1}
    assert {(one.account, one.region, one.cluster) for one in file} <= {
        (one.account, one.region, one.cluster) for one in plan.stacks
    }
    before = {(one.number, one.account, one.region, one.cluster) for one in stacks}
    for one in plan.stacks:
        key = (one.number, one.account, one.region, one.cluster)
        if one.change in (StackChange.UPDATE, StackChange.DELETE, StackChange.TEMPLATE, StackChange.NOT_IN_FILE):
            assert key in before
        elif one.change is StackChange.CREATE:
            known = [old for old in stacks if old[:3] == key[:3]]
            assert not known or (known[0].cluster == one.cluster and not known[0].created)
        elif one.change is StackChange.UNREAD:
            assert one.reason
            assert one.overrides == one.before
    deletes = [one for one in plan.stacks if one.change is StackChange.DELETE]
    assert prune or not deletes
    again = applied(plan, stacks)
    second = plan_fleet(file, again, sets=sets | set(plan.new_sets), changed_sets=(), prune=prune)
    assert second.is_empty, second
    for cluster in file:
        key = (cluster.account, cluster.region, cluster.cluster)
        numbers = [old[0] for old in before if old[1:] == key]
        if numbers:
            assert min(numbers) in [one.number for one in plan.stacks if (one.account, one.region, one.cluster) == key]
            assert (min(numbers), *key) in {(one.number, one.account, one.region, one.cluster) for one in again}


def changes(plan):
    return [(str(one.change), one.number, one.cluster) for one in plan.stacks]


def _plan(file, stacks, **more):
    known = {"sets": {one.number for one in stacks}, "changed_sets": ()}
    return plan_fleet(file, stacks, **(known | more))


PLACE = ("111122223333", "eu-west-1")


def test_the_second_cluster_of_a_place_is_in_the_second_set():
    """Of another region in the first again; the sets that are missing are made."""
    file = [wanted(*PLACE, "a"), wanted(*PLACE, "b"), wanted(PLACE[0], "us-east-1", "c")]
    plan = _plan(file, [])
    assert changes(plan) == [("create", 1, "a"), ("create", 2, "b"), ("create", 1, "c")]
    assert plan.new_sets == (1, 2)


def test_a_hole_is_used_by_a_later_plan():
    """Not by the one that makes it: the deletion may fail."""
    stacks = [deployed(1, *PLACE, "a"), deployed(2, *PLACE, "b")]
    file = [wanted(*PLACE, "b"), wanted(*PLACE, "c")]
    first = _plan(file, stacks, prune=True)
    assert changes(first) == [("unchanged", 2, "b"), ("create", 3, "c"), ("delete", 1, "a")]
    assert changes(_plan(file, stacks)) == [("unchanged", 2, "b"), ("create", 3, "c"), ("not in file", 1, "a")]
    assert changes(_plan(file, stacks[1:])) == [("unchanged", 2, "b"), ("create", 1, "c")]


def test_a_cluster_deployed_twice_keeps_its_first_stack():
    """The second one is what the file does not have."""
    plan = _plan([wanted(*PLACE, "a")], [deployed(2, *PLACE, "a"), deployed(1, *PLACE, "a")])
    assert changes(plan) == [("unchanged", 1, "a"), ("not in file", 2, "a")]


@pytest.mark.parametrize(
    ("stack", "changed", "expected"),
    [
        (deployed(1, *PLACE, "a"), (), "unchanged"),
        (deployed(1, *PLACE, "a"), (1,), "upgrade"),
        (deployed(1, *PLACE, "a", "subnet-0b/z"), (1,), "update"),
        (deployed(1, *PLACE, "a", status="OUTDATED", reason="no"), (), "update"),
        (deployed(1, *PLACE, "a", status="OUTDATED"), (1,), "upgrade"),
        (deployed(1, *PLACE, "a", status="OUTDATED", created=False), (), "create"),
        (deployed(1, *PLACE, "a", status="INOPERABLE"), (1,), "inoperable"),
    ],
)
def test_a_stack_in_each_state(stack, changed, expected):
    """What failed is tried again; what a deletion left unusable is left to a person."""
    [(change, _, _)] = changes(_plan([wanted(*PLACE, "a")], [stack], changed_sets=changed))
    assert change == expected


def test_names_and_numbers_of_sets():
    """Another set whose name begins the same is not one of them."""
    assert [set_number("probe", numbered_name("probe", number)) for number in (1, 2, 12)] == [1, 2, 12]
    others = ("probe-1", "probe-02", "probe-x", "probe-", "probes", "probe-2-3", "Probe", "")
    assert [set_number("probe", name) for name in others] == [0] * len(others)


def test_a_thousand_clusters():
    """In 200 accounts: planned in far less than 2 seconds, five sets, and nothing to do afterwards."""
    file = [wanted(f"{i % 200:012d}", "eu-west-1", f"c{i}") for i in range(1000)]

    def planned():
        plan = plan_fleet(file, [], sets=(), changed_sets=())
        return plan, plan_fleet(file, applied(plan, []), sets=plan.new_sets, changed_sets=())

    plan, second = within_seconds(2, planned)
    assert plan.new_sets == (1, 2, 3, 4, 5)
    assert second.is_empty
