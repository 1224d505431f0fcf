"""`egressprobe preflight` in an account: what a person sees, exit codes, the baseline, and every fault as one line."""

import json
import stat

import boto3
import pytest
from msgspec.structs import replace

from egressprobe.cli import main as cli
from egressprobe.cli.inputs.readiness_source import together
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from egressprobe.readiness.baseline import load
from tests.support.aws.deployments import planner_arn, put_planner
from tests.support.aws.preflight_account import PLANNER, STACK, account
from tests.support.preflights import POLICY, ScriptedSources

TERRAFORM = "fleet-prod-planner"
DENIED = (403, "AccessDeniedException")
BASELINE = "egressprobe-baseline-prod.json"


@pytest.fixture(scope="module")
def shared():
    """One account for all tests: it takes longer to make than to measure."""
    patch = pytest.MonkeyPatch()
    with patch.context() as context, account(context) as made:
        yield made


@pytest.fixture
def prod(shared, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shared.reset()
    yield shared
    shared.reset()


def preflight(capsys, *args, cluster="prod", rounds=1):
    """Exit code, stdout, stderr."""
    code = cli.main(["preflight", "--cluster", cluster, "--rounds", str(rounds), "--seconds", "0", *args])
    return (code, *capsys.readouterr())


def one_line(err):
    [text] = err.splitlines()
    assert text.startswith("egressprobe: ")
    return text


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """The command over scripted sources: no AWS."""
    monkeypatch.chdir(tmp_path)
    sources = ScriptedSources()
    monkeypatch.setattr("egressprobe.cli.inputs.readiness_source.AccountSources", lambda *_, **__: sources)
    return sources


def test_the_exit_code_is_the_decision(scripted, capsys):
    """GO, NO-GO and UNKNOWN, each saved: the file that switch reads has the same."""
    for code, decision, changes, subnets in (
        (0, "GO", {}, {"subnet-a": "eu-west-1a", "subnet-b": "eu-west-1b"}),
        (3, "NO-GO", {(None, None, POLICY): (Verdict.FAIL, None)}, scripted.subnets),
        (4, "UNKNOWN", {}, {"subnet-a": "eu-west-1a"}),
    ):
        scripted.changes, scripted.subnets, scripted.rounds = changes, subnets, 0
        exit_code, out, err = preflight(capsys)
        assert (exit_code, out.split()[0], str(load(BASELINE).decision)) == (code, decision, decision)
        assert one_line(err) == f"egressprobe: baseline saved in {BASELINE}"


def test_ctrl_c_is_unknown_and_saves_nothing(scripted, capsys, tmp_path):
    scripted.errors[1] = KeyboardInterrupt()
    code, out, err = preflight(capsys, rounds=3)
    assert code == 130
    assert out.startswith("UNKNOWN  preflight: interrupted before everything was seen")
    assert one_line(err) == "egressprobe: interrupted: the decision is UNKNOWN, and no baseline was saved"
    assert list(tmp_path.iterdir()) == []


def test_a_baseline_of_the_mode_before_is_kept(scripted, capsys):
    assert preflight(capsys)[0] == 0
    scripted.clusters = [replace(scripted.clusters[0], mode="CUSTOMER_ROUTED")]
    code, out, err = preflight(capsys)
    assert (code, load(BASELINE).cluster.mode) == (0, "AWS_MANAGED")
    assert "The cluster is switched already" in out
    assert f"{BASELINE} is of AWS_MANAGED mode and was kept" in one_line(err)
    assert preflight(capsys, "--baseline", BASELINE)[0] == 0
    assert load(BASELINE).cluster.mode == "CUSTOMER_ROUTED", "named: replaced"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "UPDATING"}, "of before the update that is in progress"),
        ({"update": "update-1"}, "of before the update that is in progress"),
        ({"arn": "arn:aws:eks:us-east-1:1:cluster/prod"}, "of arn:aws:eks:eu-west-1:123456789012:cluster/prod"),
    ],
    ids=["updating", "an update", "a cluster of the same name"],
)
def test_a_baseline_that_nothing_can_make_again_is_kept(scripted, capsys, change, words):
    """Until the update ends, the mode is still that of before; `switch --resume` needs the baseline of before it."""
    assert preflight(capsys)[0] == 0
    before = load(BASELINE).run_id
    scripted.clusters = [replace(scripted.clusters[0], **change)]
    assert f"{BASELINE} is {words} and was kept" in one_line(preflight(capsys)[2])
    assert load(BASELINE).run_id == before
    preflight(capsys, "--baseline", BASELINE)
    assert load(BASELINE).run_id != before, "named: replaced"


def test_a_baseline_that_cannot_be_written_is_one_line_after_the_table(scripted, capsys, tmp_path):
    (tmp_path / BASELINE).mkdir()
    code, out, err = preflight(capsys)
    assert code == 2
    assert out.startswith("GO  ")
    assert "cannot be written" in one_line(err)


