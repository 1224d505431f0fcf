"""Who may read the artifacts: of an organization or a list of accounts each principal, the objects alone, by TLS alone;
what the bucket's owner has written in its policy stays.
"""

import io
import json

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.iam.access_control import PermissionResult

from egressprobe.model.errors import InputError
from egressprobe.stack import artifacts
from egressprobe.stack.__main__ import main
from egressprobe.stack.access.bucket_policy import ArtifactReaders, bucket_policy, check_readers, reader_statements
from egressprobe.stack.package import package
from tests.support.aws.built_zips import write_built_zips
from tests.support.aws.fake_aws import ENVIRONMENT, Call
from tests.support.aws.iam import allowed

ORGANIZATION, MEMBER, OTHER = "o-a1b2c3d4e5", "111122223333", "444455556666"
BOTH = ArtifactReaders(ORGANIZATION, (MEMBER,))
BUILT = {"ProbeArtifact": ("egressprobe/probe-1.zip", b"ours")}
NAME = "art-eu-west-1"
OBJECT = f"arn:aws:s3:::{NAME}/egressprobe/probe-1.zip"
THEIRS = {
    "Sid": "Backup",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:role/backup"},
    "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"],
}


@pytest.fixture
def s3(monkeypatch, tmp_path):
    """Moto's S3, and the names of its calls; artifacts that are built."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    write_built_zips(tmp_path)
    # Moto applies a bucket policy without its conditions: what refuses connections without TLS would refuse all.
    monkeypatch.setattr("moto.s3.models.FakeBucket.get_permission", lambda *_: PermissionResult.NEUTRAL)
    with mock_aws():
        yield boto3.client("s3")


class Session:
    """boto3's session with one client of S3, whose calls are counted."""

    def __init__(self, s3):
        self.s3, self.calls = s3, []
        s3.meta.events.register("before-parameter-build.s3", lambda model, **_: self.calls.append(model.name))

    def client(self, name, **_):
        return self.s3 if name == "s3" else boto3.client(name)

    def get_partition_for_region(self, _):
        return "aws"


def policy_of(s3, bucket=NAME):
    return json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])


def may(policy, account, *, organization="", action="s3:GetObject", resource=OBJECT, tls="true"):
    """Whether a principal of another account may, by the policy."""
    context = {"aws:SecureTransport": tls} | ({"aws:PrincipalOrgID": organization} if organization else {})
    mine = ("*", f"arn:aws:iam::{account}:root")
    of_principal = [
        statement
        for statement in policy["Statement"]
        if statement["Principal"] == "*" or set(mine) & set(_listed(statement["Principal"]["AWS"]))
    ]
    return allowed(of_principal, Call(action, resource, tuple(context.items())))


def _listed(said):
    return [said] if isinstance(said, str) else said


def test_the_organization_and_the_accounts_read_the_objects_alone_and_by_tls(s3):
    artifacts.upload(Session(s3), "art", "eu-west-1", BUILT, readers=BOTH)
    policy = policy_of(s3)
    assert may(policy, MEMBER)
    assert may(policy, OTHER, organization=ORGANIZATION)
    assert not may(policy, OTHER)
    assert not may(policy, OTHER, organization="o-0000000000")
    for account, organization in ((MEMBER, ""), (OTHER, ORGANIZATION)):
        assert not may(policy, account, organization=organization, tls="false")
        for action in ("s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion"):
            assert not may(policy, account, organization=organization, action=action)
        assert not may(
            policy, account, organization=organization, action="s3:ListBucket", resource=f"arn:aws:s3:::{NAME}"
        )
        assert not may(policy, account, organization=organization, resource=f"arn:aws:s3:::{NAME}/other.zip")


def test_it_is_not_public_and_the_block_of_public_access_stays(s3):
    """Moto counts a statement for everyone without a condition as public. S3's list of fixed values is in the module."""
    artifacts.upload(Session(s3), "art", "eu-west-1", BUILT, readers=BOTH)
    assert s3.get_bucket_policy_status(Bucket=NAME)["PolicyStatus"]["IsPublic"] is False
    blocked = s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"]
    assert (len(blocked), all(blocked.values())) == (4, True)
    for statement in policy_of(s3)["Statement"]:
        if statement["Effect"] == "Allow" and statement["Principal"] == "*":
            [(operator, keys)] = statement["Condition"].items()
            assert (operator, list(keys)) == ("StringEquals", ["aws:PrincipalOrgID"])
            assert not set("*?$") & set(keys["aws:PrincipalOrgID"]), "a fixed value"


def test_what_the_owner_has_written_stays(s3):
    """Also its version and its ID; a second run with the same readers writes nothing."""
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    before = {"Version": "2008-10-17", "Id": "ours", "Statement": THEIRS}
    s3.put_bucket_policy(Bucket=NAME, Policy=json.dumps(before))
    session = Session(s3)
    artifacts.upload(session, "art", "eu-west-1", BUILT)
    assert policy_of(s3) == before, "without readers a policy that exists is not touched"
    artifacts.upload(session, "art", "eu-west-1", BUILT, readers=BOTH)
    after = policy_of(s3)
    assert (after["Version"], after["Id"], after["Statement"][0]) == ("2008-10-17", "ours", THEIRS)
    assert may(after, MEMBER)
    session.calls.clear()
    artifacts.upload(session, "art", "eu-west-1", BUILT, readers=BOTH)
    artifacts.upload(session, "art", "eu-west-1", BUILT)
    assert "PutBucketPolicy" not in session.calls
    assert policy_of(s3) == after


