"""An audit's paths as pictures: subnet, security groups, ACLs, routes and their targets, and which of them blocks.

An audited path has the ids that packets met until the first blocker, and every blocker. The picture has them in the
order of the packets: what passes, the blockers of the call, the destination, then what drops return traffic. Blocked
is what the audit blames, never what is next to it.
"""

from collections.abc import Iterable, Iterator, Sequence

from egressprobe.audit.paths.destination import Destination
from egressprobe.audit.result import Audit, PathBlame, PathReport
from egressprobe.catalog.findings_vpc_path import ADDRESS_NOT_ALLOWED
from egressprobe.cli.output.sheet import PathPicture, SheetHop

# By the prefix of the id; https://docs.aws.amazon.com/ec2/latest/userguide/resource-ids.html
_KINDS = {
    "acl-": "network ACL",
    "cagw-": "carrier gateway",
    "eigw-": "egress-only internet gateway",
    "eni-": "network interface",
    "i-": "instance",
    "igw-": "internet gateway",
    "lgw-": "local gateway",
    "nat-": "NAT gateway",
    "pcx-": "peering connection",
    "rtb-": "route table",
    "sg-": "security group",
    "subnet-": "subnet",
    "tgw-attach-": "transit gateway attachment",
    "tgw-rtb-": "transit gateway route table",
    "tgw-": "transit gateway",
    "vgw-": "VPN gateway",
    "vpc-": "VPC",
    "vpce-": "VPC endpoint",
}
# Packets meet them several times on one path, and an audited path lists them once, where it met them first.
_MET_AGAIN = ("sg-", "acl-")
_MOST_ADDRESSES = 3
_NO_KIND = "element"


class PathPictures:
    """The pictures of one audit."""

    def __init__(self, audit: Audit) -> None:
        self._targets = {row.target.name: row.target for row in audit.rows}
        self._paths: dict[tuple[str, str, int], list[PathReport]] = {}
        for path in audit.paths:
            self._paths.setdefault((path.subnet, path.address, path.port), []).append(path)

    def of(self, target: str, subnet: str, family: str = "") -> tuple[PathPicture, ...]:
        """Of a target by its name, from one subnet; family: ipv4 or ipv6, empty for both.

        Addresses whose paths differ in no element share a picture, whose notes are of the first. Empty for a target
        that was not audited.
        """
        destination = self._targets.get(target)
        if destination is None:
            return ()
        paths = [
            path for path in self._of(destination, subnet) if family in ("", "ipv6" if ":" in path.address else "ipv4")
        ]
        groups: dict[tuple[object, ...], list[PathReport]] = {}
        for path in paths:
            key = (path.state, *(hop._replace(note="") for hop in hops(path)))
            groups.setdefault(key, []).append(path)
        return tuple(
            PathPicture(subnet, _destination(alike), tuple(hops(alike[0])), alike[0].state) for alike in groups.values()
        )

    def _of(self, destination: Destination, subnet: str) -> Iterator[PathReport]:
        # The second address: what DNS64 makes of one (RFC 6052, the well-known prefix).
        for address in (text for given in destination.addresses for text in (given, f"64:ff9b::{given}")):
            known = self._paths.get((subnet, address, destination.port), ())
            refused = [path for path in known if path.blame and path.blame.code == ADDRESS_NOT_ALLOWED.code]
            others = [path for path in known if path not in refused]
            yield from (refused or others)[:1] if destination.in_cluster else (others or refused)[:1]


def hops(path: PathReport) -> Iterator[SheetHop]:
    """The elements in the order of the packets; behind what blocks the call they are not reached."""
    firewalls = frozenset(_firewalls(path))
    yield from (hop._replace(kind="network firewall") if hop.id in firewalls else hop for hop in _hops(path))


def _firewalls(path: PathReport) -> Iterator[str]:
    """Names of network firewalls, which are anything: what is behind an endpoint and no id, or blamed as one."""
    blames = (*([path.blame] if path.blame else ()), *path.also, *path.narrowed)
    yield from (blame.element for blame in blames if "firewall" in blame.evidence)
    endpoints = [i for i, element in enumerate(path.elements) if element.startswith("vpce-")]
    for element in path.elements[endpoints[0] :] if endpoints else ():
        if _hop(element, "", "").kind == _NO_KIND:
            yield element


def _hops(path: PathReport) -> Iterator[SheetHop]:
    blames = (path.blame, *path.also) if path.blame else path.narrowed
    state = "blocked" if path.blame else "partial"
    call = [blame for blame in blames if not blame.return_traffic]
    elements = path.elements[: len(path.elements) - len(path.return_elements)]
    yield from _direction(elements, [blame for blame in call if blame.element != path.address], state)
    yield from (SheetHop("cannot be determined", "", "unknown", why) for why in path.knowledge_ends)
    at_destination = next((blame.said for blame in call if blame.element == path.address), "")
    reached = state if at_destination else "not reached" if path.blame in call else _beyond(path)
    yield SheetHop("destination", "", reached, at_destination)
    back = [blame for blame in blames if blame.return_traffic]
    for hop in _direction(path.return_elements, back, state):
        yield hop._replace(returning=True)


def _beyond(path: PathReport) -> str:
    return "unknown" if path.knowledge_ends else "open"


def _direction(elements: Sequence[str], blames: Sequence[PathBlame], state: str) -> Iterator[SheetHop]:
    """One direction: the elements that packets meet, then blockers that are not among them."""
    notes: dict[int, str] = {}
    behind: list[PathBlame] = []
    for blame in blames:
        i = _place(elements, blame.element)
        if i is None or (i < len(elements) - 1 and blame.element.startswith(_MET_AGAIN)):
            behind.append(blame)
        else:
            notes[i] = "; ".join(filter(None, (notes.get(i), blame.said)))
    first = min(notes, default=len(elements)) if state == "blocked" else len(elements)
    for i, element in enumerate(elements):
        reached = state if i in notes else "open" if i < first else "not reached"
        yield _hop(element, reached, notes.get(i, ""))
    yield from (_hop(blame.element, state, blame.said) for blame in behind)


def _place(elements: Sequence[str], element: str) -> int | None:
    """The last one: what blocks was met just before."""
    return next((i for i in reversed(range(len(elements))) if elements[i] == element), None)


def _hop(element: str, state: str, note: str) -> SheetHop:
    if element == "local":
        return SheetHop("local route", "", state, note)
    kinds = (prefix for prefix in _KINDS if element.startswith(prefix))
    prefix = max(kinds, key=len, default="")
    return SheetHop(_KINDS.get(prefix, _NO_KIND), element, state, note)


def _destination(paths: Sequence[PathReport]) -> str:
    addresses = [path.address for path in paths]
    return f"{_some(addresses)} port {paths[0].port}{'' if paths[0].protocol == 'tcp' else ' ' + paths[0].protocol}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _MOST_ADDRESSES
    return ", ".join(listed[:_MOST_ADDRESSES]) + (f" and {more} more" if more > 0 else "")
