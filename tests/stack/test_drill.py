"""`egressprobe drill` against the alarms' simulator: what it waits for, what it says, and that nothing of it is left."""

import io
import json
import signal
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from egressprobe.cli.commands import drill as command
from egressprobe.cli.main import main
from egressprobe.handlers import planner
from egressprobe.incidents.answer import OpenIncidents
from egressprobe.incidents.model import Incident, Tier, Transition
from egressprobe.model.errors import InputError
from egressprobe.model.target import DRILL_TARGET
from egressprobe.planner.drill.schedule import LASTS, start
from egressprobe.planner.incidents.settings import IncidentSettings
from egressprobe.planner.settings import Probe, Settings
from egressprobe.stack.deployment import Deployment
from egressprobe.stack.drill import run as drills
from egressprobe.stack.drill.run import CLEAR_WITHIN, PAGE_WITHIN, drill
from tests.stack.test_alarms import BEGAN, MINUTE, NAMES, World
from tests.support.aws.scheduler_memory import Scheduler

SETTINGS = Settings("prod", (Probe(2, "subnet-2", "eu-west-1a", "arn:probe-2"),), "group", "arn:role")
PREFIX = "egressprobe prod "
TOPIC = "arn:aws:sns:eu-west-1:123456789012:pages"


class Account:
    """boto3's session over a stack in the simulator; `pause` lets its time pass."""

    region_name = "eu-west-1"

    def __init__(self, world, monkeypatch, mode):
        self.world, self.scheduler, self.mode = world, Scheduler(), mode
        messages = IncidentSettings(mode == "causes", TOPIC, alarm_prefix=PREFIX, stack="egressprobe-prod")
        self.deployment = Deployment("planner", SETTINGS, messages, "/logs/planner", "target")
        self.failing, self.pauses, self._seconds = {}, 0, 0.0
        self.said = []
        # Of the Planner's memory: why it sends nothing, and whether what is over is forgotten at once.
        self.silent, self.forgets, self.reported = "", False, False
        world.drills = lambda: any(name.startswith("drill-") for name in self.scheduler.there)
        monkeypatch.setattr(planner, "clients", lambda: SimpleNamespace(scheduler=self.scheduler))
        monkeypatch.setattr(planner, "read_settings", lambda: SETTINGS)
        monkeypatch.setattr(planner, "datetime", SimpleNamespace(now=lambda _: self.now()))

    def now(self):
        return datetime.fromtimestamp(BEGAN + self.world.now + self._seconds, UTC)

    def pause(self, seconds):
        self.pauses += 1
        self._seconds += seconds
        if self._seconds >= MINUTE:
            self._seconds -= MINUTE
            self.world.run(1)

    def client(self, name, **_):
        return {"lambda": self, "cloudwatch": self}[name]

    class exceptions:  # noqa: N801 (boto3's name)
        ClientError = ClientError

    def drill(self, **more):
        return drill(self, self.deployment, say=self.said.append, pause=self.pause, now=self.now, **more)

    def remembered(self):
        """Of a Planner that reports the drill a minute after its alarm, its end a minute after that of the incident."""
        on = {dict(key).get("Target") for key in self.world.watch.metric["Targets"].contributors}
        broken = self.world.watch.composite["PathBroken"].state == "ALARM"
        incidents = ()
        if DRILL_TARGET in on or (self.reported and broken):
            self.reported = True
            incidents = (self.incident(),)
        elif self.reported and not self.forgets:
            incidents = (self.incident(Transition.RECOVERED),)
        return OpenIncidents("egressprobe/open-incidents/v1", "prod", "", incidents)

    def incident(self, *more):
        fields = {"id": "i-1", "key": "drill|egressprobe-drill", "code": "drill", "tier": Tier.PAGE, "what": "a drill"}
        sent = () if self.silent else (Transition.BROKEN, *more)
        failing = {DRILL_TARGET: ()}
        return Incident(**fields, opened_at="2026-11-26T15:00:00Z", failing=failing, sent=sent, silent=self.silent)

    # -- AWS ----------------------------------------------------------------------------------------------------

    def invoke(self, FunctionName, Payload):  # noqa: N803
        event = json.loads(Payload)
        if event["action"] == "acknowledge":
            answer = msgspec.to_builtins(self.remembered())
            return {"Payload": io.BytesIO(json.dumps(answer).encode())}
        if event["state"] in self.failing:
            raise self.failing[event["state"]]
        answer = planner.handler(event, SimpleNamespace(aws_request_id="r"))
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def describe_alarms(self, AlarmNames, AlarmTypes):  # noqa: N803
        states = self.world.watch.states()
        alarms = [{"AlarmName": name, "StateValue": states[name]} for name in AlarmNames if name in states]
        if alarms and alarms[0]["AlarmName"] == f"{PREFIX}targets":
            topics = {"true": [TOPIC], "notices": ["arn:aws:sns:eu-west-1:123456789012:notices"]}
            alarms[0]["AlarmActions"] = topics.get(self.mode, [])
        return {"MetricAlarms": alarms[:2], "CompositeAlarms": alarms[2:]}

    def describe_alarm_contributors(self, AlarmName):  # noqa: N803
        [alarm] = [one for one in self.world.watch.metric.values() if one.name == AlarmName]
        return {"AlarmContributors": [{"ContributorAttributes": dict(key)} for key in alarm.contributors]}

    def get_paginator(self, operation):
        assert operation == "describe_alarm_history"
        return self

    def paginate(self, AlarmName, HistoryItemType, StartDate, **_):  # noqa: N803
        items = [
            {
                "Timestamp": datetime.fromtimestamp(BEGAN + notice.at, UTC),
                "HistorySummary": f"Successfully executed action {notice.topics[0]}",
                "AlarmContributorAttributes": dict(notice.contributor),
            }
            for notice in self.world.watch.notices
            if notice.alarm == AlarmName and bool(notice.contributor) is (HistoryItemType != "Action")
        ]
        return [{"AlarmHistoryItems": [item for item in items if item["Timestamp"] >= StartDate]}]


