"""The table of operations: what carries each out, and what it is made on.

order: where it comes if a plan gives no order of its own. What is taken away comes first, so that rule numbers and
routes are free again; then what everything else needs; what contains others is deleted last.
"""

import re
from typing import NamedTuple

from egressprobe.audit.whatif.operations import filters, gateways, network, routes
from egressprobe.audit.whatif.operations.world import Operation


class OperationRow(NamedTuple):
    """made_on: the parameters that name what the call changes. only_opens: it can close no path."""

    function: Operation
    made_on: tuple[str, ...]
    order: int
    only_opens: bool = False


_FIRST, _GATEWAYS, _BASE, _INSIDE, _PARTS, _MEMBERS, _CLUSTER, _LAST = range(8)
TABLE: dict[str, OperationRow] = {
    "AuthorizeSecurityGroupIngress": OperationRow(filters.authorize_ingress, ("GroupId",), _PARTS, only_opens=True),
    "AuthorizeSecurityGroupEgress": OperationRow(filters.authorize_egress, ("GroupId",), _PARTS, only_opens=True),
    "RevokeSecurityGroupIngress": OperationRow(filters.revoke_ingress, ("GroupId",), _FIRST),
    "RevokeSecurityGroupEgress": OperationRow(filters.revoke_egress, ("GroupId",), _FIRST),
    "ModifySecurityGroupRules": OperationRow(filters.modify_rules, ("GroupId",), _PARTS),
    "CreateSecurityGroup": OperationRow(filters.create_group, (), _BASE),
    "DeleteSecurityGroup": OperationRow(filters.delete_group, ("GroupId",), _LAST),
    "ModifyNetworkInterfaceAttribute": OperationRow(filters.interface_attribute, ("NetworkInterfaceId",), _MEMBERS),
    "ModifyInstanceAttribute": OperationRow(filters.instance_attribute, ("InstanceId",), _MEMBERS),
    "CreateManagedPrefixList": OperationRow(filters.create_prefix_list, (), _BASE),
    "ModifyManagedPrefixList": OperationRow(filters.modify_prefix_list, ("PrefixListId",), _PARTS),
    "CreateRoute": OperationRow(routes.route, ("RouteTableId",), _PARTS),
    "ReplaceRoute": OperationRow(routes.replace_route, ("RouteTableId",), _PARTS),
    "DeleteRoute": OperationRow(routes.delete_route, ("RouteTableId",), _FIRST),
    "CreateRouteTable": OperationRow(routes.create_table, (), _BASE),
    "DeleteRouteTable": OperationRow(routes.delete_table, ("RouteTableId",), _LAST),
    "AssociateRouteTable": OperationRow(routes.associate_table, ("SubnetId", "GatewayId"), _MEMBERS),
    "ReplaceRouteTableAssociation": OperationRow(routes.replace_table_association, ("SubnetId", "GatewayId"), _MEMBERS),
    "DisassociateRouteTable": OperationRow(routes.disassociate_table, ("SubnetId", "GatewayId"), _FIRST),
    "EnableVgwRoutePropagation": OperationRow(routes.enable_propagation, ("RouteTableId",), _PARTS),
    "DisableVgwRoutePropagation": OperationRow(routes.disable_propagation, ("RouteTableId",), _FIRST),
    "CreateNetworkAcl": OperationRow(routes.create_acl, (), _BASE),
    "DeleteNetworkAcl": OperationRow(routes.delete_acl, ("NetworkAclId",), _LAST),
    "CreateNetworkAclEntry": OperationRow(routes.acl_entry, ("NetworkAclId",), _PARTS),
    "ReplaceNetworkAclEntry": OperationRow(routes.replace_acl_entry, ("NetworkAclId",), _PARTS),
    "DeleteNetworkAclEntry": OperationRow(routes.delete_acl_entry, ("NetworkAclId",), _FIRST),
    "ReplaceNetworkAclAssociation": OperationRow(routes.associate_acl, ("SubnetId",), _MEMBERS),
    "CreateNatGateway": OperationRow(gateways.create_nat, (), _INSIDE),
    "DeleteNatGateway": OperationRow(gateways.delete_nat, ("NatGatewayId",), _FIRST),
    "AssociateNatGatewayAddress": OperationRow(gateways.nat_addresses, ("NatGatewayId",), _PARTS),
    "DisassociateNatGatewayAddress": OperationRow(gateways.nat_addresses, ("NatGatewayId",), _PARTS),
    "AssignPrivateNatGatewayAddress": OperationRow(gateways.nat_addresses, ("NatGatewayId",), _PARTS),
    "UnassignPrivateNatGatewayAddress": OperationRow(gateways.nat_addresses, ("NatGatewayId",), _PARTS),
    "CreateInternetGateway": OperationRow(gateways.create_internet_gateway, (), _BASE),
    "AttachInternetGateway": OperationRow(gateways.attach_gateway, ("InternetGatewayId",), _BASE),
    "DetachInternetGateway": OperationRow(gateways.detach_gateway, ("InternetGatewayId",), _GATEWAYS),
    "DeleteInternetGateway": OperationRow(gateways.delete_gateway, ("InternetGatewayId",), _GATEWAYS),
    "CreateVpnGateway": OperationRow(gateways.create_internet_gateway, (), _BASE),
    "AttachVpnGateway": OperationRow(gateways.attach_gateway, ("VpnGatewayId",), _BASE),
    "DetachVpnGateway": OperationRow(gateways.detach_gateway, ("VpnGatewayId",), _GATEWAYS),
    "DeleteVpnGateway": OperationRow(gateways.delete_gateway, ("VpnGatewayId",), _GATEWAYS),
    "CreateEgressOnlyInternetGateway": OperationRow(gateways.create_egress_only, (), _BASE),
    "DeleteEgressOnlyInternetGateway": OperationRow(
        gateways.delete_egress_only, ("EgressOnlyInternetGatewayId",), _GATEWAYS
    ),
    "CreateTransitGatewayVpcAttachment": OperationRow(gateways.create_attachment, ("TransitGatewayId",), _BASE),
    "ModifyTransitGatewayVpcAttachment": OperationRow(
        gateways.modify_attachment, ("TransitGatewayAttachmentId",), _PARTS
    ),
    "DeleteTransitGatewayVpcAttachment": OperationRow(
        gateways.delete_attachment, ("TransitGatewayAttachmentId",), _FIRST
    ),
    **{
        operation: OperationRow(gateways.transit_routes, (), _PARTS)
        for operation in (
            "CreateTransitGatewayPrefixListReference",
            "ModifyTransitGatewayPrefixListReference",
            "DeleteTransitGatewayPrefixListReference",
            "EnableTransitGatewayRouteTablePropagation",
            "DisableTransitGatewayRouteTablePropagation",
            "DeleteTransitGatewayRouteTable",
            "ModifyTransitGateway",
            "DeleteTransitGateway",
        )
    },
    "CreateTransitGatewayRoute": OperationRow(gateways.transit_route, ("TransitGatewayRouteTableId",), _PARTS),
    "ReplaceTransitGatewayRoute": OperationRow(gateways.replace_transit_route, ("TransitGatewayRouteTableId",), _PARTS),
    "DeleteTransitGatewayRoute": OperationRow(gateways.delete_transit_route, ("TransitGatewayRouteTableId",), _FIRST),
    "AssociateTransitGatewayRouteTable": OperationRow(
        gateways.transit_association, ("TransitGatewayRouteTableId",), _MEMBERS
    ),
    "DisassociateTransitGatewayRouteTable": OperationRow(
        gateways.no_transit_association, ("TransitGatewayRouteTableId",), _FIRST
    ),
    "CreateVpcPeeringConnection": OperationRow(gateways.create_peering, (), _BASE),
    "AcceptVpcPeeringConnection": OperationRow(gateways.accept_peering, ("VpcPeeringConnectionId",), _BASE),
    "DeleteVpcPeeringConnection": OperationRow(gateways.delete_peering, ("VpcPeeringConnectionId",), _FIRST),
    "CreateVpcEndpoint": OperationRow(gateways.create_endpoint, ("RouteTableIds",), _INSIDE),
    "ModifyVpcEndpoint": OperationRow(gateways.modify_endpoint, ("VpcEndpointId",), _PARTS),
    "DeleteVpcEndpoints": OperationRow(gateways.delete_endpoints, ("VpcEndpointIds",), _FIRST),
    "CreateSubnet": OperationRow(network.create_subnet, (), _GATEWAYS),
    "DeleteSubnet": OperationRow(network.delete_subnet, ("SubnetId",), _LAST),
    "ModifySubnetAttribute": OperationRow(network.subnet_attribute, ("SubnetId",), _PARTS),
    "AssociateSubnetCidrBlock": OperationRow(network.associate_subnet_cidr, ("SubnetId",), _GATEWAYS),
    "DisassociateSubnetCidrBlock": OperationRow(network.disassociate_subnet_cidr, ("SubnetId",), _PARTS),
    "AssociateVpcCidrBlock": OperationRow(network.associate_vpc_cidr, ("VpcId",), _FIRST),
    "DisassociateVpcCidrBlock": OperationRow(network.disassociate_vpc_cidr, (), _LAST),
    "CreateDhcpOptions": OperationRow(network.create_dhcp, (), _BASE),
    "AssociateDhcpOptions": OperationRow(network.associate_dhcp, (), _MEMBERS),
    "ModifyVpcAttribute": OperationRow(network.vpc_attribute, ("VpcId",), _PARTS),
    "ModifyVpcBlockPublicAccessOptions": OperationRow(network.public_access, (), _PARTS),
    "CreateVpcBlockPublicAccessExclusion": OperationRow(network.public_access_exclusion, (), _MEMBERS),
    "DeleteVpcBlockPublicAccessExclusion": OperationRow(network.no_public_access_exclusion, (), _FIRST),
    "ModifyVpcBlockPublicAccessExclusion": OperationRow(network.changed_exclusion, (), _PARTS),
    "ModifyVpcEncryptionControl": OperationRow(network.encryption, (), _PARTS),
    # Not of AWS: what Terraform and CloudFormation do by several calls, or what is not one operation.
    "ResetRouteTable": OperationRow(routes.reset_table, ("RouteTableId",), _FIRST),
    "ResetNetworkAcl": OperationRow(routes.reset_acl, ("NetworkAclId",), _FIRST),
    "ResetSecurityGroup": OperationRow(filters.reset_group, ("GroupId",), _FIRST),
    "ChangeFirewall": OperationRow(gateways.firewall, (), _PARTS),
    "ChangeLoadBalancer": OperationRow(gateways.load_balancer, (), _PARTS),
    "DeleteCluster": OperationRow(network.delete_cluster, (), _FIRST),
    "UpdateClusterConfig": OperationRow(network.cluster_config, (), _CLUSTER),
}
# Reading, and what has no part in a path; everything else of EC2 that is about networks is not modelled.
_HARMLESS = re.compile(
    r"Describe|Get|Search|List|CreateTags|DeleteTags|.*FlowLogs|.*DhcpOptions$|AllocateAddress|ReleaseAddress"
    r"|UpdateSecurityGroupRuleDescriptions|.*NetworkInsights|.*NetworkInterfacePermission|ModifyVpcTenancy"
    r"|.*VpcEndpointConnectionNotification|CreateNetworkInterface$|CreateTransitGateway(RouteTable)?$|CreateVpc$"
    r"|CreateDefault"
)
_NETWORKS = re.compile(
    r"Vpc|Subnet|Route|Gateway|Acl|SecurityGroup|NetworkInterface|PrefixList|Peering|Vpn|Endpoint|Encryption|Address"
    r"|PublicAccess|Ipv6|TransitGateway|LocalGateway|Carrier|ClassicLink|AccountAttribute"
)


def is_harmless(operation: str) -> bool:
    """Whether an operation of EC2 that is not in the table touches no path."""
    return bool(_HARMLESS.match(operation)) or not _NETWORKS.search(operation)
