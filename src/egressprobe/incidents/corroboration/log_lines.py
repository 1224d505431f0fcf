"""Failed calls of webhooks in the control plane's log group. Pure.

Two of its logs have them, where they are on:

- `api`, a line of kube-apiserver: `Failed calling webhook, failing closed NAME: ...`, or `failing open`
  (apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go, mutating/dispatcher.go);
- `audit`, an event with the annotation `failed-open.validating.webhook.admission.k8s.io/round_0_index_0` or
  `failed-open.mutation.webhook.admission.k8s.io/round_0_index_0`, whose value is the webhook's name; a fail-closed call
  is the response's message.

Objects in an audit event are what callers sent, so nothing but its annotations and its response is looked at.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from egressprobe.incidents.corroboration.facts import LoggedFailure
from egressprobe.model.text import with_ellipsis

# What FilterLogEvents is asked for: a line with any of these. An audit event has the second and third.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
FILTER = '?"Failed calling webhook" ?"failed calling webhook" ?"failed-open."'
_FAILED_OPEN = (
    "failed-open.validating.webhook.admission.k8s.io/",
    "failed-open.mutation.webhook.admission.k8s.io/",
)
_LINE = re.compile(r"Failed calling webhook, failing (open|closed) (\S{1,253}): (.*)", re.DOTALL)
_CALL = re.compile(r'failed calling webhook "([^"]{1,253})": (?:failed to call webhook: )?(.*)', re.DOTALL)
# CloudWatch Logs takes no event above 1 MB.
_MOST_CHARACTERS = 1_100_000
_MOST_TEXT = 300
_MOST_WEBHOOKS = 500


class _FailedCall(NamedTuple):
    source: str
    webhook: str
    closed: bool
    error: str


def logged_failures(events: Iterable[object]) -> tuple[LoggedFailure, ...]:
    """Of FilterLogEvents' `events`, by webhook; where both logs are on, the one that has more of it counts."""
    calls: dict[tuple[str, bool], dict[str, list[tuple[float, str]]]] = {}
    for event in events:
        fields: Mapping[str, Any] = event if isinstance(event, Mapping) else {}
        stamp = fields.get("timestamp")
        if not isinstance(stamp, int | float) or isinstance(stamp, bool) or not 0 <= stamp < 1e14:
            continue
        for call in _calls(fields.get("message")):
            key = (call.webhook, call.closed)
            if key in calls or len(calls) < _MOST_WEBHOOKS:
                calls.setdefault(key, {}).setdefault(call.source, []).append((stamp, call.error))
    return tuple(
        _summary(webhook, max(by_source.values(), key=len), closed=closed)
        for (webhook, closed), by_source in sorted(calls.items())
    )


def _summary(webhook: str, calls: list[tuple[float, str]], *, closed: bool) -> LoggedFailure:
    stamps = [stamp for stamp, _ in calls]
    error = next((error for _, error in sorted(calls, reverse=True) if error), "")
    return LoggedFailure(webhook, closed, len(calls), _time(min(stamps)), _time(max(stamps)), error)


def _calls(message: object) -> Iterator[_FailedCall]:
    if not isinstance(message, str) or len(message) > _MOST_CHARACTERS:
        return
    if message.lstrip().startswith("{"):
        yield from _audited(message)
        return
    line = _LINE.search(message)
    if line:
        call = _CALL.search(line[3])
        error = _text(call[2] if call else line[3])
        yield _FailedCall("api", _text(line[2]), closed=line[1] == "closed", error=error)


def _audited(message: str) -> Iterator[_FailedCall]:
    """One event of the stage ResponseComplete: a request has others before it."""
    try:
        event = msgspec.json.decode(message)
    except (ValueError, RecursionError):
        return
    if event.get("stage") != "ResponseComplete":
        return
    annotations = event.get("annotations")
    for key, name in annotations.items() if isinstance(annotations, dict) else ():
        if key.startswith(_FAILED_OPEN) and isinstance(name, str) and 0 < len(name) <= 253:
            yield _FailedCall("audit", _text(name), closed=False, error="")
    status = event.get("responseStatus")
    text = status.get("message") if isinstance(status, dict) and status.get("reason") == "InternalError" else None
    call = _CALL.search(text) if isinstance(text, str) else None
    if call:
        yield _FailedCall("audit", _text(call[1]), closed=True, error=_text(call[2]))


def _time(stamp: float) -> str:
    return datetime.fromtimestamp(stamp / 1000, UTC).isoformat(timespec="seconds")


def _text(text: str) -> str:
    """Printable, in one line, cut."""
    return with_ellipsis("".join(c if c.isprintable() else " " for c in text[: _MOST_TEXT + 1]).strip(), _MOST_TEXT)