@pytest.fixture
def account(monkeypatch):
    def make(**parameters):
        given = {"TargetNotifications": "true"} | parameters
        return Account(World(delay=5, **given).run(30), monkeypatch, given["TargetNotifications"])

    return make


def about(account):
    return [
        (n.alarm.removeprefix(PREFIX), n.state, dict(n.contributor).get("Target")) for n in account.world.watch.notices
    ]


def test_a_drill_sees_the_page_and_the_all_clear_in_time_and_is_gone(account):
    one = account()
    outcome = one.drill()
    assert outcome.kept
    assert [step.what for step in outcome.steps] == ["page", "all-clear"]
    assert all(timedelta(minutes=2) < step.took < step.promised for step in outcome.steps)
    assert about(one) == [("targets", "ALARM", "egressprobe-drill"), ("path broken", "OK", None)]
    assert one.scheduler.there == {}
    assert "as promised" in str(outcome)
    assert outcome.document()["kept"] is True
    one.world.run(60)
    assert about(one)[2:] == [], "nothing is remembered of it"


@pytest.mark.parametrize("forgets", [False, True])
def test_where_the_planner_sends_its_memory_shows_that_the_message_has_left(account, forgets):
    """No alarm has an action; what is over may be forgotten before it is looked at."""
    one = account(TargetNotifications="causes")
    one.forgets = forgets
    outcome = one.drill()
    assert outcome.kept, str(outcome)
    assert all(timedelta(minutes=2) < step.took < step.promised for step in outcome.steps)
    assert one.scheduler.there == {}


