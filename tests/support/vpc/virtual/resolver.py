"""The VPC's own resolver, as AWS says it answers: what a snapshot's DNS settings make of a zone of public names."""

import dns.message
import dns.rcode

from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.lab.dns import Records, Reply, serve_zone


class Resolver:
    """A handler of lab/dns.py. `snapshot` is the VPC it stands in; its `names` come before the zone's."""

    def __init__(self, zone: dict[str, Records]) -> None:
        self.zone = zone
        self.snapshot: VpcSnapshot | None = None

    def __call__(self, query: dns.message.Message, transport: str) -> Reply:
        snapshot = self.snapshot
        assert snapshot is not None
        name = query.question[0].name.to_text().lower()
        if not snapshot.vpc.dns_support:
            return Reply(None)
        known = {key: Records(a=held) for key, held in snapshot.names.items()}
        answer = serve_zone(self.zone | known)(query, transport)
        if self._blocked(name) or self._hidden(name) or self._forwarded(name):
            nothing = dns.message.make_response(query, recursion_available=True)
            nothing.set_rcode(dns.rcode.NXDOMAIN)
            return Reply(nothing)
        return answer

    def _blocked(self, name: str) -> bool:
        """DNS Firewall: the first rule that matches decides."""
        for rule in self.snapshot.dns_firewall:
            for entry in rule.domains:
                if name == entry or (entry.startswith("*.") and name.endswith(entry[1:])):
                    return rule.action == "BLOCK"
        return False

    def _hidden(self, name: str) -> bool:
        """Private DNS of an EKS endpoint is a zone for eks.REGION.amazonaws.com without the issuer in it."""
        zone = f".eks.{self.snapshot.region}.amazonaws.com."
        return any(
            one.private_dns and one.service.endswith(".eks") for one in self.snapshot.endpoints
        ) and name.endswith(zone)

    def _forwarded(self, name: str) -> bool:
        """To name servers that know nothing, unless a private zone is more specific than the rule."""
        rules = [
            r.domain
            for r in self.snapshot.resolver_rules
            if r.kind == "FORWARD" and ("." + name).endswith("." + r.domain)
        ]
        zones = [z.name for z in self.snapshot.zones if ("." + name).endswith("." + z.name)]
        return bool(rules) and max(map(len, rules)) >= max(map(len, zones), default=0)
