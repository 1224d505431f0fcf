"""A peering connection: to an address of the peer VPC, never through it (peering guide, vpc-peering-basics)."""

from egressprobe.audit.route_targets.internet import encrypted, entry, ready
from egressprobe.audit.vpc.blockers import PeerRange, TargetAddress
from egressprobe.audit.vpc.cidr import block
from egressprobe.audit.vpc.flow import Flow, Place
from egressprobe.audit.vpc.snapshot import Peering, Route, Subnet
from egressprobe.audit.vpc.topology import Topology
from egressprobe.audit.vpc.walk import Walk
from egressprobe.catalog.findings_vpc_path import ADDRESS_NOT_IN_A_SUBNET, PEERING_NOT_ACTIVE, PEERING_NOT_TRANSITIVE


def peering(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """Into the peer VPC, where it can be read."""
    connection = walk.topology.peerings.get(route.to)
    if connection is None:
        walk.ends(f"the peering connection {route.to} cannot be read")
        return
    ready(walk, here, route, connection, PEERING_NOT_ACTIVE, "peering connection")
    if connection.blocks and not any(flow.to in block(text) for text in connection.blocks):
        message = f"{flow.to} is not an address of {connection.peer}, and peering is not transitive"
        at = PeerRange(*entry(walk, here, route), connection.peer)
        walk.close(PEERING_NOT_TRANSITIVE, connection.id, message, at)
    peer = walk.vpc(connection.peer)
    _encrypted(walk, connection, peer)
    if peer is None:
        walk.ends(f"the other side of {connection.id}: {connection.peer}")
        return
    walk.consulted.add(connection.peer)
    walk.visit(Place(peer, connection.id), lambda: _arrive(walk, peer, flow))


def _encrypted(walk: Walk, connection: Peering, peer: Topology | None) -> None:
    """Where the peer enforces encryption without exclusions too, no exclusion is needed (user guide,
    vpc-encryption-controls, "VPC peering support").
    """
    controls = peer.snapshot.encryption if peer else None
    if any(control.mode == "enforce" and not control.excluded for control in controls or ()):
        return
    if controls is None and any(control.mode == "enforce" for control in walk.topology.snapshot.encryption or ()):
        walk.consulted.add("encryption")
        walk.ends(f"whether {connection.peer} enforces encryption, as this VPC does")
    else:
        encrypted(walk, "VpcPeering", connection.id)


def _arrive(walk: Walk, peer: Topology, flow: Flow) -> None:
    """Straight into the subnet that has the address; its route table must lead back (peering guide,
    vpc-peering-routing).

    Security groups may name groups of the other side (peering guide, vpc-peering-security-groups).
    """
    there = peer.subnet_of(flow.to)
    if there is not None:
        walk.enter(there.id, flow)
        walk.deliver(flow)
    elif not peer.all_subnets:
        walk.ends(f"no subnet that this account can see has {flow.to}")
    else:
        message = f"{flow.to} is in none of the peer VPC's subnets"
        walk.close(ADDRESS_NOT_IN_A_SUBNET, str(flow.to), message, TargetAddress(str(flow.to)))
