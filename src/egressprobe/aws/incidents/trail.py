"""Who changed the network around the start of an incident: CloudTrail's event history, within a bounded time.

LookupEvents answers two requests a second and account, with 50 events at most, newest first, and takes one attribute
a call (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html). So all writes are read
first (`ReadOnly=false`); where an account makes so many that the time or the pages do not suffice, the calls on the
cause's own elements are looked up one by one. It costs nothing, and needs no trail: the event history is always on.

Route 53 is a global service: its calls are listed in us-east-1 alone
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html).
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from egressprobe.aws.fleet.read_rate import ReadRate
from egressprobe.aws.paging import ReadRefused, not_as_documented, tried
from egressprobe.incidents.changes import ChangeScope, late_calls, network_changes
from egressprobe.incidents.model import NetworkChange

# Who looks for what broke a path at 02:11 finds it in the half hour before; what came an hour later did not break it.
BEFORE = timedelta(minutes=30)
AFTER = timedelta(hours=1)
SECONDS = 15.0
_MOST_PAGES = 20
_MOST_GLOBAL_PAGES = 3
_MOST_ELEMENTS = 8
# Of the seconds, what all writes may take before the elements are looked up one by one.
_SHARE_OF_ALL = 0.6
_PER_SECOND = 2.0
_GLOBAL_REGION = "us-east-1"
_WRITES = {"AttributeKey": "ReadOnly", "AttributeValue": "false"}
type _Extent = Literal["all", "part", "none"]
_OF_ROUTE53 = {"AttributeKey": "EventSource", "AttributeValue": "route53.amazonaws.com"}


class TrailClients(NamedTuple):
    """CloudTrail of the cluster's region and of the region of global services; None: the same, or not known."""

    regional: Any
    of_global: Any = None


class TrailReading(NamedTuple):
    """changes: the related ones first. unread: what could not be read, and why, in sentences.

    late: that the newest calls may not be listed yet; empty when all are. start, end: the window, UTC.
    """

    changes: tuple[NetworkChange, ...]
    unread: tuple[str, ...]
    late: str
    start: datetime
    end: datetime


def trail_clients(region: str, session: Any = None) -> TrailClients:
    """Clients that give up within seconds. session: boto3's, or the default one."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=3, read_timeout=6, retries={"mode": "standard", "total_max_attempts": 2})
    made = session or boto3
    regional = made.client("cloudtrail", config=config, region_name=region)
    # Other partitions have their own region for global services.
    if region == _GLOBAL_REGION or regional.meta.partition != "aws":
        return TrailClients(regional)
    return TrailClients(regional, made.client("cloudtrail", config=config, region_name=_GLOBAL_REGION))


def changes_before(
    clients: TrailClients,
    since: datetime,
    until: datetime,
    scope: ChangeScope,
    *,
    seconds: float = SECONDS,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> TrailReading:
    """The calls from half an hour before `since` until `until`, or an hour after `since` if that is earlier.

    since: the first failing minute; until: now. Both need a time zone. Takes `seconds`, and up to one request more.
    Errors of AWS are in `unread`, never raised.
    """
    start, end = since - BEFORE, max(min(until, since + AFTER), since)
    lookup = _WindowReading(start, end, now() + seconds, seconds, now, ReadRate(_PER_SECOND, now=now, sleep=sleep))
    if lookup.read(clients.regional, _WRITES, _MOST_PAGES, share=_SHARE_OF_ALL) == "part":
        for element in sorted(scope.elements)[:_MOST_ELEMENTS]:
            lookup.read(clients.regional, {"AttributeKey": "ResourceName", "AttributeValue": element}, 1)
    if clients.of_global is not None:
        lookup.read(clients.of_global, _OF_ROUTE53, _MOST_GLOBAL_PAGES)
    changes = network_changes(lookup.events, scope)
    unread = tuple(dict.fromkeys(lookup.unread))
    return TrailReading(changes, unread, late_calls(end, until), start.astimezone(UTC), end.astimezone(UTC))


class _WindowReading:
    """Reads pages of one window into `events` until its deadline; why something is missing goes into `unread`."""

    def __init__(
        self, start: datetime, end: datetime, deadline: float, seconds: float, now: Callable[[], float], rate: ReadRate
    ) -> None:
        self.events: list[Any] = []
        self.unread: list[str] = []
        self._window = {"StartTime": start, "EndTime": end}
        self._deadline, self._seconds, self._now, self._rate = deadline, seconds, now, rate

    def read(self, client: Any, attribute: dict[str, str], most_pages: int, *, share: float = 1.0) -> _Extent:
        """How much of the events with the attribute was read. share: of the seconds, before it stops."""
        deadline = self._deadline - self._seconds * (1 - share)
        what = f"{attribute['AttributeKey']}={attribute['AttributeValue']}"
        token: dict[str, str] = {}
        try:
            for count in range(most_pages):
                if self._now() > deadline:
                    self.unread.append(f"CloudTrail's calls with {what} were read in part: {count} pages in time")
                    return "part"
                page = self._page(client, attribute, token)
                self.events += _listed(page)
                following = page.get("NextToken")
                if not isinstance(following, str) or following == token.get("NextToken"):
                    return "all"
                token = {"NextToken": following}
            self.unread.append(f"CloudTrail's calls with {what} were read in part: the newest {most_pages} pages")
        except ReadRefused as refused:
            self.unread.append(f"CloudTrail could not be read ({refused.unread.action}): {refused.unread.error}")
            return "none"
        except Exception as error:  # an answer of another shape costs the changes, not the message
            self.unread.append(f"CloudTrail could not be read: {not_as_documented(error)}")
            return "none"
        return "part"

    def _page(self, client: Any, attribute: dict[str, str], token: dict[str, str]) -> dict[str, Any]:
        """Raises ReadRefused."""
        self._rate.wait()
        parameters = {"LookupAttributes": [attribute], "MaxResults": 50, **self._window, **token}
        page: dict[str, Any] = tried(client, "lookup_events", lambda: client.lookup_events(**parameters))
        return page


def _listed(page: dict[str, Any]) -> list[Any]:
    """Raises TypeError for what is no list."""
    events = page.get("Events")
    if not isinstance(events, list | None):
        raise TypeError(f"Events is {type(events).__name__}")
    return events or []
