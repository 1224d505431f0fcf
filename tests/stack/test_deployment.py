"""`--stack` and `--cluster` find a deployment: a stack by its name, what Terraform has made by its Planner, both by a
cluster. Every function is moto's, with the environment and tags of the template.
"""

import json
import time
from argparse import Namespace

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from egressprobe.aws.session import in_region
from egressprobe.cli import main as cli
from egressprobe.cli.inputs import switch_source
from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack.deployment import (
    deployment_of,
    deployment_of_cluster,
    planner_of,
    planners_by_cluster,
    probe_groups,
    session_for,
)
from egressprobe.stack.drill import run as drills
from tests.support.aws.cloudformation import REGION, rendered
from tests.support.aws.deployments import (
    PLANNER_NAME,
    STACK_NAME,
    environment,
    planner_arn,
    put_planner,
    put_stack,
)
from tests.support.aws.fake_aws import ENVIRONMENT
from tests.support.aws.observed import PLANNER, ObservedAccount

WAYS = [STACK_NAME, PLANNER_NAME, planner_arn()]
OTHER = "fleet-5e6f7a8b-planner"  # a prefix of one's own


@pytest.fixture(scope="module")
def account():
    """A stack of the cluster `prod`, and one of others; of `lab` Terraform's, with a Probe; two Planners of `two`."""
    patch = pytest.MonkeyPatch()
    with patch.context() as context, mock_aws():
        for name, value in ENVIRONMENT.items():
            context.setenv(name, value)
        put_stack(planner=put_planner(stack=STACK_NAME).rpartition(":")[2])
        put_stack("other")
        put_planner("lab", name=OTHER)
        put_planner("lab", name="fleet-5e6f7a8b-probe-0", part="probe", variables={"EGRESSPROBE_CLUSTER_NAME": "lab"})
        put_planner("two", name="egressprobe-00000001-planner", stack="first", part=None)
        put_planner("two", name="second-planner")
        bare = environment("bare", stack="bare", SUBNETS="-")
        put_planner("bare", name="bare-planner", variables=bare)
        put_planner("old", name="old-planner", variables=environment("old", stack="old", PROBE_LOGS=""))
        yield in_region(REGION)


@pytest.mark.parametrize("named", WAYS)
def test_each_way_gives_what_the_template_says(account, named):
    deployment = deployment_of(account, named)
    template = rendered(3)
    assert (deployment.name, deployment.cluster, deployment.planner) == (STACK_NAME, "prod", planner_arn())
    assert deployment.settings.group == template.outputs["ScheduleGroup"]
    assert deployment.probe_logs == template.outputs["ProbeLogGroup"]
    assert deployment.messages.page_topic
    assert deployment.messages.alarm_prefix == "egressprobe prod "
    functions = template.of("AWS::Lambda::Function")
    names = [functions[f"Probe{slot}"]["FunctionName"] for slot in range(3)]
    assert [probe.function.rpartition(":")[2] for probe in deployment.settings.probes] == names
    in_vpc = [functions[f"Probe{slot}"]["VpcConfig"]["SubnetIds"] for slot in range(3)]
    assert [[subnet.id] for subnet in deployment.subnets] == in_vpc
    assert planner_of(account, named).rpartition(":")[2] == PLANNER_NAME


@pytest.mark.parametrize("named", [OTHER, planner_arn(OTHER)])
def test_what_terraform_has_made_is_named_by_its_planner(account, named):
    deployment = deployment_of(account, named)
    assert (deployment.name, deployment.cluster) == (OTHER, "lab")
    assert deployment_of(account, deployment.name) == deployment, "printed commands have this name"


@pytest.mark.parametrize("named", [planner_arn(), PLANNER_NAME])
def test_a_version_is_of_the_same_planner(account, named):
    """Its logs and alarms are those of the function; the session is in the region of the ARN."""
    version = boto3.client("lambda").publish_version(FunctionName=PLANNER_NAME)["Version"]
    deployment = deployment_of(account, f"{named}:{version}")
    assert (deployment.planner, deployment.name) == (planner_arn(), STACK_NAME)
    assert deployment.planner_logs == deployment_of(account, PLANNER_NAME).planner_logs
    assert session_for(f"{planner_arn(region='us-east-1')}:{version}", None).region_name == "us-east-1"


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("nope", '"nope" is neither a stack nor a Planner\'s function in eu-west-1'),
        (planner_arn("nope"), "is neither a stack nor a Planner's function in eu-west-1"),
        (planner_arn(region="us-east-1"), f"{planner_arn(region='us-east-1')} is in us-east-1, not in eu-west-1"),
        ("other", '"other" is not a stack of egressprobe: it has no output PlannerFunction'),
        ("fleet-5e6f7a8b-probe-0", 'the function "fleet-5e6f7a8b-probe-0" is not a Planner of egressprobe'),
        ("", "is empty; give the name of a stack, or its Planner's function"),
        ("bare-planner", 'the Planner "bare-planner" has no probes: its EGRESSPROBE_SUBNETS names no subnet'),
        ("old-planner", 'the Planner "old-planner" is older than this command; deploy it again'),
    ],
)
@pytest.mark.parametrize("find", [deployment_of, planner_of])
def test_what_is_no_deployment_is_one_line(account, find, named, words):
    """Nothing is invoked that is not known as a Planner."""
    with pytest.raises(InputError) as error:
        find(account, named)
    assert str(error.value) == f"--stack: {words}" or words in str(error.value)


