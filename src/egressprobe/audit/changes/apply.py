"""A change carried out on a snapshot by EC2's and EKS's own rules: what AWS would refuse is refused, with its code.

Sources: EC2 API Reference (CreateRoute, ReplaceRoute, CreateNetworkAclEntry, ReplaceNetworkAclEntry,
AuthorizeSecurityGroupEgress, CreateNatGateway ...) and its "Error codes for the Amazon EC2 API".
"""

from collections.abc import Callable, Iterable
from typing import Any

from egressprobe.audit.changes import (
    apply_associations,
    apply_attributes,
    apply_filters,
    apply_resources,
    apply_routes,
)
from egressprobe.audit.changes import association_changes as associations
from egressprobe.audit.changes import attribute_changes as attributes
from egressprobe.audit.changes import change as network
from egressprobe.audit.changes import network_changes as whole
from egressprobe.audit.changes import resource_changes as resources
from egressprobe.audit.changes.change import Change
from egressprobe.audit.vpc.snapshot import VpcSnapshot

_APPLY: dict[type[Change], Callable[[Any, VpcSnapshot], VpcSnapshot]] = {
    network.GroupRule: apply_filters.group_rule,
    network.AclRuleChange: apply_filters.acl_rule,
    network.RouteChange: apply_routes.route,
    network.DeleteRoute: apply_routes.delete_route,
    network.CreateNat: apply_routes.create_nat,
    network.CreateGateway: apply_routes.create_gateway,
    network.AttachGateway: apply_routes.attach_gateway,
    network.AttachTransitGateway: apply_routes.attach_transit_gateway,
    attributes.AcceptPeering: apply_attributes.accept_peering,
    attributes.SetSourceCheck: apply_attributes.set_source_check,
    attributes.ExcludeFromPublicAccessBlock: apply_attributes.exclude_from_public_access_block,
    attributes.ExcludeFromEncryption: apply_attributes.exclude_from_encryption,
    attributes.AssociateIpv6: apply_attributes.associate_ipv6,
    attributes.UpdateClusterSubnets: apply_attributes.update_cluster_subnets,
    attributes.DeletePublicAccessExclusion: apply_attributes.delete_exclusion,
    attributes.DisassociateIpv6: apply_attributes.disassociate_ipv6,
    associations.CreateRouteTable: apply_associations.create_table,
    associations.DeleteRouteTable: apply_associations.delete_table,
    associations.AssociateTable: apply_associations.associate_table,
    associations.DisassociateTable: apply_associations.disassociate_table,
    associations.SetMainTable: apply_associations.set_main_table,
    associations.DisablePropagation: apply_associations.disable_propagation,
    associations.CreateAcl: apply_associations.create_acl,
    associations.DeleteAcl: apply_associations.delete_acl,
    associations.DeleteAclRule: apply_associations.delete_acl_rule,
    associations.AssociateAcl: apply_associations.associate_acl,
    resources.DeleteNat: apply_resources.delete_nat,
    resources.RemoveGateway: apply_resources.remove_gateway,
    resources.ChangeAttachment: apply_resources.change_attachment,
    resources.DeleteAttachment: apply_resources.delete_attachment,
    resources.CreateEndpoint: apply_resources.create_endpoint,
    resources.ModifyEndpoint: apply_resources.modify_endpoint,
    resources.DeleteEndpoint: apply_resources.delete_endpoint,
    resources.CreatePeering: apply_resources.create_peering,
    resources.DeletePeering: apply_resources.delete_peering,
    resources.CreateGroup: apply_resources.create_group,
    resources.DeleteGroup: apply_resources.delete_group,
    resources.SetInterfaceGroups: apply_resources.set_interface_groups,
    resources.ChangePrefixList: apply_resources.change_prefix_list,
    whole.CreateSubnet: apply_attributes.create_subnet,
    whole.DeleteSubnet: apply_attributes.delete_subnet,
    whole.AssociateVpcCidr: apply_attributes.associate_vpc_cidr,
    whole.AssociateDhcp: apply_attributes.associate_dhcp,
    whole.SetDnsAttribute: apply_attributes.set_dns_attribute,
    whole.SetDns64: apply_attributes.set_dns64,
    whole.SetPublicAccess: apply_attributes.set_public_access,
    whole.UpdateClusterGroups: apply_attributes.update_cluster_groups,
    whole.UpdateClusterNetworks: apply_attributes.update_cluster_networks,
    whole.SetEgressMode: apply_attributes.set_egress_mode,
    whole.TransitRouteChange: apply_resources.transit_route,
    whole.DeleteTransitRoute: apply_resources.delete_transit_route,
    whole.AssociateTransitTable: apply_resources.associate_transit_table,
    whole.DeleteInternetGateway: apply_routes.delete_internet_gateway,
}


def apply(change: Change, snapshot: VpcSnapshot) -> VpcSnapshot:
    """The snapshot after the change. Raises ChangeRefused for what AWS would refuse."""
    return _APPLY[type(change)](change, snapshot)


def apply_all(snapshot: VpcSnapshot, changes: Iterable[Change]) -> VpcSnapshot:
    """The snapshot after all changes, in order. Raises ChangeRefused."""
    for change in changes:
        snapshot = apply(change, snapshot)
    return snapshot
