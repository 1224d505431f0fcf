"""The probes' log as minutes: the time in parts, each asked by queries of at most 10,000 rows, several at once.

A part whose answer is full is asked again in two halves. What cannot be read, because AWS refuses, a minute alone has
too many rows or the time is up, is unknown: none of its minutes counts as passed.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple

from egressprobe.aws.observability.insights import MAX_ROWS, InsightsAnswer, run_query
from egressprobe.aws.observability.minute_queries import (
    COVERED_QUERY,
    bad_minutes,
    bad_query,
    covered_minutes,
    seen_query,
    seen_targets,
)
from egressprobe.model.errors import AwsError
from egressprobe.model.series import ALL_TARGETS
from egressprobe.observability.history.minutes import BadMinute, MinuteRecords, SeenTarget, as_minutes, span

_AT_ONCE = 6  # of the account's 100 queries
_WEEK, _HOUR, _MINUTE = 7 * 86_400, 3600, 60
_MOST_QUERIES = 600
_DRILL = "egressprobe-drill"  # planner/drill/schedule.py


class TimePart(NamedTuple):
    """Unix time, seconds; until is exclusive."""

    since: int
    until: int


class LogReading(NamedTuple):
    """unread: parts that no answer is known of, and why."""

    records: MinuteRecords
    queries: int
    bytes_scanned: int
    dollars: float
    unread: tuple[str, ...]
    one_series: bool


class LogQueries:
    """Asks one log group, and remembers what it took."""

    def __init__(self, logs: Any, group: str, deadline: float, say: Callable[[str], None]) -> None:
        self._logs, self._group, self._deadline, self._say = logs, group, deadline, say
        self.queries, self.bytes_scanned, self.dollars = 0, 0, 0.0
        self.unread: list[tuple[TimePart, str]] = []
        self._ended = threading.Event()

    def rows(self, query: str, parts: Sequence[TimePart], what: str) -> list[dict[str, str]]:
        """The rows of all parts. What cannot be read is in `unread`. Raises AwsError where nothing can be."""
        rows: list[dict[str, str]] = []
        errors: list[AwsError] = []
        with ThreadPoolExecutor(_AT_ONCE, "insights") as pool:
            waiting: dict[Future[InsightsAnswer], TimePart] = {}

            def ask(part: TimePart) -> None:
                if self.queries >= _MOST_QUERIES or time.monotonic() > self._deadline:
                    self.unread.append((part, "the time or the number of queries was up"))
                    return
                self.queries += 1
                waiting[pool.submit(self._answer, query, part)] = part

            try:
                for part in parts:
                    ask(part)
                done = 0
                while waiting:
                    future = next(as_completed(waiting))
                    part, done = waiting.pop(future), done + 1
                    self._say(f"{what}: {done} of {done + len(waiting)} queries")
                    try:
                        answer = future.result()
                    except AwsError as error:
                        errors.append(error)
                        self.unread.append((part, str(error)))
                        continue
                    self.bytes_scanned += answer.bytes_scanned
                    self.dollars += answer.dollars
                    if not answer.cut:
                        rows += answer.rows
                    elif part.until - part.since <= _MINUTE:
                        self.unread.append((part, f"a minute has more than {MAX_ROWS} lines"))
                    else:
                        middle = (part.since + part.until) // 2 // _MINUTE * _MINUTE
                        ask(TimePart(part.since, middle))
                        ask(TimePart(middle, part.until))
            except BaseException:
                # Ctrl-C: queries that run are stopped by their threads, which the pool waits for.
                self._ended.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if errors and len(errors) == done:
            raise errors[0]
        return rows

    def _answer(self, query: str, part: TimePart) -> InsightsAnswer:
        return run_query(
            self._logs,
            self._group,
            query,
            part.since,
            part.until,
            deadline=self._deadline,
            pause=self._ended.wait,
            clock=lambda: math.inf if self._ended.is_set() else time.monotonic(),
        )


def read_minutes(
    queries: LogQueries, time_part: TimePart, subnets: int, names: Sequence[str], plan: Sequence[str]
) -> LogReading:
    """names: of the targets; none for all of the log and of the plan. The time begins and ends on a minute.

    Raises AwsError.
    """
    base, length = time_part.since // _MINUTE, (time_part.until - time_part.since) // _MINUTE
    weeks = _parts(time_part, _WEEK)
    # A row a minute and subnet, with room for a second shard that writes another time stamp.
    hours = max(MAX_ROWS // (60 * max(subnets, 1) * 2), 1)
    seen = seen_targets(queries.rows(seen_query(()), weeks, "targets"), base)
    real = [target for target in seen if target.target not in (ALL_TARGETS, _DRILL)]
    planned: dict[str, int] = {}
    for target in real:
        planned[target.subnet] = planned.get(target.subnet, 0) + 1
    covered_rows = queries.rows(COVERED_QUERY, _parts(time_part, hours * _HOUR), "minutes")
    covered_sets = covered_minutes(covered_rows, base, planned)
    bad = bad_minutes(queries.rows(bad_query(names), weeks, "failures"), base)
    unread = 0
    for part, _ in queries.unread:
        unread |= span(part.since // _MINUTE - base, -(-part.until // _MINUTE) - base)
    covered = {subnet: as_minutes(minutes) & span(0, length) & ~unread for subnet, minutes in covered_sets.items()}
    chosen = [target for target in real if not names or target.target in names]
    one_series = _has_no_passes(real, covered, bad)
    if one_series:
        there = {target.target for target in real} | set(plan)
        chosen = _always_there(sorted(there & set(names) if names else there), covered, length)
    return LogReading(
        MinuteRecords(length, covered, tuple(chosen), tuple(line for line in bad if not names or line.target in names)),
        queries.queries,
        queries.bytes_scanned,
        round(queries.dollars, 6),
        tuple(dict.fromkeys(why for _, why in queries.unread)),
        one_series,
    )


def _has_no_passes(seen: Sequence[SeenTarget], covered: Mapping[str, int], bad: Sequence[BadMinute]) -> bool:
    """Whether there are minutes in which targets were measured, and none of them has a line: they passed without."""
    if any(target.passes for target in seen):
        return False
    with_lines = {subnet: as_minutes(line.minute for line in bad if line.subnet == subnet) for subnet in covered}
    return any(minutes & ~with_lines[subnet] for subnet, minutes in covered.items())


def _always_there(names: Sequence[str], covered: Mapping[str, int], length: int) -> list[SeenTarget]:
    """With one series of all targets the log has no lines of targets that pass: they are taken to be in the plan."""
    return [SeenTarget(name, subnet, 0, length - 1) for name in names for subnet in covered]


def _parts(whole: TimePart, seconds: int) -> list[TimePart]:
    return [TimePart(at, min(at + seconds, whole.until)) for at in range(whole.since, whole.until, seconds)]
