"""The switch as a state machine: every end, every fault, interrupted at every step; the truth is always EKS's."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from egressprobe.aws.updates.eks_updates import EGRESS_UPDATE, CallRefusedError, EksUpdate, NoAnswerError
from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.joined_report import JOINED_SCHEMA, Cell, Joined, Row, View
from egressprobe.model.report import Summary
from egressprobe.model.target import Impact, ServiceRef, Verdict
from egressprobe.readiness.result import Decision, DecisionReason
from egressprobe.readiness.switching.job import Ended, NotSeenError, OutputLostError
from egressprobe.readiness.switching.state import StateFile, SwitchPhase, SwitchState
from tests.support.readiness.fake_eks import AGAIN, BEGAN, COMMAND, Eks, Killed, World, target
from tests.support.readiness.preflights import CLUSTER, cell, preflight, row

DENIED = CallRefusedError("AccessDeniedException: not authorized", "AccessDeniedException")
THROTTLED = CallRefusedError("Rate exceeded", "ThrottlingException")
IN_USE = CallRefusedError("Cluster already has an update in progress", "ResourceInUseException")


def truth_of(world):
    """What the last line has to say, of what the fake knows."""
    return f"prod is {world.eks.status}, controlPlaneEgressMode {world.eks.mode}"


def assert_true_state(run):
    assert run.last.startswith("true state: ")
    assert truth_of(run.world) in run.last


def test_the_whole_way():
    """Requested once, followed to its end, verified; the call is shown before it is made."""
    world = World()
    run = world.run()
    assert run.ended is Ended.VERIFIED
    assert run.end.difference.verdict is Verdict.PASS
    assert len(world.eks.tokens) == 1
    assert run.said.index(f"{COMMAND} --client-request-token {world.eks.tokens[0]}") < next(
        i for i, text in enumerate(run.said) if "is sent" in text
    )
    assert any("cannot be undone" in text for text in run.said)
    assert_true_state(run)
    assert "update-1 is Successful" in run.last
    assert world.disk["phase"] == "verified"


@pytest.mark.parametrize("by", [KeyboardInterrupt, Killed])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "on another computer"])
@pytest.mark.parametrize("script", [["InProgress", "Successful"], ["InProgress", "Failed"], ["Cancelled"]], ids=str)
def test_interrupted_at_every_step(by, elsewhere, script):
    """The true state is said, --resume ends as an undisturbed run does, and EKS started one update."""
    steps = World(Eks(script=list(script))).run().count
    undisturbed = World(Eks(script=list(script))).run().ended
    assert steps > 30
    for stop_at in range(1, steps + 1):
        world = World(Eks(script=list(script)))
        stopped = world.run(stop_at=stop_at, by=by)
        if by is KeyboardInterrupt:
            assert stopped.ended in (Ended.INTERRUPTED, undisturbed), stop_at
            assert_true_state(stopped)
        sent = bool(world.eks.tokens)
        if elsewhere:
            world.disk = None
        going_on = world.run(resume=sent)
        for _ in range(2):
            if going_on.ended in (Ended.BUSY, Ended.INPUT):  # nothing was sent, or only noted
                going_on = world.run(resume=going_on.ended is Ended.BUSY)
        assert going_on.ended is undisturbed, (stop_at, stopped.said, going_on.said)
        assert_true_state(going_on)
        assert len(world.eks.by_token) == 1, stop_at
        assert len(world.eks.tokens) == 1, stop_at


@pytest.mark.parametrize("answer", ["lost", "lost, not carried out"])
def test_a_lost_answer(answer):
    """EKS's list decides; without an update nothing is sent again, until a person resumes: with the same token."""
    world = World(Eks(answers=[answer]))
    run = world.run()
    assert_true_state(run)
    if answer == "lost":
        assert run.ended is Ended.VERIFIED
    else:
        assert run.ended is Ended.NOT_SWITCHED
        assert f"no {EGRESS_UPDATE}" in run.last
        assert any(AGAIN in text for text in run.said)
        assert len(world.eks.tokens) == 1
        again = world.run(resume=True)
        assert (again.ended, again.confirmed) == (Ended.VERIFIED, 1)
        assert len(set(world.eks.tokens)) == 1
    assert len(world.eks.by_token) == 1


