"""What an API server's response to a list request means: a page, or the reason why there is none. Pure."""

from typing import Any, NamedTuple

import msgspec

from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_cluster import DISCOVERY_FORBIDDEN, LIST_UNREADABLE, TOKEN_REFUSED
from egressprobe.discovery.kubernetes.resources import Resource
from egressprobe.net.urls import shown

_LONGEST_PAUSE = 5.0  # seconds
_TRANSIENT = frozenset({429, 500, 502, 503, 504})


class ExpiredError(Exception):
    """The continue token is too old (410), or not accepted: the list must be read again from its start."""


class UnreadableError(Exception):
    """A list cannot be read, or not to its end, with the finding."""

    def __init__(self, entry: FindingEntry, summary: str, evidence: dict[str, Any]) -> None:
        super().__init__(summary)
        self.finding = entry.found(summary, evidence)


class ListResponse(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class _Status(msgspec.Struct):
    """A metav1.Status."""

    message: str = ""
    reason: str = ""


class TransientError(Exception):
    """May not happen again. pause: seconds that the server asks to wait."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


def unreadable(resource: Resource, message: str) -> UnreadableError:
    return UnreadableError(LIST_UNREADABLE, f"{resource.plural}: {message}", {"path": resource.path})


def good_body(response: ListResponse, resource: Resource, *, going_on: bool) -> bytes:
    """The page of a response with status 200. Raises UnreadableError, ExpiredError or TransientError for any other.

    going_on: the request had a continue token.
    """
    status = response.status
    if status == 200:
        return response.body
    message = _message(response)
    if status == 410 or (status == 400 and going_on):
        raise ExpiredError(message)
    if status == 401:
        summary = f"the API server refuses the token: {message}"
        raise UnreadableError(TOKEN_REFUSED, summary, {"status": status})
    if status == 403:
        of = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        evidence = {"rule": {"apiGroups": [resource.group], "resources": [resource.plural], "verbs": ["list"]}}
        raise UnreadableError(DISCOVERY_FORBIDDEN, f"discovery may not list {of}: {message}", evidence)
    if 300 <= status < 400:
        location = shown(response.headers.get(b"location", b"").decode("latin-1"))
        raise unreadable(resource, f"redirects to {location}; not followed, because the token would go there")
    if status in _TRANSIENT:
        raise TransientError(f"the API server answers {status}: {message}", _pause(response))
    raise unreadable(resource, f"the API server answers {status}: {message}")


def _message(response: ListResponse) -> str:
    try:
        status = msgspec.json.decode(response.body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return response.body[:200].decode("utf-8", "replace").strip() or "no message"
    return status.message[:500] or status.reason[:500] or "no message"


def _pause(response: ListResponse) -> float:
    """Seconds of Retry-After (RFC 9110 section 10.2.3), at most _LONGEST_PAUSE."""
    text = response.headers.get(b"retry-after", b"")
    return min(float(text), _LONGEST_PAUSE) if text.isdigit() else 0.0
