"""`egressprobe history`: what the real Probe logs, minute by minute, as outages and availability."""

import json
import re
import time
from datetime import UTC, datetime
from itertools import pairwise

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from egressprobe.aws.observability.metric_points import ranges
from egressprobe.aws.observability.minute_queries import INCIDENTS_QUERY, bad_query, seen_query
from egressprobe.cli import main as cli
from egressprobe.cli.output.observed.history_table import history_table, minutes, percent
from egressprobe.handlers import planner, probe
from egressprobe.model.target import Verdict
from egressprobe.observability.history.result import MinuteTally, OutageHistory
from egressprobe.publish.emf import Series, publish
from egressprobe.stack.observing import log_minutes
from egressprobe.stack.observing.history import reported_incidents
from egressprobe.stack.observing.log_minutes import LogQueries, TimePart
from tests.conftest import ROOT
from tests.stack.test_alarms import BEGAN, report
from tests.support.aws.insights import rows as insights_rows
from tests.support.aws.observed import PLANNER_LOGS, PROBE_LOGS, ObservedAccount
from tests.support.history import example_history
from tests.support.outages.world import BREAKAGES, OutageWorld

STACK = ["--stack", "egressprobe-prod"]
SUBNETS = ("subnet-0a/eu-west-1a", "subnet-0b/eu-west-1b")
PASS, FAIL, UNKNOWN, SLOW = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.DEGRADED
LENGTH = 40
END = int(time.time()) // 60 * 60 - 600  # of the newest minute that is read; the clock stands still


