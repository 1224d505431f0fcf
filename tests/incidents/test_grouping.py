"""From a look to causes: what is one cause, what announces it, and what is not reproduced."""

import pytest

from egressprobe.audit.vpc.snapshot import AclEntry, Permission, Route
from egressprobe.incidents.alarms import AlarmKind, AlarmReading, Contributor
from egressprobe.incidents.causes.evidence_lines import KEPT_CONNECTIONS
from egressprobe.incidents.causes.grouping import CONFIGURATION_UNREAD, observed, with_reason
from egressprobe.incidents.causes.wording import unknown_element
from egressprobe.incidents.model import Tier
from egressprobe.model.failure import Code
from egressprobe.model.series import ALL_TARGETS
from egressprobe.model.target import DRILL_TARGET, Impact, Verdict
from tests.support.incidents import Probed, broken, facts, joined_of, on, pod
from tests.support.vpc.broken import ONE_NAT_EACH
from tests.support.vpc.snapshots import ANY, CLUSTER_SG, CORP, A, B, acl, clean, group, routes

SILENT, REFUSED = Code.CONNECT_TIMEOUT, Code.CONNECT_REFUSED
HOOKS = [Probed(f"hook-{number}.example") for number in range(3)]
BLACK_HOLE = routes(clean(), "rtb-private", Route("0.0.0.0/0", "nat", "nat-gone", active=False))


def everywhere(targets, code, subnets=(A, B)):
    return {subnet: {target.name: target.result(code) for target in targets} for subnet in subnets}


def test_many_targets_with_one_cause_are_one():
    """The black hole, with every target and subnet, the proven fix once, and the words of an engineer."""
    joined = joined_of(everywhere(HOOKS, SILENT), HOOKS, BLACK_HOLE)
    (cause,) = observed(joined, broken(*(hook.name for hook in HOOKS)))
    assert (cause.key, cause.code) == ("ROUTE_BLACKHOLE|nat-gone", "ROUTE_BLACKHOLE")
    assert cause.what == "route 0.0.0.0/0 of rtb-private is a black hole (nat-gone was deleted)"
    assert [target.name for target in cause.targets] == [hook.name for hook in HOOKS]
    assert (cause.where, cause.tier, cause.alarms) == ((A, B), Tier.PAGE, ("targets",))
    assert cause.remedy_steps.proven
    assert len(cause.remedy_steps.fix) == 1
    assert {"nat-gone", "rtb-private", A, B} <= set(cause.path)


def test_one_deleted_gateway_in_two_route_tables_is_one_cause():
    """Each table has a route to it: one message, both fixes."""
    gone = Route("0.0.0.0/0", "nat", "nat-gone", active=False)
    snapshot = routes(routes(ONE_NAT_EACH, "rtb-a", gone), "rtb-b", gone)
    (cause,) = observed(joined_of(everywhere(HOOKS, SILENT), HOOKS, snapshot), broken(HOOKS[0].name))
    assert cause.what == "routes 0.0.0.0/0 of rtb-a and 0.0.0.0/0 of rtb-b are black holes (nat-gone was deleted)"
    assert len(cause.remedy_steps.fix) == 2


def test_two_servers_that_refuse_are_two_causes():
    """Nothing of the VPC joins them."""
    joined = joined_of(everywhere(HOOKS[:2], REFUSED), HOOKS[:2], clean())
    causes = observed(joined, broken(HOOKS[0].name, HOOKS[1].name, code=REFUSED))
    assert [cause.key for cause in causes] == [f"connect_refused|hook-{number}.example:443" for number in (0, 1)]
    assert causes[0].what == "hook-0.example:443 refuses connections"


def test_what_fails_without_an_alarm_waits():
    """It is observed, and has no alarm: `transitions` does not open it."""
    joined = joined_of(everywhere(HOOKS[:2], REFUSED), HOOKS[:2], clean())
    causes = observed(joined, broken(HOOKS[0].name, code=REFUSED))
    assert [(cause.key.partition("|")[2], cause.alarms) for cause in causes] == [
        ("hook-0.example:443", ("targets",)),
        ("hook-1.example:443", ()),
    ]


