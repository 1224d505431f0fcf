"""NamePrefix, RolePath and roles of one's own: what changes by them, what does not, and that by default nothing does."""

import json
import re

import boto3
import pytest
from botocore.client import BaseClient

from egressprobe.model.errors import InputError
from egressprobe.stack import destroy as destroying
from egressprobe.stack.__main__ import main
from egressprobe.stack.access.deployer import deployer_policy
from egressprobe.stack.access.roles import OWN_ROLES, StackPlace, role_policies, stack_pattern
from tests.conftest import ROOT
from tests.stack.test_tools import account, run_deploy  # noqa: F401 (a fixture)
from tests.support.aws.cloudformation import ACCOUNT, REGION, rendered, template
from tests.support.aws.fake_aws import Call
from tests.support.aws.iam import allowed
from tests.support.aws.iam_conditions import like

ID = "1a2b3c4d"
PLACE = StackPlace("aws", REGION, ACCOUNT, "egressprobe-prod", "prod")
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
OWN = {name: f"{ROLE}/team/{name}" for name in OWN_ROLES}
IN_VPC = {"PlannerSubnetIds": "subnet-0e", "PlannerSecurityGroupIds": "sg-0e"}
# Parameters that decide what the roles may.
CASES = {
    "defaults": {},
    "prefix and path": {"NamePrefix": "corp-net", "RolePath": "/teams/net/"},
    "Planner in a VPC": IN_VPC | {"Tracing": "Active"},
    "least": {"Discovery": "false", "AuditPermissions": "false", "TargetNotifications": "false"},
    "topics": {"AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:p", "NoticeTopicArn": "arn:aws:sns:eu-west-1:1:n"},
    "logs": {"CorroborateApiServer": "logs", "NamePrefix": "x"},
}
NAMES = ("FunctionName", "LogGroupName", "AlarmName", "DashboardName", "Name", "RoleName", "TopicName", "Path")


def names(found):
    """(logical id, property) -> name, of each resource."""
    return {
        (name, key): one["Properties"][key]
        for name, one in found.resources.items()
        for key in NAMES
        if key in one["Properties"]
    }


# -- names -----------------------------------------------------------------------------------------------------


def test_by_default_nothing_has_another_name_than_before():
    """A name or a path that is new, or differs, makes CloudFormation replace the resource in a deployed stack."""
    found = names(rendered(1))
    assert {key for _, key in found} == {"FunctionName", "LogGroupName", "AlarmName", "DashboardName", "Name"}
    plain = {
        name: value for name, value in found.items() if not value.startswith(("egressprobe prod ", "egressprobe/"))
    }
    assert plain == {
        ("Probe0", "FunctionName"): f"egressprobe-{ID}-probe-0",
        ("Planner", "FunctionName"): f"egressprobe-{ID}-planner",
        ("Discover", "FunctionName"): f"egressprobe-{ID}-discover",
        # The event configurations that the translator makes of them.
        ("Probe0EventInvokeConfig", "FunctionName"): f"egressprobe-{ID}-probe-0",
        ("PlannerEventInvokeConfig", "FunctionName"): f"egressprobe-{ID}-planner",
        ("DiscoverEventInvokeConfig", "FunctionName"): f"egressprobe-{ID}-discover",
        ("MovedEndpointsPermission", "FunctionName"): f"egressprobe-{ID}-planner",
        ("AlarmChangesPermission", "FunctionName"): f"egressprobe-{ID}-planner",
        ("ProbeLogs", "LogGroupName"): f"/egressprobe/prod/{ID}/probe",
        ("PlannerLogs", "LogGroupName"): f"/egressprobe/prod/{ID}/planner",
        ("DiscoverLogs", "LogGroupName"): f"/egressprobe/prod/{ID}/discover",
        ("MovedEndpoints", "LogGroupName"): f"/egressprobe/prod/{ID}/probe",
        ("Schedules", "Name"): f"egressprobe-{ID}",
        ("PlannerScheduleGroup", "Name"): f"egressprobe-{ID}-planner",
        ("Dashboard", "DashboardName"): "egressprobe-prod",
    }


