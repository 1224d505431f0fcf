"""Which of the calls that CloudTrail lists may have changed what a cause is about. Pure.

Kept, the most telling first, and the newest first among equals:

1. calls that name an element of the cause's path, its subnets or groups, and those that change every path of the
   cluster (`related`);
2. calls that name the VPC or something known in it, and calls about this cluster;
3. a few that name nothing from which their VPC can be known, such as an association's id.

Calls about another VPC or another cluster are dropped, and those that controllers make all day unless they are related.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from egressprobe.incidents.model import NetworkChange
from egressprobe.incidents.trail.calls import CALLS, EKS, OF_EVERY_PATH
from egressprobe.incidents.trail.event import TrailEvent, read_event

# "CloudTrail typically delivers logs within an average of about 5 minutes of an API call. This time is not guaranteed"
# (CloudTrail user guide, get-and-view-cloudtrail-log-files); 15 minutes was the figure before, and is still met.
LAG = timedelta(minutes=15)
MOST_CHANGES = 20
_MOST_ELSEWHERE = 3
_MOST_RESOURCES = 6


class ChangeScope(NamedTuple):
    """What a cause is about. elements: ids of its path, its subnets and groups. nearby: other ids in the same VPC.

    vpc, cluster: the cluster's; account: its account's id, to name callers of another one.
    """

    vpc: str
    cluster: str
    elements: frozenset[str] = frozenset()
    nearby: frozenset[str] = frozenset()
    account: str = ""


def network_changes(events: Iterable[object], scope: ChangeScope) -> tuple[NetworkChange, ...]:
    """Of LookupEvents' `Events`, of which any may be of any shape: at most MOST_CHANGES, each id once."""
    ranked: dict[str, tuple[int, TrailEvent]] = {}
    for event in events:
        read = read_event(event, scope.account)
        rank = None if read is None else _rank(read, scope)
        if read is not None and rank is not None:
            ranked.setdefault(read.id, (rank, read))
    newest = sorted(ranked.values(), key=lambda pair: (pair[1].at, pair[1].id), reverse=True)
    related, near, elsewhere = ([read for of, read in newest if of == rank] for rank in range(3))
    changes = [_change(read, scope, related=True) for read in related]
    changes += [_change(read, scope, related=False) for read in (*near, *elsewhere[:_MOST_ELSEWHERE])]
    return tuple(changes[:MOST_CHANGES])


def late_calls(until: datetime, now: datetime) -> str:
    """That calls of the end of the window may not be listed yet, in a sentence; empty once all of them are.

    until: the end of the window that was read.
    """
    listed = (now - LAG).astimezone(UTC)
    if until <= listed:
        return ""
    return f"CloudTrail lists calls up to 15 minutes late: calls made after {listed:%H:%M} UTC may be missing"


def _rank(read: TrailEvent, scope: ChangeScope) -> int | None:
    """0 related, 1 in the same VPC or of the cluster, 2 where that cannot be known; None: about something else."""
    if read.source == EKS and scope.cluster not in read.named:
        return None
    if read.named & scope.elements or (read.source, read.call) in OF_EVERY_PATH:
        return 0
    if CALLS[read.source, read.call].frequent:
        return None
    if read.source == EKS or scope.vpc in read.named or read.named & scope.nearby:
        return 1
    other_vpc = any(name.startswith("vpc-") for name in read.named)
    return None if other_vpc else 2


def _change(read: TrailEvent, scope: ChangeScope, *, related: bool) -> NetworkChange:
    """What is related comes first among the resources."""
    names = sorted(read.shown, key=lambda name: name not in scope.elements)
    return NetworkChange(
        id=read.id,
        at=read.at.isoformat(timespec="seconds"),
        call=read.call,
        by=read.by,
        resources=tuple(names[:_MOST_RESOURCES]),
        related=related,
    )
