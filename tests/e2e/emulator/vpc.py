"""EC2's network ACLs and NAT gateways: what ministack answers otherwise than AWS."""

import itertools
from typing import Any

from ministack.services import ec2


def install() -> None:
    _network_acls_of_subnets()
    _ports_of_network_acls()
    _addresses_of_nat_gateways()
    _states_of_routes()


def _network_acls_of_subnets() -> None:
    """A new subnet has the VPC's default network ACL; ministack associates none, and forgets the subnet of a replaced one.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html
    """
    create, replace = ec2._ACTION_MAP["CreateSubnet"], ec2._ACTION_MAP["ReplaceNetworkAclAssociation"]

    def create_subnet(parameters: Any) -> Any:
        before = set(ec2._subnets)
        answer = create(parameters)
        for subnet in set(ec2._subnets) - before:
            [acl] = [
                acl
                for acl in ec2._network_acls.values()
                if acl["IsDefault"] and acl["VpcId"] == ec2._subnets[subnet]["VpcId"]
            ]
            association = {"NetworkAclAssociationId": f"aclassoc-{subnet}", "NetworkAclId": acl["NetworkAclId"]}
            acl["Associations"].append(association | {"SubnetId": subnet})
        return answer

    def replace_association(parameters: Any) -> Any:
        before = {a["NetworkAclAssociationId"]: a["SubnetId"] for a in associations()}
        answer = replace(parameters)
        after = {a["NetworkAclAssociationId"]: a for a in associations()}
        gone = [before[identifier] for identifier in before.keys() - after.keys()]
        for identifier in after.keys() - before.keys():
            [after[identifier]["SubnetId"]] = gone
        return answer

    def associations() -> list[dict[str, Any]]:
        return [association for acl in ec2._network_acls.values() for association in acl["Associations"]]

    ec2._ACTION_MAP |= {"CreateSubnet": create_subnet, "ReplaceNetworkAclAssociation": replace_association}


def _addresses_of_nat_gateways() -> None:
    """A public NAT gateway has an Elastic IP address and a private one; ministack lists none.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGatewayAddress.html
    """
    describe, numbers = ec2._ACTION_MAP["DescribeNatGateways"], itertools.count(10)
    addresses: dict[str, int] = {}

    def described(parameters: Any) -> Any:
        status, headers, body = describe(parameters)
        parts = body.decode().split("<natGatewayAddressSet/>")
        for i, part in enumerate(parts[:-1]):
            gateway = part.rpartition("<natGatewayId>")[2].partition("<")[0]
            if gateway not in addresses:
                addresses[gateway] = next(numbers)
            number = addresses[gateway]
            fields = {
                "allocationId": f"eipalloc-{gateway}",
                "privateIp": f"10.77.100.{number}",
                "publicIp": f"203.0.113.{number}",
                "isPrimary": "true",
                "status": "succeeded",
            }
            item = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
            parts[i] = f"{part}<natGatewayAddressSet><item>{item}</item></natGatewayAddressSet>"
        return status, headers, "".join(parts).encode()

    ec2._ACTION_MAP["DescribeNatGateways"] = described


def _states_of_routes() -> None:
    """A route whose target has been deleted is a black hole; ministack calls every route active.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
    """
    describe = ec2._ACTION_MAP["DescribeRouteTables"]

    def described(parameters: Any) -> Any:
        nats = {name for name, nat in ec2._nat_gateways.items() if nat["State"] == "available"}
        peerings = {name for name, one in ec2._vpc_peering.items() if one["Status"]["Code"] == "active"}
        for table in ec2._route_tables.values():
            for route in table["Routes"]:
                targets = {route.get("NatGatewayId"), route.get("VpcPeeringConnectionId")} - {None}
                route["State"] = "active" if targets <= nats | peerings else "blackhole"
        return describe(parameters)

    ec2._ACTION_MAP["DescribeRouteTables"] = described


def _ports_of_network_acls() -> None:
    """An entry for TCP or UDP has a range of ports; ministack keeps none.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAclEntry.html
    """
    entry_xml = ec2._network_acl_entry_xml

    def with_ports(write: Any) -> Any:
        def written(parameters: Any) -> Any:
            answer = write(parameters)
            if answer[0] == 200 and ec2._p(parameters, "PortRange.From"):
                ports = tuple(int(ec2._p(parameters, f"PortRange.{end}")) for end in ("From", "To"))
                ec2._network_acls[ec2._p(parameters, "NetworkAclId")]["Entries"][-1]["PortRange"] = ports
            return answer

        return written

    def entry_with_ports(entry: dict[str, Any]) -> str:
        text: str = entry_xml(entry)
        if "PortRange" not in entry:
            return text
        first, last = entry["PortRange"]
        return text.replace("</item>", f"<portRange><from>{first}</from><to>{last}</to></portRange></item>")

    for action in ("CreateNetworkAclEntry", "ReplaceNetworkAclEntry"):
        ec2._ACTION_MAP[action] = with_ports(ec2._ACTION_MAP[action])
    ec2._network_acl_entry_xml = entry_with_ports
