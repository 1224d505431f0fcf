"""Which rows of error_texts are in a record, and what they say together. Pure.

A record is cut where a row begins a new error behind one that is whole. Of rows that overlap the one with more words of
its own counts, so that `dial tcp ADDRESS: i/o timeout` hides `i/o timeout`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from egressprobe.catalog.pasted.paste import Record, records
from egressprobe.error_texts import oidc
from egressprobe.error_texts.calls import CALLS, FAILING_OPEN, FETCHING_KEY_SET, REACHING_SERVICE, TO_CALL, TO_CALL_CUT
from egressprobe.error_texts.clients import CLIENTS, WHOLE
from egressprobe.error_texts.rows import CAUSES
from egressprobe.error_texts.services import OF_APISERVICES
from egressprobe.error_texts.template import ErrorText, Found, find_all, squeeze, weight
from egressprobe.error_texts.verdicts import VERDICTS, VerdictText
from egressprobe.model.target import Kind

_CAUSE_ORDER = {row: i for i, row in enumerate(CAUSES)}
_CALL_KINDS = {call.row: call.kind for call in CALLS}
_VERDICTS = {verdict.row: verdict for verdict in VERDICTS}
_CLIENTS = frozenset(CLIENTS)
_AROUND = (*(call.row for call in CALLS if not call.row.codes or call.row.root), *CLIENTS)
_VERDICT_ORDER = {verdict.row: i for i, verdict in enumerate(VERDICTS)}
# Rows of which the rest of the text is to come.
_BEGINNINGS = frozenset((*_CALL_KINDS, *(row for row in oidc.ROWS if row.family)))
_KUBELET_PORT = "10250"
# The path of a resource of a group. The API server itself asks an APIService for its group and version alone.
_OBJECT = re.compile(r"apis/[a-z0-9.-]{1,253}/v[a-z0-9]{1,30}/[a-z]")
# A row of `kubectl get apiservices`.
_APISERVICE_ROW = re.compile(
    r"(?m)^\s{0,8}(?P<api>v[a-z0-9]{1,30}\.[a-z0-9.-]{1,253})\s{1,80}(?P<namespace>[a-z0-9-]{1,63})/"
    r"(?P<name>[a-z0-9-]{1,63})\s{1,80}False \("
)
# Where it was written, and from which socket and when: the error is the same.
_NOT_IDENTITY = frozenset({"local", "now", "limit", "file", "reason"})
_MOST_ERRORS = 50  # of one record


class Recognised(NamedTuple):
    """One error. causes: rows that say what went wrong, the most telling first; values: read out of the text.

    kind: whose call it was, None where the text does not say. by_client: of a client's own connection to the API
    server. verdict: a decision of the API server. fails_open: the request went through unchecked. fetching_keys: an
    OIDC provider's key set could not be fetched. times: how often it was in the paste.
    """

    text: str
    causes: tuple[ErrorText, ...]
    values: dict[str, str]
    kind: Kind | None = None
    by_client: bool = False
    verdict: VerdictText | None = None
    fails_open: bool = False
    fetching_keys: bool = False
    times: int = 1


def recognise(text: str) -> tuple[Recognised, ...]:
    """The errors of a paste that are known, in their order; the same one once."""
    errors: dict[tuple[object, ...], Recognised] = {}
    for record in records(text):
        for error in _errors(record):
            key = (error.causes, error.kind, error.verdict, error.by_client, *_identity(error.values))
            known = errors.get(key)
            errors[key] = known._replace(times=known.times + error.times) if known else error
    return tuple(errors.values())


def _identity(values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """What makes two errors two: not the local port of a socket, nor the time."""
    return tuple(sorted((name, value) for name, value in values.items() if name not in _NOT_IDENTITY))


def _errors(record: Record) -> Iterable[Recognised]:
    lines = [line for line in record.text.splitlines() if line.strip()]
    if len(lines) > 1 and all(len(line) < 79 for line in lines):
        apart = [tuple(_of_text(line, record.times)) for line in lines]
        if all(errors and _whole(errors) for errors in apart):
            return [error for errors in apart for error in errors]
    return _of_text(record.text, record.times)


def _whole(errors: Sequence[Recognised]) -> bool:
    """Whether each is an error by itself, and not the beginning of one."""
    return all(
        any(row not in _BEGINNINGS for row in error.causes) or error.verdict or error.by_client for error in errors
    )


def _of_text(text: str, times: int) -> list[Recognised]:
    squeezed = squeeze(text)
    around = _without_overlap(hit for row in _AROUND for hit in find_all(row, squeezed))
    decisions = _without_overlap(hit for row in _VERDICTS for hit in find_all(row, squeezed))
    around = sorted((*around, *decisions), key=lambda hit: hit.start)
    causes = _without_overlap(hit for row in CAUSES for hit in find_all(row, squeezed))
    shown = text if len(text) <= 4000 else text[:4000]
    return [_recognised(shown, part, times) for part in _segments(around, causes)][:_MOST_ERRORS]


def _without_overlap(hits: Iterable[Found]) -> list[Found]:
    """Those that say most, in the order of the text. A family gives way to any row within its words."""
    taken: list[Found] = []
    for each in sorted(hits, key=lambda f: (f.row.family, -weight(f.row), f.start)):
        if all(each.end <= other.start or each.start >= other.end for other in taken):
            taken.append(each)
            if len(taken) >= 400:
                break
    return sorted(taken, key=lambda f: f.start)


type _Segment = tuple[list[Found], list[Found]]


def _segments(around: Sequence[Found], causes: Sequence[Found]) -> list[_Segment]:
    """(rows around, causes) of each error: a new one begins at a root row behind something that is whole."""
    segments: list[_Segment] = []
    place: _Segment = ([], [])
    whole = False
    merged = sorted([(f.start, 0, f) for f in around] + [(f.start, 1, f) for f in causes], key=lambda t: t[:2])
    for _, is_cause, hit in merged:
        again = hit.row in _VERDICTS and any(other.row in _VERDICTS for other in place[0])
        # A webhook may answer with words about a call of its own.
        again = again or (_is_other(hit) and any(_CALL_KINDS.get(other.row) for other in place[0]))
        if hit.row.root and whole and not is_cause and not again:
            segments.append(place)
            place, whole = ([], []), False
        place[is_cause].append(hit)
        whole = whole or bool(is_cause and not hit.row.root) or hit.row in WHOLE
        whole = whole or (hit.row in _VERDICTS and hit.row.root)
    segments.append(place)
    return [part for part in segments if part[1] or any(_says_something(hit.row) for hit in part[0])]


def _is_other(hit: Found) -> bool:
    return hit.row in _VERDICTS and _VERDICTS[hit.row].other


def _says_something(row: ErrorText) -> bool:
    return row in _VERDICTS or row in _CLIENTS or bool(row.codes)


def _recognised(text: str, segment: _Segment, times: int) -> Recognised:
    around, causes = segment
    values: dict[str, str] = {}
    for hit in (*around, *causes):
        for name, value in hit.values.items():
            if value:
                values.setdefault(name, value)
    row = None if "api" in values else _APISERVICE_ROW.search(text)
    values |= row.groupdict() if row else {}
    rows = [hit.row for hit in around]
    kinds = [kind for row in rows if (kind := _CALL_KINDS.get(row)) is not None]
    # Of a line that was cut off only the later words may be there.
    kinds = kinds or [kind for hit in causes if (kind := _CALL_KINDS.get(hit.row)) is not None]
    client = next((row for row in rows if row in _CLIENTS), None)
    by_client = client is not None or (not kinds and _is_api_url(values.get("url", "")))
    ordered = tuple(sorted({hit.row for hit in causes}, key=lambda row: (row.family, _CAUSE_ORDER[row])))
    if ordered == (TO_CALL,) and text.rpartition("failed to call webhook:")[2].split()[:1] in ([], ["Post"]):
        ordered = (TO_CALL_CUT,)
    verdict = _verdict(rows, kinds, causes, by_client=by_client)
    if not kinds and not by_client and (OF_APISERVICES & {*ordered} or "." in values.get("served", "")):
        kinds = [Kind.AGGREGATED_API]
    of_service = not kinds or (Kind.AGGREGATED_API in kinds and REACHING_SERVICE in rows)
    if of_service and not by_client and _KUBELET_PORT in (_port(values), _port_of_url(values)):
        kinds = [Kind.KUBELET]
    return Recognised(
        text=text,
        causes=ordered,
        values=values,
        kind=kinds[0] if kinds else None,
        by_client=by_client,
        verdict=verdict,
        fails_open=FAILING_OPEN in rows,
        fetching_keys=FETCHING_KEY_SET in rows,
        times=times,
    )


def _verdict(
    rows: Sequence[ErrorText], kinds: Sequence[Kind], causes: Sequence[Found], *, by_client: bool
) -> VerdictText | None:
    """The decision that says most; not words that a webhook or an APIService answered with, or beside a cause."""
    alone = not kinds and (by_client or not causes)
    decisions = [
        row for row in rows if row in _VERDICTS and (alone or (row.root and not (kinds and _VERDICTS[row].other)))
    ]
    return _VERDICTS[min(decisions, key=_VERDICT_ORDER.__getitem__)] if decisions else None


def _port(values: dict[str, str]) -> str:
    return values.get("endpoint", "").rpartition(":")[2]


def _port_of_url(values: dict[str, str]) -> str:
    return values.get("url", "").partition("://")[2].partition("/")[0].rpartition(":")[2]


def _is_api_url(url: str) -> bool:
    """A URL that only the API server serves: by its host on EKS, or by its path."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if not scheme.startswith("http") or not slash:
        return False
    name = host.rpartition(":")[0] or host
    of_object = _OBJECT.match(path) is not None
    of_eks = ".eks.amazonaws.com" in name
    return (
        of_eks or of_object or path.startswith(("api/v1/", "api?", "apis?", "openapi/", "version?", "livez", "readyz"))
    )
