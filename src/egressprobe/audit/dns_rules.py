"""Rules of names: who answers the control plane's questions, and who might answer them wrongly.

Route 53 Developer Guide: resolver-overview-forward-vpc-to-network ("if a private hosted zone and a Resolver rule are
for the same domain, the rule takes precedence"; the most specific domain wins), resolver-dns-firewall-rules (by
priority of group, then of rule; the first that matches decides).
"""

from collections.abc import Iterable, Iterator

from egressprobe.audit.destinations import custom_servers, is_amazons
from egressprobe.audit.vpc.private_dns import depth, within
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.snapshot_dns import DnsFirewallRule, ResolverRule
from egressprobe.audit.vpc.topology import Network
from egressprobe.catalog.findings_vpc_config import (
    DHCP_CHANGED_RECENTLY,
    DHCP_OPTIONS_UNREADABLE_BY_CLUSTER_ROLE,
    DHCP_WITHOUT_AMAZON_DNS,
    DNS_FIREWALL_BLOCKS,
    DNS_FIREWALL_UNREADABLE_LIST,
    EKS_ENDPOINT_HIDES_OIDC,
    RESOLVER_RULE_SHADOWS_ZONE,
)
from egressprobe.model.report import Finding

_BLOCKING = ("BLOCK",)
_ASKED = ("", "A", "AAAA")


def rules(network: Network, hosts: Iterable[str]) -> list[Finding]:
    """hosts: names of targets."""
    snapshot, names = network.snapshot, sorted({host.lower().rstrip(".") for host in hosts})
    return [
        *_servers(snapshot),
        *_hidden_issuer(snapshot),
        *(one for name in names for one in _shadowed(snapshot, name)),
        *_firewall(snapshot, names),
    ]


def _servers(snapshot: VpcSnapshot) -> Iterator[Finding]:
    dhcp, cluster = snapshot.dhcp, snapshot.cluster
    if dhcp is None:
        return
    custom = custom_servers(dhcp, snapshot)
    if not any(is_amazons(one, snapshot) for one in dhcp.servers):
        listed = ", ".join(dhcp.servers) or "no name servers at all"
        yield DHCP_WITHOUT_AMAZON_DNS.found(
            f"the DHCP options {dhcp.id} of {snapshot.vpc.id} name {listed}",
            {"dhcpOptions": dhcp.id, "servers": list(dhcp.servers), "vpc": snapshot.vpc.id},
            (
                "aws ec2 create-dhcp-options --dhcp-configurations Key=domain-name-servers,Values=AmazonProvidedDNS",
                f"aws ec2 associate-dhcp-options --dhcp-options-id dopt-NEW --vpc-id {snapshot.vpc.id}",
            ),
        )
    if custom and cluster.reads_dhcp is False:
        role = cluster.role.rpartition("/")[2]
        partition = cluster.role.split(":")[1]
        policy = f"arn:{partition}:iam::aws:policy/AmazonEKSClusterPolicy"
        yield DHCP_OPTIONS_UNREADABLE_BY_CLUSTER_ROLE.found(
            f"{role} may not describe the VPC's DHCP options, which name {', '.join(custom)}",
            {"role": cluster.role, "servers": custom},
            (f"aws iam attach-role-policy --role-name {role} --policy-arn {policy}",),
        )
    if dhcp.changed_at:
        said = (
            f"DHCP options of {snapshot.vpc.id} were changed at {dhcp.changed_at}; the control plane may not know yet"
        )
        yield DHCP_CHANGED_RECENTLY.found(said, {"vpc": snapshot.vpc.id, "changedAt": dhcp.changed_at})


