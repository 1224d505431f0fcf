"""Reading what lies behind the VPC: transit gateway route tables, VPCs of this and of other accounts, peers."""

from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from egressprobe.audit.paths.reachability import walk
from egressprobe.audit.vpc.snapshot import Peering, Route, RouteTable
from egressprobe.audit.vpc.snapshot_transit import TransitGateway, TransitHop, TransitRoute, TransitRouteTable
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from egressprobe.aws import lists, other_vpcs
from egressprobe.aws.eks import Cluster
from egressprobe.aws.paging import ReadRefused
from egressprobe.aws.vpc_snapshot import read_snapshot, readers
from tests.support.vpc.vpcs import moto_session

REGION = "us-east-1"


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield moto_session()


def _vpc(ec2, cidr, gateway):
    """A VPC with one subnet, attached to the gateway, with a route of 10.0.0.0/8 to it."""
    vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr.replace("/16", "/24"), AvailabilityZone=f"{REGION}a")
    name = subnet["Subnet"]["SubnetId"]
    attachment = ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[name])
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    table = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/8", TransitGatewayId=gateway)
    return vpc, name, attachment["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]


def test_two_vpcs_of_one_account_with_a_table_each(session):
    """Everything that moto has, from its API to a walk: open, and closed once the way back is a blackhole."""
    ec2 = session.client("ec2", REGION)
    gateway = ec2.create_transit_gateway(Options={"DefaultRouteTableAssociation": "disable"})
    gateway = gateway["TransitGateway"]["TransitGatewayId"]
    near, subnet, ours = _vpc(ec2, "10.1.0.0/16", gateway)
    far, there, theirs = _vpc(ec2, "10.2.0.0/16", gateway)
    # Moto associates the default table all the same, and cannot disassociate it.
    [default] = ec2.describe_transit_gateway_route_tables()["TransitGatewayRouteTables"]
    ec2.delete_transit_gateway_route_table(TransitGatewayRouteTableId=default["TransitGatewayRouteTableId"])
    tables = []
    for attachment, cidr, other in ((ours, "10.2.0.0/16", theirs), (theirs, "10.1.0.0/16", ours)):
        table = ec2.create_transit_gateway_route_table(TransitGatewayId=gateway)
        name = table["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]
        ec2.associate_transit_gateway_route_table(
            TransitGatewayRouteTableId=name, TransitGatewayAttachmentId=attachment
        )
        ec2.create_transit_gateway_route(
            DestinationCidrBlock=cidr, TransitGatewayRouteTableId=name, TransitGatewayAttachmentId=other
        )
        tables.append(name)
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=far)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
    )
    ec2.create_network_interface(SubnetId=there, PrivateIpAddress="10.2.0.9", Groups=[group])
    own = ec2.create_security_group(GroupName="own", Description="own", VpcId=near)["GroupId"]
    cluster = Cluster("1.35", "ipv4", "CUSTOMER_ROUTED", "ACTIVE", "prod", vpc=near, subnets=(subnet,), groups=(own,))
    _with_attachments(session, {"10.2.0.0/16": (theirs, far), "10.1.0.0/16": (ours, near)})
    snapshot = read_snapshot(readers(session), cluster, region=REGION)
    [read] = snapshot.transit_gateways
    assert {table.id: table.associated for table in read.tables if table.id in tables} == {
        tables[0]: (ours,),
        tables[1]: (theirs,),
    }
    assert [other.vpc.id for other in snapshot.other_vpcs] == [far]
    assert verdict(snapshot) == ("open", "")
    ec2.delete_transit_gateway_route(TransitGatewayRouteTableId=tables[1], DestinationCidrBlock="10.1.0.0/16")
    assert verdict(read_snapshot(readers(session), cluster, region=REGION)) == ("closed", "TGW_RETURN_ROUTE_MISSING")


def _with_attachments(session, of_route):
    """Moto leaves out the attachments of a route; EC2 returns them (API Reference, TransitGatewayRoute)."""

    def fill(parsed, **_):
        for route in parsed.get("Routes", ()):
            attachment, vpc = of_route[route["DestinationCidrBlock"]]
            hop = {"TransitGatewayAttachmentId": attachment, "ResourceType": "vpc", "ResourceId": vpc}
            route["TransitGatewayAttachments"] = [hop]

    session.events.register("after-call.ec2.SearchTransitGatewayRoutes", fill)


def verdict(snapshot):
    topology = Topology(snapshot)
    [subnet] = snapshot.cluster.subnets
    starts, _ = sources(topology, subnet, 4)
    path = walk(topology, starts[0], "10.2.0.9", 443)
    assert path.knowledge_ends == ()
    return path.state, path.blame.code if path.blame else ""


def client():
    return boto3.client("ec2", REGION, aws_access_key_id="x", aws_secret_access_key="x")


OF_GATEWAY = [{"Name": "transit-gateway-id", "Values": ["tgw-1"]}]


