"""CloudWatch Logs Insights: one query, its rows and the bytes that it scanned.

Prices are for each GB scanned.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import called
from egressprobe.aws.observability.waiting import ended
from egressprobe.model.errors import AwsError

# Rows of one answer. With `limit` up to 100,000 can be paged; a query that has more than this is cut into smaller ones.
MAX_ROWS = 10_000
# https://aws.amazon.com/cloudwatch/pricing/: us-east-1, a GB scanned. Other regions differ by some tenths.
DOLLARS_A_GB = 0.005
# Seconds that a query waits for a free slot (LimitExceededException).
_SLOTS = (1.0, 2.0, 4.0, 8.0, 15.0)
_DONE = "Complete"
_GOES_ON = frozenset({"Scheduled", "Running", "Unknown"})
_FULL = ("LimitExceededException", "Throttling")


class InsightsAnswer(NamedTuple):
    """rows: fields as text; one that is missing is left out. cut: there are more rows than MAX_ROWS."""

    rows: tuple[dict[str, str], ...]
    bytes_scanned: int
    cut: bool

    @property
    def dollars(self) -> float:
        return self.bytes_scanned / 1e9 * DOLLARS_A_GB


def run_query(
    logs: Any,
    group: str,
    query: str,
    since: int,
    until: int,
    *,
    deadline: float,
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> InsightsAnswer:
    """Rows of log events from `since` to before `until` (Unix time, seconds). group: name or ARN of a log group.

    deadline: of `clock`, when the query is stopped. Raises AwsError.
    """
    parameters = {
        "logGroupIdentifiers": [group],
        "startTime": since,
        "endTime": max(until - 1, since),  # inclusive
        "queryString": query,
        "limit": MAX_ROWS,
    }
    query_id = _started(logs, parameters, pause)

    def look() -> tuple[Any, bool]:
        answer = called(logs, "get_query_results", queryId=query_id)
        return answer, answer.get("status") in _GOES_ON

    answer = ended(
        look,
        lambda: called(logs, "stop_query", queryId=query_id),
        f"the query of {group}",
        deadline=deadline,
        pause=pause,
        clock=clock,
    )
    if answer.get("status") != _DONE:
        raise AwsError(f"the query of {group} ended as {answer.get('status')}")
    return _read_answer(logs, query_id, answer)


def _started(logs: Any, parameters: dict[str, Any], pause: Callable[[float], object]) -> str:
    """100 queries run at once in an account; one that finds no slot waits."""
    for seconds in _SLOTS:
        try:
            return str(called(logs, "start_query", **parameters)["queryId"])
        except AwsError as error:
            if not any(code in str(error) for code in _FULL):
                raise
            pause(seconds)
    return str(called(logs, "start_query", **parameters)["queryId"])


def _read_answer(logs: Any, query_id: str, answer: Any) -> InsightsAnswer:
    results = list(answer.get("results") or [])
    token = answer.get("nextToken")
    while token and len(results) < MAX_ROWS:
        page = called(logs, "get_query_results", queryId=query_id, nextToken=token)
        results += page.get("results") or []
        token = page.get("nextToken")
    rows = tuple(
        {cell["field"]: cell["value"] for cell in row if cell.get("value") is not None and cell["field"] != "@ptr"}
        for row in results
    )
    scanned = (answer.get("statistics") or {}).get("bytesScanned") or 0
    return InsightsAnswer(rows, int(scanned), len(rows) >= MAX_ROWS)
