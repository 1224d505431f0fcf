"""The Discover function's handler: in the VPC, where the private endpoint is reachable; it calls no AWS API.

Event, from the Planner only: `{"action": "discover", "cluster": {"name", "endpoint", "certificateAuthority"},
"networks": {"subnet-...": ["10.0.0.0/24"]}, "remoteNetworks": ["10.200.0.0/16"], "remotePodNetworks": []}`. The
response is a `Discovered`.

The token is made from the function's own credentials, for the cluster that the stack names and for no other.
"""

import asyncio
import os
from typing import Any

import msgspec
from aws_lambda_powertools.logging import Logger

from egressprobe.discovery.kubelets import networks_of
from egressprobe.discovery.kubernetes.api_server import ApiServer
from egressprobe.discovery.kubernetes.client import KubernetesSource
from egressprobe.discovery.kubernetes.eks_token import Credentials, tokens
from egressprobe.discovery.run import collect
from egressprobe.golang.x509.ca_bundle import cluster_anchors
from egressprobe.handlers.context import Context
from egressprobe.model.discovered import Discovered
from egressprobe.net.guard import forbidden

# Kept of the function's time for the work after the last page. Seconds.
_RESERVE = 5.0
logger = Logger(service="egressprobe-discover")


class _ClusterPlace(msgspec.Struct, rename="camel"):
    name: str
    endpoint: str
    certificate_authority: str


class _Event(msgspec.Struct, rename="camel"):
    action: str
    cluster: _ClusterPlace
    networks: dict[str, list[str]] = {}
    remote_networks: list[str] = []
    remote_pod_networks: list[str] | None = None


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Raises ValueError for an event that is not the Planner's; trouble with the cluster is in the response."""
    request = msgspec.convert(event, _Event)
    own = os.environ["EGRESSPROBE_CLUSTER_NAME"]
    if request.action != "discover" or request.cluster.name != own:
        raise ValueError(f"event: must be discover, of the cluster {own}")
    discovered = asyncio.run(_discover(request, context.get_remaining_time_in_millis() / 1000 - _RESERVE))
    for finding in discovered.findings:
        logger.info(finding.summary, extra={"finding": finding.code})
    logger.info("discovered", extra={"targets": len(discovered.targets), "unread": list(discovered.unread)})
    response: dict[str, Any] = msgspec.to_builtins(discovered)
    return response


async def _discover(request: _Event, seconds: float) -> Discovered:
    server = ApiServer(
        url=request.cluster.endpoint,
        anchors=cluster_anchors(request.cluster.certificate_authority),
        token=tokens(_credentials, region=os.environ["AWS_REGION"], cluster=request.cluster.name),
    )
    source = KubernetesSource(server, seconds=seconds, guard=forbidden)
    pods = request.remote_pod_networks
    pod_networks = None if pods is None else networks_of({}, pods)
    return await collect(source, networks_of(request.networks, request.remote_networks), pod_networks)


def _credentials() -> Credentials:
    """The function's own, which Lambda renews in the environment."""
    env = os.environ
    return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN"))
