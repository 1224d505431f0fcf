"""The state machine, scene by scene: what is sent, what is not, and what keeps an incident open."""

import msgspec
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import AclEntry, Route
from egressprobe.incidents.alarms import AlarmFacts, AlarmKind, AlarmReading, Contributor
from egressprobe.incidents.causes.grouping import observed
from egressprobe.incidents.model import Acknowledgement, NetworkChange, Tier, Transition
from egressprobe.incidents.states.evidence import IncidentEvidence, evidence_of, still_open
from egressprobe.incidents.states.memory import MAX_INCIDENTS, MAX_STATE_BYTES, opened
from egressprobe.incidents.states.transitions import step
from egressprobe.model.failure import Code
from egressprobe.model.target import Impact, Verdict
from tests.support.incident_story import IncidentStory
from tests.support.incidents import Probed, broken, facts, joined_of, on
from tests.support.vpc.snapshots import A, B, acl, clean, routes

SILENT, REFUSED = Code.CONNECT_TIMEOUT, Code.CONNECT_REFUSED
HOOK, OTHER = Probed("hook.example"), Probed("other.example")
BLACK_HOLE = routes(clean(), "rtb-private", Route("0.0.0.0/0", "nat", "nat-gone", active=False))
CALM = facts()


class Story(IncidentStory):
    """`look` returns what was sent, as (transition, key)."""

    def __init__(self):
        super().__init__([HOOK, OTHER])
        self.minute, self.messages = 0, []

    def look(self, alarms, snapshot=None, /, *, lost=False, silent=(), crash=False, only=None, **seen):
        """seen: target's first word -> the code that it fails with, or None. lost: probing failed. silent: subnets
        without response. only: subnets from which it fails. crash: before `sent` is stored.
        """
        self.minute += 5
        now = f"2026-11-26T{2 + self.minute // 60:02}:{self.minute % 60:02}:00+00:00"
        probed = {"hook": HOOK, "other": OTHER}
        results = {
            subnet: "timed out" if subnet in silent
            else {probed[n].name: probed[n].result(c if subnet in (only or (A, B)) else None) for n, c in seen.items()}
            for subnet in (A, B)
        }  # fmt: skip
        sent = super().look(now, alarms, None if lost else results, snapshot, crash=crash)
        self.messages += sent
        return [(message.transition, message.incident.key) for message in sent]


HOOK_REFUSED = "connect_refused|hook.example:443"
GONE = "ROUTE_BLACKHOLE|nat-gone"
ON = broken("hook.example", code=REFUSED)


def test_broken_once_and_recovered_once():
    """However often it is looked at."""
    story = Story()
    assert story.look(ON, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]
    assert story.look(ON, clean(), hook=REFUSED) == []
    assert story.look(CALM, clean(), hook=None) == [("recovered", HOOK_REFUSED)]
    assert story.look(CALM, clean(), hook=None) == []
    assert story.incidents == ()
    assert len({message.id for message in story.messages}) == 2


def test_nothing_recovers_without_evidence():
    """Each piece of evidence missing alone keeps it open, and with all of them it ends."""
    unread = AlarmFacts(unread="throttled")
    without = AlarmReading(AlarmKind.TARGETS, "ALARM", unread="AccessDenied")
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    assert story.look(CALM, lost=True) == []
    assert story.look(CALM, clean(), other=None) == [], "not probed"
    assert story.look(CALM, clean(), silent=(B,), hook=None) == []
    assert story.look(CALM, clean(), hook=REFUSED, only=(B,)) == []
    assert story.look(ON, clean(), hook=None) == [], "the alarm is still on"
    assert story.look(unread, clean(), hook=None) == []
    assert story.look(facts(without), clean(), hook=None) == []
    assert story.look(CALM, clean(), hook=None) == [("recovered", HOOK_REFUSED)]


def test_a_target_that_left_the_plan_keeps_it_open_until_path_broken_is_ok():
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    story.planned = ("other.example",)
    assert story.look(facts(on(AlarmKind.PATH_BROKEN)), clean(), other=None) == []
    assert story.look(CALM, clean(), other=None) == [("recovered", HOOK_REFUSED)]


