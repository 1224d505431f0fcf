"""Interfaces on a path: the egress rules of the caller's groups, and what the interface that has the address does.

An interface takes a call if its security groups allow it and if it is attached to something (EC2 API Reference,
NetworkInterface: status `available` is attached to nothing). A NAT gateway's own address takes no calls (user guide,
vpc-nat-gateway). A load balancer forwards to its targets (load_balancer.py).
"""

from egressprobe.audit.route_targets.load_balancer import forward
from egressprobe.audit.vpc.blockers import SecurityGroups, TargetAddress, TargetGroups
from egressprobe.audit.vpc.cidr import Address, on_the_internet
from egressprobe.audit.vpc.flow import Flow, Source
from egressprobe.audit.vpc.packet_filters import Remote, groups_pass
from egressprobe.audit.vpc.snapshot import Group, Interface
from egressprobe.audit.vpc.topology import is_load_balancer
from egressprobe.audit.vpc.walk import Walk
from egressprobe.catalog.findings_vpc_path import (
    INTERFACE_NOT_ATTACHED,
    NAT_GATEWAY_NOT_A_TARGET,
    SG_EGRESS_DENIED,
    SG_INGRESS_DENIED,
)

# Interfaces behind which the snapshot does not show who answers.
_OPAQUE_KINDS = frozenset({"transit_gateway", "gateway_load_balancer_endpoint", "gateway_load_balancer"})


def deliver(walk: Walk, flow: Flow) -> None:
    """To the interface that has the address."""
    interface = walk.topology.interface_of(flow.to)
    if walk.topology.snapshot.interfaces is None:
        walk.ends("network interfaces cannot be read, so the owner of the address is not known")
    elif interface is None:
        walk.ends(f"no interface of the VPC has {flow.to} now")
    else:
        arrive(walk, interface, flow)


def arrive(walk: Walk, interface: Interface, flow: Flow) -> None:
    """At an interface that has the address."""
    walk.consulted.add(interface.id)
    if interface.kind == "nat_gateway":
        message = (
            f"{flow.to} is the address of the NAT gateway's interface {interface.id}, which accepts no connections"
        )
        walk.close(NAT_GATEWAY_NOT_A_TARGET, interface.id, message, TargetAddress(str(flow.to)))
    if interface.kind in _OPAQUE_KINDS:
        walk.ends(f"{flow.to} belongs to {interface.id}, a {interface.kind}")
        return
    if interface.status == "available" and walk.topology.statuses_known:
        message = f"{interface.id}, which has {flow.to}, is attached to nothing"
        walk.block(INTERFACE_NOT_ATTACHED, interface.id, message, TargetAddress(str(flow.to)))
    groups_in(walk, interface, flow)
    if is_load_balancer(interface):
        forward(walk, interface, flow, groups_in)


def groups_out(walk: Walk, source: Source, flow: Flow) -> None:
    """The egress rules of the caller's interface."""
    if source.groups is None:
        return
    groups = _groups(walk, source.groups)
    if groups is None:
        return
    if not groups:
        walk.ends("the control plane's security groups are not known")
        return
    target = walk.topology.interface_of(flow.to)
    members = frozenset(target.groups) if target else None
    direct = members is not None and _direct(walk, source.subnet, flow.to)
    allowed = _allowed(walk, groups, flow.port, Remote(flow.to, members if direct else None), egress=True)
    by_group = Remote(flow.to, members)
    if not allowed and not direct and members and _allowed(walk, groups, flow.port, by_group, egress=True):
        walk.ends("an egress rule names the target's group, and its effect off the direct path is not documented")
        return
    if not allowed and members is None and _by_a_group(walk, groups, flow):
        walk.ends(f"an egress rule names a group, and whether {flow.to} is a member is not known")
        return
    if _unreadable(walk, source.groups, allowed=allowed) or allowed:
        return
    name = walk.protocol_name
    message = f"no egress rule of {', '.join(source.groups)} allows {name.upper()} {flow.port} to {flow.to}"
    walk.block(
        SG_EGRESS_DENIED, source.groups[0], message, SecurityGroups(tuple(source.groups), flow.port, str(flow.to), name)
    )


def groups_in(walk: Walk, target: Interface, flow: Flow) -> None:
    """The ingress rules of an interface that the call reaches."""
    if not target.groups:
        if target.kind != "network_load_balancer":
            walk.ends(f"{target.id} has no security groups in the snapshot")
        return
    groups = _groups(walk, target.groups)
    if groups is None:
        return
    allowed = _allowed(walk, groups, flow.port, Remote(flow.source, flow.groups), egress=False)
    through_transit = walk.place.entrance.startswith("tgw-") and flow.groups
    if allowed and through_transit and not _allowed(walk, groups, flow.port, Remote(flow.source, None), egress=False):
        walk.ends(
            f"a rule of {', '.join(target.groups)} names the caller's group, which counts only where security group "
            f"referencing is on for {walk.place.entrance} and both attachments"
        )
        return
    if allowed is False and flow.groups == frozenset():  # every interface has a group; the caller's are not known
        return
    if _unreadable(walk, target.groups, allowed=allowed) or allowed:
        return
    name = walk.protocol_name
    message = (
        f"no ingress rule of {', '.join(target.groups)} ({target.id}) allows {name.upper()} {flow.port} "
        f"from {flow.source}"
    )
    at = TargetGroups(
        tuple(target.groups), target.id, flow.port, str(flow.source), translated=flow.groups is None, protocol=name
    )
    walk.block(SG_INGRESS_DENIED, target.groups[0], message, at)


def _unreadable(walk: Walk, names: tuple[str, ...], *, allowed: bool | None) -> bool:
    """Whether a prefix list that cannot be read decides."""
    if allowed is None:
        walk.ends(f"a prefix list that a rule of {', '.join(names)} names cannot be read")
    return allowed is None


def _by_a_group(walk: Walk, groups: list[Group], flow: Flow) -> bool:
    """Whether a rule would allow it if it were a member; addresses of the internet are members of no group."""
    named = frozenset(name for group in groups for rule in group.egress for name in rule.groups)
    if on_the_internet(flow.to):
        return False
    return bool(_allowed(walk, groups, flow.port, Remote(flow.to, named), egress=True))


def _groups(walk: Walk, names: tuple[str, ...]) -> list[Group] | None:
    missing = [name for name in names if name not in walk.topology.groups]
    walk.meets(*names)
    if missing:
        walk.ends(f"the security group {missing[0]} cannot be read")
        return None
    return [walk.topology.groups[name] for name in names]


def _allowed(walk: Walk, groups: list[Group], port: int, remote: Remote, *, egress: bool) -> bool | None:
    return groups_pass(groups, walk.topology.lists, egress=egress, protocol=walk.protocol, port=port, remote=remote)


def _direct(walk: Walk, subnet: str, to: Address) -> bool:
    neighbourhood = walk.topology.subnet_of(to)
    if neighbourhood is not None and neighbourhood.id == subnet:
        return True
    table = walk.topology.table_of(subnet)
    route = walk.topology.route(table, to).route if table else None
    return route is not None and route.gate == "local"
