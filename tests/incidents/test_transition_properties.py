"""Any sequence of looks, failures of evidence, mutes, acknowledgements and crashes: what always is true of messages."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressprobe.incidents.alarms import AlarmFacts, AlarmKind, AlarmReading, Contributor
from egressprobe.incidents.causes.grouping import observed
from egressprobe.incidents.model import Acknowledgement, NetworkChange, Transition
from egressprobe.incidents.states.evidence import evidence_of
from egressprobe.incidents.states.memory import is_over
from egressprobe.incidents.states.transitions import committed, step
from egressprobe.model.failure import Code
from egressprobe.model.joined_report import Cause
from egressprobe.model.target import Verdict
from tests.conftest import examples
from tests.support.incidents import Probed, joined_of
from tests.support.vpc.snapshots import A, B

TARGETS = [Probed(f"{name}.example") for name in ("one", "two", "three")]
# What is true of a target: the code that it fails with, and the broken element where the configuration is the cause.
STATES = {
    "fine": (None, ""),
    "refused": (Code.CONNECT_REFUSED, ""),
    "expired": (Code.TLS_CERT_EXPIRED, ""),
    "nat": (Code.CONNECT_TIMEOUT, "nat-1"),
    "acl": (Code.CONNECT_TIMEOUT, "acl-1"),
}


class Turn(NamedTuple):
    """One look. states: of each target; subnets: where they fail from. seen: subnets whose probe responds.

    alarmed: targets whose alarm is on, beside what is true. crash: 0 none, 1 before and 2 after publishing.
    """

    states: tuple[str, ...]
    subnets: tuple[str, ...]
    seen: tuple[str, ...]
    probed: tuple[bool, ...]
    alarmed: tuple[bool, ...]
    readable: str
    audited: bool
    degraded: bool
    muted: bool
    acknowledged: tuple[bool, ...]
    crash: int
    change: bool


_three = st.tuples(st.booleans(), st.booleans(), st.booleans())
_mostly = st.sampled_from((True, True, True, False))
_turns = st.lists(
    st.builds(
        Turn,
        states=st.tuples(*[st.sampled_from(("fine", *STATES))] * 3),
        subnets=st.sampled_from(((A, B), (A,), (B,))),
        seen=st.sampled_from(((A, B), (A, B), (A, B), (A,), ())),
        probed=st.tuples(_mostly, _mostly, _mostly),
        alarmed=_three,
        readable=st.sampled_from(("all", "all", "all", "no contributors", "nothing")),
        audited=_mostly,
        degraded=st.sampled_from((False, False, True)),
        muted=st.sampled_from((False, False, False, True)),
        acknowledged=st.sampled_from(((False,) * 3, (False,) * 3, (True, False, False), (True,) * 3)),
        crash=st.sampled_from((0, 0, 0, 1, 2)),
        change=st.booleans(),
    ),
    min_size=1,
    max_size=9,
)


def look_of(turn):
    """The joined report, or None where no probe responds."""
    if not turn.seen:
        return None
    verdict = Verdict.DEGRADED if turn.degraded else Verdict.FAIL
    probed = [target for target, is_probed in zip(TARGETS, turn.probed, strict=True) if is_probed]
    seen = {}
    for subnet in (A, B):
        codes = {
            target.name: STATES[state][0] if subnet in turn.subnets else None
            for target, state in zip(TARGETS, turn.states, strict=True)
        }
        results = {t.name: t.result(codes[t.name], verdict if codes[t.name] else None) for t in probed}
        seen[subnet] = results if subnet in turn.seen else "no response"
    joined = joined_of(seen, probed)
    if not turn.audited:
        return joined
    failing = tuple(subnet for subnet in turn.subnets if subnet in turn.seen)
    causes = [
        Cause(t.name, failing, "ROUTE_BLACKHOLE" if element else str(code), "said", "", element=element)
        for t, (code, element) in zip(TARGETS, (STATES[state] for state in turn.states), strict=True)
        if code and t in probed and failing
    ]
    return replace(joined, causes=tuple(causes))


def alarms_of(turn, minute):
    if turn.readable == "nothing":
        return AlarmFacts(unread="throttled")
    kind = AlarmKind.NOTICES if turn.degraded else AlarmKind.TARGETS
    since = f"2026-11-26T{minute // 60:02}:{minute % 60:02}:00+00:00"
    on = [
        Contributor(target.name, str(STATES[state][0] or Code.CONNECT_REFUSED), "degraded" if turn.degraded else "blocks", "", since)
        for target, state, alarmed in zip(TARGETS, turn.states, turn.alarmed, strict=True)
        if alarmed
    ]  # fmt: skip
    unread = "denied" if turn.readable == "no contributors" and on else ""
    muted = "window" if turn.muted else ""
    readings = {kind: AlarmReading(kind, "OK", muted=muted) for kind in AlarmKind}
    if on:
        readings[kind] = AlarmReading(kind, "ALARM", since, () if unread else tuple(on), unread, muted)
        if not turn.degraded:
            readings[AlarmKind.PATH_BROKEN] = AlarmReading(AlarmKind.PATH_BROKEN, "ALARM", since, muted=muted)
    return AlarmFacts(tuple(readings.values()))


class World:
    """The state, every message that was sent, and what is checked at each look."""

    def __init__(self):
        self.stored, self.minute = (), 0
        self.published = {}  # message id -> (incident, transition)

    def take(self, turn):
        self.minute += 5
        alarms, joined = alarms_of(turn, self.minute), look_of(turn)
        now = f"2026-11-26T{self.minute // 60:02}:{self.minute % 60:02}:30+00:00"
        causes = observed(joined, alarms, targets=[target.view for target in TARGETS])
        evidence = evidence_of(joined, alarms, {target.name for target in TARGETS})
        acknowledgements = [
            Acknowledgement(target.name, "2026-11-27T00:00:00+00:00")
            for target, done in zip(TARGETS, turn.acknowledged, strict=True)
            if done
        ]
        change = NetworkChange(f"c{self.minute}", now, "DeleteRoute", related=True)
        options = {"acknowledgements": acknowledgements}
        options |= {"changes": {cause.key: (change,) for cause in causes}} if turn.change else {}
        for _ in range(9):
            made = step(self.stored, causes, evidence, now, **options)
            assert made == step(self.stored, causes, evidence, now, **options)
            if turn.crash == 1 or not made.due:
                self.stored = made.incidents
                break
            self.stored = made.incidents
            for due in made.due:
                self.sent(due, turn, alarms)
            if turn.crash == 2:
                break
            self.stored = committed(self.stored, [due.id for due in made.due])
        else:
            raise AssertionError("messages never end")
        if turn.crash == 0:
            self.covered(alarms)

    def sent(self, due, turn, alarms):
        known = self.published.setdefault(due.id, (due.incident.key, due.transition))
        assert known == (due.incident.key, due.transition), "an id is one incident's and one transition's"
        assert due.incident.sending is due.transition
        if due.transition is Transition.RECOVERED:
            for target, state, probed in zip(TARGETS, turn.states, turn.probed, strict=True):
                if target.name in due.incident.failing:
                    failed = set(due.incident.failing[target.name] or (A, B))
                    assert probed
                    assert failed <= set(turn.seen), "a subnet from which it failed is unknown"
                    softer = turn.degraded and due.incident.tier == "page"
                    assert state == "fine" or softer or not set(turn.subnets) & failed
                    assert not list(alarms.for_target(target.name))
            assert alarms.of(AlarmKind.TARGETS).known
            assert Transition.BROKEN in due.incident.sent
        elif due.transition is not Transition.BROKEN:
            assert Transition.BROKEN in due.incident.sent
        assert due.transition not in due.incident.sent

    def covered(self, alarms):
        """Every target with an alarm has an incident that was reported, or a reason why not."""
        for kind in AlarmKind:
            for contributor in alarms.of(kind).contributors:
                mine = [i for i in self.stored if contributor.target in i.failing and not is_over(i)]
                assert mine, contributor
                assert any(Transition.BROKEN in i.sent or i.silent for i in mine), (contributor, mine)


def everything_holds(turns):
    """No assertion of `World` fails, and when all is well at last, all of it ends."""
    world = World()
    for turn in turns:
        world.take(turn)
    # Everything works, and is seen: everything ends.
    fine = turns[0]._replace(
        states=("fine",) * 3, seen=(A, B), probed=(True,) * 3, alarmed=(False,) * 3, readable="all", crash=0,
        muted=False, change=False,
    )  # fmt: skip
    for _ in range(3):
        world.take(fine)
    assert world.stored == ()
    ends = [key for key, transition in world.published.values() if transition is Transition.RECOVERED]
    begins = [key for key, transition in world.published.values() if transition is Transition.BROKEN]
    assert sorted(ends) == sorted(begins), "each that was reported has ended"


@given(_turns)
@settings(max_examples=60)
def test_whatever_happens(turns):
    """One id for each message, no recovery without evidence, and no alarm without a message or a reason."""
    everything_holds(turns)


@pytest.mark.thorough
@given(_turns)
@settings(max_examples=examples(2000))
def test_whatever_happens_in_many_sequences(turns):
    """The same, of 2,000 sequences."""
    everything_holds(turns)
