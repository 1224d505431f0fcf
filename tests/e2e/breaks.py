"""What breaks in the VPC's configuration, each as EC2's calls of someone with the role `deployer`.

The network follows what EC2 says afterwards (follow.py). `slot` is the subnet's number, from 1.
"""

from collections.abc import Callable
from typing import Any

from tests.e2e import network
from tests.e2e.account import Account

ANY = "0.0.0.0/0"
# What clients' answers come to: https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports
EPHEMERAL = {"From": 1024, "To": 65535}


class Breaks:
    """Each method breaks one thing and returns the id of the element that a message must name."""

    def __init__(self, account: Account) -> None:
        self._account, self._clients = account, account.role("deployer")

    def black_hole(self, slot: int) -> str:
        """A route to the servers by a peering connection that is deleted."""
        ec2, account = self._ec2, self._account
        other = ec2.create_vpc(CidrBlock="10.78.0.0/16")["Vpc"]["VpcId"]
        peering = ec2.create_vpc_peering_connection(VpcId=account.vpc, PeerVpcId=other)["VpcPeeringConnection"]
        identifier = peering["VpcPeeringConnectionId"]
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=identifier)
        where = {"RouteTableId": account.tables[slot - 1], "DestinationCidrBlock": network.INTERNET}
        ec2.create_route(**where, VpcPeeringConnectionId=identifier)
        ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=identifier)
        account.follow()
        return account.tables[slot - 1]

    def no_nat_gateway(self, slot: int) -> str:
        self._ec2.delete_nat_gateway(NatGatewayId=self._account.nats[slot - 1])
        self._account.follow()
        return self._account.nats[slot - 1]

    def no_route(self, slot: int) -> str:
        self._ec2.delete_route(RouteTableId=self._account.tables[slot - 1], DestinationCidrBlock=ANY)
        self._account.follow()
        return self._account.tables[slot - 1]

    def acl_denies_leaving(self, slot: int) -> str:
        return self._deny(slot, Egress=True, CidrBlock=network.INTERNET, Protocol="-1")

    def acl_denies_answers(self, slot: int) -> str:
        return self._deny(slot, Egress=False, CidrBlock=network.INTERNET, Protocol="6", PortRange=EPHEMERAL)

    def groups_let_nothing_out(self) -> str:
        """Each of the control plane's groups loses its rule that allows everything."""
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}]}]
        for group in self._account.groups:
            self._ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
        self._account.follow()
        return self._account.groups[0]

    def no_dns(self) -> str:
        """The VPC's resolver is off."""
        self._ec2.modify_vpc_attribute(VpcId=self._account.vpc, EnableDnsSupport={"Value": False})
        self._account.follow()
        return self._account.vpc

    def _deny(self, slot: int, **entry: Any) -> str:
        """The subnet's own network ACL, which allows everything but the entry."""
        acl = self._account.own_acl(slot)
        self._ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=90, RuleAction="deny", **entry)
        self._account.follow()
        return acl

    @property
    def _ec2(self) -> Any:
        return self._clients("ec2")


type Break = Callable[[Breaks], str]
