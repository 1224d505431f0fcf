"""Reading a VPC: what AWS answers becomes the snapshot, page by page, whatever may not be read and however it slows."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import ANY, Stubber
from moto import mock_aws
from msgspec.structs import asdict

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import (
    AclEntry,
    Encryption,
    Exclusion,
    Permission,
    PublicAccess,
    Route,
    from_json,
    to_json,
)
from egressprobe.audit.vpc.snapshot_dns import DnsFirewallRule
from egressprobe.audit.vpc.topology import Topology
from egressprobe.aws import ec2 as ec2lists
from egressprobe.aws import lists
from egressprobe.aws import vpc_dns as dnslists
from egressprobe.aws.cluster import look_at_cluster
from egressprobe.aws.eks import Cluster
from egressprobe.aws.paging import ReadRefused, every
from egressprobe.aws.parse import ec2_filters as filters
from egressprobe.aws.parse import ec2_parse as parse
from egressprobe.aws.vpc_snapshot import Readers, read_snapshot, readers
from egressprobe.model.errors import AwsError
from tests.support.aws import answers
from tests.support.vpc.vpcs import make, moto_session

REGION = "us-east-1"


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield moto_session()


def cluster_of(vpc, **more):
    return Cluster("1.35", "ipv4", "CUSTOMER_ROUTED", "ACTIVE", "prod", vpc=vpc, **more)


def a_vpc(session):
    return session.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


def test_a_vpc_of_moto_is_read_whole_and_twice_the_same(session):
    """Everything that a generated VPC has is there, in an order that does not depend on AWS's."""
    clients = readers(session)
    found = make(clients, "a seed").snapshot
    assert {one.gate for table in found.route_tables for one in table.routes} >= {"local", "nat", "internet"}
    assert len(found.acls) >= 2
    assert all(one.id == sorted(o.id for o in found.subnets)[i] for i, one in enumerate(found.subnets))
    assert from_json(to_json(found)) == found
    Topology(found)
    again = read_snapshot(clients, cluster_of(found.vpc.id), region=REGION)
    twice = read_snapshot(clients, cluster_of(found.vpc.id), region=REGION)
    assert asdict(again) | {"taken_at": ""} == asdict(twice) | {"taken_at": ""}


def test_what_moto_lacks_is_told_by_the_action_that_reads_it(session):
    found = read_snapshot(readers(session), cluster_of(a_vpc(session)), region=REGION)
    assert {one.action for one in found.unread} == {
        "cloudtrail:LookupEvents",
        "ec2:DescribeVpcBlockPublicAccessOptions",
        "ec2:DescribeVpcEncryptionControls",
        "route53resolver:ListFirewallRuleGroupAssociations",
    }
    assert found.dns_firewall is None
    assert found.nats == ()


# operation -> the part of the snapshot that goes missing
PARTS = {
    "DescribeSubnets": "subnets",
    "DescribeRouteTables": "route_tables",
    "DescribeNetworkAcls": "acls",
    "DescribeSecurityGroups": "groups",
    "DescribeNetworkInterfaces": "interfaces",
    "DescribeNatGateways": "nats",
    "DescribeInternetGateways": "gateways",
    "DescribeEgressOnlyInternetGateways": "gateways",
    "DescribeVpnGateways": "gateways",
    "DescribeTransitGatewayVpcAttachments": "attachments",
    "DescribeVpcPeeringConnections": "peerings",
    "DescribeVpcEndpoints": "endpoints",
    "DescribeDhcpOptions": "dhcp",
}


