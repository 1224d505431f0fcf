"""Attributes on a snapshot, by EC2's and EKS's rules."""

from msgspec.structs import replace

from egressprobe.audit.changes.attribute_changes import (
    AcceptPeering,
    AssociateIpv6,
    DisablePrivateDns,
    DisableSourceCheck,
    ExcludeFromEncryption,
    ExcludeFromPublicAccessBlock,
    UpdateClusterSubnets,
)
from egressprobe.audit.changes.refusal import ChangeRefused, find, swap
from egressprobe.audit.vpc.cidr import block
from egressprobe.audit.vpc.snapshot import Exclusion, VpcSnapshot


def accept_peering(change: AcceptPeering, snapshot: VpcSnapshot) -> VpcSnapshot:
    peering = find(snapshot.peerings, change.peering, "InvalidVpcPeeringConnectionID.NotFound")
    if peering.state != "pending-acceptance":
        raise ChangeRefused("InvalidStateTransition", f"{peering.id} is {peering.state}")
    return replace(snapshot, peerings=swap(snapshot.peerings, replace(peering, state="active")))


def disable_source_check(change: DisableSourceCheck, snapshot: VpcSnapshot) -> VpcSnapshot:
    interface = find(snapshot.interfaces, change.interface, "InvalidNetworkInterfaceID.NotFound")
    return replace(snapshot, interfaces=swap(snapshot.interfaces, replace(interface, checked=False)))


def exclude_from_public_access_block(change: ExcludeFromPublicAccessBlock, snapshot: VpcSnapshot) -> VpcSnapshot:
    options = snapshot.public_access
    if options is None or any(exclusion.of == change.of for exclusion in options.exclusions):
        raise ChangeRefused("InvalidParameterValue", f"{change.of} is excluded already")
    exclusions = (*options.exclusions, Exclusion(change.of, "allow-egress"))
    return replace(snapshot, public_access=replace(options, exclusions=exclusions))


def exclude_from_encryption(change: ExcludeFromEncryption, snapshot: VpcSnapshot) -> VpcSnapshot:
    control = find(snapshot.encryption, change.control, "InvalidVpcEncryptionControlId.NotFound")
    excluded = tuple(sorted({*control.excluded, change.resource}))
    return replace(snapshot, encryption=swap(snapshot.encryption, replace(control, excluded=excluded)))


def associate_ipv6(change: AssociateIpv6, snapshot: VpcSnapshot) -> VpcSnapshot:
    if not change.subnet:
        raise ChangeRefused("Unmodelled", "which IPv6 CIDR AWS assigns is not known before")
    subnet = find(snapshot.subnets, change.subnet, "InvalidSubnetID.NotFound")
    cidr = block(change.cidr)
    if not any(cidr.within(block(text)) for text in snapshot.vpc.blocks):
        raise ChangeRefused("InvalidSubnet.Range", f"{change.cidr} is not in the VPC's CIDRs")
    if any(cidr == block(text) for other in snapshot.subnets for text in other.blocks):
        raise ChangeRefused("InvalidSubnet.Conflict", f"{change.cidr} is the CIDR of another subnet")
    return replace(snapshot, subnets=swap(snapshot.subnets, replace(subnet, blocks=(*subnet.blocks, change.cidr))))


def update_cluster_subnets(change: UpdateClusterSubnets, snapshot: VpcSnapshot) -> VpcSnapshot:
    """EKS user guide, network-reqs: subnets of the VPC, in the zones that the cluster was created in, two at least."""
    zones = {subnet.id: subnet.zone for subnet in snapshot.subnets}
    before = {zones[name] for name in snapshot.cluster.subnets if name in zones}
    after = {find(snapshot.subnets, name, "InvalidParameterException").zone for name in change.subnets}
    if not after <= before or len(after) < min(2, len(before)):
        raise ChangeRefused("InvalidParameterException", "subnets must be in the zones of the cluster, two at least")
    return replace(snapshot, cluster=replace(snapshot.cluster, subnets=change.subnets))


def disable_private_dns(change: DisablePrivateDns, snapshot: VpcSnapshot) -> VpcSnapshot:
    endpoint = find(snapshot.endpoints, change.endpoint, "InvalidVpcEndpointId.NotFound")
    return replace(snapshot, endpoints=swap(snapshot.endpoints, replace(endpoint, private_dns=False)))