def test_after_the_recovery_path_broken_alone_is_no_new_incident():
    """The composite ends later than its target."""
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    still_on = facts(on(AlarmKind.PATH_BROKEN))
    assert story.look(still_on, clean(), hook=None) == [("recovered", HOOK_REFUSED)]
    assert story.look(still_on, clean(), hook=None) == []
    assert story.look(CALM, clean(), hook=None) == []
    assert story.incidents == ()
    assert story.look(still_on, clean(), hook=None) == [("broken", "path_broken|")]
    assert story.look(CALM, clean(), hook=None) == [("recovered", "path_broken|")]


def test_again_after_the_recovery_is_another_incident():
    story = Story()
    for _ in range(2):
        assert story.look(ON, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]
        assert story.look(facts(on(AlarmKind.PATH_BROKEN)), clean(), hook=None) == [("recovered", HOOK_REFUSED)]
    assert len({message.id for message in story.messages}) == 4


def test_a_look_that_sees_less_opens_nothing_for_a_known_cause():
    """No probe, no configuration, or a pass: the incident's cause stays what it was."""
    story = Story()
    on_hook = broken("hook.example")
    assert story.look(on_hook, BLACK_HOLE, hook=SILENT) == [("broken", GONE)]
    assert story.look(on_hook, hook=SILENT) == [], "the audit failed"
    assert story.look(on_hook, lost=True) == []
    assert story.look(on_hook, BLACK_HOLE, hook=None) == []
    assert story.look(CALM, BLACK_HOLE, hook=None) == [("recovered", GONE)]


def test_a_cause_that_becomes_known_replaces_the_one_that_was_reported():
    """The second message says what it replaces, and people get one recovery, machines both."""
    story = Story()
    on_hook = broken("hook.example")
    assert story.look(on_hook, hook=SILENT) == [("broken", "connect_timeout|hook.example:443")]
    assert story.look(on_hook, BLACK_HOLE, hook=SILENT) == [("broken", GONE)]
    assert [incident.key for incident in story.messages[-1].replaces] == ["connect_timeout|hook.example:443"]
    story.look(CALM, clean(), hook=None)
    assert [(m.transition, m.incident.key, m.people) for m in story.messages[2:]] == [
        ("recovered", "connect_timeout|hook.example:443", False),
        ("recovered", GONE, True),
    ]


def test_another_cause_of_the_same_target_is_a_new_message_and_no_recovery():
    """And the first cause, back again, is the first incident: no message again."""
    story = Story()
    assert story.look(broken("hook.example"), BLACK_HOLE, hook=SILENT) == [("broken", GONE)]
    assert story.look(ON, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]
    assert story.look(broken("hook.example"), BLACK_HOLE, hook=SILENT) == []
    people = [m for m in story.messages if m.people]
    story.look(CALM, clean(), hook=None)
    assert [(m.transition, m.incident.key) for m in story.messages if m.people][len(people) :] == [("recovered", GONE)]


def test_a_second_target_of_a_reported_cause_is_no_message_and_holds_the_recovery():
    story = Story()
    story.look(broken("hook.example"), BLACK_HOLE, hook=SILENT, other=None)
    both = broken("hook.example", "other.example")
    assert story.look(both, BLACK_HOLE, hook=SILENT, other=SILENT) == []
    assert story.look(broken("other.example"), BLACK_HOLE, hook=None, other=SILENT) == []
    assert story.look(CALM, clean(), hook=None, other=None) == [("recovered", GONE)]


def test_every_subnet_from_which_it_was_seen_to_fail_is_remembered():
    """The failure moved from one to the other; the first one is silent now."""
    story = Story()
    story.look(ON, clean(), only=(A,), hook=REFUSED)
    story.look(ON, clean(), only=(B,), hook=REFUSED)
    assert story.look(CALM, clean(), silent=(A,), hook=None) == []
    assert story.look(CALM, clean(), hook=None) == [("recovered", HOOK_REFUSED)]