def test_path_broken_alone_announces_what_blocks_and_nothing_else():
    """No contributor is named: everything that blocks and fails now is the cause, a notice is not."""
    soft = Probed("soft.example", impact=Impact.BYPASSES)
    joined = joined_of(everywhere([HOOKS[0], soft], REFUSED), [HOOKS[0], soft], clean())
    causes = observed(joined, facts(on(AlarmKind.PATH_BROKEN)))
    assert {cause.targets[0].name: cause.alarms for cause in causes} == {
        "hook-0.example": ("path broken",),
        "soft.example": (),
    }


def test_contributors_that_cannot_be_read_are_every_failing_target():
    """The alarm is on, and which target it is on for is unknown."""
    reading = AlarmReading(AlarmKind.TARGETS, "ALARM", "2026-11-26T02:15:00+00:00", unread="AccessDenied")
    unread = facts(reading, on(AlarmKind.PATH_BROKEN))
    (cause,) = observed(joined_of(everywhere(HOOKS[:1], REFUSED), HOOKS[:1], clean()), unread)
    assert cause.alarms
    assert cause.tier is Tier.PAGE
    (cause,) = observed(joined_of(everywhere(HOOKS[:1], None), HOOKS[:1], clean()), unread)
    assert not cause.reproduced
    assert "AccessDenied" in " ".join(cause.unknown)


@pytest.mark.parametrize(
    ("joined", "why"),
    [
        (None, "nothing could be probed again: throttled"),
        (joined_of(everywhere(HOOKS[1:2], None), HOOKS[1:2]), "hook-0.example was not probed again"),
        (joined_of(everywhere(HOOKS[:1], None), HOOKS[:1]), "it passes when probed again from subnet-a and subnet-b"),
        (
            joined_of(everywhere(HOOKS[:1], None, (A,)) | {B: "timed out"}, HOOKS[:1]),
            "it passes when probed again from subnet-a; unknown from subnet-b (timed out)",
        ),
    ],
    ids=["probing failed", "not in the report", "passes", "a subnet is silent"],
)
def test_an_alarm_without_a_failing_probe_is_a_cause_that_is_not_reproduced(joined, why):
    """Whatever the look saw, the alarm has its message, with the reason."""
    views = [hook.view for hook in HOOKS]
    causes = observed(joined, broken("hook-0.example", code=REFUSED), targets=views, not_probed="throttled")
    (cause,) = [cause for cause in causes if cause.alarms]
    assert (cause.key, cause.reproduced) == ("connect_refused|hook-0.example:443", False)
    assert cause.what == "hook-0.example:443 refuses connections"
    assert cause.unknown[0].startswith(why)


def test_a_drill_is_called_one():
    """Nothing is unknown about it, and its code is no failure's."""
    joined = joined_of(everywhere(HOOKS[1:2], None), HOOKS[1:2])
    (cause,) = observed(joined, broken(DRILL_TARGET, code=Code.SERVICE_UNRESOLVED), targets=[HOOKS[1].view])
    assert (cause.key, cause.code, cause.unknown) == (f"drill|{DRILL_TARGET}", "drill", ())
    assert "drill" in cause.what


def test_a_target_that_the_plan_does_not_have_any_more():
    """Its name is all that is left of it."""
    joined = joined_of(everywhere(HOOKS[1:2], None), HOOKS[1:2])
    (cause,) = observed(joined, broken("old", code=REFUSED), targets=[HOOKS[1].view])
    assert (cause.key, cause.what) == ("connect_refused|old", "old refuses connections")
    assert cause.unknown[0] == "old was not probed again: it is not in the plan any more"


