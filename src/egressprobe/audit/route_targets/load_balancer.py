"""A load balancer: its listener on the port, the targets behind it, and whether those accept what they then see.

Sources: the Network Load Balancer guide (edit-target-group-attributes: client IP preservation, cross-zone load
balancing; target-group-health-checks: with no healthy target it forwards to all, "fail open";
load-balancer-security-groups: targets' rules may name the load balancer's group) and the Application Load Balancer
guide (an Application Load Balancer ends the TCP connection and opens one of its own).
"""

from collections.abc import Callable, Iterable
from functools import partial

from egressprobe.audit.vpc.blockers import TargetAddress
from egressprobe.audit.vpc.cidr import Address, address
from egressprobe.audit.vpc.flow import Flow
from egressprobe.audit.vpc.snapshot import Interface
from egressprobe.audit.vpc.snapshot_load_balancers import Listener, LoadBalancer, Member, TargetGroup
from egressprobe.audit.vpc.walk import Walk
from egressprobe.catalog.findings_vpc_config import (
    LOAD_BALANCER_NO_LISTENER,
    LOAD_BALANCER_NO_TARGETS,
    LOAD_BALANCER_NOT_ACTIVE,
)

_FORWARDS = ("active", "active_impaired")
_TCP = ("TCP", "TLS", "TCP_UDP", "HTTP", "HTTPS")
_UDP = ("UDP", "TCP_UDP")
_DESCRIPTION = "ELB "
# Checks the security groups of an interface for a call.
type GroupCheck = Callable[[Walk, Interface, Flow], None]


def forward(walk: Walk, interface: Interface, flow: Flow, groups_in: GroupCheck) -> None:
    """From a load balancer's interface on. Calls from it to its targets do not meet the caller's subnet again."""
    name = interface.description.removeprefix(_DESCRIPTION)
    balancer = walk.topology.load_balancers.get(name)
    if balancer is None or balancer.kind == "gateway":
        walk.ends(f"the load balancer behind {interface.id}: its listeners, targets and their health")
        return
    walk.meets(balancer.id)
    at = TargetAddress(str(flow.to))
    if balancer.state not in _FORWARDS:
        message = f"the load balancer {name}, which has {flow.to}, is {balancer.state}"
        walk.close(LOAD_BALANCER_NOT_ACTIVE, name, message, at)
    protocols = _TCP if walk.protocol_name == "tcp" else _UDP
    listener = next(
        (listed for listed in balancer.listeners if listed.port == flow.port and listed.protocol in protocols), None
    )
    if listener is None:
        message = f"the load balancer {name}, which has {flow.to}, has no listener on {walk.protocol_name} {flow.port}"
        walk.close(LOAD_BALANCER_NO_LISTENER, name, message, at)
        return
    groups = [walk.topology.target_groups[group] for group in listener.groups if group in walk.topology.target_groups]
    if len(groups) < len(listener.groups) or not groups:
        walk.ends(f"the target groups of {name} on port {flow.port}")
        return
    _to_members(walk, interface, flow, balancer, listener, groups, groups_in)


def _to_members(
    walk: Walk,
    interface: Interface,
    flow: Flow,
    balancer: LoadBalancer,
    listener: Listener,
    groups: Iterable[TargetGroup],
    groups_in: GroupCheck,
) -> None:
    subnet = walk.topology.subnets.get(interface.subnet)
    zone = subnet.zone if subnet else ""
    pairs = [
        (group, member)
        for group in groups
        for member in group.members
        if balancer.kind == "application" or _reaches(balancer, group, member, zone)
    ]
    if not pairs:
        where = f" in {zone}" if any(group.members for group in groups) else ""
        message = f"the load balancer {balancer.id} has no target{where} for its listener on port {listener.port}"
        walk.close(LOAD_BALANCER_NO_TARGETS, balancer.id, message, TargetAddress(str(flow.to)))
    healthy = [(group, member) for group, member in pairs if member.health == "healthy"]
    if not healthy:
        walk.ends(f"{balancer.id} has no healthy target, so it forwards to all {len(pairs)}, and they may not answer")
    if balancer.kind == "application":
        return  # it ends the connection: what its own calls meet is what its health checks meet
    checks = [
        partial(_member, walk, interface, flow, balancer, group, member, groups_in)
        for group, member in healthy or pairs
    ]
    walk.either(checks, f"which target of {balancer.id} a call reaches: some are blocked")


def _reaches(balancer: LoadBalancer, group: TargetGroup, member: Member, zone: str) -> bool:
    cross_zone = balancer.cross_zone if group.cross_zone is None else group.cross_zone
    return cross_zone or member.zone in ("", "all", zone)


def _member(
    walk: Walk,
    node: Interface,
    flow: Flow,
    balancer: LoadBalancer,
    group: TargetGroup,
    member: Member,
    groups_in: GroupCheck,
) -> None:
    """The filters of one target: it sees the client's address where that is preserved, else the node's."""
    if group.kind == "alb":
        walk.ends(f"the Application Load Balancer behind {balancer.id}")
        return
    target = _interface(walk, member)
    if target is None:
        if group.preserves:
            walk.ends(f"the interface of {member.id}, a target of {balancer.id}")
        return  # without client IP preservation its health check met the same filters
    source = flow.source if group.preserves else _node_address(node, flow.source.version)
    if source is None:
        walk.ends(f"which address {node.id} calls its targets from")
        return
    call = flow._replace(
        source=source, to=address(target.addresses[0]), port=member.port, groups=frozenset(balancer.groups) or None
    )
    walk.consulted.add(target.id)
    if target.subnet != node.subnet:
        walk.acl_in(target.subnet, call.source, call.port, None)
        walk.acl_out(target.subnet, call.source, None, flow.client)
    groups_in(walk, target, call)


def _interface(walk: Walk, member: Member) -> Interface | None:
    if member.id.startswith("i-"):
        return walk.topology.instances.get(member.id)
    try:
        return walk.topology.interface_of(address(member.id))
    except ValueError:
        return None


def _node_address(node: Interface, version: int) -> Address | None:
    return next((text for text in map(address, node.addresses) if text.version == version), None)
