"""The dashboard's tables and the saved queries, on what the functions really log: each has rows, each column a value."""

import json

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

STACK = rendered(1)
SAVED = {one["Name"].rpartition("/")[2]: one for one in STACK.of("AWS::Logs::QueryDefinition").values()}
WIDGETS = {
    one["properties"]["title"]: one["properties"]["query"]
    for one in json.loads(STACK.of("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"])["widgets"]
    if one["type"] == "log"
}
QUERIES = {name: (one["QueryString"], one["LogGroupNames"][0]) for name, one in SAVED.items()} | {
    title: (query, query.split("'")[1]) for title, query in WIDGETS.items()
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
    for name, (query, group) in QUERIES.items():
        found = rows(query, logs[group.rpartition("/")[2]])
        assert found, name
        assert any(set(row) - {"@timestamp"} for row in found), name
    for name in ("incidents", "Incidents: open where last is less than 15 minutes ago"):
        [row] = rows(QUERIES[name][0], logs["planner"])
        assert {"openIncident", "opened", "last", "kind", "cause", "impact", "notSentBecause"} <= set(row), name
    plan, _ = QUERIES["Mode, version, plan age (seconds)"]
    [row] = rows(plan, logs["planner"])
    assert {"egressMode", "kubeVersion", "plannedTargets", "schedules", "planAge"} <= set(row)
    found = rows(QUERIES["what the audit found"][0], logs["planner"])
    assert all({"finding", "found", "fix"} <= set(row) for row in found)
    failing = rows(QUERIES["failing by target and subnet"][0], logs["probe"])
    assert {"minutes", "why", "cause", "Target", "SubnetId"} <= set().union(*failing)
