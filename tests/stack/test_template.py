"""template.yaml as deployed: one function a subnet, the right roles and groups, in every partition; made in moto."""

import json
import re

import boto3
import pytest
import yaml
from cfnlint.decode import cfn_yaml
from cfnlint.template import Template
from cfnlint.template.transforms._language_extensions import language_extension
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from egressprobe.discovery.kubernetes.resources import RESOURCES
from egressprobe.handlers.probe import make_handler
from egressprobe.stack.template import TEMPLATE, expanded, unrolled
from tests.conftest import ROOT
from tests.support.aws import iam
from tests.support.aws.cloudformation import SUBNETS, rendered, template
from tests.support.aws.fake_aws import ENVIRONMENT, Call

RBAC = ROOT / "deploy" / "rbac"


@pytest.mark.parametrize("many", [1, 3, 16])
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_one_function_a_subnet(many, family):
    stack = rendered(many, IpFamily=family, Architecture="x86_64", ProbeConcurrency="2", Tracing="Active")
    functions = stack.of("AWS::Lambda::Function")
    assert set(functions) == {"Planner", "Discover", *(f"Probe{i}" for i in range(many))}
    for i in range(many):
        one = functions[f"Probe{i}"]
        subnet, _, zone = SUBNETS[i].partition("/")
        assert one["VpcConfig"] == {
            "SubnetIds": [subnet],
            "SecurityGroupIds": ["sg-0a", "sg-0b"],
            "Ipv6AllowedForDualStack": family == "ipv6",
        }
        variables = one["Environment"]["Variables"]
        assert (variables["EGRESSPROBE_SUBNET_ID"], variables["EGRESSPROBE_AVAILABILITY_ZONE"]) == (subnet, zone)
        assert one["Role"].endswith("ProbeRole")
        assert one["Architectures"] == ["x86_64"]
        assert one["ReservedConcurrentExecutions"] == "2"
        assert one["TracingConfig"] == {"Mode": "Active"}
        assert int(one["Timeout"]) < 60
        assert one["Runtime"] == "python3.13"
        assert len(one["FunctionName"]) <= 64
        assert one["LoggingConfig"]["LogGroup"] == stack.of("AWS::Logs::LogGroup")["ProbeLogs"]["LogGroupName"]
    assert "VpcConfig" not in functions["Planner"]
    assert functions["Discover"]["VpcConfig"] == functions["Probe0"]["VpcConfig"] | {
        "SubnetIds": [text.partition("/")[0] for text in SUBNETS[:many]]
    }
    retries = stack.of("AWS::Lambda::EventInvokeConfig")
    assert len(retries) == many + 2
    planner = retries.pop("PlannerEventInvokeConfig")
    assert (planner["MaximumRetryAttempts"], planner["MaximumEventAgeInSeconds"]) == (2, 600)
    assert {(one["MaximumRetryAttempts"], one["MaximumEventAgeInSeconds"]) for one in retries.values()} == {(0, 60)}
    heartbeats = [name for name in stack.of("AWS::CloudWatch::Alarm") if name.startswith("Heartbeat")]
    assert len(heartbeats) == many
    rules = {name: one["AlarmRule"] for name, one in stack.of("AWS::CloudWatch::CompositeAlarm").items()}
    assert rules["ProbeBroken"].count("ALARM(") == many
    assert all(len(rule) <= 10240 and rule.count("ALARM(") <= 100 for rule in rules.values())


def test_the_defaults_are_the_cheap_and_safe_ones():
    stack = rendered(2)
    one = stack.of("AWS::Lambda::Function")["Probe0"]
    assert one["Architectures"] == ["arm64"]
    assert "ReservedConcurrentExecutions" not in one
    assert one["TracingConfig"] == {"Mode": "PassThrough"}
    for group in stack.of("AWS::Logs::LogGroup").values():
        assert group["RetentionInDays"] == "30"
        assert "KmsKeyId" not in group
    assert not any("PermissionsBoundary" in role for role in stack.of("AWS::IAM::Role").values())


