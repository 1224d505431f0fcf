"""Answers of AWS that are refused, late, lost or not AWS's: waiting goes on, and the rest is one line."""

import base64
import hashlib
import io
import json
import os
import sys

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber
from moto import mock_aws
from moto.iam.access_control import PermissionResult

from egressprobe.model.errors import AwsError, InputError
from egressprobe.stack import artifacts
from egressprobe.stack import deploy as deploying
from egressprobe.stack import destroy as destroying
from egressprobe.stack.__main__ import main
from egressprobe.stack.cloudformation import Existing, outputs, read_stack, wait, wait_until_deleted
from egressprobe.stack.fleet_dashboard.__main__ import main as fleet_dashboard_main
from egressprobe.stack.subscribers import after_deployment, before_deployment
from egressprobe.stack.survey import read_survey
from tests.conftest import ROOT
from tests.support.aws.fake_aws import ENVIRONMENT

REGION = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
OWNER = "123456789012"


def client_answering(service, status, body, content_type="text/xml", **more):
    """A client whose every call gets this HTTP answer; nothing is sent."""
    client = boto3.client(service, **(REGION | more))

    def answer(request, **_):
        raw = io.BytesIO(body.encode())
        raw.stream = lambda **_: iter([body.encode()])
        return AWSResponse(request.url, status, {"content-type": content_type}, raw)

    client.meta.events.register("before-send", answer)
    return client


class Session:
    """boto3's session with prepared clients."""

    region_name = "eu-west-1"

    def __init__(self, **clients):
        self._clients = clients

    def client(self, name, **_):
        return self._clients[name]


@pytest.mark.parametrize("code", ["Throttling", "RequestLimitExceeded", "ServiceUnavailable", "InternalFailure"])
@pytest.mark.parametrize("there", [False, True])
def test_throttling_while_waiting_is_not_a_failure(code, there):
    """The stack goes on by itself; the next look decides."""
    client, pauses = boto3.client("cloudformation", **REGION), []
    done = "UPDATE_COMPLETE" if there else "CREATE_COMPLETE"
    with Stubber(client) as stub:
        for step in (code, "UPDATE_IN_PROGRESS", code, code, done):
            if step == code:
                stub.add_client_error(
                    "describe_stacks", code, "slow down", 503 if code == "ServiceUnavailable" else 400
                )
            else:
                stub.add_response("describe_stacks", {"Stacks": [_stack(step)]})
        wait(client, "s", Existing({}, there=there), pauses.append)
    assert len(pauses) == 4


def test_waiting_without_any_answer_says_that_the_operation_goes_on():
    class Throttled:
        def describe_stacks(self, StackName):  # noqa: N803
            client.describe_stacks(StackName=StackName)

    client = client_answering("cloudformation", 200, "<html>proxy</html>")
    pauses = []
    with pytest.raises(AwsError, match=r"no answer from CloudFormation .*the operation goes on without this command"):
        wait(Throttled(), "s", Existing({}, there=True), pauses.append)
    assert len(pauses) == 239


def test_a_refusal_that_stays_ends_the_wait_at_once():
    client = boto3.client("cloudformation", **REGION)
    with Stubber(client) as stub:
        stub.add_client_error("describe_stacks", "AccessDenied", "no", 403)
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            wait(client, "s", Existing({}, there=True), lambda _: None)


def test_a_stack_that_is_no_longer_listed_is_deleted():
    client = boto3.client("cloudformation", **REGION)
    with Stubber(client) as stub:
        stub.add_client_error("describe_stacks", "Throttling", "slow down")
        stub.add_client_error("describe_stacks", "ValidationError", "Stack with id s does not exist")
        assert wait_until_deleted(client, "s", 1, 5, lambda _: None)
        stub.add_response("describe_stacks", {"Stacks": [_stack("DELETE_FAILED")]})
        assert not wait_until_deleted(client, "s", 1, 5, lambda _: None)


def _stack(status):
    return {"StackName": "s", "CreationTime": "2026-11-26", "StackStatus": status}


