"""What the Planner answers to the actions `incidents` and `acknowledge`: what is open now, as it is remembered.

`{"action": "incidents"}` evaluates first. `{"action": "acknowledge", "targets": [...], "until": "RFC 3339", "by": "",
"note": ""}` does not: it acknowledges targets of the inventory (names, and globs as for `probe`), takes that back where
`until` is empty, and without targets changes nothing. A name that is not in the inventory is refused, and costs none of
the others.
"""

from egressprobe.incidents.model import Acknowledgement, Incident, Tier, Transition
from egressprobe.model.joined_report import RefusedTarget
from egressprobe.model.struct import Struct
from egressprobe.model.target import Verdict

OPEN_INCIDENTS_SCHEMA = "egressprobe/open-incidents/v1"


class OpenIncidents(Struct, frozen=True):
    """at: when it was read (RFC 3339). incidents: also those of which only the end of `path broken` is missing.

    evaluated: False where what is open is not known: nothing was evaluated, as by `acknowledge` and where messages are
    off, or what decides could not be read.

    acknowledgements: those that have not expired. refused: requested targets that are not in the inventory. notes: what
    is not as a reader expects: no messages are on, another run evaluates just now, an alarm could not be read.
    """

    schema_version: str
    cluster_name: str
    at: str
    incidents: tuple[Incident, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()
    refused: tuple[RefusedTarget, ...] = ()
    notes: tuple[str, ...] = ()
    evaluated: bool = True

    @property
    def open(self) -> tuple[Incident, ...]:
        """Those whose recovery was not reported yet."""
        return tuple(incident for incident in self.incidents if Transition.RECOVERED not in incident.sent)

    @property
    def verdict(self) -> Verdict:
        """`fail` with an open page, `degraded` with a notice; without either it is unknown unless it was evaluated."""
        tiers = {incident.tier for incident in self.open}
        if Tier.PAGE in tiers:
            return Verdict.FAIL
        if not self.evaluated:
            return Verdict.UNKNOWN
        return Verdict.DEGRADED if tiers else Verdict.PASS
