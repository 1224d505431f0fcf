"""Rounds of a deployed stack that are probed now, by its Planner: each costs the run of every probe."""

from collections.abc import Callable

from egressprobe.model.joined_report import Joined
from egressprobe.watching.rounds import WatchRound


class PlannerLook:
    """invoke: asks the Planner. round_of: the cells of its answer."""

    def __init__(self, invoke: Callable[[], Joined], round_of: Callable[[Joined], WatchRound]) -> None:
        self._invoke, self._round_of = invoke, round_of

    def look(self) -> WatchRound:
        return self._round_of(self._invoke())

    def cancel(self) -> None:
        """The answer to an invocation that is under way is not waited for."""
