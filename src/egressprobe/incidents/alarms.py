"""Which of the stack's alarms are on, and for what: as read from CloudWatch, and as incidents ask for it. Pure.

A contributor is one series of a Metrics Insights alarm that is in ALARM by itself. Its attributes are the dimensions
that the query groups by (docs/alarms.md), here by their own names.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmContributors.html
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Literal

from egressprobe.model.series import ALL_TARGETS, dimension_value
from egressprobe.model.struct import CompactStruct


class AlarmKind(StrEnum):
    """The alarms that incidents are about; the value is the alarm's name behind the stack's prefix."""

    TARGETS = "targets"
    NOT_LOOKED_UP = "not looked up"
    NOTICES = "notices"
    EGRESS_DOWN = "egress path down"
    EGRESS_WOULD_FAIL = "egress path would be down"
    PATH_BROKEN = "path broken"


OF_TARGETS = (AlarmKind.TARGETS, AlarmKind.NOT_LOOKED_UP, AlarmKind.NOTICES)
OF_SUBNETS = (AlarmKind.EGRESS_DOWN, AlarmKind.EGRESS_WOULD_FAIL)
# What pages: `targets` and `not looked up` by target, `path broken` for the cluster.
PAGES = frozenset({AlarmKind.TARGETS, AlarmKind.NOT_LOOKED_UP, AlarmKind.PATH_BROKEN})


class Contributor(CompactStruct, frozen=True):
    """One series that is in ALARM. Attributes that its alarm does not group by are empty. since: when it turned on."""

    target: str = ""
    code: str = ""
    impact: str = ""
    subnet_id: str = ""
    since: str = ""


class AlarmReading(CompactStruct, frozen=True):
    """One alarm. state: CloudWatch's; empty where it could not be read, OK for one that the stack does not have.

    since: when it changed to that state. unread: why the state or the contributors could not be read. muted: the mute
    rule that is active for it, and until when: its actions are not run.
    """

    kind: AlarmKind
    state: Literal["ALARM", "OK", "INSUFFICIENT_DATA", ""] = ""
    since: str = ""
    contributors: tuple[Contributor, ...] = ()
    unread: str = ""
    muted: str = ""

    @property
    def on(self) -> bool:
        return self.state == "ALARM"

    @property
    def known(self) -> bool:
        """Whether the contributors listed are all that there are."""
        return bool(self.state) and not self.unread


class AlarmFacts(CompactStruct, frozen=True):
    """The stack's alarms, each once; one that is not listed was not read. unread: why none could be read."""

    alarms: tuple[AlarmReading, ...] = ()
    unread: str = ""

    def of(self, kind: AlarmKind) -> AlarmReading:
        missing = AlarmReading(kind, unread=self.unread or "not read")
        return next((alarm for alarm in self.alarms if alarm.kind is kind), missing)

    def on(self, *kinds: AlarmKind) -> tuple[AlarmReading, ...]:
        """Those of `kinds` that are in ALARM."""
        return tuple(alarm for alarm in map(self.of, kinds) if alarm.on)

    def for_target(self, name: str) -> Iterator[tuple[AlarmKind, Contributor]]:
        """The contributors of a target, its name as in the plan; one for all targets is each target's."""
        wanted = (dimension_value(name), ALL_TARGETS)
        for kind in OF_TARGETS:
            for contributor in self.of(kind).contributors:
                if contributor.target in wanted:
                    yield kind, contributor

    def for_subnet(self, subnet: str) -> Iterator[tuple[AlarmKind, Contributor]]:
        """The contributors of the egress path of a subnet."""
        for kind in OF_SUBNETS:
            for contributor in self.of(kind).contributors:
                if contributor.subnet_id == subnet:
                    yield kind, contributor

    def without_names(self) -> tuple[AlarmReading, ...]:
        """Alarms that page and name no target: `path broken` alone, and those whose contributors could not be read."""
        paging = self.on(AlarmKind.TARGETS, AlarmKind.NOT_LOOKED_UP)
        unread = tuple(alarm for alarm in paging if alarm.unread)
        named = any(alarm.contributors for alarm in paging)
        return unread or (() if named else self.on(AlarmKind.PATH_BROKEN))

    def muted(self, kinds: Iterable[AlarmKind]) -> str:
        """The mute rules, if every one of the alarms is muted; empty otherwise."""
        rules = [self.of(kind).muted for kind in kinds]
        return "; ".join(dict.fromkeys(rules)) if rules and all(rules) else ""

    @property
    def unknown(self) -> tuple[str, ...]:
        """What could not be read, a sentence each."""
        if self.unread:
            return (f"the stack's alarms could not be read: {self.unread}",)
        return tuple(
            f"the alarm `{alarm.kind}` could not be read: {alarm.unread}" for alarm in self.alarms if alarm.unread
        )
