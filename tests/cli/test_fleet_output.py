"""The readiness of a fleet in each format: one line a cluster, the worst first; 80 columns, or whole for a pipe."""

import html
import io
import json
import re

import pytest
import yaml

from egressprobe.cli.output.fleet_table import fleet_markdown, fleet_table
from egressprobe.cli.output.formats import FORMATS, render
from egressprobe.readiness.fleet.result import FLEET_SCHEMA, Fleet, FleetCluster, FleetEvidence, FleetRegion
from egressprobe.readiness.result import Decision

CLUSTERS = (
    FleetCluster(
        "payments-production-frankfurt-2", "ap-southeast-2", Decision.NO_GO, FleetEvidence.PROBED,
        "policy.example.com/validate: fails from subnet-a, subnet-b: requests that need it are refused", "1.35",
        "AWS_MANAGED", "ACTIVE", "connect_timeout", 3, "egressprobe-payments",
    ),
    FleetCluster("lab", "eu-west-1", Decision.UNKNOWN, FleetEvidence.AUDIT_ONLY, "no stack probes it", "1.34", "AWS_MANAGED"),
    FleetCluster("old", "eu-west-1", Decision.UNKNOWN, FleetEvidence.NONE, "AccessDeniedException: \x1b[31m<b>`|x`</b>"),
    FleetCluster("prod", "eu-west-1", Decision.GO, FleetEvidence.PROBED, "4 paths pass", "1.35", "CUSTOMER_ROUTED", "ACTIVE"),
)  # fmt: skip
REGIONS = (
    FleetRegion("ap-southeast-2", 1),
    FleetRegion("eu-west-1", 3),
    FleetRegion("sa-east-1", error="AccessDeniedException: eks:ListClusters"),
    FleetRegion("us-east-1"),
)
FLEET = Fleet(
    FLEET_SCHEMA, "run", "2026-11-26T12:00:00.000+00:00", 1.0, "0.1.0", Decision.NO_GO, CLUSTERS, REGIONS, 5, 120.0
)


def test_the_table_fits_80_columns():
    """All but the last line, a command that is there to be copied."""
    *lines, command = fleet_table(FLEET, width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert command.endswith("egressprobe preflight --cluster payments-production-frankfurt-2 --region ap-southeast-2")
    head = next(i for i, line in enumerate(lines) if line.startswith("DECISION"))
    assert lines[head].split() == ["DECISION", "CLUSTER", "REGION", "VERSION", "MODE"]
    rows = [row for row in lines[head + 1 :] if row.split(" ")[0] in set(Decision)]
    assert [row.split()[1] for row in rows] == ["payments-production-frank...", "lab", "old", "prod"]
    assert "    audit only: no stack probes it" in lines


def test_a_pipe_gets_one_line_for_each_cluster():
    first, _, head, *rest = fleet_table(FLEET).splitlines()
    assert first == "NO-GO: 1 NO-GO, 2 UNKNOWN, 1 GO of 4 clusters in ap-southeast-2, eu-west-1, sa-east-1, us-east-1"
    assert head.endswith("WHAT DECIDES")
    assert rest[0].startswith("NO-GO")
    assert rest[0].endswith("requests that need it are refused (connect_timeout); and 3 more")
    assert rest[1].split() == [
        "UNKNOWN",
        "lab",
        "eu-west-1",
        "1.34",
        "AWS_MANAGED",
        "audit",
        "only",
        "no",
        "stack",
        "probes",
        "it",
    ]
    assert rest[3].split()[:6] == ["GO", "prod", "eu-west-1", "1.35", "CUSTOMER_ROUTED", "probed"]


def test_what_could_not_be_listed_is_named():
    text = fleet_table(FLEET)
    assert "sa-east-1: its clusters could not be listed: AccessDeniedException: eks:ListClusters" in text
    assert "us-east-1: there are no clusters." in text
    assert "egressprobe preflight --cluster payments-production-frankfurt-2 --region ap-southeast-2" in text


@pytest.mark.parametrize("form", FORMATS[Fleet])
def test_no_format_passes_on_control_characters(form):
    text = render(FLEET, form, io.StringIO())
    assert "\x1b" not in text
    assert "payments-production-frankfurt-2" in text


def test_json_lines_and_yaml_have_the_same():
    whole = json.loads(render(FLEET, "json", io.StringIO()))
    assert [cluster["name"] for cluster in whole["clusters"]] == [cluster.name for cluster in CLUSTERS]
    lines = [json.loads(line) for line in render(FLEET, "jsonl", io.StringIO()).splitlines()]
    assert lines == [{"runId": "run", "startedAt": FLEET.started_at} | cluster for cluster in whole["clusters"]]
    assert yaml.safe_load(render(FLEET, "yaml", io.StringIO())) == whole


def test_markdown_is_one_table_and_shows_texts_as_they_are():
    """HTML, code and column separators of others' texts are escaped."""
    lines = fleet_markdown(FLEET).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(CLUSTERS)
    assert {len(line.split("|")) for line in table} == {9}
    assert "<b>`|x`</b>" in html.unescape(table[4])
    assert not re.search(r"[<>`]", table[4])
    assert lines[0].startswith("**NO-GO: 1 NO-GO")


def test_a_fleet_of_nothing_says_so():
    empty = Fleet(FLEET_SCHEMA, "run", "", 1.0, "0.1.0", Decision.UNKNOWN, (), (FleetRegion("eu-west-1"),), 5, 120.0)
    assert fleet_table(empty) == (
        "UNKNOWN: 0 NO-GO, 0 UNKNOWN, 0 GO of 0 clusters in eu-west-1\n\neu-west-1: there are no clusters."
    )
