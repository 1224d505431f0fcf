"""Rules beside the way, each with a snapshot that breaks it and a healthy sibling: names, attributes, addresses, what
the audit may not read; and how the answer is put together.
"""

import pytest
from bench import audit as bench
from msgspec.structs import replace

from egressprobe.audit.paths.private_dns import depth, within
from egressprobe.audit.rules import vpc_rules
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import (
    Acl,
    AclEntry,
    Attachment,
    Exclusion,
    Nat,
    Permission,
    PrefixList,
    PublicAccess,
    Route,
    RouteTable,
    Subnet,
    Unread,
    VpcEndpoint,
    from_json,
    to_json,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp, DnsFirewallRule, ResolverRule, Zone
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.findings_vpc_config import SUBNET_ADDRESSES_LOW, VPC_DNS_SUPPORT_OFF
from egressprobe.catalog.registry import FINDINGS
from egressprobe.cli.output.audit_table import audit_table
from egressprobe.model.target import Verdict
from egressprobe.targets.plan import read_plan
from tests.support.cpu_time import within_seconds
from tests.support.vpc.snapshots import (
    ALL,
    ANY,
    CLUSTER_SG,
    CORP,
    LOCAL,
    POD,
    PUBLIC,
    REGION,
    WEB,
    WEB6,
    A,
    B,
    acl,
    clean,
    entries,
    gone,
    group,
    routes,
    swap,
)

BASE = replace(clean(), names={"web.example": (WEB, WEB6)})
WEB_TARGET = {"kind": "webhook", "name": "web", "url": "https://web.example/"}
POD_TARGET = {
    "kind": "webhook",
    "name": "pod",
    "service": {"namespace": "x", "name": "y"},
    "addresses": [f"{POD}:9443"],
}


def targets(*raw):
    return read_plan({"targets": list(raw)}).targets


def look(snapshot, *raw, skip=()):
    return audit(snapshot, targets(*(raw or (WEB_TARGET, POD_TARGET))), skip)


def codes(snapshot, *raw):
    return [one.code for one in look(snapshot, *raw).findings]


def vpc(**changed):
    return replace(BASE, vpc=replace(BASE.vpc, **changed))


def cluster(snapshot=BASE, **changed):
    return replace(snapshot, cluster=replace(snapshot.cluster, **changed))


def dhcp(*servers, **changed):
    return replace(BASE, dhcp=Dhcp("dopt-1", servers, **changed))


def low(free):
    return replace(BASE, subnets=swap(BASE.subnets, A, free=free))


def firewall(*rules):
    return replace(BASE, dns_firewall=rules)


def rule(action, *domains, **more):
    return DnsFirewallRule("rslvr-frg-1", "r", action, 10, list="rslvr-fdl-1", domains=domains or None, **more)


EKS = VpcEndpoint("vpce-eks", "Interface", f"com.amazonaws.{REGION}.eks", private_dns=True)
ISSUER_ZONE = Zone("Z2", f"oidc.eks.{REGION}.amazonaws.com.")
FORWARD = ResolverRule("rslvr-rr-1", "example.", "FORWARD", targets=("10.9.9.9:53",))
OPEN_53 = group(
    dhcp("10.0.3.53"),
    "sg-pods",
    ingress=(
        Permission(6, (9443, 9443), groups=(CLUSTER_SG,)),
        Permission(17, (53, 53), ANY),
        Permission(6, (53, 53), ANY),
    ),
)
# code, a snapshot that has it, a sibling that has not
GRID = [
    ("VPC_DNS_SUPPORT_OFF", vpc(dns_support=False), BASE),
    ("VPC_DNS_HOSTNAMES_OFF", vpc(dns_hostnames=False), BASE),
    ("VPC_DNS_HOSTNAMES_OFF", vpc(dns_hostnames=False), vpc(dns_hostnames=None)),
    ("SUBNET_ADDRESSES_LOW", low(5), low(16)),
    ("SUBNET_ADDRESSES_LOW", low(15), low(None)),
    (
        "SUBNET_WITHOUT_IPV6",
        replace(BASE, subnets=swap(BASE.subnets, A, blocks=("10.0.1.0/24",)), interfaces=BASE.interfaces[1:]),
        cluster(replace(BASE, subnets=swap(BASE.subnets, A, blocks=("10.0.1.0/24",))), ip_family="ipv4"),
    ),
    ("OWNED_BY_ANOTHER_ACCOUNT", replace(BASE, account="999999999999"), BASE),
    ("DHCP_WITHOUT_AMAZON_DNS", dhcp(), dhcp("AmazonProvidedDNS")),
    ("DHCP_WITHOUT_AMAZON_DNS", OPEN_53, dhcp("10.0.0.2")),
    ("DHCP_WITHOUT_AMAZON_DNS", OPEN_53, dhcp("10.0.3.53", "169.254.169.253")),
    ("SG_INGRESS_DENIED", dhcp("10.0.3.53", "AmazonProvidedDNS"), OPEN_53),
    (
        "DHCP_OPTIONS_UNREADABLE_BY_CLUSTER_ROLE",
        cluster(OPEN_53, reads_dhcp=False),
        cluster(BASE, reads_dhcp=False),
    ),
    ("DHCP_OPTIONS_UNREADABLE_BY_CLUSTER_ROLE", cluster(OPEN_53, reads_dhcp=False), cluster(OPEN_53, reads_dhcp=None)),
    ("DHCP_CHANGED_RECENTLY", dhcp("AmazonProvidedDNS", changed_at="2026-11-22T02:59:00+00:00"), BASE),
    ("EKS_ENDPOINT_HIDES_OIDC", replace(BASE, endpoints=(EKS,)), replace(BASE, endpoints=(EKS,), zones=(ISSUER_ZONE,))),
    (
        "EKS_ENDPOINT_HIDES_OIDC",
        replace(BASE, endpoints=(EKS,)),
        replace(
            BASE, endpoints=(replace(EKS, private_dns=False), replace(EKS, id="v2", service="com.amazonaws.x.eks-auth"))
        ),
    ),
    (
        "RESOLVER_RULE_SHADOWS_ZONE",
        replace(BASE, zones=(Zone("Z1", "example."),), resolver_rules=(FORWARD,)),
        replace(BASE, zones=(Zone("Z1", "web.example."),), resolver_rules=(FORWARD,)),
    ),
    (
        "RESOLVER_RULE_SHADOWS_ZONE",
        replace(BASE, zones=(Zone("Z1", "example."),), resolver_rules=(FORWARD,)),
        replace(
            BASE,
            zones=(Zone("Z1", "example."),),
            resolver_rules=(FORWARD, ResolverRule("rslvr-rr-2", "example.", "SYSTEM")),
        ),
    ),
    ("DNS_FIREWALL_BLOCKS", firewall(rule("BLOCK", "web.example.")), firewall(rule("BLOCK", "other.example."))),
    ("DNS_FIREWALL_BLOCKS", firewall(rule("BLOCK", "*.example.")), firewall(rule("ALERT", "*.example."))),
    ("DNS_FIREWALL_BLOCKS", firewall(rule("BLOCK", "*")), firewall(rule("BLOCK", "*.web.example."))),
    (
        "DNS_FIREWALL_BLOCKS",
        firewall(rule("BLOCK", "*", query_type="AAAA")),
        firewall(rule("BLOCK", "*", query_type="TXT")),
    ),
    (
        "DNS_FIREWALL_BLOCKS",
        firewall(rule("BLOCK", "*")),
        firewall(rule("ALLOW", "web.example.", group_priority=-1), rule("BLOCK", "*")),
    ),
    ("DNS_FIREWALL_UNREADABLE_LIST", firewall(rule("BLOCK")), firewall(rule("ALLOW"))),
    (
        "AUDIT_PERMISSION_MISSING",
        replace(BASE, nats=None, unread=(Unread("nats", "ec2:DescribeNatGateways", "denied", denied=True),)),
        BASE,
    ),
    ("AUDIT_PART_UNREADABLE", replace(BASE, unread=(Unread("zones", "route53:ListHostedZonesByVPC", "slow"),)), BASE),
    (
        "PRIVATE_ADDRESS_TO_INTERNET",
        cluster(routes(BASE, "rtb-private", gone("172.16.0.0/12")), remote=("172.20.0.0/16",)),
        cluster(remote=("172.20.0.0/16",)),
    ),
]


@pytest.mark.parametrize(("code", "broken", "whole"), GRID, ids=[f"{i}-{row[0]}" for i, row in enumerate(GRID)])
def test_a_rule(code, broken, whole):
    """It finds what is broken, and keeps quiet where it is not; a way that was open stays so."""
    assert code in codes(broken)
    assert code not in codes(whole)


def test_a_healthy_vpc_has_no_findings_at_all():
    found = look(BASE)
    assert found.findings == ()
    assert found.verdict is Verdict.PASS
    assert [cell.state for row in found.rows for cell in row.cells] == ["open"] * 4


NULLABLE = ("route_tables", "acls", "groups", "interfaces", "nats", "gateways", "public_access", "encryption")


@pytest.mark.parametrize("part", NULLABLE)
def test_what_cannot_be_read_is_unknown_never_open(part):
    """And never closed; the word says what is missing."""
    found = look(replace(BASE, **{part: None}))
    states = {cell.state for row in found.rows for cell in row.cells}
    assert "unknown" in states
    assert states <= {"unknown", "open"}
    assert found.verdict is Verdict.UNKNOWN
    assert any("cannot be read" in one.summary for one in found.findings if one.code == "PATH_UNKNOWN")


@pytest.mark.parametrize("part", ["attachments", "peerings", "endpoints", "prefix_lists"])
def test_parts_that_are_missing_matter_where_they_are_needed(part):
    wanted = {
        "attachments": Route("93.0.0.0/8", "transit", "tgw-1"),
        "peerings": Route("93.0.0.0/8", "peering", "pcx-1"),
        "endpoints": Route("93.0.0.0/8", "endpoint", "vpce-1"),
        "prefix_lists": Route("pl-9", "nat", "nat-1"),
    }[part]
    assert look(replace(BASE, **{part: None})).verdict is Verdict.PASS
    assert look(replace(routes(BASE, "rtb-private", wanted), **{part: None})).verdict is Verdict.UNKNOWN


def test_every_subnet_of_the_cluster_is_a_start_with_or_without_interfaces():
    """EKS may move them: where none stands now, a place that the rules treat alike."""
    bare = replace(BASE, interfaces=BASE.interfaces[2:])
    found, live = sources(Topology(bare), A, 4)
    assert not live
    assert [str(one.address) for one in found] == ["10.0.1.4"]
    assert look(bare).verdict is Verdict.PASS


def test_where_the_address_decides_it_is_said():
    """An ACL that names a part of the subnet makes the answer depend on the address that EKS takes."""
    bare = replace(BASE, interfaces=BASE.interfaces[2:])
    half = acl(bare, PUBLIC, AclEntry(5, False, False, 6, "10.0.1.128/25", (443, 443)))
    found, _ = sources(Topology(half), A, 4)
    assert [str(one.address) for one in found] == ["10.0.1.4", "10.0.1.128"]
    row = look(half).rows[0]
    assert row.cells[0].state == "unknown"
    assert "depends on the address" in str([path.knowledge_ends for path in look(half).paths])
    live = acl(BASE, PUBLIC, AclEntry(5, False, False, 6, "10.0.1.128/25", (443, 443)))
    assert look(live).rows[0].cells[0].state == "open"


def test_one_of_two_interfaces_that_gets_through_is_partial():
    """Calls start at any of them; the blocker of the other one is named."""
    second = replace(BASE.interfaces[0], id="eni-a2", addresses=("10.0.1.200",))
    both = replace(BASE, interfaces=(*BASE.interfaces, second))
    half = acl(both, PUBLIC, AclEntry(5, False, False, 6, "10.0.1.128/25", (443, 443)))
    way = next(path for path in look(half).paths if path.subnet == A and path.address == WEB)
    assert (way.state, way.blame) == ("partial", None)
    assert [blame.code for blame in way.narrowed] == ["NACL_INGRESS_DENIED"]
    assert look(half).rows[0].cells[0].code == "NACL_INGRESS_DENIED"


def test_one_finding_an_element_with_all_that_it_stops():
    """Two subnets and two targets behind one route table: one finding, one command."""
    more = {"kind": "webhook", "name": "other", "url": "https://198.51.100.9/"}
    found = look(cluster(routes(BASE, "rtb-private", gone("0.0.0.0/0")), ip_family="ipv4"), WEB_TARGET, more)
    assert [one.code for one in found.findings] == ["ROUTE_NO_EGRESS"]
    assert found.findings[0].evidence["subnets"] == [A, B]
    assert found.findings[0].evidence["targets"] == ["web", "other"]
    assert {one.remedy.split("\n")[0] for one in found.findings} == {
        "aws ec2 create-route --route-table-id rtb-private --destination-cidr-block 0.0.0.0/0 --nat-gateway-id nat-1"
    }


def test_a_code_that_is_skipped_neither_tells_nor_counts():
    broken = low(3)
    assert look(broken).verdict is Verdict.DEGRADED
    found = look(broken, skip=["SUBNET_ADDRESSES_LOW"])
    assert (found.verdict, found.findings, found.skipped) == (Verdict.PASS, (), ("SUBNET_ADDRESSES_LOW",))


def test_an_ipv4_cluster_dials_no_ipv6():
    found = look(cluster(routes(BASE, "rtb-private", gone("::/0")), ip_family="ipv4"))
    assert found.findings == ()
    assert {path.address for path in found.paths} == {WEB, POD}


def test_an_address_of_two_that_is_closed_is_partly():
    found = look(routes(BASE, "rtb-private", gone("::/0")))
    assert [cell.state for cell in found.rows[0].cells] == ["partial", "partial"]
    assert found.rows[0].cells[0].code == "IPV6_ROUTE_MISSING"
    assert found.verdict is Verdict.FAIL


def test_closed_and_unknown_together_are_unknown():
    """Nobody knows that any call passes."""
    held = replace(BASE, names={"web.example": (CORP, "198.51.100.7")})
    found = look(cluster(routes(held, "rtb-private", gone("0.0.0.0/0")), ip_family="ipv4"))
    assert {path.state for path in found.paths if path.address != POD} == {"closed", "unknown"}
    assert found.rows[0].cells[0].state == "unknown"
    assert found.verdict is Verdict.FAIL


def test_a_name_that_did_not_resolve_is_taken_for_the_internet_and_said_so():
    found = look(replace(BASE, names={}))
    assert found.rows[0].target.assumed
    assert "(assumed public)" in audit_table(found)
    broken = look(routes(replace(BASE, names={}), "rtb-private", gone("0.0.0.0/0")))
    assert "has no route for the internet" in broken.findings[0].summary


def test_a_name_that_the_vpc_holds_itself_is_not_guessed():
    """A private zone's name has other addresses inside, or none outside."""
    found = look(replace(BASE, names={}, zones=(Zone("Z1", "example."),)))
    assert found.rows[0].cells[0].state == "unknown"
    assert "web.example resolves only inside the VPC" in found.findings[-1].summary


def test_no_targets_ask_for_the_internet():
    found = audit(BASE)
    assert [row.target.name for row in found.rows] == ["internet"]
    assert found.verdict is Verdict.PASS


def test_a_subnet_that_is_gone_is_unknown():
    found = look(cluster(subnets=(A, "subnet-gone")))
    assert [cell.state for cell in found.rows[0].cells] == ["open", "unknown"]


def test_a_prefix_list_in_a_group_that_cannot_be_read():
    listed = (Permission(6, (443, 443), prefix_lists=("pl-1",)), Permission(6, (9443, 9443), ANY))
    held = replace(group(BASE, CLUSTER_SG, egress=listed), prefix_lists=(PrefixList("pl-1"),))
    assert look(held).verdict is Verdict.UNKNOWN
    known = replace(held, prefix_lists=(PrefixList("pl-1", ANY),))
    assert look(known).verdict is Verdict.PASS


def test_knowledge_ends_where_it_ends():
    """Each listed kind of element, and the words for it; what closes before it is closed all the same."""
    corp = {"kind": "webhook", "name": "corp", "url": f"https://{CORP}/"}
    found = look(BASE, corp)
    assert found.verdict is Verdict.UNKNOWN
    assert found.findings[0].code == "PATH_UNKNOWN"
    assert "transit gateway tgw-1" in found.findings[0].summary
    pods = replace(BASE, attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=("subnet-pods",)),))
    closed = acl(pods, A, AclEntry(5, False, False, 6, "172.16.0.0/12", (1024, 65535)))
    assert look(closed, corp).rows[0].cells[0].code == "NACL_EPHEMERAL_DENIED"
    other = replace(BASE, attachments=(Attachment("tgw-attach-1", "tgw-1", "deleted", (A, B)),))
    assert look(other, corp).rows[0].cells[0].code == "TGW_NO_ATTACHMENT_IN_AZ"


