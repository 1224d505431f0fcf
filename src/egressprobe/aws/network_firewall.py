"""The firewalls of AWS Network Firewall whose endpoints a VPC's routes lead to: policy and rule groups of each.

Nothing is called where no route leads to an endpoint of that kind. Read with the cluster's own credentials, then with
those of each peer profile: a firewall belongs to the account of its VPC, or to another one.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from egressprobe.audit.vpc.firewall.snapshot import FirewallPolicy, FirewallRuleGroup, NetworkFirewall
from egressprobe.audit.vpc.snapshot import RouteTable, VpcEndpoint
from egressprobe.aws.paging import ReadRefused, every, tried
from egressprobe.aws.parse import network_firewall_parse as parse

_KIND = "GatewayLoadBalancer"


def endpoints_of_routes(tables: Iterable[RouteTable] | None, endpoints: Iterable[VpcEndpoint] | None) -> set[str]:
    """The endpoints that routes lead to and that may be a firewall's."""
    named = {route.to for table in tables or () for route in table.routes if route.gate == "endpoint"}
    if endpoints is None:
        return named
    return {endpoint.id for endpoint in endpoints if endpoint.kind == _KIND and endpoint.id in named}


def firewalls(clients: Sequence[Any], vpc: str, wanted: set[str]) -> tuple[NetworkFirewall, ...] | None:
    """Of one VPC; None where there is nothing to read. Raises ReadRefused if an endpoint's firewall cannot be read."""
    if not wanted:
        return None
    read: dict[str, NetworkFirewall] = {}
    refused: ReadRefused | None = None
    for client in clients:
        try:
            for item in every(client, "list_firewalls", "Firewalls", VpcIds=[vpc]):
                if item["FirewallArn"] not in read:
                    read[item["FirewallArn"]] = _firewall(client, item["FirewallArn"])
        except ReadRefused as why:
            refused = refused or why
        if wanted <= {endpoint.id for listed in read.values() for endpoint in listed.endpoints}:
            refused = None
            break
    if refused is not None:
        raise refused
    return tuple(read[arn] for arn in sorted(read))


def _firewall(client: Any, arn: str) -> NetworkFirewall:
    response = tried(client, "describe_firewall", lambda: client.describe_firewall(FirewallArn=arn))
    policy_arn = response["Firewall"]["FirewallPolicyArn"]
    try:
        policy, unread = _policy(client, policy_arn), ""
    except ReadRefused as refused:
        if refused.unread.denied and _account(policy_arn) == _account(arn):
            raise
        policy, unread = None, f"its policy {policy_arn} cannot be read: {refused.unread.error}"
    return parse.firewall(response, policy, unread)


def _policy(client: Any, arn: str) -> FirewallPolicy:
    response = tried(client, "describe_firewall_policy", lambda: client.describe_firewall_policy(FirewallPolicyArn=arn))
    item = response["FirewallPolicy"]
    referred = [*parse.references(item, "Stateless"), *parse.references(item, "Stateful")]
    groups = {reference["ResourceArn"]: _group(client, reference["ResourceArn"], arn) for reference in referred}
    return parse.policy(arn, item, groups)


def _group(client: Any, arn: str, policy: str) -> FirewallRuleGroup:
    """One of another account may be shared without the right to read it."""
    if parse.is_managed(arn):
        return FirewallRuleGroup(arn, managed=True)
    try:
        response = tried(client, "describe_rule_group", lambda: client.describe_rule_group(RuleGroupArn=arn))
    except ReadRefused as refused:
        if refused.unread.denied and _account(arn) == _account(policy):
            raise
        return FirewallRuleGroup(arn, unread=refused.unread.error or "it cannot be read")
    return parse.rule_group(arn, response)


def _account(arn: str) -> str:
    return [*arn.split(":"), *[""] * 5][4]
