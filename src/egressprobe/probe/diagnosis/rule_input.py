"""One target as the rules of diagnosis see it. Pure."""

from typing import NamedTuple

from egressprobe.apiserver.forecast import Client
from egressprobe.model.measurement import Measurement
from egressprobe.model.report import Availability, Forecast
from egressprobe.model.target import Target


class Neighbours(NamedTuple):
    """What one target's diagnosis needs to know of the run's others.

    control: something else connected from here. issuers: unknown ones, each signing for unrelated targets.
    """

    control: bool = False
    issuers: frozenset[str] = frozenset()


class Case(NamedTuple):
    target: Target
    measured: Measurement
    predicted: Forecast | None
    client: Client
    others: Neighbours
    available: Availability | None = None