def test_a_lost_answer_whose_update_is_listed_late():
    """The list is eventually consistent, and so is looking."""
    world = World(Eks(answers=["lost"], listed_after=6))
    assert world.run().ended is Ended.VERIFIED
    assert len(world.eks.tokens) == 1


def test_a_lost_answer_and_an_update_listed_only_after_the_command_gave_up():
    """--resume finds it and sends nothing."""
    world = World(Eks(answers=["lost"], listed_after=40))
    assert world.run().ended is Ended.NOT_SWITCHED
    world.eks.listed_after = 0
    assert world.run(resume=True).ended is Ended.VERIFIED
    assert len(world.eks.tokens) == 1


def test_sent_again_with_the_same_token_it_is_one_update():
    """Even if the list never showed it: EKS makes one of both requests."""
    world = World(Eks(answers=["lost"], listed_after=60))
    assert world.run().ended is Ended.NOT_SWITCHED
    world.eks.listed_after, world.eks.status = 2, "ACTIVE"  # hidden when resumed, still
    assert world.run(resume=True).ended is Ended.VERIFIED
    assert (len(world.eks.tokens), len(set(world.eks.tokens)), len(world.eks.by_token)) == (2, 1, 1)


def test_a_lost_answer_of_an_update_that_is_never_listed():
    """The mode decides: it is verified."""
    eks = Eks(answers=["lost"], listed_after=100)
    original = eks.apply
    eks.apply = lambda token: (original(token), setattr(eks, "mode", "CUSTOMER_ROUTED"))
    world = World(eks)
    assert world.run().ended is Ended.VERIFIED
    assert len(eks.tokens) == 1


def test_an_update_that_is_listed_and_not_found():
    """EKS does that; it is not in the way."""
    world = World()
    ids = world.eks.update_ids
    world.eks.update_ids = lambda: ("gone", *ids())
    assert world.run().ended is Ended.VERIFIED


@pytest.mark.parametrize(
    ("eks", "phase"),
    [
        (Eks(answers=["lost, not carried out"]), "requested"),
        (Eks(script=["InProgress"]), "started"),
    ],
    ids=["requested", "started"],
)
def test_an_open_switch_is_only_resumed(eks, phase):
    """A second command does not begin another one."""
    world = World(eks)
    world.run(wait=timedelta(minutes=1))
    assert world.disk["phase"] == phase
    run = world.run()
    assert run.ended is Ended.BUSY
    assert AGAIN in " ".join(run.said)
    assert len(eks.tokens) == 1


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_an_update_that_ends_badly(status):
    """Its errors are said; nothing is verified, because nothing was switched; a later switch may begin."""
    world = World(Eks(script=["InProgress", status], errors=("IpNotAvailable: subnet-a is full (subnet-a)",)))
    run = world.run()
    assert run.ended is Ended.NOT_SWITCHED
    assert any("IpNotAvailable: subnet-a is full" in text for text in run.said)
    assert_true_state(run)
    assert world.run(resume=True).ended is Ended.NOT_SWITCHED
    world.eks.script = ["Successful"]
    assert world.run().ended is Ended.VERIFIED
    assert len(world.eks.by_token) == 2


def test_a_failed_update_of_a_cluster_that_is_routed_is_verified():
    """The mode is what counts, and both are said."""
    world = World(Eks(script=["Failed"]))
    eks = world.eks
    original = eks.apply
    eks.apply = lambda token: (original(token), setattr(eks, "mode", "CUSTOMER_ROUTED"))
    run = world.run()
    assert run.ended is Ended.VERIFIED
    assert any("all the same" in text for text in run.said)


def test_a_successful_update_without_the_mode_is_no_all_clear():
    """EKS contradicts itself: not known."""
    world = World(Eks(script=["Successful"], ends_routed=False))
    run = world.run()
    assert run.ended is Ended.NOT_KNOWN
    assert "AWS_MANAGED" in run.last


