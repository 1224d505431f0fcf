"""Rules beside the paths by their public table: what a rule declares, and what the framework makes of it."""

from msgspec.structs import replace

from egressprobe.audit.rules.rule import Rule, evaluate
from egressprobe.audit.run import RULES
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.entry import FindingEntry
from tests.support.vpc.snapshots import clean

EXAMPLE = FindingEntry("EXAMPLE", "an example", "Means.", "true", "Remedy here.", severity="warning", degrades=False)


def _no_endpoints(given):
    """A rule as anybody may add one: no question whether the list is None."""
    for name in given.names:
        if not given.topology.snapshot.endpoints:
            yield EXAMPLE.found(f"{name} has no endpoint", {"name": name})


ADDED = Rule("endpoints for names", ("endpoints",), _no_endpoints)


def test_a_rule_is_added_by_a_row():
    """Names come in lower case, without the final dot, once and sorted."""
    found = evaluate((*RULES, ADDED), Topology(clean()), ["B.example.", "a.example", "b.example"])
    assert [finding.summary for finding in found] == ["a.example has no endpoint", "b.example has no endpoint"]


def test_a_rule_whose_input_was_not_read_is_not_evaluated():
    """The framework says so; the rule is not called."""
    found = evaluate([ADDED], Topology(replace(clean(), endpoints=None)), ["a.example"])
    assert [(finding.code, finding.severity) for finding in found] == [("AUDIT_RULE_NOT_EVALUATED", "info")]
    assert found[0].summary == "endpoints for names: not evaluated, because endpoints could not be read"


def test_every_rule_stands_every_part_that_it_declares_unread():
    """And no rule reads a part that it does not declare: with that part unread it would raise."""
    parts = {"route_tables", "acls", "groups", "interfaces", "nats", "gateways", "attachments", "peerings"}
    parts |= {"endpoints", "prefix_lists", "dhcp", "resolver_rules", "zones", "dns_firewall", "public_access"}
    fields = set(VpcSnapshot.__struct_fields__)
    assert parts <= fields
    for rule in RULES:
        for read in rule.reads:
            assert read.partition(".")[0] in fields
    for part in parts:
        unread = replace(clean(), **{part: None})
        not_evaluated = [
            finding.evidence["rule"]
            for finding in evaluate(RULES, Topology(unread), ["a.example"])
            if finding.code == "AUDIT_RULE_NOT_EVALUATED"
        ]
        assert not_evaluated == [rule.name for rule in RULES if part in rule.reads]
