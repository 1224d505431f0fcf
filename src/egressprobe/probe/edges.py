"""The edges of a run: resolvers, guard, location; replaced in tests."""

from typing import NamedTuple

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.net.guard import Guard, forbidden
from egressprobe.probe.transport.connect import Dial, connect


class Location(NamedTuple):
    """Where the probe runs, from its environment."""

    cluster_name: str | None = None
    subnet_id: str | None = None
    availability_zone: str | None = None


class Edges(NamedTuple):
    """What a run takes from its surroundings; the lab and the tests pass their own."""

    guard: Guard = forbidden
    config: ResolverConfig | None = None  # None: the system's, read anew
    dial: Dial = connect


NO_LOCATION = Location()
REAL_WORLD = Edges()
