"""Transit gateway route tables and the VPCs behind them: centralised egress, a shared-services VPC, a peer.

From the transit gateway guide (how-transit-gateways-work, transit-gateway-nat-igw "Centralized outbound routing to the
internet", tgw-nacls, tgw-vpc-attachments) and the peering guide (vpc-peering-routing, vpc-peering-security-groups).
"""

import pytest
from msgspec.structs import replace

from egressprobe.audit.paths.reachability import walk
from egressprobe.audit.vpc.snapshot import (
    SNAPSHOT_SCHEMA,
    Acl,
    AclEntry,
    Attachment,
    ClusterFacts,
    Encryption,
    Gateway,
    Group,
    Interface,
    Nat,
    Permission,
    PublicAccess,
    Route,
    RouteTable,
    Subnet,
    Unread,
    Vpc,
    VpcEndpoint,
    VpcSnapshot,
    from_json,
    to_json,
)
from egressprobe.audit.vpc.snapshot_transit import TransitGateway, TransitHop, TransitRoute, TransitRouteTable
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from tests.support.vpc.firewalls import network_firewalls
from tests.support.vpc.snapshots import ALL, PODS, WEB, A, B, clean, entries, routes, swap

TGW = "tgw-1"
OURS, EGRESS, SERVICES, VPN = "tgw-attach-1", "tgw-attach-egress", "tgw-attach-services", "tgw-attach-vpn"
SERVICE = "172.16.5.5"
INBOUND = TransitRoute("10.0.0.0/16", propagated=True, hops=(TransitHop(OURS, "vpc", "vpc-1"),))


def hop(name):
    return TransitHop(name, "vpn" if name == VPN else "vpc", "vpc-" + name.rpartition("-")[2])


def spokes(**changed):
    """The table of the spokes: the default to the egress VPC, services by their CIDR, our VPC propagated."""
    routes_of = (
        TransitRoute("0.0.0.0/0", hops=(hop(EGRESS),)),
        TransitRoute("172.16.0.0/16", propagated=True, hops=(hop(SERVICES),)),
        TransitRoute("172.31.0.0/16", propagated=True, hops=(hop(VPN),)),
        TransitRoute("172.30.0.0/16", active=False),
    )
    return replace(TransitRouteTable("tgw-rtb-spokes", (OURS,), routes_of), **changed)


def hub(**changed):
    return replace(TransitRouteTable("tgw-rtb-hub", (EGRESS, SERVICES, VPN), (INBOUND,)), **changed)


def behind(name, cidr, zones=("eu-west-1a", "eu-west-1b"), **changed):
    """A VPC behind the gateway: an attachment subnet and a subnet of servers in each zone."""
    base = cidr.rpartition(".0.0/")[0]
    local = Route(cidr, "local", "local")
    to_us = Route("10.0.0.0/8", "transit", TGW)
    links = tuple(Subnet(f"{name}-link-{z[-1]}", z, blocks=(f"{base}.{i}.0/28",)) for i, z in enumerate(zones))
    servers = tuple(Subnet(f"{name}-{z[-1]}", z, blocks=(f"{base}.{i + 5}.0/24",)) for i, z in enumerate(zones))
    every = (*links, *servers)
    fields = {
        "schema_version": SNAPSHOT_SCHEMA,
        "taken_at": "2026-11-22T03:00:00+00:00",
        "region": "eu-west-1",
        "account": "123456789012",
        "cluster": ClusterFacts(""),
        "vpc": Vpc(f"vpc-{name}", "123456789012", (cidr,)),
        "subnets": every,
        "route_tables": (
            RouteTable(f"rtb-{name}-link", subnets=tuple(s.id for s in links), routes=(local,)),
            RouteTable(f"rtb-{name}", main=True, routes=(local, to_us)),
        ),
        "acls": (Acl(f"acl-{name}", tuple(s.id for s in every), entries()),),
        "groups": (Group("sg-open", ingress=(ALL,), egress=(ALL,)),),
        "interfaces": (Interface(f"eni-{name}", servers[0].id, ("sg-open",), (f"{base}.5.5",)),),
        "attachments": (Attachment(f"tgw-attach-{name}", TGW, subnets=tuple(s.id for s in links)),),
        "public_access": PublicAccess("off"),
        "encryption": (),
        "gateways": (),
        "nats": (),
        "endpoints": (),
        "prefix_lists": (),
    }
    return VpcSnapshot(**fields | changed)


