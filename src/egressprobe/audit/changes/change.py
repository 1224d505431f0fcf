"""A change of a VPC as data, and the AWS CLI command that makes it. apply_change.py carries it out on a snapshot.

Each command is one line that a shell accepts as it is. An id that only AWS can assign ends in NEW in a snapshot, and is
a placeholder in a command: <NEW_NAT> is the NAT gateway that an earlier command of the same list creates.
"""

from collections.abc import Iterable

import msgspec

from egressprobe.audit.vpc.packet_filters import ALL
from egressprobe.audit.vpc.snapshot import AclEntry, Permission, Route, RouteTargetKind

NEW_NAT, NEW_TABLE, NEW_ACL = "nat-NEW", "rtb-NEW", "acl-NEW"
NEW_INTERNET_GATEWAY, NEW_EGRESS_ONLY_GATEWAY, NEW_ATTACHMENT = "igw-NEW", "eigw-NEW", "tgw-attach-NEW"
_PRINTED = {
    NEW_NAT: "<NEW_NAT>",
    NEW_TABLE: "<NEW_ROUTE_TABLE>",
    NEW_ACL: "<NEW_NETWORK_ACL>",
    NEW_EGRESS_ONLY_GATEWAY: "<NEW_EGRESS_ONLY_GATEWAY>",
    NEW_ATTACHMENT: "<NEW_ATTACHMENT>",
    NEW_INTERNET_GATEWAY: "<NEW_INTERNET_GATEWAY>",
}
_PROTOCOLS = {6: "tcp", 17: "udp", ALL: "-1"}
_ROUTE_OPTIONS: dict[RouteTargetKind, str] = {
    "internet": "--gateway-id",
    "egress-only": "--egress-only-internet-gateway-id",
    "nat": "--nat-gateway-id",
    "transit": "--transit-gateway-id",
    "vpn": "--gateway-id",
    "peering": "--vpc-peering-connection-id",
    "endpoint": "--vpc-endpoint-id",
    "interface": "--network-interface-id",
}


