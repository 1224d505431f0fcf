"""Who may read the artifacts' bucket from other accounts: the statements, and their place in a policy that exists.

In a StackSet the code is read with the role that makes the functions: Lambda takes code from S3 with its caller's
permission `s3:GetObject` (schema of AWS::Lambda::Function, handlers), and the caller is the target account's
`stacksets-exec-*`, or its AWSCloudFormationStackSetExecutionRole where permissions are self-managed. Both are
principals of their own account, so an organization's ID or the account numbers admit them.

`Principal: "*"` with a fixed aws:PrincipalOrgID is not public: S3 names this key in its list of fixed values. Its
block of public policies stays on, and would refuse a policy that is public.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-custom-execution-role.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html (The meaning of "public")
"""

from typing import Any, NamedTuple

from egressprobe.model.errors import InputError
from egressprobe.stack.access.identifiers import ACCOUNT_ID, ORGANIZATION_ID

_VERSION = "2012-10-17"
_TLS, _ORGANIZATION, _ACCOUNTS = "TlsOnly", "EgressprobeReadByOrganization", "EgressprobeReadByAccounts"


class ArtifactReaders(NamedTuple):
    """Who may read the artifacts beside the bucket's account: an organization (`o-...`), accounts (12 digits each)."""

    organization: str = ""
    accounts: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        return bool(self.organization or self.accounts)


NO_READERS = ArtifactReaders()


def check_readers(readers: ArtifactReaders) -> ArtifactReaders:
    """`readers`, without repeated accounts. Raises InputError for what AWS would not accept as an ID."""
    if readers.organization and not ORGANIZATION_ID.fullmatch(readers.organization):
        example = "an organization's ID is like o-a1b2c3d4e5: aws organizations describe-organization"
        raise InputError("ORGANIZATION", f'"{readers.organization}" is not one; {example}')
    for account in readers.accounts:
        if not ACCOUNT_ID.fullmatch(account):
            raise InputError("ACCOUNTS", f'"{account}" is not an account; an account\'s ID has 12 digits')
    return readers._replace(accounts=tuple(sorted(set(readers.accounts))))


def bucket_policy(
    bucket: str, partition: str, readers: ArtifactReaders, existing: dict[str, Any] | None
) -> dict[str, Any]:
    """`existing` with our statements: the readers in place of earlier ones, all others as they are.

    existing: the bucket's policy; None: it has none.
    """
    ours = [_tls_only(bucket, partition), *reader_statements(bucket, partition, readers)]
    before = (existing or {}).get("Statement", [])
    listed = before if isinstance(before, list) else [before]
    own = {_TLS, _ORGANIZATION, _ACCOUNTS}
    others = [statement for statement in listed if statement.get("Sid") not in own]
    return {"Version": _VERSION} | (existing or {}) | {"Statement": others + ours}


def reader_statements(bucket: str, partition: str, readers: ArtifactReaders) -> list[dict[str, Any]]:
    """What lets the readers fetch our objects, and nothing else, of the bucket."""
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:{partition}:s3:::{bucket}/egressprobe/*"}
    statements: list[dict[str, Any]] = []
    if readers.organization:
        condition = {"StringEquals": {"aws:PrincipalOrgID": readers.organization}}
        statements.append({"Sid": _ORGANIZATION, "Principal": "*"} | allow | {"Condition": condition})
    if readers.accounts:
        roots = [f"arn:{partition}:iam::{account}:root" for account in readers.accounts]
        statements.append({"Sid": _ACCOUNTS, "Principal": {"AWS": roots}} | allow)
    return statements


def _tls_only(bucket: str, partition: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html"""
    arn = f"arn:{partition}:s3:::{bucket}"
    return {
        "Sid": _TLS,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
