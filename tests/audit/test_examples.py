"""The rules against worked examples of AWS's own documentation: the virtual VPC proves how they compose, these prove
how they are read. Each cites its page; U is the VPC User Guide, https://docs.aws.amazon.com/vpc/latest/userguide/, the others
are paths below https://docs.aws.amazon.com/.
"""

import pytest
from msgspec.structs import replace

from egressprobe.audit.paths.reachability import walk
from egressprobe.audit.vpc.cidr import EPHEMERAL, Ports, address, one_port
from egressprobe.audit.vpc.packet_filters import ALL, TCP, Remote, acl_passes, groups_pass
from egressprobe.audit.vpc.snapshot import (
    Acl,
    AclEntry,
    Attachment,
    Exclusion,
    Group,
    Interface,
    Nat,
    Peering,
    Permission,
    PrefixList,
    PublicAccess,
    Route,
    RouteTable,
    VpcEndpoint,
)
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from tests.support.vpc.snapshots import CORP, LOCAL, POD, PODS, PUBLIC, WEB, WEB6, A, B, acl, clean, gone, routes, swap

SEEN = []


def example(page, said):
    """Marks a test as the example of a page; counted below."""

    def mark(test):
        SEEN.append((page, said))
        test.__doc__ = f"{page}: {said}"
        return test

    return mark


def way(snapshot, to=WEB, port=443, subnet=A):
    network = Topology(snapshot)
    starts, _ = sources(network, subnet, address(to).version)
    return walk(network, starts[0], to, port)


def verdict(snapshot, **more):
    found = way(snapshot, **more)
    return found.state, found.blame.code if found.blame else ""


OPEN = ("open", "")

# -- network ACLs ---------------------------------------------------------------------------------------------

# U custom-network-acl, "Example inbound rules", those of IPv4, and one for RDP as the page had it before
CUSTOM = Acl(
    "acl-custom",
    (),
    (
        AclEntry(100, False, True, TCP, "0.0.0.0/0", (80, 80)),
        AclEntry(110, False, True, TCP, "0.0.0.0/0", (443, 443)),
        AclEntry(120, False, True, TCP, "192.0.2.0/24", (22, 22)),
        AclEntry(130, False, True, TCP, "192.0.2.0/24", (3389, 3389)),
        AclEntry(140, False, True, TCP, "0.0.0.0/0", (32768, 65535)),
        AclEntry(32767, False, False, ALL, "0.0.0.0/0"),
    ),
)


def inbound(listed, source, port, protocol=TCP):
    return acl_passes(listed, egress=False, protocol=protocol, remote=address(source), ports=one_port(port))


@example("U custom-network-acl", "a packet for the SSL port (443) matches rule 110 and goes into the subnet")
def test_ssl_port():
    assert inbound(CUSTOM, "198.51.100.7", 443).ports == one_port(443)


@example("U custom-network-acl", "a packet for port 139 (NetBIOS) matches no rule, and * denies it")
def test_netbios():
    assert inbound(CUSTOM, "198.51.100.7", 139) == (Ports(()), 32767)


@example("U custom-network-acl", "SSH from the home network's range passes, from elsewhere not")
def test_ssh_from_home():
    assert inbound(CUSTOM, "192.0.2.77", 22).ports
    assert not inbound(CUSTOM, "192.0.3.77", 22).ports


@example("U custom-network-acl", "deny some ports of a wide range by a rule that stands earlier")
def test_deny_before_a_wide_range():
    wide = AclEntry(200, False, True, TCP, "0.0.0.0/0", (1024, 65535))
    narrow = AclEntry(150, False, False, TCP, "0.0.0.0/0", (3306, 3306))
    passed = acl_passes(
        Acl("a", (), (narrow, wide)), egress=False, protocol=TCP, remote=address("1.2.3.4"), ports=EPHEMERAL
    )
    assert passed == (Ports(((1024, 3305), (3307, 65535))), 150)


