"""Attributes, and the VPC and the cluster as a whole, on a snapshot, by EC2's and EKS's rules."""

from msgspec.structs import replace

from egressprobe.audit.changes.attribute_changes import (
    AcceptPeering,
    AssociateIpv6,
    DeletePublicAccessExclusion,
    DisassociateIpv6,
    ExcludeFromEncryption,
    ExcludeFromPublicAccessBlock,
    SetSourceCheck,
    UpdateClusterSubnets,
)
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
from egressprobe.audit.changes.refusal import UNMODELLED, ChangeRefused, NotInSnapshot, find, swap, without
from egressprobe.audit.vpc.cidr import block
from egressprobe.audit.vpc.snapshot import Exclusion, PublicAccess, Route, Subnet, VpcSnapshot

# A cluster's interfaces have at most this many groups (EC2's default quota of groups an interface).
_MOST_GROUPS = 5


def accept_peering(change: AcceptPeering, snapshot: VpcSnapshot) -> VpcSnapshot:
    peering = find(snapshot.peerings, change.peering, "InvalidVpcPeeringConnectionID.NotFound")
    if peering.state != "pending-acceptance":
        raise ChangeRefused("InvalidStateTransition", f"{peering.id} is {peering.state}")
    return replace(snapshot, peerings=swap(snapshot.peerings, replace(peering, state="active")))


def set_source_check(change: SetSourceCheck, snapshot: VpcSnapshot) -> VpcSnapshot:
    interface = find(snapshot.interfaces, change.interface, "InvalidNetworkInterfaceID.NotFound")
    return replace(snapshot, interfaces=swap(snapshot.interfaces, replace(interface, checked=change.on)))


def exclude_from_public_access_block(change: ExcludeFromPublicAccessBlock, snapshot: VpcSnapshot) -> VpcSnapshot:
    options = snapshot.public_access
    if options is None or any(exclusion.of == change.of for exclusion in options.exclusions):
        raise ChangeRefused("InvalidParameterValue", f"{change.of} is excluded already")
    exclusions = (*options.exclusions, Exclusion(change.of, change.mode))
    return replace(snapshot, public_access=replace(options, exclusions=exclusions))


def delete_exclusion(change: DeletePublicAccessExclusion, snapshot: VpcSnapshot) -> VpcSnapshot:
    options = snapshot.public_access
    kept = tuple(exclusion for exclusion in options.exclusions if exclusion.of != change.of) if options else ()
    if options is None or len(kept) == len(options.exclusions):
        raise ChangeRefused("InvalidParameterValue", f"{change.of} is not excluded")
    return replace(snapshot, public_access=replace(options, exclusions=kept))


def exclude_from_encryption(change: ExcludeFromEncryption, snapshot: VpcSnapshot) -> VpcSnapshot:
    control = find(snapshot.encryption, change.control, "InvalidVpcEncryptionControlId.NotFound")
    others = {resource for resource in control.excluded if resource != change.resource}
    excluded = tuple(sorted(others if change.revoke else {*others, change.resource}))
    return replace(snapshot, encryption=swap(snapshot.encryption, replace(control, excluded=excluded)))


def associate_ipv6(change: AssociateIpv6, snapshot: VpcSnapshot) -> VpcSnapshot:
    if not change.subnet:
        raise ChangeRefused(UNMODELLED, "which IPv6 CIDR AWS assigns is not known before")
    subnet = find(snapshot.subnets, change.subnet, "InvalidSubnetID.NotFound")
    cidr = block(change.cidr)
    if not any(cidr.within(block(text)) for text in snapshot.vpc.blocks):
        raise ChangeRefused("InvalidSubnet.Range", f"{change.cidr} is not in the VPC's CIDRs")
    if any(cidr == block(text) for other in snapshot.subnets for text in other.blocks):
        raise ChangeRefused("InvalidSubnet.Conflict", f"{change.cidr} is the CIDR of another subnet")
    return replace(snapshot, subnets=swap(snapshot.subnets, replace(subnet, blocks=(*subnet.blocks, change.cidr))))


