"""deploy, destroy, package and price, over moto: what is looked at, refused, shown, asked and done."""

import io
import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from moto.iam.access_control import PermissionResult

from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack import artifacts as artifacts_module
from egressprobe.stack import deploy as deploying
from egressprobe.stack import destroy as destroying
from egressprobe.stack.__main__ import main
from egressprobe.stack.cloudformation import Existing, change_set, changes, read_stack, wait
from egressprobe.stack.package import package
from egressprobe.stack.price import Size, lines, price_text, prices, total
from egressprobe.stack.survey import ClusterSubnet, Survey, check_survey, read_survey, slots
from tests.conftest import ROOT
from tests.stack.test_template import LACKING
from tests.support.aws.built_zips import write_built_zips
from tests.support.aws.cloudformation import rendered, template
from tests.support.aws.fake_aws import ENVIRONMENT, aws

TARGETS = {"targets": [{"kind": "webhook", "name": "policy", "url": "https://policy.example.com/"}]}


def subnets(*names, free=100, dual=True):
    return tuple(ClusterSubnet(name, f"eu-west-1{name[-1]}", free, dual) for name in names)


def survey(**more):
    known = Survey("prod", "1.35", "CUSTOMER_ROUTED", "ipv4", "vpc-1", ("sg-1",), subnets("subnet-a", "subnet-b"))
    return known._replace(**more)


# -- slots -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "after"),
    [
        ("", "ab", "ab"),
        ("ab", "ba", "ab"),
        ("ab", "abc", "abc"),
        ("bc", "abc", "bca"),
        ("abc", "ac", "a-c"),
        ("a-c", "acd", "adc"),
        ("abc", "ab", "ab"),
        ("abc", "d", "d"),
        ("abc", "cd", "d-c"),
    ],
)
def test_who_has_a_slot_keeps_it(before, now, after):
    """Letters are subnets, - an empty slot."""

    def written(text):
        return ",".join("-" if c == "-" else f"subnet-{c}/eu-west-1{c}" for c in text)

    assert slots(written(before), sorted(subnets(*(f"subnet-{c}" for c in now)))) == written(after)


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (survey(subnets=subnets("subnet-a", free=6)), "subnet-a: has 6 free addresses"),
        (survey(groups=tuple(f"sg-{i}" for i in range(6))), "has 6 security groups, a function takes 5"),
        (survey(groups=()), "has no security group"),
        (survey(ip_family="ipv6", subnets=subnets("subnet-a", dual=False)), "subnet-a: has no IPv6 block"),
        (survey(subnets=subnets(*(f"subnet-{i:02d}" for i in range(17)))), "has 17 subnets, 16 are supported"),
    ],
)
def test_refused_in_one_line(found, said):
    with pytest.raises(InputError, match=said) as refused:
        check_survey(found)
    assert "\n" not in str(refused.value)


def test_a_subnet_that_has_its_probe_may_be_full():
    """Its interface is there already."""
    check_survey(survey(subnets=subnets("subnet-a", free=2)), ["subnet-a"])
    check_survey(survey(subnets=subnets("subnet-a", free=7)))


# -- the survey ----------------------------------------------------------------------------------------------


def _cluster(**more):
    vpc = {
        "subnetIds": ["subnet-0b", "subnet-0a"],
        "clusterSecurityGroupId": "sg-0c",
        "securityGroupIds": ["sg-0d", "sg-0c"],
        "vpcId": "vpc-1",
        "controlPlaneEgressMode": "CUSTOMER_ROUTED",
    }
    return {
        "cluster": {
            "status": "ACTIVE",
            "version": "1.35",
            "resourcesVpcConfig": vpc,
            "kubernetesNetworkConfig": {"ipFamily": "ipv6"},
        }
        | more
    }


