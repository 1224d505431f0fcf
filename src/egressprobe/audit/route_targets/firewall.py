"""AWS Network Firewall on a path: the rules for the call and for its return traffic, then on by the firewall's subnet.

Sources: the Network Firewall Developer Guide, firewall-policy-processing (stateless rules judge each packet of both
directions; what they forward meets the stateful rules, which keep the state of a connection),
troubleshooting-general-issues ("asymmetric routing"). Packets leave a firewall endpoint by the route table of its
subnet (architectures).
"""

from collections.abc import Iterable, Sequence

from egressprobe.audit.vpc.blockers import FirewallRule
from egressprobe.audit.vpc.cidr import NO_PORTS, Ports
from egressprobe.audit.vpc.firewall.connection import NOT_TLS, Connection
from egressprobe.audit.vpc.firewall.inspection import Inspection
from egressprobe.audit.vpc.firewall.snapshot import FirewallEndpoint, FirewallPolicy, NetworkFirewall
from egressprobe.audit.vpc.firewall.stateful import StatefulDecision
from egressprobe.audit.vpc.firewall.stateless import StatelessMatch, stateless
from egressprobe.audit.vpc.flow import Flow
from egressprobe.audit.vpc.packet_filters import TCP
from egressprobe.audit.vpc.snapshot import Subnet, VpcEndpoint
from egressprobe.audit.vpc.walk import Walk
from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_vpc_config import FIREWALL_DROPS_RETURN, FIREWALL_DROPS_TLS, FIREWALL_RULE_BLOCKS


def inspect(walk: Walk, here: Subnet, listed: VpcEndpoint, flow: Flow) -> None:
    """Through an endpoint of a firewall that was read."""
    firewall, endpoint = walk.topology.firewalls[listed.id]
    there = walk.topology.subnets.get(endpoint.subnet)
    if there is None or there.id == here.id or listed.id in flow.via:
        walk.ends(f"what the firewall endpoint {listed.id} does with packets of its own subnet")
        return
    walk.acl_in(there.id, flow.source, flow.port, None)
    passage = _Passage(walk, firewall, endpoint, flow)
    passage.ahead()
    walk.inspectors[listed.id] = tuple(walk.returning)

    def back() -> None:
        if listed.id not in walk.inspectors:
            return  # return traffic does not come by it
        passage.back()
        walk.acl_out(there.id, flow.source, None, flow.client)
        walk.returns(there.id, flow)

    walk.back(there.id, flow.client, back, arrives=False)
    onward = flow._replace(groups=None, via=(*flow.via, listed.id), inspected=listed.id)
    walk.depart(there.id, onward)


