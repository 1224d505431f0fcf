"""A joined report as the Planner's answer: below what a synchronous invocation may return."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.catalog import finding
from egressprobe.joined import Joined
from egressprobe.model import Verdict
from egressprobe.publish.data import MAX_RESPONSE, REDUCTIONS

# Of those left where nothing else can go.
_MOST_CAUSES = 200


def joined_response(joined: Joined, limit: int = MAX_RESPONSE) -> dict[str, Any]:
    """A joined report below `limit` bytes: details of the reports go first, then whole reports, then cells that pass.

    What fails stays; of more failing rows than fit the first are kept, and the summary counts all.
    """
    encoded = msgspec.json.encode(joined)
    if len(encoded) >= limit:
        note = finding("REPORT_REDUCED", "details were left out to fit the response", {"limitBytes": limit})
        joined = replace(joined, findings=(*joined.findings, note))
        for smaller in _smaller(joined):
            encoded = msgspec.json.encode(smaller)
            if len(encoded) < limit:
                break
    answer: dict[str, Any] = msgspec.json.decode(encoded)
    return answer


def _smaller(joined: Joined) -> Iterator[Joined]:
    for step in REDUCTIONS:
        reports = tuple(replace(one, results=tuple(map(step, one.results))) for one in joined.reports)
        yield replace(joined, reports=reports)
    joined = replace(joined, reports=())
    yield joined
    rows = tuple(replace(row, target=replace(row.target, addresses=(), objects=(), affects="")) for row in joined.rows)
    joined = replace(joined, rows=rows)
    yield joined
    rows = tuple(row for row in rows if row.verdict is not Verdict.PASS)
    joined = replace(joined, causes=tuple(replace(one, evidence={}) for one in joined.causes[:_MOST_CAUSES]))
    while True:
        yield replace(joined, rows=rows)
        rows = rows[: len(rows) // 2]
