"""One cause and the paths that it blocks; and how wide a rule that allows them must be."""

from typing import NamedTuple

from egressprobe.audit.paths.reachability import Path
from egressprobe.audit.vpc.blockers import Blame
from egressprobe.audit.vpc.cidr import address, on_the_internet
from egressprobe.audit.vpc.topology import Topology


class Problem(NamedTuple):
    """Blames with one key, each with its path; never empty."""

    pairs: tuple[tuple[Path, Blame], ...]

    @property
    def blame(self) -> Blame:
        return self.pairs[0][1]

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(path for path, _ in self.pairs)

    @property
    def key(self) -> tuple[str | int, ...]:
        return self.blame.key


def scope(topology: Topology, remote: str, *, coarse: bool = False) -> str:
    """The CIDR of a rule: the subnet (coarse: the VPC) of an address inside, the internet, or the one address."""
    target = address(remote)
    if coarse and topology.inside(target):
        around = zip(topology.snapshot.vpc.blocks, topology.blocks, strict=True)
        return next(text for text, cidr in around if target in cidr)
    inside = topology.subnet_of(target)
    if inside is not None:
        return next(text for text in inside.blocks if (":" in text) == (target.version == 6))
    elastic = {text for nat in topology.snapshot.nats or () for text in nat.elastic}
    if on_the_internet(target) and remote not in elastic:
        return "::/0" if target.version == 6 else "0.0.0.0/0"
    return f"{remote}/{128 if target.version == 6 else 32}"