class _Passage:
    """One call through one endpoint."""

    def __init__(self, walk: Walk, firewall: NetworkFirewall, endpoint: FirewallEndpoint, flow: Flow) -> None:
        self._walk, self._firewall, self._endpoint, self._flow = walk, firewall, endpoint, flow
        self._inspection: Inspection | None = walk.topology.inspection(firewall)
        self._ahead: list[StatelessMatch] = []

    def ahead(self) -> None:
        """The packets of the call."""
        walk, firewall = self._walk, self._firewall
        walk.meets(firewall.name)
        unknown = self._unknown()
        if unknown or self._inspection is None:
            walk.ends(f"the firewall {firewall.name} behind {self._endpoint.id}: {unknown}")
            return
        policy = self._inspection.policy
        self._ahead = stateless(policy, self._connection(), from_client=True)
        self._stateless(policy, self._ahead, FIREWALL_RULE_BLOCKS, "the call")
        forwarded = _ports(self._ahead, "forward")
        if forwarded:
            self._stateful(self._inspection, forwarded)

    def back(self) -> None:
        """The packets of the server, by the stateless rules: the stateful engine knows them by the connection's."""
        if not self._ahead or self._inspection is None:
            return
        matches = stateless(self._inspection.policy, self._connection(), from_client=False)
        self._stateless(self._inspection.policy, matches, FIREWALL_DROPS_RETURN, "return traffic")
        for action in ("pass", "forward"):
            other = "forward" if action == "pass" else "pass"
            if _ports(self._ahead, action) & _ports(matches, other):
                why = "its stateless rules send the call and its return traffic to different engines"
                self._walk.ends(f"the firewall {self._firewall.name}: {why}")

    def _unknown(self) -> str:
        """Why nothing of it can be judged."""
        firewall, policy = self._firewall, self._firewall.policy
        if policy is None:
            return firewall.unread or "its policy cannot be read"
        if self._endpoint.status != "READY":
            return f"the endpoint is {self._endpoint.status}"
        if not self._endpoint.in_sync:
            return "the endpoint does not have the current rules yet"
        settings = (*firewall.unknown, *policy.unknown)
        return f"what its settings {', '.join(settings)} do is not known here" if settings else ""

    def _connection(self) -> Connection:
        flow, walk = self._flow, self._walk
        name = flow.server_name if walk.protocol == TCP else NOT_TLS
        return Connection(walk.protocol, flow.source, walk.left[flow.client], flow.to, flow.port, name)

    def _stateless(
        self, policy: FirewallPolicy, matches: Iterable[StatelessMatch], finding: FindingEntry, what: str
    ) -> None:
        for match in matches:
            if match.action == "unknown":
                self._walk.ends(f"the firewall {self._firewall.name}: {match.words}")
            elif match.action == "drop":
                arn = next((group.arn for group in policy.stateless_groups if group.name == match.group), "")
                rule = f"priority {match.priority}" if match.group else "stateless default action"
                self._deny(match.ports, finding, f"{match.words} drops {what}", self._at(arn, rule))

    def _stateful(self, inspection: Inspection, ports: Ports) -> None:
        result = inspection.stateful(self._connection()._replace(ports=ports))
        if len({decision.fate == "passes" for decision in result.decisions}) > 1:
            for doubt in result.doubts:
                self._walk.ends(f"the firewall {self._firewall.name}: {doubt}")
            return
        decision = result.decisions[0]
        if inspection.policy.tls_inspection and (decision.fate == "passes" or decision.phase != "connect"):
            self._walk.ends(f"the firewall {self._firewall.name} decrypts TLS: what it does then")
            return
        if decision.fate != "passes":
            self._drop(inspection.policy, result.decisions, ports)

    def _drop(self, policy: FirewallPolicy, decisions: Sequence[StatefulDecision], ports: Ports) -> None:
        first = decisions[0]
        arn = next((group.arn for group in policy.stateful_groups if group.name == first.group), "")
        verb = "rejects" if first.fate == "rejected" else "drops"
        connects = first.phase != "connect"
        at = self._at(arn, first.rule or first.by, connects=connects)
        if not connects:
            self._deny(ports, FIREWALL_RULE_BLOCKS, f"{first.by} {verb} the call", at)
            return
        what = "the ClientHello" if first.phase == "tls" else "what follows"
        ending = "is reset" if verb == "rejects" else "gets no answer"
        words = f"{first.by} {verb} {what}: TCP connects, then the TLS handshake {ending}"
        self._deny(ports, FIREWALL_DROPS_TLS, words, at)

    def _at(self, group: str, rule: str, *, connects: bool = False) -> FirewallRule:
        firewall = self._firewall
        policy = firewall.policy.arn if firewall.policy else ""
        return FirewallRule(self._endpoint.id, firewall.arn, policy, group, rule, connects)

    def _deny(self, ports: Ports, finding: FindingEntry, words: str, at: FirewallRule) -> None:
        """Blocks, where none of the client's ports is left; else only these ports."""
        walk, client = self._walk, self._flow.client
        left = walk.left[client] - ports
        message = f"{self._firewall.name} ({self._endpoint.id}): {words}"
        if not left:
            walk.block(finding, self._firewall.name, message, at)
            return
        walk.narrowed.append(walk.blame(finding, self._firewall.name, f"{message}, of client ports {ports}", at))
        walk.left[client] = left


def _ports(matches: Iterable[StatelessMatch], action: str) -> Ports:
    ports = NO_PORTS
    for match in matches:
        if match.action == action:
            ports |= match.ports
    return ports
