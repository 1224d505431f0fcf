"""Probe now, from every subnet, and join: targets of the inventory and nothing else."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from egressprobe.aws.cluster import Surroundings, look_at_cluster
from egressprobe.aws.eks import facts
from egressprobe.model.errors import InputError
from egressprobe.model.joined_report import Joined, RefusedTarget
from egressprobe.model.report import view
from egressprobe.planner.functions import probe_subnets
from egressprobe.planner.inventory import Inventory, InventoryEntry, chosen, with_discovered
from egressprobe.planner.join import join, joined_response
from egressprobe.planner.last_known import last_known
from egressprobe.planner.lookup.owners import OWNERS
from egressprobe.planner.placement import misplaced
from egressprobe.planner.schedules import present
from egressprobe.planner.settings import Clients, Settings
from egressprobe.planner.shards import cut
from egressprobe.planner.vpc_audit import with_causes

# An event of a synchronous invocation has at most 6 MB; a shard of a schedule has 256 KB. One probe takes this many
# targets of an on-demand run in one piece, which is a third of its minute.
_ON_DEMAND_TARGETS = 400
_ON_DEMAND_BYTES = 4_000_000
# Of refused requests in an error's message.
_MAX_MESSAGES = 10


def probe_now(
    settings: Settings, configured: Inventory, clients: Clients, requests: list[Any], run_id: str
) -> dict[str, Any]:
    """requests: names or targets of the inventory, empty for all. Raises InputError where none of them is known."""
    inventory = known_inventory(settings, configured, clients.scheduler)
    entries, refused = chosen(inventory, requests) if requests else (list(inventory.entries.values()), [])
    if not entries:
        messages = [f'"{request.name}" {request.why}' for request in refused[:_MAX_MESSAGES]]
        if len(refused) > len(messages):
            messages.append(f"and {len(refused) - len(messages)} more")
        raise InputError("event.targets", "; ".join(messages) or "there are none")
    around = look_at_cluster(clients.eks, settings.cluster_name)
    joined = probe_entries(settings, inventory, clients.functions, around, entries, run_id, refused)
    return joined_response(with_causes(settings, around.cluster, joined))


def known_inventory(settings: Settings, configured: Inventory, scheduler: Any) -> Inventory:
    """The targets file, and the last discovered targets, which are in the schedules, the same for each subnet.

    Raises botocore's exceptions where those cannot be read.
    """
    if not settings.discover:
        return configured
    schedules = present(scheduler, settings.group, settings.probes[0].prefix)
    last = last_known(schedules | present(scheduler, settings.group, OWNERS))
    return with_discovered(configured, last.targets, last.bundles)[0]


def probe_entries(
    settings: Settings,
    inventory: Inventory,
    functions: Any,
    around: Surroundings,
    entries: list[InventoryEntry],
    run_id: str,
    refused: Sequence[RefusedTarget] = (),
) -> Joined:
    """The report of these entries of the inventory from every subnet, without causes. functions: Lambda's client."""
    started_at, started = datetime.now(UTC), time.monotonic()
    by_slot, drift = misplaced(settings, around.cluster, around.leaving)
    plans = _plans(entries, inventory, facts(around.cluster) if around.cluster else {})
    heard = probe_subnets(functions, settings.probes, plans, by_slot)
    return join(
        heard,
        [view(entry.target) for entry in entries],
        run_id=run_id,
        started_at=started_at.isoformat(timespec="milliseconds"),
        duration_ms=round((time.monotonic() - started) * 1e3, 3),
        cluster_name=settings.cluster_name,
        refused=refused,
        findings=[*around.findings, *drift],
    )


def _plans(entries: list[InventoryEntry], inventory: Inventory, cluster_facts: dict[str, Any]) -> list[dict[str, Any]]:
    requested = inventory._replace(
        entries={entry.target.name: entry for entry in entries}, common=cluster_facts | inventory.common
    )
    pieces = cut(requested, max_bytes=_ON_DEMAND_BYTES, max_targets=_ON_DEMAND_TARGETS)
    return [shard.plan for shard in pieces.shards]
