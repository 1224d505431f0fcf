"""What blocks a path, as data: one type for each kind of element.

A `Blame` names the finding of the catalogue and holds one of these types in `at`. Everything else is derived from it:
the evidence in the JSON, which blames share one cause (`key`), and the changes that fix it (fixes/candidates.py).
"""

from typing import Any

import msgspec

from egressprobe.catalog.entry import FindingEntry
from egressprobe.model.struct import Struct


class Blocker(Struct, frozen=True):
    """The base of all kinds. Fields are the evidence; their camelCase names are the JSON."""

    @property
    def evidence(self) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields

    @property
    def key(self) -> tuple[str | int, ...]:
        """Blames of one finding, one element and one key have the same cause and the same fix."""
        return ()


class SecurityGroups(Blocker, frozen=True):
    """The caller's groups: no egress rule allows the call. remote: the target's address."""

    groups: tuple[str, ...]
    port: int
    remote: str
    protocol: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.port,)


class TargetGroups(Blocker, frozen=True):
    """The groups of the target's interface. remote: the source address that it sees; translated: not the caller's."""

    groups: tuple[str, ...]
    interface: str
    port: int
    remote: str
    translated: bool
    protocol: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.port, self.interface)


class AclRule(Blocker, frozen=True):
    """The entry of a network ACL that denies. ports: those that are denied, of the packets' destination."""

    network_acl: str
    subnet: str
    direction: str
    rule: int
    remote: str
    protocol: str
    ports: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.rule, self.direction)


class MissingRoute(Blocker, frozen=True):
    """A route table that has no route for the address."""

    route_table: str
    subnet: str
    family: str
    address: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.route_table,)


class NatMissingRoute(MissingRoute, frozen=True):
    """The same in the subnet of a NAT gateway."""

    nat: str


class RouteEntry(Blocker, frozen=True):
    """The route that is selected, by its table and destination; subnet: whose table it is, empty for a gateway's."""

    route_table: str
    subnet: str
    destination: str
    target: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.route_table, self.destination)


class BlackholeRoute(RouteEntry, frozen=True):
    """A blackhole on the path of the call to this address."""

    family: str
    address: str


class RouteTargetState(RouteEntry, frozen=True):
    """A route whose target is not available: a NAT gateway, peering connection or VPC endpoint."""

    state: str


class WrongFamily(RouteEntry, frozen=True):
    """A route whose target does not forward this IP family."""

    family: str


class PrivateNat(RouteEntry, frozen=True):
    """A NAT gateway without public address before an internet gateway."""

    nat: str


class NatRoutes(Blocker, frozen=True):
    """A NAT gateway whose own route table does not lead to the internet. subnet: empty for a regional one."""

    nat: str
    subnet: str
    route_table: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.route_table,)


class ZoneWithoutAttachment(RouteEntry, frozen=True):
    """A transit gateway without attachment in the subnet's zone."""

    zone: str


class TransitRouting(Blocker, frozen=True):
    """A transit gateway that drops packets for an address. transit_table: empty where none is associated."""

    transit_gateway: str
    transit_table: str
    attachment: str
    address: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.transit_table, self.attachment)


class InOtherVpc(Blocker, frozen=True):
    """Something that blocks in another VPC of the path: nothing of the cluster's own VPC can fix it."""

    vpc: str
    blocker: Blocker

    @property
    def evidence(self) -> dict[str, Any]:
        return self.blocker.evidence | {"vpc": self.vpc}

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.vpc, *self.blocker.key)


class PeerRange(RouteEntry, frozen=True):
    """A peering connection whose other side does not have the address."""

    peer: str


class Appliance(RouteEntry, frozen=True):
    """An interface with the source/destination check on."""

    interface: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.route_table, self.destination, self.interface)


class PrivateAddress(Blocker, frozen=True):
    """A private address sent to a gateway of the internet."""

    address: str
    gateway: str
    route_table: str

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.route_table,)


class PublicAccessBlock(Blocker, frozen=True):
    """VPC Block Public Access. subnet: the one whose exclusion would help."""

    mode: str
    subnet: str
    vpc: str
    gateway: str


class EncryptionControl(Blocker, frozen=True):
    """VPC encryption controls in enforce mode. resource: the kind that is not excluded, as EC2 names it."""

    control: str
    resource: str
    gateway: str


class FirewallRule(Blocker, frozen=True):
    """What drops packets in a network firewall. rule_group: its ARN, empty for a default action of the policy.

    rule: its sid or priority, or the default action. connects: the TCP handshake passes.
    """

    endpoint: str
    firewall: str
    policy: str
    rule_group: str
    rule: str
    connects: bool = False

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.firewall, self.rule_group, self.rule)


class TargetAddress(Blocker, frozen=True):
    """The target's address itself: nothing in the VPC can receive it."""

    address: str


class SubnetFamily(Blocker, frozen=True):
    """A subnet without addresses of the family."""

    subnet: str


class Blame(msgspec.Struct, frozen=True):
    """One thing that blocks a path. element: the id of what blocks; said: one sentence for people.

    return_traffic: it drops the replies; the call itself passes it.
    """

    finding: FindingEntry
    element: str
    said: str
    at: Blocker
    return_traffic: bool = False

    @property
    def code(self) -> str:
        return self.finding.code

    @property
    def evidence(self) -> dict[str, Any]:
        return self.at.evidence

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.finding.code, self.element, *self.at.key)
