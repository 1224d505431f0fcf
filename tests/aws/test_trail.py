"""CloudTrail's event history, read within its rate, a bounded time and a bounded number of pages."""

from datetime import timedelta

import boto3
import pytest
from botocore.stub import Stubber

from egressprobe.aws.incidents.trail import TrailClients, changes_before, trail_clients
from egressprobe.incidents.changes import ChangeScope
from tests.support.aws.trail_events import ACCOUNT, NAT_DELETED, NOON, event

NAT, RTB = "nat-0b2c3d4e5f60718a2", "rtb-0a1b2c3d4e5f60718"
SCOPE = ChangeScope("vpc-0aaaaaaaaaaaaaaaa", "prod", frozenset({NAT, RTB}), account=ACCOUNT)
NOW = NOON + timedelta(minutes=5)
WINDOW = {"StartTime": NOON - timedelta(minutes=30), "EndTime": NOW, "MaxResults": 50}


class Clock:
    """Time that passes only in waits, and `each` seconds in every request."""

    def __init__(self, each=0.0):
        self.time, self.each, self.sent = 100.0, each, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def request(self, **_):
        self.sent.append(self.time)
        self.time += self.each


@pytest.fixture(scope="module")
def session():
    return boto3.Session("id", "secret", region_name="eu-west-1")


@pytest.fixture
def clients(session):
    return trail_clients("eu-west-1", session)


def attribute(key="ReadOnly", value="false"):
    return WINDOW | {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def read(clients, clock=None, **options):
    clock = clock or Clock()
    for client in clients:
        if client is not None:
            client.meta.events.register("before-parameter-build.cloudtrail.LookupEvents", clock.request)
    return changes_before(clients, NOON, NOW, SCOPE, now=clock.now, sleep=clock.sleep, **options)


def test_two_pages_and_route_53s(clients):
    """Two requests a second at most; Route 53's calls are in us-east-1."""
    zone = event("DisassociateVPCFromHostedZone", {"hostedZoneId": "Z1"}, source="route53.amazonaws.com", number=9)
    clock = Clock()
    with Stubber(clients.regional) as regional, Stubber(clients.of_global) as of_global:
        regional.add_response("lookup_events", {"Events": [], "NextToken": "t"}, attribute())
        regional.add_response("lookup_events", {"Events": [NAT_DELETED]}, attribute() | {"NextToken": "t"})
        of_global.add_response("lookup_events", {"Events": [zone]}, attribute("EventSource", "route53.amazonaws.com"))
        reading = read(clients, clock)
    assert [(change.call, change.related) for change in reading.changes] == [
        ("DeleteNatGateway", True),
        ("DisassociateVPCFromHostedZone", False),
    ]
    assert reading.unread == ()
    assert reading.late.endswith("calls made after 02:01 UTC may be missing")
    assert (reading.start, reading.end) == (NOON - timedelta(minutes=30), NOW)
    assert clock.sent == [100.0, 100.5, 101.0]


def test_the_region_of_global_services(session):
    """Its own CloudTrail has Route 53's calls already; other partitions have another region for them."""
    assert trail_clients("us-east-1", session).of_global is None
    assert trail_clients("cn-north-1", session).of_global is None
    assert trail_clients("eu-west-1", session).of_global.meta.region_name == "us-east-1"


def test_more_writes_than_can_be_read(clients):
    """After its share of the seconds the calls on the cause's own elements are looked up one by one."""
    busy = [event("CreateLogStream", {}, source="logs.amazonaws.com")]
    with Stubber(clients.regional) as regional:
        for count in range(5):
            token = {"NextToken": f"t{count}"} if count else {}
            regional.add_response("lookup_events", {"Events": busy, "NextToken": f"t{count + 1}"}, attribute() | token)
        for element, events in ((NAT, [NAT_DELETED]), (RTB, [])):
            regional.add_response("lookup_events", {"Events": events}, attribute("ResourceName", element))
        reading = read(TrailClients(clients.regional), Clock(each=2.0))
        regional.assert_no_pending_responses()
    assert [change.call for change in reading.changes] == ["DeleteNatGateway"]
    assert reading.unread == ("CloudTrail's calls with ReadOnly=false were read in part: 5 pages in time",)


def test_the_pages_are_bounded(clients):
    """Also where each arrives at once; nothing waits for more than the seconds."""
    clock = Clock()
    with Stubber(clients.regional) as regional:
        for count in range(22):
            regional.add_response("lookup_events", {"Events": [], "NextToken": f"t{count}"}, None)
        reading = read(TrailClients(clients.regional), clock, seconds=100.0)
    assert len(clock.sent) == 20 + 2  # a page for each element
    assert any("the newest 20 pages" in why for why in reading.unread)


def test_a_token_that_is_repeated_ends_the_list(clients):
    """The same page again would follow without end."""
    with Stubber(clients.regional) as regional:
        for expected in (attribute(), attribute() | {"NextToken": "t"}):
            regional.add_response("lookup_events", {"Events": [], "NextToken": "t"}, expected)
        assert read(TrailClients(clients.regional)).unread == ()


def test_a_refusal_is_said_once(clients):
    """Other lookups would be refused as well."""
    with Stubber(clients.regional) as regional:
        regional.add_client_error("lookup_events", "AccessDeniedException", "not authorized")
        reading = read(TrailClients(clients.regional))
    assert reading.changes == ()
    assert reading.unread == (
        "CloudTrail could not be read (cloudtrail:LookupEvents): AccessDeniedException: not authorized",
    )


@pytest.mark.parametrize("answer", [None, [], {"Events": 7}, {"Events": {"a": 1}, "NextToken": "t"}])
def test_an_answer_of_another_shape(clients, answer, monkeypatch):
    """Costs the changes, and is said; nothing is raised."""
    monkeypatch.setattr(clients.regional, "lookup_events", lambda **_: answer)
    reading = changes_before(
        TrailClients(clients.regional), NOON, NOW, SCOPE, now=Clock().now, sleep=lambda _seconds: None
    )
    assert reading.changes == ()
    (why,) = reading.unread
    assert why.startswith("CloudTrail could not be read: AWS's answer is not as documented (")


def test_items_of_another_shape(clients, monkeypatch):
    """Do not cost the others."""
    monkeypatch.setattr(clients.regional, "lookup_events", lambda **_: {"Events": [None, 3, {}, NAT_DELETED]})
    reading = changes_before(TrailClients(clients.regional), NOON, NOW, SCOPE, sleep=lambda _seconds: None)
    assert [change.call for change in reading.changes] == ["DeleteNatGateway"]


def test_the_window_ends_an_hour_after_the_start(clients):
    """What changed later did not break it; all of its calls are listed by then."""
    later = NOON + timedelta(days=3)
    with Stubber(clients.regional) as regional:
        window = attribute() | {"EndTime": NOON + timedelta(hours=1)}
        regional.add_response("lookup_events", {"Events": [NAT_DELETED]}, window)
        reading = changes_before(TrailClients(clients.regional), NOON, later, SCOPE)
    assert (reading.late, len(reading.changes)) == ("", 1)
