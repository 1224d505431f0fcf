"""What the real API server shows of the targets that fail: sentences for the causes, where it may be read."""

from aws_lambda_powertools.logging import Logger

from egressprobe.aws.incidents.api_server import ApiServerClients
from egressprobe.incidents.corroboration.sentences import with_api_server
from egressprobe.incidents.model import ObservedCause
from egressprobe.planner.evidence.corroborate import ComparisonScope, read_corroboration
from egressprobe.planner.incidents.edges import IncidentEdges
from egressprobe.planner.incidents.reads.look import Look
from egressprobe.planner.incidents.settings import IncidentClients
from egressprobe.planner.settings import Settings

# A message does not wait longer for a sentence.
_SECONDS, _LOG_SECONDS = 10.0, 4.0
logger = Logger(service="egressprobe-planner")


def with_evidence(
    causes: tuple[ObservedCause, ...], look: Look, settings: Settings, clients: IncidentClients, edges: IncidentEdges
) -> tuple[ObservedCause, ...]:
    """The causes as they are where nothing of the API server is read, nothing is on, or it takes too long."""
    if not settings.audits or settings.corroborate == "false" or not any(cause.alarms for cause in causes):
        return causes
    cluster, now = look.cluster, edges.clock()
    scope = ComparisonScope(
        cluster_name=settings.cluster_name,
        mode=settings.corroborate,
        subnets=[probe.subnet_id for probe in settings.probes],
        targets=look.targets,
        fresh=False,
        failing_now={target.name: target.code for cause in causes for target in cause.targets},
        log_seconds=_LOG_SECONDS,
    )
    # Made here and not in the other thread: boto3's default session is for one.
    read_with = ApiServerClients(clients.cloudwatch, clients.logs if settings.corroborate == "logs" else None)
    try:
        reading = edges.start(lambda: read_corroboration(scope, cluster, now, read_with))
        return with_api_server(causes, reading.result(_SECONDS))
    except Exception as error:
        logger.warning("the API server was not compared", extra={"why": repr(error)})
        return causes
