"""The matrix target x subnet x family of several rounds. Pure.

A round without a result for a cell makes it unknown in that round: it is not left out of the worst.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from ipaddress import ip_address
from statistics import median
from typing import NamedTuple

from egressprobe.apiserver.client_rules import RULES
from egressprobe.audit.paths.destination import TargetRow
from egressprobe.audit.result import Audit
from egressprobe.catalog.findings_cluster import CLUSTER_ISSUER_UNREACHABLE
from egressprobe.model.failure import CODES, NOT_MEASURED, Code, Ending, Phase
from egressprobe.model.joined_report import Cell, Joined, Row
from egressprobe.model.report import Result, TargetView, view, worst
from egressprobe.model.target import Expect, FailurePolicy, Impact, Target, Verdict
from egressprobe.readiness.result import LOCAL, MatrixCell, MatrixRow, Relation

_WORST_IMPACT = (Impact.BLOCKS, Impact.DELAYS, Impact.BYPASSES, Impact.NONE)
_IDENTITY = ("kind", "url", "ca_bundle", "timeout_seconds", "expect")
_WORST_STATE = ("closed", "partial", "unknown", "open")
_ORDER = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.PASS)
# The API server fails the call before it connects, by whichever path: today as well.
_NOT_SENT = frozenset(code for code, facts in CODES.items() if facts.ending is Ending.NOT_SENT) - NOT_MEASURED


class ProbeRound(NamedTuple):
    """One round: the report, or why there is none."""

    joined: Joined | None
    error: str = ""


class _Measured(NamedTuple):
    """One target from one subnet in one round. result: None where the report was cut to its cells."""

    cell: Cell
    result: Result | None


type _OfTarget = Mapping[tuple[int, str], _Measured]


def matrix(
    rounds: Sequence[ProbeRound], targets: Sequence[Target], audit: Audit | None, subnets: Sequence[str]
) -> tuple[MatrixRow, ...]:
    """The rows, the worst first. targets: those that discovery knows; a report may have more, and may lack some.

    subnets: the columns. Each row has at least one cell for each of them.
    """
    known = {target.name: target for target in targets}
    reports, reported = _Reports(rounds, audit), _reported(rounds)
    rows = [
        _row(name, known.get(name), reported.get(name, []), reports, subnets)
        for name in dict.fromkeys((*known, *reported))
    ]
    return tuple(sorted(rows, key=_rank))


def outdated(rounds: Sequence[ProbeRound], targets: Sequence[Target]) -> list[str]:
    """Names of targets that were probed otherwise than the cluster calls them now."""
    known = {target.name: view(target) for target in targets}
    rows = [row for probed in rounds if probed.joined for row in probed.joined.rows if row.target.name in known]
    return list(dict.fromkeys(row.target.name for row in rows if not _is_same(row.target, known[row.target.name])))


def _is_same(reported: TargetView, expected: TargetView) -> bool:
    """A target of the same name by another URL, with other CA certificates (by their hash), or with another timeout is
    another target.
    """
    return all(getattr(reported, name) == getattr(expected, name) for name in _IDENTITY)


def moves(target: TargetView) -> bool:
    """Whether the switch moves the path to this target: it is called by URL, or by a Service that is outside the VPC.

    Control plane egress, Prerequisites: aggregated APIs and webhooks leave the VPC "if the endpoint is external".
    """
    if RULES[target.kind].switch_relevant and target.service is None:
        return True
    return target.service is not None and any(map(_external, target.addresses))


def fails(cell: MatrixCell) -> bool:
    """Whether calls fail from here: all of them, a share, or those of one round."""
    some = cell.verdict is Verdict.DEGRADED and cell.code is not None
    return some or cell.verdict is Verdict.FAIL or Verdict.FAIL in cell.rounds


def elsewhere(cell: MatrixCell) -> bool:
    """Whether a failure says nothing of the cluster's subnets: this computer met it, and no server has answered."""
    if cell.subnet_id != LOCAL or cell.code is None:
        return cell.subnet_id == LOCAL
    facts = CODES[cell.code]
    return facts.ending is not Ending.ANSWERED or facts.phase in (Phase.RESOLVE, Phase.CONNECT)


