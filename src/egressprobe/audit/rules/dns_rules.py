"""Rules of names: which servers answer the control plane's queries, and which answers may be wrong.

Route 53 Developer Guide: hosted-zone-private-considerations (of a private hosted zone and a Resolver rule for the same
domain the rule takes precedence), resolver-overview-forward-vpc-to-network-domain-name-matches (the most specific
domain wins), resolver-dns-firewall-rule-settings (by priority of group, then of rule; the first that matches decides).
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from egressprobe.audit.fixes.proposal import with_proposal
from egressprobe.audit.fixes.rule_fixes import private_dns_off
from egressprobe.audit.paths.destinations import custom_servers, is_amazon_dns
from egressprobe.audit.paths.private_dns import depth, within
from egressprobe.audit.rules.rule import Rule, RuleInput, declared
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.snapshot_dns import DnsFirewallRule, ResolverRule
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
_QUERIED_TYPES = ("", "A", "AAAA")


def _servers(given: RuleInput) -> Iterator[Finding]:
    snapshot = given.topology.snapshot
    dhcp, cluster = declared(snapshot.dhcp), snapshot.cluster
    custom = custom_servers(dhcp, snapshot)
    if not any(is_amazon_dns(server, snapshot) for server in dhcp.servers):
        listed = ", ".join(dhcp.servers) or "no name servers at all"
        yield DHCP_WITHOUT_AMAZON_DNS.found(
            f"the DHCP options {dhcp.id} of {snapshot.vpc.id} name {listed}",
            {"dhcpOptions": dhcp.id, "servers": list(dhcp.servers), "vpc": snapshot.vpc.id},
            (
                "aws ec2 create-dhcp-options --dhcp-configurations Key=domain-name-servers,Values=AmazonProvidedDNS",
                f"aws ec2 associate-dhcp-options --dhcp-options-id <NEW_DHCP_OPTIONS> --vpc-id {snapshot.vpc.id}",
            ),
            undo=(
                f"aws ec2 associate-dhcp-options --dhcp-options-id {dhcp.id} --vpc-id {snapshot.vpc.id}",
                "aws ec2 delete-dhcp-options --dhcp-options-id <NEW_DHCP_OPTIONS>",
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
        message = (
            f"DHCP options of {snapshot.vpc.id} were changed at {dhcp.changed_at}; the control plane may still use "
            "the old ones"
        )
        yield DHCP_CHANGED_RECENTLY.found(message, {"vpc": snapshot.vpc.id, "changedAt": dhcp.changed_at})


def _hidden_issuer(given: RuleInput) -> Iterator[Finding]:
    """If something dials the issuer's name (oidc.eks.REGION), and no zone or Resolver rule answers for it.

    The dual-stack name oidc-eks.REGION.api.aws is not in the endpoint's zone (EKS user guide, vpc-interface-endpoints).
    """
    snapshot = given.topology.snapshot
    issuer = f"oidc.eks.{snapshot.region}."
    own = urlsplit(snapshot.cluster.issuer).hostname or issuer  # not known: it may be the old name
    if not any(name.startswith(issuer) for name in (own, *given.names)):
        return
    names = [zone.name for zone in declared(snapshot.zones)] + [
        rule.domain for rule in declared(snapshot.resolver_rules)
    ]
    if any(name.lower().startswith(issuer) for name in names):
        return
    for endpoint in declared(snapshot.endpoints):
        if endpoint.kind != "Interface" or not endpoint.service.endswith(".eks") or not endpoint.private_dns:
            continue
        if endpoint.state == "available":
            hidden = f"{issuer}amazonaws.com{'.cn' if snapshot.region.startswith('cn-') else ''}"
            message = f"private DNS of {endpoint.id} ({endpoint.service}) hides {hidden} in the VPC"
            proposal = private_dns_off(given.topology, endpoint.id)
            message += f"; {proposal.words}" if proposal.words else ""
            evidence = {"endpoint": endpoint.id, "service": endpoint.service, "name": hidden}
            yield with_proposal(EKS_ENDPOINT_HIDES_OIDC, message, evidence, proposal._replace(words=""))


def _shadows(given: RuleInput) -> Iterator[Finding]:
    for name in given.names:
        yield from _shadowed(given.topology.snapshot, name)


def _shadowed(snapshot: VpcSnapshot, name: str) -> Iterator[Finding]:
    zones = [zone for zone in declared(snapshot.zones) if within(name, zone.name)]
    rules = [rule for rule in declared(snapshot.resolver_rules) if within(name, rule.domain)]
    if not zones or not rules:
        return
    zone = max(zones, key=lambda candidate: depth(candidate.name))
    # The most specific wins; of equal ones a SYSTEM rule overrides a FORWARD rule above it.
    rule = max(rules, key=lambda candidate: (depth(candidate.domain), candidate.kind == "SYSTEM"))
    if rule.kind == "FORWARD" and depth(rule.domain) >= depth(zone.name):
        to = ", ".join(rule.targets)
        message = f"{name} is in the private zone {zone.name}, and the rule {rule.id} ({rule.domain}) sends it to {to}"
        evidence = {
            "name": name,
            "zone": zone.id,
            "rule": rule.id,
            "domain": rule.domain,
            "targets": list(rule.targets),
        }
        yield RESOLVER_RULE_SHADOWS_ZONE.found(message, evidence, _unshadow(snapshot, rule, zone.name))


def _unshadow(snapshot: VpcSnapshot, rule: ResolverRule, zone: str) -> tuple[str, ...]:
    vpc = snapshot.vpc.id
    if depth(rule.domain) == depth(zone):
        return (f"aws route53resolver disassociate-resolver-rule --resolver-rule-id {rule.id} --vpc-id {vpc}",)
    return (
        f"aws route53resolver create-resolver-rule --creator-request-id {vpc} --rule-type SYSTEM --domain-name {zone}",
        f"aws route53resolver associate-resolver-rule --resolver-rule-id <NEW_RULE> --vpc-id {vpc}",
    )


def _firewall(given: RuleInput) -> Iterator[Finding]:
    unreadable: dict[str, DnsFirewallRule] = {}
    for name in given.names:
        for rule in declared(given.topology.snapshot.dns_firewall):
            if rule.query_type not in _QUERIED_TYPES:
                continue
            if rule.domains is None:
                if rule.action in _BLOCKING:
                    unreadable.setdefault(f"{rule.group}/{rule.name}", rule)
                continue
            entry = next((domain for domain in rule.domains if _matches(name, domain)), None)
            if entry is None:
                continue
            if rule.action in _BLOCKING:
                yield _blocked(name, entry, rule)
            break
    for rule in unreadable.values():
        message = f"the rule {rule.name} of {rule.group} blocks by {rule.list or 'a list'}, which cannot be read"
        yield DNS_FIREWALL_UNREADABLE_LIST.found(message, {"group": rule.group, "rule": rule.name, "list": rule.list})


def _blocked(name: str, entry: str, rule: DnsFirewallRule) -> Finding:
    message = f"{name} is blocked by the rule {rule.name} of {rule.group}: `{entry}` is in {rule.list}"
    evidence = {"name": name, "entry": entry, "group": rule.group, "rule": rule.name, "list": rule.list}
    command = (
        f"aws route53resolver update-firewall-domains --firewall-domain-list-id {rule.list} --operation REMOVE "
        f"--domains '{entry}'"
    )
    return DNS_FIREWALL_BLOCKS.found(message, evidence, (command,))


def _matches(name: str, entry: str) -> bool:
    """`*` matches everything, `*.x` all below x (not x itself)."""
    pattern = entry.lower().rstrip(".")
    if pattern == "*":
        return True
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


DNS_RULES = (
    Rule("name servers of the DHCP options", ("dhcp",), _servers),
    Rule("the cluster's issuer behind an EKS endpoint", ("endpoints", "zones", "resolver_rules"), _hidden_issuer),
    Rule("Resolver rules above private hosted zones", ("zones", "resolver_rules"), _shadows),
    Rule("Route 53 Resolver DNS Firewall", ("dns_firewall",), _firewall),
)
