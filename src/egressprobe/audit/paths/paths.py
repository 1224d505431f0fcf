"""All paths of one audit, each evaluated once, however many targets share it."""

from collections.abc import Callable, Sequence
from functools import cache, partial

from msgspec.structs import replace

from egressprobe.audit.paths.destination import Destination, SubnetCell, TargetRow
from egressprobe.audit.paths.destinations import families_of
from egressprobe.audit.paths.reachability import Path, State, walk
from egressprobe.audit.vpc.blockers import Blame, SubnetFamily, TargetAddress
from egressprobe.audit.vpc.cidr import address, block
from egressprobe.audit.vpc.firewall.connection import ANY_NAME
from egressprobe.audit.vpc.flow import Protocol, Source
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.findings_vpc_path import ADDRESS_NOT_ALLOWED, IPV6_ONLY_TARGET, SUBNET_WITHOUT_IPV6
from egressprobe.model.target import Expect

# Subnet, address, port, protocol, whether the address is a pod's or node's; the server name where firewalls inspect.
type PathKey = tuple[str, str, int, Protocol, bool, str]
type Starts = Callable[[str, int], tuple[list[Source], bool]]
_WORST: tuple[State, ...] = ("closed", "unknown", "partial", "open")


class Paths:
    """Evaluates paths and keeps them. expected: what the targets of a path want of it."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.known: dict[PathKey, Path] = {}
        self.expected: dict[PathKey, set[Expect]] = {}
        self._sources = cache(partial(sources, topology))

    def row(self, destination: Destination, protocol: Protocol = "tcp") -> TargetRow:
        """One target from every subnet of the cluster."""
        subnets = self.topology.snapshot.cluster.subnets
        return TargetRow(destination, tuple(self._cell(name, destination, protocol) for name in subnets))

    def of(self, subnet: str, destination: Destination, protocol: Protocol = "tcp") -> list[Path]:
        """The paths to every address of one target from one subnet."""
        paths = []
        for text in self._dialled(subnet, destination):
            to = (subnet, text, destination.port, protocol, destination.in_cluster)
            path = self.path(*to, destination.server_name)
            self.expected.setdefault(self.key(*to, destination.server_name), set()).add(destination.expect)
            paths.append(path)
        return paths

    def _cell(self, subnet: str, destination: Destination, protocol: Protocol) -> SubnetCell:
        paths = self.of(subnet, destination, protocol)
        state = together([path.state for path in paths])
        wrong = [next(iter(path.blames), None) for path in paths if path.state != "open"]
        return SubnetCell(subnet, state, next((blame.code for blame in wrong if blame), ""))

    def _dialled(self, subnet: str, destination: Destination) -> tuple[str, ...]:
        """With DNS64 the resolver synthesizes an IPv6 address of a name that has none (nat-gateway-nat64-dns64)."""
        known = self.topology.subnets.get(subnet)
        ipv6 = self.topology.snapshot.cluster.ip_family == "ipv6"
        synthesized = known is not None and known.dns64 and destination.host and ipv6
        if not synthesized or any(":" in text for text in destination.addresses):
            return destination.addresses
        return (*destination.addresses, *(f"64:ff9b::{text}" for text in destination.addresses))

    def path(
        self,
        subnet: str,
        to: str,
        port: int,
        protocol: Protocol = "tcp",
        in_cluster: bool = False,  # noqa: FBT001, FBT002
        server_name: str = ANY_NAME,
    ) -> Path:
        key = self.key(subnet, to, port, protocol, in_cluster, server_name)
        if key not in self.known:
            self.known[key] = self._evaluated(key)
        return self.known[key]

    def key(
        self,
        subnet: str,
        to: str,
        port: int,
        protocol: Protocol,
        in_cluster: bool,  # noqa: FBT001
        server_name: str,
    ) -> PathKey:
        """Without the server name where nothing looks at it: targets of one address and port share their path."""
        return (subnet, to, port, protocol, in_cluster, server_name if self.topology.inspects else ANY_NAME)

    def _evaluated(self, key: PathKey) -> Path:
        """An error of ours makes this path unknown, and no other."""
        try:
            return evaluate(self.topology, key, self._sources)
        except Exception as error:
            subnet, to, port, protocol, _, _ = key
            why = f"egressprobe failed on {to} from {subnet} ({type(error).__name__}: {error})"
            return Path(subnet, to, port, protocol, "unknown", knowledge_ends=(why,))


def evaluate(topology: Topology, key: PathKey, starts_of: Starts) -> Path:
    """One path. Several interfaces of a subnet: partial if some get through; places where one could be must agree."""
    subnet, to, port, protocol, in_cluster, server_name = key
    closed = _refused(topology, to, in_cluster=in_cluster)
    if closed is not None:
        return Path(subnet, to, port, protocol, "closed", closed)
    if subnet not in topology.subnets:
        return Path(subnet, to, port, protocol, "unknown", knowledge_ends=(f"{subnet} cannot be read",))
    starts, live = starts_of(subnet, address(to).version)
    if not starts:
        version = address(to).version
        message = f"{subnet} has no IPv{version} addresses"
        blame = Blame(SUBNET_WITHOUT_IPV6, subnet, message, SubnetFamily(subnet))
        return Path(subnet, to, port, protocol, "closed", blame)
    paths = [walk(topology, source, to, port, protocol, server_name) for source in starts]
    worst = min(paths, key=lambda path: _WORST.index(path.state))
    states = {path.state for path in paths}
    consulted = frozenset().union(*(path.consulted for path in paths))
    if len(states) == 1:
        return replace(worst, consulted=consulted)
    if not live:
        why = (f"it depends on the address that EKS takes in {subnet}",)
        return Path(
            subnet,
            to,
            port,
            protocol,
            "unknown",
            knowledge_ends=why,
            elements=worst.elements,
            consulted=consulted,
            return_elements=worst.return_elements,
        )
    if worst.state == "closed" and states & {"open", "partial"}:
        return replace(worst, state="partial", blame=None, also=(), narrowed=worst.blames, consulted=consulted)
    return replace(worst, consulted=consulted)


def _refused(topology: Topology, to: str, *, in_cluster: bool) -> Blame | None:
    """What closes the path before any packet leaves."""
    target, snapshot = address(to), topology.snapshot
    cluster = snapshot.cluster
    if target.version not in families_of(snapshot):
        message = f"{to} is an IPv6 address, and {cluster.name or 'the cluster'} is an IPv4 cluster"
        return Blame(IPV6_ONLY_TARGET, to, message, TargetAddress(to))
    remote = map(block, (*cluster.remote, *cluster.remote_pods))
    if in_cluster and not topology.inside(target) and not any(target in cidr for cidr in remote):
        message = (
            f"{to} is neither in the CIDRs of {snapshot.vpc.id} nor in the cluster's remote node or pod networks: "
            "the API server of EKS does not dial it (Address is not allowed)"
        )
        return Blame(ADDRESS_NOT_ALLOWED, to, message, TargetAddress(to))
    return None


def together(states: Sequence[State]) -> State:
    """Of several addresses: some closed and some open is partial, since calls pick among them."""
    distinct = set(states)
    if not distinct or distinct == {"closed", "unknown"}:
        return "unknown"
    if "closed" in distinct and len(distinct) > 1:
        return "partial"
    return min(states, key=_WORST.index)
