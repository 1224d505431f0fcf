"""The Planner's events about incidents: which are accepted, and what a failure costs."""

import json

import pytest

from egressprobe.handlers import planner
from egressprobe.incidents.answer import OPEN_INCIDENTS_SCHEMA
from egressprobe.planner.incidents.evaluate import NotReportedError
from egressprobe.planner.reconcile import PlanError
from tests.planner.incidents.test_events import ATTRIBUTES, alarm_event
from tests.support.outages.world import OutageWorld


class Context:
    aws_request_id = "run"
    left = 300_000

    def get_remaining_time_in_millis(self):
        return self.left


@pytest.fixture
def world(monkeypatch):
    """The handler over the world's clients; nothing is broken. The plan has an answer of its own."""
    one = OutageWorld()
    for name, value in {
        "read_settings": one.settings,
        "read_incident_settings": one.incidents,
        "bundled": one.inventory,
        "clients": one.clients,
        "incident_clients": one.aws,
    }.items():
        monkeypatch.setattr(planner, name, lambda value=value: value)
    monkeypatch.setattr(planner, "make_plan", lambda *_: {"targets": 5})
    monkeypatch.setattr(planner, "_end_expired_drills", lambda _: None)
    one.cloudwatch.alarms = {f"egressprobe prod {kind}": ("OK", one.now()) for kind in ("targets", "path broken")}
    return one


def invoke(event, left=300_000):
    context = Context()
    context.left = left
    return planner.handler(event, context)


@pytest.mark.parametrize(
    "event", [{"action": "incidents"}, alarm_event("path broken"), alarm_event("targets", attributes=ATTRIBUTES)]
)
def test_an_evaluation_answers_with_what_is_open(world, event):
    """The event is no more than a reason to look: the alarm is off by now, and nothing is probed."""
    answer = invoke(event)
    assert json.loads(json.dumps(answer)) == answer
    assert (answer["schemaVersion"], answer["clusterName"], answer["incidents"]) == (OPEN_INCIDENTS_SCHEMA, "prod", [])
    made = [call for call in world.calls.made if not call.startswith("Scheduler")]
    assert (made, world.scheduler.there) == (["DescribeAlarms"], {})


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ({"action": "incidents", "targets": []}, "event.targets: is not known here; known are action"),
        ({"action": "acknowledge", "who": "me"}, "event.who: is not known here"),
        ({"action": "acknowledge", "targets": ["kyverno"], "until": "soon"}, "event.until: must be a time"),
        ({"action": "alarm"}, "event.action: must be one of"),
        (alarm_event("targets") | {"source": "me"}, "event.action: must be one of"),
    ],
)
def test_events_that_mean_nothing_are_refused(world, event, place):
    answer = invoke(event)
    assert answer["error"]["message"].startswith(place)
    assert world.calls.made == []


def test_a_target_is_acknowledged(world):
    answer = invoke({"action": "acknowledge", "targets": ["kyverno", "nobody"], "by": "ada"} | {"until": _soon()})
    assert [(one["target"], one["by"]) for one in answer["acknowledgements"]] == [("kyverno", "ada")]
    assert [one["name"] for one in answer["refused"]] == ["nobody"]
    assert invoke({"action": "acknowledge", "targets": ["kyverno"]})["acknowledgements"] == []


def _soon():
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_what_cannot_be_read_is_raised_so_that_lambda_repeats_the_event(world):
    world.calls.garbled = lambda name: name == "DescribeAlarms"
    with pytest.raises(NotReportedError, match="lists no alarm"):
        invoke(alarm_event("targets", "OK", ATTRIBUTES))


def test_the_plan_evaluates_too_and_a_failure_of_that_costs_it_nothing(world, capsys):
    assert invoke({"action": "plan"}) == {"targets": 5}
    assert world.calls.made == ["DescribeAlarms", "Scheduler get"]
    world.calls.garbled = lambda name: name == "DescribeAlarms"
    capsys.readouterr()
    assert invoke({"action": "plan"}) == {"targets": 5}
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["EvaluationsFailed"] for line in printed if "EvaluationsFailed" in line] == [[1.0]]


def test_a_plan_that_fails_is_followed_by_an_evaluation(world, monkeypatch):
    def fail(*_):
        raise PlanError("some schedule could not be written")

    monkeypatch.setattr(planner, "make_plan", fail)
    with pytest.raises(PlanError):
        invoke({"action": "plan"})
    assert world.calls.made == ["DescribeAlarms", "Scheduler get"]


def test_a_plan_that_took_too_long_is_not_followed_by_one(world):
    assert invoke({"action": "plan"}, left=100_000) == {"targets": 5}
    assert world.calls.made == []