@pytest.mark.thorough
def test_a_sound_cluster_is_go_and_saved(prod, capsys, tmp_path):
    """The stack is found by its parameter; all its targets are asked for, each round."""
    code, out, err = preflight(capsys, rounds=2)
    assert code == 0, out + err
    assert out.startswith("GO  every target on the switched path (1) passes from 2 subnets in 2 rounds\n")
    assert f"probed from stack {STACK}" in out
    assert err == f"egressprobe: baseline saved in {BASELINE}\n"
    baseline = tmp_path / BASELINE
    assert stat.S_IMODE(baseline.stat().st_mode) == 0o600
    assert (load(baseline).decision, load(baseline).cluster.subnets) == ("GO", tuple(sorted(prod.subnets)))
    assert prod.requests == [{"action": "probe"}] * 2


@pytest.mark.thorough
def test_a_failing_path_is_no_go_as_data_too(prod, capsys):
    prod.sources.changes[None, prod.subnets[0], "policy.example.com"] = (
        Verdict.FAIL,
        Code.CONNECT_TIMEOUT,
    )
    code, out, _ = preflight(capsys, "-o", "json", "--baseline", "mine.json")
    assert code == 3
    document = json.loads(out)
    assert (document["schemaVersion"], document["decision"]) == ("egressprobe/preflight/v1", "NO-GO")
    assert document["rows"][0]["relation"] == "would break by the switch"
    assert [cell.code for cell in load("mine.json").rows[0].cells if cell.verdict is Verdict.FAIL] == [
        Code.CONNECT_TIMEOUT
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("eks:DescribeCluster", 1, "the cluster prod cannot be read"),
        ("eks:ListUpdates", 4, "the updates of prod cannot be read"),
        ("eks:DescribeUpdate", 4, "the updates of prod cannot be read"),
        ("eks:ListIdentityProviderConfigs", 4, "the identity providers cannot be read"),
        ("tag:GetResources", 1, "give --stack NAME, or --local"),
        ("lambda:GetFunctionConfiguration", 1, "the permission lambda:GetFunctionConfiguration is missing"),
        ("lambda:InvokeFunction", 4, "round 1 of 1: there is no report"),
        ("ec2:DescribeVpcs", 4, "cannot be read"),
        ("ec2:DescribeSubnets", 4, "ec2:DescribeSubnets is not allowed"),
        ("ec2:DescribeNetworkAcls", 4, "ec2:DescribeNetworkAcls is not allowed"),
        ("ec2:DescribeDhcpOptions", 4, "could not be read"),
        ("ec2:DescribeVpcAttribute", 4, "could not be read"),
        ("ec2:DescribeRouteTables", 0, "the probes pass; the configuration does not show it"),
        ("ec2:DescribeSecurityGroups", 0, "the probes pass; the configuration does not show it"),
        ("kubernetes", 4, "validatingwebhookconfigurations"),
    ],
)
def test_each_missing_permission(prod, capsys, action, code, words):
    """What the probes do not show either is UNKNOWN, and names what is missing."""
    prod.cloud.updates = {"u-0": "Successful"}
    if action == "kubernetes":
        prod.api.refused = {"validatingwebhookconfigurations": 403}
    prod.cloud.before = lambda call: DENIED if call.action == action else None
    exit_code, out, err = preflight(capsys)
    assert exit_code == code, out + err
    assert words in out + err
    assert "Traceback" not in err
    if code == 4:
        assert out.startswith("UNKNOWN  ")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--stack", "x", "--local"], "not allowed with"),
        (["--rounds", "0"], "--rounds: 0 is not in 1..100"),
        (["--seconds", "-1"], "--seconds: -1 is not in 0..3600"),
        (["--baseline", "no/folder/x.json"], "--baseline: no/folder is not a directory"),
    ],
)
def test_bad_options_are_one_line(capsys, args, words):
    code, out, err = preflight(capsys, *args)
    assert (code, out) == (2, "")
    assert words in one_line(err)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--cluster", "nope"], '--cluster: "nope" is not in this account and eu-west-1'),
        (["--stack", "egressprobe-test"], '--stack: "egressprobe-test" belongs to the cluster "test", not to "prod"'),
        (["--stack", "nope"], '--stack: "nope" is neither a stack nor a Planner\'s function in eu-west-1'),
    ],
)
def test_bad_names_are_one_line_before_anything_is_probed(prod, capsys, args, words):
    code, out, err = preflight(capsys, *args)
    assert (code, out) == (2, "")
    assert words in one_line(err)
    assert prod.requests == []


@pytest.mark.thorough
def test_a_cluster_without_a_stack_names_both_options(prod, capsys):
    prod.clusters_of_stacks({STACK: "other"})
    code, _, err = preflight(capsys)
    assert code == 2
    line = one_line(err)
    assert 'no function has the tag egressprobe:cluster of a Planner of the cluster "prod"' in line
    assert "give --stack NAME, or --local to probe from this computer" in line
    prod.clusters_of_stacks({STACK: "prod", "egressprobe-test": "prod"})
    code, _, err = preflight(capsys)
    assert code == 2
    assert "has several: egressprobe-prod, egressprobe-test; name one of them" in one_line(err)


