"""`make fleet` over moto (EKS, EC2, S3, STS in several accounts) and StackSets in memory, behind real clients."""

import io
import json
import sys
import zipfile
from functools import cache

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ParamValidationError
from moto import mock_aws
from moto.iam.access_control import PermissionResult

from egressprobe.model.errors import InputError
from egressprobe.stack import artifacts as artifacts_module
from egressprobe.stack.fleet.__main__ import main
from egressprobe.stack.fleet.operations import Waiting
from egressprobe.stack.fleet.plan import DeployedStack, WantedStack, plan_fleet
from egressprobe.stack.fleet.run import Consent, fleet
from egressprobe.stack.fleet.show import plan_text
from egressprobe.stack.template import TEMPLATE, expanded
from egressprobe.targets.file import read_file
from tests.conftest import ROOT
from tests.support.aws.built_zips import write_built_zips
from tests.support.aws.fake_aws import ENVIRONMENT
from tests.support.aws.iam import actions
from tests.support.aws.stack_sets import LOADER, StackSetsOfAws, shared_session

OWN, MEMBER = "123456789012", "222233334444"
ROLE = "egressprobe-survey"
# IAM's action where it is not the operation's name.
ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
SELF_MANAGED = "stackSets: {region: eu-west-1}\n"
HEAD = f"{SELF_MANAGED}prefix: art\nsurveyRole: {ROLE}\ntags: {{team: net}}\n"
SERVICE_MANAGED = (
    "stackSets: {region: eu-west-1, permissions: service-managed, callAs: DELEGATED_ADMIN, organizationalUnits: [r-a1b2]}\n"
    "organization: o-a1b2c3d4e5\n"
)


@cache
def small_template():
    """The parameters of the real one, which are what the fleet is about."""
    parameters = read_file(str(TEMPLATE), functions=True)["Parameters"]
    code = {name: {"Type": "String"} for name in ("ArtifactBucketPrefix", "ProbeArtifact", "PlannerArtifact")}
    return {"Parameters": parameters | code | {"ArtifactBucket": {"Type": "String", "Default": ""}}, "Resources": {}}


class World:
    """Accounts with clusters, a file of them, and the command."""

    def __init__(self, folder, cloud):
        self.folder, self.cloud, self.template = folder, cloud, small_template()
        self.head = HEAD
        self.clusters = {}

    def cluster(self, name, account=MEMBER, region="eu-west-1", subnets=2, **more):
        """In the account, and in the file."""
        ec2, eks = (self.client(service, account, region) for service in ("ec2", "eks"))
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24")["Subnet"]["SubnetId"] for i in range(subnets)]
        group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        network = {"subnetIds": made, "securityGroupIds": [group]}
        eks.create_cluster(
            name=name, version="1.35", roleArn=f"arn:aws:iam::{account}:role/e", resourcesVpcConfig=network
        )
        self.entry(name, account, region, **more)
        return made, vpc

    def by_hand(self, name, account=MEMBER, region="eu-west-1", **more):
        """In the file, with what would be read otherwise."""
        hand = {"subnets": [f"subnet-0a/{region}a", f"subnet-0b/{region}b"], "securityGroups": ["sg-0a"]}
        self.entry(name, account, region, **(hand | more))

    def entry(self, name, account=MEMBER, region="eu-west-1", **more):
        self.clusters[name] = {"name": name, "account": account, "region": region} | more

    def client(self, service, account, region="eu-west-1"):
        session = shared_session()
        if account == OWN:
            return session.client(service, region_name=region)
        keys = session.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/{ROLE}", RoleSessionName="test")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        key, secret, token = (keys["Credentials"][name] for name in names)
        return session.client(
            service, region_name=region, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token
        )

    def run(self, capsys=None, **consent):
        path = self.folder / "clusters.yaml"
        path.write_text(f"{self.head}clusters: {json.dumps(list(self.clusters.values()))}\n")
        waiting = Waiting(self.cloud.pause, self.cloud.now)
        known = {"yes": True} | consent
        code = fleet(
            lambda _region: self.cloud.session,
            str(path),
            architecture="arm64",
            consent=Consent(**known),
            template=self.template,
            waiting=waiting,
        )
        return code if capsys is None else (code, capsys.readouterr())

    def overrides(self, cluster):
        return self.cloud.instance(cluster)["ParameterOverrides"]

    def changes(self):
        """The calls that change something."""
        return [name for name, _ in self.cloud.requests if not name.startswith(("List", "Describe"))]


