"""A Kubernetes bearer token for EKS: a presigned STS GetCallerIdentity URL. Making it sends nothing.

The API server's authenticator sends the URL to STS, which answers who signed it; it allows nothing else. A token is
valid for 15 minutes from its date. It is a secret all the same: it is never logged.

SigV4 with the signature in the query, https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html;
the form of the token is aws-iam-authenticator's (pkg/token/token.go).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

_PREFIX = "k8s-aws-v1."
_CLUSTER_HEADER = "x-k8s-aws-id"
_EXPIRES = 60  # seconds for which STS accepts the URL; the authenticator itself counts 15 minutes from the date
# Regions' first parts -> the DNS suffix of their partition; botocore/data/endpoints.json has them.
_SUFFIXES = {
    "cn": "amazonaws.com.cn",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "eu-isoe": "cloud.adc-e.uk",
    "us-isof": "csp.hci.ic.gov",
    "eusc": "amazonaws.eu",
}


class Credentials(NamedTuple):
    """AWS credentials; those of an IAM user have no session token."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r})"


def sts_host(region: str) -> str:
    """The regional endpoint of STS."""
    first, _, rest = region.partition("-")
    second = f"{first}-{rest.partition('-')[0]}"
    return f"sts.{region}.{_SUFFIXES.get(second) or _SUFFIXES.get(first) or 'amazonaws.com'}"


def make_token(credentials: Credentials, *, region: str, cluster: str, now: datetime) -> str:
    """A token for `cluster`, valid for 15 minutes from `now`."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/sts/aws4_request"
    host = sts_host(region)
    query = {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(_EXPIRES),
        "X-Amz-SignedHeaders": f"host;{_CLUSTER_HEADER}",
    }
    if credentials.session_token:
        query["X-Amz-Security-Token"] = credentials.session_token
    text = "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in sorted(query.items()))
    request = "\n".join(
        ("GET", "/", text, f"host:{host}", f"{_CLUSTER_HEADER}:{cluster}", "", f"host;{_CLUSTER_HEADER}", _sha256(""))
    )
    signed = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, _sha256(request)))
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, signed.encode(), "sha256").hex()
    url = f"https://{host}/?{text}&X-Amz-Signature={signature}"
    return _PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def tokens(
    credentials: Callable[[], Credentials],
    *,
    region: str,
    cluster: str,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Callable[[], str]:
    """A function that makes a new token at each call, with the credentials of that moment."""
    return lambda: make_token(credentials(), region=region, cluster=cluster, now=clock())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
