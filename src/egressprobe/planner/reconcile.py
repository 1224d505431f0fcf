"""Reconcile the plan: read the cluster, discover, cut the inventory into shards, make the schedule group match, report
the plan's age.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.aws.cluster import Surroundings, look_around, look_at_cluster
from egressprobe.aws.eks import UNKNOWN_MODE, Cluster, facts
from egressprobe.catalog.findings_cluster import ANNOTATION_IGNORED, OBJECT_NOT_PROBED, TARGET_TOO_LARGE
from egressprobe.model.errors import InputError
from egressprobe.model.report import Finding
from egressprobe.planner.evidence.corroborate import ComparisonScope, corroborate
from egressprobe.planner.functions import EVERY_LIST, discover_targets
from egressprobe.planner.inventory import Inventory, with_discovered
from egressprobe.planner.last_known import LastKnown, last_known, merged, note, owners_note, retired_targets
from egressprobe.planner.lookup.claim import ClaimStore, reason_to_skip
from egressprobe.planner.lookup.failing import FailingTarget, LookedUp, looked_up, valid
from egressprobe.planner.lookup.note import NOTE, Note, fits, read_note
from egressprobe.planner.lookup.owners import OWNERS
from egressprobe.planner.placement import MisplacedProbes, misplaced
from egressprobe.planner.schedules import ScheduleChange, Wanted, present, sync
from egressprobe.planner.settings import Clients, Settings
from egressprobe.planner.shards import MAX_INPUT, Cut, as_input, cut
from egressprobe.planner.vpc_audit import audit_configuration
from egressprobe.publish.emf import NAMESPACE, series_wanted

# Bytes of a schedule's Input for additions that only some subnets' plans have.
_SPARE = 2000
logger = Logger(service="egressprobe-planner")


class PlanError(RuntimeError):
    """Some schedule could not be written; the existing ones keep firing."""


class _Known(NamedTuple):
    """The targets to plan. read_at: when the oldest of them was read; None where that is unknown.

    discovered: those of them that the targets file does not have.
    """

    inventory: Inventory
    read_at: datetime | None
    findings: list[Finding]
    excluded: tuple[str, ...] = ()
    discovered: tuple[dict[str, Any], ...] = ()


def make_plan(
    settings: Settings,
    configured: Inventory,
    clients: Clients,
    now: datetime,
    *,
    audited: bool = True,
    reports: Sequence[FailingTarget] = (),
) -> dict[str, Any]:
    """audited: also audit the VPC's configuration, after the plan is written. reports: targets that failed just now.

    Raises PlanError, InputError where there is nothing to plan, and botocore's where schedules cannot be listed.
    """
    if not settings.discover and not configured.entries:
        raise InputError("targets.json", "is not in this artifact, and discovery is off; deploy with TARGETS=FILE")
    schedules = present(clients.scheduler, settings.group)
    last = last_known(schedules)
    name = settings.cluster_name
    around = look_around(clients.eks, clients.ec2, name) if settings.discover else look_at_cluster(clients.eks, name)
    by_slot, drift = misplaced(settings, around.cluster, around.leaving)
    known = _known(settings, configured, clients, around, last, now)
    cluster = around.cluster
    common = _facts(cluster) if cluster else last.facts
    retired = retired_targets(last, known.inventory.entries.keys(), now)
    common |= {"retired": retired} if retired else {}
    lookups = _lookups(known, last, reports, now)
    for looked_up_at in _times(settings, known, last, reports, now):
        pieces, cut_findings = _cut(settings, known.inventory, common | _counting(lookups, looked_up_at))
        wanted = _wanted(settings, pieces, by_slot)
        if _is_as_planned(wanted, schedules):
            break
    findings = [*known.findings, *drift, *cut_findings]
    if settings.discover and settings.probes:
        owners, left = owners_note(settings, known.discovered)
        wanted += owners
        findings += [_left(left)] if left else []
    if settings.discover and known.read_at and settings.probes:
        wanted.append(note(settings, Note(known.read_at, lookups)))
    change = sync(clients.scheduler, settings.group, wanted, schedules)
    age = None if known.read_at is None else max((now - known.read_at).total_seconds(), 0.0)
    _report(settings, cluster, pieces, change, findings, age)
    if change.failed:
        raise PlanError(f"{len(change.failed)} schedules could not be written: {'; '.join(change.failed)[:1000]}")
    looks = audited and not around.leaving
    return {
        "targets": pieces.targets,
        "shards": len(pieces.shards),
        "subnets": len(settings.probes),
        **{field: list(getattr(change, field)) for field in ("created", "updated", "deleted", "surplus")},
        "unchanged": len(change.unchanged),
        "planAge": age,
        "excluded": list(known.excluded),
        "audit": audit_configuration(settings, cluster, known.inventory) if looks else {},
        "apiServer": corroborate(_comparison(settings, known, now), cluster, now) if looks else {},
        "findings": msgspec.to_builtins(findings),
    }


def refresh(
    settings: Settings,
    configured: Inventory,
    clients: Clients,
    clock: Callable[[], datetime],
    run_id: str,
    reports: Sequence[FailingTarget] = (),
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """`make_plan` soon after targets failed, unless another run does it (lookup/claim.py). Raises as `make_plan`."""

    def write(content: Note) -> bool:
        return not sync(clients.scheduler, settings.group, [note(settings, content)], {}).failed

    if settings.probes:
        store = ClaimStore(lambda: read_note(clients.scheduler, settings.group), write, clock, pause)
        reason = reason_to_skip(store, run_id, reports)
        if reason:
            return {"skipped": True, "reason": reason}
    return make_plan(settings, configured, clients, clock(), audited=False, reports=reports)


def _comparison(settings: Settings, known: _Known, now: datetime) -> ComparisonScope:
    """What is compared with the real API server."""
    return ComparisonScope(
        cluster_name=settings.cluster_name,
        mode=settings.corroborate if settings.audits else "false",
        subnets=[probe.subnet_id for probe in settings.probes],
        targets=[entry.target for entry in known.inventory.entries.values()],
        fresh=known.read_at == now,
    )


def _facts(cluster: Cluster) -> dict[str, Any]:
    """The cluster's facts that a plan has; the egress mode decides whether a broken egress path is a page."""
    return facts(cluster) | ({"egressMode": cluster.mode} if cluster.mode != UNKNOWN_MODE else {})


