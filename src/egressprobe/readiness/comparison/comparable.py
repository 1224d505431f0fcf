"""Reports of several kinds as cells that can be compared: target x subnet x family.

A joined report and the report of one run have no families, and one round: their cells have the family "".
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.model.joined_report import Cause, Joined
from egressprobe.model.report import Report, worst
from egressprobe.model.target import Impact, Kind, Verdict
from egressprobe.readiness.coverage import round_gaps
from egressprobe.readiness.matrix import ProbeRound
from egressprobe.readiness.result import LOCAL, ClusterState, Decision, MatrixCell, Preflight, SwitchCheck

_VERDICTS = {Decision.GO: Verdict.PASS, Decision.NO_GO: Verdict.FAIL, Decision.UNKNOWN: Verdict.UNKNOWN}


class CellKey(NamedTuple):
    """What a cell is about; names of targets are unique in one kind only."""

    kind: Kind
    target: str
    subnet: str
    family: str


class ComparedCell(NamedTuple):
    """A cell, and what breaks in the cluster when its target fails."""

    cell: MatrixCell
    impact: Impact


class Comparable(NamedTuple):
    """One report. title: its kind, in words. cluster: None where the report does not have it.

    subnets: from which it measured; "" is a computer that is in none. incomplete: why targets may be missing in it,
    empty where all were seen. has_families: whether its cells have one each. targets: kind and name of each.
    not_known: names of what it says nothing certain about. checks: the prerequisites.
    unseen: what else was not seen, as subject and sentence; neither the list of targets nor a check.
    """

    title: str
    origin: str
    started_at: str
    cluster_name: str
    mode: str
    rounds: int
    verdict: Verdict
    cells: Mapping[CellKey, ComparedCell]
    subnets: frozenset[str]
    causes: tuple[Cause, ...] = ()
    cluster: ClusterState | None = None
    incomplete: str = ""
    has_families: bool = False
    targets: frozenset[tuple[Kind, str]] = frozenset()
    not_known: frozenset[str] = frozenset()
    checks: tuple[SwitchCheck, ...] = ()
    unseen: tuple[tuple[str, str], ...] = ()


def comparable(report: Preflight | Joined | Report, origin: str) -> Comparable:
    """origin: the file it is from, or `now`."""
    if isinstance(report, Preflight):
        return _of_preflight(report, origin)
    return _of_joined(report, origin) if isinstance(report, Joined) else _of_report(report, origin)


def _of_preflight(report: Preflight, origin: str) -> Comparable:
    cells = {
        CellKey(row.target.kind, row.target.name, cell.subnet_id, cell.family): ComparedCell(cell, row.impact)
        for row in report.rows
        for cell in row.cells
    }
    unread = [reason.summary for reason in report.reasons if reason.subject == DISCOVERY]
    return Comparable(
        title="a preflight",
        origin=origin,
        started_at=report.started_at,
        cluster_name=report.cluster.name,
        mode=report.cluster.mode,
        rounds=report.rounds,
        verdict=_VERDICTS[report.decision],
        cells=cells,
        subnets=frozenset(key.subnet for key in cells) | {column.id for column in report.subnets},
        causes=report.causes,
        cluster=report.cluster,
        incomplete="; ".join(unread),
        has_families=True,
        targets=frozenset((row.target.kind, row.target.name) for row in report.rows),
        not_known=frozenset(reason.subject for reason in report.reasons if reason.decision is Decision.UNKNOWN),
        checks=tuple(check for check in report.checks if check.part == "prerequisite"),
        unseen=tuple(_unseen(report)),
    )


def _unseen(report: Preflight) -> Iterator[tuple[str, str]]:
    """Two reports from one computer can be compared: that it is in no subnet is shown in each cell."""
    elsewhere = {DISCOVERY, LOCAL, *(check.title for check in report.checks)}
    for reason in report.reasons:
        if reason.decision is Decision.UNKNOWN and reason.subject not in elsewhere:
            yield reason.subject, reason.summary


def _of_joined(report: Joined, origin: str) -> Comparable:
    cells = {
        CellKey(row.target.kind, row.target.name, cell.subnet_id, ""): ComparedCell(
            MatrixCell(cell.subnet_id, "", cell.verdict, cell.code, _ms(cell.seconds), (cell.verdict,)), row.impact
        )
        for row in report.rows
        for cell in row.cells
    }
    return Comparable(
        title="a joined report",
        origin=origin,
        started_at=report.started_at,
        cluster_name=report.cluster_name,
        mode="",
        rounds=1,
        verdict=report.verdict,
        cells=cells,
        subnets=frozenset(view.subnet_id for view in report.views),
        causes=report.causes,
        targets=frozenset((row.target.kind, row.target.name) for row in report.rows),
        unseen=tuple((gap.subject, gap.summary) for gap in round_gaps([ProbeRound(report)], 1, ())),
    )


def _of_report(report: Report, origin: str) -> Comparable:
    subnet = report.vantage.subnet_id or ""
    cells = {}
    for result in report.results:
        code = result.failure.code if result.failure else None
        seconds = result.forecast.seconds if result.forecast else None
        cell = MatrixCell(subnet, "", result.verdict, code, _ms(seconds), (result.verdict,))
        cells[CellKey(result.target.kind, result.target.name, subnet, "")] = ComparedCell(cell, result.impact)
    return Comparable(
        title="the report of one run",
        origin=origin,
        started_at=report.started_at,
        cluster_name=report.vantage.cluster_name or "",
        mode="",
        rounds=1,
        verdict=report.verdict,
        cells=cells,
        subnets=frozenset({subnet}),
        targets=frozenset((result.target.kind, result.target.name) for result in report.results),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def without_families(report: Comparable) -> Comparable:
    """Each target's cells of one subnet as one: the worst verdict, the longest median."""
    together: dict[CellKey, list[ComparedCell]] = {}
    for key, compared in report.cells.items():
        together.setdefault(key._replace(family=""), []).append(compared)
    cells = {key: _together(compared) for key, compared in together.items()}
    return report._replace(cells=cells, has_families=False)


def _together(given: list[ComparedCell]) -> ComparedCell:
    verdict = worst(compared.cell.verdict for compared in given)
    decisive = next(compared for compared in given if compared.cell.verdict is verdict)
    medians = [compared.cell.median_ms for compared in given if compared.cell.median_ms is not None]
    longest = max(medians, default=None)
    times = _longest(compared.cell for compared in given)
    return decisive._replace(cell=replace(decisive.cell, family="", median_ms=longest, times_ms=times))


def _longest(cells: Iterable[MatrixCell]) -> tuple[float, ...]:
    """The times of the cell with the longest median."""
    return max(cells, key=lambda cell: cell.median_ms or 0.0).times_ms


# The subject of preflight's reason for a list that was not read completely.
DISCOVERY = "discovery"
