"""Changes of the VPC as a whole and of the cluster: CIDRs, subnets, DHCP options, DNS attributes, public access."""

from egressprobe.audit.changes.change import Change
from egressprobe.audit.vpc.snapshot_dns import Dhcp


class CreateSubnet(Change, frozen=True):
    """It uses the main route table and the default network ACL. blocks: CIDRs of both families."""

    vpc: str
    id: str
    zone: str
    blocks: tuple[str, ...]

    @property
    def command(self) -> str:
        cidrs = " ".join(f"{'--ipv6-cidr-block' if ':' in text else '--cidr-block'} {text}" for text in self.blocks)
        return f"aws ec2 create-subnet --vpc-id {self.vpc} --availability-zone {self.zone} {cidrs}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.id})

    @property
    def words(self) -> str:
        return f"create the subnet {self.id}"


class DeleteSubnet(Change, frozen=True):
    subnet: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-subnet --subnet-id {self.subnet}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.subnet})

    @property
    def words(self) -> str:
        return f"delete the subnet {self.subnet}"


class AssociateVpcCidr(Change, frozen=True):
    """One more CIDR of the VPC; every route table gets a local route for it."""

    vpc: str
    cidr: str

    @property
    def command(self) -> str:
        option = "--ipv6-cidr-block" if ":" in self.cidr else "--cidr-block"
        pool = " --ipv6-pool POOL" if ":" in self.cidr else ""
        return f"aws ec2 associate-vpc-cidr-block --vpc-id {self.vpc} {option} {self.cidr}{pool}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.vpc})

    @property
    def words(self) -> str:
        return f"associate {self.cidr} with {self.vpc}"


class AssociateDhcp(Change, frozen=True):
    """dhcp: the options set with its values; without servers where the VPC gets no options at all."""

    vpc: str
    dhcp: Dhcp

    @property
    def command(self) -> str:
        return f"aws ec2 associate-dhcp-options --dhcp-options-id {self.dhcp.id} --vpc-id {self.vpc}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"dhcp"})

    @property
    def words(self) -> str:
        return f"give {self.vpc} the DHCP options {self.dhcp.id}"


class SetDnsAttribute(Change, frozen=True):
    """support: enableDnsSupport, else enableDnsHostnames."""

    vpc: str
    support: bool
    value: bool

    @property
    def command(self) -> str:
        name = "enable-dns-support" if self.support else "enable-dns-hostnames"
        return f"aws ec2 modify-vpc-attribute --vpc-id {self.vpc} --{name} Value={str(self.value).lower()}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"vpc"})

    @property
    def words(self) -> str:
        name = "enableDnsSupport" if self.support else "enableDnsHostnames"
        return f"turn {name} of {self.vpc} {'on' if self.value else 'off'}"


class SetDns64(Change, frozen=True):
    subnet: str
    value: bool

    @property
    def command(self) -> str:
        return f"aws ec2 modify-subnet-attribute --subnet-id {self.subnet} --{'' if self.value else 'no-'}enable-dns64"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.subnet})

    @property
    def words(self) -> str:
        return f"turn DNS64 of {self.subnet} {'on' if self.value else 'off'}"


class SetPublicAccess(Change, frozen=True):
    """VPC Block Public Access of the region. mode: off, block-bidirectional, block-ingress."""

    mode: str

    @property
    def command(self) -> str:
        return f"aws ec2 modify-vpc-block-public-access-options --internet-gateway-block-mode {self.mode}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"public_access"})

    @property
    def words(self) -> str:
        return f"set VPC Block Public Access to {self.mode}"


class UpdateClusterGroups(Change, frozen=True):
    """The groups besides the cluster security group, all of them (EKS API Reference: the list is replaced)."""

    cluster: str
    groups: tuple[str, ...]

    @property
    def command(self) -> str:
        return (
            f"aws eks update-cluster-config --name {self.cluster} "
            f"--resources-vpc-config securityGroupIds={','.join(self.groups)}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"cluster"})

    @property
    def words(self) -> str:
        return f"give the cluster the groups {', '.join(self.groups)}"


class UpdateClusterNetworks(Change, frozen=True):
    """CIDRs of hybrid nodes and of their pods; None to leave them as they are."""

    cluster: str
    remote: tuple[str, ...] | None = None
    remote_pods: tuple[str, ...] | None = None

    @property
    def command(self) -> str:
        lists = {"remoteNodeNetworks": self.remote, "remotePodNetworks": self.remote_pods}
        parts = [f"{name}=[{{cidrs=[{','.join(cidrs)}]}}]" for name, cidrs in lists.items() if cidrs is not None]
        return f"aws eks update-cluster-config --name {self.cluster} --remote-network-config '{','.join(parts)}'"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"cluster"})

    @property
    def words(self) -> str:
        return "change the cluster's remote networks"


class SetEgressMode(Change, frozen=True):
    """controlPlaneEgressMode. The switch to CUSTOMER_ROUTED cannot be undone."""

    cluster: str
    mode: str

    @property
    def command(self) -> str:
        return (
            f"aws eks update-cluster-config --name {self.cluster} "
            f"--resources-vpc-config controlPlaneEgressMode={self.mode}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"cluster"})

    @property
    def words(self) -> str:
        return f"set the control plane's egress mode to {self.mode}"


class DeleteInternetGateway(Change, frozen=True):
    """One that is not attached."""

    gateway: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-internet-gateway --internet-gateway-id {self.gateway}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.gateway})

    @property
    def words(self) -> str:
        return f"delete the internet gateway {self.gateway}"


class TransitRouteChange(Change, frozen=True):
    """A static route of a transit gateway's route table; replace: of one that is there. attachment: empty to drop."""

    table: str
    destination: str
    attachment: str = ""
    replace: bool = False

    @property
    def command(self) -> str:
        target = f"--transit-gateway-attachment-id {self.attachment}" if self.attachment else "--blackhole"
        return (
            f"aws ec2 {'replace' if self.replace else 'create'}-transit-gateway-route "
            f"--transit-gateway-route-table-id {self.table} --destination-cidr-block {self.destination} {target}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table})

    @property
    def words(self) -> str:
        return f"send {self.destination} of {self.table} to {self.attachment or 'nothing'}"


class DeleteTransitRoute(Change, frozen=True):
    """A static one: a propagated route goes with its propagation."""

    table: str
    destination: str

    @property
    def command(self) -> str:
        return (
            f"aws ec2 delete-transit-gateway-route --transit-gateway-route-table-id {self.table} "
            f"--destination-cidr-block {self.destination}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table})

    @property
    def words(self) -> str:
        return f"delete the route {self.destination} of {self.table}"


class AssociateTransitTable(Change, frozen=True):
    """The route table for what comes in by an attachment. end: the association ends instead."""

    table: str
    attachment: str
    end: bool = False

    @property
    def command(self) -> str:
        return (
            f"aws ec2 {'dis' if self.end else ''}associate-transit-gateway-route-table "
            f"--transit-gateway-route-table-id {self.table} --transit-gateway-attachment-id {self.attachment}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table, self.attachment})

    @property
    def words(self) -> str:
        return f"{'end the association of' if self.end else 'associate'} {self.table} with {self.attachment}"
