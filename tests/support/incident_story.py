"""The state between looks, as the Planner keeps it: looks go in, messages come out."""

from collections.abc import Iterable, Mapping, Sequence

from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.incidents.alarms import AlarmFacts
from egressprobe.incidents.causes.grouping import observed
from egressprobe.incidents.model import Acknowledgement, Incident, NetworkChange
from egressprobe.incidents.states.decisions import DueMessage
from egressprobe.incidents.states.evidence import evidence_of
from egressprobe.incidents.states.transitions import committed, step
from tests.support.incidents import Probed, Seen, joined_of


class IncidentStory:
    """`look` returns what is due, each once, and commits it."""

    def __init__(self, targets: Iterable[Probed]) -> None:
        self.targets = list(targets)
        self.incidents: tuple[Incident, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.acknowledgements: Sequence[Acknowledgement] = ()
        self.changes: Mapping[str, Sequence[NetworkChange]] = {}
        self.since: Mapping[str, str] = {}
        self.planned: Iterable[str] | None = None

    def look(
        self,
        now: str,
        alarms: AlarmFacts,
        seen: Seen | None,
        snapshot: VpcSnapshot | None = None,
        *,
        crash: bool = False,
        why: str = "",
        egress_pages: bool = True,
    ) -> list[DueMessage]:
        """seen: None where probing failed, for the reason `why`. crash: nothing is committed."""
        probed = {name for results in (seen or {}).values() if not isinstance(results, str) for name in results}
        joined = None
        if seen is not None:
            joined = joined_of(seen, [target for target in self.targets if target.name in probed], snapshot)
        causes = observed(
            joined,
            alarms,
            targets=[target.view for target in self.targets],
            since=self.since,
            egress_pages=egress_pages,
            not_probed=why,
        )
        names = frozenset(self.planned if self.planned is not None else (target.name for target in self.targets))
        evidence = evidence_of(joined, alarms, names)
        sent: list[DueMessage] = []
        for _ in range(9):
            made = step(
                self.incidents, causes, evidence, now, changes=self.changes, acknowledgements=self.acknowledgements
            )
            self.incidents, self.notes = made.incidents, made.notes
            sent += made.due
            if not made.due or crash:
                return sent
            self.incidents = committed(self.incidents, [message.id for message in made.due])
        raise AssertionError("it never ends")
