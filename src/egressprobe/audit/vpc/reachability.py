"""Whether one address can be reached from one place in the VPC: a walk there and back, as a `Path`."""

from typing import Literal

from egressprobe.audit.vpc.cidr import EPHEMERAL, address
from egressprobe.audit.vpc.path import Path
from egressprobe.audit.vpc.route_targets import GATES
from egressprobe.audit.vpc.topology import Network
from egressprobe.audit.vpc.walk import Closed, Flow, Origin, Walk


def walk(network: Network, origin: Origin, to: str, port: int, protocol: Literal["tcp", "udp"] = "tcp") -> Path:
    """The way from `origin` to an address of the same family. Raises ValueError for an address that is none."""
    target = address(to)
    one = Walk(network, protocol, GATES)
    flow = Flow(origin.address, target, port, groups=frozenset(origin.groups))
    blame = None
    try:
        one.groups_out(origin, flow)
        one.depart(origin.subnet, flow)
        while one.back:
            one.back.pop()()
    except Closed as closed:
        blame = closed.blame
    partial = [str(ports) for ports in one.left]
    return Path(
        subnet=origin.subnet,
        address=to,
        port=port,
        protocol=protocol,
        state="closed" if blame else "unknown" if one.unknown else "partial" if one.narrowed else "open",
        blame=blame,
        narrowed=tuple(one.narrowed),
        knowledge_ends=() if blame else tuple(dict.fromkeys(one.unknown)),
        client_ports="" if blame or one.left[0] == EPHEMERAL else partial[0],
        nat_ports=() if blame else tuple(partial[1:]),
        elements=tuple(one.elements),
    )
