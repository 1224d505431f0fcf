"""The metrics that show CloudWatch that the Planner reports: where it does not, CloudWatch pages (docs/alarms.md)."""

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from egressprobe.publish.emf import NAMESPACE


def count_reported(cluster_name: str, incidents: int) -> None:
    """Prints IncidentsReported as embedded metric format; nothing where there are none, so that no series is paid.

    incidents: those that are open and whose message was sent, or is not to be sent: muted, acknowledged. One whose
    message could not be sent is none of them.
    """
    if not incidents:
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("ClusterName", cluster_name)
    metrics.add_metric("IncidentsReported", MetricUnit.Count, incidents)
    metrics.flush_metrics()


def count_failure(cluster_name: str) -> None:
    """Prints EvaluationsFailed, of an evaluation whose caller has other work that must not look failed: the plan."""
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("ClusterName", cluster_name)
    metrics.add_metric("EvaluationsFailed", MetricUnit.Count, 1)
    metrics.flush_metrics()
