"""One answer from every subnet: a matrix target x subnet, and under it the reports it was made of.

A subnet whose probe did not answer is `unknown` in every row, with the reason in its view: never pass, never fail.
"""

from typing import Any

import msgspec

from egressprobe.model.failure import Code
from egressprobe.model.report import Finding, Report, Summary, TargetView
from egressprobe.model.struct import CompactStruct, Struct
from egressprobe.model.target import Impact, Verdict

JOINED_SCHEMA = "egressprobe/joined/v1"


class Cell(CompactStruct, frozen=True):
    """One target seen from one subnet; seconds: of the forecast call."""

    subnet_id: str
    verdict: Verdict
    code: Code | None = None
    seconds: float | None = None


class Row(Struct, frozen=True):
    """One target; cells in the order of the views; the worst that some subnet says is its verdict."""

    target: TargetView
    verdict: Verdict
    impact: Impact
    switch_relevant: bool
    cells: tuple[Cell, ...] = ()


class View(Struct, frozen=True):
    """One subnet's probe. error: why it did not answer, or not for every target."""

    subnet_id: str
    availability_zone: str
    verdict: Verdict
    summary: Summary
    duration_ms: float
    error: str | None = None


class RefusedTarget(msgspec.Struct, frozen=True):
    """What was asked for and is not in the inventory."""

    name: str
    why: str


class Cause(CompactStruct, frozen=True):
    """Why a target fails from these subnets: one thing, and what follows from it.

    code: a finding's or a failure's. differs: what these subnets' ways have and the others' have not, in words.
    """

    target: str
    subnets: tuple[str, ...]
    code: str
    summary: str
    remedy: str
    evidence: dict[str, Any] = {}
    consequences: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


class Joined(Struct, frozen=True):
    """The answer to an on-demand call of the Planner; summary counts rows."""

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