def _external(place: str) -> bool:
    """A host name (EndpointSlices of type FQDN), or a public IPv4 address. Pods may have global IPv6 addresses."""
    host = place.rpartition(":")[0].strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        return True
    return address.version == 4 and address.is_global


class _Reports:
    """Results, and the audit's rows and paths, by what a cell is: thousands of targets have each their own."""

    def __init__(self, rounds: Sequence[ProbeRound], audit: Audit | None) -> None:
        self.rounds = len(rounds)
        self.results = {
            (number, report.vantage.subnet_id or "", result.target.name): result
            for number, probed in enumerate(rounds)
            for report in (probed.joined.reports if probed.joined else ())
            for result in report.results
        }
        self.audited: dict[str, list[TargetRow]] = {}
        for row in audit.rows if audit else ():
            self.audited.setdefault(row.target.name, []).append(row)
        self.states: dict[tuple[str, str, int], set[str]] = {}
        for path in audit.paths if audit else ():
            self.states.setdefault((path.subnet, path.address, path.port), set()).add(path.state)


def _reported(rounds: Sequence[ProbeRound]) -> dict[str, list[tuple[int, Row]]]:
    rows: dict[str, list[tuple[int, Row]]] = {}
    for number, probed in enumerate(rounds):
        for row in probed.joined.rows if probed.joined else ():
            rows.setdefault(row.target.name, []).append((number, row))
    return rows


def _row(
    name: str,
    known: Target | None,
    reported: Sequence[tuple[int, Row]],
    reports: _Reports,
    subnets: Sequence[str],
) -> MatrixRow:
    expected = view(known) if known else None
    same = [(number, row) for number, row in reported if expected is None or _is_same(row.target, expected)]
    measured: dict[tuple[int, str], _Measured] = {}
    for number, row in same:
        for cell in row.cells:
            place = number, cell.subnet_id
            # Of two rows of one name in a report the worse one counts.
            if place not in measured or worst((measured[place].cell.verdict, cell.verdict)) is cell.verdict:
                measured[place] = _Measured(cell, reports.results.get((*place, name)))
    target = expected or same[0][1].target
    results = [outcome.result for outcome in measured.values() if outcome.result]
    configured = reports.audited.get(name, [])
    families = {attempt.family for result in results for attempt in result.attempts}
    cells = tuple(
        cell
        for subnet in subnets
        for cell in _cells(subnet, target, measured, reports.rounds, families, _Configured(configured, reports, subnet))
    )
    relevant = moves(target) or any(result.switch_relevant for result in results)
    issuer_only = any(
        finding.code == CLUSTER_ISSUER_UNREACHABLE.code for result in results for finding in result.findings
    )
    verdict = worst(cell.verdict for cell in cells)
    advisory = known.advisory if known else issuer_only
    return MatrixRow(
        target=target,
        verdict=verdict,
        impact=_impact(target, known, results),
        switch_relevant=relevant,
        relation=Relation.NONE if advisory else _relation(cells, relevant=relevant),
        cells=cells,
        advisory=advisory,
    )


def _cells(
    subnet: str,
    target: TargetView,
    measured: _OfTarget,
    rounds: int,
    elsewhere_dialled: AbstractSet[str],
    configured: "_Configured",
) -> Iterator[MatrixCell]:
    """One a family that was dialled in any round; where none was, those of other subnets, else one without family."""
    here = [measured.get((number, subnet)) for number in range(rounds)]
    results = [outcome.result for outcome in here if outcome and outcome.result]
    families: AbstractSet[str] = {attempt.family for result in results for attempt in result.attempts}
    for family in sorted(families or elsewhere_dialled) or [""]:
        outcomes = [_outcome(measurement, target, family) for measurement in here]
        verdict = worst(verdict for verdict, _ in outcomes)
        codes = [code for outcome, code in outcomes if outcome is verdict and code is not None]
        times = [round(m.cell.seconds * 1e3, 3) for m in here if m and m.cell.seconds is not None]
        dialled = {attempt.address for result in results for attempt in result.attempts if attempt.family == family}
        yield MatrixCell(
            subnet_id=subnet,
            family=family,
            verdict=verdict,
            code=max(codes, key=codes.count) if codes else None,
            median_ms=round(median(times), 3) if times else None,
            rounds=tuple(verdict for verdict, _ in outcomes),
            times_ms=tuple(times),
            configured=configured.state(family, dialled),
        )