def egress(**changed):
    """Centralised egress: attachment subnets lead to the NAT gateway, whose subnet leads out and back."""
    out = behind("egress", "10.250.0.0/16")
    link = Route("0.0.0.0/0", "nat", "nat-egress")
    public = (Route("10.250.0.0/16", "local", "local"), Route("0.0.0.0/0", "internet", "igw-egress"))
    tables = (
        RouteTable("rtb-egress-link", subnets=out.route_tables[0].subnets, routes=(public[0], link)),
        RouteTable("rtb-egress", main=True, routes=(*public, Route("10.0.0.0/8", "transit", TGW))),
    )
    nat = Nat("nat-egress", "available", "egress-a", addresses=("10.250.5.9",), elastic=("54.0.0.1",))
    made = replace(out, route_tables=tables, nats=(nat,), gateways=(Gateway("igw-egress", "internet"),))
    return replace(made, **changed)


def world(*tables, others=None, base=None):
    base = base or routes(clean(), "rtb-private", Route("0.0.0.0/0", "transit", TGW))
    attachments = (Attachment(OURS, TGW, subnets=(A, B)),)
    others = (egress(), behind("services", "172.16.0.0/16")) if others is None else others
    gateway = TransitGateway(TGW, tables or (spokes(), hub()))
    return replace(base, attachments=attachments, transit_gateways=(gateway,), other_vpcs=tuple(others))


def path(snapshot, to=WEB, subnet=A, port=443):
    # What is sent is what is read.
    topology = Topology(from_json(to_json(snapshot)))
    starts, _ = sources(topology, subnet, 4)
    return walk(topology, starts[0], to, port)


def verdict(snapshot, **more):
    result = path(snapshot, **more)
    return result.state, result.blame.code if result.blame else ""


OPEN = ("open", "")


@pytest.mark.parametrize("subnet", [A, B])
def test_centralised_egress(subnet):
    """Through the gateway, the NAT gateway of another VPC, and back by the hub's table."""
    result = path(world(), subnet=subnet)
    assert (result.state, result.knowledge_ends) == ("open", ())
    order = ["tgw-1", "tgw-rtb-spokes", EGRESS, "rtb-egress-link", "nat-egress", "igw-egress"]
    assert [name for name in result.elements if name in order] == order


def test_a_service_behind_the_gateway():
    assert verdict(world(), to=SERVICE) == OPEN


@pytest.mark.parametrize(
    ("tables", "to", "expected", "words"),
    [
        ((spokes(routes=()), hub()), WEB, "TGW_ROUTE_MISSING", "tgw-rtb-spokes of tgw-1 has no route for"),
        ((spokes(associated=()), hub()), WEB, "TGW_ROUTE_MISSING", "tgw-attach-1 is associated with no route table"),
        ((spokes(), hub()), "172.30.1.1", "TGW_ROUTE_BLACKHOLE", "drops 172.30.0.0/16"),
        ((spokes(), hub(routes=())), WEB, "TGW_RETURN_ROUTE_MISSING", "which tgw-attach-egress uses, has no route"),
        (
            (spokes(), hub(routes=(replace(INBOUND, active=False, hops=()),))),
            SERVICE,
            "TGW_RETURN_ROUTE_MISSING",
            "has a blackhole route for 10.0.1.",
        ),
        (
            (spokes(), hub(associated=())),
            SERVICE,
            "TGW_RETURN_ROUTE_MISSING",
            "tgw-attach-services is associated with no",
        ),
    ],
)
def test_what_the_gateways_tables_drop(tables, to, expected, words):
    result = path(world(*tables), to=to)
    assert (result.state, result.blame.code) == ("closed", expected)
    assert words in result.blame.said


@pytest.mark.parametrize(
    ("tables", "to", "why"),
    [
        ((spokes(), hub()), "172.31.0.1", "the vpn attachment vpc-vpn behind tgw-1"),
        ((spokes(routes=(), complete=False), hub()), WEB, "more routes than can be listed"),
        ((spokes(), hub(routes=(), complete=False)), WEB, "more routes than can be listed"),
        (
            (spokes(routes=(TransitRoute("0.0.0.0/0", hops=(hop(VPN), hop(EGRESS))),)), hub()),
            WEB,
            "spreads 0.0.0.0/0 over 2 attachments",
        ),
        (
            (spokes(), hub(routes=(replace(INBOUND, hops=(hop(SERVICES),)),))),
            WEB,
            "sends return traffic to tgw-attach-services, not to tgw-attach-1",
        ),
        ((spokes(routes=(replace(INBOUND, destination="0.0.0.0/0"),)), hub()), WEB, "back to tgw-attach-1"),
    ],
)
def test_what_stays_unknown(tables, to, why):
    result = path(world(*tables), to=to)
    assert result.state == "unknown"
    assert why in " ".join(result.knowledge_ends)