def test_a_superseded_cause_comes_back_only_where_it_is_seen():
    """A look without the configuration sees the failure alone, as before the cause was known."""
    story = Story()
    on_hook = broken("hook.example")
    story.look(on_hook, hook=SILENT)
    story.look(on_hook, BLACK_HOLE, hook=SILENT)
    assert story.look(on_hook, hook=SILENT) == []
    assert [incident.superseded_by != "" for incident in story.incidents] == [True, False]


def test_two_causes_of_one_target_from_two_subnets_end_by_themselves():
    """One is fixed while the other goes on: it is not superseded by what fails elsewhere."""
    story = Story()
    denied = acl(clean(), A, AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443)))
    story.look(broken("hook.example"), denied, only=(A,), hook=SILENT)
    story.look(ON, clean(), only=(B,), hook=REFUSED)
    assert [(incident.code, incident.superseded_by) for incident in story.incidents] == [
        ("NACL_EGRESS_DENIED", ""),
        ("connect_refused", ""),
    ]
    ended = story.look(CALM, clean(), hook=None)
    assert sorted(ended) == [("recovered", "NACL_EGRESS_DENIED|acl-subnet-a"), ("recovered", HOOK_REFUSED)]


def test_severity_is_the_highest_and_never_falls():
    """Of the targets, each its own, else of the tier."""
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    notices = facts(on(AlarmKind.NOTICES, Contributor("hook.example", "connect_refused", "degraded")))
    story.look(notices, clean(), hook=REFUSED)
    assert story.incidents[0].severity == "critical"
    causes = observed(joined_of({A: {HOOK.name: HOOK.result(REFUSED)}}, [HOOK], clean()), ON)
    own = [replace(target, severity="info") for target in causes[0].targets]
    assert opened(replace(causes[0], targets=tuple(own)), "2026-11-26T02:00:00Z").severity == "info"
    both = (*own, replace(own[0], name="other", severity=""))
    assert opened(replace(causes[0], targets=both), "2026-11-26T02:00:00Z").severity == "critical"


def test_more_causes_than_are_remembered_are_counted_in_the_messages():
    """And opened when there is room, none of them twice."""
    targets = [Probed(f"hook-{number}.example") for number in range(MAX_INCIDENTS + 30)]
    story = IncidentStory(targets)
    alarms = broken(*(target.name for target in targets), code=REFUSED)
    seen = {A: {target.name: target.result(REFUSED) for target in targets}}
    sent = story.look("2026-11-26T02:20:00Z", alarms, seen, clean())
    assert len(sent) == len(story.incidents) == MAX_INCIDENTS
    assert "30 more causes are not reported on their own" in sent[0].notes[0]
    assert story.look("2026-11-26T02:25:00Z", alarms, seen, clean()) == []
    assert len(msgspec.json.encode(story.incidents)) <= MAX_STATE_BYTES


def test_what_does_not_fit_is_not_forgotten_silently():
    """One cause of 4,000 targets: some names are left out, and its end waits for `path broken`."""
    cause = observed(joined_of({A: {HOOK.name: HOOK.result(REFUSED)}}, [HOOK], clean()), ON)[0]
    many = [replace(cause.targets[0], name=f"{'x' * 60}-{number}") for number in range(4000)]
    made = step((), (replace(cause, targets=tuple(many)),), evidence_of(None, ON), "2026-11-26T02:20:00Z")
    assert len(msgspec.json.encode(made.incidents)) <= MAX_STATE_BYTES
    [incident] = made.incidents
    assert incident.more >= 4000 - len(incident.failing)
    fine = {name: {A: Verdict.PASS} for name in incident.failing}
    for alarms, over in ((facts(on(AlarmKind.PATH_BROKEN)), False), (CALM, True)):
        assert (still_open(incident, IncidentEvidence(fine, {}, (A,), alarms)) == "") is over