def test_an_egress_alarm_announces_what_fails_outside_the_vpc_from_its_subnet():
    """One message: the cause of the targets, not a second one about the path. A webhook in a pod is another matter."""
    inside = pod("policy")
    seen = {
        A: {HOOKS[0].name: HOOKS[0].result(SILENT), "policy": inside.result(REFUSED)},
        B: {HOOKS[0].name: HOOKS[0].result(None), "policy": inside.result(None)},
    }
    snapshot = acl(clean(), A, AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443)))
    alarms = facts(on(AlarmKind.EGRESS_DOWN, Contributor(subnet_id=A, since="2026-11-26T02:14:00+00:00")))
    causes = observed(joined_of(seen, [HOOKS[0], inside], snapshot), alarms)
    assert [(cause.code, cause.alarms, cause.tier) for cause in causes] == [
        ("NACL_EGRESS_DENIED", ("egress path down",), Tier.PAGE),
        ("connect_refused", (), Tier.PAGE),
    ]
    (first, _) = observed(joined_of(seen, [HOOKS[0], inside], snapshot), alarms, egress_pages=False)
    assert first.tier is Tier.NOTICE or not first.alarms


def test_an_egress_alarm_for_which_everything_passes():
    joined = joined_of(everywhere(HOOKS[:1], None), HOOKS[:1])
    alarms = facts(on(AlarmKind.EGRESS_DOWN, Contributor(subnet_id=A)))
    (cause,) = observed(joined, alarms)
    assert (cause.key, cause.where, cause.targets, cause.reproduced) == (f"egress_down|{A}", (A,), (), False)
    assert cause.unknown[0] == "1 target outside the VPC passes when probed again: hook-0.example"


def test_a_degraded_target_is_a_notice():
    """Its failure is that of some calls."""
    one = HOOKS[0]
    seen = {A: {one.name: one.result(SILENT, Verdict.DEGRADED)}, B: {one.name: one.result(None)}}
    alarms = facts(on(AlarmKind.NOTICES, Contributor(one.name, str(SILENT), "degraded")))
    (cause,) = observed(joined_of(seen, [one], clean()), alarms)
    assert (cause.tier, cause.where) == (Tier.NOTICE, (A,))


def test_the_one_series_of_a_large_plan_announces_whatever_fails():
    joined = joined_of(everywhere(HOOKS[:1], REFUSED), HOOKS[:1], clean())
    (cause,) = observed(joined, broken(ALL_TARGETS, code=REFUSED))
    assert cause.targets[0].name == "hook-0.example"
    (cause,) = observed(joined_of(everywhere(HOOKS[:1], None), HOOKS[:1]), broken(ALL_TARGETS, code=REFUSED))
    assert (cause.reproduced, cause.key) == (False, f"connect_refused|{ALL_TARGETS}")


def test_a_look_without_the_configuration_is_not_explained():
    """A silent address may have another cause; one that refuses may not."""
    for code, explained in ((SILENT, False), (REFUSED, True)):
        (cause,) = observed(joined_of(everywhere(HOOKS[:1], code), HOOKS[:1]), broken(HOOKS[0].name, code=code))
        assert cause.explained is explained
    (cause,) = observed(joined_of(everywhere(HOOKS[:1], SILENT), HOOKS[:1], BLACK_HOLE), broken(HOOKS[0].name))
    assert cause.explained


def test_the_first_failing_minute_is_that_of_the_metrics():
    joined = joined_of(everywhere(HOOKS[:1], REFUSED), HOOKS[:1], clean())
    alarms = broken(HOOKS[0].name, code=REFUSED)
    (cause,) = observed(joined, alarms, since={HOOKS[0].name: "2026-11-26T02:11:00+00:00"})
    assert (cause.since, cause.unknown) == ("2026-11-26T02:11:00+00:00", ())
    (cause,) = observed(joined, alarms)
    assert cause.since == "2026-11-26T02:15:00+00:00"
    assert "the first failing minute" in cause.unknown[0]


