"""The audit on one page: a snapshot and what is to be reached -> ways -> findings -> a matrix subnet x target. Pure."""

from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import Any, Literal

from egressprobe.audit import dns_rules
from egressprobe.audit import vpc_rules as cluster_rules
from egressprobe.audit.destinations import custom_servers, families_of, internet, of_targets, plain, remote_networks
from egressprobe.audit.fix_commands import commands
from egressprobe.audit.result import AUDIT_SCHEMA, Audit, Cell, Place, Row, Wanted
from egressprobe.audit.vpc.cidr import address
from egressprobe.audit.vpc.path import Blame, Path, State
from egressprobe.audit.vpc.reachability import walk
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.sources import origins
from egressprobe.audit.vpc.topology import Network
from egressprobe.catalog.findings_vpc_path import PATH_UNKNOWN
from egressprobe.catalog.registry import FINDINGS
from egressprobe.model.report import Finding
from egressprobe.model.target import Target, Verdict

_DNS = 53
_MOST_SHOWN = 20
_LIMITS = (
    "Configuration only: it does not see servers, host firewalls, what a transit gateway, peer or appliance does, nor "
    "whether names resolve. Connections that are already open may behave otherwise."
)


def audit(
    snapshot: VpcSnapshot,
    targets: Iterable[Target] = (),
    skip: Iterable[str] = (),
    beside: Iterable[Finding] = (),
) -> Audit:
    """targets: none for the way to the internet. skip: codes that are not to be told of, nor to count.

    beside: what was found before.

    Raises ValueError for a snapshot with a block that is none.
    """
    network, skipped = Network(snapshot), frozenset(skip)
    asked = of_targets(targets, snapshot)
    wanted = asked or [internet("internet", "", 443, families_of(snapshot))]
    ways = Ways(network)
    rows = [ways.row(one) for one in (*wanted, *remote_networks(snapshot))]
    for one in custom_servers(snapshot.dhcp, snapshot):
        rows += [ways.row(_server(one, "udp"), "udp"), ways.row(_server(one, "tcp"), "tcp")]
    found = [
        *beside,
        *told(network, ways.paths, rows),
        *dns_rules.rules(network, (one.host for one in wanted if one.host)),
        *cluster_rules.rules(network),
    ]
    kept = [one for one in found if one.code not in skipped]
    return Audit(
        schema_version=AUDIT_SCHEMA,
        taken_at=snapshot.taken_at,
        region=snapshot.region,
        cluster_name=snapshot.cluster.name,
        vpc=snapshot.vpc.id,
        verdict=_verdict(kept, rows, skipped),
        subnets=tuple(Place(name, _zone(network, name)) for name in snapshot.cluster.subnets),
        rows=tuple(rows),
        findings=tuple(kept),
        paths=tuple(ways.paths),
        skipped=tuple(sorted(skipped)),
        limits=_LIMITS,
    )


def _server(text: str, protocol: str) -> Wanted:
    return Wanted(f"name server {text} ({protocol})", "", _DNS, (text,))


def _zone(network: Network, name: str) -> str:
    subnet = network.subnets.get(name)
    return subnet.zone if subnet else ""


_SEVERITIES = {"error": Verdict.FAIL, "warning": Verdict.DEGRADED}


def _verdict(found: Sequence[Finding], rows: Sequence[Row], skipped: frozenset[str]) -> Verdict:
    said = {_SEVERITIES.get(one.severity) for one in found}
    if Verdict.FAIL in said:
        return Verdict.FAIL
    if any(cell.state == "unknown" for row in rows for cell in row.cells) and "PATH_UNKNOWN" not in skipped:
        return Verdict.UNKNOWN
    return Verdict.DEGRADED if Verdict.DEGRADED in said else Verdict.PASS


