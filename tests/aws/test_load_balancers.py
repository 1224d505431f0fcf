"""Reading load balancers: from Elastic Load Balancing's API to a walk."""

import boto3
import pytest
from moto import mock_aws
from msgspec.structs import replace

from egressprobe.audit.paths.reachability import walk
from egressprobe.audit.vpc.snapshot_load_balancers import Listener, LoadBalancers, Member, TargetGroup
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from egressprobe.aws.eks import Cluster
from egressprobe.aws.load_balancers import load_balancers
from egressprobe.aws.paging import ReadRefused
from egressprobe.aws.vpc_snapshot import Readers, read_snapshot, readers
from tests.support.aws import answers
from tests.support.vpc.vpcs import moto_session

REGION = "us-east-1"


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield moto_session()


def test_a_network_load_balancer_of_moto(session):
    """Created by API calls, read, and walked to its target; its interface is ours, which moto does not make."""
    ec2, elb = session.client("ec2", REGION), session.client("elbv2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"{REGION}a")["Subnet"]["SubnetId"]
        for i in (1, 2)
    ]
    made = elb.create_load_balancer(Name="hooks", Subnets=subnets[1:], Type="network", Scheme="internal")
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="pods", Protocol="TCP", Port=9443, VpcId=vpc, TargetType="ip")
    group = group["TargetGroups"][0]["TargetGroupArn"]
    preserve = [{"Key": "preserve_client_ip.enabled", "Value": "true"}]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=preserve)
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.2.9", "Port": 9443}])
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=443, DefaultActions=forward)
    node = arn.partition(":loadbalancer/")[2]
    own = ec2.create_security_group(GroupName="own", Description="own", VpcId=vpc)["GroupId"]
    ec2.create_network_interface(
        SubnetId=subnets[1], PrivateIpAddress="10.0.2.50", Description=f"ELB {node}", Groups=[own]
    )
    ec2.create_network_interface(SubnetId=subnets[1], PrivateIpAddress="10.0.2.9", Groups=[own])
    allow = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.1.0/24"}]}]
    ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=allow)
    cluster = Cluster("1.35", "ipv4", "", "ACTIVE", "prod", vpc=vpc, subnets=(subnets[0],), groups=(own,))
    snapshot = read_snapshot(readers(session), cluster, region=REGION)
    [balancer] = snapshot.load_balancers.balancers
    assert (balancer.id, balancer.kind, balancer.state) == (node, "network", "active")
    assert balancer.listeners == (Listener(443, "TCP", (group,)),)
    [target_group] = snapshot.load_balancers.target_groups
    assert (target_group.kind, target_group.preserves) == ("ip", True)
    assert [(member.id, member.port) for member in target_group.members] == [("10.0.2.9", 9443)]
    topology = Topology(snapshot)
    starts, _ = sources(topology, subnets[0], 4)
    closed = walk(topology, starts[0], "10.0.2.50", 443)
    assert (closed.state, closed.blame.code) == ("closed", "SG_INGRESS_DENIED")  # of the target, on 9443
    assert "TCP" in closed.blame.said
    assert "9443" in closed.blame.said


def test_what_is_read_of_each():
    """As the API Reference documents it; nothing is asked where no interface belongs to a load balancer."""
    clients = Readers(*(answers.AnsweringClient(name, answers.SERVICES[name]) for name in answers.SERVICES))
    cluster = Cluster("1.35", "ipv4", "", "ACTIVE", "prod", vpc=answers.VPC)
    read = read_snapshot(clients, cluster, region=REGION).load_balancers
    [balancer] = read.balancers
    assert balancer.cross_zone
    assert balancer.groups == (answers.GROUP,)
    assert balancer.listeners == (Listener(443, "TCP", ("tg",)),)
    member = Member("10.0.1.7", 9443, "", "healthy")
    assert read.target_groups == (TargetGroup("tg", "ip", preserves=True, cross_zone=None, members=(member,)),)
    assert load_balancers(None, answers.VPC, ()) == LoadBalancers()


def test_weighted_targets_rules_of_an_application_load_balancer_and_refusals(session):
    elb = {name: dict(answer) for name, answer in answers.ELB.items()}
    groups = [{"TargetGroupArn": name, "TargetType": "ip"} for name in ("one", "two", "other")]
    weighted = {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "one"}, {"TargetGroupArn": "two"}]},
    }
    elb["describe_target_groups"] = {"TargetGroups": groups}
    elb["describe_listeners"] = {"Listeners": [{"Port": 443, "Protocol": "TCP", "DefaultActions": [weighted]}]}
    client = answers.AnsweringClient("elbv2", elb)
    [interface] = [
        one
        for one in read_snapshot(
            Readers(*(answers.AnsweringClient(name, answers.SERVICES[name]) for name in answers.SERVICES)),
            Cluster("1.35", "ipv4", "", "ACTIVE", "prod", vpc=answers.VPC),
            region=REGION,
        ).interfaces
        if one.id == "eni-lb"
    ]
    [network] = load_balancers(client, answers.VPC, [interface]).balancers
    assert network.listeners[0].groups == ("one", "two")
    [item] = elb["describe_load_balancers"]["LoadBalancers"]
    arn = item["LoadBalancerArn"].replace("/net/", "/app/")
    elb["describe_load_balancers"] = {"LoadBalancers": [item | {"LoadBalancerArn": arn, "Type": "application"}]}
    of_application = replace(interface, description=interface.description.replace("net/", "app/"))
    [application] = load_balancers(client, answers.VPC, [of_application]).balancers
    assert application.listeners[0].groups == ("one", "two", "other")
    refusing = boto3.client("elbv2", REGION, aws_access_key_id="x", aws_secret_access_key="x")
    denied = {"Error": {"Code": "AccessDenied", "Message": "no"}}
    answer = type("Answer", (), {"status_code": 403})()
    refusing.meta.events.register("before-call.elastic-load-balancing-v2", lambda **_: (answer, denied))
    with pytest.raises(ReadRefused) as refused:
        load_balancers(refusing, answers.VPC, [interface])
    assert refused.value.unread.action == "elasticloadbalancing:DescribeLoadBalancers"


def test_reads_are_paced_below_what_the_account_is_given(session, monkeypatch):
    """10 requests a second of the account and region, for the controllers in its clusters too."""
    waits, rates = [], []

    class Rate:
        def __init__(self, per_second):
            rates.append(per_second)

        def wait(self, **_):
            waits.append(1)

    monkeypatch.setattr("egressprobe.aws.vpc_snapshot.ReadRate", Rate)
    clients = readers(session, region_name=REGION)
    for _ in range(3):
        clients.elb.describe_load_balancers()
    clients.ec2.describe_vpcs()
    assert len(waits) == 3
    assert max(rates) < 10
