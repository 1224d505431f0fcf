"""CloudFormation's resource types and properties under the names of resources/, which are Terraform's.

Most properties are the same word in another case: RouteTableId is route_table_id. The others are in the tables here.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

type Properties = Mapping[str, Any]


class NamedResource(NamedTuple):
    """A type and attributes that resources/ has a row for."""

    type: str
    attributes: dict[str, Any]


_RENAMED = {
    "egress_only_internet_gateway_id": "egress_only_gateway_id",
    "private_ip_address": "private_ip",
}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _snake(name: str) -> str:
    text = _WORD.sub("_", name).lower()
    return _RENAMED.get(text, text)


def _same(kind: str) -> Callable[[Properties], NamedResource]:
    return lambda properties: NamedResource(kind, {_snake(name): value for name, value in properties.items()})


def _gateway_attachment(properties: Properties) -> NamedResource:
    kind = "aws_vpn_gateway_attachment" if properties.get("VpnGatewayId") else "aws_internet_gateway_attachment"
    return _same(kind)(properties)


def _entry(properties: Properties) -> NamedResource:
    span = properties.get("PortRange")
    ports = span if isinstance(span, Mapping) else {}
    attributes = _same("aws_network_acl_rule")(properties).attributes
    attributes |= {"from_port": ports.get("From"), "to_port": ports.get("To")}
    return NamedResource("aws_network_acl_rule", attributes)


def _rule(given: Any) -> dict[str, Any]:
    """An inline rule of a group, or a rule that is a resource of its own."""
    properties = given if isinstance(given, Mapping) else {}
    group = properties.get("SourceSecurityGroupId", properties.get("DestinationSecurityGroupId"))
    prefix_list = properties.get("SourcePrefixListId", properties.get("DestinationPrefixListId"))
    return {
        "protocol": properties.get("IpProtocol"),
        "from_port": properties.get("FromPort"),
        "to_port": properties.get("ToPort"),
        "cidr_blocks": _one_or_none(properties.get("CidrIp")),
        "ipv6_cidr_blocks": _one_or_none(properties.get("CidrIpv6")),
        "prefix_list_ids": _one_or_none(prefix_list),
        "security_groups": _one_or_none(group),
        "self": False,
    }


def _one_or_none(value: Any) -> list[Any]:
    return [] if value in (None, "") else [value]


_ALL_EGRESS = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}


def _group(properties: Properties) -> NamedResource:
    """Without egress rules of its own the group keeps EC2's rule for all egress."""
    attributes: dict[str, Any] = {"vpc_id": properties.get("VpcId"), "name": properties.get("GroupName")}
    for name, inline, default in (
        ("ingress", properties.get("SecurityGroupIngress"), []),
        ("egress", properties.get("SecurityGroupEgress"), [_ALL_EGRESS]),
    ):
        listed = default if inline in (None, []) else inline
        attributes[name] = [_rule(rule) for rule in listed] if isinstance(listed, list) else listed
    return NamedResource("aws_security_group", attributes)


def _group_rule(direction: str) -> Callable[[Properties], NamedResource]:
    def named(properties: Properties) -> NamedResource:
        more = {"type": direction, "security_group_id": properties.get("GroupId")}
        return NamedResource("aws_security_group_rule", _rule(properties) | more)

    return named


def _prefix_list(properties: Properties) -> NamedResource:
    entries = properties.get("Entries")
    listed = [{"cidr": entry.get("Cidr")} for entry in entries] if isinstance(entries, list) else entries
    return NamedResource("aws_ec2_managed_prefix_list", {"entry": listed})


def _attachment(properties: Properties) -> NamedResource:
    options = properties.get("Options")
    chosen = options if isinstance(options, Mapping) else {}
    more = {"ipv6_support": chosen.get("Ipv6Support"), "appliance_mode_support": chosen.get("ApplianceModeSupport")}
    kind = "aws_ec2_transit_gateway_vpc_attachment"
    return NamedResource(kind, _same(kind)(properties).attributes | more)


def _cluster(properties: Properties) -> NamedResource:
    config = properties.get("ResourcesVpcConfig")
    remote = properties.get("RemoteNetworkConfig")
    return NamedResource(
        "aws_eks_cluster",
        {
            "name": properties.get("Name"),
            "vpc_config": [_same("")(config).attributes] if isinstance(config, Mapping) else [],
            "remote_network_config": [
                {
                    _snake(name): [{"cidrs": network.get("Cidrs")} for network in networks]
                    for name, networks in remote.items()
                }
            ]
            if isinstance(remote, Mapping)
            else [],
        },
    )


def _record(properties: Properties) -> NamedResource:
    return NamedResource("aws_route53_record", {"fqdn": properties.get("Name")})


def _zone(properties: Properties) -> NamedResource:
    return NamedResource("aws_route53_zone", {"name": properties.get("Name"), "vpc": properties.get("VPCs")})


def _interface(properties: Properties) -> NamedResource:
    return NamedResource(
        "aws_network_interface",
        {"security_groups": properties.get("GroupSet"), "source_dest_check": properties.get("SourceDestCheck")},
    )


def _instance(properties: Properties) -> NamedResource:
    groups, check = properties.get("SecurityGroupIds"), properties.get("SourceDestCheck")
    return NamedResource("aws_instance", {"vpc_security_group_ids": groups, "source_dest_check": check})


