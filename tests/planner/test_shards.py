"""The inventory and its shards: nothing vanishes, little moves, everything fits."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.lab.certs import make_authority
from egressprobe.planner.inventory import as_document, bundled, chosen, read_inventory
from egressprobe.planner.shards import MAX_INPUT, as_input, cut
from egressprobe.targets.plan import read_plan

AUTHORITIES = [make_authority(f"ca-{i}").pem for i in range(3)]


def hook(name, ca=None, **more):
    bundle = {"caBundle": AUTHORITIES[ca]} if ca is not None else {}
    return {"kind": "webhook", "name": name, "url": f"https://{name}.example/validate"} | bundle | more


def inventory(*targets, **more):
    return read_inventory({"targets": list(targets)} | more)


def pieces(found, **bounds):
    return cut(found, **bounds)


def test_each_bundle_is_carried_once_under_its_hash():
    found = inventory(hook("a", 0), hook("b", 0), hook("c", 1), hook("d"))
    [shard] = pieces(found).shards
    assert set(shard.plan["bundles"]) == {found.entries["a"].target.bundle, found.entries["c"].target.bundle}
    assert "caBundle" not in json.dumps(shard.plan["targets"]).replace("caBundleRef", "")
    plan = read_plan(json.loads(as_input(shard.plan))["plan"])
    assert {target.name: target.bundle for target in plan.targets} == {
        name: entry.target.bundle for name, entry in found.entries.items()
    }


def test_bundles_by_name_become_bundles_by_hash():
    found = inventory(hook("a") | {"caBundleRef": "corp"}, hook("b", 2), bundles={"corp": AUTHORITIES[2]})
    assert found.entries["a"].raw["caBundleRef"] == found.entries["b"].raw["caBundleRef"]


def test_the_same_targets_in_any_order_are_the_same_bytes():
    targets = [hook(f"t{i}", i % 3) for i in range(250)]
    first = pieces(inventory(*targets))
    random.Random(4).shuffle(targets)
    again = pieces(inventory(*targets))
    assert [as_input(one.plan) for one in first.shards] == [as_input(one.plan) for one in again.shards]
    assert json.dumps(as_document(inventory(*targets))) == json.dumps(as_document(inventory(*reversed(targets))))


def test_a_document_reads_back_as_the_same_inventory():
    found = inventory(hook("a", 0), hook("b"), kubeVersion="1.33", resolvers=["10.0.0.2"])
    assert read_inventory(as_document(found)) == found


def test_many_targets_and_large_bundles_fit():
    """5,000 targets, more than one run takes, in pieces of at most 100 and 256 KB."""
    found = inventory(*(hook(f"t{i}", i % 3, timeoutSeconds=5) for i in range(5000)))
    done = pieces(found)
    assert sorted(name for shard in done.shards for name in shard.names) == sorted(found.entries)
    assert all(len(as_input(shard.plan)) <= MAX_INPUT and len(shard.names) <= 100 for shard in done.shards)
    assert len(done.shards) <= 128
    assert not done.too_large


def test_a_target_too_large_for_any_schedule_is_named():
    huge = {
        "kind": "webhook",
        "name": "huge",
        "service": {"namespace": "a", "name": "b"},
        "addresses": [f"10.0.{i // 250}.{i % 250}:9443" for i in range(1000)],
    }
    done = pieces(inventory(hook("small"), huge), max_bytes=10_000)
    assert done.too_large == ("huge",)
    assert [shard.names for shard in done.shards] == [("small",)]


NAMES = st.sets(st.integers(0, 300), max_size=60)


@settings(max_examples=60, deadline=None)
@given(before=NAMES, after=NAMES)
def test_whoever_writes_before_deleting_never_loses_a_target(before, after):
    """At every moment each target of both plans is in some bucket: new ones first, then old ones go."""
    old, new = (
        pieces(inventory(*(hook(f"t{i}") for i in sorted(some))), max_targets=5) if some else None
        for some in (before, after)
    )
    store = {shard.bits: set(shard.names) for shard in old.shards} if old else {}
    wanted = {shard.bits: set(shard.names) for shard in new.shards} if new else {}
    stay = {f"t{i}" for i in before & after}
    steps = [*wanted, *(store.keys() - wanted.keys())]
    for bits in steps:
        if bits in wanted:
            store[bits] = wanted[bits]
        else:
            del store[bits]
        assert stay <= set().union(*store.values(), set())
    assert store == wanted


def test_one_more_target_changes_one_bucket():
    targets = [hook(f"t{i}") for i in range(400)]
    before = {shard.bits: as_input(shard.plan) for shard in pieces(inventory(*targets)).shards}
    after = {shard.bits: as_input(shard.plan) for shard in pieces(inventory(*targets, hook("new"))).shards}
    assert len(after) >= 4
    assert sum(before.get(bits) != plan for bits, plan in after.items()) == 1


@pytest.mark.parametrize("most", [1, 3, 100])
def test_the_shards_of_a_plan_add_up_to_exactly_one(most):
    """In floating point and any order, also where a target is too large: a lost shard is less than 1."""
    huge = hook("huge") | {"url": f"https://huge.example/{'x' * 1500}"}
    for many in (1, 2, 7, 150):
        found = inventory(*(hook(f"t{i}") for i in range(many)), huge)
        shards = list(pieces(found, max_targets=most, max_bytes=1500).shards)
        random.Random(many).shuffle(shards)
        assert sum(shard.share for shard in shards) == 1.0
        assert all(sum(shard.share for shard in shards if shard is not lost) < 1.0 for lost in shards)


def test_one_more_target_changes_no_shares_but_where_it_splits_a_shard():
    before = {shard.bits: shard.share for shard in pieces(inventory(*(hook(f"t{i}") for i in range(400)))).shards}
    after = {shard.bits: shard.share for shard in pieces(inventory(*(hook(f"t{i}") for i in range(430)))).shards}
    assert all(after[bits] == share for bits, share in before.items() if bits in after)


def test_each_shard_has_what_was_confirmed_of_its_own_targets():
    found = inventory(*(hook(f"t{i}") for i in range(20)))
    confirmed = {f"t{i}": [f"10.0.0.{i}:443"] for i in range(0, 20, 2)} | {"gone": ["10.0.1.1:443"]}
    shards = pieces(found._replace(common=found.common | {"confirmed": confirmed}), max_targets=5).shards
    assert len(shards) > 1
    for shard in shards:
        mine = {name: tuple(endpoints) for name, endpoints in confirmed.items() if name in shard.names}
        assert read_plan(shard.plan).confirmed == mine


def test_what_may_be_asked_for_is_the_inventory():
    found = inventory(hook("a", 0), hook("b"), hook("policy.example.com"))
    taken, refused = chosen(
        found, ["a", hook("other-name", 1) | {"url": "https://b.example/validate"}, "policy.exmple.com"]
    )
    assert [entry.target.name for entry in taken] == ["a", "b"]
    assert taken[1] is found.entries["b"], "the inventory's own, not the caller's"
    [one] = refused
    assert one.name == "policy.exmple.com"
    assert one.why == 'is not in this stack\'s inventory of 3 targets; did you mean "policy.example.com"?'


def test_globs_ask_for_several_of_the_inventory():
    """In any case; a name with such a character is itself first; one that matches nothing is refused."""
    known = inventory(hook("kyverno-a"), hook("kyverno-b"), hook("opa"), hook("o?a") | {"url": "https://q.example/"})
    for asked, names in (
        ("Kyverno*", ["kyverno-a", "kyverno-b"]),
        ("o?a", ["o?a"]),
        ("op?", ["opa"]),
        ("*", [*known.entries]),
    ):
        taken, refused = chosen(known, [asked])
        assert ([entry.target.name for entry in taken], refused) == (names, [])
    taken, [one] = chosen(known, ["x*", "opa"])
    assert [entry.target.name for entry in taken] == ["opa"]
    assert one.name == "x*"
    assert chosen(known, ["*" * 257])[0] == []


@pytest.mark.parametrize(
    "asked",
    [
        hook("a") | {"url": "https://169.254.169.254/latest"},
        hook("a") | {"url": "https://elsewhere.example/"},
        hook("a") | {"kind": "oidc"},
        {"kind": "endpoint", "name": "a", "url": "tcp://10.0.0.1:22"},
        {"kind": "webhook", "name": "a", "service": {"namespace": "x", "name": "y"}, "addresses": ["10.0.0.1:22"]},
        {"name": ["a"]},
        7,
        None,
    ],
)
def test_a_known_name_opens_no_other_door(asked):
    taken, refused = chosen(inventory(hook("a")), [asked])
    assert not taken
    assert len(refused) == 1


def test_an_artifact_without_targets_has_what_is_discovered(tmp_path):
    assert bundled(tmp_path / "targets.json") == ({}, {}, {})