@pytest.fixture
def world(monkeypatch, tmp_path):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # in each account and region they take half a second
    write_built_zips(tmp_path)
    monkeypatch.setattr(artifacts_module, "BUILD", tmp_path)
    monkeypatch.setattr("botocore.loaders.create_loader", lambda *_: LOADER)
    # Moto applies a bucket policy without its conditions: what refuses connections without TLS would refuse all.
    monkeypatch.setattr("moto.s3.models.FakeBucket.get_permission", lambda *_: PermissionResult.NEUTRAL)
    with mock_aws():
        yield World(tmp_path, StackSetsOfAws(units={"r-a1b2": [MEMBER]}))


# -- one file, one command -----------------------------------------------------------------------------------


def test_two_clusters_of_an_account_and_region(world, capsys):
    """Each in a set of its own, with what was read in its account; a second run has nothing to do."""
    subnets, _ = world.cluster("prod")
    world.cluster("test")
    world.cluster("own", account=OWN, region="us-east-1")
    code, printed = world.run(capsys)
    assert code == 0
    assert world.cloud.instances() == {
        ("egressprobe", MEMBER, "eu-west-1"): "prod",
        ("egressprobe-2", MEMBER, "eu-west-1"): "test",
        ("egressprobe", OWN, "us-east-1"): "own",
    }
    overrides = world.overrides("prod")
    assert [text.partition("/")[0] for text in overrides["Subnets"].split(",")] == sorted(subnets)
    assert overrides["SecurityGroupIds"].startswith("sg-")
    assert (overrides["IpFamily"], overrides["AccessEntry"]) == ("ipv4", "true")
    assert printed.out.splitlines() == [
        f"created     prod ({MEMBER}, eu-west-1)",
        f"created     test ({MEMBER}, eu-west-1)",
        f"created     own ({OWN}, us-east-1)",
    ]
    assert "USD/MONTH" in printed.err
    world.cloud.requests.clear()
    code, printed = world.run(capsys)
    assert (code, world.changes()) == (0, [])
    assert printed.err.splitlines()[0] == f"StackSets egressprobe in account {OWN}, eu-west-1: self-managed"
    assert printed.err.splitlines()[1] == "3 unchanged"
    assert printed.err.splitlines()[-1] == "Nothing to change."


def test_the_table_fits_80_columns(world, capsys):
    """With names as people give them."""
    for name in ("payments-production", "search", "batch", "b"):
        world.by_hand(name)
    _, printed = world.run(capsys, only_show=True)
    table = printed.err.splitlines()
    assert any(line.startswith("    egressprobe-") for line in table), "the list of sets is wrapped"
    assert max(map(len, table)) <= 80
    assert table[1].split() == ["CHANGE", "CLUSTER", "ACCOUNT", "REGION", "STACK", "SET", "USD/MONTH"]


def test_a_third_cluster_moves_no_other(world):
    """Also when it is first in the file."""
    world.by_hand("b")
    world.by_hand("c")
    world.run()
    before = world.cloud.instances()
    world.by_hand("a")
    world.clusters = dict(sorted(world.clusters.items()))
    world.cloud.requests.clear()
    assert world.run() == 0
    assert world.changes() == ["CreateStackSet", "CreateStackInstances"]
    assert world.cloud.instances() == before | {("egressprobe-3", MEMBER, "eu-west-1"): "a"}


def test_a_removed_cluster_is_kept_until_it_is_pruned(world, capsys):
    """Deleting takes its own consent; its place is used by the next new one."""
    world.by_hand("a")
    world.by_hand("b")
    world.run()
    del world.clusters["a"]
    code, printed = world.run(capsys)
    assert (code, "not in file" in printed.err, "PRUNE=1" in printed.err) == (0, True, True)
    assert "a" in world.cloud.instances().values()
    assert world.run(prune=True) == 0
    assert list(world.cloud.instances().values()) == ["b"]
    world.by_hand("c")
    world.run()
    assert world.cloud.instances()["egressprobe", MEMBER, "eu-west-1"] == "c"


