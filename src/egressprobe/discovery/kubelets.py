"""Kubelets: a fixed sample of the nodes of each subnet and remote network, one aggregate target each. Pure.

A sample is the few nodes whose names have the least hashes, so that one that comes or goes changes at most itself.
Nodes that are not Ready, or leave, are taken only where there are no others: their kubelets say nothing of the path.
"""

import hashlib
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from egressprobe.discovery.kubernetes.objects import Node
from egressprobe.model.target import Endpoint
from egressprobe.net.guard import forbidden

SAMPLE = 3
_ZONE = "topology.kubernetes.io/zone"
_PORT = 10250


class Network(NamedTuple):
    """A subnet, or a remote network of hybrid nodes: its name and its address blocks."""

    id: str
    blocks: tuple[IPv4Network | IPv6Network, ...]


class Kubelet(NamedTuple):
    """One node as far as it is probed."""

    name: str
    endpoint: Endpoint
    zone: str
    ready: bool


def network(name: str, blocks: Iterable[str]) -> Network:
    """Raises ValueError for what is no address block."""
    return Network(name, tuple(ip_network(block, strict=False) for block in blocks))


def kubelet(node: Node) -> Kubelet | str:
    """The node's InternalIP (--kubelet-preferred-address-types of EKS); a string says why there is none."""
    addresses = [one.address for one in node.status.addresses or [] if one.type == "InternalIP"]
    if not addresses:
        return "has no InternalIP"
    try:
        refused = forbidden(addresses[0])
    except ValueError:
        return f"its InternalIP «{addresses[0]}» is no address"
    if refused:
        return f"may not be dialled: {refused}"
    daemon = node.status.daemon_endpoints
    port = daemon.kubelet_endpoint.port if daemon and daemon.kubelet_endpoint else 0
    ready = any(one.type == "Ready" and one.status == "True" for one in node.status.conditions or [])
    stays = ready and node.metadata.deletion_timestamp is None
    zone = (node.metadata.labels or {}).get(_ZONE, "")
    return Kubelet(node.metadata.name, Endpoint(addresses[0], port or _PORT), zone, stays)


def targets(kubelets: Iterable[Kubelet], networks: Sequence[Network]) -> list[dict[str, Any]]:
    """One target a network that has nodes. Without the VPC's subnets nodes are grouped by zone."""
    groups: dict[str, list[Kubelet]] = {}
    blocks = sorted(
        ((block, one.id) for one in networks for block in one.blocks), key=lambda pair: pair[0].prefixlen, reverse=True
    )
    for one in kubelets:
        address = ip_address(one.endpoint.address)
        home = next((name for block, name in blocks if address in block), one.zone or "elsewhere")
        groups.setdefault(home, []).append(one)
    return [_target(home, group) for home, group in sorted(groups.items())]


def _target(home: str, group: list[Kubelet]) -> dict[str, Any]:
    group.sort(key=lambda one: (not one.ready, hashlib.sha256(one.name.encode()).digest()))
    sample = sorted(group[:SAMPLE])
    return {
        "kind": "kubelet",
        "name": f"kubelet/{home}",
        "addresses": [str(one.endpoint) for one in sample],
        "objects": [f"Node/{one.name}" for one in sample],
        "affects": f"kubectl logs, exec and port-forward to nodes in {home}",
    }


def networks_of(blocks: dict[str, list[str]], remote: Iterable[str]) -> list[Network]:
    """Subnets by id, remote networks by their block. A block that is none is passed over: its nodes go by zone."""
    found = []
    for name, held in [*sorted(blocks.items()), *((block, [block]) for block in sorted(remote))]:
        try:
            found.append(network(name, held))
        except ValueError:
            continue
    return found
