"""Rules of the VPC and the cluster: attributes, subnets, and what the audit itself could read."""

from collections.abc import Iterator

from egressprobe.audit.fixes.proposal import with_proposal
from egressprobe.audit.fixes.rule_fixes import ipv6_cidrs
from egressprobe.audit.rules.rule import Rule, RuleInput, declared
from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_vpc_config import (
    AUDIT_PART_UNREADABLE,
    AUDIT_PERMISSION_MISSING,
    OWNED_BY_ANOTHER_ACCOUNT,
    SUBNET_ADDRESSES_LOW,
    VPC_DNS_HOSTNAMES_OFF,
    VPC_DNS_SUPPORT_OFF,
)
from egressprobe.catalog.findings_vpc_path import SUBNET_WITHOUT_IPV6
from egressprobe.model.report import Finding

# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html, "Subnet requirements"
_FREE_NEEDED, _FREE_RECOMMENDED = 6, 16


def _shared(given: RuleInput) -> Iterator[Finding]:
    vpc = given.topology.snapshot.vpc
    if given.topology.shared:
        message = (
            f"{vpc.id} belongs to {vpc.owner}; only the owner can read its route tables, network ACLs and gateways"
        )
        yield OWNED_BY_ANOTHER_ACCOUNT.found(message, {"vpc": vpc.id, "owner": vpc.owner})


def _dns_support(given: RuleInput) -> Iterator[Finding]:
    yield from _attribute(given, VPC_DNS_SUPPORT_OFF, "enableDnsSupport", "--enable-dns-support")


def _dns_hostnames(given: RuleInput) -> Iterator[Finding]:
    yield from _attribute(given, VPC_DNS_HOSTNAMES_OFF, "enableDnsHostnames", "--enable-dns-hostnames")


def _attribute(given: RuleInput, finding: FindingEntry, name: str, option: str) -> Iterator[Finding]:
    vpc = given.topology.snapshot.vpc
    if not declared(vpc.dns_support if finding is VPC_DNS_SUPPORT_OFF else vpc.dns_hostnames):
        command = f"aws ec2 modify-vpc-attribute --vpc-id {vpc.id} {option} '{{\"Value\":true}}'"
        yield finding.found(f"{name} of {vpc.id} is off", {"vpc": vpc.id}, (command,))


def _free_addresses(given: RuleInput) -> Iterator[Finding]:
    for name in given.topology.snapshot.cluster.subnets:
        subnet = given.topology.subnets.get(name)
        if subnet is not None and subnet.free is not None and subnet.free < _FREE_RECOMMENDED:
            required = "at least 6" if subnet.free < _FREE_NEEDED else "16 recommended"
            message = f"{name} has {subnet.free} free addresses ({required})"
            yield SUBNET_ADDRESSES_LOW.found(message, {"subnet": name, "free": subnet.free})


def _ipv6(given: RuleInput) -> Iterator[Finding]:
    topology = given.topology
    cluster = topology.snapshot.cluster
    known = {name: topology.subnets.get(name) for name in cluster.subnets if cluster.ip_family == "ipv6"}
    without = [name for name, subnet in known.items() if subnet and not any(":" in text for text in subnet.blocks)]
    for name, proposal in ipv6_cidrs(topology, without):
        message = f"{name} has no IPv6 CIDR, and the cluster is IPv6"
        yield with_proposal(SUBNET_WITHOUT_IPV6, message, {"subnet": name}, proposal)


def _unread(given: RuleInput) -> Iterator[Finding]:
    for unread in given.topology.snapshot.unread:
        finding = AUDIT_PERMISSION_MISSING if unread.denied else AUDIT_PART_UNREADABLE
        why = "is not allowed" if unread.denied else "failed"
        part = unread.part.replace("_", " ")
        message = f"{unread.action or 'reading it'} {why}, so {part} is not known: {unread.error}"
        yield finding.found(message, {"action": unread.action, "part": unread.part, "error": unread.error})


VPC_RULES = (
    Rule("the owner of the VPC", (), _shared),
    Rule("enableDnsSupport", ("vpc.dns_support",), _dns_support),
    Rule("enableDnsHostnames", ("vpc.dns_hostnames",), _dns_hostnames),
    Rule("free addresses of the cluster's subnets", (), _free_addresses),
    Rule("IPv6 of the cluster's subnets", (), _ipv6),
    Rule("what could be read", (), _unread),
)