def test_a_subnet_keeps_its_slot(world, capsys):
    """By what is deployed: there is no state file."""
    made, vpc = world.cluster("prod")
    world.run()
    first = world.overrides("prod")["Subnets"].split(",")
    capsys.readouterr()
    ec2 = world.client("ec2", MEMBER)
    new = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24")["Subnet"]["SubnetId"] for i in (8, 9)]
    kept = first[1].partition("/")[0]
    eks = world.client("eks", MEMBER)
    eks.delete_cluster(name="prod")
    network = {"subnetIds": [kept, *new], "securityGroupIds": world.overrides("prod")["SecurityGroupIds"].split(",")}
    eks.create_cluster(name="prod", version="1.35", roleArn=f"arn:aws:iam::{MEMBER}:role/e", resourcesVpcConfig=network)
    code, printed = world.run(capsys)
    slots = [text.partition("/")[0] for text in world.overrides("prod")["Subnets"].split(",")]
    assert (code, slots[1], set(slots)) == (0, kept, {kept, *new})
    assert printed.out == f"updated     prod ({MEMBER}, eu-west-1)\n"
    assert "Subnets=subnet-" in printed.err
    assert kept in made


def test_parameters_of_all_and_of_one(world, capsys):
    """The set has those of all; taken out of the file, a parameter has the template's default again."""
    world.by_hand("a", parameters={"MetricDetail": "subnet"})
    world.head += "parameters: {LogRetentionDays: 90}\n"
    world.run()
    of_set = {one["ParameterKey"]: one["ParameterValue"] for one in world.cloud.sets["egressprobe"]["Parameters"]}
    assert (of_set["LogRetentionDays"], of_set["MetricDetail"], of_set["ClusterName"]) == ("90", "target", "none")
    assert world.overrides("a")["MetricDetail"] == "subnet"
    world.head = HEAD
    world.clusters["a"].pop("parameters")
    capsys.readouterr()
    code, printed = world.run(capsys)
    assert (code, "MetricDetail" in world.overrides("a")) == (0, False)
    assert "MetricDetail=as the set (was subnet)" in printed.err
    of_set = {one["ParameterKey"]: one["ParameterValue"] for one in world.cloud.sets["egressprobe"]["Parameters"]}
    assert of_set["LogRetentionDays"] == "30"


def test_the_plan_names_what_all_stacks_get(world, capsys):
    """A parameter that was taken out of the file too; another prefix replaces functions, and says so."""
    world.head = HEAD + "parameters: {MetricDetail: subnet}\n"
    world.by_hand("a")
    world.run()
    for content in world.cloud.sets.values():  # as by an older version
        content["Parameters"] = [one for one in content["Parameters"] if one["ParameterKey"] != "RolePath"]
    world.head = HEAD.replace("team: net", "team: sec") + "parameters: {NamePrefix: corp}\n"
    world.template = world.template | {"Description": "new"}
    capsys.readouterr()
    _, printed = world.run(capsys, only_show=True)
    lines = printed.err.splitlines()
    first = lines.index("StackSets: egressprobe (changed for all of its stacks)") + 1
    assert lines[first : first + 4] == [
        "    egressprobe: another template",
        "    egressprobe: MetricDetail=target (was subnet)",
        "    egressprobe: NamePrefix=corp (was egressprobe)",
        "    egressprobe: tag team=sec (was net)",
    ]
    assert "WARNING: another prefix replaces functions" in lines[first + 4]
    assert max(map(len, lines)) <= 80
    world.head = HEAD + "parameters: {MetricDetail: subnet}\n"
    world.clusters["a"]["parameters"] = {"NamePrefix": "corp"}
    _, printed = world.run(capsys, only_show=True)
    assert "    WARNING: another prefix replaces functions" in printed.err
    world.clusters["a"]["parameters"] = {}
    world.template = world.template | {"Description": ""}
    _, printed = world.run(capsys, only_show=True)
    assert "WARNING" not in printed.err


def test_pruning_what_may_be_a_typing_error(world, capsys):
    """The deployed cluster is not in the file, and one of its name is new."""
    world.by_hand("a")
    world.by_hand("b")
    world.run()
    world.clusters["a"]["region"] = "us-east-1"
    del world.clusters["b"]
    capsys.readouterr()
    _, printed = world.run(capsys, only_show=True, prune=True)
    assert [line for line in printed.err.splitlines() if "typing" in line] == [
        f"    the file has a ({MEMBER}, us-east-1): is that a typing error?"
    ]


def test_a_new_template_is_one_operation_of_each_set(world, capsys):
    """Not one of each cluster; what is not in the file gets it too."""
    for name in ("a", "b", "c"):
        world.by_hand(name)
    world.run()
    del world.clusters["c"]
    world.template = world.template | {"Description": "new"}
    world.cloud.requests.clear()
    capsys.readouterr()
    code, printed = world.run(capsys)
    assert (code, world.changes()) == (0, ["UpdateStackSet"] * 3)
    assert [line.split()[0] for line in printed.out.splitlines()] == ["upgraded", "upgraded", "not"]
    assert {one["Status"] for content in world.cloud.sets.values() for one in content["instances"].values()} == {
        "CURRENT"
    }