def test_a_prefix_is_in_every_name_that_iam_sees_and_in_no_alarm():
    """Alarms, dashboard and saved queries keep theirs: runbook, messages and incidents refer to them."""
    before, after = names(rendered(2)), names(rendered(2, NamePrefix="corp-net", RolePath="/teams/net/"))
    kept = {name for name, value in before.items() if after[name] == value}
    assert {key for _, key in kept} == {"AlarmName", "DashboardName", "Name"}
    assert all(before[name].startswith(("egressprobe prod ", "egressprobe/prod/", "egressprobe-prod")) for name in kept)
    changed = {name: value for name, value in after.items() if name not in kept}
    for (logical, key), value in changed.items():
        assert value.startswith(
            "/corp-net/prod/" if key == "LogGroupName" else "/teams/" if key == "Path" else "corp-net-"
        )
        assert key != "AlarmName", logical
    made = {logical for logical, key in changed if key in ("RoleName", "Path")}
    assert made == set(OWN_ROLES.values())
    assert {logical for logical, key in changed if key in ("TopicName", "Name")} >= {"Topic", "AlarmChanges"}


def test_no_reference_keeps_the_default_prefix():
    """Policies, environment and dashboard: a name of the stack's ID with another prefix would be another's."""
    text = json.dumps(rendered(2, NamePrefix="corp-net", **IN_VPC).resources)
    assert f"egressprobe-{ID}" not in text
    assert f"/egressprobe/prod/{ID}" not in text
    assert f"corp-net-{ID}-probe-" in text


@pytest.mark.parametrize("prefix", ["a" * 32, "corp_net", "9"])
def test_the_longest_names_fit(prefix):
    """64 characters for functions and roles, 256 for topics, 64 for groups and rules (each service's API reference)."""
    found = rendered(16, NamePrefix=prefix)
    for (_, key), value in names(found).items():
        assert len(value) <= (255 if key == "AlarmName" else 512 if key == "LogGroupName" else 64) or "/" in value


@pytest.mark.parametrize(
    "bad", [{"NamePrefix": "a" * 33}, {"NamePrefix": "-a"}, {"NamePrefix": "a b"}, {"NamePrefix": ""}]
    + [{"RolePath": path} for path in ("", "teams/", "/teams", "//")]
    + [{"ProbeRoleArn": arn} for arn in ("probe", "arn:aws:iam::1:role/x", f"arn:aws:iam::{ACCOUNT}:user/x")],
)  # fmt: skip
def test_what_aws_would_refuse_is_refused(bad):
    with pytest.raises(AssertionError, match="refused by its pattern"):
        rendered(1, **bad)
    with pytest.raises(InputError, match="PARAMETERS: "):
        role_policies(template(), PLACE, bad)
    with pytest.raises(InputError, match="did you mean NamePrefix"):
        role_policies(template(), PLACE, {"NamePrefx": "corp"})


def test_a_stack_with_a_prefix_is_deployed_and_destroyed(account, capsys, monkeypatch):  # noqa: F811
    """Named roles need CAPABILITY_NAMED_IAM; destroy waits for the interfaces of the functions with this prefix."""
    sent, real = {}, BaseClient._make_api_call
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda *call: sent.update({call[1]: call[2]}) or real(*call))
    assert run_deploy(given={"NamePrefix": "corp-net", "RolePath": "/teams/net/"}) == 0
    formation, ec2 = boto3.client("cloudformation"), boto3.client("ec2")
    [described] = formation.describe_stacks(StackName="egressprobe-prod")["Stacks"]
    assert sent["CreateChangeSet"]["Capabilities"] == ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
    ours = f"corp-net-{described['StackId'].rpartition('/')[2].partition('-')[0]}"
    functions = [one["FunctionName"] for one in boto3.client("lambda").list_functions()["Functions"]]
    assert sorted(name for name in functions if "-probe-" in name) == [f"{ours}-probe-0", f"{ours}-probe-1"]
    roles = boto3.client("iam").list_roles(PathPrefix="/teams/net/")["Roles"]
    assert [role["RoleName"] for role in roles] == [f"{ours}-probe-role"]
    left = ec2.create_network_interface(SubnetId=account[0][0], Description=f"AWS Lambda VPC ENI-{ours}-probe-0-abc")
    ec2.create_network_interface(SubnetId=account[0][0], Description="AWS Lambda VPC ENI-egressprobe-1-probe-0-abc")
    waited = []

    def pause(seconds):
        waited.append(seconds)
        ec2.delete_network_interface(NetworkInterfaceId=left["NetworkInterface"]["NetworkInterfaceId"])

    session = boto3.Session(region_name="eu-west-1")
    assert destroying.destroy(session, stack="egressprobe-prod", yes=True, pause=pause) == 0
    assert len(waited) == 1
    assert left["NetworkInterface"]["NetworkInterfaceId"] in capsys.readouterr().err


