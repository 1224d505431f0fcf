"""The whole flow on virtual time: the template's alarms over metrics that the probes really publish, events as
CloudWatch sends them, the audit of a VPC that is broken, and the messages that arrive.
"""

import json

import pytest

from egressprobe.planner.incidents.store import INCIDENTS
from tests.support.outages.chaos import ChaosWorld
from tests.support.outages.world import BREAKAGES, NOTICES, PAGES, OutageWorld

BY_NAME = {breakage.name: breakage for breakage in BREAKAGES}
CAUSES = {
    "no default route": ("ROUTE_NO_EGRESS", PAGES),
    "an ACL closes the way to pods": ("NACL_EGRESS_DENIED", PAGES),
    "an ACL closes a provider": ("NACL_EGRESS_DENIED", PAGES),
    "a server is down": ("connect_refused", PAGES),
    "a certificate expired": ("tls_cert_expired", PAGES),
    "an unknown CA": ("tls_unknown_authority", PAGES),
    "a name is gone": ("dns_nxdomain", PAGES),
    "what fails open": ("connect_refused", NOTICES),
}


@pytest.fixture
def world():
    with OutageWorld().running() as one:
        yield one


def remembered(world):
    return json.loads(world.scheduler.there[INCIDENTS]["Target"]["Input"])["items"]


def transitions(world):
    return [message.transition for message in world.published]


ALWAYS = ("no default route", "a server is down", "what fails open")


@pytest.mark.parametrize(
    "name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.thorough) for name in CAUSES]
)
def test_a_cause_is_one_message_and_its_end_another(world, name):
    """Within 3 minutes of the first alarm about it, to the right topic; nothing in between, nothing left."""
    world.breaks(BY_NAME[name])
    world.pass_minutes(25)
    code, topic = CAUSES[name]
    [broken] = world.published
    assert (broken.transition, broken.detail["code"]) == ("broken", code)
    assert [message["TopicArn"] for message in world.sns] == [topic]
    assert broken.at - world.alarmed_at() < 180
    affected = {target["name"] for target in broken.detail["cause"]["targets"]}
    assert affected == set(BY_NAME[name].targets)
    world.heals(name)
    world.pass_minutes(30)
    assert transitions(world) == ["broken", "recovered"]
    assert len({message.detail["dedupKey"] for message in world.published}) == 1
    assert [message["TopicArn"] for message in world.sns] == [topic, topic]
    assert remembered(world) == []
    assert {run.outcome for run in world.runs} == {"ended"}


def test_most_runs_read_twice(world):
    """Nothing is on, and nothing was ever remembered."""
    world.calls.made.clear()
    answer = world.evaluate()
    assert world.calls.made == ["DescribeAlarms", "Scheduler get"]
    assert (answer.incidents, answer.notes) == ((), ())


def test_a_lost_memory_repeats_the_message_with_its_id(world):
    """An older Planner deletes schedules that it does not know."""
    world.breaks(BY_NAME["a server is down"])
    world.pass_minutes(10)
    del world.scheduler.there[INCIDENTS]
    world.pass_minutes(15)
    assert transitions(world) == ["broken", "broken"]
    assert len({message.id for message in world.published}) == 1
    world.heals("a server is down")
    world.pass_minutes(30)
    assert transitions(world)[2:] == ["recovered"]


KILLED_AT = [3, 9, 15, 21, 27, 29, 30, 31, 32, 33, 34, 40]


@pytest.mark.parametrize(
    "call", [at if at in (29, 31) else pytest.param(at, marks=pytest.mark.thorough) for at in KILLED_AT]
)
def test_a_run_that_is_killed_at_any_call_is_repeated_with_the_same_id(call):
    """Lambda invokes the function again; the lock of the one that was killed expires."""
    world = ChaosWorld(call)

    def killed():
        return [run for run in world.runs if run.outcome == "killed"]

    def begins(run):
        if world.on("targets") and not killed():
            run.dies_at = call

    world._begins = begins
    with world.running():
        world.breaks(BY_NAME["an ACL closes a provider"])
        world.pass_minutes(12)
        assert killed()
        assert len({message.id for message in world.published}) == len(world.arrived()) == 1
        world.heals("an ACL closes a provider")
        world.pass_minutes(30)
        assert {message.transition for message in world.published} == {"broken", "recovered"}
        assert remembered(world) == []


def test_what_is_muted_is_silent_until_the_mute_ends(world):
    """With the rule as the reason; then it is reported, if it is still open."""
    for alarm in ("targets", "path broken", "egress path down"):
        world.cloudwatch.muted[f"egressprobe prod {alarm}"] = "maintenance"
    world.breaks(BY_NAME["a server is down"])
    world.pass_minutes(15)
    assert world.published == []
    assert remembered(world)[0]["silent"] == "muted: mute rule maintenance"
    world.cloudwatch.muted.clear()
    world.pass_minutes(16)
    assert transitions(world) == ["broken"]


def test_a_notice_without_a_topic_goes_to_the_bus_alone():
    with OutageWorld(notices="").running() as world:
        world.breaks(BY_NAME["what fails open"])
        world.pass_minutes(25)
        assert transitions(world) == ["broken"]
        assert world.sns == []
        assert remembered(world)[0]["silent"] == "no topic for notices: EventBridge alone has the message"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("Invoke", "could be probed again"),
        ("Snapshot", "the VPC's configuration was not read"),
        *(
            pytest.param(*row, marks=pytest.mark.thorough)
            for row in (
                ("LookupEvents", "CloudTrail could not be read"),
                ("GetMetricData", "the time is that of the alarm"),
                ("DescribeAlarmContributors", ""),
                ("DescribeAlarms", ""),
                ("DescribeCluster", ""),
            )
        ),
        ("Scheduler", ""),
    ],
)
def test_what_hangs_costs_its_part_of_the_message_alone(fault, words):
    """Within 3 minutes of the alarm, with what is not known in it."""
    world = ChaosWorld(1)
    with world.running():
        world.hang(fault)
        world.breaks(BY_NAME["an ACL closes a provider"])
        world.pass_minutes(9)
        first = world.published[0]
        if fault != "Scheduler":  # on the world's clock a call that is given up goes on until it ends
            assert first.at - world.alarmed_at() < 180
        assert {target["name"] for target in first.detail["cause"]["targets"]} <= set(BY_NAME["an ACL closes a provider"].targets)  # fmt: skip
        assert words in json.dumps(first.detail)


def test_a_recovery_does_not_say_that_a_removed_target_passes(world):
    """It is over because the plan has it no more: nothing was measured."""
    world.breaks(BY_NAME["what fails open"])
    world.pass_minutes(25)
    entries = {name: entry for name, entry in world.inventory.entries.items() if name != "labels"}
    world.inventory = world.inventory._replace(entries=entries)
    world.heals("what fails open")
    world.pass_minutes(30)
    assert transitions(world) == ["broken", "recovered"]
    headline = world.published[-1].detail["headline"]
    assert "1 target left the plan, not probed any more." in headline
    assert "passes" not in headline
