"""The built zips and the template in a bucket that is known to be ours.

The default bucket's name, egressprobe-ACCOUNT-REGION, can be computed by a stranger, who may create it first. So every
call names the account that must own the bucket (ExpectedBucketOwner: S3 refuses with 403 otherwise), and an object
that exists is used only if its SHA-256, as S3 stores it, is that of the local file. The bucket is private, refuses
connections without TLS, and has S3's own encryption (SSE-S3, the default of every bucket), so that a reader in another
account needs no permission on a key.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from egressprobe.model.errors import InputError
from egressprobe.stack.access.bucket_policy import NO_READERS, ArtifactReaders, bucket_policy, check_readers
from egressprobe.stack.template import ARTIFACTS

BUILD = Path(__file__).parents[3] / "build"
_MISSING = ("404", "NoSuchBucket", "NotFound")
_NO_POLICY, _MALFORMED = "NoSuchBucketPolicy", "MalformedPolicy"


class Bucket(NamedTuple):
    """`given`: the user's own, whose settings stay as they are. owner: account that must own it."""

    name: str
    region: str
    owner: str
    given: bool = False


def artifacts(build: Path | None = None) -> dict[str, tuple[str, bytes]]:
    """Parameter of the template -> key, which is derived from the content, and the zip. Raises InputError."""
    artifacts = {}
    for uri, parameter in ARTIFACTS.items():
        path = (build or BUILD) / Path(uri).name
        if not path.exists():
            raise InputError(str(path), "is missing; make build ARCH=arm64")
        artifacts[parameter] = (artifact_key(path.stem, "zip", path.read_bytes()), path.read_bytes())
    return artifacts


def account(session: Any) -> str:
    """The caller's account. An empty one is refused by S3 as an owner. Raises botocore's exceptions."""
    return str(session.client("sts").get_caller_identity().get("Account", ""))


def upload(
    session: Any,
    prefix: str,
    region: str,
    built: dict[str, tuple[str, bytes]],
    *,
    bucket: str | None = None,
    readers: ArtifactReaders = NO_READERS,
) -> Bucket:
    """Uploads to PREFIX-REGION, or to a bucket of the user's own. Raises InputError for one that is not usable.

    readers: who else may read the artifacts in PREFIX-REGION; these replace earlier ones, and none leaves them as they
    are. The policy of a bucket of the user's own is not touched: `reader_statements` has what to add there.
    """
    readers = check_readers(readers)
    place = Bucket(bucket or f"{prefix}-{region}", region, account(session), given=bucket is not None)
    s3 = session.client("s3", region_name=region)
    _prepare(s3, place, readers)
    for key, data in built.values():
        _put(s3, place, key, data)
    return place


def upload_template(session: Any, place: Bucket, template: dict[str, Any]) -> str:
    """Its URL: the text is larger than a call takes."""
    s3 = session.client("s3", region_name=place.region)
    data = json.dumps(template, separators=(",", ":")).encode()
    key = artifact_key("template", "json", data)
    _put(s3, place, key, data)
    signed: str = s3.generate_presigned_url("get_object", Params={"Bucket": place.name, "Key": key})
    return signed.partition("?")[0]


def artifact_key(name: str, suffix: str, data: bytes) -> str:
    """The key of an object, derived from its content."""
    return f"egressprobe/{name}-{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"


def _put(s3: Any, place: Bucket, key: str, data: bytes) -> None:
    """Nothing is uploaded where the same bytes are there."""
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    where = {"Bucket": place.name, "Key": key, "ExpectedBucketOwner": place.owner}
    try:
        existing = s3.head_object(**where, ChecksumMode="ENABLED").get("ChecksumSHA256")
    except s3.exceptions.ClientError:
        existing = None
    if existing != digest:
        s3.put_object(**where, Body=data, ChecksumSHA256=digest)


def _prepare(s3: Any, place: Bucket, readers: ArtifactReaders) -> None:
    """The bucket exists, is the account's, and (unless it is the user's own) is private and takes TLS only."""
    owned = {"Bucket": place.name, "ExpectedBucketOwner": place.owner}
    try:
        s3.head_bucket(**owned)
    except s3.exceptions.ClientError as error:
        if place.given or _code(error) not in _MISSING:
            option = "BUCKET" if place.given else "PREFIX"
            reason = f"the bucket {place.name} does not belong to this account, or cannot be used by it ({error})"
            raise InputError(option, f"{reason}; choose another, or set BUCKET= to one of your own") from None
        location = {"CreateBucketConfiguration": {"LocationConstraint": place.region}}
        s3.create_bucket(Bucket=place.name, **({} if place.region == "us-east-1" else location))
    if place.given:
        return
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(**owned, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))
    _put_policy(s3, place, owned, readers)


def _put_policy(s3: Any, place: Bucket, owned: dict[str, str], readers: ArtifactReaders) -> None:
    """A policy that exists is the account's decision: without readers it stays as it is."""
    existing: dict[str, Any] | None = None
    try:
        existing = json.loads(s3.get_bucket_policy(**owned)["Policy"])
    except s3.exceptions.ClientError as error:
        if _code(error) != _NO_POLICY:
            raise
    policy = bucket_policy(place.name, s3.meta.partition, readers, existing)
    if policy == existing or (existing is not None and not readers.named):
        return
    try:
        s3.put_bucket_policy(**owned, Policy=json.dumps(policy))
    except s3.exceptions.ClientError as error:
        if _code(error) != _MALFORMED or not readers.named:
            raise
        text = f"S3 refuses the policy of {place.name} with them ({error}); does each account exist?"
        raise InputError("ORGANIZATION, ACCOUNTS", text) from None


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
