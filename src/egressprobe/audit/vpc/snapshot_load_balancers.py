"""Elastic Load Balancing as data: what each load balancer listens on, and the targets behind it with their health."""

from typing import Literal

from egressprobe.model.struct import CompactStruct


class Member(CompactStruct, frozen=True):
    """A registered target. id: of an instance, or an IP address. zone: empty for all zones.

    health: ELB's state: `healthy`, `unhealthy`, `initial`, `draining`, `unused`, `unavailable`, ...
    """

    id: str
    port: int
    zone: str = ""
    health: str = ""


class TargetGroup(CompactStruct, frozen=True):
    """kind: `instance`, `ip`, `alb`, `lambda`. preserves: targets see the client's address. cross_zone: None for the
    load balancer's setting.
    """

    id: str
    kind: str = "instance"
    preserves: bool = False
    cross_zone: bool | None = None
    members: tuple[Member, ...] = ()


class Listener(CompactStruct, frozen=True):
    """protocol: as ELB names it: TCP, TLS, UDP, TCP_UDP, HTTP, HTTPS. groups: target groups of all its rules."""

    port: int
    protocol: str
    groups: tuple[str, ...] = ()


class LoadBalancer(CompactStruct, frozen=True):
    """id: `net/NAME/ID` or `app/NAME/ID`, as in the descriptions of its interfaces (`ELB net/NAME/ID`)."""

    id: str
    kind: Literal["network", "application", "gateway"]
    state: str = "active"
    groups: tuple[str, ...] = ()
    cross_zone: bool = False
    listeners: tuple[Listener, ...] = ()


class LoadBalancers(CompactStruct, frozen=True):
    """Those whose interfaces are in the VPC, and the target groups of their listeners."""

    balancers: tuple[LoadBalancer, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()