def test_readers_replace_earlier_readers(s3):
    session = Session(s3)
    artifacts.upload(session, "art", "eu-west-1", BUILT, readers=BOTH)
    artifacts.upload(session, "art", "eu-west-1", BUILT, readers=ArtifactReaders(accounts=(OTHER,)))
    policy = policy_of(s3)
    assert (may(policy, OTHER), may(policy, MEMBER), may(policy, "7" * 12, organization=ORGANIZATION)) == (1, 0, 0)
    assert len([one for one in policy["Statement"] if one["Effect"] == "Deny"]) == 1


statements_of_others = st.lists(
    st.fixed_dictionaries({"Effect": st.just("Allow")}, optional={"Sid": st.text(max_size=5)}), max_size=4
)
some_readers = st.builds(
    ArtifactReaders,
    st.sampled_from(["", ORGANIZATION]),
    st.lists(st.from_regex(r"\A[0-9]{12}\Z"), max_size=3, unique=True).map(tuple),
)


@settings(max_examples=40)
@given(statements_of_others, some_readers, some_readers)
def test_merging_keeps_others_and_settles(others, first, second):
    """The last readers count, whatever was there; once more changes nothing."""
    existing = {"Version": "2012-10-17", "Statement": others}
    once = bucket_policy("b", "aws", first, existing)
    twice = bucket_policy("b", "aws", second, once)
    assert twice == bucket_policy("b", "aws", second, existing) == bucket_policy("b", "aws", second, twice)
    assert twice["Statement"][: len(others)] == others
    assert existing == {"Version": "2012-10-17", "Statement": others}


@pytest.mark.parametrize(
    ("readers", "line"),
    [
        (ArtifactReaders("123456789012"), 'ORGANIZATION: "123456789012" is not one'),
        (ArtifactReaders("o-*"), 'ORGANIZATION: "o-\\*" is not one'),
        (ArtifactReaders("r-a1b2c3d4e5"), 'ORGANIZATION: "r-a1b2c3d4e5" is not one'),
        (ArtifactReaders(accounts=(MEMBER, "1234")), 'ACCOUNTS: "1234" is not an account'),
        (ArtifactReaders(accounts=("*",)), 'ACCOUNTS: "\\*" is not an account'),
        (ArtifactReaders(accounts=("\u0661" * 12,)), "is not an account"),
    ],
)
def test_what_is_no_id_is_refused_before_anything_is_made(s3, readers, line):
    session = Session(s3)
    with pytest.raises(InputError, match=line):
        artifacts.upload(session, "art", "eu-west-1", BUILT, readers=readers)
    assert session.calls == []
    assert check_readers(ArtifactReaders(accounts=(OTHER, MEMBER, OTHER))).accounts == (MEMBER, OTHER)


def test_an_account_that_does_not_exist_is_one_line(s3):
    """S3 checks a principal when the policy is written, and answers MalformedPolicy."""

    def refuse(**_):
        answer = {"Error": {"Code": "MalformedPolicy", "Message": "Invalid principal in policy"}}
        return AWSResponse("https://x", 400, {}, io.BytesIO()), answer

    s3.meta.events.register("before-call.s3.PutBucketPolicy", refuse)
    with pytest.raises(
        InputError, match=r"ACCOUNTS: S3 refuses .*Invalid principal in policy.* does each account exist"
    ):
        artifacts.upload(Session(s3), "art", "eu-west-1", BUILT, readers=BOTH)
    with pytest.raises(s3.exceptions.ClientError, match="MalformedPolicy"):
        artifacts.upload(Session(s3), "art", "eu-west-1", BUILT)


def test_package_lets_them_read_the_bucket_of_each_region(s3, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("egressprobe.stack.package.BUILD", tmp_path)
    session = boto3.Session()
    made = package(session, prefix="org", regions=["eu-west-1", "us-east-1"], readers=BOTH, build=tmp_path)
    assert made["uploaded"] == ["org-eu-west-1", "org-us-east-1"]
    for bucket in made["uploaded"]:
        key = f"arn:aws:s3:::{bucket}/{made['parameters']['ProbeArtifact']}"
        policy = policy_of(s3, bucket)
        assert may(policy, MEMBER, resource=key)
        assert may(policy, OTHER, organization=ORGANIZATION, resource=key)
    assert "policyStatements" not in made
    with pytest.raises(InputError, match="REGIONS: is missing"):
        package(session, prefix="org", regions=[], readers=BOTH, build=tmp_path)
    assert main(["package", "--prefix", "org", "--accounts", "12"]) == 2
    assert 'ACCOUNTS: "12" is not an account' in capsys.readouterr().err


def test_the_policy_of_ones_own_bucket_is_shown_and_not_written(s3, tmp_path, capsys, monkeypatch):
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    monkeypatch.setattr(
        "egressprobe.stack.package.package.__kwdefaults__", package.__kwdefaults__ | {"build": tmp_path}
    )
    asked = ["--bucket", "mine", "--organization", ORGANIZATION, "--accounts", MEMBER]
    assert main(["package", "--prefix", "org", "--regions", "eu-west-1", *asked]) == 0
    out, err = capsys.readouterr()
    made = json.loads(out)
    assert (made["uploaded"], made["parameters"]["ArtifactBucket"]) == (["mine"], "mine")
    assert made["policyStatements"] == reader_statements("mine", "aws", BOTH)
    assert err == "egressprobe: add policyStatements to the policy of mine: it is yours, and was not changed\n"
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="mine")
    assert s3.head_object(Bucket="mine", Key=made["parameters"]["ProbeArtifact"])
    assert main(["package", "--prefix", "org", "--regions", "eu-west-1", "us-east-1", *asked]) == 2
    assert "BUCKET: is for one region" in capsys.readouterr().err