@pytest.mark.parametrize(("cluster", "name"), [("prod", STACK_NAME), ("lab", OTHER)], ids=["a stack's", "Terraform's"])
def test_a_cluster_finds_its_planner(account, cluster, name):
    assert deployment_of_cluster(account, cluster, None).name == name


@pytest.mark.parametrize(
    ("cluster", "named", "words"),
    [
        (
            "none",
            None,
            'a Planner of the cluster "none"; deploy one (make deploy CLUSTER=none, or Terraform), give --s',
        ),
        ("two", None, 'the cluster "two" has several: first, second-planner; name one of them'),
        ("prod", OTHER, f'"{OTHER}" belongs to the cluster "lab", not to "prod"'),
    ],
)
def test_a_cluster_without_a_planner_with_several_or_of_another(account, cluster, named, words):
    with pytest.raises(InputError) as error:
        deployment_of_cluster(account, cluster, named)
    assert words in str(error.value)


def test_all_clusters_by_one_look(account):
    """A Probe is not a Planner, and a Planner of before there was the tag is known by its name."""
    planners = planners_by_cluster(account)
    assert {cluster: len(arns) for cluster, arns in planners.items()} == {
        "prod": 1,
        "lab": 1,
        "two": 2,
        "old": 1,
        "bare": 1,
    }


class Scripted:
    """A session with Stubber's clients; each answer is checked against AWS's model."""

    region_name = REGION

    def __init__(self):
        self._stubs = {}

    def client(self, service, **_):
        return self.stub(service).client

    def stub(self, service):
        if service not in self._stubs:
            self._stubs[service] = Stubber(boto3.client(service, region_name=REGION))
            self._stubs[service].activate()
        return self._stubs[service]


def configuration(**more):
    return {"FunctionArn": PLANNER, "Environment": {"Variables": environment(stack=STACK_NAME)}} | more


def test_who_may_not_describe_stacks_names_the_planner(account):
    session = Scripted()
    session.stub("cloudformation").add_client_error("describe_stacks", "AccessDenied", "not authorized")
    session.stub("lambda").add_response("get_function_configuration", configuration(), {"FunctionName": PLANNER_NAME})
    session.stub("lambda").add_response("get_function_configuration", configuration(), {"FunctionName": PLANNER})
    assert deployment_of(session, PLANNER_NAME).planner == PLANNER


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_who_may_not_describe_the_stack_that_is_named_reads_so(account, code):
    session = Scripted()
    session.stub("cloudformation").add_client_error("describe_stacks", "AccessDenied", "not authorized")
    session.stub("lambda").add_client_error("get_function_configuration", code)
    with pytest.raises(AwsError, match="the permission cloudformation:DescribeStacks is missing: "):
        planner_of(session, STACK_NAME)


def test_an_environment_that_may_not_be_decrypted_is_said(account):
    session = Scripted()
    error = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms:Decrypt is not allowed"}}
    session.stub("lambda").add_response("get_function_configuration", configuration(Environment=error))
    with pytest.raises(AwsError, match=f"the environment of {PLANNER_NAME} cannot be read: kms:Decrypt is not allowed"):
        deployment_of(session, PLANNER)


def test_a_planner_that_was_deleted_keeps_its_tags_for_a_while(account):
    session, gone = Scripted(), planner_arn("gone")
    tags = [{"Key": "egressprobe:cluster", "Value": "prod"}, {"Key": "egressprobe:part", "Value": "planner"}]
    mappings = [{"ResourceARN": arn, "Tags": tags} for arn in (gone, PLANNER)]
    asked = {
        "TagFilters": [{"Key": "egressprobe:cluster", "Values": ["prod"]}],
        "ResourceTypeFilters": ["lambda:function"],
        "ResourcesPerPage": 100,
    }
    stub = session.stub("resourcegroupstaggingapi")
    stub.add_response("get_resources", {"ResourceTagMappingList": mappings}, asked)
    functions = session.stub("lambda")
    functions.add_client_error("get_function_configuration", "ResourceNotFoundException")
    functions.add_response("get_function_configuration", configuration(), {"FunctionName": PLANNER})
    assert deployment_of_cluster(session, "prod", None).planner == PLANNER