def _is_as_planned(wanted: Iterable[Wanted], schedules: Mapping[str, dict[str, Any]]) -> bool:
    """Whether the plan would change nothing."""
    targets = {name: schedule.get("Target") for name, schedule in schedules.items() if name not in (NOTE, OWNERS)}
    inputs = {name: target.get("Input") if isinstance(target, dict) else None for name, target in targets.items()}
    return inputs == {schedule.name: schedule.input for schedule in wanted}


def _times(
    settings: Settings, known: _Known, last: LastKnown, reports: Sequence[FailingTarget], now: datetime
) -> tuple[str, ...]:
    """When the plan's addresses were read: the first of these with which the plan is as it was, else the last one.

    A plan that is as it was is not written again: its failures count sooner, never later. Where something fails and
    cannot be looked up there is no time: it counts at once.
    """
    if settings.discover and known.read_at == now:
        return (last.looked_up_at or _time(now), _time(now))
    return ("" if reports else last.looked_up_at,)


def _lookups(known: _Known, last: LastKnown, reports: Sequence[FailingTarget], now: datetime) -> dict[str, LookedUp]:
    """What looking up the failing targets has shown; nothing new where discovery was not complete."""
    if known.read_at != now:
        return valid(last.note.lookups, now)
    before = {str(raw["name"]): raw for raw in last.targets}
    after = {name: entry.raw for name, entry in known.inventory.entries.items()}
    measured = [report for report in reports if _time(report.at) >= last.looked_up_at]  # with this plan
    return looked_up(last.note.lookups, measured, before, after, now)


