"""AWS Network Firewall in the short notation of tests/data/vpc-examples, read into the snapshot's types.

    nfw: {fw-1: {endpoints: {vpce-1: fw}, allow: [.example.com]}}

endpoints: id -> subnet, and ` pending` for one that has not the rules yet. order: `strict`, else by action. default: the
stateful default action without `aws:drop_`. stateless: `PRIORITY ACTION PROTOCOL SOURCE[:PORTS] DESTINATION[:PORTS]
[FLAGS/MASKS]`; stateless_default: pass, drop or forward. groups: in their order, each with one of `rules` (Suricata's
text), allow, deny, reject, alert (domain lists), `managed`, `only-alerts` or `unread`, and `home`, `ips`, `types`.
What is left out: all packets are forwarded to the stateful engine. `tls`: the policy has a TLS inspection
configuration.
"""

from typing import Any

from egressprobe.audit.vpc.firewall.snapshot import (
    DomainList,
    FirewallEndpoint,
    FirewallPolicy,
    FirewallRuleGroup,
    NetworkFirewall,
    StatelessRule,
    TcpFlags,
)

_ACTIONS = {"pass": "aws:pass", "drop": "aws:drop", "forward": "aws:forward_to_sfe"}
_LISTS = {"allow": "ALLOWLIST", "deny": "DENYLIST", "reject": "REJECTLIST", "alert": "ALERTLIST"}
_NUMBERS = {"any": (), "tcp": (6,), "udp": (17,), "icmp": (1,)}
_ARN = "arn:aws:network-firewall:eu-west-1:123456789012"


def network_firewalls(raw: dict[str, Any], vpc: str) -> tuple[NetworkFirewall, ...]:
    return tuple(_firewall(name, fields, vpc) for name, fields in raw.items())


def _firewall(name: str, fields: dict[str, Any], vpc: str) -> NetworkFirewall:
    endpoints = tuple(
        FirewallEndpoint(endpoint, text.split()[0], in_sync="pending" not in text)
        for endpoint, text in fields["endpoints"].items()
    )
    if "unread" in fields:
        return NetworkFirewall(f"{_ARN}:firewall/{name}", vpc, endpoints, unread=fields["unread"])
    return NetworkFirewall(f"{_ARN}:firewall/{name}", vpc, endpoints, policy(name, fields))


def policy(name: str, fields: dict[str, Any]) -> FirewallPolicy:
    """The policy of one firewall of the notation."""
    own = {"rules", "managed", *_LISTS} & fields.keys()
    groups = fields.get("groups", [{key: value for key, value in fields.items() if key in _GROUP}] if own else [])
    stateless = tuple(_rule(text) for text in fields.get("stateless", ()))
    return FirewallPolicy(
        f"{_ARN}:firewall-policy/{name}",
        (_ACTIONS[fields.get("stateless_default", "forward")],),
        (f"aws:drop_{fields['default']}",) if "default" in fields else (),
        fields.get("order") == "strict",
        tuple(fields.get("home_net", ())),
        (FirewallRuleGroup(f"{_ARN}:stateless-rulegroup/{name}-stateless", 1, stateless=stateless),)
        if stateless
        else (),
        tuple(_group(f"{name}-{i}", i, group) for i, group in enumerate(groups, start=1)),
        fields.get("tls", False),
        tuple(fields.get("unknown", ())),
    )


_GROUP = {"rules", "home", "ips", "ports", "types", "managed", "only-alerts", *_LISTS}


def _group(name: str, priority: int, fields: dict[str, Any]) -> FirewallRuleGroup:
    assert fields.keys() <= _GROUP | {"unread"}, fields
    listed = next((key for key in _LISTS if key in fields), None)
    home = {"HOME_NET": tuple(fields["home"])} if "home" in fields else {}
    return FirewallRuleGroup(
        f"{_ARN}:stateful-rulegroup/{name}",
        priority,
        managed=bool(fields.get("managed")),
        only_alerts=bool(fields.get("only-alerts")),
        text=fields.get("rules", ""),
        domains=DomainList(_LISTS[listed], tuple(fields[listed]), tuple(fields.get("types", ["TLS_SNI", "HTTP_HOST"])))
        if listed
        else None,
        ip_sets=home | {key: tuple(value) for key, value in fields.get("ips", {}).items()},
        port_sets={key: tuple(value) for key, value in fields.get("ports", {}).items()},
        unread=fields.get("unread", ""),
    )


def _rule(text: str) -> StatelessRule:
    priority, action, protocol, source, destination, *flags = text.split()
    sources, source_ports = _end(source)
    destinations, destination_ports = _end(destination)
    return StatelessRule(
        int(priority),
        (_ACTIONS[action],),
        sources,
        destinations,
        source_ports,
        destination_ports,
        _NUMBERS[protocol],
        tuple(_flags(word) for word in flags),
    )


def _end(text: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """`any`, a CIDR; with `:PORT` or `:LOW-HIGH` behind it."""
    block, _, ports = text.partition(":")
    low, _, high = ports.partition("-")
    return (() if block == "any" else (block,)), (((int(low), int(high or low)),) if ports else ())


def _flags(text: str) -> TcpFlags:
    flags, _, masks = text.partition("/")
    return TcpFlags(tuple(filter(None, flags.split(","))), tuple(filter(None, masks.split(","))))
