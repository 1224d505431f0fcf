"""The text for people: fewer than 12 lines, at most 100 characters a line where commands and addresses allow. Pure.

Order: headline, cause, evidence, fix, what changed, links. What matters most is kept where there is too much.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from egressprobe.catalog.registry import lookup
from egressprobe.incidents.causes.evidence_lines import FOLLOWS, KEPT_CONNECTIONS
from egressprobe.incidents.messages.action import Advised
from egressprobe.incidents.messages.headline import changed
from egressprobe.incidents.messages.safe import clock, line
from egressprobe.incidents.model import Link, ObservedCause, Transition
from egressprobe.incidents.states.decisions import DueMessage

MAX_LINES = 11
MAX_WIDTH = 100
_MOST_SENTENCE = 2  # lines


class TextLine(NamedTuple):
    """weight: lines with the least are printed, in the order in which they are made."""

    weight: int
    text: str


def text_of(
    due: DueMessage,
    cause: ObservedCause,
    first: str,
    advised: Advised,
    links: Sequence[Link],
    notes: Sequence[str],
    now: str,
) -> str:
    """first: the headline."""
    lines = [TextLine(0, first), *_body(due, cause, advised, links, notes, now)]
    ranked = sorted(range(len(lines)), key=lambda index: lines[index].weight)
    printed = set(ranked[:MAX_LINES])
    return "\n".join(text for index, (_, text) in enumerate(lines) if index in printed)


def _body(
    due: DueMessage,
    cause: ObservedCause,
    advised: Advised,
    links: Sequence[Link],
    notes: Sequence[str],
    now: str,
) -> Iterator[TextLine]:
    over = due.transition is Transition.RECOVERED
    entry = lookup(cause.code)
    if entry is not None:
        yield TextLine(1, line(f"{'It was' if over else 'Cause'}: {cause.code}: {entry.summary}.", MAX_WIDTH))
    for old in due.replaces[:1]:
        yield TextLine(2, line(f"Replaces what was reported {clock(old.opened_at, now)}: {old.what}.", MAX_WIDTH))
    for number, text in enumerate(cause.evidence):
        low = text == KEPT_CONNECTIONS or text.startswith(FOLLOWS)
        yield TextLine(6 if low else 2 + number, line(text, MAX_WIDTH))
    for number, text in enumerate(cause.unknown):
        yield TextLine(2 if number == 0 and not cause.reproduced else 5, line(f"Unknown: {text}.", MAX_WIDTH))
    if due.incident.owner:
        yield TextLine(4, line(f"Owner: {due.incident.owner}", MAX_WIDTH))
    if not over:
        for text in textwrap.wrap(line(advised.title), MAX_WIDTH)[:_MOST_SENTENCE]:
            yield TextLine(1, text)
        for command in advised.commands:
            yield TextLine(1, command)
    for number, change in enumerate(due.changes[:3]):
        yield TextLine(1 + 3 * number, line(f"Changed: {changed(change, now)}", MAX_WIDTH))
    for note in notes:
        yield TextLine(5, line(f"Note: {note}", MAX_WIDTH))
    for number, link in enumerate(links[:3]):
        yield TextLine(3 + 4 * number, f"{link.name.capitalize()}: {link.url}")
