"""The network does what EC2 says of the cluster's subnets: routes, network ACLs, security groups, the resolver.

It shares no rule with the audit: what is described becomes rules of the kernel (tests/support/vpc/virtual), and packets
decide. Not followed, because no scenario changes it: the public subnet of the NAT gateways, and traffic within a subnet.
"""

from ipaddress import ip_network
from typing import Any

from egressprobe.aws.parse import ec2_parse as parse
from egressprobe.aws.parse.ec2_filters import acl, group
from tests.e2e import network
from tests.support.vpc.virtual.build import acl_chain, filter_of


def follow(ec2: Any, vpc: str, subnets: list[str], groups: list[str]) -> None:
    """subnets: by slot, from 1. groups: of the probes. ec2: the emulator's."""
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    tables = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
    acls = [acl(item) for item in ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]]
    nats = {nat["NatGatewayId"] for nat in ec2.describe_nat_gateways()["NatGateways"] if nat["State"] == "available"}
    egress = _groups([group(item) for item in ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]])
    attribute = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")
    answers = attribute["EnableDnsSupport"]["Value"]
    for slot, subnet in enumerate(subnets, 1):
        network.nat(slot, works=_leads_to(tables, subnet) in nats)
        [own] = [one for one in acls if subnet in one.subnets]
        network.rules(slot, _rules(slot, own, egress, answers=answers))


def _leads_to(tables: list[dict[str, Any]], subnet: str) -> str | None:
    """The target of the longest route to the internet's servers; none where it is a black hole or there is no route.

    https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html
    """
    parsed = [parse.route_table(table) for table in tables]
    table = next((one for one in parsed if subnet in one.subnets), None) or next(one for one in parsed if one.main)
    wanted = ip_network(network.INTERNET)
    matching = [
        route
        for route in table.routes
        if ":" not in route.destination and wanted.subnet_of(ip_network(route.destination))
    ]
    longest = max(matching, key=lambda route: ip_network(route.destination).prefixlen, default=None)
    return longest.to if longest is not None and longest.active else None


def _groups(groups: list[Any]) -> list[str]:
    """What they let out, as accepting rules; rules that name groups do not occur."""
    lines = []
    for one in groups:
        for rule in one.egress:
            assert not rule.groups, rule
            lines += [
                f"ip daddr {block} {filter_of(rule.protocol, rule.ports)} accept"
                for block in rule.blocks
                if ":" not in block
            ]
    return lines


def _rules(slot: int, own: Any, egress: list[str], *, answers: bool) -> str:
    """Neither ACLs nor groups concern the resolver, and ACLs not what stays in the subnet.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html#nacl-basics
    """
    resolvers, subnet = f"{{ {network.RESOLVER}, {network.LINK_LOCAL_RESOLVER} }}", f"10.77.{slot}.0/24"
    return f"""table inet vpc {{
{acl_chain("leaving", own, egress=True)}
{acl_chain("entering", own, egress=False)}
chain output {{ type filter hook output priority 0; policy accept;
  oifname "lo" accept
  ip daddr {resolvers} {"accept" if answers else "drop"}
  ip daddr {subnet} accept
  jump leaving
}}
chain input {{ type filter hook input priority 0; policy accept;
  iifname "lo" accept
  ip saddr {resolvers} accept
  ip saddr {subnet} accept
  jump entering
}}
chain groups {{ type filter hook output priority -10; policy drop;
  oifname "lo" accept
  ct state established,related accept
  ip daddr {resolvers} accept
{chr(10).join(f"  {line}" for line in egress)}
}}
}}"""
