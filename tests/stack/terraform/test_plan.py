"""deploy/terraform evaluated by Terraform is the stack of template.yaml: every resource, every property.

Needs the terraform binary; no provider and no AWS (tests/support/terraform_module/planned.py).
"""

import copy
import json
import re
import shutil

import pytest

from egressprobe.stack.terraform.expressions import SLOT, snake
from tests.conftest import ROOT
from tests.support.aws.cloudformation import SUBNETS, Rendered, template
from tests.support.terraform_module.leaves import of_cloudformation, of_terraform
from tests.support.terraform_module.planned import ID, Stand
from tests.support.terraform_module.schema import errors

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="the terraform binary is not on this machine"),
]
_REQUIRED = {"ClusterName": "prod", "SecurityGroupIds": "sg-0a,sg-0b", "ArtifactBucketPrefix": "artifacts", "ProbeArtifact": "probe.zip", "PlannerArtifact": "planner.zip"}  # fmt: skip
_TOPIC = "arn:aws:sns:eu-west-1:123456789012:pages"
_NOTICES = "arn:aws:sns:eu-west-1:123456789012:notices"
_ROLES = "arn:aws:iam::123456789012:role"
_OWN = ("Probe", "Discover", "Planner", "Schedule", "PlannerSchedule")
# Parameters of the template -> variables of the module, case by case. Together they decide each condition both ways.
_CASES = {
    "defaults": (3, {}, {}),
    "slots": ((0, None, 2, None, *range(4, 12)), {}, {}),
    "ipv6 and a key": (
        16,
        {"IpFamily": "ipv6", "KmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1", "Tracing": "Active", "ProbeConcurrency": "2", "MetricDetail": "subnet", "AlarmEmail": "on@example.com"},
        {"ip_family": "ipv6", "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1", "tracing": "Active", "probe_concurrency": "2", "metric_detail": "subnet", "alarm_email": "on@example.com"},
    ),
    "own topics": (
        1,
        {"AlarmTopicArn": _TOPIC, "NoticeTopicArn": _NOTICES, "TargetNotifications": "notices", "EgressPages": "false", "RunbookUrl": "https://run.example.com/${x}", "CertificateDays": "14", "MonitoringAccount": "true"},
        {"alarm_topic_arn": _TOPIC, "notice_topic_arn": _NOTICES, "target_notifications": "notices", "egress_pages": False, "runbook_url": "https://run.example.com/${x}", "certificate_days": 14, "monitoring_account": True},
    ),
    "each target a page": (
        2,
        {"TargetNotifications": "true", "NoticeTopicArn": _NOTICES, "CorroborateApiServer": "logs", "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/edge", "LogRetentionDays": "90"},
        {"target_notifications": "true", "notice_topic_arn": _NOTICES, "corroborate_api_server": "logs", "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/edge", "log_retention_days": 90},
    ),
    "least": (
        2,
        {"Discovery": "false", "AuditPermissions": "false", "CreateDashboard": "false", "TargetNotifications": "false", "CorroborateApiServer": "false", "Architecture": "x86_64"},
        {"discovery": False, "audit_permissions": False, "create_dashboard": False, "target_notifications": "false", "corroborate_api_server": "false", "architecture": "x86_64"},
    ),
    "Planner in a VPC": (
        2,
        {"PlannerSubnetIds": "subnet-0e,subnet-0f", "PlannerSecurityGroupIds": "sg-0e", "AccessEntry": "false", "Exclude": "a.b,kubelet/*", "AuditSkip": "X_Y", "ClusterSecurityGroupIds": "sg-0a,sg-0b", "ProbeMemory": "512", "ProbeTimeout": "30", "MaxSeries": "40"},
        {"planner_subnet_ids": ["subnet-0e", "subnet-0f"], "planner_security_group_ids": ["sg-0e"], "access_entry": False, "exclude": ["a.b", "kubelet/*"], "audit_skip": ["X_Y"], "cluster_security_group_ids": ["sg-0a", "sg-0b"], "probe_memory": 512, "probe_timeout": 30, "max_series": 40},
    ),
    "a prefix, a path and some own roles": (
        2,
        {"NamePrefix": "corp-net", "RolePath": "/teams/net/", "PlannerRoleArn": f"{_ROLES}/planner", "ScheduleRoleArn": f"{_ROLES}/a/b"},
        {"name_prefix": "corp-net", "role_path": "/teams/net/", "planner_role_arn": f"{_ROLES}/planner", "schedule_role_arn": f"{_ROLES}/a/b"},
    ),
    "own roles": (
        2,
        {f"{name}RoleArn": f"{_ROLES}/own-{name}" for name in _OWN} | {"PlannerSubnetIds": "subnet-0e", "PlannerSecurityGroupIds": "sg-0e"},
        {f"{snake(name)}_role_arn": f"{_ROLES}/own-{name}" for name in _OWN} | {"planner_subnet_ids": ["subnet-0e"], "planner_security_group_ids": ["sg-0e"]},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    return Stand(tmp_path_factory.mktemp("terraform"))


def _slots(said):
    return [*SUBNETS[:said]] if isinstance(said, int) else ["-" if n is None else SUBNETS[n] for n in said]


def _stack(subnets, given):
    """The module has no stack: its Planner's name is what --stack takes."""
    planner = f"{given.get('NamePrefix', 'egressprobe')}-{ID}-planner"
    text = json.dumps(template()).replace('{"Ref": "AWS::StackName"}', json.dumps(planner))
    plain = json.loads(text.replace("${AWS::StackName}", planner))
    return Rendered(plain, _REQUIRED | {"Subnets": ",".join(subnets)} | given)


def _of_stack(stack):
    """(type, leaves) of everything, with what is a resource of its own in Terraform as one."""
    found = []
    for name, one in copy.deepcopy(stack.resources).items():
        kind, properties, made_name = one["Type"], one["Properties"], f"egressprobe-prod-{name}"
        made_name = properties.get("RoleName", properties.get("Name", made_name))
        parts = [(kind, properties)]
        if kind == "AWS::IAM::Role":
            parts += [("AWS::IAM::Policy", policy | {"Roles": [made_name]}) for policy in properties["Policies"]]
        if kind == "AWS::Events::Rule":
            parts += [
                ("Target", {"rule": made_name, "target_id": one.pop("Id")} | one) for one in properties["Targets"]
            ]
        found += [(of, of_cloudformation(of, said)) for of, said in parts]
    return found


@pytest.mark.parametrize("case", _CASES)
def test_the_module_makes_what_the_stack_has(stand, case):
    """Nothing is missing, nothing is more, and each property is the same."""
    subnets, given, variables = _CASES[case]
    slots = _slots(subnets)
    stack = _stack(slots, given)
    planned, outputs = stand.planned(
        cluster_name="prod", security_group_ids=["sg-0a", "sg-0b"], subnets=slots, **variables
    )
    origins = {one.address: one.origin[1] for one in stand.resources}
    special = {"aws_iam_role_policy": "AWS::IAM::Policy", "aws_cloudwatch_event_target": "Target"}
    made = [
        (special.get(address.split(".")[0], origins[address]), of_terraform(address.split(".")[0], arguments))
        for address, instances in planned.items()
        for arguments in instances
    ]
    refused = [e for address, all_ in planned.items() for one in all_ for e in errors(address.split(".")[0], one)]
    assert not refused
    expected = _of_stack(stack)
    assert _sorted(made) == _sorted(expected)
    assert len(made) > 40
    assert _given_names(planned, "corp-") == sorted(
        one["Properties"][key]
        for one in stack.resources.values()
        for key in ("RoleName", "TopicName", "Name")
        if key in one["Properties"] and one["Type"] in ("AWS::IAM::Role", "AWS::SNS::Topic", "AWS::Events::Rule")
    )
    have = {name.lower(): value for name, value in stack.outputs.items()}
    assert {name.replace("_", ""): value for name, value in outputs.items() if value is not None} == have


def _given_names(planned, prefix):
    """Of roles, topic and rule, where the stack names them too."""
    kinds = ("aws_iam_role.", "aws_sns_topic.", "aws_cloudwatch_event_rule.")
    all_names = [one["name"] for address, all_ in planned.items() if address.startswith(kinds) for one in all_]
    return sorted(name for name in all_names if name.startswith(prefix))


def _sorted(found):
    return sorted(json.dumps(one, sort_keys=True) for one in found)


def test_the_files_are_formatted_as_terraform_does(stand):
    done = stand.run("fmt", "-check", "-diff", "-recursive", str(ROOT / "deploy" / "terraform"))
    assert done == ""


def test_the_example_is_planned(stand, tmp_path):
    """As in the repository, without the provider; with two files in the place of the built ones."""
    text = (ROOT / "deploy" / "terraform" / "examples" / "prod" / "main.tf").read_text()
    text = re.sub(r'provider "aws" \{.*?\n\}\n', "", text, flags=re.DOTALL).replace(
        "../../../../build", str(stand.folder)
    )
    planned, outputs = stand.of_root(tmp_path, text.replace('"../.."', json.dumps(str(stand.folder))))
    assert len(planned["aws_lambda_function.probe"]) == 2
    assert re.fullmatch("egressprobe-[0-9a-f]{8}-planner", outputs["planner_function"])


def test_the_code_is_local_or_in_a_bucket(stand):
    """A path has a hash, so that a new build is deployed; a key is derived from the content."""
    common = {"cluster_name": "prod", "security_group_ids": ["sg-0a"], "subnets": _slots(1)}
    local, _ = stand.planned(**common)
    [probe], [planner] = local["aws_lambda_function.probe"], local["aws_lambda_function.planner"]
    assert (probe["filename"], planner["filename"]) == ("probe.zip", "planner.zip")
    assert probe["source_code_hash"] != planner["source_code_hash"]
    assert probe.get("s3_key") is None
    stored, _ = stand.planned(**common, artifact_bucket="b", probe_artifact="p", planner_artifact="q", probe_zip="", planner_zip="")  # fmt: skip
    [probe], [planner] = stored["aws_lambda_function.probe"], stored["aws_lambda_function.planner"]
    assert (probe["s3_bucket"], probe["s3_key"], planner["s3_key"]) == ("b", "p", "q")
    assert probe.get("filename") is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subnets": ["subnet-0a"]}, "1 to 16 of SUBNET/ZONE"),
        ({"subnets": ["-"]}, "1 to 16 of SUBNET/ZONE"),
        ({"security_group_ids": [f"sg-{n}" for n in range(6)]}, "One to five security groups"),
        ({"certificate_days": 366}, "From 0 to 365"),
        ({"tracing": "Off"}, "One of PassThrough, Active"),
        ({"cluster_name": "-x"}, "It must match"),
        ({"id": "prod"}, "8 characters"),
        ({"probe_zip": ""}, "Set probe_zip to the file"),
        ({"planner_zip": "none.zip"}, "Set planner_zip to the file"),
        ({"artifact_bucket": "b", "probe_artifact": "p"}, "or artifact_bucket"),
    ],
)
def test_a_bad_input_is_refused_with_its_place(stand, wrong, message):
    good = {"cluster_name": "prod", "security_group_ids": ["sg-0a"], "subnets": _slots(1)}
    with pytest.raises(AssertionError, match=message):
        stand.planned(**good | wrong)


def test_a_removed_subnet_leaves_the_others_as_they_are(stand):
    common = {"cluster_name": "prod", "security_group_ids": ["sg-0a"]}
    before, _ = stand.planned(**common, subnets=_slots(3))
    after, _ = stand.planned(**common, subnets=_slots((0, None, 2)))
    names = [one["function_name"] for one in after["aws_lambda_function.probe"]]
    assert names == [f"egressprobe-{ID}-probe-0", f"egressprobe-{ID}-probe-2"]
    assert [before["aws_lambda_function.probe"][n] for n in (0, 2)] == after["aws_lambda_function.probe"]
    assert SLOT not in json.dumps(after)
