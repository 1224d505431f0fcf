"""The examples of docs/switch.md: valid files, commands that exist, and no switch without a GO.

The scripts run here with programs that only write down how they were called and exit as told.
"""

import json
import os
import re
import shlex
import stat
import subprocess

import pytest
import yaml

from egressprobe.cli.common.parser import parser
from egressprobe.cli.main import COMMANDS
from tests.conftest import ROOT
from tests.support.policy_engines import guard, rego

EXAMPLES = ROOT / "docs" / "examples"
TOOLS = ROOT / ".tools" / "stack" / "governance" / "bin"
PROGRAMS = ("egressprobe", "terraform", "conftest", "pip", "git")
GITHUB = yaml.safe_load((EXAMPLES / "switch-github.yaml").read_text())
GITLAB = yaml.safe_load((EXAMPLES / "switch-gitlab.yaml").read_text())
# What changes the mode.
SWITCHES = ("terraform apply", "egressprobe switch")


@pytest.fixture
def shell(tmp_path):
    """Runs a script as the CI system does: bash, ended by the first command that fails. Returns whether it passed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        stub = folder / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >> "$CALLS"\ncase "{name} $1" in "$FAILS") exit "$CODE";; esac\n')
        stub.chmod(stub.stat().st_mode | stat.S_IXUSR)

    def run(script, fails, code):
        environment = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "CALLS": str(tmp_path / "calls"),
            "FAILS": fails,
            "CODE": str(code),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "AWS_TOKEN": "token",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        }
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], check=False, cwd=tmp_path, env=environment)
        return done.returncode == 0

    run.calls = lambda: (tmp_path / "calls").read_text().splitlines()
    return run


def github(run, fails="", code=0):
    """The steps of the job: after a failure only those with always(), and none whose condition names a skipped step."""
    passed, outcomes = True, {}
    for step in GITHUB["jobs"]["switch"]["steps"]:
        condition = step.get("if", "success()")
        assert re.fullmatch(r"success\(\)|\$\{\{ always\(\)( && steps\.(\w+)\.outcome != 'skipped')? \}\}", condition)
        skipped = re.search(r"steps\.(\w+)\.outcome != 'skipped'", condition)
        wanted = (passed or "always()" in condition) and not (skipped and outcomes[skipped[1]] == "skipped")
        outcome = "skipped"
        if wanted and "run" in step:
            outcome = "success" if run(step["run"], fails, code) else "failure"
            passed = passed and outcome == "success"
        outcomes[step.get("id")] = outcome
    return passed


def gitlab(run, fails="", code=0):
    job = GITLAB["switch-prod"]
    return run("\n".join([*job["before_script"], *job["script"]]), fails, code)


def switched(calls):
    return [call for call in calls if call.startswith(SWITCHES)]


@pytest.mark.parametrize("pipeline", [github, gitlab])
def test_go_switches_and_verifies(pipeline, shell):
    assert pipeline(shell)
    names = [" ".join(call.split()[:2]) for call in shell.calls()]
    [change] = [i for i, name in enumerate(names) if name in SWITCHES]
    assert names[change - 1 :][::2] == ["egressprobe preflight", "egressprobe verify"]


@pytest.mark.parametrize("pipeline", [github, gitlab])
@pytest.mark.parametrize("code", [1, 2, 3, 4, 130])
def test_no_other_answer_of_preflight_switches(pipeline, code, shell):
    """NO-GO, UNKNOWN, bad input, an error and an interruption; nor is anything verified that was not switched."""
    assert not pipeline(shell, "egressprobe preflight", code)
    assert shell.calls()[-1].startswith("egressprobe preflight")
    assert not switched(shell.calls())


def test_a_plan_that_breaks_a_rule_does_not_reach_the_gate(shell):
    assert not github(shell, "conftest test", 1)
    assert shell.calls()[-1].startswith("conftest test")


def test_a_switch_that_fails_is_verified_all_the_same(shell):
    """The update may have been made although terraform ended badly."""
    assert not github(shell, "terraform apply", 1)
    assert shell.calls()[-1].startswith("egressprobe verify")


@pytest.mark.parametrize("pipeline", [github, gitlab])
def test_a_bad_verification_fails_the_job(pipeline, shell):
    assert not pipeline(shell, "egressprobe verify", 3)


@pytest.mark.parametrize("pipeline", [github, gitlab])
def test_the_commands_are_accepted_by_the_parser(pipeline, shell):
    """And all are about one cluster and one baseline."""
    pipeline(shell)
    calls = [call for call in shell.calls() if call.startswith("egressprobe ")]
    options = [parser(COMMANDS).parse_args(shlex.split(call)[1:]) for call in calls]
    assert {(each.cluster, each.baseline) for each in options} == {("prod", "baseline.json")}
    assert all((EXAMPLES.parents[1] / word.removeprefix("egressprobe/")).exists() for call in shell.calls() if "conftest" in call
               for word in shlex.split(call) if "governance" in word)  # fmt: skip


@pytest.mark.awscli
def test_the_aws_cli_accepts_the_commands_of_the_page():
    """Those of EKS; each is one call, the first of them the switch."""
    page = (ROOT / "docs" / "switch.md").read_text()
    lines = re.findall(r"(?:^\$|&&) (aws eks .*)$", page, re.MULTILINE)
    command = [ROOT / ".tools/stack/awscli/bin/python", "tests/support/aws/awscommands.py"]
    asked = "\n".join(lines) + "\n"
    done = subprocess.run(command, input=asked, check=True, text=True, capture_output=True, cwd=ROOT, timeout=60)
    switch, describe = map(json.loads, done.stdout.splitlines())
    assert switch["calls"] == ["eks", "UpdateClusterConfig"]
    routed = {"controlPlaneEgressMode": "CUSTOMER_ROUTED"}
    assert switch["parameters"] == {"name": "prod", "resourcesVpcConfig": routed}
    assert describe["calls"] == ["eks", "DescribeUpdate"]


@pytest.mark.engine("check_jsonschema")
@pytest.mark.parametrize(
    ("file", "schema"), [("switch-github.yaml", "github-workflows"), ("switch-gitlab.yaml", "gitlab-ci")]
)
def test_they_are_of_the_ci_systems_schema(file, schema):
    """The schemas are in the package: nothing is downloaded."""
    command = [TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", EXAMPLES / file]
    done = subprocess.run(command, check=False, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.engine("guardpycfn")
def test_the_template_passes_the_guard_rule():
    [answer] = guard([(EXAMPLES / "switch-cluster.yaml").read_text()])
    assert answer == {"status": "PASS", "failed": {}}


@pytest.mark.thorough
def test_cloudformation_updates_the_mode_in_place():
    """By AWS's schema of the resource: a property that is create-only would replace the cluster."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::EKS::Cluster").schema
    assert (
        "CUSTOMER_ROUTED" in schema["definitions"]["ResourcesVpcConfig"]["properties"]["ControlPlaneEgressMode"]["enum"]
    )
    replacing = [*schema["createOnlyProperties"], *schema.get("conditionalCreateOnlyProperties", [])]
    assert "/properties/Name" in replacing
    assert not [path for path in replacing if "ResourcesVpcConfig" in path]