def _surveyed(answer):
    eks, ec2 = boto3.client("eks", **REGION), boto3.client("ec2", **REGION)
    said = [
        {
            "SubnetId": name,
            "AvailabilityZone": zone,
            "AvailableIpAddressCount": 200,
            "VpcId": "vpc-1",
            "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlockState": {"State": state}}],
        }
        for name, zone, state in (
            ("subnet-0b", "eu-west-1b", "associated"),
            ("subnet-0a", "eu-west-1a", "disassociated"),
        )
    ]
    with Stubber(eks) as clusters, Stubber(ec2) as networks:
        clusters.add_response("describe_cluster", answer, {"name": "prod"})
        networks.add_response("describe_subnets", {"Subnets": said}, {"SubnetIds": ["subnet-0a", "subnet-0b"]})
        return read_survey(eks, ec2, "prod")


REGION = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


def test_the_union_of_groups_and_the_sorted_subnets():
    """Moto gives no cluster security group: the stub has the real answer's fields."""
    found = _surveyed(_cluster())
    assert found.groups == ("sg-0c", "sg-0d")
    assert [str(one) for one in found.subnets] == ["subnet-0a/eu-west-1a", "subnet-0b/eu-west-1b"]
    assert [one.dual for one in found.subnets] == [False, True]
    assert (found.mode, found.ip_family, found.vpc) == ("CUSTOMER_ROUTED", "ipv6", "vpc-1")


@pytest.mark.parametrize("status", ["CREATING", "DELETING", "FAILED"])
def test_a_cluster_that_is_not_there_yet_or_any_more(status):
    with pytest.raises(InputError, match=f'"prod" is {status}'):
        _surveyed(_cluster(status=status))


# -- the price -----------------------------------------------------------------------------------------------


def test_the_reference_cluster_costs_at_most_15_dollars():
    """3 subnets, 20 targets, default detail, list prices of us-east-1, no free tier."""
    table, _ = prices("us-east-1")
    assert 10 < total(lines(Size(3, 20), table)) <= 15.00
    assert 25 < total(lines(Size(3, 20, detail="subnet"), table)) < 40


def test_the_price_counts_what_the_stack_has():
    """Alarms and composites as rendered; series as published."""
    for many, detail in ((1, "target"), (3, "subnet"), (16, "target")):
        stack = rendered(many, MetricDetail=detail)
        found = {line.what: line for line in lines(Size(many, 20, detail=detail), prices("us-east-1")[0])}
        alarms = stack.of("AWS::CloudWatch::Alarm")
        # Series that exist only while something is wrong.
        idle = dict.fromkeys(("Broken", "Targets", "Notices", "EgressDown", "EgressWouldFail", "Unsettled"), 0) | {
            "Uncounted": 0
        }
        several = dict.fromkeys(("Blind", "Unproven"), many) | {f"Failing{i}": 2 for i in range(many)}
        watched = sum((idle | several).get(name, 1) for name in alarms)
        assert found["alarms"].how == f"{watched} metrics watched"
        assert found["composite alarms"].how == str(len(stack.of("AWS::CloudWatch::CompositeAlarm")))


def test_the_defaults_behind_the_price_are_the_templates():
    said = template()["Parameters"]
    assert {name: str(said[name]["Default"]) for name in deploying._DEFAULTS} == deploying._DEFAULTS


def test_more_memory_is_less_time():
    table, _ = prices("us-east-1")
    small, large = (
        next(x for x in lines(Size(3, 20, memory=m), table) if x.what == "Lambda time") for m in (256, 1024)
    )
    assert large.amount < small.amount * 4


def test_the_bill_says_where_its_prices_are_from():
    assert "list prices of us-east-1" in price_text(Size(3, 20), "us-east-1")
    text = price_text(Size(16, 200, detail="subnet"), "eu-west-1")
    assert "(those of eu-west-1 are not known here)" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_page_has_the_prices():
    page = (ROOT / "docs" / "price.md").read_text()
    table, _ = prices("us-east-1")
    for size in (Size(3, 20), Size(3, 30), Size(3, 20, detail="subnet")):
        assert f"{total(lines(size, table)):>8.2f}  list prices" in page, size


def test_make_price(capsys, tmp_path):
    assert main(["price", "--targets", "20"]) == 0
    file = tmp_path / "targets.json"
    file.write_text(json.dumps(TARGETS))
    assert main(["price", "--targets", str(file), "--detail", "subnet"]) == 0
    assert "1 targets" in capsys.readouterr().out