@pytest.mark.thorough
@pytest.mark.parametrize("args", [[], ["--stack", TERRAFORM], ["--stack", planner_arn(TERRAFORM)]])
def test_terraforms_planner_probes_without_any_stack(prod, capsys, args):
    """The baseline names it as --stack takes it, so that switch and verify probe by it too."""
    prod.clusters_of_stacks({STACK: "other"})
    with prod.in_process():
        put_planner("prod", name=TERRAFORM)
    prod.cloud.functions[planner_arn(TERRAFORM)] = prod.planner
    try:
        code, out, err = preflight(capsys, *args, "--baseline", "mine.json")
    finally:
        with prod.in_process():
            boto3.client("lambda").delete_function(FunctionName=TERRAFORM)
    assert code == 0, out + err
    assert load("mine.json").probed_from == f"stack {TERRAFORM}"


@pytest.mark.thorough
def test_faults_while_it_measures(prod, capsys):
    """An update that runs, a Planner that is throttled in one round of three, a mode nobody knows."""
    prod.cloud.updates = {"u-1": "Successful", "u-2": "InProgress"}
    code, out, _ = preflight(capsys)
    assert code == 3
    assert out.startswith(
        "NO-GO  No update is in progress: not met: the update u-2 is in progress; wait until it has ended\n"
    )
    prod.reset()
    invocations = []

    def throttled(call):
        if call.action != "lambda:InvokeFunction":
            return None
        invocations.append(call)
        return (429, "TooManyRequestsException") if len(invocations) == 2 else None

    prod.cloud.before = throttled
    code, out, _ = preflight(capsys, rounds=3)
    assert (code, len(invocations)) == (4, 3)
    assert "round 2 of 3: there is no report" in out.splitlines()[0]
    assert "unknown in 1 of 3 rounds" in out
    prod.reset()
    prod.cloud.cluster["resourcesVpcConfig"]["controlPlaneEgressMode"] = "CUSTOMER_ISOLATED"
    code, out, _ = preflight(capsys)
    assert code == 4
    assert out.startswith("UNKNOWN  egress mode: the cluster's egress mode is CUSTOMER_ISOLATED")


@pytest.mark.thorough
def test_ctrl_c_prints_what_there_is(prod, capsys, monkeypatch, tmp_path):
    def interrupted(_, seconds):
        if prod.requests:
            raise KeyboardInterrupt

    monkeypatch.setattr("egressprobe.readiness.run.SystemClock.sleep", interrupted)
    code, out, err = preflight(capsys, rounds=3)
    assert code == 130
    assert out.startswith("UNKNOWN  preflight: interrupted before everything was seen")
    assert "policy.example.com" in out
    assert one_line(err) == "egressprobe: interrupted: the decision is UNKNOWN, and no baseline was saved"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_from_this_computer(prod, capsys):
    """No stack is asked; only what the switch moves is probed; the first lines say where from."""
    prod.cloud.before = lambda call: DENIED if call.action.startswith(("lambda:", "cloudformation:", "tag:")) else None
    code, out, _ = preflight(capsys, "--local")
    assert code == 4
    assert out.startswith("UNKNOWN  this computer: the probes ran on this computer, not in the cluster's subnets")
    assert "GO is not possible" in "".join(out.splitlines()[:4])
    assert "Not probed at all: policy.example.com, kubelet/" in out
    assert "Causes" not in out, "what fails here for lack of a network says nothing of the VPC"


@pytest.mark.thorough
def test_a_report_that_is_cut_is_asked_for_in_pieces(prod, capsys):
    """Two halves, each whole; the same in the next round."""
    whole = prod.planner

    def limited(body):
        names = json.loads(body).get("targets")
        return whole(body) if names and len(names) <= 2 else prod.cut(body)

    prod.cloud.functions[PLANNER] = limited
    code, out, err = preflight(capsys, rounds=2)
    assert code == 0, out + err
    asked = [len(request.get("targets", ())) for request in prod.requests]
    assert asked == [0, 2, 1, 2, 1]


@pytest.mark.thorough
def test_pieces_of_a_report_are_one_again(prod):
    """Rows and counts of all; an error of a subnet in any piece stays."""
    prod.planner(b"{}")
    joined = prod.sources.probe(None)
    first, *others = joined.rows
    view = replace(joined.views[0], error="timed out", verdict=Verdict.UNKNOWN)
    made = together(
        [replace(joined, rows=(first,), views=(view, joined.views[1])), replace(joined, rows=tuple(others))]
    )
    assert made.rows == joined.rows
    assert made.summary == joined.summary
    assert [(known.error, str(known.verdict)) for known in made.views] == [("timed out", "unknown"), (None, "pass")]
