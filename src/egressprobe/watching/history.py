"""What is remembered of the rounds: bounded, so that days of watching take as much memory as an hour. Pure.

An outage begins when a target fails from a subnet and ends when it is measured there and does not fail. What is
unknown begins and ends none.
"""

from collections import deque
from typing import NamedTuple

from egressprobe.model.target import Verdict
from egressprobe.watching.rounds import WatchedCell, WatchRound

MOST_TIMES = 120  # rounds of one target and subnet
MOST_OUTAGES = 200
MOST_CELLS = 10_000  # targets times subnets
_MANY, _FEW_TIMES = 1000, 24  # cells beyond so many have as many rounds: a cell of 120 takes about 12 kB
_ORDER = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.PASS)
_MEASURED = frozenset({Verdict.PASS, Verdict.DEGRADED})


class Outage(NamedTuple):
    """began, ended: Unix time; ended is None while it goes on. code, cause: of its first failure."""

    target: str
    subnet: str
    code: str
    cause: str
    began: float
    ended: float | None = None


class VerdictChange(NamedTuple):
    """A target has another verdict from a subnet. before: None where it was not watched before.

    lasted: seconds of the outage that ends.
    """

    cell: WatchedCell
    before: Verdict | None
    lasted: float | None = None


class WatchedTime(NamedTuple):
    """One measurement: seconds of the predicted call, and its verdict."""

    seconds: float | None
    verdict: Verdict


class Track:
    """One target from one subnet. since: when it got its verdict; times: the last; outage: that goes on."""

    def __init__(self, cell: WatchedCell, most_times: int = MOST_TIMES) -> None:
        self.cell, self.since = cell, cell.at
        self.times: deque[WatchedTime] = deque(maxlen=most_times)
        self.outage: Outage | None = None


class History:
    """tracks: by target and subnet. outages: the last MOST_OUTAGES, the oldest first, those that go on among them.

    left_out: how many cells of the last round there was no room for; none that fails while there is one that passes.
    """

    def __init__(self) -> None:
        self.tracks: dict[tuple[str, str], Track] = {}
        self.outages: deque[Outage] = deque(maxlen=MOST_OUTAGES)
        self.rounds = self.left_out = 0

    def add(self, one_round: WatchRound) -> tuple[VerdictChange, ...]:
        """The changes, in the order of the cells. A measurement that is not newer than the last is left out."""
        self.rounds += 1
        changes = [change for cell in one_round.cells if (change := self._measured(cell))]
        self.left_out = sum((cell.target, cell.subnet) not in self.tracks for cell in one_round.cells)
        if one_round.complete and one_round.cells:
            present = {(cell.target, cell.subnet) for cell in one_round.cells}
            for key in [key for key in self.tracks if key not in present]:
                self._end(self.tracks.pop(key), one_round.at)
        return tuple(changes)

    def _measured(self, cell: WatchedCell) -> VerdictChange | None:
        key = (cell.target, cell.subnet)
        track = self.tracks.get(key)
        if track is None:
            if len(self.tracks) >= MOST_CELLS and not self._makes_room(cell):
                return None
            most = MOST_TIMES if len(self.tracks) < _MANY else _FEW_TIMES
            track = self.tracks[key] = Track(cell, most)
            before = None
        elif cell.at <= track.cell.at:
            return None
        else:
            before = track.cell.verdict
        track.times.append(WatchedTime(cell.seconds, cell.verdict))
        lasted = self._outage(track, cell)
        track.cell = cell
        if before is cell.verdict:
            return None
        track.since = cell.at
        return VerdictChange(cell, before, lasted)

    def _makes_room(self, cell: WatchedCell) -> bool:
        """Whether a cell that fails takes the place of one that passes."""
        if cell.verdict is not Verdict.FAIL:
            return False
        passing = next((key for key, track in self.tracks.items() if track.cell.verdict is Verdict.PASS), None)
        if passing is None:
            return False
        del self.tracks[passing]
        return True

    def _outage(self, track: Track, cell: WatchedCell) -> float | None:
        """Begins or ends the outage of a cell; its length in seconds where it ends."""
        if cell.verdict is Verdict.FAIL and track.outage is None:
            track.outage = Outage(cell.target, cell.subnet, cell.code, cell.cause, cell.at)
            self.outages.append(track.outage)
        if cell.verdict in _MEASURED and track.outage is not None:
            began = track.outage.began
            self._end(track, cell.at)
            return cell.at - began
        return None

    def going_on(self, target: str, subnet: str) -> Outage | None:
        """The outage of a target from a subnet that has not ended."""
        track = self.tracks.get((target, subnet))
        return track.outage if track else None

    def _end(self, track: Track, at: float) -> None:
        """With more than MOST_OUTAGES at once it may have been forgotten among the last; the newest end is kept."""
        if track.outage is None:
            return
        ended = track.outage._replace(ended=at)
        if track.outage in self.outages:
            self.outages[self.outages.index(track.outage)] = ended
        else:
            self.outages.append(ended)
        track.outage = None

    def subnets(self) -> list[str]:
        return sorted({subnet for _, subnet in self.tracks})

    def by_target(self) -> dict[str, list[Track]]:
        """The tracks of each target, by subnet; the worst target first, then by name: as tables have them."""
        tracks: dict[str, list[Track]] = {}
        for (target, _), track in sorted(self.tracks.items(), key=lambda item: item[0]):
            tracks.setdefault(target, []).append(track)
        ranks = {name: min(_ORDER.index(track.cell.verdict) for track in each) for name, each in tracks.items()}
        return {name: tracks[name] for name in sorted(tracks, key=lambda name: (ranks[name], name))}

    def targets(self) -> list[str]:
        """Their names in this order."""
        return list(self.by_target())
