"""One call through the VPC and its return traffic: everything that blocks it, or what cannot be determined.

The order is the packets': the source's security groups, its subnet's ACL, the route, the route's target and *its* path
(route_targets/table.py), then the return path. What a packet meets:

- A security group at an interface, stateful: return traffic of what passed always passes.
- A network ACL only where it crosses a subnet's boundary, stateless, in both directions: the destination of return
  traffic is the client's port, any of 1024-65535, and behind a NAT gateway the gateway's port, which varies
  independently.
- A route by the table of the subnet that it leaves. Inside a subnet there is neither ACL nor route.

So two values are not enough: an ACL that opens part of 1024-65535 lets some calls pass. `Walk.left` holds, for the
client and for each NAT gateway on the path, the ports that still pass.

A filter that denies (`block`) does not end the walk: what is behind it is evaluated too, so that all blockers of a path
are known. Where there is nothing to go on to (`close`) only the return path is left to evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from egressprobe.audit.vpc.blockers import (
    AclRule,
    Appliance,
    BlackholeRoute,
    MissingRoute,
    NatMissingRoute,
    PrivateAddress,
    RouteEntry,
    ZoneWithoutAttachment,
)
from egressprobe.audit.vpc.cidr import Address, on_the_internet, one_port
from egressprobe.audit.vpc.flow import Flow, Protocol
from egressprobe.audit.vpc.packet_filters import STAR, TCP, UDP
from egressprobe.audit.vpc.snapshot import Route, RouteTargetKind, Subnet
from egressprobe.audit.vpc.topology import Topology
from egressprobe.audit.vpc.walk_state import WalkState
from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_vpc_path import (
    APPLIANCE_SOURCE_DEST_CHECK,
    IPV6_ROUTE_MISSING,
    NACL_EGRESS_DENIED,
    NACL_EPHEMERAL_DENIED,
    NACL_INGRESS_DENIED,
    NAT_SUBNET_NO_INTERNET_ROUTE,
    PRIVATE_ADDRESS_TO_INTERNET,
    ROUTE_BLACKHOLE,
    ROUTE_NO_EGRESS,
    TGW_NO_ATTACHMENT_IN_AZ,
)

type Direction = Literal["egress", "ingress"]
_PROTOCOLS: dict[Protocol, int] = {"tcp": TCP, "udp": UDP}
_DENIED: dict[Direction, FindingEntry] = {"egress": NACL_EGRESS_DENIED, "ingress": NACL_INGRESS_DENIED}


# Behind these the way of return traffic is decided by routes that are evaluated.
_RETURN_BY_ROUTES = frozenset({"local", "nat", "internet", "endpoint"})
# What each kind of route target does with a packet (route_targets/table.py).
type RouteTargets = Mapping[RouteTargetKind, Callable[[Walk, Subnet, Route, Flow], None]]
# What the interface that has an address does with a packet (delivery.py).
type Deliver = Callable[[Walk, Flow], None]


class Walk(WalkState):
    """One walk. Route targets call its verbs: `depart`, `enter`, `deliver`, `ends`, `block`, `close`."""

    def __init__(self, topology: Topology, protocol: Protocol, targets: RouteTargets, deliver: Deliver) -> None:
        super().__init__(topology)
        self._targets = targets
        self._deliver = deliver
        self.protocol_name = protocol
        self.protocol = _PROTOCOLS[protocol]

    def depart(self, subnet: str, flow: Flow) -> None:
        """Out of a subnet's interface: to a neighbour, or over the boundary by the subnet's route table."""
        here = self.topology.subnets[subnet]
        neighbourhood = self.topology.subnet_of(flow.to)
        if neighbourhood is not None and neighbourhood.id == here.id:
            if flow.inspected:
                self.back(subnet, flow.client, lambda: self.returns(subnet, flow), arrives=False)
            self._deliver(self, flow)
            return
        self.back(subnet, flow.client, lambda: self.acl_in(subnet, flow.to, None, flow.client), arrives=True)
        self.acl_out(subnet, flow.to, flow.port)
        route = self.route(subnet, flow)
        if route is not None:
            if flow.inspected and route.gate not in _RETURN_BY_ROUTES:
                self.around(flow.inspected, f"return traffic may come in by {route.to}")
            self.elements.append(route.to or route.gate)
            self.consulted.add(route.to)
            self._targets[route.gate](self, here, route, flow)

    def enter(self, subnet: str, flow: Flow) -> None:
        """Over the boundary into another subnet; its ACL sees the return traffic leave as well."""
        self.acl_in(subnet, flow.source, flow.port, None)
        self.back(subnet, flow.client, lambda: self.acl_out(subnet, flow.source, None, flow.client), arrives=False)
        self.back(subnet, flow.client, lambda: self.returns(subnet, flow), arrives=False)

    def deliver(self, flow: Flow) -> None:
        """To the interface that has the address."""
        self._deliver(self, flow)

    def route(self, subnet: str, flow: Flow) -> Route | None:
        """The route that is selected; closes where there is none, or a blackhole."""
        table = self.topology.table_of(subnet)
        if table is None:
            self.ends(f"the route table of {subnet} cannot be read")
            return None
        self.elements.append(table.id)
        self.consulted.update((table.id, subnet))
        route, unsure = self.topology.route(table, flow.to)
        if unsure:
            self.ends(unsure)
            return None
        family, target = f"ipv{flow.to.version}", str(flow.to)
        if route is None:
            message = f"{table.id} of {subnet} has no route for {target}"
            if flow.nat:
                at: MissingRoute = NatMissingRoute(table.id, subnet, family, target, flow.nat)
                self.close(NAT_SUBNET_NO_INTERNET_ROUTE, table.id, message, at)
            finding = IPV6_ROUTE_MISSING if flow.to.version == 6 else ROUTE_NO_EGRESS
            self.close(finding, table.id, message, MissingRoute(table.id, subnet, family, target))
        elif not route.active:
            message = f"{table.id} of {subnet} sends {route.destination} to {route.to}, which no longer exists"
            at_route = BlackholeRoute(table.id, subnet, route.destination, route.to, family, target)
            self.close(ROUTE_BLACKHOLE, table.id, message, at_route)
        return route

    def returns(self, subnet: str, flow: Flow) -> None:
        """The route of return traffic out of another subnet: to the caller's subnet, or to where the call came in."""
        to, entrance = flow.source, self.place.entrance
        table = self.topology.table_of(subnet)
        if table is None:
            return
        self.consulted.update((table.id, subnet))
        route, unsure = self.topology.route(table, to)
        if unsure:
            self.ends(unsure)
        elif route is None and (entrance or flow.inspected):
            message = f"return traffic is dropped: {table.id} of {subnet} has no route for {to}"
            self.block(ROUTE_NO_EGRESS, table.id, message, MissingRoute(table.id, subnet, f"ipv{to.version}", str(to)))
        elif route is None:
            return
        elif not route.active:
            message = (
                f"return traffic is dropped: {table.id} of {subnet} sends {route.destination} to {route.to}, "
                "which no longer exists"
            )
            self.block(ROUTE_BLACKHOLE, table.id, message, RouteEntry(table.id, subnet, route.destination, route.to))
        elif flow.inspected and route.to == flow.inspected:
            self.consulted.add(route.to)
        elif route.to == entrance and not flow.inspected:
            self._to_attachment(subnet, flow, entrance)
        elif route.gate == "internet" and not on_the_internet(to):
            message = f"return traffic is dropped: {table.id} of {subnet} sends {to} to {route.to}"
            self.block(PRIVATE_ADDRESS_TO_INTERNET, table.id, message, PrivateAddress(str(to), route.to, table.id))
        elif route.gate == "interface" and (owner := self.topology.forwarder(route.to)) and owner.checked:
            message = f"return traffic is dropped: the source/destination check of {owner.id} is on"
            at = Appliance(table.id, subnet, route.destination, route.to, owner.id)
            self.block(APPLIANCE_SOURCE_DEST_CHECK, owner.id, message, at)
        elif flow.inspected:
            self.around(flow.inspected, f"return traffic leaves {subnet} by {route.to}")
        elif entrance or route.gate != "local":
            self.ends(f"return traffic leaves {subnet} by {route.to}, not by the path of the call")

    def _to_attachment(self, subnet: str, flow: Flow, gateway: str) -> None:
        """Return traffic takes the transit gateway's attachment of its own zone (tgw-vpc-attachments)."""
        if not gateway.startswith("tgw-"):
            return
        zone, attachments = self.topology.subnets[subnet].zone, self.topology.attachments_of(gateway)
        subnets = [name for attachment in attachments for name in attachment.subnets if name in self.topology.subnets]
        in_zone = [name for name in subnets if self.topology.subnets[name].zone == zone]
        entry = self.place.attachment_subnet
        if not in_zone:
            message = f"return traffic is dropped: {gateway} has no attachment in {zone}, the zone of {subnet}"
            table = self.topology.table_of(subnet)
            at = ZoneWithoutAttachment(table.id if table else "", subnet, str(flow.source), gateway, zone)
            self.block(TGW_NO_ATTACHMENT_IN_AZ, gateway, message, at)
        elif entry not in in_zone:
            self.returning = [
                step
                for step in self.returning
                if not (step.arrives and (step.subnet, step.place) == (entry, self.place))
            ]
            if subnet not in in_zone:
                self.acl_in(in_zone[0], flow.to, None, flow.client)

    # -- network ACLs -----------------------------------------------------------------------------------------

    def acl_out(self, subnet: str, to: Address, port: int | None, client: int = 0) -> None:
        self._acl(subnet, "egress", to, port, client)

    def acl_in(self, subnet: str, source: Address, port: int | None, client: int | None) -> None:
        self._acl(subnet, "ingress", source, port, client or 0)

    def _acl(self, subnet: str, direction: Direction, remote: Address, port: int | None, client: int) -> None:
        """port: of the call's packets; None for return traffic, whose destinations are the client's ports."""
        acl = self.topology.acls.get(subnet)
        if acl is None:
            self.ends(f"the network ACL of {subnet} cannot be read")
            return
        self.meets(acl.id)
        self.consulted.add(subnet)
        ports = one_port(port) if port is not None else self.left[client]
        egress = direction == "egress"
        passed, rule = self.topology.acl(acl, (egress, self.protocol, remote, ports))
        if passed == ports:
            return
        denied = ports - passed
        protocol = self.protocol_name
        at = AclRule(acl.id, subnet, direction, rule, str(remote), protocol, str(denied))
        finding = NACL_EPHEMERAL_DENIED if port is None else _DENIED[direction]
        name = f"{acl.id} ({subnet}) rule {'*' if rule in STAR else rule}"
        if port is None:
            whence = f"to {remote}" if egress else f"from {remote}"
            message = f"{name} denies return traffic {whence} to ports {denied} ({direction})"
        else:
            whence = f"to {remote}" if egress else f"from {remote}"
            message = f"{name} denies {protocol.upper()} {port} {whence} ({direction})"
        if not passed:
            self.block(finding, acl.id, message, at)
            return
        self.narrowed.append(self.blame(finding, acl.id, message, at))
        self.left[client] = passed
