"""The story of preflight over scripted sources: what decides, which rows, checks and gaps it has."""

import pytest
from msgspec.structs import replace

from egressprobe.catalog.findings_cluster import CLUSTER_UNREADABLE, DISCOVERY_FORBIDDEN, STACK_DRIFTED
from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.lab.certs import make_authority
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.failure import Code
from egressprobe.model.target import Expect, Verdict
from egressprobe.readiness.result import Decision, Relation
from egressprobe.readiness.run import LOCAL, preflight
from tests.support.preflights import (
    CLUSTER,
    CORP_LOGIN,
    ISSUER,
    KUBELET,
    POLICY,
    TARGETS,
    FakeClock,
    ScriptedSources,
    result,
)
from tests.support.vpc.snapshots import WEB, WEB6, A

CA_PEM = make_authority("ca").pem
FAIL, PASS, UNKNOWN = Verdict.FAIL, Verdict.PASS, Verdict.UNKNOWN


def made(sources=None, **changes):
    return preflight(sources or ScriptedSources(**changes), clock=FakeClock())


def against(flight):
    return {(str(reason.decision), reason.subject) for reason in flight.reasons}


def test_everything_seen_and_passing_is_go():
    flight = made()
    assert flight.reasons == ()
    assert flight.decision is Decision.GO
    assert {str(check.state) for check in flight.checks} == {"met"}
    assert flight.causes == ()
    assert flight.rounds == 5
    assert [row.relation for row in flight.rows] == [Relation.NONE] * 4


def test_rounds_are_spread_over_the_time():
    clock = FakeClock()
    preflight(ScriptedSources(), rounds=4, seconds=60, clock=clock)
    assert clock.slept == [0, 15, 15, 15]


def test_one_failing_round_of_five_is_no_go():
    """The switch cannot be undone."""
    flight = made(changes={(3, A, POLICY): (FAIL, Code.CONNECT_TIMEOUT)})
    assert flight.decision is Decision.NO_GO
    assert ("NO-GO", POLICY) in against(flight)
    worst = flight.rows[0]
    assert (worst.target.name, worst.relation) == (POLICY, Relation.BY_SWITCH)
    cell = worst.cells[0]
    assert (cell.verdict, cell.code, cell.rounds) == (FAIL, Code.CONNECT_TIMEOUT, (PASS, PASS, PASS, FAIL, PASS))
    assert "from subnet-a" in flight.reasons[0].summary
    assert "some calls fail" in flight.reasons[0].summary
    assert flight.joined is not None
    assert flight.joined.verdict is FAIL


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_whatever_the_impact_a_failing_target_is_no_go(policy):
    targets = (TARGETS[0] | {"failurePolicy": policy},)
    flight = made(targets=targets, changes={(None, None, POLICY): (FAIL, Code.TLS_RESET)})
    assert flight.decision is Decision.NO_GO


def test_what_the_switch_does_not_touch_is_shown_apart():
    """A kubelet that fails is broken today; the switch does not move its path."""
    flight = made(changes={(None, A, KUBELET): (FAIL, Code.CONNECT_TIMEOUT)})
    assert flight.decision is Decision.GO
    row = flight.rows[0]
    assert (row.target.name, row.relation, row.switch_relevant) == (KUBELET, Relation.TODAY, False)
    assert {check.id: str(check.state) for check in flight.checks}["verify-nodes"] == "not met"
    assert [(cause.target, cause.subnets, cause.code) for cause in flight.causes] == [
        (KUBELET, (A,), "connect_timeout")
    ]


def test_a_call_that_is_not_sent_today_shows_nothing_of_its_path():
    flight = made(changes={(None, None, POLICY): (FAIL, Code.CA_BUNDLE_INVALID)})
    assert flight.decision is Decision.UNKNOWN
    assert flight.rows[0].relation is Relation.TODAY


