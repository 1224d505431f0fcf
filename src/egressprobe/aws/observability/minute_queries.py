"""What the probes' log has of each minute: the queries of Logs Insights, and their rows as minutes.

- Which targets the log has, and how many passes: one row a target and subnet.
- In which minutes a probe measured the whole plan: one row a minute and subnet, from the line of the run.
- In which minutes a target did not pass: one row a minute, target and subnet. A healthy cluster has none.

A run's metrics have the minute for which it was scheduled (`_aws.Timestamp`), its other lines the time of the line.
Embedded metric format has values as lists, of which Logs Insights makes fields by position (`MeasuredShare.0`). A JSON
boolean is 1 or 0.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from egressprobe.observability.history.minutes import BadMinute, SeenTarget

# A target's line has Target and SubnetId; a run's line has MeasuredShare (publish/emf.py, publish/log_line.py).
_SEEN = "filter ispresent(Target) and ispresent(SubnetId)"
_SEEN_STATS = (
    " | stats count(*) as lines, sum(ProbeSuccess.0) as passes, min(@timestamp) as first, max(@timestamp) as last"
    " by Target, SubnetId"
)
COVERED_QUERY = (
    "filter ispresent(MeasuredShare.0) and ispresent(SubnetId)"
    " | stats sum(MeasuredShare.0) as share, sum(TargetsUnknown.0) as unknowns by _aws.Timestamp, SubnetId"
)
_BAD = 'filter verdict in ["fail", "unknown"] and ispresent(Target) and ispresent(SubnetId)'
_BAD_STATS = (
    " | stats count(*) as lines, min(_aws.Timestamp) as first, max(_aws.Timestamp) as last, latest(code) as why,"
    " latest(counted) as counts, latest(cause) as words by bin(1m), Target, SubnetId, verdict"
)
INCIDENTS_QUERY = (
    r'filter ispresent(message_id) | parse @message /"targets":\s*\[(?<names>[^\]]*)\]/'
    " | stats min(@timestamp) as first, latest(what) as words, latest(names) as names by message_id, incident"
)
_MAX_NAMES = 6000  # characters of a query; it may have 10,000
_FALSE = ("0", "0.0", "false")


def seen_query(targets: Sequence[str]) -> str:
    """targets: names that are asked for; none for all."""
    return f"{_SEEN}{_of(targets)}{_SEEN_STATS}"


def bad_query(targets: Sequence[str]) -> str:
    return f"{_BAD}{_of(targets)}{_BAD_STATS}"


def _of(targets: Sequence[str]) -> str:
    """Names are printable ASCII (targets/spec.py); one with a quote or a backslash is filtered here, not there."""
    listed = ", ".join(f'"{name}"' for name in targets)
    plain = not any('"' in name or "\\" in name for name in targets)
    return f" and Target in [{listed}]" if targets and plain and len(listed) <= _MAX_NAMES else ""


def seen_targets(rows: Iterable[Mapping[str, str]], base: int) -> list[SeenTarget]:
    """base: minute since 1970 at which the time begins. Rows of several queries are joined."""
    joined: dict[tuple[str, str], SeenTarget] = {}
    for row in rows:
        seen = SeenTarget(
            row["Target"],
            row["SubnetId"],
            _time(row["first"]) // 60_000 - base,
            _time(row["last"]) // 60_000 - base,
            _number(row.get("passes")),
        )
        there = joined.get(seen[:2])
        if there:
            passes = (there.passes or 0) + (seen.passes or 0)
            seen = seen._replace(first=min(there.first, seen.first), last=max(there.last, seen.last), passes=passes)
        joined[seen[:2]] = seen
    return list(joined.values())


def covered_minutes(rows: Iterable[Mapping[str, str]], base: int, planned: Mapping[str, int]) -> dict[str, set[int]]:
    """By subnet, the minutes in which the whole plan was measured, or said to be unknown. planned: targets by subnet.

    The shares of a minute add up to 1 where every shard ran and measured every target (publish/emf.py). Less than half
    a target's share is rounding.
    """
    shares: dict[tuple[str, int], float] = {}
    for row in rows:
        key = (row["SubnetId"], _number(row["_aws.Timestamp"]) // 60_000 - base)
        unknown = float(row.get("unknowns") or 0) / max(planned.get(row["SubnetId"], 1), 1)
        shares[key] = shares.get(key, 0.0) + float(row.get("share") or 0) + unknown
    minutes: dict[str, set[int]] = {}
    for (subnet, minute), share in shares.items():
        if share >= 1 - 0.5 / max(planned.get(subnet, 1), 1):
            minutes.setdefault(subnet, set()).add(minute)
    return minutes


def bad_minutes(rows: Iterable[Mapping[str, str]], base: int) -> list[BadMinute]:
    """Failures, and minutes that could not be measured; a failure that does not count yet is unknown."""
    bad = []
    for row in rows:
        counts = row.get("counts", "1").lower() not in _FALSE
        binned = _time(row["bin(1m)"]) // 60_000
        stamps = [_number(row[name]) // 60_000 for name in ("first", "last") if row.get(name)]
        failed, code, cause = row["verdict"] == "fail" and counts, row.get("why", ""), row.get("words", "")
        bad += [
            BadMinute(row["Target"], row["SubnetId"], minute - base, failed, code, cause)
            for minute in sorted(set(stamps)) or [binned]
        ]
    return bad


def _number(text: str | None) -> int:
    """Logs Insights writes `6`, `6.0` or `1.7E12`."""
    return int(float(text or 0))


def _time(text: str) -> int:
    """Milliseconds: as a number, or `2026-11-26 12:00:00.000` in UTC."""
    try:
        return int(float(text))
    except ValueError:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