@example("U nacl-rules", "as soon as a rule matches it is applied, whatever a higher-numbered rule says")
def test_first_match():
    rules = (
        AclEntry(90, True, False, TCP, "93.184.216.0/24", (443, 443)),
        AclEntry(95, True, True, TCP, "0.0.0.0/0", (443, 443)),
    )
    found = way(acl(clean(), A, *rules))
    assert (found.blame.code, found.blame.evidence["rule"]) == ("NACL_EGRESS_DENIED", 90)


@example("U default-network-acl", "the default network ACL lets all traffic flow in and out")
def test_default_acl():
    assert verdict(clean()) == OPEN


@example("U custom-network-acl", "a custom network ACL denies all traffic until rules are added")
def test_new_acl():
    empty = replace(clean(), acls=swap(clean().acls, f"acl-{A}", entries=()))
    found = way(empty)
    assert (found.state, found.blame.evidence["rule"]) == ("closed", 32767)


@example("U default-network-acl", "IPv6 has rules of its own: 101 and *, beside 100 for IPv4")
def test_ipv6_rules():
    only4 = tuple(
        AclEntry(number, egress, allow, ALL, "0.0.0.0/0")
        for egress in (False, True)
        for number, allow in ((100, True), (32767, False))
    )
    held = replace(clean(), acls=swap(clean().acls, f"acl-{A}", entries=only4))
    assert verdict(held) == OPEN
    assert verdict(held, to=WEB6) == ("closed", "NACL_EGRESS_DENIED")


@example("U vpc-network-acls", "network ACLs are stateless: answers must be allowed by a rule of their own")
def test_stateless():
    answers = AclEntry(10, False, False, TCP, "0.0.0.0/0", (1024, 65535))
    assert verdict(acl(clean(), A, answers)) == ("closed", "NACL_EPHEMERAL_DENIED")


@example("U custom-network-acl", "many Linux kernels use 32768-61000, NAT gateways and Lambda 1024-65535")
def test_ephemeral_ports():
    for low, high in ((32768, 61000), (49152, 65535)):
        only = AclEntry(390, False, True, TCP, "0.0.0.0/0", (low, high))
        nothing = AclEntry(395, False, False, TCP, "0.0.0.0/0", (1024, 65535))
        found = way(acl(clean(), A, only, nothing))
        assert (found.state, found.client_ports) == ("partial", f"{low}-{high}")


@example("U custom-network-acl", "the subnet of a NAT gateway sees answers on 1024-65535")
def test_ephemeral_ports_of_a_nat():
    only = AclEntry(390, False, True, TCP, "93.184.216.34/32", (32768, 61000))
    nothing = AclEntry(395, False, False, TCP, "93.184.216.34/32", (1024, 65535))
    found = way(acl(clean(), PUBLIC, only, nothing))
    assert (found.state, found.client_ports, found.nat_ports) == ("partial", "", ("32768-61000",))


@example("U vpc-network-acls", "ACL rules are evaluated where traffic enters or leaves a subnet, not within it")
def test_within_a_subnet():
    beside = Interface("eni-z", A, ("sg-cluster",), ("10.0.1.99",))
    nothing = AclEntry(1, True, False, ALL, "0.0.0.0/0"), AclEntry(1, False, False, ALL, "0.0.0.0/0")
    held = acl(clean(), A, *nothing)
    assert verdict(replace(held, interfaces=(*held.interfaces, beside)), to="10.0.1.99") == OPEN


@example(
    "AWSEC2/latest/APIReference/API_CreateNetworkAclEntry",
    "protocol -1 means all protocols and all ports, whatever range is given",
)
def test_all_protocols():
    every = AclEntry(1, True, False, ALL, "0.0.0.0/0")
    assert verdict(acl(clean(), A, every)) == ("closed", "NACL_EGRESS_DENIED")


# -- routes ---------------------------------------------------------------------------------------------------