def test_public_access_of_a_vpc_is_by_its_id():
    assert look(replace(BASE, public_access=PublicAccess("block-bidirectional"))).verdict is Verdict.FAIL


def test_answers_that_an_internet_gateway_sends_elsewhere_are_not_called_open():
    """Ingress routing: a firewall that the call did not pass sees its answer."""

    def edge(*held):
        table = RouteTable("rtb-edge", gateways=("igw-1",), routes=(*LOCAL, *held))
        return cluster(replace(BASE, route_tables=(*BASE.route_tables, table)), ip_family="ipv4")

    assert look(edge()).rows[0].cells[0].state == "open"
    firewall_ = Route("10.0.9.0/24", "endpoint", "vpce-1")
    assert look(edge(firewall_)).rows[0].cells[0].state == "unknown"
    dead = replace(firewall_, active=False)
    assert look(edge(dead)).rows[0].cells[0].code == "ROUTE_BLACKHOLE"


def test_an_egress_rule_by_group_and_an_address_that_nobody_has():
    """It may be a member's (a peer's, a pod's that just came): not known. The internet's is nobody's."""
    by_group = group(BASE, CLUSTER_SG, egress=(Permission(6, (443, 443), groups=("sg-pods",)),))
    nobody = {"kind": "webhook", "name": "n", "url": "https://10.0.3.77/"}
    assert look(by_group, nobody).rows[0].cells[0].state == "unknown"
    peers = {"kind": "webhook", "name": "p", "url": "https://10.99.0.5/"}
    assert look(by_group, peers).rows[0].cells[0].state == "unknown"
    assert look(by_group).rows[0].cells[0].code == "SG_EGRESS_DENIED"
    assert look(cluster(replace(BASE, interfaces=BASE.interfaces[2:]), groups=())).verdict is Verdict.UNKNOWN


