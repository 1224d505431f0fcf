"""Look after the plan: read the cluster, discover, cut the inventory into shards, make the schedule group as it
should be, report the plan's age.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.aws.cluster import Surroundings, look_around, look_at_cluster
from egressprobe.aws.eks import Cluster, facts
from egressprobe.catalog.findings_cluster import OBJECT_NOT_PROBED, TARGET_TOO_LARGE
from egressprobe.model.errors import InputError
from egressprobe.model.report import Finding
from egressprobe.planner.discover_function import EVERY_LIST, discover
from egressprobe.planner.inventory import Inventory, extended
from egressprobe.planner.last_known import Memory, merged, note, read_note, remembered
from egressprobe.planner.placement import Misplaced, misplaced
from egressprobe.planner.schedules import Change, Wanted, present, sync
from egressprobe.planner.settings import Clients, Settings
from egressprobe.planner.shards import MAX_INPUT, Cut, as_input, cut
from egressprobe.planner.vpc_audit import look
from egressprobe.publish.emf import NAMESPACE, series_wanted

# A plan this old is looked at again when something that it names fails. A probe's minute is 60 s.
_FRESH = timedelta(seconds=90)
_tried: datetime | None = None
# Of a schedule's Input, for what only some subnets' plans say.
_SPARE = 2000
logger = Logger(service="egressprobe-planner")


class PlanError(RuntimeError):
    """Some schedule could not be written; what is there goes on."""


class _Known(NamedTuple):
    """What is to be planned, and how old the oldest of it is. read_at: None where nothing tells."""

    inventory: Inventory
    read_at: datetime | None
    findings: list[Finding]
    excluded: tuple[str, ...] = ()


def make_plan(
    settings: Settings, configured: Inventory, clients: Clients, now: datetime, *, audited: bool = True
) -> dict[str, Any]:
    """audited: look at the VPC's configuration as well, once the plan is written.

    Raises PlanError, InputError where there is nothing to plan, and botocore's where schedules cannot be listed.
    """
    if not settings.discover and not configured.entries:
        raise InputError("targets.json", "is not in this artifact, and discovery is off; deploy with TARGETS=FILE")
    there = present(clients.scheduler, settings.group)
    last = remembered(there)
    name = settings.cluster_name
    around = look_around(clients.eks, clients.ec2, name) if settings.discover else look_at_cluster(clients.eks, name)
    wrong, drifted = misplaced(settings, around.cluster, around.leaving)
    known = _known(settings, configured, clients, around, last, now)
    cluster = around.cluster
    pieces, more = _cut(settings, known.inventory, facts(cluster) if cluster else last.facts)
    found = [*known.findings, *drifted, *more]
    wanted = _wanted(settings, pieces, wrong)
    if settings.discover and known.read_at and settings.probes:
        wanted.append(note(settings.probes[0].function, settings.role, known.read_at))
    change = sync(clients.scheduler, settings.group, wanted, there)
    age = None if known.read_at is None else max((now - known.read_at).total_seconds(), 0.0)
    _report(settings, cluster, pieces, change, found, age)
    if change.failed:
        raise PlanError(f"{len(change.failed)} schedules could not be written: {'; '.join(change.failed)[:1000]}")
    return {
        "targets": pieces.targets,
        "shards": len(pieces.shards),
        "subnets": len(settings.probes),
        **{field: list(getattr(change, field)) for field in ("created", "updated", "deleted")},
        "unchanged": len(change.unchanged),
        "planAge": age,
        "excluded": list(known.excluded),
        "audit": look(settings, cluster, known.inventory) if audited and not around.leaving else {},
        "findings": msgspec.to_builtins(found),
    }


def refresh(settings: Settings, configured: Inventory, clients: Clients, now: datetime) -> dict[str, Any]:
    """`make_plan`, unless it was done or tried just now: every failing minute of every subnet asks for it."""
    global _tried
    known = read_note(clients.scheduler, settings.group)
    last = max((moment for moment in (known, _tried) if moment), default=None)
    if last is not None and now - last < _FRESH:
        return {"skipped": True, "planAge": (now - last).total_seconds()}
    _tried = now
    return make_plan(settings, configured, clients, now, audited=False)


def _known(
    settings: Settings, configured: Inventory, clients: Clients, around: Surroundings, last: Memory, now: datetime
) -> _Known:
    """The targets file and what discovery adds to it; without discovery the cluster's facts are all that ages."""
    if not settings.discover:
        return _Known(configured, now if around.cluster else None, list(around.findings))
    found, unread = discover(clients.functions, settings.discover, around)
    # A file that discovery once wrote is older than what it finds now; what a person wrote keeps its name.
    written = {name for name, entry in configured.entries.items() if not entry.target.objects}
    both = merged(found, last, unread, written)
    excluded = {str(raw["name"]) for raw in both.targets if _matches(str(raw["name"]), settings.exclude)}
    probed = [raw for raw in both.targets if raw["name"] not in excluded]
    inventory, odd = extended(configured, probed, both.bundles)
    findings = [*found.findings, *([_odd(odd)] if odd else [])]
    fresh = not both.kept and not unread >= EVERY_LIST
    return _Known(inventory, now if fresh else last.read_at, findings, tuple(sorted(excluded)))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _odd(names: dict[str, str]) -> Finding:
    first, why = next(iter(names.items()))
    return OBJECT_NOT_PROBED.found(f"{len(names)} found targets are refused; {first}: {why}", {"objects": names})


