"""With TargetNotifications=causes the Planner sends the messages; CloudWatch pages where it does not (docs/alarms.md)."""

import pytest

from egressprobe.model.target import Impact
from tests.stack.test_alarms import HALVES, MINUTE, NAMES, PAGED, UNCERTAIN, World
from tests.support.aws.cloudformation import rendered

TICKETS = "arn:aws:sns:eu-west-1:123456789012:tickets"
BROKEN, EGRESS = "path broken", "egress path down, not reported"


def _thorough(*values):
    return pytest.param(*values, marks=pytest.mark.thorough)


class Reporting(World):
    """A stack whose Planner reports what is open `takes` seconds after an alarm has turned on, and each quarter of an
    hour what it has reported. alive: whether it runs. on: the alarms that began an incident, as it last saw them.
    """

    def __init__(self, *, takes=60, delay=45.0, **parameters):
        super().__init__(2, delay=delay, **({"TargetNotifications": "causes"} | parameters))
        self.takes, self.alive, self._on = takes, True, False

    def pass_minutes(self, minutes):
        for _ in range(minutes):
            self.run(1)
            on = "ALARM" in (self.watch.composite["PathBroken"].state, self.watch.metric["EgressDown"].state)
            if self.alive and (on is not self._on or (on and self.now % 900 == 0)):
                self._report(self.now + self.takes, int(on))
            self._on = on
        return self

    def _report(self, at, incidents):
        directive = {"Namespace": "EgressProbe", "Dimensions": [["ClusterName"]]}
        document = {
            "_aws": {"CloudWatchMetrics": [directive | {"Metrics": [{"Name": "IncidentsReported"}]}]},
            "ClusterName": "prod",
            "IncidentsReported": [incidents],
        }
        self._waiting.append((at + self._delay, at, document))

    def sent(self):
        """(minute, alarm, state) of every message that CloudWatch sent, about whatever."""
        return [(n.at // MINUTE, n.alarm.removeprefix("egressprobe prod "), n.state) for n in self.watch.notices]


@pytest.fixture
def world():
    return Reporting


@pytest.mark.parametrize(
    ("takes", "delay"), [(150, 75), *(_thorough(takes, delay) for takes in (5, 60) for delay in (5, 45, 75))]
)
def test_cloudwatch_says_nothing_while_the_planner_reports(world, takes, delay):
    """An hour of outage of two targets, a degraded one and its end; the messages are the Planner's."""
    one = world(takes=takes, delay=delay, NoticeTopicArn=TICKETS).pass_minutes(30)
    one.failing, one.degraded = {(None, NAMES[0])}, {NAMES[3]}
    one.pass_minutes(30)
    one.failing |= {(None, NAMES[1])}
    one.pass_minutes(30)
    assert one.watch.composite["PathBroken"].state == "ALARM"
    one.failing, one.degraded = set(), set()
    one.pass_minutes(60)
    assert one.watch.composite["PathBroken"].state == "OK"
    assert one.sent() == []


@pytest.mark.parametrize("delay", [45, _thorough(5), _thorough(75)])
def test_a_planner_that_does_not_report_costs_one_page_and_its_all_clear(world, delay):
    one = world(delay=delay).pass_minutes(30)
    one.alive, one.failing = False, {(None, NAMES[0])}
    one.pass_minutes(12)
    one.failing |= {(None, NAMES[1])}
    one.pass_minutes(48)
    [(at, which, state)] = one.sent()
    assert (which, state) == (BROKEN, "ALARM")
    assert 7 <= at - 30 <= 10
    one.failing = set()
    one.pass_minutes(30)
    assert [message[1:] for message in one.sent()[1:]] == [(BROKEN, "OK")]
    assert {n.topics for n in one.watch.notices} == {(PAGED,)}


@pytest.mark.parametrize("after", [20, _thorough(1), _thorough(50)])
def test_a_planner_that_stops_in_an_incident_costs_one_page_within_half_an_hour(world, after):
    """What it has reported counts for 20 minutes, and the suppression's extension is six."""
    one = world().pass_minutes(30)
    one.failing = {(None, NAMES[0])}
    one.pass_minutes(6 + after)
    one.alive, stopped = False, 36 + after
    one.pass_minutes(60)
    [(at, which, state)] = one.sent()
    assert (which, state) == (BROKEN, "ALARM")
    assert at - stopped <= 30
    one.failing = set()
    assert [message[1:] for message in one.pass_minutes(30).sent()[1:]] == [(BROKEN, "OK")]


def test_a_message_that_comes_late_does_not_leave_the_page_open(world):
    """CloudWatch has paged when the Planner reports; its all-clear comes when what was reported is over."""
    one = world(takes=8 * MINUTE).pass_minutes(30)
    one.failing = {(None, NAMES[0])}
    one.pass_minutes(30)
    assert [message[1:] for message in one.sent()] == [(BROKEN, "ALARM")]
    one.failing = set()
    one.pass_minutes(60)
    assert [message[1:] for message in one.sent()] == [(BROKEN, "ALARM"), (BROKEN, "OK")]


@pytest.mark.thorough
@pytest.mark.parametrize("alive", [False, True], ids=["not reported", "reported"])
@pytest.mark.parametrize("what", UNCERTAIN)
def test_no_uncertainty_clears_the_page(world, what, alive):
    one = world().pass_minutes(30)
    one.shards = HALVES if "shard" in what else one.shards
    one.alive, one.failing = alive, {(one.subnets[0], NAMES[0])}
    one.pass_minutes(15)
    UNCERTAIN[what](one)
    one.pass_minutes(90)
    about = [message[1:] for message in one.sent() if message[1] == BROKEN]
    assert about == ([] if alive else [(BROKEN, "ALARM")])
    one.blind, one.dead, one.lost, one.names, one.retired = set(), set(), set(), NAMES, 0
    one.uncounted, one.failing = set(), set()
    one.pass_minutes(60)
    about = [message[1:] for message in one.sent() if message[1] == BROKEN]
    assert about == ([] if alive else [(BROKEN, "ALARM"), (BROKEN, "OK")])


def test_no_page_about_paths_while_no_probe_reports(world):
    """All probes stop with the target, or minutes before its page is due: "probe broken" is the only page."""
    for before in (1, 2):
        one = world().pass_minutes(30)
        one.alive, one.failing = False, {(None, NAMES[0])}
        one.pass_minutes(before)
        one.dead = set(one.subnets)
        one.pass_minutes(60)
        assert [message[1:] for message in one.sent()] == [("probe broken", "ALARM")], before


@pytest.mark.parametrize(("pages", "topic"), [("true", PAGED), ("false", TICKETS)])
def test_an_egress_path_that_is_down_and_not_reported_is_one_message(world, monkeypatch, pages, topic):
    """Without an all-clear: its series end with the probes'."""
    monkeypatch.setattr("egressprobe.publish.emf.egress_is_down", lambda report: report.summary.degraded > 0)
    for alive in (True, False):
        one = world(NoticeTopicArn=TICKETS, EgressPages=pages).pass_minutes(30)
        one.alive, one.degraded = alive, {NAMES[0]}
        one.pass_minutes(30)
        one.degraded = set()
        one.pass_minutes(60)
        sent = [(n.alarm.removeprefix("egressprobe prod "), n.state, n.topics) for n in one.watch.notices]
        assert sent == ([] if alive else [(EGRESS, "ALARM", (topic,))])


def test_what_fails_open_is_the_planners_message_alone(world):
    one = world(NoticeTopicArn=TICKETS)
    one.impact = Impact.BYPASSES
    one.pass_minutes(30)
    one.failing, one.alive = {(None, NAMES[1])}, False
    assert one.pass_minutes(30).sent() == []
    assert one.watch.metric["Notices"].state == "ALARM"


def test_trouble_with_probes_and_certificates_is_cloudwatchs_message_as_before(world):
    one = world(NoticeTopicArn=TICKETS).pass_minutes(30)
    one.days, one.dead = 6.5, {one.subnets[0]}
    one.pass_minutes(30)
    sent = {(n.alarm.removeprefix("egressprobe prod "), n.topics) for n in one.watch.notices}
    assert sent == {("certificates", (TICKETS,)), ("probe impaired", (PAGED,))}


def test_who_is_notified_by_what():
    """No alarm about a path notifies at once; two do where the Planner does not."""
    stack = rendered(3, AlarmTopicArn=PAGED, NoticeTopicArn=TICKETS)
    topics = {name: one.get("AlarmActions", []) for name, one in stack.of("AWS::CloudWatch::Alarm").items()}
    assert {name: to for name, to in topics.items() if to} == {"Certificates": [TICKETS], "AuditNotices": [TICKETS]}
    composites = stack.of("AWS::CloudWatch::CompositeAlarm")
    actions = {name: (one.get("AlarmActions", []), one.get("OKActions", [])) for name, one in composites.items()}
    whole = ([PAGED], [PAGED])
    assert actions == {
        "PathBroken": whole,
        "ReportedOrUnknown": ([], []),
        "EgressUnreported": ([PAGED], []),
        "ProbeBroken": whole,
        "ProbeImpaired": whole,
    }
    for name in ("PathBroken", "EgressUnreported"):
        assert composites[name]["ActionsSuppressor"].endswith(":alarm:egressprobe prod reported or probe broken")
