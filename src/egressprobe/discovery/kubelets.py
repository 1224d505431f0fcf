"""Kubelets: a fixed sample of the nodes of each subnet and remote network, one aggregate target each. Pure.

A sample is the few nodes whose names have the least hashes, so that a node that is added or removed changes at most
itself. Nodes that are not Ready, or are being deleted, are taken only where there are no others: a kubelet that does
not answer there does not show that the path is broken.
"""

import hashlib
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from egressprobe.discovery.kubernetes.objects import Node
from egressprobe.discovery.target_names import bounded
from egressprobe.model.target import Endpoint
from egressprobe.net.guard import forbidden

SAMPLE = 3
_ZONE = "topology.kubernetes.io/zone"
_PORT = 10250
_MAX_NAME = 253


class NodeNetwork(NamedTuple):
    """A subnet, or a remote network of hybrid nodes: its name and its CIDRs."""

    id: str
    blocks: tuple[IPv4Network | IPv6Network, ...]


class Kubelet(NamedTuple):
    """One node as far as it is probed."""

    name: str
    endpoint: Endpoint
    zone: str
    ready: bool


def network(name: str, blocks: Iterable[str]) -> NodeNetwork:
    """Raises ValueError for an invalid CIDR."""
    return NodeNetwork(name, tuple(ip_network(block, strict=False) for block in blocks))


def read_kubelet(node: Node) -> Kubelet | str:
    """The node's InternalIP (--kubelet-preferred-address-types of EKS); a string says why there is none."""
    if len(node.metadata.name) > _MAX_NAME or not node.metadata.name.isprintable():
        return "its name is not a DNS subdomain (RFC 1123)"
    addresses = [entry.address for entry in node.status.addresses or [] if entry.type == "InternalIP"]
    if not addresses:
        return "has no InternalIP"
    try:
        reason = forbidden(addresses[0])
    except ValueError:
        return f'its InternalIP "{addresses[0]}" is not an address'
    if reason:
        return f"may not be dialled: {reason}"
    daemon = node.status.daemon_endpoints
    port = daemon.kubelet_endpoint.port if daemon and daemon.kubelet_endpoint else 0
    if not 0 <= port <= 65535:
        return f"its kubelet's port {port} is not in 1..65535"
    ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions or [])
    stays = ready and node.metadata.deletion_timestamp is None
    zone = (node.metadata.labels or {}).get(_ZONE, "")
    return Kubelet(node.metadata.name, Endpoint(addresses[0], port or _PORT), zone, stays)


def kubelet_targets(kubelets: Iterable[Kubelet], networks: Sequence[NodeNetwork]) -> list[dict[str, Any]]:
    """One target for each network that has nodes. Without the VPC's subnets nodes are grouped by zone."""
    groups: dict[str, list[Kubelet]] = {}
    blocks = sorted(
        ((block, known.id) for known in networks for block in known.blocks),
        key=lambda pair: pair[0].prefixlen,
        reverse=True,
    )
    for kubelet in kubelets:
        address = ip_address(kubelet.endpoint.address)
        home = next((name for block, name in blocks if address in block), kubelet.zone or "elsewhere")
        groups.setdefault(home, []).append(kubelet)
    return [_target(home, group) for home, group in sorted(groups.items())]


def _target(home: str, group: list[Kubelet]) -> dict[str, Any]:
    usable = [kubelet for kubelet in group if kubelet.ready] or group
    usable.sort(key=lambda kubelet: hashlib.sha256(kubelet.name.encode()).digest())
    sample = sorted(usable[:SAMPLE])
    return {
        "kind": "kubelet",
        "name": bounded(f"kubelet/{home}"),
        "addresses": [str(kubelet.endpoint) for kubelet in sample],
        "objects": [f"Node/{kubelet.name}" for kubelet in sample],
        "affects": f"kubectl logs, exec and port-forward to nodes in {bounded(home)}",
    }


def networks_of(blocks: dict[str, list[str]], remote: Iterable[str]) -> list[NodeNetwork]:
    """Subnets by id, remote networks by their CIDR. An invalid CIDR is skipped: its nodes are grouped by zone."""
    networks = []
    for name, cidrs in [*sorted(blocks.items()), *((block, [block]) for block in sorted(remote))]:
        try:
            networks.append(network(name, cidrs))
        except ValueError:
            continue
    return networks
