"""Firewalls, policies and rule groups of AWS Network Firewall as structs of the snapshot. Pure.

A setting that is not in the tables here is named in `unknown`: what it does cannot be judged.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from egressprobe.audit.vpc.firewall.snapshot import (
    DomainList,
    FirewallEndpoint,
    FirewallPolicy,
    FirewallRuleGroup,
    NetworkFirewall,
    StatelessRule,
    TcpFlags,
)

type Item = Mapping[str, Any]
_MANAGED = ":aws-managed:"
# Without influence on packets, or read here (API Reference, Firewall, FirewallPolicy, RuleGroup, ...).
_OF_FIREWALL = frozenset(
    {
        *("FirewallName", "FirewallArn", "FirewallPolicyArn", "VpcId", "SubnetMappings", "DeleteProtection"),
        *("SubnetChangeProtection", "FirewallPolicyChangeProtection", "Description", "FirewallId", "Tags"),
        *("EncryptionConfiguration", "NumberOfAssociations", "EnabledAnalysisTypes"),
        "AvailabilityZoneChangeProtection",
    }
)
_OF_POLICY = frozenset(
    {
        *("StatelessRuleGroupReferences", "StatelessDefaultActions", "StatelessFragmentDefaultActions"),
        *("StatelessCustomActions", "StatefulRuleGroupReferences", "StatefulDefaultActions", "StatefulEngineOptions"),
        *("TLSInspectionConfigurationArn", "EnableTLSSessionHolding", "PolicyVariables"),
    }
)
_OF_ENGINE = frozenset({"RuleOrder", "StreamExceptionPolicy", "FlowTimeouts"})
_OF_GROUP = frozenset({"RuleVariables", "ReferenceSets", "RulesSource", "StatefulRuleOptions"})
_OF_VARIABLES = frozenset({"IPSets", "PortSets"})
_OF_SOURCE = frozenset({"RulesString", "RulesSourceList", "StatefulRules", "StatelessRulesAndCustomActions"})
_OF_RULE = frozenset(
    {"Sources", "Destinations", "SourcePorts", "DestinationPorts", "Protocols", "TCPFlags"}  # MatchAttributes
)


def is_managed(arn: str) -> bool:
    """Whether a rule group is one of AWS's own, whose rules are not shown (nwfw-managed-rule-groups)."""
    return _MANAGED in arn


def firewall(response: Item, policy: FirewallPolicy | None, unread: str = "") -> NetworkFirewall:
    """DescribeFirewall's response."""
    item, status = response["Firewall"], response.get("FirewallStatus") or {}
    all_in_sync = status.get("ConfigurationSyncStateSummary") == "IN_SYNC"
    endpoints = [
        endpoint
        for state in (status.get("SyncStates") or {}).values()
        if (endpoint := _endpoint(state, all_in_sync=all_in_sync)) is not None
    ]
    return NetworkFirewall(
        arn=item["FirewallArn"],
        vpc=item.get("VpcId") or "",
        endpoints=tuple(sorted(endpoints, key=lambda endpoint: endpoint.id)),
        policy=policy,
        unread=unread,
        unknown=_others(item, _OF_FIREWALL),
    )


def _endpoint(state: Item, *, all_in_sync: bool) -> FirewallEndpoint | None:
    """An endpoint of one zone; None before it is made."""
    attachment, config = state.get("Attachment") or {}, state.get("Config") or {}
    if not attachment.get("EndpointId"):
        return None
    statuses = {part.get("SyncStatus") for part in config.values()}
    return FirewallEndpoint(
        attachment["EndpointId"],
        attachment["SubnetId"],
        attachment.get("Status") or "",
        statuses == {"IN_SYNC"} if statuses else all_in_sync,
    )


def references(policy: Item, kind: str) -> list[Item]:
    """The rule groups that a policy names. kind: Stateless or Stateful."""
    return list(policy.get(f"{kind}RuleGroupReferences") or [])


def policy(arn: str, item: Item, groups: Mapping[str, FirewallRuleGroup]) -> FirewallPolicy:
    """DescribeFirewallPolicy's FirewallPolicy. groups: by ARN."""
    engine, variables = item.get("StatefulEngineOptions") or {}, item.get("PolicyVariables") or {}
    sets = variables.get("RuleVariables") or {}
    order = engine.get("RuleOrder") or "DEFAULT_ACTION_ORDER"
    unknown = [
        *_others(item, _OF_POLICY),
        *_others(engine, _OF_ENGINE),
        *_others(variables, frozenset({"RuleVariables"})),
        *_others(sets, frozenset({"HOME_NET"})),
        *([order] if order not in ("DEFAULT_ACTION_ORDER", "STRICT_ORDER") else []),
    ]
    return FirewallPolicy(
        arn=arn,
        stateless_default=tuple(item["StatelessDefaultActions"]),  # required: a default could open a path
        stateful_default=tuple(item.get("StatefulDefaultActions") or ()),
        strict=order == "STRICT_ORDER",
        home_net=tuple((sets.get("HOME_NET") or {}).get("Definition") or ()),
        stateless_groups=tuple(_referred(item, "Stateless", groups)),
        stateful_groups=tuple(_referred(item, "Stateful", groups)),
        tls_inspection=bool(item.get("TLSInspectionConfigurationArn")),
        unknown=tuple(unknown),
    )


