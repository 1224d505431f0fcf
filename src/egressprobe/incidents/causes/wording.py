"""What is broken, in one clause, as an engineer says it: by code, from the evidence. Pure.

Each clause names the element or the server. What has no row here has the cause's own summary.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from egressprobe.catalog.registry import lookup
from egressprobe.incidents.causes.members import FailingMember, server_of
from egressprobe.incidents.model import AffectedTarget
from egressprobe.model.failure import Code
from egressprobe.model.report import TargetView
from egressprobe.model.target import Impact

type Fields = Mapping[str, Any]
_IMPACTS = {
    Impact.BLOCKS: "requests fail",
    Impact.BYPASSES: "requests pass unchecked",
    Impact.DELAYS: "requests wait, then pass unchecked",
    Impact.NONE: "no request needs it",
}
_DEGRADED = "some requests are slow or fail"
# The kind of what calls a target, by its end -> a noun.
_CALLERS = {
    "WebhookConfiguration": "webhook",
    "CustomResourceDefinition": "conversion webhook",
    "APIService": "API service",
    "Node": "node",
}
# An id, or a firewall's name, with the noun before it where there is one.
_ELEMENT = re.compile(
    r"\b(?:the firewall \S+|the (?:transit gateway|peering connection|VPN gateway|VPC endpoint|appliance) \S+"
    r"|(?:tgw|pcx|vgw|vpce|eni|lgw|i)-[\w-]+)"
)
_NAT_STATES = {"deleted": "was deleted", "deleting": "is being deleted", "failed": "failed", "pending": "is pending"}


def listed(words: Sequence[str], most: int = 3) -> str:
    """`a, b and c`; `a, b, c and 4 more`."""
    shown = list(words[:most])
    if len(words) > most:
        return f"{', '.join(shown)} and {len(words) - most} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else ""


def counted(number: int, noun: str) -> str:
    """`1 target`, `2 targets`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def unknown_element(evidence: Fields) -> str:
    """Where knowledge of the path ends, of PATH_UNKNOWN's evidence: `the transit gateway tgw-1`; empty if not named."""
    for why in evidence.get("why") or ():
        match = _ELEMENT.search(str(why))
        if match:
            return match[0].rstrip(":,;")
    return ""


def what_of(members: Sequence[FailingMember]) -> str:
    """The clause of members that have one key."""
    first = members[0]
    make = _ELEMENTS.get(first.cause.code)
    if make is not None and first.cause.element:
        try:
            return make([member.cause.evidence for member in members])
        except KeyError:  # the report was cut: no evidence
            return first.cause.summary
    template = _SERVERS.get(first.cause.code)
    if template is not None:
        element = unknown_element(first.cause.evidence) or "the VPC"
        return template.format(server=subject(first.row.target, first.code), element=element)
    return first.cause.summary


def clause_of_code(code: str, target: TargetView | None, name: str) -> str:
    """Of a target that no probe sees failing now. name: of a target that the plan does not have any more."""
    template = _SERVERS.get(code)
    server = subject(target, code) if target else name
    if template is not None:
        return template.format(server=server)
    entry = lookup(code)
    return f"{server}: {entry.summary}" if entry else f"{server} fails"


def affected_words(targets: Sequence[AffectedTarget]) -> str:
    """What it means for the cluster, of those with the worst impact: `requests fail: all Pod CREATE (7 webhooks)`."""
    worst = next((impact for impact in Impact if any(target.impact is impact for target in targets)), None)
    if worst is None:
        return ""
    affected = [target for target in targets if target.impact is worst]
    requests = listed(list(dict.fromkeys(target.affects for target in affected if target.affects)), 2)
    callers = listed(list(_callers(affected)), 4)
    of = f" ({callers})" if callers else ""
    effect = _DEGRADED if all(target.degraded for target in affected) else _IMPACTS[worst]
    return f"{effect}{f': {requests}' if requests else ''}{of}"


def _callers(targets: Sequence[AffectedTarget]) -> Iterator[str]:
    """What calls the targets, by kind: `7 webhooks`."""
    kinds = [item.partition("/")[0] for target in targets for item in target.objects]
    for kind, noun in _CALLERS.items():
        number = sum(known.endswith(kind) for known in kinds)
        if number:
            yield counted(number, noun)


def subject(target: TargetView, code: str) -> str:
    """The server that is called, in words."""
    server = server_of(target, code)
    return f"service {server}" if target.service is not None else server


def _values(evidence: Sequence[Fields], *names: str) -> list[str]:
    """Of the fields, in order, each once."""
    return list(dict.fromkeys(" of ".join(str(fields[name]) for name in names) for fields in evidence))


def _blackhole(evidence: Sequence[Fields]) -> str:
    routes, gone = _values(evidence, "destination", "routeTable"), listed(_values(evidence, "target"))
    deleted = f"{gone} was deleted" if gone else "its route target is gone"
    if len(routes) == 1:
        return f"route {routes[0]} is a black hole ({deleted})"
    return f"routes {listed(routes)} are black holes ({deleted})"


def _no_route(evidence: Sequence[Fields]) -> str:
    return f"{listed(_values(evidence, 'routeTable'))} has no route for {listed(_values(evidence, 'address'))}"


def _nat(evidence: Sequence[Fields]) -> str:
    states = _values(evidence, "state")
    state = _NAT_STATES.get(states[0], f"is {states[0]}")
    return f"{listed(_values(evidence, 'target'))} {state}; {listed(_values(evidence, 'routeTable'))} routes to it"