def test_dns64_makes_up_addresses_that_need_a_way_of_their_own():
    bare = replace(BASE, names={"web.example": (WEB,)}, subnets=swap(BASE.subnets, A, dns64=True))
    assert [cell.code for cell in look(bare).rows[0].cells] == ["NAT64_ROUTE_MISSING", ""]
    held = routes(bare, "rtb-private", Route("64:ff9b::/96", "nat", "nat-1"))
    cells = look(held).rows[0].cells
    assert [cell.state for cell in cells] == ["open", "open"]
    assert "64:ff9b::93.184.216.34" in {path.address for path in look(held).paths}
    closed = routes(bare, "rtb-private", gone("::/0"))
    assert [cell.state for cell in look(closed).rows[0].cells] == ["partial", "open"]


def test_a_name_that_an_endpoint_answers_for_is_not_guessed():
    sts = VpcEndpoint("vpce-sts", "Interface", f"com.amazonaws.{REGION}.sts", private_dns=True)
    hook = {"kind": "webhook", "name": "sts", "url": f"https://sts.{REGION}.amazonaws.com/"}
    assert look(replace(BASE, endpoints=(sts,)), hook).rows[0].cells[0].state == "unknown"
    assert look(replace(BASE, endpoints=(replace(sts, private_dns=False),)), hook).rows[0].cells[0].state == "open"