def test_every_broken_vpc_has_a_clause_of_its_own():
    """Security groups and ACLs by name; one cause whatever ports."""
    closed = group(clean(), CLUSTER_SG, egress=(Permission(6, (8443, 8443), ANY),))
    targets = [Probed("a.example"), Probed("b.example", port=9443)]
    (cause,) = observed(joined_of(everywhere(targets, SILENT), targets, closed), broken("a.example", "b.example"))
    assert cause.what == "security group sg-cluster of the control plane has no egress rule for TCP 443 and 9443"
    denied = acl(clean(), A, AclEntry(10, True, False, 6, "0.0.0.0/0", (443, 443)))
    (cause,) = observed(joined_of(everywhere(targets[:1], SILENT, (A,)), targets, denied), broken("a.example"))
    assert cause.what == "network ACL acl-subnet-a denies TCP 443 out (rule 10)"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (Code.CONNECT_TIMEOUT, True),
        (Code.DNS_NXDOMAIN, True),
        (Code.TLS_CERT_EXPIRED, True),
        (Code.TLS_RESET, True),
        (Code.CONNECT_REFUSED, False),
        (Code.TLS_NOT_TLS, False),
        (Code.SERVICE_UNRESOLVED, False),
        (Code.HTTP_TIMEOUT, False),
    ],
)
def test_kept_connections_are_named_where_only_a_new_connection_fails(code, line):
    """A server that is gone took its connections with it; a path, a name or a certificate breaks the next handshake."""
    (cause,) = observed(joined_of(everywhere(HOOKS[:1], code), HOOKS[:1]), broken("hook-0.example", code=str(code)))
    assert (KEPT_CONNECTIONS in cause.evidence) is line


def test_where_knowledge_of_the_path_ends_is_named_and_its_owner_is_asked():
    """Not that something was not read: what, and whom to ask."""
    corp = Probed("corp.example.com", address=CORP)
    joined = joined_of(everywhere([corp], Code.CONNECT_TIMEOUT), [corp], clean())
    (cause,) = observed(joined, broken("corp.example.com", code="connect_timeout"))
    assert (
        cause.what == "corp.example.com:443 does not answer; whether the transit gateway tgw-1 lets it pass is unknown"
    )
    assert cause.unknown[0] == "part of the path: the transit gateway tgw-1: its route tables, and what is behind it"
    assert CONFIGURATION_UNREAD not in cause.unknown
    assert cause.remedy.startswith(
        "Ask the owner of the transit gateway tgw-1 whether packets to corp.example.com:443 "
    )
    assert "tgw-1" in cause.path
    assert not [part for part in cause.path if part.endswith(":")]


@pytest.mark.parametrize(
    ("why", "element"),
    [
        ("the other side of pcx-0a1: vpc-2 of another account", "pcx-0a1"),
        ("the firewall egress behind vpce-1: its rules", "the firewall egress"),
        ("tgw-rtb-1 of tgw-1 has more routes than can be listed", "tgw-rtb-1"),
        ("no interface of the VPC has 10.0.3.9 now", ""),
    ],
)
def test_the_element_where_knowledge_ends(why, element):
    """By id or name; none where the reason has none."""
    assert unknown_element({"why": [why]}) == element


def test_the_reason_replaces_the_sentence_that_the_configuration_was_not_read():
    """One meaning, one sentence."""
    joined = joined_of(everywhere(HOOKS[:1], Code.CONNECT_TIMEOUT), HOOKS[:1])
    (cause,) = observed(joined, broken("hook-0.example", code="connect_timeout"))
    assert CONFIGURATION_UNREAD in cause.unknown
    unread = with_reason(cause, "the VPC's configuration was not read: AccessDenied").unknown
    assert [text for text in unread if "configuration" in text] == [
        "the VPC's configuration was not read: AccessDenied"
    ]
    assert set(unread) - {"the VPC's configuration was not read: AccessDenied"} == {*cause.unknown} - {
        CONFIGURATION_UNREAD
    }