def _of_this_cluster(snapshot: VpcSnapshot, name: str) -> None:
    if name != snapshot.cluster.name:
        raise NotInSnapshot("ResourceNotFoundException", f"{name} is another cluster")


def disassociate_ipv6(change: DisassociateIpv6, snapshot: VpcSnapshot) -> VpcSnapshot:
    subnet = find(snapshot.subnets, change.subnet, "InvalidSubnetID.NotFound")
    kept = tuple(text for text in subnet.blocks if text != change.cidr)
    if len(kept) == len(subnet.blocks):
        raise ChangeRefused("InvalidSubnetCidrBlockAssociationID.NotFound", f"{subnet.id} has no {change.cidr}")
    return replace(snapshot, subnets=swap(snapshot.subnets, replace(subnet, blocks=kept)))


def update_cluster_subnets(change: UpdateClusterSubnets, snapshot: VpcSnapshot) -> VpcSnapshot:
    """EKS user guide, network-reqs: subnets of the VPC, in the zones that the cluster was created in, two at least."""
    _of_this_cluster(snapshot, change.cluster)
    zones = {subnet.id: subnet.zone for subnet in snapshot.subnets}
    before = {zones[name] for name in snapshot.cluster.subnets if name in zones}
    after = {find(snapshot.subnets, name, "InvalidParameterException").zone for name in change.subnets}
    if not after <= before or len(after) < min(2, len(before)):
        raise ChangeRefused("InvalidParameterException", "subnets must be in the zones of the cluster, two at least")
    return replace(snapshot, cluster=replace(snapshot.cluster, subnets=change.subnets))


def update_cluster_groups(change: UpdateClusterGroups, snapshot: VpcSnapshot) -> VpcSnapshot:
    """EKS gives its interfaces the cluster security group, which stays the first, and these."""
    _of_this_cluster(snapshot, change.cluster)
    if len(change.groups) >= _MOST_GROUPS:
        raise ChangeRefused("InvalidParameterException", f"{len(change.groups)} groups are too many for an interface")
    for name in change.groups:
        if all(group.id != name for group in snapshot.groups or ()):
            raise ChangeRefused("InvalidParameterException", f"{name} is not a security group of {snapshot.vpc.id}")
    groups = tuple(dict.fromkeys((*snapshot.cluster.groups[:1], *change.groups)))
    eks = f"Amazon EKS {snapshot.cluster.name}"
    interfaces = snapshot.interfaces
    if interfaces is not None:
        interfaces = tuple(
            replace(interface, groups=groups) if interface.description == eks else interface for interface in interfaces
        )
    return replace(snapshot, cluster=replace(snapshot.cluster, groups=groups), interfaces=interfaces)


def update_cluster_networks(change: UpdateClusterNetworks, snapshot: VpcSnapshot) -> VpcSnapshot:
    _of_this_cluster(snapshot, change.cluster)
    cluster = snapshot.cluster
    remote = cluster.remote if change.remote is None else change.remote
    pods = cluster.remote_pods if change.remote_pods is None else change.remote_pods
    return replace(snapshot, cluster=replace(cluster, remote=remote, remote_pods=pods))


def set_egress_mode(change: SetEgressMode, snapshot: VpcSnapshot) -> VpcSnapshot:
    """One-way (EKS user guide, control-plane-egress)."""
    _of_this_cluster(snapshot, change.cluster)
    if snapshot.cluster.mode == "CUSTOMER_ROUTED" and change.mode != "CUSTOMER_ROUTED":
        raise ChangeRefused("InvalidParameterException", "the egress mode CUSTOMER_ROUTED cannot be changed back")
    return replace(snapshot, cluster=replace(snapshot.cluster, mode=change.mode))


def associate_dhcp(change: AssociateDhcp, snapshot: VpcSnapshot) -> VpcSnapshot:
    _of_this_vpc(snapshot, change.vpc)
    return replace(snapshot, dhcp=change.dhcp, vpc=replace(snapshot.vpc, dhcp_options=change.dhcp.id))


