"""deploy/*.json: what whoever deploys may do is enough for our commands, and no more than the template needs."""

import json
import re
from functools import cache

import boto3
from botocore.client import BaseClient
from scripts.policies import COMMANDS, SWITCH, deployer_policy, handler_actions, kms_key_policy, switch_policy

from egressprobe.stack import destroy as destroying
from tests.conftest import ROOT
from tests.stack.test_tools import account, run_deploy  # noqa: F401 (a fixture)
from tests.support.aws.cloudformation import template
from tests.support.aws.iam import actions

# IAM's action where it is not the operation's name.
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}


@cache
def granted():
    return {action for statement in json.loads(deployer_policy())["Statement"] for action in actions(statement)}


def test_the_files_are_what_is_generated():
    assert (ROOT / "deploy" / "deployer-policy.json").read_text() == deployer_policy()
    assert (ROOT / "deploy" / "kms-key-policy.json").read_text() == kms_key_policy()
    assert (ROOT / "deploy" / "switch-policy.json").read_text() == switch_policy()


def test_it_is_one_managed_policy():
    """At most 6,144 characters: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    assert len(json.dumps(json.loads(deployer_policy()), separators=(",", ":"))) <= 6144


def test_every_resource_of_the_template_can_be_made_and_deleted():
    """By the handlers of its type, as far as they are of its own service."""
    kinds = {resource["Type"] for resource in template()["Resources"].values()}
    assert len(kinds) > 10
    for kind in kinds:
        own = handler_actions(kind)
        assert own, kind
        assert own - {"s3:GetObject"} <= granted(), kind


def test_nothing_but_reads_is_allowed_on_everything():
    """Saved queries have no ARN that CloudFormation's calls name."""
    [everything] = [s for s in json.loads(deployer_policy())["Statement"] if s["Resource"] == ["*"]]
    writes = {a for a in everything["Action"] if not a.partition(":")[2].startswith(("Describe", "Get", "List"))}
    assert writes == {"logs:PutQueryDefinition", "logs:DeleteQueryDefinition"}
    assert not any(action.endswith("*") for action in granted())


def test_our_commands_need_nothing_else(account, monkeypatch, tmp_path):  # noqa: F811
    """Each call of deploy and destroy is allowed; each permission for them is used by a call, or by drill and invoke."""
    calls, real = set(), BaseClient._make_api_call

    def recorded(client, operation, parameters):
        service = client.meta.service_model.signing_name
        calls.add(ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}"))
        return real(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    assert run_deploy() == 0
    assert destroying.destroy(boto3.Session(region_name="eu-west-1"), stack="egressprobe-prod", yes=True) == 0
    assert {"cloudformation:ExecuteChangeSet", "s3:PutBucketPolicy", "ec2:DescribeNetworkInterfaces"} <= calls
    assert calls - granted() == set()
    source = "".join(path.read_text() for path in (ROOT / "src" / "egressprobe").rglob("*.py"))
    for action in {action for names in COMMANDS.values() for action in names} - calls:
        name = {"InvokeFunction": "Invoke"}.get(action.partition(":")[2], action.partition(":")[2])
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_")
        assert f"{snake}(" in source or f'"{snake}"' in source, action


def test_the_switch_is_allowed_to_customer_routed_only():
    """Everything else of the policy reads, or invokes Planners. tests/cli/test_preflight_fleet.py has the calls."""
    read, probe, switch = json.loads(switch_policy())["Statement"]
    verbs = ("Describe", "Get", "List", "Search", "Lookup", "Simulate")
    assert all(action.partition(":")[2].startswith(verbs) for action in read["Action"])
    assert (probe["Action"], probe["Resource"][0].endswith("-planner")) == (list(SWITCH["Probe"]), True)
    assert switch["Condition"] == {"StringEquals": {"eks:controlPlaneEgressMode": "CUSTOMER_ROUTED"}}
    for action in {action for names in SWITCH.values() for action in names} - set(SWITCH["Probe"]):
        assert action in read["Action"] + switch["Action"]
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", action.partition(":")[2]).lower()
        source = "".join(path.read_text() for path in (ROOT / "src" / "egressprobe").rglob("*.py"))
        assert f"{snake}(" in source or f'"{snake}"' in source, action


def test_the_key_lets_the_logs_and_the_publisher_use_it():
    """CloudWatch alone publishes to the topic; the logs' use is bound to our log groups."""
    owner, logs, publisher = json.loads(kms_key_policy())["Statement"]
    assert owner["Principal"] == {"AWS": "arn:aws:iam::ACCOUNT:root"}
    assert logs["Condition"]["ArnLike"] == {
        "kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:REGION:ACCOUNT:log-group:/egressprobe/*"
    }
    assert publisher["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert publisher["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
