"""The prerequisites one by one: each with a VPC that does not meet it, and one of which it is not known."""

import pytest
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import AclEntry, Unread
from egressprobe.audit.vpc.snapshot_dns import Dhcp, DnsFirewallRule, Zone
from egressprobe.catalog.findings_cluster import DISCOVERY_FORBIDDEN
from egressprobe.model.discovered import Discovered
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from egressprobe.readiness.checks import verification
from egressprobe.readiness.result import Decision
from egressprobe.readiness.run import preflight
from tests.support.preflights import (
    CLUSTER,
    CORP_LOGIN,
    ISSUER,
    KUBELET,
    POLICY,
    TARGETS,
    FakeClock,
    ScriptedSources,
    result,
)
from tests.support.vpc.snapshots import ALL, POD, A, B, acl, clean, gone, group, routes, swap

MET, NOT_MET, UNKNOWN = "met", "not met", "unknown"
FOUR = ScriptedSources().snapshot
SIX = replace(clean(cluster=replace(clean().cluster, mode="AWS_MANAGED")), names=FOUR.names)
DENIED = Unread("acls", "ec2:DescribeNetworkAcls", "denied", denied=True)


def vpc(**changed):
    return replace(FOUR, vpc=replace(FOUR.vpc, **changed))


def subnet_of(name, **changed):
    return replace(FOUR, subnets=swap(FOUR.subnets, name, **changed))


def denied(part):
    return replace(FOUR, **{part: None}, unread=(replace(DENIED, part=part),))


NOT_AS_IT_SHOULD_BE = [
    ("subnets", NOT_MET, subnet_of(B, zone="eu-west-1a")),
    ("subnets", UNKNOWN, replace(FOUR, subnets=FOUR.subnets[1:], unread=(replace(DENIED, part="subnets"),))),
    ("free-addresses", NOT_MET, subnet_of(A, free=5)),
    ("free-addresses", MET, subnet_of(A, free=7)),
    ("free-addresses", UNKNOWN, replace(FOUR, subnets=FOUR.subnets[1:], unread=(replace(DENIED, part="subnets"),))),
    ("routes", NOT_MET, routes(FOUR, "rtb-private", gone("0.0.0.0/0"))),
    ("routes", MET, denied("route_tables")),
    ("security-groups", NOT_MET, group(FOUR, "sg-cluster", egress=())),
    ("security-groups", MET, denied("groups")),
    ("network-acls", NOT_MET, acl(FOUR, A, AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443)))),
    ("network-acls", NOT_MET, acl(FOUR, A, AclEntry(10, False, False, 6, "0.0.0.0/0", (1024, 65535)))),
    ("network-acls", NOT_MET, acl(FOUR, A, AclEntry(10, False, False, 6, "0.0.0.0/0", (40000, 65535)))),
    ("network-acls", UNKNOWN, denied("acls")),
    ("network-acls", UNKNOWN, vpc(owner="999999999999")),
    ("dhcp-options", NOT_MET, replace(FOUR, dhcp=Dhcp("dopt-1", ("10.0.3.53",)))),
    ("dhcp-options", UNKNOWN, replace(FOUR, dhcp=None, unread=(replace(DENIED, part="dhcp"),))),
    ("dhcp-options", UNKNOWN, replace(FOUR, dhcp=replace(FOUR.dhcp, changed_at="2026-11-22T02:59:00+00:00"))),
    ("dns-support", NOT_MET, vpc(dns_support=False)),
    ("dns-support", UNKNOWN, vpc(dns_support=None)),
    ("dns-hostnames", NOT_MET, vpc(dns_hostnames=False)),
    ("dns-hostnames", UNKNOWN, vpc(dns_hostnames=None)),
    (
        "public-names",
        NOT_MET,
        replace(
            FOUR, dns_firewall=(DnsFirewallRule("g", "r", "BLOCK", 1, list="l", domains=("policy.example.com.",)),)
        ),
    ),
]


def checks_of(flight):
    return {check.id: str(check.state) for check in flight.checks}


def flown(snapshot=FOUR, **more):
    return preflight(ScriptedSources(snapshot=snapshot, **more), rounds=2, seconds=0, clock=FakeClock())


@pytest.mark.parametrize(("name", "state", "snapshot"), NOT_AS_IT_SHOULD_BE)
def test_a_prerequisite_that_is_not_met_or_not_known(name, state, snapshot):
    """The probes pass all the same: what they do not show decides."""
    flight = flown(snapshot)
    assert checks_of(flight)[name] == state
    wanted = {MET: Decision.GO, NOT_MET: Decision.NO_GO, UNKNOWN: Decision.UNKNOWN}[state]
    assert flight.decision is wanted, flight.reasons
    check = next(check for check in flight.checks if check.id == name)
    assert check.source.startswith("https://docs.aws.amazon.com/eks/")


def test_in_an_ipv6_cluster_both_families_need_an_egress_path():
    """By an audit of its own: no target has an IPv6 address."""
    six = replace(CLUSTER, ip_family="ipv6")
    assert checks_of(flown(SIX, cluster=six))["ipv6"] == MET
    without = flown(routes(SIX, "rtb-private", gone("::/0")), cluster=six)
    assert (checks_of(without)["ipv6"], without.decision) == (NOT_MET, Decision.NO_GO)
    assert "no path to the internet by IPv6 from subnet-a, subnet-b" in str(without.reasons)
    no_cidr = replace(SIX, subnets=swap(SIX.subnets, A, blocks=("10.0.1.0/24",)))
    assert checks_of(flown(no_cidr, cluster=six))["ipv6"] == NOT_MET
    assert "ipv6" not in checks_of(flown())


