"""One look at everything: probe again from every subnet, and read the VPC's configuration meanwhile.

Each step has a deadline of its own, and what a step lacks is in the result with the reason: a message without a cause
is worth more than one that comes too late.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aws_lambda_powertools.logging import Logger
from msgspec.structs import replace

from egressprobe.audit.root_cause import causes
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.aws.cluster import Surroundings, look_at_cluster
from egressprobe.aws.eks import Cluster
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import TargetView, view
from egressprobe.model.series import dimension_value
from egressprobe.model.target import Verdict
from egressprobe.planner.incidents.edges import IncidentEdges, Pending
from egressprobe.planner.inventory import Inventory, InventoryEntry
from egressprobe.planner.on_demand import known_inventory, probe_entries
from egressprobe.planner.settings import Clients, Settings
from egressprobe.planner.vpc_audit import read_configuration, with_balancers

# Seconds. A probe responds within 65 s (settings.py); the message is to leave within 3 minutes of its alarm.
_CLUSTER_SECONDS, _PLAN_SECONDS, _PROBE_SECONDS, _AUDIT_SECONDS, _JOIN_SECONDS = 15.0, 15.0, 75.0, 60.0, 15.0
_BALANCER_SECONDS = 8.0  # of the seconds to join
# Targets that are probed again at once; of a larger plan those that matter.
MAX_TARGETS = 400
logger = Logger(service="egressprobe-planner")


class Look(NamedTuple):
    """joined: with causes where the configuration was read; None where nothing was probed, and `not_probed` says why.

    targets: all of the plan. complete: whether `targets` has those that discovery found, too. not_audited: why the
    configuration was not read, where something fails.
    """

    joined: Joined | None = None
    not_probed: str = ""
    not_audited: str = ""
    targets: tuple[TargetView, ...] = ()
    complete: bool = False
    cluster: Cluster | None = None


def take_look(
    settings: Settings,
    configured: Inventory,
    clients: Clients,
    scheduler: Any,
    first: Iterable[str],
    run_id: str,
    edges: IncidentEdges,
) -> Look:
    """first: names of the targets that matter most, as alarms and incidents have them. scheduler: a client.

    Raises nothing of AWS.
    """
    reading_plan = edges.start(lambda: known_inventory(settings, configured, scheduler))
    reading_cluster = edges.start(lambda: look_at_cluster(clients.eks, settings.cluster_name))
    inventory, no_plan = _result(reading_plan, _PLAN_SECONDS, configured)
    around, _ = _result(reading_cluster, _CLUSTER_SECONDS, Surroundings(None, None, {}, []))
    looked = Look(
        targets=tuple(view(entry.target) for entry in inventory.entries.values()),
        complete=not no_plan,
        cluster=around.cluster,
    )
    entries = _chosen(inventory, first)
    left_out = _left_out(inventory, entries, no_plan)
    if not entries:
        return looked._replace(not_probed=left_out or "there are no targets")
    began = edges.monotonic()
    reading = edges.start(lambda: read_configuration(settings, around.cluster)) if settings.audits else None
    probing = edges.start(lambda: probe_entries(settings, inventory, clients.functions, around, entries, run_id))
    joined, not_probed = _result(probing, _PROBE_SECONDS, None)
    if joined is None:
        return looked._replace(not_probed=not_probed)
    looked = looked._replace(joined=joined, not_probed=left_out)
    if joined.verdict not in (Verdict.FAIL, Verdict.DEGRADED):
        return looked
    if reading is None:
        return looked._replace(not_audited="the stack has AuditPermissions=false")
    snapshot, not_audited = _result(reading, began + _AUDIT_SECONDS - edges.monotonic(), None)
    if snapshot is None:
        return looked._replace(not_audited=not_audited or "EKS reports no VPC, or could not be read")
    return _explained(looked, joined, snapshot, edges)


def _explained(looked: Look, joined: Joined, snapshot: VpcSnapshot, edges: IncidentEdges) -> Look:
    until = edges.monotonic() + _JOIN_SECONDS
    reading = edges.start(lambda: with_balancers(snapshot, joined, _BALANCER_SECONDS))
    whole, _ = _result(reading, _BALANCER_SECONDS, snapshot)
    known, why = _result(edges.start(lambda: causes(joined, whole)), until - edges.monotonic(), None)
    if known is None:
        return looked._replace(not_audited=why)
    return looked._replace(joined=replace(joined, causes=known))


def _result[T, D](pending: Pending[T], seconds: float, default: D) -> tuple[T | D, str]:
    """What was waited for, or the default and why there is nothing else."""
    try:
        return pending.result(seconds), ""
    except Exception as error:
        logger.warning("a step of the evaluation failed", extra={"why": repr(error)}, exc_info=True)
        return default, f"{type(error).__name__}: {error}"[:500]


def _chosen(inventory: Inventory, first: Iterable[str]) -> list[InventoryEntry]:
    """All of a plan that is not too large; else those first, and others until there are enough."""
    entries = list(inventory.entries.values())
    if len(entries) <= MAX_TARGETS:
        return entries
    wanted = {dimension_value(name) for name in first}
    entries.sort(key=lambda entry: dimension_value(entry.target.name) not in wanted)
    return entries[:MAX_TARGETS]


def _left_out(inventory: Inventory, entries: Sequence[InventoryEntry], no_plan: str) -> str:
    if no_plan:
        return f"the discovered targets could not be read ({no_plan})"
    more = len(inventory.entries) - len(entries)
    return f"{more} targets of a plan of {len(inventory.entries)} were not probed again" if more else ""