def test_a_planner_that_does_not_report_the_drill_has_failed_it(account, monkeypatch):
    """Muted, it says why; a Planner that nothing woke has nothing in its memory."""
    one = account(TargetNotifications="causes")
    one.silent = "muted: mute rule maintenance"
    outcome = one.drill()
    assert outcome.steps[0].problem == "was not sent: muted: mute rule maintenance"
    other = account(TargetNotifications="causes")
    monkeypatch.setattr(other, "remembered", lambda: OpenIncidents("egressprobe/open-incidents/v1", "prod", ""))
    outcome = other.drill()
    [step] = outcome.steps
    assert (step.what, step.problem[:22]) == ("page", "did not come in 14 min")
    assert other.scheduler.there == {}


def test_no_target_of_the_cluster_is_hidden_by_a_drill(account):
    """A real one fails meanwhile: it has its own message, the drill names it, and the all-clear comes when it ends."""
    one = account()
    pause, one.pause = one.pause, lambda seconds: (setattr(one.world, "failing", {(None, NAMES[0])}), pause(seconds))
    outcome = one.drill()
    assert outcome.others == (NAMES[0],)
    assert not outcome.kept
    assert outcome.steps[1].took is None
    assert f"Not the drill: {NAMES[0]}" in str(outcome)
    assert ("targets", "ALARM", NAMES[0]) in about(one)
    one.world.failing = set()
    one.world.run(30)
    assert about(one)[-1] == ("path broken", "OK", None)


def test_a_drill_is_no_heartbeat_and_no_evidence(account):
    """The probe of its subnet is dead, the plan's schedules are lost: the drill's own runs must not cover that up."""
    one = account()
    one.scheduler.there["drill-1"] = {}
    one.world.dead = {one.world.subnets[0]}
    one.world.run(15)
    assert ("probe impaired", "ALARM", None) in about(one)


def test_a_drill_beside_a_real_incident_is_refused(account):
    one = account()
    one.world.failing = {(None, NAMES[0])}
    one.world.run(10)
    with pytest.raises(InputError, match=f'"path broken" is on: {NAMES[0]}; a drill would be part of that incident'):
        one.drill()
    assert one.scheduler.there == {}
    assert one.pauses == 0


def test_without_any_probe_no_drill(account):
    one = account()
    one.world.dead = set(one.world.subnets)
    one.world.run(10)
    with pytest.raises(InputError, match="no probe reports"):
        one.drill()


@pytest.mark.parametrize("mode", ["notices", "false"])
def test_a_page_that_does_not_name_the_drill_needs_consent(account, mode):
    one = account(TargetNotifications=mode)
    with pytest.raises(InputError, match="looks like a real incident; warn whoever is on call and use --page"):
        one.drill()
    assert one.scheduler.there == {}
    assert one.drill(may_page=True).kept
    assert [entry[:2] for entry in about(one)] == [("path broken", "ALARM"), ("path broken", "OK")]


@pytest.mark.parametrize("step", [1, 2, 10, 20, 40])
@pytest.mark.parametrize("error", [KeyboardInterrupt, EndpointConnectionError(endpoint_url="x"), MemoryError])
def test_an_interruption_at_any_point_leaves_nothing(account, step, error):
    one = account()
    pause = one.pause

    def interrupted(seconds):
        pause(seconds)
        if one.pauses == step:
            raise error

    one.pause = interrupted
    with pytest.raises(error if isinstance(error, type) else type(error)):
        one.drill()
    assert one.scheduler.there == {}


def test_an_interruption_while_the_planner_starts_it_leaves_nothing(account):
    """The Planner may create the schedule after the first stop."""
    one = account()
    one.failing["start"] = KeyboardInterrupt()
    pause = one.pause
    one.pause = lambda seconds: (start(one.scheduler, SETTINGS, one.now()), pause(seconds))
    with pytest.raises(KeyboardInterrupt):
        one.drill()
    assert one.scheduler.there == {}


def test_a_drill_that_cannot_be_stopped_says_when_it_ends(account):
    one = account()
    pause, one.pause = (
        one.pause,
        lambda seconds: (
            one.failing.update(stop=ClientError({"Error": {"Code": "Throttling"}}, "Invoke")),
            pause(seconds),
        ),
    )
    one.drill()
    until = (datetime.fromtimestamp(BEGAN, UTC) + timedelta(minutes=30) + LASTS).isoformat(timespec="seconds")
    assert any("could not be stopped" in line and until in line for line in one.said)