def chosen(routes_, to, lists=()):
    table = RouteTable("rtb-x", routes=tuple(routes_))
    return Topology(replace(clean(), prefix_lists=tuple(lists))).route(table, address(to))


EXAMPLE = (
    Route("10.0.0.0/16", "local", "local"),
    Route("172.31.0.0/16", "peering", "pcx-11223344556677889"),
    Route("0.0.0.0/0", "internet", "igw-12345678901234567"),
)


@example("U route-tables-priority", "172.31.0.0/16 is more specific than 0.0.0.0/0: the peering connection")
def test_longest_prefix():
    assert chosen(EXAMPLE, "172.31.5.5").route.to == "pcx-11223344556677889"


@example("U route-tables-priority", "traffic for the VPC is covered by the local route")
def test_local():
    assert chosen(EXAMPLE, "10.0.200.1").route.gate == "local"


@example("U route-tables-priority", "all other traffic uses the internet gateway")
def test_the_rest():
    assert chosen(EXAMPLE, "8.8.8.8").route.to == "igw-12345678901234567"


@example("U subnet-route-tables", "0.0.0.0/0 does not include IPv6 addresses; they need ::/0")
def test_families_apart():
    assert chosen(EXAMPLE, "2001:db8::1").route is None


PROPAGATED = Route("172.31.0.0/24", "vpn", "vgw-1a2b3c4d", propagated=True)


@example("vpn/latest/s2svpn/vpn-route-priority", "a static route wins over a propagated one for the same destination")
def test_static_wins():
    both = (PROPAGATED, Route("172.31.0.0/24", "internet", "igw-11aa22bb"))
    assert chosen(both, "172.31.0.9").route.to == "igw-11aa22bb"
    assert chosen(both[::-1], "172.31.0.9").route.to == "igw-11aa22bb"


@example("U route-tables-priority", "the more specific route wins whether propagated, static or by prefix list")
def test_specific_beats_static():
    both = (PROPAGATED, Route("172.31.0.0/16", "internet", "igw-11aa22bb"))
    assert chosen(both, "172.31.0.9").route.to == "vgw-1a2b3c4d"


LIST = PrefixList("pl-1", ("172.31.0.0/24",))
LISTED = Route("pl-1", "transit", "tgw-1")


@example("U route-tables-priority", "a static route with an overlapping CIDR block wins over the prefix list")
def test_static_beats_a_list():
    both = (LISTED, Route("172.31.0.0/24", "internet", "igw-1"))
    assert chosen(both, "172.31.0.9", [LIST]).route.to == "igw-1"


@example("U route-tables-priority", "a prefix list wins over a propagated route for the same destination")
def test_a_list_beats_propagated():
    assert chosen((PROPAGATED, LISTED), "172.31.0.9", [LIST]).route.to == "tgw-1"


@example("U route-tables-priority", "of lists with overlapping blocks to different targets one is taken at random")
def test_two_lists():
    other = Route("pl-2", "internet", "igw-1")
    found = chosen((LISTED, other), "172.31.0.9", [LIST, PrefixList("pl-2", ("172.31.0.0/24",))])
    assert "at random" in found.unsure


@example("U subnet-route-tables", "a subnet that is associated with no table has the main one")
def test_main_table():
    held = clean()
    tables = swap(held.route_tables, "rtb-private", subnets=(B, PODS))
    assert verdict(replace(held, route_tables=tables)) == ("closed", "ROUTE_NO_EGRESS")
    tables = swap(tables, "rtb-main", routes=held.route_tables[1].routes)
    assert verdict(replace(held, route_tables=tables)) == OPEN


@example("U subnet-route-tables", "a route for a subnet of the VPC is more specific than local")
def test_more_specific_than_local():
    box = replace(
        routes(clean(), "rtb-private", Route("10.0.3.0/24", "interface", "eni-box")),
        interfaces=swap(clean().interfaces, "eni-box", checked=False),
    )
    assert way(box, to=POD, port=9443).state == "unknown"