def _hidden_issuer(snapshot: VpcSnapshot) -> Iterator[Finding]:
    """Unless a zone or a Resolver rule of one's own answers for the issuer's name."""
    issuer = f"oidc.eks.{snapshot.region}."
    for one in snapshot.endpoints or ():
        if one.kind != "Interface" or not one.service.endswith(".eks") or not one.private_dns:
            continue
        names = [zone.name for zone in snapshot.zones or ()] + [rule.domain for rule in snapshot.resolver_rules or ()]
        if one.state == "available" and not any(name.lower().startswith(issuer) for name in names):
            said = f"private DNS of {one.id} ({one.service}) hides {issuer}amazonaws.com in the VPC"
            mend = f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {one.id} --no-private-dns-enabled"
            yield EKS_ENDPOINT_HIDES_OIDC.found(said, {"endpoint": one.id, "service": one.service}, (mend,))


def _shadowed(snapshot: VpcSnapshot, name: str) -> Iterator[Finding]:
    zones = [zone for zone in snapshot.zones or () if within(name, zone.name)]
    held = [rule for rule in snapshot.resolver_rules or () if within(name, rule.domain)]
    if not zones or not held:
        return
    zone = max(zones, key=lambda one: depth(one.name))
    # the most specific wins; of equal ones a SYSTEM rule was made to win against a FORWARD rule above it
    rule = max(held, key=lambda one: (depth(one.domain), one.kind == "SYSTEM"))
    if rule.kind == "FORWARD" and depth(rule.domain) >= depth(zone.name):
        to = ", ".join(rule.targets)
        said = f"{name} is in the private zone {zone.name}, and the rule {rule.id} ({rule.domain}) sends it to {to}"
        evidence = {
            "name": name,
            "zone": zone.id,
            "rule": rule.id,
            "domain": rule.domain,
            "targets": list(rule.targets),
        }
        yield RESOLVER_RULE_SHADOWS_ZONE.found(said, evidence, _unshadow(snapshot, rule, zone.name))


def _unshadow(snapshot: VpcSnapshot, rule: ResolverRule, zone: str) -> tuple[str, ...]:
    vpc = snapshot.vpc.id
    if depth(rule.domain) == depth(zone):
        return (f"aws route53resolver disassociate-resolver-rule --resolver-rule-id {rule.id} --vpc-id {vpc}",)
    return (
        f"aws route53resolver create-resolver-rule --creator-request-id {vpc} --rule-type SYSTEM --domain-name {zone}",
        f"aws route53resolver associate-resolver-rule --resolver-rule-id rslvr-rr-NEW --vpc-id {vpc}",
    )


def _firewall(snapshot: VpcSnapshot, names: list[str]) -> Iterator[Finding]:
    secret: dict[str, DnsFirewallRule] = {}
    for name in names:
        for rule in snapshot.dns_firewall or ():
            if rule.query_type not in _ASKED:
                continue
            if rule.domains is None:
                if rule.action in _BLOCKING:
                    secret.setdefault(f"{rule.group}/{rule.name}", rule)
                continue
            entry = next((one for one in rule.domains if _matches(name, one)), None)
            if entry is None:
                continue
            if rule.action in _BLOCKING:
                yield _blocked(name, entry, rule)
            break
    for rule in secret.values():
        said = f"the rule {rule.name} of {rule.group} blocks by {rule.list or 'a list'}, which cannot be read"
        yield DNS_FIREWALL_UNREADABLE_LIST.found(said, {"group": rule.group, "rule": rule.name, "list": rule.list})


def _blocked(name: str, entry: str, rule: DnsFirewallRule) -> Finding:
    said = f"{name} is blocked by the rule {rule.name} of {rule.group}: «{entry}» is in {rule.list}"
    evidence = {"name": name, "entry": entry, "group": rule.group, "rule": rule.name, "list": rule.list}
    mend = (
        f"aws route53resolver update-firewall-domains --firewall-domain-list-id {rule.list} --operation REMOVE "
        f"--domains '{entry}'"
    )
    return DNS_FIREWALL_BLOCKS.found(said, evidence, (mend,))


def _matches(name: str, entry: str) -> bool:
    """`*` stands for everything, `*.x` for all below x (not x itself)."""
    wanted = entry.lower().rstrip(".")
    if wanted == "*":
        return True
    return name.endswith(wanted[1:]) if wanted.startswith("*.") else name == wanted
