"""Which failures count, and whether they are all there is. Pure.

Pods and nodes move, and the plan has the addresses that they had when discovery last read them. So a discovered
target's failure does not count while its addresses were read a moment ago, unless the Planner has looked it up since it
failed and found the failing endpoints still listed: then they are `confirmed` in the plan. The first failing minute
makes the Planner look. Where it does not, because it is slow, dead or refused by the API server, the plan's time grows
old, and the failure counts all the same.

A failure that does not count is no pass: it has no data point, and it is no evidence for an all-clear.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from egressprobe.model.failure import Phase
from egressprobe.model.report import Report, Result
from egressprobe.model.target import LEAST_SHARE, Expect, Verdict

# So long that two first failing minutes, seen from several subnets, are not both among the six that an alarm looks
# back on. A healthy Planner looks within a minute. One that has just stopped makes failures wait for so long, in which
# they have an alarm of their own (emf.py, UNCOUNTED).
FRESH = timedelta(seconds=300)
_SKEW = timedelta(seconds=60)  # a time in the future by more than clocks differ is none
_ROUNDING = 1e-9


def uncounted(report: Report, looked_up_at: str, confirmed: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Names of failing targets whose failure does not count yet. looked_up_at: of the plan, ISO 8601."""
    if not _is_fresh(looked_up_at, datetime.fromisoformat(report.started_at)):
        return frozenset()
    return frozenset(
        result.target.name
        for result in report.results
        if result.verdict is Verdict.FAIL
        and moves(result)
        and not _is_confirmed(result, frozenset(confirmed.get(result.target.name, ())))
    )


def moves(result: Result) -> bool:
    """Whether discovery found the addresses: of pods, or of nodes."""
    return bool(result.target.objects) and not result.switch_relevant


def failing(result: Result) -> tuple[str, ...]:
    """The planned endpoints that failed, ADDRESS:PORT; where none was dialled or all answered, the failure's code."""
    planned = result.target.addresses
    failed = {_place(a.address, a.port) for a in result.attempts if a.failure is not None}
    named = tuple(sorted(failed & set(planned)))
    if failed and not named:  # endpoints that are host names
        return tuple(sorted(planned))
    return named or ((str(result.failure.code),) if result.failure else ())


def egress_is_down(report: Report) -> bool:
    """Whether no target outside the VPC could be reached, of at least one that was measured.

    Reached is what accepted a connection: a wrong certificate or status came over the path.
    """
    outside = [
        result
        for result in report.results
        if result.switch_relevant and result.target.expect is Expect.REACHABLE and result.verdict is not Verdict.UNKNOWN
    ]
    attempts = [attempt for result in outside for attempt in result.attempts]
    connected = any(a.failure is None or a.failure.phase not in (Phase.RESOLVE, Phase.CONNECT) for a in attempts)
    failed = all(result.failure is not None or result.verdict is Verdict.FAIL for result in outside)
    return bool(outside) and failed and not connected


def _is_confirmed(result: Result, confirmed: frozenset[str]) -> bool:
    """Whether the confirmed endpoints alone would make it fail."""
    failed = set(failing(result))
    if not failed & set(result.target.addresses):
        return bool(failed & confirmed)
    return len(failed & confirmed) > (1 - LEAST_SHARE) * len(result.target.addresses) + _ROUNDING


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _is_fresh(looked_up_at: str, now: datetime) -> bool:
    try:
        at = datetime.fromisoformat(looked_up_at)
    except ValueError:
        return False
    return -_SKEW <= now - (at if at.tzinfo else at.replace(tzinfo=UTC)) <= FRESH
