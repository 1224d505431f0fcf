"""How one list of AWS is asked: all its pages, and AWS's words where it refuses."""

from collections.abc import Callable, Sequence
from typing import Any

from egressprobe.audit.vpc.snapshot import Unread

_DENIED = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"})
# A region or partition that does not have it: then nobody can have used it there.
_NOT_HERE = frozenset({"InvalidAction", "UnsupportedOperation", "UnknownOperationException"})


class Refused(Exception):  # noqa: N818 (carries a word, is no error of ours)
    """unread: which action, in AWS's words. absent: AWS has no such thing here."""

    def __init__(self, unread: Unread, *, absent: bool = False) -> None:
        self.unread, self.absent = unread, absent


def every(client: Any, operation: str, field: str, **asked: Any) -> list[Any]:
    """What all pages list. Raises Refused."""
    return list(tried(client, operation, lambda: _pages(client, operation, field, asked)))


def _pages(client: Any, operation: str, field: str, asked: dict[str, Any]) -> Sequence[Any]:
    if client.can_paginate(operation):
        return [one for page in client.get_paginator(operation).paginate(**asked) for one in page.get(field) or []]
    return getattr(client, operation)(**asked).get(field) or []


def tried[T](client: Any, operation: str, read: Callable[[], T]) -> T:
    """What `read` brings. Raises Refused for whatever AWS and botocore may say instead."""
    from botocore.exceptions import BotoCoreError, ClientError

    action = _action(client, operation)
    try:
        return read()
    except ClientError as error:
        said = error.response.get("Error") or {}
        code = said.get("Code")
        unread = Unread("", action, f"{code}: {said.get('Message')}", code in _DENIED)
        raise Refused(unread, absent=code in _NOT_HERE) from error
    except (BotoCoreError, AttributeError, NotImplementedError) as error:
        # AttributeError: a botocore that does not have the operation yet.
        raise Refused(Unread("", action, str(error))) from error


def _action(client: Any, operation: str) -> str:
    """As an IAM policy names it."""
    service = client.meta.service_model.service_name
    name = client.meta.method_to_api_mapping.get(operation) or "".join(w.capitalize() for w in operation.split("_"))
    return f"{service}:{name}"
