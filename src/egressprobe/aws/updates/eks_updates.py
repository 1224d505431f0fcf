"""EKS as the switch of the egress mode uses it: the cluster, its updates, and the one call that changes it.

An error of `start` says whether the request was carried out: `CallRefusedError` that it was not, `NoAnswerError` that
it may have been. Nothing here retries `start`, so that each request that leaves this computer is known.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from egressprobe.aws.eks import UNKNOWN_MODE, supports_egress_mode
from egressprobe.model.errors import AwsError, InputError

ROUTED = "CUSTOMER_ROUTED"
# https://docs.aws.amazon.com/eks/latest/userguide/control-plane-egress.html: "The update type is".
EGRESS_UPDATE = "ControlPlaneEgressUpdate"
IN_PROGRESS, SUCCESSFUL, FAILED, CANCELLED = "InProgress", "Successful", "Failed", "Cancelled"
FINAL = frozenset({SUCCESSFUL, FAILED, CANCELLED})
_SERVER_ERROR, _REQUEST_TIMEOUT = 500, 408
NOT_FOUND = "ResourceNotFoundException"
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
# Seconds. A person waits for the true state after an interruption.
_CONNECT, _READ, _ATTEMPTS = 10, 20, 4
# An id that no update has, to try the permission to describe one.
_NO_UPDATE = "00000000-0000-0000-0000-000000000000"


class CallRefusedError(AwsError):
    """EKS refused the request, or it was never sent: nothing changed. code: AWS's, empty where it was not sent."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code

    @property
    def throttled(self) -> bool:
        """Whether the same request may be accepted a little later."""
        return self.code in _THROTTLED


class NoAnswerError(AwsError):
    """No answer that can be understood: the request may have been carried out."""


class EksCluster(NamedTuple):
    """DescribeCluster. mode: controlPlaneEgressMode, `unknown` where EKS does not report it; any value is passed on."""

    name: str
    arn: str
    status: str
    mode: str


class EksUpdate(NamedTuple):
    """DescribeUpdate. created_at: ISO 8601, empty where it is not reported. errors: one line each."""

    id: str
    type: str
    status: str
    created_at: str = ""
    errors: tuple[str, ...] = ()


