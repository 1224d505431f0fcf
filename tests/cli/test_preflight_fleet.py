"""`egressprobe preflight --all-clusters` in an account: each cluster with its stack, each fault on its own line."""

import json
import signal
import subprocess
import sys
import threading

import boto3
import pytest

from egressprobe.aws.fleet.read_rate import ReadRate
from egressprobe.cli import main as cli
from egressprobe.cli.inputs.fleet_source import NO_STACK, AccountFleet
from egressprobe.readiness.fleet.result import FleetEvidence
from egressprobe.readiness.fleet.run import FleetMember, fleet_readiness
from egressprobe.readiness.result import Decision
from tests.conftest import ROOT
from tests.support.aws.iam import allowed
from tests.support.aws.preflight_account import PLANNER, STACK, account

OTHERS = ("denied", "gone", "lab", "throttled")
POLICY = json.loads((ROOT / "deploy" / "switch-policy.json").read_text())["Statement"]


@pytest.fixture(scope="module")
def shared():
    """One account for all tests, with a cluster that has a stack and four that have none."""
    patch = pytest.MonkeyPatch()
    with patch.context() as context, account(context) as made:
        with made.in_process():
            for name in OTHERS:
                boto3.client("eks").create_cluster(
                    name=name,
                    version="1.34",
                    roleArn="arn:aws:iam::123456789012:role/eks",
                    resourcesVpcConfig={"subnetIds": made.subnets},
                )
        yield made


@pytest.fixture
def fleet(shared, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    shared.reset()
    yield shared
    shared.reset()


def refuse(cloud, **errors):
    """By the cluster that a call of EKS is about."""

    def before(call):
        return errors.get(call.resource.rpartition("/")[2]) if call.action == "eks:DescribeCluster" else None

    cloud.before = before


def preflight(capsys, *args):
    code = cli.main(["preflight", "--all-clusters", "--rounds", "1", "--seconds", "0", *args])
    return (code, *capsys.readouterr())


@pytest.mark.thorough
def test_every_cluster_is_a_line_and_each_fault_its_own(fleet, capsys, tmp_path):
    """Denied, deleted while it was read, throttled beyond botocore's patience, without a stack; and one that is GO."""
    refuse(
        fleet.cloud,
        denied=(403, "AccessDeniedException"),
        gone=(404, "ResourceNotFoundException"),
        throttled=(429, "ThrottlingException"),
    )
    code, out, err = preflight(capsys, "-o", "json")
    assert code == 4, err
    document = json.loads(out)
    lines = {line["name"]: line for line in document["clusters"]}
    assert [line["name"] for line in document["clusters"]] == [*OTHERS, "prod"]
    assert (lines["prod"]["decision"], lines["prod"]["evidence"], lines["prod"]["stack"]) == ("GO", "probed", STACK)
    assert (lines["lab"]["decision"], lines["lab"]["evidence"]) == ("UNKNOWN", "audit only")
    assert lines["lab"]["decides"] == NO_STACK
    words = {"denied": "AccessDenied", "gone": "is not in this account", "throttled": "Throttling"}
    assert {name: text in lines[name]["decides"] for name, text in words.items()} == dict.fromkeys(words, True)
    assert {lines[name]["evidence"] for name in words} == {"not read"}
    assert document["regions"] == [{"name": "eu-west-1", "clusters": 5}]
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_it_looks_the_planners_up_once_and_needs_no_more_than_the_policy(fleet, capsys):
    preflight(capsys)
    calls = fleet.cloud.calls
    assert [call.action for call in calls].count("tag:GetResources") == 1
    assert [call.resource for call in calls if call.action == "lambda:GetFunctionConfiguration"] == [PLANNER]
    assert not [call for call in calls if call.action.startswith("cloudformation:")]
    assert not [call for call in calls if not allowed(_statements(), call)]
    assert {"eks:ListClusters", "eks:ListUpdates", "lambda:InvokeFunction", "ec2:DescribeVpcs"} <= {
        call.action for call in calls
    }


def _statements():
    """As whoever uses the policy replaces its words."""
    text = json.dumps(POLICY).replace("ACCOUNT", "123456789012").replace("REGION", "eu-west-1")
    return json.loads(text)


@pytest.mark.thorough
def test_a_region_that_refuses_is_named(fleet, capsys):
    fleet.cloud.before = lambda call: (403, "AccessDeniedException") if call.action == "eks:ListClusters" else None
    code, out, _ = preflight(capsys, "--region", "eu-west-1", "--region", "us-east-1", "--region", "eu-west-1")
    assert code == 4
    assert out.startswith("UNKNOWN: 0 NO-GO, 0 UNKNOWN, 0 GO of 0 clusters in eu-west-1, us-east-1\n")
    assert out.count("its clusters could not be listed") == 2


@pytest.mark.thorough
def test_without_the_list_of_stacks_all_are_audited_only(fleet):
    """Nothing says that a cluster has no probes."""
    refused = (403, "AccessDenied")
    fleet.cloud.before = lambda call: refused if call.action == "tag:GetResources" else None
    sources = AccountFleet(rate=lambda: ReadRate(1e6))
    assert set(sources.names("eu-west-1")) == {*OTHERS, "prod"}
    given = sources.member(FleetMember("eu-west-1", "prod"))
    assert given.stack == ""
    assert given.no_stack.startswith("whether a stack probes it is not known: ")


@pytest.mark.thorough
def test_a_cluster_with_two_stacks_is_audited_only(fleet):
    fleet.clusters_of_stacks({"egressprobe-test": "prod"})
    sources = AccountFleet(rate=lambda: ReadRate(1e6))
    sources.names("eu-west-1")
    given = sources.member(FleetMember("eu-west-1", "prod"))
    assert given.stack == ""
    assert "has several" in given.no_stack


@pytest.mark.thorough
def test_a_hanging_endpoint_does_not_hold_the_others(fleet):
    """The time of one cluster is limited, here by a clock of the test; the rest is complete."""
    release, time = threading.Event(), [0.0]

    def before(call):
        if call.action == "eks:DescribeCluster" and call.resource.endswith("/lab"):
            release.wait(timeout=60)

    def say(text):
        if text.startswith("4 of 5"):
            time[0] = 1000.0

    fleet.cloud.before = before
    sources = AccountFleet(rate=lambda: ReadRate(1e6))
    made = fleet_readiness(sources, ("eu-west-1",), rounds=1, seconds=0.0, now=lambda: time[0], say=say)
    release.set()
    lines = {line.name: line for line in made.clusters}
    assert (lines["lab"].evidence, lines["lab"].decides) == (FleetEvidence.NONE, "no result after 270 s")
    assert lines["prod"].decision is Decision.GO


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--cluster", "prod"), "--cluster: does not go with --all-clusters"),
        (("--stack", STACK), "--stack: does not go with --all-clusters"),
        (("--local",), "--local: does not go with --all-clusters"),
        (("--baseline", "x.json"), "--baseline: does not go with --all-clusters"),
        (("--rounds", "0"), "--rounds: 0 is not in 1..100"),
    ],
)
def test_bad_input_is_one_line(args, words, capsys):
    code, out, err = preflight(capsys, *args)
    assert (code, out) == (2, "")
    assert err.startswith(f"egressprobe: {words}")
    assert err.count("\n") == 1


