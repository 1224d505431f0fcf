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
from typing import Literal, NamedTuple

from egressprobe.audit.vpc.blockers import (
    AclRule,
    BlackholeRoute,
    Blame,
    Blocker,
    MissingRoute,
    NatMissingRoute,
    RouteEntry,
)
from egressprobe.audit.vpc.cidr import EPHEMERAL, Address, Ports, one_port
from egressprobe.audit.vpc.packet_filters import STAR, TCP, UDP
from egressprobe.audit.vpc.snapshot import Route, RouteTargetKind, Subnet
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_vpc_path import (
    IPV6_ROUTE_MISSING,
    NACL_EGRESS_DENIED,
    NACL_EPHEMERAL_DENIED,
    NACL_INGRESS_DENIED,
    NAT_SUBNET_NO_INTERNET_ROUTE,
    ROUTE_BLACKHOLE,
    ROUTE_NO_EGRESS,
)

type Protocol = Literal["tcp", "udp"]
type Direction = Literal["egress", "ingress"]
_PROTOCOLS: dict[Protocol, int] = {"tcp": TCP, "udp": UDP}
_DENIED: dict[Direction, FindingEntry] = {"egress": NACL_EGRESS_DENIED, "ingress": NACL_INGRESS_DENIED}


class Source(NamedTuple):
    """Where a call starts: an interface of the control plane, or a place where one could be.

    groups: None for any groups, of which no rule is evaluated. public: it has a public IPv4 address (never the control
    plane's).
    """

    subnet: str
    address: Address
    groups: tuple[str, ...] | None
    public: bool = False


class Flow(NamedTuple):
    """Packets on one leg of the path. port: the destination's; client: index of their source port in `Walk.left`.

    groups: of the sender's interface, None behind whatever is in between. public: has a public IPv4 address.
    nat: the last one passed. via: whatever was passed.
    """

    source: Address
    to: Address
    port: int
    client: int = 0
    groups: frozenset[str] | None = None
    public: bool = False
    nat: str = ""
    via: tuple[str, ...] = ()


class ReturnStep(NamedTuple):
    """A check of return traffic at the boundary of a subnet. client: index of its destination port in `Walk.left`.

    arrives: it comes from where the subnet's route led; False where it leaves the subnet for the caller's side.
    """

    subnet: str
    client: int
    check: Callable[[], None]
    arrives: bool


# What each kind of route target does with a packet (route_targets/table.py).
type RouteTargets = Mapping[RouteTargetKind, Callable[[Walk, Subnet, Route, Flow], None]]
# What the interface that has an address does with a packet (delivery.py).
type Deliver = Callable[[Walk, Flow], None]


class Closed(Exception):  # noqa: N818 (ends one direction of a walk, is no error)
    """There is nothing that the packet could go on to."""


class Walk:
    """One walk. Route targets call its verbs: `depart`, `enter`, `deliver`, `ends`, `block`, `close`."""

    def __init__(self, topology: Topology, protocol: Protocol, targets: RouteTargets, deliver: Deliver) -> None:
        self.topology = topology
        self._targets = targets
        self._deliver = deliver
        self.protocol_name = protocol
        self.protocol = _PROTOCOLS[protocol]
        self.left: list[Ports] = [EPHEMERAL]
        self.blames: list[Blame] = []
        self.narrowed: list[Blame] = []
        self.unknown: list[str] = []
        self.elements: list[str] = []
        self.passed: tuple[str, ...] | None = None  # elements until the first blocker
        self.consulted: set[str] = set()
        self.returning: list[ReturnStep] = []

    # -- verbs ------------------------------------------------------------------------------------------------

    def block(self, finding: FindingEntry, element: str, message: str, at: Blocker) -> None:
        """Records what blocks; the walk goes on behind it."""
        self.blames.append(Blame(finding, element, message, at))
        if self.passed is None:
            self.passed = tuple(self.elements)

    def close(self, finding: FindingEntry, element: str, message: str, at: Blocker) -> None:
        """Records what blocks and ends this direction."""
        self.block(finding, element, message, at)
        raise Closed

    def ends(self, why: str) -> None:
        """Marks the path unknown; the return path is still evaluated."""
        self.unknown.append(why)

    def meets(self, *ids: str) -> None:
        """Notes what the packet passes."""
        self.elements += [name for name in ids if name not in self.elements]
        self.consulted.update(ids)

    def run(self, step: Callable[[], None]) -> None:
        """One direction of the walk, or one step of the return path, until it is closed."""
        try:
            step()
        except Closed:
            return

    def depart(self, subnet: str, flow: Flow) -> None:
        """Out of a subnet's interface: to a neighbour, or over the boundary by the subnet's route table."""
        here = self.topology.subnets[subnet]
        neighbourhood = self.topology.subnet_of(flow.to)
        if neighbourhood is not None and neighbourhood.id == here.id:
            self._deliver(self, flow)
            return
        self.back(subnet, flow.client, lambda: self.acl_in(subnet, flow.to, None, flow.client), arrives=True)
        self.acl_out(subnet, flow.to, flow.port)
        route = self.route(subnet, flow)
        if route is not None:
            self.elements.append(route.to or route.gate)
            self.consulted.add(route.to)
            self._targets[route.gate](self, here, route, flow)

    def enter(self, subnet: str, flow: Flow) -> None:
        """Over the boundary into another subnet; its ACL sees the return traffic leave as well."""
        self.acl_in(subnet, flow.source, flow.port, None)
        self.back(subnet, flow.client, lambda: self.acl_out(subnet, flow.source, None, flow.client), arrives=False)
        self.back(subnet, flow.client, lambda: self.returns(subnet, flow.source), arrives=False)

    def deliver(self, flow: Flow) -> None:
        """To the interface that has the address."""
        self._deliver(self, flow)

    def back(self, subnet: str, client: int, check: Callable[[], None], *, arrives: bool) -> None:
        """A check of the return path, made after the call has arrived, the last one first."""
        self.returning.append(ReturnStep(subnet, client, check, arrives))

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

    def returns(self, subnet: str, to: Address) -> None:
        """The route of return traffic out of another subnet of the VPC."""
        table = self.topology.table_of(subnet)
        if table is None:
            return
        self.consulted.update((table.id, subnet))
        route, _ = self.topology.route(table, to)
        if route is not None and not route.active:
            message = (
                f"return traffic is dropped: {table.id} of {subnet} sends {route.destination} to {route.to}, "
                "which no longer exists"
            )
            self.block(ROUTE_BLACKHOLE, table.id, message, RouteEntry(table.id, subnet, route.destination, route.to))
        elif route is not None and route.gate != "local":
            self.ends(f"return traffic leaves {subnet} by {route.to}, not by the path of the call")

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
        self.narrowed.append(Blame(finding, acl.id, message, at))
        self.left[client] = passed