def test_the_clusters_own_issuer_never_decides():
    """Nothing in the cluster depends on it: the probe reports it as degraded, with the failure."""
    flight = made(changes={(None, None, ISSUER): (Verdict.DEGRADED, Code.CONNECT_TIMEOUT)})
    assert flight.decision is Decision.GO
    assert next(row for row in flight.rows if row.target.name == ISSUER).advisory


def test_a_share_of_failing_calls_is_no_go():
    flight = made(changes={(None, A, CORP_LOGIN): (Verdict.DEGRADED, Code.CONNECT_TIMEOUT)})
    assert flight.decision is Decision.NO_GO
    assert "some calls fail from subnet-a" in flight.reasons[0].summary


@pytest.mark.parametrize(
    ("part", "subject"),
    [("discover", "discovery"), ("audit", "Network ACLs allow calls and return traffic"), (2, "round 3 of 5")],
)
@pytest.mark.parametrize("error", [AwsError("AccessDenied: no"), InputError("x", "no"), ZeroDivisionError("secret")])
def test_a_source_that_fails_costs_the_go(part, subject, error):
    """Whatever it raises; the text of an error of ours is not shown."""
    sources = ScriptedSources()
    sources.errors[part] = error
    flight = made(sources)
    assert flight.decision is Decision.UNKNOWN
    assert ("UNKNOWN", subject) in against(flight)
    assert "secret" not in str(flight.reasons)


def test_a_cluster_that_cannot_be_read_ends_it():
    sources = ScriptedSources()
    sources.errors["cluster"] = InputError("--cluster", "does not exist")
    with pytest.raises(InputError, match="--cluster: does not exist"):
        made(sources)


def test_a_subnet_without_a_probe_is_unknown():
    flight = made(subnets={A: "eu-west-1a"})
    assert flight.decision is Decision.UNKNOWN
    assert ("UNKNOWN", "the stack") in against(flight)
    assert ("UNKNOWN", POLICY) in against(flight)


def test_a_subnet_that_does_not_answer_in_one_round_is_unknown():
    sources = ScriptedSources()
    sources.view_errors[1, A] = "TooManyRequestsException"
    flight = made(sources)
    assert flight.decision is Decision.UNKNOWN
    assert "in round 2: TooManyRequestsException" in str(flight.reasons)
    assert any("unknown in 1 of 5 rounds from subnet-a" in reason.summary for reason in flight.reasons)


@pytest.mark.parametrize("entry", [STACK_DRIFTED, CLUSTER_UNREADABLE, REPORT_REDUCED], ids=lambda entry: entry.code)
def test_a_stack_that_does_not_show_everything_is_unknown(entry):
    sources = ScriptedSources()
    sources.joined_findings = (entry.found("the control plane has other groups", {}),)
    flight = made(sources)
    assert flight.decision is Decision.UNKNOWN
    assert [(reason.subject, reason.code) for reason in flight.reasons] == [("the stack", entry.code)]


def test_a_stack_of_another_cluster_is_no_evidence():
    sources = ScriptedSources()
    sources.cluster_name = "staging"
    flight = made(sources)
    assert flight.decision is Decision.UNKNOWN
    assert 'belong to the cluster "staging"' in str(flight.reasons)


def test_a_target_that_the_stack_does_not_know_is_unknown():
    sources = ScriptedSources(targets=TARGETS[1:], discovered=Discovered(targets=TARGETS))
    flight = made(sources)
    assert flight.decision is Decision.UNKNOWN
    assert ("UNKNOWN", POLICY) in against(flight)
    assert any(POLICY in text for text in flight.not_covered)


@pytest.mark.parametrize(
    "changed", [{"url": "https://old.example.com/validate"}, {"caBundle": CA_PEM}], ids=["url", "ca"]
)
def test_a_target_of_the_same_name_that_was_called_otherwise_is_not_evidence(changed):
    """The stack's plan is up to 15 minutes older than the cluster's objects."""
    old = (TARGETS[0] | changed, *TARGETS[1:])
    flight = made(ScriptedSources(targets=old, discovered=Discovered(targets=TARGETS)))
    assert flight.decision is Decision.UNKNOWN
    assert any(reason.subject == POLICY and "15 minutes" in reason.summary for reason in flight.reasons)
    assert any(reason.subject == POLICY and "is unknown from" in reason.summary for reason in flight.reasons)


