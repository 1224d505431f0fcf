"""Rules beside the way: the VPC's attributes, the subnets, what the audit itself may read. Each returns findings."""

from collections.abc import Iterator

from egressprobe.audit.fix_commands import commands
from egressprobe.audit.vpc.topology import Network
from egressprobe.catalog.findings_vpc_config import OWNED_BY_ANOTHER_ACCOUNT, SUBNET_ADDRESSES_LOW
from egressprobe.catalog.findings_vpc_path import SUBNET_WITHOUT_IPV6
from egressprobe.catalog.registry import FINDINGS
from egressprobe.model.report import Finding

# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html, "Subnet requirements"
_FREE_NEEDED, _FREE_WISHED = 6, 16


def rules(network: Network) -> list[Finding]:
    return [*_shared(network), *_attributes(network), *_subnets(network), *_unread(network)]


def _shared(network: Network) -> Iterator[Finding]:
    vpc = network.snapshot.vpc
    if network.shared:
        said = f"{vpc.id} belongs to {vpc.owner}; its route tables, network ACLs and gateways are the owner's to read"
        yield OWNED_BY_ANOTHER_ACCOUNT.found(said, {"vpc": vpc.id, "owner": vpc.owner})


def _attributes(network: Network) -> Iterator[Finding]:
    vpc = network.snapshot.vpc
    for value, code, name in (
        (vpc.dns_support, "VPC_DNS_SUPPORT_OFF", "enableDnsSupport"),
        (vpc.dns_hostnames, "VPC_DNS_HOSTNAMES_OFF", "enableDnsHostnames"),
    ):
        if value is False:
            option = "--enable-dns-support" if "SUPPORT" in code else "--enable-dns-hostnames"
            mend = f"aws ec2 modify-vpc-attribute --vpc-id {vpc.id} {option} '{{\"Value\":true}}'"
            yield FINDINGS[code].found(f"{name} of {vpc.id} is off", {"vpc": vpc.id}, (mend,))


def _subnets(network: Network) -> Iterator[Finding]:
    cluster = network.snapshot.cluster
    for name in cluster.subnets:
        subnet = network.subnets.get(name)
        if subnet is None:
            continue
        if subnet.free is not None and subnet.free < _FREE_WISHED:
            need = "at least 6" if subnet.free < _FREE_NEEDED else "16 recommended"
            said = f"{name} has {subnet.free} free addresses ({need})"
            yield SUBNET_ADDRESSES_LOW.found(said, {"subnet": name, "free": subnet.free})
        if cluster.ip_family == "ipv6" and not any(":" in held for held in subnet.blocks):
            evidence = {"subnet": name}
            said = f"{name} has no IPv6 block, and the cluster is IPv6"
            yield SUBNET_WITHOUT_IPV6.found(said, evidence, commands(network, "SUBNET_WITHOUT_IPV6", evidence))


def _unread(network: Network) -> Iterator[Finding]:
    for one in network.snapshot.unread:
        code = "AUDIT_PERMISSION_MISSING" if one.denied else "AUDIT_PART_UNREADABLE"
        why = "is not allowed" if one.denied else "did not work"
        said = f"{one.action} {why}, so {one.part.replace('_', ' ')} is not known: {one.error}"
        yield FINDINGS[code].found(said, {"action": one.action, "part": one.part, "error": one.error})
