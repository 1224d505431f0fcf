"""The Planner's note: a disabled schedule in the group that remembers when discovery was complete, what was looked up,
and who is looking now. It never fires; the group is the only store.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from egressprobe.model.text import valid
from egressprobe.planner.lookup.failing import LookedUp

# Not a shard's name: those begin with s and the slot.
NOTE = "discovered"
# Characters of an Input, which has at most 256 KB, that lookups may take.
MAX_LOOKUPS = 150_000


class Note(NamedTuple):
    """read_at: when discovery last read every list. lookups: of failing targets, by name.

    claim: the run that is looking, claimed_at since when, claimed which failures: endpoints or codes by target.
    """

    read_at: datetime | None
    lookups: Mapping[str, LookedUp] = {}
    claim: str = ""
    claimed_at: datetime | None = None
    claimed: Mapping[str, frozenset[str]] = {}


def read_note(client: Any, group: str) -> Note:
    """Raises botocore's ClientError; empty where there is none."""
    try:
        return parse_note(client.get_schedule(GroupName=group, Name=NOTE))
    except client.exceptions.ResourceNotFoundException:
        return Note(None)


def parse_note(schedule: Mapping[str, Any]) -> Note:
    """From the note's schedule; what cannot be read is left out."""
    content: dict[str, Any] = {}
    with suppress(KeyError, TypeError, ValueError, RecursionError):
        content = valid(json.loads(schedule["Target"]["Input"]))
    if not isinstance(content, dict):
        return Note(None)
    lookups, claimed = content.get("lookups"), content.get("claimed")
    read = {name: _lookup(raw) for name, raw in lookups.items()} if isinstance(lookups, dict) else {}
    return Note(
        _time(content.get("readAt")),
        {name: lookup for name, lookup in read.items() if lookup},
        str(content.get("claim") or ""),
        _time(content.get("claimedAt")),
        {name: frozenset(_texts(raw)) for name, raw in claimed.items()} if isinstance(claimed, dict) else {},
    )


def note_input(content: Note) -> str:
    """The Input of the schedule that stores it."""
    stored: dict[str, Any] = {}
    if content.read_at:
        stored["readAt"] = _text(content.read_at)
    if content.lookups and fits(content.lookups):
        stored["lookups"] = _stored(content.lookups)
    if content.claim and content.claimed_at:
        claimed = {name: sorted(failing) for name, failing in sorted(content.claimed.items())}
        stored |= {"claim": content.claim, "claimedAt": _text(content.claimed_at)}
        stored |= {"claimed": claimed} if len(json.dumps(claimed)) < MAX_LOOKUPS // 2 else {}
    return json.dumps(stored)


def fits(lookups: Mapping[str, LookedUp]) -> bool:
    """Whether they can be stored. Where so much fails, every failure counts at once (reconcile.py)."""
    return len(json.dumps(_stored(lookups))) <= MAX_LOOKUPS


def _stored(lookups: Mapping[str, LookedUp]) -> dict[str, Any]:
    return {
        name: {"at": _text(lookup.at), "looks": lookup.looks, "confirmed": list(lookup.confirmed)}
        for name, lookup in sorted(lookups.items())
    }


def _lookup(raw: Any) -> LookedUp | None:
    if not isinstance(raw, dict):
        return None
    at, looks = _time(raw.get("at")), raw.get("looks")
    if at is None:
        return None
    return LookedUp(at, looks if isinstance(looks, int) and looks > 0 else 0, _texts(raw.get("confirmed")))


def _texts(raw: Any) -> tuple[str, ...]:
    return tuple(text for text in raw if isinstance(text, str)) if isinstance(raw, list) else ()


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _time(text: Any) -> datetime | None:
    """None for anything but a time with its offset."""
    with suppress(TypeError, ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else None
    return None