@pytest.mark.parametrize(
    "discovered",
    [
        Discovered(targets=TARGETS, unread=("apiservices",)),
        Discovered(targets=TARGETS, findings=(DISCOVERY_FORBIDDEN.found("webhooks: 403", {}),)),
        Discovered(targets=(*TARGETS, {"kind": "webhook", "name": "odd", "url": "ftp://odd"})),
    ],
    ids=["unread", "forbidden", "odd"],
)
def test_incomplete_discovery_is_unknown(discovered):
    assert made(ScriptedSources(discovered=discovered)).decision is Decision.UNKNOWN


def test_nothing_on_the_switched_path_is_go_when_discovery_was_complete():
    flight = made(targets=TARGETS[3:])
    assert flight.decision is Decision.GO
    assert not any(row.switch_relevant for row in flight.rows)


@pytest.mark.parametrize(
    ("changed", "decision"),
    [
        ({"mode": "CUSTOMER_ROUTED"}, Decision.GO),
        ({"mode": "unknown"}, Decision.UNKNOWN),
        ({"mode": "CUSTOMER_ISOLATED"}, Decision.UNKNOWN),
        ({"status": "UPDATING"}, Decision.NO_GO),
        ({"status": ""}, Decision.UNKNOWN),
        ({"update": "u-1"}, Decision.NO_GO),
        ({"update": "unknown", "unread": ("eks:ListUpdates is denied",)}, Decision.UNKNOWN),
        ({"subnets": ("subnet-a",)}, Decision.NO_GO),
        ({"subnets": ()}, Decision.UNKNOWN),
        ({"subnets": ("subnet-a", "subnet-b", "subnet-c")}, Decision.UNKNOWN),
    ],
)
def test_the_clusters_state_decides(changed, decision):
    assert made(cluster=replace(CLUSTER, **changed)).decision is decision


def test_a_cluster_that_changes_meanwhile_is_unknown():
    sources = ScriptedSources()
    sources.clusters.append(replace(CLUSTER, security_groups=("sg-other",)))
    flight = made(sources)
    assert flight.decision is Decision.UNKNOWN
    assert "security_groups" in str(flight.reasons)


def test_from_this_computer_it_is_unknown_at_most():
    sources = ScriptedSources(subnets={LOCAL: ""})
    sources.probed_from = LOCAL
    flight = made(sources)
    assert flight.decision is Decision.UNKNOWN
    assert flight.reasons[0].subject == LOCAL
    assert [column.id for column in flight.subnets] == [LOCAL]
    sources = ScriptedSources(subnets={LOCAL: ""}, changes={(None, None, POLICY): (FAIL, Code.TLS_CERT_EXPIRED)})
    sources.probed_from = LOCAL
    assert made(sources).decision is Decision.NO_GO


def test_ctrl_c_keeps_what_there_is_and_is_unknown():
    sources = ScriptedSources(changes={(0, A, POLICY): (FAIL, Code.CONNECT_TIMEOUT)})
    sources.errors[2] = KeyboardInterrupt()
    flight = made(sources)
    assert flight.decision is Decision.UNKNOWN
    assert flight.rounds == 2
    assert {("UNKNOWN", "preflight"), ("UNKNOWN", "rounds")} <= against(flight)
    assert ("NO-GO", POLICY) in against(flight)