def test_the_groups_and_the_log_of_a_deployment(account):
    session = Scripted()
    logging, vpc = {"LogGroup": "/egressprobe/prod/planner"}, {"SecurityGroupIds": ["sg-1", "sg-2"]}
    session.stub("lambda").add_response("get_function_configuration", configuration(LoggingConfig=logging))
    deployment = deployment_of(session, PLANNER)
    assert deployment.planner_logs == "/egressprobe/prod/planner"
    probe = {"FunctionName": deployment.settings.probes[0].function}
    session.stub("lambda").add_response("get_function_configuration", {"VpcConfig": vpc}, probe)
    assert probe_groups(session, deployment) == ("sg-1", "sg-2")


def test_the_region_is_the_arns_unless_another_is_named(account, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    assert session_for(planner_arn(region="us-east-1"), None).region_name == "us-east-1"
    assert session_for(planner_arn(), "us-west-2").region_name == "us-west-2"
    with pytest.raises(InputError, match="--region: is missing"):
        session_for(PLANNER_NAME, None)


# -- the commands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [*WAYS, OTHER])
def test_drill(account, monkeypatch, named):
    drilled = []

    def drill(session, deployment, **_):
        drilled.append((session.region_name, deployment.name))
        return drills.DrillResult((), deployment.messages.page_topic)

    monkeypatch.setattr(drills, "drill", drill)
    monkeypatch.setattr("egressprobe.cli.commands.drill.signal.signal", lambda *_: None)
    assert cli.main(["drill", "--stack", named]) == 0
    assert drilled == [(REGION, OTHER if named == OTHER else STACK_NAME)]


@pytest.mark.parametrize("command", ["flows", "history"])
@pytest.mark.parametrize("terraform", [True, False])
@pytest.mark.parametrize("named", WAYS)
def test_flows_and_history(monkeypatch, capsys, command, named, terraform):
    """No call of CloudFormation is needed but by a stack's name."""
    observed = ObservedAccount().install(monkeypatch)
    observed.hurry(monkeypatch)
    observed.answers["ec2.DescribeNetworkInterfaces"] = lambda _: {"NetworkInterfaces": []}
    observed.answers["logs.DescribeLogGroups"] = lambda _: {"logGroups": []}
    observed.answers["cloudwatch.GetMetricData"] = lambda _: {"MetricDataResults": []}
    if terraform:
        observed.variables["STACK"] = PLANNER_NAME
    if named != STACK_NAME:
        observed.refuse("cloudformation", "DescribeStacks", "AccessDenied")
    cli.main([command, "--stack", named, "-o", "json"])
    printed = capsys.readouterr()
    assert json.loads(printed.out)["stack"] == (PLANNER_NAME if terraform else STACK_NAME), printed.err


@pytest.mark.parametrize("named", [OTHER, planner_arn(OTHER)])
def test_watch(account, capsys, named):
    group, logs = environment(stack="")["EGRESSPROBE_PROBE_LOGS"], boto3.client("logs")
    if not logs.describe_log_groups()["logGroups"]:
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="x")
    line = json.dumps({"Target": "good", "SubnetId": "subnet-a", "ProbeSuccess": [1.0], "callSeconds": 0.02})
    event = {"timestamp": int(time.time() * 1e3) - 1000, "message": line}
    logs.put_log_events(logGroupName=group, logStreamName="x", logEvents=[event])
    assert cli.main(["watch", "--stack", named, "--rounds", "1"]) == 0
    assert "1 target, 1 column;" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["drill", "flows", "history", "incidents", "invoke", "watch"])
def test_an_arn_of_another_region_is_one_line(account, capsys, command):
    """--region decides; without it the ARN does."""
    arn = planner_arn(region="us-east-1")
    assert cli.main([command, "--stack", arn, "--region", REGION]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"egressprobe: --stack: {arn} is in us-east-1, not in eu-west-1"
    assert cli.main([command, "--stack", arn]) == 2
    assert "is neither a stack nor a Planner's function in us-east-1" in capsys.readouterr().err


@pytest.mark.parametrize("probed_from", [f"stack {OTHER}", f"stack {STACK_NAME}"])
def test_switch_and_verify_probe_as_the_baseline_did(account, monkeypatch, probed_from):
    """Also by the Planner that Terraform has made."""
    named = probed_from.removeprefix("stack ")
    cluster = "lab" if named == OTHER else "prod"
    described = Namespace(session=account)
    monkeypatch.setattr("egressprobe.cli.inputs.readiness_source.by_name", lambda *_: described)
    options = Namespace(stack=None, cluster=cluster, region=None, peer_profile=())
    sources = switch_source.account_sources(options, Namespace(probed_from=probed_from))
    assert sources.probed_from == probed_from