def test_targets_of_one_cluster(world):
    """A Planner of its own, in the bucket of its region; the others have the common one."""
    (world.folder / "t.yaml").write_text("targets: [{kind: webhook, name: w, url: 'https://w.example/'}]\n")
    world.by_hand("a", targets="t.yaml")
    world.by_hand("b", region="us-east-1")
    assert world.run() == 0
    key = world.overrides("a")["PlannerArtifact"]
    assert "PlannerArtifact" not in world.overrides("b")
    stored = shared_session().client("s3").get_object(Bucket="art-eu-west-1", Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(stored)) as archive:
        assert archive.read("x.py") == b"planner"
        assert json.loads(archive.read("egressprobe/planner/targets.json"))["targets"][0]["name"] == "w"
    in_the_other = (
        shared_session().client("s3", region_name="us-east-1").list_objects_v2(Bucket="art-us-east-1")["Contents"]
    )
    assert key not in [one["Key"] for one in in_the_other]
    world.cloud.requests.clear()
    assert (world.run(), world.changes()) == (0, [])


def test_service_managed_requests(world):
    """Exactly what AWS takes: an account within units, the delegated administrator, no automatic deployment."""
    world.by_hand("a")
    world.head = HEAD.replace(SELF_MANAGED, SERVICE_MANAGED)
    assert world.run() == 0
    [(_, made)] = world.cloud.calls("CreateStackSet")
    assert (made["PermissionModel"], made["AutoDeployment"]) == ("SERVICE_MANAGED", {"Enabled": False})
    assert made["Capabilities"] == ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
    assert made["ManagedExecution"] == {"Active": True}
    assert made["Tags"] == [{"Key": "team", "Value": "net"}]
    [(_, request)] = world.cloud.calls("CreateStackInstances")
    assert {key: value for key, value in request.items() if key not in ("OperationId", "ParameterOverrides")} == {
        "StackSetName": "egressprobe",
        "CallAs": "DELEGATED_ADMIN",
        "DeploymentTargets": {
            "OrganizationalUnitIds": ["r-a1b2"],
            "Accounts": [MEMBER],
            "AccountFilterType": "INTERSECTION",
        },
        "Regions": ["eu-west-1"],
    }
    assert all(request["CallAs"] == "DELEGATED_ADMIN" for _, request in world.cloud.requests)
    policy = json.loads(shared_session().client("s3").get_bucket_policy(Bucket="art-eu-west-1")["Policy"])
    assert "o-a1b2c3d4e5" in json.dumps(policy)


def test_self_managed_requests(world):
    """Accounts, the roles of the file, and the accounts as readers of the bucket."""
    world.by_hand("a")
    admin = f"arn:aws:iam::{OWN}:role/admin"
    roles = f"name: probes, administrationRole: '{admin}', executionRole: exec"
    world.head = HEAD.replace("region: eu-west-1", f"region: eu-west-1, {roles}")
    assert world.run() == 0
    [(_, made)] = world.cloud.calls("CreateStackSet")
    assert (made["AdministrationRoleARN"], made["ExecutionRoleName"]) == (admin, "exec")
    assert made["StackSetName"] == "probes"
    [(_, request)] = world.cloud.calls("CreateStackInstances")
    assert (request["Accounts"], "DeploymentTargets" in request, "CallAs" in request) == ([MEMBER], False, False)
    policy = json.loads(shared_session().client("s3").get_bucket_policy(Bucket="art-eu-west-1")["Policy"])
    [readers] = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    assert readers["Principal"]["AWS"] == [f"arn:aws:iam::{MEMBER}:root"]


# -- what goes wrong -----------------------------------------------------------------------------------------


def test_one_stack_fails_and_the_others_go_on(world, capsys):
    """Its line has AWS's reason; the next run tries it again."""
    world.by_hand("a")
    world.by_hand("b")
    world.cloud.failing["a"] = "Resource handler returned message:\n\x1b no addresses"
    code, printed = world.run(capsys)
    assert code == 1
    assert printed.out.splitlines() == [
        f"failed      a ({MEMBER}, eu-west-1): create: Resource handler returned message: no addresses",
        f"created     b ({MEMBER}, eu-west-1)",
    ]
    world.cloud.failing.clear()
    world.cloud.requests.clear()
    assert (world.run(), world.changes()) == (0, ["CreateStackInstances"])
    assert world.cloud.instances()["egressprobe", MEMBER, "eu-west-1"] == "a"