def _outcome(measured: _Measured | None, target: TargetView, family: str) -> tuple[Verdict, Code | None]:
    """Of one family in one round: the call's verdict, unless another family decided it."""
    if measured is None:
        return Verdict.UNKNOWN, None
    cell, result = measured
    if not family or target.expect is Expect.BLOCKED or cell.verdict is Verdict.UNKNOWN:
        return cell.verdict, cell.code
    attempts = [attempt for attempt in (result.attempts if result else ()) if attempt.family == family]
    failing = [attempt.failure.code for attempt in attempts if attempt.failure]
    if cell.verdict is Verdict.FAIL:
        others = result is not None and any(a.failure for a in result.attempts if a.family != family)
        return (Verdict.PASS, None) if attempts and not failing and others else (cell.verdict, cell.code)
    if len(failing) == len(attempts):
        # The call passes by the other family; without attempts this one was not dialled, or the report was cut.
        return (Verdict.UNKNOWN, None) if set(failing) <= NOT_MEASURED else (Verdict.DEGRADED, cell.code)
    return cell.verdict, cell.code


class _Configured(NamedTuple):
    """The audit's rows of one target (one a port), for one subnet."""

    rows: Sequence[TargetRow]
    reports: _Reports
    subnet: str

    def state(self, family: str, dialled: Iterable[str]) -> str:
        """The worst over the target's addresses of the family; unknown where the probe dialled none of them."""
        states: set[str] = set()
        dialled = set(dialled)
        for row in self.rows:
            addresses = [text for text in row.target.addresses if family in ("", _family(text))]
            if not addresses or (dialled and not row.target.assumed and not dialled & set(addresses)):
                states.add("unknown" if addresses or not row.target.addresses else "")
                continue
            known = self.reports.states
            states |= set().union(*(known.get((self.subnet, text, row.target.port), set()) for text in addresses))
        states.discard("")
        if "closed" in states and len(states) > 1:
            return "partial"
        return min(states, key=_WORST_STATE.index) if states else ""


def _family(address: str) -> str:
    return "ipv6" if ":" in address else "ipv4"


def _impact(target: TargetView, known: Target | None, results: Sequence[Result]) -> Impact:
    """The worst that any result has; without a result what the target's kind and policy say."""
    if results:
        return min((result.impact for result in results), key=_WORST_IMPACT.index)
    if known is not None and known.impact is not None:
        return known.impact
    return Impact.BYPASSES if target.failure_policy is FailurePolicy.IGNORE else RULES[target.kind].impact


def _relation(cells: Sequence[MatrixCell], *, relevant: bool) -> Relation:
    failing = [cell for cell in cells if fails(cell) and not elsewhere(cell)]
    if not failing:
        return Relation.NONE
    if relevant and not all(cell.code in _NOT_SENT for cell in failing):
        return Relation.BY_SWITCH
    return Relation.TODAY


def _rank(row: MatrixRow) -> tuple[int, int, int, str]:
    """What the switch would break, what is not known of it, what is broken today, then the rest.

    In each group by impact, then by the number of rounds that fail.
    """
    if row.relation is Relation.BY_SWITCH:
        group = 0
    elif row.switch_relevant and row.verdict is Verdict.UNKNOWN:
        group = 1
    elif row.relation is Relation.TODAY:
        group = 2
    else:
        group = 3 + 2 * _ORDER.index(row.verdict) + (not row.switch_relevant)
    failing = sum(verdict is Verdict.FAIL for cell in row.cells for verdict in cell.rounds)
    return group, _WORST_IMPACT.index(row.impact), -failing, row.target.name
