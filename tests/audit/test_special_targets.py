"""Targets that are not an ordinary address: the VPC's own public addresses, the resolver, VPC Lattice, NAT64, addresses
that nothing routes, addresses that EKS does not dial, and targets that must be blocked. One kind a test.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.audit.paths.destinations import hosts_of
from egressprobe.audit.run import audit
from egressprobe.audit.vpc.cidr import Address, address, on_the_internet
from egressprobe.audit.vpc.snapshot import AclEntry, Attachment, Interface, Permission, Route, Subnet
from egressprobe.cli.output.audit_table import audit_table
from egressprobe.model.target import Verdict
from egressprobe.targets.plan import read_plan
from tests.support.vpc.snapshots import (
    ANY,
    CLUSTER_SG,
    CORP,
    LOCAL,
    POD,
    PODS,
    PUBLIC,
    WEB,
    A,
    acl,
    clean,
    gone,
    group,
    routes,
    swap,
)

BASE = replace(clean(), names={"v6.example": ("2606:2800:220:1::10",)})
IPV4 = replace(BASE, cluster=replace(BASE.cluster, ip_family="ipv4"))
NAT_ADDRESS, OWN = "203.0.113.1", "203.0.113.80"


def look(snapshot, url, **more):
    raw = {"kind": "webhook", "name": "t", "url": url} | more
    if url.startswith("tcp://"):
        raw["kind"] = "endpoint"
    return audit(snapshot, read_plan({"targets": [raw]}).targets)


def service(snapshot, *addresses):
    raw = {"kind": "webhook", "name": "t", "service": {"namespace": "x", "name": "y"}, "addresses": list(addresses)}
    return audit(snapshot, read_plan({"targets": [raw]}).targets)


def state(found, cell=0):
    cells = found.rows[0].cells
    return cells[cell].state, cells[cell].code


# -- public addresses of the VPC's own interfaces ---------------------------------------------------------------


def balancer(snapshot=IPV4, **changed):
    """An instance in the public subnet with a public address of its own."""
    fields = {
        "id": "eni-own",
        "subnet": PUBLIC,
        "groups": ("sg-pods",),
        "addresses": ("10.0.9.80",),
        "public": {OWN: "10.0.9.80"},
        "status": "in-use",
    }
    rules = (Permission(6, (443, 443), (f"{NAT_ADDRESS}/32",)),)
    return group(
        replace(snapshot, interfaces=(*snapshot.interfaces, Interface(**fields | changed))), "sg-pods", ingress=rules
    )


def test_an_own_public_address_is_reached_by_the_internet_gateway():
    """User guide, VPC_Internet_Gateway: 1:1 translation; the target sees the NAT gateway's public address."""
    assert state(look(balancer(), f"https://{OWN}/")) == ("open", "")


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (group(balancer(), "sg-pods", ingress=(Permission(6, (443, 443), ("10.0.0.0/8",)),)), "SG_INGRESS_DENIED"),
        (group(balancer(), "sg-pods", ingress=(Permission(6, (443, 443), groups=(CLUSTER_SG,)),)), "SG_INGRESS_DENIED"),
        (
            acl(balancer(), PUBLIC, AclEntry(5, False, False, 6, f"{NAT_ADDRESS}/32", (443, 443))),
            "NACL_INGRESS_DENIED",
        ),
        (
            acl(balancer(), PUBLIC, AclEntry(5, True, False, 6, f"{NAT_ADDRESS}/32", (1024, 65535))),
            "NACL_EPHEMERAL_DENIED",
        ),
        (balancer(status="available"), "INTERFACE_NOT_ATTACHED"),
    ],
    ids=["private range", "group reference", "ACL in", "ACL return", "not attached"],
)
def test_what_closes_an_own_public_address(broken, code):
    """The group and the ACL of the target's subnet apply, by the NAT gateway's address; a group reference never matches."""
    assert state(look(broken, f"https://{OWN}/")) == ("closed", code)


def test_an_own_public_address_that_cannot_be_determined():
    """Several public addresses of the NAT gateway, a load balancer behind the address, or no such subnet."""
    two = replace(balancer(), nats=swap(BASE.nats, "nat-1", elastic=(NAT_ADDRESS, "203.0.113.2")))
    for unknown in (two, balancer(kind="network_load_balancer"), balancer(subnet="subnet-other")):
        assert state(look(unknown, f"https://{OWN}/"))[0] == "unknown"


# -- addresses that need no route, or have none ------------------------------------------------------------------