def _of_this_vpc(snapshot: VpcSnapshot, name: str) -> None:
    if name != snapshot.vpc.id:
        raise NotInSnapshot("InvalidVpcID.NotFound", f"{name} is another VPC")


def set_dns_attribute(change: SetDnsAttribute, snapshot: VpcSnapshot) -> VpcSnapshot:
    """Host names need DNS support (EC2 API Reference, ModifyVpcAttribute)."""
    _of_this_vpc(snapshot, change.vpc)
    vpc = snapshot.vpc
    changed = replace(vpc, dns_support=change.value) if change.support else replace(vpc, dns_hostnames=change.value)
    return replace(snapshot, vpc=changed)


def set_dns64(change: SetDns64, snapshot: VpcSnapshot) -> VpcSnapshot:
    subnet = find(snapshot.subnets, change.subnet, "InvalidSubnetID.NotFound")
    return replace(snapshot, subnets=swap(snapshot.subnets, replace(subnet, dns64=change.value)))


def set_public_access(change: SetPublicAccess, snapshot: VpcSnapshot) -> VpcSnapshot:
    exclusions = snapshot.public_access.exclusions if snapshot.public_access else ()
    return replace(snapshot, public_access=PublicAccess(change.mode, exclusions))


def associate_vpc_cidr(change: AssociateVpcCidr, snapshot: VpcSnapshot) -> VpcSnapshot:
    _of_this_vpc(snapshot, change.vpc)
    cidr = block(change.cidr)
    if any(cidr.within(block(text)) or block(text).within(cidr) for text in snapshot.vpc.blocks):
        raise ChangeRefused("InvalidVpc.Range", f"{change.cidr} overlaps a CIDR of {change.vpc}")
    tables = snapshot.route_tables
    if tables is not None:
        local = Route(change.cidr, "local", "local")
        tables = tuple(replace(table, routes=(*table.routes, local)) for table in tables)
    vpc = replace(snapshot.vpc, blocks=(*snapshot.vpc.blocks, change.cidr))
    return replace(snapshot, vpc=vpc, route_tables=tables)


def create_subnet(change: CreateSubnet, snapshot: VpcSnapshot) -> VpcSnapshot:
    """The default network ACL is the new subnet's (user guide, vpc-network-acls)."""
    _of_this_vpc(snapshot, change.vpc)
    for text in change.blocks:
        cidr = block(text)
        if not any(cidr.within(block(own)) for own in snapshot.vpc.blocks):
            raise ChangeRefused("InvalidSubnet.Range", f"{text} is not in the VPC's CIDRs")
        for other in snapshot.subnets:
            if any(cidr.within(block(own)) or block(own).within(cidr) for own in other.blocks):
                raise ChangeRefused("InvalidSubnet.Conflict", f"{text} overlaps {other.id}")
    subnet = Subnet(change.id, change.zone, snapshot.vpc.owner, change.blocks)
    acls = snapshot.acls
    if acls is not None:
        acls = tuple(
            replace(acl, subnets=tuple(sorted((*acl.subnets, subnet.id)))) if acl.default else acl for acl in acls
        )
    return replace(snapshot, subnets=(*snapshot.subnets, subnet), acls=acls)


def delete_subnet(change: DeleteSubnet, snapshot: VpcSnapshot) -> VpcSnapshot:
    subnet = find(snapshot.subnets, change.subnet, "InvalidSubnetID.NotFound")
    using = [interface.id for interface in snapshot.interfaces or () if interface.subnet == subnet.id]
    if using:
        raise ChangeRefused("DependencyViolation", f"{subnet.id} has interfaces: {', '.join(using)}")
    tables, acls = snapshot.route_tables, snapshot.acls
    if tables is not None:
        tables = tuple(
            replace(table, subnets=tuple(name for name in table.subnets if name != subnet.id)) for table in tables
        )
    if acls is not None:
        acls = tuple(replace(acl, subnets=tuple(name for name in acl.subnets if name != subnet.id)) for acl in acls)
    return replace(snapshot, subnets=without(snapshot.subnets, subnet.id), route_tables=tables, acls=acls)
