"""One look at the targets, whatever it came from. Pure."""

from typing import NamedTuple

from egressprobe.model.target import Verdict

MOST_DETAILS = 60  # lines of one target that are kept


class WatchedCell(NamedTuple):
    """One target from one subnet.

    at: Unix time of the measurement. seconds: of the predicted call. details: label and text, as tables have them.
    """

    target: str
    subnet: str
    verdict: Verdict
    at: float
    code: str = ""
    seconds: float | None = None
    cause: str = ""
    details: tuple[tuple[str, str], ...] = ()


class WatchRound(NamedTuple):
    """complete: it has every target that there is. took: seconds. trouble: why there is nothing, or not everything."""

    at: float
    cells: tuple[WatchedCell, ...]
    took: float = 0.0
    complete: bool = True
    trouble: str = ""
