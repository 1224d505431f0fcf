"""Where a call starts, what its packets are on each leg of the path, and in which VPC they are."""

from __future__ import annotations

from typing import Literal, NamedTuple

from egressprobe.audit.vpc.cidr import Address
from egressprobe.audit.vpc.topology import Topology

type Protocol = Literal["tcp", "udp"]


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
    inspected: the firewall endpoint that was passed last on this leg: return traffic must come back by it.
    server_name: of the ClientHello (firewall/connection.py).
    """

    source: Address
    to: Address
    port: int
    client: int = 0
    groups: frozenset[str] | None = None
    public: bool = False
    nat: str = ""
    via: tuple[str, ...] = ()
    inspected: str = ""
    server_name: str = ""


class Place(NamedTuple):
    """The VPC that a leg of the path is in.

    entrance: the transit gateway or peering connection by which packets come in, empty for the cluster's own VPC;
    attachment_subnet: the subnet of the transit gateway's attachment, in which they arrive.
    """

    topology: Topology
    entrance: str = ""
    attachment_subnet: str = ""