def test_what_may_not_be_read_is_none_and_the_rest_is_there(session):
    """One missing permission costs one part, and is named as a policy names it."""
    ec2, vpc = session.client("ec2"), a_vpc(session)
    servers = [{"Key": "domain-name-servers", "Values": ["AmazonProvidedDNS"]}]
    options = ec2.create_dhcp_options(DhcpConfigurations=servers)["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    clients, refused = readers(session), []
    denied = {"Error": {"Code": "UnauthorizedOperation", "Message": "You are not authorized"}}
    answer = type("Answer", (), {"status_code": 403})()

    def before(model, **_):
        return (answer, denied) if model.name in refused else None

    clients.ec2.meta.events.register("before-call.ec2", before)
    whole = read_snapshot(clients, cluster_of(vpc), region=REGION)
    for operation, part in PARTS.items():
        refused[:] = [operation]
        found = read_snapshot(clients, cluster_of(vpc), region=REGION)
        assert getattr(found, part) == (() if part == "subnets" else None)
        told = [one for one in found.unread if one.denied]
        assert [(one.part, one.action) for one in told] == [(part, f"ec2:{operation}")]
        assert "You are not authorized" in told[0].error
        for name in set(PARTS.values()) - {part}:
            assert getattr(found, name) == getattr(whole, name), name


def test_no_vpc_no_audit(session):
    with pytest.raises(AwsError, match=r"vpc-1.* cannot be read"):
        read_snapshot(readers(session), cluster_of("vpc-1"), region=REGION)
    with pytest.raises(AwsError, match="does not report the VPC"):
        read_snapshot(readers(session), cluster_of(""), region=REGION)


def test_what_is_not_read_in_time_is_unknown(session, monkeypatch):
    """AWS that answers late, or throttles every call, costs the rest of the snapshot and no more time."""
    vpc = a_vpc(session)
    times = iter([0.0, *[1.0] * 4, *[31.0] * 99])
    monkeypatch.setattr(lists, "time", SimpleNamespace(monotonic=lambda: next(times)))
    found = read_snapshot(readers(session), cluster_of(vpc), region=REGION, seconds=30)
    assert (found.vpc.id, len([one for one in found.unread if "more than 30 s" in one.error]) > 10) == (vpc, True)
    assert all("not read" in one.error for one in found.unread if not one.action)


def test_a_list_of_many_calls_ends_with_the_time(session, monkeypatch):
    """Its next page is not asked for; afterwards the same clients have no limit."""
    vpc, clients = a_vpc(session), readers(session)
    now, seen = [0.0], []
    monkeypatch.setattr(lists, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def page(model, **_):
        if model.name != "DescribeTransitGatewayVpcAttachments":
            return None
        seen.append(model.name)
        now[0] += 20.0
        return SimpleNamespace(status_code=200), {"TransitGatewayVpcAttachments": [], "NextToken": f"{len(seen)}"}

    clients.ec2.meta.events.register_last("before-call", page)
    found = read_snapshot(clients, cluster_of(vpc), region=REGION, seconds=30)
    assert len(seen) == 2
    assert found.attachments is None
    assert [one.error for one in found.unread if one.part == "attachments"] == [
        "not read: AWS took more than 30 s for other parts"
    ]
    assert clients.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]


@pytest.mark.thorough
def test_throttling_is_waited_out(session):
    """EC2's word for it, three times in a row, costs time and nothing else."""
    vpc, seen = a_vpc(session), []

    def throttle(request, **_):
        seen.append(request.url)
        if len(seen) > 3:
            return None
        code = "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>slow</Message></Error></Errors></Response>"
        raw = type("Raw", (), {"stream": lambda *_, **__: iter([code.encode()]), "read": lambda *_: code.encode()})()
        return AWSResponse(request.url, 503, {}, raw)

    session.events.register_first("before-send.ec2.DescribeRouteTables", throttle)
    found = read_snapshot(readers(session), cluster_of(vpc), region=REGION)
    assert len(seen) == 4
    assert [table.main for table in found.route_tables] == [True]


# -- by Stubber: paging, and what moto lacks ------------------------------------------------------------------


def stubbed(service, *answers):
    client = boto3.client(service, REGION, aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(client)
    for operation, answer, *asked in answers:
        stub.add_response(operation, answer, asked[0] if asked else None)
    stub.activate()
    return client, stub


def test_all_pages_are_read():
    pages = [
        {"NatGateways": [{"NatGatewayId": f"nat-{i}"}]} | ({"NextToken": str(i)} if i < 3 else {}) for i in range(4)
    ]
    client, stub = stubbed("ec2", *(("describe_nat_gateways", page) for page in pages))
    assert [one["NatGatewayId"] for one in every(client, "describe_nat_gateways", "NatGateways")] == [
        "nat-0",
        "nat-1",
        "nat-2",
        "nat-3",
    ]
    stub.assert_no_pending_responses()


def test_block_public_access_and_its_exclusions():
    """Exclusions that hold count; those on their way out or in do not. With `off` nobody asks for them."""
    client, stub = stubbed(
        "ec2",
        (
            "describe_vpc_block_public_access_options",
            {"VpcBlockPublicAccessOptions": {"InternetGatewayBlockMode": "block-bidirectional"}},
        ),
        (
            "describe_vpc_block_public_access_exclusions",
            {
                "VpcBlockPublicAccessExclusions": [
                    {
                        "ResourceArn": f"arn:aws:ec2:us-east-1:1:{what}",
                        "State": state,
                        "InternetGatewayExclusionMode": "allow-egress",
                    }
                    for what, state in (
                        ("subnet/subnet-1", "create-complete"),
                        ("vpc/vpc-1", "delete-complete"),
                        ("subnet/subnet-2", "create-in-progress"),
                    )
                ]
            },
        ),
        (
            "describe_vpc_block_public_access_options",
            {"VpcBlockPublicAccessOptions": {"InternetGatewayBlockMode": "off"}},
        ),
    )
    assert ec2lists.public_access(client) == PublicAccess(
        "block-bidirectional", (Exclusion("subnet-1", "allow-egress"),)
    )
    assert ec2lists.public_access(client) == PublicAccess("off")
    stub.assert_no_pending_responses()


def test_where_aws_has_no_such_thing_nothing_is_missing(session):
    """A partition without Block Public Access cannot block by it."""
    error = {"Error": {"Code": "InvalidAction", "Message": "not valid for this web service"}}
    answer = type("Answer", (), {"status_code": 400})()
    for name in ("DescribeVpcBlockPublicAccessOptions", "DescribeVpcEncryptionControls"):
        session.events.register(f"before-call.ec2.{name}", lambda **_: (answer, error))
    found = read_snapshot(readers(session), cluster_of(a_vpc(session)), region=REGION)
    assert found.public_access == PublicAccess("off")
    assert found.encryption == ()
    assert not {"public_access", "encryption"} & {one.part for one in found.unread}


def test_encryption_controls():
    client, _ = stubbed(
        "ec2",
        (
            "describe_vpc_encryption_controls",
            {
                "VpcEncryptionControls": [
                    {
                        "VpcEncryptionControlId": "vpcec-1",
                        "Mode": "enforce",
                        "State": "available",
                        "ResourceExclusions": {
                            "NatGateway": {"State": "enabled"},
                            "InternetGateway": {"State": "disabled"},
                        },
                    },
                    {"VpcEncryptionControlId": "vpcec-0", "Mode": "enforce", "State": "deleted"},
                ]
            },
        ),
    )
    assert ec2lists.encryption(client, "vpc-1") == (Encryption("vpcec-1", "enforce", ("NatGateway",)),)


def test_dns_firewall_rules_are_in_the_order_that_decides():
    """By priority of the group, then of the rule; a list that AWS manages has no domains."""
    denied = "AccessDeniedException"
    client, stub = stubbed(
        "route53resolver",
        (
            "list_firewall_rule_group_associations",
            {
                "FirewallRuleGroupAssociations": [
                    {"FirewallRuleGroupId": "rslvr-frg-2", "Priority": 200},
                    {"FirewallRuleGroupId": "rslvr-frg-1", "Priority": 101},
                ]
            },
            {"VpcId": "vpc-1"},
        ),
        (
            "list_firewall_rules",
            {
                "FirewallRules": [
                    {"Name": "own", "Action": "BLOCK", "Priority": 9, "FirewallDomainListId": "rslvr-fdl-own"}
                ]
            },
            {"FirewallRuleGroupId": "rslvr-frg-2"},
        ),
        ("list_firewall_domains", {"Domains": ["*.example."]}, {"FirewallDomainListId": "rslvr-fdl-own"}),
        (
            "list_firewall_rules",
            {
                "FirewallRules": [
                    {"Name": "b", "Action": "ALERT", "Priority": 2, "FirewallDomainListId": "rslvr-fdl-aws"},
                ]
            },
            {"FirewallRuleGroupId": "rslvr-frg-1"},
        ),
    )
    stub.add_client_error("list_firewall_domains", denied)
    found = dnslists.dns_firewall(client, "vpc-1")
    assert [(one.group, one.name, one.domains) for one in found] == [
        ("rslvr-frg-1", "b", None),
        ("rslvr-frg-2", "own", ("*.example.",)),
    ]
    assert isinstance(found[0], DnsFirewallRule)


def test_resolver_rules_of_the_vpc_only():
    client, stub = stubbed(
        "route53resolver",
        (
            "list_resolver_rule_associations",
            {
                "ResolverRuleAssociations": [
                    {"ResolverRuleId": "rslvr-rr-1", "VPCId": "vpc-1", "Status": "COMPLETE"},
                    {"ResolverRuleId": "rslvr-rr-2", "VPCId": "vpc-1", "Status": "DELETING"},
                ]
            },
            {"Filters": [{"Name": "VPCId", "Values": ["vpc-1"]}]},
        ),
        (
            "list_resolver_rules",
            {
                "ResolverRules": [
                    {
                        "Id": "rslvr-rr-1",
                        "DomainName": "corp.example.",
                        "RuleType": "FORWARD",
                        "TargetIps": [{"Ip": "10.9.9.9", "Port": 53}],
                    },
                    {"Id": "rslvr-rr-2", "DomainName": "x.", "RuleType": "FORWARD"},
                ]
            },
        ),
        ("list_resolver_rule_associations", {"ResolverRuleAssociations": []}),
    )
    found = dnslists.resolver_rules(client, "vpc-1")
    assert [(one.id, one.domain, one.targets) for one in found] == [("rslvr-rr-1", "corp.example.", ("10.9.9.9:53",))]
    assert dnslists.resolver_rules(client, "vpc-1") == ()
    stub.assert_no_pending_responses()


def test_private_zones_page_by_page():
    """ListHostedZonesByVPC has no paginator."""
    zone = {"Owner": {"OwningAccount": "1"}}
    client, stub = stubbed(
        "route53",
        (
            "list_hosted_zones_by_vpc",
            {"HostedZoneSummaries": [{"HostedZoneId": "Z1", "Name": "b."} | zone], "MaxItems": "1", "NextToken": "n"},
        ),
        (
            "list_hosted_zones_by_vpc",
            {"HostedZoneSummaries": [{"HostedZoneId": "Z2", "Name": "a."} | zone], "MaxItems": "1"},
            {"VPCId": "vpc-1", "VPCRegion": REGION, "NextToken": "n"},
        ),
    )
    assert [one.name for one in dnslists.zones(client, "vpc-1", REGION)] == ["a.", "b."]
    stub.assert_no_pending_responses()


def test_dhcp_changes_of_this_vpc_within_the_hour():
    now = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    asked = {"LookupAttributes": ANY, "StartTime": datetime(2026, 11, 22, 2, 0, tzinfo=UTC), "EndTime": now}

    def event(vpc):
        return {"EventTime": datetime(2026, 11, 22, 2, 40, tzinfo=UTC), "Resources": [{"ResourceName": vpc}]}

    client, _ = stubbed(
        "cloudtrail",
        ("lookup_events", {"Events": [event("vpc-2"), event("vpc-1")]}, asked),
        ("lookup_events", {"Events": [event("vpc-2")]}, asked),
    )
    assert dnslists.dhcp_changed(client, "vpc-1", now) == "2026-11-22T02:40:00+00:00"
    assert dnslists.dhcp_changed(client, "vpc-1", now) == ""


def test_whether_the_clusters_role_may_follow_dhcp_options():
    def results(*decisions):
        names = ("ec2:DescribeVpcs", "ec2:DescribeDhcpOptions")
        return {
            "EvaluationResults": [
                {"EvalActionName": name, "EvalDecision": said} for name, said in zip(names, decisions, strict=False)
            ],
            "IsTruncated": False,
        }

    role = "arn:aws:iam::123456789012:role/eks"
    client, _ = stubbed(
        "iam",
        ("simulate_principal_policy", results("allowed", "allowed")),
        ("simulate_principal_policy", results("allowed", "implicitDeny")),
    )
    assert dnslists.reads_dhcp(client, role) is True
    assert dnslists.reads_dhcp(client, role) is False


def test_an_operation_that_this_botocore_lacks_is_told():
    class Old:
        """A client of an older botocore."""

        class meta:  # noqa: N801
            class service_model:  # noqa: N801
                service_name = "ec2"

            method_to_api_mapping = {}

        def can_paginate(self, _):
            return False

    with pytest.raises(ReadRefused) as caught:
        every(Old(), "describe_vpc_encryption_controls", "VpcEncryptionControls")
    assert caught.value.unread.action == "ec2:DescribeVpcEncryptionControls"


# -- parsing what moto never says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ({"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}, Route("pl-1", "endpoint", "vpce-1")),
        ({"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"}, Route("::/0", "internet", "igw-1")),
        ({"DestinationCidrBlock": "10.0.0.0/8", "CoreNetworkArn": "arn:x"}, Route("10.0.0.0/8", "other", "arn:x")),
        (
            {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole"},
            Route("0.0.0.0/0", "nat", "nat-1", active=False),
        ),
        (
            {"DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "vgw-1", "Origin": "EnableVgwRoutePropagation"},
            Route("10.0.0.0/8", "vpn", "vgw-1", propagated=True),
        ),
        (
            {"DestinationCidrBlock": "0.0.0.0/0", "NetworkInterfaceId": "eni-1", "InstanceId": "i-1"},
            Route("0.0.0.0/0", "interface", "eni-1"),
        ),
    ],
)
def test_routes(said, made):
    filtered = {"DestinationCidrBlock": "192.0.2.0/24", "GatewayId": "vgw-1", "State": "filtered"}
    table = parse.route_table({"RouteTableId": "rtb-1", "Routes": [{"State": "active"} | said, filtered]})
    assert table.routes == (made,)


def test_a_table_of_a_gateway_is_no_subnets():
    table = parse.route_table(
        {"RouteTableId": "rtb-1", "Associations": [{"GatewayId": "igw-1"}, {"SubnetId": "subnet-1"}]}
    )
    assert (table.gateways, table.subnets, table.main) == (("igw-1",), ("subnet-1",), False)


def test_entries_and_permissions_in_all_their_spellings():
    """-1 is everything, ICMP has no ports, names and numbers of protocols are the same."""
    listed = [
        {"RuleNumber": 2, "Egress": True, "RuleAction": "deny", "Protocol": "6", "PortRange": {"From": 1, "To": 2}},
        {"RuleNumber": 1, "Egress": True, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "10.0.0.0/8"},
        {"RuleNumber": 3, "Egress": False, "RuleAction": "allow", "Protocol": "1", "Ipv6CidrBlock": "::/0"},
    ]
    assert filters.acl({"NetworkAclId": "acl-1", "Entries": listed}).entries == (
        AclEntry(3, egress=False, allow=True, protocol=1, block="::/0"),
        AclEntry(1, egress=True, allow=True, protocol=-1, block="10.0.0.0/8"),
        AclEntry(2, egress=True, allow=False, protocol=6, block="", ports=(1, 2)),
    )
    rules = [
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "UserIdGroupPairs": [{"GroupId": "sg-2"}]},
        {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "PrefixListIds": [{"PrefixListId": "pl-1"}]},
    ]
    assert filters.group({"GroupId": "sg-1", "IpPermissions": rules}).ingress == (
        Permission(6, (1, 9), groups=("sg-2",)),
        Permission(-1, None, ("::/0",)),
        Permission(1, None, prefix_lists=("pl-1",)),
    )


_ENTRY = {"RuleNumber": 1, "Egress": True, "RuleAction": "deny", "Protocol": "6", "PortRange": {"From": 1, "To": 2}}
_RULE = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9}


