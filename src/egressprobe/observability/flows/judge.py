"""What the records of one place prove. Pure.

Security groups are stateful: what returns to an allowed request is allowed. Network ACLs are stateless. So a rejected
request is refused by one of both, a rejected return packet by the network ACL alone. A request that was accepted left
the interface; where nothing returns, it was lost behind the rules of the interface: a route, a gateway, a firewall or
the other side.
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-security-groups-nacl
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from egressprobe.model.target import Expect, Verdict
from egressprobe.observability.flows.records import ACCEPT, REJECT, REQUEST, RETURN, FlowCount, joined_counts
from egressprobe.observability.flows.result import FlowState, FlowTally

_VERDICTS = {
    FlowState.REJECTED: Verdict.FAIL,
    FlowState.RETURN_REJECTED: Verdict.FAIL,
    FlowState.NO_RETURN: Verdict.FAIL,
    FlowState.REFUSED: Verdict.FAIL,
    FlowState.UNSETTLED: Verdict.UNKNOWN,
    FlowState.NOT_SEEN: Verdict.UNKNOWN,
    FlowState.WAS_REJECTED: Verdict.DEGRADED,
    FlowState.ANSWERED: Verdict.PASS,
}
# Of a target that must be blocked. A refusal came from the other side: it was reached.
_VERDICTS_OF_BLOCKED = _VERDICTS | {
    FlowState.REJECTED: Verdict.PASS,
    FlowState.RETURN_REJECTED: Verdict.PASS,
    FlowState.NO_RETURN: Verdict.PASS,
    FlowState.WAS_REJECTED: Verdict.FAIL,
    FlowState.ANSWERED: Verdict.FAIL,
}
# https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html: only these are recorded; a SYN-ACK is 18.
_SYN, _RST, _SYN_ACK = 2, 4, 18
_FLAGS = ((_SYN_ACK, "SYN-ACK"), (_SYN, "SYN"), (1, "FIN"), (_RST, "RST"))


class Watched(NamedTuple):
    """How an interface is recorded. accepts: accepted traffic is recorded too.

    settled: later records may be missing yet, Unix time. interval: aggregation interval, seconds. skipped: records of
    the interface were lost.
    """

    accepts: bool
    settled: int
    interval: int
    skipped: bool


def state_of(counts: Iterable[FlowCount], watched: Watched) -> tuple[FlowState, int]:
    """The state of one place from one interface, and of `no_return` until when it was answered (0: never)."""
    counts = list(counts)
    merged = _merged(counts)
    request, refused = merged.get((REQUEST, ACCEPT)), merged.get((REQUEST, REJECT))
    returned, return_refused = merged.get((RETURN, ACCEPT)), merged.get((RETURN, REJECT))
    if refused and (request is None or refused.last >= request.last):
        # Where accepted requests are not recorded, the end of the refusals is all that is seen of them.
        ended = not watched.accepts and refused.last + 2 * watched.interval < watched.settled
        return (FlowState.WAS_REJECTED if ended else FlowState.REJECTED), 0
    if return_refused and (returned is None or return_refused.last >= returned.last):
        return FlowState.RETURN_REJECTED, 0
    if request and not returned:
        # The first request's own interval may have ended before what returned to it.
        new = request.first + watched.interval > watched.settled
        return (FlowState.UNSETTLED if new or watched.skipped else FlowState.NO_RETURN), 0
    if request and returned and not watched.skipped:
        latest = min(request.last, watched.settled)
        if returned.last + 2 * watched.interval < latest:
            return FlowState.NO_RETURN, returned.last
    if returned is None:
        return FlowState.NOT_SEEN, 0
    if _refused(counts, watched.interval):
        return FlowState.REFUSED, 0
    return (FlowState.WAS_REJECTED if refused or return_refused else FlowState.ANSWERED), 0


def _refused(counts: Iterable[FlowCount], interval: int) -> bool:
    """Whether the newest connections were refused, with nothing but RST; earlier ones may have been accepted.

    The RST that ends a connection of long ago comes without a new SYN of ours: it refuses nothing.
    """
    accepted = [count for count in counts if count.action == ACCEPT and count.flags is not None]
    returned = [(count.last, count.flags or 0) for count in accepted if count.direction == RETURN]
    refusals = [last for last, flags in returned if flags & _RST and not flags & _SYN]
    answers = [last for last, flags in returned if flags & _SYN]
    if not refusals or not answers:
        return bool(refusals)
    latest, around = max(refusals), 2 * interval
    opened = [count.last for count in accepted if count.direction == REQUEST and (count.flags or 0) & _SYN]
    return max(answers) + around < latest and bool(opened) and max(opened) + around >= latest


def verdict_of(state: FlowState, expect: str = Expect.REACHABLE) -> Verdict:
    """expect: whether the target must be reachable, or blocked."""
    return (_VERDICTS_OF_BLOCKED if expect == Expect.BLOCKED else _VERDICTS)[state]


def tallies_of(counts: Iterable[FlowCount]) -> tuple[FlowTally, ...]:
    """One for each direction and action, requests first."""
    of_place = list(counts)
    reasons: dict[tuple[str, str], set[str]] = {}
    for count in of_place:
        if count.reason:
            reasons.setdefault((count.direction, count.action), set()).add(count.reason)
    return tuple(
        FlowTally(
            direction=count.direction,
            action=count.action,
            records=count.records,
            packets=count.packets,
            bytes=count.bytes,
            first=as_time(count.first),
            last=as_time(count.last),
            tcp_flags=flag_names(count.flags),
            reasons=tuple(sorted(reasons.get(key, ()))),
        )
        for key, count in sorted(_merged(of_place).items())
    )


def _merged(counts: Iterable[FlowCount]) -> dict[tuple[str, str], FlowCount]:
    merged: dict[tuple[str, str], FlowCount] = {}
    for count in counts:
        key = (count.direction, count.action)
        merged[key] = joined_counts(merged[key], count) if key in merged else count
    return merged


def flag_names(flags: int | None) -> tuple[str, ...]:
    """`18` is SYN-ACK alone: of a sum of both directions SYN would be part of it."""
    names: list[str] = []
    rest = flags or 0
    for bits, name in _FLAGS:
        if rest & bits == bits:
            names.append(name)
            rest &= ~bits
    return tuple(names)


def as_time(seconds: int) -> str:
    """RFC 3339 in UTC; empty for 0."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
