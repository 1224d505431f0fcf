"""The Planner's side of the audit: every 15 minutes a look at the configuration, on demand a cause for what fails.

Trouble in here is told and costs the audit, never the plan nor an answer.
"""

from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from msgspec.structs import replace

from egressprobe.audit.resolve_names import with_names
from egressprobe.audit.result import Audit
from egressprobe.audit.root_cause import causes
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.aws.eks import Cluster
from egressprobe.aws.vpc_snapshot import Readers, read_snapshot, readers
from egressprobe.model.errors import AwsError
from egressprobe.model.joined_report import Joined
from egressprobe.model.target import Verdict
from egressprobe.planner.inventory import Inventory
from egressprobe.planner.settings import Settings
from egressprobe.publish.emf import NAMESPACE

logger = Logger(service="egressprobe-planner")


@cache
def _readers() -> Readers:
    """Made once in the life of a function."""
    return readers()


def look(settings: Settings, cluster: Cluster | None, inventory: Inventory) -> dict[str, Any]:
    """What the configuration says of every target of the plan: verdict and findings, which are also a metric."""
    try:
        snapshot = _snapshot(settings, cluster)
        if snapshot is None:
            return {}
        targets = [entry.target for entry in inventory.entries.values()]
        snapshot = with_names(snapshot, [one.host for one in targets if not one.endpoints])
        found = audit(snapshot, targets, settings.audit_skip)
    except AwsError as error:
        logger.warning("the configuration was not audited", extra={"why": str(error)})
        return {"error": str(error)}
    except Exception as error:
        logger.exception("the audit failed")
        return {"error": f"{type(error).__name__}: {error}"}
    _publish(settings, found)
    told = [one for one in found.findings if one.severity != "info"]
    return {"verdict": str(found.verdict), "findings": msgspec.to_builtins(told)}


def diagnosed(settings: Settings, cluster: Cluster | None, joined: Joined) -> Joined:
    """With the causes of what fails, where the configuration can be read."""
    if joined.verdict not in (Verdict.FAIL, Verdict.DEGRADED):
        return joined
    try:
        snapshot = _snapshot(settings, cluster)
        return joined if snapshot is None else replace(joined, causes=causes(joined, snapshot))
    except AwsError as error:
        logger.warning("no diagnosis", extra={"why": str(error)})
    except Exception:
        logger.exception("the diagnosis failed")
    return joined


def _snapshot(settings: Settings, cluster: Cluster | None) -> VpcSnapshot | None:
    """None where EKS does not tell of a VPC (settings.region is Lambda's own)."""
    if cluster is None or not cluster.vpc:
        return None
    return read_snapshot(_readers(), cluster, region=settings.region)


def _publish(settings: Settings, found: Audit) -> None:
    """Written only when there is something to tell: silence costs nothing, and a series that ends is good news."""
    told = [one for one in found.findings if one.severity != "info"]
    for one in told:
        logger.warning(one.summary, extra={"finding": one.code, "evidence": one.evidence, "remedy": one.remedy})
    if not told:
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("ClusterName", settings.cluster_name)
    metrics.add_metric("AuditFindings", MetricUnit.Count, len(told))
    metrics.add_metadata("verdict", str(found.verdict))
    metrics.add_metadata("findings", [one.code for one in told])
    metrics.flush_metrics()