def _acl(text: str) -> Callable[[Sequence[Fields]], str]:
    def make(evidence: Sequence[Fields]) -> str:
        rules = [f"rule {rule}" if rule < 32767 else "the default rule" for rule in {f["rule"]: 0 for f in evidence}]
        ports = listed(_values(evidence, "ports"))
        denied = text.format(protocol=str(evidence[0]["protocol"]).upper(), ports=ports)
        return f"network ACL {listed(_values(evidence, 'networkAcl'))} denies {denied} ({listed(rules)})"

    return make


def _group_out(evidence: Sequence[Fields]) -> str:
    groups = [str(group) for fields in evidence[:1] for group in fields["groups"]]
    noun = "security group" if len(groups) == 1 else "security groups"
    verb = "has" if len(groups) == 1 else "have"
    ports = listed(_values(evidence, "port"))
    return f"{noun} {listed(groups)} of the control plane {verb} no egress rule for {_protocol(evidence)} {ports}"


def _group_in(evidence: Sequence[Fields]) -> str:
    groups = [str(group) for fields in evidence[:1] for group in fields["groups"]]
    noun = "security group" if len(groups) == 1 else "security groups"
    verb = "denies" if len(groups) == 1 else "deny"
    ports = listed(_values(evidence, "port"))
    source = listed(_values(evidence, "remote")) if evidence[0].get("translated") else "the control plane"
    return f"{noun} {listed(groups)} of the target {verb} {_protocol(evidence)} {ports} from {source}"


def _firewall(does: str) -> Callable[[Sequence[Fields]], str]:
    def make(evidence: Sequence[Fields]) -> str:
        groups = [str(fields["ruleGroup"]).rpartition("/")[2] for fields in evidence if fields.get("ruleGroup")]
        by = listed(list(dict.fromkeys(groups))) or f"its policy's default action {evidence[0]['rule']}"
        firewalls = [name.rpartition("/")[2] for name in _values(evidence, "firewall")]
        return f"network firewall {listed(firewalls)} {does} ({by})"

    return make


def _protocol(evidence: Sequence[Fields]) -> str:
    return str(evidence[0]["protocol"]).upper()


_ELEMENTS: dict[str, Callable[[Sequence[Fields]], str]] = {
    "ROUTE_BLACKHOLE": _blackhole,
    "ROUTE_NO_EGRESS": _no_route,
    "IPV6_ROUTE_MISSING": _no_route,
    "NAT_NOT_AVAILABLE": _nat,
    "NACL_EGRESS_DENIED": _acl("{protocol} {ports} out"),
    "NACL_INGRESS_DENIED": _acl("{protocol} {ports} in"),
    "NACL_EPHEMERAL_DENIED": _acl("return traffic to {protocol} {ports}"),
    "FIREWALL_DROPS_TLS": _firewall("drops the TLS handshake"),
    "FIREWALL_RULE_BLOCKS": _firewall("blocks the call"),
    "FIREWALL_DROPS_RETURN": _firewall("drops return traffic"),
    "SG_EGRESS_DENIED": _group_out,
    "SG_INGRESS_DENIED": _group_in,
}
_SERVERS: dict[str, str] = {
    Code.DNS_NXDOMAIN: "name {server} does not resolve (NXDOMAIN)",
    Code.DNS_NO_ADDRESSES: "name {server} has no address",
    Code.DNS_SERVFAIL: "name {server} does not resolve (SERVFAIL)",
    Code.DNS_REFUSED: "the name server refuses to resolve {server}",
    Code.DNS_TIMEOUT: "no name server answers for {server}",
    Code.DNS_MALFORMED: "the name server's answer for {server} is malformed",
    Code.DNS_UNREACHABLE: "the name server for {server} cannot be reached",
    Code.CONNECT_REFUSED: "{server} refuses connections",
    Code.CONNECT_TIMEOUT: "{server} does not answer",
    Code.CONNECT_RESET: "{server} resets connections",
    Code.HOST_UNREACHABLE: "no route to host {server}",
    Code.NETWORK_UNREACHABLE: "no route to the network of {server}",
    Code.TLS_TIMEOUT: "{server} connects and does not answer the TLS handshake",
    Code.TLS_RESET: "{server} resets the TLS handshake",
    Code.TLS_EOF: "{server} closes the TLS handshake",
    Code.TLS_NOT_TLS: "{server} does not speak TLS",
    Code.TLS_CERT_EXPIRED: "the certificate of {server} has expired",
    Code.TLS_CERT_NOT_YET_VALID: "the certificate of {server} is not valid yet",
    Code.TLS_UNKNOWN_AUTHORITY: "the certificate of {server} is signed by an unknown CA",
    Code.TLS_HOSTNAME_MISMATCH: "the certificate of {server} is for another name",
    Code.BLOCKED_TARGET_REACHED: "{server} must be blocked, and can be reached",
    Code.HTTP_TIMEOUT: "{server} accepts requests and does not answer",
    Code.HTTP_RESET: "{server} drops requests",
    "CONFIG_ALLOWS_BUT_NO_REPLY": "{server} does not answer; the VPC's configuration allows the call",
    "PATH_UNKNOWN": "{server} does not answer; whether {element} lets it pass is unknown",
}
