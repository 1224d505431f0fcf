"""What one policy does with connections: its rule groups as rules in order, and the answer of the stateful engine.

Domain lists become the rules that AWS generates from them (Network Firewall Developer Guide, suricata-examples, "domain
list rules"): an allow list passes what it names and drops all other TLS (or HTTP) from HOME_NET to EXTERNAL_NET, once
the ClientHello is complete. The TCP handshake passes them.
"""

from collections.abc import Iterator

from egressprobe.audit.vpc.cidr import NO_PORTS, Cidr
from egressprobe.audit.vpc.firewall.connection import Connection, packets
from egressprobe.audit.vpc.firewall.matching import concerns
from egressprobe.audit.vpc.firewall.sets import Variables
from egressprobe.audit.vpc.firewall.snapshot import DomainList, FirewallPolicy, FirewallRuleGroup
from egressprobe.audit.vpc.firewall.stateful import PolicyRule, StatefulResult, in_order, stateful
from egressprobe.audit.vpc.firewall.suricata import SuricataRule, read_rules

_ACTIONS = {"ALLOWLIST": "pass", "DENYLIST": "drop", "REJECTLIST": "reject", "ALERTLIST": "alert"}
_BETWEEN = "$HOME_NET any -> $EXTERNAL_NET any"
_FLOW = "flow:to_server, established; priority:1;"


class Inspection:
    """One policy on the endpoints of a VPC. vpc: its CIDRs."""

    def __init__(self, policy: FirewallPolicy, vpc: tuple[Cidr, ...]) -> None:
        self.policy = policy
        groups = policy.stateful_groups
        if policy.strict:
            groups = tuple(sorted(groups, key=lambda group: group.priority or 0))
        rules = [rule for group in groups for rule in _rules(group, policy, vpc)]
        self._ordered = in_order(rules, strict=policy.strict)
        self._by_server: dict[Connection, list[PolicyRule]] = {}
        self._results: dict[Connection, StatefulResult] = {}

    def stateful(self, connection: Connection) -> StatefulResult:
        """Each connection is judged once."""
        if connection not in self._results:
            rules = self._of_server(connection)
            defaults = self.policy.stateful_default if self.policy.strict else ()
            self._results[connection] = stateful(rules, defaults, packets(connection), connection)
        return self._results[connection]

    def _of_server(self, connection: Connection) -> list[PolicyRule]:
        """Without the rules for other servers: lists of domains have thousands."""
        key = connection._replace(client=connection.server, ports=NO_PORTS)
        if key not in self._by_server:
            self._by_server[key] = [
                item for item in self._ordered if item.hidden or concerns(item.rule, item.names, connection)
            ]
        return self._by_server[key]


def _rules(group: FirewallRuleGroup, policy: FirewallPolicy, vpc: tuple[Cidr, ...]) -> Iterator[PolicyRule]:
    names = Variables(group.ip_sets, group.port_sets, policy.home_net, vpc, {})
    if group.managed:
        if not group.only_alerts:
            yield PolicyRule(SuricataRule("drop", "ip", group=group.name), names, hidden=True)
        return
    if group.unread or group.unknown:
        yield PolicyRule(SuricataRule("pass", "ip", group=group.name), names, hidden=True)
        return
    rules, failed = read_rules(group.text, group.name)
    if failed:
        yield PolicyRule(SuricataRule("pass", "ip", group=f"{group.name} (`{failed[0]}`)"), names, hidden=True)
    if group.domains is not None:
        if not {"TLS_SNI", "HTTP_HOST"} >= {*group.domains.types} or group.domains.action not in _ACTIONS:
            yield PolicyRule(SuricataRule("pass", "ip", group=group.name), names, hidden=True)
        label = f"the domain list {group.name} ({group.domains.action})"
        listed, _ = read_rules("\n".join(_generated(group.domains)), group.name)
        rules += [rule._replace(label=label) for rule in listed]
    for rule in rules:
        yield PolicyRule(rule, names)


def _generated(domains: DomainList) -> Iterator[str]:
    action = _ACTIONS.get(domains.action, "alert")
    for target in domains.targets:
        where = "dotprefix; " if target.startswith(".") else ""
        begins = "" if target.startswith(".") else "startswith; "
        content = f'{where}content:"{target}"; {begins}'
        if "TLS_SNI" in domains.types:
            yield f"{action} tls {_BETWEEN} (ssl_state:client_hello; tls.sni; {content}nocase; endswith; {_FLOW})"
        if "HTTP_HOST" in domains.types:
            yield f"{action} http {_BETWEEN} (http.host; {content}endswith; {_FLOW})"
    if domains.action == "ALLOWLIST":
        if "TLS_SNI" in domains.types:
            yield f"drop tls {_BETWEEN} (ssl_state:client_hello; {_FLOW})"
        if "HTTP_HOST" in domains.types:
            yield f"drop http {_BETWEEN} (http.header_names; {_FLOW})"
