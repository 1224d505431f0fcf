"""`egressprobe switch` and `verify`: options, confirmation, exit codes, what goes to which stream."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from egressprobe.cli.commands import verify as verify_command
from egressprobe.cli.inputs import switch_source
from egressprobe.cli.main import main
from egressprobe.model.discovered import Discovered
from egressprobe.model.errors import AwsError
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from egressprobe.readiness.baseline import load, save
from egressprobe.readiness.result import Decision
from egressprobe.readiness.run import preflight
from egressprobe.readiness.switching.state import StateFile, SwitchPhase, SwitchState, state_path
from tests.support.preflights import CLUSTER, POLICY, TARGETS, FakeClock, ScriptedSources
from tests.support.readiness.fake_eks import live_eks
from tests.support.readiness.scripted import SwitchedSources

BROKEN = {(None, "subnet-a", POLICY): (Verdict.FAIL, Code.CONNECT_TIMEOUT)}


class Passing(FakeClock):
    """The time of the engine: it begins now."""

    def now(self):
        return datetime.now(UTC) + timedelta(seconds=self.time - 1000)


@pytest.fixture
def baseline(tmp_path, monkeypatch):
    """A GO, saved where `switch` looks for it."""
    monkeypatch.chdir(tmp_path)
    made = preflight(ScriptedSources(), clock=FakeClock())
    assert made.decision is Decision.GO, made.reasons
    path = tmp_path / "egressprobe-baseline-prod.json"
    save(path, made)
    return path


@pytest.fixture
def run(baseline, monkeypatch, capsys):
    """Runs a command against `eks`, with sources that begin to differ by the switch; (code, stdout, stderr lines)."""

    def command(*args, eks=None, broken_by_switch=None, typed=None, **more):
        eks = eks or live_eks()
        sources = command.sources = SwitchedSources(lambda: eks.mode, broken_by_switch or {}, **more)
        monkeypatch.setattr(switch_source, "in_region", lambda _: type("Session", (), {"region_name": "eu-west-1"}))
        monkeypatch.setattr(switch_source, "EksUpdates", lambda *_: eks)
        monkeypatch.setattr(switch_source, "AccountSources", lambda *_, **__: sources)
        monkeypatch.setattr(switch_source, "WallClock", Passing)
        monkeypatch.setattr("egressprobe.readiness.run.SystemClock", FakeClock)
        if typed is not None:
            monkeypatch.setattr(sys, "stdin", type("Tty", (io.StringIO,), {"isatty": lambda _: True})(typed))
            monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        code = main([*args])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return command


SWITCH = ("switch", "--cluster", "prod", "--region", "eu-west-1")
YES = ("--yes-this-is-irreversible", "prod")


def test_switched_and_clean(run, baseline):
    """The report is on stdout, the story on stderr, the true state in its last line; the state file is private."""
    eks = live_eks()
    code, out, err = run(*SWITCH, *YES, eks=eks)
    assert code == 0, err
    assert out.startswith("PASS: prod: nothing is worse")
    assert "changed mode: AWS_MANAGED -> CUSTOMER_ROUTED" in out
    assert err[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode CUSTOMER_ROUTED")
    assert len(eks.tokens) == 1
    command = next(text for text in err if text.startswith("aws eks update-cluster-config"))
    assert command == (
        "aws eks update-cluster-config --name prod --resources-vpc-config controlPlaneEgressMode=CUSTOMER_ROUTED "
        f"--client-request-token {eks.tokens[0]} --region eu-west-1"
    )
    assert state_path(baseline).stat().st_mode & 0o777 == 0o600
    assert load(baseline).decision is Decision.GO


def test_switched_and_worse(run):
    """Exit code 3, and the report names it."""
    code, out, _ = run(*SWITCH, *YES, "-o", "json", broken_by_switch=BROKEN)
    assert code == 3
    document = json.loads(out)
    assert [(d["target"], d["subnetId"], d["trend"]) for d in document["differences"]] == [
        (POLICY, "subnet-a", "worse")
    ]
    assert {check["id"]: check["state"] for check in document["checks"]}["verify-webhooks"] == "not met"


def test_without_a_terminal_nothing_is_sent(run):
    """The dry run is the default there; its exit code is not that of a switch."""
    eks = live_eks()
    code, out, err = run(*SWITCH, eks=eks)
    assert (code, out, eks.tokens) == (4, "", [])
    assert "--yes-this-is-irreversible prod was not given" in err[-2]
    assert err[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode AWS_MANAGED")


def test_a_dry_run(run, baseline):
    """Shows the call, and leaves nothing."""
    eks = live_eks()
    code, _, err = run(*SWITCH, "--dry-run", eks=eks)
    assert (code, eks.tokens) == (0, [])
    assert any(text.startswith("aws eks update-cluster-config") for text in err)
    assert list(baseline.parent.iterdir()) == [baseline]


@pytest.mark.parametrize(("typed", "code"), [("prod\n", 0), ("Prod\n", 2), ("", 2), ("yes\n", 2)])
def test_the_name_is_typed(run, typed, code):
    """Exactly."""
    eks = live_eks()
    got, _, err = run(*SWITCH, typed=typed, eks=eks)
    assert (got, len(eks.tokens)) == (code, int(code == 0)), err


def test_the_confirmation_names_the_cluster(run):
    """Another name is a mistake."""
    eks = live_eks()
    code, _, err = run(*SWITCH, "--yes-this-is-irreversible", "dev", eks=eks)
    assert (code, eks.tokens, len(err)) == (2, [], 1)


@pytest.mark.parametrize(
    "options",
    [("--max-age", "0"), ("--max-age", "1441"), ("--wait", "0"), ("--dry-run", *YES), ("--max-age", "x")],
    ids=" ".join,
)
def test_options_out_of_range(run, options):
    """One line."""
    code, _, err = run(*SWITCH, *options)
    assert (code, len(err)) == (2, 1)


@pytest.mark.parametrize("options", [("--rounds", "0"), ("--rounds", "101"), ("--seconds", "-1"), ("--seconds", "nan")])
def test_rounds_out_of_range(run, options):
    """One line."""
    code, _, err = run("verify", "--cluster", "prod", *options)
    assert (code, len(err)) == (2, 1)


def test_no_cluster(run):
    """One line."""
    assert run("switch")[0] == 2
    assert run("verify")[0] == 2


def test_no_baseline(run, baseline):
    """It says what makes one."""
    baseline.unlink()
    code, _, err = run(*SWITCH)
    assert (code, len(err)) == (2, 1)
    assert "egressprobe preflight" in err[0]


def test_resumed_without_the_baseline(run, baseline):
    """On a computer that does not have it: the true state is said, with the update."""
    baseline.unlink()
    eks = live_eks(script=["InProgress"])
    eks.apply("token")
    code, out, err = run(*SWITCH, "--resume", eks=eks)
    assert (code, out) == (2, "")
    assert "copy the baseline" in err[1]
    assert err[-1].startswith("true state: prod is UPDATING, controlPlaneEgressMode AWS_MANAGED")
    assert "update-1 is InProgress" in err[-1]


def test_an_edited_baseline(run, baseline):
    """Is not trusted."""
    eks = live_eks()
    baseline.write_text(baseline.read_text().replace("policy.example.com", "other.example.com"))
    code, _, err = run(*SWITCH, *YES, eks=eks)
    assert (code, eks.tokens) == (2, [])
    assert "was changed after it was saved" in err[0]


def test_a_state_that_is_damaged(run, baseline):
    """It is named, and nothing is sent."""
    state_path(baseline).write_text("{")
    eks = live_eks()
    code, _, err = run(*SWITCH, *YES, eks=eks)
    assert (code, eks.tokens) == (2, [])
    assert "is not the state of a switch" in err[0]


def test_one_at_a_time(run, baseline):
    """A second one on this computer is refused; the lock ends with the first."""
    options = type("Options", (), {"baseline": str(baseline), "cluster": "prod"})
    with switch_source.one_at_a_time(options):
        code, _, err = run(*SWITCH, *YES)
    assert (code, len(err)) == (2, 1)
    assert "another switch" in err[0]
    assert run(*SWITCH, *YES)[0] == 0


def test_resumed(run, baseline):
    """From the state of a run that was killed."""
    eks = live_eks()
    eks.apply("token")
    now = datetime.now(UTC).isoformat()
    StateFile(state_path(baseline)).save(SwitchState(CLUSTER.arn, "token", SwitchPhase.REQUESTED, now))
    code, _, err = run(*SWITCH, *YES, eks=eks)
    assert (code, eks.tokens) == (2, [])
    assert "--resume" in err[0]
    assert run(*SWITCH, "--resume", eks=eks)[0] == 0
    assert eks.tokens == []


def test_verify(run):
    """After a switch by others."""
    code, out, _ = run("verify", "--cluster", "prod", eks=live_eks(mode="CUSTOMER_ROUTED"))
    assert code == 0, out
    assert out.startswith("PASS: prod")
    code, out, _ = run("verify", "--cluster", "prod", eks=live_eks(mode="CUSTOMER_ROUTED"), broken_by_switch=BROKEN)
    assert code == 3
    assert f"WORSE    webhook {POLICY} (blocks)" in out


def test_verify_before_the_switch(run):
    """The mode is a step of it."""
    code, out, _ = run("verify", "--cluster", "prod")
    assert code == 3
    assert "NOT MET  " in out
    assert out.startswith("FAIL: prod: 1 of 5 checks not met")


def test_verify_what_was_broken_before(run, baseline):
    """Is not worse, and no all-clear."""
    save(baseline, preflight(ScriptedSources(changes=BROKEN), clock=FakeClock()))
    code, out, _ = run("verify", "--cluster", "prod", eks=live_eks(mode="CUSTOMER_ROUTED"), broken_by_switch=BROKEN)
    assert code == 4
    assert "as before the switch" in out


def test_verify_with_the_baseline_of_another_cluster(run, baseline):
    """Is refused."""
    other = replace(CLUSTER, arn="arn:aws:eks:eu-west-1:1:cluster/dev")
    save(baseline, preflight(ScriptedSources(cluster=other), clock=FakeClock()))
    code, out, err = run("verify", "--cluster", "prod", eks=live_eks(mode="CUSTOMER_ROUTED"))
    assert (code, out, run.sources.rounds) == (2, "", 0)
    assert "cluster/dev" in err[-1]


def test_verify_a_cluster_without_nodes(run, baseline):
    """It had none before (Fargate): the step is unknown, and nothing is in doubt."""
    targets = tuple(target for target in TARGETS if target["kind"] != "kubelet")
    save(baseline, preflight(ScriptedSources(targets=targets), clock=FakeClock()))
    code, out, _ = run("verify", "--cluster", "prod", eks=live_eks(mode="CUSTOMER_ROUTED"), targets=targets)
    assert code == 0, out
    assert "UNKNOWN  Nodes" in out
    save(baseline, preflight(ScriptedSources(), clock=FakeClock()))
    code, out, _ = run("verify", "--cluster", "prod", eks=live_eks(mode="CUSTOMER_ROUTED"), targets=targets)
    assert code == 4, out  # where are its nodes?


def test_a_discovery_that_is_incomplete(run):
    """Whether there are new targets is not known, so nothing is sent."""
    eks = live_eks()
    discovered = Discovered(targets=TARGETS, unread=("validatingwebhookconfigurations",))
    code, _, err = run(*SWITCH, *YES, eks=eks, discovered=discovered)
    assert (code, eks.tokens) == (4, [])
    assert "validatingwebhookconfigurations" in err[0]


def test_interrupted_while_it_is_verified(run, monkeypatch):
    """Switched, and said so; --resume verifies."""
    eks = live_eks(script=["Successful"])
    original = SwitchedSources.probe

    def probe(sources, plan):
        if eks.mode == "CUSTOMER_ROUTED":
            raise KeyboardInterrupt
        return original(sources, plan)

    monkeypatch.setattr(SwitchedSources, "probe", probe)
    code, out, err = run(*SWITCH, *YES, eks=eks)
    assert (code, out) == (130, "")
    assert err[-1].startswith("true state: prod is ACTIVE, controlPlaneEgressMode CUSTOMER_ROUTED")
    monkeypatch.setattr(SwitchedSources, "probe", original)
    assert run(*SWITCH, "--resume", eks=eks)[0] == 0
    assert len(eks.tokens) == 1


def test_verify_when_the_cluster_cannot_be_read(run, monkeypatch):
    """One line."""
    monkeypatch.setattr(SwitchedSources, "cluster", _refused)
    code, out, err = run(verify_command.__name__.rpartition(".")[2], "--cluster", "prod")
    assert (code, out, err) == (1, "", ["egressprobe: AccessDenied"])


def _refused(_):
    raise AwsError("AccessDenied")


def test_what_is_to_be_typed_to_go_on_has_the_options_of_the_switch(run):
    """Without the peers' profiles the verification would not see their route tables."""
    peers = ("--peer-profile", "hub", "--peer-profile", "inspection")
    err = run(*SWITCH, *YES, *peers, "--wait", "1", eks=live_eks(script=["InProgress"]))[2]
    assert err[-2] == f"to go on: egressprobe switch --cluster prod --region eu-west-1 {' '.join(peers)} --resume"
