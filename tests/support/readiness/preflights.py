"""Preflights made by hand: a cluster, and a matrix from a mapping."""

from statistics import median

from egressprobe.model.report import TargetView, worst
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.readiness.result import (
    PREFLIGHT_SCHEMA,
    ClusterState,
    Decision,
    MatrixCell,
    MatrixRow,
    Preflight,
    Relation,
)

ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/prod"
SUBNETS = ("subnet-a", "subnet-b")
CLUSTER = ClusterState(
    name="prod",
    region="eu-west-1",
    account="123456789012",
    arn=ARN,
    status="ACTIVE",
    mode="AWS_MANAGED",
    version="1.35",
    vpc="vpc-1",
    subnets=SUBNETS,
    security_groups=("sg-1",),
    ip_family="ipv4",
)


def cell(verdict=Verdict.PASS, *, subnet="subnet-a", family="ipv4", code=None, times=(), rounds=5):
    known = median(times) if times else None
    return MatrixCell(subnet, family, verdict, code, known, (verdict,) * rounds, tuple(times))


def row(name, *cells, kind=Kind.WEBHOOK, impact=Impact.BLOCKS):
    target = TargetView(kind=kind, name=name, url=f"https://{name}/validate")
    return MatrixRow(target, worst(c.verdict for c in cells), impact, True, Relation.NONE, tuple(cells))


def preflight(*rows, cluster=CLUSTER, decision=Decision.GO, started_at="2026-11-26T10:00:00Z", **more):
    fields = {
        "schema_version": PREFLIGHT_SCHEMA,
        "run_id": "run",
        "started_at": started_at,
        "duration_ms": 120_000.0,
        "version": "0",
        "decision": decision,
        "reasons": (),
        "cluster": cluster,
        "probed_from": "stack egressprobe-prod",
        "rounds": 5,
        "seconds": 120.0,
        "checks": (),
        "subnets": (),
        "rows": rows,
        "causes": (),
        "safety": (),
        "not_covered": (),
        "audit": None,
        "joined": None,
    }
    return Preflight(**(fields | more))
