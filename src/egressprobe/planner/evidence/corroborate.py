"""The Planner's comparison of the probes with the real API server: with each plan, and for a message about an incident.

A failure in here is reported. It costs the comparison, never the plan, the audit or a message.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import msgspec
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.aws.eks import Cluster
from egressprobe.aws.incidents.api_server import ApiServerClients, api_server_clients, read_api_server
from egressprobe.incidents.corroboration.compare import ComparedTarget, compare
from egressprobe.incidents.corroboration.facts import ApiServerFacts, Corroboration
from egressprobe.model.target import Target
from egressprobe.publish.emf import NAMESPACE

logger = Logger(service="egressprobe-planner")


@cache
def _clients(*, logs: bool) -> ApiServerClients:
    """Created once per execution environment."""
    return api_server_clients(logs=logs)


class ComparisonScope(NamedTuple):
    """What is compared. mode: `metrics`, `logs` or `false`. subnets: of the probes. targets: of the plan.

    fresh: whether the targets' conditions of APIServices were read just now. failing_now: targets that fail now, with
    the code; for them it is enough that the API server agrees. log_seconds: how long its log may be read.
    """

    cluster_name: str
    mode: str
    subnets: Sequence[str]
    targets: Sequence[ComparedTarget]
    fresh: bool
    failing_now: Mapping[str, str] = {}
    log_seconds: float = 15.0


def read_corroboration(
    scope: ComparisonScope, cluster: Cluster | None, now: datetime, clients: ApiServerClients | None = None
) -> Corroboration:
    """In about two seconds and those of the log. Never raises.

    now: with a time zone. clients: None for this module's own.
    """
    if scope.mode == "false":
        return Corroboration(unknown=("not compared with the API server: CorroborateApiServer is false",))
    if cluster is None:
        return Corroboration(unknown=("not compared with the API server: the cluster cannot be read",))
    try:
        facts = _facts(scope, cluster, now, clients or _clients(logs=scope.mode == "logs"))
        return compare(scope.targets, facts, fresh=scope.fresh, failing_now=scope.failing_now)
    except Exception as error:
        logger.exception("the comparison with the API server failed")
        return Corroboration(unknown=(f"not compared with the API server: {type(error).__name__}: {error}",))


def corroborate(scope: ComparisonScope, cluster: Cluster | None, now: datetime) -> dict[str, Any]:
    """The comparison for the plan's answer; findings also go to the log, and a disagreement to the audit's metric."""
    result = read_corroboration(scope, cluster, now)
    disagreeing = [finding for finding in result.findings if finding.severity != "info"]
    for finding in result.findings:
        fields = {"finding": finding.code, "evidence": finding.evidence}
        if finding in disagreeing:  # the saved query lists what has a remedy
            logger.warning(finding.summary, extra=fields | {"remedy": finding.remedy})
        else:
            logger.info(finding.summary, extra=fields)
    if disagreeing:
        metrics = EphemeralMetrics(namespace=NAMESPACE)
        metrics.add_dimension("ClusterName", scope.cluster_name)
        metrics.add_metric("AuditFindings", MetricUnit.Count, len(disagreeing))
        metrics.add_metadata("findings", [finding.code for finding in disagreeing])
        metrics.flush_metrics()
    answer: dict[str, Any] = msgspec.to_builtins(result)
    return answer


def _facts(scope: ComparisonScope, cluster: Cluster, now: datetime, clients: ApiServerClients) -> ApiServerFacts:
    unavailable = any(
        isinstance(target, Target) and target.condition is not None and target.condition.status != "True"
        for target in scope.targets
    )
    return read_api_server(
        clients,
        scope.cluster_name,
        scope.subnets,
        now,
        compared=unavailable or bool(scope.failing_now),
        log_types=cluster.logs,
        log_seconds=scope.log_seconds,
    )
