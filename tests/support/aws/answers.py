"""One VPC and its cluster as AWS answers: operation -> response, by the API references; and clients that return them.

Two subnets, a NAT gateway, a transit gateway, and one thing of each other kind that a snapshot reads.
"""

import io
import json
from datetime import UTC, datetime

from botocore.exceptions import ClientError

VPC, A, PUBLIC, GROUP, REGION = "vpc-1", "subnet-a", "subnet-p", "sg-1", "eu-west-1"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/eks"
_ASSOCIATED = {"Ipv6CidrBlock": "2001:db9:0:101::/64", "Ipv6CidrBlockState": {"State": "associated"}}


def _entries():
    last = [
        {"RuleNumber": number, "Egress": egress, "RuleAction": action, "Protocol": "-1", "CidrBlock": "0.0.0.0/0"}
        for egress in (False, True)
        for number, action in ((100, "allow"), (32767, "deny"))
    ]
    denied = {"RuleNumber": 90, "Egress": True, "RuleAction": "deny", "Protocol": "6"}
    return [*last, denied | {"CidrBlock": "198.51.100.0/24", "PortRange": {"From": 443, "To": 443}}]


def _subnet(name, cidr, **more):
    return {
        "SubnetId": name,
        "VpcId": VPC,
        "AvailabilityZone": f"{REGION}a",
        "OwnerId": ACCOUNT,
        "CidrBlock": cidr,
    } | more


def _route(destination, **target):
    return {"DestinationCidrBlock": destination, "State": "active", "Origin": "CreateRoute"} | target