def test_an_upgrade_that_fails_for_one(world, capsys):
    """The others are upgraded, and the next run is about the one alone."""
    world.by_hand("a")
    world.by_hand("b", region="us-east-1")
    world.run()
    world.template = world.template | {"Description": "new"}
    world.cloud.failing["a"] = "denied by a policy"
    capsys.readouterr()
    code, printed = world.run(capsys)
    assert (code, printed.out.splitlines()) == (
        1,
        [
            f"failed      a ({MEMBER}, eu-west-1): upgrade: denied by a policy",
            f"upgraded    b ({MEMBER}, us-east-1)",
        ],
    )
    world.cloud.failing.clear()
    world.cloud.requests.clear()
    code, printed = world.run(capsys)
    assert (code, world.changes()) == (0, ["UpdateStackInstances"])
    assert "again, it failed before: denied by a policy" in printed.err


def test_a_cluster_that_cannot_be_read_is_left_as_it_is(world, capsys):
    """Neither deleted nor changed; the others go on, and the exit code is 1."""
    world.cluster("a")
    world.run()
    before = dict(world.overrides("a"))
    world.client("eks", MEMBER).delete_cluster(name="a")
    world.cluster("b")
    world.entry("elsewhere", account="444455556666")
    capsys.readouterr()
    code, printed = world.run(capsys, prune=True)
    assert (code, world.overrides("a")) == (1, before)
    lines = printed.out.splitlines()
    assert lines[0].startswith(
        f'not read    a ({MEMBER}, eu-west-1): "a" is not in this account and region; there are: b'
    )
    assert lines[1] == f"created     b ({MEMBER}, eu-west-1)"
    assert lines[2].startswith("not read    elsewhere (444455556666, eu-west-1): ")


def test_without_a_role_another_account_is_not_read(world, capsys):
    """Unless its subnets and groups are in the file."""
    world.head = f"{SELF_MANAGED}prefix: art\n"
    world.entry("a")
    world.entry("b", subnets=["subnet-0a/eu-west-1a"], securityGroups=["sg-0a", "sg-0b"])
    code, printed = world.run(capsys)
    assert code == 1
    assert "surveyRole is not in the file" in printed.out
    assert world.overrides("b")["Subnets"] == "subnet-0a/eu-west-1a"
    assert world.overrides("b")["SecurityGroupIds"] == "sg-0a,sg-0b"


def test_an_account_outside_of_the_units(world, capsys):
    """The operation succeeds and does nothing: that is a failure here."""
    world.head = HEAD.replace(SELF_MANAGED, SERVICE_MANAGED)
    world.by_hand("a", account=OWN)
    code, printed = world.run(capsys)
    assert code == 1
    assert "must be in the organizational units of the file" in printed.out


def test_an_account_that_left_the_units_keeps_its_stack(world, capsys):
    """The deletion reaches it no more: the line does not say deleted."""
    world.head = HEAD.replace(SELF_MANAGED, SERVICE_MANAGED)
    world.by_hand("a")
    world.run()
    del world.clusters["a"]
    world.cloud.units.clear()
    world.by_hand("b", account="444455556666")
    world.cloud.units["r-a1b2"] = ["444455556666"]
    capsys.readouterr()
    code, printed = world.run(capsys, prune=True)
    assert (code, "a" in world.cloud.instances().values()) == (1, True)
    assert f"failed      a ({MEMBER}, eu-west-1): delete: the operation reached no such account" in printed.out


def test_an_account_that_is_not_read_is_no_reader(world):
    """It may not exist, and S3 would refuse the policy for all others."""
    world.by_hand("a")
    world.entry("typo", account="444455556666")
    assert world.run() == 1
    policy = shared_session().client("s3").get_bucket_policy(Bucket="art-eu-west-1")["Policy"]
    assert (MEMBER in policy, "444455556666" in policy) == (True, False)


def test_memory_that_somebody_has_set_by_hand(world, capsys):
    """CloudFormation takes 512.0 as a number: it costs no traceback."""
    world.by_hand("a")
    world.run()
    world.overrides("a")["ProbeMemory"] = "512.0"
    code, printed = world.run(capsys, only_show=True)
    assert (code, "ProbeMemory=as the set (was 512.0)" in printed.err) == (0, True)