TYPES: dict[str, Callable[[Properties], NamedResource]] = {
    "AWS::EC2::Route": _same("aws_route"),
    "AWS::EC2::RouteTable": _same("aws_route_table"),
    "AWS::EC2::SubnetRouteTableAssociation": _same("aws_route_table_association"),
    "AWS::EC2::GatewayRouteTableAssociation": _same("aws_route_table_association"),
    "AWS::EC2::NetworkAcl": _same("aws_network_acl"),
    "AWS::EC2::NetworkAclEntry": _entry,
    "AWS::EC2::SubnetNetworkAclAssociation": _same("aws_network_acl_association"),
    "AWS::EC2::SecurityGroup": _group,
    "AWS::EC2::SecurityGroupIngress": _group_rule("ingress"),
    "AWS::EC2::SecurityGroupEgress": _group_rule("egress"),
    "AWS::EC2::NatGateway": _same("aws_nat_gateway"),
    "AWS::EC2::InternetGateway": _same("aws_internet_gateway"),
    "AWS::EC2::VPNGateway": _same("aws_vpn_gateway"),
    "AWS::EC2::VPCGatewayAttachment": _gateway_attachment,
    "AWS::EC2::EgressOnlyInternetGateway": _same("aws_egress_only_internet_gateway"),
    "AWS::EC2::DHCPOptions": _same("aws_vpc_dhcp_options"),
    "AWS::EC2::VPCDHCPOptionsAssociation": _same("aws_vpc_dhcp_options_association"),
    "AWS::EC2::VPCEndpoint": _same("aws_vpc_endpoint"),
    "AWS::EC2::TransitGatewayAttachment": _attachment,
    "AWS::EC2::TransitGatewayVpcAttachment": _attachment,
    "AWS::EC2::TransitGateway": _same("aws_ec2_transit_gateway"),
    "AWS::EC2::TransitGatewayRoute": _same("aws_ec2_transit_gateway_route"),
    "AWS::EC2::TransitGatewayRouteTable": _same("aws_ec2_transit_gateway_route_table"),
    "AWS::EC2::TransitGatewayRouteTableAssociation": _same("aws_ec2_transit_gateway_route_table_association"),
    "AWS::EC2::TransitGatewayRouteTablePropagation": _same("aws_ec2_transit_gateway_route_table_propagation"),
    "AWS::EC2::VPCPeeringConnection": _same("aws_vpc_peering_connection"),
    "AWS::EC2::PrefixList": _prefix_list,
    "AWS::EC2::VPC": _same("aws_vpc"),
    "AWS::EC2::VPCCidrBlock": _same("aws_vpc_ipv4_cidr_block_association"),
    "AWS::EC2::Subnet": _same("aws_subnet"),
    "AWS::EC2::VPCBlockPublicAccessOptions": _same("aws_vpc_block_public_access_options"),
    "AWS::EC2::VPCBlockPublicAccessExclusion": _same("aws_vpc_block_public_access_exclusion"),
    "AWS::EC2::NetworkInterface": _interface,
    "AWS::EC2::Instance": _instance,
    "AWS::EKS::Cluster": _cluster,
    "AWS::Route53::RecordSet": _record,
    "AWS::Route53::HostedZone": _zone,
    "AWS::Route53Resolver::ResolverRule": _same("aws_route53_resolver_rule"),
    "AWS::Route53Resolver::ResolverRuleAssociation": _same("aws_route53_resolver_rule_association"),
    "AWS::Route53Resolver::FirewallRuleGroup": _same("aws_route53_resolver_firewall_rule_group"),
    "AWS::Route53Resolver::FirewallRuleGroupAssociation": _same("aws_route53_resolver_firewall_rule_group_association"),
    "AWS::NetworkFirewall::RuleGroup": _same("aws_networkfirewall_rule_group"),
    "AWS::NetworkFirewall::FirewallPolicy": _same("aws_networkfirewall_firewall_policy"),
    "AWS::NetworkFirewall::Firewall": _same("aws_networkfirewall_firewall"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _same("aws_lb"),
    "AWS::ElasticLoadBalancingV2::Listener": _same("aws_lb_listener"),
    "AWS::ElasticLoadBalancingV2::TargetGroup": _same("aws_lb_target_group"),
    "AWS::ElasticLoadBalancing::LoadBalancer": _same("aws_elb"),
}
# Types of networks that have no row above; and those that touch no path.
NETWORKS = re.compile(r"AWS::EC2::|AWS::NetworkFirewall::|AWS::NetworkManager::|AWS::Route53Resolver::")
HARMLESS = re.compile(
    r"AWS::EC2::(EIP$|FlowLog|IPAM|NetworkInsights|LaunchTemplate|KeyPair|Volume|PlacementGroup|SpotFleet|EC2Fleet|Host"
    r"|CapacityReservation|VPCEndpointService|VPCEndpointConnection|NetworkPerformance|EnclaveCertificate|CustomerGateway"
    r"|InstanceConnectEndpoint|VerifiedAccess|SnapshotBlockPublicAccess|TransitGatewayMulticast|NetworkInterfacePermission)"
    r"|AWS::Route53Resolver::ResolverQueryLogging"
)