class EksUpdates:
    """The calls about one cluster. Each raises AwsError; `start` one of its two kinds above."""

    def __init__(self, session: Any, name: str) -> None:
        """session: boto3's, with a region. Raises InputError for a botocore that drops the mode."""
        from botocore.config import Config

        limits = {"connect_timeout": _CONNECT, "read_timeout": _READ}
        retried = Config(retries={"mode": "standard", "total_max_attempts": _ATTEMPTS}, **limits)
        self._eks = session.client("eks", config=retried)
        self._once = session.client("eks", config=Config(retries={"total_max_attempts": 1}, **limits))
        self._name = name
        if not supports_egress_mode(self._eks):
            raise InputError("botocore", "is older than controlPlaneEgressMode; pip install -U 'boto3>=1.43.33'")

    def cluster(self) -> EksCluster:
        """DescribeCluster."""
        raw = _read("eks:DescribeCluster", lambda: self._eks.describe_cluster(name=self._name)["cluster"])
        vpc = raw.get("resourcesVpcConfig") or {}
        return EksCluster(
            name=str(raw.get("name") or self._name),
            arn=str(raw.get("arn") or ""),
            status=str(raw.get("status") or "unknown"),
            mode=str(vpc.get("controlPlaneEgressMode") or UNKNOWN_MODE),
        )

    def update_ids(self) -> tuple[str, ...]:
        """ListUpdates, all pages, in no order (https://github.com/aws/containers-roadmap/issues/1439)."""

        def listed() -> list[str]:
            pages = self._eks.get_paginator("list_updates").paginate(name=self._name)
            return [str(update) for page in pages for update in page.get("updateIds") or []]

        return tuple(_read("eks:ListUpdates", listed))

    def update(self, update_id: str) -> EksUpdate:
        """DescribeUpdate."""
        answer = _read("eks:DescribeUpdate", lambda: self._eks.describe_update(name=self._name, updateId=update_id))
        return _update(answer.get("update") or {}, update_id)

    def check_permissions(self) -> None:
        """Whether an update could be followed. Raises AwsError where eks:DescribeUpdate is refused.

        An id that does not exist is ResourceNotFoundException to whoever may ask.
        """
        try:
            self.update(_NO_UPDATE)
        except CallRefusedError as error:
            if error.code != NOT_FOUND:
                raise

    def start(self, token: str) -> EksUpdate:
        """UpdateClusterConfig, once. token: makes a second request with it no second update."""
        from botocore.exceptions import ClientError

        try:
            answer = self._once.update_cluster_config(
                name=self._name, resourcesVpcConfig={"controlPlaneEgressMode": ROUTED}, clientRequestToken=token
            )
        except ClientError as error:
            status = (error.response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or _SERVER_ERROR
            if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
                raise NoAnswerError(_line(error)) from error
            raise _refused("eks:UpdateClusterConfig", error) from error
        except Exception as error:
            if isinstance(error, _never_sent()):
                raise CallRefusedError(_line(error)) from error
            raise NoAnswerError(_line(error)) from error
        update = answer.get("update") if isinstance(answer, dict) else None
        if not isinstance(update, dict) or not update.get("id"):
            raise NoAnswerError("UpdateClusterConfig's answer lacks update.id: is the endpoint AWS's?")
        return _update(update, str(update["id"]))


def _read[T](action: str, call: Callable[[], T]) -> T:
    """Every error of a call that only reads is an AwsError; a refusal has its code."""
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        raise _refused(action, error) from error
    except AwsError:
        raise
    except Exception as error:  # botocore raises whatever it runs into when it reads a proxy's page
        raise NoAnswerError(f"{action}: {_line(error)}") from error


def _refused(action: str, error: Any) -> CallRefusedError:
    code = str((error.response.get("Error") or {}).get("Code") or "")
    missing = f"; the permission {action} is missing" if code in _DENIED else ""
    return CallRefusedError(_line(error) + missing, code)


def _update(raw: dict[str, Any], update_id: str) -> EksUpdate:
    created: Any = raw.get("createdAt")
    return EksUpdate(
        id=str(raw.get("id") or update_id),
        type=str(raw.get("type") or "unknown"),
        status=str(raw.get("status") or "unknown"),
        created_at=created.isoformat() if isinstance(created, datetime) else "",
        errors=tuple(map(_error, raw.get("errors") or [])),
    )


def _error(raw: dict[str, Any]) -> str:
    ids = ", ".join(map(str, raw.get("resourceIds") or []))
    text = f"{raw.get('errorCode') or 'Unknown'}: {raw.get('errorMessage') or 'no message'}"
    return " ".join((f"{text} ({ids})" if ids else text).split())


def _line(error: Exception) -> str:
    """Without line breaks; the text of an unknown error may hold anything, so only its type."""
    from botocore.exceptions import BotoCoreError, ClientError

    known = isinstance(error, BotoCoreError | ClientError)
    return " ".join(str(error).split()) if known else f"the answer is not AWS's ({type(error).__name__})"


def _never_sent() -> tuple[type[Exception], ...]:
    """Errors of botocore before a request leaves: no credentials, no address, no connection."""
    from botocore import exceptions as botocore

    return (
        botocore.ConnectTimeoutError,
        botocore.CredentialRetrievalError,
        botocore.EndpointConnectionError,
        botocore.NoCredentialsError,
        botocore.NoRegionError,
        botocore.ParamValidationError,
        botocore.PartialCredentialsError,
        botocore.ProxyConnectionError,
        botocore.SSOError,
        botocore.TokenRetrievalError,
    )