@pytest.mark.parametrize("code", ["OperationInProgressException", "Throttling"])
def test_a_set_that_is_busy_costs_time_alone(world, code):
    """Every call that changes something is refused some times first."""
    world.by_hand("a")
    world.by_hand("b")
    world.cloud.refusals[code] = 12
    assert world.run() == 0
    assert sorted(world.cloud.instances().values()) == ["a", "b"]
    assert world.cloud.clock >= 30


def test_a_call_that_was_cut_off_is_not_done_twice(world):
    """AWS accepted it, and its answer was lost: the same id is sent again."""
    world.by_hand("a")
    world.run()
    world.template = world.template | {"Description": "new"}
    world.clusters["a"]["parameters"] = {"MetricDetail": "subnet"}
    world.by_hand("b", region="us-east-1")
    world.cloud.lost_answers = {"UpdateStackSet", "CreateStackInstances", "UpdateStackInstances"}
    assert world.run() == 0
    begun = [one["action"] for one in world.cloud.operations.values()]
    assert sorted(begun) == ["CREATE", "CREATE", "UPDATE", "UPDATE_SET"]
    assert world.changes().count("UpdateStackSet") == 2


def test_what_stays_refused_is_reported(world, capsys):
    """A quota for example: its own line."""
    world.by_hand("a")
    world.run()
    world.by_hand("b", region="us-east-1")
    world.cloud.refusals["LimitExceededException"] = 99
    capsys.readouterr()
    code, printed = world.run(capsys)
    assert code == 1
    assert "LimitExceededException" in printed.out.splitlines()[1]


def test_ctrl_c_leaves_a_true_sentence_and_the_next_run_resumes(world, capsys):
    """What was begun goes on in AWS; the next run waits for it and begins nothing twice."""
    world.by_hand("a")
    world.by_hand("b")

    def interrupt():
        raise KeyboardInterrupt

    world.cloud.on_pause = interrupt
    code, printed = world.run(capsys)
    assert code == 130
    assert f"goes on in AWS  egressprobe: create of a ({MEMBER}, eu-west-1)" in printed.err
    assert "2 operations go on in AWS without this command, 0 stacks were not begun" in " ".join(printed.err.split())
    world.cloud.on_pause = lambda: None
    world.cloud.requests.clear()
    code, printed = world.run(capsys)
    assert (code, world.changes()) == (0, [])
    assert "egressprobe: waiting for 1 operation of an earlier run" in printed.err
    assert sorted(world.cloud.instances().values()) == ["a", "b"]


def test_ctrl_c_in_the_update_of_a_set(world, capsys):
    """The next run does what is left."""
    world.by_hand("a")
    world.run()
    world.template = world.template | {"Description": "new"}
    world.clusters["a"]["parameters"] = {"MetricDetail": "subnet"}

    def interrupt():
        raise KeyboardInterrupt

    world.cloud.on_pause = interrupt
    capsys.readouterr()
    code, printed = world.run(capsys)
    assert (code, "egressprobe: update of the StackSet and its stacks" in printed.err) == (130, True)
    assert "1 stacks were not begun" in printed.err.replace("\n", " ")
    world.cloud.on_pause = lambda: None
    world.cloud.requests.clear()
    assert (world.run(), world.changes()) == (0, ["UpdateStackInstances"])
    assert world.overrides("a")["MetricDetail"] == "subnet"


def test_ctrl_c_between_the_updates_of_two_sets(world, capsys):
    """Only what AWS still does is said to go on."""
    world.by_hand("a")
    world.by_hand("b")
    world.run()
    world.template = world.template | {"Description": "new"}
    pauses = []

    def interrupt():
        pauses.append(1)
        for one in world.cloud.operations.values():
            if one["set"] == "egressprobe" and one["status"] != "SUCCEEDED":
                one["status"] = "SUCCEEDED"
        raise KeyboardInterrupt

    world.cloud.on_pause = interrupt
    capsys.readouterr()
    code, printed = world.run(capsys)
    lines = [line for line in printed.err.splitlines() if "goes on in AWS" in line]
    assert (code, lines) == (130, ["  goes on in AWS  egressprobe-2: update of the StackSet and its stacks"])
    assert "1 operations go on in AWS" in printed.err