class Life:
    """The lines of both probes, one run a minute, up to the newest minute that is read."""

    def __init__(self, account, capsys, caplog):
        self.account, self._capsys, self._caplog = account, capsys, caplog
        self.end = END

    def run(self, states, length=LENGTH, series=Series(), uncounted=()):  # noqa: B008
        """states: (minute, subnet) -> verdict by target; None: no run. Minute 0 is the oldest.

        uncounted: names of discovered targets whose failures do not count yet.
        """
        formatter = probe.logger.registered_formatter
        self._caplog.set_level("WARNING", logger="egressprobe")
        for i in range(length):
            at = self.end - 60 * (length - i)
            for subnet in SUBNETS:
                verdicts = states(i, subnet)
                if verdicts is None:
                    continue
                self._caplog.clear()
                minute = datetime.fromtimestamp(at, UTC)
                made = report(at - BEGAN, subnet, verdicts)
                results = tuple(_moving(one) if one.target.name in uncounted else one for one in made.results)
                fails = [name for name in uncounted if verdicts.get(name) is FAIL]
                publish(replace(made, results=results), series, minute=minute, uncounted=fails)
                lines = self._capsys.readouterr().out.splitlines()
                lines += [formatter.format(record) for record in self._caplog.records if record.name == "egressprobe"]
                # Printed some seconds after the minute began.
                self.account.log_groups[PROBE_LOGS] += [((at + 8) * 1000, line) for line in lines]

    def time(self, i, length=LENGTH):
        return datetime.fromtimestamp(self.end - 60 * (length - i), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moving(result):
    """As discovery found it: a pod, whose addresses change."""
    return replace(result, target=replace(result.target, objects=("Service/x",)), switch_relevant=False)


@pytest.fixture
def account(monkeypatch):
    account = ObservedAccount().install(monkeypatch)
    account.hurry(monkeypatch)
    monkeypatch.setattr("egressprobe.stack.observing.history._now", lambda: END + 200)
    account.plan = [{"kind": "endpoint", "name": name, "url": f"tls://{name}.example.com:443"} for name in "ab"]
    account.answers["logs.DescribeLogGroups"] = lambda p: {
        "logGroups": [{"logGroupName": p["logGroupNamePrefix"], "retentionInDays": 30, "creationTime": 0}]
    }
    account.answers["cloudwatch.GetMetricData"] = lambda _: {"MetricDataResults": []}
    return account


@pytest.fixture
def life(account, capsys, caplog):
    return Life(account, capsys, caplog)


def run(capsys, *more, code=None, since=f"{LENGTH}m"):
    returned = cli.main(["history", *STACK, "--since", since, "-o", "json", *more])
    captured = capsys.readouterr()
    assert code is None or returned == code, captured.out + captured.err
    return msgspec.json.decode(captured.out, type=OutageHistory)


def rows(found):
    return {row.target: row for row in found.rows}


def well(_minute, _subnet):
    return {"a": PASS, "b": PASS}


def test_a_healthy_hour_is_100_per_cent(life, capsys):
    life.run(well)
    found = run(capsys, code=0)
    assert found.verdict is PASS
    for row in found.rows:
        assert (row.tally.measured, row.tally.failed, row.tally.unknown, row.tally.percent) == (LENGTH, 0, 0, 100.0)
        assert [cell.tally.measured for cell in row.cells] == [LENGTH, LENGTH]
    assert not found.outages
    assert [source.name for source in found.sources] == ["probe log", "Planner log"]
    assert found.sources[0].bytes_scanned > 0


def test_an_outage_from_one_subnet(life, capsys):
    """Start, end, minutes, subnet, code and cause, to the minute; the other subnet and target have none."""
    life.run(lambda i, subnet: {"a": FAIL if subnet == SUBNETS[1] and 10 <= i < 18 else PASS, "b": SLOW})
    found = run(capsys, code=3)
    [outage] = found.outages
    assert (outage.target, outage.start, outage.end) == ("a", life.time(10), life.time(18))
    assert (outage.minutes, outage.failed_minutes, outage.unknown_minutes, outage.ongoing) == (8, 8, 0, False)
    assert outage.subnets == ("subnet-0b",)
    assert [(code.code, code.minutes) for code in outage.codes] == [("connect_timeout", 8)]
    assert outage.cause == "i/o timeout"
    row = rows(found)["a"]
    assert (row.verdict, row.tally.percent) == (FAIL, 80.0)
    assert row.budget_left == pytest.approx(LENGTH * 0.001 - 8, abs=0.01)
    assert [cell.tally.failed for cell in row.cells] == [0, 8]
    assert rows(found)["b"].tally.percent == 100.0, "degraded is up"
    assert found.subnet_tallies[1].tally.measured == 2 * LENGTH


def test_what_could_not_be_measured_is_neither_up_nor_down(life, capsys):
    """A target that is unknown, a failure that does not count, and minutes in which a probe is silent."""

    def states(i, subnet):
        if subnet == SUBNETS[0] and 20 <= i < 25:
            return None
        return {"a": UNKNOWN if 5 <= i < 8 else PASS, "b": PASS}

    life.run(states)
    found = run(capsys, code=0)
    a, b = rows(found)["a"], rows(found)["b"]
    assert (a.tally.measured, a.tally.failed, a.tally.unknown, a.tally.percent) == (LENGTH - 8, 0, 8, 100.0)
    assert (b.tally.measured, b.tally.unknown) == (LENGTH - 5, 5)
    assert [cell.tally.unknown for cell in b.cells] == [5, 0]


def test_failures_that_do_not_count_yet_are_unknown(life, capsys):
    """As they neither page nor clear (publish/counting.py): the line has `counted` false, in the probe's own words."""
    life.run(lambda i, _: {"a": FAIL if i in (3, 4) else PASS, "b": PASS}, uncounted=("a",))
    a = rows(run(capsys, code=0))["a"]
    assert (a.tally.failed, a.tally.unknown, a.outages) == (0, 2, 0)


def test_silence_does_not_end_an_outage(life, capsys):
    """Both probes are silent for ten minutes within it."""

    def states(i, _subnet):
        if 12 <= i < 22:
            return None
        return {"a": FAIL if i in (10, 11, 22, 23) else PASS, "b": PASS}

    life.run(states)
    found = run(capsys, code=3)
    [outage] = found.outages
    assert (outage.start, outage.end) == (life.time(10), life.time(24))
    assert (outage.minutes, outage.failed_minutes, outage.unknown_minutes) == (14, 4, 10)
    assert rows(found)["a"].tally.unknown == 10


@pytest.mark.parametrize(("gap", "count"), [("3", 2), ("4", 1)])
def test_the_gap_decides_what_one_outage_is(life, capsys, gap, count):
    life.run(lambda i, _: {"a": FAIL if i in (10, 14) else PASS, "b": PASS})
    assert rows(run(capsys, "--gap", gap, code=3))["a"].outages == count


def test_an_outage_that_goes_on(life, capsys):
    life.run(lambda i, _: {"a": FAIL if i >= LENGTH - 2 else PASS, "b": PASS})
    found = run(capsys, "--objective", "90", code=4)
    assert (found.outages[0].ongoing, rows(found)["a"].verdict) == (True, SLOW)
    assert cli.main(["history", *STACK, "--since", "40m", "--objective", "90"]) == 4
    assert re.search(r"to now\s+a: 2 m, from subnet-0a", capsys.readouterr().out)


def test_targets_that_come_and_go_are_counted_while_they_are_in_the_plan(life, capsys):
    def states(i, _subnet):
        return {"a": PASS} | ({"b": PASS} if i < 10 else {}) | ({"new": FAIL} if i >= 30 else {})

    life.run(states)
    found = rows(run(capsys, code=3))
    assert [found[name].tally.measured for name in ("a", "b", "new")] == [40, 10, 10]
    assert [found[name].tally.unknown for name in ("a", "b", "new")] == [0, 0, 0]


def test_the_drill_is_no_outage(life, capsys):
    life.run(lambda i, _: {"a": PASS, "b": PASS} | ({"egressprobe-drill": FAIL} if 10 < i < 20 else {}))
    found = run(capsys, code=0)
    assert set(rows(found)) == {"a", "b"}
    assert not found.outages


def test_only_the_named_targets(life, capsys):
    life.run(lambda i, _: {"a": FAIL if i == 5 else PASS, "b": FAIL if i == 9 else PASS})
    assert [outage.target for outage in run(capsys, "b", code=3).outages] == ["b"]
    [query] = {c["queryString"] for c in life.account.called("logs:StartQuery") if "verdict in" in c["queryString"]}
    assert 'Target in ["b"]' in query
    assert cli.main(["history", *STACK, "c"]) == 2
    assert '"c" is not in the stack\'s plan; there are: a, b' in capsys.readouterr().err


def test_with_one_series_of_all_targets(life, capsys):
    """A plan above MaxSeries: the log has no lines of targets that pass."""
    life.run(lambda i, _: {"a": FAIL if 10 <= i < 13 else PASS, "b": PASS}, series=Series("target", 1))
    found = run(capsys, code=3)
    assert (rows(found)["a"].tally.measured, rows(found)["a"].tally.failed) == (LENGTH, 3)
    assert any("MaxSeries" in note for note in found.notes)


def test_shards_of_one_minute_are_one_measurement(life, capsys):
    """The part of the plan that a run measured is what its line says; both parts of a minute add up to the whole."""
    life.run(well)
    group = life.account.log_groups[PROBE_LOGS]
    halves = []
    for at, line in group:
        if '"MeasuredShare"' not in line:
            halves.append((at, line))
            continue
        document = json.loads(line)
        for shift in (0, 500):
            document["_aws"]["Timestamp"] += shift
            halves.append((at, json.dumps(document | {"MeasuredShare": [0.5]})))
    group[:] = halves
    assert rows(run(capsys, code=0))["a"].tally.measured == LENGTH
    group[:] = [event for i, event in enumerate(halves) if '"MeasuredShare"' not in event[1] or i % 2]
    assert rows(run(capsys, code=4))["a"].tally.unknown == LENGTH, "one shard of two is not the whole plan"


# -- parts, refusals, metrics --


def test_an_answer_that_is_full_is_asked_again_in_halves(life, capsys, monkeypatch):
    life.run(lambda i, _: {"a": FAIL if i % 2 else PASS, "b": PASS})
    whole = run(capsys, code=3)
    monkeypatch.setattr("egressprobe.aws.observability.insights.MAX_ROWS", 15)
    monkeypatch.setattr(log_minutes, "MAX_ROWS", 15)
    cut = run(capsys, code=3)
    assert cut.rows == whole.rows
    assert cut.outages == whole.outages
    assert cut.sources[0].queries > whole.sources[0].queries


def test_what_could_not_be_read_is_unknown_never_a_pass(life, capsys, monkeypatch):
    """One part of the failures is refused: its minutes are unknown, although the probes measured."""
    life.run(well)
    start, refusals = life.account.answers["logs.StartQuery"], [1]
    monkeypatch.setattr(log_minutes, "_WEEK", 20 * 60)

    def sometimes(parameters):
        if "verdict in" in parameters["queryString"] and refusals:
            refusals.pop()
            raise ClientError({"Error": {"Code": "InternalFailure", "Message": "no"}}, "StartQuery")
        return start(parameters)

    life.account.answers["logs.StartQuery"] = sometimes
    found = run(capsys)
    row = rows(found)["a"]
    assert (row.tally.measured, row.tally.unknown) == (20, 20)
    assert "InternalFailure" in found.sources[0].problem


def metric_answer(points):
    """GetMetricData over points: seconds -> (samples, sum), of every series."""

    def answer(parameters):
        results = []
        for query in parameters["MetricDataQueries"]:
            inside = {at: both for at, both in points.items() if parameters["StartTime"].timestamp() <= at}
            inside = {at: both for at, both in inside.items() if at < parameters["EndTime"].timestamp()}
            which = 0 if query["MetricStat"]["Stat"] == "SampleCount" else 1
            results.append(
                {
                    "Id": query["Id"],
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at in inside],
                    "Values": [float(both[which]) for both in inside.values()],
                }
            )
        return {"MetricDataResults": results}

    return answer


