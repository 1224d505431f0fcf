"""Transit gateways as data: their route tables, and what each of them is associated with.

Only the account that owns a transit gateway can read its route tables (transit gateway guide,
transit-gateway-share-accept-ram); for all others they are unknown.
"""

from egressprobe.model.struct import CompactStruct


class TransitHop(CompactStruct, frozen=True):
    """An attachment that a route leads to. kind: EC2's resource type: `vpc`, `vpn`, `peering`, `connect`, ...

    resource: what is attached, such as the id of a VPC.
    """

    attachment: str
    kind: str
    resource: str = ""


class TransitRoute(CompactStruct, frozen=True):
    """destination: a CIDR. active: False for a blackhole. hops: several where the gateway spreads calls (ECMP)."""

    destination: str
    active: bool = True
    propagated: bool = False
    hops: tuple[TransitHop, ...] = ()


class TransitRouteTable(CompactStruct, frozen=True):
    """associated: attachments whose incoming packets it routes. complete: all routes could be listed."""

    id: str
    associated: tuple[str, ...] = ()
    routes: tuple[TransitRoute, ...] = ()
    complete: bool = True


class TransitGateway(CompactStruct, frozen=True):
    """tables: None where they cannot be read."""

    id: str
    tables: tuple[TransitRouteTable, ...] | None = None