def test_targets_that_share_an_address_are_all_named():
    other = WEB_TARGET | {"name": "other"}
    broken = look(cluster(routes(BASE, "rtb-private", gone("0.0.0.0/0")), ip_family="ipv4"), WEB_TARGET, other)
    assert broken.findings[0].evidence["targets"] == ["web", "other"]


def test_domains():
    assert within("a.example", "example.")
    assert within("example", "example.")
    assert not within("badexample", "example.")
    assert within("anything.at.all", ".")
    assert [depth(text) for text in (".", "example.", "a.example")] == [0, 1, 2]


def test_answers_that_leave_by_an_appliance_are_not_called_open():
    """An appliance on the answer's way only sees a SYN-ACK that it never asked for."""
    held = replace(
        BASE,
        route_tables=(
            *swap(BASE.route_tables, "rtb-private", subnets=(A, B)),
            RouteTable(
                "rtb-pods", subnets=("subnet-pods",), routes=(*LOCAL, Route("10.0.1.0/24", "interface", "eni-box"))
            ),
        ),
    )
    cells = look(held, POD_TARGET).rows[0].cells
    assert [(cell.state, cell.code) for cell in cells] == [("closed", "APPLIANCE_SOURCE_DEST_CHECK"), ("open", "")]
    forwarding = replace(held, interfaces=swap(held.interfaces, "eni-box", checked=False))
    assert [cell.state for cell in look(forwarding, POD_TARGET).rows[0].cells] == ["unknown", "open"]
    dead = replace(
        held,
        route_tables=swap(
            held.route_tables, "rtb-pods", routes=(*LOCAL, Route("10.0.1.0/24", "interface", "eni-gone", active=False))
        ),
    )
    assert [cell.code for cell in look(dead, POD_TARGET).rows[0].cells] == ["ROUTE_BLACKHOLE", ""]


