"""A network firewall's policy as nftables, as far as nftables can do it: stateless 5-tuple rules, and stateful rules
`ACTION tcp SOURCE any -> DESTINATION PORTS (...)` that name the client as their source.

It shares no rule with the audit. Stateless rules (Network Firewall Developer Guide, firewall-policy-processing) are
judged before connections are tracked: what they pass is not tracked, what they forward is, and meets the stateful rules
with its first packet.
"""

import re

from egressprobe.audit.vpc.firewall.snapshot import FirewallPolicy, StatelessRule

_RULE = re.compile(r"(pass|drop|reject) tcp (\S+) any -> (\S+) (\S+) \(.*\)")
_VERDICTS = {"aws:pass": "notrack accept", "aws:drop": "drop", "aws:forward_to_sfe": "accept"}


def firewall_rules(policy: FirewallPolicy | None) -> str:
    assert policy is not None
    rules = [
        rule for group in policy.stateless_groups for rule in sorted(group.stateless, key=lambda one: one.priority)
    ]
    stateless = [f"  {_stateless(rule)}" for rule in rules]
    lines = [line for group in policy.stateful_groups for line in group.text.splitlines() if line]
    if not policy.strict:
        lines.sort(key=lambda line: ("pass", "drop", "reject").index(line.split()[0]))
    stateful = [f"  {_stateful(line)}" for line in lines]
    last = "drop" if "aws:drop_strict" in policy.stateful_default else "accept"
    return f"""table inet firewall {{
chain stateless {{ type filter hook prerouting priority -300; policy accept;
  ip daddr {{ 224.0.0.0/4 }} accept
{chr(10).join(stateless)}
  meta l4proto tcp {_VERDICTS[policy.stateless_default[0]]}
}}
chain stateful {{ type filter hook forward priority 0; policy accept;
  ct state untracked accept
  ct state established accept
{chr(10).join(stateful)}
  meta l4proto tcp {last}
}}
}}"""


def _stateless(rule: StatelessRule) -> str:
    name = "tcp" if not rule.protocols or 6 in rule.protocols else "udp"
    parts = [f"meta l4proto {name}"]
    for side, blocks in (("saddr", rule.sources), ("daddr", rule.destinations)):
        parts += [f"ip {side} {{ {', '.join(blocks)} }}"] if blocks else []
    for side, ranges in (("sport", rule.source_ports), ("dport", rule.destination_ports)):
        parts += [f"{name} {side} {{ {', '.join(f'{low}-{high}' for low, high in ranges)} }}"] if ranges else []
    return f"{' '.join(parts)} {_VERDICTS[rule.actions[0]]}"


def _stateful(line: str) -> str:
    match = _RULE.fullmatch(line)
    assert match, line
    action, source, destination, ports = match.groups()
    parts = [f"ip {side} {text}" for side, text in (("saddr", source), ("daddr", destination)) if text != "any"]
    parts += ["meta l4proto tcp"] if ports == "any" else [f"tcp dport {ports.replace(':', '-')}"]
    return f"{' '.join(parts)} {'accept' if action == 'pass' else 'drop'}"
