"""Changes of what a VPC consists of: gateways, endpoints, attachments, peering connections, groups, subnets, lists.

`id` of what is created: a name for it in the snapshot, since AWS assigns the real one.
"""

from egressprobe.audit.changes.change import Change


def _option(name: str, values: tuple[str, ...]) -> str:
    return f" --{name} {' '.join(values)}" if values else ""


class DeleteNat(Change, frozen=True):
    """Routes to it become black holes."""

    nat: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-nat-gateway --nat-gateway-id {self.nat}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.nat})

    @property
    def words(self) -> str:
        return f"delete the NAT gateway {self.nat}"


class RemoveGateway(Change, frozen=True):
    """Detaches an internet or VPN gateway, deletes an egress-only one. Routes to it become black holes."""

    gateway: str
    vpc: str

    @property
    def command(self) -> str:
        if self.gateway.startswith("eigw-"):
            return f"aws ec2 delete-egress-only-internet-gateway --egress-only-internet-gateway-id {self.gateway}"
        kind = "vpn" if self.gateway.startswith("vgw-") else "internet"
        return f"aws ec2 detach-{kind}-gateway --{kind}-gateway-id {self.gateway} --vpc-id {self.vpc}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.gateway})

    @property
    def words(self) -> str:
        return f"take {self.gateway} from {self.vpc}"


class ChangeAttachment(Change, frozen=True):
    """Of a transit gateway: takes it from subnets; ipv6: turns its support on or off."""

    gateway: str
    attachment: str
    remove: tuple[str, ...] = ()
    ipv6: bool | None = None

    @property
    def command(self) -> str:
        support = "" if self.ipv6 is None else f" --options Ipv6Support={'enable' if self.ipv6 else 'disable'}"
        return (
            f"aws ec2 modify-transit-gateway-vpc-attachment --transit-gateway-attachment-id {self.attachment}"
            f"{_option('remove-subnet-ids', self.remove)}{support}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.attachment, self.gateway})

    @property
    def words(self) -> str:
        return f"change the attachment {self.attachment} of {self.gateway}"


class DeleteAttachment(Change, frozen=True):
    """Routes to the transit gateway become black holes."""

    gateway: str
    attachment: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-transit-gateway-vpc-attachment --transit-gateway-attachment-id {self.attachment}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.attachment, self.gateway})

    @property
    def words(self) -> str:
        return f"delete the attachment {self.attachment} of {self.gateway}"


class CreateEndpoint(Change, frozen=True):
    """kind: Gateway, Interface or GatewayLoadBalancer. prefix_list: of a gateway endpoint's service."""

    vpc: str
    id: str
    kind: str
    service: str
    subnets: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    private_dns: bool = False
    prefix_list: str = ""

    @property
    def command(self) -> str:
        dns = " --private-dns-enabled" if self.private_dns else ""
        return (
            f"aws ec2 create-vpc-endpoint --vpc-id {self.vpc} --vpc-endpoint-type {self.kind} "
            f"--service-name {self.service}{_option('subnet-ids', self.subnets)}"
            f"{_option('route-table-ids', self.tables)}{dns}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.id, *self.tables})

    @property
    def words(self) -> str:
        return f"create the VPC endpoint {self.id} of {self.service}"


class ModifyEndpoint(Change, frozen=True):
    """prefix_list: where tables are added to a gateway endpoint. private_dns: None to leave it as it is."""

    endpoint: str
    add_tables: tuple[str, ...] = ()
    remove_tables: tuple[str, ...] = ()
    add_subnets: tuple[str, ...] = ()
    remove_subnets: tuple[str, ...] = ()
    private_dns: bool | None = None
    prefix_list: str = ""

    @property
    def command(self) -> str:
        dns = {None: "", True: " --private-dns-enabled", False: " --no-private-dns-enabled"}[self.private_dns]
        return (
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {self.endpoint}"
            f"{_option('add-route-table-ids', self.add_tables)}{_option('remove-route-table-ids', self.remove_tables)}"
            f"{_option('add-subnet-ids', self.add_subnets)}{_option('remove-subnet-ids', self.remove_subnets)}{dns}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.endpoint, *self.add_tables, *self.remove_tables})

    @property
    def words(self) -> str:
        return f"change the VPC endpoint {self.endpoint}"


class DeleteEndpoint(Change, frozen=True):
    """Routes of a gateway endpoint go with it; routes to a Gateway Load Balancer's become black holes."""

    endpoint: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {self.endpoint}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.endpoint})

    @property
    def words(self) -> str:
        return f"delete the VPC endpoint {self.endpoint}"


class CreatePeering(Change, frozen=True):
    """accepted: by the same change. The CIDRs of the other side are not known."""

    vpc: str
    peer: str
    id: str
    accepted: bool = False

    @property
    def command(self) -> str:
        return f"aws ec2 create-vpc-peering-connection --vpc-id {self.vpc} --peer-vpc-id {self.peer}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.id})

    @property
    def words(self) -> str:
        return f"create the peering connection {self.id} with {self.peer}"


class DeletePeering(Change, frozen=True):
    """Routes to it become black holes."""

    peering: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-vpc-peering-connection --vpc-peering-connection-id {self.peering}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.peering})

    @property
    def words(self) -> str:
        return f"delete the peering connection {self.peering}"


class CreateGroup(Change, frozen=True):
    """A new security group allows all egress of IPv4, and of IPv6 where the VPC has it, and no ingress."""

    vpc: str
    id: str
    name: str = ""

    @property
    def command(self) -> str:
        return (
            f"aws ec2 create-security-group --group-name {self.name or 'NAME'} --description NAME --vpc-id {self.vpc}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.id})

    @property
    def words(self) -> str:
        return f"create the security group {self.id}"


class DeleteGroup(Change, frozen=True):
    group: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-security-group --group-id {self.group}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.group})

    @property
    def words(self) -> str:
        return f"delete the security group {self.group}"


class SetInterfaceGroups(Change, frozen=True):
    """groups: all of them, by id."""

    interface: str
    groups: tuple[str, ...]

    @property
    def command(self) -> str:
        return (
            f"aws ec2 modify-network-interface-attribute --network-interface-id {self.interface}"
            f"{_option('groups', self.groups)}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.interface})

    @property
    def words(self) -> str:
        return f"give {self.interface} the groups {', '.join(self.groups)}"


class ChangePrefixList(Change, frozen=True):
    """A customer's prefix list, new or changed. blocks: all of its CIDRs afterwards; add, remove: what is changed."""

    prefix_list: str
    blocks: tuple[str, ...]
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        added = _option("add-entries", tuple(f"Cidr={text}" for text in self.add))
        removed = _option("remove-entries", tuple(f"Cidr={text}" for text in self.remove))
        return (
            f"aws ec2 modify-managed-prefix-list --prefix-list-id {self.prefix_list} --current-version 1"
            f"{added}{removed}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.prefix_list})

    @property
    def words(self) -> str:
        return f"change the entries of {self.prefix_list}"
