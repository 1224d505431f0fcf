"""Rollouts page nobody, and an outage during one pages all the same: the real Planner, probes and alarms, over many seeds.

`make test` runs a few of each; `make check` the whole tables, whose figures docs/alarms.md has.
"""

import pytest

from tests.conftest import REQUIRE_ALL
from tests.support.rollouts.cluster import NEVER
from tests.support.rollouts.world import FAILING, MINUTE, RolloutWorld

REPLICAS, GAPS = (1, 2, 3, 4, 6, 10), (10, 20, 30, 60, 90, 120, 180, 240, 300)
TRIALS = 3
# Of `make test`: without the failing minutes being looked up before they count, each of these pages.
KNOWN = ((2, 90, 2290), (2, 120, 1223), (2, 180, 6283), (10, 20, 5020), (10, 30, 8030))
OUTAGES = tuple(range(6)) if REQUIRE_ALL else (1,)


def world_of(seed, replicas):
    world = RolloutWorld(seed)
    world.cluster.deploy("svc", replicas)
    world.cluster.deploy("other", 2)
    return world


def rollout(seed, replicas, gap):
    """One rollout at any time between two plans, with the new pod before or after the old one."""
    world = world_of(seed, replicas)
    surge, readiness, start = world.dice.random() < 0.5, world.dice.uniform(5, 50), world.dice.uniform(300, 1500)
    with world.running(120):
        end = world.cluster.roll("svc", start, gap=gap, readiness=readiness, surge=surge)
        world.clock.run((end // MINUTE + 9) * MINUTE)
    return world


@pytest.mark.parametrize(("replicas", "gap", "seed"), KNOWN)
def test_a_rollout_pages_nobody(replicas, gap, seed):
    assert rollout(seed, replicas, gap).notices() == []


@pytest.mark.thorough
@pytest.mark.parametrize("replicas", REPLICAS)
def test_at_most_one_rollout_in_a_hundred_pages(replicas, record_property):
    trials = [(gap, 7_000_000 + 1000 * i + 100 * replicas + gap) for gap in GAPS for i in range(TRIALS)]
    paged = [(gap, seed) for gap, seed in trials if rollout(seed, replicas, gap).notices()]
    record_property("said", f"rollouts of {replicas} replicas that paged: {len(paged)} of {len(trials)}")
    assert len(paged) <= len(trials) / 100, paged


@pytest.mark.parametrize("seed", range(20 if REQUIRE_ALL else 1))
def test_an_upgrade_of_a_node_group_pages_nobody(seed):
    """Also where pods of several Services move more than once, and their nodes end."""
    world = RolloutWorld(seed)
    for i in range(world.dice.randrange(1, 5)):
        world.cluster.deploy(f"svc{i}", world.dice.choice([1, 2, 2, 3, 5, 10]))
    start, nodes = world.dice.uniform(300, 1500), world.dice.choice([3, 4, 6, 10])
    with world.running(150):
        gap, readiness = world.dice.choice([30, 60, 120, 180, 240, 300]), world.dice.uniform(5, 50)
        end = world.cluster.upgrade(start, nodes=nodes, gap=gap, readiness=readiness)
        world.clock.run((end // MINUTE + 9) * MINUTE)
    assert world.notices() == []


def path(world, at):
    """Every packet to its pods is dropped, also to those that come later."""
    world.cluster.cut["svc", None] = at


def one_subnet(world, at):
    world.cluster.cut["svc", world.probes[1].subnet_id] = at


def crash(world, at):
    """Its containers end, also those of pods that come later, which are never ready."""
    world.cluster.crash("svc", at)
    for pod in world.cluster.pods["svc"]:
        if pod.answers_from >= at:
            pod.answers_from = pod.listed_from = NEVER


def crash_loop(world, at):
    """Its containers end again and again, and are ready for some seconds in between, ever more rarely."""
    crash(world, at)
    world.cluster.loop("svc", at)


def evicted_again_and_again(world, at):
    """Each pod is ready for a moment and then replaced by another one, with another address."""
    crash(world, at)
    for minute in range(20):
        pod = world.cluster.create("svc", at + 60 * minute + world.dice.uniform(0, 40))
        pod.answers_until, pod.listed_until = pod.answers_from + 10, pod.answers_from + 12


def outage(seed, breaks, planner):
    """Begins at any time of a rollout; `planner`: how it is from then on, or "dead before" the rollout began."""
    world = world_of(seed, (1, 2, 3, 10)[seed % 4])
    replicas, gap = (1, 2, 3, 10)[seed % 4], world.dice.choice([20, 30, 60, 90, 120, 180, 240])
    start = world.dice.uniform(300, 1500)
    begins = start + world.dice.uniform(0, max(min(gap * replicas, 600), 60))
    if planner == "dead before":
        world.clock.at(start - world.dice.uniform(10, 290), lambda: setattr(world, "planner", "dead"))
    else:
        world.clock.at(begins, lambda: setattr(world, "planner", planner))
    with world.running(120):
        readiness, surge = world.dice.uniform(5, 50), world.dice.random() < 0.5
        world.cluster.roll("svc", start, gap=gap, readiness=readiness, surge=surge)
        breaks(world, begins)
        world.clock.run((begins // MINUTE + 20) * MINUTE)
    return world, begins


@pytest.mark.parametrize("planner", ["alive", "dead before", "dead", "forbidden"])
@pytest.mark.parametrize("breaks", [path, one_subnet, crash, crash_loop, evicted_again_and_again])
def test_an_outage_during_a_rollout_pages(breaks, planner, record_property):
    """Named within six minutes; seven where the Planner ends in the same moment, or its pods are ready now and then. The
    page about the cluster stays on. Without a Planner, the rollout itself may have paged before.
    """
    late = []
    for seed in OUTAGES:
        world, begins = outage(seed, breaks, planner)
        pages = [(at, state) for at, alarm, state in world.notices() if alarm in FAILING]
        assert {state for at, state in pages if at > begins} <= {"ALARM"}, (seed, "no all-clear")
        assert planner == "dead before" or pages[0][0] > begins, (seed, "the rollout alone paged")
        late.append(max(pages[0][0] - begins, 0) / MINUTE)
    median = sorted(late)[len(late) // 2]
    figures = f"median {median:.1f}, at most {max(late):.1f} minutes"
    record_property("said", f"outage in a rollout, {breaks.__name__}, Planner {planner}: named after {figures}")
    assert max(late) <= (7 if planner == "dead" or breaks is crash_loop else 6)


def test_a_seed_gives_the_same_run_each_time():
    runs = [rollout(5, 2, 60) for _ in range(2)]
    assert runs[0].looks == runs[1].looks
