"""The stateful engine: what the rules of a policy do with one connection, packet by packet.

Network Firewall Developer Guide, suricata-rule-evaluation-order:

- By action: pass before drop before reject before alert, in each by `priority`. What no rule matches passes.
- Strict: rule groups by their priority, rules in their order. What no rule matches meets the policy's default actions:
  `aws:drop_strict` drops every packet, `aws:drop_established` those of established connections to the server,
  `aws:drop_established_app_layer` these as well, but waits for the whole ClientHello, and drops the server's packets
  too (with `_to_server` not).

An alert decides nothing (rule-action). A rule that passes acts on the whole connection or on one packet
(`SuricataRule.whole_flow`). Where that is not documented, and where a rule cannot be judged, both are tried: what is
common to all outcomes is the answer.

The first segment of a ClientHello is a packet of an established connection without a server name: rules and default
actions for established connections may drop it before a rule on the server name can pass the connection.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from egressprobe.audit.vpc.firewall.connection import Connection, FlowPacket, Phase
from egressprobe.audit.vpc.firewall.matching import matches
from egressprobe.audit.vpc.firewall.sets import Variables
from egressprobe.audit.vpc.firewall.suricata import ACTIONS, SuricataRule

type Fate = Literal["passes", "dropped", "rejected"]
_TCP = 6


class PolicyRule(NamedTuple):
    """A rule with the variables of its group. hidden: it cannot be read and may match anything; with `pass` as its
    action it may have any action, with `drop` it passes nothing. strict: of a strict order.
    """

    rule: SuricataRule
    names: Variables
    hidden: bool = False
    strict: bool = False


class StatefulDecision(NamedTuple):
    """What becomes of a connection. by: rule or default action in words; phase: what is lost.

    rule: its sid. group: its rule group.
    """

    fate: Fate
    by: str = ""
    phase: Phase = "connect"
    rule: str = ""
    group: str = ""


class StatefulResult(NamedTuple):
    """decisions: all that are possible, the likeliest first. doubts: why there are several."""

    decisions: tuple[StatefulDecision, ...]
    doubts: tuple[str, ...] = ()


class _PacketFate(NamedTuple):
    """One possible effect on one packet. whole_flow: of a pass, that nothing more is inspected."""

    fate: Literal["passes", "dropped", "rejected"]
    by: SuricataRule | str = ""
    whole_flow: bool = False
    doubt: str = ""


def in_order(rules: Sequence[PolicyRule], *, strict: bool) -> list[PolicyRule]:
    """As they are evaluated. rules: in the order of groups and lines."""
    if strict:
        return [item._replace(strict=True) for item in rules]
    return sorted(rules, key=lambda item: (ACTIONS.index(item.rule.action), item.rule.priority))


def stateful(
    ordered: Sequence[PolicyRule],
    defaults: Sequence[str],
    sent: Sequence[FlowPacket],
    connection: Connection,
) -> StatefulResult:
    """ordered: by `in_order`. defaults: stateful default actions, empty where the order is by action. sent: packets."""
    decisions: dict[StatefulDecision, None] = {}
    doubts: dict[str, None] = {}
    inspected = True
    for packet in sent:
        steps = list(_steps(ordered, defaults, connection, packet))
        doubts |= dict.fromkeys(step.doubt for step in steps if step.doubt)
        for step in steps:
            if step.fate != "passes":
                decisions.setdefault(_decision(step, packet))
            elif step.whole_flow:
                decisions.setdefault(StatefulDecision("passes"))
        if packet.optional:
            lost = [step for step in steps if step.fate != "passes"]
            doubts |= dict.fromkeys(_split(step.by) for step in lost)
            continue
        if not any(step.fate == "passes" and not step.whole_flow for step in steps):
            inspected = False
            break
    if inspected:
        decisions.setdefault(StatefulDecision("passes"))
    several = len({(decision.fate == "passes") for decision in decisions}) > 1
    words = tuple(doubts) or ("what its rules do with the connection",)
    return StatefulResult(tuple(decisions), words if several else ())


def _split(by: SuricataRule | str) -> str:
    words = by if isinstance(by, str) else by.words
    return (
        f"{words} drops packets of established connections: if the ClientHello takes two TCP segments, as that of "
        "Kubernetes 1.32 and later does, the first one may be dropped before its server name is seen"
    )


def _decision(step: _PacketFate, packet: FlowPacket) -> StatefulDecision:
    if isinstance(step.by, str):
        return StatefulDecision(step.fate, step.by, packet.phase)
    return StatefulDecision(
        step.fate, step.by.words, packet.phase, f"sid {step.by.sid}" * bool(step.by.sid), step.by.group
    )


def _steps(
    ordered: Sequence[PolicyRule], defaults: Sequence[str], connection: Connection, packet: FlowPacket
) -> Iterator[_PacketFate]:
    """Every effect that is possible, the likeliest first."""
    for item in ordered:
        rule = item.rule
        matched = None if item.hidden else matches(rule, item.names, connection, packet)
        if matched is False or (rule.action == "alert" and not item.hidden):
            continue
        doubt = "" if matched else _doubt(item)
        if item.hidden:
            yield _PacketFate("dropped", rule, doubt=doubt)
            if rule.action == "pass":
                yield _PacketFate("passes", rule, whole_flow=True, doubt=doubt)
            continue
        if rule.action == "pass":
            yield from _passed(rule, doubt, strict=item.strict)
        else:
            yield _PacketFate("rejected" if rule.action == "reject" else "dropped", rule, doubt=doubt)
        if matched:
            return
    yield from _by_default(defaults, connection, packet)


def _passed(rule: SuricataRule, doubt: str, *, strict: bool) -> Iterator[_PacketFate]:
    whole_flow = rule.whole_flow
    if whole_flow is False and not strict:
        # suricata-rule-evaluation-order, "Action order": no packet is scanned behind one that a rule passes.
        whole_flow = None
    words = f"whether {rule.words} passes one packet or the whole connection is not documented"
    either = whole_flow is None
    if whole_flow is not False:
        yield _PacketFate("passes", rule, whole_flow=True, doubt=doubt or words * either)
    if whole_flow is not True:
        yield _PacketFate("passes", rule, doubt=doubt or words * either)


def _doubt(item: PolicyRule) -> str:
    rule = item.rule
    if item.hidden:
        return f"the rules of {rule.group} cannot be read here"
    what = f"its {', '.join(rule.unjudged)}" if rule.unjudged else "an address, port or server name in it"
    return f"whether {rule.words} matches: {what} cannot be judged here"


def _by_default(defaults: Sequence[str], connection: Connection, packet: FlowPacket) -> Iterator[_PacketFate]:
    """Of a strict order; without one what no rule matches passes."""
    names = [name.removeprefix("aws:") for name in defaults if not name.startswith("aws:alert_")]
    action = "drop_strict" if "drop_strict" in names else " and ".join(names)  # several at once are not known
    by = f"the stateful default action aws:{action}"
    if action == "drop_strict":
        yield _PacketFate("dropped", by)
    elif not action or (not packet.established and connection.protocol == _TCP):
        yield _PacketFate("passes")
    elif connection.protocol != _TCP:
        yield _PacketFate("passes", doubt=f"what {by} does with UDP")
        yield _PacketFate("dropped", by, doubt=f"what {by} does with UDP")
    elif action == "drop_established":
        yield _PacketFate("dropped", by) if packet.to_server else _PacketFate("passes")
    elif action == "drop_established_app_layer":
        yield _PacketFate("passes") if packet.hello == "part" else _PacketFate("dropped", by)
    elif action == "drop_established_app_layer_to_server":
        yield _PacketFate("passes") if packet.hello == "part" or not packet.to_server else _PacketFate("dropped", by)
    else:
        yield _PacketFate("passes", doubt=f"{by} is not known here")
        yield _PacketFate("dropped", by, doubt=f"{by} is not known here")