def test_a_reference_to_a_group_is_not_trusted_through_a_middlebox():
    """Neither as source, where it does not match, nor as destination, where nobody has said."""
    box = replace(
        routes(BASE, "rtb-private", Route("10.0.3.0/24", "interface", "eni-box")),
        interfaces=swap(BASE.interfaces, "eni-box", checked=False, groups=(CLUSTER_SG,)),
    )
    by_group = group(box, CLUSTER_SG, egress=(Permission(6, (9443, 9443), groups=("sg-pods",)),))
    assert look(by_group, POD_TARGET).rows[0].cells[0].state == "unknown"
    direct = group(BASE, CLUSTER_SG, egress=(Permission(6, (9443, 9443), groups=("sg-pods",)),))
    assert look(direct, POD_TARGET).rows[0].cells[0].state == "open"


def test_a_firewall_is_where_knowledge_ends_and_what_is_behind_it_is_looked_at():
    """Its subnet must have a way on; and an endpoint that sends back to itself is no way."""
    base = replace(
        routes(BASE, "rtb-private", Route("93.0.0.0/8", "endpoint", "vpce-1")),
        endpoints=(VpcEndpoint("vpce-1", "GatewayLoadBalancer", subnets=("subnet-fw",)),),
        subnets=(*BASE.subnets, Subnet("subnet-fw", f"{REGION}a", "", ("10.0.7.0/24",))),
        acls=(*BASE.acls, Acl("acl-subnet-fw", ("subnet-fw",), entries())),
    )
    on = RouteTable("rtb-fw", subnets=("subnet-fw",), routes=(*LOCAL, Route("0.0.0.0/0", "nat", "nat-1")))
    good = replace(cluster(base, ip_family="ipv4"), route_tables=(*base.route_tables, on))
    assert look(good).rows[0].cells[0].state == "unknown"
    nowhere = replace(good, route_tables=(*base.route_tables, replace(on, routes=LOCAL)))
    assert look(nowhere).rows[0].cells[0].code == "ROUTE_NO_EGRESS"
    back = acl(good, "subnet-fw", AclEntry(5, False, False, 6, f"{WEB}/32", (1024, 65535)))
    assert look(back).rows[0].cells[0].state == "unknown", "by which way answers come is the other side's to say"
    closed = acl(good, "subnet-fw", AclEntry(5, False, False, 6, "10.0.1.0/24", (443, 443)))
    assert look(closed).rows[0].cells[0].code == "NACL_INGRESS_DENIED"


