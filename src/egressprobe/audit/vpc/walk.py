"""The way of one call through the VPC, there and back: the first element that closes it, or where knowledge ends.

The order is the packets': the source's security groups, its subnet's ACL, the route, the route's target and *its* way
(route_targets.py), then the answer's way back. What a packet meets:

- A security group at an interface, stateful: answers to what passed always pass.
- A network ACL only where a subnet's boundary is crossed, stateless, both ways: the answer's destination is the
  client's port, any of 1024-65535, and behind a NAT the NAT's port, which varies independently.
- A route by the table of the subnet that it leaves. Inside a subnet there is neither ACL nor route.

So three values are not enough: an ACL that opens part of 1024-65535 lets some calls pass. `Walk.left` holds, for
the client and for each NAT on the way, the ports that still pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from egressprobe.audit.vpc.cidr import EPHEMERAL, Address, Ports, on_the_internet, one_port
from egressprobe.audit.vpc.packet_filters import TCP, UDP, Remote, acl_passes, groups_pass
from egressprobe.audit.vpc.path import Blame
from egressprobe.audit.vpc.snapshot import Gate, Group, Interface, Route, Subnet
from egressprobe.audit.vpc.topology import Network

_PROTOCOLS: dict[Literal["tcp", "udp"], int] = {"tcp": TCP, "udp": UDP}
# Interfaces that take no calls of their own, or of which we do not know who answers.
_NOBODYS = frozenset({"nat_gateway", "transit_gateway", "gateway_load_balancer_endpoint", "gateway_load_balancer"})


class Origin(NamedTuple):
    """Where a call starts: an interface of the control plane, or a place where one could be."""

    subnet: str
    address: Address
    groups: tuple[str, ...]


class Flow(NamedTuple):
    """Packets on one leg of the way. port: the destination's; client: index of their source port in `Walk.left`.

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


# What each kind of route target does with a packet (route_targets.py).
type Gates = Mapping[Gate, Callable[[Walk, Subnet, Route, Flow], None]]


class Closed(Exception):  # noqa: N818 (ends a walk, is no error)
    def __init__(self, blame: Blame) -> None:
        self.blame = blame


