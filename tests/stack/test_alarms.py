"""Who is paged, when, and when not: the rendered alarms over what the probe and the Planner really publish."""

import contextlib
import io
import itertools
import json
import random
import time
from datetime import UTC, datetime
from functools import cache

import pytest

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Handshake
from egressprobe.model.report import REPORT_SCHEMA, Report, Result, TargetView, Vantage, count, worst
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.publish.emf import Series, publish
from tests.conftest import ROOT
from tests.support.aws.alarms import MISSING, CloudWatch, verdict
from tests.support.aws.cloudformation import SUBNETS, rendered

PAGED = "arn:aws:sns:eu-west-1:123456789012:egressprobe-prod-Topic"
NAMES = tuple(f"target-{i}" for i in range(4))
MINUTE = 60
# CloudWatch takes two weeks of the past; the world's clock begins a day ago, on the hour.
BEGAN = (int(time.time()) // 3600 - 24) * 3600
GOOD, BAD, NONE = False, True, MISSING
NAMED = ("Target", "Code", "Impact")


@pytest.mark.parametrize(
    ("points", "wanted", "breaching", "not_breaching", "ignore"),
    [
        # AWS, "Configuring how CloudWatch alarms treat missing data", both tables; three periods, five looked at. None:
        # "Retain current state".
        ([GOOD, NONE, BAD, NONE, BAD], 3, "OK", "OK", "OK"),
        ([NONE, NONE, NONE, NONE, GOOD], 3, "OK", "OK", "OK"),
        ([NONE, NONE, NONE, NONE, NONE], 3, "ALARM", "OK", None),
        ([GOOD, BAD, BAD, NONE, BAD], 3, "ALARM", "ALARM", "ALARM"),
        ([NONE, NONE, BAD, NONE, NONE], 3, "ALARM", "OK", None),
        ([GOOD, NONE, BAD, NONE, BAD], 2, "ALARM", "ALARM", "ALARM"),
        ([GOOD, GOOD, BAD, GOOD, BAD], 2, "ALARM", "ALARM", "ALARM"),
        ([GOOD, NONE, BAD, NONE, NONE], 2, "ALARM", "OK", "OK"),
        ([NONE, NONE, NONE, NONE, GOOD], 2, "ALARM", "OK", "OK"),
        ([NONE, NONE, NONE, NONE, BAD], 2, "ALARM", "OK", None),
    ],
)
def test_missing_data_counts_as_documented(points, wanted, breaching, not_breaching, ignore):
    how = ("breaching", "notBreaching", "ignore")
    states = [verdict(points, periods=3, wanted=wanted, missing=missing) for missing in how]
    assert states == [breaching, not_breaching, ignore]


def _failure(verdict_of_target, code, control_down):
    if control_down:
        return Failure(Phase.CONNECT, Code.CONTROL_UNREACHABLE, "its control is down")
    return Failure(Phase.CONNECT, code, "i/o timeout") if verdict_of_target is Verdict.FAIL else None


@cache
def documents(series, more, subnet, verdicts, *findings):
    """What the probe publishes for these results. Runs of other minutes publish the same with another time."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        publish(report(0, subnet, dict(verdicts), *findings), series, **dict(more))
    return [json.loads(line) for line in printed.getvalue().splitlines() if '"_aws"' in line]


def report(at, subnet, verdicts, days=80.0, impact=Impact.BLOCKS, code=Code.CONNECT_TIMEOUT, controls_down=frozenset()):
    """What one run found."""
    results = tuple(
        Result(
            target=TargetView(Kind.WEBHOOK, name, f"https://{name}.example/"),
            verdict=said,
            impact=impact,
            switch_relevant=True,
            failure=_failure(said, code, name in controls_down),
            forecast=None,
            resolutions=(),
            attempts=(_attempt(days),),
            http=(),
            findings=(),
            duration_ms=12.0,
        )
        for name, said in verdicts.items()
    )
    return Report(
        schema_version=REPORT_SCHEMA,
        run_id="run",
        started_at=datetime.fromtimestamp(BEGAN + at, UTC).isoformat(timespec="milliseconds"),
        duration_ms=100.0,
        vantage=Vantage("prod", subnet.partition("/")[0], subnet.partition("/")[2], (), "", ""),
        verdict=worst(verdicts.values()),
        summary=count(list(verdicts.values())),
        results=results,
        findings=(),
    )


def _attempt(days):
    return Attempt("192.0.2.1", 443, "ipv4", tls=Handshake(duration_ms=1.0, user_ms=1.0, days_remaining=days))


class World:
    """A cluster's stack over hours: what fails, who is dead; `run` lets minutes pass.

    Its page topic gets one message for each incident, and its all-clear; other parameters make the targets pages.
    """

    def __init__(self, subnets=3, *, seed=1, delay=45.0, **parameters):
        stack = rendered(subnets, **({"TargetNotifications": "false"} | parameters))
        self.watch = CloudWatch(stack)
        self.subnets = SUBNETS[:subnets]
        self.failing, self.blind, self.dead = set(), set(), set()
        self.controls_down = set()  # names of targets that must be blocked, unknown because their control is down
        self.uncounted = set()  # names of targets whose failures do not count yet
        # The share of each shard of the plan, and its names; lost: (subnet, shard) whose schedule is gone.
        self.shards, self.lost = ((1.0, slice(None)),), set()
        # Whether a drill's schedule fires in the first subnet.
        self.drills = lambda: False
        self.planner, self.stale_since, self.days, self.now = True, None, 80.0, 0
        self.one_series = False
        # One code of a failure for each minute, in turn.
        self.codes = (Code.CONNECT_TIMEOUT,)
        self.degraded, self.retired, self.impact, self.mode, self.names = (
            set(),
            0,
            Impact.BLOCKS,
            "CUSTOMER_ROUTED",
            NAMES,
        )
        self._random, self._delay = random.Random(seed), delay
        self._series = Series(stack.parameters["MetricDetail"], int(stack.parameters["MaxSeries"]))
        self._waiting = []

    def run(self, minutes):
        """Each schedule fires once anywhere in each minute; a document is seen `delay` seconds later."""
        for _ in range(minutes):
            for subnet, shard in itertools.product(self.subnets, range(len(self.shards))):
                if subnet not in self.dead and (subnet, shard) not in self.lost:
                    self._publish(self.now + self._random.random() * MINUTE, subnet, *self.shards[shard])
            if self.drills():
                at = self.now + self._random.random() * MINUTE
                self._print(at, self.subnets[0], {"egressprobe-drill": Verdict.FAIL}, drill=True)
            if self.planner and self.now % 900 == 0:
                age = 0 if self.stale_since is None else self.now + 5 - self.stale_since
                self._waiting.append((self.now + 5, self.now + 5, {"age": age}))
            self.now += MINUTE
            self._deliver()
            self.watch.evaluate(self.now)
        return self

    def _publish(self, at, subnet, share, part):
        verdicts = {}
        for name in self.names[part]:
            down = (subnet, name) in self.failing or (None, name) in self.failing
            unseen = (subnet, name) in self.blind
            weak = Verdict.DEGRADED if name in self.degraded else Verdict.PASS
            unseen |= name in self.controls_down
            verdicts[name] = Verdict.UNKNOWN if unseen else Verdict.FAIL if down else weak
        code = self.codes[int(at) // MINUTE % len(self.codes)]
        self._print(
            at,
            subnet,
            verdicts,
            *(self.days, self.impact, code, frozenset(self.controls_down)),
            one_series=self.one_series,
            retired=self.retired,
            egress_mode=self.mode,
            share=share,
            uncounted=frozenset(name for name in self.uncounted if verdicts.get(name) is Verdict.FAIL),
        )

    def _print(self, at, subnet, verdicts, *findings, **more):
        found = documents(self._series, frozenset(more.items()), subnet, tuple(verdicts.items()), *findings)
        self._waiting += [(at + self._delay, at, document) for document in found]

    def _deliver(self):
        for _, at, document in [one for one in self._waiting if one[0] <= self.now]:
            if "age" in document:
                self.watch.store.add("EgressProbe", "PlanAge", {"ClusterName": "prod"}, at, document["age"])
            else:
                self.watch.store.add_document(document, at)
        self._waiting = [one for one in self._waiting if one[0] > self.now]

    def pages(self):
        """(minutes since the start, which, what) of every page about the cluster."""
        return [
            (n.at // MINUTE, n.alarm.removeprefix("egressprobe prod "), n.state)
            for n in self.watch.notices
            if not n.contributor
        ]

    def named(self):
        """(minutes since the start, which, target, code, impact) of every notification about one target."""
        return [
            (n.at // MINUTE, n.alarm.removeprefix("egressprobe prod "), *map(dict(n.contributor).get, NAMED))
            for n in self.watch.notices
            if "Target" in dict(n.contributor)
        ]


@pytest.fixture
def world():
    return World


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("delay", [5, 45, 75])
def test_nothing_wrong_nobody_paged(world, seed, delay):
    """Three hours of schedules that fire anywhere in their minute, and documents that arrive late."""
    assert world(seed=seed, delay=delay).run(180).pages() == []


def test_a_cold_start_and_one_bad_minute_are_no_page(world):
    one = world().run(30)
    one.failing = {(None, NAMES[0])}
    one.run(2)
    one.failing = set()
    one.run(10)
    one.dead = {one.subnets[0]}  # a run that was killed, then one that started late
    one.run(1)
    one.dead = set()
    assert one.run(30).pages() == []


@pytest.mark.parametrize("detail", ["target", "subnet"])
@pytest.mark.parametrize("delay", [5, 45, 75])
def test_an_outage_pages_once_within_five_minutes_and_says_when_it_is_over(world, detail, delay):
    one = world(delay=delay, MetricDetail=detail).run(30)
    one.failing = {(None, NAMES[1])}
    one.run(60)
    [(at, which, state)] = one.pages()
    assert (which, state) == ("path broken", "ALARM")
    assert at - 30 <= 5 + delay // 60
    contributors = [dict(key) for key in one.watch.metric["Targets"].contributors]
    assert {key["Target"] for key in contributors} == {NAMES[1]}
    assert {key.get("SubnetId") for key in contributors} == (
        {None} if detail == "target" else {s.partition("/")[0] for s in one.subnets}
    )
    one.failing = set()
    one.run(30)
    assert [page[1:] for page in one.pages()[1:]] == [("path broken", "OK")]
    assert 3 <= one.pages()[1][0] - 90 <= 8
    assert {n.topics for n in one.watch.notices} == {(PAGED,)}


def test_an_outage_in_one_subnet_only_pages(world):
    one = world().run(30)
    one.failing = {(one.subnets[2], NAMES[0])}
    assert [page[1:] for page in one.run(20).pages()] == [("path broken", "ALARM")]


@pytest.mark.parametrize(("pattern", "paged"), [("100", False), ("10", True), ("1000", False), ("110", True)])
def test_flapping_pages_when_half_of_the_minutes_are_bad(world, pattern, paged):
    one = world().run(30)
    for i in range(60):
        one.failing = {(None, NAMES[0])} if pattern[i % len(pattern)] == "1" else set()
        one.run(1)
    states = [page[1:] for page in one.pages()]
    assert states == ([("path broken", "ALARM")] if paged else [])


@pytest.mark.parametrize("seed", range(4))
def test_a_failure_that_does_not_count_yet_pages_nobody_before_its_fourth_minute(world, seed):
    """Three minutes, again and again, with counted ones between them; neither is it trouble with the probe."""
    one = world(seed=seed, TargetNotifications="true").run(30)
    for _ in range(3):
        one.failing, one.uncounted = {(None, NAMES[0])}, {NAMES[0]}
        one.run(3)
        one.failing = set()
        one.run(5)
        one.failing, one.uncounted = {(None, NAMES[0])}, set()
        one.run(2)
        one.failing = set()
        one.run(15)
    assert one.pages() == one.named() == []


@pytest.mark.parametrize("detail", ["target", "subnet"])
@pytest.mark.parametrize("delay", [5, 45, 75])
def test_a_failure_that_nobody_looks_up_pages_all_the_same(world, detail, delay):
    """It is named once, by its code when it counts again, and cleared on evidence."""
    one = world(delay=delay, MetricDetail=detail, TargetNotifications="true").run(30)
    one.failing, one.uncounted = {(None, NAMES[1])}, {NAMES[1]}
    one.run(30)
    [(at, *named)] = one.named()
    assert named == ["not looked up", NAMES[1], None, None]
    assert 4 <= at - 30 <= 6
    assert one.watch.composite["PathBroken"].state == "ALARM"
    one.uncounted = set()  # the Planner is back
    one.run(30)
    assert {(alarm, target) for _, alarm, target, *_ in one.named()[1:]} == {("targets", NAMES[1])}
    assert one.pages() == []
    one.failing = set()
    one.run(30)
    assert [page[1:] for page in one.pages()] == [("path broken", "OK")]


def test_targets_that_fail_by_turns_are_no_outage_of_any(world):
    """Each alone fails one minute in four: no target is broken for three of six."""
    one = world().run(30)
    for i in range(60):
        one.failing = {(None, NAMES[i % 4])}
        one.run(1)
    assert one.pages() == []


def by_turns(one, minutes, pattern):
    """Each minute one letter for each of the first targets: F fails, U is unknown, P passes.

    Returns whether the path was ever broken.
    """
    broken = False
    for i in range(minutes):
        states = pattern[i % len(pattern)]
        one.failing = {(None, name) for name, state in zip(NAMES, states, strict=False) if state == "F"}
        one.blind = {(s, name) for s in one.subnets for name, state in zip(NAMES, states, strict=False) if state == "U"}
        one.run(1)
        broken = broken or one.watch.composite["PathBroken"].state == "ALARM"
    return broken


@pytest.mark.parametrize("pattern", ["FU", "FUU", "FUP", "FFU", "FUFP", "FUUP", "FFUU", "FFUP", "FUFUU"])
def test_a_target_that_fails_and_is_unknown_by_turns_has_a_message_when_the_path_is_broken(world, pattern):
    """Where it fails too seldom for one, it begins no incident either."""
    one = world(1, TargetNotifications="true").run(20)
    broken = by_turns(one, 40, pattern)
    assert {target for _, _, target, *_ in one.named()} == ({NAMES[0]} if broken else set())


@pytest.mark.parametrize(
    ("given", "paged"),
    [("true", [("path broken", "OK")]), ("false", [("path broken", "ALARM"), ("path broken", "OK")])],
)
def test_targets_that_fail_by_turns_between_unknown_minutes_are_an_incident_without_a_target(world, given, paged):
    """None of them fails 3 minutes in 4, so none is named. In each minute with a failure the subnet sees one, minutes
    in which something is unknown prove nothing, and "unproven" holds the incident (docs/alarms.md).
    """
    one = world(1, TargetNotifications=given).run(20)
    assert by_turns(one, 40, ["FU", "UF", "UU"])
    assert one.named() == []
    by_turns(one, 30, ["PP"])
    assert [page[1:] for page in one.pages() if page[1] != "probe impaired"] == paged


def test_a_dead_probe_pages_and_hides_nothing(world):
    """One of three: impaired, not broken; an outage seen by the others still pages."""
    one = world().run(30)
    one.dead = {one.subnets[1]}
    one.run(15)
    [(at, which, state)] = one.pages()
    assert (which, state) == ("probe impaired", "ALARM")
    assert 3 <= at - 30 <= 7
    one.failing = {(None, NAMES[0])}
    one.run(15)
    assert [page[1:] for page in one.pages()[1:]] == [("path broken", "ALARM")]


def test_when_all_probes_die_in_an_outage_nobody_hears_that_it_is_over(world):
    one = world().run(30)
    one.failing = {(None, NAMES[0])}
    one.run(20)
    one.dead = set(one.subnets)
    one.run(60)
    assert [page[1:] for page in one.pages()] == [("path broken", "ALARM"), ("probe broken", "ALARM")]
    one.dead = set()
    one.run(30)
    assert [page[1:] for page in one.pages()[2:]] == [("probe broken", "OK")]
    one.failing = set()
    one.run(30)
    assert [page[1:] for page in one.pages()[3:]] == [("path broken", "OK")]


def test_the_only_probe_dead_is_probe_broken(world):
    one = world(1).run(30)
    one.dead = set(one.subnets)
    assert [page[1:] for page in one.run(30).pages()] == [("probe broken", "ALARM")]


def test_a_blind_probe_pages_as_impaired_not_as_a_broken_path(world):
    one = world().run(30)
    one.blind = {(one.subnets[0], NAMES[3])}
    one.run(10)
    assert [page[1:] for page in one.pages()] == [("probe impaired", "ALARM")]
    one.failing = {(None, NAMES[0])}
    assert [page[1:] for page in one.run(10).pages()[1:]] == [("path broken", "ALARM")]


def test_a_blocked_target_whose_control_is_down_is_no_probe_trouble_and_holds_no_all_clear(world):
    """Its verdict is unknown. Where nothing but such targets is planned, nothing shows that the probe works."""
    one = world().run(30)
    one.controls_down = {NAMES[3]}
    assert one.run(30).pages() == []
    one.failing = {(None, NAMES[0])}
    assert [page[1:] for page in one.run(10).pages()] == [("path broken", "ALARM")]
    one.failing = set()
    assert [page[1:] for page in one.run(15).pages()[1:]] == [("path broken", "OK")]
    one.controls_down = set(NAMES)
    assert [page[1:] for page in one.run(15).pages()[2:]] == [("probe impaired", "ALARM")]


@pytest.mark.parametrize("dead", [True, False], ids=["the Planner is dead", "the cluster cannot be read"])
def test_a_plan_that_is_an_hour_old_pages_to_the_minute_and_an_outage_still_does(world, dead):
    """The last plan was made in minute 105; "probe impaired" waits two minutes for "probe broken"."""
    one = world().run(106)
    one.planner, one.stale_since = not dead, 105 * MINUTE
    one.run(60)
    assert one.pages() == []
    one.run(60)
    [(at, which, state)] = one.pages()
    assert (which, state) == ("probe impaired", "ALARM")
    assert 62 <= at - 105 <= 65
    one.failing = {(None, NAMES[0])}
    assert [page[1:] for page in one.run(10).pages()[1:]] == [("path broken", "ALARM")]


def test_a_plan_that_is_renewed_now_and_then_is_not_old(world):
    """One good run in an hour is enough; a part that could not be read in the others is younger than an hour."""
    one = world().run(120)
    for _ in range(3):
        one.stale_since = one.now
        one.run(45)
        one.stale_since = None
        one.run(15)
    assert one.pages() == []


HALVES = ((0.5, slice(0, 2)), (0.5, slice(2, 4)))


@pytest.mark.parametrize("delay", [5, 75])
def test_the_lost_schedule_of_one_shard_is_noticed(world, delay):
    """The other shard goes on in the same subnet, so no minute is empty and no target is unknown."""
    one = world(delay=delay)
    one.shards = HALVES
    assert one.run(60).pages() == []
    one.lost = {(one.subnets[1], 0)}
    one.run(60)
    [(at, which, state)] = one.pages()
    assert (which, state) == ("probe impaired", "ALARM")
    assert 4 <= at - 60 <= 8
    one.lost = set()
    assert [page[1:] for page in one.run(20).pages()[1:]] == [("probe impaired", "OK")]


@pytest.mark.parametrize(("every", "paged"), [(2, True), (5, False)])
def test_a_probe_whose_runs_fail_pages(world, every, paged):
    """Counted by Lambda, also where another shard's runs are well: one in five is no page."""
    one = world().run(60)
    for i in range(30):
        if i % every == 0:
            one.watch.store.add("AWS/Lambda", "Errors", {"FunctionName": "egressprobe-1a2b3c4d-probe-1"}, one.now, 1)
        one.run(1)
    assert [page[1:] for page in one.pages()] == ([("probe impaired", "ALARM")] if paged else [])


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_a_planner_that_fails_twice_pages(world, metric):
    one = world().run(60)
    for _ in range(2):
        planner_failed(one, metric, 3)
        one.run(15)
    assert [page[1:] for page in one.run(5).pages()] == [("probe impaired", "ALARM")]


@pytest.mark.parametrize("minute", [0, 12, 14])
def test_one_failed_planner_run_is_no_page(world, minute):
    """Nor are its two repetitions, also where they fail in the next quarter of an hour; two such runs are a page."""
    one = world().run(60 + minute)
    planner_failed(one, "Errors", 1)
    planner_failed(one, "Errors", 1, later=1)
    planner_failed(one, "Errors", 1, later=3)
    assert one.run(60).pages() == []
    for _ in range(2):
        planner_failed(one, "Errors", 1)
        planner_failed(one, "Errors", 1, later=1)
        planner_failed(one, "Errors", 1, later=3)
        one.run(15)
    assert [page[1:] for page in one.run(15).pages()] == [("probe impaired", "ALARM")]


def planner_failed(one, metric, times, later=0):
    """So many invocations in one minute; Lambda makes three attempts of one run."""
    where = {"FunctionName": "egressprobe-1a2b3c4d-planner"}
    for _ in range(times):
        one.watch.store.add("AWS/Lambda", metric, where, one.now + later * MINUTE, 1)


def test_a_new_stack_is_given_time_and_then_paged(world):
    """No page while the first plan is on its way; a probe that never comes up is paged."""
    one = world()
    one.dead, one.planner = set(one.subnets), False
    one.run(16)
    one.dead, one.planner = set(), True
    assert one.run(60).pages() == []
    never = world()
    never.dead = set(never.subnets)
    assert [page[1:] for page in never.run(40).pages()] == [("probe broken", "ALARM")]


def test_above_the_cap_the_page_comes_and_names_nobody(world):
    one = world(MetricDetail="subnet")
    one.one_series = True
    one.run(30)
    one.failing = {(one.subnets[0], NAMES[2])}
    assert [page[1:] for page in one.run(10).pages()] == [("path broken", "ALARM")]
    assert [dict(key)["Target"] for key in one.watch.metric["Broken"].contributors] == ["all targets"]


def test_a_target_that_leaves_the_plan_clears_when_it_is_no_longer_remembered(world):
    """For hours it is; the removal may be an accident of discovery."""
    one = world().run(30)
    one.failing = {(None, NAMES[0])}
    one.run(20)
    one.names, one.retired = NAMES[1:], 1
    one.run(120)
    assert [page[1:] for page in one.pages()] == [("path broken", "ALARM")]
    one.retired = 0
    one.run(20)
    assert [page[1:] for page in one.pages()] == [("path broken", "ALARM"), ("path broken", "OK")]


UNCERTAIN = {
    "every verdict unknown": lambda one: setattr(one, "blind", {(s, n) for s in one.subnets for n in NAMES}),
    "the failing target unknown": lambda one: setattr(one, "blind", {(s, NAMES[0]) for s in one.subnets}),
    "one subnet unknown": lambda one: setattr(one, "blind", {(one.subnets[0], n) for n in NAMES}),
    "the failing subnet silent": lambda one: setattr(one, "dead", {one.subnets[0]}),
    "every subnet silent": lambda one: setattr(one, "dead", set(one.subnets)),
    "the target left the plan": lambda one: (setattr(one, "names", NAMES[1:]), setattr(one, "retired", 1)),
    "the shard of the failing target is lost": lambda one: setattr(one, "lost", {(one.subnets[0], 0)}),
    "the failing target does not count yet": lambda one: setattr(one, "uncounted", {NAMES[0]}),
    "silent and unknown": lambda one: (
        setattr(one, "dead", {one.subnets[0]}), setattr(one, "blind", {(one.subnets[1], NAMES[0])}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("still", [True, False], ids=["still broken", "recovered"])
@pytest.mark.parametrize("delay", [5, 45, 75])
@pytest.mark.parametrize("what", UNCERTAIN)
def test_no_uncertainty_ever_clears_a_page(world, what, delay, still):
    """The failing target, seen from one subnet: nothing about "path broken" is said while nothing is known of it. Then
    an all-clear comes if it has recovered, and nothing if it has not: neither a second page nor a false all-clear.
    """
    one = world(delay=delay, seed=delay)
    one.shards = HALVES if "shard" in what else one.shards
    one.run(30)
    one.failing = {(one.subnets[0], NAMES[0])}
    one.run(15)
    UNCERTAIN[what](one)
    one.run(90)
    about = [page[1:] for page in one.pages() if page[1] == "path broken"]
    assert about == [("path broken", "ALARM")]
    one.blind, one.dead, one.lost, one.names, one.retired = set(), set(), set(), NAMES, 0
    one.uncounted = set()
    if not still:
        one.failing = set()
    one.run(40)
    about = [page[1:] for page in one.pages() if page[1] == "path broken"]
    assert about == [("path broken", "ALARM"), *([] if still else [("path broken", "OK")])]
    one.failing = set()
    one.run(30)
    about = [page[1:] for page in one.pages() if page[1] == "path broken"]
    assert about == [("path broken", "ALARM"), ("path broken", "OK")]


def test_every_target_that_breaks_is_named_with_its_code_and_impact(world):
    """Also the second, an hour after the first; each once, and nothing else is a page until all is well again."""
    one = world(TargetNotifications="true").run(30)
    one.failing = {(None, NAMES[0])}
    one.run(60)
    one.failing |= {(None, NAMES[2])}
    one.run(60)
    first, second = one.named()
    assert first[1:] == ("targets", NAMES[0], "connect_timeout", "blocks")
    assert second[1:] == ("targets", NAMES[2], "connect_timeout", "blocks")
    assert (3 <= first[0] - 30 <= 6, 3 <= second[0] - 90 <= 6) == (True, True)
    assert one.pages() == []
    one.failing = {(None, NAMES[2])}
    assert one.run(30).pages() == [], "one of two is well again"
    one.failing = set()
    assert [page[1:] for page in one.run(30).pages()] == [("path broken", "OK")]
    assert len(one.watch.notices) == 3
    assert {n.topics for n in one.watch.notices} == {(PAGED,)}


TICKETS = "arn:aws:sns:eu-west-1:123456789012:tickets"


@pytest.mark.parametrize(
    ("given", "paged", "noticed"),
    [
        ({}, ["targets", "targets", "path broken OK"], []),
        ({"TargetNotifications": "notices"}, ["path broken", "path broken OK"], ["targets", "targets"]),
        ({"TargetNotifications": "false"}, ["path broken", "path broken OK"], []),
    ],
    ids=["each target is a page", "each incident is a page", "no messages about targets"],
)
def test_each_fact_is_one_message_of_a_topic(world, given, paged, noticed):
    """Two targets break one after the other and recover. Nobody gets two messages about one of these."""
    one = world(**({"TargetNotifications": "true", "NoticeTopicArn": TICKETS} | given)).run(30)
    one.failing = {(None, NAMES[0])}
    assert len(one.run(10).watch.notices) == (2 if given.get("TargetNotifications") == "notices" else 1)
    one.failing |= {(None, NAMES[1])}
    one.run(10)
    one.failing = set()
    one.run(30)
    messages = {PAGED: [], TICKETS: []}
    for notice in one.watch.notices:
        [topic] = notice.topics
        state = " OK" if notice.state == "OK" else ""
        messages[topic].append(notice.alarm.removeprefix("egressprobe prod ") + state)
    assert messages == {PAGED: paged, TICKETS: noticed}


def test_without_a_topic_for_notices_the_targets_are_not_told_to_the_pager(world):
    one = world(TargetNotifications="notices").run(30)
    one.failing = {(None, NAMES[0])}
    assert [n.alarm for n in one.run(20).watch.notices] == ["egressprobe prod path broken"]


@pytest.mark.parametrize("delay", [5, 75])
def test_a_code_that_changes_every_minute_hides_no_outage(world, delay):
    """No code of three is there often enough to be named; one page says that it is so, and one that it is over."""
    one = world(TargetNotifications="true", delay=delay).run(30)
    one.codes = (Code.CONNECT_TIMEOUT, Code.CONNECT_REFUSED, Code.TLS_EOF)
    one.failing = {(None, NAMES[0])}
    one.run(40)
    [(at, which, state)] = one.pages()
    assert (which, state) == ("path broken, target not named", "ALARM")
    assert at - 30 <= 9
    assert one.named() == []
    one.failing = set()
    assert [page[1:] for page in one.run(30).pages()[1:]] == [("path broken", "OK")]


@pytest.mark.parametrize("delay", [5, 75])
def test_a_code_that_changes_once_is_a_second_message_about_the_target_and_nothing_else(world, delay):
    one = world(TargetNotifications="true", delay=delay).run(30)
    one.failing = {(None, NAMES[0])}
    one.run(20)
    one.codes = (Code.CONNECT_REFUSED,)
    one.run(30)
    assert [named[1:] for named in one.named()] == [
        ("targets", NAMES[0], "connect_timeout", "blocks"),
        ("targets", NAMES[0], "connect_refused", "blocks"),
    ]
    assert one.pages() == []


@pytest.mark.parametrize("what", ["every verdict unknown", "the failing subnet silent", "the target left the plan"])
def test_while_nothing_is_known_a_named_target_is_not_paged_again(world, what):
    one = world(TargetNotifications="true").run(30)
    one.failing = {(one.subnets[0], NAMES[0])}
    one.run(15)
    UNCERTAIN[what](one)
    one.run(60)
    one.blind, one.dead, one.names, one.retired, one.failing = set(), set(), NAMES, 0, set()
    one.run(40)
    assert [named[1] for named in one.named()] == ["targets"]
    assert [page[1:] for page in one.pages() if "path" in page[1]] == [("path broken", "OK")]


@pytest.mark.parametrize("impact", [Impact.BYPASSES, Impact.DELAYS, Impact.NONE])
def test_what_fails_open_is_a_notice_and_no_page(world, impact):
    notice = "arn:aws:sns:eu-west-1:123456789012:tickets"
    one = world(NoticeTopicArn=notice)
    one.impact = impact
    one.run(30)
    one.failing = {(None, NAMES[1])}
    one.run(30)
    assert one.pages() == []
    [(at, *named)] = one.named()
    assert named == ["notices", NAMES[1], "connect_timeout", str(impact)]
    assert 8 <= at - 30 <= 12
    assert {n.topics for n in one.watch.notices} == {(notice,)}


def test_a_degraded_target_is_a_notice_beside_the_page_of_another(world):
    notice = "arn:aws:sns:eu-west-1:123456789012:tickets"
    one = world(NoticeTopicArn=notice, TargetNotifications="true").run(30)
    one.failing, one.degraded = {(None, NAMES[0])}, {NAMES[1]}
    one.run(30)
    assert one.pages() == []
    assert {named[1:] for named in one.named()} == {
        ("targets", NAMES[0], "connect_timeout", "blocks"),
        ("notices", NAMES[1], "degraded", "degraded"),
    }


@pytest.mark.parametrize(
    ("mode", "parameters", "expected"),
    [
        ("CUSTOMER_ROUTED", {}, [("egress path down", PAGED)]),
        ("CUSTOMER_ROUTED", {"EgressPages": "false"}, [("egress path down", "notice")]),
        ("AWS_MANAGED", {}, [("egress path would be down", "notice")]),
    ],
)
def test_nothing_outside_the_vpc_reached_is_told_once_per_subnet(world, monkeypatch, mode, parameters, expected):
    """A cluster with in-cluster webhooks only: its issuer alone fails, which is degraded and pages nobody by itself."""
    monkeypatch.setattr("egressprobe.publish.emf.egress_is_down", lambda report: report.summary.degraded > 0)
    notice = "arn:aws:sns:eu-west-1:123456789012:tickets"
    one = world(NoticeTopicArn=notice, **parameters)
    one.mode = mode
    one.run(30)
    one.degraded = {NAMES[0]}
    one.run(30)
    told = [n for n in one.watch.notices if "SubnetId" in dict(n.contributor)]
    topics = [(n.alarm.removeprefix("egressprobe prod "), *n.topics) for n in told]
    assert topics == 3 * [(name, notice if topic == "notice" else topic) for name, topic in expected]
    assert one.pages() == []


def test_findings_of_the_audit_are_a_notice(world):
    notice = "arn:aws:sns:eu-west-1:123456789012:tickets"
    one = world(NoticeTopicArn=notice).run(60)
    for _ in range(3):
        one.watch.store.add("EgressProbe", "AuditFindings", {"ClusterName": "prod"}, one.now, 2)
        one.run(15)
    assert [page[1:] for page in one.pages()] == [("audit", "ALARM")]


def test_the_document_has_the_state_table_that_is_tested():
    """docs/alarms.md names every uncertainty, tier and alarm."""
    text = (ROOT / "docs" / "alarms.md").read_text()
    for what in UNCERTAIN:
        assert what in text, what
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    for kind, mode in itertools.product(kinds, ("causes", "true")):
        for alarm in rendered(1, TargetNotifications=mode).of(kind).values():
            name = alarm["AlarmName"].removeprefix("egressprobe prod ").replace("slot 0", "slot N")
            assert f"`{name}`" in text, name


def test_a_certificate_that_ends_soon_is_a_notice_not_a_page(world):
    notice = "arn:aws:sns:eu-west-1:123456789012:tickets"
    one = world(NoticeTopicArn=notice).run(30)
    one.days = 6.5
    one.run(60)
    assert [(n.alarm, n.topics) for n in one.watch.notices] == [("egressprobe prod certificates", (notice,))]
    quiet = world().run(30)
    quiet.days = 6.5
    assert quiet.run(60).pages() == []


def test_who_is_notified_by_what():
    """Pages: the composites, and each target and subnet by its contributor. Everything else is a notice or silent.

    The incident's beginning is none where its targets are. With causes: test_fallback.py.
    """
    notice = "arn:aws:sns:eu-west-1:123456789012:tickets"
    stack = rendered(3, AlarmTopicArn=PAGED, NoticeTopicArn=notice, TargetNotifications="true")
    topics = {name: one.get("AlarmActions", []) for name, one in stack.of("AWS::CloudWatch::Alarm").items()}
    assert {name for name, to in topics.items() if to == [PAGED]} == {"Targets", "Uncounted", "EgressDown"}
    noticed = {"Certificates", "Notices", "AuditNotices", "EgressWouldFail"}
    assert {name for name, to in topics.items() if to == [notice]} == noticed
    composites = stack.of("AWS::CloudWatch::CompositeAlarm")
    actions = {name: (one.get("AlarmActions", []), one.get("OKActions", [])) for name, one in composites.items()}
    whole = ([PAGED], [PAGED])
    assert actions == {
        "PathBroken": ([], [PAGED]), "Unnamed": ([PAGED], []), "ProbeBroken": whole, "ProbeImpaired": whole
    }  # fmt: skip
    for given in ("notices", "false"):
        other = rendered(3, AlarmTopicArn=PAGED, TargetNotifications=given).of("AWS::CloudWatch::CompositeAlarm")
        assert {name: (one["AlarmActions"], one["OKActions"]) for name, one in other.items()} == dict.fromkeys(
            ("PathBroken", "ProbeBroken", "ProbeImpaired"), whole
        )


@pytest.mark.parametrize("runbook", ["", "https://wiki.example/egress"])
def test_every_description_links_somewhere(runbook):
    stack = rendered(3, RunbookUrl=runbook)
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    for one in (one for kind in kinds for one in stack.of(kind).values()):
        link = (
            f"{runbook}#" if runbook else "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards"
        )
        assert link in one["AlarmDescription"]
        assert len(one["AlarmDescription"]) <= 1024
