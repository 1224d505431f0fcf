"""What is worse, better, slower, new or gone between two reports. Pure.

Cells are matched by kind and name of the target, subnet and family. A cell whose family is not known ("": no address
was seen) is compared with every family of the other report. `unknown` on either side cannot be compared: it is never
the same and never better.
"""

from collections.abc import Iterable, Iterator, Mapping
from statistics import median

from egressprobe.model.report import worst
from egressprobe.model.target import Impact, Verdict
from egressprobe.readiness.comparison.comparable import (
    CellKey,
    Comparable,
    ComparedCell,
    comparable,
    without_families,
)
from egressprobe.readiness.result import (
    DIFF_SCHEMA,
    CellDifference,
    CheckState,
    ClusterState,
    Difference,
    MatrixCell,
    Preflight,
    ReportSide,
    SwitchCheck,
    Trend,
)

# Issue 18: slower means the median of at least 5 rounds worse by 2x and 50 ms.
LEAST_ROUNDS, SLOWER_BY, SLOWER_MS = 5, 2.0, 50.0
_RANK = {Verdict.PASS: 0, Verdict.DEGRADED: 1, Verdict.FAIL: 2}
_EFFECT = {Impact.NONE: 0, Impact.DELAYS: 1, Impact.BYPASSES: 2, Impact.BLOCKS: 3}
# The worst first.
_ORDER = (Trend.WORSE, Trend.UNKNOWN, Trend.SLOWER, Trend.NEW, Trend.GONE, Trend.BETTER, Trend.FASTER)
CHECKED = {CheckState.MET: Verdict.PASS, CheckState.NOT_MET: Verdict.FAIL, CheckState.UNKNOWN: Verdict.UNKNOWN}
# Of the moment; the status is a step of the verification.
_PASSING = frozenset({"cluster-active", "no-update"})
_EXCEPT = ("name", "status", "update", "unread")


def compare(before: Preflight, after: Preflight, *, origins: tuple[str, str] = ("before", "after")) -> Difference:
    """Two preflights; origins: their files, or `now`."""
    return compare_reports(comparable(before, origins[0]), comparable(after, origins[1]))


def compare_reports(before: Comparable, after: Comparable) -> Difference:
    """Two reports of any kind; whether they are of one cluster is the caller's to check."""
    not_compared = []
    if before.has_families != after.has_families:
        without = after if before.has_families else before
        not_compared.append(f"{without.origin} is {without.title}, which has no families: IPv4 and IPv6 are one")
        before, after = without_families(before), without_families(after)
    pairs = [_difference(key, left, right, before, after) for key, left, right in _pairs(before.cells, after.cells)]
    if any(not _have_times(pair) for pair in pairs):
        not_compared.append(f"times are compared where both have {LEAST_ROUNDS} rounds or more")
    not_compared += [
        f"{side.origin} may lack targets: {side.incomplete}" for side in (before, after) if side.incomplete
    ]
    unseen = list(_unseen(before, after, pairs))
    not_compared += unseen
    checks = tuple(_no_longer_met(before.checks, after.checks))
    listed = sorted((pair for pair in pairs if pair.trend is not Trend.SAME), key=_order)
    concerned = {pair.target for pair in listed if pair.after and pair.after.verdict is not Verdict.PASS}
    return Difference(
        schema_version=DIFF_SCHEMA,
        cluster_name=after.cluster_name or before.cluster_name,
        verdict=worst(
            [
                _verdict(listed, before, after),
                *(CHECKED[check.state] for check in checks),
                *(Verdict.UNKNOWN for _ in unseen),
            ]
        ),
        before=_side(before),
        after=_side(after),
        differences=tuple(listed),
        same=len(pairs) - len(listed),
        cluster_changes=cluster_changes(before.cluster, after.cluster),
        checks=checks,
        causes=tuple(cause for cause in after.causes if cause.target in concerned),
        not_compared=tuple(not_compared),
    )


def _no_longer_met(before: Iterable[SwitchCheck], after: Iterable[SwitchCheck]) -> Iterator[SwitchCheck]:
    """Prerequisites that were met: what the VPC's configuration breaks may be seen there before a call fails."""
    met = {check.id for check in before if check.state is CheckState.MET}
    yield from (check for check in after if check.id in met - _PASSING and check.state is not CheckState.MET)


def _unseen(before: Comparable, after: Comparable, pairs: Iterable[CellDifference]) -> Iterator[str]:
    """What no pair shows: a stack that drifted, a cluster that changed meanwhile, a target that cannot be read.

    Of a target with cells: only what is new, as a family that one subnet does not show any more.
    """
    shown = {pair.target for pair in pairs if pair.trend is Trend.UNKNOWN}
    for side in (before, after):
        names = {name for _, name in side.targets}
        for subject, summary in side.unseen:
            if subject not in shown and (subject not in names or (subject, summary) not in before.unseen):
                yield f"{side.origin}: {subject}: {summary}"


def _pairs(
    before: Mapping[CellKey, ComparedCell], after: Mapping[CellKey, ComparedCell]
) -> Iterator[tuple[CellKey, ComparedCell | None, ComparedCell | None]]:
    """Every cell of either, with its counterpart in the other."""
    keys = dict.fromkeys((*before, *after))
    families: dict[CellKey, list[str]] = {}
    for key in keys:
        families.setdefault(key._replace(family=""), []).append(key.family)
    for unnamed, names in families.items():
        # A cell without a family is compared with each family of the other, and not once more by itself.
        for family in [name for name in names if name] or names:
            key = unnamed._replace(family=family)
            yield key, before.get(key) or before.get(unnamed), after.get(key) or after.get(unnamed)