# -- deploy, destroy, package --------------------------------------------------------------------------------


@pytest.fixture
def account(monkeypatch, tmp_path):
    """An account with a cluster; moto's CloudFormation gets the part of the template that it can make."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    write_built_zips(tmp_path)
    monkeypatch.setattr(artifacts_module, "BUILD", tmp_path)
    whole = template()
    kept = {"ProbeRole", "ProbeLogs", "PlannerLogs", "PlannerFunction"}
    whole["Resources"] = {
        name: one
        for name, one in whole["Resources"].items()
        if one["Type"] == "AWS::Logs::LogGroup"
        or name in kept
        or (name.startswith("Probe") and one["Type"] == "AWS::Lambda::Function")
    }
    whole["Resources"] |= {"Planner": template()["Resources"]["Probe0"] | {"Condition": "HasSlot0"}}
    del whole["Resources"]["Planner"]["Properties"]["FunctionName"]
    whole["Outputs"] = {"PlannerFunction": {"Value": {"Ref": "Planner"}}}
    assert not {one["Type"] for one in whole["Resources"].values()} & LACKING
    monkeypatch.setattr(deploying, "expanded", lambda: whole)
    # Moto applies a bucket policy without its conditions: what refuses connections without TLS would refuse all.
    monkeypatch.setattr("moto.s3.models.FakeBucket.get_permission", lambda *_: PermissionResult.NEUTRAL)
    with mock_aws():
        ec2, eks = boto3.client("ec2"), boto3.client("eks")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24")["Subnet"]["SubnetId"] for i in range(2)]
        group = ec2.create_security_group(GroupName="c", Description="d", VpcId=vpc)["GroupId"]
        network = {"subnetIds": made, "securityGroupIds": [group]}
        eks.create_cluster(
            name="prod", version="1.35", roleArn="arn:aws:iam::123456789012:role/e", resourcesVpcConfig=network
        )
        calls = []
        monkeypatch.setattr(deploying, "first_plan", lambda session, stack: calls.append(stack) or 0)
        yield made, calls


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run_deploy(**more):
    session = boto3.Session(region_name="eu-west-1")
    known = {"cluster": "prod", "targets": TARGETS, "stack": "egressprobe-prod", "given": {}, "tags": {"team": "net"}}
    return deploying.deploy(session, **(known | {"prefix": "art", "yes": True} | more))


def test_deploy_shows_then_does(account, capsys):
    made, planned = account
    assert run_deploy() == 0
    said = capsys.readouterr().err
    for words in (
        *made,
        "251 free",
        "gets a probe",
        "security groups sg-",
        "USD a month",
        "add     Probe0",
        "Changes:",
    ):
        assert words in said, words
    assert said.index("USD a month") < said.index("Changes:") < said.index("Working")
    assert planned == ["egressprobe-prod"]
    found = boto3.client("cloudformation").describe_stacks(StackName="egressprobe-prod")["Stacks"][0]
    said = {one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]}
    assert [text.partition("/")[0] for text in said["Subnets"].split(",")] == sorted(made)
    assert {"Key": "team", "Value": "net"} in found["Tags"]
    probes = [one for one in boto3.client("lambda").list_functions()["Functions"] if "-probe-" in one["FunctionName"]]
    assert len(probes) == 2
    keys = [one["Key"] for one in boto3.client("s3").list_objects_v2(Bucket="art-eu-west-1")["Contents"]]
    assert sorted(key.partition("-")[0] for key in keys) == [
        "egressprobe/planner",
        "egressprobe/probe",
        "egressprobe/template",
    ]


@pytest.mark.parametrize("failed", [True, False])
def test_the_first_plan_is_made_at_once(monkeypatch, capsys, failed):
    """Against Lambda's Invoke API; a Planner that fails is told in its own words."""
    planner = "arn:aws:lambda:eu-west-1:123456789012:function:egressprobe-1a2b3c4d-planner"
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with aws() as cloud:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", cloud.url)
        monkeypatch.setattr(deploying, "outputs", lambda formation, stack: {"PlannerFunction": planner})
        answer = {"errorMessage": "no schedule", "errorType": "PlanError"} if failed else {"created": ["s00-all"]}
        asked = []
        cloud.functions[planner] = lambda body: asked.append(body) or json.dumps(answer).encode()
        session = boto3.Session(region_name="eu-west-1")
        if failed:
            with pytest.raises(AwsError, match=r"the Planner failed: .*no schedule"):
                deploying.first_plan(session, "egressprobe-prod")
        else:
            assert deploying.first_plan(session, "egressprobe-prod") == 0
            assert json.loads(capsys.readouterr().out)["plan"] == answer
        assert asked == [b'{"action": "plan"}']


