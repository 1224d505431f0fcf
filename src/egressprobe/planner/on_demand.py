"""Probe now, from every subnet, and join: what the inventory holds and nothing else."""

import time
from datetime import UTC, datetime
from typing import Any

from egressprobe.aws.cluster import look_at_cluster
from egressprobe.aws.eks import facts
from egressprobe.model.errors import InputError
from egressprobe.model.report import view
from egressprobe.planner.inventory import Entry, Inventory, chosen, extended
from egressprobe.planner.join import join, joined_response
from egressprobe.planner.last_known import remembered
from egressprobe.planner.placement import misplaced
from egressprobe.planner.probe_functions import ask
from egressprobe.planner.schedules import present
from egressprobe.planner.settings import Clients, Settings
from egressprobe.planner.shards import cut
from egressprobe.planner.vpc_audit import diagnosed

# An event of a synchronous invocation has at most 6 MB; a shard of a schedule has 256 KB. One probe takes this many
# targets of an on-demand run in one piece, which is a third of its minute.
_ON_DEMAND_TARGETS = 400
_ON_DEMAND_BYTES = 4_000_000


def probe_now(
    settings: Settings, configured: Inventory, clients: Clients, asked: list[Any], run_id: str
) -> dict[str, Any]:
    """asked: names or targets of the inventory, none for all. Raises InputError where nothing of it is known."""
    started_at, started = datetime.now(UTC), time.monotonic()
    inventory = configured
    if settings.discover:  # what was found last is in the schedules, of each subnet the same
        last = remembered(present(clients.scheduler, settings.group, settings.probes[0].prefix))
        inventory, _ = extended(configured, last.targets, last.bundles)
    entries, refused = chosen(inventory, asked) if asked else (list(inventory.entries.values()), [])
    if not entries:
        raise InputError("event.targets", "; ".join(f"«{one.name}» {one.why}" for one in refused) or "there are none")
    around = look_at_cluster(clients.eks, settings.cluster_name)
    wrong, drifted = misplaced(settings, around.cluster, around.leaving)
    plans = _plans(entries, inventory, facts(around.cluster) if around.cluster else {})
    heard = ask(clients.functions, settings.probes, plans, wrong)
    joined = join(
        heard,
        [view(entry.target) for entry in entries],
        run_id=run_id,
        started_at=started_at.isoformat(timespec="milliseconds"),
        duration_ms=round((time.monotonic() - started) * 1e3, 3),
        cluster_name=settings.cluster_name,
        refused=refused,
        findings=[*around.findings, *drifted],
    )
    return joined_response(diagnosed(settings, around.cluster, joined))


def _plans(entries: list[Entry], inventory: Inventory, known: dict[str, Any]) -> list[dict[str, Any]]:
    asked = inventory._replace(entries={entry.target.name: entry for entry in entries}, common=known | inventory.common)
    pieces = cut(asked, max_bytes=_ON_DEMAND_BYTES, max_targets=_ON_DEMAND_TARGETS)
    return [shard.plan for shard in pieces.shards]