_LOCAL = _route("10.0.0.0/16", GatewayId="local")
BALANCER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/hooks/0123456789abcdef"
EC2 = {
    "describe_vpcs": {
        "Vpcs": [
            {
                "VpcId": VPC,
                "OwnerId": ACCOUNT,
                "CidrBlock": "10.0.0.0/16",
                "DhcpOptionsId": "dopt-1",
                "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}],
                "Ipv6CidrBlockAssociationSet": [_ASSOCIATED | {"Ipv6CidrBlock": "2001:db9:0:100::/56"}],
            }
        ]
    },
    # Of those behind the transit gateway; what is in it is described as the cluster's own is.
    "describe_vpcs by filter": {"Vpcs": [{"VpcId": "vpc-3", "OwnerId": "2", "CidrBlock": "172.16.0.0/12"}]},
    "describe_transit_gateway_route_tables": {
        "TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": "tgw-rtb-1", "State": "available"}]
    },
    "search_transit_gateway_routes": {
        "Routes": [
            {
                "DestinationCidrBlock": "172.16.0.0/12",
                "State": "active",
                "Type": "propagated",
                "TransitGatewayAttachments": [
                    {"TransitGatewayAttachmentId": "a-3", "ResourceType": "vpc", "ResourceId": "vpc-3"}
                ],
            },
            {"DestinationCidrBlock": "172.20.0.0/16", "State": "blackhole", "Type": "static"},
        ],
        "AdditionalRoutesAvailable": False,
    },
    "get_transit_gateway_route_table_associations": {
        "Associations": [{"TransitGatewayAttachmentId": name, "State": "associated"} for name in ("a-1", "a-3")]
    },
    "describe_subnets": {
        "Subnets": [
            _subnet(A, "10.0.1.0/24", AvailableIpAddressCount=200, Ipv6CidrBlockAssociationSet=[_ASSOCIATED]),
            _subnet(PUBLIC, "10.0.9.0/24", AvailableIpAddressCount=200),
        ]
    },
    "describe_route_tables": {
        "RouteTables": [
            {"RouteTableId": "rtb-main", "Associations": [{"Main": True}], "Routes": [_LOCAL]},
            {
                "RouteTableId": "rtb-private",
                "Associations": [{"SubnetId": A, "AssociationState": {"State": "associated"}}],
                "Routes": [
                    _LOCAL,
                    _route("0.0.0.0/0", NatGatewayId="nat-1"),
                    _route("172.16.0.0/12", TransitGatewayId="tgw-1"),
                    _route("203.0.113.0/24", NatGatewayId="nat-1") | {"State": "blackhole"},
                    {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1", "State": "active"},
                    _route("198.18.0.0/15", GatewayId="vpce-2"),
                ],
            },
            {
                "RouteTableId": "rtb-public",
                "Associations": [{"SubnetId": PUBLIC, "AssociationState": {"State": "associated"}}],
                "Routes": [_LOCAL, _route("0.0.0.0/0", GatewayId="igw-1")],
            },
        ]
    },
    "describe_network_acls": {
        "NetworkAcls": [
            {"NetworkAclId": f"acl-{name}", "Associations": [{"SubnetId": name}], "Entries": _entries()}
            for name in (A, PUBLIC)
        ]
    },
    "describe_security_groups": {
        "SecurityGroups": [
            {
                "GroupId": GROUP,
                "GroupName": "cluster",
                "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": GROUP}]}],
                "IpPermissionsEgress": [
                    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
                    {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "PrefixListIds": [{"PrefixListId": "pl-1"}]},
                ],
            }
        ]
    },
    "describe_network_interfaces": {
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": "eni-a",
                "SubnetId": A,
                "Groups": [{"GroupId": GROUP}],
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.20"}],
                "Description": "Amazon EKS prod",
                "InterfaceType": "interface",
                "Status": "in-use",
                "SourceDestCheck": True,
            },
            {
                "NetworkInterfaceId": "eni-nat",
                "SubnetId": PUBLIC,
                "Groups": [],
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.9.5", "Association": {"PublicIp": "203.0.113.9"}}],
                "InterfaceType": "nat_gateway",
                "Status": "in-use",
            },
            {
                "NetworkInterfaceId": "eni-lb",
                "SubnetId": A,
                "Groups": [{"GroupId": GROUP}],
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.50"}],
                "Description": "ELB net/hooks/0123456789abcdef",
                "InterfaceType": "network_load_balancer",
                "Status": "in-use",
            },
        ]
    },
    "describe_nat_gateways": {
        "NatGateways": [
            {
                "NatGatewayId": "nat-1",
                "State": "available",
                "SubnetId": PUBLIC,
                "ConnectivityType": "public",
                "NatGatewayAddresses": [{"PrivateIp": "10.0.9.5", "PublicIp": "203.0.113.9", "Status": "succeeded"}],
            }
        ]
    },
    "describe_transit_gateway_vpc_attachments": {
        "TransitGatewayVpcAttachments": [
            {"TransitGatewayAttachmentId": "a-1", "TransitGatewayId": "tgw-1", "State": "available", "SubnetIds": [A]}
        ]
    },
    "describe_vpc_endpoints": {
        "VpcEndpoints": [
            {"VpcEndpointId": "vpce-1", "VpcEndpointType": "Gateway", "ServiceName": "s3", "State": "available"},
            {
                "VpcEndpointId": "vpce-2",
                "VpcEndpointType": "GatewayLoadBalancer",
                "ServiceName": "com.amazonaws.vpce.eu-west-1.vpce-svc-1",
                "State": "available",
                "SubnetIds": [PUBLIC],
            },
        ]
    },
    "describe_internet_gateways": {
        "InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": VPC, "State": "available"}]}]
    },
    "describe_egress_only_internet_gateways": {"EgressOnlyInternetGateways": []},
    "describe_vpn_gateways": {"VpnGateways": []},
    "describe_vpc_peering_connections": {
        "VpcPeeringConnections": [
            {
                "VpcPeeringConnectionId": "pcx-1",
                "Status": {"Code": "active"},
                "AccepterVpcInfo": {"VpcId": VPC, "CidrBlock": "10.0.0.0/16"},
                "RequesterVpcInfo": {"VpcId": "vpc-2", "CidrBlockSet": [{"CidrBlock": "10.99.0.0/16"}]},
            }
        ]
    },
    "get_managed_prefix_list_entries": {"Entries": [{"Cidr": "52.218.0.0/17"}]},
    "describe_dhcp_options": {
        "DhcpOptions": [
            {
                "DhcpOptionsId": "dopt-1",
                "DhcpConfigurations": [{"Key": "domain-name-servers", "Values": [{"Value": "AmazonProvidedDNS"}]}],
            }
        ]
    },
    "describe_vpc_attribute": {"EnableDnsSupport": {"Value": True}, "EnableDnsHostnames": {"Value": True}},
    "describe_vpc_block_public_access_options": {
        "VpcBlockPublicAccessOptions": {"InternetGatewayBlockMode": "block-ingress"}
    },
    "describe_vpc_block_public_access_exclusions": {
        "VpcBlockPublicAccessExclusions": [
            {
                "ResourceArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:subnet/{PUBLIC}",
                "InternetGatewayExclusionMode": "allow-egress",
                "State": "create-complete",
            }
        ]
    },
    "describe_vpc_encryption_controls": {
        "VpcEncryptionControls": [
            {
                "VpcEncryptionControlId": "vpcec-1",
                "Mode": "monitor",
                "State": "available",
                "ResourceExclusions": {"NatGateway": {"State": "enabled"}},
            }
        ]
    },
}
RESOLVER = {
    "list_resolver_rule_associations": {
        "ResolverRuleAssociations": [{"ResolverRuleId": "rslvr-1", "Status": "COMPLETE"}]
    },
    "list_resolver_rules": {
        "ResolverRules": [
            {
                "Id": "rslvr-1",
                "DomainName": "corp.example.",
                "RuleType": "FORWARD",
                "TargetIps": [{"Ip": "10.0.0.9", "Port": 53}],
            }
        ]
    },
    "list_firewall_rule_group_associations": {
        "FirewallRuleGroupAssociations": [{"FirewallRuleGroupId": "rslvr-frg-1", "Priority": 101}]
    },
    "list_firewall_rules": {
        "FirewallRules": [{"Name": "all", "Action": "BLOCK", "Priority": 1, "FirewallDomainListId": "rslvr-fdl-1"}]
    },
    "list_firewall_domains": {"Domains": ["blocked.example."]},
}
ROUTE53 = {"list_hosted_zones_by_vpc": {"HostedZoneSummaries": [{"HostedZoneId": "Z1", "Name": "private.example."}]}}
IAM = {"simulate_principal_policy": {"EvaluationResults": [{"EvalDecision": "allowed"}] * 2}}
CLOUDTRAIL = {
    "lookup_events": {"Events": [{"EventTime": datetime(2026, 1, 1, tzinfo=UTC), "Resources": [{"ResourceName": VPC}]}]}
}
ELB = {
    "describe_load_balancers": {
        "LoadBalancers": [
            {
                "LoadBalancerArn": BALANCER,
                "VpcId": VPC,
                "Type": "network",
                "State": {"Code": "active"},
                "SecurityGroups": [GROUP],
            }
        ]
    },
    "describe_load_balancer_attributes": {
        "Attributes": [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    },
    "describe_listeners": {
        "Listeners": [{"Port": 443, "Protocol": "TCP", "DefaultActions": [{"Type": "forward", "TargetGroupArn": "tg"}]}]
    },
    "describe_target_groups": {"TargetGroups": [{"TargetGroupArn": "tg", "TargetType": "ip"}]},
    "describe_target_group_attributes": {"Attributes": [{"Key": "preserve_client_ip.enabled", "Value": "true"}]},
    "describe_target_health": {
        "TargetHealthDescriptions": [{"Target": {"Id": "10.0.1.7", "Port": 9443}, "TargetHealth": {"State": "healthy"}}]
    },
}
FIREWALL_ARN = f"arn:aws:network-firewall:{REGION}:{ACCOUNT}"
FIREWALL = {
    "list_firewalls": {"Firewalls": [{"FirewallName": "fw", "FirewallArn": f"{FIREWALL_ARN}:firewall/fw"}]},
    "describe_firewall": {
        "Firewall": {
            "FirewallName": "fw",
            "FirewallId": "00000000-0000-0000-0000-000000000001",
            "FirewallArn": f"{FIREWALL_ARN}:firewall/fw",
            "FirewallPolicyArn": f"{FIREWALL_ARN}:firewall-policy/egress",
            "VpcId": VPC,
            "SubnetMappings": [{"SubnetId": PUBLIC}],
        },
        "FirewallStatus": {
            "Status": "READY",
            "ConfigurationSyncStateSummary": "IN_SYNC",
            "SyncStates": {
                f"{REGION}a": {
                    "Attachment": {"SubnetId": PUBLIC, "EndpointId": "vpce-2", "Status": "READY"},
                    "Config": {f"{FIREWALL_ARN}:firewall-policy/egress": {"SyncStatus": "IN_SYNC"}},
                }
            },
        },
    },
    "describe_firewall_policy": {
        "FirewallPolicy": {
            "StatelessDefaultActions": ["aws:forward_to_sfe"],
            "StatelessFragmentDefaultActions": ["aws:drop"],
            "StatefulRuleGroupReferences": [
                {"ResourceArn": f"{FIREWALL_ARN}:stateful-rulegroup/names", "Priority": 10},
                {
                    "ResourceArn": "arn:aws:network-firewall:eu-west-1:aws-managed:stateful-rulegroup/Threats",
                    "Priority": 20,
                    "Override": {"Action": "DROP_TO_ALERT"},
                },
            ],
            "StatefulDefaultActions": ["aws:drop_established_app_layer", "aws:alert_established_app_layer"],
            "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER", "StreamExceptionPolicy": "REJECT"},
        }
    },
    "describe_rule_group": {
        "RuleGroup": {
            "RuleVariables": {"IPSets": {"HOME_NET": {"Definition": ["10.0.0.0/8"]}}},
            "RulesSource": {
                "RulesSourceList": {
                    "Targets": [".example.com"],
                    "TargetTypes": ["TLS_SNI"],
                    "GeneratedRulesType": "ALLOWLIST",
                }
            },
            "StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"},
        },
        "RuleGroupResponse": {"Type": "STATEFUL", "RuleGroupStatus": "ACTIVE"},
    },
}
SERVICES = {
    "ec2": EC2,
    "route53resolver": RESOLVER,
    "route53": ROUTE53,
    "iam": IAM,
    "cloudtrail": CLOUDTRAIL,
    "elbv2": ELB,
    "network-firewall": FIREWALL,
}
EKS = {
    "describe_cluster": {
        "cluster": {
            "name": "prod",
            "version": "1.33",
            "status": "ACTIVE",
            "endpoint": "https://x.gr7.eu-west-1.eks.amazonaws.com",
            "roleArn": ROLE,
            "certificateAuthority": {"data": "eA=="},
            "identity": {"oidc": {"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/X"}},
            "kubernetesNetworkConfig": {"ipFamily": "ipv4"},
            "resourcesVpcConfig": {
                "vpcId": VPC,
                "subnetIds": [A],
                "clusterSecurityGroupId": GROUP,
                "securityGroupIds": [],
                "controlPlaneEgressMode": "CUSTOMER_ROUTED",
            },
            "remoteNetworkConfig": {"remoteNodeNetworks": [{"cidrs": ["10.200.0.0/16"]}]},
            "accessConfig": {"authenticationMode": "API"},
        }
    },
    "list_identity_provider_configs": {"identityProviderConfigs": [{"type": "oidc", "name": "corp"}]},
    "describe_identity_provider_config": {
        "identityProviderConfig": {"oidc": {"issuerUrl": "https://idp.example/r", "status": "ACTIVE"}}
    },
}