def _difference(
    key: CellKey, left: ComparedCell | None, right: ComparedCell | None, before: Comparable, after: Comparable
) -> CellDifference:
    if left and right:
        trend, summary = _trend(left, right)
    elif right:
        trend, summary = _missing(key, before, Trend.NEW)
    else:
        trend, summary = _missing(key, after, Trend.GONE)
    known = right or left
    return CellDifference(
        target=key.target,
        subnet_id=key.subnet,
        family=key.family,
        trend=trend,
        impact=known.impact if known else Impact.NONE,
        before=left.cell if left else None,
        after=right.cell if right else None,
        summary=summary,
        kind=key.kind,
    )


def _missing(key: CellKey, report: Comparable, otherwise: Trend) -> tuple[Trend, str]:
    """Of a cell that `report` does not have: not there, or not seen."""
    if key[:2] not in report.targets and key.target in report.not_known:
        return Trend.UNKNOWN, f"{report.origin} could not read the target"
    if key[:2] not in report.targets:
        return (Trend.UNKNOWN, f"{report.origin} may lack targets") if report.incomplete else (otherwise, "")
    if key.subnet in report.subnets:
        return otherwise, ""
    if report.cluster and key.subnet not in report.cluster.subnets:
        return otherwise, f"{key.subnet} is not a subnet of the cluster in {report.origin}"
    return Trend.UNKNOWN, f"{report.origin} did not measure from {key.subnet or 'this computer'}"


def _trend(left: ComparedCell, right: ComparedCell) -> tuple[Trend, str]:
    verdicts = left.cell.verdict, right.cell.verdict
    if Verdict.UNKNOWN in verdicts:
        when = "in both" if verdicts[0] is verdicts[1] else "before" if verdicts[0] is Verdict.UNKNOWN else "now"
        return Trend.UNKNOWN, f"unknown {when}"
    ranks = _rank(left), _rank(right)
    if ranks[0] != ranks[1]:
        return (Trend.WORSE if ranks[1] > ranks[0] else Trend.BETTER), ""
    times = _medians(left.cell, right.cell)
    if times and _slower(*times):
        return Trend.SLOWER, ""
    return (Trend.FASTER if times and _slower(times[1], times[0]) else Trend.SAME), ""


def _rank(compared: ComparedCell) -> tuple[int, int]:
    """A failure with a graver effect is worse."""
    failing = compared.cell.verdict is Verdict.FAIL
    return _RANK[compared.cell.verdict], _EFFECT[compared.impact] if failing else 0


def _medians(left: MatrixCell, right: MatrixCell) -> tuple[float, float] | None:
    if min(len(left.times_ms), len(right.times_ms)) < LEAST_ROUNDS:
        return None
    return median(left.times_ms), median(right.times_ms)


def _slower(before: float, after: float) -> bool:
    return after >= before * SLOWER_BY and after - before >= SLOWER_MS


def _have_times(pair: CellDifference) -> bool:
    """Whether the times of a pair were compared, or need not be."""
    if pair.before is None or pair.after is None or pair.trend is Trend.UNKNOWN:
        return True
    return _medians(pair.before, pair.after) is not None


def _order(pair: CellDifference) -> tuple[object, ...]:
    return _ORDER.index(pair.trend), -_EFFECT[pair.impact], pair.kind, pair.target, pair.subnet_id, pair.family


def _verdict(listed: Iterable[CellDifference], before: Comparable, after: Comparable) -> Verdict:
    verdicts = [Verdict.PASS, *map(verdict_of, listed)]
    if before.incomplete or after.incomplete:
        verdicts.append(Verdict.UNKNOWN)
    return worst(verdicts)


def verdict_of(pair: CellDifference) -> Verdict:
    """Of one difference: what fails now with an effect, and did not before, fails, also where before was unknown."""
    fails_now = pair.after is not None and pair.after.verdict is Verdict.FAIL and pair.impact is not Impact.NONE
    if fails_now and pair.trend in (Trend.WORSE, Trend.NEW, Trend.UNKNOWN):
        return Verdict.FAIL
    if pair.trend is Trend.UNKNOWN or (pair.after is not None and pair.trend is Trend.NEW and _unknown(pair.after)):
        return Verdict.UNKNOWN
    return Verdict.DEGRADED if pair.trend in (Trend.WORSE, Trend.SLOWER) else Verdict.PASS


def _unknown(cell: MatrixCell) -> bool:
    return cell.verdict is Verdict.UNKNOWN


def _side(report: Comparable) -> ReportSide:
    return ReportSide(report.origin, report.started_at, report.mode, report.rounds, report.verdict)


def cluster_changes(before: ClusterState | None, after: ClusterState | None) -> tuple[str, ...]:
    """What EKS reports otherwise, without status, updates and the name: `mode: AWS_MANAGED -> CUSTOMER_ROUTED`."""
    if before is None or after is None:
        return ()
    fields = [name for name in ClusterState.__struct_fields__ if name not in _EXCEPT]
    changes = []
    for name in fields:
        values = getattr(before, name), getattr(after, name)
        if isinstance(values[0], tuple):
            texts = tuple(", ".join(sorted(value)) or "none" for value in values)
        else:
            texts = tuple("none" if value in (None, "") else str(value) for value in values)
        if texts[0] != texts[1]:
            changes.append(f"{name.replace('_', ' ')}: {texts[0]} -> {texts[1]}")
    return tuple(changes)
