"""Which recorded calls are changes of a cause's path, who made them, and that no record's content can do harm."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressprobe.incidents.changes import MOST_CHANGES, ChangeScope, late_calls, network_changes
from egressprobe.incidents.model import NetworkChange
from egressprobe.incidents.trail.calls import CALLS
from egressprobe.incidents.trail.event import read_event, who
from tests.support.aws.trail_events import ACCOUNT, EGRESS_MODE, EGRESS_REVOKED, NAT_DELETED, NOON, event, role

NAT, RTB, VPC = "nat-0b2c3d4e5f60718a2", "rtb-0a1b2c3d4e5f60718", "vpc-0aaaaaaaaaaaaaaaa"
SUBNET, GROUP, OTHER_VPC = "subnet-0d4e5f60718a2b3c4", "sg-0c3d4e5f60718a2b3", "vpc-0bbbbbbbbbbbbbbbb"
SCOPE = ChangeScope(VPC, "prod", frozenset({NAT, RTB}), frozenset({SUBNET, GROUP}), ACCOUNT)
_SERVICES = {
    "ec2.amazonaws.com": ("ec2",),
    "eks.amazonaws.com": ("eks",),
    "elasticloadbalancing.amazonaws.com": ("elbv2", "elb"),
    "network-firewall.amazonaws.com": ("network-firewall",),
    "route53resolver.amazonaws.com": ("route53resolver",),
    "route53.amazonaws.com": ("route53",),
}


@cache
def operations(source):
    session = botocore.session.get_session()
    return {name for service in _SERVICES[source] for name in session.get_service_model(service).operation_names}


def calls(events, scope=SCOPE):
    return [(change.call, change.related) for change in network_changes(events, scope)]


def test_every_call_exists():
    """By AWS's own models: a misspelt name would never match. None of them only reads."""
    for source, name in CALLS:
        assert name in operations(source), (source, name)
        assert not name.startswith(("Describe", "List", "Get"))


def test_a_deleted_nat_gateway():
    """The change that a message shows: when, which call, who, what."""
    assert network_changes([NAT_DELETED], SCOPE) == (
        NetworkChange(
            id="00000000-0000-4000-8000-000000000001",
            at="2026-11-26T02:11:00+00:00",
            call="DeleteNatGateway",
            by="role deployer/alice@example.com",
            resources=(NAT,),
            related=True,
        ),
    )


def test_the_order():
    """Related first, then the same VPC and the cluster, then what cannot be placed; the newest first in each."""
    early, late = NOON - timedelta(minutes=20), NOON + timedelta(minutes=2)
    events = [
        event("CreateSubnet", {"vpcId": VPC, "cidrBlock": "10.0.9.0/24"}, number=10, at=late),
        event("DisassociateRouteTable", {"associationId": "rtbassoc-0e5f60718a2b3c4d5"}, number=11, at=late),
        event("DeleteRoute", {"routeTableId": RTB, "destinationCidrBlock": "0.0.0.0/0"}, number=12, at=early),
        EGRESS_REVOKED,
        EGRESS_MODE,
        NAT_DELETED,
    ]
    assert calls(events) == [
        ("UpdateClusterConfig", True),
        ("DeleteNatGateway", True),
        ("DeleteRoute", True),
        ("CreateSubnet", False),
        ("RevokeSecurityGroupEgress", False),
        ("DisassociateRouteTable", False),
    ]
    assert network_changes([events[2]], SCOPE)[0].resources == (RTB, "0.0.0.0/0")


@pytest.mark.parametrize(
    "dropped",
    [
        pytest.param(
            event("DeleteNatGateway", {"natGatewayId": NAT}, errorCode="Client.UnauthorizedOperation"), id="refused"
        ),
        pytest.param(event("DeleteNatGateway", {"natGatewayId": NAT}, errorCode="Client.DryRunOperation"), id="dry"),
        pytest.param(event("DescribeNatGateways", {"natGatewayId": NAT}), id="only reads"),
        pytest.param(event("CreateTags", {"resourcesSet": {"items": [{"resourceId": NAT}]}}), id="tags"),
        pytest.param(event("CreateSubnet", {"vpcId": OTHER_VPC}), id="another VPC"),
        pytest.param(event("UpdateClusterConfig", {"name": "dev"}, source="eks.amazonaws.com"), id="another cluster"),
        pytest.param(event("DeleteNetworkInterface", {"networkInterfaceId": "eni-0f60718a2b3c4d5e6"}), id="frequent"),
        pytest.param(event("DeleteNatGateway", {}, source="evil.amazonaws.com"), id="another service's call"),
    ],
)
def test_what_is_no_change(dropped):
    """The same call without the difference is one: see the other tests."""
    assert network_changes([dropped], SCOPE) == ()


def test_a_frequent_call_on_the_path_is_shown():
    """Autoscaling that ends a NAT instance."""
    identity = role("AWSServiceRoleForAutoScaling", "AutoScaling", invokedBy="autoscaling.amazonaws.com")
    request = {"instancesSet": {"items": [{"instanceId": "i-0718a2b3c4d5e6f70"}]}}
    ended = event("TerminateInstances", request, identity=identity)
    assert calls([ended]) == []
    (change,) = network_changes([ended], SCOPE._replace(elements=frozenset({"i-0718a2b3c4d5e6f70"})))
    assert (change.by, change.related) == ("autoscaling.amazonaws.com", True)


