"""One report from every subnet: a matrix of targets and subnets, and the reports that it was joined from.

A subnet whose probe did not respond is `unknown` in every row, with the reason in its view: never pass, never fail.
"""

from typing import Any

import msgspec

from egressprobe.model.failure import Code
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.report import Finding, Report, Summary, TargetView
from egressprobe.model.struct import CompactStruct, Struct
from egressprobe.model.target import Impact, Verdict

JOINED_SCHEMA = "egressprobe/joined/v1"


class Cell(CompactStruct, frozen=True):
    """One target from one subnet; seconds: duration of the predicted API call."""

    subnet_id: str
    verdict: Verdict
    code: Code | None = None
    seconds: float | None = None


class Row(Struct, frozen=True):
    """One target; cells in the order of the views; the verdict is the worst of its cells."""

    target: TargetView
    verdict: Verdict
    impact: Impact
    switch_relevant: bool
    cells: tuple[Cell, ...] = ()


class View(Struct, frozen=True):
    """One subnet's probe. error: why it did not respond, or not for every target."""

    subnet_id: str
    availability_zone: str
    verdict: Verdict
    summary: Summary
    duration_ms: float
    error: str | None = None


class RefusedTarget(msgspec.Struct, frozen=True):
    """A requested target that is not in the inventory."""

    name: str
    why: str


class Cause(CompactStruct, frozen=True):
    """Why a target fails from these subnets: one root cause, and its consequences.

    code: a finding's or a failure's. remedy_steps: `remedy` as data. differs: how these subnets' paths differ from
    those of the passing subnets. element: what of the VPC's configuration is broken, the same for every target that it
    breaks: an id, or a route table and a destination; empty where no element is the cause. path: ids of what decides
    over the path, in the packets' order and then by name.
    """

    target: str
    subnets: tuple[str, ...]
    code: str
    summary: str
    remedy: str
    evidence: dict[str, Any] = {}
    consequences: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    remedy_steps: RemedySteps | msgspec.UnsetType = msgspec.UNSET
    element: str = ""
    path: tuple[str, ...] = ()


class Joined(Struct, frozen=True):
    """The response to an on-demand invocation of the Planner; summary counts rows."""

    schema_version: str
    run_id: str
    started_at: str
    duration_ms: float
    cluster_name: str
    verdict: Verdict
    summary: Summary
    views: tuple[View, ...]
    rows: tuple[Row, ...]
    reports: tuple[Report, ...]
    refused: tuple[RefusedTarget, ...] = ()
    findings: tuple[Finding, ...] = ()
    limits: str = ""
    causes: tuple[Cause, ...] = ()
