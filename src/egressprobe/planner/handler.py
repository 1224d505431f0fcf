"""The Planner's door. People invoke this one; probes are invoked by the schedules and by this.

Events:
- `{"action": "plan"}`: every 15 minutes: read the cluster, cut the inventory into shards, make the schedule group
  as it should be, report the plan's age. Fails aloud (an exception is an error metric) when a schedule could not
  be written; probing goes on with what is there.
- `{"action": "probe", "targets": [...]}`, or only `targets`: probe now, from every subnet, and join. Names or
  targets of the inventory; none means all.
- `{"action": "doctor"}`: what the platform is like in each subnet.
"""

import json
import os
import time
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, Protocol

import msgspec
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.catalog import finding
from egressprobe.diagnose import view
from egressprobe.handler import series_wanted
from egressprobe.inputs import InputError
from egressprobe.joined import join
from egressprobe.planner.cluster import Cluster, facts, read_cluster
from egressprobe.planner.fanout import MAX_AT_ONCE, Probe, ask, ask_doctor
from egressprobe.planner.inventory import Entry, Inventory, bundled, chosen
from egressprobe.planner.schedules import Change, Wanted, present, sync
from egressprobe.planner.shards import Cut, as_input, cut
from egressprobe.publish.joint import joined_response
from egressprobe.publish.metrics import NAMESPACE
from egressprobe.report import Finding

_ACTIONS = ("plan", "probe", "doctor")
# An event of a synchronous invocation has at most 6 MB; a shard of a schedule has 256 KB. One probe takes this many
# targets of an on-demand run in one piece, which is a third of its minute.
_ON_DEMAND_TARGETS = 400
_ON_DEMAND_BYTES = 4_000_000
# A probe answers within a minute.
_PROBE_SECONDS = 65

logger = Logger(service="egressprobe-planner")


class PlanError(RuntimeError):
    """Some schedule could not be written; what is there goes on."""


class Context(Protocol):
    """The part of the Lambda context that is used."""

    aws_request_id: str


class Settings(NamedTuple):
    """As the stack says."""

    cluster_name: str
    probes: tuple[Probe, ...]
    group: str
    role: str


class Clients(NamedTuple):
    eks: Any
    scheduler: Any
    functions: Any


def handler(event: Any, context: Context) -> dict[str, Any]:
    """One event; see the head of this file. `plan` raises whatever goes wrong: an error that nobody counts is lost."""
    run_id = getattr(context, "aws_request_id", "") or str(uuid.uuid4())
    logger.append_keys(runId=run_id)
    try:
        action = _action(event)
        if action == "probe":
            return _probe(_settings(), bundled(), _clients(), event.get("targets") or [], run_id)
    except InputError as error:
        logger.error("bad event: nothing was done", extra={"why": str(error)})  # noqa: TRY400 (a person's mistake)
        return {"error": {"code": "target_invalid", "message": str(error)}}
    if action == "doctor":
        return ask_doctor(_clients().functions, _settings().probes)
    return _plan(_settings(), bundled(), _clients())


def _action(event: Any) -> str:
    if not isinstance(event, dict):
        raise InputError("event", "must be an object with «action» or «targets»")
    action = event.get("action", "probe" if "targets" in event else "")
    if action not in _ACTIONS:
        raise InputError("event.action", f"must be one of {', '.join(_ACTIONS)}")
    known = {"action", "targets"} if action == "probe" else {"action"}
    for key in event:
        if key not in known:
            raise InputError(f"event.{key}", f"is not known here; known are {', '.join(sorted(known))}")
    if not isinstance(event.get("targets", []), list):
        raise InputError("event.targets", "must be a list of names or targets")
    return str(action)


def _settings() -> Settings:
    read = os.environ.__getitem__
    prefix = read("EGRESSPROBE_PROBES")
    probes = []
    for slot, text in enumerate(read("EGRESSPROBE_SUBNETS").split(",")):
        subnet, _, zone = text.partition("/")
        if subnet != "-":
            probes.append(Probe(slot, subnet, zone, f"{prefix}{slot}"))
    return Settings(
        read("EGRESSPROBE_CLUSTER_NAME"),
        tuple(probes),
        read("EGRESSPROBE_SCHEDULE_GROUP"),
        read("EGRESSPROBE_SCHEDULE_ROLE"),
    )


@cache
def _clients() -> Clients:
    """Made once in the life of a function: each costs tens of milliseconds."""
    import boto3
    from botocore.config import Config

    patient = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})
    # An invocation that is tried again would probe twice.
    once = Config(
        connect_timeout=5,
        read_timeout=_PROBE_SECONDS,
        retries={"total_max_attempts": 1},
        max_pool_connections=MAX_AT_ONCE,
    )
    return Clients(
        boto3.client("eks", config=patient),
        boto3.client("scheduler", config=patient),
        boto3.client("lambda", config=once),
    )


# -- the plan ------------------------------------------------------------------------------------------------