def test_a_gateway_of_another_account_is_unknown():
    snapshot = replace(world(), transit_gateways=(TransitGateway(TGW, None),))
    assert path(snapshot).knowledge_ends == ("the transit gateway tgw-1: its route tables, and what is behind it",)


def test_routes_of_the_gateway_by_prefix_then_static_before_propagated():
    """A static blackhole wins over the propagated route of the same CIDR, and a longer prefix over both."""
    black = TransitRoute("172.16.0.0/16", active=False)
    longer = TransitRoute("172.16.5.0/24", propagated=True, hops=(hop(SERVICES),))
    both = (*spokes().routes, black)
    assert verdict(world(spokes(routes=both), hub()), to=SERVICE) == ("closed", "TGW_ROUTE_BLACKHOLE")
    assert verdict(world(spokes(routes=(*both, longer)), hub()), to=SERVICE) == OPEN


# -- in the VPC behind the gateway ------------------------------------------------------------------------------------


def changed(snapshot, part, name, **fields):
    return replace(snapshot, **{part: swap(getattr(snapshot, part), name, **fields)})


def _denying(direction_egress, remote, ports=(1024, 65535)):
    return entries(AclEntry(5, direction_egress, False, 6, remote, ports))


OUT = egress()
IN = behind("services", "172.16.0.0/16")
NO_RETURN = tuple(route for route in OUT.route_tables[1].routes if route.gate != "transit")
SERVERS = IN.route_tables[1].routes


@pytest.mark.parametrize(
    ("other", "to", "code", "words"),
    [
        (changed(OUT, "route_tables", "rtb-egress", routes=NO_RETURN), WEB, "PRIVATE_ADDRESS_TO_INTERNET", "return traffic is dropped"),
        (
            changed(OUT, "route_tables", "rtb-egress-link", routes=OUT.route_tables[0].routes[:1]),
            WEB,
            "ROUTE_NO_EGRESS",
            "in vpc-egress: rtb-egress-link of egress-link-a has no route for",
        ),
        (changed(OUT, "nats", "nat-egress", state="failed"), WEB, "NAT_NOT_AVAILABLE", "which is failed"),
        (replace(OUT, public_access=PublicAccess("block-bidirectional")), WEB, "BPA_BLOCKS_EGRESS", "neither vpc-egress"),
        (changed(OUT, "attachments", EGRESS, state="deleted"), WEB, "TGW_ROUTE_BLACKHOLE", "is deleted"),
        (
            changed(IN, "groups", "sg-open", ingress=(Permission(6, (443, 443), ("10.9.0.0/16",)),)),
            SERVICE,
            "SG_INGRESS_DENIED",
            "in vpc-services: no ingress rule of sg-open",
        ),
        (changed(IN, "acls", "acl-services", entries=_denying(False, "10.0.0.0/16", (443, 443))), SERVICE, "NACL_INGRESS_DENIED", "acl-services (services-a) rule 5"),
        (changed(IN, "acls", "acl-services", entries=_denying(True, "10.0.0.0/16")), SERVICE, "NACL_EPHEMERAL_DENIED", "to ports 1024-65535 (egress)"),
        (
            changed(IN, "attachments", SERVICES, subnets=("services-link-b",)),
            SERVICE,
            "TGW_NO_ATTACHMENT_IN_AZ",
            "tgw-1 has no attachment in eu-west-1a, the zone of services-a",
        ),
        (replace(IN, interfaces=()), "172.16.99.1", "ADDRESS_NOT_IN_A_SUBNET", "in vpc-services"),
    ],
)  # fmt: skip
def test_what_blocks_in_the_other_vpc(other, to, code, words):
    """Named with its VPC, and no command is offered for it."""
    others = [other, IN if other.vpc.id == "vpc-egress" else OUT]
    result = path(world(others=others), to=to)
    assert (result.state, result.blame.code) == ("closed", code)
    assert words in result.blame.said
    if code != "TGW_ROUTE_BLACKHOLE":
        assert result.blame.evidence["vpc"] == other.vpc.id