def test_a_deletion_that_fails(world, capsys):
    """The stack stays, unusable: a person decides, and nothing else touches it."""
    world.by_hand("a")
    world.run()
    entry = world.clusters.pop("a")
    world.by_hand("b", region="us-east-1")
    world.cloud.failing["a"] = "termination protection is enabled"
    capsys.readouterr()
    code, printed = world.run(capsys, prune=True)
    assert (code, "a (222233334444, eu-west-1): delete: termination protection" in printed.out) == (1, True)
    world.clusters["a"] = entry
    world.cloud.requests.clear()
    code, printed = world.run(capsys)
    assert (code, world.changes(), "--retain-stacks" in printed.err) == (1, [], True)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Parameters": {"Bucket": {"Type": "String"}}, "Resources": {}}),
        "Parameters: {Bucket: {Type: String}}\nResources: {}\n",
        '"text"',
    ],
)
def test_a_set_of_something_else(world, body):
    """Its instances would be overwritten, whether its template is JSON or YAML."""
    world.by_hand("a")
    world.cloud.sets["egressprobe"] = {
        "instances": {},
        "TemplateBody": body,
        "Parameters": [{"ParameterKey": "Bucket", "ParameterValue": "b"}],
        "PermissionModel": "SELF_MANAGED",
    }
    with pytest.raises(InputError, match="is a StackSet of something else"):
        world.run()
    assert world.changes() == []


def test_a_set_of_ours_with_a_template_in_yaml(world, capsys):
    """Somebody has updated it by hand: known by its parameters, and updated."""
    world.by_hand("a")
    world.run()
    world.cloud.sets["egressprobe"]["TemplateBody"] = "Resources: {}"
    capsys.readouterr()
    code, printed = world.run(capsys)
    assert (code, "    egressprobe: another template" in printed.err.splitlines()) == (0, True)


def test_a_set_of_the_other_permissions(world):
    world.by_hand("a")
    world.run()
    world.head = HEAD.replace(SELF_MANAGED, SERVICE_MANAGED)
    with pytest.raises(InputError, match='"egressprobe" was created as SELF_MANAGED'):
        world.run()


def test_a_set_that_deploys_by_itself(world):
    """Someone has turned it on: an account that joins the units would get a stack of no cluster."""
    world.head = HEAD.replace(SELF_MANAGED, SERVICE_MANAGED)
    world.by_hand("a")
    world.run()
    world.cloud.sets["egressprobe"]["AutoDeployment"] = {"Enabled": True}
    with pytest.raises(InputError, match='"egressprobe" deploys to new accounts by itself'):
        world.run()


# -- consent -------------------------------------------------------------------------------------------------


def test_check_changes_nothing(world, capsys):
    """Neither a bucket nor a set."""
    world.by_hand("a")
    code, printed = world.run(capsys, only_show=True, yes=False)
    assert (code, world.changes(), shared_session().client("s3").list_buckets()["Buckets"]) == (0, [], [])
    assert "create" in printed.err
    assert "Nothing was changed." in printed.err


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "expected"), [("y\n", 1), ("n\n", 0), ("", 0)])
def test_it_asks(world, monkeypatch, answer, expected):
    world.by_hand("a")
    monkeypatch.setattr(sys, "stdin", _Terminal(answer))
    assert world.run(yes=False) == 0
    assert len(world.cloud.instances()) == expected


def test_without_a_terminal_it_needs_yes(world, monkeypatch):
    world.by_hand("a")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(InputError, match="set YES=1"):
        world.run(yes=False)
    assert world.cloud.requests == []


# -- the command line, the real template ---------------------------------------------------------------------


