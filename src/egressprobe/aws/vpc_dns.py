"""Reads the DNS part of a snapshot from Route 53, Resolver, IAM and CloudTrail."""

from datetime import UTC, datetime, timedelta
from typing import Any

from egressprobe.audit.vpc.snapshot_dns import DnsFirewallRule, ResolverRule, Zone
from egressprobe.aws.paging import ReadRefused, every, tried

# Changes of DHCP options reach the control plane "usually within one hour" (EKS user guide,
# control-plane-egress-troubleshooting).
_DHCP_SETTLES = timedelta(hours=1)


def dhcp_changed(trail: Any, vpc_id: str, now: datetime) -> str:
    """When other options were associated with the VPC in the last hour, or empty (CloudTrail event history)."""
    parameters = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "AssociateDhcpOptions"}],
        "StartTime": now - _DHCP_SETTLES,
        "EndTime": now,
    }
    for event in every(trail, "lookup_events", "Events", **parameters):
        if any(resource.get("ResourceName") == vpc_id for resource in event.get("Resources") or []):
            return str(event["EventTime"].astimezone(UTC).isoformat(timespec="seconds"))
    return ""


def resolver_rules(client: Any, vpc_id: str) -> tuple[ResolverRule, ...]:
    of_vpc = [{"Name": "VPCId", "Values": [vpc_id]}]
    associations = every(client, "list_resolver_rule_associations", "ResolverRuleAssociations", Filters=of_vpc)
    ids = {
        association["ResolverRuleId"] for association in associations if association.get("Status") in (None, "COMPLETE")
    }
    rules = [
        ResolverRule(
            id=item["Id"],
            domain=item.get("DomainName") or "",
            kind=item.get("RuleType") or "",
            name=item.get("Name") or "",
            targets=tuple(
                f"{at.get('Ip') or at.get('Ipv6')}:{at.get('Port', 53)}" for at in item.get("TargetIps") or []
            ),
        )
        for item in (every(client, "list_resolver_rules", "ResolverRules") if ids else [])
        if item["Id"] in ids
    ]
    return tuple(sorted(rules, key=lambda rule: rule.id))


def zones(client: Any, vpc_id: str, region: str) -> tuple[Zone, ...]:
    """ListHostedZonesByVPC has no paginator in botocore."""

    def read() -> list[Any]:
        items: list[Any] = []
        token: dict[str, str] = {}
        while True:
            page = client.list_hosted_zones_by_vpc(VPCId=vpc_id, VPCRegion=region, **token)
            items += page.get("HostedZoneSummaries") or []
            if not page.get("NextToken"):
                return items
            token = {"NextToken": page["NextToken"]}

    items = tried(client, "list_hosted_zones_by_vpc", read)
    return tuple(sorted((Zone(item["HostedZoneId"], item["Name"]) for item in items), key=lambda zone: zone.name))


def dns_firewall(client: Any, vpc_id: str) -> tuple[DnsFirewallRule, ...]:
    groups = every(client, "list_firewall_rule_group_associations", "FirewallRuleGroupAssociations", VpcId=vpc_id)
    rules = [
        DnsFirewallRule(
            group=group["FirewallRuleGroupId"],
            name=item.get("Name") or "",
            action=item.get("Action") or "",
            priority=item.get("Priority") or 0,
            group_priority=group.get("Priority") or 0,
            list=item.get("FirewallDomainListId") or "",
            query_type=item.get("Qtype") or "",
            domains=_domains(client, item.get("FirewallDomainListId")),
        )
        for group in groups
        for item in every(
            client, "list_firewall_rules", "FirewallRules", FirewallRuleGroupId=group["FirewallRuleGroupId"]
        )
    ]
    return tuple(sorted(rules, key=lambda rule: (rule.group_priority, rule.priority)))


def _domains(client: Any, listed: str | None) -> tuple[str, ...] | None:
    """None: AWS's own lists can be used but not read (Developer Guide, resolver-dns-firewall-managed-domain-lists)."""
    if not listed:
        return None
    try:
        return tuple(every(client, "list_firewall_domains", "Domains", FirewallDomainListId=listed))
    except ReadRefused:
        return None


def reads_dhcp(iam: Any, role: str) -> bool:
    """Whether the cluster's role can read the VPC's DHCP options, by IAM's policy simulator."""
    actions = ["ec2:DescribeVpcs", "ec2:DescribeDhcpOptions"]
    results = every(iam, "simulate_principal_policy", "EvaluationResults", PolicySourceArn=role, ActionNames=actions)
    return bool(results) and all(result.get("EvalDecision") == "allowed" for result in results)