def test_the_next_drill_removes_what_a_killed_one_left_and_waits_for_its_all_clear(account):
    one = account()
    start(one.scheduler, SETTINGS, one.now())
    one.world.run(10)
    assert about(one) == [("targets", "ALARM", "egressprobe-drill")]
    assert one.drill().kept
    assert [entry[:2] for entry in about(one)] == [("targets", "ALARM"), ("path broken", "OK")] * 2
    assert any("left behind" in line for line in one.said)
    assert one.scheduler.there == {}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("no message", "did not come in 14 min"),
        ("refused", "was not sent: Failed to execute action arn:aws:sns:eu-west-1:1:x"),
        ("late", "came after 1"),
    ],
)
def test_a_message_that_is_missing_refused_or_late_is_not_as_promised(account, monkeypatch, broken, words):
    one = account()
    real = one.paginate

    def paginate(**given):
        [page] = real(**given)
        items = page["AlarmHistoryItems"]
        if broken == "refused":
            for item in items:
                item["HistorySummary"] = "Failed to execute action arn:aws:sns:eu-west-1:1:x"
        if broken == "late":
            for item in items:
                item["Timestamp"] += timedelta(minutes=8)
        return [{"AlarmHistoryItems": [] if broken == "no message" else items}]

    monkeypatch.setattr(one, "paginate", paginate)
    outcome = one.drill()
    assert not outcome.kept
    assert words in outcome.steps[0].problem
    assert one.scheduler.there == {}


def test_alarms_that_are_missing_or_muted_are_named(account, monkeypatch):
    one = account()
    whole = one.describe_alarms
    monkeypatch.setattr(one, "describe_alarms", lambda **given: {"MetricAlarms": [], "CompositeAlarms": []})
    with pytest.raises(InputError, match='has no alarm "egressprobe prod targets"; deploy it again'):
        one.drill()
    muted = whole(
        AlarmNames=[PREFIX + name for name in ("targets", "broken", "path broken", "probe broken")], AlarmTypes=[]
    )
    muted["CompositeAlarms"][0]["ActionsEnabled"] = False
    monkeypatch.setattr(one, "describe_alarms", lambda **given: muted)
    with pytest.raises(InputError, match='the actions of the alarm "egressprobe prod path broken" are disabled'):
        one.drill()


def test_a_planner_of_an_older_version_is_told_from_a_drill(account, monkeypatch, capsys):
    one = account()
    answer = {"error": {"code": "target_invalid", "message": "event.action: must be one of plan, probe, doctor"}}
    monkeypatch.setattr(planner, "handler", lambda *_: answer)
    monkeypatch.setattr(drills, "session_for", lambda *_: one)
    monkeypatch.setattr(drills, "deployment_of", lambda *_: one.deployment)
    assert main(["drill", "--stack", "egressprobe-prod"]) == 1
    assert "deploy the stack again" in capsys.readouterr().err


@pytest.mark.parametrize(("kept", "code"), [(True, 0), (False, 3)])
@pytest.mark.parametrize("output", ["table", "json"])
def test_the_command(monkeypatch, capsys, output, kept, code):
    took = timedelta(minutes=4, seconds=10)
    steps = (
        drills.DrillStep("page", took, PAGE_WITHIN),
        drills.DrillStep("all-clear", took, CLEAR_WITHIN, None if kept else "came after 9 min 00 s"),
    )
    monkeypatch.setattr(drills, "run_drill", lambda *_, **__: drills.DrillResult(steps, "arn:topic"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(["drill", "--stack", "s", "-o", output]) == code
    printed = capsys.readouterr().out
    if output == "json":
        assert json.loads(printed)["kept"] is kept
    else:
        assert ["4 min 10 s" in line for line in printed.splitlines()] == [False, True, True, False]
    with pytest.raises(KeyboardInterrupt):
        command._interrupted(signal.SIGTERM, None)