@pytest.mark.parametrize("body", ["<html><body>Sign in</body></html", "no XML\nat all", "", "{}"])
@pytest.mark.parametrize("status", [200, 302, 407, 503])
def test_an_answer_that_is_not_awss_is_one_line(monkeypatch, capsys, body, status):
    """A captive portal, a proxy: of every command that asks AWS, exit 1 and no traceback."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    services = ("sts", "eks", "ec2", "cloudformation")
    session = Session(**{name: client_answering(name, status, body, "text/html") for name in services})
    session.get_credentials = object
    monkeypatch.setattr("egressprobe.stack.__main__.session_of", lambda region: session)
    for command in (["check", "prod"], ["deploy", "prod", "--yes"], ["destroy", "prod", "--yes"]):
        assert main(command) in (1, 2)
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("egressprobe: ")


@pytest.mark.parametrize(
    ("answer", "lacking"), [({}, "Stacks.0"), ({"Stacks": []}, "Stacks.0"), ({"Stacks": [{}]}, "StackStatus")]
)
def test_fields_that_aws_always_sends_and_this_answer_lacks(answer, lacking):
    class Formation:
        real = boto3.client("cloudformation", **REGION)
        exceptions, meta = real.exceptions, real.meta

        def describe_stacks(self, StackName):  # noqa: N803
            return answer

    with pytest.raises(AwsError, match=f"DescribeStacks's answer lacks {lacking}"):
        read_stack(Formation(), "s")
    with pytest.raises((AwsError, InputError), match=r"Stacks|PlannerFunction"):
        outputs(Formation(), "s")


@pytest.mark.parametrize(
    ("cluster", "subnets", "lacking"),
    [
        ({}, {}, "DescribeCluster's answer lacks cluster"),
        ({"cluster": {}}, {}, "lacks the subnets of prod"),
        (
            {"cluster": {"resourcesVpcConfig": {"subnetIds": ["subnet-a"]}}},
            {},
            "DescribeSubnets's answer lacks Subnets",
        ),
        ({"cluster": {"resourcesVpcConfig": {"subnetIds": ["a"], "vpcId": "v"}}}, {"Subnets": [{}]}, "lacks SubnetId"),
    ],
)
def test_a_survey_of_answers_that_lack_fields(cluster, subnets, lacking):
    class Aws:
        exceptions = boto3.client("eks", **REGION).exceptions

        def describe_cluster(self, name):
            return cluster

        def describe_subnets(self, **_):
            return subnets

    with pytest.raises(AwsError, match=lacking):
        read_survey(Aws(), Aws(), "prod")


# -- the bucket ----------------------------------------------------------------------------------------------


@pytest.fixture
def s3(monkeypatch):
    """Moto's S3, and every call's parameters."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # Moto applies a bucket policy without its conditions: what refuses connections without TLS would refuse all.
    monkeypatch.setattr("moto.s3.models.FakeBucket.get_permission", lambda *_: PermissionResult.NEUTRAL)
    with mock_aws():
        client, calls = boto3.client("s3"), []
        client.meta.events.register(
            "before-parameter-build.s3", lambda params, model, **_: calls.append((model.name, params))
        )
        yield client, calls


def _session(client):
    return Session(s3=client, sts=boto3.client("sts"))


BUILT = {"ProbeArtifact": ("egressprobe/probe-1.zip", b"ours")}