def test_a_subnet_keeps_its_slot_when_another_goes():
    """An empty slot is a function less, and nothing else changes."""
    before, after = rendered(3), rendered(3, Subnets=f"{SUBNETS[0]},-,{SUBNETS[2]}")
    gone = {"Probe1", "Probe1EventInvokeConfig", "Heartbeat1", "Failing1", "Gap1", "Errors1"}
    assert before.resources.keys() - after.resources.keys() == gone
    for name in ("Probe0", "Probe2", "Heartbeat2"):
        assert before.resources[name] == after.resources[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SecurityGroupIds", "sg-1,sg-2,sg-3,sg-4,sg-5,sg-6"),
        ("SecurityGroupIds", ""),
        ("Subnets", ""),
        ("Subnets", "-"),
        ("Subnets", "subnet-1"),
        ("Subnets", ",".join(["subnet-1/eu-west-1a"] * 17)),
        ("ProbeTimeout", "60"),
        ("ProbeConcurrency", "0"),
        ("MaxSeries", "501"),
        ("RunbookUrl", "http://wiki"),
        ("ClusterName", "a b"),
    ],
)
def test_what_would_not_work_is_refused_by_the_parameters(name, value):
    with pytest.raises(AssertionError, match=name):
        rendered(1, **{name: value})