def test_families_are_cells_of_their_own():
    """A family whose addresses all fail costs the other nothing, where the call passes."""
    targets = TARGETS[:1]
    known = ScriptedSources(targets=targets, cluster=replace(CLUSTER, ip_family="ipv6"))
    plan_target = made(known).rows[0].target
    both = result(plan_target, addresses=(WEB, WEB6), failing=(WEB6,))
    flight = made(ScriptedSources(targets=targets, changes={(None, A, POLICY): both}))
    cells = {(cell.subnet_id, cell.family): cell for cell in flight.rows[0].cells}
    assert cells[A, "ipv4"].verdict is PASS
    assert (cells[A, "ipv6"].verdict, cells[A, "ipv6"].code) == (Verdict.DEGRADED, None)
    assert ("UNKNOWN", POLICY) in against(flight), "subnet-b was not probed by IPv6"


def test_a_result_that_was_cut_shows_no_family():
    """A pass without its addresses, in one subnet and in one round."""
    target = made(targets=TARGETS[:1]).rows[0].target
    cut = replace(result(target), attempts=(), resolutions=())
    flight = made(targets=TARGETS[:1], changes={(1, A, POLICY): cut})
    assert flight.decision is Decision.UNKNOWN
    assert "is unknown in 1 of 5 rounds from subnet-a" in str(flight.reasons)
    flight = made(targets=TARGETS[:1], changes={(None, None, POLICY): cut})
    assert flight.decision is Decision.UNKNOWN
    assert "does not show by which addresses" in str(flight.reasons)


def test_a_median_is_of_the_rounds_that_have_a_time():
    target = made(targets=TARGETS[:1]).rows[0].target
    slow = result(target, ms=900.0)
    flight = made(targets=TARGETS[:1], changes={(0, A, POLICY): slow, (1, A, POLICY): (UNKNOWN, None)})
    cell = flight.rows[0].cells[0]
    assert (cell.times_ms, cell.median_ms) == ((900.0, 20.0, 20.0, 20.0), 20.0)
    assert cell.verdict is UNKNOWN


def _altered(alter):
    """Sources whose joined reports are changed by `alter`, row by row, before they are read."""
    sources = ScriptedSources()
    probe = sources.probe

    def altered(plan):
        joined = probe(plan)
        return replace(joined, rows=tuple(row for original in joined.rows for row in alter(original)))

    sources.probe = altered
    return sources


@pytest.mark.parametrize("change", [{"timeout_seconds": 30}, {"expect": Expect.BLOCKED}], ids=str)
def test_a_target_probed_otherwise_than_the_api_server_calls_it_is_unknown(change):
    """What passes in 30 s may fail within the webhook's timeout; what is blocked passes as `expect: blocked`."""
    flight = made(_altered(lambda row: [replace(row, target=replace(row.target, **change))]))
    assert flight.decision is Decision.UNKNOWN
    assert ("UNKNOWN", POLICY) in against(flight)


@pytest.mark.parametrize("first", [True, False])
def test_of_two_rows_of_one_name_the_worse_counts(first):
    """Whichever is the last in the report."""

    def twice(row):
        cells = tuple(replace(cell, verdict=FAIL, code=Code.CONNECT_TIMEOUT) for cell in row.cells)
        rows = [replace(row, verdict=FAIL, cells=cells), row]
        return rows if first else rows[::-1]

    assert made(_altered(twice)).decision is Decision.NO_GO


def test_two_targets_of_one_name_are_no_go_ahead():
    """Of two kinds: the matrix has one row for a name."""
    other = {"kind": "webhook", "name": CORP_LOGIN, "url": "https://lost.example.com/x"}
    flight = made(ScriptedSources(discovered=Discovered(targets=(*TARGETS, other))))
    assert flight.decision is Decision.UNKNOWN
    assert ("UNKNOWN", CORP_LOGIN) in against(flight)


def test_ctrl_c_while_the_cluster_is_read_again_keeps_what_there_is():
    """After the last round."""
    sources = ScriptedSources()
    cluster, reads = sources.cluster, iter((False, True))

    def interrupted():
        if next(reads):
            raise KeyboardInterrupt
        return cluster()

    sources.cluster = interrupted
    flight = made(sources)
    assert (flight.decision, flight.interrupted) == (Decision.UNKNOWN, True)
    assert flight.rows
