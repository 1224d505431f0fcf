"""Operations on the VPC as a whole and on the cluster."""

from collections.abc import Iterator

from egressprobe.audit.changes.attribute_changes import (
    EXCLUSIONS,
    AssociateIpv6,
    DeletePublicAccessExclusion,
    ExcludeFromEncryption,
    ExcludeFromPublicAccessBlock,
    UpdateClusterSubnets,
)
from egressprobe.audit.changes.change import Change
from egressprobe.audit.changes.network_changes import (
    AssociateDhcp,
    AssociateVpcCidr,
    CreateSubnet,
    DeleteSubnet,
    SetDns64,
    SetDnsAttribute,
    SetEgressMode,
    SetPublicAccess,
    UpdateClusterGroups,
    UpdateClusterNetworks,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from egressprobe.audit.whatif.operations.protocols import cidr
from egressprobe.audit.whatif.operations.world import World
from egressprobe.audit.whatif.plan import EVERYTHING, NotModelled, Parameters, Unmodelled


def create_subnet(_: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    zone = given.text("AvailabilityZone", "AvailabilityZoneId")
    blocks = tuple(cidr(text) for text in (given.text("CidrBlock"), given.text("Ipv6CidrBlock")) if text)
    if not blocks:
        raise NotModelled(f"the CIDR of {name} is not known", frozenset({name}))
    yield CreateSubnet(given.text("VpcId"), name, zone, blocks)


def delete_subnet(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield DeleteSubnet(given.text("SubnetId"))


def subnet_attribute(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    """The others (public addresses at launch, host names) touch no path of the control plane."""
    value = given.flag("EnableDns64")
    if value is not None:
        yield SetDns64(given.text("SubnetId"), value)


def associate_subnet_cidr(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    yield AssociateIpv6(world.snapshot.vpc.id, given.text("SubnetId"), cidr(given.text("Ipv6CidrBlock")))


def disassociate_subnet_cidr(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    subnet = given.text("SubnetId")
    why = f"a CIDR of {subnet or 'a subnet'} is disassociated"
    yield Unmodelled(why, frozenset({subnet or EVERYTHING}))


def associate_vpc_cidr(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    cidr = given.text("CidrBlock", "Ipv6CidrBlock")
    if not cidr:
        raise NotModelled(
            f"which CIDR {given.text('VpcId')} gets is known only after the change", frozenset({EVERYTHING})
        )
    yield AssociateVpcCidr(given.text("VpcId"), cidr)


def disassociate_vpc_cidr(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield Unmodelled(f"the association {given.text('AssociationId')} of a CIDR ends", frozenset({EVERYTHING}))


def create_dhcp(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    values = {entry.text("Key"): entry.texts("Values") for entry in given.items("DhcpConfigurations")}
    world.dhcp[name] = Dhcp(name, values.get("domain-name-servers", ()), " ".join(values.get("domain-name", ())))
    yield from ()


def associate_dhcp(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    """`default`: no options at all (EC2 API Reference, AssociateDhcpOptions)."""
    name = given.text("DhcpOptionsId")
    dhcp = Dhcp("default") if name == "default" else world.dhcp.get(name)
    if dhcp is None:
        raise NotModelled(f"the values of the DHCP options {name} are not known", frozenset({"dhcp"}))
    yield AssociateDhcp(given.text("VpcId"), dhcp)


def vpc_attribute(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    vpc = given.text("VpcId")
    for name, support in (("EnableDnsSupport", True), ("EnableDnsHostnames", False)):
        value = given.flag(name)
        if value is not None:
            yield SetDnsAttribute(vpc, support, value)


def public_access(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield SetPublicAccess(given.text("InternetGatewayBlockMode"))


def public_access_exclusion(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    mode = given.text("InternetGatewayExclusionMode") or "allow-egress"
    yield ExcludeFromPublicAccessBlock(given.text("SubnetId", "VpcId"), mode)


def no_public_access_exclusion(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    """Known by the subnet or VPC; the exclusion's own id is not in the snapshot."""
    of = given.text("SubnetId", "VpcId")
    if of:
        yield DeletePublicAccessExclusion(of)
        return
    yield from changed_exclusion(_, given, __)


def changed_exclusion(*_: object) -> Iterator[Change | Unmodelled]:
    yield Unmodelled("an exclusion of VPC Block Public Access is changed", frozenset({"public_access"}))


def encryption(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    """Its exclusions; its mode is not modelled."""
    control = given.text("VpcEncryptionControlId")
    if given.text("Mode"):
        yield Unmodelled(f"the mode of {control} is changed", frozenset({"encryption"}))
    for resource in EXCLUSIONS:
        state = given.text(f"{resource}Exclusion")
        if state:
            yield ExcludeFromEncryption(control, resource, revoke=state != "enable")


def cluster_config(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    """UpdateClusterConfig; its other parts (access, logging, upgrade policy) touch no path."""
    name = given.text("name")
    vpc, remote = given.item("resourcesVpcConfig"), given.item("remoteNetworkConfig")
    if "subnetIds" in vpc:
        yield UpdateClusterSubnets(name, tuple(sorted(vpc.texts("subnetIds"))))
    if "securityGroupIds" in vpc:
        yield UpdateClusterGroups(name, vpc.texts("securityGroupIds"))
    if "controlPlaneEgressMode" in vpc:
        yield SetEgressMode(name, vpc.text("controlPlaneEgressMode"))
    if "remoteNodeNetworks" in remote or "remotePodNetworks" in remote:
        yield UpdateClusterNetworks(name, _cidrs(remote, "remoteNodeNetworks"), _cidrs(remote, "remotePodNetworks"))


def _cidrs(remote: Parameters, name: str) -> tuple[str, ...] | None:
    if name not in remote:
        return None
    return tuple(sorted(cidr(text) for network in remote.items(name) for text in network.texts("cidrs")))


def delete_cluster(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    name = given.text("name")
    if name == world.snapshot.cluster.name:
        yield Unmodelled(f"the cluster {name} is deleted or replaced", frozenset({EVERYTHING}))
