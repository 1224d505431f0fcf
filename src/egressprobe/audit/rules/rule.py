"""Rules beside the paths: a rule declares what it reads of the snapshot and returns findings.

The framework evaluates it: a rule of which a part could not be read is not evaluated, and that is message. A rule never
asks whether a list is None.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.findings_vpc_config import AUDIT_RULE_NOT_EVALUATED
from egressprobe.model.report import Finding


class RuleInput(NamedTuple):
    """What rules look at. names: of targets, lower case, without final dot, sorted."""

    topology: Topology
    names: tuple[str, ...] = ()


class Rule(NamedTuple):
    """name: what it checks, a few words. reads: fields of the snapshot that it needs, `vpc.FIELD` included."""

    name: str
    reads: tuple[str, ...]
    check: Callable[[RuleInput], Iterable[Finding]]


def evaluate(rules: Iterable[Rule], topology: Topology, hosts: Iterable[str] = ()) -> list[Finding]:
    """The findings of all rules, in their order."""
    given = RuleInput(topology, tuple(sorted({host.lower().rstrip(".") for host in hosts})))
    findings: list[Finding] = []
    for rule in rules:
        unread = [part for part in rule.reads if _part(topology, part) is None]
        if unread:
            parts = ", ".join(part.replace("_", " ").replace("vpc.", "") for part in unread)
            message = f"{rule.name}: not evaluated, because {parts} could not be read"
            findings.append(AUDIT_RULE_NOT_EVALUATED.found(message, {"rule": rule.name, "unread": unread}))
        else:
            findings += rule.check(given)
    return findings


def declared[T](part: T | None) -> T:
    """A part of the snapshot that the rule declares in `reads`, so that it has been read."""
    assert part is not None, "the rule does not declare it"  # noqa: S101
    return part


def _part(topology: Topology, path: str) -> object:
    part: object = topology.snapshot
    for name in path.split("."):
        part = getattr(part, name)
    return part
