"""Rounds of a deployed stack without a probe of our own: the lines that its probes wrote in the last minutes.

FilterLogEvents is not among what CloudWatch Logs charges for (ingestion, storage, Logs Insights, Live Tail, detection):
https://aws.amazon.com/cloudwatch/pricing/ . It returns at most 1 MB a page, of which at most MOST_PAGES are read:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from egressprobe.stack.aws_answers import failures_as_lines
from egressprobe.stack.deployment import deployment_of, session_for
from egressprobe.watching.log_lines import cells
from egressprobe.watching.rounds import WatchRound

# Lines arrive up to a minute or two after they are written, and each round looks back further than its interval.
WINDOW = 240.0  # seconds
MOST_PAGES = 40
_PATTERN = '"Target"'


class LogsLook:
    """client: boto3's `logs`. group: the probes' log group. wanted: whether a target of this name is shown."""

    def __init__(
        self,
        client: Any,
        group: str,
        *,
        wanted: Callable[[str], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._group, self._wanted, self._now = client, group, wanted, now
        self._ended = self._cut = False

    def look(self) -> WatchRound:
        started = self._now()
        with failures_as_lines():
            lines = list(self._lines(started))
        seen = tuple(cell for cell in cells(lines) if self._wanted(cell.target))
        trouble = "" if seen else f"no line of a target in {self._group} in the last {WINDOW / 60:.0f} minutes"
        if self._cut:
            trouble = f"{self._group} has more lines than are read in a round: the newest are missing; use --invoke"
        return WatchRound(started, seen, self._now() - started, complete=False, trouble=trouble)

    def _lines(self, now: float) -> Iterator[tuple[float, str]]:
        request: dict[str, Any] = {
            "logGroupName": self._group,
            "startTime": int((now - WINDOW) * 1e3),
            "filterPattern": _PATTERN,
        }
        self._cut = False
        for _ in range(MOST_PAGES):
            page = self._client.filter_log_events(**request)
            for event in page.get("events") or []:
                yield float(event.get("timestamp") or 0) / 1e3, str(event.get("message") or "")
            if not page.get("nextToken") or self._ended:
                return
            request["nextToken"] = page["nextToken"]
        self._cut = True

    def cancel(self) -> None:
        self._ended = True


def logs_of(stack: str, region: str | None, *, wanted: Callable[[str], bool]) -> LogsLook:
    """Raises InputError for what is no deployment of egressprobe, AwsError for everything else."""
    session = session_for(stack, region)
    group = deployment_of(session, stack).probe_logs
    with failures_as_lines():
        return LogsLook(session.client("logs"), group, wanted=wanted)
