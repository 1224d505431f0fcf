"""Whether one address can be reached from one place in the VPC: a walk in both directions, as a `Path`."""

from typing import Literal

import msgspec
from msgspec.structs import replace

from egressprobe.audit.route_targets.interfaces import deliver, groups_out
from egressprobe.audit.route_targets.table import ROUTE_TARGETS
from egressprobe.audit.vpc.blockers import Blame, TargetAddress
from egressprobe.audit.vpc.cidr import EPHEMERAL, Address, address, block
from egressprobe.audit.vpc.firewall.connection import ANY_NAME
from egressprobe.audit.vpc.flow import Flow, Protocol, Source
from egressprobe.audit.vpc.topology import Topology
from egressprobe.audit.vpc.walk import Walk
from egressprobe.catalog.findings_vpc_config import VPC_DNS_SUPPORT_OFF

type State = Literal["open", "partial", "closed", "unknown"]
_DNS = 53
# The VPC's resolver, which neither security groups nor network ACLs filter (user guide, AmazonDNS-concepts).
_LINK_LOCAL_RESOLVERS = frozenset(map(address, ("169.254.169.253", "fd00:ec2::253")))
# VPC Lattice (its user guide, security-groups: the managed prefix lists): service networks are not in a snapshot.
_LATTICE = (block("169.254.171.0/24"), block("fd00:ec2:80::/64"))


class Path(msgspec.Struct, frozen=True):
    """The result of one walk: from one subnet to one address, port and protocol.

    open: packets pass in both directions on every client port 1024-65535; partial: on some of them, or from some of
    the control plane's interfaces; closed: on none. unknown: nothing that is known closes it, and `knowledge_ends` says
    what cannot be determined.

    blame: the first thing that blocks, in the packets' order; also: what blocks it besides.
    narrowed: what denies some of the client ports or some of the interfaces.
    client_ports, nat_ports: those that pass, where not all do; a connection needs one of each.
    elements: ids passed, in order, until the first blocker: groups, ACLs, route tables, route targets.
    return_elements: the last of `elements`, which only return traffic meets.
    consulted: ids of everything that decided, return traffic included: a change of other things changes nothing here.
    server_name: set where a firewall may look at it, so that targets of one address and port have paths of their own.
    """

    subnet: str
    address: str
    port: int
    protocol: Protocol
    state: State
    blame: Blame | None = None
    narrowed: tuple[Blame, ...] = ()
    knowledge_ends: tuple[str, ...] = ()
    client_ports: str = ""
    nat_ports: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    also: tuple[Blame, ...] = ()
    consulted: frozenset[str] = frozenset()
    return_elements: tuple[str, ...] = ()
    server_name: str = ANY_NAME

    @property
    def blames(self) -> tuple[Blame, ...]:
        """Everything that keeps the path from being open, the first blocker first."""
        return (self.blame, *self.also) if self.blame else self.narrowed


def walk(
    topology: Topology, source: Source, to: str, port: int, protocol: Protocol = "tcp", server_name: str = ANY_NAME
) -> Path:
    """The path from `source` to an address of the same family. Raises ValueError for an invalid address.

    server_name: of the ClientHello, or what stands for one (vpc/firewall/connection.py).
    """
    target = address(to)
    members = frozenset(source.groups) if source.groups is not None else None
    steps = Walk(topology, protocol, ROUTE_TARGETS, deliver)
    flow = Flow(source.address, target, port, groups=members, public=source.public, server_name=server_name)
    if port == _DNS and is_vpc_resolver(topology, target):
        _resolver(steps, target)
    elif any(target in cidr for cidr in _LATTICE):
        groups_out(steps, source, flow)
        steps.ends(f"{to} is VPC Lattice: its service networks and policies")
    else:
        groups_out(steps, source, flow)
        steps.run(lambda: steps.depart(source.subnet, flow))
        steps.run_return()
    return replace(_path(steps, source.subnet, to, port), server_name=server_name)


def is_vpc_resolver(topology: Topology, target: Address) -> bool:
    """Whether it is AmazonProvidedDNS: base + 2 of the VPC's first CIDR, or a link-local address."""
    if target in _LINK_LOCAL_RESOLVERS:
        return True
    first = next((cidr for cidr in topology.blocks if cidr.version == 4), None)
    return first is not None and target == Address(4, first.first + 2)


def _resolver(steps: Walk, target: Address) -> None:
    steps.consulted.add("vpc")
    vpc = steps.topology.snapshot.vpc
    if vpc.dns_support is False:
        message = f"enableDnsSupport of {vpc.id} is off, so {target} does not answer"
        steps.block(VPC_DNS_SUPPORT_OFF, vpc.id, message, TargetAddress(str(target)))


def _path(steps: Walk, subnet: str, to: str, port: int) -> Path:
    blamed = bool(steps.blames)
    ports = [str(ports) for ports in steps.left]
    elements = tuple(steps.elements) if steps.passed is None else steps.passed
    state: State = "closed" if blamed else "unknown" if steps.unknown else "partial" if steps.narrowed else "open"
    return Path(
        subnet=subnet,
        address=to,
        port=port,
        protocol=steps.protocol_name,
        state=state,
        blame=steps.blames[0] if blamed else None,
        narrowed=tuple(steps.narrowed),
        knowledge_ends=() if blamed else tuple(dict.fromkeys(steps.unknown)),
        client_ports="" if blamed or steps.left[0] == EPHEMERAL else ports[0],
        nat_ports=() if blamed else tuple(ports[1:]),
        elements=elements,
        also=tuple(steps.blames[1:]),
        consulted=frozenset(steps.consulted),
        return_elements=elements[steps.met_by_call :] if steps.met_by_call is not None else (),
    )