@pytest.mark.parametrize("server", ["10.0.0.2", "169.254.169.253", "fd00:ec2::253"])
def test_no_group_and_no_acl_blocks_the_vpcs_resolver(server):
    """User guide, AmazonDNS-concepts; the addresses are those of VPC base + 2 and the link-local ones."""
    shut = group(acl(BASE, A, AclEntry(1, True, False, -1, "0.0.0.0/0")), CLUSTER_SG, egress=())
    host = f"[{server}]" if ":" in server else server
    assert state(look(shut, f"tcp://{host}:53"))[0] == "open"
    off = replace(shut, vpc=replace(shut.vpc, dns_support=False))
    found = look(off, f"tcp://{host}:53")
    assert state(found) == ("closed", "VPC_DNS_SUPPORT_OFF")
    assert [finding.code for finding in found.findings].count("VPC_DNS_SUPPORT_OFF") == 1
    assert state(look(shut, f"tcp://{host}:443"))[0] == "closed"


def test_vpc_lattice_is_unknown_and_still_needs_an_egress_rule():
    assert state(look(BASE, "https://169.254.171.9/"))[0] == "unknown"
    shut = group(BASE, CLUSTER_SG, egress=())
    assert state(look(shut, "https://169.254.171.9/")) == ("closed", "SG_EGRESS_DENIED")


@pytest.mark.parametrize(
    "text", ["198.18.0.1", "198.19.255.255", "240.0.0.1", "0.1.2.3", "192.0.0.170", "255.255.255.254", "100.64.0.9"]
)
def test_what_no_provider_routes_is_not_open_by_a_default_route(text):
    """RFC 6890: a default route to an internet gateway does not lead there."""
    assert state(look(IPV4, f"https://{text}/")) == ("closed", "PRIVATE_ADDRESS_TO_INTERNET")


@given(st.integers(0, 2**32 - 1))
def test_the_special_purpose_registry_is_that_of_the_standard_library(number):
    """IPv4, without the documentation blocks (which represent the internet here), 192.0.0.0/24's exceptions, multicast."""
    target = Address(4, number)
    import ipaddress

    parsed = ipaddress.IPv4Address(number)
    documentation = any(
        parsed in ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
    )
    if not documentation and parsed not in ipaddress.ip_network("192.0.0.0/24") and not parsed.is_multicast:
        assert on_the_internet(target) == parsed.is_global


@pytest.mark.parametrize("text", ["100::1", "2001:2::1", "5f00::1", "fec0::1", "64:ff9b:1::1", "::ffff:9.9.9.9"])
def test_special_addresses_of_ipv6(text):
    assert not on_the_internet(address(text))


def test_nat64_needs_a_route_of_its_own():
    """User guide, nat-gateway-nat64-dns64: by ::/0 it reaches the egress-only gateway, which does not translate."""
    url = "https://[64:ff9b::5db8:d822]/"
    found = look(BASE, url)
    assert state(found) == ("closed", "NAT64_ROUTE_MISSING")
    assert "create-route --route-table-id rtb-private --destination-ipv6-cidr-block 64:ff9b::/96 --nat-gateway-id" in (
        found.findings[0].remedy
    )
    assert state(look(routes(BASE, "rtb-private", Route("64:ff9b::/96", "nat", "nat-1")), url)) == ("open", "")


def test_an_interface_that_is_attached_to_nothing_answers_no_call():
    dead = replace(BASE, interfaces=swap(BASE.interfaces, "eni-pod", status="available"))
    assert state(service(dead, f"{POD}:9443")) == ("closed", "INTERFACE_NOT_ATTACHED")
    live = replace(BASE, interfaces=swap(BASE.interfaces, "eni-pod", status="in-use"))
    assert state(service(live, f"{POD}:9443")) == ("open", "")
    emulated = tuple(replace(interface, status="available") for interface in BASE.interfaces)
    assert state(service(replace(BASE, interfaces=emulated), f"{POD}:9443")) == ("open", "")


# -- what EKS does not dial ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["192.168.57.4", "100.64.3.4", "93.184.216.34", "172.16.5.5"])
def test_pods_outside_the_vpc_and_the_remote_networks_are_not_dialled(text):
    """`Address is not allowed`, whatever the routes say; by URL the same address is an ordinary target."""
    found = service(BASE, f"{text}:9443")
    assert state(found) == ("closed", "ADDRESS_NOT_ALLOWED")
    assert "hostNetwork" in found.findings[0].remedy
    assert "aws ec2 create-route" not in found.findings[0].remedy
    assert state(look(BASE, f"https://{text}:9443/"))[1] != "ADDRESS_NOT_ALLOWED"


@pytest.mark.parametrize("part", ["remote", "remote_pods"])
def test_remote_networks_are_dialled(part):
    remote = replace(BASE, cluster=replace(BASE.cluster, **{part: ("172.16.0.0/12",)}))
    assert state(service(remote, f"{CORP}:9443"))[0] == "unknown"
    second = replace(BASE, vpc=replace(BASE.vpc, blocks=(*BASE.vpc.blocks, "100.64.0.0/16")))
    assert state(service(second, "100.64.3.4:9443"))[1] != "ADDRESS_NOT_ALLOWED"


