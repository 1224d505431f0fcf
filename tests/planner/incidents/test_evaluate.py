"""The whole flow on virtual time: the template's alarms over metrics that the probes really publish, events as
CloudWatch sends them, the audit of a VPC that is broken, and the messages that arrive.
"""

import json

import pytest

from egressprobe.planner.incidents.store import INCIDENTS
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


@pytest.mark.parametrize("name", CAUSES)
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
