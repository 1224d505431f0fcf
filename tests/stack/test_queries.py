"""The dashboard's tables and the saved queries, on what the functions really log: each has rows, each column a value."""

import json
from functools import cache

import pytest

from egressprobe.handlers import planner, probe
from egressprobe.incidents.model import Incident, Tier
from egressprobe.model.target import Verdict
from egressprobe.planner.incidents.log import log_open
from egressprobe.publish.emf import publish
from tests.planner.test_vpc_audit import stack  # noqa: F401 (a fixture)
from tests.stack.test_alarms import report
from tests.support.aws.cloudformation import rendered
from tests.support.aws.insights import fields, rows
from tests.support.aws.planners import hook


@cache
def queries():
    """By name: the text and the log group of the saved queries and of those on the dashboard."""
    template = rendered(1)
    saved = {one["Name"].rpartition("/")[2]: one for one in template.of("AWS::Logs::QueryDefinition").values()}
    dashboard = json.loads(template.of("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"])
    widgets = [one["properties"] for one in dashboard["widgets"] if one["type"] == "log"]
    return {name: (one["QueryString"], one["LogGroupNames"][0]) for name, one in saved.items()} | {
        one["title"]: (one["query"], one["query"].split("'")[1]) for one in widgets
    }


@pytest.fixture
def logs(stack, capsys, caplog):  # noqa: F811
    """Lines of the Probes' group and of the Planner's."""
    for name in ("egressprobe", "egressprobe-planner"):
        caplog.set_level("INFO", logger=name)
    verdicts = {"NAME": Verdict.FAIL, "a": Verdict.PASS, "b": Verdict.DEGRADED, "c": Verdict.UNKNOWN}
    publish(report(80_000, "subnet-0/eu-west-1a", verdicts))
    printed = capsys.readouterr().out.splitlines()
    formatter = probe.logger.registered_formatter
    printed += [formatter.format(record) for record in caplog.records if record.name == "egressprobe"]
    measured = {
        "verdict": "fail",
        "Target": "NAME",
        "callSeconds": 1.0,
        "dnsMs": 1.0,
        "connectMs": 1.0,
        "tlsMs": 1.0,
        "exchangeMs": 1.0,
    }
    printed.append(json.dumps(measured))
    stack.plan(hook("a")).run()
    lines = capsys.readouterr().out.splitlines()
    formatter = planner.logger.registered_formatter
    lines += [formatter.format(record) for record in caplog.records if record.name == "egressprobe-planner"]
    caplog.clear()
    facts = {"opened_at": "2026-11-26T02:11:00Z", "affected": "all Pod CREATE", "owner": "net", "silent": "muted"}
    log_open(planner.logger, [Incident("i-1", "key", "ROUTE_BLACKHOLE", Tier.PAGE, "a black hole", **facts)])
    lines += [formatter.format(record) for record in caplog.records if record.name == "egressprobe-planner"]
    return {"probe": printed, "planner": lines}


def test_arrays_are_no_fields():
    assert "PlanAge" not in fields('{"PlanAge": [0.0]}')
    assert fields('{"PlanAge": [0.0]}')["PlanAge.0"] == 0.0


def test_every_query_has_rows(logs):
    for name, (query, group) in queries().items():
        found = rows(query, logs[group.rpartition("/")[2]])
        assert found, name
        assert any(set(row) - {"@timestamp"} for row in found), name
    for name in ("incidents", "Incidents: open where last is less than 15 minutes ago"):
        [row] = rows(queries()[name][0], logs["planner"])
        assert {"openIncident", "opened", "last", "kind", "cause", "impact", "notSentBecause"} <= set(row), name
    plan, _ = queries()["Mode, version, plan age (seconds)"]
    [row] = rows(plan, logs["planner"])
    assert {"egressMode", "kubeVersion", "plannedTargets", "schedules", "planAge"} <= set(row)
    found = rows(queries()["what the audit found"][0], logs["planner"])
    assert all({"finding", "found", "fix"} <= set(row) for row in found)
    failing = rows(queries()["failing by target and subnet"][0], logs["probe"])
    assert {"minutes", "why", "cause", "Target", "SubnetId"} <= set().union(*failing)
