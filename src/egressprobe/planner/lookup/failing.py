"""What looking up a failing target again has shown. Pure.

A pod that was replaced leaves a dead address in the plan: the next look finds it gone, and its failures mean nothing.
An address that is still listed as ready some seconds after it failed is broken: its failure is confirmed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from egressprobe.model.target import LEAST_SHARE

# Kubernetes needs a moment to take an endpoint that is gone out of its EndpointSlice, and a new one in.
DEBOUNCE = timedelta(seconds=15)
# Each look that finds a failure again doubles the time to the next one, up to the schedule's: a target that stays
# broken does not list the whole cluster every minute.
_MAX_BACK_OFF, _MAX_DOUBLINGS = timedelta(minutes=15), 10
# A failure is confirmed for longer than the longest time between two looks.
_VALID = timedelta(minutes=20)
_MAX_ENDPOINTS = 200  # of one target that are remembered beside those of the last look
_ROUNDING = 1e-9


class FailingTarget(NamedTuple):
    """A target as a probe's log line has it.

    failing: endpoints that failed, ADDRESS:PORT; the code of the failure where no endpoint was dialled.
    dialled: how many endpoints were. at: when it was measured.
    """

    name: str
    failing: frozenset[str]
    dialled: int
    at: datetime


class LookedUp(NamedTuple):
    """Of one failing target. at: of the last look. looks: how many in a row have confirmed its failure.

    confirmed: the endpoints, and codes, whose failures count.
    """

    at: datetime
    looks: int = 0
    confirmed: tuple[str, ...] = ()


def valid(lookups: Mapping[str, LookedUp], now: datetime) -> dict[str, LookedUp]:
    """Those that are not too old."""
    return {name: lookup for name, lookup in lookups.items() if now - lookup.at < _VALID}


def looked_up(
    lookups: Mapping[str, LookedUp],
    reports: Iterable[FailingTarget],
    before: Mapping[str, dict[str, Any]],
    after: Mapping[str, dict[str, Any]],
    now: datetime,
) -> dict[str, LookedUp]:
    """With what a complete discovery at `now` has shown. before, after: planned targets by name, as in a plan."""
    result = valid(lookups, now)
    for report in _by_target(reports).values():
        if report.name not in after:
            result.pop(report.name, None)
            continue
        known = result.get(report.name) or LookedUp(now)
        listed = set(after[report.name].get("addresses", ()))
        same = _definition(before.get(report.name)) == _definition(after[report.name])
        if same and _is_confirmed(report, listed):
            confirmed = listed | report.failing
            if len(known.confirmed) <= _MAX_ENDPOINTS:
                confirmed |= set(known.confirmed)
            result[report.name] = LookedUp(now, known.looks + 1, tuple(sorted(confirmed)))
        elif known.confirmed:
            result[report.name] = known._replace(at=now, looks=0)
    return result


def is_due(report: FailingTarget, lookups: Mapping[str, LookedUp], now: datetime) -> bool:
    """Whether to look the target up: some failure of it is not confirmed, or was confirmed long enough ago."""
    lookup = valid(lookups, now).get(report.name)
    if lookup is None or not report.failing <= set(lookup.confirmed):
        return True
    doubled: int = 2 ** min(lookup.looks, _MAX_DOUBLINGS)
    return now - lookup.at >= min(DEBOUNCE * doubled, _MAX_BACK_OFF)


def _by_target(reports: Iterable[FailingTarget]) -> dict[str, FailingTarget]:
    """Of several reports of one target the one with most failures."""
    return {report.name: report for report in sorted(reports, key=lambda report: (len(report.failing), report.at))}


def _is_confirmed(report: FailingTarget, listed: set[str]) -> bool:
    """Whether what is still listed would fail the target by itself: more than a third of the endpoints dialled."""
    if not any(":" in failed for failed in report.failing):
        # A code: no endpoint is ready, and still none is; or every endpoint answered, and the call fails all the same.
        return bool(listed) == bool(report.dialled)
    still = report.failing & listed
    return len(still) > (1 - LEAST_SHARE) * report.dialled + _ROUNDING


def _definition(raw: dict[str, Any] | None) -> dict[str, Any]:
    """What a call is made of beside its endpoint. Of an APIService's condition only the status: messages vary."""
    other = ("addresses", "objects", "affects", "owner", "severity")
    fields = {key: value for key, value in (raw or {}).items() if key not in other}
    if isinstance(fields.get("condition"), dict):
        fields["condition"] = fields["condition"].get("status")
    return fields