class ResourceNotFoundException(ClientError):  # noqa: N818 (boto3's name)
    """What clients raise for what is not there."""


class ConflictException(ClientError):  # noqa: N818 (boto3's name)
    """What the scheduler raises for what is there."""


class AnsweringClient:
    """A boto3 client: each operation returns its answer, whatever the parameters; an exception is raised instead."""

    class exceptions:  # noqa: N801 (boto3's name)
        ResourceNotFoundException = ResourceNotFoundException
        ConflictException = ConflictException
        ClientError = ClientError

    def __init__(self, service, answers):
        self._answers = answers
        model = type("Model", (), {"service_name": service, "shape_for": lambda *_: type("Shape", (), {"members": {"controlPlaneEgressMode": 1}})})  # fmt: skip
        self.meta = type("Meta", (), {"service_model": model(), "method_to_api_mapping": {}})

    def __getattr__(self, operation):
        def call(**parameters):
            special = f"{operation} by filter"
            answer = self._answers[special if "Filters" in parameters and special in self._answers else operation]
            if isinstance(answer, Exception):
                raise answer
            if operation == "invoke" and isinstance(answer, dict) and isinstance(answer.get("Payload"), bytes):
                return answer | {"Payload": io.BytesIO(answer["Payload"])}
            return answer

        return call

    def can_paginate(self, operation):
        return operation != "list_hosted_zones_by_vpc"

    def get_paginator(self, operation):
        read = getattr(self, operation)
        return type("Pages", (), {"paginate": lambda _, **parameters: [read(**parameters)]})()


def payload(value):
    """A function's response."""
    return {"StatusCode": 200, "Payload": json.dumps(value).encode()}