def test_two_nats_in_a_row_need_a_port_of_each():
    """The ports of client and NATs vary independently; each set is told."""
    nat = Nat("nat-p", "available", "subnet-pods", public=False, addresses=("10.0.3.200",))
    tables = (
        *swap(BASE.route_tables, "rtb-private", subnets=(A, B), routes=(*LOCAL, Route("0.0.0.0/0", "nat", "nat-p"))),
        RouteTable("rtb-pods", subnets=("subnet-pods",), routes=(*LOCAL, Route("0.0.0.0/0", "nat", "nat-1"))),
    )
    held = replace(cluster(ip_family="ipv4"), nats=(*BASE.nats, nat), route_tables=tables)
    narrow = acl(held, "subnet-pods", AclEntry(5, False, False, 6, f"{WEB}/32", (1024, 32767)))
    way = next(path for path in look(narrow).paths if path.address == WEB)
    assert (way.state, way.client_ports, way.nat_ports) == ("partial", "", ("32768-65535", "1024-65535"))


def test_no_command_has_a_bare_placeholder(monkeypatch):
    """Of the catalogue's commands what the snapshot knows is filled in, the rest is <NAME>; a sentence stays as it is."""
    general = "Ask for CLUSTER.\naws eks update-cluster-config --name CLUSTER --region REGION --subnets SUBNETS # VPC"
    for entry in (VPC_DNS_SUPPORT_OFF, SUBNET_ADDRESSES_LOW):
        changed = replace(entry, remedy=general)
        monkeypatch.setitem(FINDINGS, entry.code, changed)
        monkeypatch.setattr(vpc_rules, entry.code, changed)
    for snapshot in (low(5), vpc(dns_support=False)):
        name = snapshot.cluster.name
        expected = ["Ask for CLUSTER."]
        expected += [
            f"aws eks update-cluster-config --name {name} --region {REGION} --subnets <SUBNETS> # {BASE.vpc.id}"
        ]
        assert any(finding.remedy.split("\n")[-2:] == expected for finding in look(snapshot).findings)
    unnamed = cluster(low(5), name="")
    assert any("--name <CLUSTER> " in finding.remedy for finding in look(unnamed).findings)


