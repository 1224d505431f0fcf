"""The codes that a recognised error may mean, ranked, each with the reason for its rank. Pure.

Rank 1: what the text says, or cannot separate. Rank 2: what else is in the text. Rank 3: possible with the same text,
and rarer.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from egressprobe.catalog.entry import Entry
from egressprobe.catalog.pasted.recognise import Recognised
from egressprobe.catalog.registry import lookup
from egressprobe.error_texts.network import CANCELED_CONNECTING, CANCELED_CUT, CLIENT_TIMEOUT, DEADLINE
from egressprobe.error_texts.oidc import FETCHING_KEYS, KEYS_REQUEST, KEYS_STATUS, NO_JWKS_URI
from egressprobe.error_texts.template import ErrorText
from egressprobe.model.failure import CODES, Code

_RARER = "the same text is possible, and rarer"
_LIMIT = re.compile(r"[?&]timeout=(\d{1,3})s\b")
_HANDSHAKE, _LOOKUP = 10, 10  # seconds: http.Transport.TLSHandshakeTimeout; two rounds of 5 s over the name servers
_CONVERSION = 30  # seconds: webhook_converter.go
_TIME_LIMITS = frozenset({DEADLINE, CLIENT_TIMEOUT, CANCELED_CONNECTING, CANCELED_CUT})
_KEY_SET = frozenset({FETCHING_KEYS, KEYS_STATUS, KEYS_REQUEST})
_OF_KEYS = frozenset({str(Code.OIDC_JWKS_INVALID)})


class Meaning(NamedTuple):
    """One code that an error may mean. rank: 1 is the likeliest; the text does not separate codes of one rank."""

    entry: Entry
    rank: int
    why: str


def call_limit(error: Recognised) -> int | None:
    """The call's own limit in seconds, where the text has it."""
    match = _LIMIT.search(error.values.get("url", ""))
    return int(match[1]) if match else None


def meanings(error: Recognised) -> tuple[Meaning, ...]:
    """The codes of an error, the likeliest first; none for a decision of the API server."""
    if error.verdict is not None:
        return ()
    rows = _telling(error.causes)
    ranked: list[tuple[str, int, str]] = []
    of_keys = error.fetching_keys and NO_JWKS_URI not in rows and not any(_OF_KEYS & {*row.codes} for row in rows[:1])
    if of_keys:
        ranked.append((str(Code.OIDC_JWKS_UNREACHABLE), 1, FETCHING_KEYS.why))
    for i, row in enumerate(rows):
        rank = 2 if i or (of_keys and row not in _KEY_SET) else 1
        ranked += [(code, rank, why) for code, why in _reasons(row, error)]
    ranked += [(code, 3, _RARER) for row in rows[:1] for code in row.less]
    best: dict[str, Meaning] = {}
    for code, rank, why in ranked:
        entry = lookup(code)
        if entry is not None and code not in best:
            best[code] = Meaning(entry, rank, why)
    return tuple(sorted(best.values(), key=lambda meaning: meaning.rank))


def _telling(rows: tuple[ErrorText, ...]) -> tuple[ErrorText, ...]:
    """Without the beginnings of texts of which the rest is known."""
    whole = tuple(row for row in rows if not row.family)
    beginnings = [row for row in rows if row.codes]
    of_keys = [row for row in beginnings if row in _KEY_SET]
    return whole or (*of_keys, *[row for row in beginnings if row not in _KEY_SET][:1])


def _reasons(row: ErrorText, error: Recognised) -> list[tuple[str, str]]:
    if row not in _TIME_LIMITS:
        return [(code, row.why) for code in row.codes]
    reasons = _time_limit_reasons(call_limit(error) or (_CONVERSION if "resource" in error.values else None))
    known = [(code, why) for code, why in reasons if code in row.codes]
    return [(code, f"{row.why}; {why}") if i == 0 else (code, why) for i, (code, why) in enumerate(known)]


def _time_limit_reasons(limit: int | None) -> list[tuple[str, str]]:
    """(code, reason), the likeliest first, for a call that a limit of `limit` seconds ended."""
    of = f" of {limit} s" if limit else ""
    connect = (
        str(Code.CONNECT_TIMEOUT),
        f"the usual case: a silent address takes the whole limit{of}",
    )
    tls = (str(Code.TLS_TIMEOUT), "TCP connects and the handshake stalls: Go's own limit for it is 10 s")
    dns = (str(Code.DNS_TIMEOUT), "a query of A or AAAA without an answer takes 10 s: Go waits for both")
    http = (str(Code.HTTP_TIMEOUT), "the connection works, and the server is slower than the limit" + of)
    if limit is not None and limit > max(_HANDSHAKE, _LOOKUP):
        text = f"; with a limit{of} its own error usually comes first"
        return [connect, http, (tls[0], tls[1] + text), (dns[0], dns[1] + text)]
    return [connect, tls, dns, http]


def phase(ranked: Sequence[Meaning]) -> str | None:
    """The phase that all codes of rank 1 share; None where the text does not say."""
    phases = {CODES[Code(m.entry.code)].phase for m in ranked if m.rank == 1 and m.entry.code in CODES}
    only = phases.pop() if len(phases) == 1 else None
    return str(only) if only else None