@example(
    "U nat-gateway-working-with", "deleting a NAT gateway leaves its routes in a blackhole status: packets are dropped"
)
def test_blackhole():
    dead = Route("0.0.0.0/0", "nat", "nat-old", active=False)
    assert verdict(routes(clean(), "rtb-private", dead)) == ("closed", "ROUTE_BLACKHOLE")


@example(
    "vpc/latest/privatelink/gateway-endpoints", "traffic for the service's prefix list goes to the gateway endpoint"
)
def test_gateway_endpoint():
    held = replace(
        routes(clean(), "rtb-private", Route("pl-s3", "endpoint", "vpce-s3"), gone("0.0.0.0/0")),
        prefix_lists=(PrefixList("pl-s3", ("52.218.0.0/17",)),),
        endpoints=(VpcEndpoint("vpce-s3", "Gateway"),),
    )
    assert verdict(held, to="52.218.1.1") == OPEN
    assert verdict(held) == ("closed", "ROUTE_NO_EGRESS")


# -- gateways and NAT -----------------------------------------------------------------------------------------


@example("U VPC_Internet_Gateway", "an instance in a public subnet needs a public address to use the gateway")
def test_public_subnet_without_address():
    held = routes(clean(), "rtb-private", Route("0.0.0.0/0", "internet", "igw-1"))
    assert verdict(held) == ("closed", "ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS")


@example("U egress-only-internet-gateway", "::/0 to the egress-only gateway lets IPv6 out, and it is stateful")
def test_egress_only():
    assert verdict(clean(), to=WEB6) == OPEN


@example("U nat-gateway-scenarios", "private subnet 0.0.0.0/0 -> NAT; public subnet 0.0.0.0/0 -> internet gateway")
def test_nat_scenario():
    found = way(clean())
    assert found.state == "open"
    assert [one for one in found.elements if one.startswith(("rtb-", "nat-", "igw-"))] == [
        "rtb-private",
        "nat-1",
        "rtb-public",
        "igw-1",
    ]


@example(
    "U nat-gateway-troubleshooting", "a NAT gateway in a subnet without a route to an internet gateway reaches nothing"
)
def test_nat_in_a_private_subnet():
    assert verdict(routes(clean(), "rtb-public", gone("0.0.0.0/0"))) == ("closed", "NAT_SUBNET_NO_INTERNET_ROUTE")


@example("U vpc-nat-gateway", "an internet gateway drops the traffic of a private NAT gateway")
def test_private_nat():
    held = replace(clean(), nats=swap(clean().nats, "nat-1", public=False, elastic=()))
    assert verdict(held) == ("closed", "NAT_SUBNET_NO_INTERNET_ROUTE")


@example("U nat-gateway-troubleshooting", "a NAT gateway whose status is failed serves nobody")
def test_failed_nat():
    held = replace(clean(), nats=swap(clean().nats, "nat-1", state="failed"))
    assert verdict(held) == ("closed", "NAT_NOT_AVAILABLE")


@example("U nat-gateway-nat64-dns64", "64:ff9b::/96 to a NAT gateway becomes IPv4 behind it")
def test_nat64():
    held = routes(clean(), "rtb-private", Route("64:ff9b::/96", "nat", "nat-1"))
    assert verdict(held, to="64:ff9b::5db8:d822") == OPEN
    assert verdict(held, to="64:ff9b::a00:101") != OPEN  # 10.0.1.1: no interface has it


@example("U nat-gateway-basics", "a NAT gateway does not carry IPv6 but for NAT64")
def test_nat_and_ipv6():
    held = routes(clean(), "rtb-private", Route("::/0", "nat", "nat-1"))
    assert verdict(held, to=WEB6) == ("closed", "IPV6_ROUTE_MISSING")