def _cut(settings: Settings, inventory: Inventory, known: dict[str, Any]) -> tuple[Cut, list[Finding]]:
    found: list[Finding] = []
    common = known | inventory.common
    capped = series_wanted().capped(len(inventory.entries), len(settings.probes))
    if capped:
        found.append(capped)
        common["oneSeries"] = True
    pieces = cut(inventory._replace(common=common), max_bytes=MAX_INPUT - _SPARE)
    if pieces.too_large:
        said = f"{len(pieces.too_large)} targets do not fit one schedule's 256 KB and are not probed every minute"
        found.append(TARGET_TOO_LARGE.found(said, {"targets": list(pieces.too_large)}))
    return pieces, found


def _wanted(settings: Settings, pieces: Cut, wrong: Misplaced) -> list[Wanted]:
    """One a subnet and shard: s00-all, s01-011."""
    inputs = {shard.bits: as_input(shard.plan) for shard in pieces.shards}
    return [
        Wanted(
            f"{probe.prefix}{shard.bits}",
            probe.function,
            settings.role,
            as_input(shard.plan | wrong[probe.slot]) if probe.slot in wrong else inputs[shard.bits],
        )
        for probe in settings.probes
        for shard in pieces.shards
    ]


def _report(
    settings: Settings,
    cluster: Cluster | None,
    pieces: Cut,
    change: Change,
    found: list[Finding],
    age: float | None,
) -> None:
    """One line of metrics and words. The age is that of the oldest knowledge in the plan; where there is none, or
    writing failed, nothing is said: a silence of an hour is the alarm's to find.
    """
    for one in found:
        if one.severity != "info":
            logger.warning(one.summary, extra={"finding": one.code})
    said = {
        "targets": pieces.targets,
        "shards": len(pieces.shards),
        **{field: len(getattr(change, field)) for field in Change._fields},
        "findings": [one.code for one in found],
    }
    if age is None or change.failed:
        logger.warning("the plan was not renewed in full", extra={"plan": said})
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("ClusterName", settings.cluster_name)
    metrics.add_metric("PlanAge", MetricUnit.Seconds, age)
    if cluster is not None:
        said |= {"mode": cluster.mode, "kubeVersion": cluster.version, "status": cluster.status}
    for key, value in said.items():
        metrics.add_metadata(key, value)
    metrics.flush_metrics()