class Ways:
    """Walks each way once, however many targets share it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._known: dict[tuple[str, str, int, str], Path] = {}
        self._origins = cache(partial(origins, network))

    @property
    def paths(self) -> list[Path]:
        return list(self._known.values())

    def row(self, wanted: Wanted, protocol: Literal["tcp", "udp"] = "tcp") -> Row:
        return Row(wanted, tuple(self._cell(name, wanted, protocol) for name in self.network.snapshot.cluster.subnets))

    def _cell(self, subnet: str, wanted: Wanted, protocol: Literal["tcp", "udp"]) -> Cell:
        paths = [self.way(subnet, one, wanted.port, protocol) for one in self._dialled(subnet, wanted)]
        state = _together([path.state for path in paths])
        wrong = [path.blame or next(iter(path.narrowed), None) for path in paths if path.state != "open"]
        return Cell(subnet, state, next((one.code for one in wrong if one), ""))

    def _dialled(self, subnet: str, wanted: Wanted) -> tuple[str, ...]:
        """With DNS64 the resolver makes up an IPv6 address of a name that has none (nat-gateway-nat64-dns64)."""
        held = self.network.subnets.get(subnet)
        made_up = held is not None and held.dns64 and wanted.host and self.network.snapshot.cluster.ip_family == "ipv6"
        if not made_up or any(":" in one for one in wanted.addresses):
            return wanted.addresses
        return (*wanted.addresses, *(f"64:ff9b::{one}" for one in wanted.addresses))

    def way(self, subnet: str, to: str, port: int, protocol: Literal["tcp", "udp"] = "tcp") -> Path:
        key = (subnet, to, port, protocol)
        if key not in self._known:
            self._known[key] = self._walked(*key)
        return self._known[key]

    def _walked(self, subnet: str, to: str, port: int, protocol: Literal["tcp", "udp"]) -> Path:
        """Of several starts the worst where they are real interfaces; else they must agree."""
        starts, live = self._origins(subnet, address(to).version)
        if not starts:
            return self._nowhere(subnet, to, port, protocol)
        found = [walk(self.network, one, to, port, protocol) for one in starts]
        worst = min(found, key=lambda path: _WORST.index(path.state))
        if live or len({path.state for path in found}) == 1:
            return worst
        why = f"it depends on the address that EKS takes in {subnet}"
        return Path(subnet, to, port, protocol, "unknown", knowledge_ends=(why,), elements=worst.elements)

    def _nowhere(self, subnet: str, to: str, port: int, protocol: Literal["tcp", "udp"]) -> Path:
        if subnet not in self.network.subnets:
            return Path(subnet, to, port, protocol, "unknown", knowledge_ends=(f"{subnet} cannot be read",))
        version = address(to).version
        blame = Blame("SUBNET_WITHOUT_IPV6", subnet, f"{subnet} has no IPv{version} addresses", {"subnet": subnet})
        return Path(subnet, to, port, protocol, "closed", blame)


_WORST: tuple[State, ...] = ("closed", "unknown", "partial", "open")


def _together(states: Sequence[State]) -> State:
    """Of several addresses: some closed and some open is partial, since calls pick among them."""
    found = set(states)
    if not found or found == {"closed", "unknown"}:
        return "unknown"
    if "closed" in found and len(found) > 1:
        return "partial"
    return min(states, key=_WORST.index)


# Address and port -> the targets that have it.
type Names = dict[tuple[str, int], list[str]]


def told(network: Network, paths: Iterable[Path], rows: Iterable[Row]) -> list[Finding]:
    """One finding an element and reason, with all subnets and targets that it stops."""
    names: Names = {}
    for row in rows:
        for text in row.target.addresses:
            names.setdefault((text, row.target.port), []).append(row.target.name)
    groups: dict[tuple[Any, ...], list[tuple[Path, Blame]]] = {}
    unknown: dict[str, list[Path]] = {}
    for path in paths:
        for blame in [path.blame] if path.blame else path.narrowed:
            groups.setdefault(_alike(blame), []).append((path, blame))
        for why in path.knowledge_ends:
            unknown.setdefault(why, []).append(path)
    found = [_closing(network, held, names) for held in groups.values() if held[0][1].code != "SUBNET_WITHOUT_IPV6"]
    for row in rows:
        if not row.target.addresses:
            said = f"not known: {row.target.host} resolves only inside the VPC"
            found.append(PATH_UNKNOWN.found(said, {"why": said, "targets": [row.target.name]}))
    for why, held in unknown.items():
        said = f"not known: {why}"
        found.append(PATH_UNKNOWN.found(said, {"why": why} | _reach(held, names)))
    return found


def _alike(blame: Blame) -> tuple[Any, ...]:
    """Blames with one cause and one remedy."""
    said = blame.evidence
    return (
        blame.code,
        blame.element,
        said.get("rule"),
        said.get("direction"),
        said.get("port"),
        said.get("routeTable"),
        said.get("destination"),
        said.get("interface"),
    )


def _closing(network: Network, held: list[tuple[Path, Blame]], names: Names) -> Finding:
    blame = held[0][1]
    reach = _reach([path for path, _ in held], names)
    mend = dict.fromkeys(line for _, one in held for line in commands(network, one.code, one.evidence))
    some = all(path.state != "closed" for path, _ in held)
    said = plain(blame.said) + (" (so only some calls pass)" if some else "")
    return FINDINGS[blame.code].found(said, blame.evidence | reach, tuple(mend)[:_MOST_SHOWN])


def _reach(paths: Sequence[Path], names: Names) -> dict[str, Any]:
    targets = dict.fromkeys(name for path in paths for name in names.get((path.address, path.port), [path.address]))
    return {
        "subnets": list(dict.fromkeys(path.subnet for path in paths)),
        "targets": list(targets)[:_MOST_SHOWN],
        "addresses": list(dict.fromkeys(path.address for path in paths))[:_MOST_SHOWN],
    }