def test_every_call_names_the_owner_and_the_bucket_is_private(s3):
    """CreateBucket alone takes no owner: it makes one."""
    client, calls = s3
    artifacts.upload(_session(client), "art", "eu-west-1", BUILT)
    assert {name for name, params in calls if params.get("ExpectedBucketOwner") != OWNER} == {"CreateBucket"}
    blocked = client.get_public_access_block(Bucket="art-eu-west-1")["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4
    assert all(blocked.values())
    [statement] = json.loads(client.get_bucket_policy(Bucket="art-eu-west-1")["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert statement["Resource"] == ["arn:aws:s3:::art-eu-west-1", "arn:aws:s3:::art-eu-west-1/*"]


def test_a_strangers_bucket_is_refused_before_anything_is_sent(s3):
    client, calls = s3

    def not_ours(params, model, **_):
        if model.name != "CreateBucket":
            return AWSResponse("https://x", 403, {}, io.BytesIO()), {"Error": {"Code": "403"}}
        return None

    client.meta.events.register("before-call.s3", not_ours)
    with pytest.raises(InputError, match="does not belong to this account"):
        artifacts.upload(_session(client), "art", "eu-west-1", BUILT)
    assert [name for name, _ in calls] == ["HeadBucket"]


def test_an_object_with_other_bytes_is_replaced(s3):
    client, _ = s3
    client.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_object(Bucket="mine", Key="egressprobe/probe-1.zip", Body=b"a stranger's")
    artifacts.upload(_session(client), "art", "eu-west-1", BUILT, bucket="mine")
    assert client.get_object(Bucket="mine", Key="egressprobe/probe-1.zip")["Body"].read() == b"ours"


@pytest.mark.parametrize("body", [b"ours", b"a stranger's", None])
def test_only_an_object_whose_stored_checksum_is_ours_is_used(monkeypatch, body):
    """S3 computes the checksum of what it stores; an old object has none. Moto returns none, so by a stub."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", **REGION)
    place = artifacts.Bucket("mine", "eu-west-1", OWNER, given=True)
    checksum = {} if body is None else {"ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
    with Stubber(client) as stub:
        stub.add_response("head_object", checksum)
        if body != b"ours":
            stub.add_response("put_object", {})
        artifacts._put(client, place, "k", b"ours")
        stub.assert_no_pending_responses()


def test_ones_own_bucket_keeps_its_settings_and_must_exist(s3):
    client, calls = s3
    with pytest.raises(InputError, match="BUCKET: the bucket mine does not belong"):
        artifacts.upload(_session(client), "art", "eu-west-1", BUILT, bucket="mine")
    client.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    calls.clear()
    assert artifacts.upload(_session(client), "art", "eu-west-1", BUILT, bucket="mine").name == "mine"
    assert {name for name, _ in calls} == {"HeadBucket", "HeadObject", "PutObject"}


# -- whose stack, who is notified ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_a_stack_of_another_cluster_is_refused(monkeypatch, command):
    """The names a_b and a-b give the same stack name; nothing is built, uploaded or deleted."""
    existing = Existing({"ClusterName": "a_b"}, there=True)
    monkeypatch.setattr(deploying, "read_stack", lambda *_: existing)
    monkeypatch.setattr(destroying, "read_stack", lambda *_: existing)
    monkeypatch.setattr(deploying, "read_survey", lambda *_: None)
    session = Session(eks=None, ec2=None, cloudformation=None)
    run = {
        "deploy": lambda: deploying.check_before_build(session, "a-b", "egressprobe-a-b"),
        "destroy": lambda: destroying.destroy(session, stack="egressprobe-a-b", yes=True, cluster="a-b"),
    }[command]
    with pytest.raises(InputError, match='"egressprobe-a-b" belongs to the cluster "a_b", not to "a-b"; set STACK='):
        run()


def test_a_stack_without_a_subscriber_is_warned_about_before():
    silent = {"AlarmTopicArn": "", "AlarmEmail": "", "NoticeTopicArn": "arn:x", "TargetNotifications": "true"}
    assert any("WARNING: pages reach no person" in line for line in before_deployment(silent))
    assert any("after it is confirmed" in line for line in before_deployment(silent | {"AlarmEmail": "a@example.com"}))
    given = silent | {"AlarmTopicArn": "arn:y"}
    for mode, way in (("causes", "docs/messages.md"), ("true", "TargetNotifications=notices")):
        [line] = before_deployment(given | {"TargetNotifications": mode})
        assert way in line
    assert before_deployment(given | {"TargetNotifications": "notices"}) == []


@pytest.mark.parametrize(
    ("subscriptions", "warnings"),
    [
        ([], ["pages reach no person"]),
        ([("a@example.com", "PendingConfirmation")], ["a@example.com has not confirmed", "pages reach no person"]),
        ([("a@example.com", "PendingConfirmation"), ("https://x", "arn:1")], ["a@example.com has not confirmed"]),
        ([("https://x", "arn:1")], []),
        (None, ["could not be read"]),
    ],
)
def test_and_after(subscriptions, warnings):
    client = boto3.client("sns", **REGION)
    with Stubber(client) as stub:
        if subscriptions is None:
            stub.add_client_error("list_subscriptions_by_topic", "AuthorizationError", "no", 403)
        else:
            listed = [{"Endpoint": endpoint, "SubscriptionArn": arn} for endpoint, arn in subscriptions]
            stub.add_response("list_subscriptions_by_topic", {"Subscriptions": listed})
        lines = after_deployment(Session(sns=client), "arn:topic")
    assert len(lines) == len(warnings)
    assert all(warning in line for warning, line in zip(warnings, lines, strict=True))


@pytest.mark.parametrize(
    "run",
    [
        lambda: main(["roles", "*", "--account", "111122223333", "--region", "eu-west-1"]),
        lambda: fleet_dashboard_main(
            [str(ROOT / "docs/examples/clusters.yaml"), "--print", "--account", "111122223333", "--region", "eu-west-1"]
        ),
    ],
    ids=["roles", "fleet_dashboard"],
)
def test_a_reader_that_is_gone_is_no_traceback(run, monkeypatch, capsys):
    """As of `| head`: nothing more is printed, neither by the command nor by the interpreter at its end."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert run() == 1
    assert capsys.readouterr().err == ""