def _counting(lookups: Mapping[str, LookedUp], looked_up_at: str) -> dict[str, Any]:
    """By which the Probe knows what failures count. Without a time all do: where more fails than the note can hold."""
    if not looked_up_at or not fits(lookups):
        return {}
    confirmed = {name: list(lookup.confirmed) for name, lookup in sorted(lookups.items()) if lookup.confirmed}
    return {"lookedUpAt": looked_up_at} | ({"confirmed": confirmed} if confirmed else {})


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _known(
    settings: Settings, configured: Inventory, clients: Clients, around: Surroundings, last: LastKnown, now: datetime
) -> _Known:
    """The targets file and the discovered targets; without discovery only the cluster's facts can be out of date."""
    if not settings.discover:
        return _Known(configured, now if around.cluster else None, list(around.findings))
    discovered, unread = discover_targets(clients.functions, settings.discover, around)
    # Discovered targets in the file (egressprobe discover wrote them) give way to those discovered now.
    written = {name for name, entry in configured.entries.items() if not entry.target.objects}
    both = merged(discovered, last, unread, written)
    excluded = {str(raw["name"]) for raw in both.targets if _matches(str(raw["name"]), settings.exclude)}
    probed = [raw for raw in both.targets if raw["name"] not in excluded]
    inventory, invalid = with_discovered(configured, probed, both.bundles)
    findings = [*discovered.findings, *([_invalid(invalid)] if invalid else [])]
    complete = not both.unconfirmed and not unread >= EVERY_LIST
    read_at = now if complete else last.read_at
    return _Known(inventory, read_at, findings, tuple(sorted(excluded)), tuple(probed))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _invalid(reasons: dict[str, str]) -> Finding:
    first, why = next(iter(reasons.items()))
    return OBJECT_NOT_PROBED.found(
        f"{len(reasons)} discovered targets are invalid; {first}: {why}", {"objects": reasons}
    )


def _left(names: tuple[str, ...]) -> Finding:
    return ANNOTATION_IGNORED.found(
        f"the owners of {len(names)} targets do not fit one schedule's 256 KB; the first is {names[0]}",
        {"targets": list(names)},
    )


def _cut(settings: Settings, inventory: Inventory, cluster_facts: dict[str, Any]) -> tuple[Cut, list[Finding]]:
    findings: list[Finding] = []
    common = cluster_facts | inventory.common
    capped = series_wanted().capped(len(inventory.entries), len(settings.probes))
    if capped:
        findings.append(capped)
        common["oneSeries"] = True
    pieces = cut(inventory._replace(common=common), max_bytes=MAX_INPUT - _SPARE)
    if pieces.too_large:
        summary = f"{len(pieces.too_large)} targets do not fit one schedule's 256 KB and are not probed every minute"
        findings.append(TARGET_TOO_LARGE.found(summary, {"targets": list(pieces.too_large)}))
    return pieces, findings


def _wanted(settings: Settings, pieces: Cut, by_slot: MisplacedProbes) -> list[Wanted]:
    """One per subnet and shard: s00-all, s01-011."""
    plans = {shard.bits: shard.plan | ({"share": shard.share} if shard.share < 1 else {}) for shard in pieces.shards}
    inputs = {bits: as_input(plan) for bits, plan in plans.items()}
    return [
        Wanted(
            f"{probe.prefix}{shard.bits}",
            probe.function,
            settings.role,
            as_input(plans[shard.bits] | by_slot[probe.slot]) if probe.slot in by_slot else inputs[shard.bits],
        )
        for probe in settings.probes
        for shard in pieces.shards
    ]


def _report(
    settings: Settings,
    cluster: Cluster | None,
    pieces: Cut,
    change: ScheduleChange,
    findings: list[Finding],
    age: float | None,
) -> None:
    """One line of metrics and facts. The age is that of the oldest knowledge in the plan; where it is unknown, or a
    write failed, no age is published: the alarm on the plan's age counts missing data as breaching.
    """
    for finding in findings:
        if finding.severity != "info":
            logger.warning(finding.summary, extra={"finding": finding.code})
    facts_of_run = {
        "targets": pieces.targets,
        "shards": len(pieces.shards),
        **{field: len(getattr(change, field)) for field in ScheduleChange._fields},
        "findings": [finding.code for finding in findings],
    }
    if age is None or change.failed:
        logger.warning("the plan was not renewed in full", extra={"plan": facts_of_run})
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("ClusterName", settings.cluster_name)
    metrics.add_metric("PlanAge", MetricUnit.Seconds, age)
    # Logs Insights sees metrics as lists (PlanAge.0): queries need the value as metadata.
    facts_of_run["planAge"] = age
    if cluster is not None:
        facts_of_run |= {"mode": cluster.mode, "kubeVersion": cluster.version, "status": cluster.status}
    for key, value in facts_of_run.items():
        metrics.add_metadata(key, value)
    metrics.flush_metrics()