def test_ids_in_arns_and_in_the_response():
    """A policy is known by its ARN or by its name; what a call created is in its response."""
    arn = f"arn:aws:network-firewall:eu-west-1:{ACCOUNT}:firewall-policy/egress"
    update = event("UpdateFirewallPolicy", {"firewallPolicyArn": arn}, source="network-firewall.amazonaws.com")
    for element in (arn, "egress"):
        assert calls([update], SCOPE._replace(elements=frozenset({element}))) == [("UpdateFirewallPolicy", True)]
    created = event(
        "CreateNatGateway",
        {"CreateNatGatewayRequest": {"SubnetId": SUBNET}},
        response={"CreateNatGatewayResponse": {"natGateway": {"natGatewayId": NAT, "vpcId": VPC}}},
    )
    assert network_changes([created], SCOPE)[0].resources == (NAT, SUBNET, VPC)


@pytest.mark.parametrize("field", ["tagSet", "TagSpecification", "description", "userData", "rulesString"])
def test_what_people_write_relates_nothing(field):
    """A tag that names the NAT gateway does not make the call one about it."""
    request = {"vpcId": VPC, field: {"items": [{"key": NAT, "value": NAT, "text": [NAT]}]}}
    assert calls([event("CreateSubnet", request)]) == [("CreateSubnet", False)]


@pytest.mark.parametrize(
    ("identity", "by"),
    [
        (role(), "role deployer/alice@example.com"),
        (role(invokedBy="cloudformation.amazonaws.com"), "role deployer/alice@example.com via cloudformation.amazonaws.com"),
        (role("AWSServiceRoleForAmazonEKS", "x", invokedBy="eks.amazonaws.com"), "eks.amazonaws.com"),
        (role(accountId="999988887777"), "role deployer/alice@example.com of account 999988887777"),
        (role(invokedBy="AWS Internal"), "role deployer/alice@example.com"),
        ({"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/ci/run-7"}, "role ci/run-7"),
        ({"type": "IAMUser", "userName": "bob", "accountId": ACCOUNT}, "user bob"),
        ({"type": "Root", "accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root"}, "root"),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com"),
        ({"type": "AWSAccount", "accountId": "999988887777"}, "account 999988887777"),
        ({"type": "FederatedUser", "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/eve"}, "federated user eve"),
        ({"type": "WebIdentityUser", "userName": "repo:x"}, "WebIdentityUser repo:x"),
        ({"type": "IAMUser", "userName": "a\nb\x1b[31m" + "x" * 200}, "user a b [31m" + "x" * 91 + "…"),
        ({}, ""),
        ("nobody", ""),
        ({"type": ["Root"], "sessionContext": "x", "userName": 7}, ""),
    ],
)  # fmt: skip
def test_who(identity, by):
    """By the types of `userIdentity` in the user guide; printable, in one line, cut."""
    assert who(identity, ACCOUNT) == by


def test_without_a_record_its_summary_is_used():
    """Where `CloudTrailEvent` cannot be parsed: time, name, user and resources are beside it."""
    broken = NAT_DELETED | {"CloudTrailEvent": "[" * 100_000, "Resources": [{"ResourceName": NAT}, None, {}]}
    (change,) = network_changes([broken], SCOPE)
    assert (change.by, change.resources, change.related) == ("alice@example.com", (NAT,), True)
    too_large = NAT_DELETED | {"CloudTrailEvent": json.dumps({"x": "y" * 1_000_001})}
    assert calls([too_large]) == [("DeleteNatGateway", False)]


def test_a_large_record_is_read_in_part():
    """The first values count, and the rest costs nothing."""
    request = {"natGatewayId": NAT, "items": [{"cidrIp": f"10.0.0.{i}/32"} for i in range(9000)], "vpcId": VPC}
    read = read_event(event("DeleteNatGateway", request))
    assert NAT in read.named
    assert VPC not in read.named


def test_the_number_of_changes_is_bounded():
    """And each event counts once, however often it was listed."""
    many = [event("DeleteRoute", {"routeTableId": RTB}, number=i) for i in range(50)]
    assert len(network_changes(many, SCOPE)) == MOST_CHANGES
    assert len(network_changes([NAT_DELETED] * 3, SCOPE)) == 1


def test_late_calls():
    """A sentence while the end of the window is younger than CloudTrail's lag."""
    now = NOON + timedelta(minutes=14)
    assert late_calls(NOON, now) == (
        "CloudTrail lists calls up to 15 minutes late: calls made after 02:10 UTC may be missing"
    )
    assert late_calls(NOON, NOON + timedelta(minutes=15)) == ""


_NAMES = st.sampled_from([name for _, name in CALLS] + ["", "X"])
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([NAT, VPC, "prod"]),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=12), below, max_size=4),
    max_leaves=12,
)
_RECORDS = st.fixed_dictionaries({}, optional={"userIdentity": _JSON, "requestParameters": _JSON, "responseElements": _JSON, "eventTime": _JSON, "errorCode": _JSON})  # fmt: skip
_EVENTS = st.fixed_dictionaries(
    {"EventName": _NAMES, "EventSource": st.sampled_from(sorted(_SERVICES))},
    optional={
        "EventId": _JSON,
        "EventTime": _JSON | st.datetimes() | st.just(datetime(1, 1, 1, tzinfo=UTC)),
        "Resources": _JSON,
        "Username": _JSON,
        "CloudTrailEvent": _JSON | _RECORDS.map(json.dumps),
    },
)


@settings(max_examples=60)
@given(st.lists(_EVENTS | _JSON, max_size=4))
def test_any_event_is_read(events):
    """Whatever the shape: changes with printable texts that encode, or none."""
    for change in network_changes(events, SCOPE):
        assert (change.id + change.by + "".join(change.resources)).isprintable()
        assert len(change.by) <= 250
        assert datetime.fromisoformat(change.at).tzinfo is not None