class Change(msgspec.Struct, frozen=True):
    """The base of all kinds."""

    @property
    def command(self) -> str:
        """The AWS CLI command, one line."""
        raise NotImplementedError

    @property
    def touches(self) -> frozenset[str]:
        """Ids of what it changes, as `Path.consulted` names them."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """What it does, for people."""
        raise NotImplementedError

    @property
    def only_allows(self) -> bool:
        """Whether it allows packets and denies none, so that no open path can become closed by it."""
        return False


class GroupRule(Change, frozen=True):
    """Adds a rule to a security group, or with `revoke` takes one away. permission: of one family or group."""

    group: str
    egress: bool
    permission: Permission
    revoke: bool = False

    @property
    def command(self) -> str:
        rule, direction = self.permission, "egress" if self.egress else "ingress"
        verb = "revoke" if self.revoke else "authorize"
        ports = f",FromPort={rule.ports[0]},ToPort={rule.ports[1]}" if rule.ports else ""
        protocol = f"IpProtocol={_PROTOCOLS.get(rule.protocol, rule.protocol)}{ports}"
        return (
            f"aws ec2 {verb}-security-group-{direction} --group-id {self.group} "
            f"--ip-permissions '{protocol},{_peers(rule)}'"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.group})

    @property
    def words(self) -> str:
        return f"{'remove a rule from' if self.revoke else 'add a rule to'} {self.group}"

    @property
    def only_allows(self) -> bool:
        return not self.revoke


def _peers(rule: Permission) -> str:
    four = ",".join(f"{{CidrIp={text}}}" for text in rule.blocks if ":" not in text)
    six = ",".join(f"{{CidrIpv6={text}}}" for text in rule.blocks if ":" in text)
    lists = ",".join(f"{{PrefixListId={name}}}" for name in rule.prefix_lists)
    groups = ",".join(f"{{GroupId={name}}}" for name in rule.groups)
    parts = (("IpRanges", four), ("Ipv6Ranges", six), ("PrefixListIds", lists), ("UserIdGroupPairs", groups))
    return ",".join(f"{name}=[{value}]" for name, value in parts if value)


class AclRuleChange(Change, frozen=True):
    """Adds an entry to a network ACL; with `replace` overwrites the one of the same number and direction."""

    acl: str
    entry: AclEntry
    replace: bool = False

    @property
    def command(self) -> str:
        entry = self.entry
        ports = f" --port-range From={entry.ports[0]},To={entry.ports[1]}" if entry.ports else ""
        return (
            f"aws ec2 {'replace' if self.replace else 'create'}-network-acl-entry --network-acl-id {self.acl} "
            f"--rule-number {entry.number} --{'egress' if entry.egress else 'ingress'} "
            f"--rule-action {'allow' if entry.allow else 'deny'} "
            f"--protocol {_PROTOCOLS.get(entry.protocol, entry.protocol)}{ports} "
            f"{'--ipv6-cidr-block' if ':' in entry.block else '--cidr-block'} {entry.block}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.acl})

    @property
    def words(self) -> str:
        return f"{'replace' if self.replace else 'add'} rule {self.entry.number} of {self.acl}"

    @property
    def only_allows(self) -> bool:
        return self.entry.allow and not self.replace


class RouteChange(Change, frozen=True):
    """Creates a route; with `replace` gives the route of the same destination another target."""

    table: str
    route: Route
    replace: bool = False

    @property
    def command(self) -> str:
        return (
            f"aws ec2 {'replace' if self.replace else 'create'}-route --route-table-id {self.table} "
            f"{_destination(self.route.destination)} {self._target()}"
        )

    def _target(self) -> str:
        return "--local-target" if self.route.gate == "local" else f"{_ROUTE_OPTIONS[self.route.gate]} {self.route.to}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table})

    @property
    def words(self) -> str:
        return f"send {self.route.destination} of {self.table} to {self.route.to}"


class DeleteRoute(Change, frozen=True):
    table: str
    destination: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-route --route-table-id {self.table} {_destination(self.destination)}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table})

    @property
    def words(self) -> str:
        return f"delete the route {self.destination} of {self.table}"


def _destination(text: str) -> str:
    if text.startswith("pl-"):
        return f"--destination-prefix-list-id {text}"
    return f"--destination-{'ipv6-' if ':' in text else ''}cidr-block {text}"


class CreateNat(Change, frozen=True):
    """A NAT gateway in a subnet; without one a regional NAT gateway: EC2 gives it public addresses and a route table of
    its own (user guide, nat-gateways-regional).

    id: its name in the snapshot. address: the private one, empty for one that EC2 chooses. elastic: ids of allocations,
    since the snapshot does not have their addresses; none for a private NAT gateway.
    """

    vpc: str
    id: str = NEW_NAT
    subnet: str = ""
    address: str = ""
    elastic: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        if not self.subnet:
            return f"aws ec2 create-nat-gateway --vpc-id {self.vpc} --availability-mode regional"
        kind = f"--allocation-id {self.elastic[0]}" if self.elastic else "--connectivity-type private"
        address = f" --private-ip-address {self.address}" if self.address else ""
        return f"aws ec2 create-nat-gateway --subnet-id {self.subnet} {kind}{address}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.id, f"rtb-{self.id}"})

    @property
    def words(self) -> str:
        return f"create a NAT gateway in {self.subnet}" if self.subnet else "create a regional NAT gateway"


class CreateGateway(Change, frozen=True):
    """An internet gateway, not attached yet (igw-NEW), or an egress-only gateway of the VPC. id: the latter's name."""

    vpc: str
    egress_only: bool = False
    id: str = NEW_EGRESS_ONLY_GATEWAY

    @property
    def command(self) -> str:
        if self.egress_only:
            return f"aws ec2 create-egress-only-internet-gateway --vpc-id {self.vpc}"
        return "aws ec2 create-internet-gateway"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.id if self.egress_only else NEW_INTERNET_GATEWAY})

    @property
    def words(self) -> str:
        return f"create an {'egress-only ' if self.egress_only else ''}internet gateway"


class AttachGateway(Change, frozen=True):
    """vpn: a virtual private gateway, not an internet gateway."""

    gateway: str
    vpc: str
    vpn: bool = False

    @property
    def command(self) -> str:
        kind = "vpn" if self.vpn else "internet"
        return f"aws ec2 attach-{kind}-gateway --{kind}-gateway-id {self.gateway} --vpc-id {self.vpc}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.gateway})

    @property
    def words(self) -> str:
        return f"attach {self.gateway} to {self.vpc}"


class AttachTransitGateway(Change, frozen=True):
    """Attaches a transit gateway to a subnet: by a new attachment `id`, or by one more subnet of `attachment`."""

    gateway: str
    vpc: str
    subnet: str
    attachment: str = ""
    id: str = NEW_ATTACHMENT

    @property
    def command(self) -> str:
        if self.attachment:
            return (
                "aws ec2 modify-transit-gateway-vpc-attachment "
                f"--transit-gateway-attachment-id {self.attachment} --add-subnet-ids {self.subnet}"
            )
        return (
            f"aws ec2 create-transit-gateway-vpc-attachment --transit-gateway-id {self.gateway} "
            f"--vpc-id {self.vpc} --subnet-ids {self.subnet}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.gateway})

    @property
    def words(self) -> str:
        where = f" ({self.attachment})" if self.attachment else ""
        return f"attach {self.gateway} to {self.subnet}{where}"


def commands(changes: Iterable[Change]) -> tuple[str, ...]:
    """In order, each once; ids that AWS assigns as placeholders."""
    return tuple(dict.fromkeys(printed(change.command) for change in changes))


def printed(text: str) -> str:
    """The text with placeholders for ids that AWS assigns."""
    return " ".join(_PRINTED.get(part, part) for part in text.split(" "))
