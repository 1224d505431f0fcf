"""The types of incidents: a cause as it is observed, as it is remembered, and as it is reported. Frozen, no I/O.

Times are RFC 3339 in UTC with seconds, empty where unknown. The JSON names (camelCase) are the contract of the
messages; docs/messages.md documents them.
"""

from enum import StrEnum
from typing import Any

import msgspec

from egressprobe.model.remedy import RemedySteps
from egressprobe.model.struct import CompactStruct, Struct
from egressprobe.model.target import Impact

INCIDENT_SCHEMA = "egressprobe/incident/v1"
TOPIC = "topic"  # in Incident.reached: people have the message


class Tier(StrEnum):
    """page: requests that the cluster needs fail now. notice: what can wait until the morning (docs/alarms.md)."""

    PAGE = "page"
    NOTICE = "notice"


class Transition(StrEnum):
    """What a message reports of an incident; each at most once.

    broken: it is open. escalated: a notice has become a page. changed: what changed in the network before it, read
    after the first message because CloudTrail lists calls minutes late. recovered: it has ended, on evidence.
    """

    BROKEN = "broken"
    ESCALATED = "escalated"
    CHANGED = "changed"
    RECOVERED = "recovered"


class AffectedTarget(CompactStruct, frozen=True):
    """A target that a cause breaks. code: of its failure. subnets: from which it fails; empty: not probed again.

    affects, objects: as of a discovered target. owner, severity: of the targets file or an annotation. degraded: some
    of its calls pass, or all of them do, slowly.
    """

    name: str
    impact: Impact
    code: str = ""
    subnets: tuple[str, ...] = ()
    affects: str = ""
    objects: tuple[str, ...] = ()
    owner: str = ""
    severity: str = ""
    degraded: bool = False


class NetworkChange(CompactStruct, frozen=True):
    """One call of the EC2, EKS or other network API, from CloudTrail. by: who made it: role, user or service.

    resources: the ids that it names. related: it names an element of the cause's path.
    """

    id: str
    at: str
    call: str
    by: str = ""
    resources: tuple[str, ...] = ()
    related: bool = False


class ObservedCause(CompactStruct, frozen=True):
    """A cause, as observed in one look. key: the same for the same cause, whichever targets it breaks.

    code: a finding's or failure's. what: what is broken, in one clause. where: subnets from which it is. since: the
    first failing minute, or when the alarm turned on, as `unknown` says then. reproduced: whether a probe made now
    fails; else what the alarm reports is all that is known, and `unknown` says why. explained: whether what could
    explain it was read too; else another look may find another cause of the same failure. alarms: those that are on
    for it; without one it fails now and waits. alarm_since: when the first of them turned on. muted: the mute rules,
    where each of these alarms is muted. evidence: sentences. path: ids of what the failing path consists of.
    """

    key: str
    code: str
    tier: Tier
    what: str
    targets: tuple[AffectedTarget, ...]
    where: tuple[str, ...] = ()
    since: str = ""
    reproduced: bool = True
    explained: bool = True
    alarms: tuple[str, ...] = ()
    alarm_since: str = ""
    muted: str = ""
    evidence: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    remedy: str = ""
    remedy_steps: RemedySteps | msgspec.UnsetType = msgspec.UNSET


class Incident(CompactStruct, frozen=True):
    """A cause that is remembered from when it was first observed until its recovery is reported.

    id: of the cause and of when its alarm turned on, so that a repeat has the same one, also after the memory is lost.
    sent: transitions whose message was published. sending: the one that may have been: it was stored before publishing,
    and `sent` after it. reached: where the latter has arrived already: `topic` or `bus`. failing: target -> subnets
    from which it was seen to fail, none where it was not seen; the empty name is everything outside the VPC. more: how
    many targets, at least, are not remembered. reported_changes: ids of NetworkChange that a message had. silent: why
    no message was sent: muted or acknowledged. alarms: those that were on for it. superseded_by: the incident by whose
    cause its targets fail now. ended_at: since when all evidence is that it is over. impact, severity, owner, affected:
    of its targets, for the later messages.
    """

    id: str
    key: str
    code: str
    tier: Tier
    what: str
    opened_at: str
    since: str = ""
    failing: dict[str, tuple[str, ...]] = {}
    more: int = 0
    sent: tuple[Transition, ...] = ()
    sending: Transition | None = None
    reached: tuple[str, ...] = ()
    reported_changes: tuple[str, ...] = ()
    silent: str = ""
    alarms: tuple[str, ...] = ()
    superseded_by: str = ""
    ended_at: str = ""
    impact: Impact = Impact.BLOCKS
    severity: str = ""
    owner: str = ""
    affected: str = ""

    @property
    def dedup_key(self) -> str:
        """The same for every message of this incident, and for no other's."""
        return f"egressprobe:{self.id}"


class Acknowledgement(CompactStruct, frozen=True):
    """A person knows of a target: it is probed as before, and no message is about it alone until then.

    until: RFC 3339. causes: keys of the incidents that were open for it then: others are reported; empty: none is.
    """

    target: str
    until: str
    by: str = ""
    note: str = ""
    causes: tuple[str, ...] = ()


class Link(Struct, frozen=True):
    """An address to open. name: dashboard, query, finding or runbook."""

    name: str
    url: str


class IncidentMessage(Struct, frozen=True):
    """One message about one cause and transition: the detail of the EventBridge event, and what the text is made of.

    id: INCIDENT/TRANSITION, the same for a repeat. dedup_key: the same for all messages of one incident. severity:
    critical, error, warning or info. subject: of an e-mail. headline: the first line of `text`. replaces: dedup keys of
    the incidents whose targets fail by this cause now; each is closed by a message of its own when they have recovered.
    duration_seconds: of a recovery, else None. people: False for what closes an incident that another one has
    superseded: to EventBridge alone. More: docs/messages.md.
    """

    schema_version: str
    id: str
    dedup_key: str
    incident_id: str
    transition: Transition
    tier: Tier
    severity: str
    cluster_name: str
    region: str
    account: str
    stack: str
    at: str
    since: str
    duration_seconds: float | None
    code: str
    subject: str
    headline: str
    text: str
    cause: ObservedCause
    owner: str = ""
    replaces: tuple[str, ...] = ()
    changes: tuple[NetworkChange, ...] = ()
    links: tuple[Link, ...] = ()
    notes: tuple[str, ...] = ()
    people: bool = True
    integrations: dict[str, Any] = {}
