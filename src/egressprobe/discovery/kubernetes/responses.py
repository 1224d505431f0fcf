"""What an API server's answer to a list means: a page, or one of the ways in which there is none. Pure."""

from typing import Any, NamedTuple

import msgspec

from egressprobe.catalog.registry import FINDINGS
from egressprobe.discovery.kubernetes.resources import Resource
from egressprobe.net.urls import shown

_LONGEST_PAUSE = 5.0  # seconds
_PASSES = frozenset({429, 500, 502, 503, 504})


class ExpiredError(Exception):
    """The continue token is too old (410), or not taken: the list must be begun anew."""


class UnreadableError(Exception):
    """A list cannot be read, or not to its end: a finding's code and its words."""

    def __init__(self, code: str, said: str, evidence: dict[str, Any]) -> None:
        super().__init__(said)
        self.finding = FINDINGS[code].found(said, evidence)


class Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class _Status(msgspec.Struct):
    """A metav1.Status."""

    message: str = ""
    reason: str = ""


class TransientError(Exception):
    """May pass; with the words for when it does not, and how long the server asks to wait."""

    def __init__(self, said: str, pause: float = 0.0) -> None:
        super().__init__(said)
        self.pause = pause


def unreadable(resource: Resource, said: str) -> UnreadableError:
    return UnreadableError("LIST_UNREADABLE", f"{resource.plural}: {said}", {"path": resource.path})


def good_body(answer: Answer, resource: Resource, *, going_on: bool) -> bytes:
    """The page of a good answer. Raises what becomes of any other."""
    status = answer.status
    if status == 200:
        return answer.body
    said = _words(answer)
    if status == 410 or (status == 400 and going_on):
        raise ExpiredError(said)
    if status == 401:
        said = f"the API server refuses the token: {said}"
        raise UnreadableError("TOKEN_REFUSED", said, {"status": status})
    if status == 403:
        of = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        evidence = {"rule": {"apiGroups": [resource.group], "resources": [resource.plural], "verbs": ["get", "list"]}}
        raise UnreadableError("DISCOVERY_FORBIDDEN", f"discovery may not list {of}: {said}", evidence)
    if 300 <= status < 400:
        place = shown(answer.headers.get(b"location", b"").decode("latin-1"))
        raise unreadable(resource, f"redirects to {place}; not followed, because the token would go there")
    if status in _PASSES:
        raise TransientError(f"the API server answers {status}: {said}", _pause(answer))
    raise unreadable(resource, f"the API server answers {status}: {said}")


def _words(answer: Answer) -> str:
    try:
        found = msgspec.json.decode(answer.body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return answer.body[:200].decode("utf-8", "replace").strip() or "nothing more"
    return found.message[:500] or found.reason[:500] or "nothing more"


def _pause(answer: Answer) -> float:
    """Seconds that the server asks for (RFC 9110 section 10.2.3), as far as we have them."""
    text = answer.headers.get(b"retry-after", b"")
    return min(float(text), _LONGEST_PAUSE) if text.isdigit() else 0.0