@pytest.mark.parametrize("url", ["https://v6.example/", "https://[2600:1f18::3]/"])
def test_an_ipv4_cluster_cannot_call_an_ipv6_only_target(url):
    """A name with AAAA records alone and a literal: closed from every subnet, and not "resolves only inside"."""
    found = look(IPV4, url)
    assert [(cell.state, cell.code) for cell in found.rows[0].cells] == [("closed", "IPV6_ONLY_TARGET")] * 2
    assert found.verdict is Verdict.FAIL
    assert [finding.code for finding in found.findings] == ["IPV6_ONLY_TARGET"]
    assert state(look(BASE, url))[0] == "open"


# -- targets that must be blocked ----------------------------------------------------------------------------------


def blocked(snapshot, *urls):
    raw = [
        {"kind": "endpoint", "name": url, "url": url, "expect": "blocked", "control": f"tcp://{WEB}:443"}
        for url in urls
    ] + [{"kind": "webhook", "name": "web", "url": f"https://{WEB}/"}]
    return audit(snapshot, read_plan({"targets": raw}).targets)


def test_closed_is_right_for_a_target_that_must_be_blocked():
    """No finding, no command that opens it, exit 0."""
    shut = group(BASE, CLUSTER_SG, egress=(Permission(6, (443, 443), ANY),))
    found = blocked(shut, f"tcp://{WEB}:8080")
    assert state(found) == ("closed", "SG_EGRESS_DENIED")
    assert found.findings == ()
    assert found.verdict is Verdict.PASS
    assert " blocked" in audit_table(found)
    assert "CLOSED" not in audit_table(found)


def test_open_is_the_finding_for_a_target_that_must_be_blocked():
    found = blocked(BASE, "tcp://198.51.100.7:443")
    assert [finding.code for finding in found.findings] == ["BLOCKED_TARGET_OPEN"]
    assert found.findings[0].evidence["subnets"] == ["subnet-a", "subnet-b"]
    assert found.verdict is Verdict.FAIL
    assert "NOT BLOCKED" in audit_table(found)


def test_a_target_that_must_be_blocked_and_cannot_be_determined_is_unknown():
    found = blocked(BASE, f"tcp://{CORP}:443")
    assert state(found)[0] == "unknown"
    assert found.verdict is Verdict.UNKNOWN


def test_one_address_that_one_target_needs_and_another_must_not_reach():
    """The need counts for the target that has it; the other's row is closed as it should be."""
    bare = routes(IPV4, "rtb-private", gone("0.0.0.0/0"))
    found = blocked(bare, f"tcp://{WEB}:443")
    assert {row.target.name: row.cells[0].state for row in found.rows} == {
        f"tcp://{WEB}:443": "closed",
        "web": "closed",
    }
    assert [finding.code for finding in found.findings] == ["ROUTE_NO_EGRESS"]


# -- paths -----------------------------------------------------------------------------------------------------------


def test_every_blocker_of_a_path_is_named():
    """Behind a denying group, a denying ACL: both are findings, the first one is the cell's."""
    shut = group(IPV4, CLUSTER_SG, egress=(Permission(6, (9443, 9443), ANY),))
    shut = acl(shut, A, AclEntry(5, True, False, 6, "0.0.0.0/0", (443, 443)))
    shut = acl(shut, PUBLIC, AclEntry(7, False, False, 6, "93.184.0.0/16", (1024, 65535)))
    found = look(shut, f"https://{WEB}/")
    path = next(path for path in found.paths if path.subnet == A)
    assert path.blame.code == "SG_EGRESS_DENIED"
    assert [(blame.code, blame.element) for blame in path.also] == [
        ("NACL_EGRESS_DENIED", f"acl-{A}"),
        ("NACL_EPHEMERAL_DENIED", f"acl-{PUBLIC}"),
    ]
    assert {finding.code for finding in found.findings} == {
        "SG_EGRESS_DENIED",
        "NACL_EGRESS_DENIED",
        "NACL_EPHEMERAL_DENIED",
    }


def test_the_last_rule_of_ipv6_is_shown_as_a_star():
    star = tuple(
        AclEntry(number, egress, allow, -1, cidr)
        for egress in (False, True)
        for number, allow, cidr in ((100, True, "0.0.0.0/0"), (32767, False, "0.0.0.0/0"), (32768, False, "::/0"))
    )
    shut = replace(BASE, acls=swap(BASE.acls, f"acl-{A}", entries=star))
    found = look(shut, "https://v6.example/")
    assert found.findings[0].evidence["rule"] == 32768
    assert f"acl-{A} (subnet-a) rule * denies TCP 443" in found.findings[0].summary


