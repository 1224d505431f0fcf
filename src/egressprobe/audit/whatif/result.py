"""The result of a trial; its JSON is `egressprobe/whatif/v1`."""

from typing import Any, Literal

from egressprobe.audit.paths.destination import NotAudited
from egressprobe.model.report import Finding
from egressprobe.model.struct import CompactStruct, Struct
from egressprobe.model.target import Expect, Verdict

WHATIF_SCHEMA = "egressprobe/whatif/v1"
type Effect = Literal["closes", "opens", "unknown", "ends"]


class PathEffect(CompactStruct, frozen=True):
    """What the plan does to the calls of one target from one subnet, in one IP family where it has two.

    effect: closes (also in part), opens (also in part), unknown, or ends where the cluster no longer uses the path.
    before, after: open, partial, closed or unknown; empty where the path is not used. code, cause, element, evidence:
    of what blocks afterwards. steps: of the plan, that change something on the path. why: why it is unknown.
    """

    effect: Effect
    target: str
    port: int
    subnet: str
    protocol: str = "tcp"
    family: str = ""
    zone: str = ""
    addresses: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    code: str = ""
    cause: str = ""
    element: str = ""
    evidence: dict[str, Any] = {}
    steps: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    expect: Expect = Expect.REACHABLE


class PlanStep(CompactStruct, frozen=True):
    """A step of the plan. status: applied, refused (by AWS, with its code), unmodelled, elsewhere (another VPC) or no
    effect. changes: what it does, in words.
    """

    name: str
    action: str
    status: str
    why: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


class PathCounts(Struct, frozen=True):
    """Of subnets and targets, by family where a target has two. The others are not changed: by their state."""

    closes: int = 0
    opens: int = 0
    unknown: int = 0
    ends: int = 0
    unchanged: dict[str, int] = {}


class WhatIf(CompactStruct, frozen=True):
    """findings: what the audit finds afterwards and not before; resolved: what it no longer finds.

    ignored: resources of the plan that cannot touch a path.
    """

    schema_version: str
    taken_at: str
    region: str
    cluster_name: str
    vpc: str
    plan: str
    verdict: Verdict
    summary: PathCounts
    paths: tuple[PathEffect, ...]
    steps: tuple[PlanStep, ...]
    findings: tuple[Finding, ...] = ()
    resolved: tuple[Finding, ...] = ()
    ignored: int = 0
    notes: tuple[str, ...] = ()
    not_audited: tuple[NotAudited, ...] = ()
    limits: str = ""
