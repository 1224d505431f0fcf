"""What targets are reached by, and the matrix target x subnet that paths are gathered in."""

from egressprobe.audit.paths.reachability import State
from egressprobe.model.struct import CompactStruct
from egressprobe.model.target import Expect, Impact


class Destination(CompactStruct, frozen=True):
    """What a target is reached by. host: the name that is resolved, empty where addresses are given.

    assumed: the addresses stand for the internet, because the name was not resolved here.
    impact: what the target's failure does, None where it is not known.
    in_cluster: addresses of pods or nodes, which EKS dials only in the VPC and the cluster's remote networks.
    server_name: of the ClientHello, or what stands for one (vpc/firewall/connection.py).
    """

    name: str
    host: str
    port: int
    addresses: tuple[str, ...] = ()
    assumed: bool = False
    expect: Expect = Expect.REACHABLE
    in_cluster: bool = False
    impact: Impact | None = None
    server_name: str = ""


class SubnetCell(CompactStruct, frozen=True):
    """One target from one subnet. code: the finding that closes or narrows it."""

    subnet: str
    state: State
    code: str = ""


class TargetRow(CompactStruct, frozen=True):
    target: Destination
    cells: tuple[SubnetCell, ...]


class NotAudited(CompactStruct, frozen=True):
    """A target that has no row, and why."""

    name: str
    reason: str