@pytest.mark.thorough
def test_cfn_lint_accepts_the_template():
    command = [ROOT / ".venv/bin/cfn-lint", EXAMPLES / "switch-cluster.yaml"]
    done = subprocess.run(command, check=False, text=True, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stdout


@pytest.mark.thorough
@pytest.mark.engine("regopy")
@pytest.mark.engine("hcl2")
def test_the_terraform_configuration_passes_the_rego_rule():
    """As a plan that creates what it describes: the argument is where the rule looks for it."""
    program = "import hcl2, json, sys; print(json.dumps(hcl2.load(open(sys.argv[1]))))"
    command = [TOOLS / "python", "-c", program, EXAMPLES / "switch.tf"]
    done = subprocess.run(command, check=True, text=True, capture_output=True, timeout=60)
    cluster = _unquoted(json.loads(done.stdout))["resource"][0]["aws_eks_cluster"]["prod"]
    assert cluster["lifecycle"][0]["prevent_destroy"] is True

    def plan(vpc):
        change = {"actions": ["create"], "before": None, "after": {"vpc_config": [vpc]}, "after_unknown": {}}
        return {"resource_changes": [{"address": "aws_eks_cluster.prod", "type": "aws_eks_cluster", "change": change}]}

    [vpc] = cluster["vpc_config"]
    good, bad = rego([plan(vpc), plan({"subnet_ids": []})])
    assert (good, len(bad["deny"])) == ({"deny": [], "warn": []}, 1)


def _unquoted(value):
    """python-hcl2 keeps the quotes of labels and strings."""
    if isinstance(value, dict):
        return {_unquoted(key): _unquoted(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_unquoted(part) for part in value]
    return value.strip('"') if isinstance(value, str) else value
