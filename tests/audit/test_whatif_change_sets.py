"""Change sets of CloudFormation tried on the healthy VPC, each beside the VPC that it makes, written by hand."""

import json

import pytest
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import AclEntry, Group, Permission, Route
from egressprobe.audit.whatif.cloudformation.change_set import is_change_set, read_change_sets
from egressprobe.audit.whatif.compare import whatif
from egressprobe.cli.common.exit_codes import EXIT_CODES
from tests.audit.test_whatif import LISTED, states_of
from tests.support.change_sets import LATER, change_set, resource
from tests.support.vpc.plans import BASE, MOVED, NO_WEB
from tests.support.vpc.snapshots import CLUSTER_SG, POD_SG, PODS, PUBLIC, A, B, acl, group, routes, swap

DEFAULT = {"RouteTableId": "rtb-private", "DestinationCidrBlock": "0.0.0.0/0"}
TEMPLATE = {
    "Resources": {
        "Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": PUBLIC}},
        "DefaultRoute": {
            "Type": "AWS::EC2::Route",
            "Properties": DEFAULT | {"NatGatewayId": {"Fn::If": ["Own", {"Ref": "Nat"}, {"Ref": "AWS::NoValue"}]}},
        },
        "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"VpcId": "vpc-1"}},
        "Cluster": {
            "Type": "AWS::EKS::Cluster",
            "Properties": {"ResourcesVpcConfig": {"SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}]}},
        },
    }
}
CLUSTER = {"Name": "prod", "ResourcesVpcConfig": {"SubnetIds": [A, B], "SecurityGroupIds": []}}
MOVE = change_set(
    resource("Nat", "EC2::NatGateway", after={"SubnetId": PUBLIC, "AllocationId": LATER}),
    resource("DefaultRoute", "EC2::Route", DEFAULT | {"NatGatewayId": "nat-1"}, DEFAULT | {"NatGatewayId": LATER},
             "rtb-private|0.0.0.0/0"),
    resource("OldNat", "EC2::NatGateway", {"SubnetId": PUBLIC}, None, "nat-1"),
)  # fmt: skip
# Change set, template, the VPC afterwards, (target, subnet) -> effect, exit code, the VPC before.
CASES = {
    "a route away": (change_set(resource("R", "EC2::Route", DEFAULT | {"NatGatewayId": "nat-1"}, None, "rtb|x")), None,
                     NO_WEB, {("web", A): "closes", ("web", B): "closes"}, 3, BASE),
    "a route by the console's JSON": (
        {"changes": [{"type": "Resource", "resourceChange": {
            key[:1].lower() + key[1:]: value
            for key, value in resource("R", "EC2::Route", None, DEFAULT | {"NatGatewayId": "nat-1"})["ResourceChange"].items()
        }}]}, None, BASE, {("web", A): "opens", ("web", B): "opens"}, 0, NO_WEB),
    "a new NAT gateway, by the template": (MOVE, TEMPLATE, MOVED, {}, 0, BASE),
    "a new NAT gateway, without the template": (
        MOVE, None, None, {(name, subnet): "unknown" for name in ("web", "web6", "corp", "peer", "pod")
                           for subnet in (A, B)}, 4, BASE),
    "an ACL entry": (
        change_set(resource("E", "EC2::NetworkAclEntry", None,
                            {"NetworkAclId": f"acl-{PODS}", "RuleNumber": 90, "Protocol": 6, "RuleAction": "deny",
                             "Egress": False, "CidrBlock": "10.0.1.0/24", "PortRange": {"From": 9443, "To": 9443}})),
        None, acl(BASE, PODS, AclEntry(90, False, False, 6, "10.0.1.0/24", (9443, 9443))), {("pod", A): "closes"}, 3, BASE),
    "an ACL entry changed in place": (
        change_set(resource("E", "EC2::NetworkAclEntry",
                            *({"NetworkAclId": f"acl-{PODS}", "RuleNumber": 90, "Protocol": 6, "RuleAction": "deny",
                               "Egress": False, "CidrBlock": cidr} for cidr in ("10.0.1.0/24", "10.0.7.0/24")), "x")),
        None, acl(BASE, PODS, AclEntry(90, False, False, 6, "10.0.7.0/24")), {("pod", A): "opens"}, 0,
        acl(BASE, PODS, AclEntry(90, False, False, 6, "10.0.1.0/24"))),
    "an inline rule of a group": (
        change_set(resource("G", "EC2::SecurityGroup",
                            *({"VpcId": "vpc-1", "GroupDescription": "pods", "SecurityGroupIngress": [
                                {"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
                                 "SourceSecurityGroupId": CLUSTER_SG}]} for port in (9443, 443)), POD_SG)),
        None, group(BASE, POD_SG, ingress=(Permission(6, (443, 443), groups=(CLUSTER_SG,)),)),
        {("pod", A): "closes", ("pod", B): "closes"}, 3, BASE),
    "a rule of a group": (
        change_set(resource("I", "EC2::SecurityGroupIngress",
                            {"GroupId": POD_SG, "IpProtocol": "tcp", "FromPort": 9443, "ToPort": 9443,
                             "SourceSecurityGroupId": CLUSTER_SG}, None, "x")),
        None, group(BASE, POD_SG, ingress=()), {("pod", A): "closes", ("pod", B): "closes"}, 3, BASE),
    "an association moved": (
        change_set(resource("Assoc", "EC2::SubnetRouteTableAssociation", {"RouteTableId": "rtb-private", "SubnetId": A},
                            {"RouteTableId": "rtb-public", "SubnetId": A}, "rtbassoc-1")),
        None, replace(BASE, route_tables=swap(swap(BASE.route_tables, "rtb-private", subnets=(B, PODS)),
                                              "rtb-public", subnets=(PUBLIC, A))),
        {(name, A): "closes" for name in ("web", "web6", "corp", "peer")}, 3, BASE),
    "a group for the cluster": (
        change_set(
            resource("Group", "EC2::SecurityGroup", after={
                "VpcId": "vpc-1", "SecurityGroupEgress": [
                    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}]}),
            resource("Cluster", "EKS::Cluster", CLUSTER,
                     CLUSTER | {"ResourcesVpcConfig": {"SubnetIds": [A, B], "SecurityGroupIds": [LATER]}}, "prod")),
        TEMPLATE,
        replace(group(BASE, CLUSTER_SG, egress=()),
                groups=(*group(BASE, CLUSTER_SG, egress=()).groups,
                        Group("sg-2", "", (), (Permission(6, (443, 443), ("0.0.0.0/0",)),))),
                interfaces=tuple(replace(one, groups=(CLUSTER_SG, "sg-2")) if one.id in ("eni-a", "eni-b") else one
                                 for one in BASE.interfaces)),
        {("web", A): "opens", ("web", B): "opens", **{(name, subnet): "unknown" for name in ("corp", "peer")
                                                      for subnet in (A, B)}}, 4, group(BASE, CLUSTER_SG, egress=())),
    "a gateway detached that is in use": (
        change_set(resource("At", "EC2::VPCGatewayAttachment", {"VpcId": "vpc-1", "InternetGatewayId": "igw-1"}, None, "x")),
        None, BASE, {}, 4, BASE),
    "a nested stack": (
        change_set(resource("Net", "CloudFormation::Stack", {}, {}, "arn:x", ChangeSetId="arn:nested")), None, None,
        {(name, subnet): "unknown" for name in ("web", "web6", "corp", "peer", "pod") for subnet in (A, B)}, 4, BASE),
    "a nested stack with its change set": (
        [change_set(resource("Net", "CloudFormation::Stack", {}, {}, "arn:x", ChangeSetId="arn:nested")),
         change_set(resource("R", "EC2::Route", DEFAULT | {"NatGatewayId": "nat-1"}, None, "x"), ChangeSetId="arn:nested")],
        None, NO_WEB, {("web", A): "closes", ("web", B): "closes"}, 3, BASE),
    "without property values": (
        change_set({"Type": "Resource", "ResourceChange": {
            "Action": "Modify", "LogicalResourceId": "R", "PhysicalResourceId": "rtb-private|0.0.0.0/0",
            "ResourceType": "AWS::EC2::Route", "Replacement": "False"}}), None, None,
        {(name, subnet): "unknown" for name in ("web", "web6", "corp", "peer", "pod") for subnet in (A, B)}, 4, BASE),
    "what a stack has besides": (
        change_set(resource("Role", "IAM::Role", None, {"RoleName": "x"}), resource("Log", "EC2::FlowLog", None, {}),
                   resource("R", "EC2::Route", DEFAULT | {"NatGatewayId": "nat-1", "Tags": []},
                            DEFAULT | {"NatGatewayId": "nat-1", "Tags": [{"Key": "a"}]}, "x")), None, BASE, {}, 0, BASE),
    "a type without a row": (
        change_set(resource("C", "EC2::CarrierGateway", None, {"RouteTableId": "rtb-public"})), None, None,
        {("web", A): "unknown", ("web", B): "unknown"}, 4, BASE),
    "a route to another target in place": (
        change_set(resource("R", "EC2::Route", DEFAULT | {"NatGatewayId": "nat-1"}, DEFAULT | {"GatewayId": "igw-1"}, "x")),
        None, routes(BASE, "rtb-private", Route("0.0.0.0/0", "internet", "igw-1")),
        {("web", A): "closes", ("web", B): "closes"}, 3, BASE),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_change_set(name):
    document, template, after, effects, code, before = CASES[name]
    document = json.loads(json.dumps(document))
    assert is_change_set(document)
    result = whatif(before, read_change_sets(document, template), LISTED)
    assert {(path.target, path.subnet): path.effect for path in result.paths} == effects, result
    assert EXIT_CODES[result.verdict] == code, result
    if after is not None:
        audited = states_of(before) | {(path.target, path.subnet): path.after for path in result.paths}
        assert audited == states_of(after)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (change_set(Status="FAILED", StatusReason="No updates are to be performed."), "is FAILED: No updates"),
        (change_set(NextToken="x"), "only the first page"),
        ({"Changes": 7}, "Changes is not a list"),
        ({"Changes": [{"ResourceChange": 7}]}, "is not an object"),
        ({"Changes": [{"ResourceChange": {"Action": "Add"}}]}, "has no LogicalResourceId"),
        (change_set(resource("R", "EC2::Route", None, {}, AfterContext="{")), "AfterContext of R is not JSON"),
    ],
)
def test_what_is_not_a_whole_change_set(document, words):
    with pytest.raises(ValueError, match=words):
        read_change_sets(document)