@example("U nat-gateways-regional", "a regional NAT gateway needs no public subnet; its own table leads to the gateway")
def test_regional_nat():
    regional = Nat("nat-1", "available", regional=True, route_table="rtb-nat")
    table = RouteTable("rtb-nat", routes=(*LOCAL, Route("0.0.0.0/0", "internet", "igw-1")))
    held = replace(clean(), nats=(regional,), route_tables=(*clean().route_tables, table))
    assert verdict(held) == OPEN
    bare = replace(held, route_tables=(*clean().route_tables, replace(table, routes=LOCAL)))
    assert verdict(bare) == ("closed", "NAT_SUBNET_NO_INTERNET_ROUTE")


@example("U security-vpc-bpa-basics", "block-ingress: only NAT and egress-only gateways' traffic is allowed")
def test_block_ingress():
    held = replace(clean(), public_access=PublicAccess("block-ingress"))
    assert verdict(held) == OPEN
    assert verdict(held, to=WEB6) == OPEN
    direct = routes(held, "rtb-private", Route("::/0", "internet", "igw-1"))
    assert verdict(direct, to=WEB6) == ("closed", "BPA_BLOCKS_EGRESS")


@example("U security-vpc-bpa-basics", "block-bidirectional stops all; an exclusion of a subnet or VPC lifts it")
def test_block_bidirectional():
    held = replace(clean(), public_access=PublicAccess("block-bidirectional"))
    assert verdict(held) == ("closed", "BPA_BLOCKS_EGRESS")
    for of in ("vpc-1", PUBLIC):
        lifted = PublicAccess("block-bidirectional", (Exclusion(of, "allow-egress"),))
        assert verdict(replace(held, public_access=lifted)) == OPEN


# -- other gates ----------------------------------------------------------------------------------------------


@example("vpc/latest/tgw/tgw-vpc-attachments", "resources in a zone without an attachment cannot reach the gateway")
def test_transit_zone():
    held = replace(clean(), attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=(B,)),))
    assert verdict(held, to=CORP) == ("closed", "TGW_NO_ATTACHMENT_IN_AZ")
    assert way(held, to=CORP, subnet=B).state == "unknown"


@example("vpc/latest/tgw/tgw-nacls", "different subnets: the attachment's inbound rules see the source address")
def test_transit_acl_of_another_subnet():
    held = replace(clean(), attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=(PODS,)),))
    denied = acl(held, PODS, AclEntry(10, False, False, ALL, "10.0.1.0/24"))
    assert verdict(denied, to=CORP) == ("closed", "NACL_INGRESS_DENIED")
    other = acl(held, PODS, AclEntry(10, False, False, ALL, "172.16.0.0/12"))
    assert way(other, to=CORP).state == "unknown"


@example("vpc/latest/tgw/tgw-nacls", "same subnet: rules are not evaluated for traffic from the transit gateway")
def test_transit_acl_of_the_same_subnet():
    held = replace(clean(), attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=(A,)),))
    answers = acl(held, A, AclEntry(10, False, False, TCP, "172.16.0.0/12", (1024, 65535)))
    assert way(answers, to=CORP).state == "unknown"


@example("vpc/latest/peering/vpc-peering-basics", "no edge-to-edge routing: a peer's gateways cannot be used")
def test_edge_to_edge():
    held = routes(clean(), "rtb-private", Route("0.0.0.0/0", "peering", "pcx-1"))
    assert verdict(held) == ("closed", "PEERING_NOT_TRANSITIVE")


@example("vpc/latest/peering/vpc-peering-basics", "a connection carries traffic only once it is active")
def test_pending_peering():
    waiting = Peering("pcx-1", "pending-acceptance", "vpc-peer", ("10.99.0.0/16",))
    assert verdict(replace(clean(), peerings=(waiting,)), to="10.99.0.5") == ("closed", "PEERING_NOT_ACTIVE")


@example("U work-with-nat-instances", "source/destination checks must be off for an instance that forwards")
def test_source_destination_check():
    held = routes(clean(), "rtb-private", Route("0.0.0.0/0", "interface", "eni-box"))
    assert verdict(held) == ("closed", "APPLIANCE_SOURCE_DEST_CHECK")


