"""The calls of AWS's APIs that can break or repair the API server's connections, each with the reason.

Names are those of CloudTrail's `eventSource` and `eventName`, which are the API's own. What only reads, tags, logs or
describes is left out; so are KMS, ACM and Lambda, which carry no packet.
"""

from typing import NamedTuple

EC2 = "ec2.amazonaws.com"
EKS = "eks.amazonaws.com"
ELB = "elasticloadbalancing.amazonaws.com"
FIREWALL = "network-firewall.amazonaws.com"
RESOLVER = "route53resolver.amazonaws.com"
ROUTE53 = "route53.amazonaws.com"


class NetworkCall(NamedTuple):
    """Why a call matters. frequent: made all day by controllers, so that only one on the cause's path is shown."""

    reason: str
    frequent: bool = False


_GROUPS: tuple[tuple[str, str, str], ...] = (
    (
        EC2,
        "a route decides where packets go",
        (
            "CreateRoute DeleteRoute ReplaceRoute CreateRouteTable DeleteRouteTable AssociateRouteTable "
            "DisassociateRouteTable ReplaceRouteTableAssociation EnableVgwRoutePropagation DisableVgwRoutePropagation"
        ),
    ),
    (
        EC2,
        "a route's target carries the packets on",
        (
            "CreateNatGateway DeleteNatGateway AssociateNatGatewayAddress DisassociateNatGatewayAddress "
            "AssignPrivateNatGatewayAddress UnassignPrivateNatGatewayAddress AssociateAddress DisassociateAddress "
            "ReleaseAddress CreateInternetGateway AttachInternetGateway DetachInternetGateway DeleteInternetGateway "
            "CreateEgressOnlyInternetGateway DeleteEgressOnlyInternetGateway AttachVpnGateway DetachVpnGateway "
            "DeleteVpnGateway CreateVpcEndpoint ModifyVpcEndpoint DeleteVpcEndpoints RejectVpcEndpointConnections "
            "ModifyVpcEndpointServiceConfiguration ModifyVpcEndpointServicePermissions "
            "DeleteVpcEndpointServiceConfigurations CreateVpcPeeringConnection AcceptVpcPeeringConnection "
            "DeleteVpcPeeringConnection RejectVpcPeeringConnection ModifyVpcPeeringConnectionOptions "
            "CreateVpnConnection ModifyVpnConnection ModifyVpnConnectionOptions ModifyVpnTunnelOptions "
            "DeleteVpnConnection CreateVpnConnectionRoute DeleteVpnConnectionRoute ReplaceVpnTunnel "
            "ModifyNetworkInterfaceAttribute ResetNetworkInterfaceAttribute"
        ),
    ),
    (
        EC2,
        "a transit gateway joins VPCs",
        (
            "DeleteTransitGateway ModifyTransitGateway CreateTransitGatewayRoute DeleteTransitGatewayRoute "
            "ReplaceTransitGatewayRoute CreateTransitGatewayRouteTable DeleteTransitGatewayRouteTable "
            "AssociateTransitGatewayRouteTable DisassociateTransitGatewayRouteTable "
            "EnableTransitGatewayRouteTablePropagation DisableTransitGatewayRouteTablePropagation "
            "CreateTransitGatewayVpcAttachment ModifyTransitGatewayVpcAttachment DeleteTransitGatewayVpcAttachment "
            "AcceptTransitGatewayVpcAttachment RejectTransitGatewayVpcAttachment "
            "CreateTransitGatewayPeeringAttachment AcceptTransitGatewayPeeringAttachment "
            "DeleteTransitGatewayPeeringAttachment RejectTransitGatewayPeeringAttachment "
            "CreateTransitGatewayPrefixListReference ModifyTransitGatewayPrefixListReference "
            "DeleteTransitGatewayPrefixListReference AssociateTransitGatewayPolicyTable "
            "DisassociateTransitGatewayPolicyTable DeleteTransitGatewayConnect DeleteTransitGatewayConnectPeer"
        ),
    ),
    (
        EC2,
        "a rule allows or drops packets",
        (
            "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress RevokeSecurityGroupEgress "
            "RevokeSecurityGroupIngress ModifySecurityGroupRules CreateSecurityGroup DeleteSecurityGroup "
            "AssociateSecurityGroupVpc DisassociateSecurityGroupVpc CreateNetworkAcl DeleteNetworkAcl "
            "CreateNetworkAclEntry ReplaceNetworkAclEntry DeleteNetworkAclEntry ReplaceNetworkAclAssociation "
            "CreateManagedPrefixList ModifyManagedPrefixList RestoreManagedPrefixListVersion DeleteManagedPrefixList "
            "ModifyVpcBlockPublicAccessOptions CreateVpcBlockPublicAccessExclusion "
            "ModifyVpcBlockPublicAccessExclusion DeleteVpcBlockPublicAccessExclusion CreateVpcEncryptionControl "
            "ModifyVpcEncryptionControl DeleteVpcEncryptionControl"
        ),
    ),
    (
        EC2,
        "subnets and addresses, and the name servers of the VPC",
        (
            "CreateSubnet DeleteSubnet ModifySubnetAttribute AssociateSubnetCidrBlock DisassociateSubnetCidrBlock "
            "AssociateVpcCidrBlock DisassociateVpcCidrBlock ModifyVpcAttribute DeleteVpc CreateDhcpOptions "
            "DeleteDhcpOptions AssociateDhcpOptions"
        ),
    ),
    (
        RESOLVER,
        "the VPC's resolver decides what names resolve to",
        (
            "AssociateResolverRule DisassociateResolverRule CreateResolverRule UpdateResolverRule DeleteResolverRule "
            "CreateResolverEndpoint UpdateResolverEndpoint DeleteResolverEndpoint AssociateResolverEndpointIpAddress "
            "DisassociateResolverEndpointIpAddress UpdateResolverConfig UpdateResolverDnssecConfig "
            "PutResolverRulePolicy"
        ),
    ),
    (
        RESOLVER,
        "DNS Firewall refuses names",
        (
            "AssociateFirewallRuleGroup DisassociateFirewallRuleGroup UpdateFirewallRuleGroupAssociation "
            "CreateFirewallRuleGroup DeleteFirewallRuleGroup PutFirewallRuleGroupPolicy CreateFirewallRule "
            "UpdateFirewallRule DeleteFirewallRule BatchCreateFirewallRule BatchUpdateFirewallRule "
            "BatchDeleteFirewallRule UpdateFirewallDomains ImportFirewallDomains DeleteFirewallDomainList "
            "UpdateFirewallConfig"
        ),
    ),
    (
        ROUTE53,
        "a private hosted zone answers for its names in the VPC",
        (
            "AssociateVPCWithHostedZone DisassociateVPCFromHostedZone CreateHostedZone DeleteHostedZone "
            "EnableHostedZoneDNSSEC DisableHostedZoneDNSSEC DeactivateKeySigningKey"
        ),
    ),
    (
        FIREWALL,
        "a network firewall passes or drops packets",
        (
            "CreateFirewall DeleteFirewall AssociateFirewallPolicy AssociateSubnets DisassociateSubnets "
            "AssociateAvailabilityZones DisassociateAvailabilityZones CreateFirewallPolicy UpdateFirewallPolicy "
            "DeleteFirewallPolicy CreateRuleGroup UpdateRuleGroup DeleteRuleGroup CreateVpcEndpointAssociation "
            "DeleteVpcEndpointAssociation CreateTLSInspectionConfiguration UpdateTLSInspectionConfiguration "
            "DeleteTLSInspectionConfiguration AcceptNetworkFirewallTransitGatewayAttachment "
            "RejectNetworkFirewallTransitGatewayAttachment DeleteNetworkFirewallTransitGatewayAttachment"
        ),
    ),
    (
        ELB,
        "a load balancer passes calls to its targets",
        (
            "CreateLoadBalancer DeleteLoadBalancer CreateListener ModifyListener DeleteListener CreateRule ModifyRule "
            "DeleteRule SetRulePriorities CreateTargetGroup ModifyTargetGroup ModifyTargetGroupAttributes "
            "DeleteTargetGroup ModifyLoadBalancerAttributes SetIpAddressType SetSecurityGroups SetSubnets "
            "AddListenerCertificates RemoveListenerCertificates ModifyListenerAttributes ModifyTrustStore "
            "ApplySecurityGroupsToLoadBalancer AttachLoadBalancerToSubnets DetachLoadBalancerFromSubnets "
            "CreateLoadBalancerListeners DeleteLoadBalancerListeners ConfigureHealthCheck "
            "SetLoadBalancerListenerSSLCertificate"
        ),
    ),
    (
        EKS,
        "the cluster's own configuration",
        (
            "CreateCluster DeleteCluster UpdateClusterConfig UpdateClusterVersion AssociateIdentityProviderConfig "
            "DisassociateIdentityProviderConfig CancelUpdate CreateAccessEntry UpdateAccessEntry DeleteAccessEntry "
            "AssociateAccessPolicy DisassociateAccessPolicy"
        ),
    ),
    (
        EKS,
        "what webhooks, aggregated APIs and kubelets run on",
        (
            "CreateAddon UpdateAddon DeleteAddon CreateNodegroup UpdateNodegroupConfig UpdateNodegroupVersion "
            "DeleteNodegroup CreateFargateProfile DeleteFargateProfile CreateCapability UpdateCapability "
            "DeleteCapability"
        ),
    ),
)
# Autoscaling, the VPC CNI, load balancer controllers and external-dns make these all day.
_FREQUENT: tuple[tuple[str, str, str], ...] = (
    (EC2, "an instance can be a NAT, a router or a target", "StopInstances TerminateInstances RebootInstances"),
    (
        EC2,
        "an interface is the end of a path",
        (
            "AttachNetworkInterface DetachNetworkInterface DeleteNetworkInterface UnassignPrivateIpAddresses "
            "UnassignIpv6Addresses"
        ),
    ),
    (
        ELB,
        "a load balancer passes calls to its targets",
        "RegisterTargets DeregisterTargets RegisterInstancesWithLoadBalancer DeregisterInstancesFromLoadBalancer",
    ),
    (ROUTE53, "a record is where a name leads", "ChangeResourceRecordSets"),
)
CALLS: dict[tuple[str, str], NetworkCall] = {
    (source, name): NetworkCall(reason, frequent)
    for groups, frequent in ((_GROUPS, False), (_FREQUENT, True))
    for source, reason, names in groups
    for name in names.split()
}
# Of the cluster's own: what decides from which subnets, with which groups and by which route the API server calls.
OF_EVERY_PATH = frozenset({(EKS, "UpdateClusterConfig"), (EKS, "DeleteCluster"), (EKS, "UpdateClusterVersion")})
