"""The Discover function's door: in the VPC, so that the private endpoint answers; it calls no AWS API.

Event, from the Planner alone: `{"action": "discover", "cluster": {"name", "endpoint", "certificateAuthority"},
"networks": {"subnet-...": ["10.0.0.0/24"]}, "remoteNetworks": ["10.200.0.0/16"]}`. The answer is a `Discovered`.

The token is made of the function's own credentials, for the cluster that the stack names and for no other.
"""

import asyncio
import os
from typing import Any

import msgspec
from aws_lambda_powertools.logging import Logger

from egressprobe.discovery.kubelets import networks_of
from egressprobe.discovery.kubernetes.client import ApiServer, KubernetesSource
from egressprobe.discovery.kubernetes.eks_token import Credentials, tokens
from egressprobe.discovery.run import collect
from egressprobe.golang.x509.ca_bundle import cluster_anchors
from egressprobe.handlers.context import Context
from egressprobe.model.discovered import Discovered
from egressprobe.net.guard import forbidden

# Of the function's time, for what comes after the last page. Seconds.
_RESERVE = 5.0
logger = Logger(service="egressprobe-discover")


class _Place(msgspec.Struct, rename="camel"):
    name: str
    endpoint: str
    certificate_authority: str


class _Event(msgspec.Struct, rename="camel"):
    action: str
    cluster: _Place
    networks: dict[str, list[str]] = {}
    remote_networks: list[str] = []


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Raises ValueError for an event that is not the Planner's; whatever the cluster does is in the answer."""
    asked = msgspec.convert(event, _Event)
    own = os.environ["EGRESSPROBE_CLUSTER_NAME"]
    if asked.action != "discover" or asked.cluster.name != own:
        raise ValueError(f"event: must be discover, of the cluster {own}")
    found = asyncio.run(_discover(asked, context.get_remaining_time_in_millis() / 1000 - _RESERVE))
    for one in found.findings:
        logger.info(one.summary, extra={"finding": one.code})
    logger.info("discovered", extra={"targets": len(found.targets), "unread": list(found.unread)})
    answer: dict[str, Any] = msgspec.to_builtins(found)
    return answer


async def _discover(asked: _Event, seconds: float) -> Discovered:
    server = ApiServer(
        url=asked.cluster.endpoint,
        anchors=cluster_anchors(asked.cluster.certificate_authority),
        token=tokens(_credentials, region=os.environ["AWS_REGION"], cluster=asked.cluster.name),
    )
    source = KubernetesSource(server, seconds=seconds, guard=forbidden)
    return await collect(source, networks_of(asked.networks, asked.remote_networks))


def _credentials() -> Credentials:
    """The function's own, which Lambda renews in the environment."""
    read = os.environ
    return Credentials(read["AWS_ACCESS_KEY_ID"], read["AWS_SECRET_ACCESS_KEY"], read.get("AWS_SESSION_TOKEN"))
