"""What Route 53, Resolver, IAM and CloudTrail know of the VPC's DNS."""

from datetime import UTC, datetime, timedelta
from typing import Any

from egressprobe.audit.vpc.snapshot_dns import DnsFirewallRule, ResolverRule, Zone
from egressprobe.aws.paging import Refused, every, tried

# Changes of DHCP options reach the control plane "usually within one hour" (EKS user guide).
_DHCP_SETTLES = timedelta(hours=1)


def dhcp_changed(trail: Any, vpc_id: str, now: datetime) -> str:
    """When other options were associated with the VPC in the last hour; empty for not (CloudTrail event history)."""
    asked = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "AssociateDhcpOptions"}],
        "StartTime": now - _DHCP_SETTLES,
        "EndTime": now,
    }
    for event in every(trail, "lookup_events", "Events", **asked):
        if any(one.get("ResourceName") == vpc_id for one in event.get("Resources") or []):
            return str(event["EventTime"].astimezone(UTC).isoformat(timespec="seconds"))
    return ""


def resolver_rules(client: Any, vpc_id: str) -> tuple[ResolverRule, ...]:
    held = [{"Name": "VPCId", "Values": [vpc_id]}]
    ours = every(client, "list_resolver_rule_associations", "ResolverRuleAssociations", Filters=held)
    wanted = {one["ResolverRuleId"] for one in ours if one.get("Status") in (None, "COMPLETE")}
    found = [
        ResolverRule(
            id=one["Id"],
            domain=one.get("DomainName") or "",
            kind=one.get("RuleType") or "",
            name=one.get("Name") or "",
            targets=tuple(
                f"{at.get('Ip') or at.get('Ipv6')}:{at.get('Port', 53)}" for at in one.get("TargetIps") or []
            ),
        )
        for one in (every(client, "list_resolver_rules", "ResolverRules") if wanted else [])
        if one["Id"] in wanted
    ]
    return tuple(sorted(found, key=lambda one: one.id))


def zones(client: Any, vpc_id: str, region: str) -> tuple[Zone, ...]:
    """ListHostedZonesByVPC has no paginator in botocore."""

    def read() -> list[Any]:
        found: list[Any] = []
        more: dict[str, str] = {}
        while True:
            said = client.list_hosted_zones_by_vpc(VPCId=vpc_id, VPCRegion=region, **more)
            found += said.get("HostedZoneSummaries") or []
            if not said.get("NextToken"):
                return found
            more = {"NextToken": said["NextToken"]}

    said = tried(client, "list_hosted_zones_by_vpc", read)
    return tuple(sorted((Zone(one["HostedZoneId"], one["Name"]) for one in said), key=lambda one: one.name))


def dns_firewall(client: Any, vpc_id: str) -> tuple[DnsFirewallRule, ...]:
    ours = every(client, "list_firewall_rule_group_associations", "FirewallRuleGroupAssociations", VpcId=vpc_id)
    found = [
        DnsFirewallRule(
            group=held["FirewallRuleGroupId"],
            name=said.get("Name") or "",
            action=said.get("Action") or "",
            priority=said.get("Priority") or 0,
            group_priority=held.get("Priority") or 0,
            list=said.get("FirewallDomainListId") or "",
            query_type=said.get("Qtype") or "",
            domains=_domains(client, said.get("FirewallDomainListId")),
        )
        for held in ours
        for said in every(
            client, "list_firewall_rules", "FirewallRules", FirewallRuleGroupId=held["FirewallRuleGroupId"]
        )
    ]
    return tuple(sorted(found, key=lambda one: (one.group_priority, one.priority)))


def _domains(client: Any, listed: str | None) -> tuple[str, ...] | None:
    """None: AWS's own lists may be used and not be read (Route 53 Developer Guide, managed domain lists)."""
    if not listed:
        return None
    try:
        return tuple(every(client, "list_firewall_domains", "Domains", FirewallDomainListId=listed))
    except Refused:
        return None


def reads_dhcp(iam: Any, role: str) -> bool:
    """Whether the cluster's role could read the VPC's DHCP options, by IAM's simulator."""
    actions = ["ec2:DescribeVpcs", "ec2:DescribeDhcpOptions"]
    found = every(iam, "simulate_principal_policy", "EvaluationResults", PolicySourceArn=role, ActionNames=actions)
    return bool(found) and all(one.get("EvalDecision") == "allowed" for one in found)