def test_every_mistake_on_the_command_line(capsys, tmp_path):
    """Of the file, or else of all targets files; before anything is built."""
    file, targets = tmp_path / "c.yaml", tmp_path / "t.yaml"
    file.write_text(f"{SELF_MANAGED}clusters:\n- {{name: a, account: 1, region: x}}\n")
    assert main([str(file), "--check-file"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"egressprobe: {file}:3: clusters[0].account (a): expected a string, got a whole number; put it in quotes"
    ]
    file.write_text(f"{SELF_MANAGED}clusters: [{{name: a, account: '{OWN}', region: eu-west-1, targets: t.yaml}}]\n")
    targets.write_text("targets: [{kind: webhok, name: a}]\n")
    assert main([str(file), "--check-file"]) == 2
    assert f"egressprobe: {targets}:1: targets[0].kind (a): " in capsys.readouterr().err
    assert main([str(ROOT / "docs" / "examples" / "clusters.yaml"), "--check-file"]) == 0


def test_the_roles_are_enough_and_no_more(world, monkeypatch):
    """Each call is allowed by the administrator's policy or the survey role; each permission is used by a call."""
    calls, real = set(), BaseClient._make_api_call

    def recorded(client, operation, parameters):
        service = client.meta.service_model.signing_name
        calls.add(ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}"))
        return real(client, operation, parameters)

    world.by_hand("a")
    world.by_hand("b", region="us-east-1")
    world.entry("c")
    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", recorded)
        world.run()
        world.template = world.template | {"Description": "new"}
        del world.clusters["b"]
        world.clusters["a"]["parameters"] = {"MetricDetail": "subnet"}
        world.run(prune=True)
    policy = json.loads((ROOT / "deploy" / "fleet" / "administrator-policy.json").read_text())
    allowed = {action for statement in policy["Statement"] for action in actions(statement)}
    role = read_file(str(ROOT / "deploy" / "fleet" / "survey-role.yaml"), functions=True)["Resources"]["SurveyRole"]
    statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    survey = {action for statement in statements for action in actions(statement)}
    assert calls - {"sts:GetCallerIdentity"} <= allowed
    assert survey == {action for action in allowed if action.startswith(("eks:", "ec2:"))}
    tagging = {"cloudformation:TagResource", "cloudformation:UntagResource"}
    assert allowed - calls == tagging | {"ec2:DescribeSubnets"}  # the cluster of the survey is not there
    assert not any(action.endswith("*") for action in allowed)


def test_the_sample_of_the_documentation(world):
    """docs/fleet.md shows what the command prints."""
    payments = ("subnet-0a1b2c3d/eu-west-1a,subnet-0e4f5a6b/eu-west-1b", "subnet")
    test = ("subnet-0b1b2c3d/eu-west-1a,subnet-0c4f5a6b/eu-west-1b", "target")
    wanted = [
        WantedStack(
            name, "222233334444", "eu-west-1", {"ClusterName": name, "Subnets": subnets, "MetricDetail": detail}
        )
        for name, (subnets, detail) in (("payments", payments), ("payments-test", test))
    ]
    problem = '"search" is not in this account and region; there are: find'
    wanted.append(WantedStack("search", "333344445555", "us-east-1", {}, problem))
    text = plan_text(plan_fleet(wanted, [], sets=(), changed_sets=()), "egressprobe", {}, {})
    assert f"```console\n{text}\n```" in (ROOT / "docs" / "fleet.md").read_text(), text


def test_every_subnet_of_a_plan_is_shown_in_80_columns():
    """Also a subnet that an update appends: the lists are the same up to it."""
    subnets = [f"subnet-{number:017x}/eu-west-1{zone}" for number, zone in enumerate("abc")]
    names = {"ClusterName": "prod", "AlarmTopicArn": "arn:aws:sns:eu-west-1:111122223333:a-topic-with-a-long-name-1"}
    wanted = WantedStack("prod", "111122223333", "eu-west-1", names | {"Subnets": ",".join(subnets)})
    create = plan_text(plan_fleet([wanted], [], sets=(), changed_sets=()), "egressprobe", {}, {})
    before = {**names, "AlarmTopicArn": names["AlarmTopicArn"][:-1] + "2", "Subnets": ",".join(subnets[:2])}
    deployed = DeployedStack(1, "111122223333", "eu-west-1", before)
    update = plan_text(plan_fleet([wanted], [deployed], sets=(1,), changed_sets=()), "egressprobe", {}, {})
    assert max(map(len, [*create.splitlines(), *update.splitlines()])) <= 80
    listed = f"""\
    Subnets={subnets[0]},
      {subnets[1]},{subnets[2]}
"""
    assert listed in create
    assert (
        f"""{listed}    (was {subnets[0]},
      {subnets[1]})
"""
        in update
    )
    assert f"    AlarmTopicArn={names['AlarmTopicArn']}\n    (was {before['AlarmTopicArn']})\n" in update


@pytest.mark.thorough
def test_the_real_template_fits(world):
    """1 MB, 500 resources, 200 parameters, 4,096 bytes a value; botocore refuses a wrong request.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    world.template = expanded()
    world.by_hand("a")
    assert world.run() == 0
    text = world.cloud.sets["egressprobe"]["TemplateBody"]
    assert len(text.encode()) < 1_000_000
    assert "Transform" not in world.template
    assert len(world.template["Resources"]) <= 500
    assert len(world.template["Parameters"]) <= 200
    world.cloud.requests.clear()
    assert (world.run(), world.changes()) == (0, [])


def test_the_emulation_refuses_what_aws_would(world):
    """A field that the API does not have fails the test that sends it."""
    with pytest.raises(ParamValidationError):
        world.cloud.session.client("cloudformation").create_stack_set(StackSetName="x", ManagedExecution=True)