def test_a_second_deploy_keeps_parameters_and_slots(account, capsys, monkeypatch):
    """Without the functions: moto cannot update them by a change set."""
    whole = deploying.expanded()
    whole["Resources"] = {n: one for n, one in whole["Resources"].items() if one["Type"] == "AWS::Logs::LogGroup"}
    whole["Outputs"]["PlannerFunction"]["Value"] = "planner"
    monkeypatch.setattr(deploying, "expanded", lambda: whole)
    run_deploy(given={"MetricDetail": "subnet"})
    run_deploy(given={"LogRetentionDays": "90"})
    said = read_stack(boto3.client("cloudformation"), "egressprobe-prod").parameters
    assert (said["MetricDetail"], said["LogRetentionDays"]) == ("subnet", "90")
    assert "keeps its probe" in capsys.readouterr().err


def test_saying_no_changes_nothing(account, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert run_deploy(yes=False) == 0
    assert "Nothing was changed" in capsys.readouterr().err
    assert not boto3.client("lambda").list_functions()["Functions"]
    assert account[1] == []


def test_saying_yes_does_it(account, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run_deploy(yes=False) == 0
    assert boto3.client("lambda").list_functions()["Functions"]


def test_nobody_to_ask_is_a_refusal(account):
    with pytest.raises(InputError, match="YES: is not set and there is no terminal to ask"):
        run_deploy(yes=False)
    assert not boto3.client("cloudformation").list_stacks()["StackSummaries"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"cluster": "prd"}, 'CLUSTER: "prd" is not in this account and region; there are: prod'),
        ({"given": {"MetricDetial": "x"}}, "did you mean MetricDetail"),
        ({"given": {"MetricDetail": "subnets"}}, 'MetricDetail="subnets" is not allowed; did you mean subnet'),
        ({"given": {"CertificateDays": "400"}}, 'CertificateDays="400" is not between 0 and 365'),
        ({"given": {"NamePrefix": "-"}}, 'NamePrefix="-" is not allowed: At most 32 of A-Z'),
        ({"given": {"PlannerSubnetIds": "subnet-0e"}}, "needs PlannerSecurityGroupIds"),
        ({"targets": {"targets": [{"kind": "webhook", "name": "x", "url": "http://x"}]}}, r"targets\[0\]\.url"),
        ({"given": {"SecurityGroupIds": "sg-1,sg-2,sg-3,sg-4,sg-5,sg-6"}}, "6 security groups"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(account, more, said):
    with pytest.raises(InputError, match=said):
        run_deploy(**more)
    assert not boto3.client("cloudformation").list_stacks()["StackSummaries"]


@pytest.mark.parametrize(
    ("mode", "entry", "said"),
    [
        ("API", "true", "kubectl apply -k deploy/rbac"),
        (
            "CONFIG_MAP",
            "false",
            "no access entry is created (authentication mode CONFIG_MAP): map the output DiscoverRoleArn",
        ),
    ],
)
def test_discovery_is_told_with_what_it_needs(account, capsys, monkeypatch, mode, entry, said):
    """Without a targets file the cluster's own objects are what is probed; who gets in depends on the cluster."""
    real = deploying.read_survey
    monkeypatch.setattr(deploying, "read_survey", lambda *given: real(*given)._replace(authentication=mode))
    wanted = []
    change_set = deploying.change_set
    monkeypatch.setattr(deploying, "change_set", lambda *given: wanted.append(given[4]) or change_set(*given))
    assert run_deploy(targets=None) == 0
    assert said in capsys.readouterr().err
    assert wanted[0]["AccessEntry"] == entry
    assert wanted[0]["ClusterSecurityGroupIds"] == wanted[0]["SecurityGroupIds"] != ""


def test_neither_targets_nor_discovery_is_refused(account):
    with pytest.raises(InputError, match="TARGETS: is missing, and Discovery=false"):
        run_deploy(targets=None, given={"Discovery": "false"})


def test_without_artifacts_it_says_what_to_build(account, tmp_path):
    (tmp_path / "probe.zip").unlink()
    with pytest.raises(InputError, match=r"probe\.zip: is missing; make build"):
        run_deploy()


def test_destroy_waits_for_the_interfaces(account, capsys):
    run_deploy()
    ec2 = boto3.client("ec2")
    left = ec2.create_network_interface(SubnetId=account[0][0], Description="AWS Lambda VPC ENI-x")["NetworkInterface"]
    stack_id = boto3.client("cloudformation").describe_stacks(StackName="egressprobe-prod")["Stacks"][0]["StackId"]
    ours = f"egressprobe-{stack_id.rpartition('/')[2].partition('-')[0]}"
    mine = ec2.create_network_interface(SubnetId=account[0][0], Description=f"AWS Lambda VPC ENI-{ours}-probe-0-abc")
    waited = []

    def pause(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            ec2.delete_network_interface(NetworkInterfaceId=mine["NetworkInterface"]["NetworkInterfaceId"])

    session = boto3.Session(region_name="eu-west-1")
    assert destroying.destroy(session, stack="egressprobe-prod", yes=True, pause=pause) == 0
    assert len(waited) == 3
    assert "Everything is deleted" in capsys.readouterr().err
    assert not boto3.client("lambda").list_functions()["Functions"]
    assert ec2.describe_network_interfaces(NetworkInterfaceIds=[left["NetworkInterfaceId"]])["NetworkInterfaces"]


def test_destroy_gives_up_aloud(account, capsys):
    run_deploy()
    stack_id = boto3.client("cloudformation").describe_stacks(StackName="egressprobe-prod")["Stacks"][0]["StackId"]
    ours = f"egressprobe-{stack_id.rpartition('/')[2].partition('-')[0]}"
    boto3.client("ec2").create_network_interface(
        SubnetId=account[0][0], Description=f"AWS Lambda VPC ENI-{ours}-probe-0-abc"
    )
    session = boto3.Session(region_name="eu-west-1")
    assert destroying.destroy(session, stack="egressprobe-prod", yes=True, pause=lambda _: None) == 1
    assert "still there: eni-" in capsys.readouterr().err


def formation_stub():
    return boto3.client("cloudformation", **REGION)


def test_what_cloudformation_refuses_is_told_in_its_words():
    """A change set that fails, one without a change, a stack that fails: by stubs, moto's never fail."""
    arn = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/deploy-1/x"
    known = (Existing({"Subnets": "x"}, there=True), "https://bucket.s3.amazonaws.com/template", {}, ["Subnets"], {})
    for reason, outcome in (
        ("Parameter X is bad", AwsError),
        ("The submitted information didn't contain changes.", None),
    ):
        client = formation_stub()
        with Stubber(client) as stub:
            stub.add_response("create_change_set", {"Id": arn})
            failed = {"Status": "FAILED", "StatusReason": reason}
            stub.add_response("describe_change_set", failed)
            stub.add_response("delete_change_set", {})
            if outcome is None:
                assert change_set(client, "s", *known) is None
            else:
                with pytest.raises(outcome, match='the change set of "s" failed: Parameter X is bad'):
                    change_set(client, "s", *known)
    client = formation_stub()
    event = {"StackId": "i", "EventId": "e", "StackName": "s", "Timestamp": datetime.now(UTC)}
    with Stubber(client) as stub:
        stub.add_response("describe_stacks", {"Stacks": [_stack("UPDATE_ROLLBACK_COMPLETE")]})
        why = {"LogicalResourceId": "Probe0", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "no address"}
        stub.add_response("describe_stack_events", {"StackEvents": [event | why]})
        with pytest.raises(AwsError, match='"s" failed: Probe0: no address'):
            wait(client, "s", Existing({}, there=True))


def test_the_changes_name_what_is_or_may_be_replaced():
    client = formation_stub()
    kinds = {"Probe0": "True", "Planner": "Conditional", "Topic": "False"}
    known = [
        {"ResourceChange": {"Action": "Modify", "LogicalResourceId": name, "ResourceType": "T", "Replacement": kind}}
        for name, kind in kinds.items()
    ]
    with Stubber(client) as stub:
        stub.add_response("describe_change_set", {"Changes": known})
        text = changes(client, "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/x/1").splitlines()
    assert [line.split(maxsplit=2)[1:] for line in text[1:]] == [
        ["Planner", "T  (may be replaced)"],
        ["Probe0", "T  (replaced)"],
        ["Topic", "T"],
    ]


def _stack(status):
    return {"StackName": "s", "CreationTime": datetime.now(UTC), "StackStatus": status}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("UPDATE_IN_PROGRESS", '"s" is UPDATE_IN_PROGRESS; wait for it'),
        ("ROLLBACK_COMPLETE", '"s" is ROLLBACK_COMPLETE; make destroy first'),
        ("REVIEW_IN_PROGRESS", None),
    ],
)
def test_a_stack_in_the_middle_of_something(status, said):
    client = formation_stub()
    with Stubber(client) as stub:
        stub.add_response("describe_stacks", {"Stacks": [_stack(status)]})
        if said is None:
            assert not read_stack(client, "s").there
        else:
            with pytest.raises(InputError, match=said):
                read_stack(client, "s")


def test_destroy_of_nothing(account):
    with pytest.raises(InputError, match='"nope" does not exist in eu-west-1'):
        destroying.destroy(boto3.Session(region_name="eu-west-1"), stack="nope", yes=True)


def test_package_is_one_folder_and_a_bucket_a_region(account, tmp_path):
    session = boto3.Session(region_name="eu-west-1")
    said = package(session, prefix="org-art", regions=["eu-west-1", "us-east-1"], build=tmp_path)
    folder = tmp_path / "package"
    found = json.loads((folder / "template.json").read_text())
    assert "Transform" not in found
    parameters = {
        one["ParameterKey"]: one["ParameterValue"] for one in json.loads((folder / "parameters.json").read_text())
    }
    assert parameters == said["parameters"]
    for name in ("ProbeArtifact", "PlannerArtifact"):
        assert (folder / parameters[name]).exists()
        for region in ("eu-west-1", "us-east-1"):
            boto3.client("s3", region_name=region).head_object(Bucket=f"org-art-{region}", Key=parameters[name])


def test_bad_input_on_the_command_line_is_one_line_and_2(account, capsys, tmp_path):
    assert main(["deploy", "prod", "--targets", str(tmp_path / "none.yaml"), "--yes"]) == 2
    assert main(["price", "--targets", str(tmp_path / "none.yaml")]) == 2
    file = tmp_path / "targets.json"
    file.write_text(json.dumps(TARGETS))
    assert main(["deploy", "prod", "--targets", str(file), "--parameters", "MetricDetail", "--yes"]) == 2
    assert main(["destroy", "prod", "--yes"]) == 2
    lines_said = capsys.readouterr().err.splitlines()
    assert [line.startswith("egressprobe: ") for line in lines_said] == [True] * 4


def test_a_mistake_in_the_targets_file_is_found_before_anything_is_built(capsys, tmp_path):
    """`make deploy` checks first: no session, no AWS call, every mistake with its line."""
    file = tmp_path / "targets.yaml"
    file.write_text("targets:\n- {kind: webhook, name: a, url: 'http://x/'}\n- {kind: webhok, name: b}\n")
    assert main(["check", "prod", "--targets", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": targets")[0] for line in lines] == [f"egressprobe: {file}:2", f"egressprobe: {file}:3"]