# -- security groups ------------------------------------------------------------------------------------------


def lets(groups, port, source, members=None, lists=None, *, egress=False):
    remote = Remote(address(source), None if members is None else frozenset(members))
    return groups_pass(groups, lists or {}, egress=egress, protocol=TCP, port=port, remote=remote)


WEBTIER = Group(
    "sg-web", "", (Permission(TCP, (80, 80), ("0.0.0.0/0",)), Permission(TCP, (443, 443), ("0.0.0.0/0", "::/0")))
)
DATABASE = Group("sg-db", "", (Permission(TCP, (3306, 3306), groups=("sg-web",)),))


@example(
    "AWSEC2/latest/UserGuide/security-group-rules-reference",
    "HTTP and HTTPS from all IPv4, HTTPS from IPv6 where a rule says so",
)
def test_web_server():
    assert lets([WEBTIER], 443, "203.0.113.9")
    assert lets([WEBTIER], 443, "2001:db8::9")
    assert lets([WEBTIER], 80, "2001:db8::9") is False


@example("AWSEC2/latest/UserGuide/security-group-rules-reference", "3306 from members of the web servers' group only")
def test_database_server():
    assert lets([DATABASE], 3306, "10.0.1.5", ["sg-web"])
    assert lets([DATABASE], 3306, "10.0.1.5", ["sg-other"]) is False


@example("U vpc-security-groups", "rules of several groups of one interface are one set of rules")
def test_union():
    assert lets([DATABASE, WEBTIER], 443, "10.0.1.5", [])


@example("U default-security-group", "in from its own members, out to anywhere")
def test_default_group():
    default = Group("sg-d", "", (Permission(ALL, groups=("sg-d",)),), (Permission(ALL, blocks=("0.0.0.0/0", "::/0")),))
    assert lets([default], 9443, "10.0.1.5", ["sg-d"])
    assert lets([default], 9443, "10.0.1.5", ["sg-web"]) is False
    assert lets([default], 9443, "1.1.1.1", egress=True)


@example("U security-group-rules", "a reference to a group does not match through a middlebox or NAT")
def test_reference_through_a_middlebox():
    assert lets([DATABASE], 3306, "10.0.1.5", None) is False


@example("U security-group-rules", "a prefix list stands for its CIDR blocks")
def test_prefix_list_in_a_rule():
    listed = Group("sg-l", "", (Permission(TCP, (443, 443), prefix_lists=("pl-1",)),))
    assert lets([listed], 443, "172.31.0.4", lists={"pl-1": LIST.blocks})
    assert lets([listed], 443, "172.30.0.4", lists={"pl-1": LIST.blocks}) is False
    assert lets([listed], 443, "172.31.0.4") is None


@example("U vpc-security-groups", "groups are stateful: answers pass whatever the inbound rules say")
def test_stateful():
    assert clean().groups[0].ingress == (Permission(ALL, groups=("sg-cluster",)),)
    assert verdict(clean()) == OPEN


@example("AWSEC2/latest/UserGuide/ec2-prefix-eni", "addresses of a delegated prefix are the interface's")
def test_delegated_prefix():
    held = replace(clean(), interfaces=swap(clean().interfaces, "eni-pod", prefixes=("10.0.3.128/28",)))
    assert verdict(held, to="10.0.3.130", port=9443) == OPEN
    assert way(held, to="10.0.3.150", port=9443).state == "unknown"


def test_there_are_enough_of_them():
    assert len(SEEN) >= 30
    assert len({said for _, said in SEEN}) == len(SEEN)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0", "x"])
def test_a_block_that_is_none_is_named(text):
    """A file by hand may hold anything."""
    odd = acl(clean(), A, AclEntry(5, True, True, TCP, text))
    with pytest.raises(ValueError, match=f'acl-{A}: "{text}" is not a CIDR'):
        Topology(odd)
