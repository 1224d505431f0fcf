"""A message within the size that SNS and EventBridge accept. Pure.

SNS accepts 256 KB of message and attributes, PutEvents 256 KB of all entries; the integrations and the JSON around the
detail need some. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.incidents.messages.safe import shortened
from egressprobe.incidents.model import IncidentMessage, ObservedCause
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.text import valid

MAX_DETAIL = 200_000
# Of what is left for the message itself; the integrations are bounded by their own limits.
_MAX_MESSAGE = 140_000
# Characters of a name, items of a list, characters of an address and of the text, where nothing else suffices.
_MAX_NAME, _MOST_ITEMS, _MAX_LINK = 100, 20, 8_000
# In turn, until it fits: how many targets, objects of each, other items, characters of a text.
_STEPS = ((200, 20, 200, 4_000), (200, 5, 100, 1_000), (100, 2, 50, 500), (50, 1, 20, 300), (20, 0, 10, 200))


def with_bounds(message: IncidentMessage) -> IncidentMessage:
    """The message, cut where it is too large; its notes say what was cut."""
    message = msgspec.convert(valid(msgspec.to_builtins(message)), IncidentMessage)
    smaller = message
    for targets, objects, items, characters in _STEPS:
        smaller = replace(
            message,
            cause=_cut(message.cause, targets, objects, items, characters),
            changes=message.changes[:items],
            notes=_notes(message, targets, items, characters),
        )
        if len(msgspec.json.encode(smaller)) <= _MAX_MESSAGE:
            return smaller
    return _with_short_texts(smaller)


def _with_short_texts(message: IncidentMessage) -> IncidentMessage:
    """Names and ids may be long. A message that is refused for its size never arrives."""
    content = msgspec.to_builtins(message)
    for field in ("cause", "changes", "owner", "replaces", "code"):
        content[field] = _short(content[field])
    content["links"] = [link for link in content["links"] if len(link["url"]) <= _MAX_LINK]
    content["text"] = shortened(content["text"], _MAX_LINK)
    return msgspec.convert(content, IncidentMessage)


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_short(item) for item in value[:_MOST_ITEMS]]
    return shortened(value, _MAX_NAME) if isinstance(value, str) else value


def _cut(cause: ObservedCause, targets: int, objects: int, items: int, characters: int) -> ObservedCause:
    steps = cause.remedy_steps
    if isinstance(steps, RemedySteps) and len(msgspec.json.encode(steps)) > characters * 10:
        steps = msgspec.UNSET
    listed = tuple(
        replace(target, objects=target.objects[:objects], affects=shortened(target.affects, characters))
        for target in cause.targets[:targets]
    )
    return replace(
        cause,
        targets=listed,
        where=cause.where[:items],
        evidence=tuple(shortened(text, characters) for text in cause.evidence[:items]),
        unknown=tuple(shortened(text, characters) for text in cause.unknown[:items]),
        path=cause.path[:items],
        remedy=shortened(cause.remedy, characters * 4),
        remedy_steps=steps,
    )


def _notes(message: IncidentMessage, targets: int, items: int, characters: int) -> tuple[str, ...]:
    cut = []
    if len(message.cause.targets) > targets:
        cut.append(f"{targets} of {len(message.cause.targets)} targets are listed")
    small = _cut(message.cause, targets, 10**6, items, characters)
    if replace(small, targets=()) != replace(message.cause, targets=()) or len(message.changes) > items:
        cut.append("long lists and texts were cut to fit the message")
    return (*(shortened(note, characters) for note in message.notes[:items]), *cut)
