"""A change carried out on a snapshot by EC2's and EKS's own rules: what AWS would refuse is refused, with its code.

Sources: EC2 API Reference (CreateRoute, ReplaceRoute, CreateNetworkAclEntry, ReplaceNetworkAclEntry,
AuthorizeSecurityGroupEgress, CreateNatGateway ...) and its "Error codes for the Amazon EC2 API".
"""

from collections.abc import Callable, Iterable
from typing import Any

from egressprobe.audit.changes import apply_attributes, apply_filters, apply_routes
from egressprobe.audit.changes import attribute_changes as attributes
from egressprobe.audit.changes import change as network
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
    attributes.DisableSourceCheck: apply_attributes.disable_source_check,
    attributes.ExcludeFromPublicAccessBlock: apply_attributes.exclude_from_public_access_block,
    attributes.ExcludeFromEncryption: apply_attributes.exclude_from_encryption,
    attributes.AssociateIpv6: apply_attributes.associate_ipv6,
    attributes.UpdateClusterSubnets: apply_attributes.update_cluster_subnets,
    attributes.DisablePrivateDns: apply_attributes.disable_private_dns,
}


def apply(change: Change, snapshot: VpcSnapshot) -> VpcSnapshot:
    """The snapshot after the change. Raises ChangeRefused for what AWS would refuse."""
    return _APPLY[type(change)](change, snapshot)


def apply_all(snapshot: VpcSnapshot, changes: Iterable[Change]) -> VpcSnapshot:
    """The snapshot after all changes, in order. Raises ChangeRefused."""
    for change in changes:
        snapshot = apply(change, snapshot)
    return snapshot
