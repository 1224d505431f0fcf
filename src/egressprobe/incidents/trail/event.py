"""One call as CloudTrail recorded it: who made it, and what it names. Pure.

A record's content is the caller's: names, descriptions and tags may say anything, be of any shape and any size. So no
field is required, the walk is bounded, tags and descriptions are not looked at, and only ids, ARNs and names that are
printable are shown.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from egressprobe.incidents.trail.calls import CALLS
from egressprobe.model.text import with_ellipsis

# CloudTrail records 256 KB at most, in a Lake 1 MB; a larger one is not parsed.
_MOST_BYTES = 1_000_000
# Values looked at in one record; the request comes before the response.
_MOST_VALUES = 5000
_MOST_TEXT = 100
# No identifier is longer: an ARN has at most 2048 characters, those of network resources 300.
_LONGEST = 512
_UNREAD_FIELDS = frozenset(
    {
        *("tags", "tagset", "tagspecification", "tagspecifications", "tagspecificationset", "description"),
        *("userdata", "policydocument", "clienttoken", "requestid", "comment", "rulesstring", "rulessource"),
    }
)
_NAME_FIELDS = frozenset(
    {
        *("name", "clustername", "nodegroupname", "addonname", "fargateprofilename", "capabilityname"),
        *("loadbalancername", "firewallname", "firewallpolicyname", "rulegroupname", "principalarn", "hostedzoneid"),
        *("destinationcidrblock", "destinationipv6cidrblock", "destinationprefixlistid"),
    }
)
_ID = re.compile(r"[a-z]{1,12}(?:-[a-z]{1,12}){0,3}-[0-9a-f]{8,17}", re.ASCII)
_ARN = re.compile(r"arn:[a-z-]{3,12}:[a-z0-9-]{2,40}:[a-z0-9-]{0,30}:[0-9]{0,12}:[^\s]{1,300}", re.ASCII)
_SERVICE_ROLE = "AWSServiceRoleFor"


class TrailEvent(NamedTuple):
    """One successful call of `CALLS`. at: UTC. named: every identifier in it; shown: those for people, in its order."""

    id: str
    at: datetime
    source: str
    call: str
    by: str
    named: frozenset[str]
    shown: tuple[str, ...]


def read_event(event: object, account: str = "") -> TrailEvent | None:
    """An item of LookupEvents' `Events`; None for a failed call, one that does not matter, or what cannot be read.

    account: the cluster's; an identity of another one is named with it.
    """
    fields: Mapping[str, Any] = event if isinstance(event, Mapping) else {}
    record = _record(fields)
    source = _text(fields.get("EventSource") or record.get("eventSource"))
    call = _text(fields.get("EventName") or record.get("eventName"))
    at = _time(fields.get("EventTime")) or _time(record.get("eventTime"))
    if (source, call) not in CALLS or at is None or record.get("errorCode"):
        return None
    values = list(_values([record.get("requestParameters"), record.get("responseElements")]))
    values += [("resourcename", name) for name in _resource_names(fields)]
    shown = [text for field, text in values if field in _NAME_FIELDS or _ID.fullmatch(text) or _ARN.fullmatch(text)]
    return TrailEvent(
        id=_text(fields.get("EventId") or record.get("eventID")) or f"{at.isoformat()}/{call}",
        at=at,
        source=source,
        call=call,
        by=who(record.get("userIdentity"), account) or _text(fields.get("Username")) or "unknown",
        named=frozenset(part for _, text in values for part in (text, *_parts(text))),
        shown=tuple(dict.fromkeys(text for text in map(_text, shown) if text)),
    )


def who(identity: object, account: str = "") -> str:
    """Who made the call, from `userIdentity`: `role NAME/SESSION`, `user NAME`, `root` or a service; empty: not known.

    A service that acts with its own service-linked role is named itself; with a role of the account it is the role,
    `via` the service.
    """
    fields: Mapping[str, Any] = identity if isinstance(identity, Mapping) else {}
    service = _text(fields.get("invokedBy"))
    service = "" if service == "AWS Internal" else service
    kind, arn = _text(fields.get("type")), _text(fields.get("arn"), _LONGEST)
    context = fields.get("sessionContext")
    issuer = context.get("sessionIssuer") if isinstance(context, Mapping) else None
    role = _text(issuer.get("userName")) if isinstance(issuer, Mapping) else ""
    name = _text(fields.get("userName"))
    if service and (kind == "AWSService" or not kind or role.startswith(_SERVICE_ROLE)):
        return service
    other = _text(fields.get("accountId"))
    elsewhere = f" of account {other}" if account and other and other != account else ""
    text = {
        "Root": "root",
        "AssumedRole": f"role {_session(role, arn)}" if role or arn else "",
        "IAMUser": f"user {name}" if name else "",
        "FederatedUser": f"federated user {arn.rpartition('/')[2]}" if arn else "",
        "AWSAccount": f"account {other}" if other else "",
    }.get(kind, f"{kind} {name}".strip())
    if kind == "AWSAccount":
        elsewhere = ""
    by = f" via {service}" if service and text else ""
    return f"{text}{elsewhere}{by}" if text else service


def _session(role: str, arn: str) -> str:
    """`ROLE/SESSION`, as the ARN arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION has it."""
    _, _, rest = arn.partition(":assumed-role/")
    named, _, session = rest.partition("/")
    return _text("/".join(part for part in (role or named, session) if part))


def _record(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """`CloudTrailEvent`: the record as JSON."""
    text = fields.get("CloudTrailEvent")
    if not isinstance(text, str) or len(text) > _MOST_BYTES:
        return {}
    try:
        record = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _values(parts: list[Any]) -> Iterator[tuple[str, str]]:
    """(field in lower case, text) of every string below, in order, but for fields that people fill in."""
    waiting: list[tuple[str, Any]] = [("", part) for part in reversed(parts)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        field, value = waiting.pop()
        if isinstance(value, str):
            if 0 < len(value) <= _LONGEST:
                yield field, value
        elif isinstance(value, dict):
            below = [(str(key).lower(), item) for key, item in value.items()]
            waiting += reversed([pair for pair in below if pair[0] not in _UNREAD_FIELDS])
        elif isinstance(value, list):
            waiting += reversed([(field, item) for item in value])


def _resource_names(fields: Mapping[str, Any]) -> Iterator[str]:
    """CloudTrail's own list of what the call is about."""
    resources = fields.get("Resources")
    for resource in resources[:_MOST_VALUES] if isinstance(resources, list) else ():
        name = resource.get("ResourceName") if isinstance(resource, Mapping) else None
        if isinstance(name, str) and 0 < len(name) <= _LONGEST:
            yield name


def _parts(text: str) -> Iterator[str]:
    """The names in an ARN or a path, such as /hostedzone/ID."""
    if "/" in text:
        yield from (part for part in text.split("/")[1:] if part)


def _time(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        return None


def _text(value: object, most: int = _MOST_TEXT) -> str:
    """Printable text in one line, cut; empty for what is none."""
    if not isinstance(value, str):
        return ""
    return with_ellipsis("".join(c if c.isprintable() else " " for c in value[: most + 1]).strip(), most)
