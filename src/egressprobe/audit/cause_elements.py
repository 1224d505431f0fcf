"""What of the VPC's configuration a cause is about: the same text for every target that it breaks. Pure.

An element is named so that two causes with one code and one element are one problem, which is solved once: the NAT
gateway that was deleted, not each of the routes to it; the route, not the internet gateway that works for others.
"""

from collections.abc import Iterable, Iterator

from egressprobe.audit.paths.reachability import Path
from egressprobe.audit.vpc.blockers import Blame, Blocker, InOtherVpc, PrivateAddress, RouteEntry
from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_vpc_path import ROUTE_BLACKHOLE, ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS
from egressprobe.model.report import Finding

# The fields of a DNS rule's evidence that name what it is about, the most particular first (rules/dns_rules.py).
_OF_DNS = ("group", "rule", "endpoint", "dhcpOptions", "vpc")


def element_of(blame: Blame) -> str:
    """An id, a route table and a destination, or the VPC and one of both where it is another VPC's."""
    return _element(blame.finding, blame.element, blame.at)


def element_of_dns(finding: Finding) -> str:
    """Of the finding of a rule on names; empty where its evidence has no id."""
    return next((str(finding.evidence[field]) for field in _OF_DNS if finding.evidence.get(field)), "")


def ids_of(walked: Iterable[Path | None]) -> Iterator[str]:
    """Of what the packets pass, in their order, and of what else decides over them, each once."""
    known = [path for path in walked if path is not None]
    passed = dict.fromkeys(element for path in known for element in path.elements)
    yield from passed
    yield from sorted({element for path in known for element in path.consulted} - passed.keys() - {""})


def _element(finding: FindingEntry, element: str, at: Blocker) -> str:
    if isinstance(at, InOtherVpc):
        return f"{at.vpc} {_element(finding, element, at.blocker)}"
    if isinstance(at, PrivateAddress):
        return at.route_table or element
    if not isinstance(at, RouteEntry):
        return element
    if finding is ROUTE_BLACKHOLE and at.target:
        return at.target
    of_the_route = element == at.route_table or finding is ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS
    return f"{at.route_table} {at.destination}" if of_the_route and at.route_table else element
