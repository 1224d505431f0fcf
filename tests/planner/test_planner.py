"""The Planner over moto's scheduler and EKS, and a Lambda of ours: the plan it keeps, the answers it joins."""

import json
import time

import msgspec
import pytest

from egressprobe.aws.eks import Cluster, facts
from egressprobe.handlers import planner
from egressprobe.handlers.probe import handler as probe_handler
from egressprobe.model.errors import InputError
from egressprobe.model.joined_report import Joined
from egressprobe.model.target import Verdict
from egressprobe.planner import reconcile as planning
from egressprobe.planner import settings
from egressprobe.targets.plan import read_plan
from tests.support.aws import emf
from tests.support.aws.planners import GROUP, Context, hook, planner_stack


@pytest.fixture
def stack(tmp_path, monkeypatch):
    with planner_stack(tmp_path, monkeypatch, Discovery="false") as one:
        yield one


def test_a_plan_becomes_one_schedule_a_subnet(stack):
    answer = stack.plan(hook("a"), hook("b")).run()
    assert answer["created"] == ["s00-all", "s01-all", "s02-all"]
    functions = stack.rendered.of("AWS::Lambda::Function")
    for slot, (name, one) in enumerate(sorted(stack.schedules().items())):
        assert name == f"s{slot:02d}-all"
        assert one["ScheduleExpression"] == "rate(1 minute)"
        assert one["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert one["Target"]["Arn"].rpartition(":")[2] == functions[f"Probe{slot}"]["FunctionName"]
        assert one["Target"]["RoleArn"] == "arn:aws:iam::123456789012:role/egressprobe-prod-ScheduleRole"
        assert one["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
        plan = json.loads(one["Target"]["Input"])["plan"]
        assert (plan["kubeVersion"], plan["ipFamily"]) == ("1.33", "ipv4")


def test_the_second_run_writes_nothing(stack):
    stack.plan(hook("a")).run()
    stack.cloud.calls.clear()
    answer = stack.run()
    assert (answer["created"], answer["updated"], answer["deleted"], answer["unchanged"]) == ([], [], [], 3)
    assert {action for action, _ in stack.cloud.pairs} <= {
        "eks:DescribeCluster",
        "scheduler:ListSchedules",
        "scheduler:GetSchedule",
    }


def test_a_changed_plan_changes_only_what_differs(stack):
    targets = [hook(f"t{i}") for i in range(300)]
    stack.plan(*targets).run()
    before = stack.schedules()
    changed = stack.plan(*targets, hook("new")).run()
    assert len(before) > 6
    assert len(changed["updated"]) == 3, "one shard in three subnets"
    assert changed["created"] == changed["deleted"] == []
    after = stack.schedules()
    assert {n for n in after if after[n]["Target"]["Input"] != before[n]["Target"]["Input"]} == set(changed["updated"])
    assert set(stack.covered().values()) == {3}
    assert len(stack.covered()) == 301


def test_drift_is_mended(stack):
    """Somebody disabled a schedule, pointed one elsewhere, deleted one and added one."""
    stack.plan(hook("a")).run()
    said = {
        k: v
        for k, v in stack.schedules()["s00-all"].items()
        if k in ("FlexibleTimeWindow", "ScheduleExpression", "Target")
    }
    stack.scheduler.update_schedule(Name="s00-all", GroupName=GROUP, State="DISABLED", **said)
    stack.scheduler.update_schedule(
        Name="s01-all", GroupName=GROUP, **(said | {"ScheduleExpression": "rate(5 minutes)"})
    )
    stack.scheduler.delete_schedule(Name="s02-all", GroupName=GROUP)
    stack.scheduler.create_schedule(Name="mine", GroupName=GROUP, **said)
    answer = stack.run()
    assert (answer["created"], answer["updated"], answer["deleted"]) == (["s02-all"], ["s00-all", "s01-all"], ["mine"])
    assert {one["State"] for one in stack.schedules().values()} == {"ENABLED"}
    assert stack.run()["unchanged"] == 3


@pytest.mark.parametrize("dies_at", [1, 2, 5, 9, 10, 11, 12, 13, 14])
def test_a_crash_between_two_writes_loses_no_target_and_the_next_run_heals(stack, monkeypatch, dies_at):
    """From two shards to many: whatever write is the last, what both plans have is still probed everywhere."""
    before, after = [hook(f"t{i}") for i in range(60)], [hook(f"t{i}") for i in range(20, 260)]
    stack.plan(*before).run()
    writes = []

    class Died(BaseException):
        pass

    real = planning.sync

    def dying(client, group, wanted, there):
        def check(params, model, **_):
            if model.name in ("CreateSchedule", "UpdateSchedule", "DeleteSchedule"):
                writes.append(model.name)
                if len(writes) > dies_at:
                    raise Died

        client.meta.events.register("before-call.scheduler", check)
        return real(client, group, wanted, there)

    planning.sync = dying
    try:
        stack.plan(*after)
        with pytest.raises(Died):
            stack.run()
    finally:
        planning.sync = real
        settings.clients.cache_clear()
    covered = stack.covered()
    assert all(covered[f"t{i}"] >= 3 for i in range(20, 60))
    real_time = time.time
    monkeypatch.setattr(time, "time", lambda: real_time() + 900)  # the next run is a quarter of an hour later
    stack.run()
    assert stack.covered() == {f"t{i}": 3 for i in range(20, 260)}
    assert stack.run()["unchanged"] == len(stack.schedules())


def test_while_a_write_fails_nothing_is_deleted_and_the_planner_fails_aloud(stack, capsys):
    stack.plan(hook("a")).run()
    stack.cloud.before = lambda call: (
        (403, "AccessDeniedException") if call.action == "scheduler:CreateSchedule" else None
    )
    capsys.readouterr()
    with pytest.raises(planning.PlanError, match="AccessDenied"):
        stack.plan(*(hook(f"t{i}") for i in range(300))).run()
    assert set(stack.schedules()) == {"s00-all", "s01-all", "s02-all"}
    assert emf.documents(capsys.readouterr().out) == [], "no age of a plan that is not there"
    stack.cloud.before = lambda _: None
    stack.run()
    assert "s00-all" not in stack.schedules()


def test_two_planners_at_once_do_not_fail(stack):
    """What the other one has created or deleted meanwhile is not an error."""
    stack.plan(hook("a"))
    there = planning.present(stack.scheduler, GROUP)
    stack.run()
    own = settings.read_settings()
    pieces, _ = planning._cut(own, planner.bundled(), {"kubeVersion": "1.33", "ipFamily": "ipv4"})
    change = planning.sync(stack.scheduler, GROUP, planning._wanted(own, pieces, {}), there | {"gone": {}})
    assert change.failed == ()
    assert change.deleted == ("gone",)
    assert len(stack.schedules()) == 3


def test_an_artifact_without_targets_fails_aloud(stack):
    with pytest.raises(InputError, match=r"targets\.json: is not in this artifact"):
        stack.run()


def test_the_plans_age_is_reported(stack, capsys):
    stack.plan(hook("a")).run()
    [document] = emf.documents(capsys.readouterr().out)
    assert emf.metrics(document) == {"PlanAge": 0}
    assert document["ClusterName"] == "prod"
    assert (document["mode"], document["kubeVersion"], document["created"]) == ("CUSTOMER_ROUTED", "1.33", 3)


def test_a_cluster_that_cannot_be_read_gates_nothing_but_the_age(stack, capsys):
    stack.plan(hook("a")).run()
    stack.cloud.before = lambda call: (403, "AccessDeniedException") if call.action == "eks:DescribeCluster" else None
    capsys.readouterr()
    answer = stack.plan(hook("a"), hook("b")).run()
    assert len(answer["updated"]) == 3
    assert [found["code"] for found in answer["findings"]] == ["CLUSTER_UNREADABLE"]
    plan = json.loads(stack.schedules()["s00-all"]["Target"]["Input"])["plan"]
    assert (plan["kubeVersion"], plan["ipFamily"]) == ("1.33", "ipv4"), "as last read"
    assert emf.documents(capsys.readouterr().out) == []


@pytest.mark.parametrize(("version", "taken"), [("1.30", "1.31"), ("1.36", "1.36"), ("1.41", "1.36"), ("2.0", "1.36")])
def test_a_version_nobody_knew_is_the_nearest(version, taken):
    from egressprobe.apiserver.kube_version import nearest

    assert nearest(version) == taken


def test_what_a_probe_would_refuse_stays_out_of_the_plan():
    """An IP family or a version of tomorrow must not silence every probe."""
    assert facts(Cluster("latest", "dual", "NEW_MODE", "ACTIVE")) == {}
    plan = {"targets": [hook("a")]} | facts(Cluster("1.99", "ipv6", "", ""))
    assert read_plan(plan).kube_version == "1.36"


def test_more_series_than_the_cap_become_one(stack, monkeypatch):
    monkeypatch.setenv("EGRESSPROBE_MAX_SERIES", "2")
    answer = stack.plan(hook("a"), hook("b"), hook("c")).run()
    assert [found["code"] for found in answer["findings"]] == ["METRIC_SERIES_CAPPED"]
    assert json.loads(stack.schedules()["s01-all"]["Target"]["Input"])["plan"]["oneSeries"] is True


def test_a_target_too_large_is_a_finding(stack, monkeypatch):
    monkeypatch.setattr(planning, "MAX_INPUT", 1500 + planning._SPARE)
    huge = hook("huge", url="https://huge.invalid/" + "x" * 1400)
    answer = stack.plan(hook("a"), huge).run()
    [found] = answer["findings"]
    assert (found["code"], found["evidence"]) == ("TARGET_TOO_LARGE", {"targets": ["huge"]})
    assert set(stack.covered()) == {"a"}


# -- on demand -----------------------------------------------------------------------------------------------


@pytest.fixture
def probes(stack, monkeypatch):
    """The real probe handler behind each function; names under .invalid do not resolve anywhere."""
    functions = stack.rendered.of("AWS::Lambda::Function")
    asked = []

    def answer(slot, body):
        variables = functions[f"Probe{slot}"]["Environment"]["Variables"]
        asked.append((slot, json.loads(body)))
        report = probe_handler(json.loads(body), Context())
        report["vantage"] |= {"subnetId": variables["EGRESSPROBE_SUBNET_ID"]}
        return json.dumps(report).encode()

    for slot in range(3):
        stack.cloud.functions[stack.arn(slot)] = lambda body, slot=slot: answer(slot, body)
    stack.asked = asked
    return stack


def joined(answer):
    return msgspec.convert(answer, Joined)


def test_every_subnet_answers_in_one_report(probes):
    answer = joined(probes.plan(hook("a"), hook("b")).run({"action": "probe"}))
    assert [view.subnet_id for view in answer.views] == ["subnet-00000000", "subnet-00000001", "subnet-00000002"]
    assert [row.target.name for row in answer.rows] == ["a", "b"]
    for row in answer.rows:
        assert [cell.subnet_id for cell in row.cells] == [view.subnet_id for view in answer.views]
        assert len({cell.verdict for cell in row.cells}) == 1
    assert len(answer.reports) == 3
    assert answer.cluster_name == "prod"
    assert not any("source" in event for _, event in probes.asked), "a person's debugging moves no alarm"
    assert {event["kubeVersion"] for _, event in probes.asked} == {"1.33"}


def test_only_what_was_asked_for_is_probed(probes):
    answer = joined(probes.plan(hook("a"), hook("b")).run({"targets": ["b", "nope"]}))
    assert [row.target.name for row in answer.rows] == ["b"]
    assert [(one.name, "did you mean" in one.why) for one in answer.refused] == [("nope", False)]
    assert all([t["name"] for t in event["targets"]] == ["b"] for _, event in probes.asked)


def test_nothing_known_asked_for_is_an_error_and_probes_nothing(probes):
    answer = probes.plan(hook("a")).run({"targets": ["nope"]})
    assert answer["error"]["code"] == "target_invalid"
    assert '"nope" is not in this stack\'s inventory' in answer["error"]["message"]
    assert probes.asked == []


@pytest.mark.parametrize("how", ["crash", "missing", "nonsense", "bad event", "throttled"])
def test_a_probe_that_fails_is_unknown_in_its_subnet_only(probes, how, monkeypatch):
    monkeypatch.setattr("egressprobe.planner.functions._TRIES", ())
    arn = probes.arn(1)
    if how == "missing":
        del probes.cloud.functions[arn]
    elif how == "throttled":
        probes.cloud.before = lambda call: (429, "TooManyRequestsException") if call.resource == arn else None
    else:
        probes.cloud.functions[arn] = lambda _: {
            "crash": b'{"errorMessage": "boom", "errorType": "RuntimeError"}',
            "nonsense": b"[1, 2]",
            "bad event": json.dumps(probe_handler({"targets": []}, Context())).encode(),
        }[how]
    answer = joined(probes.plan(hook("a")).run({"action": "probe"}))
    assert [view.error is not None for view in answer.views] == [False, True, False]
    [row] = answer.rows
    assert row.cells[1].verdict is Verdict.UNKNOWN
    assert row.cells[0].verdict == row.cells[2].verdict
    wanted = {
        "crash": "boom",
        "missing": "not found",
        "nonsense": "is not a report",
        "bad event": "is empty",
        "throttled": "429",
    }
    assert wanted[how].lower() in answer.views[1].error.lower() or how == "throttled"


def test_a_throttled_probe_is_asked_again(probes, monkeypatch):
    monkeypatch.setattr("egressprobe.planner.functions._TRIES", (0.01, 0.01))
    tries = []

    def throttle(call):
        if call.resource != probes.arn(2):
            return None
        tries.append(call)
        return (429, "TooManyRequestsException") if len(tries) < 3 else None

    probes.cloud.before = throttle
    answer = joined(probes.plan(hook("a")).run({"action": "probe"}))
    assert len(tries) == 3
    assert answer.views[2].error is None


def test_a_large_plan_is_asked_in_parts_and_joined_below_4_mb(probes, monkeypatch):
    """450 targets, more than one probe takes at once, with evidence that would not fit."""
    monkeypatch.setattr("egressprobe.probe.run.LIMITS", "x" * 900_000)
    answer = probes.plan(*(hook(f"t{i}") for i in range(450))).run({"action": "probe"})
    assert len(json.dumps(answer, separators=(",", ":"))) < 4_000_000
    found = joined(answer)
    assert len(found.rows) == 450 == sum(msgspec.structs.astuple(found.summary))
    assert max(len(event["targets"]) for _, event in probes.asked) <= 400
    assert [one.code for one in found.findings] == ["REPORT_REDUCED"]


def test_the_doctor_of_every_subnet(probes):
    found = probes.plan(hook("a")).run({"action": "doctor"})
    assert set(found) == {"subnet-00000000", "subnet-00000001", "subnet-00000002"}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ([], "event: must be an object"),
        ({}, "event.action: must be one of plan, probe, doctor"),
        ({"action": "delete"}, "event.action: must be one of"),
        ({"action": "plan", "targets": []}, "event.targets: is not known here"),
        ({"targets": "a"}, "event.targets: must be a list"),
        (
            {"targets": ["a"], "resolvers": ["10.0.0.1"]},
            "event.resolvers: is not known here; known are action, targets",
        ),
    ],
)
def test_bad_events_do_nothing(stack, event, said):
    assert said in stack.plan(hook("a")).run(event)["error"]["message"]
    assert stack.cloud.calls == []


