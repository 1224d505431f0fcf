"""Changes of attributes: of interfaces, peering connections, VPC-wide controls, IPv6 CIDRs, the cluster's subnets."""

from egressprobe.audit.changes.change import Change

EXCLUSIONS = {
    "InternetGateway": "internet-gateway",
    "EgressOnlyInternetGateway": "egress-only-internet-gateway",
    "NatGateway": "nat-gateway",
    "VirtualPrivateGateway": "virtual-private-gateway",
    "VpcPeering": "vpc-peering",
}


class AcceptPeering(Change, frozen=True):
    peering: str

    @property
    def command(self) -> str:
        return f"aws ec2 accept-vpc-peering-connection --vpc-peering-connection-id {self.peering}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.peering})

    @property
    def words(self) -> str:
        return f"accept the peering connection {self.peering}"


class SetSourceCheck(Change, frozen=True):
    interface: str
    on: bool

    @property
    def command(self) -> str:
        return (
            f"aws ec2 modify-network-interface-attribute --network-interface-id {self.interface} "
            f"--{'' if self.on else 'no-'}source-dest-check"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.interface})

    @property
    def words(self) -> str:
        return f"turn the source/destination check of {self.interface} {'on' if self.on else 'off'}"


class ExcludeFromPublicAccessBlock(Change, frozen=True):
    """of: a subnet or the VPC, by id. mode: allow-egress or allow-bidirectional."""

    of: str
    mode: str = "allow-egress"

    @property
    def command(self) -> str:
        option = "--subnet-id" if self.of.startswith("subnet-") else "--vpc-id"
        return (
            f"aws ec2 create-vpc-block-public-access-exclusion {option} {self.of} "
            f"--internet-gateway-exclusion-mode {self.mode}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"public_access"})

    @property
    def words(self) -> str:
        return f"exclude {self.of} from VPC Block Public Access for egress"


class ExcludeFromEncryption(Change, frozen=True):
    """resource: the kind, as EC2 names it. revoke: takes the exclusion back."""

    control: str
    resource: str
    revoke: bool = False

    @property
    def command(self) -> str:
        return (
            f"aws ec2 modify-vpc-encryption-control --vpc-encryption-control-id {self.control} "
            f"--{EXCLUSIONS[self.resource]}-exclusion {'disable' if self.revoke else 'enable'}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"encryption"})

    @property
    def words(self) -> str:
        verb = "include" if self.revoke else "exclude"
        return f"{verb} {self.resource} {'in' if self.revoke else 'from'} the encryption control {self.control}"


class AssociateIpv6(Change, frozen=True):
    """An IPv6 CIDR for the VPC, or `cidr` of it for a subnet."""

    vpc: str
    subnet: str = ""
    cidr: str = ""

    @property
    def command(self) -> str:
        if not self.subnet:
            return f"aws ec2 associate-vpc-cidr-block --vpc-id {self.vpc} --amazon-provided-ipv6-cidr-block"
        return f"aws ec2 associate-subnet-cidr-block --subnet-id {self.subnet} --ipv6-cidr-block {self.cidr}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.subnet or self.vpc})

    @property
    def words(self) -> str:
        return f"associate an IPv6 CIDR with {self.subnet or self.vpc}"


class UpdateClusterSubnets(Change, frozen=True):
    """The cluster's subnets, all of them (EKS API Reference, UpdateClusterConfig: the list is replaced)."""

    cluster: str
    subnets: tuple[str, ...]

    @property
    def command(self) -> str:
        return (
            f"aws eks update-cluster-config --name {self.cluster} "
            f"--resources-vpc-config subnetIds={','.join(self.subnets)}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"cluster"})

    @property
    def words(self) -> str:
        return f"give the cluster the subnets {', '.join(self.subnets)}"


class DeletePublicAccessExclusion(Change, frozen=True):
    """of: the subnet or VPC that is excluded. The exclusion's own id is not in the snapshot."""

    of: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-vpc-block-public-access-exclusion --exclusion-id {_new('EXCLUSION', self.of)}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({"public_access"})

    @property
    def words(self) -> str:
        return f"delete the exclusion of {self.of} from VPC Block Public Access"


class DisassociateIpv6(Change, frozen=True):
    """Of a subnet. The association's own id is not in the snapshot."""

    subnet: str
    cidr: str

    @property
    def command(self) -> str:
        return f"aws ec2 disassociate-subnet-cidr-block --association-id {_new('ASSOCIATION', self.subnet)}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.subnet})

    @property
    def words(self) -> str:
        return f"disassociate {self.cidr} from {self.subnet}"


def _new(kind: str, of: str) -> str:
    """The placeholder of an id that AWS assigns, by what it is for: <NEW_EXCLUSION_OF_SUBNET_1>."""
    return f"<NEW_{kind}_OF_{of.upper().replace('-', '_')}>"