def test_a_status_that_is_not_known_is_followed():
    """Until the wait is over; then the update goes on without this command."""
    world = World(Eks(script=["InProgress", "RollingBack"]))
    run = world.run(wait=timedelta(minutes=10))
    assert run.ended is Ended.NOT_KNOWN
    assert any("RollingBack" in text for text in run.said)
    assert AGAIN in run.said[-2]
    world.eks.script = ["Successful"]
    assert world.run(resume=True).ended is Ended.VERIFIED


def test_something_worse_after_the_switch():
    """The report says what."""
    world = World(after=preflight(row("policy.example.com", cell(Verdict.FAIL), cell(subnet="subnet-b"))))
    run = world.run()
    assert run.end.difference.verdict is Verdict.FAIL
    assert [entry.subnet_id for entry in run.end.difference.differences] == ["subnet-a"]


# -- what refuses ------------------------------------------------------------------------------------------------------


def _baseline(**changes):
    made = {"started_at": (BEGAN - timedelta(minutes=5)).isoformat()} | changes
    return preflight(row("policy.example.com", cell(), cell(subnet="subnet-b")), **made)


REASONS = (DecisionReason(Decision.NO_GO, "policy.example.com", "fails from subnet-a"),)
REFUSED = {
    "NO-GO": ({"baseline": _baseline(decision=Decision.NO_GO, reasons=REASONS)}, Ended.NO_GO, "fails from subnet-a"),
    "UNKNOWN": ({"baseline": _baseline(decision=Decision.UNKNOWN)}, Ended.UNSEEN, "is UNKNOWN"),
    "local": ({"baseline": _baseline(probed_from="this computer")}, Ended.UNSEEN, "this computer"),
    "stale": (
        {"baseline": _baseline(started_at=(BEGAN - timedelta(minutes=61)).isoformat())},
        Ended.INPUT,
        "61 minutes old",
    ),
    "future": (
        {"baseline": _baseline(started_at=(BEGAN + timedelta(minutes=9)).isoformat())},
        Ended.INPUT,
        "in the future",
    ),
    "no time zone": ({"baseline": _baseline(started_at="2026-11-26T10:00:00")}, Ended.INPUT, "has the time"),
    "another cluster": (
        {"baseline": _baseline(cluster=replace(CLUSTER, arn="arn:aws:eks:eu-west-1:1:cluster/x"))},
        Ended.INPUT,
        "cluster/x",
    ),
    "made after the switch": (
        {"baseline": _baseline(cluster=replace(CLUSTER, mode="CUSTOMER_ROUTED"))},
        Ended.INPUT,
        "after the switch",
    ),
    "subnets": ({"cluster": replace(CLUSTER, subnets=("subnet-a", "subnet-c"))}, Ended.INPUT, "subnet-c"),
    "groups": ({"cluster": replace(CLUSTER, security_groups=("sg-9",))}, Ended.INPUT, "sg-9"),
    "VPC": ({"cluster": replace(CLUSTER, vpc="vpc-9")}, Ended.INPUT, "vpc-9"),
    "a new target": (
        {"targets": (target("policy.example.com"), target("new.example.com"))},
        Ended.INPUT,
        "new targets: new.example.com",
    ),
    "a target changed": (
        {"targets": (target("policy.example.com", timeout_seconds=3),)},
        Ended.INPUT,
        "targets that changed: policy.example.com",
    ),
    "an unknown mode": ({"eks": Eks(mode="CUSTOMER_ISOLATED")}, Ended.UNSEEN, "CUSTOMER_ISOLATED"),
    "no mode": ({"eks": Eks(mode="unknown")}, Ended.UNSEEN, "mode is unknown"),
    "not active": ({"eks": Eks(status="UPDATING")}, Ended.BUSY, "UPDATING"),
    "another update": (
        {"eks": Eks(updates={"u": EksUpdate("u", "VersionUpdate", "InProgress")})},
        Ended.BUSY,
        "VersionUpdate u is InProgress",
    ),
    "an egress update whose mode is not visible yet": (
        {"eks": Eks(updates={"u": EksUpdate("u", EGRESS_UPDATE, "Successful", BEGAN.isoformat())})},
        Ended.BUSY,
        "u is Successful; wait until EKS reports CUSTOMER_ROUTED",
    ),
    "an egress update of another caller": (
        {"eks": Eks(updates={"u": EksUpdate("u", EGRESS_UPDATE, "InProgress")})},
        Ended.BUSY,
        "another caller",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_refuses(case):
    """Nobody is asked, nothing is sent, the reason and the true state are said."""
    fields, ended, words = REFUSED[case]
    world = World(**fields)
    run = world.run()
    assert (run.ended, run.confirmed, world.eks.tokens, world.disk) == (ended, 0, [], None)
    assert words in "\n".join(run.said[:-1])
    assert_true_state(run)


def test_a_discovery_that_is_incomplete():
    """Whether targets are new is then not known."""
    world = World(look_error=NotSeenError("nodes could not be read"))
    run = world.run()
    assert (run.ended, world.eks.tokens) == (Ended.UNSEEN, [])
    assert "nodes could not be read" in "\n".join(run.said)


def test_a_cluster_that_does_not_exist():
    """Bad input, in one line."""
    missing = CallRefusedError("No cluster found for name: prod.", "ResourceNotFoundException")
    run = World(Eks(failing={"cluster": missing, "update_ids": missing})).run()
    assert run.ended is Ended.INPUT
    assert run.said[0].startswith("egressprobe: --cluster: No cluster found")
    assert run.last.startswith("true state: unknown")


def test_all_reasons_are_said_and_the_gravest_decides():
    """NO-GO before a stale file."""
    made = (BEGAN - timedelta(days=2)).isoformat()
    run = World(baseline=_baseline(decision=Decision.NO_GO, reasons=REASONS, started_at=made)).run()
    assert run.ended is Ended.NO_GO
    assert sum(text.startswith("refused: ") for text in run.said) == 2


def test_an_older_baseline_on_request():
    """Up to 24 hours."""
    world = World(baseline=_baseline(started_at=(BEGAN - timedelta(hours=3)).isoformat()))
    assert world.run(most_age=timedelta(hours=4)).ended is Ended.VERIFIED


def test_a_baseline_that_grows_too_old_while_the_question_waits():
    """The age and the cluster are checked once more after the confirmation."""
    world = World(baseline=_baseline(started_at=(BEGAN - timedelta(minutes=59)).isoformat()))

    class Slow:
        def __bool__(self):
            world.now += timedelta(minutes=30)
            return True

    run = world.run(confirm=Slow())
    assert (run.ended, world.eks.tokens) == (Ended.INPUT, [])


class Meanwhile:
    """A confirmation, before which something happens."""

    def __init__(self, happens):
        self.happens = happens

    def __bool__(self):
        self.happens()
        return True


def test_what_happens_while_the_question_waits():
    """Another update, or the switch itself, by another caller: nothing is sent."""
    world = World()
    world.eks.updates["u"] = EksUpdate("u", "VersionUpdate", "Successful")
    run = world.run(confirm=Meanwhile(lambda: world.eks.apply("another caller")))
    assert (run.ended, world.eks.tokens) == (Ended.BUSY, [])
    assert f"{EGRESS_UPDATE} update-2 is InProgress" in "\n".join(run.said)
    world = World()
    run = world.run(confirm=Meanwhile(lambda: setattr(world.eks, "mode", "CUSTOMER_ROUTED")))
    assert (run.ended, world.eks.tokens) == (Ended.UNSEEN, [])


@pytest.mark.parametrize(("confirm", "ended"), [(None, Ended.DRY_RUN), (False, Ended.UNCONFIRMED)])
def test_without_a_confirmation_nothing_is_sent(confirm, ended):
    """The call is shown."""
    world = World()
    run = world.run(confirm=confirm)
    assert (run.ended, world.eks.tokens, world.disk) == (ended, [], None)
    assert any(text.startswith(COMMAND) for text in run.said)
    assert "this command sent nothing" in run.last


def test_already_switched_is_verified():
    """By whomever; nothing is sent. It is verified when it is ACTIVE, or after five minutes."""
    world = World(Eks(mode="CUSTOMER_ROUTED"))
    run = world.run(confirm=None)
    assert (run.ended, world.eks.tokens, world.now) == (Ended.VERIFIED, [], BEGAN)
    world = World(Eks(mode="CUSTOMER_ROUTED", status="UPDATING"))
    run = world.run(confirm=None)
    assert run.end.difference.verdict is Verdict.FAIL
    assert timedelta(minutes=5) <= world.now - BEGAN < timedelta(minutes=6)


OLD = EksUpdate("old", EGRESS_UPDATE, "Failed", "2026-10-01T00:00:00+00:00")


def test_an_old_update_is_not_taken_for_the_one_that_was_requested():
    """The answer is lost, and what EKS lists was there before."""
    world = World(Eks(answers=["lost, not carried out"], updates={"old": OLD}))
    run = world.run()
    assert run.ended is Ended.NOT_SWITCHED
    assert f"no {EGRESS_UPDATE}" in run.last
    assert world.run(resume=True).ended is Ended.VERIFIED


def test_of_several_updates_the_one_in_progress_matters():
    """On another computer, without a state."""
    world = World(Eks(updates={"old": OLD._replace(created_at="2026-11-26T11:00:00+00:00")}))
    world.eks.apply("another caller")
    assert world.run(resume=True).ended is Ended.VERIFIED


def joined(verdict, *names):
    rows = tuple(
        Row(target(name), verdict, Impact.BLOCKS, True, (Cell("subnet-a", verdict), Cell("subnet-b", Verdict.PASS)))
        for name in names
    )
    views = tuple(View(name, "", verdict, Summary(), 1.0) for name in ("subnet-a", "subnet-b"))
    return Joined(JOINED_SCHEMA, "run", "", 1.0, "prod", verdict, Summary(), views, rows, ())


def test_changes_are_said_as_they_come():
    """Of each minute, compared with the one before; what stays as it is, is not repeated."""
    verdicts = [Verdict.PASS, Verdict.FAIL, Verdict.FAIL, Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.PASS]
    reports = [joined(verdict, "policy.example.com") for verdict in verdicts]
    world = World(Eks(script=["InProgress"] * 40 + ["Successful"]), joined=reports)
    run = world.run()
    changes = [text.partition(" ")[2] for text in run.said if " from subnet-" in text]
    where = "webhook policy.example.com from subnet-a: "
    assert changes == [f"{where}pass -> fail", f"{where}fail -> unknown", f"{where}unknown -> pass"]


def test_many_changes_are_counted():
    """Ten lines a minute."""
    names = [f"{i}.example.com" for i in range(30)]
    reports = [joined(Verdict.PASS, *names), joined(Verdict.FAIL, *names)]
    world = World(Eks(script=["InProgress"] * 9 + ["Successful"]), joined=reports)
    said = world.run().said
    assert sum(": pass -> fail" in text for text in said) == 10
    assert any("and 20 more changes" in text for text in said)


def test_targets_of_the_stack_alone_are_not_gone():
    """Discovery never had them; those that it had must be there."""
    rows = [
        row("policy.example.com", cell(), cell(subnet="subnet-b")),
        row("own.example.com", cell(), cell(subnet="subnet-b")),
    ]
    known = replace(rows[0], target=replace(rows[0].target, objects=("ValidatingWebhookConfiguration/policy/check",)))
    baseline = preflight(known, rows[1], started_at=BEGAN.isoformat())
    assert World(baseline=baseline, targets=(known.target,)).run().ended is Ended.VERIFIED
    run = World(baseline=baseline, targets=(rows[1].target,)).run()
    assert run.ended is Ended.INPUT
    assert "targets that are gone: policy.example.com;" in "\n".join(run.said)


@pytest.mark.parametrize(
    ("address", "ended"), [("10.0.9.9:443", Ended.VERIFIED), ("198.105.244.1:443", Ended.INPUT)], ids=["pod", "outside"]
)
def test_a_service_that_is_outside_the_vpc_now(address, ended):
    """Pods are replaced all the time; but the switch moves the path of a Service with public endpoints."""
    before = replace(target("policy.example.com"), service=ServiceRef("a", "b"), addresses=("10.0.3.10:443",))
    known = replace(row("policy.example.com", cell(), cell(subnet="subnet-b")), target=before)
    world = World(
        baseline=preflight(known, started_at=BEGAN.isoformat()), targets=(replace(before, addresses=(address,)),)
    )
    assert world.run().ended is ended
    assert bool(world.eks.tokens) is (ended is Ended.VERIFIED)


def test_a_state_that_is_lost_after_the_request():
    """The last line does not claim that nothing was sent, and EKS's list is read."""
    world = World(Eks(script=["InProgress"]))
    start = world.eks.start

    def lost(token):
        world.disk = None
        return start(token)

    world.eks.start = lost
    run = _with_disk_full(world, after=1)
    assert (run.ended, world.disk, len(world.eks.tokens)) == (Ended.NOT_KNOWN, None, 1)
    assert "update-1 is InProgress" in run.last
    assert "sent nothing" not in run.last
    assert run.said[-2] == f"to go on: {AGAIN}"


def test_a_state_of_another_version_is_refused(tmp_path):
    """What its fields mean there is not known."""
    file = StateFile(tmp_path / "b.switch.json")
    file.save(SwitchState(CLUSTER.arn, "token", SwitchPhase.VERIFIED, BEGAN.isoformat()))
    assert file.load().phase is SwitchPhase.VERIFIED
    file.path.write_text(file.path.read_text().replace("switch/v1", "switch/v2"))
    with pytest.raises(InputError, match='is "egressprobe/switch/v2", not egressprobe/switch/v1; move it away'):
        file.load()


def test_two_switches_by_one_baseline():
    """On two computers that share the folder: the one that confirms later sends nothing, and keeps the other's state."""
    theirs = {"clusterArn": CLUSTER.arn, "token": "theirs", "phase": "requested", "requestedAt": BEGAN.isoformat()}
    world = World()
    run = world.run(confirm=Meanwhile(lambda: setattr(world, "disk", theirs)))
    assert (run.ended, run.confirmed, world.eks.tokens) == (Ended.BUSY, 1, [])
    assert world.disk["token"] == "theirs"
    assert any("meanwhile" in text for text in run.said)


def test_nothing_to_resume():
    """No update, no state."""
    assert World().run(resume=True).ended is Ended.INPUT


def test_an_update_of_another_caller_is_followed_on_request():
    """Without a state, EKS's list is enough."""
    world = World()
    world.eks.apply("another caller")
    assert world.run(resume=True).ended is Ended.VERIFIED
    assert world.eks.tokens == []


def test_a_baseline_made_after_the_request():
    """It would hide what the switch broke."""
    world = World()
    stop = World().run().count - 20
    world.run(stop_at=stop)
    assert world.disk["updateId"]
    world.baseline = _baseline(started_at=(BEGAN + timedelta(minutes=1)).isoformat())
    run = world.run(resume=True)
    assert run.ended is Ended.INPUT
    assert "after the update was requested" in " ".join(run.said)
    world.disk = None
    assert world.run(resume=True).ended is Ended.INPUT


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["cluster", "update_ids", "update", "start"])
@pytest.mark.parametrize(
    "error", [DENIED, THROTTLED, NoAnswerError("Could not connect")], ids=["denied", "throttled", "lost"]
)
def test_a_call_that_always_fails(call, error):
    """Nothing is sent unless everything that has to be read afterwards can be read."""
    world = World(Eks(failing={call: error}))
    run = world.run()
    assert run.ended in (Ended.ERROR, Ended.NOT_SWITCHED)
    assert str(error) in "\n".join(run.said)
    assert world.eks.by_token == {}
    assert run.last.startswith("true state: ")
    assert ("unknown" in run.last) is (call == "cluster")
    world.eks.failing = {}
    again = world.run(resume=bool(world.disk) and world.disk["phase"] == "requested")
    assert again.ended is Ended.VERIFIED
    assert len(world.eks.by_token) == 1


@pytest.mark.parametrize("call", ["cluster", "update"])
def test_a_call_that_fails_while_the_update_is_followed(call):
    """The network comes back, or not; both are said, and the update goes on."""
    for comes_back in (True, False):
        world = World(Eks(script=["InProgress"] * 4 + ["Successful"]))
        probes = iter(range(100))

        def probe(world=world, probes=probes, comes_back=comes_back):
            number = next(probes)
            world.eks.failing = {call: DENIED} if number == 0 or not comes_back else {}
            world.now += timedelta(seconds=20)
            raise AwsError("no probe responds")

        run = _run_with(world, probe)
        if comes_back or call == "cluster":
            continue
        assert run.ended is Ended.ERROR
        assert "could not be read for" in "\n".join(run.said)
        assert AGAIN in run.said[-2]
        world.eks.failing = {}
        assert world.run(resume=True).ended is Ended.VERIFIED


def _run_with(world, probe):
    from tests.support.readiness import fake_eks

    class Probing(fake_eks.Run):
        def probe(self):
            return probe()

    return Probing(world, None, KeyboardInterrupt).go(resume=False, confirm=True)


def test_a_throttled_request_is_sent_again():
    """It changed nothing; with the same token."""
    world = World(Eks(answers=[THROTTLED, THROTTLED]))
    assert world.run().ended is Ended.VERIFIED
    assert (len(world.eks.tokens), len(set(world.eks.tokens))) == (3, 1)


def test_a_refused_request():
    """Nothing was changed; the next one is a new one."""
    world = World(Eks(answers=[IN_USE]))
    run = world.run()
    assert run.ended is Ended.NOT_SWITCHED
    assert world.disk["phase"] == "refused"
    assert_true_state(run)
    assert world.run().ended is Ended.VERIFIED
    assert len(set(world.eks.tokens)) == 2


def test_another_caller_at_the_same_moment():
    """EKS refuses ours; theirs does the same, so it is followed."""
    world = World()
    start = world.eks.start

    def first_the_other(token):
        world.eks.apply("another caller")
        return start(token)

    world.eks.start = first_the_other
    run = world.run()
    assert run.ended is Ended.VERIFIED
    assert any("another request has started" in text for text in run.said)
    assert len(world.eks.by_token) == 1


def test_a_disk_that_is_full_before_the_request():
    """Without its note nothing is sent."""
    world = World()
    run = _with_disk_full(world, after=0)
    assert (run.ended, world.eks.tokens) == (Ended.INPUT, [])
    assert "no space left" in "\n".join(run.said)


def test_a_disk_that_is_full_after_the_request():
    """The note from before is enough to go on."""
    world = World()
    run = _with_disk_full(world, after=1)
    assert run.ended is Ended.VERIFIED
    assert any("no space left" in text for text in run.said)
    assert_true_state(run)
    assert world.disk["phase"] == "requested"
    assert world.run(resume=True).ended is Ended.VERIFIED
    assert len(world.eks.tokens) == 1


def _with_disk_full(world, after):
    from tests.support.readiness import fake_eks

    saves = iter(range(100))
    real = fake_eks._Disk.save

    def save(disk, state):
        if next(saves) >= after:
            raise InputError("baseline.switch.json", "cannot be written: no space left on device")
        real(disk, state)

    fake_eks._Disk.save = save
    try:
        return world.run()
    finally:
        fake_eks._Disk.save = real


def test_a_terminal_that_is_closed():
    """At every line: the state is on the disk, and --resume goes on."""
    steps = len(World().run().said)
    for lost in range(steps):
        world = World()
        run = _with_terminal_closed(world, lost)
        assert run.ended in (Ended.ERROR, Ended.VERIFIED)
        resumed = world.run(resume=bool(world.disk) and world.disk["phase"] in ("requested", "started"))
        assert resumed.ended is Ended.VERIFIED, lost
        assert len(world.eks.tokens) == 1
        if world.eks.tokens and world.disk:
            assert world.disk["lastSeen"]


def _with_terminal_closed(world, after):
    from tests.support.readiness import fake_eks

    class Closed(fake_eks.Run):
        def say(self, text):
            if len(self.said) >= after:
                raise OutputLostError
            self.said.append(text)

    return Closed(world, None, KeyboardInterrupt).go(resume=False, confirm=True)