def _referred(item: Item, kind: str, groups: Mapping[str, FirewallRuleGroup]) -> Iterator[FirewallRuleGroup]:
    for reference in references(item, kind):
        override = (reference.get("Override") or {}).get("Action")
        yield replace(
            groups[reference["ResourceArn"]],
            priority=reference.get("Priority"),
            only_alerts=override == "DROP_TO_ALERT",
        )


def rule_group(arn: str, response: Item) -> FirewallRuleGroup:
    """DescribeRuleGroup's response."""
    item, kind = response.get("RuleGroup") or {}, (response.get("RuleGroupResponse") or {}).get("Type") or ""
    variables, source = item.get("RuleVariables") or {}, item.get("RulesSource") or {}
    stateless = (source.get("StatelessRulesAndCustomActions") or {}).get("StatelessRules") or []
    listed = source.get("RulesSourceList")
    unknown = [
        *_others(item, _OF_GROUP),
        *_others(variables, _OF_VARIABLES),
        *_others(source, _OF_SOURCE),
        *(name for rule in stateless for name in _others(rule["RuleDefinition"]["MatchAttributes"], _OF_RULE)),
        *([f"Type {kind}"] if kind not in ("STATELESS", "STATEFUL") else []),
        *(["RulesSource"] if not source else []),
    ]
    return FirewallRuleGroup(
        arn=arn,
        stateless=tuple(sorted(map(_stateless, stateless), key=lambda rule: rule.priority)),
        text=source.get("RulesString") or "\n".join(map(_standard, source.get("StatefulRules") or [])),
        domains=_domains(listed) if listed else None,
        ip_sets=_definitions(variables.get("IPSets")),
        port_sets=_definitions(variables.get("PortSets")),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _stateless(item: Item) -> StatelessRule:
    definition = item["RuleDefinition"]
    match = definition["MatchAttributes"]
    return StatelessRule(
        priority=item["Priority"],
        actions=tuple(definition["Actions"]),
        sources=_addresses(match.get("Sources")),
        destinations=_addresses(match.get("Destinations")),
        source_ports=_ranges(match.get("SourcePorts")),
        destination_ports=_ranges(match.get("DestinationPorts")),
        protocols=tuple(match.get("Protocols") or ()),
        tcp_flags=tuple(
            TcpFlags(tuple(flags["Flags"]), tuple(flags.get("Masks") or ())) for flags in match.get("TCPFlags") or ()
        ),
    )


def _addresses(items: Iterable[Item] | None) -> tuple[str, ...]:
    return tuple(item["AddressDefinition"] for item in items or ())


def _ranges(items: Iterable[Item] | None) -> tuple[tuple[int, int], ...]:
    return tuple((item["FromPort"], item["ToPort"]) for item in items or ())


def _standard(item: Item) -> str:
    """A standard stateful rule as the Suricata rule that AWS generates (suricata-examples, "standard stateful")."""
    header = item["Header"]
    arrow = {"FORWARD": "->", "ANY": "<>"}[header["Direction"]]
    options = [
        ":".join((option["Keyword"], ",".join(option.get("Settings") or ()))).rstrip(":")
        for option in item.get("RuleOptions") or ()
    ]
    return (
        f"{item['Action'].lower()} {header['Protocol'].lower()} {header['Source']} {header['SourcePort']} {arrow} "
        f"{header['Destination']} {header['DestinationPort']} ({'; '.join(options)};)"
    )


def _domains(item: Item) -> DomainList:
    return DomainList(item["GeneratedRulesType"], tuple(item["Targets"]), tuple(item["TargetTypes"]))


def _definitions(sets: Mapping[str, Item] | None) -> dict[str, tuple[str, ...]]:
    return {name: tuple(item.get("Definition") or ()) for name, item in (sets or {}).items()}


def _others(item: Item, known: frozenset[str]) -> tuple[str, ...]:
    """The settings that are set, and not known here."""
    return tuple(sorted(name for name, value in item.items() if value and name not in known))