_RESERVE = 3  # the bounds of `make bench-audit` are for a quiet machine


def test_the_large_audit_is_quick():
    """16 subnets x 200 targets x 2 families from a file, as a table (make bench-audit has the figures)."""
    data, wanted = to_json(bench.snapshot()), bench.targets()

    def as_table():
        found = audit(from_json(data), wanted)
        audit_table(found)
        return found

    found = within_seconds(_RESERVE * bench.BOUND_SECONDS, as_table)
    assert len(found.paths) == bench.SUBNETS * bench.TARGETS * 2


def test_the_large_audit_with_fixes_is_quick():
    """Three faults in every subnet, 49 findings: every fix searched and proven in bounded CPU time."""
    data, wanted = to_json(bench.broken(bench.snapshot())), bench.targets()
    found = within_seconds(_RESERVE * bench.BOUND_WITH_FIXES, lambda: audit(from_json(data), wanted))
    assert all(any(line.startswith("aws ") for line in one.remedy.split("\n")) for one in found.findings)


def test_a_route_that_is_dead_is_a_black_hole_whatever_it_led_to():
    """The longest prefix wins even so, and no shorter route is tried."""
    corp = {"kind": "webhook", "name": "corp", "url": f"https://{CORP}/"}
    dead = routes(BASE, "rtb-private", Route("172.16.0.0/12", "transit", "tgw-1", active=False))
    assert look(dead, corp).rows[0].cells[0].code == "ROUTE_BLACKHOLE"


def test_an_egress_rule_by_group_is_not_trusted_through_a_nat():
    through = group(
        routes(BASE, "rtb-private", Route("10.0.3.0/24", "nat", "nat-1")),
        "sg-pods",
        ingress=(Permission(6, (9443, 9443), ("10.0.9.200/32",)),),
    )
    assert look(through, POD_TARGET).rows[0].cells[0].state == "open"
    by_group = group(through, CLUSTER_SG, egress=(Permission(6, (9443, 9443), groups=("sg-pods",)),))
    assert look(by_group, POD_TARGET).rows[0].cells[0].state == "unknown"


def test_a_nat_gateways_own_address_accepts_no_calls_and_a_load_balancers_targets_are_unknown():
    nat = {"kind": "webhook", "name": "nat", "url": "https://10.0.9.200/"}
    assert look(BASE, nat).rows[0].cells[0].code == "NAT_GATEWAY_NOT_A_TARGET"
    for changed in ({"kind": "network_load_balancer"}, {"kind": "interface", "description": "ELB app/x/1"}):
        balanced = replace(BASE, interfaces=swap(BASE.interfaces, "eni-nat", **changed))
        assert look(balanced, nat).rows[0].cells[0].state == "unknown"