def test_a_target_in_the_subnet_of_the_attachment_meets_no_acl():
    """tgw-nacls: rules are not evaluated; its own route table must lead back all the same."""
    shut = changed(IN, "acls", "acl-services", entries=_denying(False, "10.0.0.0/16", (443, 443)))
    server = Interface("eni-link", "services-link-a", ("sg-open",), ("172.16.0.7",))
    in_link = replace(shut, interfaces=(server,))
    back = (*IN.route_tables[0].routes, Route("10.0.0.0/8", "transit", TGW))
    leads_back = changed(in_link, "route_tables", "rtb-services-link", routes=back)
    assert verdict(world(others=[leads_back]), to="172.16.0.7") == OPEN
    assert verdict(world(others=[in_link]), to="172.16.0.7") == ("closed", "ROUTE_NO_EGRESS")


def test_a_rule_that_names_the_callers_group_depends_on_an_option():
    """Security group referencing is an option of the gateway and of each attachment."""
    rule = Permission(6, (443, 443), groups=("sg-cluster",))
    named = changed(IN, "groups", "sg-open", ingress=(rule,))
    assert path(world(others=[named]), to=SERVICE).state == "unknown"


def test_zones_of_another_account_are_not_ours():
    """Names of zones are an account's own: by which subnet calls come in matters only where the subnets differ."""
    theirs = replace(IN, account="210987654321")
    assert verdict(world(others=[theirs]), to=SERVICE) == OPEN
    one = replace(
        theirs,
        acls=(
            Acl("acl-b", ("services-link-b",), entries()),
            Acl("acl-services", tuple(s.id for s in IN.subnets if s.id != "services-link-b"), entries()),
        ),
    )
    assert "by which of services-link-a, services-link-b" in " ".join(
        path(world(others=[one]), to=SERVICE).knowledge_ends
    )


def test_return_traffic_by_another_zones_attachment():
    """Which of our attachment's subnets it takes is not known: what both have in common counts."""
    base = routes(clean(), "rtb-private", Route("0.0.0.0/0", "transit", TGW))
    shut_b = replace(base, acls=swap(base.acls, f"acl-{B}", entries=_denying(True, "10.0.0.0/16")))
    assert path(world(base=shut_b), subnet=A).state == "unknown"
    both = replace(shut_b, acls=swap(shut_b.acls, f"acl-{PODS}", entries=_denying(True, "10.0.0.0/16")))
    elsewhere = replace(world(base=both), attachments=(Attachment(OURS, TGW, subnets=(PODS, B)),))
    assert verdict(elsewhere, subnet=A) == ("closed", "NACL_EPHEMERAL_DENIED")


# -- peering ----------------------------------------------------------------------------------------------------------


def peered(other):
    return replace(clean(), other_vpcs=(other,))


def peer(**changed_fields):
    made = behind("peer", "10.99.0.0/16")
    back = (Route("10.99.0.0/16", "local", "local"), Route("10.0.0.0/16", "peering", "pcx-1"))
    tables = (RouteTable("rtb-peer", main=True, routes=back),)
    vpc = replace(made.vpc, id=clean().peerings[0].peer)
    return replace(made, vpc=vpc, route_tables=tables, **changed_fields)


def test_a_peer_that_can_be_read():
    assert verdict(peered(peer()), to="10.99.5.5") == OPEN


def test_a_peers_rule_may_name_our_group():
    named = changed(peer(), "groups", "sg-open", ingress=(Permission(6, (443, 443), groups=("sg-cluster",)),))
    assert verdict(peered(named), to="10.99.5.5") == OPEN


@pytest.mark.parametrize(
    ("other", "to", "code"),
    [
        (changed(peer(), "route_tables", "rtb-peer", routes=peer().route_tables[0].routes[:1]), "10.99.5.5", "ROUTE_NO_EGRESS"),
        (changed(peer(), "groups", "sg-open", ingress=()), "10.99.5.5", "SG_INGRESS_DENIED"),
        (peer(), "10.99.200.1", "ADDRESS_NOT_IN_A_SUBNET"),
        (changed(peer(), "acls", "acl-peer", entries=_denying(True, "10.0.0.0/16")), "10.99.5.5", "NACL_EPHEMERAL_DENIED"),
    ],
)  # fmt: skip
def test_what_blocks_at_the_peer(other, to, code):
    assert verdict(peered(other), to=to) == ("closed", code)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (Encryption("vpcec-1", "enforce"), (Encryption("vpcec-2", "enforce"),), OPEN),
        (Encryption("vpcec-1", "enforce", ("VpcPeering",)), (), OPEN),
        (Encryption("vpcec-1", "enforce"), (), ("closed", "ENCRYPTION_CONTROL_BLOCKS")),
        (
            Encryption("vpcec-1", "enforce"),
            (Encryption("vpcec-2", "monitor"),),
            ("closed", "ENCRYPTION_CONTROL_BLOCKS"),
        ),
        (
            Encryption("vpcec-1", "enforce"),
            (Encryption("vpcec-2", "enforce", ("NatGateway",)),),
            ("closed", "ENCRYPTION_CONTROL_BLOCKS"),
        ),
        (Encryption("vpcec-1", "enforce"), None, ("unknown", "")),
        (Encryption("vpcec-1", "monitor"), None, OPEN),
    ],
)
def test_a_peer_of_a_vpc_that_enforces_encryption(ours, theirs, expected):
    """No exclusion is needed where the peer enforces it without exclusions too (user guide, vpc-encryption-controls)."""
    made = replace(peered(replace(peer(), encryption=theirs)), encryption=(ours,))
    assert verdict(made, to="10.99.5.5") == expected