# -- roles of one's own ----------------------------------------------------------------------------------------


def test_with_own_roles_nothing_of_iam_is_made():
    found = rendered(2, **(OWN | IN_VPC))
    assert not [name for name, one in found.resources.items() if one["Type"].startswith("AWS::IAM::")]
    functions = found.of("AWS::Lambda::Function")
    used = {name: functions[name]["Role"] for name in ("Probe0", "Probe1", "Discover", "Planner")}
    probe, discover, planner = OWN["ProbeRoleArn"], OWN["DiscoverRoleArn"], OWN["PlannerRoleArn"]
    assert used == {"Probe0": probe, "Probe1": probe, "Discover": discover, "Planner": planner}
    variables = functions["Planner"]["Environment"]["Variables"]
    assert variables["EGRESSPROBE_SCHEDULE_ROLE"] == OWN["ScheduleRoleArn"]
    assert variables["EGRESSPROBE_PLANNER_SCHEDULE_ROLE"] == OWN["PlannerScheduleRoleArn"]
    [schedule] = found.of("AWS::Scheduler::Schedule").values()
    assert schedule["Target"]["RoleArn"] == OWN["PlannerScheduleRoleArn"]
    [entry] = found.of("AWS::EKS::AccessEntry").values()
    assert entry["PrincipalArn"] == found.outputs["DiscoverRoleArn"] == discover


@pytest.mark.parametrize("parameter", OWN_ROLES)
def test_one_own_role_takes_the_place_of_one(parameter):
    """Its policies are not made either, and everything else stays as it is."""
    before, after = rendered(1, **IN_VPC), rendered(1, **(IN_VPC | {parameter: OWN[parameter]}))
    gone = {name for name in before.resources if name not in after.resources}
    role = OWN_ROLES[parameter]
    assert role in gone
    assert gone <= {role, f"{role.removesuffix('Role')}Deny"}
    assert not after.resources.keys() - before.resources.keys()
    arn, own = f"{ROLE}/egressprobe-prod-{role}", OWN[parameter]
    for name, one in after.resources.items():
        assert json.dumps(one) == json.dumps(before.resources[name]).replace(f'"{arn}"', f'"{own}"'), name


@pytest.mark.parametrize("case", CASES)
def test_the_printed_policies_are_those_that_the_stack_makes(case):
    """But for what only the deployed stack knows, and the operator that takes a wildcard."""
    found = rendered(2, **CASES[case])
    made = role_policies(template(), PLACE, CASES[case])
    roles = found.of("AWS::IAM::Role")
    assert {OWN_ROLES[parameter] for parameter in made} == roles.keys()
    for parameter, printed in made.items():
        name = OWN_ROLES[parameter]
        attached = [
            one
            for one in found.of("AWS::IAM::Policy").values()
            if f"{name}" in str(one["Roles"]) or _named(roles[name]) in one["Roles"]
        ]
        policies = {one["PolicyName"]: one["PolicyDocument"] for one in [*roles[name]["Policies"], *attached]}
        assert printed.policies.keys() == policies.keys()
        for policy, document in policies.items():
            assert _plain(printed.policies[policy]) == _plain(document), policy
        assert _plain(printed.trust) == _plain(roles[name]["AssumeRolePolicyDocument"])
        for statement in [*printed.trust["Statement"], *(s for d in printed.policies.values() for s in d["Statement"])]:
            assert "*" not in json.dumps(statement.get("Condition", {}).get("StringEquals", {}))