def test_a_notice_escalates_once():
    notices = facts(on(AlarmKind.NOTICES, Contributor("hook.example", "connect_refused", "degraded")))
    story = Story()
    assert story.look(notices, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]
    assert story.incidents[0].tier is Tier.NOTICE
    assert story.look(ON, clean(), hook=REFUSED) == [("escalated", HOOK_REFUSED)]
    assert story.look(ON, clean(), hook=REFUSED) == []
    assert story.look(notices, clean(), hook=REFUSED) == []
    assert story.look(CALM, clean(), hook=None) == [("recovered", HOOK_REFUSED)]


def change(name, *, related=True):
    return NetworkChange(name, "2026-11-26T02:00:00+00:00", "DeleteNatGateway", "role deployer", ("nat-gone",), related)


def test_changes_follow_once_and_only_new_related_ones():
    story = Story()
    on_hook = broken("hook.example")
    story.changes = {GONE: (change("1"), change("2", related=False))}
    assert story.look(on_hook, BLACK_HOLE, hook=SILENT) == [("broken", GONE)]
    assert [c.id for c in story.messages[0].changes] == ["1", "2"]
    assert story.look(on_hook, BLACK_HOLE, hook=SILENT) == []
    story.changes = {GONE: (change("1"), change("2"), change("4", related=False))}
    assert story.look(on_hook, BLACK_HOLE, hook=SILENT) == [], "every one of them was in a message, or is not related"
    story.changes = {GONE: (change("1"), change("3"))}
    assert story.look(on_hook, BLACK_HOLE, hook=SILENT) == [("changed", GONE)]
    assert [c.id for c in story.messages[-1].changes] == ["3"]
    story.changes = {GONE: (change("5"),)}
    assert story.look(on_hook, BLACK_HOLE, hook=SILENT) == [], "one follow-up"


def test_muted_is_sent_when_the_mute_ends_and_it_is_still_broken():
    story = Story()
    muted = broken("hook.example", code=REFUSED, muted="rule deploy until 03:00")
    assert story.look(muted, clean(), hook=REFUSED) == []
    assert story.incidents[0].silent == "muted: rule deploy until 03:00"
    assert story.look(AlarmFacts(unread="throttled"), clean(), hook=REFUSED) == [], "whether it is muted is not known"
    assert story.look(ON, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]


def test_muted_and_recovered_meanwhile_has_neither_message():
    story = Story()
    story.look(broken("hook.example", code=REFUSED, muted="deploy"), clean(), hook=REFUSED)
    assert story.look(CALM, clean(), hook=None) == []
    assert story.incidents == ()


def test_a_recovery_inside_a_mute_is_sent_at_its_end():
    """With the time at which it ended."""
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    muted_ok = AlarmFacts(tuple(AlarmReading(kind, "OK", muted="deploy") for kind in AlarmKind))
    assert story.look(muted_ok, clean(), hook=None) == []
    ended = story.incidents[0].ended_at
    assert story.look(CALM, clean(), hook=None) == [("recovered", HOOK_REFUSED)]
    assert story.messages[-1].incident.ended_at == ended


def acknowledged(*names, until="2026-11-26T03:00:00+00:00", causes=()):
    return tuple(Acknowledgement(name, until, causes=causes) for name in names)


def test_acknowledged_targets_send_nothing_alone():
    """A further target that is not acknowledged is reported, and the acknowledgement ends with its time."""
    story = Story()
    story.acknowledgements = acknowledged("hook.example")
    assert story.look(broken("hook.example"), BLACK_HOLE, hook=SILENT, other=None) == []
    assert story.incidents[0].silent == "acknowledged until 2026-11-26T03:00:00+00:00"
    both = broken("hook.example", "other.example")
    assert story.look(both, BLACK_HOLE, hook=SILENT, other=SILENT) == [("broken", GONE)]
    alone = Story()
    alone.acknowledgements = acknowledged("hook.example", until="2026-11-26T02:06:00+00:00")
    assert alone.look(ON, clean(), hook=REFUSED) == []
    assert alone.look(ON, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]


