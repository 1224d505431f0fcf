"""A message that has arrived at one place is not repeated there because another one refuses it."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from egressprobe.planner.incidents.evaluate import NotReportedError
from tests.support.outages.world import BREAKAGES, OutageWorld

DOWN = next(one for one in BREAKAGES if one.name == "a server is down")


def refusing(world, call):
    def before(name):
        if name == call and world.run:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "by the test"}}, name)

    world.calls.before = before


@pytest.fixture
def world():
    with OutageWorld().running() as one:
        one.on_event = lambda event: one.clock.process(one.clock.now + 1, lambda: quietly(one, event))
        yield one


def quietly(world, event):
    try:
        world.evaluate(event)
    except NotReportedError:
        return


def transitions(messages):
    return [message["MessageAttributes"]["transition"]["StringValue"] for message in messages]


def test_people_get_a_message_once_while_the_bus_refuses_it(world, capsys):
    """And its recovery; CloudWatch does not page, as they have it. A Planner in a VPC may have no endpoint for events."""
    refusing(world, "PutEvents")
    world.breaks(DOWN)
    world.pass_minutes(40)
    assert transitions(world.sns) == ["broken"]
    assert '"IncidentsReported":[1.0]' in capsys.readouterr().out
    world.heals(DOWN.name)
    world.pass_minutes(40)
    assert transitions(world.sns) == ["broken", "recovered"]
    assert world.published == []
    assert {run.outcome for run in world.runs[2:]} >= {"raised"}, "it is reported as an error"


def test_the_bus_gets_what_it_missed(world):
    refusing(world, "PutEvents")
    world.breaks(DOWN)
    world.pass_minutes(20)
    world.calls.before = lambda name: None
    world.pass_minutes(16)
    world.heals(DOWN.name)
    world.pass_minutes(30)
    assert transitions(world.sns) == [message.transition for message in world.published] == ["broken", "recovered"]


def test_the_bus_gets_a_message_once_while_the_topic_refuses_it(world, capsys):
    """And nothing counts as reported: CloudWatch pages."""
    refusing(world, "Publish")
    world.breaks(DOWN)
    world.pass_minutes(40)
    assert [message.transition for message in world.published] == ["broken"]
    assert "IncidentsReported" not in capsys.readouterr().out
    world.calls.before = lambda name: None
    world.pass_minutes(16)
    assert transitions(world.sns) == ["broken"]


def test_two_clusters_have_two_ids_for_what_they_lose_in_one_second():
    """They share a pager: with one dedup key the end of the one would close the other's."""
    ids = []
    for region, cluster in (("eu-west-1", "prod"), ("eu-west-1", "test"), ("us-east-1", "prod"), ("eu-west-1", "prod")):
        world = OutageWorld()
        world.settings = world.settings._replace(region=region, cluster_name=cluster)
        with world.running():
            world.breaks(DOWN)
            world.pass_minutes(10)
            ids.append(SimpleNamespace(**world.published[0].detail).dedupKey)
    assert len(set(ids[:3])) == 3
    assert ids[3] == ids[0]