def _plan(settings: Settings, inventory: Inventory, clients: Clients) -> dict[str, Any]:
    there = present(clients.scheduler, settings.group)
    cluster, found = _cluster(clients.eks, settings.cluster_name)
    known = facts(cluster) if cluster else _last_known(there)
    pieces, more = _cut(settings, inventory, known)
    found += more
    change = sync(clients.scheduler, settings.group, _wanted(settings, pieces), there)
    _report(settings, cluster, pieces, change, found)
    if change.failed:
        raise PlanError(f"{len(change.failed)} schedules could not be written: {'; '.join(change.failed)[:1000]}")
    return {
        "targets": pieces.targets,
        "shards": len(pieces.shards),
        "subnets": len(settings.probes),
        **{field: list(getattr(change, field)) for field in ("created", "updated", "deleted")},
        "unchanged": len(change.unchanged),
        "findings": msgspec.to_builtins(found),
    }


def _cluster(client: Any, name: str) -> tuple[Cluster | None, list[Finding]]:
    """A cluster that cannot be read gates nothing: what the schedules say of it stays."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return read_cluster(client, name), []
    except (BotoCoreError, ClientError) as error:
        said = f"the cluster {name} cannot be read; its version and IP family stay as they were: {error}"
        return None, [finding("CLUSTER_UNREADABLE", said, {"error": str(error)})]


def _last_known(there: dict[str, dict[str, Any]]) -> dict[str, Any]:
    for one in there.values():
        try:
            plan = json.loads(one["Target"]["Input"])["plan"]
        except (KeyError, TypeError, ValueError):
            continue
        return {key: plan[key] for key in ("kubeVersion", "ipFamily") if key in plan}
    return {}


def _cut(settings: Settings, inventory: Inventory, known: dict[str, Any]) -> tuple[Cut, list[Finding]]:
    found: list[Finding] = []
    common = known | inventory.common
    capped = series_wanted().capped(len(inventory.entries), len(settings.probes))
    if capped:
        found.append(capped)
        common["oneSeries"] = True
    pieces = cut(inventory._replace(common=common))
    if pieces.too_large:
        said = f"{len(pieces.too_large)} targets do not fit one schedule's 256 KB and are not probed every minute"
        found.append(finding("TARGET_TOO_LARGE", said, {"targets": list(pieces.too_large)}))
    return pieces, found


def _wanted(settings: Settings, pieces: Cut) -> list[Wanted]:
    """One a subnet and shard: s00-all, s01-011."""
    inputs = {shard.bits: as_input(shard.plan) for shard in pieces.shards}
    return [
        Wanted(f"s{probe.slot:02d}-{bits}", probe.function, settings.role, said)
        for probe in settings.probes
        for bits, said in inputs.items()
    ]


def _report(settings: Settings, cluster: Cluster | None, pieces: Cut, change: Change, found: list[Finding]) -> None:
    """One line of metrics and words. The age is that of what the plan was made from; of old facts there is none,
    nor when writing failed: a silence of an hour is the alarm's to find.
    """
    for one in found:
        logger.warning(one.summary, extra={"finding": one.code})
    said = {
        "targets": pieces.targets,
        "shards": len(pieces.shards),
        **{field: len(getattr(change, field)) for field in Change._fields},
        "findings": [one.code for one in found],
    }
    if cluster is None or change.failed:
        logger.warning("the plan was not renewed in full", extra={"plan": said})
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("ClusterName", settings.cluster_name)
    metrics.add_metric("PlanAge", MetricUnit.Seconds, 0)
    for key, value in (said | {"mode": cluster.mode, "kubeVersion": cluster.version, "status": cluster.status}).items():
        metrics.add_metadata(key, value)
    metrics.flush_metrics()


# -- on demand -----------------------------------------------------------------------------------------------


def _probe(settings: Settings, inventory: Inventory, clients: Clients, asked: list[Any], run_id: str) -> dict[str, Any]:
    started_at, started = datetime.now(UTC), time.monotonic()
    entries, refused = chosen(inventory, asked) if asked else (list(inventory.entries.values()), [])
    if not entries:
        raise InputError("event.targets", "; ".join(f"«{one.name}» {one.why}" for one in refused))
    cluster, found = _cluster(clients.eks, settings.cluster_name)
    plans = _on_demand(entries, inventory, facts(cluster) if cluster else {})
    heard = ask(clients.functions, settings.probes, plans)
    joined = join(
        heard,
        [view(entry.target) for entry in entries],
        run_id=run_id,
        started_at=started_at.isoformat(timespec="milliseconds"),
        duration_ms=round((time.monotonic() - started) * 1e3, 3),
        cluster_name=settings.cluster_name,
        refused=refused,
        findings=found,
    )
    return joined_response(joined)


def _on_demand(entries: list[Entry], inventory: Inventory, known: dict[str, Any]) -> list[dict[str, Any]]:
    asked = inventory._replace(entries={entry.target.name: entry for entry in entries}, common=known | inventory.common)
    pieces = cut(asked, max_bytes=_ON_DEMAND_BYTES, max_targets=_ON_DEMAND_TARGETS)
    return [shard.plan for shard in pieces.shards]
