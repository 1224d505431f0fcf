"""Whether a baseline is a GO for this cluster as it is now. Pure.

Every reason against it is listed, so that all are corrected at once; the first decides the exit code.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from egressprobe.aws.updates.eks_updates import ROUTED, EksCluster
from egressprobe.model.report import TargetView
from egressprobe.model.target import Kind
from egressprobe.readiness.comparison.compare import cluster_changes
from egressprobe.readiness.matrix import moves
from egressprobe.readiness.result import ClusterState, Decision, Preflight

MANAGED = "AWS_MANAGED"
DEFAULT_AGE, MOST_AGE = timedelta(minutes=60), timedelta(hours=24)
_CLOCKS_DIFFER = timedelta(minutes=5)
_MOST_NAMED = 5
# What decides whether the call passes. Not its addresses: pods are replaced all the time. But whether they are outside
# the VPC: then the switch moves a path that was none of its paths before.
_IDENTITY = ("kind", "name", "url", "service", "ca_bundle", "timeout_seconds", "failure_policy", "expect")


class Ground(StrEnum):
    """Why nothing is started: NO_GO: something would break; UNSEEN: it cannot be known; INPUT: another baseline is
    needed; BUSY: not now.
    """

    NO_GO = "no-go"
    UNSEEN = "unseen"
    INPUT = "input"
    BUSY = "busy"


class Refusal(NamedTuple):
    """One reason, in a sentence with what to do."""

    ground: Ground
    why: str


def wrong_baseline(baseline: Preflight, cluster: EksCluster, now: datetime, most_age: timedelta) -> list[Refusal]:
    """What is wrong with it by itself, or for this cluster by its name, ARN and mode."""
    return [*_decision(baseline), *_other_cluster(baseline, cluster), *_age(baseline, now, most_age)]


def _decision(baseline: Preflight) -> Iterator[Refusal]:
    ground = {Decision.NO_GO: Ground.NO_GO, Decision.UNKNOWN: Ground.UNSEEN}.get(baseline.decision)
    if ground:
        reasons = [f"{reason.subject}: {reason.summary}" for reason in baseline.reasons]
        more = f"; and {len(reasons) - _MOST_NAMED} more" if len(reasons) > _MOST_NAMED else ""
        yield Refusal(ground, f"the baseline is {baseline.decision}: {'; '.join(reasons[:_MOST_NAMED])}{more}")
    if not baseline.probed_from.startswith("stack "):
        yield Refusal(
            Ground.UNSEEN,
            f"the baseline was measured from {baseline.probed_from}, not from the cluster's subnets; use --stack",
        )


def _other_cluster(baseline: Preflight, cluster: EksCluster) -> Iterator[Refusal]:
    if baseline.cluster.arn != cluster.arn:
        yield Refusal(Ground.INPUT, f"the baseline is of {baseline.cluster.arn}, not of {cluster.arn}")
    if baseline.cluster.mode == ROUTED:
        yield Refusal(Ground.INPUT, f"the baseline was made after the switch: its mode is {ROUTED}")


def _age(baseline: Preflight, now: datetime, most_age: timedelta) -> Iterator[Refusal]:
    try:
        made = datetime.fromisoformat(baseline.started_at)
        age = now - made
    except (ValueError, TypeError):  # no time zone
        yield Refusal(Ground.INPUT, f'the baseline has the time "{baseline.started_at}"; run preflight again')
        return
    if age < -_CLOCKS_DIFFER:
        yield Refusal(Ground.INPUT, f"the baseline is of {baseline.started_at}, in the future: correct this clock")
    if age > most_age:
        minutes = [round(span.total_seconds() / 60) for span in (age, most_age)]
        yield Refusal(
            Ground.INPUT, f"the baseline is {minutes[0]} minutes old, at most {minutes[1]} are allowed; run preflight"
        )


def not_now(cluster: EksCluster) -> list[Refusal]:
    """What of the cluster's status and mode is against it; updates in progress are the caller's to check."""
    if cluster.mode != MANAGED:
        return [Refusal(Ground.UNSEEN, f"the mode is {cluster.mode}; only {MANAGED} can be switched")]
    if cluster.status != "ACTIVE":
        return [Refusal(Ground.BUSY, f"{cluster.name} is {cluster.status}; wait until it is ACTIVE")]
    return []


def changed_since(baseline: Preflight, cluster: ClusterState, targets: Iterable[TargetView]) -> list[Refusal]:
    """Whether the cluster and its targets are as they were measured. targets: of a complete discovery, now."""
    changes = list(cluster_changes(baseline.cluster, cluster))
    before = {row.target.name: _identity(row.target) for row in baseline.rows if row.target.kind is not Kind.KUBELET}
    # A stack may probe targets of its own, which discovery never had.
    discovered = {row.target.name for row in baseline.rows if row.target.objects}
    after = {target.name: _identity(target) for target in targets if target.kind is not Kind.KUBELET}
    for word, names in (
        ("new targets", after.keys() - before.keys()),
        ("targets that are gone", (before.keys() & discovered) - after.keys()),
        ("targets that changed", {name for name in after.keys() & before.keys() if after[name] != before[name]}),
    ):
        if names:
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            changes.append(f"{word}: {', '.join(sorted(names)[:_MOST_NAMED])}{more}")
    return [Refusal(Ground.INPUT, f"changed since the baseline: {change}; run preflight again") for change in changes]


def _identity(target: TargetView) -> tuple[object, ...]:
    return (*(getattr(target, name) for name in _IDENTITY), moves(target))