def test_every_parameter_is_used_and_in_one_group_of_the_console():
    document = yaml_parse(TEMPLATE.read_text())
    groups = document["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    rest = json.dumps(
        {section: part for section, part in document.items() if section not in ("Metadata", "Parameters")}
    )
    for name in document["Parameters"]:
        assert grouped.count(name) == 1, f"template.yaml: put {name} into one group of Metadata"
        assert f'"Ref": "{name}"' in rest or f"${{{name}}}" in rest, f"template.yaml: nothing refers to {name}"
    assert set(grouped) == document["Parameters"].keys()


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("aws-eusc", "eusc-de-east-1", "console.amazonaws-eusc.eu"),
        ("aws-iso", "us-iso-east-1", "console.c2shome.ic.gov"),
        ("aws-iso-b", "us-isob-east-1", "console.sc2shome.sgov.gov"),
        ("aws-iso-e", "eu-isoe-west-1", "console.csphome.adc-e.uk"),
        ("aws-iso-f", "us-isof-south-1", "console.csphome.hci.ic.gov"),
    ],
)
def test_every_partition_gets_its_own_arns_and_links(partition, region, host):
    stack = rendered(2, partition=partition, region=region)
    text = json.dumps(stack.resources)
    assert set(re.findall(r"arn:(aws[a-z-]*):", text)) == {partition}
    assert stack.outputs["DashboardUrl"].startswith(f"https://{host}/cloudwatch/home?region={region}#")
    principals = {
        statement["Principal"]["Service"]
        for role in stack.of("AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    }
    assert principals == {"lambda.amazonaws.com", "scheduler.amazonaws.com"}


def test_only_the_scheduler_of_our_own_group_may_take_the_role():
    stack = rendered(1)
    [statement] = stack.of("AWS::IAM::Role")["ScheduleRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {
            "aws:SourceAccount": "123456789012",
            "aws:SourceArn": "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/egressprobe-1a2b3c4d",
        }
    }


def test_boundary_key_and_topic_reach_every_resource_that_takes_them():
    boundary, key = "arn:aws:iam::123456789012:policy/b", "arn:aws:kms:eu-west-1:123456789012:key/k"
    stack = rendered(2, PermissionsBoundaryArn=boundary, KmsKeyArn=key, AlarmEmail="a@example.com")
    assert {role["PermissionsBoundary"] for role in stack.of("AWS::IAM::Role").values()} == {boundary}
    assert {group["KmsKeyId"] for group in stack.of("AWS::Logs::LogGroup").values()} == {key}
    assert stack.of("AWS::SNS::Topic")["Topic"]["KmsMasterKeyId"] == key
    assert stack.of("AWS::SNS::Subscription")["Subscription"]["Endpoint"] == "a@example.com"
    given = rendered(2, AlarmTopicArn="arn:aws:sns:eu-west-1:123456789012:mine", AlarmEmail="a@example.com")
    assert not given.of("AWS::SNS::Topic")
    assert not given.of("AWS::SNS::Subscription")


@pytest.mark.parametrize("name", ["ProbeRole", "DiscoverRole"])
def test_no_permission_beyond_the_log_group(name):
    """A probe may write its log; the rest is for the Lambda service and denied to the code (test_stack_artifacts). So
    may Discover: what it may read is the cluster's to say.
    """
    role = rendered(1).of("AWS::IAM::Role")[name]
    allowed = [s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"]]
    beyond = [a for s in allowed for a in s["Action"] if not a.startswith("ec2:")]
    assert beyond == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert "ManagedPolicyArns" not in role


def test_discovery_can_be_left_out_and_the_access_entry_too():
    stack = rendered(2)
    [entry] = stack.of("AWS::EKS::AccessEntry").values()
    assert (entry["PrincipalArn"], entry["KubernetesGroups"]) == (stack.outputs["DiscoverRoleArn"], ["egressprobe"])
    assert not rendered(2, AccessEntry="false").of("AWS::EKS::AccessEntry")
    without = rendered(2, Discovery="false")
    gone = {"Discover", "DiscoverEventInvokeConfig", "DiscoverRole", "DiscoverLogs", "DiscoverDeny", "ClusterAccess"}
    gone |= {"MovedEndpoints", "MovedEndpointsPermission"}
    assert stack.resources.keys() - without.resources.keys() == gone
    planner = without.of("AWS::Lambda::Function")["Planner"]["Environment"]["Variables"]
    assert planner["EGRESSPROBE_DISCOVER"] == ""


def test_the_audits_permissions_can_be_left_out():
    """What the Planner may do beyond its own work is then what discovery needs."""
    allowed = {
        given: {
            action
            for statement in iam.statements(rendered(2, AuditPermissions=given), "PlannerRole")
            for action in iam.actions(statement)
        }
        for given in ("true", "false")
    }
    gone = allowed["true"] - allowed["false"]
    services = {"ec2", "elasticloadbalancing", "route53", "route53resolver", "cloudtrail", "iam", "network-firewall"}
    services |= {"cloudwatch"}  # what is compared with the API server
    assert {action.partition(":")[0] for action in gone} == services
    assert {action for action in allowed["false"] if action.startswith("ec2:")} == {"ec2:DescribeSubnets"}
    planner = rendered(2, AuditPermissions="false").of("AWS::Lambda::Function")["Planner"]
    assert planner["Environment"]["Variables"]["EGRESSPROBE_AUDIT_PERMISSIONS"] == "false"


def test_the_planner_may_send_messages_about_causes_and_no_more():
    """To the topics, with the keys of these topics, to the account's bus as egressprobe; nothing with another mode."""
    tickets = "arn:aws:sns:eu-west-1:123456789012:tickets"
    stack = rendered(2, NoticeTopicArn=tickets)
    statements = iam.statements(stack, "PlannerRole")
    topic = stack.outputs["PageTopic"]
    of_topic = "kms:EncryptionContext:aws:sns:topicArn"
    key, bus = "arn:aws:kms:eu-west-1:123456789012:key/k", "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    role = stack.value({"Fn::GetAtt": ["PlannerScheduleRole", "Arn"]})
    to_scheduler = (("iam:PassedToService", "scheduler.amazonaws.com"),)
    wanted = [
        Call("sns:Publish", topic),
        Call("sns:Publish", tickets),
        Call("kms:GenerateDataKey", key, ((of_topic, topic),)),
        Call("kms:Decrypt", key, ((of_topic, tickets),)),
        Call("events:PutEvents", bus, (("events:source", "egressprobe"),)),
        Call("iam:PassRole", role, to_scheduler),
        *(Call(f"cloudwatch:{name}", "*") for name in ("DescribeAlarms", "GetMetricData", "ListAlarmMuteRules")),
    ]
    refused = [
        Call("sns:Publish", f"{topic}2"),
        Call("kms:GenerateDataKey", key),
        Call("kms:GenerateDataKey", key, ((of_topic, f"{topic}2"),)),
        Call("events:PutEvents", bus, (("events:source", "aws.health"),)),
        Call("events:PutEvents", f"{bus}2", (("events:source", "egressprobe"),)),
        Call("iam:PassRole", role, (("iam:PassedToService", "lambda.amazonaws.com"),)),
        Call("cloudwatch:PutMetricData", "*"),
    ]
    assert all(iam.allowed(statements, call) for call in wanted)
    assert not any(iam.allowed(statements, call) for call in refused)
    for mode in ("true", "notices", "false"):
        given = {"NoticeTopicArn": tickets, "TargetNotifications": mode, "CorroborateApiServer": "false"}
        other = iam.statements(rendered(2, **given), "PlannerRole")
        assert not any(iam.allowed(other, call) for call in wanted)


def test_every_alarm_about_a_path_wakes_the_planner():
    """By either of CloudWatch's events; nobody else may invoke it by a rule."""
    stack = rendered(2)
    [rule] = stack.of("AWS::Events::Rule").values()
    pattern = rule["EventPattern"]
    names = {"targets", "not looked up", "notices", "egress path down", "egress path would be down", "path broken"}
    assert set(pattern["detail"]["alarmName"]) == {f"egressprobe prod {name}" for name in names}
    assert pattern["detail-type"] == ["CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"]
    [target] = rule["Targets"]
    assert target["Arn"] == stack.value({"Fn::GetAtt": ["Planner", "Arn"]})
    permission = stack.of("AWS::Lambda::Permission")["AlarmChangesPermission"]
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == stack.value({"Fn::GetAtt": ["AlarmChanges", "Arn"]})


def test_with_another_mode_the_stack_has_nothing_of_messages():
    """And its Planner's own schedules, which fire once, have a role only where there are such."""
    gone = {"AlarmChanges", "AlarmChangesPermission", "Reported", "ReportedOrUnknown", "EgressUnreported"}
    trusted = {}
    for mode in ("causes", "true", "notices", "false"):
        stack = rendered(2, TargetNotifications=mode)
        assert (gone & stack.resources.keys()) == (gone if mode == "causes" else set())
        variables = stack.of("AWS::Lambda::Function")["Planner"]["Environment"]["Variables"]
        assert variables["EGRESSPROBE_MESSAGES"] == ("true" if mode == "causes" else "false")
        [trust] = stack.of("AWS::IAM::Role")["PlannerScheduleRole"]["AssumeRolePolicyDocument"]["Statement"]
        trusted[mode] = [arn.rpartition("/")[2] for arn in trust["Condition"]["StringEquals"]["aws:SourceArn"]]
    own = "egressprobe-1a2b3c4d-planner"
    assert trusted == {"causes": [own, "egressprobe-1a2b3c4d"], "true": [own], "notices": [own], "false": [own]}


@pytest.mark.parametrize(
    ("given", "actions"),
    [
        ({"CorroborateApiServer": "false"}, set()),
        ({}, {"cloudwatch:ListMetrics"}),
        ({"CorroborateApiServer": "logs"}, {"cloudwatch:ListMetrics", "logs:FilterLogEvents"}),
        ({"CorroborateApiServer": "logs", "AuditPermissions": "false"}, set()),
    ],
)
def test_what_the_planner_may_read_of_the_api_server(given, actions):
    """Metrics by default; the control plane's log only where that is asked for, and only this cluster's."""
    statements = iam.statements(rendered(2, **given), "PlannerRole")
    allowed = {action for statement in statements for action in iam.actions(statement)}
    assert allowed & {"cloudwatch:ListMetrics", "logs:FilterLogEvents"} == actions
    groups = [statement["Resource"] for statement in statements if "logs:FilterLogEvents" in iam.actions(statement)]
    assert all(group.endswith(":log-group:/aws/eks/prod/cluster:*") for group in groups)


def test_the_planner_can_be_put_into_a_vpc():
    """Its code may then read interfaces for the audit, and change none."""
    given = {"PlannerSubnetIds": "subnet-0e,subnet-0f", "PlannerSecurityGroupIds": "sg-0e"}
    stack, outside = rendered(2, **given), rendered(2)
    planner = stack.of("AWS::Lambda::Function")["Planner"]
    assert planner["VpcConfig"] == {"SubnetIds": ["subnet-0e", "subnet-0f"], "SecurityGroupIds": ["sg-0e"]}
    assert stack.resources.keys() - outside.resources.keys() == {"PlannerDeny"}
    me = (("lambda:SourceFunctionArn", f"arn:aws:lambda:eu-west-1:123456789012:function:{planner['FunctionName']}"),)
    statements = iam.statements(stack, "PlannerRole")
    for action in ("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"):
        assert iam.allowed(statements, Call(action, "*")), "the Lambda service needs it"
        assert not iam.allowed(statements, Call(action, "*", me))
    assert iam.allowed(statements, Call("ec2:DescribeNetworkInterfaces", "*", me))


def test_a_failing_minute_of_what_may_have_moved_wakes_the_planner():
    """The filter names fields that the probe writes, for the group it writes to."""
    stack = rendered(2)
    [one] = stack.of("AWS::Logs::SubscriptionFilter").values()
    groups = stack.of("AWS::Logs::LogGroup")
    assert one["LogGroupName"] == groups["ProbeLogs"]["LogGroupName"]
    assert set(re.findall(r"\$\.(\w+)", one["FilterPattern"])) == {"verdict", "discoveredAddresses"}
    permission = stack.of("AWS::Lambda::Permission")["MovedEndpointsPermission"]
    assert permission["SourceArn"] == f"arn:aws:logs:eu-west-1:123456789012:log-group:{one['LogGroupName']}:*"
    assert permission["Principal"] == "logs.amazonaws.com"


def test_the_cluster_role_is_what_discovery_reads_and_no_more():
    """Each list, to read; the group is the access entry's."""
    role, binding = yaml.safe_load_all((RBAC / "rbac.yaml").read_text())
    granted = {(group, one) for rule in role["rules"] for group in rule["apiGroups"] for one in rule["resources"]}
    assert granted == {(one.group, one.plural) for one in RESOURCES}
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    [subject] = binding["subjects"]
    [entry] = rendered(1).of("AWS::EKS::AccessEntry").values()
    assert (subject["kind"], [subject["name"]]) == ("Group", entry["KubernetesGroups"])


def test_kustomize_applies_the_role_and_nothing_else():
    """deploy/rbac.yaml is the same file, for who applies that one. Kustomize takes no file from outside its folder."""
    kustomization = yaml.safe_load((RBAC / "kustomization.yaml").read_text())
    assert kustomization["kind"] == "Kustomization"
    assert kustomization["resources"] == sorted(
        path.name for path in RBAC.iterdir() if path.name != "kustomization.yaml"
    )
    assert not any(path.is_symlink() for path in RBAC.iterdir())
    assert (RBAC.parent / "rbac.yaml").resolve() == (RBAC / "rbac.yaml").resolve()


def test_functions_go_before_the_role_that_removes_their_interfaces():
    """CloudFormation deletes what refers before what is referred to; the role has the permissions inline."""
    resources = template()["Resources"]
    own, role = "ProbeRoleArn", {"Fn::GetAtt": ["ProbeRole", "Arn"]}
    assert resources["Probe0"]["Properties"]["Role"] == {"Fn::If": ["MakeProbeRole", role, {"Ref": own}]}
    names = [policy["PolicyName"] for policy in resources["ProbeRole"]["Properties"]["Policies"]]
    assert "network-interfaces" in names


def test_the_expanded_template_has_no_macro_and_no_region():
    """What StackSets take; under CloudFormation's limits."""
    found = expanded()
    text = json.dumps(found, separators=(",", ":"))
    assert "Transform" not in found
    assert "Fn::ForEach" not in text
    assert "mx-central" not in text
    assert len(text) < 1_000_000
    assert len(found["Resources"]) <= 500
    assert len(found["Parameters"]) <= 200


def test_cfn_lint_unrolls_the_same():
    """Our loops are those of AWS::LanguageExtensions, as cfn-lint's own implementation of it has them too."""
    found = cfn_yaml.load(str(TEMPLATE))
    matches, theirs = language_extension(Template(str(TEMPLATE), found, ["us-east-1"]))
    assert not matches
    ours = unrolled(yaml_parse(TEMPLATE.read_text()))
    for section in ("Conditions", "Resources"):
        assert ours[section].keys() == theirs[section].keys()


def test_every_metric_and_field_that_is_looked_at_is_published():
    """Dashboard, alarms and saved queries name only what the probe and the Planner write."""
    stack = rendered(1)
    source = "".join(
        (ROOT / "src" / "egressprobe" / name).read_text()
        for name in (
            *("publish/emf.py", "publish/log_line.py", "planner/reconcile.py", "planner/vpc_audit.py"),
            *("planner/incidents/metric.py", "planner/incidents/log.py"),
        )
    )
    alarms = json.dumps(stack.of("AWS::CloudWatch::Alarm"))
    metrics = set(re.findall(r"(?:MIN|MAX|SUM)\((\w+)\)", alarms)) | {
        one["MetricName"]
        for one in stack.of("AWS::CloudWatch::Alarm").values()
        if one.get("Namespace") == "EgressProbe"
    }
    body = json.loads(stack.of("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"])
    text = json.dumps(body)
    metrics |= set(re.findall(r'MetricName=\\+"(\w+)', text)) - {"Duration", "Errors", "Throttles"}
    metrics |= {
        row[1] for w in body["widgets"] for row in w["properties"].get("metrics", []) if row[0] == "EgressProbe"
    }
    assert metrics >= {
        "ProbeSuccess",
        "MeasuredShare",
        "TargetsUnknown",
        "CertificateDaysRemaining",
        "PlanAge",
        "AuditFindings",
    }
    queries = [one["QueryString"] for one in stack.of("AWS::Logs::QueryDefinition").values()]
    queries += [w["properties"]["query"] for w in body["widgets"] if w["type"] == "log"]
    fields = {f for q in queries for f in re.findall(r"(?:pct|max|min|latest|earliest|ispresent)\(@?(\w+)", q)}
    for name in (metrics | fields) - {"timestamp", "message"}:
        assert f'"{name}"' in source or name in ("created", "updated", "deleted"), name


def test_the_dashboard_is_one_screen_without_holes():
    body = json.loads(rendered(3).of("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"])
    taken = set()
    for widget in body["widgets"]:
        cells = {(widget["x"] + i, widget["y"] + j) for i in range(widget["width"]) for j in range(widget["height"])}
        assert not cells & taken, widget["properties"].get("title")
        taken |= cells
    assert max(x for x, _ in taken) == 23
    assert len(taken) == 24 * (max(y for _, y in taken) + 1)
    assert max(y for _, y in taken) <= 21


def test_environment_names_are_those_the_code_reads():
    source = "".join(path.read_text() for path in (ROOT / "src" / "egressprobe").rglob("*.py"))
    names = set(re.findall(r"EGRESSPROBE_[A-Z_]+", source))
    names |= {f"EGRESSPROBE_{name}" for name in re.findall(r'read\("([A-Z_]+)"\)', source)}
    for one in rendered(1).of("AWS::Lambda::Function").values():
        assert set(one["Environment"]["Variables"]) <= names
    assert callable(make_handler())


# -- moto ----------------------------------------------------------------------------------------------------

# What moto's CloudFormation does not make. test_the_rest_in_moto makes of it what moto's own APIs have.
LACKING = {
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::EKS::AccessEntry",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::QueryDefinition",
    "AWS::Logs::SubscriptionFilter",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::Scheduler::Schedule",
    "AWS::Scheduler::ScheduleGroup",
}


def _replaced(node, stack, gone):
    """References to resources that moto lacks become the values they would have."""
    if isinstance(node, list):
        return [_replaced(item, stack, gone) for item in node]
    if not isinstance(node, dict):
        return node
    if (set(node) == {"Fn::GetAtt"} and node["Fn::GetAtt"][0] in gone) or (
        set(node) == {"Ref"} and node["Ref"] in gone
    ):
        return stack.value(node)
    if set(node) == {"Fn::Sub"} and any(f"${{{name}" in json.dumps(node) for name in gone):
        return stack.value(node)
    return {key: _replaced(item, stack, gone) for key, item in node.items()}


@pytest.fixture
def account(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield


@pytest.mark.parametrize("many", [1, 3, 16])
def test_made_in_moto(account, many):
    """Functions, roles, groups and topic as moto's own reading of the template has them."""
    s3, ec2, formation = boto3.client("s3"), boto3.client("ec2"), boto3.client("cloudformation")
    s3.create_bucket(Bucket="art-eu-west-1", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("probe.zip", "planner.zip"):
        s3.put_object(Bucket="art-eu-west-1", Key=key, Body=b"PK\x05\x06" + bytes(18))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24")["Subnet"] for i in range(many)]
    group = ec2.create_security_group(GroupName="cluster", Description="d", VpcId=vpc)["GroupId"]
    given = {
        "Subnets": ",".join(f"{one['SubnetId']}/{one['AvailabilityZone']}" for one in made),
        "SecurityGroupIds": group,
        "ArtifactBucketPrefix": "art",
    }
    stack, whole = rendered(many, **given), template()
    gone = {name for name, one in whole["Resources"].items() if one["Type"] in LACKING}
    whole["Resources"] = {
        name: _replaced(one, stack, gone) for name, one in whole["Resources"].items() if name not in gone
    }
    del whole["Outputs"]
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in stack.parameters.items()]
    formation.create_stack(
        StackName="egressprobe-prod",
        TemplateBody=json.dumps(whole),
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM"],
    )
    assert formation.describe_stacks(StackName="egressprobe-prod")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    functions = boto3.client("lambda").list_functions()["Functions"]
    probes = [one for one in functions if "-probe-" in one["FunctionName"]]
    assert len(probes) == many
    assert sorted(one["VpcConfig"]["SubnetIds"][0] for one in probes) == sorted(one["SubnetId"] for one in made)
    assert all(one["VpcConfig"]["SecurityGroupIds"] == [group] for one in probes)
    for one in probes:
        slot = int(one["FunctionName"].rpartition("-")[2])
        assert one["Environment"]["Variables"]["EGRESSPROBE_SUBNET_ID"] == made[slot]["SubnetId"]
    roles = {role["RoleName"].split("-")[2] for role in boto3.client("iam").list_roles()["Roles"]}
    assert roles == {"ProbeRole", "ScheduleRole", "PlannerRole", "PlannerScheduleRole", "DiscoverRole"}
    assert len(boto3.client("logs").describe_log_groups()["logGroups"]) == 3
    [discover] = [one for one in functions if one["FunctionName"].endswith("-discover")]
    # Moto leaves a hole where CloudFormation drops AWS::NoValue.
    assert sorted(filter(None, discover["VpcConfig"]["SubnetIds"])) == sorted(one["SubnetId"] for one in made)
    assert len(boto3.client("sns").list_topics()["Topics"]) == 1
    formation.delete_stack(StackName="egressprobe-prod")
    assert not boto3.client("lambda").list_functions()["Functions"]


def test_the_rest_in_moto(account):
    """Alarms, dashboard and schedule groups, by the APIs that CloudFormation would call. Moto has no composite alarms,
    saved queries or event invoke configs of unversioned functions: those are in the other tests, as rendered.
    """
    stack, watch, scheduler = rendered(3), boto3.client("cloudwatch"), boto3.client("scheduler")
    for one in stack.of("AWS::CloudWatch::Alarm").values():
        said = {k: v for k, v in one.items() if k != "WarmUpConfiguration"} | {"Threshold": float(one["Threshold"])}
        watch.put_metric_alarm(**said)
    names = {one["AlarmName"] for one in watch.describe_alarms()["MetricAlarms"]}
    assert len(names) == 3 * 4 + 15
    rule = " ".join(one["AlarmRule"] for one in stack.of("AWS::CloudWatch::CompositeAlarm").values())
    composites = {"egressprobe prod probe broken"}
    assert set(re.findall(r'ALARM\("([^"]+)"\)', rule)) <= names | composites
    for one in stack.of("AWS::CloudWatch::Dashboard").values():
        watch.put_dashboard(**one)
    for one in stack.of("AWS::Scheduler::ScheduleGroup").values():
        scheduler.create_schedule_group(**one)
    for one in stack.of("AWS::Scheduler::Schedule").values():
        scheduler.create_schedule(Name="planner", **one)
    assert len(scheduler.list_schedule_groups()["ScheduleGroups"]) == 3  # default's own
    [planned] = scheduler.list_schedules()["Schedules"]
    assert planned["GroupName"] == "egressprobe-1a2b3c4d-planner"