def test_a_gateway_shared_by_another_account_is_read_with_its_profile():
    """A participant lists no route tables; the owner does, with the routes that one call returns."""
    participant, owner = client(), client()
    nothing, tables = Stubber(participant), Stubber(owner)
    nothing.add_response(
        "describe_transit_gateway_route_tables", {"TransitGatewayRouteTables": []}, {"Filters": OF_GATEWAY}
    )
    tables.add_response(
        "describe_transit_gateway_route_tables",
        {"TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": "tgw-rtb-1"}]},
        {"Filters": OF_GATEWAY},
    )
    hop = {"TransitGatewayAttachmentId": "tgw-attach-2", "ResourceType": "vpc", "ResourceId": "vpc-2"}
    routes = [
        {"DestinationCidrBlock": "0.0.0.0/0", "Type": "static", "State": "active", "TransitGatewayAttachments": [hop]},
        {"DestinationCidrBlock": "10.9.0.0/16", "Type": "static", "State": "blackhole"},
        {
            "DestinationCidrBlock": "10.8.0.0/16",
            "Type": "propagated",
            "State": "active",
            "TransitGatewayAttachments": [hop],
        },
    ]
    tables.add_response(
        "search_transit_gateway_routes",
        {"Routes": routes, "AdditionalRoutesAvailable": True},
        {
            "TransitGatewayRouteTableId": "tgw-rtb-1",
            "Filters": [{"Name": "state", "Values": ["active", "blackhole"]}],
        },
    )
    associations = [
        {"TransitGatewayAttachmentId": "tgw-attach-2", "State": "associated"},
        {"TransitGatewayAttachmentId": "tgw-attach-1", "State": "associated"},
        {"TransitGatewayAttachmentId": "tgw-attach-3", "State": "disassociating"},
    ]
    tables.add_response(
        "get_transit_gateway_route_table_associations",
        {"Associations": associations},
        {"TransitGatewayRouteTableId": "tgw-rtb-1"},
    )
    hops = (TransitHop("tgw-attach-2", "vpc", "vpc-2"),)
    expected = TransitRouteTable(
        "tgw-rtb-1",
        ("tgw-attach-1", "tgw-attach-2"),
        (
            TransitRoute("0.0.0.0/0", hops=hops),
            TransitRoute("10.9.0.0/16", active=False),
            TransitRoute("10.8.0.0/16", propagated=True, hops=hops),
        ),
        complete=False,
    )
    with nothing, tables:
        assert other_vpcs._tables((participant, owner), "tgw-1") == (expected,)


def test_no_account_that_sees_the_tables_is_unknown_and_a_refusal_is_named():
    empty, refusing = client(), client()
    with Stubber(empty) as stub:
        stub.add_response("describe_transit_gateway_route_tables", {"TransitGatewayRouteTables": []})
        assert other_vpcs._tables((empty,), "tgw-1") is None
    with Stubber(refusing) as stub:
        stub.add_client_error("describe_transit_gateway_route_tables", "UnauthorizedOperation", "no")
        with pytest.raises(ReadRefused) as refused:
            other_vpcs._tables((refusing,), "tgw-1")
    assert refused.value.unread.action == "ec2:DescribeTransitGatewayRouteTables"
    assert refused.value.unread.denied


def test_which_vpcs_are_read():
    """Those that our routes lead to: peers, hops of our attachment's table, and one default route further."""

    def route(to, *vpcs, destination="10.0.0.0/8"):
        del to
        return TransitRoute(destination, hops=tuple(TransitHop(f"tgw-attach-{vpc}", "vpc", vpc) for vpc in vpcs))

    from egressprobe.audit.vpc.snapshot import Attachment

    gateway = TransitGateway(
        "tgw-1",
        (
            TransitRouteTable("a", ("tgw-attach-us",), (route("", "vpc-inspect"),)),
            TransitRouteTable(
                "b",
                ("tgw-attach-vpc-inspect",),
                (route("", "vpc-spoke"), route("", "vpc-out", destination="0.0.0.0/0")),
            ),
            TransitRouteTable("c", ("tgw-attach-vpc-out",), (route("", "vpc-far", destination="0.0.0.0/0"),)),
        ),
    )
    tables = [
        RouteTable("rtb-1", routes=(Route("0.0.0.0/0", "transit", "tgw-1"), Route("10.9.0.0/16", "peering", "pcx-1")))
    ]
    peerings = [Peering("pcx-1", "active", "vpc-peer"), Peering("pcx-2", "active", "vpc-unused")]
    ours = [Attachment("tgw-attach-us", "tgw-1")]
    assert other_vpcs.behind("vpc-us", tables, ours, [gateway], peerings) == ["vpc-peer", "vpc-inspect", "vpc-out"]
    assert other_vpcs.behind("vpc-us", [], ours, [gateway], peerings) == []
    assert other_vpcs.behind("vpc-us", None, None, None, None) == []


def test_other_vpcs_are_read_in_the_time_that_is_left(monkeypatch):
    """Their lists end with the snapshot's seconds: the rest of the VPC is unknown, and so is what lies in it."""
    now, asked, ec2 = [0.0], [], client()
    monkeypatch.setattr(lists, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def answer(model, **_):
        asked.append(model.name)
        now[0] += 11.0
        vpcs = {"Vpcs": [{"VpcId": "vpc-2", "OwnerId": "1", "CidrBlock": "10.2.0.0/16"}]}
        return SimpleNamespace(status_code=200), vpcs if model.name == "DescribeVpcs" else {}

    ec2.meta.events.register_last("before-call", answer)
    reading = lists.ListReading(30)
    with reading.limits([ec2]):
        [vpc] = reading.read("other_vpcs", lambda: other_vpcs.other_vpcs([ec2], ["vpc-2"], REGION))
    assert (vpc.vpc.id, vpc.peerings, vpc.subnets) == ("vpc-2", None, ())
    assert len(asked) < 3 + lists.AT_ONCE  # those that had begun when the time was over
    assert {unread.error for unread in vpc.unread} == {"not read: AWS took more than 30 s for other parts"}