def test_several_regions_need_all_clusters(capsys):
    code = cli.main(["preflight", "--cluster", "prod", "--region", "eu-west-1", "--region", "us-east-1"])
    assert code == 2
    assert "a cluster is in one region" in capsys.readouterr().err


# Two clusters pass and one never answers; each line of progress goes to stderr.
_PROCESS = """
import sys, threading
from egressprobe.cli.inputs import fleet_source
from egressprobe.cli import main as cli
from egressprobe.cli.commands import preflight
from tests.readiness.test_fleet import ScriptedFleet
preflight._say = lambda text: print(text, file=sys.stderr, flush=True)
hang = lambda member: threading.Event().wait()
fleet_source.AccountFleet = lambda _: ScriptedFleet({("eu-west-1", "b"): hang}, {"eu-west-1": ("a", "b", "c")})
sys.exit(cli.main(["preflight", "--all-clusters", "--region", "eu-west-1", "--rounds", "1", "--seconds", "0"]))
"""


@pytest.mark.thorough
def test_ctrl_c_prints_what_is_there_and_ends_although_a_cluster_hangs():
    """In a process of its own, by the signal."""
    command = [sys.executable, "-c", _PROCESS]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as process:
        progress = [process.stderr.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert [line.split(":")[0] for line in progress] == ["1 of 3", "2 of 3"]
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert out.startswith("UNKNOWN: 0 NO-GO, 1 UNKNOWN, 2 GO of 3 clusters in eu-west-1\n")
    [line] = [line for line in out.splitlines() if " b " in line and line.startswith("UNKNOWN")]
    assert line.endswith("interrupted before it was read")
    assert "Interrupted: what had not been read by then is UNKNOWN." in out
