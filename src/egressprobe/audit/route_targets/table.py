"""The targets of routes, one function for each kind: what it does with a packet, and where the packet goes next.

Where the VPC's configuration does not show it (a transit gateway's route tables, a peer VPC, an appliance's rules) the
walk `ends` and says so; what may block the path before and behind that is still evaluated.
"""

from egressprobe.audit.route_targets.firewall import inspect
from egressprobe.audit.route_targets.interfaces import groups_in
from egressprobe.audit.route_targets.internet import attached, egress_only, encrypted, entry, internet, nat, ready
from egressprobe.audit.route_targets.peering import peering
from egressprobe.audit.route_targets.transit import transit
from egressprobe.audit.vpc.blockers import (
    Appliance,
    TargetAddress,
)
from egressprobe.audit.vpc.flow import Flow
from egressprobe.audit.vpc.snapshot import Route, Subnet
from egressprobe.audit.vpc.walk import RouteTargets, Walk
from egressprobe.catalog.findings_vpc_path import (
    ADDRESS_NOT_IN_A_SUBNET,
    APPLIANCE_SOURCE_DEST_CHECK,
    ENDPOINT_NOT_AVAILABLE,
)


def _local(walk: Walk, _: Subnet, __: Route, flow: Flow) -> None:
    """Another subnet of the VPC (an address in the same subnet is delivered without a route)."""
    there = walk.topology.subnet_of(flow.to)
    if there is None:
        if not walk.topology.all_subnets:
            walk.ends(f"no subnet that this account can see has {flow.to}")
            return
        message = f"{flow.to} is in the VPC's CIDR and in none of its subnets"
        walk.close(ADDRESS_NOT_IN_A_SUBNET, str(flow.to), message, TargetAddress(str(flow.to)))
    else:
        walk.enter(there.id, flow)
        walk.deliver(flow)


def _vpn(walk: Walk, here: Subnet, route: Route, _: Flow) -> None:
    if attached(walk, route, here):
        encrypted(walk, "VirtualPrivateGateway", route.to)
        walk.ends(f"the VPN gateway {route.to}, and what is behind it")


def _endpoint(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """A gateway endpoint (S3, DynamoDB) answers; a Gateway Load Balancer's or firewall's inspects and forwards."""
    endpoint = walk.topology.endpoints.get(route.to)
    if endpoint is None:
        walk.ends(f"the VPC endpoint {route.to} cannot be read")
        return
    ready(walk, here, route, endpoint, ENDPOINT_NOT_AVAILABLE, "VPC endpoint")
    if endpoint.kind == "Gateway":
        return
    if endpoint.id in walk.topology.firewalls:
        inspect(walk, here, endpoint, flow)
        return
    walk.ends(f"the firewall or appliance behind {endpoint.id}: its rules")
    there = next((name for name in endpoint.subnets if name in walk.topology.subnets), None)
    if there is None or there == here.id or endpoint.id in flow.via:
        return
    walk.acl_in(there, flow.source, flow.port, None)
    before = list(walk.returning)
    walk.depart(there, flow._replace(groups=None, via=(*flow.via, endpoint.id)))
    # The path of return traffic depends on the routes of the other side.
    walk.returning[:] = [step for step in before if step in walk.returning]


def _interface(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """A NAT instance or an appliance: its forwarding rules are not visible in the VPC configuration."""
    topology = walk.topology
    interface = topology.forwarder(route.to)
    if interface is None:
        walk.ends(f"{route.to} cannot be read")
        return
    walk.consulted.add(interface.id)
    if interface.checked:
        message = f"{interface.id} accepts only packets addressed to itself: its source/destination check is on"
        at = Appliance(*entry(walk, here, route), interface.id)
        walk.close(APPLIANCE_SOURCE_DEST_CHECK, interface.id, message, at)
    if interface.subnet != here.id:
        walk.acl_in(interface.subnet, flow.source, flow.port, None)
    groups_in(walk, interface, flow)
    walk.ends(f"the appliance {route.to}: what it forwards, and where")


def _other(walk: Walk, _: Subnet, route: Route, __: Flow) -> None:
    walk.ends(f"what {route.to or 'the target'} of {route.destination} does with it")


ROUTE_TARGETS: RouteTargets = {
    "local": _local,
    "internet": internet,
    "egress-only": egress_only,
    "nat": nat,
    "transit": transit,
    "vpn": _vpn,
    "peering": peering,
    "endpoint": _endpoint,
    "interface": _interface,
    "other": _other,
}
