"""What a run needs of the world around it: clock, resolvers, guard, vantage; replaced in tests."""

from typing import NamedTuple

from egressprobe.golang.resolver import ResolverConfig
from egressprobe.net.guard import Guard, forbidden


class Location(NamedTuple):
    """Where the probe stands, as its environment says."""

    cluster_name: str | None = None
    subnet_id: str | None = None
    availability_zone: str | None = None


class Edges(NamedTuple):
    """What a run touches of the world; the lab and the tests pass their own."""

    guard: Guard = forbidden
    config: ResolverConfig | None = None  # None: the system's, read anew


NO_LOCATION = Location()
REAL_WORLD = Edges()
