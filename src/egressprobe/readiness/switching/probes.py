"""What the switch measures, from the sources of a preflight: they are opened when something is measured first.

So an update can be followed, and the true state said, where the stack or the Kubernetes API do not respond.
"""

from collections.abc import Callable

from egressprobe.aws.updates.eks_updates import ROUTED
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import TargetView, view
from egressprobe.model.target import Plan
from egressprobe.readiness.checks import verification
from egressprobe.readiness.comparison.verify import verified
from egressprobe.readiness.coverage import discovery_gaps, is_discovered
from egressprobe.readiness.result import ClusterState, Difference, Preflight
from egressprobe.readiness.run import ROUNDS, SECONDS, Clock, Sources, preflight
from egressprobe.readiness.switching.job import NotSeenError
from egressprobe.readiness.targets import plan_of


class SourceProbes:
    """job.ReadinessProbes. opened: makes the sources; origin: the file of the baseline; clock: of the rounds."""

    def __init__(
        self,
        opened: Callable[[], Sources],
        *,
        origin: str,
        say: Callable[[str], None] = lambda _: None,
        clock: Clock | None = None,
        rounds: int = ROUNDS,
        seconds: float = SECONDS,
    ) -> None:
        self._opened, self._origin, self._say = opened, origin, say
        self._clock, self._rounds, self._seconds = clock, rounds, seconds
        self._sources: Sources | None = None
        self._plan: Plan | None = None

    def look(self) -> tuple[ClusterState, tuple[TargetView, ...]]:
        """The cluster and its targets now. Raises NotSeenError where discovery was incomplete."""
        sources = self._source()
        cluster, discovered = sources.cluster(), sources.discover()
        self._plan, unreadable = plan_of(discovered, cluster)
        gaps = [*discovery_gaps(discovered, ""), *unreadable]
        if gaps:
            why = "; ".join(f"{gap.subject}: {gap.summary}" for gap in gaps)
            raise NotSeenError(f"whether the targets changed since the baseline is not known: {why}")
        return cluster, tuple(view(target) for target in self._plan.targets)

    def probe(self) -> Joined:
        """One round."""
        sources = self._source()
        if self._plan is None:
            self._plan = plan_of(sources.discover(), sources.cluster())[0]
        return sources.probe(self._plan)

    def verify(self, baseline: Preflight) -> Difference:
        """A preflight now, compared. Raises KeyboardInterrupt where a person ended it."""
        now = self.measure()
        if now.interrupted:
            raise KeyboardInterrupt
        return difference(baseline, now, self._origin)

    def measure(self) -> Preflight:
        """A preflight now; what a person interrupted is marked so."""
        sources = self._source()
        return preflight(sources, rounds=self._rounds, seconds=self._seconds, clock=self._clock, say=self._say)

    def _source(self) -> Sources:
        if self._sources is None:
            self._sources = self._opened()
        return self._sources


def difference(baseline: Preflight, now: Preflight, origin: str) -> Difference:
    """With AWS's steps of the verification; CUSTOMER_ROUTED is expected."""
    steps = verification(now.cluster, now.rows, expected_mode=ROUTED, discovered=is_discovered(now.reasons))
    return verified(baseline, now, steps, origin=origin)
