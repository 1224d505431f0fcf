"""The Planner's part of the audit: findings every 15 minutes, and on demand the cause of a failure.

A failure in here is reported. It costs the audit, never the plan or a response.
"""

import time
from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from msgspec.structs import replace

from egressprobe.audit.paths.destinations import calls_of, hosts_of
from egressprobe.audit.resolve_names import with_names
from egressprobe.audit.result import Audit
from egressprobe.audit.root_cause import causes
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.aws.eks import Cluster
from egressprobe.aws.vpc_snapshot import Readers, read_snapshot, readers, with_load_balancers
from egressprobe.catalog.findings_vpc_config import AUDIT_OFF
from egressprobe.model.errors import AwsError
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import Finding
from egressprobe.model.target import Target, Verdict
from egressprobe.planner.inventory import Inventory
from egressprobe.planner.settings import Settings
from egressprobe.publish.emf import NAMESPACE

# The Planner has 300 s in all, most of them for writing the plan; on demand a person waits for the report.
_READ_SECONDS = 60.0
# For the load balancers of what fails, after the probes have responded.
_BALANCER_SECONDS = 15.0
logger = Logger(service="egressprobe-planner")


@cache
def _readers() -> Readers:
    """Created once per execution environment."""
    return readers(patient=False)


def audit_configuration(settings: Settings, cluster: Cluster | None, inventory: Inventory) -> dict[str, Any]:
    """Verdict and findings of the VPC's configuration for every target of the plan; also published as a metric."""
    if not settings.audits:
        return {"verdict": str(Verdict.UNKNOWN), "findings": msgspec.to_builtins([_not_audited()])}
    try:
        targets = [entry.target for entry in inventory.entries.values()]
        snapshot = _snapshot_for(settings, cluster, targets)
        if snapshot is None:
            return {}
        result = audit(snapshot, targets, settings.audit_skip)
    except AwsError as error:
        logger.warning("the configuration was not audited", extra={"why": str(error)})
        return {"error": str(error)}
    except Exception as error:
        logger.exception("the audit failed")
        return {"error": f"{type(error).__name__}: {error}"}
    _publish(settings, result)
    reported = [finding for finding in result.findings if finding.severity != "info"]
    return {"verdict": str(result.verdict), "findings": msgspec.to_builtins(reported)}


def with_causes(settings: Settings, cluster: Cluster | None, joined: Joined) -> Joined:
    """The report with the causes of failures, where the configuration can be read."""
    if joined.verdict not in (Verdict.FAIL, Verdict.DEGRADED):
        return joined
    if not settings.audits:
        return replace(joined, findings=(*joined.findings, _not_audited()))
    try:
        snapshot = read_configuration(settings, cluster)
        if snapshot is None:
            return joined
        return replace(joined, causes=causes(joined, with_balancers(snapshot, joined, _BALANCER_SECONDS)))
    except AwsError as error:
        logger.warning("no diagnosis", extra={"why": str(error)})
    except Exception:
        logger.exception("the diagnosis failed")
    return joined


def read_configuration(settings: Settings, cluster: Cluster | None) -> VpcSnapshot | None:
    """Of the cluster's VPC, within a minute, without load balancers; None where EKS reports no VPC.

    Raises AwsError, and whatever an answer of another shape raises.
    """
    return _snapshot(settings, cluster)


def with_balancers(snapshot: VpcSnapshot, joined: Joined, seconds: float) -> VpcSnapshot:
    """The snapshot with the load balancers at the addresses of what fails, and of the VPC's own name servers."""
    failing = {row.target.name for row in joined.rows if row.verdict in (Verdict.FAIL, Verdict.DEGRADED)}
    dialled = {
        attempt.address
        for report in joined.reports
        for result in report.results
        if result.target.name in failing
        for attempt in result.attempts
    }
    return _with_balancers(snapshot, dialled, [], seconds)


def _not_audited() -> Finding:
    return AUDIT_OFF.found("the VPC's configuration was not audited: the stack has AuditPermissions=false", {})


def _snapshot_for(settings: Settings, cluster: Cluster | None, targets: list[Target]) -> VpcSnapshot | None:
    """With the load balancers of the targets alone: of a large VPC, all of them every 15 minutes are more calls than
    the account has.
    """
    began = time.monotonic()
    snapshot = _snapshot(settings, cluster)
    if snapshot is None:
        return None
    snapshot = with_names(snapshot, hosts_of(targets))
    return _with_balancers(snapshot, set(), targets, max(began + _READ_SECONDS - time.monotonic(), 0.0))


def _with_balancers(snapshot: VpcSnapshot, addresses: set[str], targets: list[Target], seconds: float) -> VpcSnapshot:
    """Those at the addresses, of the targets and of the VPC's own name servers."""
    calls, _ = calls_of(targets, snapshot)
    wanted = addresses | {text for destination, _ in calls for text in destination.addresses}
    return with_load_balancers(_readers, snapshot, wanted, seconds=seconds)


def _snapshot(settings: Settings, cluster: Cluster | None) -> VpcSnapshot | None:
    """None where EKS reports no VPC (settings.region is Lambda's own)."""
    if cluster is None or not cluster.vpc:
        return None
    return read_snapshot(_readers(), cluster, region=settings.region, seconds=_READ_SECONDS, balancers=False)


def _publish(settings: Settings, result: Audit) -> None:
    """Nothing is written when there are no findings: an idle series is free."""
    reported = [finding for finding in result.findings if finding.severity != "info"]
    for finding in reported:
        fields = {"finding": finding.code, "evidence": finding.evidence, "remedy": finding.remedy}
        logger.warning(finding.summary, extra=fields)
    if not reported:
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("ClusterName", settings.cluster_name)
    metrics.add_metric("AuditFindings", MetricUnit.Count, len(reported))
    metrics.add_metadata("verdict", str(result.verdict))
    metrics.add_metadata("findings", [finding.code for finding in reported])
    metrics.flush_metrics()