def test_an_acknowledged_recovery_is_sent_only_if_it_was_reported_as_broken():
    story = Story()
    story.acknowledgements = acknowledged("hook.example")
    story.look(ON, clean(), hook=REFUSED)
    assert story.look(CALM, clean(), hook=None) == []
    known = Story()
    known.look(ON, clean(), hook=REFUSED)
    known.acknowledgements = acknowledged("hook.example")
    assert known.look(CALM, clean(), hook=None) == [("recovered", HOOK_REFUSED)]


def test_an_acknowledgement_of_one_cause_holds_no_other():
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    story.acknowledgements = acknowledged("hook.example", causes=(HOOK_REFUSED,))
    assert story.look(broken("hook.example"), BLACK_HOLE, hook=SILENT) == [("broken", GONE)]


def test_a_crash_between_publishing_and_storing_repeats_the_same_id():
    """Also when it has recovered meanwhile: first the repeat, then the recovery."""
    story = Story()
    assert story.look(ON, clean(), crash=True, hook=REFUSED) == [("broken", HOOK_REFUSED)]
    assert story.look(ON, clean(), crash=True, hook=REFUSED) == [("broken", HOOK_REFUSED)]
    assert story.look(CALM, clean(), hook=None) == [("broken", HOOK_REFUSED), ("recovered", HOOK_REFUSED)]
    assert len({message.id for message in story.messages}) == 2


def test_a_recovery_that_may_have_been_sent_is_not_repeated_while_it_fails_again():
    """The failure is another incident; nothing is reported as recovered without evidence."""
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    assert story.look(CALM, clean(), crash=True, hook=None) == [("recovered", HOOK_REFUSED)]
    assert story.look(CALM, lost=True) == []
    assert story.look(ON, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]
    assert story.look(ON, clean(), hook=REFUSED) == []
    story.look(CALM, clean(), hook=None)
    assert sorted(str(m.transition) for m in story.messages if m.people) == [
        "broken",
        "broken",
        "recovered",
        "recovered",
    ]
    assert len({message.id for message in story.messages}) == 4


def test_a_memory_that_is_lost_repeats_the_same_id():
    """The id is of the cause and of when its alarm turned on."""
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    story.incidents = ()
    assert story.look(ON, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]
    assert len({message.id for message in story.messages}) == 1


def test_a_failing_egress_path_ends_when_something_outside_passes():
    alarms = facts(on(AlarmKind.EGRESS_DOWN, Contributor(subnet_id=A)))
    story = Story()
    key = f"egress_down|{A}"
    assert story.look(alarms, clean(), hook=None) == [("broken", key)]
    assert story.look(alarms, clean(), hook=None) == []
    assert story.look(CALM, clean(), silent=(A,), hook=None) == []
    assert story.look(CALM, clean(), hook=None) == [("recovered", key)]


def test_what_waits_for_its_alarm_is_opened_with_it():
    story = Story()
    assert story.look(CALM, clean(), hook=REFUSED) == []
    assert story.incidents == ()
    assert story.look(ON, clean(), hook=REFUSED) == [("broken", HOOK_REFUSED)]


def test_a_page_that_is_degraded_now_has_recovered_and_a_notice_has_not():
    degraded = joined_of({s: {HOOK.name: HOOK.result(SILENT, Verdict.DEGRADED)} for s in (A, B)}, [HOOK])
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    soft = [replace(incident, tier=Tier.NOTICE) for incident in story.incidents]
    for incidents, wanted in ((story.incidents, [Transition.RECOVERED]), (soft, [])):
        made = step(incidents, observed(degraded, CALM), evidence_of(degraded, CALM), "2026-11-26T02:30:00+00:00")
        assert [message.transition for message in made.due] == wanted


def test_impact_and_owner_are_remembered_for_the_recovery():
    story = Story()
    story.look(ON, clean(), hook=REFUSED)
    assert story.incidents[0].impact is Impact.BLOCKS
    assert story.incidents[0].affected == "requests fail: all Pod CREATE (1 webhook)"
    assert story.incidents[0].severity == "critical"