def test_local_wins_over_a_propagated_route():
    """Site-to-Site VPN User Guide, vpn-route-priority: even over a more specific one."""
    vpn = routes(BASE, "rtb-private", Route("10.0.3.0/24", "vpn", "vgw-1", propagated=True))
    assert state(service(vpn, f"{POD}:9443")) == ("open", "")
    static = routes(BASE, "rtb-private", Route("10.0.3.0/24", "nat", "nat-1"))
    assert state(service(static, f"{POD}:9443"))[0] == "closed"


def test_a_firewall_before_a_transit_gateway_attached_in_the_callers_subnet():
    """Return traffic comes in by the attachment, where the subnet's ACL evaluates nothing: unknown, not closed."""
    from egressprobe.audit.vpc.snapshot import Acl, RouteTable, VpcEndpoint
    from tests.support.vpc.snapshots import entries

    fw = replace(
        routes(IPV4, "rtb-private", Route("172.16.0.0/12", "endpoint", "vpce-1")),
        endpoints=(VpcEndpoint("vpce-1", "GatewayLoadBalancer", subnets=("subnet-fw",)),),
        subnets=(*BASE.subnets, Subnet("subnet-fw", "eu-west-1a", "", ("10.0.7.0/24",))),
        acls=(*BASE.acls, Acl("acl-subnet-fw", ("subnet-fw",), entries())),
    )
    on = RouteTable("rtb-fw", subnets=("subnet-fw",), routes=(*LOCAL, Route("172.16.0.0/12", "transit", "tgw-1")))
    fw = replace(fw, route_tables=(*fw.route_tables, on))
    shut = acl(fw, A, AclEntry(5, False, False, 6, "172.16.0.0/12", (1024, 65535)))
    assert state(look(shut, f"https://{CORP}/"))[0] == "unknown"
    other = replace(shut, attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=(PODS,)),))
    assert state(look(other, f"https://{CORP}/")) == ("closed", "NACL_EPHEMERAL_DENIED")


# -- targets that have no row ----------------------------------------------------------------------------------------


def test_endpoints_by_host_name_are_resolved():
    """EndpointSlices of addressType FQDN: by the names that the snapshot has, else as any address of the internet."""
    raw = {
        "kind": "webhook",
        "name": "t",
        "service": {"namespace": "x", "name": "y"},
        "addresses": [f"{POD}:9443", "hook.example:8443"],
    }
    targets = read_plan({"targets": [raw]}).targets
    assert hosts_of(targets) == ["hook.example"]
    rows = {row.target.port: row.target for row in audit(replace(BASE, names={"hook.example": (WEB,)}), targets).rows}
    assert (rows[8443].addresses, rows[8443].in_cluster, rows[9443].in_cluster) == ((WEB,), False, True)
    assert {row.target.assumed for row in audit(BASE, targets).rows} == {True, False}


def test_an_error_of_ours_costs_one_path_or_the_commands(monkeypatch):
    """Unknown for that path alone; findings without commands where the search for fixes fails."""
    from egressprobe.audit.paths import paths as module

    whole = module.evaluate

    def evaluate(topology, key, starts):
        if key[0] == A:
            raise KeyError("bug")
        return whole(topology, key, starts)

    monkeypatch.setattr(module, "evaluate", evaluate)
    found = look(IPV4, f"https://{WEB}/")
    assert [cell.state for cell in found.rows[0].cells] == ["unknown", "open"]
    assert found.verdict is Verdict.UNKNOWN
    monkeypatch.setattr(module, "evaluate", whole)
    monkeypatch.setattr("egressprobe.audit.run.propose", lambda *_: 1 / 0)
    found = look(routes(IPV4, "rtb-private", gone("0.0.0.0/0")), f"https://{WEB}/")
    assert [finding.code for finding in found.findings] == ["ROUTE_NO_EGRESS"]
    assert "the search for a fix failed (ZeroDivisionError" in found.findings[0].remedy


def test_targets_that_are_not_audited_are_counted_and_named():
    refusal = {"finding": "SERVICE_WITHOUT_ENDPOINTS", "error": "no endpoints available for service"}
    raw = [
        {"kind": "webhook", "name": "web", "url": f"https://{WEB}/"},
        {"kind": "webhook", "name": "gone.svc", "service": {"namespace": "x", "name": "gone"}, "refusal": refusal},
    ]
    found = audit(BASE, read_plan({"targets": raw}).targets)
    assert [(one.name, one.reason) for one in found.not_audited] == [("gone.svc", "no endpoints available for service")]
    assert "1 not audited: gone.svc (no endpoints available for service)." in audit_table(found)
    assert [row.target.name for row in found.rows] == ["web"]
