"""Where a message comes from, and where its reader can look. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from egressprobe.catalog.entry import DOCS
from egressprobe.catalog.registry import lookup
from egressprobe.incidents.model import Link, ObservedCause

_BEFORE, _AFTER = timedelta(minutes=15), timedelta(minutes=30)
_MOST_NAMED = 5
_RUNBOOK = "runbook.md"


class MessagePlace(NamedTuple):
    """The stack that reports. Empty where it is not known.

    probe_logs: name of the log group of the probes. runbook_url: the operator's own, or this project's.
    """

    cluster_name: str
    region: str = ""
    account: str = ""
    stack: str = ""
    dashboard_url: str = ""
    runbook_url: str = ""
    probe_logs: str = ""


def links_of(cause: ObservedCause, place: MessagePlace, now: str) -> tuple[Link, ...]:
    """Dashboard, the probes' lines in the window, the code's page, the runbook; those that are known."""
    return tuple(_links(cause, place, now))


def _links(cause: ObservedCause, place: MessagePlace, now: str) -> Iterator[Link]:
    if place.dashboard_url:
        yield Link("dashboard", place.dashboard_url)
    query = query_url(place, [target.name for target in cause.targets], cause.since, now)
    if query:
        yield Link("query", query)
    if place.runbook_url:
        base = place.runbook_url.partition("#")[0]
        if base.endswith(f"/{_RUNBOOK}") and lookup(cause.code):
            yield Link("finding", f"{base.removesuffix(_RUNBOOK)}{DOCS.rpartition('/')[2]}#{cause.code.lower()}")
        yield Link("runbook", place.runbook_url)


def query_url(place: MessagePlace, targets: Sequence[str], since: str, now: str) -> str:
    """Logs Insights of the console with a query and its time range; empty where the log group is not known.

    The console's own encoding of a query in an address: `~(key~'text)`, with `*` before the hex digits of what is not a
    letter or digit, and `$` for `%`. AWS does not document it, so the address is for people only.
    """
    console = urlsplit(place.dashboard_url)
    if not console.netloc or not place.probe_logs or not place.region:
        return ""
    until = _read(now)
    start = (_read(since) or until) - _BEFORE if until else None
    if start is None or until is None:
        return ""
    named = ", ".join('"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"')) for name in targets[:_MOST_NAMED])
    only = f"filter Target in [{named}]\n| " if named else "filter verdict != 'pass'\n| "
    query = f"{only}fields @timestamp, SubnetId, Target, verdict, code, cause\n| sort @timestamp desc\n| limit 200"
    detail = (
        f"~(end~'{_escaped(_zulu(until + _AFTER))}~start~'{_escaped(_zulu(start))}~timeType~'ABSOLUTE~tz~'UTC"
        f"~editorString~'{_escaped(query)}~source~(~'{_escaped(place.probe_logs)}))"
    )
    fragment = quote(f"?queryDetail={detail}", safe="*~()").replace("%", "$")
    return f"{console.scheme}://{console.netloc}/cloudwatch/home?region={place.region}#logsV2:logs-insights{fragment}"


def _escaped(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-._") else _hex(c) for c in text)


def _hex(char: str) -> str:
    return f"*{ord(char):02x}" if ord(char) < 256 else f"**{ord(char):04x}" if ord(char) < 65536 else "*3f"


def _zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _read(at: str) -> datetime | None:
    try:
        return datetime.fromisoformat(at).astimezone(UTC)
    except ValueError:
        return None
