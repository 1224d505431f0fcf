"""Each kind of report as JSON lines: one for each cell of its matrix, each with the run that it belongs to."""

from collections.abc import Iterator
from typing import Any

from msgspec import to_builtins

from egressprobe.audit.result import Audit
from egressprobe.audit.whatif.result import WhatIf
from egressprobe.incidents.answer import OpenIncidents
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import Report
from egressprobe.observability.flows.result import Flows
from egressprobe.observability.history.result import OutageHistory
from egressprobe.readiness.fleet.result import Fleet
from egressprobe.readiness.result import Difference, Preflight

type Line = dict[str, Any]


def report_lines(report: Report) -> Iterator[Line]:
    """A line a target, with all that was measured."""
    head = {"runId": report.run_id, "startedAt": report.started_at}
    yield from (head | to_builtins(result) for result in report.results)


def joined_lines(joined: Joined) -> Iterator[Line]:
    """A line for each target and subnet."""
    head = {"runId": joined.run_id, "startedAt": joined.started_at, "clusterName": joined.cluster_name}
    for row in joined.rows:
        about = {"target": row.target, "impact": row.impact, "switchRelevant": row.switch_relevant}
        yield from (to_builtins(head | about | to_builtins(cell)) for cell in row.cells)


def audit_lines(audit: Audit) -> Iterator[Line]:
    """A line for each target and subnet."""
    head = _vpc(audit)
    for row in audit.rows:
        yield from (to_builtins(head | {"target": row.target} | to_builtins(cell)) for cell in row.cells)


def whatif_lines(result: WhatIf) -> Iterator[Line]:
    """A line for each path that changes."""
    head = _vpc(result) | {"plan": result.plan}
    yield from (head | to_builtins(path) for path in result.paths)


def _vpc(result: Audit | WhatIf) -> Line:
    return {
        "takenAt": result.taken_at,
        "region": result.region,
        "clusterName": result.cluster_name,
        "vpc": result.vpc,
    }


def preflight_lines(preflight: Preflight) -> Iterator[Line]:
    """A line for each target, subnet and family."""
    head = {
        "runId": preflight.run_id,
        "startedAt": preflight.started_at,
        "clusterName": preflight.cluster.name,
        "decision": preflight.decision,
    }
    for row in preflight.rows:
        about = {
            "target": row.target,
            "impact": row.impact,
            "switchRelevant": row.switch_relevant,
            "relation": row.relation,
        }
        yield from (to_builtins(head | about | to_builtins(cell)) for cell in row.cells)


def fleet_lines(fleet: Fleet) -> Iterator[Line]:
    """A line for each cluster."""
    head = {"runId": fleet.run_id, "startedAt": fleet.started_at}
    yield from (head | to_builtins(cluster) for cluster in fleet.clusters)


def difference_lines(difference: Difference) -> Iterator[Line]:
    """A line for each cell that is not the same; the times are those of the two runs."""
    head = {
        "clusterName": difference.cluster_name,
        "beforeStartedAt": difference.before.started_at,
        "afterStartedAt": difference.after.started_at,
    }
    yield from (head | to_builtins(cell) for cell in difference.differences)


def incidents_lines(answer: OpenIncidents) -> Iterator[Line]:
    """A line for each open incident."""
    head = {"takenAt": answer.at, "clusterName": answer.cluster_name}
    yield from (head | {"name": incident.key} | to_builtins(incident) for incident in answer.open)


def flows_lines(flows: Flows) -> Iterator[Line]:
    """A line for each target, kind of interface and subnet."""
    head = {
        "startedAt": flows.started_at,
        "clusterName": flows.cluster_name,
        "since": flows.since,
        "until": flows.until,
    }
    for row in flows.rows:
        about = {"target": row.target, "url": row.url, "kind": row.kind}
        yield from (head | about | to_builtins(cell) for cell in row.cells)


def history_lines(history: OutageHistory) -> Iterator[Line]:
    """A line for each target, in all and from each subnet."""
    head = {"startedAt": history.started_at, "clusterName": history.cluster_name, "since": history.since}
    for row in history.rows:
        about = head | {"target": row.target, "url": row.url}
        yield about | {"subnetId": None} | to_builtins({"tally": row.tally, "verdict": row.verdict})
        yield from (about | to_builtins(cell) for cell in row.cells)