def _named(role):
    return role.get("RoleName", "")


def _plain(document):
    """With the wildcard for the ID and for what CloudFormation adds to a name; conditions without their operators."""
    text = re.sub(r'(egressprobe-prod-\w+)(?=")', r"\1-*", json.dumps(document).replace(ID, "*")).replace("-*-*", "-*")
    plain = json.loads(text)
    for statement in plain["Statement"]:
        keys = list(statement.get("Condition", {}).values())
        statement["Condition"] = {key: value for pairs in keys for key, value in pairs.items()}
    return plain


@pytest.mark.parametrize("case", CASES)
def test_the_printed_policies_allow_what_the_stack_needs_and_not_the_same_elsewhere(case):
    """Each allowed call of a role in the deployed stack; for a stack with another prefix only what names no resource."""
    found = rendered(2, **CASES[case])
    for parameter, printed in role_policies(template(), PLACE, CASES[case]).items():
        mine = [one for document in printed.policies.values() for one in document["Statement"]]
        for statement in found.of("AWS::IAM::Role")[OWN_ROLES[parameter]]["Policies"]:
            for one in statement["PolicyDocument"]["Statement"]:
                for call in map(_as_made, _calls(one)):
                    assert allowed(mine, call), call
                    prefix = CASES[case].get("NamePrefix", "egressprobe")
                    other = call.resource.replace(f"{prefix}-{ID}", f"zz-{ID}").replace(f"/{prefix}/", "/zz/")
                    if other != call.resource:
                        assert not allowed(mine, call._replace(resource=other)), other


def _as_made(call):
    """CloudFormation adds to the names that it makes."""

    def made(text):
        return re.sub(r"(egressprobe-prod-\w+)$", r"\1-1X2Y3Z", text)

    return call._replace(resource=made(call.resource), context=tuple((key, made(text)) for key, text in call.context))


def _calls(statement):
    listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    context = {
        key: value if isinstance(value, str) else value[0]
        for pairs in statement.get("Condition", {}).values()
        for key, value in pairs.items()
    }
    for action in listed:
        for resource in resources:
            yield Call(action.replace("*", "X"), resource.replace("*", "x"), tuple(context.items()))


def test_own_schedule_roles_are_what_an_own_planner_passes():
    made = role_policies(template(), PLACE, OWN)
    passed = {
        statement["Resource"]
        for statement in made["PlannerRoleArn"].policies["planner"]["Statement"]
        if statement["Action"] == "iam:PassRole"
    }
    assert passed == {OWN["ScheduleRoleArn"], OWN["PlannerScheduleRoleArn"]}


def test_one_set_of_roles_for_every_cluster():
    made = role_policies(template(), PLACE._replace(cluster="*", stack="egressprobe-*"), {})
    planner = made["PlannerRoleArn"].policies["planner"]["Statement"]
    cluster = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/other"
    assert allowed(planner, Call("eks:DescribeCluster", cluster, ()))
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/egressprobe/other/9/probe:log-stream:x"
    assert allowed(made["ProbeRoleArn"].policies["log"]["Statement"], Call("logs:PutLogEvents", logs, ()))


