"""The emulated account: a VPC, and the cluster that EKS describes."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.e2e import network
from tests.e2e.emulation import ACCOUNT, CLIENT, REGION, control
from tests.e2e.follow import follow

CLUSTER = "prod"


def client(service: str, **credentials: str) -> Any:
    """Of the account's root user, or with other credentials."""
    import boto3
    from botocore.config import Config

    # The Planner may take five minutes, and is not to be started twice.
    patient = Config(read_timeout=310, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": CLIENT["AWS_SECRET_ACCESS_KEY"], "config": patient}
    keys |= credentials
    return boto3.client(service, region_name=REGION, endpoint_url=CLIENT["AWS_ENDPOINT_URL"], **keys)


class Account:
    """The VPC with its subnets, NAT gateways and security groups; `describe_cluster` decides what EKS says."""

    def __init__(self, facts: dict[str, Any], *, subnets: int) -> None:
        """facts: what DescribeCluster says beside the network. subnets: how many of the three the cluster has."""
        self._facts = facts
        self._roles: dict[str, str] = {}
        ec2, eks, iam = (client(name) for name in ("ec2", "eks", "iam"))
        self.vpc = ec2.create_vpc(CidrBlock=network.VPC)["Vpc"]["VpcId"]
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            ec2.modify_vpc_attribute(VpcId=self.vpc, **{attribute: {"Value": True}})
        # As the default set of an account; the emulator has none.
        servers = [{"Key": "domain-name-servers", "Values": ["AmazonProvidedDNS"]}]
        options = ec2.create_dhcp_options(DhcpConfigurations=servers)["DhcpOptions"]["DhcpOptionsId"]
        ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=self.vpc)
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        public = self._subnet(ec2, "10.77.100.0/24", "a")
        self._route(ec2, public, GatewayId=gateway)
        self._subnet(ec2, network.NODES, "a")
        self._public = public
        self.nats: list[str] = []
        self.tables: list[str] = []
        self.subnets: list[str] = []
        for slot, zone in zip(network.SLOTS, "abc", strict=True):
            subnet = self._subnet(ec2, f"10.77.{slot}.0/24", zone)
            self.nats.append(self._nat(ec2))
            self.tables.append(self._route(ec2, subnet, NatGatewayId=self.nats[-1]))
            self.subnets.append(subnet)
        self.groups = [
            ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]
            for name in ("cluster", "additional")
        ]
        trust = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName="eks", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        used = {"subnetIds": self.subnets[:subnets], "securityGroupIds": self.groups[1:], "endpointPrivateAccess": True}
        eks.create_cluster(
            name=CLUSTER,
            version="1.33",
            roleArn=role,
            resourcesVpcConfig=used,
            accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"},
        )
        control("/networks", {self.subnets[slot - 1]: network.namespace(slot) for slot in network.SLOTS})
        self.describe_cluster(subnets=subnets)
        while eks.describe_cluster(name=CLUSTER)["cluster"]["status"] != "ACTIVE":
            time.sleep(0.1)
        # All of it is older than what CloudTrail lists: DHCP options of today would be a finding.
        control("/trail/forget", {})

    def role(self, name: str) -> Callable[[str], Any]:
        """Clients of a role that may do everything, as someone who has assumed it."""
        iam, account = client("iam"), f"arn:aws:iam::{ACCOUNT}:root"
        trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
        allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        if name not in self._roles:
            document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
            self._roles[name] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
            iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
        # For an hour of the emulation.
        keys = client("sts").assume_role(RoleArn=self._roles[name], RoleSessionName="session")["Credentials"]
        credentials = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        return lambda service: client(service, **credentials)

    def _subnet(self, ec2: Any, block: str, zone: str) -> str:
        made = ec2.create_subnet(VpcId=self.vpc, CidrBlock=block, AvailabilityZone=f"{REGION}{zone}")
        return str(made["Subnet"]["SubnetId"])

    def _nat(self, ec2: Any) -> str:
        made = ec2.create_nat_gateway(SubnetId=self._public, ConnectivityType="public")
        return str(made["NatGateway"]["NatGatewayId"])

    def delete_nat(self, slot: int) -> None:
        """A subnet's NAT gateway: in EC2 and on the network."""
        network.nat(slot, works=False)
        client("ec2").delete_nat_gateway(NatGatewayId=self.nats[slot - 1])

    def replace_nat(self, slot: int) -> None:
        """A new one, in the subnet's route too."""
        ec2 = client("ec2")
        self.nats[slot - 1] = self._nat(ec2)
        where = {"RouteTableId": self.tables[slot - 1], "DestinationCidrBlock": "0.0.0.0/0"}
        ec2.replace_route(**where, NatGatewayId=self.nats[slot - 1])
        network.nat(slot, works=True)

    def deny(self, slot: int) -> None:
        """A subnet's network ACL denies what leaves for the internet."""
        deny = {"RuleNumber": 90, "RuleAction": "deny", "CidrBlock": network.INTERNET, "Protocol": "-1"}
        client("ec2").create_network_acl_entry(NetworkAclId=self.own_acl(slot), Egress=True, **deny)
        self.follow()

    def repair(self) -> None:
        """The subnets' routes, network ACLs, groups and resolver let everything through again."""
        ec2, anything = client("ec2"), "0.0.0.0/0"
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsSupport={"Value": True})
        for group in self.groups:
            described = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
            if not described["IpPermissionsEgress"]:
                everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": anything}]}]
                ec2.authorize_security_group_egress(GroupId=group, IpPermissions=everything)
        for slot, table in enumerate(self.tables, 1):
            for route in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]:
                if route["DestinationCidrBlock"] in (anything, network.INTERNET):
                    ec2.delete_route(RouteTableId=table, DestinationCidrBlock=route["DestinationCidrBlock"])
            self.nats[slot - 1] = self._nat(ec2)
            ec2.create_route(RouteTableId=table, DestinationCidrBlock=anything, NatGatewayId=self.nats[slot - 1])
            self.own_acl(slot)
        self.follow()

    def own_acl(self, slot: int) -> str:
        """A new network ACL for the subnet, which allows everything."""
        ec2 = client("ec2")
        acl = str(ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"])
        allow = {"RuleNumber": 100, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", "Protocol": "-1"}
        for egress in (False, True):
            ec2.create_network_acl_entry(NetworkAclId=acl, Egress=egress, **allow)
        [association] = [
            entry["NetworkAclAssociationId"]
            for other in ec2.describe_network_acls()["NetworkAcls"]
            for entry in other["Associations"]
            if entry["SubnetId"] == self.subnets[slot - 1]
        ]
        ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
        return acl

    def follow(self) -> None:
        """The network does what EC2 says (follow.py)."""
        follow(client("ec2"), self.vpc, self.subnets, self.groups)

    def _route(self, ec2: Any, subnet: str, **target: str) -> str:
        table = str(ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"])
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        return table

    def describe_cluster(self, *, subnets: int, groups: list[str] | None = None, mode: str = "CUSTOMER_ROUTED") -> None:
        """What EKS says of the cluster from now on: in how many subnets, with which additional security groups."""
        used = {
            "vpcId": self.vpc,
            "clusterSecurityGroupId": self.groups[0],
            "securityGroupIds": self.groups[1:] if groups is None else groups,
            "subnetIds": self.subnets[:subnets],
            "controlPlaneEgressMode": mode,
        }
        control("/cluster", self._facts | {"resourcesVpcConfig": used})