@pytest.mark.parametrize(
    ("operation", "field", "item"),
    [
        *(("describe_network_acls", "NetworkAcls", {"NetworkAclId": "a", "Entries": [changed]}) for changed in (
            *({key: value for key, value in _ENTRY.items() if key != missing} for missing in _ENTRY),
            _ENTRY | {"RuleAction": "log"},
            _ENTRY | {"PortRange": {"From": 2, "To": 1}},
            _ENTRY | {"CidrBlock": "10.0.0.0/33"},
        )),
        *(("describe_security_groups", "SecurityGroups", {"GroupId": "g", "IpPermissionsEgress": [changed]}) for changed in (
            {"IpProtocol": "tcp", "FromPort": 1},
            _RULE | {"FromPort": -1},
            _RULE | {"IpProtocol": -1},
            _RULE | {"IpRanges": [{"CidrIp": 5}]},
        )),
        ("describe_route_tables", "RouteTables", {"RouteTableId": "r", "Routes": [{"DestinationCidrBlock": "10.0.0.0/8"}]}),
        ("describe_nat_gateways", "NatGateways", {"State": "available"}),
        ("describe_network_interfaces", "NetworkInterfaces", "eni-1"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_as_documented_costs_its_list(operation, field, item):
    """It is unknown then, with the reason: no default that opens a path, no error that ends the audit."""
    services = {**answers.SERVICES, "ec2": answers.EC2 | {operation: {field: [item]}}}
    found = read_snapshot(
        Readers(*(answers.AnsweringClient(name, services[name]) for name in services)),
        cluster_of(answers.VPC),
        region=REGION,
    )
    [unread] = found.unread
    assert getattr(found, unread.part) is None
    assert "AWS's answer is not as documented" in unread.error
    assert found.nats is None or found.nats
    reported = [finding for finding in audit(found).findings if finding.code == "AUDIT_PART_UNREADABLE"]
    assert "reading it failed" in reported[0].summary


@pytest.mark.parametrize("answer", [{}, {"cluster": None}, {"cluster": []}, {"cluster": {"version": 1.33}}, {"cluster": {"name": "\ud800"}}, {"cluster": {"resourcesVpcConfig": {"vpcId": "\x1b[2J"}}}, [], None])  # fmt: skip
def test_a_cluster_that_cannot_be_understood_still_exists(answer):
    """Only EKS's own ResourceNotFoundException means that it is gone; then the probes are taken out of service."""
    around = look_at_cluster(answers.AnsweringClient("eks", {"describe_cluster": answer}), "prod")
    assert (around.cluster, around.leaving) == (None, "")
    assert [finding.code for finding in around.findings] == ["CLUSTER_UNREADABLE"]
    assert "not as documented" in around.findings[0].summary


def test_interfaces_with_everything():
    found = parse.interface(
        {
            "NetworkInterfaceId": "eni-1",
            "SubnetId": "subnet-1",
            "Groups": [{"GroupId": "sg-1"}],
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.0.4"},
                {"PrivateIpAddress": "10.0.0.5"},
            ],
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8::4"}],
            "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.0.16/28"}],
            "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:1::/80"}],
            "SourceDestCheck": False,
            "InterfaceType": "lambda",
            "Attachment": {"InstanceId": "i-1"},
        }
    )
    assert found.addresses == ("10.0.0.4", "10.0.0.5", "2001:db8::4")
    assert found.prefixes == ("10.0.0.16/28", "2001:db8:1::/80")
    assert (found.checked, found.kind, found.instance) == (False, "lambda", "i-1")


def test_a_regional_nat_gateway():
    found = parse.nat(
        {"NatGatewayId": "nat-1", "State": "available", "AvailabilityMode": "regional", "RouteTableId": "rtb-9"}
    )
    assert (found.regional, found.subnet, found.route_table) == (True, "", "rtb-9")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "malformed|empty|truncated"),
        (b"{}", "its schemaVersion is missing"),
        (b'{"schemaVersion": "egressprobe/snapshot/v9"}', "v9"),
        (json.dumps({"schemaVersion": "egressprobe/snapshot/v1"}).encode(), "missing required field"),
    ],
)
def test_a_file_that_is_none_is_told_in_a_line(data, said):
    with pytest.raises(ValueError, match=f"(?i){said}"):
        from_json(data)
