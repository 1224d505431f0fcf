"""The types of the report of `egressprobe history`. Frozen, no I/O; their JSON (camelCase) is the contract.

Times are RFC 3339 in UTC with seconds, empty where there is none.
"""

from egressprobe.model.struct import CompactStruct, Struct
from egressprobe.model.target import Impact, Verdict
from egressprobe.observability.flows.result import ObservedSubnet

HISTORY_SCHEMA = "egressprobe/history/v1"


class MinuteTally(Struct, frozen=True):
    """Minutes by state. percent: available, of the measured ones, 0 to 100; None where none was measured.

    failed: at most so many, failed_at_least: at least; they differ where a metric sums up several minutes.
    """

    measured: int
    failed: int
    failed_at_least: int
    unknown: int
    percent: float | None


class CodeMinutes(Struct, frozen=True):
    """In how many minutes of an outage a target failed with this code."""

    code: str
    minutes: int


class TargetOutage(CompactStruct, frozen=True):
    """One outage of one target. end: of its last failing minute. minutes: from start to end.

    resolution_seconds: how exactly the source knows start and end. incidents: ids of those that the Planner reported.
    """

    target: str
    start: str
    end: str
    ongoing: bool
    minutes: int
    failed_minutes: int
    unknown_minutes: int
    resolution_seconds: int
    subnets: tuple[str, ...] = ()
    codes: tuple[CodeMinutes, ...] = ()
    cause: str = ""
    incidents: tuple[str, ...] = ()


class HistoryCell(Struct, frozen=True):
    """A target from one subnet."""

    subnet_id: str
    tally: MinuteTally
    verdict: Verdict


class HistoryRow(Struct, frozen=True):
    """A target: it failed in a minute in which it failed from any subnet. budget_left: minutes; below 0: overspent."""

    target: str
    url: str
    impact: Impact | None
    verdict: Verdict
    tally: MinuteTally
    budget_minutes: float
    budget_left: float
    outages: int
    ongoing: bool
    cells: tuple[HistoryCell, ...] = ()


class ReportedIncident(Struct, frozen=True):
    """One that the Planner sent messages about. transitions: of the messages that it logged, in order of time."""

    id: str
    key: str
    what: str
    first: str
    transitions: tuple[str, ...]
    targets: tuple[str, ...] = ()


class HistorySource(Struct, frozen=True):
    """What a part of the time was read from. problem: what of it could not be read."""

    name: str
    since: str
    until: str
    resolution_seconds: int
    queries: int = 0
    bytes_scanned: int = 0
    dollars: float = 0.0
    problem: str = ""


class SubnetTally(Struct, frozen=True):
    """All targets from one subnet: the sum of their minutes."""

    subnet_id: str
    tally: MinuteTally


class OutageHistory(Struct, frozen=True):
    """Outages and availability from `since` to `until`. objective: per cent.

    outages: those that go on, then the newest first. tally: the sum of the targets' minutes.
    """

    schema_version: str
    started_at: str
    duration_ms: float
    stack: str
    cluster_name: str
    since: str
    until: str
    objective: float
    gap_minutes: int
    verdict: Verdict
    tally: MinuteTally
    subnets: tuple[ObservedSubnet, ...]
    subnet_tallies: tuple[SubnetTally, ...]
    rows: tuple[HistoryRow, ...]
    outages: tuple[TargetOutage, ...]
    incidents: tuple[ReportedIncident, ...] = ()
    sources: tuple[HistorySource, ...] = ()
    notes: tuple[str, ...] = ()
