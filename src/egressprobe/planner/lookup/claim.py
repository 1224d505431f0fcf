"""Whose turn it is to look: one run at a time, also of several execution environments.

Every failing minute of every subnet starts a run of the Planner. The one that looks has a claim in the note; of two
claims at once the later one's remains. A run whose failures another one is looking up ends at once; one that has others
waits for it, so that no target is passed over while another one fails each minute.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from egressprobe.planner.lookup.failing import DEBOUNCE, FailingTarget, is_due
from egressprobe.planner.lookup.note import Note

# The claim that is there this long after it was written is the one that counts.
_CLAIM_SECONDS, _CLAIM_EXPIRES = 1.0, timedelta(seconds=120)
_WAIT_SECONDS, _WAITS = 5.0, 12
_CLAIMED = "another run looks the endpoints up"


class ClaimStore(NamedTuple):
    """read, write: the note. write returns False where it failed. clock: UTC. pause: sleeps so many seconds."""

    read: Callable[[], Note]
    write: Callable[[Note], bool]
    clock: Callable[[], datetime]
    pause: Callable[[float], None]


def reason_to_skip(store: ClaimStore, run_id: str, reports: Sequence[FailingTarget]) -> str | None:
    """Why this run need not look; None when it has the claim, and the failures are long enough ago.

    No reports are failures that could not be read: they are looked up. Raises what read and write raise.
    """
    failing = {report.name: report.failing for report in reports}
    for _ in range(_WAITS):
        before, now = store.read(), store.clock()
        if reports and not any(is_due(report, before.lookups, now) for report in reports):
            return "these failures are confirmed; they are looked up again later"
        if not _is_claimed(before, run_id, now):
            claim = before._replace(claim=run_id, claimed_at=now, claimed=failing)
            if _has_claim(store, claim):
                seen = max((report.at for report in reports), default=before.read_at or now)
                store.pause(max(min(seen + DEBOUNCE - store.clock(), DEBOUNCE).total_seconds(), 0.0))
                return None
        elif all(endpoints <= before.claimed.get(name, frozenset()) for name, endpoints in failing.items()):
            return _CLAIMED
        store.pause(_WAIT_SECONDS)
    return _CLAIMED


def _is_claimed(content: Note, run_id: str, now: datetime) -> bool:
    """By another run that has not been at it for too long to be alive."""
    claimed_at = content.claimed_at
    return claimed_at is not None and content.claim != run_id and now - claimed_at < _CLAIM_EXPIRES


def _has_claim(store: ClaimStore, claim: Note) -> bool:
    """A claim that cannot be written is no reason not to look."""
    if not store.write(claim):
        return True
    store.pause(_CLAIM_SECONDS)
    return store.read().claim == claim.claim
