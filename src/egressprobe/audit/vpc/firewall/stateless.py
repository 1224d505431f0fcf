"""The stateless engine: what it does with the packets of one direction, by the client's port.

Network Firewall Developer Guide, firewall-policy-processing: rule groups by ascending priority, in each group the rules
by ascending priority, the first match decides; else the policy's default action. Each packet is judged alone, so a
connection needs all its packets passed or forwarded. stateless-rule-groups-standard: an empty match setting matches
everything. API Reference, TCPFlagField: of the flags in `Masks` those in `Flags` are set and the others are not.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from egressprobe.audit.vpc.cidr import NO_PORTS, Address, Ports, block, one_port
from egressprobe.audit.vpc.firewall.connection import Connection
from egressprobe.audit.vpc.firewall.snapshot import FirewallPolicy, StatelessRule, TcpFlags

type StatelessAction = Literal["pass", "drop", "forward", "unknown"]
_ACTIONS: dict[str, StatelessAction] = {"aws:pass": "pass", "aws:drop": "drop", "aws:forward_to_sfe": "forward"}
_ALL_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_TCP, _UDP = 6, 17
# The flags of the packets that a TCP connection needs, of the client and of the server.
_CLIENT_FLAGS = (frozenset({"SYN"}), frozenset({"ACK"}), frozenset({"ACK", "PSH"}))
_SERVER_FLAGS = (frozenset({"SYN", "ACK"}), frozenset({"ACK"}), frozenset({"ACK", "PSH"}))
_NO_FLAGS: tuple[frozenset[str], ...] = (frozenset(),)


class StatelessMatch(NamedTuple):
    """A part of the client's ports and what is done with their packets. group, priority: of the rule; empty group for
    the default action.
    """

    ports: Ports
    action: StatelessAction
    group: str = ""
    priority: int = 0
    why: str = ""

    @property
    def words(self) -> str:
        if self.why:
            return self.why
        return f"rule {self.priority} of {self.group}" if self.group else "the stateless default action"


class _Header(NamedTuple):
    """A packet's addresses and server port; the client's port is the source or the destination port."""

    source: Address
    destination: Address
    from_client: bool
    server_port: int
    protocol: int
    flags: frozenset[str]


def stateless(policy: FirewallPolicy, connection: Connection, *, from_client: bool) -> list[StatelessMatch]:
    """Each client port once: the action on the first of its packets that is not passed like the others."""
    tcp = connection.protocol == _TCP
    kinds = (_CLIENT_FLAGS if from_client else _SERVER_FLAGS) if tcp else _NO_FLAGS
    ends = (connection.client, connection.server) if from_client else (connection.server, connection.client)
    joined: list[StatelessMatch] = []
    for flags in kinds:
        header = _Header(*ends, from_client, connection.port, connection.protocol, flags)
        matches = list(_matches(policy, header, connection.ports))
        joined = _worst(joined, matches) if joined else matches
    return joined


def _worst(before: Iterable[StatelessMatch], after: Iterable[StatelessMatch]) -> list[StatelessMatch]:
    """Of two packets of a connection: a drop loses it, and one passed beside one forwarded leaves the state unknown."""
    joined = []
    for first in before:
        for second in after:
            ports = first.ports & second.ports
            if ports:
                joined.append(_join(first, second)._replace(ports=ports))
    return joined


def _join(first: StatelessMatch, second: StatelessMatch) -> StatelessMatch:
    for action in ("drop", "unknown"):
        for match in (first, second):
            if match.action == action:
                return match
    if first.action != second.action:
        why = f"{first.words} and {second.words} send packets of one connection to different engines"
        return StatelessMatch(NO_PORTS, "unknown", why=why)
    return first


def _matches(policy: FirewallPolicy, header: _Header, ports: Ports) -> Iterator[StatelessMatch]:
    left = ports
    for group in sorted(policy.stateless_groups, key=lambda listed: listed.priority or 0):
        if group.unread or group.unknown or group.managed:
            why = group.unread or f"its settings {', '.join(group.unknown)} are not known here" * bool(group.unknown)
            yield StatelessMatch(left, "unknown", group.name, why=f"the rule group {group.name}: {why or 'its rules'}")
            return
        for rule in sorted(group.stateless, key=lambda listed: listed.priority):
            covered = left & _covers(rule, header, left)
            if covered:
                yield StatelessMatch(covered, _action(rule.actions), group.name, rule.priority)
                left -= covered
            if not left:
                return
    yield StatelessMatch(left, _action(policy.stateless_default))


def _action(actions: Iterable[str]) -> StatelessAction:
    """The standard action; custom actions beside it publish metrics only (rule-action)."""
    known = [_ACTIONS[name] for name in actions if name in _ACTIONS]
    return known[0] if len(known) == 1 else "unknown"


def _covers(rule: StatelessRule, header: _Header, ports: Ports) -> Ports:
    """Of the client's ports those whose packets the rule matches."""
    if rule.protocols and header.protocol not in rule.protocols:
        return NO_PORTS
    if not _among(header.source, rule.sources) or not _among(header.destination, rule.destinations):
        return NO_PORTS
    if (
        rule.tcp_flags
        and header.protocol == _TCP
        and not any(_flags(wanted, header.flags) for wanted in rule.tcp_flags)
    ):
        return NO_PORTS
    if header.protocol not in (_TCP, _UDP):
        return ports
    client, server = (rule.source_ports, rule.destination_ports)[:: 1 if header.from_client else -1]
    if server and not one_port(header.server_port) & _union(server):
        return NO_PORTS
    return ports & _union(client) if client else ports


def _union(ranges: tuple[tuple[int, int], ...]) -> Ports:
    return NO_PORTS | Ports(ranges)


def _among(address: Address, blocks: tuple[str, ...]) -> bool:
    return not blocks or any(address in block(text) for text in blocks)


def _flags(wanted: TcpFlags, flags: frozenset[str]) -> bool:
    return frozenset(wanted.flags) == flags & frozenset(wanted.masks or _ALL_FLAGS)