# -- what the plan says beside its targets --------------------------------------------------------------------


def test_a_plan_has_the_egress_mode_that_decides_what_a_broken_egress_path_is(stack):
    stack.plan(hook("a")).run()
    assert {plan["egressMode"] for plan in stack.plans().values()} == {"CUSTOMER_ROUTED"}
    stack.cloud.before = lambda call: (403, "AccessDeniedException") if call.action == "eks:DescribeCluster" else None
    stack.plan(hook("a"), hook("b")).run()
    assert {plan["egressMode"] for plan in stack.plans().values()} == {"CUSTOMER_ROUTED"}, "as last read"


def test_a_target_that_leaves_the_plan_is_remembered_for_six_hours(stack, monkeypatch):
    """Then its removal counts as a decision. One that returns is no longer remembered."""
    from datetime import UTC, datetime, timedelta

    began = datetime(2026, 11, 26, 12, tzinfo=UTC)

    def at(hours):
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return began + timedelta(hours=hours)

        monkeypatch.setattr(planner, "datetime", Clock)

    def retired():
        [names] = {tuple(plan.get("retired", {})) for plan in stack.plans().values()}
        assert all(read_plan(plan).retired == len(names) for plan in stack.plans().values())
        return names

    at(0)
    stack.plan(hook("a"), hook("b"), hook("c")).run()
    assert retired() == ()
    at(1)
    stack.plan(hook("a")).run()
    assert retired() == ("b", "c")
    at(2)
    stack.plan(hook("a"), hook("c")).run()
    assert retired() == ("b",)
    assert stack.run()["unchanged"] == 3
    at(6.9)
    stack.run()
    assert retired() == ("b",)
    at(7.1)
    stack.run()
    assert retired() == ()