class Walk:
    """One walk. Gates call its verbs: `depart`, `enter`, `deliver`, `ends`, `close`."""

    def __init__(self, network: Network, protocol: Literal["tcp", "udp"], gates: Gates) -> None:
        self.network = network
        self._gates = gates
        self.protocol = _PROTOCOLS[protocol]
        self.left: list[Ports] = [EPHEMERAL]
        self.narrowed: list[Blame] = []
        self.unknown: list[str] = []
        self.elements: list[str] = []
        self.back: list[Callable[[], None]] = []

    # -- verbs ------------------------------------------------------------------------------------------------

    def close(self, code: str, element: str, said: str, **evidence: Any) -> None:
        raise Closed(Blame(code, element, said, evidence))

    def ends(self, why: str) -> None:
        """Here we know no more; what is known of the way back is looked at all the same."""
        self.unknown.append(why)

    def depart(self, subnet: str, flow: Flow) -> None:
        """Out of a subnet's interface: to a neighbour, or over the boundary by the subnet's route table."""
        here = self.network.subnets[subnet]
        beside = self.network.subnet_of(flow.to)
        if beside is not None and beside.id == here.id:
            self.deliver(flow)
            return
        self.back.append(lambda: self.acl_in(subnet, flow.to, None, flow.client))
        self.acl_out(subnet, flow.to, flow.port)
        route = self.route(subnet, flow)
        if route is not None:
            self.elements.append(route.to or route.gate)
            self._gates[route.gate](self, here, route, flow)

    def enter(self, subnet: str, flow: Flow) -> None:
        """Over the boundary into another subnet; its ACL sees the answer leave as well."""
        self.acl_in(subnet, flow.source, flow.port, None)
        self.back.append(lambda: self.acl_out(subnet, flow.source, None, flow.client))
        self.back.append(lambda: self.returns(subnet, flow.source))

    def deliver(self, flow: Flow) -> None:
        """To the interface that has the address."""
        found = self.network.interface_of(flow.to)
        if self.network.snapshot.interfaces is None:
            self.ends("network interfaces cannot be read, so whose address it is is not known")
        elif found is None:
            self.ends(f"no interface of the VPC has {flow.to} now")
        elif found.kind in _NOBODYS:
            self.ends(f"{flow.to} belongs to {found.id}, a {found.kind}")
        else:
            self.groups_in(found, flow)

    def route(self, subnet: str, flow: Flow) -> Route | None:
        """The route that wins; closes where there is none, or a black hole."""
        table = self.network.table_of(subnet)
        if table is None:
            self.ends(f"the route table of {subnet} cannot be read")
            return None
        self.elements.append(table.id)
        route, unsure = self.network.route(table, flow.to)
        if unsure:
            self.ends(unsure)
            return None
        family = f"IPv{flow.to.version}"
        held = {"routeTable": table.id, "subnet": subnet, "family": family.lower(), "address": str(flow.to)}
        if route is None:
            code = "IPV6_ROUTE_MISSING" if flow.to.version == 6 else "ROUTE_NO_EGRESS"
            if flow.nat:
                code, held = "NAT_SUBNET_NO_INTERNET_ROUTE", held | {"nat": flow.nat}
            self.close(code, table.id, f"{table.id} of {subnet} has no route for {flow.to}", **held)
        elif not route.active:
            held |= {"destination": route.destination, "target": route.to}
            said = f"{table.id} of {subnet} sends {route.destination} to {route.to}, which is not there any more"
            self.close("ROUTE_BLACKHOLE", table.id, said, **held)
        return route

    def returns(self, subnet: str, to: Address) -> None:
        """The answer's route from another subnet of the VPC."""
        table = self.network.table_of(subnet)
        if table is None:
            return
        route, _ = self.network.route(table, to)
        if route is not None and not route.active:
            held = {"routeTable": table.id, "subnet": subnet, "destination": route.destination, "target": route.to}
            said = f"answers die: {table.id} of {subnet} sends {route.destination} to {route.to}, which is gone"
            self.close("ROUTE_BLACKHOLE", table.id, said, **held)
        elif route is not None and route.gate != "local":
            self.ends(f"answers leave {subnet} by {route.to}, not the way that the call came")

    # -- filters ----------------------------------------------------------------------------------------------

    def acl_out(self, subnet: str, to: Address, port: int | None, client: int = 0) -> None:
        self._acl(subnet, "egress", to, port, client)

    def acl_in(self, subnet: str, source: Address, port: int | None, client: int | None) -> None:
        self._acl(subnet, "ingress", source, port, client or 0)

    def _acl(self, subnet: str, way: str, remote: Address, port: int | None, client: int) -> None:
        """port: of the call's packets; None for the answer's, whose destinations are the client's ports."""
        acl = self.network.acls.get(subnet)
        if acl is None:
            self.ends(f"the network ACL of {subnet} cannot be read")
            return
        if acl.id not in self.elements:
            self.elements.append(acl.id)
        ports = one_port(port) if port is not None else self.left[client]
        egress = way == "egress"
        passed, rule = acl_passes(acl, egress=egress, protocol=self.protocol, remote=remote, ports=ports)
        if passed == ports:
            return
        code = "NACL_EPHEMERAL_DENIED" if port is None else f"NACL_{way.upper()}_DENIED"
        held = {"networkAcl": acl.id, "subnet": subnet, "direction": way, "rule": rule, "remote": str(remote)}
        held |= {"protocol": "tcp" if self.protocol == TCP else "udp", "ports": str(ports - passed)}
        what = f"port {port}" if port is not None else f"the answer's ports {ports - passed}"
        name = "*" if rule == 32767 else rule
        said = f"{acl.id} of {subnet}, rule {name}: {what} {'to' if egress else 'from'} {remote} denied ({way})"
        blame = Blame(code, acl.id, said, held)
        if not passed:
            raise Closed(blame)
        self.narrowed.append(blame)
        self.left[client] = passed

    def groups_out(self, origin: Origin, flow: Flow) -> None:
        groups = self._groups(origin.groups)
        if groups is None:
            return
        if not groups:
            self.ends("the control plane's security groups are not known")
            return
        target = self.network.interface_of(flow.to)
        members = frozenset(target.groups) if target else None
        direct = members is not None and self._direct(origin.subnet, flow.to)
        remote = Remote(flow.to, members if direct else None)
        held = {"groups": list(origin.groups), "port": flow.port, "remote": str(flow.to)}
        passed = self._ask(groups, egress=True, port=flow.port, remote=remote)
        by_group = Remote(flow.to, members)
        if not passed and not direct and members and self._ask(groups, egress=True, port=flow.port, remote=by_group):
            self.ends("an egress rule names the target's group, and what that means off the direct way is not known")
            return
        if not passed and members is None and self._by_a_group(groups, flow):
            self.ends(f"an egress rule names a group, and whether {flow.to} is of it is not known")
            return
        said = f"no egress rule of {', '.join(origin.groups)} lets port {flow.port} to {flow.to} pass"
        self._judge("SG_EGRESS_DENIED", origin.groups, said, held, passed=passed)

    def _by_a_group(self, groups: list[Group], flow: Flow) -> bool:
        """Whether some rule would pass it, were it a member; the internet's addresses are nobody's."""
        named = frozenset(name for one in groups for rule in one.egress for name in rule.groups)
        return not on_the_internet(flow.to) and bool(
            self._ask(groups, egress=True, port=flow.port, remote=Remote(flow.to, named))
        )

    def groups_in(self, target: Interface, flow: Flow) -> None:
        if not target.groups:
            if target.kind != "network_load_balancer":
                self.ends(f"{target.id} shows no security groups")
            return
        groups = self._groups(target.groups)
        if groups is None:
            return
        passed = self._ask(groups, egress=False, port=flow.port, remote=Remote(flow.source, flow.groups))
        held = {"groups": list(target.groups), "interface": target.id, "port": flow.port, "remote": str(flow.source)}
        held["translated"] = flow.groups is None
        said = (
            f"no ingress rule of {', '.join(target.groups)} ({target.id}) lets port {flow.port} from {flow.source} in"
        )
        if passed is False and flow.groups == frozenset():  # every interface has a group; the caller's are not known
            return
        self._judge("SG_INGRESS_DENIED", target.groups, said, held, passed=passed)

    def _judge(
        self, code: str, groups: tuple[str, ...], said: str, held: dict[str, Any], *, passed: bool | None
    ) -> None:
        if passed is None:
            self.ends(f"a prefix list that a rule of {', '.join(groups)} names cannot be read")
        elif not passed:
            name = "tcp" if self.protocol == TCP else "udp"
            self.close(code, groups[0] if groups else "", said, **held, protocol=name)

    def _groups(self, names: tuple[str, ...]) -> list[Group] | None:
        missing = [name for name in names if name not in self.network.groups]
        self.elements += [name for name in names if name not in self.elements]
        if missing:
            self.ends(f"the security group {missing[0]} cannot be read")
            return None
        return [self.network.groups[name] for name in names]

    def _ask(self, groups: list[Group], *, egress: bool, port: int, remote: Remote) -> bool | None:
        return groups_pass(groups, self.network.lists, egress=egress, protocol=self.protocol, port=port, remote=remote)

    def _direct(self, subnet: str, to: Address) -> bool:
        beside = self.network.subnet_of(to)
        if beside is not None and beside.id == subnet:
            return True
        table = self.network.table_of(subnet)
        route = self.network.route(table, to).route if table else None
        return route is not None and route.gate == "local"
