"""The Planner while AWS throttles, fails, resets, loses answers or does not answer: it retries, goes on, or says what it
could not do, and no target is lost.

Each run has another plan than the one before: one shard, or two, so that schedules are created, updated and deleted,
under the group's lock.
"""

import time
from itertools import cycle

import pytest

from tests.e2e.stack import say

pytestmark = pytest.mark.netns
ALWAYS = 1 << 30
DISCOVER = "lambda:InvokeFunction"
SCHEDULES = tuple(f"scheduler:{verb}Schedule" for verb in ("Create", "Get", "Update", "Delete"))
CLUSTER = ("eks:DescribeCluster", "eks:ListIdentityProviderConfigs", "ec2:DescribeSubnets")
PLAN = ("scheduler:ListSchedules", *SCHEDULES, *CLUSTER, DISCOVER)
_MANY = {f"w{i:03}": "Fail" for i in range(100)}


@pytest.fixture(scope="module")
def plans(cluster):
    """Sets the cluster's webhooks, in turn to few and to many; each call returns the names that every plan has."""
    kinds = cycle([_MANY, {}])

    def change():
        cluster.webhooks(policy="Fail", second="Fail", audit="Ignore", **next(kinds))
        return {f"{name}.example:8443" for name in ("policy", "second", "audit")} | {"admission-svc.admission.svc"}

    yield change
    cluster.repair()


@pytest.fixture(scope="module", autouse=True)
def reads(stack, faults, plans):
    """What the audit reads: every call that is not the plan's."""
    faults.calls.clear()
    plans()
    stack.plan()
    assert set(PLAN) <= faults.calls.keys(), "a run that changes the plan makes all of these calls"
    say(f"{len(faults.calls)} calls: {', '.join(sorted(faults.calls))}")
    return sorted(faults.calls.keys() - set(PLAN))


def wanted(cluster):
    """How many targets a complete plan has."""
    [configuration] = cluster.api.items["validatingwebhookconfigurations"]
    return len(configuration["webhooks"]) + len(cluster.api.items["apiservices"]) + 1


@pytest.mark.parametrize("kind", ["throttled", "error", "reset", "lost"])
def test_each_call_fails_once(stack, cluster, faults, plans, reads, kind):
    """The run's plan is complete all the same; where the one invocation of Discover failed, it is the last known."""
    for actions in (*((action,) for action in PLAN), reads):
        common = plans()
        faults.arm(kind, *actions)
        began = time.monotonic()
        answer = stack.plan()
        say(f"      {kind} once: {actions[0]}{'' if len(actions) == 1 else ' ...'}: {time.monotonic() - began:.1f} s")
        assert all(faults.hit[action] for action in actions), (actions, faults.hit)
        faults.clear()
        assert "errorMessage" not in answer, (actions, answer)
        assert all(common <= names for names in stack.planned().values()), actions
        lost = actions == (DISCOVER,) and kind != "throttled"
        codes = {finding["code"] for finding in answer["findings"]}
        assert ("DISCOVERY_FAILED" in codes) is lost, (actions, codes)
        if not lost:
            assert {len(names) for names in stack.planned().values()} == {wanted(cluster)}, actions
    stack.plan()
    assert {len(names) for names in stack.planned().values()} == {wanted(cluster)}


def test_no_call_is_answered_the_first_time(stack, cluster, faults, plans):
    """Each waits for its own time-out, a quarter of a minute, and is made again."""
    plans()
    calls = tuple(action for action in PLAN if action != DISCOVER)
    faults.arm("timeout", *calls)
    answer = stack.plan()
    assert all(faults.hit[action] for action in calls)
    faults.clear()
    assert "errorMessage" not in answer
    assert {len(names) for names in stack.planned().values()} == {wanted(cluster)}


def test_discover_does_not_answer(stack, faults, plans):
    """It is not invoked twice: what was found last stays planned."""
    common = plans()
    faults.arm("timeout", DISCOVER)
    answer = stack.plan()
    faults.clear()
    assert "DISCOVERY_FAILED" in {finding["code"] for finding in answer["findings"]}
    assert all(common <= names for names in stack.planned().values())


@pytest.mark.parametrize("action", PLAN)
def test_a_call_always_fails(stack, cluster, faults, plans, action):
    """What could not be done is said: the run raises, so that Lambda counts an error, or reports a finding."""
    usual = {finding["code"] for finding in stack.plan()["findings"]}
    common = plans()
    faults.arm("error", action, times=ALWAYS)
    answer = stack.plan()
    assert faults.hit[action]
    faults.clear()
    said = answer.get("errorMessage") or {finding["code"] for finding in answer["findings"]} - usual
    say(f"      {action} always fails: {str(said)[:300]}")
    assert said
    assert all(common <= names for names in stack.planned().values())
    assert "errorMessage" not in stack.plan()
    assert {len(names) for names in stack.planned().values()} == {wanted(cluster)}


@pytest.mark.parametrize("spared", ["", "ec2:DescribeVpcs"])
def test_what_the_audit_reads_always_fails(stack, faults, plans, reads, spared):
    """The plan is written, and the audit gives up in time: without the VPC, or with little more than it."""
    plans()
    faults.arm("throttled", *(action for action in reads if action != spared), times=ALWAYS)
    began = time.monotonic()
    answer = stack.plan()
    seconds = time.monotonic() - began
    faults.clear()
    say(f"      {seconds:.1f} s")
    assert ("errorMessage" in answer, seconds < 60) == (False, True)
    if spared:
        assert {finding["code"] for finding in answer["audit"]["findings"]} == {"AUDIT_PART_UNREADABLE"}
    else:
        assert "cannot be read" in answer["audit"]["error"]