def test_without_the_log_metrics_are_all_there_is(life, account, capsys):
    account.refuse("logs", "StartQuery")
    account.answers["cloudwatch.GetMetricData"] = metric_answer(
        {life.end - 60 * (LENGTH - i): (2, 1 if 10 <= i < 13 else 2) for i in range(LENGTH)}
    )
    found = run(capsys, "a", code=3)
    [outage] = found.outages
    assert (outage.start, outage.end, outage.failed_minutes) == (life.time(10), life.time(13), 3)
    assert not outage.subnets
    assert any("the permission logs:StartQuery is missing" in note for note in found.notes)
    assert [(source.name, source.resolution_seconds) for source in found.sources] == [("metrics", 60)]


def test_before_the_log_begins_metrics_are_read(life, account, capsys):
    """The log is kept for a day: the day before has minutes, of both subnets in one point."""
    account.answers["logs.DescribeLogGroups"] = lambda p: {
        "logGroups": [{"logGroupName": p["logGroupNamePrefix"], "retentionInDays": 1, "creationTime": 0}]
    }
    life.run(well)
    old = (life.end - 40 * 3600) // 3600 * 3600
    account.answers["cloudwatch.GetMetricData"] = metric_answer(
        {old + 60 * i: (2, 0 if i == 7 else 2) for i in range(600)}
    )
    found = run(capsys, "a", since="2d")
    [outage] = found.outages
    assert outage.failed_minutes == 1
    assert outage.start == datetime.fromtimestamp(old + 420, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = [source.name for source in found.sources]
    assert names == ["probe log", "metrics", "Planner log"]
    assert found.sources[1].until == found.sources[0].since


def test_an_hour_before_the_log_is_not_worth_its_metrics(life, account, capsys):
    """The log of 30 days has 29 days and some hours: the report begins where the log does."""
    life.run(well)
    account.answers["logs.DescribeLogGroups"] = lambda p: {
        "logGroups": [{"logGroupName": p["logGroupNamePrefix"], "retentionInDays": 1, "creationTime": 0}]
    }
    found = run(capsys, since="1d")
    assert [source.name for source in found.sources] == ["probe log", "Planner log"]
    assert found.since == found.sources[0].since
    assert not account.called("cloudwatch:GetMetricData")


DAY = 86_400
NOW = 1_795_000_000


@pytest.mark.parametrize(
    ("days", "periods"), [(10, [60]), (20, [300, 60]), (100, [3600, 300, 60]), (500, [3600, 300, 60])]
)
def test_metrics_are_as_exact_as_they_are_kept(days, periods):
    """60 s for 15 days, 5 minutes for 63, an hour for 455; no gap between the parts."""
    parts = ranges(NOW - days * DAY, NOW, NOW)
    assert [part.period for part in parts] == periods
    assert all(part.since % part.period == 0 for part in parts)
    assert all(one.until == other.since for one, other in pairwise(parts))
    assert parts[-1].until == NOW
    assert all(part.until % part.period == 0 for part in parts[:-1]), "no point is of two parts"
    kept = {60: 15, 300: 63, 3600: 455}
    assert all(part.since >= NOW - kept[part.period] * DAY for part in parts)
    assert parts[0].since - max(NOW - days * DAY, NOW - 455 * DAY) <= 3600


def test_each_subnet_has_series_of_its_own_with_that_detail(life, account, capsys):
    account.variables["METRIC_DETAIL"] = "subnet"
    account.refuse("logs", "StartQuery")
    account.answers["cloudwatch.GetMetricData"] = metric_answer({life.end - 600: (1, 0), life.end - 540: (1, 1)})
    found = run(capsys, "a", code=3)
    assert [cell.subnet_id for cell in found.rows[0].cells] == ["subnet-0a", "subnet-0b"]
    [call] = account.called("cloudwatch:GetMetricData")
    dimensions = [query["MetricStat"]["Metric"]["Dimensions"] for query in call["MetricDataQueries"]]
    assert {d["Value"] for one in dimensions for d in one if d["Name"] == "SubnetId"} == {"subnet-0a", "subnet-0b"}


def test_incidents_of_the_planner_are_named(life, account, capsys):
    """By what it logs for each message that it sends."""
    life.run(lambda i, _: {"a": FAIL if 10 <= i < 20 else PASS, "b": PASS})
    name = "20261126T021100Z-1a2b3c4d"
    about = {"incident": "ROUTE_BLACKHOLE|rtb-1", "what": "the default route is a black hole", "targets": ["a"]}
    at = life.end - 60 * (LENGTH - 14)
    account.log_groups[PLANNER_LOGS] = [
        ((at + 60 * i) * 1000, json.dumps({"message": "a message was sent", "message_id": f"{name}/{word}"} | about))
        for i, word in enumerate(("broken", "recovered"))
    ]
    found = run(capsys, code=3)
    [incident] = found.incidents
    assert (incident.id, incident.transitions, incident.targets) == (name, ("broken", "recovered"), ("a",))
    assert found.outages[0].incidents == (name,)


def test_the_query_reads_what_the_planner_logs(caplog):
    """The real lines of a run that sends a message, with cause and targets."""
    breakage = next(one for one in BREAKAGES if one.name == "a server is down")
    with OutageWorld().running() as world:
        world.breaks(breakage)
        caplog.set_level("INFO", logger="egressprobe-planner")
        world.pass_minutes(8)
    lines = [planner.logger.registered_formatter.format(r) for r in caplog.records if r.name == "egressprobe-planner"]
    found = [{name: str(value) for name, value in row.items()} for row in insights_rows(INCIDENTS_QUERY, lines)]
    [incident] = reported_incidents(row | {"first": "1795000000000"} for row in found)
    assert incident.transitions == ("broken",)
    assert incident.id == world.published[0].detail["incidentId"]
    assert set(incident.targets) == set(breakage.targets)
    assert incident.what == world.published[0].detail["cause"]["what"]
    assert incident.first == "2026-11-18T11:06:40Z"


def test_nothing_was_recorded(account, capsys):
    found = run(capsys, code=4)
    assert found.verdict is UNKNOWN
    assert not found.rows
    assert cli.main(["history", *STACK, "--since", "1h"]) == 4
    assert "nothing was recorded from" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "soon"], '--since: "soon" is not a time such as 90m, 6h or 7d'),
        (["--since", "456d"], "--since: 456d is longer than 455d"),
        (["--objective", "100"], "--objective: 100 is not between 0 and 100 per cent"),
        (["--objective", "nan"], "--objective: nan is not between 0 and 100 per cent"),
        (["--objective", "x"], "invalid float value"),
        (["--gap", "0"], "--gap: 0 is not in 1..60"),
    ],
)
def test_bad_input_is_one_line(account, capsys, options, said):
    assert cli.main(["history", *STACK, *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_ctrl_c_stops_the_queries(life, account, capsys):
    life.run(well, length=2)

    def interrupted(_):
        raise KeyboardInterrupt

    account.answers["logs.GetQueryResults"] = interrupted
    assert cli.main(["history", *STACK, "--since", "1h"]) == 130
    assert account.stopped


def test_ctrl_c_between_two_queries_stops_those_that_run(account):
    """It comes in the main thread, while others wait for their answers."""
    results, first = account.answers["logs.GetQueryResults"], []

    def only_the_first(parameters):
        if not first:
            first.append(parameters["queryId"])
        return results(parameters) if parameters["queryId"] == first[0] else {"status": "Running", "results": []}

    def interrupted(_text):
        raise KeyboardInterrupt

    account.answers["logs.GetQueryResults"] = only_the_first
    queries = LogQueries(boto3.client("logs"), PROBE_LOGS, time.monotonic() + 900, interrupted)
    parts = [TimePart(END - 60 * (i + 1), END - 60 * i) for i in range(4)]
    with pytest.raises(KeyboardInterrupt):
        queries.rows(seen_query(()), parts, "x")
    assert set(account.stopped) == {f"q{i}" for i in range(len(account.queries))} - set(first[:1])


@pytest.mark.parametrize("operation", ["DescribeLogGroups"])
def test_a_permission_that_is_missing_is_named(life, account, capsys, operation):
    life.run(well)
    account.refuse("logs", operation)
    account.refuse("cloudwatch", "GetMetricData", "AccessDenied")
    found = run(capsys, code=0)
    assert any(f"the permission logs:{operation} is missing" in note for note in found.notes)


def test_the_queries_are_short_enough():
    """At most 10,000 characters; too many names are filtered here."""
    many = [f"target-{i:04}.{'x' * 40}" for i in range(500)]
    for query in (bad_query(many), seen_query(many), bad_query(['"x']), INCIDENTS_QUERY):
        assert len(query) < 10_000
    assert '"x' not in bad_query(['"x'])


def test_the_page_has_every_permission(life, account, capsys):
    """docs/history.md, in IAM's words."""
    page = (ROOT / "docs" / "history.md").read_text().partition("## Permissions")[2]
    granted = set(re.findall(r"`([a-z0-9]+:[A-Za-z0-9]+)`", page))
    account.answers["logs.DescribeLogGroups"] = lambda p: {
        "logGroups": [{"logGroupName": p["logGroupNamePrefix"], "retentionInDays": 1, "creationTime": 0}]
    }
    run(capsys, since="3d")
    assert {name for name, _ in account.calls} | {"logs:StopQuery"} == granted


# -- the table --


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_fits_the_terminal(width):
    for line in history_table(example_history(), width=width).splitlines():
        assert len(line) <= width, line


def test_an_outage_in_the_first_minute_that_was_read_may_have_begun_before():
    """Its beginning is not known, and no time is printed as if it were."""
    history = example_history()
    first = replace(history.outages[-1], start=history.since)
    history = replace(history, outages=(*history.outages[:-1], first))
    assert history_table(history).count("\nbefore 2026-11-18 11:07 to ") == 1
    assert history_table(example_history()).count("\nbefore ") == 0


@pytest.mark.parametrize(
    ("tally", "text"),
    [
        (MinuteTally(43200, 1, 1, 0, 99.9977), "99.997%"),
        (MinuteTally(4_320_000, 1, 1, 0, 100.0), "99.999%"),
        (MinuteTally(10, 0, 0, 0, 100.0), "100%"),
        (MinuteTally(0, 0, 0, 5, None), "-"),
    ],
)
def test_percentages_are_never_rounded_up(tally, text):
    assert percent(tally) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 m"), (0.05, "0.1 m"), (38, "38 m"), (150, "2.5 h"), (-7.9, "-7.9 m"), (4320, "3.0 d")]
)
def test_minutes_as_text(count, text):
    assert minutes(count) == text