def test_the_command_prints_json_without_credentials(capsys, monkeypatch):
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    where = ["--account", ACCOUNT, "--region", REGION]
    assert main(["roles", "prod", *where, "--parameters", "Discovery=false", "NamePrefix=corp"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.keys() == {"roles", "deployer"}
    assert said["roles"].keys() == OWN_ROLES.keys() - {"DiscoverRoleArn"}
    assert said["roles"]["ProbeRoleArn"].keys() == {"trust", "policies"}
    for wrong in (["a/b", *where], ["prod", "--account", "2222", "--region", REGION]):
        assert main(["roles", *wrong]) == 2, "a policy with such a name would match nothing, or something else"
    capsys.readouterr()
    assert main(["roles", "prod", *where, "--parameters", "RolePath=corp"]) == 2
    line = 'egressprobe: PARAMETERS: RolePath="corp" is not allowed: / or /PART/ or /PART/PART/, and so on'
    assert capsys.readouterr().err.splitlines() == [line]


# -- who deploys -----------------------------------------------------------------------------------------------


def test_with_the_default_names_the_deployer_may_what_the_file_says():
    text = (ROOT / "deploy" / "deployer-policy.json").read_text()
    expected = json.loads(text.replace("REGION", REGION).replace("ACCOUNT", ACCOUNT))
    assert deployer_policy(PLACE, {}) == expected


@pytest.mark.parametrize(
    ("stack", "given"),
    [
        ("egressprobe-prod", {}),
        ("egressprobe-prod", {"NamePrefix": "corp-net", "RolePath": "/teams/net/"}),
        ("egressprobe-prod", {"RolePath": "/teams/net/"}),
        ("egressprobe-prod", OWN),
        ("egressprobe-prod", {"ProbeRoleArn": OWN["ProbeRoleArn"], "NamePrefix": "corp"}),
    ],
)
def test_the_deployer_may_make_what_the_stack_has(stack, given):
    """Every name of the stack is in the policy; roles are made and passed only where the stack makes them."""
    found = rendered(2, **given)
    policy = deployer_policy(PLACE._replace(stack=stack), given)["Statement"]
    for name, one in found.resources.items():
        create, properties = _CREATES.get(one["Type"]), one["Properties"]
        if create is None:
            continue
        arn = found._arn(name).removesuffix(":*")
        assert allowed(policy, Call(create, arn, ())), arn
        if one["Type"] == "AWS::Lambda::Function":
            passed = {"iam:PassedToService": "lambda.amazonaws.com"}
            assert allowed(policy, Call("iam:PassRole", properties["Role"], tuple(passed.items()))), properties["Role"]
    makes = bool(found.of("AWS::IAM::Role"))
    assert any("iam:CreateRole" in statement["Action"] for statement in policy) == makes
    foreign = Call("iam:PassRole", f"{ROLE}/admin", (("iam:PassedToService", "lambda.amazonaws.com"),))
    assert not allowed(policy, foreign)


_CREATES = {
    "AWS::Lambda::Function": "lambda:CreateFunction",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::Scheduler::ScheduleGroup": "scheduler:CreateScheduleGroup",
    "AWS::SNS::Topic": "sns:CreateTopic",
    "AWS::Events::Rule": "events:PutRule",
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
    "AWS::CloudWatch::CompositeAlarm": "cloudwatch:PutCompositeAlarm",
}


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (OWN, set(OWN.values())),
        # Without discovery there are four roles.
        ({"Discovery": "false"} | {name: OWN[name] for name in OWN if name != "DiscoverRoleArn"},
         set(OWN.values()) - {OWN["DiscoverRoleArn"]}),
        ({"PlannerRoleArn": OWN["PlannerRoleArn"]}, {OWN["PlannerRoleArn"], f"{ROLE}/egressprobe-*"}),
        ({}, {f"{ROLE}/egressprobe-*"}),
    ],
)  # fmt: skip
def test_only_roles_of_the_stack_are_passed(given, passed):
    [statement] = [one for one in deployer_policy(PLACE, given)["Statement"] if one["Action"] == ["iam:PassRole"]]
    assert set(statement["Resource"]) == passed


def test_names_that_cloudformation_makes_begin_with_the_stacks():
    assert stack_pattern("net-prod") == "net-prod-*"
    assert like("net-prod-ProbeRole-1X", stack_pattern("net-prod", "ProbeRole"))
    assert stack_pattern("n" * 40) == "n" * 20 + "*"
    policy = json.dumps(deployer_policy(PLACE._replace(stack="net-prod"), {}))
    assert f"{ROLE}/net-prod-*" in policy
    assert ":stack/net-prod/*" in policy
    assert ":function:egressprobe-*" in policy
