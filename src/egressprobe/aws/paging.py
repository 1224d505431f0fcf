"""Reads one list of AWS: all its pages, and AWS's message where it refuses."""

from collections.abc import Callable, Sequence
from typing import Any

from egressprobe.audit.vpc.snapshot import Unread
from egressprobe.model.text import with_ellipsis

_MOST_TEXT = 300  # characters
_DENIED = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"})
# A region or partition that does not have the feature: then it cannot be in use there.
_NOT_HERE = frozenset({"InvalidAction", "UnsupportedOperation", "UnknownOperationException"})


# Where the prefix of IAM actions is not boto3's name of the service (Service Authorization Reference).
_IAM_PREFIXES = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}


class ReadRefused(Exception):  # noqa: N818 (an expected answer of AWS)
    """unread: the action and AWS's message. absent: the region does not have the feature."""

    def __init__(self, unread: Unread, *, absent: bool = False) -> None:
        self.unread, self.absent = unread, absent


def every(client: Any, operation: str, field: str, **parameters: Any) -> list[Any]:
    """The items of all pages. Raises ReadRefused."""
    return list(tried(client, operation, lambda: _pages(client, operation, field, parameters)))


def _pages(client: Any, operation: str, field: str, parameters: dict[str, Any]) -> Sequence[Any]:
    if client.can_paginate(operation):
        pages = client.get_paginator(operation).paginate(**parameters)
        return [item for page in pages for item in page.get(field) or []]
    return getattr(client, operation)(**parameters).get(field) or []


def tried[T](client: Any, operation: str, read: Callable[[], T]) -> T:
    """What `read` returns. Raises ReadRefused for every error of AWS and botocore."""
    from botocore.exceptions import BotoCoreError, ClientError

    action = _action(client, operation)
    try:
        return read()
    except ClientError as error:
        details = error.response.get("Error") or {}
        code = details.get("Code")
        unread = Unread("", action, f"{code}: {details.get('Message')}", code in _DENIED)
        raise ReadRefused(unread, absent=code in _NOT_HERE) from error
    except (BotoCoreError, AttributeError, NotImplementedError) as error:
        # AttributeError: a botocore that does not have the operation yet.
        raise ReadRefused(Unread("", action, str(error))) from error


def not_as_documented(error: Exception) -> str:
    """Why an answer cannot be understood, in one printable line."""
    text = f"AWS's answer is not as documented ({type(error).__name__}: {error})"
    return with_ellipsis("".join(c if c.isprintable() else " " for c in text), _MOST_TEXT)


def _action(client: Any, operation: str) -> str:
    """The IAM action, as a policy names it."""
    service = client.meta.service_model.service_name
    service = _IAM_PREFIXES.get(service, service)
    name = client.meta.method_to_api_mapping.get(operation) or "".join(w.capitalize() for w in operation.split("_"))
    return f"{service}:{name}"