@pytest.mark.parametrize(
    ("where", "egress", "block"), [("subnet-pods", True, "10.0.1.0/24"), (A, False, "10.0.3.0/24")]
)
def test_answers_meet_the_acls_of_both_subnets(where, egress, block):
    closed = acl(BASE, where, AclEntry(5, egress, False, 6, block, (1024, 65535)))
    assert look(closed, POD_TARGET).rows[0].cells[0].code == "NACL_EPHEMERAL_DENIED"
    assert look(closed, POD_TARGET).rows[0].cells[1].state == "open"


def test_a_private_ipv6_source_gets_nothing_from_an_internet_gateway():
    """User guide, VPC IPv6 addressing: private IPv6 addresses are not advertised."""
    ula = replace(
        routes(BASE, "rtb-private", Route("::/0", "internet", "igw-1")),
        interfaces=(replace(BASE.interfaces[0], addresses=("10.0.1.20", "fd12::20")), *BASE.interfaces[1:]),
    )
    assert [cell.code for cell in look(ula).rows[0].cells] == ["ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS", ""]


def test_an_exclusion_of_another_subnet_excludes_nothing():
    """Of the NAT gateway's subnet or the VPC it must be; the control plane's own does not help."""
    for of, state in ((A, "closed"), (PUBLIC, "open")):
        held = PublicAccess("block-bidirectional", (Exclusion(of, "allow-egress"),))
        found = look(cluster(replace(BASE, public_access=held), ip_family="ipv4"))
        assert found.rows[0].cells[0].state == state


def test_a_nat_gateway_among_its_own_clients():
    """It would send to itself, and so would its neighbours' packets go round."""
    own = replace(BASE, nats=swap(BASE.nats, "nat-1", subnet=A, addresses=("10.0.1.200",)))
    found = look(cluster(own, ip_family="ipv4"))
    assert [cell.code for cell in found.rows[0].cells] == ["NAT_SUBNET_NO_INTERNET_ROUTE"] * 2


def test_behind_a_nat_no_group_is_the_callers():
    through = routes(BASE, "rtb-private", Route("10.0.3.0/24", "nat", "nat-1"))
    assert look(through, POD_TARGET).rows[0].cells[0].code == "SG_INGRESS_DENIED"


def test_of_several_attachments_nobody_says_which_one_answers_take():
    """One in the zone: its ACL closes the way back. Two: it may be the other one."""
    corp = {"kind": "webhook", "name": "corp", "url": f"https://{CORP}/"}

    def cell(*subnets):
        held = replace(BASE, attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=subnets),))
        denied = AclEntry(5, True, False, 6, "10.0.1.0/24", (1024, 65535))
        return look(acl(held, "subnet-pods", denied), corp).rows[0].cells[0]

    assert cell("subnet-pods").code == "NACL_EPHEMERAL_DENIED"
    assert cell("subnet-pods", B).state == "unknown"


def test_the_acl_in_front_of_an_appliance():
    box = replace(
        group(routes(BASE, "rtb-private", Route("93.0.0.0/8", "interface", "eni-box")), "sg-pods", ingress=(ALL,)),
        interfaces=swap(BASE.interfaces, "eni-box", checked=False),
    )
    box = cluster(box, ip_family="ipv4")
    assert look(box).rows[0].cells[0].state == "unknown"
    closed = acl(box, "subnet-pods", AclEntry(5, False, False, 6, "10.0.1.0/24", (443, 443)))
    assert look(closed).rows[0].cells[0].code == "NACL_INGRESS_DENIED"
    gone_box = routes(box, "rtb-private", Route("93.0.0.0/8", "interface", "eni-nobody"))
    assert look(gone_box).rows[0].cells[0].state == "unknown"


def test_an_attachment_without_ipv6_takes_none():
    held = routes(BASE, "rtb-private", Route("::/0", "transit", "tgw-1"))
    assert look(held).rows[0].cells[0].state == "unknown"
    four = replace(held, attachments=swap(held.attachments, "tgw-attach-1", ipv6=False))
    assert look(four).rows[0].cells[0].code == "IPV6_ROUTE_MISSING"