def test_a_peer_whose_subnets_could_not_be_read():
    """No list of subnets is not a list without the address's."""
    unread = replace(peer(), subnets=(), unread=(Unread("subnets", "ec2:DescribeSubnets", "no"),))
    assert verdict(peered(unread), to="10.99.5.5") == ("unknown", "")


def test_invalid_cidrs_are_named_before_the_walk():
    with pytest.raises(ValueError, match='tgw-rtb-spokes: "x" is not a CIDR'):
        Topology(world(spokes(routes=(TransitRoute("x"),)), hub()))


# -- an inspection VPC (transit gateway guide, transit-gateway-appliance-scenario; Network Firewall, arch-igw-ngw) -----


def inspected(back="vpce-1", **fields):
    """Centralised egress with a firewall between the attachment's subnets and the NAT gateway's."""
    out = egress()
    firewall = Subnet("egress-fw", "eu-west-1a", blocks=("10.250.8.0/24",))
    local, to_us = Route("10.250.0.0/16", "local", "local"), Route("10.0.0.0/8", "transit", TGW)
    inwards = Route("10.0.0.0/8", "endpoint", back) if back else to_us
    tables = (
        replace(out.route_tables[0], routes=(local, Route("0.0.0.0/0", "endpoint", "vpce-1"))),
        RouteTable(
            "rtb-egress-fw", subnets=("egress-fw",), routes=(local, to_us, Route("0.0.0.0/0", "nat", "nat-egress"))
        ),
        RouteTable("rtb-egress", main=True, routes=(local, Route("0.0.0.0/0", "internet", "igw-egress"), inwards)),
    )
    return replace(
        out,
        subnets=(*out.subnets, firewall),
        route_tables=tables,
        acls=(replace(out.acls[0], subnets=(*out.acls[0].subnets, "egress-fw")),),
        endpoints=(VpcEndpoint("vpce-1", "GatewayLoadBalancer", subnets=("egress-fw",)),),
        firewalls=network_firewalls({"central": {"endpoints": {"vpce-1": "egress-fw"}} | fields}, "vpc-egress"),
    )


def test_a_firewall_in_the_egress_vpc():
    """Both directions pass it, and its rules decide; HOME_NET is the egress VPC's CIDR unless it is set."""
    assert verdict(world(others=(inspected(),))) == OPEN
    stopped = "drop tcp 10.0.0.0/16 any -> any 443 (sid:9;)"
    assert verdict(world(others=(inspected(rules=stopped),))) == ("closed", "FIREWALL_RULE_BLOCKS")
    of_home = "drop tcp $HOME_NET any -> any 443 (sid:9;)"
    assert verdict(world(others=(inspected(rules=of_home),))) == OPEN
    assert verdict(world(others=(inspected(rules=of_home, home=["10.0.0.0/8"]),))) == ("closed", "FIREWALL_RULE_BLOCKS")
    blame = path(world(others=(inspected(rules=stopped),))).blame
    assert blame.evidence["vpc"] == "vpc-egress"
    assert "in vpc-egress: central (vpce-1): sid 9" in blame.said


def test_return_traffic_that_does_not_pass_the_firewall_of_the_egress_vpc():
    found = path(world(others=(inspected(back=""),)))
    assert found.state == "unknown"
    assert "not by the firewall endpoint vpce-1" in found.knowledge_ends[0]
    no_route = replace(inspected(), route_tables=inspected().route_tables[:2])
    table = RouteTable("rtb-egress", main=True, routes=inspected().route_tables[2].routes[:2])
    no_route = replace(no_route, route_tables=(*no_route.route_tables, table))
    assert verdict(world(others=(no_route,))) == ("closed", "PRIVATE_ADDRESS_TO_INTERNET")