def test_names_that_resolve_nowhere():
    """A name that resolves from one subnet and not from the other: that subnet's resolver is to blame."""
    nowhere = (Verdict.FAIL, Code.DNS_TIMEOUT)
    changes = {(None, B, name): nowhere for name in (POLICY, CORP_LOGIN)}
    changes[None, B, ISSUER] = (Verdict.DEGRADED, Code.DNS_TIMEOUT)
    flight = flown(changes=changes)
    assert checks_of(flight)["public-names"] == NOT_MET
    assert "no name resolved from subnet-b" in str(flight.reasons)
    flight = flown(changes={(None, None, POLICY): nowhere})
    assert checks_of(flight)["public-names"] == MET, "one name alone is a matter of that name"


def test_without_a_target_that_needs_names_the_issuer_alone_decides_nothing():
    targets = [raw for raw in TARGETS if raw["name"] in (ISSUER, KUBELET)]
    flight = flown(targets=targets, changes={(None, None, ISSUER): (Verdict.DEGRADED, Code.DNS_NXDOMAIN)})
    assert checks_of(flight)["public-names"] == MET
    assert flight.decision is Decision.GO


def test_the_steps_of_the_verification():
    """Webhooks, nodes and issuers, from the rows; what is not measured is unknown."""
    fail, unknown = (Verdict.FAIL, Code.TLS_RESET), (Verdict.UNKNOWN, None)
    states = checks_of(flown(changes={(None, A, POLICY): fail, (0, A, KUBELET): unknown, (None, A, CORP_LOGIN): fail}))
    assert [states[name] for name in ("verify-webhooks", "verify-nodes", "verify-oidc")] == [NOT_MET, UNKNOWN, NOT_MET]
    assert checks_of(flown(targets=TARGETS[:3]))["verify-nodes"] == UNKNOWN
    assert checks_of(flown(targets=TARGETS[1:]))["verify-webhooks"] == MET


def test_no_target_is_no_evidence_where_discovery_is_incomplete():
    """No prerequisite on paths is met, and no step of the verification, because nothing was found to look at."""
    of_targets = ("routes", "security-groups", "network-acls", "public-names", "verify-webhooks", "verify-oidc")
    denied = Discovered(findings=(DISCOVERY_FORBIDDEN.found("webhooks: 403", {}),))
    for discovered, state in ((Discovered(), MET), (denied, UNKNOWN), (Discovered(unread=("services",)), UNKNOWN)):
        flight = flown(targets=(), discovered=discovered)
        states = checks_of(flight)
        assert {states[name] for name in of_targets} == {state}, discovered
        assert {str(step.state) for step in verification(flight.cluster, (), discovered=state == MET)[2::2]} == {state}
    found = checks_of(flown(discovered=replace(denied, targets=tuple(TARGETS))))
    assert (found["routes"], found["verify-webhooks"]) == (MET, UNKNOWN)


def test_a_reason_does_not_state_a_prerequisite_that_is_not_met():
    reasons = [reason for reason in flown(vpc(dns_hostnames=False)).reasons if "enableDnsHostnames" in reason.subject]
    assert [reason.summary.partition(":")[0] for reason in reasons] == ["not met"]


def test_a_name_that_is_another_address_in_the_vpc_is_judged_by_that_one():
    """The audit resolves it to an address without a route; the probes dial another one, which has a route."""
    elsewhere = replace(FOUR, names=dict.fromkeys(FOUR.names, ("172.16.5.5",)))
    flight = flown(routes(elsewhere, "rtb-private", gone("172.16.0.0/12")))
    row = next(row for row in flight.rows if row.target.name == POLICY)
    assert {cell.configured for cell in row.cells} == {"open"}
    assert flight.decision is Decision.GO, flight.reasons
    flight = flown(routes(elsewhere, "rtb-private", gone("0.0.0.0/0")))
    assert checks_of(flight)["routes"] == NOT_MET, "the address that is dialled has none"


def test_a_name_of_a_private_zone_is_audited_by_what_was_dialled():
    """An ACL against a part of the client ports, which five connections may not meet."""
    zones = (Zone("Z1", "policy.example.com."),)
    names = {host: known for host, known in FOUR.names.items() if host != "policy.example.com"}
    deny = AclEntry(10, False, False, 6, "10.0.3.0/24", (40000, 65535))
    target = next(row.target for row in flown().rows if row.target.name == POLICY)
    changes = {(None, None, POLICY): result(target, addresses=(POD,))}
    private = group(replace(FOUR, zones=zones, names=names), "sg-pods", ingress=(ALL,))
    assert flown(private, changes=changes).decision is Decision.GO
    flight = flown(acl(private, A, deny), changes=changes)
    assert checks_of(flight)["network-acls"] == NOT_MET
    assert flight.decision is Decision.NO_GO
    row = next(row for row in flight.rows if row.target.name == POLICY)
    assert {cell.subnet_id: cell.configured for cell in row.cells} == {A: "partial", B: "open"}


def test_an_acl_is_not_known_where_no_path_was_evaluated():
    """The second audit fails: then no address of the private name is known."""
    sources = ScriptedSources(snapshot=replace(FOUR, zones=(Zone("Z1", "policy.example.com."),), names={}))
    first = sources.audit

    def once(plan):
        sources.audit = lambda _: 1 / 0
        return first(plan)

    sources.audit = once
    flight = preflight(sources, rounds=2, seconds=0, clock=FakeClock())
    assert checks_of(flight)["network-acls"] == UNKNOWN
    assert flight.decision is Decision.UNKNOWN