def test_a_drill_is_beside_the_plan_and_fails_without_a_packet(stack, capsys):
    """Not part of any plan: nothing is written for it, remembered, retired or deleted. Its run writes one failure."""
    stack.plan(hook("a")).run()
    before = stack.plans()
    drill = stack.run({"action": "drill", "state": "start"})
    there = stack.schedules()
    assert there.keys() - before.keys() == {drill["schedule"]}
    assert there[drill["schedule"]]["Target"]["Arn"] == stack.arn(0)
    again = stack.run()
    assert (again["created"], again["updated"], again["deleted"], again["surplus"]) == ([], [], [], [])
    capsys.readouterr()
    report = probe_handler(json.loads(there[drill["schedule"]]["Target"]["Input"]), Context())
    [result] = report["results"]
    assert (result["verdict"], result["impact"]) == ("fail", "blocks")
    [document] = emf.documents(capsys.readouterr().out)
    assert (document["Target"], document["Impact"], emf.metrics(document)) == (
        "egressprobe-drill",
        "blocks",
        {"ProbeSuccess": 0},
    )
    assert "drill" in document["cause"]
    assert stack.run({"action": "drill", "state": "stop"}) == {"removed": [drill["schedule"]]}
    assert stack.plans() == before
    assert "retired" not in json.dumps(stack.plans())


def test_a_drill_that_was_left_behind_is_removed_by_the_next_plan_when_it_has_ended(stack):
    stack.plan(hook("a")).run()
    first = stack.run({"action": "drill", "state": "start"})["schedule"]
    stack.run()
    assert first in stack.schedules(), "it is still going on"
    properties = {
        k: v for k, v in stack.schedules()[first].items() if k in ("ScheduleExpression", "FlexibleTimeWindow", "Target")
    }
    stack.scheduler.create_schedule(GroupName=GROUP, Name="drill-1700000000", **properties)
    stack.run()
    assert {name for name in stack.schedules() if name.startswith("drill")} == {first}
    second = stack.run({"action": "drill", "state": "start"})
    assert second["removed"] == [first] or second["schedule"] == first


@pytest.mark.parametrize(
    "event",
    [{"action": "drill"}, {"action": "drill", "state": "x"}, {"action": "drill", "state": "stop", "targets": []}],
)
def test_a_drill_is_started_or_stopped(stack, event):
    assert "event." in stack.run(event)["error"]["message"]
