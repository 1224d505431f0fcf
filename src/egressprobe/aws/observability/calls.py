"""One call of AWS, with a refusal as one line that names the permission."""

from collections.abc import Callable
from typing import Any

from egressprobe.audit.vpc.snapshot import Unread
from egressprobe.aws.paging import ReadRefused, every, tried
from egressprobe.model.errors import AwsError

# Where IAM's action is not the operation's name.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket"}


class DeniedError(AwsError):
    """A permission is missing; the text names it."""


def called(client: Any, operation: str, **parameters: Any) -> Any:
    """The answer of one call. Raises AwsError, of which DeniedError."""
    return _read(lambda: tried(client, operation, lambda: getattr(client, operation)(**parameters)))


def listed(client: Any, operation: str, field: str, **parameters: Any) -> list[Any]:
    """The items of all pages. Raises AwsError."""
    items: list[Any] = _read(lambda: every(client, operation, field, **parameters))
    return items


def paged(client: Any, operation: str, **parameters: Any) -> list[Any]:
    """All pages. Raises AwsError."""
    pages: list[Any] = _read(
        lambda: tried(client, operation, lambda: list(client.get_paginator(operation).paginate(**parameters)))
    )
    return pages


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ReadRefused as refused:
        raise (DeniedError if refused.unread.denied else AwsError)(refusal_line(refused.unread)) from refused


def refusal_line(unread: Unread) -> str:
    """What was refused: the permission that is missing, or AWS's message."""
    action = _ACTIONS.get(unread.action, unread.action)
    text = " ".join(unread.error.split())
    if unread.denied:
        return f"the permission {action} is missing: {text}"
    return f"{action} failed: {text}"
